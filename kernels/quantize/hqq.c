/* hqq.c: half-quadratic quantization: the zero of each group moves towards a small norm of the error.
 *
 * A step, for w in the group, s = 1 / scale, p = 0.7:
 *   t = w s + z;  q = clamp(round(t));  d = w - (q - z) / s = (t - q) / s;  e = sign(d) max(0, |d| - |d|^(p-1) / 10)
 *   z' = mean of q - (w - e) s = z - mean of (t - q) - e s
 * so that one residue r = t - q serves for the error (|r| / s) and for the new zero, and e is needed only where |d| passes
 * 0.1^(1/1.3) = 0.1701, at which it begins. Source: Badri & Shaji 2023, and hqq/core/optimize.py as golden/quantize states it. */
#include <math.h>

#include "kernels/quantize/internal.h"

enum { BLOCK = 512 };                 /* elements whose sums stay in float32 */

struct hqq_group hqq_begin(const struct quantizer *q, struct group_range r) {
    float top = (float)((1 << q->bits) - 1), span = r.hi - r.lo, inverse = span <= 1e-4f ? 1.0f : top / span;
    if (inverse > 2e4f) inverse = 2e4f;
    float zero = -r.lo * inverse;
    return (struct hqq_group){.inverse = inverse, .scale = 1 / inverse, .zero = q->is_first_zero_rounded ? rintf(zero) : zero, .top = top, .range = r};
}

static lanes residues(const struct hqq_group *g, lanes x) {
    lanes t = x * g->inverse + g->zero;
    return t - lanes_whole(lanes_min(lanes_max(t, lanes_set(0)), lanes_set(g->top)));
}

/* Residues of n elements, 0 in lanes beyond them. */
static lanes first_residues(const struct hqq_group *g, const float *x, int64_t n) {
    if (n >= LANES) return residues(g, lanes_load(x));
    float part[LANES] = {0};
    memcpy(part, x, (size_t)n * sizeof *x);
    lane_bits is_there = (lane_bits){0, 1, 2, 3} < (lane_bits){0, 0, 0, 0} + (int32_t)n;
    return (lanes)(is_there & (lane_bits)residues(g, lanes_load(part)));
}

struct sums {
    float residue, magnitude;         /* of r; of |r| */
};

/* Of at most BLOCK elements. */
static struct sums sum_residues(const struct hqq_group *g, const float *x, int64_t n) {
    lanes sum[2] = {{0}, {0}}, magnitude[2] = {{0}, {0}};
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int k = 0; k < 2; k++) {
            lanes r = residues(g, lanes_load(x + i + k * LANES));
            sum[k] += r;
            magnitude[k] += lanes_magnitude(r);
        }
    for (; i < n; i += LANES) {
        lanes r = first_residues(g, x + i, n - i);
        sum[0] += r;
        magnitude[0] += lanes_magnitude(r);
    }
    return (struct sums){lanes_sum(sum[0] + sum[1]), lanes_sum(magnitude[0] + magnitude[1])};
}

/* e s, with the sign of r. */
static lanes shrunk(const struct hqq_group *g, lanes r) {
    lanes a = lanes_magnitude(r) * g->scale, e = a - hqq_power(lanes_max(a, lanes_set(HQQ_SHRINK_FROM))) * 0.1f;
    lane_bits sign = (lane_bits)r & INT32_MIN;
    return (lanes)((lane_bits)(lanes_max(e, lanes_set(0)) * g->inverse) | sign);
}

static float sum_shrunk(const struct hqq_group *g, const float *x, int64_t n) {
    lanes sum = {0};
    for (int64_t i = 0; i < n; i += LANES) sum += shrunk(g, first_residues(g, x + i, n - i));
    return lanes_sum(sum);
}

/* No element is further from its code than half of one, but those beyond the codes' ends. */
static int may_shrink(const struct hqq_group *g) {
    float below = -(g->range.lo * g->inverse + g->zero), above = g->range.hi * g->inverse + g->zero - g->top;
    float most = below > above ? below : above;
    return (most > 0.5f ? most : 0.5f) > HQQ_SHRINK_FROM * g->inverse;
}

double hqq_step(struct hqq_group *g, const float *x, int64_t n) {
    double sum = 0, magnitude = 0;
    int shrinks = may_shrink(g);
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t part = n - i < BLOCK ? n - i : BLOCK;
        struct sums r = sum_residues(g, x + i, part);
        sum += (double)r.residue;
        magnitude += (double)r.magnitude;
        if (shrinks) sum -= (double)sum_shrunk(g, x + i, part);
    }
    g->zero -= (float)(sum / (double)n);
    return magnitude * (double)g->scale;
}
