/* op_work.c: how much each operation computes and moves, from shapes, types and the counts of a launch.
 *
 * A multiply-add is 2 flop; an exponential, a root or a division is 1. Bytes are those that must move once: each
 * input read, each output written, at the storage types; of a table or a cache only the rows that are touched. */
#include "kernels/op_rows.h"

struct sizes { /* an operation under a binding */
    const struct program *p;
    const struct op *op;
    const int64_t *symbols;
    const struct facts *f;
};

static const struct tensor *in(const struct sizes *s, int i) { return &s->p->tensors[s->op->in[i]]; }
static const struct tensor *out(const struct sizes *s, int i) { return &s->p->tensors[s->op->out[i]]; }
static double elements(const struct sizes *s, const struct tensor *t) { return (double)tensor_elements(t, s->symbols); }

static double bytes(const struct sizes *s, const struct tensor *t) {
    return t->recipe ? recipe_stored_bytes(t->recipe, t->dtype) : (double)tensor_bytes(t, s->symbols);
}

static double output_bytes(const struct sizes *s) {
    double sum = 0;
    for (int i = 0; i < s->op->n_out; i++) sum += bytes(s, out(s, i));
    return sum;
}

/* Bytes of the keys or values that the launch's slots hold: what a cache read must touch. */
static double cache_bytes(const struct sizes *s, int i) {
    const struct tensor *c = in(s, i);
    return (double)s->f->distinct_keys * (double)tensor_row_bytes(c);
}

/* K·H multiply-adds for each key that a row sees. */
static double visible_flop(const struct sizes *s, const struct tensor *q) {
    return 2 * (double)q->dims[1].size * (double)s->f->sum_keys;
}

#define WORK(name) \
    static struct work name##_of(const struct sizes *s); \
    struct work op_work_##name(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f) { \
        return name##_of(&(struct sizes){p, op, symbols, f}); \
    } \
    static struct work name##_of(const struct sizes *s)

/* Everything in, everything out, a few flop for each element of the first output (of the first input where
 * there is none or it is a reduction). */
WORK(streamed) {
    static const double flop_each[OP_KIND_COUNT] = {
        [OP_RMSNORM] = 4, [OP_LAYERNORM] = 7, [OP_ROPE] = 3, [OP_SCALE] = 1, [OP_CAUSAL_MASK] = 1, [OP_SOFTMAX] = 5, [OP_ADD] = 1, [OP_MUL] = 1,
        [OP_SILU] = 4, [OP_GELU] = 4, [OP_NLL] = 4, [OP_ADD_RMSNORM] = 5,
    };
    struct work w = {.flop = flop_each[s->op->kind] * elements(s, in(s, 0)), .bytes = output_bytes(s)};
    for (int i = 0; i < s->op->n_in; i++) w.bytes += bytes(s, in(s, i));
    return w;
}

/* Rows of the table at its encoding: not the table. */
WORK(embed) {
    const struct recipe *table = in(s, 0)->recipe;
    double rows = elements(s, in(s, 1)), touched = table ? recipe_stored_bytes(table, in(s, 0)->dtype) / (double)table->rows : 0;
    return (struct work){0, rows * touched + bytes(s, in(s, 1)) + output_bytes(s)};
}

WORK(gather) { return (struct work){0, 2 * output_bytes(s) + bytes(s, in(s, 1))}; }

/* x times a stacked weight: LINEAR with its bias, LINEAR_SWIGLU with its silu and product, LINEAR_GELU. */
WORK(product) {
    const struct tensor *x = in(s, 0), *w = in(s, 1);
    double rows = (double)dim_value(x->dims[0], s->symbols), n = (double)w->recipe->rows, k = (double)w->recipe->cols;
    struct work total = {.flop = 2 * rows * n * k, .bytes = bytes(s, x) + bytes(s, w) + output_bytes(s)};
    if (s->op->kind == OP_LINEAR_SWIGLU) total.flop += 5 * elements(s, out(s, 0));
    if (s->op->kind == OP_LINEAR_GELU) total.flop += 4 * elements(s, out(s, 0));
    if (s->op->n_in > 2) {
        total.flop += rows * n;
        total.bytes += bytes(s, in(s, 2));
    }
    return total;
}

WORK(scores) { return (struct work){visible_flop(s, in(s, 0)), bytes(s, in(s, 0)) + cache_bytes(s, 1) + output_bytes(s)}; }

WORK(values) { return (struct work){visible_flop(s, out(s, 0)), bytes(s, in(s, 0)) + cache_bytes(s, 1) + output_bytes(s)}; }

WORK(attention) {
    double moved = bytes(s, in(s, 0)) + cache_bytes(s, 1) + cache_bytes(s, 2) + output_bytes(s);
    return (struct work){2 * visible_flop(s, in(s, 0)), moved};
}

/* KV_WRITE: x read and written; ROPE_KV_WRITE: q, k, v read and written, q and k turned. What a cache takes is at its encoding. */
WORK(kv_write) {
    int is_fused = s->op->kind == OP_ROPE_KV_WRITE, first, last;
    double rows = (double)dim_value(in(s, 0)->dims[0], s->symbols);
    struct work w = {0};
    for (int i = 0; i < (is_fused ? 3 : 1); i++) w.bytes += bytes(s, in(s, i));
    op_caches(s->op, &first, &last);
    for (int i = first; i < last; i++) w.bytes += rows * (double)tensor_row_bytes(in(s, i));
    if (is_fused) w.bytes += output_bytes(s);
    for (int i = is_fused ? 3 : 1; i < (is_fused ? 6 : 3); i++) w.bytes += bytes(s, in(s, i));
    if (is_fused) w.flop = 3 * (elements(s, in(s, 0)) + elements(s, in(s, 1)));
    return w;
}

/* Each logit is looked at once. */
WORK(choice) {
    struct work w = {.flop = elements(s, in(s, 0)), .bytes = output_bytes(s)};
    for (int i = 0; i < s->op->n_in; i++) w.bytes += bytes(s, in(s, i));
    return w;
}

struct work op_work(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f) {
    return op_table[op->kind].work(p, op, symbols, f);
}
