#include "results/stats/paired.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "results/stats/descriptive.h"

struct paired_ratio paired_ratio(const double *x, const double *y, size_t n, double confidence) {
    struct paired_ratio out = {NAN, NAN, NAN, NAN, NAN, 0};
    double *ratios = mem_alloc(n * sizeof *ratios), *logs = mem_alloc(n * sizeof *logs);
    for (size_t i = 0; i < n; i++)
        if (x[i] > 0 && y[i] > 0) ratios[out.n] = x[i] / y[i], logs[out.n++] = log(x[i] / y[i]);
    if (out.n) {
        sample_sort(ratios, out.n);
        out.median = sample_median(ratios, out.n);
        out.lowest = ratios[0];
        out.highest = ratios[out.n - 1];
    }
    if (out.n > 1) {
        struct interval around = sample_mean_interval(logs, out.n, confidence);
        out.low = fmin(exp(around.low), out.median);
        out.high = fmax(exp(around.high), out.median);
    }
    mem_free(ratios);
    mem_free(logs);
    return out;
}
