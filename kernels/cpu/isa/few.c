/* few.c: one to eight rows times a matrix, as fast as the matrix can be read. Each weight is loaded once and
 * meets all rows; several rows of the matrix run side by side, which is what the hardware's prefetchers like. */
#include "kernels/cpu/isa/internal.h"

#if defined(__AVX512BF16__)
enum { DOT_STEP = 2 * LANES };
#endif

INLINE vf load_weights(enum few_kind kind, const char *row, int64_t i) {
    if (kind == FEW_F32) return v_load(DTYPE_F32, row, i);
    if (kind == FEW_BF16) return v_load(DTYPE_BF16, row, i);
    if (kind == FEW_F16) return v_load(DTYPE_F16, row, i);
    return v_bytes(row + sizeof(float) + i);
}

INLINE vf load_weights_part(enum few_kind kind, const char *row, int64_t i, int64_t n) {
    if (kind == FEW_F32) return v_load_part(DTYPE_F32, row, i, n);
    if (kind == FEW_BF16) return v_load_part(DTYPE_BF16, row, i, n);
    if (kind == FEW_F16) return v_load_part(DTYPE_F16, row, i, n);
    int8_t q[LANES] = {0};
    memcpy(q, row + sizeof(float) + i, (size_t)n);
    return v_bytes(q);
}

INLINE float row_scale(enum few_kind kind, const char *row) {
    float f = 1;
    if (kind == FEW_INT8) memcpy(&f, row, sizeof f);
    return f;
}

/* `tall` rows of the matrix from j on, `rows` rows of x; both constants, so that the sums stay in registers. */
INLINE void block(enum few_kind kind, int tall, int rows, const struct few_product *p, int64_t j) {
    const char *w[8];
    vf sum[8][FEW_MAX_ROWS];
    const float *x = p->x;
    int64_t i = 0;
    for (int a = 0; a < tall; a++) w[a] = (const char *)p->w + (size_t)(j + a) * p->w_stride;
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = v_set(0);
    for (; i + LANES <= p->k; i += LANES) {
        vf v[8];
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) v[a] = load_weights(kind, w[a], i);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vf xr = v_load(DTYPE_F32, x + r * p->x_stride, i);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) sum[a][r] = v_fma(v[a], xr, sum[a][r]);
        }
    }
    if (i < p->k)
        for (int a = 0; a < tall; a++) {
            vf v = load_weights_part(kind, w[a], i, p->k - i);
            for (int r = 0; r < rows; r++) sum[a][r] = v_fma(v, v_load(DTYPE_F32, x + r * p->x_stride, i), sum[a][r]);
        }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a] = v_sum(sum[a][r]) * row_scale(kind, w[a]);
}

#if defined(__AVX512BF16__)
typedef __m512bh vd;
INLINE vd load_pairs(const void *p) { return (vd)_mm512_loadu_si512(p); }
INLINE vd load_pairs_part(const uint16_t *p, int64_t n) { return (vd)_mm512_maskz_loadu_epi16((__mmask32)((1ull << n) - 1), p); }

/* As above with bf16 x and vdpbf16ps: 32 products an instruction. */
INLINE void block_dot(int tall, int rows, const struct few_product *p, int64_t j) {
    const uint16_t *w[8], *x = p->x;
    __m512 sum[8][FEW_MAX_ROWS];
    int64_t i = 0;
    for (int a = 0; a < tall; a++) w[a] = (const uint16_t *)p->w + (size_t)(j + a) * (p->w_stride / 2);
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    for (; i + DOT_STEP <= p->k; i += DOT_STEP) {
        vd v[8];
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) v[a] = load_pairs(w[a] + i);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vd xr = load_pairs(x + r * p->x_stride + i);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) sum[a][r] = _mm512_dpbf16_ps(sum[a][r], v[a], xr);
        }
    }
    if (i < p->k)
        for (int a = 0; a < tall; a++) {
            vd v = load_pairs_part(w[a] + i, p->k - i);
            for (int r = 0; r < rows; r++) sum[a][r] = _mm512_dpbf16_ps(sum[a][r], v, load_pairs(x + r * p->x_stride + i));
        }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a] = _mm512_reduce_add_ps(sum[a][r]);
}
#endif

INLINE void one_block(enum few_kind kind, int tall, int rows, const struct few_product *p, int64_t j) {
#if defined(__AVX512BF16__)
    if (kind == FEW_BF16_DOT) {
        block_dot(tall, rows, p, j);
        return;
    }
#endif
    block(kind, tall, rows, p, j);
}

INLINE void all_blocks(enum few_kind kind, int tall, int rows, const struct few_product *p) {
    int64_t j = 0;
    for (; j + tall <= p->n; j += tall) one_block(kind, tall, rows, p, j);
    for (; j < p->n; j++) one_block(kind, 1, rows, p, j);
}

/* How many rows of the matrix run side by side: as many as the registers hold sums for. */
#if LANES == 16
enum { TALL_1 = 8, TALL_2 = 4, TALL_4 = 4, TALL_8 = 2 };
#else
enum { TALL_1 = 4, TALL_2 = 4, TALL_4 = 2, TALL_8 = 1 };
#endif

INLINE void by_rows(enum few_kind kind, const struct few_product *p) {
    switch (p->rows) {
    case 1: all_blocks(kind, TALL_1, 1, p); break;
    case 2: all_blocks(kind, TALL_2, 2, p); break;
    case 3: all_blocks(kind, TALL_4, 3, p); break;
    case 4: all_blocks(kind, TALL_4, 4, p); break;
    case 5: all_blocks(kind, TALL_8, 5, p); break;
    case 6: all_blocks(kind, TALL_8, 6, p); break;
    case 7: all_blocks(kind, TALL_8, 7, p); break;
    default: all_blocks(kind, TALL_8, 8, p); break;
    }
}

void ISA_NAME(isa_few)(const struct few_product *p) {
    switch (p->kind) {
    case FEW_F32: by_rows(FEW_F32, p); break;
    case FEW_BF16: by_rows(FEW_BF16, p); break;
    case FEW_F16: by_rows(FEW_F16, p); break;
    case FEW_INT8: by_rows(FEW_INT8, p); break;
    case FEW_BF16_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_BF16_DOT, p);
#endif
        break;
    }
}
