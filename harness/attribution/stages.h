/* stages.h: which ranges of joined activity are stages, and which stretches of time are samples. */
#ifndef ASSAY_HARNESS_ATTRIBUTION_STAGES_H
#define ASSAY_HARNESS_ATTRIBUTION_STAGES_H

#include "kernels/activity.h"
#include "kernels/base/status.h"

struct stage_choice {
    const char *stages;            /* names or globs, with commas between; NULL: every range */
    int depth;                     /* of ranges so chosen, deeper ones belong to the one at this depth (1: outermost);
                                      0: each stands for itself */
    const char *iteration;         /* a name or glob: its instances are the samples, and no stages; NULL: one sample */
};

struct stage_window {
    int64_t start_ns, end_ns;
};

struct stages {
    int32_t *stage_of;             /* a range: the range that is its stage, itself or one around it; -1 none */
    int32_t *name_of;              /* a name: what a stage of this name is called (see below) */
    size_t n_chosen;               /* ranges that are stages */
    struct stage_window *windows;  /* samples in the order of time, none over another */
    size_t n_windows;
    size_t n_empty;                /* instances that left no time to themselves */
    struct arena arena;
};

/* Of joined activity that holds at least one operation, sorted as attribute.h says. The n-th outermost instances of
 * every thread make the n-th sample: [the first start, or the end of the sample before; the last end of them and of
 * the operations that their processes launched meanwhile).
 * Stages are called as their ranges, but without the running numbers that PyTorch's emit_nvtx gives each instance
 * ("aten::mm, seq = 12, op_id = 345" is aten::mm); patterns see either.
 * Errors: INPUT where a pattern matches no range, naming some that there are. */
enum status stages_choose(struct activity *a, const struct stage_choice *c, struct stages *out, struct error *e);
void stages_free(struct stages *s);

/* The stage of an operation as a name's index; -1 none. */
int32_t stages_of_op(const struct stages *s, const struct activity *a, const struct activity_op *op);

#endif
