/* vec.h: a vector of LANES floats on every level, and loads and stores that convert. Element type is a constant
 * in every use, so that the switches fold away. Private to kernels/cpu/isa/. */
#ifndef ASSAY_KERNELS_CPU_ISA_VEC_H
#define ASSAY_KERNELS_CPU_ISA_VEC_H

#include <immintrin.h>
#include <math.h>

#include "kernels/cpu/isa.h"

#define INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX2__)
#define LANES 8
#else
#define LANES 4
#endif

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2))); /* 16-bit elements */
typedef vf vf_any __attribute__((aligned(1), may_alias));
typedef vh vh_any __attribute__((aligned(1), may_alias));

INLINE vf v_set(float x) { return (vf){0} + x; }
/* The word at p in every lane, whatever its bits mean. */
INLINE vf v_spread(const void *p) {
    int32_t bits;
    memcpy(&bits, p, sizeof bits);
    return (vf)((vi){0} + bits);
}
/* The larger and the smaller: b where either is NaN. Of whole numbers likewise. */
#if LANES == 16
INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vi v_max_whole(vi a, vi b) { return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b); }
INLINE int32_t v_most_whole(vi x) { return _mm512_reduce_max_epi32((__m512i)x); }
/* a < b ? yes : no */
INLINE vf v_if_less(vf a, vf b, vf yes, vf no) { return (vf)_mm512_mask_mov_ps((__m512)no, _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)yes); }
#else
#if LANES == 8
INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
#else
INLINE vf v_max(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
#endif
INLINE vi v_max_whole(vi a, vi b) {
    vi is_more = a > b;
    return (is_more & a) | (~is_more & b);
}
INLINE int32_t v_most_whole(vi x) {
    int32_t most = x[0];
    for (int l = 1; l < LANES; l++) most = x[l] > most ? x[l] : most;
    return most;
}
INLINE vf v_if_less(vf a, vf b, vf yes, vf no) {
    vi mask = a < b;
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}
#endif

INLINE vf v_fma(vf a, vf b, vf c) {
#if LANES == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif LANES == 8
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

#if defined(__AVX512VNNI__)
/* sum + u · s, four bytes a lane, u unsigned. In these words since the compilers' own function makes them copy every sum. */
INLINE vi v_dot_codes(vi sum, vi u, vi s) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s));
    return sum;
}
INLINE vi v_load_codes(const void *p) { return (vi)_mm512_loadu_si512(p); }
#endif

#if defined(__AVX512BF16__)
/* sum + a · b, two bf16 a lane; in these words likewise. */
INLINE vf v_dot_pairs(vf sum, vf a, vf b) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
#endif

INLINE vi v_round(vf x) { /* to nearest, ties to even; in range */
#if LANES == 16
    return (vi)_mm512_cvtps_epi32((__m512)x);
#elif LANES == 8
    return (vi)_mm256_cvtps_epi32((__m256)x);
#else
    return (vi)_mm_cvtps_epi32((__m128)x);
#endif
}

INLINE float v_sum(vf x) {
    float s = 0;
#if LANES == 16
    s = _mm512_reduce_add_ps((__m512)x);
#else
    for (int i = 0; i < LANES; i++) s += x[i];
#endif
    return s;
}

INLINE float v_most(vf x) {
#if LANES == 16
    return _mm512_reduce_max_ps((__m512)x);
#else
    float m = x[0];
    for (int i = 1; i < LANES; i++) m = x[i] > m ? x[i] : m;
    return m;
#endif
}

/* ---- transposition: elements of a and b interleaved within each lane of 128 bits ---- */

#if LANES == 16
INLINE vf v_low32(vf a, vf b) { return (vf)_mm512_unpacklo_ps((__m512)a, (__m512)b); }
INLINE vf v_high32(vf a, vf b) { return (vf)_mm512_unpackhi_ps((__m512)a, (__m512)b); }
INLINE vf v_low64(vf a, vf b) { return (vf)_mm512_unpacklo_pd((__m512d)a, (__m512d)b); }
INLINE vf v_high64(vf a, vf b) { return (vf)_mm512_unpackhi_pd((__m512d)a, (__m512d)b); }
#elif LANES == 8
INLINE vf v_low32(vf a, vf b) { return (vf)_mm256_unpacklo_ps((__m256)a, (__m256)b); }
INLINE vf v_high32(vf a, vf b) { return (vf)_mm256_unpackhi_ps((__m256)a, (__m256)b); }
INLINE vf v_low64(vf a, vf b) { return (vf)_mm256_unpacklo_pd((__m256d)a, (__m256d)b); }
INLINE vf v_high64(vf a, vf b) { return (vf)_mm256_unpackhi_pd((__m256d)a, (__m256d)b); }
#else
INLINE vf v_low32(vf a, vf b) { return (vf)_mm_unpacklo_ps((__m128)a, (__m128)b); }
INLINE vf v_high32(vf a, vf b) { return (vf)_mm_unpackhi_ps((__m128)a, (__m128)b); }
INLINE vf v_low64(vf a, vf b) { return (vf)_mm_unpacklo_pd((__m128d)a, (__m128d)b); }
INLINE vf v_high64(vf a, vf b) { return (vf)_mm_unpackhi_pd((__m128d)a, (__m128d)b); }
#endif

/* Lane l of v[4·i] becomes lane i of v[4·l]: what is left of a transposition of LANES vectors. */
INLINE void v_transpose_lanes(vf *v) {
#if LANES == 16
    __m512 even_low = _mm512_shuffle_f32x4((__m512)v[0], (__m512)v[4], 0x88), odd_low = _mm512_shuffle_f32x4((__m512)v[0], (__m512)v[4], 0xdd);
    __m512 even_high = _mm512_shuffle_f32x4((__m512)v[8], (__m512)v[12], 0x88), odd_high = _mm512_shuffle_f32x4((__m512)v[8], (__m512)v[12], 0xdd);
    v[0] = (vf)_mm512_shuffle_f32x4(even_low, even_high, 0x88);
    v[4] = (vf)_mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    v[8] = (vf)_mm512_shuffle_f32x4(even_low, even_high, 0xdd);
    v[12] = (vf)_mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
#elif LANES == 8
    vf low = (vf)_mm256_permute2f128_ps((__m256)v[0], (__m256)v[4], 0x20);
    v[4] = (vf)_mm256_permute2f128_ps((__m256)v[0], (__m256)v[4], 0x31);
    v[0] = low;
#else
    (void)v;
#endif
}

/* LANES² elements: first the 4 × 4 squares within lanes of 128 bits, by interleaving; then the lanes themselves. */
INLINE void v_transpose(vf *rows) {
    vf t[LANES];
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i += 2) {
        t[i] = v_low32(rows[i], rows[i + 1]);
        t[i + 1] = v_high32(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i += 4) { /* row i + j: columns j, 4 + j, … of rows i to i + 3 */
        rows[i] = v_low64(t[i], t[i + 2]);
        rows[i + 1] = v_high64(t[i], t[i + 2]);
        rows[i + 2] = v_low64(t[i + 1], t[i + 3]);
        rows[i + 3] = v_high64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) v_transpose_lanes(rows + j);
}

/* ---- memory ---- */

/* Asks for what a stream has `ahead` bytes further on. It pays where a load feeds products enough to wait behind; with fewer the processor
 * follows the streams by itself, and asking costs. Where that begins, and how far ahead, are found by measuring. */
INLINE void ask_ahead(int asks, const void *p, int ahead) {
    if (asks) __builtin_prefetch((const char *)p + ahead);
}

INLINE vf vh_bf16(vh h) { return (vf)(__builtin_convertvector(h, vu) << 16); }

INLINE vf vh_f16(vh h) {
#if LANES == 16
    return (vf)_mm512_cvtph_ps((__m256i)h);
#elif LANES == 8
    return (vf)_mm256_cvtph_ps((__m128i)h);
#else
    vf x;
    for (int i = 0; i < LANES; i++) x[i] = f16_to_f32(h[i]);
    return x;
#endif
}

INLINE vh bf16_vh(vf x) {
#if defined(__AVX512BF16__)
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#else
    vu u = (vu)x, rounded = (u + 0x7fffu + ((u >> 16) & 1)) >> 16;
    vu quiet = (u >> 16) | 0x40;
    vu is_nan = (vu)(x != x);
    return __builtin_convertvector((is_nan & quiet) | (~is_nan & rounded), vh);
#endif
}

INLINE vh f16_vh(vf x) {
#if LANES == 16
    return (vh)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif LANES == 8
    return (vh)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    vh h;
    for (int i = 0; i < LANES; i++) h[i] = f32_to_f16(x[i]);
    return h;
#endif
}

/* Halves: a vector is two vh side by side, as vectors of f32 hold them. */
union v_halves {
    vf all;
    vh part[2];
};

/* sum + a · b in fp16, rounded once where the processor has it; elsewhere by f32, whose sum is rounded on the way. */
INLINE vf v_fma_halves(vf a, vf b, vf sum) {
#if defined(__AVX512BF16__) /* no level of its own: who calls it asks isa_has_halves */
    __asm__("vfmadd231ph %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
#else
    union v_halves x = {a}, y = {b}, s = {sum};
    for (int i = 0; i < 2; i++) s.part[i] = f16_vh(v_fma(vh_f16(x.part[i]), vh_f16(y.part[i]), vh_f16(s.part[i])));
    return s.all;
#endif
}

/* LANES signed bytes as floats. */
INLINE vf v_bytes(const void *p) {
#if LANES == 16
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p)));
#elif LANES == 8
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p)));
#else
    int32_t four;
    memcpy(&four, p, sizeof four);
    __m128i zero = _mm_setzero_si128(), wide = _mm_unpacklo_epi16(zero, _mm_unpacklo_epi8(zero, _mm_cvtsi32_si128(four)));
    return (vf)_mm_cvtepi32_ps(_mm_srai_epi32(wide, 24));
#endif
}

/* Elements i..i+LANES of an array of type t; here, and where it says so, i8 too. */
INLINE vf v_load(enum dtype t, const void *p, int64_t i) {
    if (t == DTYPE_I8) return v_bytes((const int8_t *)p + i);
    if (t == DTYPE_F32) return *(const vf_any *)(const void *)((const float *)p + i);
    vh h = *(const vh_any *)(const void *)((const uint16_t *)p + i);
    return t == DTYPE_BF16 ? vh_bf16(h) : vh_f16(h);
}

INLINE void v_store(enum dtype t, void *p, int64_t i, vf x) {
    if (t == DTYPE_F32) *(vf_any *)(void *)((float *)p + i) = x;
    else *(vh_any *)(void *)((uint16_t *)p + i) = t == DTYPE_BF16 ? bf16_vh(x) : f16_vh(x);
}

/* The first n of whole numbers in the range of a byte, as bytes. */
INLINE void v_store_bytes(void *p, vi x, int64_t n) {
#if LANES == 16
    if (n == LANES) _mm_storeu_si128(p, _mm512_cvtepi32_epi8((__m512i)x));
    else _mm_mask_storeu_epi8(p, (__mmask16)((1u << n) - 1), _mm512_cvtepi32_epi8((__m512i)x));
#else
    for (int64_t i = 0; i < n; i++) ((int8_t *)p)[i] = (int8_t)x[i];
#endif
}

/* The last n < LANES of an array (of i8, too); lanes beyond are zero, nothing beyond is touched. */
INLINE vf v_load_part(enum dtype t, const void *p, int64_t i, int64_t n) {
#if LANES == 16
    __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (t == DTYPE_I8) return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, (const int8_t *)p + i)));
    if (t == DTYPE_F32) return (vf)_mm512_maskz_loadu_ps(mask, (const float *)p + i);
    vh h = (vh)_mm256_maskz_loadu_epi16(mask, (const uint16_t *)p + i);
#else
    vf x = {0};
    vh h = {0};
    if (t == DTYPE_I8) {
        int8_t bytes[LANES] = {0};
        memcpy(bytes, (const int8_t *)p + i, (size_t)n);
        return v_bytes(bytes);
    }
    if (t == DTYPE_F32) {
        memcpy(&x, (const float *)p + i, (size_t)n * 4);
        return x;
    }
    memcpy(&h, (const uint16_t *)p + i, (size_t)n * 2);
#endif
    return t == DTYPE_BF16 ? vh_bf16(h) : vh_f16(h);
}

INLINE void v_store_part(enum dtype t, void *p, int64_t i, int64_t n, vf x) {
#if LANES == 16
    __mmask16 mask = (__mmask16)((1u << n) - 1);
    if (t == DTYPE_F32) _mm512_mask_storeu_ps((float *)p + i, mask, (__m512)x);
    else _mm256_mask_storeu_epi16((uint16_t *)p + i, mask, (__m256i)(t == DTYPE_BF16 ? bf16_vh(x) : f16_vh(x)));
#else
    if (t == DTYPE_F32) {
        memcpy((float *)p + i, &x, (size_t)n * 4);
    } else {
        vh h = t == DTYPE_BF16 ? bf16_vh(x) : f16_vh(x);
        memcpy((uint16_t *)p + i, &h, (size_t)n * 2);
    }
#endif
}

/* Walks n elements: `body` with (i, LANES), then once with the rest. is_part is a constant in each copy. */
#define V_FOR(i, n, part, body) \
    do { \
        int64_t i = 0, part = LANES; \
        for (; i + LANES <= (n); i += LANES) body; \
        part = (n) - i; \
        if (part > 0) body; \
    } while (0)
#define V_LOAD(t, p, i, part) ((part) == LANES ? v_load(t, p, i) : v_load_part(t, p, i, part))
#define V_STORE(t, p, i, part, x) ((part) == LANES ? v_store(t, p, i, x) : v_store_part(t, p, i, part, x))

#if LANES == 16
/* The same of a type that zero points have, u8 among them. */
INLINE vf v_load_number(enum dtype t, const void *p, int64_t i, int64_t n) {
    if (t != DTYPE_U8) return V_LOAD(t, p, i, n);
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1), (const char *)p + i)));
}
#endif

/* exp(x) = 2^n · e^r, n = round(x / ln 2), |r| ≤ ln 2 / 2; e^r by its Taylor polynomial of degree 7 (remainder
 * below 6e-9), ln 2 in two parts (Cody & Waite 1980) so that r has no rounding of n·ln 2. Error below 1.5 ulp,
 * tested against libm; 0 below −87.3, infinity above 88.7, NaN stays. */
INLINE vf v_exp(vf x) {
    const float low = -87.3f, high = 88.72f;
    vf in = v_max(v_set(low), v_min(v_set(high), x));
    vi whole = v_round(in * 1.44269504f);
    vf n = __builtin_convertvector(whole, vf);
    vf r = v_fma(n, v_set(-0.693359375f), in);
#if LANES == 4
    __asm__("" : "+x"(r)); /* the compiler may reorder sums, but this order is the point */
#endif
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vf y = v_set(1.0f / 5040);
    y = v_fma(y, r, v_set(1.0f / 720));
    y = v_fma(y, r, v_set(1.0f / 120));
    y = v_fma(y, r, v_set(1.0f / 24));
    y = v_fma(y, r, v_set(1.0f / 6));
    y = v_fma(y, r, v_set(0.5f));
    y = v_fma(y, r, v_set(1.0f));
    y = v_fma(y, r, v_set(1.0f));
    /* 2^128 has no exponent of its own: two factors */
    vi half = whole >> 1;
    y = y * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
    y = v_if_less(x, v_set(low), v_set(0), y);
    return v_if_less(v_set(high), x, v_set(INFINITY), y);
}

#endif
