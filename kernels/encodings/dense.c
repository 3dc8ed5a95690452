/* dense.c: f32, f16, bf16 as they are. Rows may start at any byte, so elements are copied out. */
#include "kernels/encoding.h"

static void f32_decode(const void *row, float *y, int64_t n) { memcpy(y, row, (size_t)n * sizeof *y); }
static void f32_encode(const float *y, void *row, int64_t n) { memcpy(row, y, (size_t)n * sizeof *y); }

static inline uint16_t load_u16(const uint8_t *p) {
    uint16_t h;
    memcpy(&h, p, sizeof h);
    return h;
}

/* As f16_to_f32, both branches computed and one chosen, so that the loop becomes vector code. */
static inline float f16_select(uint16_t h) {
    uint32_t bits = h & 0x7fffu, mantissa = h & 1023u, sign = (uint32_t)(h & 0x8000u) << 16, small_bits;
    uint32_t shift = bits >= 0x7c00u ? 224u << 23 : 112u << 23; /* 31 becomes 255 for infinity and NaN */
    float small = (float)(int32_t)mantissa * 0x1p-24f, out;
    memcpy(&small_bits, &small, sizeof small_bits);
    uint32_t u = sign | (bits < 0x400u ? small_bits : (bits << 13) + shift);
    memcpy(&out, &u, sizeof out);
    return out;
}

static void f16_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    for (int64_t i = 0; i < n; i++) out[i] = f16_select(load_u16(p + 2 * i));
}

static void f16_encode(const float *y, void *row, int64_t n) {
    uint8_t *p = row;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = f32_to_f16(y[i]);
        memcpy(p + 2 * i, &h, sizeof h);
    }
}

static void bf16_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(load_u16(p + 2 * i));
}

static void bf16_encode(const float *y, void *row, int64_t n) {
    uint8_t *p = row;
    for (int64_t i = 0; i < n; i++) {
        uint16_t h = f32_to_bf16(y[i]);
        memcpy(p + 2 * i, &h, sizeof h);
    }
}

const struct encoding encoding_f32 = {"f32", 1, 4, 0, f32_decode, f32_encode, NULL, NULL};
const struct encoding encoding_f16 = {"f16", 1, 2, 0, f16_decode, f16_encode, NULL, NULL};
const struct encoding encoding_bf16 = {"bf16", 1, 2, 0, bf16_decode, bf16_encode, NULL, NULL};
