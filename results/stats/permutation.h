/* permutation.h: paired differences against their own sign flips; no distribution assumed but symmetry.
 *
 * d (n): differences in any order. p is two-sided. Sums within 1e-12 relative count as equal: without that,
 * rounding decides whether the observed pattern counts itself. Source: Fisher 1935; Wilcoxon 1945. */
#ifndef ASSAY_RESULTS_STATS_PERMUTATION_H
#define ASSAY_RESULTS_STATS_PERMUTATION_H

#include <stddef.h>
#include <stdint.h>

enum { SIGN_FLIP_EXACT_MAX = 20, WILCOXON_EXACT_MAX = 100 };

/* count: patterns whose |mean| reaches the observed one. exact: p = count / 2^n, NAN above SIGN_FLIP_EXACT_MAX.
 * sampled and given: p = (1 + count) / (1 + rows). */
struct sign_flip {
    double mean;
    uint64_t count;
    double p;
};
struct sign_flip sign_flip_exact(const double *d, size_t n);
struct sign_flip sign_flip_given(const double *d, size_t n, const signed char *signs, size_t rows); /* (rows, n) +-1 */
struct sign_flip sign_flip_sampled(const double *d, size_t n, size_t rows, uint64_t seed);

/* Zeros are dropped, ties get mean ranks. Exact (conditional on the ties) up to WILCOXON_EXACT_MAX differences,
 * the normal approximation with continuity 0.5 beyond. */
struct wilcoxon {
    double statistic;   /* the smaller of the rank sums of positive and negative differences */
    double p;
    int is_exact;
};
struct wilcoxon wilcoxon_signed_rank(const double *d, size_t n);

#endif
