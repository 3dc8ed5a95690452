/* Every value of golden/stats (changes excepted: that file is for change points), within its README's tolerances. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/file.h"
#include "kernels/base/memory.h"
#include "results/stats/bootstrap.h"
#include "results/stats/dependence.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"
#include "results/stats/factorial.h"
#include "results/stats/multiplicity.h"
#include "results/stats/permutation.h"
#include "results/stats/rank.h"
#include "results/stats/t_test.h"
#include "results/stats/tail.h"

#define CLOSED 1e-10      /* closed forms */
#define TAIL 1e-8         /* quantiles of t, p-values far in a tail */

/* ---- reading ---- */

static json_t *topic(const char *name) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/stats")) SKIP_TEST_PROGRAM("no golden data");
    char *path = mem_printf("%s/stats/%s.json", ASSAY_GOLDEN_DIR, name);
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", path, error.text);
    mem_free(path);
    return root;
}

/* "a.b.c" under root. */
static const json_t *at(const json_t *root, const char *path) {
    char *copy = mem_copy_string(path);
    for (char *save, *key = strtok_r(copy, ".", &save); key; key = strtok_r(NULL, ".", &save)) {
        root = json_object_get(root, key);
        ck_assert_msg(root != NULL, "golden value %s is absent", path);
    }
    mem_free(copy);
    return root;
}

static double number(const json_t *root, const char *path) { return json_number_value(at(root, path)); }
static double item(const json_t *root, const char *path, size_t i) {
    return json_number_value(json_array_get(at(root, path), i));
}

struct list {
    double *v;
    size_t n;
};
static struct list list_of(const json_t *root, const char *path) {
    const json_t *array = at(root, path);
    struct list out = {mem_alloc(json_array_size(array) * sizeof(double)), json_array_size(array)};
    for (size_t i = 0; i < out.n; i++) out.v[i] = json_number_value(json_array_get(array, i));
    return out;
}

static int is_near(double got, double want, double tolerance) {
    return got == want || fabs(got - want) <= tolerance * fabs(want);
}
#define NEAR(got, want, tolerance) \
    do { \
        double got_ = (got), want_ = (want); \
        ck_assert_msg(is_near(got_, want_, tolerance), #got " is %.15g, not %.15g", got_, want_); \
    } while (0)

START_TEST(comparison_can_fail) {
    ck_assert(is_near(1.0, 1.0 + 0.9e-10, CLOSED));
    ck_assert(!is_near(1.0, 1.0 + 1.1e-10, CLOSED));
    ck_assert(!is_near(NAN, 1.0, CLOSED));
    ck_assert(!is_near(1e-300, 0.0, CLOSED));
} END_TEST

/* ---- topics ---- */

START_TEST(descriptive) {
    json_t *root = topic("descriptive");
    const json_t *want = at(root, "expected");
    struct list x = list_of(root, "input.x"), p = list_of(root, "settings.probabilities");
    NEAR(sample_mean(x.v, x.n), number(want, "mean"), CLOSED);
    NEAR(sample_variance(x.v, x.n), number(want, "variance"), CLOSED);
    NEAR(sample_deviation(x.v, x.n), number(want, "standard_deviation"), CLOSED);
    NEAR(sample_deviation(x.v, x.n) / sqrt((double)x.n), number(want, "standard_error"), CLOSED);
    NEAR(sample_deviation(x.v, x.n) / sample_mean(x.v, x.n), number(want, "coefficient_of_variation"), CLOSED);
    NEAR(sample_median(x.v, x.n), number(want, "median"), CLOSED);
    NEAR(sample_mad(x.v, x.n), number(want, "mad"), CLOSED);
    NEAR(sample_mad_scaled(x.v, x.n), number(want, "mad_scaled"), CLOSED);
    NEAR(sample_geometric_mean(x.v, x.n), number(want, "geometric_mean"), CLOSED);
    NEAR(sample_harmonic_mean(x.v, x.n), number(want, "harmonic_mean"), CLOSED);
    NEAR(sample_trimmed_mean(x.v, x.n, 0.2), number(want, "trimmed_mean_20"), CLOSED);
    NEAR(sample_skewness(x.v, x.n), number(want, "skewness"), CLOSED);
    NEAR(sample_excess_kurtosis(x.v, x.n), number(want, "excess_kurtosis"), CLOSED);
    for (size_t i = 0; i < p.n; i++) NEAR(sample_quantile(x.v, x.n, p.v[i]), item(want, "quantiles", i), CLOSED);
    double range = sample_quantile(x.v, x.n, 0.75) - sample_quantile(x.v, x.n, 0.25);
    NEAR(range, number(want, "interquartile_range"), CLOSED);
    struct interval t = sample_mean_interval(x.v, x.n, number(root, "settings.confidence"));
    NEAR(t.low, item(want, "mean_interval_t", 0), TAIL);
    NEAR(t.high, item(want, "mean_interval_t", 1), TAIL);
    mem_free(x.v);
    mem_free(p.v);
    json_decref(root);
} END_TEST

START_TEST(distributions) {
    json_t *root = topic("distributions");
    const json_t *want = at(root, "expected"), *row;
    size_t i;
    json_array_foreach(at(want, "student_t_quantile"), i, row)
        NEAR(student_t_quantile(number(row, "p"), number(row, "df")), number(row, "t"), TAIL);
    json_array_foreach(at(want, "student_t_cdf"), i, row)
        NEAR(student_t_cdf(number(row, "t"), number(row, "df")), number(row, "p"), CLOSED);
    json_array_foreach(at(want, "normal_quantile"), i, row)
        NEAR(normal_quantile(number(row, "p")), number(row, "z"), CLOSED);
    json_array_foreach(at(want, "normal_cdf"), i, row)
        NEAR(normal_cdf(number(row, "z")), number(row, "p"), CLOSED);
    json_array_foreach(at(want, "incomplete_beta"), i, row)
        NEAR(incomplete_beta(number(row, "a"), number(row, "b"), number(row, "x")), number(row, "value"), CLOSED);
    json_decref(root);
} END_TEST

/* Rows of equal length, flattened; owned. */
static size_t *indices_of(const json_t *root, const char *path) {
    const json_t *rows = at(root, path), *row, *value;
    size_t width = json_array_size(json_array_get(rows, 0)), r, i;
    size_t *out = mem_alloc(json_array_size(rows) * width * sizeof *out);
    json_array_foreach(rows, r, row)
        json_array_foreach(row, i, value) out[r * width + i] = (size_t)json_integer_value(value);
    return out;
}

static void bootstrap_check(const json_t *want, const struct bootstrap_data *data, bootstrap_statistic statistic,
                            const struct bootstrap_indices *indices) {
    double *replicates = mem_alloc(indices->resamples * sizeof *replicates);
    struct bootstrap_result got = bootstrap_given(data, statistic, indices, 0.95, replicates);
    NEAR(got.estimate, number(want, "estimate"), CLOSED);
    for (size_t r = 0; r < 4; r++) NEAR(replicates[r], item(want, "first_resampled", r), CLOSED);
    NEAR(got.standard_error, number(want, "standard_error"), CLOSED);
    NEAR(got.percentile.low, item(want, "percentile.interval", 0), CLOSED);
    NEAR(got.percentile.high, item(want, "percentile.interval", 1), CLOSED);
    NEAR(got.z0, number(want, "BCa.z0"), CLOSED);
    NEAR(got.acceleration, number(want, "BCa.acceleration"), CLOSED);
    NEAR(got.probabilities.low, item(want, "BCa.adjusted_probabilities", 0), CLOSED);
    NEAR(got.probabilities.high, item(want, "BCa.adjusted_probabilities", 1), CLOSED);
    NEAR(got.bca.low, item(want, "BCa.interval", 0), CLOSED);
    NEAR(got.bca.high, item(want, "BCa.interval", 1), CLOSED);
    mem_free(replicates);
}

START_TEST(bootstrap) {
    json_t *root = topic("bootstrap");
    struct list x = list_of(root, "input.x"), y = list_of(root, "input.y");
    size_t *x_index = indices_of(root, "input.x_index"), *y_index = indices_of(root, "input.y_index");
    struct bootstrap_data one = {.x = {x.v, x.n}}, two = {{x.v, x.n}, {y.v, y.n}};
    size_t resamples = json_array_size(at(root, "input.x_index"));
    struct bootstrap_indices of_one = {x_index, NULL, resamples}, of_two = {x_index, y_index, resamples};
    bootstrap_check(at(root, "expected.mean"), &one, bootstrap_mean, &of_one);
    bootstrap_check(at(root, "expected.median"), &one, bootstrap_median, &of_one);
    bootstrap_check(at(root, "expected.ratio_of_medians"), &two, bootstrap_ratio_of_medians, &of_two);
    mem_free(x.v);
    mem_free(y.v);
    mem_free(x_index);
    mem_free(y_index);
    json_decref(root);
} END_TEST

static void rank_check(const json_t *want, const struct list *x, const struct list *y) {
    struct mann_whitney got = mann_whitney(x->v, x->n, y->v, y->n);
    NEAR(got.u, number(want, "u"), 0.0);
    NEAR(got.p_asymptotic, number(want, "p_asymptotic"), CLOSED);
    NEAR(got.p_plain, number(want, "p_asymptotic_without_continuity"), CLOSED);
    NEAR(cliffs_delta(x->v, x->n, y->v, y->n), number(want, "cliffs_delta"), CLOSED);
    struct shift shift = hodges_lehmann_shift(x->v, x->n, y->v, y->n, 0.95);
    NEAR(shift.shift, number(want, "hodges_lehmann_shift"), CLOSED);
    ck_assert_int_eq(got.has_ties, isnan(got.p_exact));
    if (got.has_ties) return;
    NEAR(got.p_exact, number(want, "p_exact"), CLOSED);
    NEAR(shift.interval.low, item(want, "shift_interval", 0), CLOSED);
    NEAR(shift.interval.high, item(want, "shift_interval", 1), CLOSED);
    NEAR((double)shift.order_from_each_end, number(want, "order_from_each_end"), 0.0);
    NEAR(shift.coverage, number(want, "coverage"), CLOSED);
}

START_TEST(rank_tests) {
    json_t *root = topic("rank_tests");
    struct list x = list_of(root, "input.x"), y = list_of(root, "input.y");
    struct list tied_x = list_of(root, "input.tied_x"), tied_y = list_of(root, "input.tied_y");
    rank_check(at(root, "expected.distinct"), &x, &y);
    rank_check(at(root, "expected.tied"), &tied_x, &tied_y);
    mem_free(x.v);
    mem_free(y.v);
    mem_free(tied_x.v);
    mem_free(tied_y.v);
    json_decref(root);
} END_TEST

START_TEST(t_tests) {
    json_t *root = topic("t_tests");
    const json_t *want = at(root, "expected");
    struct list x = list_of(root, "input.x"), y = list_of(root, "input.y");
    struct list before = list_of(root, "input.before"), after = list_of(root, "input.after");
    struct t_test welch = t_test_welch(x.v, x.n, y.v, y.n, 0.95);
    NEAR(welch.t, number(want, "welch.t"), CLOSED);
    NEAR(welch.degrees_of_freedom, number(want, "welch.degrees_of_freedom"), CLOSED);
    NEAR(welch.p, number(want, "welch.p"), CLOSED);
    NEAR(welch.difference, number(want, "welch.difference"), CLOSED);
    NEAR(welch.interval.low, item(want, "welch.interval", 0), TAIL);
    NEAR(welch.interval.high, item(want, "welch.interval", 1), TAIL);
    struct t_test paired = t_test_paired(before.v, after.v, before.n, 0.95);
    NEAR(paired.t, number(want, "paired.t"), CLOSED);
    NEAR(paired.degrees_of_freedom, number(want, "paired.degrees_of_freedom"), 0.0);
    NEAR(paired.p, number(want, "paired.p"), CLOSED);
    struct interval margin = {item(root, "settings.equivalence_margins", 0),
                              item(root, "settings.equivalence_margins", 1)};
    struct t_equivalence tost = t_test_equivalence(&welch, margin);
    NEAR(tost.p_not_below, number(want, "tost.p_not_below"), CLOSED);
    NEAR(tost.p_not_above, number(want, "tost.p_not_above"), CLOSED);
    NEAR(tost.p, number(want, "tost.p"), CLOSED);
    struct process_samples px = {x.v, x.n}, py = {y.v, y.n};
    struct t_test logs;
    struct t_ratio ratio = t_test_ratio(&px, &py, 0.95, &logs);
    double edge = log1p(number(root, "settings.ratio_margin"));
    NEAR(ratio.ratio, number(want, "ratio_of_geometric_means.ratio"), CLOSED);
    NEAR(ratio.interval.low, item(want, "ratio_of_geometric_means.interval", 0), TAIL);
    NEAR(ratio.interval.high, item(want, "ratio_of_geometric_means.interval", 1), TAIL);
    NEAR(logs.degrees_of_freedom, number(want, "ratio_of_geometric_means.degrees_of_freedom"), CLOSED);
    tost = t_test_equivalence(&logs, (struct interval){-edge, edge});
    NEAR(tost.p, number(want, "ratio_of_geometric_means.tost_p"), CLOSED);
    mem_free(x.v);
    mem_free(y.v);
    mem_free(before.v);
    mem_free(after.v);
    json_decref(root);
} END_TEST

START_TEST(permutation) {
    json_t *root = topic("permutation");
    const json_t *want = at(root, "expected"), *rows = at(root, "input.signs"), *row, *value;
    struct list before = list_of(root, "input.before"), after = list_of(root, "input.after");
    size_t n = before.n, r, i;
    for (i = 0; i < n; i++) before.v[i] -= after.v[i];
    struct sign_flip exact = sign_flip_exact(before.v, n);
    NEAR(exact.mean, number(want, "mean_difference"), CLOSED);
    NEAR((double)exact.count, number(want, "exact_count"), 0.0);
    NEAR(exact.p, number(want, "exact_p"), CLOSED);
    signed char *signs = mem_alloc(json_array_size(rows) * n);
    json_array_foreach(rows, r, row)
        json_array_foreach(row, i, value) signs[r * n + i] = (signed char)json_integer_value(value);
    struct sign_flip given = sign_flip_given(before.v, n, signs, json_array_size(rows));
    NEAR((double)given.count, number(want, "sampled_count"), 0.0);
    NEAR(given.p, number(want, "sampled_p"), CLOSED);
    struct wilcoxon w = wilcoxon_signed_rank(before.v, n);
    NEAR(w.statistic, number(want, "wilcoxon_signed_rank.statistic"), 0.0);
    NEAR(w.p, number(want, "wilcoxon_signed_rank.p_exact"), CLOSED);
    mem_free(signs);
    mem_free(before.v);
    mem_free(after.v);
    json_decref(root);
} END_TEST

START_TEST(dependence) {
    json_t *root = topic("dependence");
    const json_t *want = at(root, "expected"), *row;
    struct list x = list_of(root, "input.ar");
    size_t i, lags = (size_t)number(root, "settings.lags");
    for (i = 0; i <= lags; i++) NEAR(autocorrelation(x.v, x.n, i), item(want, "autocorrelation", i), CLOSED);
    double effective = effective_size_ar1((double)x.n, autocorrelation(x.v, x.n, 1));
    NEAR(effective, number(want, "effective_size_ar1"), CLOSED);
    NEAR(sample_deviation(x.v, x.n) / sqrt(effective), number(want, "standard_error_ar1"), CLOSED);
    struct integrated_time tau = integrated_time(x.v, x.n);
    NEAR(tau.tau, number(want, "integrated_time_initial_positive"), CLOSED);
    NEAR((double)tau.pairs, number(want, "pairs_used"), 0.0);
    NEAR(tau.effective_size, number(want, "effective_size_initial_positive"), CLOSED);
    struct ljung_box q = ljung_box(x.v, x.n, lags);
    NEAR(q.statistic, number(want, "ljung_box.statistic"), CLOSED);
    NEAR(q.p, number(want, "ljung_box.p"), TAIL);
    json_array_foreach(at(want, "effective_size_of_given"), i, row)
        NEAR(effective_size_ar1(number(row, "n"), number(row, "rho")), number(row, "effective"), CLOSED);
    mem_free(x.v);
    json_decref(root);
} END_TEST

static double order_or_zero(const json_t *row, const char *key) {
    return json_is_null(at(row, key)) ? 0.0 : number(row, key);
}

START_TEST(tails) {
    json_t *root = topic("tails");
    const json_t *want = at(root, "expected"), *row;
    size_t i;
    json_array_foreach(at(want, "early_stopping"), i, row) {
        double tail;
        int64_t n = queries_needed(number(row, "percentile"), number(row, "confidence"),
                                   (int64_t)number(row, "over_limit"), &tail);
        NEAR((double)n, number(row, "queries"), 0.0);
        NEAR(tail, number(row, "tail"), CLOSED);
    }
    json_array_foreach(at(want, "clopper_pearson_95"), i, row) {
        struct interval got = proportion_clopper_pearson((int64_t)number(row, "k"), (int64_t)number(row, "n"), 0.95);
        NEAR(got.low, item(row, "interval", 0), CLOSED);
        NEAR(got.high, item(row, "interval", 1), CLOSED);
    }
    json_array_foreach(at(want, "wilson_95"), i, row) {
        struct interval got = proportion_wilson((int64_t)number(row, "k"), (int64_t)number(row, "n"), 0.95);
        NEAR(got.low, item(row, "interval", 0), CLOSED);
        NEAR(got.high, item(row, "interval", 1), CLOSED);
    }
    json_array_foreach(at(want, "quantile_order_interval_95"), i, row) {
        struct order_interval got = quantile_order_interval((size_t)number(row, "n"), number(row, "quantile"), 0.95);
        NEAR((double)got.lower, order_or_zero(row, "lower_order"), 0.0);
        NEAR((double)got.upper, order_or_zero(row, "upper_order"), 0.0);
        if (json_is_null(at(row, "coverage"))) ck_assert(isnan(got.coverage));
        else NEAR(got.coverage, number(row, "coverage"), CLOSED);
    }
    json_decref(root);
} END_TEST

/* "ABD" → bits 0, 1, 3. */
static size_t mask_of(const char *name) {
    size_t mask = 0;
    for (; *name; name++) mask |= (size_t)1 << (*name - 'A');
    return mask;
}

static void factorial_logs_check(const json_t *want, const struct factorial *got) {
    const char *name;
    json_t *value;
    NEAR(got->effects[0].value, number(want, "mean_log"), CLOSED);
    json_object_foreach((json_t *)(uintptr_t)at(want, "effects_log"), name, value)
        NEAR(got->effects[mask_of(name)].value, json_number_value(value), CLOSED);
    for (int f = 0; f < got->factors; f++) {
        char key[] = {(char)('A' + f), 0};
        NEAR(got->shares[f].value, number(at(want, "shapley_log_speedup"), key), CLOSED);
        NEAR(exp(got->shares[f].value), number(at(want, "shapley_factor"), key), CLOSED);
        NEAR(exp(got->alone[f].value), number(at(want, "alone"), key), CLOSED);
        NEAR(exp(got->left_out[f].value), number(at(want, "left_out"), key), CLOSED);
        /* the second way: a share is minus the sum of the effects of odd sets that hold f, each over its size */
        double other = 0.0;
        for (size_t c = 1; c < 16; c++)
            if (c >> f & 1 && __builtin_popcountll(c) % 2) other -= got->effects[c].value / __builtin_popcountll(c);
        NEAR(other, number(at(want, "shapley_log_speedup"), key), CLOSED);
    }
    NEAR(exp(got->total.value), number(want, "total_speedup"), CLOSED);
}

START_TEST(factorial) {
    json_t *root = topic("factorial"), *value;
    const json_t *want = at(root, "expected");
    struct list table = list_of(root, "input.table");
    struct factorial got;
    ck_assert_int_eq(factorial_analyse(table.v, 4, 1, 0.95, &got, NULL), STATUS_OK);
    factorial_logs_check(want, &got);
    factorial_free(&got);
    factorial_effects(table.v, 4, table.v); /* in place, of times */
    NEAR(table.v[0], number(want, "mean"), CLOSED);
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)at(want, "effects"), name, value)
        NEAR(table.v[mask_of(name)], json_number_value(value), CLOSED);
    mem_free(table.v);
    json_decref(root);
} END_TEST

START_TEST(multiplicity) {
    json_t *root = topic("multiplicity");
    const json_t *want = at(root, "expected");
    struct list p = list_of(root, "input.p");
    double *bh = mem_alloc(p.n * sizeof *bh), *holm = mem_alloc(p.n * sizeof *holm), *by = mem_alloc(p.n * sizeof *by);
    double alpha = number(root, "settings.alpha");
    adjust_benjamini_hochberg(p.v, p.n, bh);
    adjust_holm(p.v, p.n, holm);
    adjust_benjamini_yekutieli(p.v, p.n, by);
    for (size_t i = 0; i < p.n; i++) {
        NEAR(bh[i], item(want, "benjamini_hochberg", i), CLOSED);
        NEAR(holm[i], item(want, "holm", i), CLOSED);
        NEAR(by[i], item(want, "benjamini_yekutieli", i), CLOSED);
        ck_assert_int_eq(bh[i] <= alpha, json_is_true(json_array_get(at(want, "rejected"), i)));
        ck_assert_int_eq(holm[i] <= alpha, json_is_true(json_array_get(at(want, "holm_rejected"), i)));
    }
    mem_free(bh);
    mem_free(holm);
    mem_free(by);
    mem_free(p.v);
    json_decref(root);
} END_TEST

TEST_MAIN("stats golden", comparison_can_fail, descriptive, distributions, bootstrap, rank_tests, t_tests, permutation,
          dependence, tails, factorial, multiplicity)
