/* table.c: this level's kernels. */
#include "kernels/cpu/isa/internal.h"

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
    ROW(to_f32), ROW(from_f32), ROW(from_int8), ROW(scale), ROW(add), ROW(mul), ROW(silu), ROW(gelu), ROW(softmax), ROW(swiglu), ROW(twice), ROW(most), ROW(finish), ROW(finish_gelu),
    ROW(rmsnorm), ROW(layernorm), ROW(add_rmsnorm), ROW(rope), ROW(argmax), ROW(sum_exp), ROW(dot), ROW(add_scaled), ROW(transpose),
    ROW(expand), ROW(few), ROW(round_row), ROW(strip), ROW(strips), ROW(tile), ROW(tile_pairs), ROW(tile_halves), ROW(pair_rows), ROW(softmax_tile),
};
