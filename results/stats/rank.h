/* rank.h: comparisons by order, which heavy tails cannot bend.
 *
 * Samples x (n) and y (m) in any order, finite. Nothing of size n m is stored. */
#ifndef ASSAY_RESULTS_STATS_RANK_H
#define ASSAY_RESULTS_STATS_RANK_H

#include <stddef.h>

#include "results/stats/samples.h"

/* Mann & Whitney 1947. u counts pairs with x > y, plus half the ties. All p two-sided. */
struct mann_whitney {
    double u;
    double p_asymptotic;         /* tie-corrected variance, continuity 0.5 */
    double p_plain;              /* the same without continuity */
    double p_exact;              /* from all arrangements; NAN with ties or where n m > RANK_EXACT_PRODUCT */
    int has_ties;
};
enum { RANK_EXACT_PRODUCT = 4096 };
struct mann_whitney mann_whitney(const double *x, size_t n, const double *y, size_t m);

/* Cliff's delta: P(x > y) - P(x < y), in [-1, 1]. */
double cliffs_delta(const double *x, size_t n, const double *y, size_t m);

/* Hodges & Lehmann 1963: the median of all x_i - y_j. Its interval takes the k-th difference from either end, k
 * the smallest with P(U <= k) >= (1 - confidence)/2, at least 1; exact up to RANK_EXACT_PRODUCT pairs, by the
 * normal approximation beyond. Work: O((n + m) log) sorts and 64 passes for each order statistic. */
struct shift {
    double shift;
    struct interval interval;
    size_t order_from_each_end;
    double coverage;
};
struct shift hodges_lehmann_shift(const double *x, size_t n, const double *y, size_t m, double confidence);

/* The median of all (x_i + x_j)/2, i <= j: a location with 95 % of the mean's efficiency on normal samples that
 * stands 29 % of wild ones. NAN for n = 0. */
double hodges_lehmann_location(const double *x, size_t n);

#endif
