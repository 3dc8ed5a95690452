/* grouped: rows of codes of a few bits, a scale and a zero point for each group (struct grouping). */
#include <math.h>

#include "kernels/base/memory.h"
#include "kernels/encodings/planes.h"
#include "kernels/quantize.h"

/* ---- codes ---- */

static uint8_t *pack_plane(int bits, int shift, int group, const uint8_t *codes, int64_t n, uint8_t *to) {
    int words = group * bits / 16;
    for (int64_t i = 0; i < n; i += group)
        for (int k = 0; k < words; k++) {
            unsigned word = 0;
            for (int j = 0; j < 16 / bits; j++) word |= (unsigned)(codes[i + j * words + k] >> shift & ((1 << bits) - 1)) << (bits * j);
            uint16_t h = (uint16_t)word;
            memcpy(to, &h, sizeof h);
            to += sizeof h;
        }
    return to;
}

static uint8_t *pack(const struct grouping *q, const uint8_t *codes, int64_t n, uint8_t *to) {
    if (q->bits != 3) return pack_plane(q->bits, 0, q->group, codes, n, to);
    return pack_plane(1, 2, q->group, codes, n, pack_plane(2, 0, q->group, codes, n, to));
}

/* ---- scales and zero points ---- */

static float number_at(enum dtype t, const uint8_t *p, int64_t i) {
    float f;
    uint16_t h;
    if (t == DTYPE_U8) return p[i];
    if (t == DTYPE_F32) return memcpy(&f, p + 4 * i, sizeof f), f;
    return memcpy(&h, p + 2 * i, sizeof h), f16_to_f32(h);
}

static void set_number(enum dtype t, uint8_t *p, int64_t i, float x) {
    uint16_t h = f32_to_f16(x);
    if (t == DTYPE_U8) p[i] = (uint8_t)x;
    else if (t == DTYPE_F32) memcpy(p + 4 * i, &x, sizeof x);
    else memcpy(p + 2 * i, &h, sizeof h);
}

/* ---- rows ---- */

static inline void decode(const struct grouping *q, const void *row, float *restrict y, int64_t n) {
    enum { SPAN = 512 };
    uint8_t codes[SPAN];
    const uint8_t *scales = grouped_scales(q, row, n), *zeros = grouped_zeros(q, row, n);
    for (int64_t i = 0; i < n; i += SPAN) {
        int64_t m = n - i < SPAN ? n - i : SPAN;
        unpack_codes(q->bits, q->group, row, n, i, m, codes);
        for (int64_t g = 0; g < m; g += q->group) {
            float scale = number_at(q->scale, scales, (i + g) / q->group), zero = number_at(q->zero, zeros, (i + g) / q->group);
            for (int k = 0; k < q->group; k++) y[i + g + k] = ((float)codes[g + k] - zero) * scale;
        }
    }
}

/* The zero point on the axis of codes, whatever axis the rule has it on. */
static float zero_code(const struct quantizer *q, float scale, float zero) {
    if (q->zero != QUANTIZE_ZERO_FLOAT) return zero;
    return (float)(1 << (q->bits - 1)) - (scale > 0 ? zero / scale : 0);
}

enum status grouped_encode(const struct grouping *q, const struct quantizer *rule, const float *y, int64_t at, void *row, int64_t n, struct error *e) {
    int64_t n_groups = n / q->group;
    struct quantize_groups groups;
    uint8_t *codes = mem_alloc((size_t)n + 1), *to = row;
    float *numbers = mem_alloc((size_t)(2 * n_groups + 1) * sizeof *numbers);
    struct quantized out = {codes, numbers, numbers + n_groups};
    enum status s = quantize_groups_of(rule, 1, n, 1, &groups, e);
    groups.first = at * n;
    if (s == STATUS_OK) s = quantize_encode(rule, &groups, y, &out, e);
    if (s == STATUS_OK) {
        to = pack(q, codes, n, to);
        for (int64_t g = 0; g < n_groups; g++) set_number(q->scale, to, g, out.scale[g]);
        to += n_groups * (int64_t)dtype_bytes(q->scale);
        for (int64_t g = 0; g < n_groups; g++) set_number(q->zero, to, g, zero_code(rule, out.scale[g], out.zero[g]));
    }
    mem_free(codes);
    mem_free(numbers);
    return s;
}

/* ---- the descriptors ---- */

#define X(name, n_bits, n_group, scale_type, zero_type) \
    static const struct grouping name##_groups = {n_bits, n_group, DTYPE_##scale_type, DTYPE_##zero_type}; \
    static void name##_decode(const void *row, float *y, int64_t n) { decode(&(struct grouping){n_bits, n_group, DTYPE_##scale_type, DTYPE_##zero_type}, row, y, n); } \
    const struct encoding encoding_##name = {#name, n_group, n_group * n_bits / 8 + (int)sizeof_##scale_type + (int)sizeof_##zero_type, 0, name##_decode, NULL, &name##_groups, NULL};
enum { sizeof_U8 = 1, sizeof_F16 = 2, sizeof_F32 = 4 };
GROUPED_LIST(X)
#undef X
