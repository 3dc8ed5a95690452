/* quantize.h: a matrix in few bits: a code for each element, a scale (and zero point) for each group of elements.
 *
 * Pure functions over float32 matrices. A matrix may come in batches of groups and to several threads: every result is the
 * same, bit for bit, whatever the split and the instruction set. Codes are one byte each; how an encoding packs them is its
 * own matter (kernels/encoding.h), but for HQQ's packing, which is given here.
 *
 * Encoding by rounding to nearest:   quantize_groups_of → quantize_encode, a batch of groups at a time.
 * Encoding by HQQ:                   quantize_groups_of → hqq_errors over all groups → hqq_steps → quantize_encode.
 * Definitions: golden/quantize and golden/smollm2. */
#ifndef ASSAY_KERNELS_QUANTIZE_H
#define ASSAY_KERNELS_QUANTIZE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

enum quantize_rounding {
    QUANTIZE_RTN,          /* round to nearest, half to even */
    QUANTIZE_HQQ           /* the zero points are moved by half-quadratic steps first (Badri & Shaji 2023) */
};

/* lo, hi: the group's least and largest element; top = 2^bits - 1. */
enum quantize_zero {
    QUANTIZE_ZERO_NONE,    /* value = code scale; codes are int8 as bytes, -Q..Q, scale = max|w| / Q, Q = 2^(bits-1) - 1 */
    QUANTIZE_ZERO_INTEGER, /* value = (code - zero) scale; with 0 in lo..hi: scale = (hi - lo) / top, zero = round(-lo / scale)
                              in 0..top, code = round(w / scale) + zero in 0..top */
    QUANTIZE_ZERO_FLOAT,   /* value = (code - 2^(bits-1)) scale + zero, zero on the axis of values (torchao):
                              scale = (hi - lo) / top, at least 1e-6; zero = lo + 2^(bits-1) scale */
    QUANTIZE_ZERO_CODE     /* value = (code - zero) scale, zero on the axis of codes and not whole (HQQ): scale = (hi - lo) / top,
                              at least 1 / 2e4, 1 where hi - lo <= 1e-4; zero = -lo / scale */
};

struct quantizer {
    int bits;                         /* 8, 4, 3 or 2 */
    int64_t group;                    /* elements that share a scale; 0: a whole row (column where axis is 0) */
    enum quantize_rounding rounding;  /* HQQ needs ZERO_CODE */
    enum quantize_zero zero;
    int is_full_range;                /* ZERO_NONE: codes -Q-1..Q and scale = max|w| / (Q + 1/2), as torchao's int8 weights */
    int is_first_zero_rounded;        /* ZERO_CODE: the zero above is rounded (before HQQ's steps; HQQ's own use has it at 4 bit) */
    int steps;                        /* HQQ: steps that quantize_encode takes, a fact of the matrix (hqq_steps) */
};

/* Errors: UNSUPPORTED settings that no rule above covers; the setting is named. */
enum status quantizer_check(const struct quantizer *q, struct error *e);

/* Where the elements of groups lie: element j of group i is data[i group_stride + j element_stride]. Codes lie likewise. */
struct quantize_groups {
    int64_t n, length;                /* groups; elements of each */
    int64_t group_stride, element_stride;
    int64_t first, cols;              /* place of data[0] in a matrix of so many columns, row-major: what errors name */
};

/* The groups of a matrix [rows, cols], row-major. axis 1: runs of neighbours. axis 0 (HQQ's other way): the matrix as
 * [length, n], a group a column. With ZERO_CODE groups know nothing of rows and run on from one to the next, as HQQ's do;
 * with the others no group crosses a row.
 * Errors: UNSUPPORTED as quantizer_check; where the rows (the matrix) are no multiple of the group, with both numbers. */
enum status quantize_groups_of(const struct quantizer *q, int64_t rows, int64_t cols, int axis, struct quantize_groups *out, struct error *e);

/* `n` groups from `first` on, for a batch: its data begins at element `first * group_stride` of the whole. */
struct quantize_groups quantize_groups_slice(const struct quantize_groups *g, int64_t first, int64_t n);

/* The outcome; of a batch, its part. */
struct quantized {
    uint8_t *codes;                   /* as the elements lie */
    float *scale;                     /* (n) */
    float *zero;                      /* (n); not touched with ZERO_NONE, may be NULL */
};

/* Codes, scales and zeros of w's groups. A group of nothing but zeros has scale 0 with ZERO_NONE and ZERO_INTEGER.
 * Errors: INPUT an element is NaN or infinite, or a group spans more than float32 can hold: row and column are named, to
 * which the caller adds the tensor (error_prefix); codes are then unfinished. */
enum status quantize_encode(const struct quantizer *q, const struct quantize_groups *g, const float *w, const struct quantized *out, struct error *e);

/* y = the values of codes, laid out as the groups are. */
void quantize_decode(const struct quantizer *q, const struct quantize_groups *g, const struct quantized *in, float *y);

/* ---- HQQ: how many steps ----
 * A step moves each group's zero on its own; only when to stop is a fact of the whole matrix: after the first step whose mean
 * error |w - value| is not below the best so far, and that step's zeros stay. So the errors of all steps are added up over
 * all groups first. The sums are exact (integers of 352 bits), hence equal in any order. */
enum { HQQ_MAX_STEPS = 20, HQQ_SUM_DIGITS = 11 };
struct hqq_errors {
    uint64_t digits[HQQ_MAX_STEPS][HQQ_SUM_DIGITS]; /* of step k: sum of digits[k][i] 2^(32 i - 160) */
};

/* Adds the errors of w's groups at each step. Errors: as quantize_encode. */
enum status hqq_errors(const struct quantizer *q, const struct quantize_groups *g, const float *w, struct hqq_errors *add, struct error *e);
void hqq_errors_add(struct hqq_errors *to, const struct hqq_errors *from);
/* Mean |w - value| at step k = 0, 1, … of a matrix of n elements, with the zeros before that step moves them. */
double hqq_mean_error(const struct hqq_errors *errors, int k, int64_t n);
/* Steps to take: 1 to HQQ_MAX_STEPS; 0 for an empty matrix. */
int hqq_steps(const struct hqq_errors *errors, int64_t n);

/* ---- HQQ: packing ----
 * Codes [rows, cols] (the grouped matrix: [n, length] for axis 1, [length, n] for axis 0) in blocks of rows: a word holds one
 * code of each block, the first block's highest. Words: 8 bit 1 code, 4 bit 2, 2 bit 4, all u8; 3 bit 10 in an i32, the first
 * at bit 27, rows filled up with zeros to a multiple of ten. */

/* Rows of words. Errors: UNSUPPORTED rows that 4 or 2 bits do not divide (HQQ packs none of these either). */
enum status hqq_packed_rows(int bits, int64_t rows, int64_t *out, struct error *e);
/* packed (hqq_packed_rows, cols) of i32 where bits is 3, else u8; codes (rows, cols). */
void hqq_pack(int bits, const uint8_t *codes, int64_t rows, int64_t cols, void *packed);
void hqq_unpack(int bits, const void *packed, int64_t rows, int64_t cols, uint8_t *codes);

/* ---- products: what kernels over codes must come to ---- */

struct quantized_product {
    int64_t tokens, rows, cols;       /* T, N, K */
};
/* y (T, N) = x (T, K) w (N, K)^T, sums in float64. */
void product_weight_only(const struct quantized_product *s, const float *x, const float *w, float *y);
/* sums (T, N) = a (T, K) b (N, K)^T of int8 codes, exact. Errors: UNSUPPORTED K above 2^17 - 1, where int32 may overflow. */
enum status product_int8(const struct quantized_product *s, const int8_t *a, const int8_t *b, int32_t *sums, struct error *e);
/* y (T, N) = sums token_scale (T) row_scale (N). */
void product_scaled(const struct quantized_product *s, const int32_t *sums, const float *token_scale, const float *row_scale, float *y);

#endif
