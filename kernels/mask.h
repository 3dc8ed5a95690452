/* mask.h: which elements of a matrix are kept: a bit each, 1 keeps. Column j of a row is bit j % 32 of its word j / 32; bits
 * beyond the last column are 0. A matrix's masks lie row after row, mask_words(cols) a row. */
#ifndef ASSAY_KERNELS_MASK_H
#define ASSAY_KERNELS_MASK_H

#include <stdint.h>

enum { MASK_BITS = 32 };

static inline int64_t mask_words(int64_t cols) { return (cols + MASK_BITS - 1) / MASK_BITS; }
static inline int mask_get(const uint32_t *row, int64_t col) { return (int)(row[col / MASK_BITS] >> (col % MASK_BITS) & 1); }

/* Bits set. */
static inline int64_t mask_count(const uint32_t *words, int64_t n) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += __builtin_popcount(words[i]);
    return count;
}

#endif
