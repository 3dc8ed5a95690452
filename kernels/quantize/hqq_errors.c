/* hqq_errors.c: the errors of all steps over a whole matrix, as exact sums, and where to stop. */
#include <math.h>

#include "kernels/quantize/internal.h"

/* ---- exact sums ----
 * digits[i] stands for 2^(32 i - 160): below every float32, and 2^192 above; the upper half of a digit is room for carries. */

enum { LOWEST = -160, DIGIT_BITS = 32 };

/* x >= 0, below 2^181 (float32 times 2^52 elements). x = mantissa 2^(at + LOWEST) touches three digits; what lies below 2^-160
 * is dropped. */
static inline void digits_add(uint64_t *digits, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int at = (int)(bits >> 52) - 1075 - LOWEST;
    uint64_t mantissa = (bits & 0xfffffffffffffu) | 0x10000000000000u;
    if (at < 0) {
        mantissa = at > -64 ? mantissa >> -at : 0; /* also 0 and what is subnormal */
        at = 0;
    }
    int i = at / DIGIT_BITS, shift = at % DIGIT_BITS;
    uint64_t low = mantissa & 0xffffffffu, high = mantissa >> DIGIT_BITS; /* 21 bits */
    digits[i] += low << shift & 0xffffffffu;
    high = (high << shift) + (low << shift >> DIGIT_BITS);
    digits[i + 1] += high & 0xffffffffu;
    digits[i + 2] += high >> DIGIT_BITS;
}

/* Afterwards every digit but the last is below 2^32: one sum has one form. */
static void digits_carry(uint64_t *digits) {
    for (int i = 0; i + 1 < HQQ_SUM_DIGITS; i++) {
        digits[i + 1] += digits[i] >> DIGIT_BITS;
        digits[i] &= 0xffffffffu;
    }
}

static double digits_value(const uint64_t *digits) {
    double x = 0;
    for (int i = 0; i < HQQ_SUM_DIGITS; i++) x += ldexp((double)digits[i], DIGIT_BITS * i + LOWEST);
    return x;
}

/* ---- errors ---- */

/* A zero that a step leaves where it was will never move again. */
static void add_errors(struct group_visit *v, int64_t i, const float *x, struct group_range r, uint8_t *codes) {
    (void)i, (void)codes;
    struct hqq_group g = hqq_begin(v->q, r);
    double error = 0;
    int is_still = 0;
    for (int k = 0; k < HQQ_MAX_STEPS; k++) {
        float before = g.zero;
        if (!is_still) error = hqq_step(&g, x, v->groups->length);
        is_still = g.zero == before;
        digits_add(v->errors->digits[k], error);
    }
}

enum status hqq_errors(const struct quantizer *q, const struct quantize_groups *g, const float *w, struct hqq_errors *add, struct error *e) {
    struct group_visit v = {.q = q, .groups = g, .w = w, .visit = add_errors, .errors = add};
    if (q->zero != QUANTIZE_ZERO_CODE) return error_set(e, STATUS_INTERNAL, "errors of HQQ's steps of a quantizer without its zero points");
    enum status s = groups_visit(&v, e);
    for (int k = 0; k < HQQ_MAX_STEPS; k++) digits_carry(add->digits[k]);
    return s;
}

void hqq_errors_add(struct hqq_errors *to, const struct hqq_errors *from) {
    for (int k = 0; k < HQQ_MAX_STEPS; k++) {
        for (int i = 0; i < HQQ_SUM_DIGITS; i++) to->digits[k][i] += from->digits[k][i];
        digits_carry(to->digits[k]);
    }
}

double hqq_mean_error(const struct hqq_errors *errors, int k, int64_t n) { return digits_value(errors->digits[k]) / (double)n; }

int hqq_steps(const struct hqq_errors *errors, int64_t n) {
    double best = INFINITY;
    for (int k = 0; k < HQQ_MAX_STEPS && n > 0; k++) {
        double error = hqq_mean_error(errors, k, n);
        if (!(error < best)) return k + 1;
        best = error;
    }
    return n > 0 ? HQQ_MAX_STEPS : 0;
}
