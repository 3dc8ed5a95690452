/* internal.h: one group of elements that lie side by side (private to kernels/quantize/).
 * Partial sums and extremes have a fixed number of lanes, so that every instruction set adds in the same order. */
#ifndef ASSAY_KERNELS_QUANTIZE_INTERNAL_H
#define ASSAY_KERNELS_QUANTIZE_INTERNAL_H

#include <string.h>

#include "kernels/quantize.h"

enum { LANES = 4 };
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t lane_bits __attribute__((vector_size(4 * LANES)));

static inline lanes lanes_set(float x) { return (lanes){x, x, x, x}; }
static inline lanes lanes_load(const float *p) {
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline lanes lanes_select(lane_bits which, lanes yes, lanes no) { return (lanes)((which & (lane_bits)yes) | (~which & (lane_bits)no)); }
static inline lanes lanes_min(lanes a, lanes b) { return lanes_select(a < b, a, b); }
static inline lanes lanes_max(lanes a, lanes b) { return lanes_select(a > b, a, b); }
static inline lanes lanes_magnitude(lanes v) { return (lanes)((lane_bits)v & 0x7fffffff); }
static inline float lanes_sum(lanes v) { return (v[0] + v[1]) + (v[2] + v[3]); }

/* To a whole number, half to even, where |x| < 2^22: the sum's last place is 1. */
#define WHOLE 0x1.8p23f
static inline float whole(float x) { return (x + WHOLE) - WHOLE; }
static inline lanes lanes_whole(lanes x) { return (x + WHOLE) - WHOLE; }
static inline float clamp(float x, float lo, float hi) {
    x = x > lo ? x : lo;              /* one choice after the other: loops of it become vector code */
    return x < hi ? x : hi;
}

struct group_range {
    float lo, hi;
    int is_finite;                    /* every element, and hi - lo */
};
struct group_range group_range(const float *x, int64_t n);

/* The rule of one group. zero is not touched with ZERO_NONE. */
struct group_parameters {
    float scale, zero;
};
struct group_parameters group_encode(const struct quantizer *q, const float *x, int64_t n, struct group_range r, uint8_t *codes);

/* HQQ's state of a group: code = w inverse + zero. */
struct hqq_group {
    float inverse, scale, zero;       /* inverse = 1 / scale; zero on the axis of codes */
    float top;
    struct group_range range;
};
struct hqq_group hqq_begin(const struct quantizer *q, struct group_range r);
/* One step; returns the sum of |w - value| with the zero before it. */
double hqq_step(struct hqq_group *g, const float *x, int64_t n);

/* Below this HQQ's shrinking gives 0: |d| - |d|^-0.3 / 10 begins at 0.1701. */
#define HQQ_SHRINK_FROM 0.17f
/* a^-0.3 for a >= HQQ_SHRINK_FROM; relative error below 4e-7. It is 2^(-0.3 log2 a): a = m 2^k with m in sqrt(1/2) .. sqrt(2);
 * -0.3 k = n + rest, n whole, exactly. log2 m by its series in (m - 1) / (m + 1), to the ninth power; 2^f for
 * f = rest - 0.3 log2 m, |f| <= 0.65, by its series, to the seventh. */
static inline lanes hqq_power(lanes a) {
    lane_bits bits = (lane_bits)a - 0x3f3504f3; /* sqrt(1/2) */
    lanes k = __builtin_convertvector(bits >> 23, lanes), m = (lanes)((bits & 0x7fffff) + 0x3f3504f3);
    lanes u = (m - 1) / (m + 1), u2 = u * u;
    lanes log2_m = u * (2.88539008f + u2 * (0.961796694f + u2 * (0.577078016f + u2 * (0.412198583f + u2 * 0.320598898f))));
    lanes n = lanes_whole(k * -0.3f), f = (k * -3 - n * 10) * 0.1f - log2_m * 0.3f;
    lanes two_f = 1 + f * (0.693147181f + f * (0.240226507f + f * (0.0555041087f + f * (0.00961812911f + f * (0.00133335581f
                  + f * (0.000154035304f + f * 1.52527338e-05f))))));
    return two_f * (lanes)((__builtin_convertvector(n, lane_bits) + 127) << 23);
}

/* Groups made contiguous one after the other: calls `visit` with group i's elements, and after it stores codes where `codes`
 * is given. The first error ends it. */
struct group_visit {
    const struct quantizer *q;
    const struct quantize_groups *groups;
    const float *w;
    uint8_t *codes;                   /* NULL: none come of it */
    void (*visit)(struct group_visit *v, int64_t i, const float *x, struct group_range r, uint8_t *codes);
    const struct quantized *out;      /* of quantize_encode */
    struct hqq_errors *errors;        /* of hqq_errors */
};
enum status groups_visit(struct group_visit *v, struct error *e);

#endif
