/* measuring.h: the state of measure_plan, and its parts that the rounds of a suite share (private to measure/). */
#ifndef ASSAY_HARNESS_MEASURE_MEASURING_H
#define ASSAY_HARNESS_MEASURE_MEASURING_H

#include <jansson.h>

#include "harness/ceilings/ceilings.h"
#include "harness/measure/measure.h"
#include "harness/measure/progress.h"
#include "harness/measure/sampler.h"

enum { MOST_SAMPLES = 1000, MOST_PROCESS_SAMPLES = MOST_SAMPLES };

struct cell_state {
    const struct cell *cell;
    struct sampler sampler;
    struct worker worker;
    struct id run;
    int has_run, is_failed, is_up;
    struct ledger_ceilings limits;       /* the machine's, as they hold for its spec */
    json_t *check;                       /* what the checker said; NULL where nothing was checked */
    int64_t process;
    int order;
    double walls[MOST_PROCESS_SAMPLES];  /* timed samples of the process now up */
    int n_walls;
    double spent_ns;
    double need_bytes, available_bytes;  /* of memory where its weights go; available before it began */
    double timed[64], profiled[64];      /* per process: medians of wall times */
    double by_operation;                 /* perturbation_record; the largest of the processes */
    int n_processes;
    double relative_spread;              /* of the process medians, or of the samples of the only one */
    double largest_share;
    char share_where[96];
    int n_timed, n_held;                 /* timed samples; of these, with the device's clocks held down */
    double most_held;                    /* the largest share of a sample */
    const char *held_by;
    int n_failures, failed_block;        /* of a suite: rounds that gave nothing, the first of them */
    struct error failure;                /* its reason, or why the checker could not judge */
};

struct measuring {
    struct plan *p;
    struct store *s;
    const struct measure_options *o;
    struct cell_state *cells;
    struct progress progress;
    struct id experiment;
    struct finished_process *finished;
    int n_finished;
    struct error first;                  /* of a cell */
};

/* ---- measure.c ---- */

int64_t measure_unix_ns(void);
/* Its run into the store, with what the checker said; `hello` is the sampler's, NULL where there is none. */
enum status measure_begin_run(struct measuring *m, struct cell_state *c, const json_t *hello, struct error *e);
/* Did its process of this block run to its end? */
int measure_is_finished(const struct measuring *m, int cell, int block);
/* The order of a round: drawn for each pair of rounds, the second mirrored (A B B A). */
void measure_order(const struct measuring *m, int block, int round, int first, int n, int *order);
/* One cell alone, from the start of its process to its end. */
enum status measure_process(struct measuring *m, struct cell_state *c, int block, struct error *e);

/* ---- rounds.c: a suite ---- */

/* After the experiment has begun: runs of what cannot be measured here are ended, with the reason. */
enum status rounds_begin(struct measuring *m, struct error *e);
enum status rounds_run(struct measuring *m, int round, struct error *e);
/* Runs that failed in rounds say so. */
enum status rounds_end(struct measuring *m, struct error *e);

#endif
