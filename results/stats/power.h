/* power.h: what an experiment of this size and noise could have seen. */
#ifndef ASSAY_RESULTS_STATS_POWER_H
#define ASSAY_RESULTS_STATS_POWER_H

/* A test that claims an effect where the estimate is at least max(least, widen + critical * s), s its estimated
 * standard error with df degrees of freedom. */
struct power_test {
    double standard_error;   /* the true one, or the best guess of it */
    double df, critical;
    double widen, least;
};

/* The chance of a claim at a true effect: E over s of Phi((effect - max(least, widen + critical s)) / se), the
 * distribution of s/se integrated numerically (Simpson, 256 intervals; error under 1e-6). */
double power_at(const struct power_test *test, double effect);

/* The smallest effect that is claimed with chance `power` (0.8 by custom), by bisection. */
double power_detectable(const struct power_test *test, double power);

#endif
