#include "results/stats/tail.h"

#include <math.h>

#include "results/stats/distribution.h"

int64_t queries_needed(double percentile, double confidence, int64_t over_limit, double *tail) {
    if (!(percentile > 0.0 && percentile < 1.0 && confidence > 0.0 && confidence < 1.0) || over_limit < 0) return -1;
    double over = (double)over_limit, miss = 1.0 - percentile, alpha = 1.0 - confidence;
    int64_t low = over_limit, high = over_limit + 1; /* low never suffices: all may exceed */
    while (binomial_cdf(over, (double)high, miss) > alpha) {
        low = high;
        if (high > INT64_MAX / 4) return -1;
        high *= 2;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (binomial_cdf(over, (double)middle, miss) > alpha) low = middle;
        else high = middle;
    }
    if (tail) *tail = binomial_cdf(over, (double)high, miss);
    return high;
}

struct interval proportion_clopper_pearson(int64_t k, int64_t n, double confidence) {
    if (n <= 0 || k < 0 || k > n) return (struct interval){NAN, NAN};
    double a = (double)k, b = (double)(n - k), tail = 0.5 * (1.0 - confidence);
    return (struct interval){
        k == 0 ? 0.0 : incomplete_beta_inverse(a, b + 1.0, tail),
        /* through the other side, so that a bound near 1 keeps its digits */
        k == n ? 1.0 : 1.0 - incomplete_beta_inverse(b, a + 1.0, tail),
    };
}

struct interval proportion_wilson(int64_t k, int64_t n, double confidence) {
    if (n <= 0 || k < 0 || k > n) return (struct interval){NAN, NAN};
    double size = (double)n, share = (double)k / size, z = normal_quantile(0.5 + 0.5 * confidence);
    double scale = 1.0 + z * z / size, centre = (share + z * z / (2.0 * size)) / scale;
    double half = z / scale * sqrt(share * (1.0 - share) / size + z * z / (4.0 * size * size));
    return (struct interval){k == 0 ? 0.0 : centre - half, k == n ? 1.0 : centre + half};
}

struct order_interval quantile_order_interval(size_t n, double quantile, double confidence) {
    struct order_interval out = {0, 0, NAN};
    double size = (double)n, tail = 0.5 * (1.0 - confidence);
    /* x_(l) exceeds the quantile when fewer than l samples lie below it: P(B <= l-1) <= tail, the largest l */
    size_t low = 0, high = n + 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (binomial_cdf((double)middle - 1.0, size, quantile) <= tail) low = middle;
        else high = middle;
    }
    out.lower = low;
    /* x_(u) falls short when u or more lie below it: P(B >= u) <= tail, the smallest u */
    low = 0, high = n + 1;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (binomial_above((double)middle - 1.0, size, quantile) <= tail) high = middle;
        else low = middle;
    }
    out.upper = high <= n ? high : 0;
    if (out.lower && out.upper)
        out.coverage = binomial_cdf((double)out.upper - 1.0, size, quantile) -
                       binomial_cdf((double)out.lower - 1.0, size, quantile);
    return out;
}
