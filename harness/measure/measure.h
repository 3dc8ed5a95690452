/* measure.h: a plan measured into a store.
 *
 * Protocol. Before anything is timed, one process checks every cell's results (check.h). Then, for each block, each
 * cell gets a fresh process (the statistical unit). Cells of a block that fit in memory together stay resident and
 * are sampled in turns, the order drawn from the seed and mirrored every other round, so that drift falls on all of
 * them alike; those that do not fit come one after the other. Each process warms up until its rate settles, gives
 * timed samples without instrumentation until its interval is narrow enough or the budget ends, then profiled ones.
 * The parent alone writes the store and commits every finished sample outside timed regions.
 *
 * A suite's blocks are rounds: each cell runs alone, from the start of its process to its end, one after the other in an
 * order drawn for each pair of rounds and mirrored in the second, so that no engine has another one's threads or memory
 * beside it. A command gives one sample a round. What fails in a round is tried again in the next. */
#ifndef ASSAY_HARNESS_MEASURE_MEASURE_H
#define ASSAY_HARNESS_MEASURE_MEASURE_H

#include "harness/measure/plan.h"
#include "results/store/store.h"

struct measure_options {
    int resumes;                         /* go on with the interrupted experiment of the same plan */
    struct machine_record machine;
    struct environment_record environment;
    const struct ceiling_list *ceilings; /* NULL: shares are unknown */
};

/* The experiment's identity in *out, also when the status is not OK but something was measured (out->text[0]).
 * INTERRUPTED after a signal: what was measured is kept. Errors of a cell end its run as failed, with the reason;
 * the call fails with it where no cell could be measured; a suite does not. */
enum status measure_plan(struct plan *p, struct store *s, const struct measure_options *o, struct id *out, struct error *e);

#endif
