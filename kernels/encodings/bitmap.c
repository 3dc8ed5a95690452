/* bitmap: a row is a bit for each element (mask.h), then the values of those that are not zero, in order. */
#include "kernels/base/memory.h"
#include "kernels/encoding.h"
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
    enum { BLOCK = MASK_BITS };
    const uint8_t *masks = row, *values = masks + mask_bytes(n);
    for (int64_t i = 0; i < n; i += BLOCK) {
        float kept[BLOCK + 1] = {0};
        uint32_t word;
        int64_t m = n - i < BLOCK ? n - i : BLOCK, at = 0;
        memcpy(&word, masks + i / 8, sizeof word);
        dense->decode(values, kept, __builtin_popcount(word));
        for (int64_t j = 0; j < m; j++) { /* no branch: bits are as good as random */
            uint32_t is_kept = word >> j & 1;
            y[i + j] = is_kept ? kept[at] : 0;
            at += is_kept;
        }
        values += at * dense->block_bytes;
    }
}

static void encode(const struct encoding *dense, const float *y, void *row, int64_t n) {
    enum { BLOCK = MASK_BITS };
    uint8_t *masks = row, *values = masks + mask_bytes(n);
    for (int64_t i = 0; i < n; i += BLOCK) {
        float kept[BLOCK];
        uint32_t word = 0;
        int64_t m = n - i < BLOCK ? n - i : BLOCK, at = 0;
        for (int64_t j = 0; j < m; j++)
            if (y[i + j] != 0) {
                word |= 1u << j;
                kept[at++] = y[i + j];
            }
        memcpy(masks + i / 8, &word, sizeof word);
        dense->encode(kept, values, at);
        values += at * dense->block_bytes;
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
