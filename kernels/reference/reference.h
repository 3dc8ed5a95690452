/* reference.h: the judge: every operation in float64, as its formula says and no cleverer.
 *
 * Activations and states are doubles whatever their declared type; weights are decoded from their recipes a few
 * rows at a time and never kept, so a model larger than memory can be judged. Sums have one order on every machine
 * and for any number of threads: results are the same bits everywhere. Private to kernels/reference/. */
#ifndef ASSAY_KERNELS_REFERENCE_REFERENCE_H
#define ASSAY_KERNELS_REFERENCE_REFERENCE_H

#include "kernels/backend.h"

/* The thread sanitizer does not know OpenMP's barriers and would report what is no race. */
#ifdef __SANITIZE_THREAD__
enum { REFERENCE_IS_PARALLEL = 0 };
#else
enum { REFERENCE_IS_PARALLEL = 1 };
#endif

/* Encoded states hold what their codes stand for. */
struct reference_state {
    char *name;
    double *data;
    size_t elements;
    const struct encoding *encoding;
    int64_t vectors;
};

struct reference_device {
    struct device_head head;
    int threads;
    struct reference_state *states;
    size_t n_states, capacity;
    struct memory_use use;
};

struct reference_prepared {
    struct prepared_head head;
    struct reference_device *device;
    const struct weight_source *weights;
    double **real;                       /* of each tensor that holds reals, at the symbols' maxima; else NULL */
    void **whole;                        /* of each tensor that holds integers; else NULL */
    void *block;                         /* the planned activations */
    size_t block_bytes;
    int64_t symbols[SYMBOL_COUNT];
};

/* One operation under the present binding. */
struct reference_call {
    struct reference_prepared *q;
    const struct op *op;
    struct error *e;
};
typedef enum status reference_function(const struct reference_call *c);

reference_function reference_embed, reference_rmsnorm, reference_layernorm, reference_add_rmsnorm, reference_elementwise, reference_softmax,
    reference_gather, reference_nll;                                                                  /* ops.c */
reference_function reference_linear, reference_linear_gelu, reference_swiglu;                         /* linear.c */
reference_function reference_rope, reference_kv_write, reference_rope_kv_write, reference_scores, reference_mask,
    reference_values, reference_attention;                                                            /* attention.c */
reference_function reference_sample;                                                                  /* sample.c */

/* ---- an operation's operands ---- */

static inline const struct tensor *reference_type(const struct reference_call *c, int tensor) {
    return &c->q->head.program->tensors[tensor];
}
static inline double *reference_in(const struct reference_call *c, int i) { return c->q->real[c->op->in[i]]; }
static inline double *reference_out(const struct reference_call *c, int i) { return c->q->real[c->op->out[i]]; }
static inline const int32_t *reference_ids(const struct reference_call *c, int i) { return c->q->whole[c->op->in[i]]; }
static inline int64_t reference_in_dim(const struct reference_call *c, int i, int d) {
    return dim_value(reference_type(c, c->op->in[i])->dims[d], c->q->symbols);
}
static inline int64_t reference_out_dim(const struct reference_call *c, int i, int d) {
    return dim_value(reference_type(c, c->op->out[i])->dims[d], c->q->symbols);
}
static inline const struct recipe *reference_recipe(const struct reference_call *c, int i) {
    return reference_type(c, c->op->in[i])->recipe;
}

/* INPUT where one of n ids is outside [0, limit); `what` names them. */
enum status reference_check_ids(const struct reference_call *c, int i, int64_t n, int64_t limit, const char *what);

/* y (n) = x as the encoding keeps it: to float32 and there, then back. x and y may be the same. */
void reference_round(const struct encoding *encoding, const double *x, double *y, int64_t n);

/* A weight that is a vector, whole, as doubles; NULL with the error. Owned: mem_free. */
double *reference_vector(const struct reference_call *c, int i);

void reference_softmax_row(const double *x, double *y, int64_t n);
double reference_silu(double x);
double reference_gelu(double x);

#endif
