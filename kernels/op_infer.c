/* op_infer.c: how each operation's output follows from its inputs, on dims that may be symbols. */
#include <stdio.h>
#include <string.h>

#include "kernels/op_rows.h"

/* What an inference looks at, and where it says why not. */
struct infer {
    struct program *p;
    struct op *op;
    char *why;
    int why_bytes;
};

static struct tensor *in(const struct infer *f, int i) { return &f->p->tensors[f->op->in[i]]; }
static struct tensor *out(const struct infer *f, int i) { return &f->p->tensors[f->op->out[i]]; }

/* ---- saying no ---- */

static int refuse(const struct infer *f, const struct tensor *t, const char *what) {
    char shape[SHAPE_TEXT_BYTES];
    tensor_shape_text(t, shape);
    snprintf(f->why, (size_t)f->why_bytes, "'%.60s' %s %s", t->name, shape, what);
    return 0;
}

static int refuse_pair(const struct infer *f, const struct tensor *a, const char *what, const struct tensor *b) {
    char x[SHAPE_TEXT_BYTES], y[SHAPE_TEXT_BYTES];
    tensor_shape_text(a, x);
    tensor_shape_text(b, y);
    snprintf(f->why, (size_t)f->why_bytes, "'%.60s' %s %s '%.60s' %s", a->name, x, what, b->name, y);
    return 0;
}

/* ---- what inputs must be ---- */

static int is_same_dim(struct dim a, struct dim b) { return a.symbol == b.symbol && a.size == b.size; }

static int is_real(enum dtype t) { return t == DTYPE_F32 || t == DTYPE_BF16 || t == DTYPE_F16; }

static int want_matrix(const struct infer *f, const struct tensor *t) {
    if (is_real(t->dtype) && t->n_dims == 2 && t->dims[1].symbol == SYMBOL_NONE) return 1;
    return refuse(f, t, "must be a matrix of reals with a fixed width");
}

/* i32 with one element for each of `of`'s rows; `of` NULL: of any length. */
static int want_ids(const struct infer *f, const struct tensor *t, const struct tensor *of) {
    if (t->dtype != DTYPE_I32 || t->n_dims != 1) return refuse(f, t, "must be i32 with one dim");
    if (of && !is_same_dim(t->dims[0], of->dims[0])) return refuse_pair(f, t, "has not one element for each row of", of);
    return 1;
}

/* A vector along the last dim of x. */
static int want_vector(const struct infer *f, const struct tensor *v, const struct tensor *x) {
    if (v->n_dims == 1 && is_real(v->dtype) && is_same_dim(v->dims[0], x->dims[x->n_dims - 1])) return 1;
    return refuse_pair(f, v, "does not fit the last dim of", x);
}

static int want_same(const struct infer *f, const struct tensor *a, const struct tensor *b) {
    int same = a->dtype == b->dtype && a->n_dims == b->n_dims && a->encoding == b->encoding && a->vectors == b->vectors;
    for (int i = 0; same && i < a->n_dims; i++) same = is_same_dim(a->dims[i], b->dims[i]);
    return same ? 1 : refuse_pair(f, a, "differs in shape or type from", b);
}

static int want_weight(const struct infer *f, const struct tensor *w, const struct tensor *x) {
    if (!w->recipe || !is_real(w->dtype)) return refuse(f, w, "must be a weight of reals");
    return w->n_dims == 2 && w->recipe->cols == x->dims[1].size ? 1 : refuse_pair(f, w, "does not fit the width of", x);
}

/* A cache (B, S, width), in place. */
static int want_cache(const struct infer *f, const struct tensor *c, int64_t width, const struct tensor *of) {
    if (c->storage != STORAGE_STATE || c->n_dims != 3 || !is_real(c->dtype)) return refuse(f, c, "must be a state (B, S, G*K)");
    int32_t kv_heads = f->op->kind == OP_KV_WRITE ? 0 : f->op->i[1]; /* KV_WRITE knows of no heads: the cache's are its own */
    if (c->encoding && kv_heads && c->vectors != kv_heads) return refuse(f, c, "is not encoded by the heads that the operation names");
    if (c->dims[2].symbol == SYMBOL_NONE && c->dims[2].size == width) return 1;
    return refuse_pair(f, c, "is a cache of another width than", of);
}

/* Head width of `width` columns cut into i[0] heads, i[1] of them key-value heads; 0 where they do not divide. */
static int64_t head_width(const struct infer *f, const struct tensor *x, int64_t width) {
    int32_t heads = f->op->i[0], kv_heads = f->op->i[1];
    if (heads > 0 && kv_heads > 0 && heads % kv_heads == 0 && width > 0 && width % heads == 0) return width / heads;
    return refuse(f, x, "does not split into the heads that the operation names");
}

/* ---- what outputs become ---- */

static int like(struct tensor *to, const struct tensor *from) {
    to->dtype = from->dtype;
    to->n_dims = from->n_dims;
    memcpy(to->dims, from->dims, sizeof to->dims);
    return 1;
}

static int matrix_of(struct tensor *to, enum dtype t, struct dim rows, int64_t cols) {
    to->dtype = t;
    to->n_dims = 2;
    to->dims[0] = rows;
    to->dims[1] = dim_of(cols);
    return 1;
}

static int vector_of(struct tensor *to, enum dtype t, struct dim n) {
    to->dtype = t;
    to->n_dims = 1;
    to->dims[0] = n;
    return 1;
}

/* ---- by kind ---- */

#define INFER(name) \
    static int name##_fits(const struct infer *f); \
    int op_infer_##name(struct program *p, struct op *op, char *why, int why_bytes) { \
        return name##_fits(&(struct infer){p, op, why, why_bytes}); \
    } \
    static int name##_fits(const struct infer *f)

INFER(embed) {
    const struct tensor *table = in(f, 0), *ids = in(f, 1);
    if (!want_matrix(f, table) || !want_ids(f, ids, NULL)) return 0;
    return matrix_of(out(f, 0), table->dtype, ids->dims[0], table->dims[1].size);
}

INFER(rmsnorm) {
    if (!want_matrix(f, in(f, 0)) || !want_vector(f, in(f, 1), in(f, 0))) return 0;
    return like(out(f, 0), in(f, 0));
}

INFER(layernorm) { return rmsnorm_fits(f) && want_vector(f, in(f, 2), in(f, 0)); }

/* Rows of the weight that make output i: the i-th part of a stack, or the whole; -1 where it does not split. */
static int64_t part_rows(const struct recipe *r, int i, int n_out) {
    if (n_out == 1) return r->rows;
    while (r->kind == RECIPE_ENCODE) r = r->parts[0];
    return r->kind == RECIPE_CONCAT && r->n_parts == n_out ? r->parts[i]->rows : -1;
}

INFER(linear) {
    const struct tensor *x = in(f, 0), *w = in(f, 1);
    if (!want_matrix(f, x) || !want_weight(f, w, x)) return 0;
    if (f->op->n_in > 2 && (in(f, 2)->n_dims != 1 || in(f, 2)->dims[0].size != w->recipe->rows))
        return refuse_pair(f, in(f, 2), "is not a bias of", w);
    for (int i = 0; i < f->op->n_out; i++) {
        int64_t rows = part_rows(w->recipe, i, f->op->n_out);
        if (rows < 0) return refuse(f, w, "does not split into the operation's outputs");
        matrix_of(out(f, i), f->op->i[0] ? DTYPE_F32 : x->dtype, x->dims[0], rows);
    }
    return 1;
}

/* inv_freq (K/2) in f64 fits `heads` heads of x. */
static int want_frequencies(const struct infer *f, const struct tensor *freq, const struct tensor *x, int32_t heads) {
    if (freq->dtype != DTYPE_F64 || freq->n_dims != 1) return refuse(f, freq, "must be f64 with one dim");
    if (heads > 0 && x->dims[1].size == 2 * freq->dims[0].size * heads) return 1;
    return refuse_pair(f, freq, "does not fit the heads of", x);
}

INFER(rope) {
    const struct tensor *x = in(f, 0);
    if (!want_matrix(f, x) || !want_ids(f, in(f, 1), x) || !want_frequencies(f, in(f, 2), x, f->op->i[0])) return 0;
    return like(out(f, 0), x);
}

INFER(kv_write) {
    const struct tensor *x = in(f, 0);
    return want_matrix(f, x) && want_ids(f, in(f, 1), x) && want_ids(f, in(f, 2), x) &&
           want_cache(f, in(f, 3), x->dims[1].size, x);
}

INFER(scores) {
    const struct tensor *q = in(f, 0), *keys = in(f, 1);
    int64_t width = want_matrix(f, q) ? head_width(f, q, q->dims[1].size) : 0;
    if (!width || !want_cache(f, keys, width * f->op->i[1], q) || !want_ids(f, in(f, 2), q) || !want_ids(f, in(f, 3), q))
        return 0;
    struct tensor *s = out(f, 0);
    s->dtype = q->dtype;
    s->n_dims = 3;
    s->dims[0] = q->dims[0];
    s->dims[1] = dim_of(f->op->i[0]);
    s->dims[2] = keys->dims[1];
    return 1;
}

/* (R, H, S) of reals. */
static int want_scores(const struct infer *f, const struct tensor *s) {
    return is_real(s->dtype) && s->n_dims == 3 ? 1 : refuse(f, s, "must hold reals (R, H, S)");
}

INFER(values) {
    const struct tensor *s = in(f, 0), *values = in(f, 1);
    if (!want_scores(f, s) || !want_ids(f, in(f, 2), s) || !want_ids(f, in(f, 3), s)) return 0;
    int32_t heads = f->op->i[0], kv_heads = f->op->i[1];
    if (!is_same_dim(s->dims[1], dim_of(heads)) || kv_heads <= 0 || heads % kv_heads || values->n_dims != 3 ||
        values->dims[2].size % kv_heads || !is_same_dim(s->dims[2], values->dims[1]))
        return refuse_pair(f, s, "does not fit the heads and positions of", values);
    if (!want_cache(f, values, values->dims[2].size, s)) return 0;
    return matrix_of(out(f, 0), s->dtype, s->dims[0], values->dims[2].size / kv_heads * heads);
}

INFER(same) {
    if (!is_real(in(f, 0)->dtype) || in(f, 0)->n_dims < 1) return refuse(f, in(f, 0), "must hold reals");
    return like(out(f, 0), in(f, 0));
}

INFER(mask) {
    if (!want_scores(f, in(f, 0)) || !want_ids(f, in(f, 1), in(f, 0))) return 0;
    return like(out(f, 0), in(f, 0));
}

INFER(pair) { return want_same(f, in(f, 0), in(f, 1)) && same_fits(f); }

INFER(gather) {
    const struct tensor *x = in(f, 0), *index = in(f, 1);
    if (!want_matrix(f, x) || !want_ids(f, index, NULL)) return 0;
    return matrix_of(out(f, 0), x->dtype, index->dims[0], x->dims[1].size);
}

INFER(sample) {
    const struct tensor *logits = in(f, 0), *params = in(f, 1), *seeds = in(f, 2);
    if (!want_matrix(f, logits)) return 0;
    if (params->dtype != DTYPE_F32 || params->n_dims != 2 || !is_same_dim(params->dims[1], dim_of(4)) ||
        !is_same_dim(params->dims[0], logits->dims[0]))
        return refuse_pair(f, params, "must be f32 (B, 4) for", logits);
    if (seeds->dtype != DTYPE_I64 || seeds->n_dims != 1 || !is_same_dim(seeds->dims[0], logits->dims[0]))
        return refuse_pair(f, seeds, "must be i64 (B) for", logits);
    return vector_of(out(f, 0), DTYPE_I32, logits->dims[0]);
}

INFER(nll) {
    if (!want_matrix(f, in(f, 0)) || !want_ids(f, in(f, 1), in(f, 0))) return 0;
    return vector_of(out(f, 0), DTYPE_F32, in(f, 0)->dims[0]);
}

INFER(copy) { return like(out(f, 0), in(f, 0)); }

INFER(attention) {
    const struct tensor *q = in(f, 0), *keys = in(f, 1), *values = in(f, 2);
    int64_t width = want_matrix(f, q) ? head_width(f, q, q->dims[1].size) : 0;
    if (!width || !want_cache(f, keys, width * f->op->i[1], q) || !want_cache(f, values, width * f->op->i[1], q) ||
        !want_same(f, keys, values) || !want_ids(f, in(f, 3), q) || !want_ids(f, in(f, 4), q))
        return 0;
    return like(out(f, 0), q);
}

INFER(add_rmsnorm) {
    const struct tensor *a = in(f, 0);
    if (!want_matrix(f, a) || !want_same(f, a, in(f, 1)) || !want_vector(f, in(f, 2), a)) return 0;
    return like(out(f, 0), a) && like(out(f, 1), a);
}

INFER(swiglu) {
    const struct tensor *x = in(f, 0), *w = in(f, 1);
    if (!want_matrix(f, x) || !want_weight(f, w, x)) return 0;
    int64_t gate = part_rows(w->recipe, 0, 2), up = part_rows(w->recipe, 1, 2);
    if (gate < 0 || gate != up) return refuse(f, w, "is not a gate and an up of equal height");
    return matrix_of(out(f, 0), x->dtype, x->dims[0], gate);
}

INFER(rope_kv) {
    const struct tensor *q = in(f, 0), *k = in(f, 1), *v = in(f, 2), *freq = in(f, 5);
    if (!want_matrix(f, q) || !want_matrix(f, k) || !want_same(f, k, v)) return 0;
    if (!is_same_dim(q->dims[0], k->dims[0])) return refuse_pair(f, k, "has other rows than", q);
    if (!want_ids(f, in(f, 3), q) || !want_ids(f, in(f, 4), q)) return 0;
    if (!want_frequencies(f, freq, q, f->op->i[0]) || !want_frequencies(f, freq, k, f->op->i[1])) return 0;
    if (!want_cache(f, in(f, 6), k->dims[1].size, k) || !want_cache(f, in(f, 7), k->dims[1].size, v)) return 0;
    return like(out(f, 0), q);
}
