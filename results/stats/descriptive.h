/* descriptive.h: what one sample looks like.
 *
 * x (n) in any order, never written. Where a number is not defined (no samples, one sample for a deviation, a
 * logarithm of a negative number) the answer is NAN. Values are expected to be finite; NAN sorts last. */
#ifndef ASSAY_RESULTS_STATS_DESCRIPTIVE_H
#define ASSAY_RESULTS_STATS_DESCRIPTIVE_H

#include <stddef.h>

#include "results/stats/samples.h"

double *sample_sorted(const double *x, size_t n);               /* an ascending copy; owned: mem_free */
void sample_sort(double *x, size_t n);                          /* in place */

double sample_mean(const double *x, size_t n);
double sample_variance(const double *x, size_t n);              /* over n - 1 */
double sample_deviation(const double *x, size_t n);
double sample_median(const double *x, size_t n);

/* Type 7 quantiles: position (n-1) p, linear between neighbours (Hyndman & Fan 1996). */
double sample_quantile(const double *x, size_t n, double p);
double sorted_quantile(const double *sorted, size_t n, double p);

/* Median absolute deviation from the median; scaled, it estimates the deviation of a normal sample. */
double sample_mad(const double *x, size_t n);
double sample_mad_scaled(const double *x, size_t n);

double sample_trimmed_mean(const double *x, size_t n, double fraction);  /* drops floor(fraction n) at each end */
double sample_geometric_mean(const double *x, size_t n);                 /* x > 0 */
double sample_harmonic_mean(const double *x, size_t n);                  /* x > 0 */
double sample_skewness(const double *x, size_t n);                       /* biased moments */
double sample_excess_kurtosis(const double *x, size_t n);

/* Student's t interval of the mean, two-sided; NAN for n < 2. */
struct interval sample_mean_interval(const double *x, size_t n, double confidence);

#endif
