// label: slow
/* False alarms and power of verdicts, 10,000 comparisons each, with their intervals. */
#include "check_main.h"
#include "results/stats/tail.h"
#include "results/test_verdict_noise.h"

enum { TIMES = 10000 };

static struct interval report(const char *what, const struct experiment *e, int hits) {
    static const char *const designs[] = {"interleaved", "side by side", "one run after the other"};
    struct interval rate = proportion_clopper_pearson(hits, TIMES, 0.95);
    printf("%-34s %-24s %d processes x %2d samples: %5d of %d, %.2f %% (95 %%: %.2f to %.2f %%)\n", what,
           designs[e->design], e->processes, e->samples, hits, TIMES, 100.0 * hits / TIMES, 100.0 * rate.low,
           100.0 * rate.high);
    return rate;
}

static struct interval false_alarms(const char *what, struct noise (*noise)(uint64_t), struct experiment e) {
    struct tally t = noise_tally(noise, &e, TIMES, 2024);
    return report(what, &e, t.of[VERDICT_FASTER] + t.of[VERDICT_SLOWER]);
}

static struct interval power(const char *what, struct noise (*noise)(uint64_t), struct experiment e) {
    struct tally t = noise_tally(noise, &e, TIMES, 4048);
    return report(what, &e, t.of[VERDICT_SLOWER]);
}

/* One pair cannot see what its two processes were given: only drift, bursts and tails. */
static struct noise noise_of_one_pair(uint64_t seed) {
    struct noise n = noise_hostile(seed);
    n.process_sd = n.bad_process_chance = 0.0;
    return n;
}

START_TEST(false_alarms_paired) {
    for (int processes = 2; processes <= 5; processes++) {
        struct experiment pairs = {INTERLEAVED, processes, 12, 0.0}, blocks = {SIDE_BY_SIDE, processes, 12, 0.0};
        ck_assert(false_alarms("A/A, hostile", noise_hostile, pairs).high <= 0.01);
        ck_assert(false_alarms("A/A, hostile", noise_hostile, blocks).high <= 0.01);
    }
    ck_assert(false_alarms("A/A, hostile but equal processes", noise_of_one_pair,
                           (struct experiment){INTERLEAVED, 1, 60, 0.0}).high <= 0.01);
    false_alarms("A/A, hostile", noise_hostile, (struct experiment){INTERLEAVED, 1, 60, 0.0}); /* why not one block */
} END_TEST

/* Normal process bias alone: the interval's own level is reached, and the truth is 1 %; more would be refuted. */
START_TEST(false_alarms_at_the_nominal_level) {
    for (int processes = 3; processes <= 5; processes += 2)
        ck_assert(false_alarms("A/A, 3 % bias of each process", noise_biased,
                               (struct experiment){INTERLEAVED, processes, 12, 0.0}).low <= 0.01);
} END_TEST

/* Runs apart in time: drift slower than a run is seen by nothing but the allowance, so this is a measured rate of
 * this noise and no guarantee. */
START_TEST(false_alarms_unpaired) {
    for (int processes = 3; processes <= 5; processes += 2)
        ck_assert(false_alarms("A/A, hostile", noise_hostile,
                               (struct experiment){ONE_AFTER_THE_OTHER, processes, 12, 0.0}).high <= 0.015);
} END_TEST

START_TEST(found_slow_downs) {
    for (int processes = 3; processes <= 5; processes += 2)
        ck_assert(power("3 % slower, quiet", noise_quiet, (struct experiment){INTERLEAVED, processes, 12, 0.03}).low
                  >= 0.9);
    struct experiment apart = {ONE_AFTER_THE_OTHER, 5, 12, 0.03};
    ck_assert(power("3 % slower, quiet", noise_quiet, apart).low >= 0.9);
    power("3 % slower, hostile", noise_hostile, (struct experiment){INTERLEAVED, 3, 12, 0.03});
    power("3 % slower, hostile", noise_hostile, (struct experiment){INTERLEAVED, 5, 12, 0.03});
    power("10 % slower, hostile", noise_hostile, (struct experiment){INTERLEAVED, 3, 12, 0.1});
    power("10 % slower, hostile", noise_hostile, (struct experiment){INTERLEAVED, 5, 12, 0.1});
} END_TEST

TEST_MAIN("verdict, long simulations", false_alarms_paired, false_alarms_at_the_nominal_level, false_alarms_unpaired,
          found_slow_downs)
