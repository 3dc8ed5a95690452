/* series.h: the timed samples of a run as the statistics want them: processes, each a series in time.
 *
 * A metric with many values a sample (every inter-token latency) is reduced to the sample's median for whatever
 * treats samples as a series; all its values stay for quantiles. */
#ifndef ASSAY_RESULTS_DOCUMENT_SERIES_H
#define ASSAY_RESULTS_DOCUMENT_SERIES_H

#include <jansson.h>

#include "results/stats/samples.h"
#include "results/store/store.h"

struct process_series {
    int64_t process;
    int block;
    double *values;              /* (n_values) by sample, then position */
    size_t n_values;
    double *samples;             /* (n_samples) the median of each sample, in time */
    size_t n_samples;
    double median;               /* of values */
};

struct metric_series {
    const char *metric;
    struct process_series *processes;   /* in the order of blocks */
    size_t n;
};

struct run_series {
    struct metric_series *metrics;      /* in the order of names */
    size_t n;
    struct arena arena;
};
enum status run_series_read(struct store *s, const struct id *run, struct run_series *out, struct error *e);
void run_series_free(struct run_series *r);
/* NULL where the run has no such metric. */
const struct metric_series *run_series_find(const struct run_series *r, const char *metric);

/* {"median","low","high","unit","samples","values","processes","interval_of","p90","p99"}: what results/stats/summary.h
 * makes of all values, at 95 %; of a single value no interval. p90 from 10 values on, p99 from 100. */
json_t *metric_summary(const struct metric_series *m);

enum { SUMMARY_MIN_PROCESSES = 3 }; /* of summary.h: from here on the interval is of processes */

#endif
