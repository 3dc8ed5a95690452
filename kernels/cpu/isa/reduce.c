/* reduce.c: kernels that gather a row into one number before, or instead of, writing it. */
#include "kernels/cpu/isa/internal.h"

/* Two accumulators hide the adders' latency; more gain nothing at these lengths. */
INLINE float sum_of(enum dtype t, const void *x, int64_t n) {
    vf even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        even += v_load(t, x, i);
        odd += v_load(t, x, i + LANES);
    }
    for (; i < n; i += LANES) even += n - i >= LANES ? v_load(t, x, i) : v_load_part(t, x, i, n - i);
    return v_sum(even + odd);
}

/* Of squares about a centre: about the mean, so that a large mean costs no digits. */
INLINE float sum_squares(enum dtype t, const void *x, float centre, int64_t n) {
    vf even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vf a = v_load(t, x, i) - centre, b = v_load(t, x, i + LANES) - centre;
        even = v_fma(a, a, even);
        odd = v_fma(b, b, odd);
    }
    for (; i + LANES <= n; i += LANES) {
        vf a = v_load(t, x, i) - centre;
        even = v_fma(a, a, even);
    }
    float rest = 0;
    for (; i < n; i++) {
        float a = v_load_part(t, x, i, 1)[0] - centre;
        rest += a * a;
    }
    return v_sum(even + odd) + rest;
}

INLINE void scale_by(enum dtype t, const void *x, const float *g, float f, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, y, i, part, V_LOAD(t, x, i, part) * f * V_LOAD(DTYPE_F32, g, i, part)); });
}

INLINE void rmsnorm(enum dtype t, const void *x, const float *g, float eps, void *y, int64_t n) {
    scale_by(t, x, g, 1 / sqrtf(sum_squares(t, x, 0, n) / (float)n + eps), y, n);
}
void ISA_NAME(isa_rmsnorm)(enum dtype t, const void *x, const float *g, float eps, void *y, int64_t n) {
    BY_TYPE(t, rmsnorm, x, g, eps, y, n);
}

INLINE void add_rmsnorm(enum dtype t, const void *a, const void *b, const float *g, float eps, void *sum, void *y, int64_t n) {
    V_FOR(i, n, part, { V_STORE(t, sum, i, part, V_LOAD(t, a, i, part) + V_LOAD(t, b, i, part)); });
    rmsnorm(t, sum, g, eps, y, n);
}
void ISA_NAME(isa_add_rmsnorm)(enum dtype t, const void *a, const void *b, const float *g, float eps, void *sum, void *y, int64_t n) {
    BY_TYPE(t, add_rmsnorm, a, b, g, eps, sum, y, n);
}

INLINE void layernorm(enum dtype t, const void *x, const float *g, const float *b, float eps, void *y, int64_t n) {
    float mean = sum_of(t, x, n) / (float)n, f = 1 / sqrtf(sum_squares(t, x, mean, n) / (float)n + eps);
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_fma((V_LOAD(t, x, i, part) - mean) * f, V_LOAD(DTYPE_F32, g, i, part), V_LOAD(DTYPE_F32, b, i, part))); });
}
void ISA_NAME(isa_layernorm)(enum dtype t, const void *x, const float *g, const float *b, float eps, void *y, int64_t n) {
    BY_TYPE(t, layernorm, x, g, b, eps, y, n);
}

INLINE float most_of(enum dtype t, const void *x, int64_t n) {
    vf most = v_set(-INFINITY);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) most = v_max(v_load(t, x, i), most);
    float m = v_most(most);
    for (; i < n; i++) {
        float one = v_load_part(t, x, i, 1)[0];
        m = one > m ? one : m;
    }
    return m;
}

/* Σ exp((x − most)·f); every 64 vectors the f32 lanes are emptied into a double. */
INLINE double sum_exp(enum dtype t, const void *x, float most, float f, int64_t n) {
    double total = 0;
    vf lanes = {0};
    int64_t i = 0;
    for (int64_t v = 1; i + LANES <= n; i += LANES, v++) {
        lanes += v_exp((v_load(t, x, i) - most) * f);
        if (v % 64) continue;
        total += (double)v_sum(lanes);
        lanes = v_set(0);
    }
    total += (double)v_sum(lanes);
    if (i < n) {
        vf rest = v_exp((v_load_part(t, x, i, n - i) - most) * f);
        for (int64_t k = 0; k < n - i; k++) total += (double)rest[k];
    }
    return total;
}
double ISA_NAME(isa_sum_exp)(enum dtype t, const void *x, float most, float f, int64_t n) {
    RETURN_BY_TYPE(t, sum_exp, x, most, f, n);
}

/* The powers are computed twice rather than kept: y may have 16 bits, and they would be rounded before the sum. */
INLINE void softmax(enum dtype t, const void *x, void *y, int64_t n) {
    float most = most_of(t, x, n), f = (float)(1 / sum_exp(t, x, most, 1, n));
    V_FOR(i, n, part, { V_STORE(t, y, i, part, v_exp(V_LOAD(t, x, i, part) - most) * f); });
}
void ISA_NAME(isa_softmax)(enum dtype t, const void *x, void *y, int64_t n) { BY_TYPE(t, softmax, x, y, n); }

INLINE int64_t first_equal(enum dtype t, const void *x, float most, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (v_load_part(t, x, i, 1)[0] == most) return i;
    return 0;
}

/* The first block that holds the largest value is searched, not the whole. */
INLINE int64_t argmax(enum dtype t, const void *x, int64_t n) {
    enum { BLOCK = 512 };
    float most = -INFINITY;
    int64_t at = 0, width = t == DTYPE_F32 ? 4 : 2;
    for (int64_t i = 0; i < n; i += BLOCK) {
        float m = most_of(t, (const char *)x + i * width, n - i < BLOCK ? n - i : BLOCK);
        if (m > most) {
            most = m;
            at = i;
        }
    }
    return at + first_equal(t, (const char *)x + at * width, most, n - at < BLOCK ? n - at : BLOCK);
}
int64_t ISA_NAME(isa_argmax)(enum dtype t, const void *x, int64_t n) { RETURN_BY_TYPE(t, argmax, x, n); }

INLINE float dot(enum dtype t, const float *a, const void *b, int64_t n) {
    vf even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        even = v_fma(v_load(DTYPE_F32, a, i), v_load(t, b, i), even);
        odd = v_fma(v_load(DTYPE_F32, a, i + LANES), v_load(t, b, i + LANES), odd);
    }
    for (; i + LANES <= n; i += LANES) even = v_fma(v_load(DTYPE_F32, a, i), v_load(t, b, i), even);
    if (i < n) even = v_fma(v_load_part(DTYPE_F32, a, i, n - i), v_load_part(t, b, i, n - i), even);
    return v_sum(even + odd);
}
float ISA_NAME(isa_dot)(enum dtype t, const float *a, const void *b, int64_t n) { RETURN_BY_TYPE(t, dot, a, b, n); }
