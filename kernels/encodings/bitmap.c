/* bitmap: a row is a bit for each element (mask.h), then the values of those that are not zero, in order. */
#include "kernels/encoding.h"
#include "kernels/prune.h"
#include "kernels/sparse/bitmap.h"

static size_t mask_bytes(int64_t n) { return (size_t)mask_words(n) * sizeof(uint32_t); }

/* Masks may lie at any byte. */
static int64_t count(const uint8_t *row, int64_t n) {
    int64_t sum = 0;
    for (int64_t i = 0; i < mask_words(n); i++) {
        uint32_t word;
        memcpy(&word, row + 4 * i, sizeof word);
        sum += __builtin_popcount(word);
    }
    return sum;
}

static void decode(const struct encoding *dense, const void *row, float *y, int64_t n) {
    const uint8_t *masks = row, *values = masks + mask_bytes(n);
    for (int64_t i = 0; i < n; i += MASK_BITS) {
        uint32_t word, block[MASK_BITS];
        int64_t m = n - i < MASK_BITS ? n - i : MASK_BITS;
        memcpy(&word, masks + i / 8, sizeof word);
        values += bitmap_unpack_row(values, &word, m, dense->block_bytes, block) * dense->block_bytes;
        dense->decode(block, y + i, m);
    }
}

static void encode(const struct encoding *dense, const float *y, void *row, int64_t n) {
    uint8_t *masks = row, *values = masks + mask_bytes(n);
    for (int64_t i = 0; i < n; i += MASK_BITS) {
        uint32_t word, block[MASK_BITS];
        int64_t m = n - i < MASK_BITS ? n - i : MASK_BITS;
        prune_mask_nonzero(y + i, 1, m, &word);
        memcpy(masks + i / 8, &word, sizeof word);
        dense->encode(y + i, block, m);
        values += bitmap_pack_row(block, &word, m, dense->block_bytes, values) * dense->block_bytes;
    }
}

#define BITMAP(type, bytes) \
    static void type##_decode(const void *row, float *y, int64_t n) { decode(&encoding_##type, row, y, n); } \
    static void type##_encode(const float *y, void *row, int64_t n) { encode(&encoding_##type, y, row, n); } \
    static size_t type##_bytes(const void *row, int64_t n) { return mask_bytes(n) + (size_t)count(row, n) * (bytes); } \
    const struct encoding encoding_bitmap_##type = {"bitmap_" #type, 1, bytes, 0, type##_decode, type##_encode, NULL, type##_bytes};
BITMAP(f32, 4)
BITMAP(f16, 2)
BITMAP(bf16, 2)
