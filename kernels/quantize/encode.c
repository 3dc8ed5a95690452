/* encode.c: codes from elements and elements from codes, a rule for each kind of zero point. */
#include "kernels/quantize/internal.h"

static int top_code(const struct quantizer *q) { return (1 << q->bits) - 1; }
static int middle_code(const struct quantizer *q) { return 1 << (q->bits - 1); }

/* ---- encoding ---- */

/* x / scale passes the largest code only where scale itself was rounded. */
static struct group_parameters encode_symmetric(const struct quantizer *q, const float *restrict x, int64_t n, struct group_range r,
                                                uint8_t *restrict codes) {
    float most = -r.lo > r.hi ? -r.lo : r.hi, top = (float)(middle_code(q) - 1), bottom = q->is_full_range ? -top - 1 : -top;
    struct group_parameters p = {.scale = most / (q->is_full_range ? top + 0.5f : top)};
    if (p.scale > 0)
        for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)(int32_t)whole(clamp(x[i] / p.scale, bottom, top));
    else memset(codes, 0, (size_t)n);
    return p;
}

static struct group_parameters encode_whole_zero(const struct quantizer *q, const float *restrict x, int64_t n, struct group_range r,
                                                 uint8_t *restrict codes) {
    float lo = r.lo < 0 ? r.lo : 0, hi = r.hi > 0 ? r.hi : 0, top = (float)top_code(q);
    struct group_parameters p = {.scale = (hi - lo) / top};
    if (!(p.scale > 0)) {
        memset(codes, 0, (size_t)n);
        return p;
    }
    p.zero = whole(clamp(-lo / p.scale, 0, top));
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)(int32_t)clamp(whole(clamp(x[i] / p.scale, -top, top)) + p.zero, 0, top);
    return p;
}

/* The least value is taken back from scale and zero, as decoding will have it. */
static struct group_parameters encode_float_zero(const struct quantizer *q, const float *restrict x, int64_t n, struct group_range r,
                                                 uint8_t *restrict codes) {
    float top = (float)top_code(q), middle = (float)middle_code(q), scale = (r.hi - r.lo) / top;
    struct group_parameters p = {.scale = scale > 1e-6f ? scale : 1e-6f};
    p.zero = r.lo + middle * p.scale;
    float lo = p.zero - middle * p.scale;
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)(int32_t)whole(clamp((x[i] - lo) / p.scale, 0, top));
    return p;
}

static struct group_parameters encode_code_zero(const struct quantizer *q, const float *restrict x, int64_t n, struct group_range r,
                                                uint8_t *restrict codes) {
    struct hqq_group g = hqq_begin(q, r);
    for (int k = 0; k < q->steps && q->rounding == QUANTIZE_HQQ; k++) hqq_step(&g, x, n);
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)(int32_t)whole(clamp(x[i] * g.inverse + g.zero, 0, g.top));
    return (struct group_parameters){.scale = g.scale, .zero = g.zero};
}

struct group_parameters group_encode(const struct quantizer *q, const float *x, int64_t n, struct group_range r, uint8_t *codes) {
    switch (q->zero) {
    case QUANTIZE_ZERO_INTEGER: return encode_whole_zero(q, x, n, r, codes);
    case QUANTIZE_ZERO_FLOAT: return encode_float_zero(q, x, n, r, codes);
    case QUANTIZE_ZERO_CODE: return encode_code_zero(q, x, n, r, codes);
    case QUANTIZE_ZERO_NONE: break;
    }
    return encode_symmetric(q, x, n, r, codes);
}

static void encode_visited(struct group_visit *v, int64_t i, const float *x, struct group_range r, uint8_t *codes) {
    struct group_parameters p = group_encode(v->q, x, v->groups->length, r, codes);
    v->out->scale[i] = p.scale;
    if (v->q->zero != QUANTIZE_ZERO_NONE) v->out->zero[i] = p.zero;
}

enum status quantize_encode(const struct quantizer *q, const struct quantize_groups *g, const float *w, const struct quantized *out, struct error *e) {
    struct group_visit v = {.q = q, .groups = g, .w = w, .codes = out->codes, .visit = encode_visited, .out = out};
    return groups_visit(&v, e);
}

/* ---- decoding ---- */

/* value = (code - from) scale + offset */
struct line {
    float from, scale, offset;
};

static struct line line_of(const struct quantizer *q, const struct quantized *in, int64_t i) {
    struct line l = {.scale = in->scale[i]};
    if (q->zero == QUANTIZE_ZERO_INTEGER || q->zero == QUANTIZE_ZERO_CODE) l.from = in->zero[i];
    if (q->zero == QUANTIZE_ZERO_FLOAT) {
        l.from = (float)middle_code(q);
        l.offset = in->zero[i];
    }
    return l;
}

void quantize_decode(const struct quantizer *q, const struct quantize_groups *g, const struct quantized *in, float *y) {
    int is_signed = q->zero == QUANTIZE_ZERO_NONE;
    for (int64_t i = 0; i < g->n; i++) {
        struct line l = line_of(q, in, i);
        for (int64_t j = 0; j < g->length; j++) {
            int64_t at = i * g->group_stride + j * g->element_stride;
            float code = is_signed ? (float)(int8_t)in->codes[at] : (float)in->codes[at];
            y[at] = (code - l.from) * l.scale + l.offset;
        }
    }
}
