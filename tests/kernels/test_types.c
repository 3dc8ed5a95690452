/* Conversions of one element, against definitions rather than against themselves: every 16-bit pattern by the
 * formula of its format, rounding by comparing neighbours in double. */
#include <math.h>

#include "check_main.h"
#include "kernels/types.h"

static float from_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* IEEE 754 with `e` exponent and `m` mantissa bits, in double. */
static double value_of(uint32_t h, int e, int m) {
    int sign = (int)(h >> (e + m)) & 1, exponent = (int)(h >> m) & ((1 << e) - 1), bias = (1 << (e - 1)) - 1;
    double mantissa = (double)(h & ((1u << m) - 1)), x;
    if (exponent == (1 << e) - 1) x = mantissa != 0 ? NAN : INFINITY;
    else if (exponent == 0) x = ldexp(mantissa, 1 - bias - m);
    else x = ldexp(mantissa + (1 << m), exponent - bias - m);
    return sign ? -x : x;
}

START_TEST(every_16_bit_pattern) {
    for (uint32_t h = 0; h < 65536; h++) {
        double f16 = value_of(h, 5, 10), bf16 = value_of(h, 8, 7);
        float a = f16_to_f32((uint16_t)h), b = bf16_to_f32((uint16_t)h);
        ck_assert_msg(isnan(f16) ? isnan(a) : bits_of((float)f16) == bits_of(a), "f16 %04x", h);
        ck_assert_msg(isnan(bf16) ? isnan(b) : bits_of((float)bf16) == bits_of(b), "bf16 %04x", h);
        if (isnan(a)) ck_assert(isnan(f16_to_f32(f32_to_f16(a))));
        else ck_assert_uint_eq(f32_to_f16(a), h);
        if (isnan(b)) ck_assert(isnan(bf16_to_f32(f32_to_bf16(b))));
        else ck_assert_uint_eq(f32_to_bf16(b), h);
    }
}
END_TEST

/* Between each two neighbours: below the middle goes down, above goes up, the middle to the even one. */
static void check_rounding(uint32_t largest, int e, int m, uint16_t (*convert)(float)) {
    for (uint32_t h = 0; h < largest; h++) {
        double low = value_of(h, e, m), high = value_of(h + 1, e, m);
        if (isinf(high)) high = ldexp(1, (1 << (e - 1))); /* rounding sees the next power of two */
        float middle = (float)((low + high) / 2);
        ck_assert_msg(convert(middle) == (h & 1 ? h + 1 : h), "middle after %04x", h);
        ck_assert_msg(convert(nextafterf(middle, 0)) == h, "below the middle after %04x", h);
        ck_assert_msg(convert(nextafterf(middle, INFINITY)) == h + 1, "above the middle after %04x", h);
        ck_assert_msg(convert(-middle) == (0x8000 | convert(middle)), "sign after %04x", h);
    }
}

START_TEST(rounding_is_half_to_even) {
    check_rounding(0x7c00, 5, 10, f32_to_f16);
    check_rounding(0x7f80 - 1, 8, 7, f32_to_bf16); /* above the last middle there is no f32 but infinity's half */
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x7f7f8000)), 0x7f80);
    ck_assert_uint_eq(f32_to_bf16(from_bits(0x7f7f7fff)), 0x7f7f);
    ck_assert_uint_eq(f32_to_f16(1e10f), 0x7c00);
    ck_assert_uint_eq(f32_to_f16(from_bits(1)), 0);
    ck_assert_uint_eq(f32_to_f16(-INFINITY), 0xfc00);
    ck_assert_uint_eq(f32_to_bf16(-INFINITY), 0xff80);
}
END_TEST

START_TEST(names) {
    for (int t = 0; t < DTYPE_COUNT; t++) ck_assert_int_eq(dtype_parse(dtype_name((enum dtype)t)), t);
    ck_assert_int_eq(dtype_parse("f8"), -1);
    ck_assert_int_eq(dtype_parse(""), -1);
    ck_assert_uint_eq(dtype_bytes(DTYPE_BF16), 2);
    ck_assert_uint_eq(dtype_bytes(DTYPE_F64), 8);
}
END_TEST

TEST_MAIN("types", every_16_bit_pattern, rounding_is_half_to_even, names)
