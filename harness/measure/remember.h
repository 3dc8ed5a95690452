/* remember.h: what this machine was measured to be, for devices that measure their own units (kernels/backend.h, struct unit_memory): kept
 * in a file of its own beside what optimizers timed (timings.h), so that a process measures only what no other has. Where nothing can be
 * kept, each process measures for itself. */
#ifndef ASSAY_HARNESS_MEASURE_REMEMBER_H
#define ASSAY_HARNESS_MEASURE_REMEMBER_H

#include "harness/measure/timings.h"
#include "kernels/backend.h"

struct remember {
    struct unit_memory memory;       /* for device_options; `remember` must outlive the device */
    struct timings timings;
    int is_open, is_refused;         /* opened with the first question; it could not be */
};

void remember_begin(struct remember *r);
void remember_end(struct remember *r);

#endif
