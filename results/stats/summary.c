#include "results/stats/summary.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "results/stats/dependence.h"
#include "results/stats/descriptive.h"
#include "results/stats/tail.h"

enum { PROCESSES_FOR_T = 3 };

/* Order statistics around the median of x (n) in time order; with dependence, those that a sample of the effective
 * size would take, at the same quantiles. */
static struct interval median_interval(const double *x, size_t n, double confidence) {
    size_t effective = (size_t)effective_size_cautious(x, n);
    struct order_interval orders = quantile_order_interval(effective, 0.5, confidence);
    double *sorted = sample_sorted(x, n);
    struct interval out = {sorted[0], sorted[n - 1]};
    if (orders.lower && orders.upper) {
        double scale = (double)n / (double)effective;
        size_t low = (size_t)floor((double)(orders.lower - 1) * scale);
        size_t high = (size_t)ceil((double)orders.upper * scale) - 1;
        out = (struct interval){sorted[low], sorted[high < n ? high : n - 1]};
    }
    mem_free(sorted);
    return out;
}

/* Copies the finite values; returns how many. */
static size_t finite_values(const struct process_samples *p, double *to) {
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (isfinite(p->values[i])) to[n++] = p->values[i];
    return n;
}

struct summary summary_of(const struct side_samples *side, double confidence) {
    struct summary out = {NAN, NAN, NAN, 0, 0};
    size_t total = 0;
    for (size_t i = 0; i < side->n; i++) total += side->processes[i].n;
    double *pooled = mem_alloc(total * sizeof *pooled), *medians = mem_alloc(side->n * sizeof *medians);
    for (size_t i = 0; i < side->n; i++) {
        size_t n = finite_values(&side->processes[i], pooled + out.samples);
        if (n) medians[out.processes++] = sample_median(pooled + out.samples, n);
        out.samples += n;
    }
    if (out.samples) {
        struct interval around = out.processes >= PROCESSES_FOR_T
                                     ? sample_mean_interval(medians, out.processes, confidence)
                                     : median_interval(pooled, out.samples, confidence);
        out.median = sample_median(medians, out.processes);
        out.low = fmin(around.low, out.median);
        out.high = fmax(around.high, out.median);
    }
    mem_free(pooled);
    mem_free(medians);
    return out;
}
