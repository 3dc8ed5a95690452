/* codes.c: rows of x in eight bits times weights in strips (kernels/cpu/strips.h): four products a lane and instruction, one lane a
 * row of the matrix, for one row of x as for many. Also what such a product is fed: rows rounded, and strips. */
#include <float.h>

#include "kernels/cpu/isa/internal.h"
#include "kernels/encoding.h"

/* ---- rows to codes ---- */

/* Bits of magnitudes sort as the magnitudes do, NaN above all; NaN where anything is not finite, so that damage stays visible. */
INLINE float most_magnitude(enum dtype t, const void *x, int64_t n) {
    vi most = {0};
    V_FOR(i, n, part, {
        vi bits = (vi)V_LOAD(t, x, i, part) & 0x7fffffff;
        most = v_max_whole(bits, most);
    });
    int32_t highest = v_most_whole(most);
    float f;
    memcpy(&f, &highest, sizeof f);
    return f <= FLT_MAX ? f : NAN;
}

float ISA_NAME(isa_most)(enum dtype t, const void *x, int64_t n) { RETURN_BY_TYPE(t, most_magnitude, x, n); }

INLINE float round_row(enum dtype t, const void *x, int64_t n, int8_t *codes) {
    float scale = most_magnitude(t, x, n) / 127.0f;
    if (!(scale > 0)) {
        memset(codes, scale == 0 ? 0 : 1, (size_t)n);
        return scale;
    }
    V_FOR(i, n, part, {
        vf q = V_LOAD(t, x, i, part) / scale;
        v_store_bytes(codes + i, v_round(v_max(v_min(q, v_set(127)), v_set(-127))), part);
    });
    return scale;
}

float ISA_NAME(isa_round_row)(enum dtype t, const void *x, int64_t n, int8_t *codes) { RETURN_BY_TYPE(t, round_row, x, n, codes); }

/* ---- strips ---- */

void ISA_NAME(isa_strip)(const int8_t *rows, int64_t k, int8_t *strip) {
#if defined(__AVX512VNNI__)
    for (int64_t i = 0; i < k; i += 4 * STRIP_ROWS) {
        vf square[STRIP_ROWS];
#pragma GCC unroll 16
        for (int a = 0; a < STRIP_ROWS; a++) square[a] = (vf)_mm512_loadu_si512(rows + a * k + i);
        v_transpose(square);
#pragma GCC unroll 16
        for (int a = 0; a < STRIP_ROWS; a++) _mm512_storeu_si512(strip + i * STRIP_ROWS + a * 4 * STRIP_ROWS, (__m512i)square[a]);
    }
#else
    (void)rows, (void)k, (void)strip;
#endif
}

/* ---- products ---- */

#if defined(__AVX512VNNI__)
enum { MOST_ROWS = 8, MOST_STRIPS = 8, LANE_BYTES = 4 * STRIP_ROWS, AHEAD_BYTES = 1024 };

/* `wide` strips from s on, p->spread apart, by `rows` rows of x from r on; both constants, so that the sums stay in registers. */
INLINE void int8_block(int asks, int wide, int rows, const struct strips_product *p, int64_t s, int64_t r) {
    const char *w = p->w + (size_t)s * p->strip_stride;
    size_t apart = (size_t)p->spread * p->strip_stride;
    const int8_t *x = p->x + r * p->x_stride;
    vi exact[MOST_STRIPS][MOST_ROWS];
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++)
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) exact[a][b] = (vi){0};
    for (int64_t i = 0; i < p->k; i += 4) {
        vi four[MOST_ROWS];
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) four[b] = (vi)v_spread(x + b * p->x_stride + i);
#pragma GCC unroll 8
        for (int a = 0; a < wide; a++) {
            vi v = v_load_codes(w + (size_t)a * apart + i * STRIP_ROWS);
            ask_ahead(asks, w + (size_t)a * apart + i * STRIP_ROWS, AHEAD_BYTES);
#pragma GCC unroll 8
            for (int b = 0; b < rows; b++) exact[a][b] = v_dot_codes(exact[a][b], v, four[b]);
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++) {
        vf scale = v_load(DTYPE_F32, w + (size_t)a * apart + p->k * STRIP_ROWS, 0);
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++)
            v_store(DTYPE_F32, p->y + (r + b) * p->y_stride, (s + a * p->spread) * STRIP_ROWS,
                    (vf)_mm512_cvtepi32_ps((__m512i)(exact[a][b] - p->x_offsets[r + b])) * (scale * p->x_scales[r + b]));
    }
}

/* One group: its codes, then its scales and zero points. */
INLINE void int4_group(int asks, int wide, int rows, int group, enum dtype scale_type, enum dtype zero_type, const struct strips_product *p, const char *w, const int8_t *x,
                       const float *x_sum, vf (*sum)[MOST_ROWS]) {
    size_t apart = (size_t)p->spread * p->strip_stride;
    const __m512i lower = _mm512_set1_epi8(15);
    vi exact[MOST_STRIPS][MOST_ROWS];
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++)
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) exact[a][b] = (vi){0};
    for (int i = 0; i < group; i += 8) {
        vi low[MOST_STRIPS], high[MOST_STRIPS];
#pragma GCC unroll 8
        for (int a = 0; a < wide; a++) {
            __m512i q = _mm512_loadu_si512(w + (size_t)a * apart + i / 8 * LANE_BYTES);
            ask_ahead(asks, w + (size_t)a * apart + i / 8 * LANE_BYTES, AHEAD_BYTES);
            low[a] = (vi)_mm512_and_si512(q, lower);
            high[a] = (vi)_mm512_and_si512(_mm512_srli_epi16(q, 4), lower);
        }
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) {
            vi first = (vi)v_spread(x + b * p->x_stride + i), second = (vi)v_spread(x + b * p->x_stride + i + 4);
#pragma GCC unroll 8
            for (int a = 0; a < wide; a++) exact[a][b] = v_dot_codes(v_dot_codes(exact[a][b], low[a], first), high[a], second);
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++) {
        const char *numbers = w + (size_t)a * apart + group / 8 * LANE_BYTES;
        vf scale = v_load(scale_type, numbers, 0), zero = v_load_number(zero_type, numbers + STRIP_ROWS * dtype_bytes(scale_type), 0, STRIP_ROWS);
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++)
            sum[a][b] = v_fma(v_fma(v_set(-x_sum[b * p->sums_stride]), zero, (vf)_mm512_cvtepi32_ps((__m512i)exact[a][b])), scale, sum[a][b]);
    }
}

INLINE void int4_block(int asks, int wide, int rows, int group, enum dtype scale, enum dtype zero, const struct strips_product *p, int64_t s, int64_t r) {
    const char *w = p->w + (size_t)s * p->strip_stride;
    size_t step = (size_t)(group / 8 * LANE_BYTES) + STRIP_ROWS * (dtype_bytes(scale) + dtype_bytes(zero));
    vf sum[MOST_STRIPS][MOST_ROWS];
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++)
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) sum[a][b] = v_set(0);
    for (int64_t g = 0; g * group < p->k; g++, w += step)
        int4_group(asks, wide, rows, group, scale, zero, p, w, p->x + r * p->x_stride + g * group, p->x_sums + r * p->sums_stride + g, sum);
#pragma GCC unroll 8
    for (int a = 0; a < wide; a++)
#pragma GCC unroll 8
        for (int b = 0; b < rows; b++) v_store(DTYPE_F32, p->y + (r + b) * p->y_stride, (s + a * p->spread) * STRIP_ROWS, sum[a][b] * p->x_scales[r + b]);
}

/* group 0: int8_row. Numbers of a group in their usual types, or read for what they are. */
INLINE void strips_block(int group, int asks, int wide, int rows, const struct strips_product *p, int64_t s, int64_t r) {
    if (group == 0) int8_block(asks, wide, rows, p, s, r);
    else if (p->groups->scale == DTYPE_F16 && p->groups->zero == DTYPE_U8) int4_block(asks, wide, rows, group, DTYPE_F16, DTYPE_U8, p, s, r);
    else int4_block(asks, wide, rows, group, p->groups->scale, p->groups->zero, p, s, r);
}

/* The product's strips, in `wide` runs that are gone through side by side, by `rows` rows from r on: each run is one stream. */
INLINE void strips_rows(int group, int asks, int wide, int rows, const struct strips_product *whole, int64_t r) {
    struct strips_product p = *whole;
    p.spread = p.strips / wide;
    for (int64_t s = 0; s < p.spread; s++) strips_block(group, asks, wide, rows, &p, s, r);
    for (int64_t s = p.spread * wide; s < p.strips; s++) strips_block(group, asks, 1, rows, &p, s, r);
}

/* Few rows: many strips side by side, each a stream. More: as many of both as the registers hold sums for, which are two for grouped
 * weights: of one group, and of all. What is further on is asked for (vec.h) from 4 or 6 rows on; not where `many` rows meet strips
 * that the first of them left in cache. */
enum { WIDE_1 = 8, WIDE_2 = 4, WIDE_4 = 4, WIDE_8 = 2 };
#define ROWS(name, group, asks, wide, rows) \
    static __attribute__((noinline)) void name##_##rows(const struct strips_product *p, int64_t r) { strips_rows(group, asks, wide, rows, p, r); }
#define KIND(name, group, tall) \
    ROWS(name, group, 0, WIDE_1, 1) ROWS(name, group, 0, WIDE_2, 2) ROWS(name, group, group > 0, WIDE_4, 4) ROWS(name, group, 1, WIDE_8, 6) \
    ROWS(name, group, 1, WIDE_8, 8) ROWS(name##_many, group, 0, WIDE_8, tall) \
    static void name(const struct strips_product *p) { \
        int64_t r = 0; \
        for (; p->m > MOST_ROWS && r + tall <= p->m; r += tall) name##_many_##tall(p, r); \
        if (r + 8 <= p->m) name##_8(p, r), r += 8; \
        if (r + 6 <= p->m) name##_6(p, r), r += 6; \
        if (r + 4 <= p->m) name##_4(p, r), r += 4; \
        if (r + 2 <= p->m) name##_2(p, r), r += 2; \
        if (r < p->m) name##_1(p, r); \
    }
KIND(strips_int8, 0, 8)
KIND(strips_int4_32, 32, 6)
KIND(strips_int4_64, 64, 6)
KIND(strips_int4_128, 128, 6)
#endif

#if defined(__AVX512VNNI__)
static void strips_kind(const struct strips_product *p) {
    if (!p->groups) strips_int8(p);
    else if (p->groups->group == 32) strips_int4_32(p);
    else if (p->groups->group == 64) strips_int4_64(p);
    else strips_int4_128(p);
}
#endif

/* Of many rows each pair of strips meets all, so that it is read from memory once. */
void ISA_NAME(isa_strips)(const struct strips_product *p) {
#if defined(__AVX512VNNI__)
    struct strips_product part = *p;
    part.strips = p->m > MOST_ROWS ? WIDE_8 : p->strips;
    for (int64_t s = 0; s < p->strips; s += part.strips) {
        if (part.strips > p->strips - s) part.strips = p->strips - s;
        part.w = p->w + (size_t)s * p->strip_stride;
        part.y = p->y + s * STRIP_ROWS;
        strips_kind(&part);
    }
#else
    (void)p;
#endif
}
