/* few.c: one to eight rows times a matrix, as fast as the matrix can be read. Each weight is loaded once and
 * meets all rows; several rows of the matrix run side by side, which is what the hardware's prefetchers like. */
#include "kernels/cpu/isa/internal.h"
#include "kernels/encoding.h"

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
    for (int a = 0; a < tall; a++) w[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride;
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
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = v_sum(sum[a][r]) * row_scale(kind, w[a]);
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
    for (int a = 0; a < tall; a++) w[a] = (const uint16_t *)p->w + (size_t)(j + a * p->spread) * (p->w_stride / 2);
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
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = _mm512_reduce_add_ps(sum[a][r]);
}

/* ---- eight bits: a code is 16 times its upper half, with the sign, and its lower half; each half becomes bf16, exactly, by a
 * look-up in a register. x comes in pairs of 32: the even and the odd elements of each 64 (split). ---- */

#define CODES 0x0000, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0, 0x4100, 0x4110, 0x4120, 0x4130, 0x4140, 0x4150, 0x4160, 0x4170
#define UPPER 0x0000, 0x4180, 0x4200, 0x4240, 0x4280, 0x42a0, 0x42c0, 0x42e0, 0xc300, 0xc2e0, 0xc2c0, 0xc2a0, 0xc280, 0xc240, 0xc200, 0xc180
/* 0 to 15, and 16 times 0 to 7 and -8 to -1; twice: what stands above a code's four bits does not matter. */
static const uint16_t code_table[32] = {CODES, CODES}, upper_table[32] = {UPPER, UPPER};
#undef CODES
#undef UPPER

enum { INT8_RUN = 64 };

INLINE void block_int8(int tall, int rows, const struct few_product *p, int64_t j) {
    const __m512i lower = _mm512_loadu_si512(code_table), upper = _mm512_loadu_si512(upper_table);
    const char *w[8];
    const uint16_t *x = p->x;
    __m512 sum[8][FEW_MAX_ROWS];
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        w[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride + sizeof(float);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t i = 0; i < p->k; i += INT8_RUN) {
        int64_t left = p->k - i;
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) {
            __m512i q = left >= INT8_RUN ? _mm512_loadu_si512(w[a] + i) : _mm512_maskz_loadu_epi8((__mmask64)((1ull << left) - 1), w[a] + i);
            vd even_low = (vd)_mm512_permutexvar_epi16(q, lower), even_high = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 4), upper);
            vd odd_low = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 8), lower), odd_high = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 12), upper);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vd even = load_pairs(x + r * p->x_stride + i), odd = load_pairs(x + r * p->x_stride + i + INT8_RUN / 2);
                sum[a][r] = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum[a][r], even_low, even), even_high, even);
                sum[a][r] = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum[a][r], odd_low, odd), odd_high, odd);
            }
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = _mm512_reduce_add_ps(sum[a][r]) * row_scale(FEW_INT8, w[a] - sizeof(float));
}

/* ---- four bits in groups: codes become bf16, exactly, by a look-up in a register. 128 elements at a time; x is in the order in
 * which their codes come (grouped), and zero beyond k, where codes are whatever follows them. ---- */

enum { INT4_RUN = 128, INT4_SPAN = 4096, INT4_TALL = 8 }; /* elements: of a register of codes; whose scales are unpacked at a time */

/* Scales of groups from..from+n of a row as f32 (zeros up to a multiple of 16), and sum -= scale·zero·Σx over them, a group a lane. */
INLINE void int4_scales(const struct few_product *p, const char *row, int64_t from, int64_t n, int rows, float *scales, __m512 *sum) {
    const struct grouping *q = p->groups;
    int64_t all = p->k / q->group;
    const char *at_scales = row + p->k / 2, *at_zeros = at_scales + (size_t)all * dtype_bytes(q->scale);
    for (int64_t g = 0; g < n; g += LANES) {
        int64_t m = n - g < LANES ? n - g : LANES;
        vf s = V_LOAD(q->scale, at_scales, from + g, m), z;
        if (q->zero == DTYPE_U8) z = (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << m) - 1), at_zeros + from + g)));
        else z = V_LOAD(q->zero, at_zeros, from + g, m);
        _mm512_storeu_ps(scales + g, (__m512)s);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[r] = _mm512_fnmadd_ps((__m512)(s * z), (__m512)V_LOAD(DTYPE_F32, p->x_sums, r * all + from + g, m), sum[r]);
    }
}

/* The scales of a run, each in the lanes of its group's words. */
INLINE __m512 run_scales(int64_t group, const float *scales) {
    if (group == INT4_RUN) return _mm512_set1_ps(*scales);
    const __m512i two = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    return _mm512_permutexvar_ps(group == 64 ? two : four, _mm512_castps128_ps512(_mm_loadu_ps(scales)));
}

INLINE void int4_run(int tall, int rows, int64_t group, const char *const *row, int64_t i, const struct few_product *p, float (*scales)[INT4_SPAN / 32 + LANES], int64_t first,
                     __m512 (*sum)[FEW_MAX_ROWS]) {
    const __m512i table = _mm512_loadu_si512(code_table);
    const uint16_t *x = (const uint16_t *)p->x + i;
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        __m512i q = _mm512_loadu_si512(row[a] + i / 2);
        __m512 scale = run_scales(group, scales[a] + first);
        vd v[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) v[j] = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 4 * j), table);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            __m512 part = _mm512_setzero_ps();
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) part = _mm512_dpbf16_ps(part, v[j], load_pairs(x + r * p->x_stride + j * (INT4_RUN / 4)));
            sum[a][r] = _mm512_fmadd_ps(part, scale, sum[a][r]);
        }
    }
}

INLINE void block_int4(int tall, int rows, int64_t group, const struct few_product *p, int64_t j) {
    const char *row[INT4_TALL];
    __m512 sum[INT4_TALL][FEW_MAX_ROWS];
    float scales[INT4_TALL][INT4_SPAN / 32 + LANES];
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        row[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t span = 0; span < p->k; span += INT4_SPAN) {
        int64_t last = p->k - span < INT4_SPAN ? p->k : span + INT4_SPAN;
        for (int a = 0; a < tall; a++) int4_scales(p, row[a], span / group, (last - span) / group, rows, scales[a], sum[a]);
        for (int64_t i = span; i < last; i += INT4_RUN) int4_run(tall, rows, group, row, i, p, scales, (i - span) / group, sum);
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = _mm512_reduce_add_ps(sum[a][r]);
}

/* ---- sparse rows: each mask word spreads its values over a register ---- */

INLINE uint32_t mask_word(const char *row, int64_t i) {
    uint32_t word;
    memcpy(&word, row + i / 8, sizeof word);
    return word;
}

/* Rows of the matrix may differ in length, so that each has its own place in its values. */
INLINE void block_bitmap(int tall, int rows, const struct few_product *p, int64_t j) {
    const char *masks[8], *values[8];
    const uint16_t *x = p->x;
    __m512 sum[8][FEW_MAX_ROWS];
    size_t mask_bytes = (size_t)(p->k + DOT_STEP - 1) / DOT_STEP * sizeof(uint32_t);
    for (int a = 0; a < tall; a++) {
        masks[a] = (const char *)p->w + p->w_starts[j + a * p->spread];
        values[a] = masks[a] + mask_bytes;
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t i = 0; i < p->k; i += DOT_STEP) { /* x beyond k is zero, and no mask has bits there */
        vd v[8];
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) {
            uint32_t word = mask_word(masks[a], i);
            v[a] = (vd)_mm512_maskz_expand_epi16(word, _mm512_loadu_si512(values[a]));
            values[a] += 2 * (size_t)(unsigned)_mm_popcnt_u32(word);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vd xr = load_pairs(x + r * p->x_stride + i);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) sum[a][r] = _mm512_dpbf16_ps(sum[a][r], v[a], xr);
        }
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = _mm512_reduce_add_ps(sum[a][r]);
}

/* The bits of 64 elements; of the last 32 where a row has no more words. */
INLINE uint64_t mask_pair(const char *masks, int64_t i, int64_t k) {
    uint64_t pair = 0;
    if (i + DOT_STEP < k) memcpy(&pair, masks + i / 8, sizeof pair);
    else memcpy(&pair, masks + i / 8, sizeof(uint32_t));
    return pair;
}

/* As block_int8, the codes spread out by their masks. */
INLINE void block_bitmap_int8(int tall, int rows, const struct few_product *p, int64_t j) {
    const __m512i lower = _mm512_loadu_si512(code_table), upper = _mm512_loadu_si512(upper_table);
    const char *row[8], *codes[8];
    const uint16_t *x = p->x;
    __m512 sum[8][FEW_MAX_ROWS];
    size_t mask_bytes = (size_t)(p->k + DOT_STEP - 1) / DOT_STEP * sizeof(uint32_t);
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        row[a] = (const char *)p->w + p->w_starts[j + a * p->spread];
        codes[a] = row[a] + sizeof(float) + mask_bytes;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t i = 0; i < p->k; i += INT8_RUN)
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) {
            uint64_t mask = mask_pair(row[a] + sizeof(float), i, p->k);
            __m512i q = _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(codes[a]));
            codes[a] += _mm_popcnt_u64(mask);
            vd even_low = (vd)_mm512_permutexvar_epi16(q, lower), even_high = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 4), upper);
            vd odd_low = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 8), lower), odd_high = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 12), upper);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) {
                vd even = load_pairs(x + r * p->x_stride + i), odd = load_pairs(x + r * p->x_stride + i + INT8_RUN / 2);
                sum[a][r] = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum[a][r], even_low, even), even_high, even);
                sum[a][r] = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum[a][r], odd_low, odd), odd_high, odd);
            }
        }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = _mm512_reduce_add_ps(sum[a][r]) * row_scale(FEW_INT8, row[a]);
}

#include "kernels/cpu/isa/few_blocks.h"

INLINE void int4_by_group(int tall, int rows, const struct few_product *p, int64_t j) {
    if (p->groups->group == 32) block_int4(tall, rows, 32, p, j);
    else if (p->groups->group == 64) block_int4(tall, rows, 64, p, j);
    else block_int4(tall, rows, 128, p, j);
}
#endif

INLINE void one_block(enum few_kind kind, int tall, int rows, const struct few_product *p, int64_t j) {
#if defined(__AVX512BF16__)
    if (kind == FEW_BF16_DOT) {
        block_dot(tall, rows, p, j);
        return;
    }
    if (kind == FEW_INT8_DOT) {
        block_int8(tall, rows, p, j);
        return;
    }
    if (kind == FEW_INT4_DOT) {
        int4_by_group(tall, rows, p, j);
        return;
    }
    if (kind == FEW_BITMAP_DOT) {
        block_bitmap(tall, rows, p, j);
        return;
    }
    if (kind == FEW_BITMAP_INT8_DOT) {
        block_bitmap_int8(tall, rows, p, j);
        return;
    }
    if (kind == FEW_Q8_0_DOT || kind == FEW_Q4_0_DOT || kind == FEW_Q4_1_DOT) {
        block_of_blocks(kind, tall, rows, p, j);
        return;
    }
#endif
    block(kind, tall, rows, p, j);
}

/* Rows side by side lie far apart, so that each stream runs on from row to row: prefetchers need that where rows are short. */
INLINE void all_blocks(enum few_kind kind, int tall, int rows, const struct few_product *whole) {
    struct few_product p = *whole;
    p.spread = p.n / tall;
    for (int64_t j = 0; j < p.spread; j++) one_block(kind, tall, rows, &p, j);
    for (int64_t j = p.spread * tall; j < p.n; j++) one_block(kind, 1, rows, &p, j);
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
    case FEW_INT8_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_INT8_DOT, p);
#endif
        break;
    case FEW_INT4_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_INT4_DOT, p);
#endif
        break;
    case FEW_BITMAP_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_BITMAP_DOT, p);
#endif
        break;
    case FEW_BITMAP_INT8_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_BITMAP_INT8_DOT, p);
#endif
        break;
    case FEW_Q8_0_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_Q8_0_DOT, p);
#endif
        break;
    case FEW_Q4_0_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_Q4_0_DOT, p);
#endif
        break;
    case FEW_Q4_1_DOT:
#if defined(__AVX512BF16__)
        by_rows(FEW_Q4_1_DOT, p);
#endif
        break;
    }
}

void ISA_NAME(isa_expand)(const void *row, int64_t n, uint16_t *y) {
    enum { BLOCK = 32 };
    const char *masks = row, *values = masks + (size_t)(n + BLOCK - 1) / BLOCK * sizeof(uint32_t);
    for (int64_t i = 0; i < n; i += BLOCK) {
        uint32_t word;
        memcpy(&word, masks + i / 8, sizeof word);
#if defined(__AVX512VBMI2__)
        __mmask32 part = n - i < BLOCK ? (__mmask32)((1u << (n - i)) - 1) : ~(__mmask32)0;
        _mm512_mask_storeu_epi16(y + i, part, _mm512_maskz_expand_epi16(word, _mm512_loadu_si512(values)));
        values += 2 * (size_t)(unsigned)__builtin_popcount(word);
#else
        for (int64_t j = i; j < n && j < i + BLOCK; j++, word >>= 1) {
            y[j] = 0;
            if (!(word & 1)) continue;
            memcpy(&y[j], values, sizeof *y);
            values += sizeof *y;
        }
#endif
    }
}
