/* executor.h: the only place that launches.
 *
 * Runs programs on devices: eager or captured, one device or several with copies on the cut, weights resident or
 * brought in when an op needs them. Notes every launch in the tracer, so that nothing else has to. */
#ifndef ASSAY_KERNELS_EXECUTOR_H
#define ASSAY_KERNELS_EXECUTOR_H

#include "kernels/backend.h"

enum { EXECUTOR_MAX_DEVICES = 4, EXECUTOR_MAX_PROGRAMS = 16 };

/* Which weight groups stay in fast memory. capacity 0: all of them, always. */
struct residency {
    int capacity_groups;
};

struct executor_settings {
    int is_captured;             /* replay a captured launch instead of eager ones */
    int64_t bucket_keys;         /* S is rounded up to a multiple of this, so that a capture serves many steps; 0: exact */
    struct residency residency;
};

struct executor_step;            /* run a range of ops on a device, copy a tensor, make a group resident */

/* A captured launch of all of a program, for the symbols that it was made for. */
enum { EXECUTOR_MAX_CAPTURES = 32 };
struct executor_capture {
    int64_t symbols[SYMBOL_COUNT];
    int is_traced;
    struct captured *captured;
    uint64_t used;
};

struct executor_program {
    const struct program *program;                       /* as given */
    struct program *parts[EXECUTOR_MAX_DEVICES];         /* the ops of each device; [0] is `program` itself when alone */
    struct prepared *prepared[EXECUTOR_MAX_DEVICES];
    int *tensor_map[EXECUTOR_MAX_DEVICES];               /* tensor of `program` → tensor of the part, -1 absent */
    struct executor_step *steps;
    int n_steps;
    int is_split;
    struct annotated_ops *annotated[EXECUTOR_MAX_DEVICES]; /* of each part; NULL: nobody looks */
    char **labels;                                       /* of all operations, once annotated */
    int64_t symbols[SYMBOL_COUNT];                       /* now bound */
    struct executor_capture captures[EXECUTOR_MAX_CAPTURES]; /* the one unused longest gives way */
    int n_captures;
};

struct executor {
    struct device *devices[EXECUTOR_MAX_DEVICES];        /* borrowed */
    int n_devices;
    struct clock *clock;                                 /* borrowed */
    struct executor_settings settings;
    struct executor_program programs[EXECUTOR_MAX_PROGRAMS];
    int n_programs;
    int *resident;                                       /* weight groups now resident, most recent first */
    int n_resident;
    void *bounce;                                        /* for copies between devices */
    size_t bounce_bytes;
    uint64_t uses;                                       /* of captures, so far */
    const struct annotator *annotator;                   /* borrowed; NULL: nobody looks */
    const char *const *stages;                           /* their names, by launch sites' numbers; borrowed */
    struct arena labels;
};

void executor_init(struct executor *x, struct device *const *devices, int n_devices, struct clock *clock,
                   const struct executor_settings *settings);
void executor_free(struct executor *x);

/* Validates and prepares a program; its index in *out. The program must outlive the executor.
 * Errors: what validate, supports and prepare say, with the program's name before it. */
enum status executor_add(struct executor *x, const struct program *p, const struct weight_source *w, int *out,
                         struct error *e);

/* Values of the symbols for the next runs of this program (see backend.h, bind). */
enum status executor_bind(struct executor *x, int program, const int64_t symbols[SYMBOL_COUNT], struct error *e);
enum status executor_write(struct executor *x, int program, int tensor, size_t offset, const void *src, size_t bytes,
                           struct error *e);
enum status executor_read(struct executor *x, int program, int tensor, size_t offset, void *dst, size_t bytes,
                          struct error *e);

/* Runs the whole program as one launch. `t` NULL: untraced. */
enum status executor_run(struct executor *x, int program, const struct launch_site *site, struct tracer *t, struct error *e);

/* Ranges (annotate.h), from now on, of the programs that were added: each operation as it is launched; of a captured launch
 * as it is captured, and where the host replays it, each time. `stages`: the names of launch sites' stages. */
void executor_annotate(struct executor *x, const struct annotator *to, const char *const *stages);
/* Around what the host does for a stage; -1: for none. */
static inline void executor_stage_begin(const struct executor *x, int stage) {
    if (x->annotator && stage >= 0) annotate_push(x->annotator, x->stages[stage]);
}
static inline void executor_stage_end(const struct executor *x, int stage) {
    if (stage >= 0) annotate_pop(x->annotator);
}

/* Around a traced region: see backend.h. */
enum status executor_trace_begin(struct executor *x, enum trace_detail detail, struct error *e);
enum status executor_trace_end(struct executor *x, struct tracer *t, struct error *e);

/* The program and op of a span that a device's lane recorded (unit = the device's number); NULL for host spans. */
const struct program *executor_span_program(const struct executor *x, const struct span *s, int unit);
const struct op *executor_span_op(const struct executor *x, const struct span *s, int unit);

#endif
