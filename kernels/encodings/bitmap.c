/* bitmap: a row is a bit for each element (mask.h), then the values of those that are not zero, in order.
 *
 * bitmap_int8: f32 scale, the bits, then an i8 code for each bit set; scale and codes are int8_row's of the whole row. A bit says
 * that the number was not zero before it was rounded, whatever its code: masks are those of bitmap_bf16 of the same matrix, and
 * decoding gives int8_row's numbers. */
#include "kernels/base/memory.h"
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

/* ---- int8 ---- */

enum { SCALE_BYTES = sizeof(float) };

static void int8_decode(const void *row, float *y, int64_t n) {
    const uint8_t *masks = (const uint8_t *)row + SCALE_BYTES, *codes = masks + mask_bytes(n);
    float scale;
    memcpy(&scale, row, sizeof scale);
    for (int64_t i = 0; i < n; i += MASK_BITS) {
        uint32_t word;
        int8_t block[MASK_BITS];
        int64_t m = n - i < MASK_BITS ? n - i : MASK_BITS;
        memcpy(&word, masks + i / 8, sizeof word);
        codes += bitmap_unpack_row(codes, &word, m, 1, block);
        for (int64_t j = 0; j < m; j++) y[i + j] = scale * (float)block[j]; /* NaN throughout where the scale is: damage stays visible */
    }
}

static void int8_encode(const float *y, void *row, int64_t n) {
    uint8_t *dense = mem_alloc(SCALE_BYTES + (size_t)n), *masks = (uint8_t *)row + SCALE_BYTES, *codes = masks + mask_bytes(n);
    encoding_int8_row.encode(y, dense, n);
    memcpy(row, dense, SCALE_BYTES);
    for (int64_t i = 0; i < n; i += MASK_BITS) {
        uint32_t word;
        int64_t m = n - i < MASK_BITS ? n - i : MASK_BITS;
        prune_mask_nonzero(y + i, 1, m, &word);
        memcpy(masks + i / 8, &word, sizeof word);
        codes += bitmap_pack_row(dense + SCALE_BYTES + i, &word, m, 1, codes);
    }
    mem_free(dense);
}

static size_t int8_bytes(const void *row, int64_t n) { return SCALE_BYTES + mask_bytes(n) + (size_t)count((const uint8_t *)row + SCALE_BYTES, n); }

const struct encoding encoding_bitmap_int8 = {"bitmap_int8", 1, 1, 1, int8_decode, int8_encode, NULL, int8_bytes};

/* ---- of a type ---- */

#define BITMAP(type, bytes) \
    static void type##_decode(const void *row, float *y, int64_t n) { decode(&encoding_##type, row, y, n); } \
    static void type##_encode(const float *y, void *row, int64_t n) { encode(&encoding_##type, y, row, n); } \
    static size_t type##_bytes(const void *row, int64_t n) { return mask_bytes(n) + (size_t)count(row, n) * (bytes); } \
    const struct encoding encoding_bitmap_##type = {"bitmap_" #type, 1, bytes, 0, type##_decode, type##_encode, NULL, type##_bytes};
BITMAP(f32, 4)
BITMAP(f16, 2)
BITMAP(bf16, 2)
