#include "results/stats/distribution.h"

#include <math.h>

#define HALF_LOG_TWO_PI 0.918938533204672741780329736406
#define TWO_PI 6.28318530717958647692528676656

enum { FRACTION_TERMS = 100000, ROOT_STEPS = 200 };
static const double epsilon = 1e-16;
static const double tiny = 1e-300;

/* ---- normal ---- */

double normal_cdf(double z) { return 0.5 * erfc(-z * M_SQRT1_2); }

/* Lower half only, p in (0, 0.5]: a rational start (Abramowitz & Stegun 26.2.23, error 4.5e-4), then Halley steps
 * on the distribution function, each of which triples the digits. */
static double normal_quantile_lower(double p) {
    double t = sqrt(-2.0 * log(p));
    double z = (2.515517 + t * (0.802853 + t * 0.010328)) /
               (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for (int step = 0; step < 3; step++) {
        double excess = normal_cdf(z) - p;
        double u = excess * sqrt(TWO_PI) * exp(0.5 * z * z);
        z -= u / (1.0 + 0.5 * z * u);
    }
    return z;
}

double normal_quantile(double p) {
    if (!(p >= 0.0 && p <= 1.0)) return NAN;
    if (p == 0.0) return -INFINITY;
    if (p == 1.0) return INFINITY;
    if (p == 0.5) return 0.0;
    return p < 0.5 ? normal_quantile_lower(p) : -normal_quantile_lower(1.0 - p);
}

/* ---- incomplete beta ---- */

/* log(n!) - log(sqrt(2 pi n) (n/e)^n), n > 0: Stirling's series from 16 on, the definition below. */
static double stirling_error(double n) {
    if (n < 16.0) {
        int sign;
        return lgamma_r(n + 1.0, &sign) - (n + 0.5) * log(n) + n - HALF_LOG_TWO_PI;
    }
    double r = 1.0 / (n * n);
    return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r / 1188)))) / n;
}

/* x log(x/m) + m - x, by its series where x and m are close and the plain form would cancel. */
static double deviance(double x, double m) {
    if (fabs(x - m) >= 0.1 * (x + m)) return x * log(x / m) + m - x;
    double v = (x - m) / (x + m), sum = (x - m) * v, term = 2.0 * x * v;
    for (int j = 1; j < 1000; j++) {
        term *= v * v;
        double next = sum + term / (2.0 * j + 1.0);
        if (next == sum) break;
        sum = next;
    }
    return sum;
}

/* Gamma(n+1) / (Gamma(k+1) Gamma(n-k+1)) p^k q^(n-k) for real 0 < k < n. */
static double binomial_density(double k, double n, double p, double q) {
    double exponent = stirling_error(n) - stirling_error(k) - stirling_error(n - k) -
                      deviance(k, n * p) - deviance(n - k, n * q);
    return exp(exponent) * sqrt(n / (TWO_PI * k * (n - k)));
}

/* The continued fraction of I_x(a, b) by Lentz's method; converges fast for x below the mean. */
static double beta_fraction(double a, double b, double x) {
    double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= FRACTION_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        double factor = d * c;
        h *= factor;
        if (fabs(factor - 1.0) < 2.0 * epsilon) break;
    }
    return h;
}

static double beta_below_mean(double a, double b, double x, double y) {
    return binomial_density(a, a + b, x, y) * b / (a + b) * beta_fraction(a, b, x);
}

/* I_x(a, b) with y = 1 - x given apart, so that neither loses its digits. */
static double beta_pair(double a, double b, double x, double y) {
    if (x <= 0.0) return 0.0;
    if (y <= 0.0) return 1.0;
    return x > (a + 1.0) / (a + b + 2.0) ? 1.0 - beta_below_mean(b, a, y, x) : beta_below_mean(a, b, x, y);
}

double incomplete_beta(double a, double b, double x) {
    if (!(a > 0.0 && b > 0.0 && x >= 0.0 && x <= 1.0)) return NAN;
    return beta_pair(a, b, x, 1.0 - x);
}

double incomplete_beta_inverse(double a, double b, double p) {
    if (!(a > 0.0 && b > 0.0 && p >= 0.0 && p <= 1.0)) return NAN;
    double low = 0.0, high = 1.0;
    for (int step = 0; step < ROOT_STEPS; step++) {
        double middle = 0.5 * (low + high);
        if (middle == low || middle == high) break;
        if (incomplete_beta(a, b, middle) < p) low = middle;
        else high = middle;
    }
    return 0.5 * (low + high);
}

/* ---- binomial: sums of its probabilities are incomplete betas (DLMF 8.17.5) ---- */

double binomial_cdf(double k, double n, double p) {
    if (k < 0.0) return 0.0;
    if (k >= n) return 1.0;
    return beta_pair(n - k, k + 1.0, 1.0 - p, p);
}

double binomial_above(double k, double n, double p) {
    if (k < 0.0) return 1.0;
    if (k >= n) return 0.0;
    return beta_pair(k + 1.0, n - k, p, 1.0 - p);
}

/* ---- Student's t ---- */

double student_t_above(double t, double df) {
    if (isnan(t) || !(df > 0.0)) return NAN;
    if (t < 0.0) return 1.0 - student_t_above(-t, df);
    double square = t * t;
    if (isinf(square)) return 0.0;
    return 0.5 * beta_pair(0.5 * df, 0.5, df / (df + square), square / (df + square));
}

double student_t_cdf(double t, double df) { return student_t_above(-t, df); }

static double student_t_density(double t, double df) {
    /* Gamma((df+1)/2) / Gamma(df/2) from the corrections to Stirling's formula, so that large df do not cancel. */
    double half = 0.5 * df;
    int sign;
    double ratio = df < 100.0 ? lgamma_r(half + 0.5, &sign) - lgamma_r(half, &sign)
                              : half * log1p(0.5 / half) - 0.5 + 0.5 * log(half) +
                                    stirling_error(half + 0.5) - stirling_error(half);
    return exp(ratio - 0.5 * log(0.5 * TWO_PI * df) - 0.5 * (df + 1.0) * log1p(t * t / df));
}

/* The t > 0 with P(T > t) = p, 0 < p < 0.5: Newton steps kept inside a bracket. */
static double student_t_upper(double p, double df) {
    double low = 0.0, high = 1.0;
    while (student_t_above(high, df) > p && high < 1e150) {
        low = high;
        high *= 2.0;
    }
    double t = 0.5 * (low + high);
    for (int step = 0; step < ROOT_STEPS; step++) {
        double tail = student_t_above(t, df);
        if (tail > p) low = t;
        else high = t;
        /* in log(tail), which is nearly straight; a plain Newton step overshoots in the tail */
        double next = t + log(tail / p) * tail / student_t_density(t, df);
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        if (fabs(next - t) <= 4.0 * epsilon * t) return next;
        t = next;
    }
    return t;
}

double student_t_quantile(double p, double df) {
    if (!(p >= 0.0 && p <= 1.0) || !(df > 0.0)) return NAN;
    if (p == 0.0) return -INFINITY;
    if (p == 1.0) return INFINITY;
    if (p == 0.5) return 0.0;
    return p < 0.5 ? -student_t_upper(p, df) : student_t_upper(1.0 - p, df);
}

/* ---- chi square: the upper incomplete gamma function Q(a, x) ---- */

/* x^a e^-x / Gamma(a+1), without cancellation for large a. */
static double gamma_prefactor(double a, double x) {
    return exp(-stirling_error(a) - deviance(a, x)) / sqrt(TWO_PI * a);
}

static double gamma_series(double a, double x) { /* P(a, x), x < a + 1; DLMF 8.11.4 */
    double term = 1.0, sum = 1.0;
    for (int n = 1; n < FRACTION_TERMS && term > epsilon * sum; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return gamma_prefactor(a, x) * sum;
}

static double gamma_fraction(double a, double x) { /* Q(a, x), x >= a + 1; DLMF 8.9.2 by Lentz */
    double b = x + 1.0 - a, c = 1.0 / tiny, d = 1.0 / b, h = d;
    for (int n = 1; n < FRACTION_TERMS; n++) {
        double numerator = -n * (n - a);
        b += 2.0;
        d = numerator * d + b;
        d = 1.0 / (fabs(d) < tiny ? tiny : d);
        c = b + numerator / c;
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1.0) < 2.0 * epsilon) break;
    }
    return gamma_prefactor(a, x) * a * h;
}

double chi_square_above(double x, double df) {
    if (isnan(x) || !(df > 0.0)) return NAN;
    if (x <= 0.0) return 1.0;
    if (isinf(x)) return 0.0;
    double a = 0.5 * df, half = 0.5 * x;
    return half < a + 1.0 ? 1.0 - gamma_series(a, half) : gamma_fraction(a, half);
}
