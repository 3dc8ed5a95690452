/* ops.c: each operation as its formula (op.h); R rows, H heads, G key-value heads, K head width. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/random.h"
#include "kernels/reference/reference.h"

/* What an operation sees. */
struct view {
    struct reference_prepared *q;
    const struct op *op;
    struct error *e;
};

static double *in(const struct view *v, int i) { return v->q->real[v->op->in[i]]; }
static double *out(const struct view *v, int i) { return v->q->real[v->op->out[i]]; }
static const int32_t *ids(const struct view *v, int i) { return v->q->whole[v->op->in[i]]; }
static const struct tensor *type(const struct view *v, int tensor) { return &v->q->head.program->tensors[tensor]; }
static int64_t dim(const struct view *v, int tensor, int i) { return dim_value(type(v, tensor)->dims[i], v->q->symbols); }
static int64_t count(const struct view *v, int tensor) { return tensor_elements(type(v, tensor), v->q->symbols); }
static const struct recipe *recipe(const struct view *v, int i) { return type(v, v->op->in[i])->recipe; }

/* A whole vector weight as doubles; owned by the caller. */
static double *vector(const struct view *v, int i, enum status *s) {
    const struct recipe *r = recipe(v, i);
    int64_t n = r->rows * r->cols;
    float *narrow = mem_alloc((size_t)n * sizeof *narrow);
    double *wide = mem_alloc((size_t)n * sizeof *wide);
    *s = recipe_decode(r, v->q->weights, 0, r->rows, narrow, v->e);
    for (int64_t k = 0; k < n; k++) wide[k] = (double)narrow[k];
    mem_free(narrow);
    return wide;
}

static enum status op_embed(const struct view *v) {
    const struct recipe *table = recipe(v, 0);
    int64_t rows = dim(v, v->op->out[0], 0), d = table->cols;
    float *row = mem_alloc((size_t)d * sizeof *row);
    enum status s = STATUS_OK;
    for (int64_t r = 0; r < rows && s == STATUS_OK; r++) {
        int32_t id = ids(v, 1)[r];
        if (id < 0 || id >= table->rows) s = error_set(v->e, STATUS_INPUT, "token id %d is outside the vocabulary (%lld)", id, (long long)table->rows);
        else s = recipe_decode(table, v->q->weights, id, 1, row, v->e);
        for (int64_t i = 0; i < d && s == STATUS_OK; i++) out(v, 0)[r * d + i] = (double)row[i];
    }
    mem_free(row);
    return s;
}

static void rmsnorm(const double *x, const double *g, double *y, int64_t d, double eps) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += x[i] * x[i];
    double scale = 1 / sqrt(sum / (double)d + eps);
    for (int64_t i = 0; i < d; i++) y[i] = x[i] * scale * g[i];
}

static enum status op_rmsnorm(const struct view *v) {
    enum status s;
    double *g = vector(v, 1, &s);
    int64_t rows = dim(v, v->op->in[0], 0), d = dim(v, v->op->in[0], 1);
    for (int64_t r = 0; r < rows; r++) rmsnorm(in(v, 0) + r * d, g, out(v, 0) + r * d, d, (double)v->op->f[0]);
    mem_free(g);
    return s;
}

static enum status op_add_rmsnorm(const struct view *v) {
    enum status s;
    double *g = vector(v, 2, &s);
    int64_t rows = dim(v, v->op->in[0], 0), d = dim(v, v->op->in[0], 1);
    for (int64_t i = 0; i < rows * d; i++) out(v, 0)[i] = in(v, 0)[i] + in(v, 1)[i];
    for (int64_t r = 0; r < rows; r++) rmsnorm(out(v, 0) + r * d, g, out(v, 1) + r * d, d, (double)v->op->f[0]);
    mem_free(g);
    return s;
}

/* y (R, ΣN) in scratch, then split over the outputs. */
static enum status op_linear(const struct view *v) {
    const struct recipe *w = recipe(v, 1);
    int64_t rows = dim(v, v->op->in[0], 0), n = w->rows, first = 0;
    double *y = mem_alloc((size_t)(rows * n + 1) * sizeof *y), *bias = NULL;
    enum status s = reference_product(v->q, w, in(v, 0), rows, y, v->e);
    if (s == STATUS_OK && v->op->n_in > 2) bias = vector(v, 2, &s);
    for (int64_t i = 0; bias && i < rows * n; i++) y[i] += bias[i % n];
    for (int k = 0; k < v->op->n_out; k++) {
        int64_t width = dim(v, v->op->out[k], 1);
        for (int64_t r = 0; r < rows; r++) memcpy(out(v, k) + r * width, y + r * n + first, (size_t)width * sizeof *y);
        first += width;
    }
    mem_free(bias);
    mem_free(y);
    return s;
}

static double silu(double x) { return x / (1 + exp(-x)); }

static enum status op_swiglu(const struct view *v) {
    const struct recipe *w = recipe(v, 1);
    int64_t rows = dim(v, v->op->in[0], 0), n = w->rows, half = n / 2;
    double *y = mem_alloc((size_t)(rows * n + 1) * sizeof *y);
    enum status s = reference_product(v->q, w, in(v, 0), rows, y, v->e);
    for (int64_t i = 0; i < rows * half; i++) out(v, 0)[i] = silu(y[i / half * n + i % half]) * y[i / half * n + half + i % half];
    mem_free(y);
    return s;
}

/* Pairs (j, j + K/2) of each head turn by pos · inv_freq[j]. */
static void rotate(const double *x, double *y, int64_t rows, int64_t heads, int64_t k, const int32_t *pos, const double *f) {
    int64_t half = k / 2;
    for (int64_t i = 0; i < rows * heads; i++)
        for (int64_t j = 0; j < half; j++) {
            double angle = (double)pos[i / heads] * f[j], c = cos(angle), s = sin(angle), a = x[i * k + j], b = x[i * k + j + half];
            y[i * k + j] = a * c - b * s;
            y[i * k + j + half] = b * c + a * s;
        }
}

static enum status op_rope(const struct view *v) {
    int64_t half = dim(v, v->op->in[2], 0);
    rotate(in(v, 0), out(v, 0), dim(v, v->op->in[0], 0), v->op->i[0], 2 * half, ids(v, 1), in(v, 2));
    return STATUS_OK;
}

/* Where a row's keys lie: the cache's slots are laid out at the symbols' maxima. */
static double *cache_row(const struct view *v, int tensor, int32_t slot, int64_t pos) {
    const struct tensor *t = type(v, tensor);
    const int64_t *most = v->q->head.program->symbol_max;
    return v->q->real[tensor] + ((int64_t)slot * dim_value(t->dims[1], most) + pos) * t->dims[2].size;
}

static void write_rows(const struct view *v, const double *x, int64_t rows, const int32_t *slots, const int32_t *pos, int cache) {
    int64_t width = type(v, cache)->dims[2].size;
    for (int64_t r = 0; r < rows; r++) memcpy(cache_row(v, cache, slots[r], pos[r]), x + r * width, (size_t)width * sizeof *x);
}

static enum status op_kv_write(const struct view *v) {
    write_rows(v, in(v, 0), dim(v, v->op->in[0], 0), ids(v, 1), ids(v, 2), v->op->in[3]);
    return STATUS_OK;
}

static enum status op_rope_kv_write(const struct view *v) {
    int64_t rows = dim(v, v->op->in[0], 0), k = 2 * dim(v, v->op->in[5], 0), kv = dim(v, v->op->in[1], 1);
    double *turned = mem_alloc((size_t)(rows * kv + 1) * sizeof *turned);
    rotate(in(v, 0), out(v, 0), rows, v->op->i[0], k, ids(v, 3), in(v, 5));
    rotate(in(v, 1), turned, rows, v->op->i[1], k, ids(v, 3), in(v, 5));
    write_rows(v, turned, rows, ids(v, 4), ids(v, 3), v->op->in[6]);
    write_rows(v, in(v, 2), rows, ids(v, 4), ids(v, 3), v->op->in[7]);
    mem_free(turned);
    return STATUS_OK;
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static enum status op_scores(const struct view *v) {
    int64_t rows = dim(v, v->op->out[0], 0), h = v->op->i[0], per = h / v->op->i[1], s = dim(v, v->op->out[0], 2), k = dim(v, v->op->in[0], 1) / h;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t head = 0; head < h; head++)
            for (int64_t t = 0; t < s; t++)
                out(v, 0)[(r * h + head) * s + t] = dot(in(v, 0) + (r * h + head) * k, cache_row(v, v->op->in[1], ids(v, 2)[r], t) + head / per * k, k);
    return STATUS_OK;
}

static enum status op_values(const struct view *v) {
    int64_t rows = dim(v, v->op->in[0], 0), h = v->op->i[0], per = h / v->op->i[1], s = dim(v, v->op->in[0], 2), k = dim(v, v->op->out[0], 1) / h;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t head = 0; head < h; head++) {
            double *y = out(v, 0) + (r * h + head) * k;
            memset(y, 0, (size_t)k * sizeof *y);
            for (int64_t t = 0; t < s; t++) {
                double p = in(v, 0)[(r * h + head) * s + t];
                if (p == 0) continue; /* masked: what lies there may be anything */
                const double *value = cache_row(v, v->op->in[1], ids(v, 2)[r], t) + head / per * k;
                for (int64_t i = 0; i < k; i++) y[i] += p * value[i];
            }
        }
    return STATUS_OK;
}

static enum status op_mask(const struct view *v) {
    int64_t h = dim(v, v->op->in[0], 1), s = dim(v, v->op->in[0], 2), n = count(v, v->op->in[0]);
    for (int64_t i = 0; i < n; i++) out(v, 0)[i] = i % s > ids(v, 1)[i / (h * s)] ? -INFINITY : in(v, 0)[i];
    return STATUS_OK;
}

static void softmax(const double *x, double *y, int64_t n) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++) sum += y[i] = exp(x[i] - most);
    for (int64_t i = 0; i < n; i++) y[i] /= sum;
}

static enum status op_softmax(const struct view *v) {
    const struct tensor *t = type(v, v->op->in[0]);
    int64_t s = dim(v, v->op->in[0], t->n_dims - 1), n = count(v, v->op->in[0]);
    for (int64_t i = 0; i < n; i += s) softmax(in(v, 0) + i, out(v, 0) + i, s);
    return STATUS_OK;
}

static enum status op_attention(const struct view *v) {
    int64_t rows = dim(v, v->op->in[0], 0), h = v->op->i[0], per = h / v->op->i[1], k = dim(v, v->op->in[0], 1) / h;
    double *p = mem_alloc((size_t)(v->q->head.program->symbol_max[SYMBOL_S] + 1) * sizeof *p);
    for (int64_t i = 0; i < rows * h; i++) {
        int64_t r = i / h, head = i % h, s = ids(v, 4)[r] + 1;
        for (int64_t t = 0; t < s; t++) p[t] = (double)v->op->f[0] * dot(in(v, 0) + i * k, cache_row(v, v->op->in[1], ids(v, 3)[r], t) + head / per * k, k);
        softmax(p, p, s);
        memset(out(v, 0) + i * k, 0, (size_t)k * sizeof *p);
        for (int64_t t = 0; t < s; t++) {
            const double *value = cache_row(v, v->op->in[2], ids(v, 3)[r], t) + head / per * k;
            for (int64_t j = 0; j < k; j++) out(v, 0)[i * k + j] += p[t] * value[j];
        }
    }
    mem_free(p);
    return STATUS_OK;
}

static enum status op_elementwise(const struct view *v) {
    int64_t n = count(v, v->op->in[0]);
    const double *a = in(v, 0), *b = v->op->n_in > 1 ? in(v, 1) : NULL;
    double *y = out(v, 0);
    for (int64_t i = 0; i < n; i++) {
        switch (v->op->kind) {
        case OP_SCALE: y[i] = a[i] * (double)v->op->f[0]; break;
        case OP_ADD: y[i] = a[i] + b[i]; break;
        case OP_MUL: y[i] = a[i] * b[i]; break;
        case OP_SILU: y[i] = silu(a[i]); break;
        default: y[i] = a[i];
        }
    }
    return STATUS_OK;
}

static enum status op_gather(const struct view *v) {
    int64_t d = dim(v, v->op->in[0], 1);
    for (int64_t i = 0; i < dim(v, v->op->out[0], 0); i++) memcpy(out(v, 0) + i * d, in(v, 0) + ids(v, 1)[i] * d, (size_t)d * sizeof(double));
    return STATUS_OK;
}

static enum status op_nll(const struct view *v) {
    int64_t width = dim(v, v->op->in[0], 1);
    for (int64_t r = 0; r < dim(v, v->op->in[0], 0); r++) {
        const double *x = in(v, 0) + r * width;
        double most = -INFINITY, sum = 0;
        int32_t target = ids(v, 1)[r];
        for (int64_t i = 0; i < width; i++) most = fmax(most, x[i]);
        for (int64_t i = 0; i < width; i++) sum += exp(x[i] - most);
        out(v, 0)[r] = target < 0 ? 0 : most + log(sum) - x[target];
    }
    return STATUS_OK;
}

/* ---- sampling: falling probability, ties by index; cut to top_k, then to top_p; inverse of the distribution ---- */

struct ranked {
    double p;
    int32_t id;
};

static int likelier(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    return x->p > y->p ? -1 : x->p < y->p ? 1 : (x->id > y->id) - (x->id < y->id);
}

static int32_t sample(const double *logits, int64_t width, const double *params, int64_t seed) {
    int64_t best = 0, kept = params[1] > 0 && params[1] < (double)width ? (int64_t)params[1] : width;
    for (int64_t i = 1; i < width; i++)
        if (logits[i] > logits[best]) best = i;
    if (params[0] <= 0) return (int32_t)best;
    struct ranked *r = mem_alloc((size_t)width * sizeof *r);
    double sum = 0, whole = 0;
    for (int64_t i = 0; i < width; i++) r[i] = (struct ranked){exp((logits[i] - logits[best]) / params[0]), (int32_t)i};
    qsort(r, (size_t)width, sizeof *r, likelier);
    for (int64_t i = 0; i < kept; i++) whole += r[i].p;
    int64_t n = 0;
    while (n < kept && (n == 0 || sum < params[2] * whole)) sum += r[n++].p;
    double u = random_unit(random_mix((uint64_t)seed)) * sum, at = 0;
    int32_t chosen = r[n - 1].id;
    for (int64_t i = 0; i < n; i++)
        if ((at += r[i].p) > u) {
            chosen = r[i].id;
            break;
        }
    mem_free(r);
    return chosen;
}

static enum status op_sample(const struct view *v) {
    int64_t width = dim(v, v->op->in[0], 1);
    int32_t *chosen = v->q->whole[v->op->out[0]];
    const int64_t *seeds = v->q->whole[v->op->in[2]];
    for (int64_t i = 0; i < dim(v, v->op->in[0], 0); i++) chosen[i] = sample(in(v, 0) + i * width, width, in(v, 1) + 4 * i, seeds[i]);
    return STATUS_OK;
}

enum status reference_op(struct reference_prepared *q, const struct op *op, struct error *e) {
    static enum status (*const table[OP_KIND_COUNT])(const struct view *) = {
        [OP_EMBED] = op_embed, [OP_RMSNORM] = op_rmsnorm, [OP_LINEAR] = op_linear, [OP_ROPE] = op_rope, [OP_KV_WRITE] = op_kv_write,
        [OP_ATTN_SCORES] = op_scores, [OP_SCALE] = op_elementwise, [OP_CAUSAL_MASK] = op_mask, [OP_SOFTMAX] = op_softmax,
        [OP_ATTN_VALUES] = op_values, [OP_ADD] = op_elementwise, [OP_MUL] = op_elementwise, [OP_SILU] = op_elementwise,
        [OP_GATHER_ROWS] = op_gather, [OP_SAMPLE] = op_sample, [OP_NLL] = op_nll, [OP_COPY] = op_elementwise,
        [OP_ATTENTION] = op_attention, [OP_ADD_RMSNORM] = op_add_rmsnorm, [OP_LINEAR_SWIGLU] = op_swiglu, [OP_ROPE_KV_WRITE] = op_rope_kv_write,
    };
    struct view v = {q, op, e};
    return table[op->kind](&v);
}
