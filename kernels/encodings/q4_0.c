/* q4_0: blocks of 32: f16 d, 16 bytes q; w[j] = d ((q[j] & 15) - 8), w[j+16] = d ((q[j] >> 4) - 8), j < 16, the
 * product in float32. Source: ggml's block_q4_0. */
#include "kernels/encoding.h"

enum { BLOCK = 32, BLOCK_BYTES = 18 };

static void q4_0_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    for (int64_t b = 0; b < n / BLOCK; b++, p += BLOCK_BYTES, out += BLOCK) {
        uint16_t h;
        memcpy(&h, p, sizeof h);
        float d = f16_to_f32(h);
        for (int j = 0; j < BLOCK / 2; j++) out[j] = d * (float)((p[2 + j] & 15) - 8);
        for (int j = 0; j < BLOCK / 2; j++) out[j + BLOCK / 2] = d * (float)((p[2 + j] >> 4) - 8);
    }
}

const struct encoding encoding_q4_0 = {"q4_0", BLOCK, BLOCK_BYTES, 0, q4_0_decode, NULL, NULL, NULL};
