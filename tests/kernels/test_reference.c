/* The judge judged: values known by hand, fused operations against the plain ones that they stand for, float64 kept
 * throughout, draws as often as they should be, the same bits for any number of threads. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "kernels/base/random.h"

/* ---- weights: any name, any shape; "ones" is ones ---- */

static void fill(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    (void)self;
    uint64_t seed = hash_bytes((uint64_t)r, name, strlen(name));
    for (int64_t i = 0; i < cols; i++) y[i] = strcmp(name, "ones") == 0 ? 1.0f : (float)(random_unit(random_next(&seed)) * 2 - 1);
}

static enum status find(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill};
    return STATUS_OK;
}
static const struct weight_source source = {.is_synthetic = 1, .find = find};

/* ---- a bench: a program, a device, data by tensor name ---- */

struct bench {
    struct program p;
    struct arena a;
    struct device *device;
    struct prepared *prepared;
    struct clock clock;
};

static void begin(struct bench *b, int64_t r, int64_t s, int64_t slots) {
    *b = (struct bench){0};
    program_init(&b->p, "bench");
    b->p.symbol_max[SYMBOL_R] = r;
    b->p.symbol_max[SYMBOL_S] = s;
    b->p.symbol_max[SYMBOL_B] = slots;
}

static int matrix(struct bench *b, const char *name, enum dtype t, int64_t width) {
    return program_input(&b->p, name, t, 2, (struct dim[]){dim_symbol(SYMBOL_R), dim_of(width)});
}
static int vector(struct bench *b, const char *name, enum dtype t) {
    return program_input(&b->p, name, t, 1, (struct dim[]){dim_symbol(SYMBOL_R)});
}
static int cache(struct bench *b, const char *name, int64_t width) {
    return program_state(&b->p, name, DTYPE_F32, 3, (struct dim[]){dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(width)});
}
static int weight(struct bench *b, const char *name, int64_t rows, int64_t cols, int is_vector) {
    return program_weight(&b->p, name, DTYPE_F32, recipe_leaf(&b->a, name, rows, cols), is_vector);
}

/* Appends with one output called `name`, which the host reads. */
static int append(struct bench *b, struct op_spec s, const char *name) {
    s.n_out = 1;
    s.names[0] = name;
    int y = program_append(&b->p, &s);
    program_output(&b->p, y);
    return y;
}

static void ready(struct bench *b, int threads) {
    struct error e = {0};
    ck_assert_msg(program_validate(&b->p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(backend_reference.open(&(struct device_options){.clock = &b->clock, .threads = threads}, &b->device, &e), STATUS_OK);
    ck_assert_msg(backend_reference.prepare(b->device, &b->p, &source, &b->prepared, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(backend_reference.bind(b->prepared, b->p.symbol_max, &e), STATUS_OK);
}

static void put(struct bench *b, const char *name, const void *data, size_t bytes) {
    struct error e = {0};
    ck_assert_msg(backend_reference.write(b->prepared, program_find(&b->p, name), 0, data, bytes, &e) == STATUS_OK, "%s", e.text);
}

static void get(struct bench *b, const char *name, void *data, size_t bytes) {
    struct error e = {0};
    ck_assert_msg(backend_reference.read(b->prepared, program_find(&b->p, name), 0, data, bytes, &e) == STATUS_OK, "%s", e.text);
}

static void run(struct bench *b) {
    struct error e = {0};
    ck_assert_msg(backend_reference.run(b->prepared, 0, (int)b->p.n_ops, NULL, &e) == STATUS_OK, "%s", e.text);
}

static void end(struct bench *b) {
    if (b->prepared) backend_reference.release(b->prepared);
    if (b->device) backend_reference.close(b->device);
    program_free(&b->p);
    arena_free(&b->a);
}

static void random_floats(float *x, int n, uint64_t seed) {
    for (int i = 0; i < n; i++) x[i] = (float)(random_unit(random_next(&seed)) * 2 - 1);
}

/* ---- values known by hand ---- */

START_TEST(norm_rotation_silu_by_hand) {
    struct bench b;
    float x[2] = {3, 4}, y[2];
    begin(&b, 1, 1, 1);
    int in = matrix(&b, "x", DTYPE_F32, 2), pos = vector(&b, "pos", DTYPE_I32), f = program_constant(&b.p, "f", DTYPE_F64, 1, (double[]){0.5});
    append(&b, (struct op_spec){.kind = OP_RMSNORM, .n_in = 2, .in = {in, weight(&b, "ones", 1, 2, 1)}, .f = {0}}, "norm");
    append(&b, (struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {in, pos, f}, .i = {1}}, "rope");
    append(&b, (struct op_spec){.kind = OP_SILU, .n_in = 1, .in = {in}}, "silu");
    ready(&b, 1);
    put(&b, "x", x, sizeof x);
    put(&b, "pos", (int32_t[]){3}, 4);
    run(&b);
    get(&b, "norm", y, sizeof y);
    ck_assert_float_eq_tol(y[0], 3 / sqrtf(12.5f), 1e-7f);
    ck_assert_float_eq_tol(y[1], 4 / sqrtf(12.5f), 1e-7f);
    get(&b, "rope", y, sizeof y); /* 1.5 radians */
    ck_assert_float_eq_tol(y[0], 3 * cosf(1.5f) - 4 * sinf(1.5f), 1e-6f);
    ck_assert_float_eq_tol(y[1], 4 * cosf(1.5f) + 3 * sinf(1.5f), 1e-6f);
    get(&b, "silu", y, sizeof y);
    ck_assert_float_eq_tol(y[0], 3 / (1 + expf(-3)), 1e-6f);
    end(&b);
}
END_TEST

START_TEST(likelihood_by_hand) {
    struct bench b;
    float logits[] = {0, 0, 0, 0, 1000, 0, -1000, 0, 1, 2, 3, 4}, nll[3];
    begin(&b, 3, 1, 1);
    append(&b, (struct op_spec){.kind = OP_NLL, .n_in = 2, .in = {matrix(&b, "x", DTYPE_F32, 4), vector(&b, "t", DTYPE_I32)}}, "nll");
    ready(&b, 1);
    put(&b, "x", logits, sizeof logits);
    put(&b, "t", (int32_t[]){2, 0, -1}, 12);
    run(&b);
    get(&b, "nll", nll, sizeof nll);
    ck_assert_float_eq_tol(nll[0], logf(4), 1e-7f);
    ck_assert_float_eq(nll[1], 0);
    ck_assert_float_eq(nll[2], 0);
    end(&b);
}
END_TEST

/* Products of odd sizes and split outputs against the plain loop. */
static void check_product(int r, int k, int n0, int n1) {
    struct bench b;
    float x[8 * 128], bias[128], *w = mem_alloc((size_t)((n0 + n1) * k) * sizeof *w), y[8 * 128];
    begin(&b, r, 1, 1);
    const struct recipe *parts[] = {recipe_leaf(&b.a, "w0", n0, k), recipe_leaf(&b.a, "w1", n1, k)};
    int in = matrix(&b, "x", DTYPE_F32, k), wt = program_weight(&b.p, "w", DTYPE_F32, recipe_concat(&b.a, parts, 2), 0);
    struct op_spec s = {.kind = OP_LINEAR, .n_in = 3, .in = {in, wt, weight(&b, "bias", n0 + n1, 1, 1)}, .n_out = 2, .names = {"y0", "y1"}};
    int y0 = program_append(&b.p, &s);
    program_output(&b.p, y0);
    program_output(&b.p, y0 + 1);
    ready(&b, 2);
    random_floats(x, r * k, 3);
    put(&b, "x", x, (size_t)(r * k) * sizeof *x);
    run(&b);
    for (int i = 0; i < n0 + n1; i++) {
        fill(NULL, i < n0 ? "w0" : "w1", i < n0 ? i : i - n0, w + i * k, k);
        fill(NULL, "bias", i, bias + i, 1);
    }
    for (int part = 0; part < 2; part++) {
        int first = part ? n0 : 0, n = part ? n1 : n0;
        get(&b, part ? "y1" : "y0", y, (size_t)(r * n) * sizeof *y);
        for (int i = 0; i < r * n; i++) {
            double sum = (double)bias[first + i % n];
            for (int c = 0; c < k; c++) sum += (double)x[i / n * k + c] * (double)w[(first + i % n) * k + c];
            ck_assert_msg(fabs((double)y[i] - sum) <= 1e-6 * (1 + fabs(sum)), "%d x %d, %d+%d: element %d of part %d", r, k, n0, n1, i, part);
        }
    }
    mem_free(w);
    end(&b);
}

START_TEST(products_agree_with_the_plain_loop) {
    static const int sizes[][4] = {{1, 1, 1, 1}, {1, 8, 3, 1}, {3, 37, 41, 2}, {2, 7, 1, 5}, {5, 128, 16, 17}, {8, 100, 33, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) check_product(sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
}
END_TEST

/* ---- precision: what is declared bf16 is kept as float64 ---- */

START_TEST(activations_are_not_rounded) {
    struct bench b;
    uint16_t a = f32_to_bf16(1), minus = f32_to_bf16(-1), small = f32_to_bf16(0x1p-40f), y;
    begin(&b, 1, 1, 1);
    int x = matrix(&b, "a", DTYPE_BF16, 1), s = matrix(&b, "small", DTYPE_BF16, 1), m = matrix(&b, "minus", DTYPE_BF16, 1);
    int sum = append(&b, (struct op_spec){.kind = OP_ADD, .n_in = 2, .in = {x, s}}, "sum");
    append(&b, (struct op_spec){.kind = OP_ADD, .n_in = 2, .in = {sum, m}}, "left");
    ready(&b, 1);
    put(&b, "a", &a, 2);
    put(&b, "small", &small, 2);
    put(&b, "minus", &minus, 2);
    run(&b);
    get(&b, "left", &y, 2);
    ck_assert_float_eq(bf16_to_f32(y), 0x1p-40f);
    end(&b);
}
END_TEST

/* ---- fused against plain ---- */

enum { H = 6, G = 2, K = 10, ROWS = 7, KEYS = 9, SLOTS = 3 };
static const int32_t rows_data[ROWS] = {0, 2, 2, 2, 1, 1, 0}, pos_data[ROWS] = {8, 0, 1, 2, 3, 4, 5};

static void build_attention(struct bench *b, int is_fused) {
    begin(b, ROWS, KEYS, SLOTS);
    int q = matrix(b, "q", DTYPE_F32, H * K), k = matrix(b, "k", DTYPE_F32, G * K), v = matrix(b, "v", DTYPE_F32, G * K);
    int rows = vector(b, "rows", DTYPE_I32), pos = vector(b, "pos", DTYPE_I32), keys = cache(b, "keys", G * K), values = cache(b, "values", G * K);
    int f = program_constant(&b->p, "f", DTYPE_F64, K / 2, (double[]){1, 0.5, 0.25, 0.125, 0.0625});
    if (is_fused) {
        q = append(b, (struct op_spec){.kind = OP_ROPE_KV_WRITE, .n_in = 8, .in = {q, k, v, pos, rows, f, keys, values}, .i = {H, G}}, "turned");
        append(b, (struct op_spec){.kind = OP_ATTENTION, .n_in = 5, .in = {q, keys, values, rows, pos}, .f = {0.3f}, .i = {H, G}}, "y");
        return;
    }
    q = append(b, (struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {q, pos, f}, .i = {H}}, "turned");
    k = append(b, (struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {k, pos, f}, .i = {G}}, "k turned");
    program_append(&b->p, &(struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {k, rows, pos, keys}});
    program_append(&b->p, &(struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {v, rows, pos, values}});
    int s = append(b, (struct op_spec){.kind = OP_ATTN_SCORES, .n_in = 4, .in = {q, keys, rows, pos}, .i = {H, G}}, "s");
    s = append(b, (struct op_spec){.kind = OP_SCALE, .n_in = 1, .in = {s}, .f = {0.3f}}, "scaled");
    s = append(b, (struct op_spec){.kind = OP_CAUSAL_MASK, .n_in = 2, .in = {s, pos}}, "masked");
    s = append(b, (struct op_spec){.kind = OP_SOFTMAX, .n_in = 1, .in = {s}}, "p");
    append(b, (struct op_spec){.kind = OP_ATTN_VALUES, .n_in = 4, .in = {s, values, rows, pos}, .i = {H, G}}, "y");
}

static void run_attention(int is_fused, float *y, float *keys, float *values) {
    struct bench b;
    float x[ROWS * H * K], old[SLOTS * KEYS * G * K];
    build_attention(&b, is_fused);
    ready(&b, 2);
    random_floats(x, ROWS * H * K, 1);
    put(&b, "q", x, sizeof x);
    random_floats(x, ROWS * G * K, 2);
    put(&b, "k", x, ROWS * G * K * sizeof *x);
    random_floats(x, ROWS * G * K, 3);
    put(&b, "v", x, ROWS * G * K * sizeof *x);
    random_floats(old, SLOTS * KEYS * G * K, 4);
    put(&b, "keys", old, sizeof old);
    put(&b, "values", old, sizeof old);
    put(&b, "rows", rows_data, sizeof rows_data);
    put(&b, "pos", pos_data, sizeof pos_data);
    run(&b);
    get(&b, "y", y, sizeof(float) * ROWS * H * K);
    get(&b, "keys", keys, sizeof old);
    get(&b, "values", values, sizeof old);
    end(&b);
}

START_TEST(fused_attention_is_the_plain_chain) {
    static float y[2][ROWS * H * K], keys[2][SLOTS * KEYS * G * K], values[2][SLOTS * KEYS * G * K];
    for (int i = 0; i < 2; i++) run_attention(i, y[i], keys[i], values[i]);
    for (int i = 0; i < ROWS * H * K; i++) ck_assert_float_eq_tol(y[0][i], y[1][i], 1e-6f);
    ck_assert_int_eq(memcmp(keys[0], keys[1], sizeof keys[0]), 0);
    ck_assert_int_eq(memcmp(values[0], values[1], sizeof values[0]), 0);
    /* slot 2's first row sees only itself: its value, whatever its score */
    for (int i = 0; i < H * K; i++) ck_assert_float_eq_tol(y[0][1 * H * K + i], values[0][2 * KEYS * G * K + i / K / (H / G) * K + i % K], 1e-6f);
}
END_TEST

START_TEST(fused_norm_and_swiglu_are_the_plain_ones) {
    struct bench b;
    float x[5 * 12], z[5 * 12], plain[5 * 12], fused[5 * 12];
    begin(&b, 5, 1, 1);
    int a = matrix(&b, "a", DTYPE_F32, 12), c = matrix(&b, "c", DTYPE_F32, 12), g = weight(&b, "g", 1, 12, 1);
    int sum = append(&b, (struct op_spec){.kind = OP_ADD, .n_in = 2, .in = {a, c}}, "sum");
    append(&b, (struct op_spec){.kind = OP_RMSNORM, .n_in = 2, .in = {sum, g}, .f = {1e-5f}}, "norm");
    struct op_spec both = {.kind = OP_ADD_RMSNORM, .n_in = 3, .in = {a, c, g}, .n_out = 2, .names = {"sum2", "norm2"}, .f = {1e-5f}};
    int sum2 = program_append(&b.p, &both);
    program_output(&b.p, sum2);
    program_output(&b.p, sum2 + 1);
    const struct recipe *parts[] = {recipe_leaf(&b.a, "gate", 7, 12), recipe_leaf(&b.a, "up", 7, 12)};
    int gate = append(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {a, weight(&b, "gate", 7, 12, 0)}}, "gated");
    int up = append(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {a, weight(&b, "up", 7, 12, 0)}}, "upped");
    int act = append(&b, (struct op_spec){.kind = OP_SILU, .n_in = 1, .in = {gate}}, "act");
    append(&b, (struct op_spec){.kind = OP_MUL, .n_in = 2, .in = {act, up}}, "product");
    int pair = program_weight(&b.p, "pair", DTYPE_F32, recipe_concat(&b.a, parts, 2), 0);
    append(&b, (struct op_spec){.kind = OP_LINEAR_SWIGLU, .n_in = 2, .in = {a, pair}}, "swiglu");
    ready(&b, 2);
    random_floats(x, 5 * 12, 5);
    random_floats(z, 5 * 12, 6);
    put(&b, "a", x, sizeof x);
    put(&b, "c", z, sizeof z);
    run(&b);
    static const char *const pairs[][2] = {{"sum", "sum2"}, {"norm", "norm2"}, {"product", "swiglu"}};
    for (int i = 0; i < 3; i++) {
        size_t bytes = i == 2 ? 5 * 7 * sizeof(float) : sizeof plain;
        get(&b, pairs[i][0], plain, bytes);
        get(&b, pairs[i][1], fused, bytes);
        ck_assert_msg(memcmp(plain, fused, bytes) == 0, "%s", pairs[i][1]);
    }
    end(&b);
}
END_TEST

/* ---- choices ---- */

static void draw(const float logits[4], const float params[4], int n, int counts[4]) {
    struct bench b;
    begin(&b, n, 1, 1);
    append(&b, (struct op_spec){.kind = OP_SAMPLE, .n_in = 3, .in = {matrix(&b, "x", DTYPE_F32, 4), matrix(&b, "params", DTYPE_F32, 4),
                                vector(&b, "seeds", DTYPE_I64)}}, "ids");
    ready(&b, 1);
    float *x = mem_alloc((size_t)n * 16), *p = mem_alloc((size_t)n * 16);
    int64_t *seeds = mem_alloc((size_t)n * 8);
    int32_t *ids = mem_alloc((size_t)n * 4);
    for (int i = 0; i < n; i++) {
        memcpy(x + 4 * i, logits, 16);
        memcpy(p + 4 * i, params, 16);
        seeds[i] = 1000 + i;
    }
    put(&b, "x", x, (size_t)n * 16);
    put(&b, "params", p, (size_t)n * 16);
    put(&b, "seeds", seeds, (size_t)n * 8);
    run(&b);
    get(&b, "ids", ids, (size_t)n * 4);
    memset(counts, 0, 4 * sizeof *counts);
    for (int i = 0; i < n; i++) counts[ids[i]]++;
    mem_free(x), mem_free(p), mem_free(seeds), mem_free(ids);
    end(&b);
}

START_TEST(draws_are_as_often_as_they_should_be) {
    enum { N = 20000 };
    static const float equal[4] = {1, 3, 3, 2}, some[4] = {0, 0.69314718f, 1.3862944f, -INFINITY}; /* 1 : 2 : 4 : 0 */
    int c[4];
    draw(equal, (float[]){0, 0, 1, 0}, 10, c);
    ck_assert_int_eq(c[1], 10); /* the lowest of equals */
    draw(some, (float[]){1, 0, 1, 0}, N, c);
    double sd = sqrt(N * 0.25); /* five of them: one run in a million */
    for (int i = 0; i < 3; i++) ck_assert_double_le(fabs(c[i] - N * (1 << i) / 7.0), 5 * sd);
    ck_assert_int_eq(c[3], 0);
    draw(some, (float[]){0.5f, 0, 1, 0}, N, c); /* 1 : 4 : 16 */
    ck_assert_double_le(fabs(c[2] - N * 16 / 21.0), 5 * sd);
    draw(some, (float[]){1, 2, 1, 0}, N, c); /* the two likeliest */
    ck_assert_int_eq(c[0], 0);
    ck_assert_double_le(fabs(c[1] - N / 3.0), 5 * sd);
    draw(some, (float[]){1, 0, 0.5f, 0}, N, c); /* 4/7 is enough */
    ck_assert_int_eq(c[2], N);
    draw(some, (float[]){1, 0, 0.6f, 0}, N, c); /* it is not */
    ck_assert_int_eq(c[0], 0);
    ck_assert_double_le(fabs(c[1] - N / 3.0), 5 * sd);
    draw(some, (float[]){1, 2, 0.6f, 0}, N, c); /* of the two that are left 2/3 is enough */
    ck_assert_int_eq(c[2], N);
}
END_TEST

/* ---- what is out of bounds ---- */

static void assert_row_refused(enum op_kind kind, int32_t row, int32_t pos, const char *words) {
    struct bench b;
    struct error e = {0};
    begin(&b, 1, 3, 2);
    int x = matrix(&b, "x", DTYPE_F32, 4), rows = vector(&b, "rows", DTYPE_I32), at = vector(&b, "pos", DTYPE_I32), c = cache(&b, "c", 4);
    if (kind == OP_KV_WRITE) program_append(&b.p, &(struct op_spec){.kind = kind, .n_in = 4, .in = {x, rows, at, c}});
    if (kind == OP_ATTENTION) append(&b, (struct op_spec){.kind = kind, .n_in = 5, .in = {x, c, c, rows, at}, .f = {1}, .i = {1, 1}}, "y");
    if (kind == OP_GATHER_ROWS) append(&b, (struct op_spec){.kind = kind, .n_in = 2, .in = {x, rows}}, "y");
    if (kind == OP_EMBED) append(&b, (struct op_spec){.kind = kind, .n_in = 2, .in = {weight(&b, "table", 5, 4, 0), rows}}, "y");
    if (kind == OP_NLL) append(&b, (struct op_spec){.kind = kind, .n_in = 2, .in = {x, rows}}, "y");
    ready(&b, 1);
    put(&b, "rows", &row, 4);
    put(&b, "pos", &pos, 4);
    ck_assert_int_eq(backend_reference.run(b.prepared, 0, 1, NULL, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, words) != NULL, "'%s' lacks '%s'", e.text, words);
    end(&b);
}

START_TEST(what_is_out_of_bounds_is_refused) {
    assert_row_refused(OP_KV_WRITE, 2, 0, "slot 2 at row 0 is outside [0, 2)");
    assert_row_refused(OP_KV_WRITE, 0, 3, "position 3 at row 0 is outside [0, 3)");
    assert_row_refused(OP_ATTENTION, -1, 0, "slot -1");
    assert_row_refused(OP_ATTENTION, 0, -5, "position -5");
    assert_row_refused(OP_GATHER_ROWS, 1, 0, "row index 1");
    assert_row_refused(OP_EMBED, 5, 0, "id 5 at row 0 is outside [0, 5)");
    assert_row_refused(OP_NLL, 4, 0, "target 4");
}
END_TEST

START_TEST(only_what_lasts_can_be_read) {
    struct bench b;
    struct error e = {0};
    float x[4] = {0};
    begin(&b, 1, 1, 1);
    int in = matrix(&b, "x", DTYPE_F32, 4);
    int t = program_append(&b.p, &(struct op_spec){.kind = OP_SILU, .n_in = 1, .in = {in}, .n_out = 1, .names = {"t"}});
    append(&b, (struct op_spec){.kind = OP_SILU, .n_in = 1, .in = {t}}, "y");
    b.p.tensors[append(&b, (struct op_spec){.kind = OP_SILU, .n_in = 1, .in = {t}}, "kept")].is_kept = 1;
    ready(&b, 1);
    run(&b);
    ck_assert_int_eq(backend_reference.read(b.prepared, t, 0, x, 16, &e), STATUS_INTERNAL);
    ck_assert_int_eq(backend_reference.read(b.prepared, program_find(&b.p, "kept"), 0, x, 16, &e), STATUS_OK);
    ck_assert_int_eq(backend_reference.read(b.prepared, program_find(&b.p, "y"), 4, x, 16, &e), STATUS_INTERNAL);
    ck_assert_int_eq(backend_reference.read(b.prepared, program_find(&b.p, "y"), 2, x, 4, &e), STATUS_INTERNAL);
    ck_assert_int_eq(backend_reference.bind(b.prepared, (int64_t[]){2, 1, 1}, &e), STATUS_INTERNAL);
    end(&b);
}
END_TEST

/* ---- the same bits for any number of threads ---- */

START_TEST(threads_change_nothing) {
    float x[9 * 300], y[3][9 * 200];
    for (int i = 0; i < 3; i++) {
        struct bench b;
        begin(&b, 9, 1, 1);
        append(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {matrix(&b, "x", DTYPE_F32, 300), weight(&b, "w", 200, 300, 0)}}, "y");
        ready(&b, i + 1);
        random_floats(x, 9 * 300, 8);
        put(&b, "x", x, sizeof x);
        run(&b);
        get(&b, "y", y[i], sizeof y[i]);
        end(&b);
        ck_assert_int_eq(memcmp(y[i], y[0], sizeof y[0]), 0);
    }
}
END_TEST

TEST_MAIN("reference", norm_rotation_silu_by_hand, likelihood_by_hand, products_agree_with_the_plain_loop, activations_are_not_rounded,
          fused_attention_is_the_plain_chain, fused_norm_and_swiglu_are_the_plain_ones, draws_are_as_often_as_they_should_be,
          what_is_out_of_bounds_is_refused, only_what_lasts_can_be_read, threads_change_nothing)
