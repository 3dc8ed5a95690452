/* Verdicts: the rule, every refusal, and a short version of the simulations (the long one: test_verdict_slow.c). */
#include <string.h>

#include "check_main.h"
#include "results/stats/power.h"
#include "results/stats/t_test.h"
#include "results/stats/tail.h"
#include "results/test_verdict_noise.h"

enum { BLOCKS = 5, SAMPLES = 12, MANY = 2000 };

/* Two sides of P processes with n samples each; a's values are base[i][j], b's are ratio times those. */
struct sides {
    double a[BLOCKS][SAMPLES], b[BLOCKS][SAMPLES];
    struct process_samples pa[BLOCKS], pb[BLOCKS];
    struct side_samples side_a, side_b;
};

static void sides_fill(struct sides *s, double ratio, double spread) {
    struct noise n = noise_quiet(5);
    for (int i = 0; i < BLOCKS; i++) {
        for (int j = 0; j < SAMPLES; j++) {
            s->a[i][j] = 1e6 * exp(spread * noise_normal(&n));
            s->b[i][j] = ratio * 1e6 * exp(spread * noise_normal(&n));
        }
        s->pa[i] = (struct process_samples){s->a[i], SAMPLES};
        s->pb[i] = (struct process_samples){s->b[i], SAMPLES};
    }
    s->side_a = (struct side_samples){s->pa, BLOCKS};
    s->side_b = (struct side_samples){s->pb, BLOCKS};
}

static struct verdict compare(const struct sides *s, enum verdict_pairing pairing) {
    struct verdict_settings settings = verdict_defaults();
    struct verdict out;
    verdict_compare(&s->side_a, &s->side_b, pairing, &settings, &out);
    return out;
}

static const enum verdict_pairing pairings[] = {VERDICT_UNPAIRED, VERDICT_PAIRED_BLOCKS, VERDICT_PAIRED_SAMPLES};

START_TEST(exact_clock) { /* no noise at all: the null backend with an injected clock */
    for (int k = 0; k < 3; k++) {
        struct sides s;
        sides_fill(&s, 1.0, 0.0);
        struct verdict same = compare(&s, pairings[k]);
        ck_assert_int_eq(same.kind, VERDICT_EQUIVALENT);
        ck_assert_double_eq(same.ratio, 1.0);
        sides_fill(&s, 1.03, 0.0);
        struct verdict slow = compare(&s, pairings[k]);
        ck_assert_int_eq(slow.kind, VERDICT_SLOWER);
        ck_assert_double_eq_tol(slow.ratio, 1.03, 1e-12);
        ck_assert_double_eq_tol(slow.high / slow.low, pairings[k] == VERDICT_UNPAIRED ? 1.01 * 1.01 : 1.0, 1e-9);
        ck_assert_double_eq_tol(slow.detectable, 0.01, 1e-9); /* the least effect of interest, nothing more */
        ck_assert_uint_eq(slow.blocks, BLOCKS);
    }
} END_TEST

START_TEST(directions) {
    struct sides s;
    struct verdict_settings settings = verdict_defaults();
    struct verdict out;
    sides_fill(&s, 1.05, 0.003);
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_SLOWER);
    ck_assert(out.low > 1.0 && out.low < out.ratio && out.ratio < out.high);
    settings.lower_is_better = 0; /* tokens per second */
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_FASTER);
    struct verdict back; /* swapped sides: the reciprocal */
    verdict_compare(&s.side_b, &s.side_a, VERDICT_PAIRED_SAMPLES, &settings, &back);
    ck_assert_int_eq(back.kind, VERDICT_SLOWER);
    ck_assert_double_eq_tol(back.ratio * out.ratio, 1.0, 1e-12);
    ck_assert_double_eq_tol(back.low * out.high, 1.0, 1e-12);
    ck_assert_str_eq(verdict_name(VERDICT_FASTER), "faster");
    ck_assert_str_eq(verdict_name(VERDICT_INCONCLUSIVE), "inconclusive");
} END_TEST

START_TEST(least_effect_and_margin) {
    struct sides s;
    struct verdict_settings settings = verdict_defaults();
    struct verdict out;
    sides_fill(&s, 1.005, 0.0); /* certain, but too small to stop anybody */
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_EQUIVALENT);
    ck_assert(out.low > 1.0);
    settings.min_effect = 0.001;
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_SLOWER);
    settings.min_effect = 0.01;
    settings.margin = 0.001;
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_INCONCLUSIVE);
    sides_fill(&s, 1.0, 0.2); /* noise hides everything */
    settings.margin = 0.02;
    verdict_compare(&s.side_a, &s.side_b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_int_eq(out.kind, VERDICT_INCONCLUSIVE);
    ck_assert(out.detectable > 0.1);
} END_TEST

static void expect_refusal(const struct sides *s, enum verdict_pairing pairing, const char *words) {
    struct verdict out = compare(s, pairing);
    ck_assert_int_eq(out.kind, VERDICT_INCONCLUSIVE);
    ck_assert_msg(strstr(out.reason, words) != NULL, "reason \"%s\" lacks \"%s\"", out.reason, words);
    ck_assert(isnan(out.low) && isnan(out.high) && isnan(out.detectable));
}

START_TEST(refusals) {
    struct sides s;
    sides_fill(&s, 1.5, 0.001);
    s.side_a.n = 1;
    expect_refusal(&s, VERDICT_UNPAIRED, "at least 3 processes");
    expect_refusal(&s, VERDICT_PAIRED_BLOCKS, "at least 3 processes");
    ck_assert_double_eq_tol(compare(&s, VERDICT_UNPAIRED).ratio, 1.5, 0.01); /* the estimate is still told */
    s.pa[0].n = 11; /* one pair with too few */
    expect_refusal(&s, VERDICT_PAIRED_SAMPLES, "12 paired samples");
    s.side_a.n = 0;
    for (int k = 0; k < 3; k++) expect_refusal(&s, pairings[k], "no samples");
    static const double bad[] = {0.0, -1.0, NAN, INFINITY};
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < 4; v++) {
            sides_fill(&s, 1.5, 0.001);
            s.b[3][7] = bad[v];
            expect_refusal(&s, pairings[k], "not finite");
        }
} END_TEST

START_TEST(missing_samples) { /* an interrupted experiment: block 2 lacks B, block 4 lacks half of B */
    struct sides s;
    sides_fill(&s, 1.05, 0.002);
    s.pb[2].n = 0;
    s.pb[4].n = SAMPLES / 2;
    for (int k = 0; k < 3; k++) {
        struct verdict out = compare(&s, pairings[k]);
        ck_assert_int_eq(out.kind, VERDICT_SLOWER);
        ck_assert_uint_eq(out.blocks, 4);
    }
    struct process_samples one[] = {{s.a[0], 1}, {s.a[1], 1}, {s.a[2], 1}};
    struct process_samples two[] = {{s.b[0], 1}, {s.b[1], 1}, {s.b[2], 1}};
    struct side_samples a = {one, 3}, b = {two, 3};
    struct verdict_settings settings = verdict_defaults();
    struct verdict out; /* one sample a process works too */
    verdict_compare(&a, &b, VERDICT_PAIRED_SAMPLES, &settings, &out);
    ck_assert_double_eq_tol(out.ratio, 1.05, 0.01);
    ck_assert(isfinite(out.high) && out.high > out.low);
} END_TEST

START_TEST(one_pair) {
    struct experiment e = {INTERLEAVED, 1, 60, 0.05};
    struct verdict out = noise_verdict(noise_quiet(3), &e);
    ck_assert_int_eq(out.kind, VERDICT_SLOWER);
    ck_assert_uint_eq(out.blocks, 1);
    ck_assert(strstr(out.reason, "one pair") != NULL);
    ck_assert(out.high / out.low > 1.02 * 1.02); /* the allowance for the luck of two processes */
    e.effect = 0.0;
    ck_assert_int_eq(noise_verdict(noise_quiet(3), &e).kind, VERDICT_INCONCLUSIVE);
} END_TEST

START_TEST(power_formula) { /* against simulated t-tests */
    const struct power_test test = {.standard_error = 1.0, .df = 4.0, .critical = student_t_quantile(0.995, 4.0),
                                    .widen = 0.5, .least = 1.0};
    double effect = power_detectable(&test, 0.8);
    ck_assert_double_eq_tol(power_at(&test, effect), 0.8, 1e-9);
    struct noise n = noise_quiet(9);
    int found = 0, times = 20000;
    for (int i = 0; i < times; i++) {
        double x[5];
        for (int k = 0; k < 5; k++) x[k] = effect + sqrt(5.0) * noise_normal(&n);
        struct t_test t = t_test_one(x, 5, 0.99);
        found += t.interval.low > test.widen && t.difference >= test.least;
    }
    struct interval rate = proportion_clopper_pearson(found, times, 0.999);
    ck_assert_msg(rate.low <= 0.8 && rate.high >= 0.8, "power %.4f", (double)found / times);
} END_TEST

/* ---- simulations ---- */

static int different(const struct tally *t) { return t->of[VERDICT_FASTER] + t->of[VERDICT_SLOWER]; }

START_TEST(false_alarms) {
    for (int processes = 3; processes <= 5; processes += 2) {
        struct experiment e = {INTERLEAVED, processes, SAMPLES, 0.0};
        struct tally t = noise_tally(noise_hostile, &e, MANY, 11);
        struct interval rate = proportion_clopper_pearson(different(&t), MANY, 0.95);
        printf("A/A interleaved, %d blocks: %d of %d called different (95 %%: %.4f to %.4f)\n", processes,
               different(&t), MANY, rate.low, rate.high);
        ck_assert(rate.high <= 0.01);
    }
} END_TEST

START_TEST(power_on_a_quiet_series) {
    for (int processes = 3; processes <= 5; processes += 2) {
        struct experiment e = {INTERLEAVED, processes, SAMPLES, 0.03};
        struct tally t = noise_tally(noise_quiet, &e, MANY, 12);
        struct interval rate = proportion_clopper_pearson(t.of[VERDICT_SLOWER], MANY, 0.95);
        printf("3 %% slower on a quiet series, %d blocks: %d of %d called slower (95 %%: %.4f to %.4f)\n", processes,
               t.of[VERDICT_SLOWER], MANY, rate.low, rate.high);
        ck_assert(rate.low >= 0.9);
        ck_assert_int_eq(t.of[VERDICT_FASTER], 0);
    }
} END_TEST

START_TEST(noise_has_teeth) { /* the same noise fools whoever takes samples for the unit */
    struct experiment e = {INTERLEAVED, BLOCKS, SAMPLES, 0.0};
    double a[BLOCKS * SAMPLES], b[BLOCKS * SAMPLES];
    int fooled = 0;
    for (int i = 0; i < 500; i++) {
        struct noise n = noise_hostile(random_mix((uint64_t)i));
        noise_fill(&n, &e, a, b);
        for (int k = 0; k < BLOCKS * SAMPLES; k++) a[k] = log(a[k]), b[k] = log(b[k]);
        fooled += t_test_paired(a, b, BLOCKS * SAMPLES, 0.99).p < 0.01;
    }
    ck_assert_msg(fooled > 50, "a t-test over all samples was fooled only %d times of 500", fooled);
} END_TEST

TEST_MAIN("verdict", exact_clock, directions, least_effect_and_margin, refusals, missing_samples, one_pair,
          power_formula, false_alarms, power_on_a_quiet_series, noise_has_teeth)
