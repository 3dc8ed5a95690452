/* doctor.h: what works here, what does not, why, and what to do about it.
 * One list of findings serves three readers: `assay doctor`, the machine row and the environment row of a run. */
#ifndef ASSAY_HARNESS_DOCTOR_DOCTOR_H
#define ASSAY_HARNESS_DOCTOR_DOCTOR_H

#include <stdio.h>

#include "kernels/base/memory.h"

enum finding_status { FINDING_OK, FINDING_WARN, FINDING_BAD };

/* Whose fact it is. The machine's do not change from run to run and enter the comparability key. */
enum finding_scope { SCOPE_MACHINE, SCOPE_ENVIRONMENT };

struct finding {
    const char *key, *value;   /* "cpu.governor", "powersave" */
    enum finding_scope scope;
    enum finding_status status;
    const char *advice;        /* what to do; "" where nothing */
};

struct doctor_report {
    struct finding *items;     /* owned; their strings live in the arena */
    int n;
    size_t capacity;
    struct arena arena;
};

/* Never fails: what cannot be read is a finding. noise_seconds: how long every core that we may use is watched. */
void doctor_collect(struct doctor_report *out, double noise_seconds);
/* Adds what the cuda backend would find; starts the driver and loads its libraries, so not before workers are forked. */
void doctor_cuda(struct doctor_report *r);
/* Adds which units of the processor multiply, as far as it was measured, and how much is kept of what was timed here, and where. */
void doctor_timings(struct doctor_report *r);
void doctor_print(const struct doctor_report *r, FILE *out, int as_json);
int doctor_count(const struct doctor_report *r, enum finding_status status);
void doctor_free(struct doctor_report *r);

#endif
