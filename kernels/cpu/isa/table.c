/* table.c: this level's kernels, and a way to time its units. */
#include "kernels/cpu/isa/internal.h"

enum { CHAINS = 10, UNROLL = 64 };

/* Independent chains of multiply-adds that the compiler can neither drop nor join. */
double ISA_NAME(isa_spin)(int is_bf16, int64_t n) {
    vf sum[CHAINS];
    vf a = v_set(0.5f);
    for (int c = 0; c < CHAINS; c++) sum[c] = v_set((float)c);
    for (int64_t i = 0; i < n * UNROLL; i++)
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++) {
#if defined(__AVX512BF16__)
            if (is_bf16) {
                sum[c] = v_dot_pairs(sum[c], a, a);
                __asm__ volatile("" : "+v"(sum[c]));
                continue;
            }
#endif
            sum[c] = v_fma(a, a, sum[c]);
#if defined(__AVX512F__)
            __asm__ volatile("" : "+v"(sum[c]));
#else
            __asm__ volatile("" : "+x"(sum[c]));
#endif
        }
#if !defined(__AVX512BF16__)
    if (is_bf16) return 0;
#endif
    return (double)n * UNROLL * CHAINS * LANES * (is_bf16 ? 4 : 2);
}

#define ROW(name) .name = ISA_NAME(isa_##name)

extern const struct isa_kernels ISA_NAME(isa_kernels);
const struct isa_kernels ISA_NAME(isa_kernels) = {
    .lanes = LANES,
#if defined(__AVX512VNNI__)
    .has_codes = 1,
#endif
#if defined(__AVX512BF16__)
    .has_pairs = 1,
#endif
    ROW(to_f32), ROW(from_f32), ROW(from_int8), ROW(scale), ROW(add), ROW(mul), ROW(silu), ROW(gelu), ROW(softmax), ROW(swiglu), ROW(finish), ROW(finish_gelu),
    ROW(rmsnorm), ROW(layernorm), ROW(add_rmsnorm), ROW(rope), ROW(argmax), ROW(sum_exp), ROW(dot), ROW(add_scaled), ROW(transpose),
    ROW(expand), ROW(few), ROW(round_row), ROW(strip), ROW(strips), ROW(tile), ROW(tile_pairs), ROW(pair_rows), ROW(softmax_tile), ROW(spin),
};
