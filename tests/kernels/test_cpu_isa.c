/* The kernels of every instruction set that this machine has, one by one against plain loops in double. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/panels.h"
#include "kernels/cpu/strips.h"
#include "kernels/quantize.h"

/* The tiles' kernel on its operations' C bodies. */
#define TILES_ARE_EMULATED 1
#define tiles_strips emulated_strips
#include "kernels/cpu/tiles.c"
#undef tiles_strips

static float uniform(uint64_t *state) { return (float)(random_unit(random_next(state)) * 2 - 1); }

static float load(enum dtype t, const void *p, int64_t i) {
    if (t == DTYPE_F32) return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return t == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void store(enum dtype t, void *p, int64_t i, float x) {
    if (t == DTYPE_F32) ((float *)p)[i] = x;
    else ((uint16_t *)p)[i] = t == DTYPE_BF16 ? f32_to_bf16(x) : f32_to_f16(x);
}

/* Relative rounding of a type, a little widened. */
static double rounding(enum dtype t) { return t == DTYPE_F32 ? 3e-7 : t == DTYPE_BF16 ? 4.5e-3 : 6e-4; }

static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
static const int64_t lengths[] = {0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 100, 575};
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define EACH_LEVEL(level) for (int level = 0; level <= (int)isa_best(); level++)

static int is_close(double got, double want, double relative, double absolute) {
    if (isinf(want) || isnan(want)) return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= relative * fabs(want) + absolute;
}

START_TEST(test_choose) {
    struct error e = {0};
    enum isa level;
    ck_assert_int_eq(isa_choose(NULL, &level, &e), STATUS_OK);
    ck_assert_int_eq(level, isa_best());
    EACH_LEVEL(i) {
        ck_assert_int_eq(isa_choose(isa_name((enum isa)i), &level, &e), STATUS_OK);
        ck_assert_int_eq((int)level, i);
    }
    ck_assert_int_eq(isa_choose("sse9", &level, &e), STATUS_INPUT);
    if (isa_best() == ISA_LEVEL_AMX) return;
    e = (struct error){0};
    ck_assert_int_eq(isa_choose("amx", &level, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, isa_name(isa_best())));
}
END_TEST

/* All 65536 half words there and back, and roundings of awkward floats, as types.h has them. */
START_TEST(test_conversions) {
    uint16_t *h = mem_alloc(65536 * sizeof *h), *back = mem_alloc(65536 * sizeof *back);
    float *f = mem_alloc(65536 * sizeof *f);
    for (int i = 0; i < 65536; i++) h[i] = (uint16_t)i;
    EACH_LEVEL(level) for (int k = 1; k < 3; k++) {
        const struct isa_kernels *isa = isa_table((enum isa)level);
        isa->to_f32(types[k], h, f, 65536);
        for (int i = 0; i < 65536; i++) {
            float want = load(types[k], h, i);
            ck_assert_msg(isnan(want) ? isnan(f[i]) : f[i] == want, "level %d type %d word %x", level, k, (unsigned)i);
        }
        isa->from_f32(types[k], f, back, 65536);
        for (int i = 0; i < 65536; i++) {
            int is_subnormal = types[k] == DTYPE_BF16 && (i & 0x7f80) == 0; /* the bf16 instruction takes them for zero */
            if (!isnan(f[i]) && !is_subnormal) ck_assert_msg(back[i] == h[i], "level %d type %d word %x", level, k, (unsigned)i);
            if (isnan(f[i])) ck_assert(isnan(load(types[k], back, i)));
        }
    }
    uint64_t seed = 5;
    for (int i = 0; i < 65536; i++) f[i] = uniform(&seed) * 8;
    f[0] = 65519.9f, f[1] = 65520, f[2] = -65520, f[3] = 1.00390625f, f[4] = 1.01171875f, f[5] = 3e38f, f[6] = 6e-8f;
    EACH_LEVEL(level) for (int k = 1; k < 3; k++) {
        isa_table((enum isa)level)->from_f32(types[k], f, back, 65536);
        for (int i = 0; i < 65536; i++) {
            uint16_t want = types[k] == DTYPE_BF16 ? f32_to_bf16(f[i]) : f32_to_f16(f[i]);
            ck_assert_msg(back[i] == want, "level %d type %d value %a: %x, not %x", level, k, (double)f[i], back[i], want);
        }
    }
    mem_free(h);
    mem_free(back);
    mem_free(f);
}
END_TEST

/* exp through softmax's sum: one element at a time, so each value is seen. */
START_TEST(test_exp) {
    EACH_LEVEL(level) {
        const struct isa_kernels *isa = isa_table((enum isa)level);
        double worst = 0;
        for (double x = -87.2; x < 85; x += 0.0037) { /* sixteen times the largest is still finite */
            float in = (float)x, many[16];
            for (int i = 0; i < 16; i++) many[i] = in;
            double want = exp((double)in), got = isa->sum_exp(DTYPE_F32, many, 0, 1, 16) / 16;
            double ulp = ldexp(1, ilogb(want) - 23), error = fabs(got - want) / ulp;
            if (error > worst) worst = error;
        }
        ck_assert_msg(worst < 2, "level %d: exp is off by %.2f ulp", level, worst);
        float edge[] = {-INFINITY, -1000, 0, 89};
        ck_assert(isa->sum_exp(DTYPE_F32, &edge[0], 0, 1, 1) == 0);
        ck_assert(isa->sum_exp(DTYPE_F32, &edge[1], 0, 1, 1) == 0);
        ck_assert(isa->sum_exp(DTYPE_F32, &edge[2], 0, 1, 1) == 1);
        ck_assert(isinf(isa->sum_exp(DTYPE_F32, &edge[3], 0, 1, 1)));
        float nothing = NAN;
        ck_assert(isnan(isa->sum_exp(DTYPE_F32, &nothing, 0, 1, 1)));
    }
}
END_TEST

static double silu(double x) { return x / (1 + exp(-x)); }

/* Every elementwise kernel at every length and type; what lies behind the end stays as it was. */
static void check_elementwise(const struct isa_kernels *isa, enum dtype t, int64_t n) {
    enum { MOST = 700 };
    uint16_t a[2 * MOST], b[2 * MOST], y[2 * MOST], before[2 * MOST];
    float wide[MOST], other[MOST];
    uint64_t seed = 9;
    for (int i = 0; i < MOST; i++) {
        store(t, a, i, uniform(&seed) * 6);
        store(t, b, i, uniform(&seed) * 6);
        wide[i] = uniform(&seed) * 6;
        other[i] = uniform(&seed) * 6;
    }
    for (int which = 0; which < 8; which++) {
        memset(before, 0x5a, sizeof before);
        memcpy(y, before, sizeof y);
        switch (which) {
        case 0: isa->scale(t, a, 0.37f, y, n); break;
        case 1: isa->add(t, a, b, y, n); break;
        case 2: isa->mul(t, a, b, y, n); break;
        case 3: isa->silu(t, a, y, n); break;
        case 4: isa->swiglu(t, wide, other, y, n); break;
        case 5: isa->finish(t, wide, other, y, n); break;
        case 6: isa->finish(t, wide, NULL, y, n); break;
        case 7: isa->from_f32(t, wide, y, n); break;
        }
        for (int64_t i = 0; i < n; i++) {
            double p = (double)load(t, a, i), q = (double)load(t, b, i), w = (double)wide[i], o = (double)other[i];
            double want[] = {p * (double)0.37f, p + q, p * q, silu(p), silu(w) * o, w + o, w, w};
            ck_assert_msg(is_close((double)load(t, y, i), want[which], 4 * rounding(t), 1e-6), "kernel %d type %d n %d i %d: %g, not %g",
                          which, (int)t, (int)n, (int)i, (double)load(t, y, i), want[which]);
        }
        size_t bytes = (size_t)n * dtype_bytes(t);
        ck_assert_mem_eq((char *)y + bytes, (char *)before + bytes, sizeof y - bytes);
    }
}

START_TEST(test_elementwise) {
    EACH_LEVEL(level) for (size_t k = 0; k < COUNT(types); k++) for (size_t n = 0; n < COUNT(lengths); n++)
        check_elementwise(isa_table((enum isa)level), types[k], lengths[n]);
}
END_TEST

static void check_rows(const struct isa_kernels *isa, enum dtype t, int64_t n) {
    enum { MOST = 700 };
    uint16_t a[2 * MOST] = {0}, b[2 * MOST] = {0}, y[2 * MOST], sum[2 * MOST];
    float g[MOST] = {0}, y32[MOST];
    uint64_t seed = 11;
    double squares = 0, total = 0, most = -INFINITY, both = 0, product = 0;
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        store(t, a, i, uniform(&seed) * 3);
        store(t, b, i, uniform(&seed) * 3);
        g[i] = 1 + uniform(&seed);
        double x = (double)load(t, a, i);
        store(t, sum, i, (float)(x + (double)load(t, b, i)));
        both += pow((double)load(t, sum, i), 2);
        squares += x * x;
        if (x > most) most = x, best = i;
        product += (double)g[i] * x;
        y32[i] = g[i];
    }
    for (int64_t i = 0; i < n; i++) total += exp((double)load(t, a, i) - most);
    isa->rmsnorm(t, a, g, 1e-5f, y, n);
    for (int64_t i = 0; i < n; i++)
        ck_assert(is_close((double)load(t, y, i), (double)load(t, a, i) * (double)g[i] / sqrt(squares / (double)n + 1e-5), 3 * rounding(t), 1e-6));
    memset(sum, 0, sizeof sum);
    isa->add_rmsnorm(t, a, b, g, 1e-5f, sum, y, n);
    for (int64_t i = 0; i < n; i++) {
        double s = (double)load(t, sum, i);
        ck_assert(is_close(s, (double)load(t, a, i) + (double)load(t, b, i), rounding(t), 1e-7));
        ck_assert(is_close((double)load(t, y, i), s * (double)g[i] / sqrt(both / (double)n + 1e-5), 3 * rounding(t), 1e-6));
    }
    isa->softmax(t, a, y, n);
    for (int64_t i = 0; i < n; i++) ck_assert(is_close((double)load(t, y, i), exp((double)load(t, a, i) - most) / total, 3 * rounding(t), 1e-7));
    ck_assert_int_eq((int)isa->argmax(t, a, n), (int)best);
    ck_assert(is_close(isa->sum_exp(t, a, (float)most, 1, n), total, 1e-6, 0));
    ck_assert(is_close((double)isa->dot(t, g, a, n), product, 1e-6, 1e-5 * sqrt((double)n)));
    isa->add_scaled(t, a, 0.5f, y32, n);
    for (int64_t i = 0; i < n; i++) ck_assert(is_close((double)y32[i], (double)g[i] + 0.5 * (double)load(t, a, i), 1e-6, 1e-6));
}

START_TEST(test_rows) {
    EACH_LEVEL(level) for (size_t k = 0; k < COUNT(types); k++) for (size_t n = 1; n < COUNT(lengths); n++)
        check_rows(isa_table((enum isa)level), types[k], lengths[n]);
}
END_TEST

/* Equal largest values: the first wins, in whatever block it lies. */
START_TEST(test_argmax_ties) {
    enum { N = 2000 };
    float x[N];
    EACH_LEVEL(level) for (int at = 0; at < N; at += 97) {
        for (int i = 0; i < N; i++) x[i] = i == at || i > at + 300 ? 7 : -3;
        ck_assert_int_eq((int)isa_table((enum isa)level)->argmax(DTYPE_F32, x, N), at);
    }
}
END_TEST

static void check_few(const struct isa_kernels *isa, enum few_kind kind, int rows, int64_t n, int64_t k) {
    int64_t stride = (k + FEW_PAD - 1) / FEW_PAD * FEW_PAD + FEW_PAD;
    size_t width = kind == FEW_F32 ? 4 : kind == FEW_INT8 ? 1 : 2, w_stride = width * (size_t)k + (kind == FEW_INT8 ? 4 : 0);
    enum dtype wt = kind == FEW_F32 ? DTYPE_F32 : kind == FEW_F16 ? DTYPE_F16 : DTYPE_BF16, xt = kind == FEW_BF16_DOT ? DTYPE_BF16 : DTYPE_F32;
    char *w = mem_alloc(w_stride * (size_t)n); /* exact: the sanitizer sees a read behind the last row */
    void *x = mem_alloc((size_t)(rows * stride) * 4);
    float *y = mem_alloc((size_t)(rows * n + 1) * sizeof *y);
    uint64_t seed = 3;
    for (int64_t j = 0; j < n; j++) {
        char *row = w + (size_t)j * w_stride;
        float scale = 0.01f * (float)(j + 1);
        if (kind == FEW_INT8) memcpy(row, &scale, 4);
        for (int64_t i = 0; i < k; i++) {
            if (kind == FEW_INT8) row[4 + i] = (char)(int8_t)(uniform(&seed) * 127);
            else store(wt, row, i, uniform(&seed));
        }
    }
    for (int r = 0; r < rows; r++)
        for (int64_t i = 0; i < k; i++) store(xt, x, r * stride + i, uniform(&seed));
    y[rows * n] = 42;
    struct few_product p = {.kind = kind, .rows = rows, .n = n, .k = k, .x_stride = stride, .y_stride = n, .w_stride = w_stride, .w = w, .x = x, .y = y};
    isa->few(&p);
    ck_assert(y[rows * n] == 42);
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++) {
            const char *row = w + (size_t)j * w_stride;
            double want = 0, scale = 0.01 * (double)(j + 1);
            for (int64_t i = 0; i < k; i++)
                want += (kind == FEW_INT8 ? scale * (double)(int8_t)row[4 + i] : (double)load(wt, row, i)) * (double)load(xt, x, r * stride + i);
            ck_assert_msg(is_close((double)y[r * n + j], want, 1e-6, 1e-6 * (double)k), "kind %d rows %d n %d k %d: %g, not %g", (int)kind, rows,
                          (int)n, (int)k, (double)y[r * n + j], want);
        }
    mem_free(w);
    mem_free(x);
    mem_free(y);
}

START_TEST(test_few) {
    static const int64_t ks[] = {1, 5, 16, 31, 32, 33, 64, 200};
    EACH_LEVEL(level) for (int kind = 0; kind <= (level >= ISA_LEVEL_AVX512BF16 ? FEW_BF16_DOT : FEW_INT8); kind++)
        for (int rows = 1; rows <= FEW_MAX_ROWS; rows++)
            for (size_t k = 0; k < COUNT(ks); k++)
                for (int64_t n = 1; n <= 19; n += 6) check_few(isa_table((enum isa)level), (enum few_kind)kind, rows, n, ks[k]);
}
END_TEST

/* Rounding is the encoding's own; zeros and damage too. */
START_TEST(test_round_row) {
    enum { MOST = 70 };
    float x[MOST];
    uint8_t want[MOST + 4];
    int8_t got[MOST + 1];
    uint64_t seed = 8;
    EACH_LEVEL(level) for (int64_t n = 1; n < MOST; n++) for (int how = 0; how < 4; how++) {
        for (int64_t i = 0; i < n; i++) x[i] = how == 1 ? 0 : uniform(&seed) * 3;
        if (how == 2) x[n / 2] = INFINITY;
        if (how == 3) x[n - 1] = NAN;
        got[n] = 77;
        float scale = isa_table((enum isa)level)->round_row(DTYPE_F32, x, n, got), expected;
        encoding_int8_row.encode(x, want, n);
        memcpy(&expected, want, sizeof expected);
        ck_assert_msg(got[n] == 77 && (scale == expected || (isnan(scale) && isnan(expected))), "level %d n %d how %d: %g, not %g", level, (int)n, how, (double)scale, (double)expected);
        if (how < 2) ck_assert_mem_eq(got, want + sizeof expected, (size_t)n);
    }
}
END_TEST

/* Rows of codes over their whole range, encoded, in strips, against sums in double. */
static void check_strips(const struct isa_kernels *isa, const struct encoding *e, int64_t m, int64_t n, int64_t k) {
    const struct grouping *q = e->groups;
    int64_t wide = (k + STRIP_PAD - 1) / STRIP_PAD * STRIP_PAD, strips = (n + STRIP_ROWS - 1) / STRIP_ROWS, columns = strips * STRIP_ROWS;
    size_t stride = encoding_row_bytes(e, k), bytes = strip_bytes(e, k);
    int64_t group = q ? q->group : k, n_sums = wide / group + 1;
    char *rows = mem_alloc((size_t)n * stride), *packed = mem_alloc((size_t)strips * bytes), *scratch = mem_alloc(strip_scratch(k));
    int8_t *x = mem_alloc((size_t)(m * wide));
    float *scales = mem_alloc((size_t)m * sizeof *scales), *sums = mem_alloc((size_t)(m * n_sums) * sizeof *sums), *y = mem_alloc((size_t)(m * columns + 1) * sizeof *y);
    float *w = mem_alloc((size_t)k * sizeof *w);
    int32_t *offsets = mem_alloc((size_t)m * sizeof *offsets);
    uint64_t seed = 5;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < k; i++) w[i] = uniform(&seed);
        struct quantizer rule = {.bits = 4, .group = group, .zero = q && q->zero == DTYPE_U8 ? QUANTIZE_ZERO_INTEGER : QUANTIZE_ZERO_FLOAT};
        struct error error = {0};
        if (q) ck_assert_int_eq(grouped_encode(q, &rule, w, j, rows + (size_t)j * stride, k, &error), STATUS_OK);
        else e->encode(w, rows + (size_t)j * stride, k);
    }
    for (int64_t s = 0; s < strips; s++)
        strip_pack(isa, e, rows + (size_t)(s * STRIP_ROWS) * stride, stride, n - s * STRIP_ROWS < STRIP_ROWS ? n - s * STRIP_ROWS : STRIP_ROWS, k, packed + (size_t)s * bytes, scratch);
    memset(x, 0, (size_t)(m * wide));
    memset(sums, 0, (size_t)(m * n_sums) * sizeof *sums);
    memset(offsets, 0, (size_t)m * sizeof *offsets);
    for (int64_t r = 0; r < m; r++) {
        scales[r] = uniform(&seed);
        for (int64_t i = 0; i < k; i++) {
            x[r * wide + i] = (int8_t)random_next(&seed);
            sums[r * n_sums + i / group] += x[r * wide + i];
            offsets[r] += 128 * x[r * wide + i];
        }
    }
    y[m * columns] = 42;
    isa->strips(&(struct strips_product){.m = m, .strips = strips, .k = wide, .groups = q, .x = x, .x_stride = wide, .x_scales = scales, .x_offsets = offsets, .x_sums = sums,
                                         .sums_stride = n_sums, .w = packed, .strip_stride = bytes, .y = y, .y_stride = columns});
    ck_assert(y[m * columns] == 42);
    for (int64_t j = 0; j < columns; j++) {
        if (j < n) e->decode(rows + (size_t)j * stride, w, k);
        for (int64_t r = 0; r < m; r++) {
            double want = 0, size = 0;
            for (int64_t i = 0; j < n && i < k; i++) {
                want += (double)w[i] * (double)x[r * wide + i];
                size += fabs((double)w[i] * (double)x[r * wide + i]);
            }
            ck_assert_msg(is_close((double)y[r * columns + j], want * (double)scales[r], 1e-6, 2e-6 * size), "%s m %d n %d k %d: %g, not %g", e->name, (int)m, (int)n, (int)k,
                          (double)y[r * columns + j], want * (double)scales[r]);
        }
    }
    mem_free(rows), mem_free(packed), mem_free(scratch), mem_free(x), mem_free(scales), mem_free(sums), mem_free(y), mem_free(w), mem_free(offsets);
}

START_TEST(test_strips) {
    static const struct encoding *const all[] = {&encoding_int8_row, &encoding_int4_g32, &encoding_int4_g32_f32_z, &encoding_int4_g64_z, &encoding_int4_g128, &encoding_int4_g128_f32};
    static const int64_t columns[] = {1, 16, 17, 100, 150}, ks[] = {1, 63, 128, 96, 640};
    EACH_LEVEL(level) for (size_t i = 0; i < COUNT(all); i++) for (size_t k = 0; k < COUNT(ks); k++) {
        if (!strips_fit(isa_table((enum isa)level), all[i], ks[k]) || ks[k] % all[i]->block) continue;
        for (int64_t m = 1; m <= 19; m++)
            for (size_t n = 0; n < COUNT(columns); n++) check_strips(isa_table((enum isa)level), all[i], m, columns[n], ks[k]);
    }
}
END_TEST

/* Whole blocks, with what is left of rows and of strips beside them. */
START_TEST(test_tiles) {
    static const struct encoding *const all[] = {&encoding_int8_row, &encoding_int4_g32, &encoding_int4_g32_f32_z, &encoding_int4_g64_z, &encoding_int4_g128, &encoding_int4_g128_f32};
    static const int64_t rows[] = {31, 32, 33, 64, 70}, columns[] = {1, 16, 17, 32, 100}, ks[] = {1, 63, 128, 96, 640};
    struct isa_kernels emulated = *isa_table(isa_best());
    emulated.strips = emulated_strips;
    for (size_t i = 0; i < COUNT(all); i++) for (size_t k = 0; k < COUNT(ks); k++) {
        if (!strips_fit(&emulated, all[i], ks[k]) || ks[k] % all[i]->block) continue;
        for (size_t m = 0; m < COUNT(rows); m++)
            for (size_t n = 0; n < COUNT(columns); n++) check_strips(&emulated, all[i], rows[m], columns[n], ks[k]);
    }
}
END_TEST

/* Where a kernel over blocks wants element i of x. */
static int64_t place_in_run(enum few_kind kind, int64_t i) {
    if (kind == FEW_Q8_0_DOT) return i / 64 * 64 + i % 2 * 32 + i % 64 / 2;
    return i / 128 * 128 + (i % 2 * 2 + i % 32 / 16) * 32 + i % 128 / 32 * 8 + i % 16 / 2;
}

/* GGUF's blocks with a scale of their own each, in exactly as much memory as they take: they may end where a mapped file does. */
static void check_blocks(const struct isa_kernels *isa, enum few_kind kind, int rows, int64_t n, int64_t k) {
    const struct encoding *q = kind == FEW_Q8_0_DOT ? &encoding_q8_0 : kind == FEW_Q4_0_DOT ? &encoding_q4_0 : &encoding_q4_1;
    int64_t run = kind == FEW_Q8_0_DOT ? 64 : 128, stride = (k + run - 1) / run * run + FEW_PAD;
    size_t w_stride = encoding_row_bytes(q, k);
    uint8_t *w = mem_alloc(w_stride * (size_t)n + 1);
    uint16_t *x = mem_alloc((size_t)(rows * stride) * sizeof *x), number;
    float *y = mem_alloc((size_t)(rows * n + 1) * sizeof *y), *sums = mem_alloc((size_t)(rows * (k / 32) + 1) * sizeof *sums), *row = mem_alloc((size_t)(k + 1) * sizeof *row);
    uint64_t seed = 17;
    for (size_t at = 0; at < w_stride * (size_t)n; at += (size_t)q->block_bytes) {
        for (int i = 0; i < q->block_bytes; i++) w[at + (size_t)i] = (uint8_t)random_next(&seed);
        for (int i = 0; i < (q == &encoding_q4_1 ? 2 : 1); i++) number = f32_to_f16(uniform(&seed)), memcpy(w + at + 2 * (size_t)i, &number, 2);
    }
    for (int64_t i = 0; i < rows * k; i++) {
        number = f32_to_bf16(uniform(&seed));
        x[i / k * stride + place_in_run(kind, i % k)] = number;
        sums[i / 32] += bf16_to_f32(number);
    }
    y[rows * n] = 42;
    struct few_product p = {.kind = kind, .rows = rows, .n = n, .k = k, .x_stride = stride, .y_stride = n, .w_stride = w_stride, .w = w, .x = x, .y = y, .x_sums = sums, .sums_stride = k / 32};
    isa->few(&p);
    ck_assert(y[rows * n] == 42);
    for (int64_t j = 0; j < n; j++) {
        q->decode(w + (size_t)j * w_stride, row, k);
        for (int r = 0; r < rows; r++) {
            double want = 0, size = 0;
            for (int64_t i = 0; i < k; i++) {
                double term = (double)row[i] * (double)load(DTYPE_BF16, x, r * stride + place_in_run(kind, i));
                want += term;
                size += fabs(term);
            }
            ck_assert_msg(is_close((double)y[r * n + j], want, 0, 1e-6 * size + 1e-6 * (double)k), "%s rows %d n %d k %d: %g, not %g", q->name, rows, (int)n, (int)k,
                          (double)y[r * n + j], want);
        }
    }
    mem_free(w);
    mem_free(x);
    mem_free(y);
    mem_free(sums);
    mem_free(row);
}

START_TEST(test_blocks) {
    static const int64_t ks[] = {32, 64, 96, 128, 160, 288, 448};
    if (isa_best() < ISA_LEVEL_AVX512BF16) return;
    for (int kind = FEW_Q8_0_DOT; kind <= FEW_Q4_1_DOT; kind++)
        for (int rows = 1; rows <= FEW_MAX_ROWS; rows++)
            for (size_t k = 0; k < COUNT(ks); k++)
                for (int64_t n = 1; n <= 19; n += 6) check_blocks(isa_table(ISA_LEVEL_AVX512BF16), (enum few_kind)kind, rows, n, ks[k]);
}
END_TEST

/* What fp16 leaves of sums over STEP elements, against float64: the same bound at every level, by the unit where there is one. */
static void check_halves(enum isa level, enum dtype t, int64_t m, int64_t n, int64_t k, double x_scale, double w_scale) {
    const struct isa_kernels *isa = isa_table(level);
    int64_t stride = n + 15;
    char *x = mem_try((size_t)(m * k) * dtype_bytes(t) + 1), *w = mem_try((size_t)(n * k) * dtype_bytes(t) + 1);
    uint32_t *words = mem_try((size_t)(m * k) * sizeof *words + 1);
    float *c = mem_try((size_t)(m * stride + 1) * sizeof *c), *scratch = mem_try((size_t)panels_scratch(k) * sizeof *scratch), factors[32];
    uint64_t seed = 31;
    for (int64_t i = 0; i < m * k; i++) store(t, x, i, (float)x_scale * uniform(&seed) * (i % 97 == 5 ? 300 : 1)); /* outliers, as activations have */
    for (int64_t i = 0; i < n * k; i++) store(t, w, i, (float)w_scale * uniform(&seed));
    for (int64_t i = 0; i <= m * stride; i++) c[i] = 7;
    for (int64_t i = 0; i < m; i++) factors[i] = panels_halve(isa, t, x + i * k * (int64_t)dtype_bytes(t), k, words + i * k);
    panels_run_halves(isa, &(struct dense_key){m, n, k, k, k, stride, t}, words, factors, w, c, scratch);
    double error = 0, size = 0;
    for (int64_t i = 0; i < m * n; i++) {
        double want = 0;
        for (int64_t l = 0; l < k; l++) want += (double)load(t, x, i / n * k + l) * (double)load(t, w, i % n * k + l);
        error += pow((double)c[i / n * stride + i % n] - want, 2);
        size += want * want;
    }
    ck_assert_msg(error <= size * 4e-6, "%s %s, %d x %d x %d: error %.3g", isa_name(level), dtype_name(t), (int)m, (int)n, (int)k, sqrt(error / size));
    ck_assert(c[m * stride] == 7);
    mem_try_free(x, 0);
    mem_try_free(w, 0);
    mem_try_free(words, 0);
    mem_try_free(c, 0);
    mem_try_free(scratch, 0);
}

START_TEST(test_halves) {
    static const int64_t sizes[][3] = {{1, 1, 1}, {17, 33, 64}, {9, 128, 65}, {2, 300, 70}, {7, 31, 2048}};
    EACH_LEVEL(level) {
        if (level >= ISA_LEVEL_AVX512BF16 && !isa_has_halves()) continue;
        for (size_t t = 0; t < COUNT(types); t++)
            for (size_t i = 0; i < COUNT(sizes); i++) {
                double huge = types[t] == DTYPE_F16 ? 100 : 1e36, tiny = types[t] == DTYPE_F16 ? 1e-2 : 1e-36; /* finite, outliers included */
                check_halves((enum isa)level, types[t], sizes[i][0], sizes[i][1], sizes[i][2], 1, 0.02);
                check_halves((enum isa)level, types[t], sizes[i][0], sizes[i][1], sizes[i][2], tiny, huge);
                check_halves((enum isa)level, types[t], sizes[i][0], sizes[i][1], sizes[i][2], huge, tiny);
            }
    }
}
END_TEST

START_TEST(test_tile) {
    enum { MOST = 40, WIDE = 144 };
    float *a = mem_try(MOST * WIDE * 4), *b = mem_try(WIDE * WIDE * 4), *c = mem_try(MOST * WIDE * 4);
    uint64_t seed = 21;
    EACH_LEVEL(level) for (int m = 1; m < MOST; m += 3) for (int n = 16; n <= WIDE; n += 32) for (int is_added = 0; is_added < 2; is_added++) {
        int k = 1 + (m * 7) % 50;
        for (int i = 0; i < MOST * WIDE; i++) a[i] = uniform(&seed), c[i] = 0.25f;
        for (int i = 0; i < WIDE * WIDE; i++) b[i] = uniform(&seed);
        struct tile_product p = {a, b, c, m, n, k, k + 1, n, n, is_added};
        isa_table((enum isa)level)->tile(&p);
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                double want = is_added ? 0.25 : 0;
                for (int l = 0; l < k; l++) want += (double)a[i * (k + 1) + l] * (double)b[l * n + j];
                ck_assert(is_close((double)c[i * n + j], want, 1e-6, 1e-5));
            }
        ck_assert(c[m * n] == 0.25f);
    }
    mem_try_free(a, 0);
    mem_try_free(b, 0);
    mem_try_free(c, 0);
}
END_TEST

/* The same sums in f32 and of pairs. */
START_TEST(test_tile_pairs) {
    enum { M = 15, N = 80, K = 37, PAIRS = (K + 1) / 2 };
    const struct isa_kernels *isa = isa_table(ISA_LEVEL_AVX512BF16);
    if (isa_best() < ISA_LEVEL_AVX512BF16) return;
    ck_assert(isa->has_pairs);
    uint16_t a[M * 2 * PAIRS], b[K * N];
    float *pairs = mem_try(PAIRS * N * sizeof(float)), *c = mem_try(M * N * sizeof(float));
    uint64_t seed = 22;
    for (int i = 0; i < M * 2 * PAIRS; i++) store(DTYPE_BF16, a, i, i % (2 * PAIRS) < K ? uniform(&seed) : 0);
    for (int i = 0; i < K * N; i++) store(DTYPE_BF16, b, i, uniform(&seed));
    isa->pair_rows(b, N * sizeof *b, K, N, pairs, N);
    for (int m = 1; m <= M; m += 7) for (int is_added = 0; is_added < 2; is_added++) {
        for (int i = 0; i < M * N; i++) c[i] = 0.25f;
        struct tile_product p = {(float *)(void *)a, pairs, c, m, N, PAIRS, PAIRS, N, N, is_added};
        isa->tile_pairs(&p);
        for (int i = 0; i < M * N; i++) {
            double want = i < m * N && !is_added ? 0 : 0.25;
            for (int l = 0; l < K && i < m * N; l++)
                want += (double)load(DTYPE_BF16, a, i / N * 2 * PAIRS + l) * (double)load(DTYPE_BF16, b, l * N + i % N);
            ck_assert(is_close((double)c[i], want, 1e-6, 1e-5));
        }
    }
    mem_try_free(pairs, 0);
    mem_try_free(c, 0);
}
END_TEST

START_TEST(test_pair_rows) {
    enum { ROWS = 9, COLS = 83, STRIDE = 90 };
    uint16_t x[ROWS * STRIDE];
    uint32_t y[(ROWS + 1) / 2 * STRIDE];
    for (int i = 0; i < ROWS * STRIDE; i++) x[i] = (uint16_t)(i * 40503);
    EACH_LEVEL(level) for (int rows = 1; rows <= ROWS; rows++) {
        for (int i = 0; i < (ROWS + 1) / 2 * STRIDE; i++) y[i] = 7;
        isa_table((enum isa)level)->pair_rows(x, STRIDE * sizeof *x, rows, COLS, (float *)(void *)y, STRIDE);
        for (int i = 0; i < (ROWS + 1) / 2 * STRIDE; i++) {
            int r = i / STRIDE * 2, col = i % STRIDE;
            uint32_t high = r + 1 < rows ? x[(r + 1) * STRIDE + col] : 0;
            ck_assert(y[i] == (r < rows && col < COLS ? x[r * STRIDE + col] | high << 16 : 7));
        }
    }
}
END_TEST

START_TEST(test_transpose) {
    enum { STRIDE = 150, ROWS = 64 };
    uint16_t x[2 * STRIDE * ROWS];
    float y[STRIDE * ROWS];
    uint64_t seed = 4;
    static const int64_t widths[] = {1, 14, 16, 33, 128};
    EACH_LEVEL(level) for (size_t k = 0; k < COUNT(types); k++) for (int64_t rows = 1; rows <= ROWS; rows += 9) for (size_t c = 0; c < COUNT(widths); c++) {
        for (int i = 0; i < STRIDE * ROWS; i++) store(types[k], x, i, uniform(&seed)), y[i] = NAN;
        isa_table((enum isa)level)->transpose(types[k], x, STRIDE, rows, widths[c], y, ROWS);
        for (int64_t j = 0; j < widths[c]; j++)
            for (int64_t i = 0; i < (rows + 15) / 16 * 16; i++)
                ck_assert(y[j * ROWS + i] == (i < rows ? load(types[k], x, i * STRIDE + j) : 0));
    }
    int8_t codes[STRIDE * ROWS];
    for (int i = 0; i < STRIDE * ROWS; i++) codes[i] = (int8_t)(i * 37 % 256 - 128);
    EACH_LEVEL(level) for (int64_t rows = 1; rows <= ROWS; rows += 9) for (size_t c = 0; c < COUNT(widths); c++) {
        isa_table((enum isa)level)->transpose(DTYPE_I8, codes, STRIDE, rows, widths[c], y, ROWS);
        for (int64_t j = 0; j < widths[c]; j++)
            for (int64_t i = 0; i < (rows + 15) / 16 * 16; i++)
                ck_assert(y[j * ROWS + i] == (i < rows ? (float)codes[i * STRIDE + j] : 0));
    }
}
END_TEST

/* Two tiles, the second with larger scores, against a softmax of the whole row. */
START_TEST(test_softmax_tile) {
    enum { M = 5, N = 32, K = 16 };
    EACH_LEVEL(level) {
        float s[2][M * N], kept[2][M * N], o[M * K], most[M], sum[M];
        int64_t visible[2][M] = {{32, 32, 7, 1, 32}, {32, 9, 0, -30, 1}};
        uint64_t seed = 8;
        for (int i = 0; i < M * K; i++) o[i] = 0;
        for (int i = 0; i < M; i++) most[i] = -INFINITY, sum[i] = 0;
        for (int t = 0; t < 2; t++)
            for (int i = 0; i < M * N; i++) s[t][i] = kept[t][i] = uniform(&seed) * 4 + 3 * (float)t;
        for (int t = 0; t < 2; t++) {
            struct softmax_tile p = {s[t], o, most, sum, visible[t], 0.5f, M, N, K, N, K};
            isa_table((enum isa)level)->softmax_tile(&p);
            for (int i = 0; i < M; i++)
                for (int j = 0; j < N; j++) o[i * K] += s[t][i * N + j]; /* values of 1: o becomes the sum */
        }
        for (int i = 0; i < M; i++) {
            double total = 0, largest = -INFINITY;
            for (int t = 0; t < 2; t++)
                for (int j = 0; j < visible[t][i]; j++) largest = fmax(largest, 0.5 * (double)kept[t][i * N + j]);
            for (int t = 0; t < 2; t++)
                for (int j = 0; j < visible[t][i]; j++) total += exp(0.5 * (double)kept[t][i * N + j] - largest);
            ck_assert(is_close((double)sum[i], total, 1e-6, 0));
            ck_assert(is_close((double)o[i * K], total, 2e-6, 0));
            ck_assert(is_close((double)most[i], largest, 0, 0));
        }
    }
}
END_TEST

START_TEST(test_rope) {
    enum { HEADS = 3, HALF = 7 };
    uint16_t x[4 * HEADS * HALF], y[4 * HEADS * HALF];
    float c[HALF], s[HALF];
    uint64_t seed = 2;
    for (int j = 0; j < HALF; j++) c[j] = cosf((float)j), s[j] = sinf((float)j);
    EACH_LEVEL(level) for (size_t k = 0; k < COUNT(types); k++) {
        enum dtype t = types[k];
        for (int i = 0; i < 2 * HEADS * HALF; i++) store(t, x, i, uniform(&seed));
        isa_table((enum isa)level)->rope(t, x, y, HEADS, HALF, c, s);
        for (int h = 0; h < HEADS; h++)
            for (int j = 0; j < HALF; j++) {
                double a = (double)load(t, x, h * 2 * HALF + j), b = (double)load(t, x, h * 2 * HALF + HALF + j);
                ck_assert(is_close((double)load(t, y, h * 2 * HALF + j), a * (double)c[j] - b * (double)s[j], rounding(t), rounding(t)));
                ck_assert(is_close((double)load(t, y, h * 2 * HALF + HALF + j), b * (double)c[j] + a * (double)s[j], rounding(t), rounding(t)));
            }
    }
}
END_TEST

START_TEST(test_from_int8) {
    int8_t x[256];
    uint16_t y[512];
    for (int i = 0; i < 256; i++) x[i] = (int8_t)(i - 128);
    EACH_LEVEL(level) for (size_t k = 0; k < COUNT(types); k++) {
        isa_table((enum isa)level)->from_int8(types[k], x, y, 251);
        for (int i = 0; i < 251; i++) ck_assert(load(types[k], y, i) == (float)x[i]);
    }
}
END_TEST

TEST_MAIN("kernels.cpu_isa", test_choose, test_conversions, test_exp, test_elementwise, test_rows, test_argmax_ties, test_few, test_blocks, test_round_row, test_strips, test_tiles, test_halves, test_tile,
          test_transpose, test_tile_pairs, test_pair_rows, test_softmax_tile, test_rope, test_from_int8)
