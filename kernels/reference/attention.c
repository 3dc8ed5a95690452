/* attention.c: rotation, caches, scores and values; R rows, H heads, G key-value heads, K head width.
 *
 * A cache (B, S, G·K) is laid out at its symbols' maxima, so that a slot's rows stay where they are whatever is
 * bound. Head h reads key-value head h / (H/G). */
#include <math.h>
#include <string.h>

#include "kernels/reference/reference.h"

/* ---- rotation ---- */

struct rotation {
    int64_t rows, heads;
    const int32_t *pos;
    const double *inv_freq;   /* (K/2) */
    int64_t half;             /* K/2 */
};

/* Pairs (j, j + K/2) of each head turn by pos · inv_freq[j]; Su et al. 2021, eq. 34, in halves. */
static void rotate(const struct rotation *t, const double *x, double *y) {
    int64_t half = t->half, k = 2 * half;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t j = 0; j < half; j++) {
            double angle = (double)t->pos[r] * t->inv_freq[j], cosine = cos(angle), sine = sin(angle);
            for (int64_t h = 0; h < t->heads; h++) {
                int64_t at = (r * t->heads + h) * k + j;
                double a = x[at], b = x[at + half];
                y[at] = a * cosine - b * sine;
                y[at + half] = b * cosine + a * sine;
            }
        }
}

enum status reference_rope(const struct reference_call *c) {
    struct rotation t = {reference_in_dim(c, 0, 0), c->op->i[0], reference_ids(c, 1), reference_in(c, 2),
                         reference_in_dim(c, 2, 0)};
    rotate(&t, reference_in(c, 0), reference_out(c, 0));
    return STATUS_OK;
}

/* ---- caches ---- */

static int64_t cache_dim(const struct reference_call *c, int i, int d) {
    return dim_value(reference_type(c, c->op->in[i])->dims[d], c->q->head.program->symbol_max);
}

static double *cache_row(const struct reference_call *c, int i, int32_t slot, int64_t pos) {
    return reference_in(c, i) + ((int64_t)slot * cache_dim(c, i, 1) + pos) * cache_dim(c, i, 2);
}

/* Slots (input `rows`) and positions (input `pos`) lie inside the cache (input `cache`). */
static enum status check_places(const struct reference_call *c, int rows, int pos, int cache, int64_t n) {
    enum status s = reference_check_ids(c, rows, n, cache_dim(c, cache, 0), "slot");
    return s == STATUS_OK ? reference_check_ids(c, pos, n, cache_dim(c, cache, 1), "position") : s;
}

/* The row, vector by vector, as the cache's encoding keeps it. */
static void encode_row(const struct tensor *cache, const double *x, double *to) {
    int64_t width = tensor_vector_length(cache);
    for (int64_t g = 0; g < cache->vectors; g++) reference_round(cache->encoding, x + g * width, to + g * width, width);
}

static void write_rows(const struct reference_call *c, const double *x, int rows, int pos, int cache) {
    int64_t n = reference_in_dim(c, 0, 0), width = cache_dim(c, cache, 2);
    const struct tensor *t = reference_type(c, c->op->in[cache]);
    for (int64_t r = 0; r < n; r++) {
        double *to = cache_row(c, cache, reference_ids(c, rows)[r], reference_ids(c, pos)[r]);
        if (t->encoding) encode_row(t, x + r * width, to);
        else memcpy(to, x + r * width, (size_t)width * sizeof *x);
    }
}

enum status reference_kv_write(const struct reference_call *c) {
    enum status s = check_places(c, 1, 2, 3, reference_in_dim(c, 0, 0));
    if (s == STATUS_OK) write_rows(c, reference_in(c, 0), 1, 2, 3);
    return s;
}

enum status reference_rope_kv_write(const struct reference_call *c) {
    struct rotation t = {reference_in_dim(c, 0, 0), c->op->i[0], reference_ids(c, 3), reference_in(c, 5),
                         reference_in_dim(c, 5, 0)};
    enum status s = check_places(c, 4, 3, 6, t.rows);
    if (s != STATUS_OK) return s;
    double *turned = mem_alloc((size_t)(t.rows * reference_in_dim(c, 1, 1)) * sizeof *turned);
    rotate(&t, reference_in(c, 0), reference_out(c, 0));
    t.heads = c->op->i[1];
    rotate(&t, reference_in(c, 1), turned);
    write_rows(c, turned, 4, 3, 6);
    write_rows(c, reference_in(c, 2), 4, 3, 7);
    mem_free(turned);
    return STATUS_OK;
}

/* ---- scores and values ---- */

/* Row i / H, head i % H: where its keys or values of position t lie is base + t · stride. */
struct head_cache {
    const double *base;
    int64_t stride;
};

static struct head_cache head_cache(const struct reference_call *c, int cache, int rows, int64_t i, int64_t k) {
    int64_t heads = c->op->i[0], each = heads / c->op->i[1], row = i / heads, head = i % heads;
    return (struct head_cache){cache_row(c, cache, reference_ids(c, rows)[row], 0) + head / each * k, cache_dim(c, cache, 2)};
}

static double dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void score(const double *q, const struct head_cache *keys, double scale, int64_t n, int64_t k, double *s) {
    for (int64_t t = 0; t < n; t++) s[t] = scale * dot(q, keys->base + t * keys->stride, k);
}

static void weigh(const double *p, const struct head_cache *values, int64_t n, int64_t k, double *y) {
    memset(y, 0, (size_t)k * sizeof *y);
    for (int64_t t = 0; t < n; t++) {
        if (p[t] == 0) continue; /* masked: what lies there may be anything */
        const double *v = values->base + t * values->stride;
        for (int64_t i = 0; i < k; i++) y[i] += p[t] * v[i];
    }
}

enum status reference_scores(const struct reference_call *c) {
    int64_t n = reference_in_dim(c, 0, 0) * c->op->i[0], s = reference_out_dim(c, 0, 2);
    int64_t k = reference_in_dim(c, 0, 1) / c->op->i[0];
    enum status status = check_places(c, 2, 3, 1, reference_in_dim(c, 0, 0));
    if (status != STATUS_OK) return status;
#pragma omp parallel for if (REFERENCE_IS_PARALLEL) num_threads(c->q->device->threads)
    for (int64_t i = 0; i < n; i++) {
        struct head_cache keys = head_cache(c, 1, 2, i, k);
        score(reference_in(c, 0) + i * k, &keys, 1, s, k, reference_out(c, 0) + i * s);
    }
    return STATUS_OK;
}

enum status reference_mask(const struct reference_call *c) {
    int64_t s = reference_in_dim(c, 0, 2), rows = reference_in_dim(c, 0, 0), h = reference_in_dim(c, 0, 1);
    const double *x = reference_in(c, 0);
    for (int64_t i = 0; i < rows * h; i++)
        for (int64_t t = 0; t < s; t++) reference_out(c, 0)[i * s + t] = t > reference_ids(c, 1)[i / h] ? -INFINITY : x[i * s + t];
    return STATUS_OK;
}

enum status reference_values(const struct reference_call *c) {
    int64_t n = reference_in_dim(c, 0, 0) * c->op->i[0], s = reference_in_dim(c, 0, 2);
    int64_t k = reference_out_dim(c, 0, 1) / c->op->i[0];
    enum status status = check_places(c, 2, 3, 1, reference_in_dim(c, 0, 0));
    if (status != STATUS_OK) return status;
#pragma omp parallel for if (REFERENCE_IS_PARALLEL) num_threads(c->q->device->threads)
    for (int64_t i = 0; i < n; i++) {
        struct head_cache values = head_cache(c, 1, 2, i, k);
        weigh(reference_in(c, 0) + i * s, &values, s, k, reference_out(c, 0) + i * k);
    }
    return STATUS_OK;
}

enum status reference_attention(const struct reference_call *c) {
    int64_t n = reference_in_dim(c, 0, 0) * c->op->i[0], k = reference_in_dim(c, 0, 1) / c->op->i[0];
    enum status status = check_places(c, 3, 4, 1, reference_in_dim(c, 0, 0));
    if (status != STATUS_OK) return status;
#pragma omp parallel if (REFERENCE_IS_PARALLEL) num_threads(c->q->device->threads)
    {
        double *p = mem_alloc((size_t)cache_dim(c, 1, 1) * sizeof *p);
#pragma omp for
        for (int64_t i = 0; i < n; i++) {
            struct head_cache keys = head_cache(c, 1, 3, i, k), values = head_cache(c, 2, 3, i, k);
            int64_t seen = (int64_t)reference_ids(c, 4)[i / c->op->i[0]] + 1;
            score(reference_in(c, 0) + i * k, &keys, (double)c->op->f[0], seen, k, p);
            reference_softmax_row(p, p, seen);
            weigh(p, &values, seen, k, reference_out(c, 0) + i * k);
        }
        mem_free(p);
    }
    return STATUS_OK;
}
