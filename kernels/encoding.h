/* encoding.h: how the numbers of a matrix are stored; an encoding is a fact about bytes, apart from the
 * arithmetic that uses them.
 *
 * A row of a matrix is cut into blocks of `block` elements, each `block_bytes` long; no block crosses a row.
 * Dense storage of a type is the encoding with block 1. To add an encoding: one file with its descriptor,
 * one line in ENCODING_LIST, one case in the backend's supports. */
#ifndef ASSAY_KERNELS_ENCODING_H
#define ASSAY_KERNELS_ENCODING_H

#include "kernels/base/status.h"
#include "kernels/types.h"

struct encoding {
    const char *name;    /* "f32", "q8_0", … as users and the store write it */
    int block;           /* elements a block */
    int block_bytes;
    int has_row_scale;   /* 1: each row's bytes begin with an f32 scale */
    /* y[0..n) = the row's numbers as f32; n a multiple of block. */
    void (*decode)(const void *row, float *y, int64_t n);
    /* row = y encoded; NULL where Assay never writes this encoding. */
    void (*encode)(const float *y, void *row, int64_t n);
};

/* name: the C name; a descriptor encoding_NAME stands in kernels/encodings/NAME.c (or dense.c). */
#define ENCODING_LIST(X) X(f32) X(f16) X(bf16) X(q8_0) X(q4_0) X(q4_1) X(int8_row)

#define X(name) extern const struct encoding encoding_##name;
ENCODING_LIST(X)
#undef X

/* NULL where no encoding has this name. */
const struct encoding *encoding_find(const char *name);
/* The dense encoding of a floating type; NULL for others. */
const struct encoding *encoding_of_dtype(enum dtype t);

/* Bytes of one row of n elements; n must be a multiple of the block (checked by callers that read files). */
static inline size_t encoding_row_bytes(const struct encoding *e, int64_t n) {
    return (size_t)(n / e->block) * (size_t)e->block_bytes + (e->has_row_scale ? sizeof(float) : 0);
}

#endif
