/* meter.h: a team of bound threads, memory that each has touched, and a way to time a probe on both. */
#ifndef ASSAY_HARNESS_CEILINGS_METER_H
#define ASSAY_HARNESS_CEILINGS_METER_H

#include "harness/ceilings/probe.h"
#include "kernels/base/status.h"

struct team;

struct meter {
    struct team *team;
    int threads;
    char *memory;          /* of `bytes`; a member's region is bytes / threads, first touched by it */
    size_t bytes;
};

/* Errors: INPUT more than 64 threads; NO_MEMORY; BACKEND the system refuses a thread. */
enum status meter_open(struct meter *m, int threads, size_t bytes, struct error *e);
void meter_close(struct meter *m);

/* Every member runs the probe on its share of the working set, all from one barrier on; from the first start to the
 * last end. Returns nanoseconds, at least 1. */
double meter_run(struct meter *m, const struct probe *p, size_t working_set, int64_t repeats);

/* What a run moved or computed, all members together. */
double meter_work(const struct meter *m, const struct probe *p, size_t working_set, int64_t repeats);

#endif
