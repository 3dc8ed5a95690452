/* q4_1: blocks of 32: f16 d, f16 m, 16 bytes q; w[j] = d (q[j] & 15) + m, w[j+16] = d (q[j] >> 4) + m, j < 16,
 * product and sum in float32 (the product of 11 and 4 bits is exact). Source: ggml's block_q4_1. */
#include "kernels/encoding.h"

enum { BLOCK = 32, BLOCK_BYTES = 20 };

static void q4_1_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    for (int64_t b = 0; b < n / BLOCK; b++, p += BLOCK_BYTES, out += BLOCK) {
        uint16_t h[2];
        memcpy(h, p, sizeof h);
        float d = f16_to_f32(h[0]), m = f16_to_f32(h[1]);
        for (int j = 0; j < BLOCK / 2; j++) out[j] = d * (float)(p[4 + j] & 15) + m;
        for (int j = 0; j < BLOCK / 2; j++) out[j + BLOCK / 2] = d * (float)(p[4 + j] >> 4) + m;
    }
}

const struct encoding encoding_q4_1 = {"q4_1", BLOCK, BLOCK_BYTES, 0, q4_1_decode, NULL, NULL, NULL};
