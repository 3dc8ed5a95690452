/* codes.c: many rows of eight-bit whole numbers times rows of them, summed exactly within each group of k: four products a
 * lane and instruction. Also what such a product is fed: rows rounded, rows of weights as codes, codes in strips. */
#include <float.h>

#include "kernels/cpu/isa/internal.h"
#include "kernels/encodings/planes.h"

/* ---- rows to codes ---- */

/* Bits of magnitudes sort as the magnitudes do, NaN above all; NaN where anything is not finite, so that damage stays visible. */
INLINE float most_magnitude(enum dtype t, const void *x, int64_t n) {
    vi most = {0};
    V_FOR(i, n, part, {
        vi bits = (vi)V_LOAD(t, x, i, part) & 0x7fffffff;
        vi is_more = bits > most;
        most = (is_more & bits) | (~is_more & most);
    });
    int32_t highest = most[0];
    for (int l = 1; l < LANES; l++) highest = most[l] > highest ? most[l] : highest;
    float f;
    memcpy(&f, &highest, sizeof f);
    return f <= FLT_MAX ? f : NAN;
}

INLINE float round_row(enum dtype t, const void *x, int64_t n, int8_t *codes) {
    float scale = most_magnitude(t, x, n) / 127.0f;
    if (!(scale > 0)) {
        memset(codes, scale == 0 ? 0 : 1, (size_t)n);
        return scale;
    }
    V_FOR(i, n, part, {
        vf q = V_LOAD(t, x, i, part) / scale;
        v_store_bytes(codes + i, v_round(v_max(-v_max(-q, v_set(-127)), v_set(-127))), part);
    });
    return scale;
}

float ISA_NAME(isa_round_row)(enum dtype t, const void *x, int64_t n, int8_t *codes) { RETURN_BY_TYPE(t, round_row, x, n, codes); }

/* Less the nearest whole number to each zero point, which brings them around 0. */
INLINE void grouped_row(const struct grouping *q, int bits, const uint8_t *row, int64_t n, int8_t *codes) {
    enum { BATCH = 64 };
    const uint8_t *zeros = grouped_zeros(q, row, n);
    float number[BATCH];
    unpack_codes(bits, q->group, row, n, 0, n, (uint8_t *)codes);
    for (int64_t g = 0; g < n / q->group; g++) {
        int64_t left = n / q->group - g;
        if (q->zero != DTYPE_U8 && g % BATCH == 0) ISA_NAME(isa_to_f32)(q->zero, zeros + g * (int64_t)dtype_bytes(q->zero), number, left < BATCH ? left : BATCH);
        int zero = q->zero == DTYPE_U8 ? zeros[g] : nearest_zero(number[g % BATCH]);
        for (int k = 0; k < q->group; k++) codes[g * q->group + k] = (int8_t)(codes[g * q->group + k] - zero);
    }
}

void ISA_NAME(isa_code_row)(const struct encoding *e, const void *row, int64_t n, int8_t *codes) {
    if (!e->groups) memcpy(codes, (const char *)row + sizeof(float), (size_t)n);
    else if (e->groups->bits == 4) grouped_row(e->groups, 4, row, n, codes);
    else if (e->groups->bits == 3) grouped_row(e->groups, 3, row, n, codes);
    else grouped_row(e->groups, 2, row, n, codes);
}

/* ---- products ---- */

#if defined(__AVX512VNNI__)
enum { CODES_TALL = 6, CODES_WIDE = 2 };

INLINE vi four_codes(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof four);
    return (vi)_mm512_set1_epi32(four);
}

/* `tall` rows of x from r on, `wide` strips from column j on; both constants. */
INLINE void codes_block(int tall, int wide, const struct codes_product *p, int64_t r, int64_t j) {
    const uint8_t *x = p->x + r * p->x_stride;
    const int8_t *w = p->w + j * p->k;
    const float *scales = p->scales + j;
    int64_t strip = p->k * CODES_STRIP;
    __m512 sum[CODES_TALL][CODES_WIDE];
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int b = 0; b < wide; b++) sum[a][b] = p->is_added ? _mm512_loadu_ps(p->y + (r + a) * p->y_stride + j + b * CODES_STRIP) : _mm512_setzero_ps();
    for (int64_t g = 0; g < p->k; g += p->group, scales += p->n) {
        vi exact[CODES_TALL][CODES_WIDE];
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
            for (int b = 0; b < wide; b++) exact[a][b] = (vi){0};
        for (int64_t i = g; i < g + p->group && i < p->k; i += 4) {
            vi v[CODES_WIDE];
#pragma GCC unroll 8
            for (int b = 0; b < wide; b++) v[b] = v_load_codes(w + b * strip + i * CODES_STRIP);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) {
                vi four = four_codes(x + a * p->x_stride + i);
#pragma GCC unroll 8
                for (int b = 0; b < wide; b++) exact[a][b] = v_dot_codes(exact[a][b], four, v[b]);
            }
        }
#pragma GCC unroll 8
        for (int b = 0; b < wide; b++) {
            __m512 scale = _mm512_loadu_ps(scales + b * CODES_STRIP);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) sum[a][b] = _mm512_fmadd_ps(_mm512_cvtepi32_ps((__m512i)exact[a][b]), scale, sum[a][b]);
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int b = 0; b < wide; b++) {
            __m512 v = sum[a][b];
            if (p->offsets) v = _mm512_sub_ps(v, _mm512_loadu_ps(p->offsets + j + b * CODES_STRIP));
            if (p->row_scales) v = _mm512_mul_ps(v, _mm512_set1_ps(p->row_scales[r + a]));
            _mm512_storeu_ps(p->y + (r + a) * p->y_stride + j + b * CODES_STRIP, v);
        }
}

INLINE void codes_column(int wide, const struct codes_product *p, int64_t j) {
    int64_t r = 0;
    for (; r + CODES_TALL <= p->m; r += CODES_TALL) codes_block(CODES_TALL, wide, p, r, j);
    for (; r + 2 <= p->m; r += 2) codes_block(2, wide, p, r, j);
    if (r < p->m) codes_block(1, wide, p, r, j);
}
#endif

/* Four codes of a row are a lane: a strip is the transpose of its rows. */
void ISA_NAME(isa_strip)(const int8_t *rows, int64_t k, int8_t *strip) {
#if defined(__AVX512VNNI__)
    for (int64_t i = 0; i < k; i += 4 * CODES_STRIP) {
        vf square[CODES_STRIP];
#pragma GCC unroll 16
        for (int a = 0; a < CODES_STRIP; a++) square[a] = (vf)_mm512_loadu_si512(rows + a * k + i);
        v_transpose(square);
#pragma GCC unroll 16
        for (int a = 0; a < CODES_STRIP; a++) _mm512_storeu_si512(strip + i * CODES_STRIP + a * 4 * CODES_STRIP, (__m512i)square[a]);
    }
#else
    (void)rows, (void)k, (void)strip;
#endif
}

void ISA_NAME(isa_codes)(const struct codes_product *p) {
#if defined(__AVX512VNNI__)
    int64_t j = 0;
    for (; j + CODES_WIDE * CODES_STRIP <= p->n; j += CODES_WIDE * CODES_STRIP) codes_column(CODES_WIDE, p, j);
    if (j < p->n) codes_column(1, p, j);
#else
    (void)p;
#endif
}
