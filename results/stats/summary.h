/* summary.h: one metric of one run in five numbers: what tables and `-o json` show.
 *
 * median   the median over processes of each process's median: a process with more samples does not weigh more
 * low/high its interval. From 3 processes on, Student's t over the process medians (the process is the unit),
 *          stretched to hold the median; with fewer, the order statistics of the pooled samples, as many as their
 *          dependence in time leaves; where those do not reach the confidence, the whole range.
 * Metrics need not be positive (bytes may be 0). NAN and infinite values are left out. */
#ifndef ASSAY_RESULTS_STATS_SUMMARY_H
#define ASSAY_RESULTS_STATS_SUMMARY_H

#include "results/stats/samples.h"

struct summary {
    double median, low, high;     /* NAN without samples; low = high = median with one */
    size_t samples, processes;    /* that had a finite value */
};
struct summary summary_of(const struct side_samples *side, double confidence);

#endif
