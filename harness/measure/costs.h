/* costs.h: how long a device takes for a program, for optimizers that choose by time (optimizers/optimizer.h, struct timer).
 *
 * Programs are made ready on a device of their own with the same settings (team, instruction set), which is closed afterwards: what the
 * run's device holds stays what the run needs. They take turns, in an order that moves and turns round, for at least nine rounds; a
 * turn is at least a fifth of a millisecond long. The median of the turns is kept (harness/measure/timings.h) and the answer. All of
 * it is part of preparing, never of a sample. */
#ifndef ASSAY_HARNESS_MEASURE_COSTS_H
#define ASSAY_HARNESS_MEASURE_COSTS_H

#include "harness/measure/remember.h"
#include "harness/measure/timings.h"
#include "harness/spec/spec.h"
#include "kernels/backend.h"
#include "workloads/llm/model.h"

struct costs {
    struct timer timer;
    struct usage usages[2];          /* a prefill and the decoding after it, as the spec has them */
    const struct spec *spec;         /* borrowed, as is `run` */
    struct device *run;              /* the device that will run the spec */
    struct clock clock;
    struct device *device;           /* the one for timing; NULL until something must be timed */
    struct remember remember;        /* its units */
    struct timings timings;
    int is_open;                     /* the timings are: with the first question */
};

/* Nothing is opened before the first question. Errors: those of the spec's prompts. */
enum status costs_open(const struct spec *spec, struct llm_model *m, struct device *run, struct costs *out, struct error *e);
/* NULL where times mean nothing: no device of its own, or an injected clock. */
const struct timer *costs_timer(const struct costs *c);
void costs_close(struct costs *c);

#endif
