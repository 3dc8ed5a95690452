/* Codes, scales and zeros: each rule by its definition, HQQ against itself in float64, whatever the split, and damage. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/encoding.h"
#include "kernels/quantize/internal.h"

enum { MOST = 4096 };

static const struct quantizer int8_narrow = {.bits = 8}, int8_full = {.bits = 8, .is_full_range = 1};

static float normal(uint64_t *state) {
    double u = 1 - random_unit(random_next(state)), v = random_unit(random_next(state));
    return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

static void fill(float *w, int64_t n, double size, uint64_t seed) {
    for (int64_t i = 0; i < n; i++) w[i] = (float)size * normal(&seed);
}

/* A matrix encoded at once. */
struct encoded {
    struct quantize_groups groups;
    uint8_t codes[MOST];
    float scale[MOST], zero[MOST], decoded[MOST];
};

static struct quantized parts_of(struct encoded *x) { return (struct quantized){x->codes, x->scale, x->zero}; }

static void encode(const struct quantizer *q, const float *w, int64_t rows, int64_t cols, int axis, struct encoded *out) {
    struct error e = {0};
    const struct quantized parts = parts_of(out);
    ck_assert_msg(quantize_groups_of(q, rows, cols, axis, &out->groups, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(quantize_encode(q, &out->groups, w, &parts, &e) == STATUS_OK, "%s", e.text);
    quantize_decode(q, &out->groups, &parts, out->decoded);
}

/* ---- rules ---- */

struct extremes {
    float lo, hi;
};

static struct extremes extremes_of(const float *w, int64_t n) {
    struct extremes x = {w[0], w[0]};
    for (int64_t i = 1; i < n; i++) {
        x.lo = fminf(x.lo, w[i]);
        x.hi = fmaxf(x.hi, w[i]);
    }
    return x;
}

static float clampf(float x, float lo, float hi) { return fminf(fmaxf(x, lo), hi); }

/* golden/smollm2's int8 and golden/quantize's, and the same with fewer bits. */
static void check_symmetric(const struct quantizer *q, const float *w, const struct encoded *x, int64_t group) {
    const float *in = w + group * x->groups.length;
    struct extremes r = extremes_of(in, x->groups.length);
    float most = fmaxf(-r.lo, r.hi), top = (float)((1 << (q->bits - 1)) - 1), scale = most / (q->is_full_range ? top + 0.5f : top);
    REQUIRE(x->scale[group] == scale, "scale %g, not %g", (double)x->scale[group], (double)scale);
    for (int64_t j = 0; j < x->groups.length; j++) {
        int64_t at = group * x->groups.length + j;
        float code = scale > 0 ? clampf(rintf(in[j] / scale), q->is_full_range ? -top - 1 : -top, top) : 0;
        REQUIRE((float)(int8_t)x->codes[at] == code, "code %lld", (long long)at);
        REQUIRE(x->decoded[at] == code * scale, "value %lld", (long long)at);
    }
}

/* golden/smollm2's int4g64. */
static void check_whole_zero(const struct quantizer *q, const float *w, const struct encoded *x, int64_t group) {
    const float *in = w + group * x->groups.length;
    struct extremes r = extremes_of(in, x->groups.length);
    float top = (float)((1 << q->bits) - 1), scale = (fmaxf(r.hi, 0) - fminf(r.lo, 0)) / top;
    float zero = scale > 0 ? clampf(rintf(-fminf(r.lo, 0) / scale), 0, top) : 0;
    REQUIRE(x->scale[group] == scale && x->zero[group] == zero, "scale or zero of group %lld", (long long)group);
    for (int64_t j = 0; j < x->groups.length; j++) {
        int64_t at = group * x->groups.length + j;
        float code = scale > 0 ? clampf(rintf(in[j] / scale) + zero, 0, top) : 0;
        REQUIRE((float)x->codes[at] == code, "code %lld", (long long)at);
        REQUIRE(x->decoded[at] == (code - zero) * scale, "value %lld", (long long)at);
    }
}

/* golden/quantize's int4: no value is further than half a step away, and the ends are codes. */
static void check_float_zero(const struct quantizer *q, const float *w, const struct encoded *x, int64_t group) {
    const float *in = w + group * x->groups.length;
    struct extremes r = extremes_of(in, x->groups.length);
    float top = (float)((1 << q->bits) - 1), middle = (float)(1 << (q->bits - 1)), scale = fmaxf((r.hi - r.lo) / top, 1e-6f);
    REQUIRE(x->scale[group] == scale && x->zero[group] == r.lo + middle * scale, "scale or zero of group %lld", (long long)group);
    for (int64_t j = 0; j < x->groups.length; j++) {
        int64_t at = group * x->groups.length + j;
        double value = ((double)x->codes[at] - (double)middle) * (double)scale + (double)x->zero[group];
        REQUIRE(fabs(value - (double)x->decoded[at]) <= 1e-6 * fabs((double)r.hi) + 1e-6 * fabs((double)r.lo), "value %lld", (long long)at);
        REQUIRE(fabs(value - (double)in[j]) <= 0.5001 * (double)scale + 1e-6 * fabs(value), "error of %lld", (long long)at);
    }
}

/* HQQ's own rule without its steps. */
static void check_code_zero(const struct quantizer *q, const float *w, const struct encoded *x, int64_t group) {
    const float *in = w + group * x->groups.length;
    struct extremes r = extremes_of(in, x->groups.length);
    float top = (float)((1 << q->bits) - 1), s = r.hi - r.lo <= 1e-4f ? 1 : fminf(top / (r.hi - r.lo), 2e4f), zero = -r.lo * s;
    if (q->is_first_zero_rounded) zero = rintf(zero);
    REQUIRE(x->scale[group] == 1 / s && x->zero[group] == zero, "scale or zero of group %lld", (long long)group);
    for (int64_t j = 0; j < x->groups.length; j++) {
        int64_t at = group * x->groups.length + j;
        float product = in[j] * s;
        REQUIRE((float)x->codes[at] == clampf(rintf(product + zero), 0, top), "code %lld", (long long)at);
        REQUIRE(x->decoded[at] == ((float)x->codes[at] - zero) * (1 / s), "value %lld", (long long)at);
    }
}

typedef void (*rule_check)(const struct quantizer *q, const float *w, const struct encoded *x, int64_t group);

static void check_rule(const struct quantizer *q, rule_check check) {
    static const int64_t lengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 32, 64, 100, 127, 512, 513, 1024};
    static float w[MOST];
    static struct encoded x;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (uint64_t seed = 1; seed < 20; seed++) {
            int64_t length = lengths[l], rows = MOST / length < 6 ? MOST / length : 6;
            struct quantizer grouped = *q;
            grouped.group = seed % 2 ? length : 0; /* a whole row is a group as well */
            fill(w, rows * length, ldexp(1, (int)(seed % 9) * 4 - 16), seed + 100 * l);
            for (int64_t j = 0; j < length; j++) w[j] = seed % 3 ? w[j] : 0; /* now and then a group of zeros */
            for (int64_t j = 0; j < length && rows > 1; j++) w[length + j] = fabsf(w[length + j]) + 1; /* and one without 0 */
            encode(&grouped, w, rows, length, 1, &x);
            ck_assert_int_eq(x.groups.n, rows);
            for (int64_t g = 0; g < rows; g++) check(&grouped, w, &x, g);
        }
}

START_TEST(rules_by_definition) {
    static const int widths[] = {8, 4, 3, 2};
    for (int i = 0; i < 4; i++) {
        const struct quantizer narrow = {.bits = widths[i]}, full = {.bits = widths[i], .is_full_range = 1},
                               integer = {.bits = widths[i], .zero = QUANTIZE_ZERO_INTEGER}, real = {.bits = widths[i], .zero = QUANTIZE_ZERO_FLOAT},
                               code = {.bits = widths[i], .zero = QUANTIZE_ZERO_CODE},
                               rounded = {.bits = widths[i], .zero = QUANTIZE_ZERO_CODE, .is_first_zero_rounded = 1};
        check_rule(&narrow, check_symmetric);
        check_rule(&full, check_symmetric);
        check_rule(&integer, check_whole_zero);
        check_rule(&real, check_float_zero);
        check_rule(&code, check_code_zero);
        check_rule(&rounded, check_code_zero);
    }
}
END_TEST

START_TEST(int8_is_the_encoding_int8_row) {
    static float w[MOST];
    static struct encoded x;
    uint8_t row[4 + 100];
    fill(w, 1000, 0.02, 5);
    encode(&int8_narrow, w, 10, 100, 1, &x);
    for (int64_t i = 0; i < 10; i++) {
        encoding_int8_row.encode(w + 100 * i, row, 100);
        ck_assert_mem_eq(row, &x.scale[i], sizeof(float));
        ck_assert_mem_eq(row + 4, x.codes + 100 * i, 100);
    }
}
END_TEST

START_TEST(extremes_of_float32) {
    static struct encoded x;
    const float tiny[4] = {190 * FLT_TRUE_MIN, -FLT_TRUE_MIN, 0, 100 * FLT_TRUE_MIN}, large[2] = {FLT_MAX / 2, -FLT_MAX / 2};
    encode(&int8_narrow, tiny, 1, 4, 1, &x);
    check_symmetric(&int8_narrow, tiny, &x, 0);
    encode(&int8_full, large, 1, 2, 1, &x);
    check_symmetric(&int8_full, large, &x, 0);
    ck_assert_int_eq((int8_t)x.codes[0], 127);
    ck_assert_int_eq((int8_t)x.codes[1], -128);
}
END_TEST

/* ---- groups ---- */

START_TEST(groups_run_on_or_stay_within_rows) {
    struct error e = {0};
    struct quantize_groups g;
    const struct quantizer hqq = {.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_CODE}, within = {.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_FLOAT};
    ck_assert_int_eq(quantize_groups_of(&hqq, 48, 40, 1, &g, &e), STATUS_OK);
    ck_assert(g.n == 30 && g.length == 64 && g.group_stride == 64 && g.element_stride == 1);
    ck_assert_int_eq(quantize_groups_of(&hqq, 48, 40, 0, &g, &e), STATUS_OK);
    ck_assert(g.n == 30 && g.length == 64 && g.group_stride == 1 && g.element_stride == 30);
    ck_assert_int_eq(quantize_groups_of(&hqq, 0, 40, 0, &g, &e), STATUS_OK);
    ck_assert(g.n == 0);
    ck_assert_int_eq(quantize_groups_of(&within, 48, 40, 1, &g, &e), STATUS_UNSUPPORTED);
    ck_assert_str_eq(e.text, "rows of 40 elements are no multiple of the group of 64");
    e = (struct error){0};
    ck_assert_int_eq(quantize_groups_of(&hqq, 3, 40, 1, &g, &e), STATUS_UNSUPPORTED);
    ck_assert_str_eq(e.text, "a matrix of 120 elements is no multiple of the group of 64");
}
END_TEST

START_TEST(settings_that_make_no_sense) {
    static const struct {
        struct quantizer q;
        const char *word;
    } bad[] = {{{.bits = 5}, "5 bits"},
               {{.bits = 4, .group = -1}, "-1 elements"},
               {{.bits = 4, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_INTEGER}, "HQQ"},
               {{.bits = 4, .zero = QUANTIZE_ZERO_FLOAT, .is_full_range = 1}, "full range"},
               {{.bits = 4, .is_first_zero_rounded = 1}, "rounded"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        struct quantize_groups g;
        ck_assert_int_eq(quantize_groups_of(&bad[i].q, 4, 64, 1, &g, &e), STATUS_UNSUPPORTED);
        ck_assert_msg(strstr(e.text, bad[i].word) != NULL, "%s", e.text);
    }
    struct error e = {0};
    struct quantize_groups g;
    ck_assert_int_eq(quantize_groups_of(&int8_narrow, 4, 64, 2, &g, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "axis 2"));
}
END_TEST

/* Columns as groups are rows of the transposed matrix. */
START_TEST(columns_are_rows_turned) {
    static float w[MOST], turned[MOST];
    static struct encoded a, b;
    enum { LENGTH = 24, N = 37 };
    fill(w, LENGTH * N, 0.5, 9);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < LENGTH; j++) turned[i * LENGTH + j] = w[j * N + i];
    const struct quantizer q = {.bits = 3, .group = LENGTH, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE, .steps = 7};
    encode(&q, w, LENGTH, N, 0, &a);
    encode(&q, turned, N, LENGTH, 1, &b);
    ck_assert_mem_eq(a.scale, b.scale, N * sizeof(float));
    ck_assert_mem_eq(a.zero, b.zero, N * sizeof(float));
    for (int i = 0; i < N; i++)
        for (int j = 0; j < LENGTH; j++) {
            REQUIRE(a.codes[j * N + i] == b.codes[i * LENGTH + j], "code [%d, %d]", j, i);
            REQUIRE(a.decoded[j * N + i] == b.decoded[i * LENGTH + j], "value [%d, %d]", j, i);
        }
}
END_TEST

/* ---- HQQ ---- */

/* The formula of golden/quantize, in float64; trace: mean error of each step. Returns the steps. */
static int hqq_in_double(const struct quantizer *q, const float *w, int64_t n, int64_t length, double *zero, double *trace) {
    double top = (1 << q->bits) - 1, best = INFINITY;
    double *s = mem_alloc((size_t)(n / length) * sizeof *s);
    for (int64_t g = 0; g < n / length; g++) {
        struct extremes r = extremes_of(w + g * length, length);
        double span = (double)r.hi - (double)r.lo;
        s[g] = span <= 1e-4 ? 1 : fmin(top / span, 2e4);
        zero[g] = q->is_first_zero_rounded ? rint(-(double)r.lo * s[g]) : -(double)r.lo * s[g];
    }
    int k = 0;
    for (; k < HQQ_MAX_STEPS; k++) {
        trace[k] = 0;
        for (int64_t g = 0; g < n / length; g++) {
            double moved = 0;
            for (int64_t i = g * length; i < (g + 1) * length; i++) {
                double x = (double)w[i], code = fmin(fmax(rint(x * s[g] + zero[g]), 0), top), d = x - (code - zero[g]) / s[g];
                double e = copysign(fmax(0, fabs(d) - pow(fabs(d), -0.3) / 10), d);
                trace[k] += fabs(d) / (double)n;
                moved += code - (x - (d == 0 ? 0 : e)) * s[g];
            }
            zero[g] = moved / (double)length;
        }
        if (!(trace[k] < best)) break;
        best = trace[k];
    }
    mem_free(s);
    return k < HQQ_MAX_STEPS ? k + 1 : HQQ_MAX_STEPS;
}

/* float32 may stop elsewhere only where two errors are as good as equal. */
static void check_hqq(const struct quantizer *setting, const float *w, int64_t rows, int64_t cols) {
    static double zero[MOST], trace[HQQ_MAX_STEPS];
    static struct encoded x;
    struct quantizer q = *setting;
    struct hqq_errors errors = {0};
    struct error e = {0};
    int64_t n = rows * cols;
    ck_assert_int_eq(quantize_groups_of(&q, rows, cols, 1, &x.groups, &e), STATUS_OK);
    ck_assert_int_eq(hqq_errors(&q, &x.groups, w, &errors, &e), STATUS_OK);
    q.steps = hqq_steps(&errors, n);
    int want = hqq_in_double(&q, w, n, q.group, zero, trace), common = want < q.steps ? want : q.steps;
    for (int k = 0; k < common; k++) REQUIRE(fabs(hqq_mean_error(&errors, k, n) - trace[k]) <= 1e-5 * trace[k], "error of step %d", k);
    if (want != q.steps) {
        REQUIRE(fabs(trace[common - 1] - trace[common > 1 ? common - 2 : 0]) <= 2e-5 * trace[common - 1], "%d steps, not %d", q.steps, want);
        return;
    }
    encode(&q, w, rows, cols, 1, &x);
    for (int64_t g = 0; g < x.groups.n; g++) REQUIRE(fabs((double)x.zero[g] - zero[g]) <= 0.02, "zero of group %lld: %g, not %g", (long long)g, (double)x.zero[g], zero[g]);
    double far = 0;
    for (int64_t g = 0; g < x.groups.n; g++) far += fabs((double)x.zero[g] - zero[g]) > 1e-4;
    REQUIRE(far <= 0.05 * (double)x.groups.n + 1, "%g of %lld zeros went another way", far, (long long)x.groups.n);
}

START_TEST(hqq_as_in_float64) {
    static float w[MOST];
    static const double sizes[] = {1e-3, 0.05, 1, 30};
    for (int i = 0; i < 4; i++)
        for (int bits = 2; bits <= 4; bits++)
            for (uint64_t seed = 1; seed <= 5; seed++) {
                const struct quantizer q = {.bits = bits, .group = seed % 2 ? 64 : 24, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE,
                                            .is_first_zero_rounded = bits == 4};
                fill(w, 48 * 64, sizes[i], seed);
                check_hqq(&q, w, 48, 64);
            }
}
END_TEST

START_TEST(any_split_gives_the_same_bits) {
    static float w[MOST];
    static struct encoded whole, parts;
    for (int axis = 0; axis < 2; axis++)
        for (int64_t batch = 1; batch < 70; batch += 9) {
            struct error e = {0};
            struct quantizer q = {.bits = 2, .group = 32, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE};
            struct hqq_errors at_once = {0}, even = {0}, odd = {0};
            for (int64_t i = 0; i < 2048; i++) w[i] = ldexpf(0.1f + (float)i, (int)(i / 32 % 60) - 50);
            fill(w, 1000, 0.7, 3);
            ck_assert_int_eq(quantize_groups_of(&q, 32, 64, axis, &whole.groups, &e), STATUS_OK);
            ck_assert_int_eq(hqq_errors(&q, &whole.groups, w, &at_once, &e), STATUS_OK);
            for (int64_t first = (63 / batch) * batch; first >= 0; first -= batch) { /* from the back, two sums in turn */
                struct quantize_groups some = quantize_groups_slice(&whole.groups, first, batch < 64 - first ? batch : 64 - first);
                ck_assert_int_eq(hqq_errors(&q, &some, w + first * whole.groups.group_stride, first / batch % 2 ? &odd : &even, &e), STATUS_OK);
            }
            hqq_errors_add(&even, &odd);
            ck_assert_mem_eq(&even, &at_once, sizeof even);
            q.steps = hqq_steps(&at_once, 2048);
            encode(&q, w, 32, 64, axis, &whole);
            for (int64_t first = 0; first < 64; first += batch) {
                struct quantize_groups some = quantize_groups_slice(&whole.groups, first, batch < 64 - first ? batch : 64 - first);
                int64_t at = first * whole.groups.group_stride;
                const struct quantized out = {parts.codes + at, parts.scale + first, parts.zero + first};
                ck_assert_int_eq(quantize_encode(&q, &some, w + at, &out, &e), STATUS_OK);
            }
            ck_assert_mem_eq(parts.codes, whole.codes, 2048);
            ck_assert_mem_eq(parts.scale, whole.scale, 64 * sizeof(float));
            ck_assert_mem_eq(parts.zero, whole.zero, 64 * sizeof(float));
        }
}
END_TEST

/* Digit 5 counts ones. */
START_TEST(steps_end_with_the_first_that_is_no_better) {
    static const struct {
        uint64_t errors[HQQ_MAX_STEPS];
        int steps;
    } cases[] = {{{9, 8, 7, 7, 1}, 4}, {{9, 9}, 2}, {{5, 6}, 2}, {{20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 20}, {{0}, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hqq_errors errors = {0};
        for (int k = 0; k < HQQ_MAX_STEPS; k++) errors.digits[k][5] = cases[i].errors[k];
        ck_assert(hqq_mean_error(&errors, 0, 4) == (double)cases[i].errors[0] / 4);
        ck_assert_int_eq(hqq_steps(&errors, 4), cases[i].steps);
    }
    const struct hqq_errors none = {0};
    ck_assert_int_eq(hqq_steps(&none, 0), 0);
}
END_TEST

START_TEST(the_power_is_accurate) {
    double worst = 0;
    float a = HQQ_SHRINK_FROM;
    uint32_t bits, last;
    const float most = FLT_MAX;
    memcpy(&bits, &a, sizeof bits);
    memcpy(&last, &most, sizeof last);
    for (; bits <= last; bits += 499) {
        memcpy(&a, &bits, sizeof a);
        worst = fmax(worst, fabs((double)hqq_power(lanes_set(a))[0] / pow((double)a, -0.3) - 1));
    }
    ck_assert_msg(worst < 4e-7, "%g", worst);
}
END_TEST

/* ---- packing ---- */

START_TEST(packing_there_and_back) {
    static uint8_t codes[MOST], back[MOST];
    static int32_t packed[MOST];
    uint64_t state = 1;
    static const int widths[] = {8, 4, 3, 2};
    for (int i = 0; i < 4; i++)
        for (int64_t rows = 0; rows <= 44; rows += widths[i] == 3 ? 1 : 4)
            for (int64_t cols = 1; cols < 20; cols += 6) {
                struct error e = {0};
                int64_t words;
                for (int64_t k = 0; k < rows * cols; k++) codes[k] = (uint8_t)(random_next(&state) & ((1u << widths[i]) - 1));
                ck_assert_int_eq(hqq_packed_rows(widths[i], rows, &words, &e), STATUS_OK);
                ck_assert_int_eq(words, widths[i] == 3 ? (rows + 9) / 10 : rows * widths[i] / 8);
                hqq_pack(widths[i], codes, rows, cols, packed);
                memset(back, 0xee, sizeof back);
                hqq_unpack(widths[i], packed, rows, cols, back);
                ck_assert_mem_eq(codes, back, (size_t)(rows * cols));
                ck_assert_int_eq(back[rows * cols], 0xee);
            }
}
END_TEST

START_TEST(packed_by_blocks_of_rows) {
    const uint8_t codes[8] = {1, 2, 3, 0, 2, 1, 0, 3};
    uint8_t packed[4];
    int32_t words[1];
    int64_t rows;
    struct error e = {0};
    hqq_pack(4, codes, 8, 1, packed);
    ck_assert(packed[0] == 0x12 && packed[1] == 0x21 && packed[2] == 0x30 && packed[3] == 0x03);
    hqq_pack(2, codes, 8, 1, packed);
    ck_assert(packed[0] == (1 << 6 | 3 << 4 | 2 << 2 | 0) && packed[1] == (2 << 6 | 0 << 4 | 1 << 2 | 3));
    hqq_pack(3, codes, 8, 1, words);
    ck_assert_int_eq(words[0], 1 << 27 | 2 << 24 | 3 << 21 | 2 << 15 | 1 << 12 | 3 << 6);
    ck_assert_int_eq(hqq_packed_rows(2, 6, &rows, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "6 rows"));
}
END_TEST

/* ---- damage ---- */

START_TEST(damage_is_named) {
    static float w[MOST];
    static struct encoded x;
    static const float damage[] = {NAN, INFINITY, -INFINITY};
    static const enum quantize_zero kinds[] = {QUANTIZE_ZERO_NONE, QUANTIZE_ZERO_INTEGER, QUANTIZE_ZERO_FLOAT, QUANTIZE_ZERO_CODE};
    for (int i = 0; i < 36 * 64; i += 7) {
        struct error e = {0};
        const struct quantizer q = {.bits = 4, .group = 32, .zero = kinds[i % 4]};
        const struct quantized parts = parts_of(&x);
        fill(w, 36 * 64, 1, 2);
        w[i] = damage[i % 3];
        ck_assert_int_eq(quantize_groups_of(&q, 36, 64, i % 2, &x.groups, &e), STATUS_OK);
        ck_assert_int_eq(quantize_encode(&q, &x.groups, w, &parts, &e), STATUS_INPUT);
        char *want = mem_printf("element [%d, %d] is %s", i / 64, i % 64, i % 3 ? "infinite" : "not a number");
        ck_assert_str_eq(e.text, want);
        mem_free(want);
    }
}
END_TEST

START_TEST(damage_is_named_by_its_place_in_the_whole) {
    static float w[MOST];
    static struct encoded x;
    struct error e = {0};
    struct hqq_errors errors = {0};
    const struct quantizer q = {.bits = 4, .group = 16, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE};
    fill(w, 1024, 1, 2);
    w[700] = NAN;
    ck_assert_int_eq(quantize_groups_of(&q, 16, 64, 1, &x.groups, &e), STATUS_OK);
    struct quantize_groups some = quantize_groups_slice(&x.groups, 40, 8);
    ck_assert_int_eq(hqq_errors(&q, &some, w + 640, &errors, &e), STATUS_INPUT);
    ck_assert_str_eq(e.text, "element [10, 60] is not a number");
    e = (struct error){0};
    w[700] = FLT_MAX;
    w[701] = -FLT_MAX;
    ck_assert_int_eq(hqq_errors(&q, &some, w + 640, &errors, &e), STATUS_INPUT);
    ck_assert_str_eq(e.text, "the group at element [10, 48] spans more than float32 can hold");
}
END_TEST

/* ---- products ---- */

START_TEST(products) {
    enum { T = 3, N = 5, K = 77 };
    static float x[T * K], w[N * K], y[T * N];
    static struct encoded a, b;
    int32_t sums[T * N];
    struct error e = {0};
    const struct quantized_product shape = {T, N, K};
    fill(x, T * K, 1, 1);
    fill(w, N * K, 1, 2);
    encode(&int8_narrow, x, T, K, 1, &a);
    encode(&int8_full, w, N, K, 1, &b);
    memset(a.codes, 0x80, K); /* -128 -128 */
    memset(b.codes, 0x80, K);
    product_weight_only(&shape, x, b.decoded, y);
    for (int i = 0; i < T * N; i++) {
        double sum = 0;
        for (int k = 0; k < K; k++) sum += (double)x[i / N * K + k] * (double)b.decoded[i % N * K + k];
        ck_assert(y[i] == (float)sum);
    }
    ck_assert_int_eq(product_int8(&shape, (const int8_t *)a.codes, (const int8_t *)b.codes, sums, &e), STATUS_OK);
    product_scaled(&shape, sums, a.scale, b.scale, y);
    for (int i = 0; i < T * N; i++) {
        int64_t sum = 0;
        for (int k = 0; k < K; k++) sum += (int8_t)a.codes[i / N * K + k] * (int8_t)b.codes[i % N * K + k];
        ck_assert_int_eq(sums[i], sum);
        ck_assert(y[i] == (float)((double)sum * (double)a.scale[i / N] * (double)b.scale[i % N]));
    }
    ck_assert_int_eq(sums[0], K << 14);
    const struct quantized_product wide = {1, 1, 1 << 17};
    ck_assert_int_eq(product_int8(&wide, NULL, NULL, sums, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "131072"));
}
END_TEST

TEST_MAIN("quantize", rules_by_definition, int8_is_the_encoding_int8_row, extremes_of_float32, groups_run_on_or_stay_within_rows,
          settings_that_make_no_sense, columns_are_rows_turned, hqq_as_in_float64, any_split_gives_the_same_bits,
          steps_end_with_the_first_that_is_no_better, the_power_is_accurate, packing_there_and_back, packed_by_blocks_of_rows,
          damage_is_named, damage_is_named_by_its_place_in_the_whole, products)
