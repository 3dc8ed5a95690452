/* multiplicity.h: p-values adjusted for how many were looked at.
 *
 * p (n) in, adjusted (n) out in the same order, may alias; reject where adjusted <= alpha. NAN stays NAN and
 * does not count. Work: n log n.
 * Holm controls the chance of any false claim; Benjamini-Hochberg the expected share of false claims among the
 * claims (independent or positively dependent tests); Benjamini-Yekutieli the same under any dependence.
 * Sources: Holm 1979; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001. */
#ifndef ASSAY_RESULTS_STATS_MULTIPLICITY_H
#define ASSAY_RESULTS_STATS_MULTIPLICITY_H

#include <stddef.h>

void adjust_holm(const double *p, size_t n, double *adjusted);
void adjust_benjamini_hochberg(const double *p, size_t n, double *adjusted);
void adjust_benjamini_yekutieli(const double *p, size_t n, double *adjusted);

#endif
