/* types.h: the words everything else is written in: element types, encodings' names, dimension letters.
 *
 * Glossary of dimension letters, everywhere in this project:
 *   B requests   R packed rows (all tokens of a launch)   T query positions   S key positions
 *   D model width   H query heads   G key-value heads   K head width   F feed-forward width
 *   V vocabulary   L layers   E experts   N multiplexed requests */
#ifndef ASSAY_KERNELS_TYPES_H
#define ASSAY_KERNELS_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* name, text, bytes an element. Packed types to come are encodings (encoding.h), not element types. */
#define DTYPE_LIST(X) \
    X(F32, "f32", 4) X(F16, "f16", 2) X(BF16, "bf16", 2) X(I8, "i8", 1) X(U8, "u8", 1) X(I32, "i32", 4) \
    X(I64, "i64", 8) X(F64, "f64", 8)

enum dtype {
#define X(name, text, bytes) DTYPE_##name,
    DTYPE_LIST(X)
#undef X
    DTYPE_COUNT
};

static inline size_t dtype_bytes(enum dtype t) {
    static const uint8_t bytes[] = {
#define X(name, text, bytes) bytes,
        DTYPE_LIST(X)
#undef X
    };
    return bytes[t];
}

static inline const char *dtype_name(enum dtype t) {
    static const char *const names[] = {
#define X(name, text, bytes) text,
        DTYPE_LIST(X)
#undef X
    };
    return names[t];
}

/* -1 where the text names none. */
static inline int dtype_parse(const char *text) {
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (strcmp(text, dtype_name((enum dtype)t)) == 0) return t;
    return -1;
}

/* Conversions of one element, exact as IEEE has them; to 16 bits rounds half to even. */
static inline float bf16_to_f32(uint16_t h) {
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint16_t f32_to_bf16(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40); /* quiet NaN */
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}

static inline float f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 1023u, u;
    if (exponent == 31) {
        u = sign | 0x7f800000u | (mantissa << 13);
    } else if (exponent != 0) {
        u = sign | ((exponent + 112) << 23) | (mantissa << 13);
    } else { /* zero or subnormal: mantissa * 2^-24 is exact in f32 */
        float value = (float)mantissa * 0x1p-24f;
        memcpy(&u, &value, 4);
        u |= sign;
    }
    float f;
    memcpy(&f, &u, 4);
    return f;
}

static inline uint16_t f32_to_f16(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    uint16_t sign = (uint16_t)((u >> 16) & 0x8000u);
    u &= 0x7fffffffu;
    if (u > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
    if (u >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and up round to infinity */
    if (u < 0x38800000u) { /* below 2^-14: subnormal, round by adding at the right binade */
        float magnitude;
        memcpy(&magnitude, &u, 4);
        float shifted = magnitude + 0.5f; /* ulp of 0.5 is 2^-24 */
        uint32_t bits;
        memcpy(&bits, &shifted, 4);
        return (uint16_t)(sign | (uint16_t)(bits - 0x3f000000u));
    }
    uint32_t rounded = u + 0xfffu + ((u >> 13) & 1);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}

#endif
