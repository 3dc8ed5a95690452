/* pipeline.h: a workload as data: stages in sequence, programs, a generator, a batcher, residency, execution.
 * This is all of workloads/ that optimizers may see: pipeline in, pipeline out.
 *
 * A device stage is a program; a host stage is a function; a generator is a node of the sequence with stages
 * inside. Only a generator loops over steps; only a batcher knows requests from rows. */
#ifndef ASSAY_WORKLOADS_PIPELINE_H
#define ASSAY_WORKLOADS_PIPELINE_H

#include "kernels/executor.h"

/* ---- requests ---- */

struct pipeline;

enum finish { FINISH_NONE, FINISH_LENGTH, FINISH_STOP, FINISH_CONTEXT };
const char *finish_name(enum finish f);

struct sampling {
    float temperature;   /* 0: greedy */
    int top_k;           /* 0: all */
    float top_p;         /* 1: all */
    uint64_t seed;
};

/* All arrays are sized when the job is made (capacity), so that running allocates nothing. */
struct request {
    const char *text;            /* NULL: ids are given */
    size_t text_bytes;
    int32_t *prompt;             /* ids */
    int n_prompt, prompt_capacity;
    const int32_t *forced;       /* tokens to feed whatever is chosen (teacher forcing); NULL: free */
    int max_new;
    int ignores_stop;            /* run to max_new whatever the tokens */
    struct sampling sampling;
    /* results */
    int32_t *output;             /* ids chosen, max_new of them at most; the stop token included */
    uint64_t *arrival_ns;        /* when each was known to the host, on the job's clock */
    int n_output;
    enum finish finish;
    struct text decoded;
    int length;                  /* tokens whose keys are in the cache */
};

struct job {
    struct request *requests;
    int n_requests;
    uint64_t start_ns, end_ns;
};

/* ---- batching ---- */

enum { LAUNCH_MAX_LANES = 4 };

/* What one launch feeds: arrays are owned by the batch state, sized once. R rows, B slots. */
struct launch {
    int64_t symbols[SYMBOL_COUNT];
    struct facts facts;
    int32_t *ids[LAUNCH_MAX_LANES];  /* (R) each; lane 0 alone unless requests are multiplexed */
    int n_lanes;
    int32_t *pos, *rows;             /* (R) */
    int32_t *last;                   /* (B): the row whose logits choose slot b's next token */
    float *params;                   /* (B·lanes, 4): temperature, top_k, top_p, 0 */
    int64_t *seeds;                  /* (B·lanes) */
    int32_t *chosen;                 /* (B·lanes): read back */
    int *request_of;                 /* (B·lanes): which request a choice belongs to; -1 none */
    int n_slots;
};

struct batcher {
    const char *name;
    int n_lanes;                     /* requests a row */
    /* Rows of the prompts of all requests, or of one next token for each that goes on. 0 slots: all are done. */
    void (*prefill)(const struct job *job, struct launch *out);
    void (*decode)(const struct job *job, struct launch *out);
    /* Gives the chosen tokens to their requests at time now_ns; the pipeline's stop tokens end them. */
    void (*accept)(const struct pipeline *p, struct job *job, const struct launch *l, uint64_t now_ns);
};
extern const struct batcher batcher_pack;

/* ---- stages ---- */

/* Where a program takes and gives what a launch carries: tensor indices, -1 where it has no such tensor. */
struct launch_io {
    int executor_program;            /* -1: not prepared */
    int ids[LAUNCH_MAX_LANES], pos, rows, last, params, seeds, chosen;
    int choice;                      /* index of its first choice op; n_ops where none */
};

struct generation {                  /* what a generator works with */
    const struct pipeline *pipeline;
    struct executor *executor;
    struct job *job;
    struct launch *launch;
    const struct launch_io *io;      /* of each program of the pipeline */
    struct tracer *tracer;           /* NULL: timed pass */
    struct clock *clock;
};

struct generator {
    const char *name;
    enum status (*run)(struct generation *g, struct error *e);
};
extern const struct generator generator_autoregressive;

enum stage_kind { STAGE_HOST, STAGE_PROGRAM, STAGE_GENERATOR, STAGE_INNER /* of the generator before it */ };
struct stage {
    const char *name;
    enum stage_kind kind;
    int program;                     /* PROGRAM, INNER: index in programs; -1 */
    enum status (*host)(const struct pipeline *p, struct job *job, struct error *e);
};

/* The roles that generators ask for; a pipeline lists the programs that it has. */
enum role { ROLE_PREFILL, ROLE_DECODE, ROLE_FORCED, ROLE_DRAFT, ROLE_VERIFY, ROLE_COUNT };

enum { PIPELINE_MAX_PROGRAMS = 8, PIPELINE_MAX_STAGES = 12, PIPELINE_MAX_STOP = 16 };

struct pipeline {
    struct arena arena;              /* of recipes and names; programs have their own */
    const char *workload;
    struct program programs[PIPELINE_MAX_PROGRAMS];
    int n_programs;
    int role[ROLE_COUNT];            /* index in programs; -1 absent */
    struct stage stages[PIPELINE_MAX_STAGES];
    int n_stages;
    const struct generator *generator;
    const struct batcher *batcher;
    struct executor_settings execution;
    const struct weight_source *weights;
    int32_t stop[PIPELINE_MAX_STOP];
    int n_stop;
    int64_t context;                 /* positions at most */
    void *model;                     /* the workload's own: for its host stages */
    int draft_layers, draft_tokens;  /* draft-and-verify settings; 0 */
};

void pipeline_init(struct pipeline *p, const char *workload);
void pipeline_free(struct pipeline *p);
int pipeline_stage(const struct pipeline *p, const char *name);   /* -1 absent */
/* The index of a new, initialised program. */
int pipeline_add_program(struct pipeline *p, const char *name);

/* The pipeline on its devices. Programs of roles in `roles` (bit set) are prepared. */
struct session {
    const struct pipeline *pipeline;
    struct executor executor;
    struct launch_io io[PIPELINE_MAX_PROGRAMS];
    struct launch launch;
    struct arena arena;                  /* of launch's arrays */
    struct clock *clock;
};
struct launch_capacity {
    int64_t rows, slots;                 /* of the largest launch */
};
enum status session_open(struct session *s, const struct pipeline *p, struct device *const *devices, int n_devices,
                         unsigned roles, struct launch_capacity capacity, struct clock *clock, struct error *e);
void session_close(struct session *s);
/* From now on `to` is told of stages and of the operations in them (kernels/annotate.h); it outlives the session. */
void session_annotate(struct session *s, const struct annotator *to);

/* One sample: the whole sequence of stages over the job. `t` NULL: untraced. Sets start_ns and end_ns. */
enum status session_run(struct session *s, struct job *job, struct tracer *t, struct error *e);

/* One launch of program number `program` of the pipeline over g->launch: binds, writes the rows, runs (the ops before
 * the choice belong to stage `stage`, the choice to stage "sample"), and reads the chosen tokens back. */
enum status generation_launch(struct generation *g, int program, int stage, int step, struct error *e);

#endif
