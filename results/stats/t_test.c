#include "results/stats/t_test.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

/* Fills t, p and the interval from a difference, its standard error and degrees of freedom. */
static struct t_test t_test_of(double difference, double error, double df, double confidence) {
    struct t_test test = {.difference = difference, .standard_error = error, .degrees_of_freedom = df};
    test.t = difference / error;
    test.p = 2.0 * student_t_above(fabs(test.t), df);
    double half = student_t_quantile(0.5 + 0.5 * confidence, df) * error;
    test.interval = (struct interval){difference - half, difference + half};
    return test;
}

struct t_test t_test_welch(const double *x, size_t n, const double *y, size_t m, double confidence) {
    double a = sample_variance(x, n) / (double)n, b = sample_variance(y, m) / (double)m;
    double df = (a + b) * (a + b) / (a * a / ((double)n - 1.0) + b * b / ((double)m - 1.0));
    return t_test_of(sample_mean(x, n) - sample_mean(y, m), sqrt(a + b), df, confidence);
}

struct t_test t_test_one(const double *x, size_t n, double confidence) {
    double error = sample_deviation(x, n) / sqrt((double)n);
    return t_test_of(sample_mean(x, n), error, (double)n - 1.0, confidence);
}

struct t_test t_test_paired(const double *x, const double *y, size_t n, double confidence) {
    double *differences = mem_alloc(n * sizeof *differences);
    for (size_t i = 0; i < n; i++) differences[i] = x[i] - y[i];
    struct t_test test = t_test_one(differences, n, confidence);
    mem_free(differences);
    return test;
}

struct t_equivalence t_test_equivalence(const struct t_test *test, struct interval margin) {
    double df = test->degrees_of_freedom, error = test->standard_error;
    struct t_equivalence out = {
        .p_not_below = student_t_above((test->difference - margin.low) / error, df),
        .p_not_above = student_t_cdf((test->difference - margin.high) / error, df),
    };
    out.p = fmax(out.p_not_below, out.p_not_above);
    return out;
}

static double *logarithms(const struct process_samples *x) {
    double *logs = mem_alloc(x->n * sizeof *logs);
    for (size_t i = 0; i < x->n; i++) logs[i] = log(x->values[i]);
    return logs;
}

struct t_ratio t_test_ratio(const struct process_samples *x, const struct process_samples *y, double confidence,
                            struct t_test *log_test) {
    double *a = logarithms(x), *b = logarithms(y);
    struct t_test test = t_test_welch(a, x->n, b, y->n, confidence);
    mem_free(a);
    mem_free(b);
    if (log_test) *log_test = test;
    return (struct t_ratio){exp(test.difference), {exp(test.interval.low), exp(test.interval.high)}, test.p};
}
