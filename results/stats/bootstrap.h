/* bootstrap.h: intervals by resampling.
 *
 * Percentile: type 7 quantiles of the resampled statistic. BCa (Efron 1987) shifts those probabilities by the bias
 * z0, in which resamples equal to the estimate count half (the median of a resample is often the median itself,
 * and z0 would jump), and by the jackknife acceleration, which is crude for medians: that is its definition.
 * Where the bias is infinite (every resample on one side) BCa falls back to the percentile interval. */
#ifndef ASSAY_RESULTS_STATS_BOOTSTRAP_H
#define ASSAY_RESULTS_STATS_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "results/stats/samples.h"

/* One or two samples; y.n = 0 where the statistic takes one. */
struct bootstrap_data {
    struct process_samples x, y;
};

typedef double (*bootstrap_statistic)(const struct bootstrap_data *data);
double bootstrap_mean(const struct bootstrap_data *data);               /* of x */
double bootstrap_median(const struct bootstrap_data *data);             /* of x */
double bootstrap_ratio_of_medians(const struct bootstrap_data *data);   /* x over y */

struct bootstrap_result {
    double estimate, standard_error;
    struct interval percentile, bca;
    double z0, acceleration;
    struct interval probabilities;   /* where BCa reads the resampled distribution */
};

/* With given indices; replicates (resamples) out: the resampled statistic. */
struct bootstrap_indices {
    const size_t *x, *y;     /* (resamples, x.n) and (resamples, y.n); y NULL where there is no second sample */
    size_t resamples;
};
struct bootstrap_result bootstrap_given(const struct bootstrap_data *data, bootstrap_statistic statistic,
                                        const struct bootstrap_indices *indices, double confidence,
                                        double *replicates);

/* With indices drawn from a seed. block > 1 draws circular runs of that many neighbours (Politis & Romano 1992),
 * which keeps the dependence of a series in time; its percentile interval is the one to use then.
 * Work: resamples (x.n + y.n) draws and as many statistics. */
struct bootstrap_settings {
    size_t resamples;    /* 2000 serves a 95 % interval, 10,000 a 99 % one */
    size_t block;
    double confidence;
    uint64_t seed;
};
struct bootstrap_result bootstrap_drawn(const struct bootstrap_data *data, bootstrap_statistic statistic,
                                        const struct bootstrap_settings *settings);

#endif
