/* few.c: one to eight rows times a matrix, as fast as the matrix can be read. Each weight is loaded once and
 * meets all rows; several rows of the matrix run side by side, which is what the hardware's prefetchers like. */
#include "kernels/cpu/isa/internal.h"
#include "kernels/encoding.h"

#if defined(__AVX512BF16__)
enum { DOT_STEP = 2 * LANES };
#endif

/* Asking ahead (vec.h) pays from 3 rows of x on, and in sparse rows, whose loads wait for counts of bits; 1024 bytes cost 15 % where 512 cost
 * nothing. */
enum { AHEAD_BYTES = 512, FED_ROWS = 3 };

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

INLINE int weight_bytes(enum few_kind kind) { return kind == FEW_F32 ? 4 : kind == FEW_INT8 ? 1 : 2; }

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
        for (int a = 0; a < tall; a++) {
            v[a] = load_weights(kind, w[a], i);
            ask_ahead(rows >= FED_ROWS, w[a] + i * weight_bytes(kind), AHEAD_BYTES);
        }
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
/* ---- the ends of rows: sums of lanes, eight registers at a time ---- */

/* Neighbouring lanes of a and b become one, in turns; then such pairs; then quarters of registers. */
INLINE __m512 add_pair(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)); }
INLINE __m512 add_pairs(__m512 a, __m512 b) {
    return _mm512_add_ps((__m512)_mm512_unpacklo_pd((__m512d)a, (__m512d)b), (__m512)_mm512_unpackhi_pd((__m512d)a, (__m512d)b));
}
INLINE __m256 add_quarters(__m512 a, __m512 b) {
    __m512 halves = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    __m512 all = _mm512_add_ps(halves, _mm512_shuffle_f32x4(halves, halves, 0xb1));
    return _mm512_castps512_ps256(_mm512_shuffle_f32x4(all, all, 0x08));
}
INLINE __m256 add_eight(const __m512 *v) {
    return add_quarters(add_pairs(add_pair(v[0], v[1]), add_pair(v[2], v[3])), add_pairs(add_pair(v[4], v[5]), add_pair(v[6], v[7])));
}

/* y of a block: the sums of its registers, by rows of the matrix, then of x. */
INLINE void store_sums(int tall, int rows, const struct few_product *p, int64_t j, __m512 (*sum)[FEW_MAX_ROWS]) {
    enum { MOST_SUMS = 32 };
    float y[MOST_SUMS];
#pragma GCC unroll 4
    for (int i = 0; i < tall * rows; i += 8) {
        __m512 v[8];
#pragma GCC unroll 8
        for (int k = 0; k < 8; k++) v[k] = i + k < tall * rows ? sum[(i + k) / rows][(i + k) % rows] : _mm512_setzero_ps();
        _mm256_storeu_ps(y + i, add_eight(v));
    }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) p->y[r * p->y_stride + j + a * p->spread] = y[a * rows + r];
}

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
        for (int a = 0; a < tall; a++) {
            v[a] = load_pairs(w[a] + i);
            ask_ahead(rows >= FED_ROWS, w[a] + i, AHEAD_BYTES);
        }
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
    store_sums(tall, rows, p, j, sum);
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

/* Even and odd elements of 64 codes, each as its lower and its upper half. */
struct halves {
    vd even_low, even_high, odd_low, odd_high;
};

INLINE struct halves look_up(__m512i q) {
    const __m512i lower = _mm512_loadu_si512(code_table), upper = _mm512_loadu_si512(upper_table);
    return (struct halves){(vd)_mm512_permutexvar_epi16(q, lower), (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 4), upper),
                           (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 8), lower), (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 12), upper)};
}

/* sum + those times the 64 elements of split x. */
INLINE __m512 add_halves(__m512 sum, const struct halves *h, const uint16_t *x) {
    vd even = load_pairs(x), odd = load_pairs(x + INT8_RUN / 2);
    sum = _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum, h->even_low, even), h->even_high, even);
    return _mm512_dpbf16_ps(_mm512_dpbf16_ps(sum, h->odd_low, odd), h->odd_high, odd);
}

INLINE void int8_run(int tall, int rows, const struct few_product *p, const char *const *w, int64_t i, __mmask64 mask, __m512 (*sum)[FEW_MAX_ROWS]) {
    const uint16_t *x = (const uint16_t *)p->x + i;
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        __m512i q = mask == UINT64_MAX ? _mm512_loadu_si512(w[a] + i) : _mm512_maskz_loadu_epi8(mask, w[a] + i);
        ask_ahead(rows >= FED_ROWS, w[a] + i, AHEAD_BYTES);
        struct halves h = look_up(q);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = add_halves(sum[a][r], &h, x + r * p->x_stride);
    }
}

INLINE void block_int8(int tall, int rows, const struct few_product *p, int64_t j) {
    const char *w[8];
    __m512 sum[8][FEW_MAX_ROWS];
    int64_t i = 0;
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        w[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride + sizeof(float);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (; i + INT8_RUN <= p->k; i += INT8_RUN) int8_run(tall, rows, p, w, i, UINT64_MAX, sum);
    if (i < p->k) int8_run(tall, rows, p, w, i, (1ull << (p->k - i)) - 1, sum);
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_mul_ps(sum[a][r], _mm512_set1_ps(row_scale(FEW_INT8, w[a] - sizeof(float))));
    store_sums(tall, rows, p, j, sum);
}

/* ---- four bits in groups: codes become bf16, exactly, by a look-up in a register. 128 elements at a time; x is in the order in
 * which their codes come (grouped), and zero beyond k, where codes are whatever follows them. ---- */

enum { INT4_RUN = 128, INT4_SPAN = 4096, INT4_GROUPS = INT4_SPAN / 32, INT4_TALL = 8 }; /* elements: of a register of codes; whose scales are unpacked at a time */

/* Scales, and their products with zero points, of groups from..from+n of a row as f32; zeros up to a multiple of 16. */
INLINE void unpack_scales(const struct grouping *q, enum dtype scale, enum dtype zero, const char *row, int64_t k, int64_t from, int64_t n, float *scales, float *zeros) {
    const char *at_scales = row + k / 2, *at_zeros = at_scales + (size_t)(k / q->group) * dtype_bytes(scale);
    V_FOR(g, n, part, {
        vf s = V_LOAD(scale, at_scales, from + g, part);
        v_store(DTYPE_F32, scales, g, s);
        v_store(DTYPE_F32, zeros, g, s * v_load_number(zero, at_zeros, from + g, part));
    });
}

static void int4_scales(const struct grouping *q, const char *row, int64_t k, int64_t from, int64_t n, float *scales, float *zeros) {
    if (q->scale == DTYPE_F16 && q->zero == DTYPE_U8) unpack_scales(q, DTYPE_F16, DTYPE_U8, row, k, from, n, scales, zeros);
    else if (q->scale == DTYPE_F16) unpack_scales(q, DTYPE_F16, DTYPE_F16, row, k, from, n, scales, zeros);
    else if (q->zero == DTYPE_U8) unpack_scales(q, DTYPE_F32, DTYPE_U8, row, k, from, n, scales, zeros);
    else unpack_scales(q, DTYPE_F32, DTYPE_F32, row, k, from, n, scales, zeros);
}

/* The scales of a run, each in the lanes of its group's words. */
INLINE __m512 run_scales(int64_t group, const float *scales) {
    if (group == INT4_RUN) return _mm512_set1_ps(*scales);
    const __m512i two = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0), four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    return _mm512_permutexvar_ps(group == 64 ? two : four, _mm512_castps128_ps512(_mm_loadu_ps(scales)));
}

/* Sixteen-bit words of four codes looked up, one code of each a vector. */
struct quarters {
    vd v[4];
};

INLINE struct quarters look_up_quarters(__m512i q, __m512i table) {
    struct quarters out;
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) out.v[j] = (vd)_mm512_permutexvar_epi16(_mm512_srli_epi16(q, 4 * j), table);
    return out;
}

/* Their products with a run of x, which lies in four parts. */
INLINE __m512 dot_quarters(const struct quarters *q, const uint16_t *x) {
    __m512 part = _mm512_setzero_ps();
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) part = _mm512_dpbf16_ps(part, q->v[j], load_pairs(x + j * (INT4_RUN / 4)));
    return part;
}

INLINE void int4_run(int tall, int rows, int64_t group, const char *const *row, int64_t i, const struct few_product *p, float (*scales)[INT4_GROUPS], int64_t first,
                     __m512 (*sum)[FEW_MAX_ROWS]) {
    const __m512i table = _mm512_loadu_si512(code_table);
    const uint16_t *x = (const uint16_t *)p->x + i;
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        struct quarters q = look_up_quarters(_mm512_loadu_si512(row[a] + i / 2), table);
        __m512 scale = run_scales(group, scales[a] + first);
        ask_ahead(rows >= FED_ROWS, row[a] + i / 2, AHEAD_BYTES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_fmadd_ps(dot_quarters(&q, x + r * p->x_stride), scale, sum[a][r]);
    }
}

INLINE void block_int4(int tall, int rows, int64_t group, const struct few_product *p, int64_t j) {
    const char *row[INT4_TALL];
    __m512 sum[INT4_TALL][FEW_MAX_ROWS];
    float scales[INT4_TALL][INT4_GROUPS], zeros[INT4_GROUPS];
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++) {
        row[a] = (const char *)p->w + (size_t)(j + a * p->spread) * p->w_stride;
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_setzero_ps();
    }
    for (int64_t span = 0; span < p->k; span += INT4_SPAN) {
        int64_t last = p->k - span < INT4_SPAN ? p->k : span + INT4_SPAN;
#pragma GCC unroll 8
        for (int a = 0; a < tall; a++) {
            int4_scales(p->groups, row[a], p->k, span / group, (last - span) / group, scales[a], zeros);
            for (int64_t g = 0; g < (last - span) / group; g += LANES)
#pragma GCC unroll 8
                for (int r = 0; r < rows; r++)
                    sum[a][r] = _mm512_fnmadd_ps(_mm512_loadu_ps(zeros + g), _mm512_loadu_ps(p->x_sums + r * p->sums_stride + span / group + g), sum[a][r]);
        }
        for (int64_t i = span; i < last; i += INT4_RUN) int4_run(tall, rows, group, row, i, p, scales, (i - span) / group, sum);
    }
    store_sums(tall, rows, p, j, sum);
}

/* ---- sparse rows: each mask word spreads its values over a register ---- */

INLINE uint32_t mask_word(const char *row, int64_t i) {
    uint32_t word;
    memcpy(&word, row + i / 8, sizeof word);
    return word;
}

/* 64 bytes at p, spread over a register by a mask; zero elsewhere. In these words, since on some processors (AMD Zen 4) the instruction waits
 * for what its target held, though it keeps nothing of it: half the speed, by measurement. Nobody waits for what was just made zero. */
#define SPREAD(instruction, p, mask) \
    __m512i packed = _mm512_loadu_si512(p), out = _mm512_setzero_si512(); \
    __asm__(instruction " %1, %0%{%2%}%{z%}" : "+v"(out) : "v"(packed), "Yk"(mask)); \
    return out
INLINE __m512i spread_words(const void *p, __mmask32 mask) { SPREAD("vpexpandw", p, mask); }
INLINE __m512i spread_bytes(const void *p, __mmask64 mask) { SPREAD("vpexpandb", p, mask); }

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
            v[a] = (vd)spread_words(values[a], word);
            values[a] += 2 * (size_t)(unsigned)_mm_popcnt_u32(word);
            ask_ahead(1, values[a], AHEAD_BYTES);
        }
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vd xr = load_pairs(x + r * p->x_stride + i);
#pragma GCC unroll 8
            for (int a = 0; a < tall; a++) sum[a][r] = _mm512_dpbf16_ps(sum[a][r], v[a], xr);
        }
    }
    store_sums(tall, rows, p, j, sum);
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
            __m512i q = spread_bytes(codes[a], mask);
            codes[a] += _mm_popcnt_u64(mask);
            ask_ahead(1, codes[a], AHEAD_BYTES);
            struct halves h = look_up(q);
#pragma GCC unroll 8
            for (int r = 0; r < rows; r++) sum[a][r] = add_halves(sum[a][r], &h, x + r * p->x_stride + i);
        }
#pragma GCC unroll 8
    for (int a = 0; a < tall; a++)
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) sum[a][r] = _mm512_mul_ps(sum[a][r], _mm512_set1_ps(row_scale(FEW_INT8, row[a])));
    store_sums(tall, rows, p, j, sum);
}

#include "kernels/cpu/isa/few_blocks.h"
#endif

/* ---- all kinds ---- */

/* group: of kinds with codes in groups; a constant, as the rest are. */
INLINE void one_block(enum few_kind kind, int64_t group, int tall, int rows, const struct few_product *p, int64_t j) {
    switch (kind) {
#if defined(__AVX512BF16__)
    case FEW_BF16_DOT: block_dot(tall, rows, p, j); break;
    case FEW_INT8_DOT: block_int8(tall, rows, p, j); break;
    case FEW_INT4_DOT: block_int4(tall, rows, group, p, j); break;
    case FEW_BITMAP_DOT: block_bitmap(tall, rows, p, j); break;
    case FEW_BITMAP_INT8_DOT: block_bitmap_int8(tall, rows, p, j); break;
    case FEW_Q8_0_DOT: case FEW_Q4_0_DOT: case FEW_Q4_1_DOT: block_of_blocks(kind, tall, rows, p, j); break;
#endif
    default: (void)group; block(kind, tall, rows, p, j);
    }
}

/* Rows side by side lie far apart, so that each stream runs on from row to row: prefetchers need that where rows are short. */
INLINE void all_blocks(enum few_kind kind, int64_t group, int tall, int rows, const struct few_product *whole) {
    struct few_product p = *whole;
    p.spread = p.n / tall;
    for (int64_t j = 0; j < p.spread; j++) one_block(kind, group, tall, rows, &p, j);
    for (int64_t j = p.spread * tall; j < p.n; j++) one_block(kind, group, 1, rows, &p, j);
}

/* How many rows of the matrix run side by side: as many as the registers hold sums for. */
#if LANES == 16
enum { TALL_1 = 8, TALL_2 = 4, TALL_4 = 4, TALL_8 = 2 };
#else
enum { TALL_1 = 4, TALL_2 = 4, TALL_4 = 2, TALL_8 = 1 };
#endif

/* A function for each number of rows: the compiler gives registers out well in small ones only. */
#define ROWS(name, kind, group, tall, rows) static __attribute__((noinline)) void name##_##rows(const struct few_product *p) { all_blocks(kind, group, tall, rows, p); }
#define KIND(name, kind, group) \
    ROWS(name, kind, group, TALL_1, 1) ROWS(name, kind, group, TALL_2, 2) ROWS(name, kind, group, TALL_4, 3) ROWS(name, kind, group, TALL_4, 4) \
    ROWS(name, kind, group, TALL_8, 5) ROWS(name, kind, group, TALL_8, 6) ROWS(name, kind, group, TALL_8, 7) ROWS(name, kind, group, TALL_8, 8) \
    static void name(const struct few_product *p) { \
        static void (*const by_rows[])(const struct few_product *) = {name##_1, name##_2, name##_3, name##_4, name##_5, name##_6, name##_7, name##_8}; \
        by_rows[p->rows - 1](p); \
    }
KIND(few_f32, FEW_F32, 0)
KIND(few_bf16, FEW_BF16, 0)
KIND(few_f16, FEW_F16, 0)
KIND(few_int8, FEW_INT8, 0)
#if defined(__AVX512BF16__)
KIND(few_bf16_dot, FEW_BF16_DOT, 0)
KIND(few_int8_dot, FEW_INT8_DOT, 0)
KIND(few_bitmap_dot, FEW_BITMAP_DOT, 0)
KIND(few_bitmap_int8_dot, FEW_BITMAP_INT8_DOT, 0)
KIND(few_q8_0_dot, FEW_Q8_0_DOT, 0)
KIND(few_q4_0_dot, FEW_Q4_0_DOT, 0)
KIND(few_q4_1_dot, FEW_Q4_1_DOT, 0)
KIND(int4_dot_32, FEW_INT4_DOT, 32)
KIND(int4_dot_64, FEW_INT4_DOT, 64)
KIND(int4_dot_128, FEW_INT4_DOT, 128)
static void few_int4_dot(const struct few_product *p) { (p->groups->group == 32 ? int4_dot_32 : p->groups->group == 64 ? int4_dot_64 : int4_dot_128)(p); }
#endif

void ISA_NAME(isa_few)(const struct few_product *p) {
    static void (*const kinds[])(const struct few_product *) = {
        [FEW_F32] = few_f32, [FEW_BF16] = few_bf16, [FEW_F16] = few_f16, [FEW_INT8] = few_int8,
#if defined(__AVX512BF16__)
        [FEW_BF16_DOT] = few_bf16_dot, [FEW_INT8_DOT] = few_int8_dot, [FEW_INT4_DOT] = few_int4_dot, [FEW_BITMAP_DOT] = few_bitmap_dot,
        [FEW_BITMAP_INT8_DOT] = few_bitmap_int8_dot, [FEW_Q8_0_DOT] = few_q8_0_dot, [FEW_Q4_0_DOT] = few_q4_0_dot, [FEW_Q4_1_DOT] = few_q4_1_dot,
#endif
    };
    kinds[p->kind](p);
}

void ISA_NAME(isa_expand)(const void *row, int64_t n, uint16_t *y) {
    enum { BLOCK = 32 };
    const char *masks = row, *values = masks + (size_t)(n + BLOCK - 1) / BLOCK * sizeof(uint32_t);
    for (int64_t i = 0; i < n; i += BLOCK) {
        uint32_t word;
        memcpy(&word, masks + i / 8, sizeof word);
#if defined(__AVX512VBMI2__)
        __mmask32 part = n - i < BLOCK ? (__mmask32)((1u << (n - i)) - 1) : ~(__mmask32)0;
        _mm512_mask_storeu_epi16(y + i, part, spread_words(values, word));
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
