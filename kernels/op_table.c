/* op_table.c: the rows of the table: arity, shape inference, work. */
#include <stdio.h>
#include <string.h>

#include "kernels/program.h"

const char *category_name(enum category c) {
    static const char *const names[] = {
#define X(name, text) text,
        CATEGORY_LIST(X)
#undef X
    };
    return names[c];
}

/* ---- shapes ---- */

typedef int infer_function(struct program *p, struct op *op, char *why, int why_bytes);

static struct tensor *in(struct program *p, struct op *op, int i) { return &p->tensors[op->in[i]]; }
static struct tensor *out(struct program *p, struct op *op, int i) { return &p->tensors[op->out[i]]; }

static int same_dim(struct dim a, struct dim b) { return a.symbol == b.symbol && a.size == b.size; }

static int refuse(char *why, int bytes, const struct tensor *a, const char *what, const struct tensor *b) {
    char x[96] = "", y[96] = "";
    const struct tensor *both[] = {a, b};
    char *texts[] = {x, y};
    for (int k = 0; k < 2; k++)
        for (int i = 0, at = 0; both[k] && i < both[k]->n_dims; i++) {
            struct dim d = both[k]->dims[i];
            if (d.symbol == SYMBOL_NONE) at += snprintf(texts[k] + at, 96 - (size_t)at, "%s%lld", i ? ", " : "", (long long)d.size);
            else at += snprintf(texts[k] + at, 96 - (size_t)at, "%s%s", i ? ", " : "", symbol_name(d.symbol));
        }
    snprintf(why, (size_t)bytes, "'%s' (%s) %s%s%s%s%s", a->name, x, what, b ? " '" : "", b ? b->name : "", b ? "' (" : "", b ? y : "");
    if (b) strncat(why, ")", (size_t)bytes - strlen(why) - 1);
    return 0;
}

static int is_real(const struct tensor *t) { return t->dtype == DTYPE_F32 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16; }

static void like(struct tensor *to, const struct tensor *from) {
    to->dtype = from->dtype;
    to->n_dims = from->n_dims;
    memcpy(to->dims, from->dims, sizeof to->dims);
}

static void matrix_of(struct tensor *to, enum dtype t, struct dim rows, int64_t cols) {
    to->dtype = t;
    to->n_dims = 2;
    to->dims[0] = rows;
    to->dims[1] = dim_of(cols);
}

static int want_ids(const struct tensor *t, char *why, int n) {
    return t->dtype == DTYPE_I32 && t->n_dims == 1 ? 1 : refuse(why, n, t, "must be i32 with one dim", NULL);
}
static int want_matrix(const struct tensor *t, char *why, int n) {
    return is_real(t) && t->n_dims == 2 && t->dims[1].symbol == SYMBOL_NONE ? 1 : refuse(why, n, t, "must be a matrix of reals with a fixed width", NULL);
}
static int want_vector(const struct tensor *v, const struct tensor *x, char *why, int n) {
    return v->n_dims == 1 && same_dim(v->dims[0], x->dims[x->n_dims - 1]) ? 1 : refuse(why, n, v, "does not fit the last dim of", x);
}
static int want_same(const struct tensor *a, const struct tensor *b, char *why, int n) {
    int same = a->dtype == b->dtype && a->n_dims == b->n_dims;
    for (int i = 0; same && i < a->n_dims; i++) same = same_dim(a->dims[i], b->dims[i]);
    return same ? 1 : refuse(why, n, a, "differs in shape or type from", b);
}
static int want_cache(const struct tensor *c, int64_t width, char *why, int n) {
    return c->storage == STORAGE_STATE && c->n_dims == 3 && c->dims[2].size == width ? 1 : refuse(why, n, c, "is not a cache of the right width", NULL);
}

static int infer_embed(struct program *p, struct op *op, char *why, int n) {
    struct tensor *table = in(p, op, 0), *ids = in(p, op, 1);
    if (!want_matrix(table, why, n) || !want_ids(ids, why, n)) return 0;
    matrix_of(out(p, op, 0), table->dtype, ids->dims[0], table->dims[1].size);
    return 1;
}

static int infer_rmsnorm(struct program *p, struct op *op, char *why, int n) {
    if (!want_matrix(in(p, op, 0), why, n) || !want_vector(in(p, op, 1), in(p, op, 0), why, n)) return 0;
    like(out(p, op, 0), in(p, op, 0));
    return 1;
}

/* A weight's part for output i: the concat's i-th part, or the whole. */
static int64_t part_rows(const struct recipe *r, int i, int n_out) {
    while (r->kind == RECIPE_ENCODE || r->kind == RECIPE_UNPERMUTE) r = r->parts[0];
    if (n_out == 1) return r->rows;
    return r->kind == RECIPE_CONCAT && r->n_parts == n_out ? r->parts[i]->rows : -1;
}

static int infer_linear(struct program *p, struct op *op, char *why, int n) {
    struct tensor *x = in(p, op, 0), *w = in(p, op, 1);
    if (!want_matrix(x, why, n) || !w->recipe || w->recipe->cols != x->dims[1].size) return refuse(why, n, x, "does not fit the weight", w);
    if (op->n_in > 2 && in(p, op, 2)->dims[0].size != w->recipe->rows) return refuse(why, n, in(p, op, 2), "is not a bias of", w);
    for (int i = 0; i < op->n_out; i++) {
        int64_t rows = part_rows(w->recipe, i, op->n_out);
        if (rows < 0) return refuse(why, n, w, "does not split into the outputs", NULL);
        matrix_of(out(p, op, i), op->i[0] ? DTYPE_F32 : x->dtype, x->dims[0], rows);
    }
    return 1;
}

static int infer_rope(struct program *p, struct op *op, char *why, int n) {
    struct tensor *x = in(p, op, 0), *f = in(p, op, 2);
    if (!want_matrix(x, why, n) || !want_ids(in(p, op, 1), why, n)) return 0;
    if (f->dtype != DTYPE_F64 || op->i[0] <= 0 || x->dims[1].size != 2 * f->dims[0].size * op->i[0]) return refuse(why, n, f, "(f64) does not fit the heads of", x);
    like(out(p, op, 0), x);
    return 1;
}

static int infer_kv_write(struct program *p, struct op *op, char *why, int n) {
    return want_matrix(in(p, op, 0), why, n) && want_ids(in(p, op, 1), why, n) && want_ids(in(p, op, 2), why, n) &&
           want_cache(in(p, op, 3), in(p, op, 0)->dims[1].size, why, n);
}

static int head_width(const struct program *p, const struct op *op, int64_t width) {
    (void)p;
    return op->i[0] > 0 && op->i[1] > 0 && op->i[0] % op->i[1] == 0 && width % op->i[0] == 0 ? (int)(width / op->i[0]) : 0;
}

static int infer_scores(struct program *p, struct op *op, char *why, int n) {
    struct tensor *q = in(p, op, 0), *k = in(p, op, 1), *s = out(p, op, 0);
    int width = want_matrix(q, why, n) ? head_width(p, op, q->dims[1].size) : 0;
    if (!width) return refuse(why, n, q, "does not split into its heads", NULL);
    if (!want_cache(k, (int64_t)width * op->i[1], why, n) || !want_ids(in(p, op, 2), why, n) || !want_ids(in(p, op, 3), why, n)) return 0;
    s->dtype = q->dtype;
    s->n_dims = 3;
    s->dims[0] = q->dims[0];
    s->dims[1] = dim_of(op->i[0]);
    s->dims[2] = k->dims[1];
    return 1;
}

static int infer_values(struct program *p, struct op *op, char *why, int n) {
    struct tensor *s = in(p, op, 0), *v = in(p, op, 1);
    if (s->n_dims != 3 || v->n_dims != 3 || op->i[1] <= 0 || v->dims[2].size % op->i[1]) return refuse(why, n, s, "does not fit the cache", v);
    matrix_of(out(p, op, 0), s->dtype, s->dims[0], v->dims[2].size / op->i[1] * op->i[0]);
    return 1;
}

static int infer_same(struct program *p, struct op *op, char *why, int n) {
    if (!is_real(in(p, op, 0))) return refuse(why, n, in(p, op, 0), "must hold reals", NULL);
    like(out(p, op, 0), in(p, op, 0));
    return 1;
}

static int infer_mask(struct program *p, struct op *op, char *why, int n) {
    return in(p, op, 0)->n_dims == 3 ? want_ids(in(p, op, 1), why, n) && infer_same(p, op, why, n) : refuse(why, n, in(p, op, 0), "must be (R, H, S)", NULL);
}

static int infer_pair(struct program *p, struct op *op, char *why, int n) {
    return want_same(in(p, op, 0), in(p, op, 1), why, n) && infer_same(p, op, why, n);
}

static int infer_gather(struct program *p, struct op *op, char *why, int n) {
    if (!want_matrix(in(p, op, 0), why, n) || !want_ids(in(p, op, 1), why, n)) return 0;
    matrix_of(out(p, op, 0), in(p, op, 0)->dtype, in(p, op, 1)->dims[0], in(p, op, 0)->dims[1].size);
    return 1;
}

static int infer_sample(struct program *p, struct op *op, char *why, int n) {
    struct tensor *y = out(p, op, 0);
    if (!want_matrix(in(p, op, 0), why, n)) return 0;
    if (in(p, op, 1)->dtype != DTYPE_F32 || in(p, op, 1)->dims[1].size != 4) return refuse(why, n, in(p, op, 1), "must be f32 (B, 4)", NULL);
    if (in(p, op, 2)->dtype != DTYPE_I64) return refuse(why, n, in(p, op, 2), "must be i64 (B)", NULL);
    y->dtype = DTYPE_I32;
    y->n_dims = 1;
    y->dims[0] = in(p, op, 0)->dims[0];
    return 1;
}

static int infer_nll(struct program *p, struct op *op, char *why, int n) {
    struct tensor *y = out(p, op, 0);
    if (!want_matrix(in(p, op, 0), why, n) || !want_ids(in(p, op, 1), why, n)) return 0;
    y->dtype = DTYPE_F32;
    y->n_dims = 1;
    y->dims[0] = in(p, op, 0)->dims[0];
    return 1;
}

static int infer_copy(struct program *p, struct op *op, char *why, int n) {
    (void)why, (void)n;
    like(out(p, op, 0), in(p, op, 0));
    return 1;
}

static int infer_attention(struct program *p, struct op *op, char *why, int n) {
    struct tensor *q = in(p, op, 0);
    int width = want_matrix(q, why, n) ? head_width(p, op, q->dims[1].size) : 0;
    if (!width) return refuse(why, n, q, "does not split into its heads", NULL);
    if (!want_cache(in(p, op, 1), (int64_t)width * op->i[1], why, n) || !want_cache(in(p, op, 2), (int64_t)width * op->i[1], why, n)) return 0;
    like(out(p, op, 0), q);
    return 1;
}

static int infer_add_rmsnorm(struct program *p, struct op *op, char *why, int n) {
    if (!want_same(in(p, op, 0), in(p, op, 1), why, n) || !want_vector(in(p, op, 2), in(p, op, 0), why, n)) return 0;
    like(out(p, op, 0), in(p, op, 0));
    like(out(p, op, 1), in(p, op, 0));
    return 1;
}

static int infer_swiglu(struct program *p, struct op *op, char *why, int n) {
    struct tensor *x = in(p, op, 0), *w = in(p, op, 1);
    if (!want_matrix(x, why, n) || !w->recipe || w->recipe->cols != x->dims[1].size || w->recipe->rows % 2) return refuse(why, n, x, "does not fit the weight", w);
    matrix_of(out(p, op, 0), x->dtype, x->dims[0], w->recipe->rows / 2);
    return 1;
}

static int infer_rope_kv(struct program *p, struct op *op, char *why, int n) {
    struct tensor *q = in(p, op, 0), *k = in(p, op, 1), *v = in(p, op, 2), *f = in(p, op, 5);
    if (!want_matrix(q, why, n) || !want_matrix(k, why, n) || !want_same(k, v, why, n)) return 0;
    if (q->dims[1].size != 2 * f->dims[0].size * op->i[0] || k->dims[1].size != 2 * f->dims[0].size * op->i[1]) return refuse(why, n, q, "does not fit the frequencies", f);
    if (!want_cache(in(p, op, 6), k->dims[1].size, why, n) || !want_cache(in(p, op, 7), k->dims[1].size, why, n)) return 0;
    like(out(p, op, 0), q);
    return 1;
}

/* ---- work ---- */

struct sizes { /* of the op under these symbols */
    const struct program *p;
    const struct op *op;
    const int64_t *symbols;
    const struct facts *f;
};

static double in_elements(const struct sizes *s, int i) { return (double)tensor_elements(&s->p->tensors[s->op->in[i]], s->symbols); }
static double out_elements(const struct sizes *s, int i) { return (double)tensor_elements(&s->p->tensors[s->op->out[i]], s->symbols); }
static double in_bytes(const struct sizes *s, int i) { return (double)tensor_bytes(&s->p->tensors[s->op->in[i]], s->symbols); }
static double out_bytes(const struct sizes *s, int i) { return (double)tensor_bytes(&s->p->tensors[s->op->out[i]], s->symbols); }

static double recipe_stored_bytes(const struct recipe *r, enum dtype t) {
    if (r->kind == RECIPE_ENCODE) return (double)encoding_row_bytes(r->encoding, r->cols) * (double)r->rows;
    if (r->kind == RECIPE_LEAF) return (double)r->rows * (double)r->cols * (double)dtype_bytes(t);
    double bytes = 0;
    for (int i = 0; i < r->n_parts; i++) bytes += recipe_stored_bytes(r->parts[i], t);
    return bytes;
}

static struct work all_moved(const struct sizes *s, double flop_per_element) {
    struct work w = {0};
    for (int i = 0; i < s->op->n_in; i++) w.bytes += in_bytes(s, i);
    for (int i = 0; i < s->op->n_out; i++) w.bytes += out_bytes(s, i);
    if (s->op->n_out) w.flop = flop_per_element * out_elements(s, 0);
    return w;
}

static struct work product(const struct sizes *s, double n_out) {
    const struct tensor *weight = &s->p->tensors[s->op->in[1]];
    double k = (double)weight->recipe->cols, rows = in_elements(s, 0) / k;
    struct work w = {.flop = 2 * rows * k * (double)weight->recipe->rows, .bytes = in_bytes(s, 0) + recipe_stored_bytes(weight->recipe, weight->dtype)};
    for (int i = 0; i < s->op->n_out; i++) w.bytes += out_bytes(s, i);
    w.flop += n_out;
    return w;
}

/* K·H multiply-adds for each key that a row sees, for scores and for values each. */
static double attention_flop(const struct sizes *s, int q) {
    double width = (double)s->p->tensors[s->op->in[q]].dims[1].size;
    return 2 * width * (double)s->f->sum_keys;
}

static double cache_bytes(const struct sizes *s, int i) {
    const struct tensor *c = &s->p->tensors[s->op->in[i]];
    return (double)s->f->distinct_keys * (double)c->dims[2].size * (double)dtype_bytes(c->dtype);
}

static struct work op_work_of(const struct sizes *s) {
    struct work w = {0};
    double rows = s->op->n_in ? (double)s->f->rows : 0;
    switch (s->op->kind) {
    case OP_EMBED: return (struct work){0, 2 * out_bytes(s, 0) + in_bytes(s, 1)};
    case OP_RMSNORM: return all_moved(s, 4);
    case OP_LINEAR: return product(s, 0);
    case OP_ROPE: return all_moved(s, 3);
    case OP_KV_WRITE: return (struct work){0, 2 * in_bytes(s, 0) + in_bytes(s, 1) + in_bytes(s, 2)};
    case OP_ATTN_SCORES: return (struct work){attention_flop(s, 0), in_bytes(s, 0) + out_bytes(s, 0) + cache_bytes(s, 1)};
    case OP_ATTN_VALUES:
        w.flop = 2 * (double)s->p->tensors[s->op->out[0]].dims[1].size * (double)s->f->sum_keys;
        w.bytes = in_bytes(s, 0) + out_bytes(s, 0) + cache_bytes(s, 1);
        return w;
    case OP_SCALE: case OP_CAUSAL_MASK: case OP_ADD: case OP_MUL: return all_moved(s, 1);
    case OP_SOFTMAX: return all_moved(s, 5);
    case OP_SILU: return all_moved(s, 5);
    case OP_GATHER_ROWS: return (struct work){0, 2 * out_bytes(s, 0) + in_bytes(s, 1)};
    case OP_SAMPLE: return (struct work){in_elements(s, 0), in_bytes(s, 0)};
    case OP_NLL: return (struct work){4 * in_elements(s, 0), in_bytes(s, 0) + out_bytes(s, 0)};
    case OP_COPY: return all_moved(s, 0);
    case OP_ATTENTION: return (struct work){2 * attention_flop(s, 0), in_bytes(s, 0) + out_bytes(s, 0) + cache_bytes(s, 1) + cache_bytes(s, 2)};
    case OP_ADD_RMSNORM: return all_moved(s, 5);
    case OP_LINEAR_SWIGLU: return product(s, 6 * out_elements(s, 0));
    case OP_ROPE_KV_WRITE:
        w.flop = 3 * (in_elements(s, 0) + in_elements(s, 1));
        w.bytes = 2 * (in_bytes(s, 0) + in_bytes(s, 1) + in_bytes(s, 2)) + 8 * rows;
        return w;
    case OP_KIND_COUNT: break;
    }
    return w;
}

static struct work work(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f) {
    struct sizes s = {p, op, symbols, f};
    return op_work_of(&s);
}

struct work op_work(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f) {
    return op_table[op->kind].work(p, op, symbols, f);
}

/* ---- the table ---- */

#define ROW(kind, text, min_in, max_in, min_out, max_out, is_fused, is_choice, infer) \
    [OP_##kind] = {text, min_in, max_in, min_out, max_out, is_fused, is_choice, infer, work}

const struct op_row op_table[OP_KIND_COUNT] = {
    ROW(EMBED, "embed", 2, 2, 1, 1, 0, 0, infer_embed),
    ROW(RMSNORM, "rmsnorm", 2, 2, 1, 1, 0, 0, infer_rmsnorm),
    ROW(LINEAR, "linear", 2, 3, 1, OP_MAX_OUT, 0, 0, infer_linear),
    ROW(ROPE, "rope", 3, 3, 1, 1, 0, 0, infer_rope),
    ROW(KV_WRITE, "kv_write", 4, 4, 0, 0, 0, 0, infer_kv_write),
    ROW(ATTN_SCORES, "attn_scores", 4, 4, 1, 1, 0, 0, infer_scores),
    ROW(SCALE, "scale", 1, 1, 1, 1, 0, 0, infer_same),
    ROW(CAUSAL_MASK, "causal_mask", 2, 2, 1, 1, 0, 0, infer_mask),
    ROW(SOFTMAX, "softmax", 1, 1, 1, 1, 0, 0, infer_same),
    ROW(ATTN_VALUES, "attn_values", 4, 4, 1, 1, 0, 0, infer_values),
    ROW(ADD, "add", 2, 2, 1, 1, 0, 0, infer_pair),
    ROW(MUL, "mul", 2, 2, 1, 1, 0, 0, infer_pair),
    ROW(SILU, "silu", 1, 1, 1, 1, 0, 0, infer_same),
    ROW(GATHER_ROWS, "gather_rows", 2, 2, 1, 1, 0, 0, infer_gather),
    ROW(SAMPLE, "sample", 3, 3, 1, 1, 0, 1, infer_sample),
    ROW(NLL, "nll", 2, 2, 1, 1, 0, 0, infer_nll),
    ROW(COPY, "copy", 1, 1, 1, 1, 0, 0, infer_copy),
    ROW(ATTENTION, "attention", 5, 5, 1, 1, 1, 0, infer_attention),
    ROW(ADD_RMSNORM, "add_rmsnorm", 3, 3, 2, 2, 1, 0, infer_add_rmsnorm),
    ROW(LINEAR_SWIGLU, "linear_swiglu", 2, 2, 1, 1, 1, 0, infer_swiglu),
    ROW(ROPE_KV_WRITE, "rope_kv_write", 8, 8, 1, 1, 1, 0, infer_rope_kv),
};

int op_find(const char *name) {
    for (int k = 0; k < OP_KIND_COUNT; k++)
        if (strcmp(op_table[k].name, name) == 0) return k;
    return -1;
}
