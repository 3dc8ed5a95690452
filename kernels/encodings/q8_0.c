/* q8_0: blocks of 32: f16 d, 32 x i8 q; w[j] = d q[j], the product in float32. Source: ggml's block_q8_0. */
#include "kernels/encoding.h"

enum { BLOCK = 32, BLOCK_BYTES = 34 };

static void q8_0_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    for (int64_t b = 0; b < n / BLOCK; b++, p += BLOCK_BYTES, out += BLOCK) {
        uint16_t h;
        memcpy(&h, p, sizeof h);
        float d = f16_to_f32(h);
        for (int j = 0; j < BLOCK; j++) out[j] = d * (float)(int8_t)p[2 + j];
    }
}

const struct encoding encoding_q8_0 = {"q8_0", BLOCK, BLOCK_BYTES, 0, q8_0_decode, NULL, NULL, NULL};
