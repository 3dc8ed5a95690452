#include "results/stats/rank.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

/* ---- U and its distributions ---- */

/* Pairs x > y plus half the ties, both sorted. */
static double pairs_above(const double *x, size_t n, const double *y, size_t m, int *has_ties) {
    double u = 0.0;
    size_t below = 0, through = 0; /* how many y are < x_i, and <= x_i */
    *has_ties = 0;
    for (size_t i = 0; i < n; i++) {
        while (below < m && y[below] < x[i]) below++;
        while (through < m && y[through] <= x[i]) through++;
        u += (double)below + 0.5 * (double)(through - below);
        if (through > below) *has_ties = 1;
    }
    return u;
}

/* Sum over groups of equal values of t^3 - t, in the pooled sample. */
static double tie_term(const double *x, size_t n, const double *y, size_t m) {
    double *pooled = mem_alloc((n + m) * sizeof *pooled), sum = 0.0;
    if (n) memcpy(pooled, x, n * sizeof *x);
    if (m) memcpy(pooled + n, y, m * sizeof *y);
    sample_sort(pooled, n + m);
    for (size_t i = 0, next; i < n + m; i = next) {
        for (next = i + 1; next < n + m && pooled[next] == pooled[i]; next++) continue;
        double t = (double)(next - i);
        sum += t * t * t - t;
    }
    mem_free(pooled);
    return sum;
}

/* probability[u] of U = u for sizes n and m without ties, u = 0 .. n m; owned.
 * The largest value is an x with chance i/(i+j), and then beats all j of y: only sums of positive terms. */
static double *u_distribution(size_t n, size_t m) {
    size_t width = n * m + 1;
    double *row = mem_alloc((m + 1) * width * sizeof *row); /* row[j]: sizes (i, j) */
    for (size_t j = 0; j <= m; j++) row[j * width] = 1.0;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            double *p = row + j * width, *fewer_y = p - width;
            double share = (double)i / (double)(i + j);
            for (size_t u = i * j + 1; u-- > 0;)
                p[u] = (u >= j ? share * p[u - j] : 0.0) + (1.0 - share) * fewer_y[u];
        }
    memmove(row, row + m * width, width * sizeof *row);
    return row;
}

static double exact_two_sided(double u, size_t n, size_t m) {
    double *p = u_distribution(n, m), below = 0.0, above = 0.0;
    for (size_t k = 0; k <= n * m; k++) {
        if ((double)k <= u) below += p[k];
        if ((double)k >= u) above += p[k];
    }
    mem_free(p);
    return fmin(1.0, 2.0 * fmin(below, above));
}

struct mann_whitney mann_whitney(const double *x, size_t n, const double *y, size_t m) {
    struct mann_whitney out = {NAN, NAN, NAN, NAN, 0};
    if (n == 0 || m == 0) return out;
    double *a = sample_sorted(x, n), *b = sample_sorted(y, m);
    out.u = pairs_above(a, n, b, m, &out.has_ties);
    double ties = tie_term(a, n, b, m);
    mem_free(a);
    mem_free(b);
    double size = (double)(n + m), product = (double)n * (double)m;
    double deviation = sqrt(product / 12.0 * (size + 1.0 - ties / (size * (size - 1.0))));
    double distance = fabs(out.u - 0.5 * product);
    out.p_plain = fmin(1.0, 2.0 * normal_cdf(-distance / deviation));
    out.p_asymptotic = fmin(1.0, 2.0 * normal_cdf(-(distance - 0.5) / deviation));
    if (!out.has_ties && product <= RANK_EXACT_PRODUCT) out.p_exact = exact_two_sided(out.u, n, m);
    return out;
}

double cliffs_delta(const double *x, size_t n, const double *y, size_t m) {
    if (n == 0 || m == 0) return NAN;
    double *a = sample_sorted(x, n), *b = sample_sorted(y, m);
    int has_ties;
    double u = pairs_above(a, n, b, m, &has_ties);
    mem_free(a);
    mem_free(b);
    return 2.0 * u / ((double)n * (double)m) - 1.0;
}

/* ---- order statistics of pairwise differences and averages, found by bisection over the doubles ---- */

/* Doubles as integers in the same order: halving the integers halves the candidates. */
static int64_t ordered_bits(double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static double ordered_value(int64_t bits) {
    double value;
    bits = bits < 0 ? INT64_MIN - bits : bits;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct pairs {
    const double *x, *y;   /* sorted; y is x itself for averages */
    size_t n, m;
    int averages;
};

/* How many x_i - y_j, or (x_i + x_j)/2 with i <= j, are at most t. One pass: both run monotonically. */
static uint64_t pairs_at_most(const struct pairs *s, double t) {
    uint64_t count = 0;
    if (s->averages) {
        size_t end = s->n; /* j < end satisfy 0.5 (x_i + x_j) <= t; shrinks as i grows */
        for (size_t i = 0; i < end; i++) {
            while (end > i && 0.5 * (s->x[i] + s->x[end - 1]) > t) end--;
            count += end - i;
        }
        return count;
    }
    size_t first = 0; /* j >= first satisfy x_i - y_j <= t; grows with i */
    for (size_t i = 0; i < s->n; i++) {
        while (first < s->m && s->x[i] - s->y[first] > t) first++;
        count += s->m - first;
    }
    return count;
}

/* The order-th smallest of them, 1-based: the least double that at least `order` of them do not exceed. */
static double pairs_order(const struct pairs *s, uint64_t order) {
    int64_t low, high;
    if (s->averages) {
        low = ordered_bits(s->x[0]), high = ordered_bits(s->x[s->n - 1]);
    } else {
        low = ordered_bits(s->x[0] - s->y[s->m - 1]), high = ordered_bits(s->x[s->n - 1] - s->y[0]);
    }
    while (low < high) {
        int64_t middle = (low >> 1) + (high >> 1) + (low & high & 1); /* floor of the mean, no overflow */
        if (pairs_at_most(s, ordered_value(middle)) >= order) high = middle;
        else low = middle + 1;
    }
    return ordered_value(low);
}

static double pairs_median(const struct pairs *s, uint64_t total) {
    double upper = pairs_order(s, total / 2 + 1);
    return total % 2 ? upper : 0.5 * (pairs_order(s, total / 2) + upper);
}

double hodges_lehmann_location(const double *x, size_t n) {
    if (n == 0) return NAN;
    double *sorted = sample_sorted(x, n);
    struct pairs s = {.x = sorted, .y = sorted, .n = n, .m = n, .averages = 1};
    double location = pairs_median(&s, (uint64_t)n * (n + 1) / 2);
    mem_free(sorted);
    return location;
}

/* k and the coverage of the k-th differences from both ends. */
static uint64_t exact_order(size_t n, size_t m, double confidence, double *coverage) {
    double *p = u_distribution(n, m), tail = 0.5 * (1.0 - confidence), below = 0.0;
    size_t k = 0;
    double through = p[0];
    while (k + 1 < n * m && (through < tail || k < 1)) {
        below = through;
        through += p[++k];
    }
    mem_free(p);
    *coverage = 1.0 - 2.0 * below;
    return k;
}

static uint64_t normal_order(size_t n, size_t m, double confidence, double *coverage) {
    double product = (double)n * (double)m, deviation = sqrt(product * ((double)(n + m) + 1.0) / 12.0);
    double k = floor(0.5 * product - normal_quantile(0.5 + 0.5 * confidence) * deviation);
    k = fmax(1.0, k);
    *coverage = 1.0 - 2.0 * normal_cdf((k - 0.5 - 0.5 * product) / deviation);
    return (uint64_t)k;
}

struct shift hodges_lehmann_shift(const double *x, size_t n, const double *y, size_t m, double confidence) {
    struct shift out = {NAN, {NAN, NAN}, 0, NAN};
    if (n == 0 || m == 0) return out;
    double *a = sample_sorted(x, n), *b = sample_sorted(y, m);
    struct pairs s = {.x = a, .y = b, .n = n, .m = m};
    uint64_t total = (uint64_t)n * m, k;
    k = total <= RANK_EXACT_PRODUCT ? exact_order(n, m, confidence, &out.coverage)
                                    : normal_order(n, m, confidence, &out.coverage);
    if (k < 1) k = 1; /* one pair only */
    out.shift = pairs_median(&s, total);
    out.order_from_each_end = (size_t)k;
    out.interval = (struct interval){pairs_order(&s, k), pairs_order(&s, total + 1 - k)};
    mem_free(a);
    mem_free(b);
    return out;
}
