/* t_test.h: comparisons of means.
 *
 * Differences are x - y. p is two-sided unless said. Samples too small for a variance (n < 2) give NAN.
 * Sources: Welch 1947 (Satterthwaite's degrees of freedom); Schuirmann 1987 (two one-sided tests). */
#ifndef ASSAY_RESULTS_STATS_T_TEST_H
#define ASSAY_RESULTS_STATS_T_TEST_H

#include <stddef.h>

#include "results/stats/samples.h"

struct t_test {
    double difference, standard_error, degrees_of_freedom;
    double t, p;
    struct interval interval;   /* of the difference */
};

struct t_test t_test_welch(const double *x, size_t n, const double *y, size_t m, double confidence);
struct t_test t_test_paired(const double *x, const double *y, size_t n, double confidence);
struct t_test t_test_one(const double *x, size_t n, double confidence);   /* the mean of x against 0 */

/* Two one-sided tests: small p_not_below refutes "the difference is at most margin.low", small p_not_above
 * refutes "at least margin.high"; equivalence is shown at level alpha where p, the larger, is below alpha. */
struct t_equivalence {
    double p_not_below, p_not_above, p;
};
struct t_equivalence t_test_equivalence(const struct t_test *test, struct interval margin);

/* Ratio of geometric means x over y: Welch on logarithms. x and y > 0. `log_test` (may be NULL) receives the
 * test on logarithms, e.g. for t_test_equivalence with margins of +-log(1 + margin). */
struct t_ratio {
    double ratio;
    struct interval interval;
    double p;
};
struct t_ratio t_test_ratio(const struct process_samples *x, const struct process_samples *y, double confidence,
                            struct t_test *log_test);

#endif
