/* groups.c: settings, where groups lie, and the walk over them. */
#include <math.h>

#include "kernels/base/memory.h"
#include "kernels/quantize/internal.h"

/* ---- settings ---- */

enum status quantizer_check(const struct quantizer *q, struct error *e) {
    if (q->bits != 8 && q->bits != 4 && q->bits != 3 && q->bits != 2)
        return error_set(e, STATUS_UNSUPPORTED, "codes of %d bits: there are 8, 4, 3 and 2", q->bits);
    if (q->group < 0) return error_set(e, STATUS_UNSUPPORTED, "groups of %lld elements: give 1 or more, or 0 for whole rows", (long long)q->group);
    if (q->rounding == QUANTIZE_HQQ && q->zero != QUANTIZE_ZERO_CODE)
        return error_set(e, STATUS_UNSUPPORTED, "HQQ moves zero points that are not whole; it goes with no other kind");
    if (q->is_full_range && q->zero != QUANTIZE_ZERO_NONE)
        return error_set(e, STATUS_UNSUPPORTED, "the full range is a choice of codes without a zero point only");
    if (q->is_first_zero_rounded && q->zero != QUANTIZE_ZERO_CODE)
        return error_set(e, STATUS_UNSUPPORTED, "a rounded first zero goes with zero points on the axis of codes only");
    return STATUS_OK;
}

/* Groups that stay within rows must divide them; those that run on must divide the matrix. */
static enum status check_division(const struct quantizer *q, int64_t elements, int64_t cols, int axis, struct error *e) {
    int runs_on = q->zero == QUANTIZE_ZERO_CODE || axis == 0;
    if (q->group == 0 || (runs_on ? elements : cols) % q->group == 0) return STATUS_OK;
    if (runs_on)
        return error_set(e, STATUS_UNSUPPORTED, "a matrix of %lld elements is no multiple of the group of %lld", (long long)elements, (long long)q->group);
    return error_set(e, STATUS_UNSUPPORTED, "rows of %lld elements are no multiple of the group of %lld", (long long)cols, (long long)q->group);
}

enum status quantize_groups_of(const struct quantizer *q, int64_t rows, int64_t cols, int axis, struct quantize_groups *out, struct error *e) {
    int64_t elements = rows * cols, length = q->group ? q->group : axis ? cols : rows;
    enum status s = quantizer_check(q, e);
    if (s == STATUS_OK && axis != 0 && axis != 1) s = error_set(e, STATUS_UNSUPPORTED, "groups along axis %d: a matrix has 0 and 1", axis);
    if (s == STATUS_OK) s = check_division(q, elements, cols, axis, e);
    if (s != STATUS_OK) return s;
    int64_t n = length ? elements / length : 0;
    *out = (struct quantize_groups){.n = n, .length = length, .group_stride = axis ? length : 1, .element_stride = axis ? 1 : n, .cols = cols};
    return STATUS_OK;
}

struct quantize_groups quantize_groups_slice(const struct quantize_groups *g, int64_t first, int64_t n) {
    struct quantize_groups slice = *g;
    slice.n = n;
    slice.first += first * g->group_stride;
    return slice;
}

/* ---- one group ---- */

/* x 0 is 0 for what is finite, NaN for the rest. */
struct group_range group_range(const float *x, int64_t n) {
    struct group_range r = {x[0], x[0], 1};
    lanes lo[2] = {lanes_set(x[0]), lanes_set(x[0])}, hi[2] = {lo[0], lo[0]}, damage[2] = {{0}, {0}};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            lanes v = lanes_load(x + i + k * LANES);
            lo[k] = lanes_min(v, lo[k]);
            hi[k] = lanes_max(v, hi[k]);
            damage[k] += v * 0.0f;
        }
    lo[0] = lanes_min(lo[0], lo[1]);
    hi[0] = lanes_max(hi[0], hi[1]);
    float damaged = lanes_sum(damage[0] + damage[1]);
    for (int j = 0; j < LANES; j++) {
        r.lo = lo[0][j] < r.lo ? lo[0][j] : r.lo;
        r.hi = hi[0][j] > r.hi ? hi[0][j] : r.hi;
    }
    for (; i < n; i++) {
        r.lo = x[i] < r.lo ? x[i] : r.lo;
        r.hi = x[i] > r.hi ? x[i] : r.hi;
        damaged += x[i] * 0.0f;
    }
    r.is_finite = damaged == 0 && isfinite(r.hi - r.lo);
    return r;
}

static enum status damaged_group(const struct quantize_groups *g, int64_t group, const float *x, struct error *e) {
    for (int64_t j = 0; j < g->length; j++) {
        int64_t at = g->first + group * g->group_stride + j * g->element_stride;
        if (!isfinite(x[j]))
            return error_set(e, STATUS_INPUT, "element [%lld, %lld] is %s", (long long)(at / g->cols), (long long)(at % g->cols),
                             isnan(x[j]) ? "not a number" : "infinite");
    }
    int64_t at = g->first + group * g->group_stride;
    return error_set(e, STATUS_INPUT, "the group at element [%lld, %lld] spans more than float32 can hold", (long long)(at / g->cols),
                     (long long)(at % g->cols));
}

static enum status visit_group(struct group_visit *v, int64_t i, const float *x, uint8_t *codes, struct error *e) {
    struct group_range r = group_range(x, v->groups->length);
    if (!r.is_finite) return damaged_group(v->groups, i, x, e);
    v->visit(v, i, x, r, codes);
    return STATUS_OK;
}

/* ---- all of them ---- */

/* Columns as groups: so many at a time that a cache line is read once. */
enum { COLUMNS = 16 };

static void gather(const struct quantize_groups *g, const float *w, int64_t n, float *x) {
    for (int64_t j = 0; j < g->length; j++)
        for (int64_t i = 0; i < n; i++) x[i * g->length + j] = w[i * g->group_stride + j * g->element_stride];
}

static void scatter(const struct quantize_groups *g, const uint8_t *from, int64_t n, uint8_t *codes) {
    for (int64_t j = 0; j < g->length; j++)
        for (int64_t i = 0; i < n; i++) codes[i * g->group_stride + j * g->element_stride] = from[i * g->length + j];
}

static enum status visit_apart(struct group_visit *v, struct error *e) {
    const struct quantize_groups *g = v->groups;
    size_t room = (size_t)(COLUMNS * g->length);
    float *x = mem_alloc(room * sizeof *x);
    uint8_t *codes = mem_alloc(room);
    enum status s = STATUS_OK;
    for (int64_t first = 0; first < g->n && s == STATUS_OK; first += COLUMNS) {
        int64_t n = g->n - first < COLUMNS ? g->n - first : COLUMNS, at = first * g->group_stride;
        gather(g, v->w + at, n, x);
        for (int64_t i = 0; i < n && s == STATUS_OK; i++) s = visit_group(v, first + i, x + i * g->length, codes + i * g->length, e);
        if (v->codes && s == STATUS_OK) scatter(g, codes, n, v->codes + at);
    }
    mem_free(x);
    mem_free(codes);
    return s;
}

enum status groups_visit(struct group_visit *v, struct error *e) {
    const struct quantize_groups *g = v->groups;
    enum status s = quantizer_check(v->q, e);
    if (s != STATUS_OK || g->n == 0 || g->length == 0) return s;
    if (g->element_stride != 1) return visit_apart(v, e);
    for (int64_t i = 0; i < g->n && s == STATUS_OK; i++) {
        int64_t at = i * g->group_stride;
        s = visit_group(v, i, v->w + at, v->codes ? v->codes + at : NULL, e);
    }
    return s;
}
