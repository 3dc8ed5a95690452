/* tail.h: what a finite number of requests can say about proportions and high percentiles. */
#ifndef ASSAY_RESULTS_STATS_TAIL_H
#define ASSAY_RESULTS_STATS_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "results/stats/samples.h"

/* Early stopping: the fewest requests, of which `over_limit` may exceed a bound, that show at `confidence` that
 * the `percentile` (0.99 for p99) is within it: the least n with P(Binomial(n, 1-percentile) <= over_limit)
 * <= 1 - confidence. `tail` (may be NULL) receives that probability. -1 where the arguments are not
 * probabilities inside (0, 1). Source: MLPerf inference rules, early stopping. */
int64_t queries_needed(double percentile, double confidence, int64_t over_limit, double *tail);

/* k successes of n. Clopper-Pearson never covers less than `confidence`; Wilson covers it on average. */
struct interval proportion_clopper_pearson(int64_t k, int64_t n, double confidence);
struct interval proportion_wilson(int64_t k, int64_t n, double confidence);

/* The order statistics x_(lower) and x_(upper), 1-based, between which the quantile lies, with each tail at most
 * (1 - confidence)/2; 0 where no order statistic bounds it. No assumption beyond independence. */
struct order_interval {
    size_t lower, upper;
    double coverage;   /* NAN where a bound is missing */
};
struct order_interval quantile_order_interval(size_t n, double quantile, double confidence);

#endif
