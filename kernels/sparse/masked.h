/* masked.h: a dense matrix and which of its elements are kept: what every sparse format here is made from. Elements are bit
 * patterns (bf16, f16, int8 codes); a kept element is stored even where it is 0, and decoding gives 0 for the others. */
#ifndef ASSAY_KERNELS_SPARSE_MASKED_H
#define ASSAY_KERNELS_SPARSE_MASKED_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/mask.h"

struct masked {
    const void *values;               /* (rows, cols), row-major */
    const uint32_t *mask;             /* (rows, mask_words(cols)) */
    int64_t rows, cols;
};

/* Kept elements of the row from column col on, at most 32 of them: bit j is column col + j. col is a multiple of 8; 0 beyond
 * the matrix. */
static inline uint32_t masked_bits(const struct masked *m, int64_t row, int64_t col) {
    int64_t words = mask_words(m->cols), word = col / MASK_BITS;
    if (row >= m->rows || word >= words) return 0;
    return m->mask[row * words + word] >> (col % MASK_BITS);
}

/* In place of a capacity: a tile may hold whatever it has. */
enum { SPARSE_UNLIMITED = 0 };

#endif
