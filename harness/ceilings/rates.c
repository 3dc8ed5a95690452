/* rates.c: multiply-adds on registers alone, in several independent chains, for every vector unit.
 * Operands are ones that the compiler cannot see, so each lane counts its own multiply-adds. */
#include <string.h>

#include "harness/ceilings/probe.h"
#include "harness/doctor/features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { STEPS = 64 }; /* of every chain in one repeat */

/* CHAINS multiply-adds that do not wait for each other, STEPS times a repeat. SUM(v) counts a vector's lanes. */
#define RATE(name, TARGET, VECTOR, ZERO, CHAINS, PREPARE, STEP, SUM) \
    static TARGET void name(struct share *s, int64_t repeats) { \
        VECTOR acc[CHAINS]; \
        for (int c = 0; c < (CHAINS); c++) acc[c] = ZERO; \
        PREPARE \
        for (int64_t r = 0; r < repeats * STEPS; r++) { \
            _Pragma("GCC unroll 24") for (int c = 0; c < (CHAINS); c++) STEP; \
        } \
        for (int c = 0; c < (CHAINS); c++) { \
            VECTOR v = acc[c]; \
            s->sink += SUM(&v, sizeof v); \
        } \
    }

static uint64_t sum_f32(const void *lanes, size_t bytes) {
    double sum = 0;
    float lane;
    for (size_t i = 0; i < bytes; i += sizeof lane) {
        memcpy(&lane, (const char *)lanes + i, sizeof lane);
        sum += (double)lane;
    }
    return (uint64_t)sum;
}

/* ---- plain C: what any compiler makes of a multiply and an add ---- */

typedef float quad __attribute__((vector_size(16)));
static int always(void) { return 1; }
#define PLAIN_ONE \
    volatile float seen = 1; \
    const float one = seen; \
    const quad a = {one, one, one, one};
RATE(plain_f32_6, , quad, ((quad){0}), 6, PLAIN_ONE, (acc[c] = acc[c] * a + a), sum_f32)
RATE(plain_f32_12, , quad, ((quad){0}), 12, PLAIN_ONE, (acc[c] = acc[c] * a + a), sum_f32)

#if defined(__x86_64__)

static uint64_t sum_i32(const void *lanes, size_t bytes) {
    uint64_t sum = 0;
    uint32_t lane;
    for (size_t i = 0; i < bytes; i += sizeof lane) {
        memcpy(&lane, (const char *)lanes + i, sizeof lane);
        sum += lane;
    }
    return sum;
}

static int has_fma(void) { return feature_has(FEATURE_AVX2) && feature_has(FEATURE_FMA); }
static int has_avx512(void) { return feature_has(FEATURE_AVX512F); }
static int has_bf16(void) { return has_avx512() && feature_has(FEATURE_AVX512_BF16); }
static int has_vnni(void) { return has_avx512() && feature_has(FEATURE_AVX512_VNNI); }
static int has_vnni_256(void) { return feature_has(FEATURE_AVX2) && feature_has(FEATURE_AVX_VNNI); }

#define T_FMA __attribute__((target("avx2,fma")))
#define T_512 __attribute__((target("avx512f")))
#define T_BF16 __attribute__((target("avx512f,avx512bf16")))
#define T_VNNI __attribute__((target("avx512f,avx512vnni")))
#define T_VNNI_256 __attribute__((target("avx2,avxvnni")))

#define F32_256_ONE \
    volatile float seen = 1; \
    const __m256 a = _mm256_set1_ps(seen), b = _mm256_set1_ps(seen);
#define F32_512_ONE \
    volatile float seen = 1; \
    const __m512 a = _mm512_set1_ps(seen), b = _mm512_set1_ps(seen);
#define BF16_ONE \
    volatile short seen = 0x3f80; \
    const __m512bh a = (__m512bh)_mm512_set1_epi16(seen), b = a;
#define I8_ONE \
    volatile char seen = 1; \
    const __m512i a = _mm512_set1_epi8(seen), b = _mm512_set1_epi8(seen);
#define I8_256_ONE \
    volatile char seen = 1; \
    const __m256i a = _mm256_set1_epi8(seen), b = _mm256_set1_epi8(seen);

RATE(avx2_f32_8, T_FMA, __m256, _mm256_setzero_ps(), 8, F32_256_ONE, (acc[c] = _mm256_fmadd_ps(a, b, acc[c])), sum_f32)
RATE(avx2_f32_12, T_FMA, __m256, _mm256_setzero_ps(), 12, F32_256_ONE, (acc[c] = _mm256_fmadd_ps(a, b, acc[c])),
     sum_f32)
RATE(avx512_f32_12, T_512, __m512, _mm512_setzero_ps(), 12, F32_512_ONE, (acc[c] = _mm512_fmadd_ps(a, b, acc[c])),
     sum_f32)
RATE(avx512_f32_24, T_512, __m512, _mm512_setzero_ps(), 24, F32_512_ONE, (acc[c] = _mm512_fmadd_ps(a, b, acc[c])),
     sum_f32)
RATE(dot_bf16_12, T_BF16, __m512, _mm512_setzero_ps(), 12, BF16_ONE, (acc[c] = _mm512_dpbf16_ps(acc[c], a, b)), sum_f32)
RATE(dot_bf16_24, T_BF16, __m512, _mm512_setzero_ps(), 24, BF16_ONE, (acc[c] = _mm512_dpbf16_ps(acc[c], a, b)), sum_f32)
RATE(vnni_12, T_VNNI, __m512i, _mm512_setzero_si512(), 12, I8_ONE, (acc[c] = _mm512_dpbusd_epi32(acc[c], a, b)),
     sum_i32)
RATE(vnni_24, T_VNNI, __m512i, _mm512_setzero_si512(), 24, I8_ONE, (acc[c] = _mm512_dpbusd_epi32(acc[c], a, b)),
     sum_i32)
RATE(vnni_256_12, T_VNNI_256, __m256i, _mm256_setzero_si256(), 12, I8_256_ONE,
     (acc[c] = _mm256_dpbusd_avx_epi32(acc[c], a, b)), sum_i32)

#if !defined(__clang__) /* clang 14 has the unit, but not its types in functions with a target */
/* f16 holds whole numbers up to 2048 only: enough for 32 repeats, and a stuck counter is as fast as any other. */
static uint64_t sum_f16(const void *lanes, size_t bytes) {
    uint64_t sum = 0;
    uint16_t bits;
    for (size_t i = 0; i < bytes; i += sizeof bits) {
        memcpy(&bits, (const char *)lanes + i, sizeof bits);
        int exponent = (bits >> 10 & 31) - 25;
        uint64_t mantissa = (bits & 1023u) | 1024u;
        if (bits) sum += exponent >= 0 ? mantissa << exponent : mantissa >> -exponent;
    }
    return sum;
}

static int has_f16(void) { return has_avx512() && feature_has(FEATURE_AVX512_FP16); }

#define T_F16 __attribute__((target("avx512f,avx512fp16")))
#define F16_ONE \
    volatile short seen = 0x3c00; \
    const __m512h a = (__m512h)_mm512_set1_epi16(seen), b = a;
RATE(avx512_f16_12, T_F16, __m512h, _mm512_setzero_ph(), 12, F16_ONE, (acc[c] = _mm512_fmadd_ph(a, b, acc[c])), sum_f16)
RATE(avx512_f16_24, T_F16, __m512h, _mm512_setzero_ph(), 24, F16_ONE, (acc[c] = _mm512_fmadd_ph(a, b, acc[c])), sum_f16)
#endif
#endif

/* Operations: two a multiply-add, `lanes` of them an instruction. */
#define WORK(chains, lanes) (2.0 * STEPS * (chains) * (lanes))

static const struct probe rates[] = {
    {"plain, 6 chains", "f32", always, WORK(6, 4), plain_f32_6},
    {"plain, 12 chains", "f32", always, WORK(12, 4), plain_f32_12},
#if defined(__x86_64__)
    {"AVX2 FMA, 8 chains", "f32", has_fma, WORK(8, 8), avx2_f32_8},
    {"AVX2 FMA, 12 chains", "f32", has_fma, WORK(12, 8), avx2_f32_12},
    {"AVX-512 FMA, 12 chains", "f32", has_avx512, WORK(12, 16), avx512_f32_12},
    {"AVX-512 FMA, 24 chains", "f32", has_avx512, WORK(24, 16), avx512_f32_24},
#if !defined(__clang__)
    {"AVX512-FP16 FMA, 12 chains", "f16", has_f16, WORK(12, 32), avx512_f16_12},
    {"AVX512-FP16 FMA, 24 chains", "f16", has_f16, WORK(24, 32), avx512_f16_24},
#endif
    {"vdpbf16ps, 12 chains", "bf16", has_bf16, WORK(12, 32), dot_bf16_12},
    {"vdpbf16ps, 24 chains", "bf16", has_bf16, WORK(24, 32), dot_bf16_24},
    {"AVX-VNNI 256, 12 chains", "int8", has_vnni_256, WORK(12, 32), vnni_256_12},
    {"AVX512-VNNI, 12 chains", "int8", has_vnni, WORK(12, 64), vnni_12},
    {"AVX512-VNNI, 24 chains", "int8", has_vnni, WORK(24, 64), vnni_24},
#endif
};

struct probe_list probes_rate(void) {
    return (struct probe_list){rates, sizeof rates / sizeof *rates};
}
