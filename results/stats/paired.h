/* paired.h: how many times x is y, round by round.
 *
 * A round ran both; a round that lacks one of them (NAN) does not count. `lowest` and `highest` are the range of the
 * rounds' ratios. The interval is Student's t over their logarithms, stretched to hold the median; it takes two rounds. */
#ifndef ASSAY_RESULTS_STATS_PAIRED_H
#define ASSAY_RESULTS_STATS_PAIRED_H

#include <stddef.h>

struct paired_ratio {
    double median, lowest, highest;   /* NAN without a round */
    double low, high;                 /* NAN with fewer than two */
    size_t n;                         /* rounds that have both */
};

/* x, y (n) above 0, NAN where there is none. */
struct paired_ratio paired_ratio(const double *x, const double *y, size_t n, double confidence);

#endif
