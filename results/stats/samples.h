/* samples.h: how measured numbers are handed to this room.
 *
 * A side of a comparison is P processes, each with its own samples in the order in which they were taken. The
 * process is the statistical unit: samples of one process share its memory layout, its placement and its luck,
 * so a hundred of them are not a hundred observations of the program. Borrowed pointers throughout. */
#ifndef ASSAY_RESULTS_STATS_SAMPLES_H
#define ASSAY_RESULTS_STATS_SAMPLES_H

#include <stddef.h>

struct process_samples {
    const double *values;   /* (n) any one unit, e.g. ns */
    size_t n;
};

struct side_samples {
    const struct process_samples *processes;
    size_t n;
};

struct interval {
    double low, high;
};

#endif
