/* Statistics by their properties: brute force, identities, simulation, and what happens at the edges. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "results/stats/bootstrap.h"
#include "results/stats/dependence.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"
#include "results/stats/factorial.h"
#include "results/stats/multiplicity.h"
#include "results/stats/permutation.h"
#include "results/stats/rank.h"
#include "results/stats/steady.h"
#include "results/stats/summary.h"
#include "results/stats/tail.h"

static double uniform(uint64_t *state) { return random_unit(random_next(state)); }
static double normal(uint64_t *state) { return normal_quantile(1e-12 + 0.999999 * uniform(state)); }

static void ck_near(double got, double want, double tolerance) {
    ck_assert_msg(fabs(got - want) <= tolerance * fmax(1.0, fabs(want)), "%.15g is not %.15g", got, want);
}

/* ---- distributions ---- */

START_TEST(distribution_identities) {
    static const double dfs[] = {1.0, 2.0, 2.5, 4.0, 30.0, 1e4};
    static const double tails[] = {1e-12, 1e-4, 0.005, 0.3, 0.7, 0.995};
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            double t = student_t_quantile(tails[j], dfs[i]);
            ck_near(student_t_cdf(t, dfs[i]) / tails[j], 1.0, 1e-11);
            ck_near(student_t_above(t, dfs[i]), 1.0 - tails[j], 1e-12);
        }
    for (double p = 1e-300; p < 0.5; p *= 1e10) ck_near(normal_cdf(normal_quantile(p)) / p, 1.0, 1e-11);
    /* I_x(a, b) + I_(1-x)(b, a) = 1; a chi square of 2 degrees is exponential; t of 1 degree is Cauchy */
    for (double a = 0.5; a < 1e5; a *= 7.0)
        for (double x = 0.03; x < 1.0; x += 0.11)
            ck_near(incomplete_beta(a, 3.3, x) + incomplete_beta(3.3, a, 1.0 - x), 1.0, 1e-12);
    for (double x = 0.1; x < 600.0; x *= 2.0) ck_near(chi_square_above(x, 2.0) / exp(-0.5 * x), 1.0, 1e-11);
    for (double t = -9.0; t < 9.0; t += 0.7) ck_near(student_t_cdf(t, 1.0), 0.5 + atan(t) / M_PI, 1e-13);
    ck_near(incomplete_beta(2.0, 5.0, incomplete_beta_inverse(2.0, 5.0, 0.123)), 0.123, 1e-13);
} END_TEST

START_TEST(distribution_edges) {
    ck_assert(isinf(normal_quantile(0.0)) && isinf(student_t_quantile(1.0, 3.0)));
    ck_assert(isnan(normal_quantile(-0.1)) && isnan(normal_quantile(NAN)));
    ck_assert(isnan(student_t_quantile(0.5, 0.0)) && isnan(student_t_above(NAN, 3.0)));
    ck_assert(isnan(incomplete_beta(0.0, 1.0, 0.5)));
    ck_assert_double_eq(student_t_above(INFINITY, 3.0), 0.0);
    ck_assert_double_eq(chi_square_above(0.0, 3.0), 1.0);
    ck_assert_double_eq(binomial_cdf(-1.0, 5.0, 0.5), 0.0);
    ck_assert_double_eq(binomial_above(-1.0, 5.0, 0.5), 1.0);
    ck_assert_double_eq(binomial_cdf(5.0, 5.0, 0.5), 1.0);
    ck_near(binomial_cdf(2.0, 5.0, 0.5), 0.5, 1e-14);
} END_TEST

/* ---- descriptive ---- */

START_TEST(descriptive_edges) {
    double one = 3.0, wild[] = {1.0, NAN, 2.0};
    ck_assert(isnan(sample_mean(NULL, 0)) && isnan(sample_median(NULL, 0)) && isnan(sample_quantile(NULL, 0, 0.5)));
    ck_assert(isnan(sample_deviation(&one, 1)) && isnan(sample_mean_interval(&one, 1, 0.95).low));
    ck_assert_double_eq(sample_median(&one, 1), 3.0);
    ck_assert_double_eq(sample_mad(&one, 1), 0.0);
    ck_assert_double_eq(sample_quantile(&one, 1, 1.0), 3.0);
    ck_assert(isnan(sample_quantile(&one, 1, 1.5)) && isnan(sample_trimmed_mean(&one, 1, 0.5)));
    ck_assert_double_eq(sample_median(wild, 3), 2.0); /* NAN sorts last */
} END_TEST

/* ---- ranks against brute force ---- */

static void differences(const double *x, size_t n, const double *y, size_t m, double *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) out[i * m + j] = x[i] - y[j];
}

START_TEST(order_selection) {
    uint64_t state = 1;
    for (int round = 0; round < 300; round++) {
        double x[12], y[12], all[144];
        size_t n = 1 + (size_t)(12.0 * uniform(&state)), m = 1 + (size_t)(12.0 * uniform(&state)), count = 0;
        double grain = round % 3 ? 0.0 : 4.0; /* every third round has ties, and zeros */
        for (size_t i = 0; i < n; i++) x[i] = grain > 0.0 ? floor(grain * normal(&state)) : normal(&state);
        for (size_t i = 0; i < m; i++) y[i] = grain > 0.0 ? floor(grain * normal(&state)) : normal(&state);
        differences(x, n, y, m, all);
        struct shift shift = hodges_lehmann_shift(x, n, y, m, 0.9);
        ck_assert_double_eq(shift.shift, sample_median(all, n * m));
        sample_sort(all, n * m);
        ck_assert_double_eq(shift.interval.low, all[shift.order_from_each_end - 1]);
        ck_assert_double_eq(shift.interval.high, all[n * m - shift.order_from_each_end]);
        for (size_t i = 0; i < n; i++)
            for (size_t j = i; j < n; j++) all[count++] = 0.5 * (x[i] + x[j]);
        ck_assert_double_eq(hodges_lehmann_location(x, n), sample_median(all, count));
    }
} END_TEST

START_TEST(mann_whitney_exact) { /* all 20 arrangements of 3 and 3 */
    double x[3], y[3];
    for (int mask = 0; mask < 64; mask++) {
        if (__builtin_popcount((unsigned)mask) != 3) continue;
        for (int v = 0, a = 0, b = 0; v < 6; v++) {
            if (mask >> v & 1) x[a++] = v;
            else y[b++] = v;
        }
        struct mann_whitney got = mann_whitney(x, 3, y, 3);
        /* the distribution of U for 3 and 3: 1 1 2 3 3 3 3 2 1 1, over 20 */
        static const double below[] = {1, 2, 4, 7, 10, 13, 16, 18, 19, 20};
        int u = (int)got.u, mirror = 9 - u, least = u < mirror ? u : mirror;
        ck_near(got.p_exact, fmin(1.0, 2.0 * below[least] / 20.0), 1e-13);
        ck_near(cliffs_delta(x, 3, y, 3), 2.0 * got.u / 9.0 - 1.0, 1e-14);
    }
    double big_x[80], big_y[80]; /* beyond the exact limit: nearly the same answer */
    uint64_t state = 4;
    for (int i = 0; i < 80; i++) big_x[i] = normal(&state), big_y[i] = normal(&state) + 0.3;
    struct shift exact = hodges_lehmann_shift(big_x, 64, big_y, 64, 0.95);
    struct shift approx = hodges_lehmann_shift(big_x, 65, big_y, 64, 0.95);
    ck_near((double)approx.order_from_each_end / (65.0 * 64.0), (double)exact.order_from_each_end / 4096.0, 0.005);
    ck_assert(isnan(mann_whitney(big_x, 80, big_y, 80).p_exact));
    ck_assert(isnan(mann_whitney(big_x, 0, big_y, 80).u) && isnan(hodges_lehmann_shift(big_x, 0, big_y, 1, 0.9).shift));
} END_TEST

/* ---- permutations ---- */

START_TEST(permutations) {
    static const double d[] = {0.3, -0.1, 0.3, 0.5, 0.0, -0.3, 0.8, 0.2};
    /* brute force over the signs of the seven nonzero differences, ranks 1 2 4 4 4 6 7 */
    static const int ranks[] = {4, 1, 4, 6, 4, 7, 2};
    int reached = 0;
    for (int mask = 0; mask < 128; mask++) {
        int sum = 0;
        for (int i = 0; i < 7; i++) sum += mask >> i & 1 ? ranks[i] : 0;
        reached += sum <= 5;
    }
    struct wilcoxon w = wilcoxon_signed_rank(d, 8);
    ck_assert_double_eq(w.statistic, 5.0);
    ck_near(w.p, 2.0 * reached / 128.0, 1e-14);
    ck_assert(w.is_exact && isnan(wilcoxon_signed_rank(d + 4, 1).p));
    double many[150];
    uint64_t state = 2;
    for (int i = 0; i < 150; i++) many[i] = normal(&state) + 0.2;
    struct sign_flip exact = sign_flip_exact(d, 8), sampled = sign_flip_sampled(d, 8, 40000, 7);
    ck_near(sampled.p, exact.p, 0.01);
    ck_assert(isnan(sign_flip_exact(many, 21).p) && isnan(sign_flip_exact(many, 0).p));
    struct wilcoxon large = wilcoxon_signed_rank(many, 150);
    ck_assert(!large.is_exact);
    ck_near(large.p, sign_flip_sampled(many, 150, 20000, 3).p, 0.05);
} END_TEST

/* ---- bootstrap ---- */

START_TEST(bootstrap_coverage) { /* of the median of 30 exponential samples */
    int percentile = 0, bca = 0, times = 400;
    uint64_t state = 5;
    for (int i = 0; i < times; i++) {
        double x[30];
        for (int k = 0; k < 30; k++) x[k] = -log(1.0 - uniform(&state));
        struct bootstrap_data data = {.x = {x, 30}};
        struct bootstrap_settings settings = {.resamples = 500, .block = 1, .confidence = 0.9, .seed = (uint64_t)i};
        struct bootstrap_result r = bootstrap_drawn(&data, bootstrap_median, &settings);
        percentile += r.percentile.low <= M_LN2 && M_LN2 <= r.percentile.high;
        bca += r.bca.low <= M_LN2 && M_LN2 <= r.bca.high;
    }
    ck_assert_msg(percentile >= 0.85 * times && percentile <= 0.96 * times, "percentile %d of %d", percentile, times);
    ck_assert_msg(bca >= 0.84 * times && bca <= 0.96 * times, "BCa covers %d of %d", bca, times);
} END_TEST

START_TEST(bootstrap_of_a_series) { /* runs of neighbours see the dependence that single draws miss */
    double x[200];
    uint64_t state = 6;
    for (int t = 0; t < 200; t++) x[t] = normal(&state) + (t ? 0.9 * x[t - 1] : 0.0);
    struct bootstrap_data data = {.x = {x, 200}};
    struct bootstrap_settings single = {1000, 1, 0.95, 1}, runs = {1000, 25, 0.95, 1};
    struct bootstrap_result a = bootstrap_drawn(&data, bootstrap_mean, &single);
    struct bootstrap_result b = bootstrap_drawn(&data, bootstrap_mean, &runs);
    ck_assert(b.standard_error > 2.0 * a.standard_error);
    struct bootstrap_result again = bootstrap_drawn(&data, bootstrap_mean, &runs);
    ck_assert_double_eq(again.bca.low, b.bca.low); /* the seed decides */
    double same[] = {2.0, 2.0, 2.0};
    struct bootstrap_data constant = {.x = {same, 3}};
    struct bootstrap_result c = bootstrap_drawn(&constant, bootstrap_median, &single);
    ck_assert(c.bca.low == 2.0 && c.bca.high == 2.0 && c.acceleration == 0.0);
} END_TEST

/* ---- dependence, tails, multiplicity ---- */

START_TEST(dependence_edges) {
    double flat[] = {1.0, 1.0, 1.0, 1.0}, x[400];
    uint64_t state = 8;
    ck_assert(isnan(autocorrelation(flat, 4, 1)));
    ck_assert_double_eq(effective_size_cautious(flat, 4), 4.0);
    for (int t = 0; t < 400; t++) x[t] = normal(&state);
    ck_assert(effective_size_cautious(x, 400) > 250.0);
    ck_assert(ljung_box(x, 400, 10).p > 0.01);
    for (int t = 1; t < 400; t++) x[t] += 0.8 * x[t - 1];
    ck_assert(effective_size_cautious(x, 400) < 100.0);
    ck_assert(ljung_box(x, 400, 10).p < 1e-6);
    ck_assert_double_eq(effective_size_cautious(x, 1), 1.0);
} END_TEST

START_TEST(tails_edges) {
    ck_assert_int_eq(queries_needed(0.99, 0.99, 0, NULL), 459);
    ck_assert_int_eq(queries_needed(1.0, 0.99, 0, NULL), -1);
    ck_assert_int_eq(queries_needed(0.99, 0.0, 0, NULL), -1);
    ck_assert_int_eq(queries_needed(0.99, 0.99, -1, NULL), -1);
    ck_assert(isnan(proportion_clopper_pearson(3, 2, 0.95).low) && isnan(proportion_wilson(0, 0, 0.95).high));
    ck_assert_double_eq(proportion_clopper_pearson(5, 5, 0.95).high, 1.0);
    struct order_interval none = quantile_order_interval(1, 0.5, 0.95);
    ck_assert(none.lower == 0 && none.upper == 0 && isnan(none.coverage));
    ck_assert(quantile_order_interval(0, 0.5, 0.95).upper == 0);
} END_TEST

START_TEST(multiplicity_edges) {
    double p[] = {0.04, NAN, 0.01}, out[3];
    adjust_holm(p, 3, out);
    ck_assert(isnan(out[1]));
    ck_near(out[0], 0.04, 1e-15);
    ck_near(out[2], 0.02, 1e-15);
    adjust_benjamini_hochberg(p, 3, p); /* in place */
    ck_near(p[2], 0.02, 1e-15);
    adjust_benjamini_yekutieli(p, 0, out);
} END_TEST

/* ---- factorial ---- */

enum { K = 3, CELLS = 1 << K, TRIES = 500, REPLICATES = 4 };
static const double main_effect[K] = {-0.3, -0.1, 0.0};
static const double interaction = 0.08; /* of factors 0 and 1, as log time per cell with both on */

/* times (blocks, 2^K): known effects, a level for each block, noise in each cell. */
static void design_fill(double *times, size_t blocks, double noise, uint64_t *state) {
    for (size_t b = 0; b < blocks; b++) {
        double level = 10.0 + normal(state);
        for (int c = 0; c < CELLS; c++) {
            double y = level + noise * normal(state) + (c & 1 && c & 2 ? interaction : 0.0);
            for (int f = 0; f < K; f++) y += c >> f & 1 ? main_effect[f] : 0.0;
            times[b * CELLS + (size_t)c] = exp(y);
        }
    }
}

START_TEST(factorial_known_effects) {
    double times[REPLICATES * CELLS];
    uint64_t state = 9;
    struct factorial f;
    design_fill(times, REPLICATES, 0.0, &state); /* blocks differ by 100 %, but only in level: all contrasts exact */
    ck_assert_int_eq(factorial_analyse(times, K, REPLICATES, 0.95, &f, NULL), STATUS_OK);
    ck_near(f.effects[1].value, -0.3 + interaction / 2, 1e-12);
    ck_near(f.effects[3].value, interaction / 2, 1e-12);
    ck_near(f.effects[4].value, 0.0, 1e-12);
    ck_near(f.shares[0].value, 0.3 - interaction / 2, 1e-12);
    ck_near(f.alone[0].value, 0.3, 1e-12);
    ck_near(f.left_out[0].value, 0.3 - interaction, 1e-12);
    ck_near(f.total.value, 0.4 - interaction, 1e-12);
    ck_near(f.shares[0].value + f.shares[1].value + f.shares[2].value, f.total.value, 1e-12);
    ck_near(f.effects[1].low, f.effects[1].high, 1e-9);
    factorial_free(&f);
} END_TEST

START_TEST(factorial_intervals_cover) {
    double times[REPLICATES * CELLS];
    uint64_t state = 10;
    int effect = 0, share = 0, null_found = 0;
    for (int i = 0; i < TRIES; i++) {
        struct factorial f;
        design_fill(times, REPLICATES, 0.02, &state);
        ck_assert_int_eq(factorial_analyse(times, K, REPLICATES, 0.9, &f, NULL), STATUS_OK);
        effect += f.effects[3].low <= interaction / 2 && interaction / 2 <= f.effects[3].high;
        share += f.shares[1].low <= 0.1 - interaction / 2 && 0.1 - interaction / 2 <= f.shares[1].high;
        null_found += f.effects[4].p < 0.1;
        factorial_free(&f);
    }
    ck_assert_msg(effect > 0.86 * TRIES && effect < 0.94 * TRIES, "interaction covered %d of %d", effect, TRIES);
    ck_assert_msg(share > 0.86 * TRIES && share < 0.94 * TRIES, "share covered %d of %d", share, TRIES);
    ck_assert_msg(null_found > 0.06 * TRIES && null_found < 0.14 * TRIES, "none, found %d of %d", null_found, TRIES);
} END_TEST

START_TEST(factorial_missing_and_wrong) {
    double times[REPLICATES * CELLS];
    uint64_t state = 11;
    struct factorial f;
    struct error e = {0};
    design_fill(times, REPLICATES, 0.01, &state);
    times[CELLS + 2] = NAN;
    ck_assert_int_eq(factorial_analyse(times, K, REPLICATES, 0.95, &f, &e), STATUS_OK);
    ck_assert(f.blocks_used == REPLICATES - 1 && f.blocks_left_out == 1);
    factorial_free(&f);
    ck_assert_int_eq(factorial_analyse(times, K, 1, 0.95, &f, &e), STATUS_OK);
    ck_assert(isnan(f.effects[1].low) && isnan(f.total.p)); /* one block has no spread */
    factorial_free(&f);
    ck_assert_int_eq(factorial_analyse(times + CELLS, K, 1, 0.95, &f, &e), STATUS_INPUT);
    ck_assert(strstr(e.text, "none of 1 blocks") != NULL);
    times[5] = 0.0;
    e = (struct error){0};
    ck_assert_int_eq(factorial_analyse(times, K, REPLICATES, 0.95, &f, &e), STATUS_INPUT);
    ck_assert(strstr(e.text, "block 0, cell 5") != NULL);
    ck_assert_int_eq(factorial_analyse(times, 11, 1, 0.95, &f, &e), STATUS_INPUT);
    ck_assert_int_eq(factorial_analyse(times, 0, 1, 0.95, &f, &e), STATUS_INPUT);
} END_TEST

START_TEST(factorial_sizes) { /* 1 and 10 factors: shares sum to the total, and agree with the effects */
    for (int k = 1; k <= FACTORIAL_FACTORS_MAX; k += 9) {
        size_t cells = (size_t)1 << k;
        double *times = mem_alloc(2 * cells * sizeof *times);
        uint64_t state = 12;
        for (size_t i = 0; i < 2 * cells; i++) times[i] = exp(normal(&state));
        struct factorial f;
        ck_assert_int_eq(factorial_analyse(times, k, 2, 0.95, &f, NULL), STATUS_OK);
        double sum = 0.0, first = 0.0;
        for (int i = 0; i < k; i++) sum += f.shares[i].value;
        for (size_t c = 1; c < cells; c += 2)
            if (__builtin_popcountll(c) % 2) first -= f.effects[c].value / __builtin_popcountll(c);
        ck_near(sum, f.total.value, 1e-11);
        ck_near(f.shares[0].value, first, 1e-11);
        factorial_free(&f);
        mem_free(times);
    }
} END_TEST

/* ---- within a process: steadiness, width, summary ---- */

START_TEST(steady) {
    double x[60];
    uint64_t state = 13;
    for (int t = 0; t < 60; t++) x[t] = 100.0 * (1.0 + exp(-t / 4.0)) * (1.0 + 0.003 * normal(&state));
    size_t begin = 1;
    while (begin < 60 && !steady_reached(x, begin, NULL)) begin++;
    ck_assert_msg(begin >= 12 && begin <= 30, "a decaying warm-up was called steady after %zu", begin);
    ck_assert(!steady_reached(x, 4, NULL));
    int reached = 0;
    for (int round = 0; round < 200; round++) { /* 5 % noise and no trend: soon */
        for (int t = 0; t < 20; t++) x[t] = 100.0 * (1.0 + 0.05 * normal(&state));
        for (size_t n = 5; n <= 10; n++)
            if (steady_reached(x, n, NULL)) {
                reached++;
                break;
            }
    }
    ck_assert_msg(reached > 180, "plain noise was called steady only %d times of 200", reached);
    for (int t = 0; t < 10; t++) x[t] = t % 2 ? 100.0 : 160.0; /* jumping by 60 % */
    ck_assert(!steady_reached(x, 10, NULL));
    for (int t = 0; t < 10; t++) x[t] = 7.0;
    ck_assert(steady_reached(x, 10, NULL)); /* an injected clock */
    for (int t = 0; t < 10; t++) x[t] = 0.0;
    ck_assert(!steady_reached(x, 10, NULL));
} END_TEST

START_TEST(narrow_enough) {
    double x[400], correlated[400];
    uint64_t state = 14;
    for (int t = 0; t < 400; t++) {
        x[t] = 100.0 + normal(&state);
        correlated[t] = t ? 100.0 + 0.9 * (correlated[t - 1] - 100.0) + 0.436 * normal(&state) : 100.0;
    }
    ck_assert(!interval_narrow_enough(x, 4, 1.0, 0.95));
    ck_assert(!interval_narrow_enough(x, 8, 0.01, 0.95));
    ck_assert(interval_narrow_enough(x, 400, 0.01, 0.95));
    /* 2 * 1.966 * 1.2533 / 20 / 100 of 400 independent samples of deviation 1 */
    ck_near(interval_relative_width(x, 400, 0.95), 0.00246, 0.0006);
    ck_assert(interval_relative_width(correlated, 400, 0.95) > 2.0 * interval_relative_width(x, 400, 0.95));
    ck_assert(!interval_narrow_enough((double[]){0, 0, 0, 0, 0, 0}, 6, 1.0, 0.95));
    ck_assert(interval_narrow_enough((double[]){3, 3, 3, 3, 3, 3}, 6, 0.0, 0.95));
} END_TEST

START_TEST(summaries) {
    double x[3][12];
    struct process_samples p[3];
    uint64_t state = 15;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 12; j++) x[i][j] = 100.0 + i + 0.1 * normal(&state);
        p[i] = (struct process_samples){x[i], 12};
    }
    struct side_samples side = {p, 3};
    struct summary s = summary_of(&side, 0.95);
    ck_assert(s.processes == 3 && s.samples == 36);
    ck_near(s.median, 101.0, 0.002);
    ck_assert(s.low < 99.0 && s.high > 103.0); /* 3 processes that differ by 1 say little */
    side.n = 1;
    s = summary_of(&side, 0.95);
    ck_assert(s.low > 99.7 && s.high < 100.3 && s.low < s.median && s.median < s.high);
    p[0].n = 1;
    s = summary_of(&side, 0.95);
    ck_assert(s.low == s.median && s.high == s.median);
    x[0][0] = NAN;
    s = summary_of(&side, 0.95);
    ck_assert(isnan(s.median) && s.samples == 0 && s.processes == 0);
    side.n = 0;
    ck_assert(isnan(summary_of(&side, 0.95).median));
} END_TEST

TEST_MAIN("stats", distribution_identities, distribution_edges, descriptive_edges, order_selection, mann_whitney_exact,
          permutations, bootstrap_coverage, bootstrap_of_a_series, dependence_edges, tails_edges, multiplicity_edges,
          factorial_known_effects, factorial_intervals_cover, factorial_missing_and_wrong, factorial_sizes, steady,
          narrow_enough, summaries)
