/* isa.h: the same kernels for several instruction sets, found at run time.
 *
 * The sources in kernels/cpu/isa/ are compiled once for each level and end in one constant table a level; nothing else
 * of them is used by others, and a table of a level that the machine lacks is never called.
 * Level `amx` uses the tables of avx512bf16: its tiles are used by the dense library and by tiles.h. */
#ifndef ASSAY_KERNELS_CPU_ISA_H
#define ASSAY_KERNELS_CPU_ISA_H

#include "kernels/base/status.h"
#include "kernels/types.h"

enum isa { ISA_LEVEL_PLAIN, ISA_LEVEL_AVX2, ISA_LEVEL_AVX512, ISA_LEVEL_AVX512BF16, ISA_LEVEL_AMX, ISA_LEVEL_COUNT };
const char *isa_name(enum isa level);

/* The best level that processor and operating system support (cpuid, xgetbv, permission for tiles). */
enum isa isa_best(void);

/* 1: the tiles of the level `amx` multiply bytes, too. */
int isa_has_byte_tiles(void);
/* 1: the vectors of the levels from `avx512bf16` on multiply and add in fp16, too. */
int isa_has_halves(void);

/* name NULL: the best. Errors: INPUT no such level; UNSUPPORTED what this machine lacks for it. */
enum status isa_choose(const char *name, enum isa *out, struct error *e);

/* How a weight's numbers are stored, as far as the kernels for few rows read them themselves. */
enum few_kind { FEW_F32, FEW_BF16, FEW_F16, FEW_INT8, FEW_BF16_DOT, FEW_INT8_DOT, FEW_INT4_DOT, FEW_BITMAP_DOT, FEW_BITMAP_INT8_DOT,
                FEW_Q8_0_DOT, FEW_Q4_0_DOT, FEW_Q4_1_DOT };

/* y[r·y_stride + j] = Σ_i w[j, i] x[r, i], j < n, r < rows ≤ FEW_MAX_ROWS, accumulated in f32.
 * x: f32 (rows, x_stride); FEW_BF16_DOT: bf16. x_stride is a multiple of FEW_PAD and what lies beyond k is zero.
 * w_stride in bytes. FEW_INT8 rows begin with their f32 scale. FEW_INT4_DOT: rows of codes in groups (struct grouping), x bf16
 * in the order of their words: for each 128 elements, j < 4 and words i < 32 of theirs code j of word i; zero up to a multiple of 128;
 * FEW_INT8_DOT: as FEW_INT8 with x bf16, of each 64 first the even elements, then the odd; zero up to a multiple of 64.
 * FEW_BITMAP_DOT: rows of masks and bf16 values (encodings/bitmap.c), x bf16, row j at w_starts[j] bytes.
 * FEW_BITMAP_INT8_DOT: rows of scale, masks and codes likewise, x as for FEW_INT8_DOT. 64 bytes past the last row may be read.
 * FEW_Q8_0_DOT: rows of GGUF's blocks, x as for FEW_INT8_DOT. FEW_Q4_0_DOT, FEW_Q4_1_DOT: the same with x in the order of their words (of
 * each 128 elements, element 32 b + 16 h + 2 w + l, h and l < 2, at (2 l + h) 32 + 8 b + w), zero up to a multiple of 128, x_sums over 32.
 * x_sums[r·sums_stride + g] = Σ x of group g, 0 up to a multiple of 16 groups. Weights are read once for all rows. */
enum { FEW_MAX_ROWS = 8, FEW_PAD = 32 };
struct encoding;
struct grouping;
struct few_product {
    enum few_kind kind;
    int rows;
    int64_t n, k, x_stride, y_stride;
    size_t w_stride;
    const void *w, *x;
    float *y;
    const size_t *w_starts;
    const struct grouping *groups;
    const float *x_sums;
    int64_t sums_stride;
    int64_t spread;                /* private to the kernels */
};

/* c (m, n) = or += a (m, k) b (k, n), f32, row-major; n a multiple of 16, b and c rows 64-byte aligned. Where a and b are pairs of bf16,
 * an element of theirs is two neighbours of the sum: k and their strides count pairs. Where they are halves (fp16), an element of a is
 * one number twice and an element of b two neighbouring columns: strides count words, the whole sum over k is in fp16 before it goes to
 * or is added to c, and the last row of b is readable up to a multiple of 32 columns. */
struct tile_product {
    const float *a, *b;
    float *c;
    int64_t m, n, k, a_stride, b_stride, c_stride;
    int is_added;
};

/* Products of codes (only where has_codes): y[r, j] = x_scales[r] Σ_g scale[g, j] (Σ_{i in g} x[r, i] w[j, i] − zero[g, j] x_sums[r, g]) for
 * grouped weights, else x_scales[r] scale[j] (Σ_i x[r, i] w[j, i]); the inner sums are exact. x: int8 (m, x_stride), zero beyond k up to a
 * multiple of STRIP_PAD; w: `strips` strips (kernels/cpu/strips.h), `strip_stride` bytes apart; y: STRIP_ROWS columns a strip. */
enum { STRIP_ROWS = 16, STRIP_PAD = 64, STRIP_MOST_CODES = 1 << 15 };
struct strips_product {
    int64_t m, strips, k;
    const struct grouping *groups; /* NULL: int8_row */
    const int8_t *x;
    int64_t x_stride;
    const float *x_scales;         /* (m) */
    const int32_t *x_offsets;      /* (m) 128 Σ x, of weights without groups */
    const float *x_sums;           /* (m, sums_stride), of weights with groups */
    int64_t sums_stride;
    const char *w;
    size_t strip_stride;
    float *y;
    int64_t y_stride;
    int64_t spread;                /* private to the kernels */
};

/* One step of a softmax that goes through its keys in tiles (Milakov & Gimelshein 2018): for each row i of
 * s (m, n) with its first visible[i] keys seen: s := exp(s · factor − max), running max and sum updated, and o (m, k)
 * scaled to the new maximum. n and k multiples of 16. */
struct softmax_tile {
    float *s, *o, *max, *sum;
    const int64_t *visible;
    float factor;
    int64_t m, n, k, s_stride, o_stride;
};

/* Element type t is f32, bf16 or f16; n elements; in and out may be the same unless said. All arithmetic in f32. */
struct isa_kernels {
    int lanes, has_codes, has_pairs;
    void (*to_f32)(enum dtype t, const void *x, float *y, int64_t n);
    void (*from_f32)(enum dtype t, const float *x, void *y, int64_t n);
    void (*from_int8)(enum dtype t, const int8_t *x, void *y, int64_t n);
    void (*scale)(enum dtype t, const void *x, float f, void *y, int64_t n);
    void (*add)(enum dtype t, const void *a, const void *b, void *y, int64_t n);
    void (*mul)(enum dtype t, const void *a, const void *b, void *y, int64_t n);
    void (*silu)(enum dtype t, const void *x, void *y, int64_t n);
    void (*gelu)(enum dtype t, const void *x, void *y, int64_t n);
    void (*softmax)(enum dtype t, const void *x, void *y, int64_t n);
    /* y = silu(gate) · up; gate and up in f32 */
    void (*swiglu)(enum dtype t, const float *gate, const float *up, void *y, int64_t n);
    /* Each of y's words: x · f in f16, twice. */
    void (*twice)(enum dtype t, const void *x, float f, uint32_t *y, int64_t n);
    /* Largest magnitude; NaN where anything is not finite. */
    float (*most)(enum dtype t, const void *x, int64_t n);
    /* y = x + bias, or gelu of it; x and bias in f32; bias may be NULL */
    void (*finish)(enum dtype t, const float *x, const float *bias, void *y, int64_t n);
    void (*finish_gelu)(enum dtype t, const float *x, const float *bias, void *y, int64_t n);
    void (*rmsnorm)(enum dtype t, const void *x, const float *g, float eps, void *y, int64_t n);
    void (*layernorm)(enum dtype t, const void *x, const float *g, const float *b, float eps, void *y, int64_t n);
    /* sum = a + b rounded to t; y = rmsnorm(sum) */
    void (*add_rmsnorm)(enum dtype t, const void *a, const void *b, const float *g, float eps, void *sum, void *y, int64_t n);
    /* One row of heads of width 2·half turned by the angles whose cosines and sines are given; not in place. */
    void (*rope)(enum dtype t, const void *x, void *y, int64_t heads, int64_t half, const float *cosine, const float *sine);
    int64_t (*argmax)(enum dtype t, const void *x, int64_t n);        /* lowest index among equals */
    double (*sum_exp)(enum dtype t, const void *x, float most, float factor, int64_t n); /* Σ exp((x − most)·factor) */
    float (*dot)(enum dtype t, const float *a, const void *b, int64_t n);
    void (*add_scaled)(enum dtype t, const void *x, float f, float *y, int64_t n); /* y += f·x; x of type t */
    /* y (cols, y_stride) f32 = the transpose of x (rows, cols) of type t (i8, too); rows ≤ y_stride, columns up to the next
     * multiple of 16 are zero. x_stride in elements. */
    void (*transpose)(enum dtype t, const void *x, int64_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride);
    /* A row of masks and 16-bit values spread out: y (n). Masks and values may lie at any byte; 64 bytes may be read past. */
    void (*expand)(const void *row, int64_t n, uint16_t *y);
    void (*few)(const struct few_product *p);
    /* codes = x rounded to nearest (half to even) in steps of the returned scale, max|x| / 127, as encodings/int8_row.c has it. */
    float (*round_row)(enum dtype t, const void *x, int64_t n, int8_t *codes);
    /* Rows (STRIP_ROWS, k) of bytes, four of a row a lane: of each 4 elements those of all rows; k a multiple of STRIP_PAD. */
    void (*strip)(const int8_t *rows, int64_t k, int8_t *strip);
    void (*strips)(const struct strips_product *p);
    void (*tile)(const struct tile_product *p);
    void (*tile_pairs)(const struct tile_product *p);                 /* of pairs of bf16; only where has_pairs */
    void (*tile_halves)(const struct tile_product *p);                /* of halves; by way of f32 below avx512bf16, from there on only where isa_has_halves */
    /* y ((rows + 1) / 2, y_stride) = pairs of neighbouring rows of bf16 x (rows, cols), x_stride in bytes; beyond the last row are zeros. */
    void (*pair_rows)(const void *x, size_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride);
    void (*softmax_tile)(const struct softmax_tile *p);
};
const struct isa_kernels *isa_table(enum isa level);

#endif
