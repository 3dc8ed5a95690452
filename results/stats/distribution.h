/* distribution.h: the distribution functions that the rest of the room stands on.
 *
 * Relative accuracy is about 1e-12 in the body and 1e-10 far in a tail: tails are computed as tails, never as
 * one minus a body. Arguments outside a function's domain give NAN. Nothing allocates; nothing keeps state. */
#ifndef ASSAY_RESULTS_STATS_DISTRIBUTION_H
#define ASSAY_RESULTS_STATS_DISTRIBUTION_H

double normal_cdf(double z);                      /* P(Z <= z) */
double normal_quantile(double p);                 /* -inf at 0, inf at 1 */

/* Student's t with df > 0 degrees of freedom, not necessarily whole. */
double student_t_cdf(double t, double df);        /* P(T <= t) */
double student_t_above(double t, double df);      /* P(T > t) */
double student_t_quantile(double p, double df);

double chi_square_above(double x, double df);     /* P(X > x), df > 0 */

/* Regularised incomplete beta I_x(a, b), a and b > 0, x in [0, 1].
 * Work: a continued fraction of O(sqrt(max(a, b))) terms. Source: DLMF 8.17.22; prefactor after Loader 2000,
 * "Fast and accurate computation of binomial probabilities", which does not cancel for large a and b. */
double incomplete_beta(double a, double b, double x);
double incomplete_beta_inverse(double a, double b, double p);   /* the x with I_x(a, b) = p */

/* P(Binomial(n, p) <= k) and P(Binomial(n, p) > k); whole numbers 0 <= k <= n held in doubles. */
double binomial_cdf(double k, double n, double p);
double binomial_above(double k, double n, double p);

#endif
