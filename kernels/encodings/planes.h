/* planes.h: codes of a few bits out of the words that encodings of groups keep them in (struct grouping). */
#ifndef ASSAY_KERNELS_ENCODINGS_PLANES_H
#define ASSAY_KERNELS_ENCODINGS_PLANES_H

#include <stdint.h>
#include <string.h>

#include "kernels/encoding.h"

/* n codes of `bits` bits from words at `from`, set (shift 0) or added at bit `shift`; returns what follows the words. */
static inline const uint8_t *unpack_plane(int bits, int shift, int group, const uint8_t *from, int64_t n, uint8_t *restrict codes) {
    enum { MOST_WORDS = 32 };
    int words = group * bits / 16;
    for (int64_t i = 0; i < n; i += group) {
        uint16_t word[MOST_WORDS];
        memcpy(word, from, (size_t)words * sizeof *word);
        for (int j = 0; j < 16 / bits; j++)
            for (int k = 0; k < words; k++) {
                unsigned code = (unsigned)(word[k] >> (bits * j)) & ((1u << bits) - 1);
                codes[i + j * words + k] = (uint8_t)((shift ? codes[i + j * words + k] : 0) | code << shift);
            }
        from += 2 * words;
    }
    return from;
}

/* Codes `first`..`first` + n of a row of `all`; first a multiple of the group. */
static inline void unpack_codes(int bits, int group, const uint8_t *row, int64_t all, int64_t first, int64_t n, uint8_t *restrict codes) {
    if (bits != 3) {
        unpack_plane(bits, 0, group, row + first * bits / 8, n, codes);
        return;
    }
    unpack_plane(2, 0, group, row + first / 4, n, codes);
    unpack_plane(1, 2, group, row + all / 4 + first / 8, n, codes);
}

/* Where a row of n has its scales, and its zero points. */
static inline const uint8_t *grouped_scales(const struct grouping *q, const void *row, int64_t n) { return (const uint8_t *)row + n * q->bits / 8; }
static inline const uint8_t *grouped_zeros(const struct grouping *q, const void *row, int64_t n) {
    return grouped_scales(q, row, n) + n / q->group * (int64_t)dtype_bytes(q->scale);
}

#endif
