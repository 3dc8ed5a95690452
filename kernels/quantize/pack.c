/* pack.c: HQQ's packing, by blocks of rows. Source: hqq/core/bitpack.py as golden/quantize states it. */
#include "kernels/quantize/internal.h"

/* Codes a word. */
static int codes_per_word(int bits) { return bits == 3 ? 10 : 8 / bits; }

enum status hqq_packed_rows(int bits, int64_t rows, int64_t *out, struct error *e) {
    int n = codes_per_word(bits);
    if (bits != 3 && rows % n != 0)
        return error_set(e, STATUS_UNSUPPORTED, "%lld rows of groups cannot be packed %d to a byte: they are no multiple of it", (long long)rows, n);
    *out = (rows + n - 1) / n;
    return STATUS_OK;
}

/* The first block's code is highest. */
static int shift_of(int bits, int block) { return bits * (codes_per_word(bits) - 1 - block); }

void hqq_pack(int bits, const uint8_t *codes, int64_t rows, int64_t cols, void *packed) {
    int n = codes_per_word(bits);
    int64_t words = (rows + n - 1) / n * cols;
    for (int64_t i = 0; i < words; i++) {
        uint32_t word = 0;
        for (int b = 0; b < n && b * words + i < rows * cols; b++) word |= (uint32_t)codes[b * words + i] << shift_of(bits, b);
        if (bits == 3) ((int32_t *)packed)[i] = (int32_t)word;
        else ((uint8_t *)packed)[i] = (uint8_t)word;
    }
}

void hqq_unpack(int bits, const void *packed, int64_t rows, int64_t cols, uint8_t *codes) {
    int n = codes_per_word(bits);
    int64_t words = (rows + n - 1) / n * cols;
    uint32_t mask = (1u << bits) - 1;
    for (int64_t i = 0; i < words; i++) {
        uint32_t word = bits == 3 ? (uint32_t)((const int32_t *)packed)[i] : ((const uint8_t *)packed)[i];
        for (int b = 0; b < n && b * words + i < rows * cols; b++) codes[b * words + i] = (uint8_t)(word >> shift_of(bits, b) & mask);
    }
}
