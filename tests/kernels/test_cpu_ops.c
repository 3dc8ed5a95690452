/* Every operation on the cpu backend, at every instruction set of this machine and several team sizes, against the
 * float64 judge: odd sizes, one row, one column, no rows, several slots, key ranges that are split and merged. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "kernels/base/random.h"
#include "kernels/cpu/isa.h"

/* ---- weights: any name, any shape, numbers from a hash ---- */

static void fill(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    (void)self;
    uint64_t seed = hash_bytes((uint64_t)r, name, strlen(name));
    /* multiples of 1/64: exact in every type, so that storing them is no part of the error */
    for (int64_t i = 0; i < cols; i++) y[i] = (float)((int)(random_next(&seed) >> 57) - 64) / 64;
}

static enum status find(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill};
    return STATUS_OK;
}
static const struct weight_source source = {.is_synthetic = 1, .find = find};

/* ---- one program with one operation ---- */

struct trial {
    struct program p;
    struct arena arena;
    enum dtype t;
    int64_t symbols[SYMBOL_COUNT];
    int64_t vocabulary;          /* bound of ids and targets */
    int64_t vectors;             /* caches are encoded, so many vectors a row; 0: dense */
    int is_turned;               /* what a cache takes is computed before it is rounded: it may fall to the next code */
    int is_causal;               /* positions of a slot's rows follow each other; else anywhere */
    double tolerance;            /* relative to the largest; 0: from the type */
};

static void begin(struct trial *k, enum dtype t, int64_t r, int64_t s, int64_t b) {
    *k = (struct trial){.t = t, .symbols = {r, s, b}, .vocabulary = 1};
    program_init(&k->p, "trial");
    /* maxima above the values: strides of states must come from the maxima */
    k->p.symbol_max[SYMBOL_R] = r + 1;
    k->p.symbol_max[SYMBOL_S] = s + 3;
    k->p.symbol_max[SYMBOL_B] = b + 1;
}

static int rows_input(struct trial *k, const char *name, enum dtype t, int64_t width) {
    const struct dim dims[] = {dim_symbol(SYMBOL_R), dim_of(width)};
    return program_input(&k->p, name, t, width ? 2 : 1, dims);
}

static int batch_input(struct trial *k, const char *name, enum dtype t, int64_t width) {
    const struct dim dims[] = {dim_symbol(SYMBOL_B), dim_of(width)};
    return program_input(&k->p, name, t, width ? 2 : 1, dims);
}

static int cache(struct trial *k, const char *name, int64_t width) {
    const struct dim dims[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(width)};
    int t = program_state(&k->p, name, k->t, 3, dims);
    if (k->vectors) k->p.tensors[t].encoding = &encoding_int8_row;
    k->p.tensors[t].vectors = k->vectors;
    return t;
}

static const struct recipe *leaf(struct trial *k, const char *name, int64_t rows, int64_t cols) {
    return recipe_leaf(&k->arena, name, rows, cols);
}

static void append(struct trial *k, struct op_spec spec) {
    static const char *const names[] = {"y0", "y1", "y2", "y3"};
    for (int i = 0; i < spec.n_out; i++) spec.names[i] = names[i];
    int first = program_append(&k->p, &spec);
    for (int i = 0; i < spec.n_out; i++) program_output(&k->p, first + i);
}

static void end(struct trial *k) {
    program_free(&k->p);
    arena_free(&k->arena);
}

/* ---- data ---- */

static void store_real(enum dtype t, void *p, int64_t i, float x) {
    if (t == DTYPE_F32) ((float *)p)[i] = x;
    else ((uint16_t *)p)[i] = t == DTYPE_BF16 ? f32_to_bf16(x) : f32_to_f16(x);
}

static double load_real(enum dtype t, const void *p, int64_t i) {
    if (t == DTYPE_F32) return (double)((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return (double)(t == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h));
}

/* Rows are dealt to slots in runs; a run's positions follow each other to the last key. */
static int32_t whole_at(const struct trial *k, const char *name, int64_t i, uint64_t bits) {
    int64_t r = k->symbols[SYMBOL_R], s = k->symbols[SYMBOL_S], b = k->symbols[SYMBOL_B];
    int64_t run = b > 0 ? (r + b - 1) / b : 1, slot = i / run, within = i % run;
    if (strcmp(name, "rows") == 0) return (int32_t)slot;
    if (strcmp(name, "pos") == 0) {
        int64_t at = k->is_causal ? s - run + within : (int64_t)(bits % (uint64_t)(s > 0 ? s : 1));
        return (int32_t)(at < 0 ? 0 : at);
    }
    if (strcmp(name, "index") == 0) return (int32_t)(bits % (uint64_t)(r > 0 ? r : 1));
    if (strcmp(name, "targets") == 0 && bits % 5 == 0) return -1;
    return (int32_t)(bits % (uint64_t)k->vocabulary);
}

/* n numbers of an encoded state to or from f32. */
static void convert_vectors(const struct tensor *t, int64_t n, void *codes, float *numbers, int is_encoding) {
    int64_t width = tensor_vector_length(t);
    char *at = codes;
    for (int64_t i = 0; i < n; i += width, at += tensor_vector_bytes(t))
        if (is_encoding) t->encoding->encode(numbers + i, at, width);
        else t->encoding->decode(at, numbers + i, width);
}

static void make_data(const struct trial *k, const struct tensor *t, void *to) {
    if (t->encoding) {
        struct tensor dense = *t;
        dense.encoding = NULL;
        dense.dtype = DTYPE_F32;
        int64_t n = tensor_elements(t, k->p.symbol_max);
        float *numbers = mem_alloc((size_t)n * sizeof *numbers);
        make_data(k, &dense, numbers);
        convert_vectors(t, n, to, numbers, 1);
        mem_free(numbers);
        return;
    }
    uint64_t seed = hash_bytes(77, t->name, strlen(t->name));
    int64_t n = tensor_elements(t, t->storage == STORAGE_STATE ? k->p.symbol_max : k->symbols);
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = random_next(&seed);
        if (t->dtype == DTYPE_I32) ((int32_t *)to)[i] = whole_at(k, t->name, i, bits);
        else if (t->dtype == DTYPE_I64) ((int64_t *)to)[i] = (int64_t)bits;
        else if (strcmp(t->name, "params") == 0) { /* every other row greedy; some with top_k, some with top_p */
            static const float kinds[][4] = {{0, 0, 1, 0}, {0.7f, 0, 1, 0}, {1, 5, 1, 0}, {1.3f, 0, 0.6f, 0}, {5, 9, 0.8f, 0}};
            ((float *)to)[i] = kinds[i / 4 % 5][i % 4];
        } else store_real(t->dtype, to, i, (float)(random_unit(bits) * 4 - 2));
    }
}

/* Devices are opened once: threads and libraries cost more than these programs. States are shared by name on a
 * device, so a program that has some gets a device of its own. */
struct side {
    const struct backend *b;
    struct device *d;
    struct prepared *q;
    int is_own;
};

static struct clock real_clock;

static struct device *open_device(const struct backend *b, const char *isa, int threads) {
    struct error e = {0};
    struct device *d;
    struct device_options o = {.threads = threads, .isa = isa, .clock = &real_clock};
    ck_assert_msg(b->open(&o, &d, &e) == STATUS_OK, "%s", e.text);
    return d;
}

static int has_states(const struct program *p) {
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_STATE) return 1;
    return 0;
}

static void side_open(struct side *s, const struct backend *b, const struct trial *k, struct device **cached, const char *isa, int threads) {
    struct error e = {0};
    s->b = b;
    s->is_own = has_states(&k->p);
    if (!s->is_own && !*cached) *cached = open_device(b, isa, threads);
    s->d = s->is_own ? open_device(b, isa, threads) : *cached;
    for (size_t i = 0; i < k->p.n_ops; i++) ck_assert_msg(b->supports(s->d, &k->p, &k->p.ops[i], &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(b->prepare(s->d, &k->p, &source, &s->q, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(b->bind(s->q, k->symbols, &e) == STATUS_OK, "%s", e.text);
    for (size_t i = 0; i < k->p.n_tensors; i++) {
        const struct tensor *t = &k->p.tensors[i];
        if (t->storage != STORAGE_INPUT && t->storage != STORAGE_STATE) continue;
        size_t bytes = tensor_bytes(t, t->storage == STORAGE_STATE ? k->p.symbol_max : k->symbols);
        void *data = mem_alloc(bytes);
        make_data(k, t, data);
        ck_assert_msg(b->write(s->q, (int)i, 0, data, bytes, &e) == STATUS_OK, "%s", e.text);
        mem_free(data);
    }
    ck_assert_msg(b->run(s->q, 0, (int)k->p.n_ops, NULL, &e) == STATUS_OK, "%s", e.text);
}

static void side_close(struct side *s) {
    s->b->release(s->q);
    if (s->is_own) s->b->close(s->d);
}

static void compare_tensor(const struct trial *k, int i, struct side *got, struct side *want, const char *what) {
    const struct tensor *t = &k->p.tensors[i];
    struct error e = {0};
    const int64_t *symbols = t->storage == STORAGE_STATE ? k->p.symbol_max : k->symbols;
    int64_t n = tensor_elements(t, symbols);
    size_t bytes = tensor_bytes(t, symbols);
    void *a = mem_alloc(bytes), *b = mem_alloc(bytes);
    enum dtype dtype = t->encoding ? DTYPE_F32 : t->dtype;
    ck_assert_int_eq(got->b->read(got->q, i, 0, a, bytes, &e), STATUS_OK);
    ck_assert_int_eq(want->b->read(want->q, i, 0, b, bytes, &e), STATUS_OK);
    for (int side = 0; side < 2 && t->encoding; side++) {
        void **p = side ? &b : &a, *codes = *p;
        *p = mem_alloc((size_t)n * sizeof(float));
        convert_vectors(t, n, codes, *p, 0);
        mem_free(codes);
    }
    double most = 0, tolerance = k->tolerance > 0 ? k->tolerance : t->dtype == DTYPE_F32 ? 3e-6 : t->dtype == DTYPE_BF16 ? 6e-3 : 8e-4;
    if (t->encoding && k->is_turned) tolerance += 1.01 / 127;
    for (int64_t j = 0; j < n && dtype != DTYPE_I32; j++)
        if (isfinite(load_real(dtype, b, j))) most = fmax(most, fabs(load_real(dtype, b, j)));
    for (int64_t j = 0; j < n; j++) {
        if (t->dtype == DTYPE_I32) {
            REQUIRE(((int32_t *)a)[j] == ((int32_t *)b)[j], "%s: %s[%d] is %d, not %d", what, t->name, (int)j, ((int32_t *)a)[j], ((int32_t *)b)[j]);
            continue;
        }
        double x = load_real(dtype, a, j), y = load_real(dtype, b, j);
        REQUIRE(x == y || fabs(x - y) <= tolerance * most, "%s: %s[%d] is %g, not %g (largest %g)", what, t->name, (int)j, x, y, most);
    }
    mem_free(a);
    mem_free(b);
}

/* The best level in teams of 1, 2 and 3; lower ones in a team of 2. */
enum { MOST_SIZE = 3 };
static struct device *reference, *devices[ISA_LEVEL_COUNT][MOST_SIZE + 1];

static void check_on(const struct trial *k, struct side *want, enum isa level, int threads, const char *what) {
    struct side got;
    char name[160];
    snprintf(name, sizeof name, "%s %s R %d S %d B %d, %s, %d threads", what, dtype_name(k->t), (int)k->symbols[0], (int)k->symbols[1],
             (int)k->symbols[2], isa_name(level), threads);
    side_open(&got, &backend_cpu, k, &devices[level][threads], isa_name(level), threads);
    for (size_t i = 0; i < k->p.n_tensors; i++)
        if (k->p.tensors[i].storage == STORAGE_OUTPUT || k->p.tensors[i].storage == STORAGE_STATE) compare_tensor(k, (int)i, &got, want, name);
    side_close(&got);
}

static void check(struct trial *k, const char *what) {
    struct side want;
    struct error e = {0};
    ck_assert_msg(program_validate(&k->p, &e) == STATUS_OK, "%s", e.text);
    side_open(&want, &backend_reference, k, &reference, NULL, 0);
    for (int level = 0; level < (int)isa_best(); level++) check_on(k, &want, (enum isa)level, 2, what);
    for (int threads = 1; threads <= MOST_SIZE; threads++) check_on(k, &want, isa_best(), threads, what);
    side_close(&want);
    end(k);
}

START_TEST(test_close) {
    for (int level = 0; level < ISA_LEVEL_COUNT; level++)
        for (int n = 1; n <= MOST_SIZE; n++)
            if (devices[level][n]) backend_cpu.close(devices[level][n]);
    backend_reference.close(reference);
}
END_TEST

static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
static const int64_t row_counts[] = {0, 1, 2, 7, 40};
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define EACH(type, rows) \
    for (size_t type##_ = 0; type##_ < COUNT(types); type##_++) \
        for (size_t rows##_ = 0; rows##_ < COUNT(row_counts); rows##_++) \
            for (int once = 1; once;) \
                for (enum dtype type = types[type##_]; once;) \
                    for (int64_t rows = row_counts[rows##_]; once; once = 0)

START_TEST(test_elementwise) {
    static const enum op_kind kinds[] = {OP_ADD, OP_MUL, OP_SCALE, OP_SILU, OP_COPY, OP_SOFTMAX};
    static const int64_t widths[] = {1, 33, 1000};
    EACH(t, r) for (size_t o = 0; o < COUNT(kinds); o++) for (size_t w = 0; w < COUNT(widths); w++) {
        struct trial k;
        begin(&k, t, r, 1, 1);
        int a = rows_input(&k, "a", t, widths[w]), b = rows_input(&k, "b", t, widths[w]), is_pair = kinds[o] == OP_ADD || kinds[o] == OP_MUL;
        append(&k, (struct op_spec){.kind = kinds[o], .n_in = is_pair ? 2 : 1, .in = {a, b}, .n_out = 1, .f = {0.3f}});
        check(&k, op_table[kinds[o]].name);
    }
}
END_TEST

START_TEST(test_norms) {
    static const int64_t widths[] = {1, 33, 576};
    EACH(t, r) for (size_t w = 0; w < COUNT(widths); w++) {
        struct trial k;
        begin(&k, t, r, 1, 1);
        int a = rows_input(&k, "a", t, widths[w]), b = rows_input(&k, "b", t, widths[w]);
        int g = program_weight(&k.p, "g", DTYPE_F32, leaf(&k, "g", 1, widths[w]), 1);
        append(&k, (struct op_spec){.kind = OP_RMSNORM, .n_in = 2, .in = {a, g}, .n_out = 1, .f = {1e-5f}});
        check(&k, "rmsnorm");
        begin(&k, t, r, 1, 1);
        a = rows_input(&k, "a", t, widths[w]), b = rows_input(&k, "b", t, widths[w]);
        g = program_weight(&k.p, "g", DTYPE_F32, leaf(&k, "g", 1, widths[w]), 1);
        append(&k, (struct op_spec){.kind = OP_ADD_RMSNORM, .n_in = 3, .in = {a, b, g}, .n_out = 2, .f = {1e-5f}});
        k.tolerance = t == DTYPE_BF16 ? 1.2e-2 : t == DTYPE_F16 ? 1.6e-3 : 0; /* the sum is rounded before the norm */
        check(&k, "add_rmsnorm");
    }
}
END_TEST

START_TEST(test_gathers) {
    EACH(t, r) {
        struct trial k;
        begin(&k, t, r, 1, r > 0 ? 3 : 0);
        k.vocabulary = 37;
        int table = program_weight(&k.p, "table", t, leaf(&k, "table", 37, 33), 0), ids = rows_input(&k, "ids", DTYPE_I32, 0);
        append(&k, (struct op_spec){.kind = OP_EMBED, .n_in = 2, .in = {table, ids}, .n_out = 1});
        check(&k, "embed");
        begin(&k, t, r, 1, 1);
        k.vocabulary = 37;
        const struct recipe *parts[] = {leaf(&k, "a", 20, 33), recipe_encode(&k.arena, leaf(&k, "b", 17, 33), &encoding_int8_row)};
        table = program_weight(&k.p, "table", t, recipe_concat(&k.arena, parts, 2), 0), ids = rows_input(&k, "ids", DTYPE_I32, 0);
        append(&k, (struct op_spec){.kind = OP_EMBED, .n_in = 2, .in = {table, ids}, .n_out = 1});
        check(&k, "embed of two encodings");
        begin(&k, t, r, 1, r > 0 ? 3 : 0);
        int x = rows_input(&k, "x", t, 33), index = batch_input(&k, "index", DTYPE_I32, 0);
        append(&k, (struct op_spec){.kind = OP_GATHER_ROWS, .n_in = 2, .in = {x, index}, .n_out = 1});
        check(&k, "gather_rows");
    }
}
END_TEST

/* ---- products ---- */

enum linear_form { PLAIN, WITH_BIAS, IN_F32, ENCODED, STACKED, STACKED_MIXED, PERMUTED, SWIGLU, SWIGLU_ENCODED, FORM_COUNT };

static const struct recipe *matrix(struct trial *k, enum linear_form f, int64_t n, int64_t cols) {
    struct arena *a = &k->arena;
    if (f == ENCODED) return recipe_encode(a, leaf(k, "w", n, cols), &encoding_int8_row);
    if (f == PERMUTED) return recipe_unpermute(a, leaf(k, "w", 4 * n, cols), 2);
    if (f == STACKED || f == STACKED_MIXED) {
        const struct recipe *parts[] = {leaf(k, "q", n, cols), leaf(k, "k", n + 3, cols), leaf(k, "v", 2, cols)};
        if (f == STACKED_MIXED) parts[1] = recipe_encode(a, parts[1], &encoding_int8_row), parts[2] = recipe_encode(a, parts[2], &encoding_f32);
        return recipe_concat(a, parts, 3);
    }
    if (f == SWIGLU || f == SWIGLU_ENCODED) {
        const struct recipe *parts[] = {leaf(k, "gate", n, cols), leaf(k, "up", n, cols)};
        if (f == SWIGLU_ENCODED) parts[1] = recipe_encode(a, parts[1], &encoding_int8_row);
        return recipe_concat(a, parts, 2);
    }
    return leaf(k, "w", n, cols);
}

static void check_linear(enum dtype t, int64_t r, enum linear_form f, int64_t n, int64_t cols) {
    static const char *const names[] = {"linear", "linear with bias", "linear to f32", "linear int8", "linear of three", "linear of three encodings",
                                        "linear unpermuted", "swiglu", "swiglu int8"};
    struct trial k;
    begin(&k, t, r, 1, 1);
    const struct recipe *m = matrix(&k, f, n, cols);
    int x = rows_input(&k, "x", t, cols), w = program_weight(&k.p, "w", t, m, 0);
    struct op_spec s = {.kind = f >= SWIGLU ? OP_LINEAR_SWIGLU : OP_LINEAR, .n_in = 2, .in = {x, w}, .n_out = f == STACKED || f == STACKED_MIXED ? 3 : 1};
    s.i[0] = f == IN_F32;
    if (f == WITH_BIAS || f == STACKED_MIXED) s.in[s.n_in++] = program_weight(&k.p, "bias", DTYPE_F32, leaf(&k, "bias", m->rows, 1), 1);
    append(&k, s);
    if (f >= SWIGLU) k.tolerance = t == DTYPE_F32 ? 1e-5 : 0;
    check(&k, names[f]);
}

START_TEST(test_linear_shapes) {
    static const int64_t rows[] = {0, 1, 2, 5, 8, 9, 16, 17, 33, 600}, widths[] = {1, 7, 48, 131}, depths[] = {1, 33, 200};
    for (size_t t = 0; t < COUNT(types); t++) for (size_t r = 0; r < COUNT(rows); r++) for (size_t n = 0; n < COUNT(widths); n++)
        for (size_t c = 0; c < COUNT(depths); c++) check_linear(types[t], rows[r], PLAIN, widths[n], depths[c]);
}
END_TEST

START_TEST(test_linear_forms) {
    static const int64_t rows[] = {1, 3, 12, 17, 40, 1100};
    for (size_t t = 0; t < COUNT(types); t++) for (size_t r = 0; r < COUNT(rows); r++) for (int f = WITH_BIAS; f < FORM_COUNT; f++) {
        check_linear(types[t], rows[r], (enum linear_form)f, 20, 64);
        check_linear(types[t], rows[r], (enum linear_form)f, 171, 70);
    }
}
END_TEST

/* ---- rotation, cache, attention ---- */

static int frequencies(struct trial *k, int64_t half) {
    double f[64];
    for (int64_t j = 0; j < half; j++) f[j] = pow(1e4, -(double)j / (double)half);
    return program_constant(&k->p, "inv_freq", DTYPE_F64, half, f);
}

struct heads {
    int h, g;
    int64_t width;
};
static const struct heads head_kinds[] = {{1, 1, 2}, {9, 3, 14}, {8, 2, 64}, {4, 4, 80}, {5, 1, 16}};

START_TEST(test_rope_and_cache) {
    EACH(t, r) for (size_t n = 0; n < 2 * COUNT(head_kinds); n++) {
        struct heads d = head_kinds[n / 2];
        struct trial k;
        begin(&k, t, r, 50, 3);
        k.is_causal = 1;
        int x = rows_input(&k, "x", t, d.h * d.width), pos = rows_input(&k, "pos", DTYPE_I32, 0), f = frequencies(&k, d.width / 2);
        append(&k, (struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {x, pos, f}, .n_out = 1, .i = {d.h}});
        check(&k, "rope");
        begin(&k, t, r, 50, 3);
        k.is_causal = 1;
        k.vectors = n % 2 ? d.g : 0;
        x = rows_input(&k, "x", t, d.g * d.width), pos = rows_input(&k, "pos", DTYPE_I32, 0);
        int rows = rows_input(&k, "rows", DTYPE_I32, 0), state = cache(&k, "k", d.g * d.width);
        append(&k, (struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {x, rows, pos, state}});
        check(&k, n % 2 ? "kv_write in int8" : "kv_write");
        begin(&k, t, r, 50, 3);
        k.is_causal = k.is_turned = 1;
        k.vectors = n % 2 ? d.g : 0;
        int q = rows_input(&k, "q", t, d.h * d.width), kk = rows_input(&k, "kk", t, d.g * d.width), v = rows_input(&k, "v", t, d.g * d.width);
        pos = rows_input(&k, "pos", DTYPE_I32, 0), rows = rows_input(&k, "rows", DTYPE_I32, 0), f = frequencies(&k, d.width / 2);
        int ks = cache(&k, "k", d.g * d.width), vs = cache(&k, "v_cache", d.g * d.width);
        append(&k, (struct op_spec){.kind = OP_ROPE_KV_WRITE, .n_in = 8, .in = {q, kk, v, pos, rows, f, ks, vs}, .n_out = 1, .i = {d.h, d.g}});
        check(&k, n % 2 ? "rope_kv_write in int8" : "rope_kv_write");
    }
}
END_TEST

static void check_cached(enum op_kind kind, enum dtype t, struct heads d, int64_t r, int64_t s, int64_t b, int is_causal, int is_encoded) {
    struct trial k;
    begin(&k, t, r, s, b);
    k.is_causal = is_causal;
    k.vectors = is_encoded ? d.g : 0;
    int q = rows_input(&k, "q", t, d.h * d.width), rows = rows_input(&k, "rows", DTYPE_I32, 0), pos = rows_input(&k, "pos", DTYPE_I32, 0);
    int ks = cache(&k, "k", d.g * d.width), vs = cache(&k, "v", d.g * d.width);
    struct op_spec spec = {.kind = kind, .n_out = 1, .i = {d.h, d.g}, .f = {0.2f}};
    if (kind == OP_ATTENTION) {
        spec.n_in = 5;
        memcpy(spec.in, (int[]){q, ks, vs, rows, pos}, 5 * sizeof(int));
    } else {
        const struct dim dims[] = {dim_symbol(SYMBOL_R), dim_of(d.h), dim_symbol(SYMBOL_S)};
        int p = kind == OP_ATTN_VALUES ? program_input(&k.p, "p", t, 3, dims) : q;
        spec.n_in = 4;
        memcpy(spec.in, (int[]){p, kind == OP_ATTN_VALUES ? vs : ks, rows, pos}, 4 * sizeof(int));
    }
    append(&k, spec);
    if (t == DTYPE_F32) k.tolerance = 1e-5;
    if (t == DTYPE_BF16 && kind != OP_ATTN_SCORES) k.tolerance = 1e-2; /* probabilities are rounded where they meet values */
    check(&k, op_table[kind].name);
}

static void check_attention(enum op_kind kind, enum dtype t, struct heads d, int64_t r, int64_t s, int64_t b, int is_causal) {
    for (int is_encoded = 0; is_encoded < 2; is_encoded++) check_cached(kind, t, d, r, s, b, is_causal, is_encoded);
}

START_TEST(test_attention) {
    static const enum op_kind kinds[] = {OP_ATTENTION, OP_ATTN_SCORES, OP_ATTN_VALUES};
    for (size_t o = 0; o < COUNT(kinds); o++) for (size_t t = 0; t < COUNT(types); t++) for (size_t n = 0; n < COUNT(head_kinds); n++) {
        check_attention(kinds[o], types[t], head_kinds[n], 0, 5, 2, 1);    /* nothing to do */
        check_attention(kinds[o], types[t], head_kinds[n], 1, 1, 1, 1);    /* the first token */
        check_attention(kinds[o], types[t], head_kinds[n], 1, 70, 1, 1);   /* decode */
        check_attention(kinds[o], types[t], head_kinds[n], 1, 1000, 1, 1); /* decode, keys split over the team */
        check_attention(kinds[o], types[t], head_kinds[n], 5, 300, 5, 0);  /* a batch of unequal lengths */
        check_attention(kinds[o], types[t], head_kinds[n], 130, 130, 1, 1);/* prefill */
        check_attention(kinds[o], types[t], head_kinds[n], 50, 90, 3, 1);  /* chunks of three slots */
    }
}
END_TEST

START_TEST(test_mask) {
    EACH(t, r) {
        struct trial k;
        begin(&k, t, r, 19, 2);
        const struct dim dims[] = {dim_symbol(SYMBOL_R), dim_of(3), dim_symbol(SYMBOL_S)};
        int s = program_input(&k.p, "s", t, 3, dims), pos = rows_input(&k, "pos", DTYPE_I32, 0);
        append(&k, (struct op_spec){.kind = OP_CAUSAL_MASK, .n_in = 2, .in = {s, pos}, .n_out = 1});
        check(&k, "causal_mask");
    }
}
END_TEST

/* ---- choices ---- */

START_TEST(test_sample_and_nll) {
    static const int64_t widths[] = {1, 7, 300, 5000};
    EACH(t, r) for (size_t w = 0; w < COUNT(widths); w++) {
        struct trial k;
        begin(&k, t, 1, 1, r);
        int x = batch_input(&k, "x", t, widths[w]), params = batch_input(&k, "params", DTYPE_F32, 4), seeds = batch_input(&k, "seeds", DTYPE_I64, 0);
        append(&k, (struct op_spec){.kind = OP_SAMPLE, .n_in = 3, .in = {x, params, seeds}, .n_out = 1});
        check(&k, "sample");
        begin(&k, t, r, 1, 1);
        k.vocabulary = widths[w];
        x = rows_input(&k, "x", t, widths[w]);
        int targets = rows_input(&k, "targets", DTYPE_I32, 0);
        append(&k, (struct op_spec){.kind = OP_NLL, .n_in = 2, .in = {x, targets}, .n_out = 1});
        k.tolerance = 1e-6;
        check(&k, "nll");
    }
}
END_TEST

TEST_MAIN("kernels.cpu_ops", test_elementwise, test_norms, test_gathers, test_linear_shapes, test_linear_forms, test_rope_and_cache, test_attention,
          test_mask, test_sample_and_nll, test_close)
