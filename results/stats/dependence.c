#include "results/stats/dependence.h"

#include <math.h>

#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

double autocorrelation(const double *x, size_t n, size_t lag) {
    double mean = sample_mean(x, n), cross = 0.0, square = 0.0;
    for (size_t t = 0; t < n; t++) {
        double d = x[t] - mean;
        square += d * d;
        if (t + lag < n) cross += d * (x[t + lag] - mean);
    }
    return square > 0.0 ? cross / square : NAN;
}

double effective_size_ar1(double n, double rho) { return n * (1.0 - rho) / (1.0 + rho); }

struct integrated_time integrated_time(const double *x, size_t n) {
    struct integrated_time out = {.tau = -1.0};
    for (size_t lag = 0; lag + 1 < n && out.pairs < INTEGRATED_PAIRS_MAX; lag += 2) {
        double pair = autocorrelation(x, n, lag) + autocorrelation(x, n, lag + 1);
        if (!(pair > 0.0)) break;
        out.tau += 2.0 * pair;
        out.pairs++;
    }
    if (out.pairs == 0) out.tau = NAN;
    out.effective_size = (double)n / out.tau;
    return out;
}

double effective_size_cautious(const double *x, size_t n) {
    double size = (double)n, rho = autocorrelation(x, n, 1);
    if (isnan(rho)) return size;
    double tau = integrated_time(x, n).tau;
    double least = fmin(size, effective_size_ar1(size, rho));
    if (tau > 0.0) least = fmin(least, size / tau);
    return fmax(1.0, least);
}

struct ljung_box ljung_box(const double *x, size_t n, size_t lags) {
    double sum = 0.0, size = (double)n;
    for (size_t k = 1; k <= lags && k < n; k++) {
        double rho = autocorrelation(x, n, k);
        sum += rho * rho / (size - (double)k);
    }
    double statistic = size * (size + 2.0) * sum;
    return (struct ljung_box){statistic, chi_square_above(statistic, (double)lags)};
}
