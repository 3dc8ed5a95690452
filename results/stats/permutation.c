#include "results/stats/permutation.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

/* ---- sign flips ---- */

static int reaches(double sum, double observed) { return fabs(sum) >= fabs(observed) * (1.0 - 1e-12); }

/* n <= 64: a bit a sign. */
static double signed_sum(const double *d, size_t n, uint64_t negative) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += negative >> i & 1 ? -d[i] : d[i];
    return sum;
}

struct sign_flip sign_flip_exact(const double *d, size_t n) {
    struct sign_flip out = {sample_mean(d, n), 0, NAN};
    if (n == 0 || n > SIGN_FLIP_EXACT_MAX) return out;
    double observed = signed_sum(d, n, 0);
    uint64_t patterns = (uint64_t)1 << n;
    for (uint64_t negative = 0; negative < patterns; negative++)
        out.count += (uint64_t)reaches(signed_sum(d, n, negative), observed);
    out.p = (double)out.count / (double)patterns;
    return out;
}

struct sign_flip sign_flip_given(const double *d, size_t n, const signed char *signs, size_t rows) {
    struct sign_flip out = {sample_mean(d, n), 0, NAN};
    if (n == 0) return out;
    double observed = out.mean * (double)n;
    for (size_t r = 0; r < rows; r++) {
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += signs[r * n + i] * d[i];
        out.count += (uint64_t)reaches(sum, observed);
    }
    out.p = (1.0 + (double)out.count) / (1.0 + (double)rows);
    return out;
}

struct sign_flip sign_flip_sampled(const double *d, size_t n, size_t rows, uint64_t seed) {
    struct sign_flip out = {sample_mean(d, n), 0, NAN};
    if (n == 0) return out;
    double observed = out.mean * (double)n;
    for (size_t r = 0; r < rows; r++) {
        double sum = 0.0;
        for (size_t first = 0; first < n; first += 64) { /* 64 signs a draw */
            size_t count = n - first < 64 ? n - first : 64;
            sum += signed_sum(d + first, count, random_next(&seed));
        }
        out.count += (uint64_t)reaches(sum, observed);
    }
    out.p = (1.0 + (double)out.count) / (1.0 + (double)rows);
    return out;
}

/* ---- signed ranks ---- */

static int magnitude_order(const void *left, const void *right) {
    double a = fabs(*(const double *)left), b = fabs(*(const double *)right);
    return (a > b) - (a < b);
}

/* Twice the mean ranks, whole numbers, of nonzero differences sorted by magnitude. Returns sum of t^3 - t. */
static double doubled_ranks(const double *sorted, size_t n, size_t *ranks) {
    double ties = 0.0;
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && fabs(sorted[next]) == fabs(sorted[i]); next++) continue;
        for (size_t k = i; k < next; k++) ranks[k] = i + 1 + next;
        double t = (double)(next - i);
        ties += t * t * t - t;
    }
    return ties;
}

/* P(doubled rank sum of a random subset <= limit). */
static double subset_sum_below(const size_t *ranks, size_t n, size_t limit) {
    size_t total = n * (n + 1);
    double *p = mem_alloc((total + 1) * sizeof *p), below = 0.0;
    p[0] = 1.0;
    for (size_t i = 0; i < n; i++)
        for (size_t s = total + 1; s-- > 0;) p[s] = 0.5 * p[s] + (s >= ranks[i] ? 0.5 * p[s - ranks[i]] : 0.0);
    for (size_t s = 0; s <= limit && s <= total; s++) below += p[s];
    mem_free(p);
    return below;
}

static double wilcoxon_normal(double statistic, double n, double ties) {
    double mean = n * (n + 1.0) / 4.0, variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
    return fmin(1.0, 2.0 * normal_cdf((statistic + 0.5 - mean) / sqrt(variance)));
}

struct wilcoxon wilcoxon_signed_rank(const double *d, size_t n) {
    struct wilcoxon out = {NAN, NAN, 0};
    double *kept = mem_alloc(n * sizeof *kept);
    size_t *ranks = mem_alloc(n * sizeof *ranks), count = 0, positive = 0;
    for (size_t i = 0; i < n; i++)
        if (d[i] != 0.0 && !isnan(d[i])) kept[count++] = d[i];
    if (count > 0) {
        qsort(kept, count, sizeof *kept, magnitude_order);
        double ties = doubled_ranks(kept, count, ranks);
        for (size_t i = 0; i < count; i++) positive += kept[i] > 0.0 ? ranks[i] : 0;
        size_t negative = count * (count + 1) - positive, least = positive < negative ? positive : negative;
        out.statistic = 0.5 * (double)least;
        out.is_exact = count <= WILCOXON_EXACT_MAX;
        out.p = out.is_exact ? fmin(1.0, 2.0 * subset_sum_below(ranks, count, least))
                             : wilcoxon_normal(out.statistic, (double)count, ties);
    }
    mem_free(kept);
    mem_free(ranks);
    return out;
}
