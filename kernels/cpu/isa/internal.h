/* internal.h: names of this level's kernels; ISA is the level (see CMakeLists.txt). */
#ifndef ASSAY_KERNELS_CPU_ISA_INTERNAL_H
#define ASSAY_KERNELS_CPU_ISA_INTERNAL_H

#include "kernels/cpu/isa/vec.h"

#define ISA_PASTE_(name, isa) name##_##isa
#define ISA_PASTE(name, isa) ISA_PASTE_(name, isa)
#define ISA_NAME(name) ISA_PASTE(name, ISA)

/* body(t, …) with the element type as a constant. */
#define BY_TYPE(t, body, ...) \
    do { \
        if ((t) == DTYPE_F32) body(DTYPE_F32, __VA_ARGS__); \
        else if ((t) == DTYPE_BF16) body(DTYPE_BF16, __VA_ARGS__); \
        else body(DTYPE_F16, __VA_ARGS__); \
    } while (0)
#define RETURN_BY_TYPE(t, body, ...) \
    return (t) == DTYPE_F32 ? body(DTYPE_F32, __VA_ARGS__) : (t) == DTYPE_BF16 ? body(DTYPE_BF16, __VA_ARGS__) : body(DTYPE_F16, __VA_ARGS__)

void ISA_NAME(isa_to_f32)(enum dtype t, const void *x, float *y, int64_t n);
void ISA_NAME(isa_from_f32)(enum dtype t, const float *x, void *y, int64_t n);
void ISA_NAME(isa_from_int8)(enum dtype t, const int8_t *x, void *y, int64_t n);
void ISA_NAME(isa_scale)(enum dtype t, const void *x, float f, void *y, int64_t n);
void ISA_NAME(isa_add)(enum dtype t, const void *a, const void *b, void *y, int64_t n);
void ISA_NAME(isa_mul)(enum dtype t, const void *a, const void *b, void *y, int64_t n);
void ISA_NAME(isa_silu)(enum dtype t, const void *x, void *y, int64_t n);
void ISA_NAME(isa_gelu)(enum dtype t, const void *x, void *y, int64_t n);
void ISA_NAME(isa_softmax)(enum dtype t, const void *x, void *y, int64_t n);
void ISA_NAME(isa_swiglu)(enum dtype t, const float *gate, const float *up, void *y, int64_t n);
void ISA_NAME(isa_finish)(enum dtype t, const float *x, const float *bias, void *y, int64_t n);
void ISA_NAME(isa_finish_gelu)(enum dtype t, const float *x, const float *bias, void *y, int64_t n);
void ISA_NAME(isa_rmsnorm)(enum dtype t, const void *x, const float *g, float eps, void *y, int64_t n);
void ISA_NAME(isa_layernorm)(enum dtype t, const void *x, const float *g, const float *b, float eps, void *y, int64_t n);
void ISA_NAME(isa_add_rmsnorm)(enum dtype t, const void *a, const void *b, const float *g, float eps, void *sum, void *y, int64_t n);
void ISA_NAME(isa_rope)(enum dtype t, const void *x, void *y, int64_t heads, int64_t half, const float *cosine, const float *sine);
int64_t ISA_NAME(isa_argmax)(enum dtype t, const void *x, int64_t n);
double ISA_NAME(isa_sum_exp)(enum dtype t, const void *x, float most, float factor, int64_t n);
float ISA_NAME(isa_dot)(enum dtype t, const float *a, const void *b, int64_t n);
void ISA_NAME(isa_add_scaled)(enum dtype t, const void *x, float f, float *y, int64_t n);
void ISA_NAME(isa_transpose)(enum dtype t, const void *x, int64_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride);
void ISA_NAME(isa_expand)(const void *row, int64_t n, uint16_t *y);
void ISA_NAME(isa_few)(const struct few_product *p);
void ISA_NAME(isa_twice)(enum dtype t, const void *x, float f, uint32_t *y, int64_t n);
float ISA_NAME(isa_most)(enum dtype t, const void *x, int64_t n);
float ISA_NAME(isa_round_row)(enum dtype t, const void *x, int64_t n, int8_t *codes);
void ISA_NAME(isa_strip)(const int8_t *rows, int64_t k, int8_t *strip);
void ISA_NAME(isa_strips)(const struct strips_product *p);
void ISA_NAME(isa_tile)(const struct tile_product *p);
void ISA_NAME(isa_tile_pairs)(const struct tile_product *p);
void ISA_NAME(isa_tile_halves)(const struct tile_product *p);
void ISA_NAME(isa_pair_rows)(const void *x, size_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride);
void ISA_NAME(isa_softmax_tile)(const struct softmax_tile *p);

#endif
