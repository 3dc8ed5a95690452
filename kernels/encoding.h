/* encoding.h: how the numbers of a matrix are stored; an encoding is a fact about bytes, apart from the
 * arithmetic that uses them.
 *
 * A row of a matrix is cut into blocks of `block` elements, each `block_bytes` long; no block crosses a row.
 * Dense storage of a type is the encoding with block 1. To add an encoding: one file with its descriptor,
 * one line in ENCODING_LIST (of groups: GROUPED_LIST), one case in the backend's supports. */
#ifndef ASSAY_KERNELS_ENCODING_H
#define ASSAY_KERNELS_ENCODING_H

#include "kernels/base/status.h"
#include "kernels/mask.h"
#include "kernels/types.h"

/* Codes of a few bits with a scale and a zero point for each group of neighbours: value = (code − zero) scale.
 * A row of n: the codes, then n/group scales, then as many zeros. A group of b-bit codes is w = group·b/16 words of 16 bits;
 * code j (bits b·j up) of word i is element j·w + i of the group. Three bits are all of two bits first, then all of one. */
struct grouping {
    int bits, group;
    enum dtype scale, zero; /* f16 or f32; u8, f16 or f32 */
};

struct encoding {
    const char *name;    /* "f32", "q8_0", … as users and the store write it */
    int block;           /* elements a block */
    int block_bytes;
    int has_row_scale;   /* 1: each row's bytes begin with an f32 scale */
    /* y[0..n) = the row's numbers as f32; n a multiple of block. */
    void (*decode)(const void *row, float *y, int64_t n);
    /* row = y encoded; NULL where Assay never writes this encoding. */
    void (*encode)(const float *y, void *row, int64_t n);
    const struct grouping *groups; /* NULL: it has none */
    /* Of rows that differ in length (sparse ones): bytes of this one. NULL: all are alike. */
    size_t (*row_bytes)(const void *row, int64_t n);
};

/* name, bits, group, types of scale and zero point; in grouped.c. Whole zero points unless the name ends in _z. */
#define GROUPED_OF(X, bits, group) \
    X(int##bits##_g##group, bits, group, F16, U8) X(int##bits##_g##group##_z, bits, group, F16, F16) \
    X(int##bits##_g##group##_f32, bits, group, F32, U8) X(int##bits##_g##group##_f32_z, bits, group, F32, F32)
#define GROUPED_LIST(X) \
    GROUPED_OF(X, 4, 32) GROUPED_OF(X, 4, 64) GROUPED_OF(X, 4, 128) GROUPED_OF(X, 3, 32) GROUPED_OF(X, 3, 64) GROUPED_OF(X, 3, 128) \
    GROUPED_OF(X, 2, 32) GROUPED_OF(X, 2, 64) GROUPED_OF(X, 2, 128)

/* name: the C name; a descriptor encoding_NAME stands in kernels/encodings/NAME.c (or dense.c, grouped.c). */
#define ENCODING_LIST(X) X(f32) X(f16) X(bf16) X(q8_0) X(q4_0) X(q4_1) X(int8_row) X(bitmap_f32) X(bitmap_f16) X(bitmap_bf16) X(bitmap_int8)

#define X(name) extern const struct encoding encoding_##name;
ENCODING_LIST(X)
#undef X
#define X(name, bits, group, scale, zero) extern const struct encoding encoding_##name;
GROUPED_LIST(X)
#undef X

/* NULL where no encoding has this name. */
const struct encoding *encoding_find(const char *name);
/* The dense encoding of a floating type; NULL for others. */
const struct encoding *encoding_of_dtype(enum dtype t);

/* row = y (n) by a rule of kernels/quantize.h: codes, scales and zero points as the grouping has them. `at` is the row's
 * place in its matrix, which errors name. Errors: as quantize_encode. */
struct quantizer;
enum status grouped_encode(const struct grouping *q, const struct quantizer *rule, const float *y, int64_t at, void *row, int64_t n, struct error *e);

/* Bytes of one row of n elements, at most where rows differ; n must be a multiple of the block (checked by callers that
 * read files). */
static inline size_t encoding_row_bytes(const struct encoding *e, int64_t n) {
    size_t masks = e->row_bytes ? (size_t)mask_words(n) * sizeof(uint32_t) : 0;
    return masks + (size_t)(n / e->block) * (size_t)e->block_bytes + (e->has_row_scale ? sizeof(float) : 0);
}

#endif
