/* dependence.h: samples that remember their neighbours.
 *
 * x (n) in the order of time. A mean of n dependent samples is worth n_effective independent ones.
 * rho_k = sum_t (x_t - m)(x_{t+k} - m) / sum_t (x_t - m)^2. A constant series has no correlation: NAN. */
#ifndef ASSAY_RESULTS_STATS_DEPENDENCE_H
#define ASSAY_RESULTS_STATS_DEPENDENCE_H

#include <stddef.h>

double autocorrelation(const double *x, size_t n, size_t lag);

/* n (1 - rho) / (1 + rho): the effective size of an AR(1) series; above n where rho < 0. */
double effective_size_ar1(double n, double rho);

/* Initial positive sequence (Geyer 1992): tau = -1 + 2 sum over m of (rho_2m + rho_2m+1) while that is positive.
 * At most INTEGRATED_PAIRS_MAX pairs, so that a long trend costs no more than their number times n. */
enum { INTEGRATED_PAIRS_MAX = 500 };
struct integrated_time {
    double tau;             /* samples that are worth one */
    size_t pairs;
    double effective_size;  /* n / tau */
};
struct integrated_time integrated_time(const double *x, size_t n);

/* The smaller of both estimates, at most n and at least 1: what to divide a variance by. A constant series: n. */
double effective_size_cautious(const double *x, size_t n);

/* Ljung & Box 1978: are the first `lags` autocorrelations zero? */
struct ljung_box {
    double statistic, p;
};
struct ljung_box ljung_box(const double *x, size_t n, size_t lags);

#endif
