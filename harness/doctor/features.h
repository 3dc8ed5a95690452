/* features.h: what the CPU says that it has, and whether the system keeps the registers that it needs.
 * Found by CPUID and XGETBV at run time; the tile registers are asked for (arch_prctl) when first looked at. */
#ifndef ASSAY_HARNESS_DOCTOR_FEATURES_H
#define ASSAY_HARNESS_DOCTOR_FEATURES_H

/* name, CPUID leaf, subleaf, register (b, c, d or a), bit, state components that must be on in XCR0.
 * Source: Intel SDM volume 2A, CPUID; volume 1, 13.1 for the components. */
#define FEATURE_LIST(X) \
    X(SSE42, "sse4.2", 1, 0, c, 20, 0x0) \
    X(AVX, "avx", 1, 0, c, 28, 0x6) \
    X(F16C, "f16c", 1, 0, c, 29, 0x6) \
    X(FMA, "fma", 1, 0, c, 12, 0x6) \
    X(AVX2, "avx2", 7, 0, b, 5, 0x6) \
    X(BMI2, "bmi2", 7, 0, b, 8, 0x0) \
    X(AVX_VNNI, "avx_vnni", 7, 1, a, 4, 0x6) \
    X(AVX512F, "avx512f", 7, 0, b, 16, 0xe6) \
    X(AVX512BW, "avx512bw", 7, 0, b, 30, 0xe6) \
    X(AVX512VL, "avx512vl", 7, 0, b, 31, 0xe6) \
    X(AVX512DQ, "avx512dq", 7, 0, b, 17, 0xe6) \
    X(AVX512_VBMI, "avx512_vbmi", 7, 0, c, 1, 0xe6) \
    X(AVX512_VBMI2, "avx512_vbmi2", 7, 0, c, 6, 0xe6) \
    X(AVX512_VNNI, "avx512_vnni", 7, 0, c, 11, 0xe6) \
    X(AVX512_BF16, "avx512_bf16", 7, 1, a, 5, 0xe6) \
    X(AVX512_FP16, "avx512_fp16", 7, 0, d, 23, 0xe6) \
    X(AMX_TILE, "amx_tile", 7, 0, d, 24, 0x60000) \
    X(AMX_BF16, "amx_bf16", 7, 0, d, 22, 0x60000) \
    X(AMX_INT8, "amx_int8", 7, 0, d, 25, 0x60000)

enum feature {
#define X(id, name, leaf, subleaf, reg, bit, state) FEATURE_##id,
    FEATURE_LIST(X)
#undef X
    FEATURE_COUNT
};

enum feature_state { FEATURE_ABSENT, FEATURE_MASKED, FEATURE_PRESENT }; /* masked: the CPU has it, the system not */

const char *feature_name(enum feature f);
enum feature_state feature_state(enum feature f);
int feature_has(enum feature f); /* present */

#endif
