/* int8_row: a row is f32 scale, then n x i8 q; w = scale q. Written with scale = max|row| / 127 and q =
 * round-half-even(w / scale) in [-127, 127], all in float32: symmetric int8 by output channel. */
#include <float.h>
#include <math.h>

#include "kernels/encoding.h"

static void int8_row_decode(const void *row, float *y, int64_t n) {
    const uint8_t *restrict p = row;
    float *restrict out = y;
    float scale;
    memcpy(&scale, p, sizeof scale);
    p += sizeof scale;
    for (int64_t i = 0; i < n; i++) out[i] = scale * (float)(int8_t)p[i];
}

/* NaN where any element is NaN or infinite. */
static float max_magnitude(const float *y, int64_t n) {
    uint32_t max = 0; /* bits of magnitudes sort as the magnitudes do, NaN above all */
    for (int64_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &y[i], sizeof u);
        u &= 0x7fffffffu;
        max = u > max ? u : max;
    }
    float f;
    memcpy(&f, &max, sizeof f);
    return f <= FLT_MAX ? f : NAN;
}

static void int8_row_encode(const float *y, void *row, int64_t n) {
    uint8_t *restrict p = row;
    const float *restrict in = y;
    float scale = max_magnitude(y, n) / 127.0f;
    memcpy(p, &scale, sizeof scale);
    p += sizeof scale;
    if (!(scale > 0)) { /* zeros stay zeros; a damaged row decodes to NaN throughout, so damage stays visible */
        memset(p, scale == 0 ? 0 : 1, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float q = in[i] / scale; /* beyond 127 only where scale itself was rounded */
        q = q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q;
        q = (q + 0x1.8p23f) - 0x1.8p23f; /* to a whole number, half to even, where ulp is 1 */
        p[i] = (uint8_t)(int8_t)q;
    }
}

const struct encoding encoding_int8_row = {"int8_row", 1, 1, 1, int8_row_decode, int8_row_encode, NULL, NULL};
