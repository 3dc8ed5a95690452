/* elementwise.c: one pass over a run of elements. */
#include "kernels/cpu/isa/internal.h"

INLINE void to_f32(enum dtype t, const void *x, float *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(DTYPE_F32, y, i, part, V_LOAD(t, x, i, part)); });
}
void ISA_NAME(isa_to_f32)(enum dtype t, const void *x, float *y, int64_t n) { BY_TYPE(t, to_f32, x, y, n); }

INLINE void from_f32(enum dtype t, const float *x, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(DTYPE_F32, x, i, part)); });
}
void ISA_NAME(isa_from_f32)(enum dtype t, const float *x, void *y, int64_t n) { BY_TYPE(t, from_f32, x, y, n); }

INLINE void from_int8(enum dtype t, const int8_t *x, void *y, int64_t n) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) v_store(t, y, i, v_bytes(x + i));
    for (; i < n; i++) v_store_part(t, y, i, 1, v_set((float)x[i]));
}
void ISA_NAME(isa_from_int8)(enum dtype t, const int8_t *x, void *y, int64_t n) { BY_TYPE(t, from_int8, x, y, n); }

INLINE void scale(enum dtype t, const void *x, float f, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(t, x, i, part) * f); });
}
void ISA_NAME(isa_scale)(enum dtype t, const void *x, float f, void *y, int64_t n) { BY_TYPE(t, scale, x, f, y, n); }

INLINE void twice(enum dtype t, const void *x, float f, uint32_t *y, int64_t n) {
    V_FOR(i, n, part, {
        vu half = __builtin_convertvector(f16_vh(V_LOAD(t, x, i, part) * f), vu);
        V_STORE(DTYPE_F32, y, i, part, (vf)(half << 16 | half));
    });
}
void ISA_NAME(isa_twice)(enum dtype t, const void *x, float f, uint32_t *y, int64_t n) { BY_TYPE(t, twice, x, f, y, n); }

INLINE void add(enum dtype t, const void *a, const void *b, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(t, a, i, part) + V_LOAD(t, b, i, part)); });
}
void ISA_NAME(isa_add)(enum dtype t, const void *a, const void *b, void *y, int64_t n) { BY_TYPE(t, add, a, b, y, n); }

INLINE void mul(enum dtype t, const void *a, const void *b, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(t, a, i, part) * V_LOAD(t, b, i, part)); });
}
void ISA_NAME(isa_mul)(enum dtype t, const void *a, const void *b, void *y, int64_t n) { BY_TYPE(t, mul, a, b, y, n); }

INLINE vf v_silu(vf x) { return x / (v_set(1) + v_exp(-x)); }

INLINE void silu(enum dtype t, const void *x, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_silu(V_LOAD(t, x, i, part))); });
}
void ISA_NAME(isa_silu)(enum dtype t, const void *x, void *y, int64_t n) { BY_TYPE(t, silu, x, y, n); }

/* x Φ(x): Φ(−|x|) by its approximation with an error below 1e-7 (Abramowitz & Stegun 1964, 7.1.26, halved, at |x| / √2), so that what
 * is left of a negative x keeps its digits; Φ(|x|) is the rest of 1. */
INLINE vf v_gelu(vf x) {
    vf size = v_max(x, -x);
    vf t = v_set(1) / v_fma(size, v_set(0.3275911f * 0.70710678f), v_set(1));
    vf tail = v_set(1.061405429f / 2);
    tail = v_fma(tail, t, v_set(-1.453152027f / 2));
    tail = v_fma(tail, t, v_set(1.421413741f / 2));
    tail = v_fma(tail, t, v_set(-0.284496736f / 2));
    tail = v_fma(tail, t, v_set(0.254829592f / 2));
    tail = tail * t * v_exp(x * x * -0.5f);
    return x * v_if_less(v_set(0), x, v_set(1) - tail, tail);
}

INLINE void gelu(enum dtype t, const void *x, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_gelu(V_LOAD(t, x, i, part))); });
}
void ISA_NAME(isa_gelu)(enum dtype t, const void *x, void *y, int64_t n) { BY_TYPE(t, gelu, x, y, n); }

INLINE void swiglu(enum dtype t, const float *gate, const float *up, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_silu(V_LOAD(DTYPE_F32, gate, i, part)) * V_LOAD(DTYPE_F32, up, i, part)); });
}
void ISA_NAME(isa_swiglu)(enum dtype t, const float *gate, const float *up, void *y, int64_t n) { BY_TYPE(t, swiglu, gate, up, y, n); }

INLINE void finish(enum dtype t, const float *x, const float *bias, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(DTYPE_F32, x, i, part) + V_LOAD(DTYPE_F32, bias, i, part)); });
}
void ISA_NAME(isa_finish)(enum dtype t, const float *x, const float *bias, void *y, int64_t n) {
    if (!bias) BY_TYPE(t, from_f32, x, y, n);
    else BY_TYPE(t, finish, x, bias, y, n);
}

INLINE void finish_gelu(enum dtype t, const float *x, const float *bias, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_gelu(V_LOAD(DTYPE_F32, x, i, part) + V_LOAD(DTYPE_F32, bias, i, part))); });
}
INLINE void narrow_gelu(enum dtype t, const float *x, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_gelu(V_LOAD(DTYPE_F32, x, i, part))); });
}
void ISA_NAME(isa_finish_gelu)(enum dtype t, const float *x, const float *bias, void *y, int64_t n) {
    if (!bias) BY_TYPE(t, narrow_gelu, x, y, n);
    else BY_TYPE(t, finish_gelu, x, bias, y, n);
}

INLINE void add_scaled(enum dtype t, const void *x, float f, float *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(DTYPE_F32, y, i, part, v_fma(V_LOAD(t, x, i, part), v_set(f), V_LOAD(DTYPE_F32, y, i, part))); });
}
void ISA_NAME(isa_add_scaled)(enum dtype t, const void *x, float f, float *y, int64_t n) { BY_TYPE(t, add_scaled, x, f, y, n); }

/* Pair (j, j + half) of each head: y[j] = x[j] c − x[j+half] s; y[j+half] = x[j+half] c + x[j] s. */
INLINE void rope(enum dtype t, const void *x, void *y, int64_t heads, int64_t half, const float *cosine, const float *sine) {
    for (int64_t h = 0; h < heads; h++) {
        int64_t at = h * 2 * half;
        V_FOR(j, half, part, {
            vf c = V_LOAD(DTYPE_F32, cosine, j, part);
            vf s = V_LOAD(DTYPE_F32, sine, j, part);
            vf a = V_LOAD(t, x, at + j, part);
            vf b = V_LOAD(t, x, at + half + j, part);
            V_STORE(t, y, at + j, part, a * c - b * s);
            V_STORE(t, y, at + half + j, part, b * c + a * s);
        });
    }
}
void ISA_NAME(isa_rope)(enum dtype t, const void *x, void *y, int64_t heads, int64_t half, const float *cosine, const float *sine) {
    BY_TYPE(t, rope, x, y, heads, half, cosine, sine);
}
