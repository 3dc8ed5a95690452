#include "results/stats/descriptive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/stats/distribution.h"

/* The normal distribution's upper quartile: a normal sample's MAD is this many deviations. */
#define NORMAL_QUARTILE 0.674489750196081743

static int value_order(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0); /* a total order, whatever comes */
    return (a > b) - (a < b);
}

void sample_sort(double *x, size_t n) {
    if (n > 1) qsort(x, n, sizeof *x, value_order);
}

double *sample_sorted(const double *x, size_t n) {
    double *copy = mem_alloc(n * sizeof *copy);
    if (n) memcpy(copy, x, n * sizeof *copy);
    sample_sort(copy, n);
    return copy;
}

double sample_mean(const double *x, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return n ? sum / (double)n : NAN;
}

/* Mean of (x - mean)^power, over n. */
static double central_moment(const double *x, size_t n, int power) {
    double mean = sample_mean(x, n), sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = x[i] - mean, product = d;
        for (int k = 1; k < power; k++) product *= d;
        sum += product;
    }
    return n ? sum / (double)n : NAN;
}

double sample_variance(const double *x, size_t n) {
    if (n < 2) return NAN;
    return central_moment(x, n, 2) * (double)n / (double)(n - 1);
}

double sample_deviation(const double *x, size_t n) { return sqrt(sample_variance(x, n)); }

double sorted_quantile(const double *sorted, size_t n, double p) {
    if (n == 0 || !(p >= 0.0 && p <= 1.0)) return NAN;
    double position = (double)(n - 1) * p;
    size_t below = (size_t)position;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (position - (double)below) * (sorted[below + 1] - sorted[below]);
}

double sample_quantile(const double *x, size_t n, double p) {
    double *sorted = sample_sorted(x, n);
    double value = sorted_quantile(sorted, n, p);
    mem_free(sorted);
    return value;
}

static double sorted_median(const double *sorted, size_t n) {
    if (n == 0) return NAN;
    return n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

double sample_median(const double *x, size_t n) {
    double *sorted = sample_sorted(x, n);
    double value = sorted_median(sorted, n);
    mem_free(sorted);
    return value;
}

double sample_mad(const double *x, size_t n) {
    double *work = sample_sorted(x, n);
    double median = sorted_median(work, n);
    for (size_t i = 0; i < n; i++) work[i] = fabs(work[i] - median);
    sample_sort(work, n);
    double mad = sorted_median(work, n);
    mem_free(work);
    return mad;
}

double sample_mad_scaled(const double *x, size_t n) { return sample_mad(x, n) / NORMAL_QUARTILE; }

double sample_trimmed_mean(const double *x, size_t n, double fraction) {
    if (!(fraction >= 0.0 && fraction < 0.5)) return NAN;
    double *sorted = sample_sorted(x, n);
    size_t drop = (size_t)(fraction * (double)n);
    double mean = sample_mean(sorted + drop, n - 2 * drop);
    mem_free(sorted);
    return mean;
}

double sample_geometric_mean(const double *x, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += log(x[i]);
    return n ? exp(sum / (double)n) : NAN;
}

double sample_harmonic_mean(const double *x, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += 1.0 / x[i];
    return n ? (double)n / sum : NAN;
}

double sample_skewness(const double *x, size_t n) {
    return central_moment(x, n, 3) / pow(central_moment(x, n, 2), 1.5);
}

double sample_excess_kurtosis(const double *x, size_t n) {
    double variance = central_moment(x, n, 2);
    return central_moment(x, n, 4) / (variance * variance) - 3.0;
}

struct interval sample_mean_interval(const double *x, size_t n, double confidence) {
    if (n < 2) return (struct interval){NAN, NAN};
    double mean = sample_mean(x, n), df = (double)(n - 1);
    double half = student_t_quantile(0.5 + 0.5 * confidence, df) * sample_deviation(x, n) / sqrt((double)n);
    return (struct interval){mean - half, mean + half};
}
