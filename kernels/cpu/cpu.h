/* cpu.h: what the files of the cpu backend share. Private to kernels/cpu/.
 *
 * A run walks the list of operations on all members of the team at once, with one barrier after each operation.
 * An operation gives every participating member a contiguous slice of its work; small ones run on one member. */
#ifndef ASSAY_KERNELS_CPU_CPU_H
#define ASSAY_KERNELS_CPU_CPU_H

#include <stdatomic.h>

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/team.h"
#include "kernels/cpu/units.h"

struct cpu_dense;      /* the dense library's primitives of one program (dense.h) */

enum { CPU_ITEMS_A_MEMBER = 3 };           /* attention: with fewer items a member, long key ranges are split */

/* A run of rows of a weight that is stored in one way. */
struct cpu_segment {
    int64_t first, rows;
    const struct encoding *encoding;
    const char *data;        /* the mapped file, or `owned` */
    size_t stride;           /* bytes a row, at most where rows differ */
    int rounds_inputs;       /* rows of x are rounded to eight bits before they meet it */
    size_t strip_bytes;      /* kept in strips of rows (strips.h), so long each, and not row by row; 0: it is not */
    size_t *starts;          /* (rows + 1) where rows differ: bytes from `data`; else NULL */
    void *owned;
    size_t owned_bytes;
};
/* Of its encoded rows, as one after the other. */
static inline size_t cpu_segment_bytes(const struct cpu_segment *s) { return s->starts ? s->starts[s->rows] : s->stride * (size_t)s->rows; }
static inline const char *cpu_row(const struct cpu_segment *s, int64_t i) { return s->data + (s->starts ? s->starts[i] : (size_t)i * s->stride); }

/* A weight on the device, shared by every program that names the same recipe and type. */
struct cpu_weight {
    uint64_t hash;
    enum dtype dtype;
    int is_vector;           /* one run of f32, whatever the recipe's rows and cols */
    int64_t rows, cols;
    struct cpu_segment segments[RECIPE_MAX_SEGMENTS];
    int n_segments, users;
};

struct cpu_state {
    char *name;
    int64_t dims[TENSOR_MAX_DIMS]; /* at the symbols' maxima: its layout */
    enum dtype dtype;
    const struct encoding *encoding; /* NULL: dense */
    int64_t vectors;
    void *data;
    size_t bytes;
};

struct cpu_block {
    void *data;
    size_t bytes;
};

/* cos and sin of pos · inv_freq[j], computed in double: (positions, half) each. */
struct cpu_angles {
    uint64_t hash;
    int64_t positions, half;
    float *cosine, *sine;
    int users;
};

struct cpu_device {
    struct device_head head;
    struct team *team;
    int size;                              /* of the team */
    enum isa level;
    const struct isa_kernels *isa;
    int has_bf16_unit;                     /* the processor multiplies bf16 pairs */
    struct units units;                    /* that multiply many rows */
    struct cpu_weight **weights;
    size_t n_weights, weight_capacity;
    struct cpu_state *states;
    size_t n_states, state_capacity;
    struct cpu_block *state_blocks;        /* what states lie in */
    size_t n_state_blocks, state_block_capacity;
    struct cpu_angles **angles;
    size_t n_angles, angle_capacity;
    void *activations, *shared;            /* shared: scratch of one operation for all members */
    void *scratch[TEAM_MAX_MEMBERS];       /* of one operation for one member */
    void *dense_scratch[TEAM_MAX_MEMBERS]; /* the same, for the dense library */
    size_t activation_bytes, shared_bytes, scratch_bytes, dense_scratch_bytes;
    size_t input_bytes;                    /* of all programs */
    atomic_int arrived[CPU_ITEMS_A_MEMBER * TEAM_MAX_MEMBERS]; /* attention: key ranges of a unit that are done */
};

struct cpu_prepared;
struct cpu_op;

/* One member's share of one operation. */
struct cpu_call {
    struct cpu_prepared *q;
    const struct cpu_op *o;
    int member, members;                   /* 0 ≤ member < members: those that take part */
};
typedef void cpu_kernel(const struct cpu_call *c);

struct cpu_op {
    const struct op *op;
    cpu_kernel *run;
    int members;                           /* that take part under the present symbols */
    struct cpu_weight *weight, *vectors[2]; /* matrix; a norm's weight and bias, or a product's bias, as f32; NULL where there is none */
    struct cpu_angles *angles;
};

struct cpu_prepared {
    struct prepared_head head;
    struct cpu_device *device;
    struct cpu_op *ops;
    void **data;                           /* of each tensor: where its bytes are; NULL for weights */
    size_t *offsets;                       /* of planned activations in the device's block */
    const void *block;                     /* the device's block that `data` was made for */
    void *inputs;            /* one block for all of them */
    size_t input_bytes;
    int64_t symbols[SYMBOL_COUNT];
    int is_bound;
    struct cpu_dense *dense;
    atomic_int has_fault;
    struct error fault;                    /* of the member that came first */
};

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t whole_runs(int64_t n, int64_t run) { return (n + run - 1) / run * run; }

/* ---- an operation's view of its operands (inline: they are in every kernel) ---- */

static inline const struct isa_kernels *cpu_isa(const struct cpu_call *c) { return c->q->device->isa; }
static inline const struct tensor *cpu_tensor(const struct cpu_call *c, int t) { return &c->q->head.program->tensors[t]; }
static inline const struct tensor *cpu_in_type(const struct cpu_call *c, int i) { return cpu_tensor(c, c->o->op->in[i]); }
static inline const struct tensor *cpu_out_type(const struct cpu_call *c, int i) { return cpu_tensor(c, c->o->op->out[i]); }
static inline const void *cpu_in(const struct cpu_call *c, int i) { return c->q->data[c->o->op->in[i]]; }
static inline void *cpu_state_of(const struct cpu_call *c, int i) { return c->q->data[c->o->op->in[i]]; }
static inline void *cpu_out(const struct cpu_call *c, int i) { return c->q->data[c->o->op->out[i]]; }
static inline int64_t cpu_dim(const struct cpu_call *c, const struct tensor *t, int i) { return dim_value(t->dims[i], c->q->symbols); }
static inline const float *cpu_vector(const struct cpu_call *c, int i) {
    const struct cpu_weight *w = c->o->vectors[i];
    return w ? (const float *)(const void *)w->segments[0].data : NULL;
}
static inline void *cpu_scratch(const struct cpu_call *c) { return c->q->device->scratch[c->member]; }

/* The address of element i of an array of type t. */
static inline const void *cpu_at(const void *p, enum dtype t, int64_t i) { return (const char *)p + i * (int64_t)dtype_bytes(t); }
static inline void *cpu_at_out(void *p, enum dtype t, int64_t i) { return (char *)p + i * (int64_t)dtype_bytes(t); }

/* Member `member` of `members` gets [*first, *last) of n things, in whole units but for the end. */
static inline void cpu_slice(int64_t n, int64_t unit, int member, int members, int64_t *first, int64_t *last) {
    int64_t units = (n + unit - 1) / unit;
    *first = units * member / members * unit;
    *last = units * (member + 1) / members * unit;
    if (*first > n) *first = n;
    if (*last > n) *last = n;
}

/* Records what went wrong with the data; the run goes on in bounds and returns this at its end. */
void cpu_fault(const struct cpu_call *c, enum status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- kernels by file; each also says what scratch an operation needs at the symbols' maxima ---- */

struct cpu_need {
    size_t scratch, shared;  /* bytes: a member's own; for all together */
};

cpu_kernel cpu_embed, cpu_rmsnorm, cpu_layernorm, cpu_rope, cpu_kv_write, cpu_scale, cpu_causal_mask, cpu_softmax, cpu_add, cpu_mul, cpu_silu, cpu_gelu,
    cpu_gather_rows, cpu_sample, cpu_nll, cpu_copy, cpu_add_rmsnorm, cpu_rope_kv_write; /* ops_*.c, sample.c */
cpu_kernel cpu_attn_scores, cpu_attn_values, cpu_attention;                                 /* attention.c */
cpu_kernel cpu_linear;                                                                      /* linear.c */

cpu_kernel *cpu_kernel_of(enum op_kind k);                                                  /* cpu.c */

void cpu_need_plain(const struct program *p, const struct op *op, struct cpu_need *out);
void cpu_need_attention(const struct cpu_device *d, const struct program *p, const struct op *op, struct cpu_need *out);
void cpu_need_linear(struct cpu_device *d, const struct program *p, const struct op *op, const struct cpu_weight *w, struct cpu_need *out);

/* linear_many.c: builds what LINEAR needs of the dense library for the symbols just set; nothing where the shape was seen. */
enum status cpu_linear_bind(struct cpu_prepared *q, struct error *e);
void cpu_dense_close(struct cpu_dense *s); /* NULL is fine */

/* Makes every member's block at least as large; OK or NO_MEMORY. */
enum status cpu_scratch_grow(void **blocks, int n, size_t *have, size_t want, struct error *e);

/* 1: products of so many rows are those of linear_many.c, in which all members must take part. */
int cpu_is_many_rows(int64_t rows);

/* What computes a linear of this type of x (i8: rounded, by weights in codes) and so many rows, for describe(). */
const char *cpu_linear_unit(struct cpu_device *d, enum dtype t, int64_t rows);

/* ---- prepare.c: as in backend.h ---- */

enum status cpu_prepare(struct device *device, const struct program *p, const struct weight_source *source, struct prepared **out,
                        struct error *e);
void cpu_release(struct prepared *prepared);

/* ---- weights.c ---- */

/* The weight, made if the device lacks it; counted as used once more. */
enum status cpu_weight_get(struct cpu_device *d, const struct recipe *r, enum dtype t, int is_vector, const struct weight_source *source,
                           struct cpu_weight **out, struct error *e);
void cpu_weight_drop(struct cpu_device *d, struct cpu_weight *w);
enum status cpu_angles_get(struct cpu_device *d, const double *inv_freq, int64_t half, int64_t positions, struct cpu_angles **out,
                           struct error *e);
void cpu_angles_drop(struct cpu_device *d, struct cpu_angles *a);

/* The segment of a weight that holds a row. */
static inline const struct cpu_segment *cpu_segment_of(const struct cpu_weight *w, int64_t row) {
    const struct cpu_segment *s = w->segments;
    while (row >= s->first + s->rows) s++;
    return s;
}

#endif
