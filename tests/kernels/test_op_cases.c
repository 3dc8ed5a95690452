/* The case table on every backend that computes, and on one that is wrong by a little: the table must see it. */
#include <string.h>

#include "check_main.h"
#include "kernels/cpu/isa.h"
#include "kernels/op_cases.c"

/* Weights that are encoded have no kernels on GPUs yet. */
static int may_refuse(struct device *d, const struct op_case *c) {
    return c->variant >= INT8 && c->variant != UNPERMUTED && strncmp(device_backend(d)->name, "cuda", 4) == 0;
}

static int run_table(struct device *d, int step, char *worst, size_t worst_bytes) {
    int bad = 0;
    for (int i = 0; i < op_case_count(); i += step) {
        struct op_case c;
        struct op_result r;
        struct error e = {0};
        op_case_get(i, &c);
        enum status s = op_case_run(&c, d, &r, &e);
        if (s == STATUS_OK && r.is_supported && r.worst <= 1) continue;
        if (s == STATUS_OK && !r.is_supported && may_refuse(d, &c)) continue;
        if (bad++ == 0) snprintf(worst, worst_bytes, "%s: %.250s%.200s (%.3g times what is allowed)", c.name, r.where, e.text, r.worst);
    }
    return bad;
}

START_TEST(every_backend_that_computes_agrees) {
    for (int i = 0; backend_at(i); i++) {
        const struct backend *b = backend_at(i);
        struct clock clock = {0};
        struct device *d;
        struct error e = {0};
        char worst[800] = "";
        if (b->is_simulated) continue;
        enum status s = b->open(&(struct device_options){.clock = &clock, .threads = 2}, &d, &e);
        if (s == STATUS_UNSUPPORTED) continue; /* not on this machine */
        ck_assert_msg(s == STATUS_OK, "%s", e.text);
        int bad = run_table(d, 1, worst, sizeof worst);
        b->close(d);
        ck_assert_msg(bad == 0, "%s: %d of %d cases; first: %s", b->name, bad, op_case_count(), worst);
    }
}
END_TEST

/* Products of encoded weights go through other kernels at each level of instructions. */
START_TEST(every_level_agrees_on_encoded_weights) {
    for (int level = 0; level < (int)isa_best(); level++) {
        struct clock clock = {0};
        struct device *d;
        struct error e = {0};
        ck_assert_msg(backend_cpu.open(&(struct device_options){.clock = &clock, .threads = 2, .isa = isa_name((enum isa)level)}, &d, &e) == STATUS_OK, "%s", e.text);
        for (int i = 0; i < op_case_count(); i++) {
            struct op_case c;
            struct op_result r;
            op_case_get(i, &c);
            if (!op_is_linear(&(struct op){.kind = c.kind}) || c.variant < INT8) continue;
            ck_assert_msg(op_case_run(&c, d, &r, &e) == STATUS_OK && r.is_supported, "%s: %s%s", c.name, e.text, r.where);
            ck_assert_msg(r.worst <= 1, "%s at level %s: %s (%.3g times what is allowed)", c.name, isa_name((enum isa)level), r.where, r.worst);
        }
        backend_cpu.close(d);
    }
}
END_TEST

static int answer_of(void *self, const char *key, double *ns, int n) {
    (void)key;
    return memcpy(ns, self, (size_t)n * sizeof *ns), 1;
}

static void no_answer(void *self, const char *key, const double *ns, int n) { (void)self, (void)key, (void)ns, (void)n; }

/* What multiplies many rows is chosen by time: each that can be chosen is right. */
START_TEST(every_unit_agrees) {
    static const struct { double told[4]; const char *isa; } choices[] = {
        {{1, 2, 3, 4}, NULL}, {{2, 1, 3, 4}, NULL}, {{1, 2, 0.5, 4}, NULL}, {{2, 1, 0.5, 4}, NULL}, {{2, 1, 3, 0.5}, "avx512"}, {{2, 1, 3, 0.5}, "avx2"}, {{2, 1, 3, 0.5}, "plain"}};
    for (size_t k = 0; k < sizeof choices / sizeof *choices; k++) {
        if (choices[k].isa && isa_best() < ISA_LEVEL_AVX512) continue;
        const struct unit_memory memory = {answer_of, no_answer, (void *)(uintptr_t)choices[k].told};
        struct clock clock = {0};
        struct device *d;
        struct error e = {0};
        ck_assert_msg(backend_cpu.open(&(struct device_options){.clock = &clock, .threads = 2, .isa = choices[k].isa, .memory = &memory}, &d, &e) == STATUS_OK, "%s", e.text);
        for (int i = 0; i < op_case_count(); i++) {
            struct op_case c;
            struct op_result r;
            op_case_get(i, &c);
            if (!op_is_linear(&(struct op){.kind = c.kind}) || c.shape->rows <= 16) continue;
            ck_assert_msg(op_case_run(&c, d, &r, &e) == STATUS_OK && r.is_supported, "%s: %s%s", c.name, e.text, r.where);
            ck_assert_msg(r.worst <= 1, "%s by choice %zu: %s (%.3g times what is allowed)", c.name, k, r.where, r.worst);
        }
        backend_cpu.close(d);
    }
}
END_TEST

static int is_counted(const struct recipe *r) { return r->kept && *r->kept >= 0; }

static void add_bytes(void *to, double bytes) { *(double *)to += bytes; }

/* A device says of a matrix without its zeros how many elements it stores, and its bytes while it is loaded and after. */
START_TEST(stored_elements_are_counted) {
    struct clock clock = {0};
    double loaded = 0;
    struct device *d;
    struct error e = {0};
    int seen = 0;
    ck_assert_int_eq(backend_cpu.open(&(struct device_options){.clock = &clock, .threads = 2, .watch = {add_bytes, &loaded}}, &d, &e), STATUS_OK);
    for (int i = 0; i < op_case_count(); i++) {
        struct memory_use use;
        struct op_case c;
        struct build b;
        struct prepared *q = NULL;
        op_case_get(i, &c);
        if (c.kind != OP_LINEAR || (c.variant != SPARSE && c.variant != SPARSE_INT8) || c.shape->parts[1] || c.shape->rows > 5) continue;
        build_case(&c, &b);
        const struct recipe *w = b.p.tensors[b.p.ops[0].in[1]].recipe;
        ck_assert(w->kept && *w->kept == -1);
        loaded = 0;
        ck_assert_msg(run_on(&b, d, &q, &e) == STATUS_OK, "%s", e.text);
        float *row = mem_alloc((size_t)w->cols * sizeof *row);
        int64_t kept = 0;
        for (int64_t r = 0; r < w->rows; r++) {
            ck_assert_int_eq(recipe_decode(w->parts[0], &b.source, r, 1, row, &e), STATUS_OK);
            for (int64_t j = 0; j < w->cols; j++) kept += row[j] != 0;
        }
        ck_assert(is_counted(w) && *w->kept == kept);
        ck_assert_double_eq(recipe_stored_bytes(w, c.dtype),
                            (double)w->rows * (double)(mask_words(w->cols) * 4 + (c.variant == SPARSE_INT8 ? 4 : 0)) + (double)(kept * w->encoding->block_bytes));
        ck_assert_double_eq(loaded, recipe_stored_bytes(w, c.dtype));
        backend_cpu.memory(d, &use);
        ck_assert_double_eq((double)use.weight_bytes, loaded);
        mem_free(row);
        backend_cpu.release(q);
        program_free(&b.p);
        arena_free(&b.a);
        seen++;
    }
    ck_assert_int_gt(seen, 20);
    backend_cpu.close(d);
}
END_TEST

/* ---- a backend that is wrong ---- */

/* The last element is off by 3 % of itself and of what is usual; a choice by one, a code by four. */
static enum status read_wrong(struct prepared *p, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    enum status s = backend_reference.read(p, tensor, offset, dst, bytes, e);
    const struct tensor *type = &((struct prepared_head *)(void *)p)->program->tensors[tensor];
    enum dtype t = type->dtype;
    int64_t n = (int64_t)(bytes / dtype_bytes(t));
    double sum = 0;
    if (n == 0) return s;
    if (type->encoding) {
        int8_t *code = (int8_t *)dst + bytes - 1;
        *code = (int8_t)(*code > 0 ? *code - 4 : *code + 4);
        return s;
    }
    for (int64_t i = 0; i < n; i++) sum += fabs(get(t, dst, i)) / (double)n;
    double last = get(t, dst, n - 1);
    if (t == DTYPE_I32) ((int32_t *)dst)[n - 1]++;
    else put(t, dst, n - 1, (float)(last + 0.03 * (fabs(last) + 2 * sum) + 1e-3));
    return s;
}

static struct backend wrong;

static enum status prepare_wrong(struct device *d, const struct program *p, const struct weight_source *w, struct prepared **out, struct error *e) {
    enum status s = backend_reference.prepare(d, p, w, out, e);
    if (s == STATUS_OK) ((struct prepared_head *)(void *)*out)->backend = &wrong;
    return s;
}

START_TEST(a_wrong_backend_is_found_out) {
    struct clock clock = {0};
    struct device *d;
    struct error e = {0};
    char worst[800];
    int wanted = 0, seen = 0;
    wrong = backend_reference;
    wrong.prepare = prepare_wrong;
    wrong.read = read_wrong;
    ck_assert_int_eq(backend_reference.open(&(struct device_options){.clock = &clock, .threads = 1}, &d, &e), STATUS_OK);
    ((struct device_head *)(void *)d)->backend = &wrong;
    for (int i = 0; i < op_case_count(); i++) {
        struct op_case c;
        struct op_result r;
        op_case_get(i, &c);
        if (c.shape->rows == 0 && c.kind != OP_KV_WRITE && c.kind != OP_ROPE_KV_WRITE) continue; /* nothing to be wrong about */
        if (c.kind == OP_ATTN_SCORES || c.kind == OP_CAUSAL_MASK) continue; /* the last one may be masked */
        ck_assert_msg(op_case_run(&c, d, &r, &e) == STATUS_OK, "%s: %s", c.name, e.text);
        wanted++;
        seen += r.worst > 1;
        if (r.worst <= 1) snprintf(worst, sizeof worst, "%s", c.name);
    }
    ck_assert_int_gt(wanted, 300);
    ck_assert_msg(seen == wanted, "%d of %d seen, not: %s", seen, wanted, worst);
    backend_reference.close(d);
}
END_TEST

START_TEST(names_are_unique_and_kinds_complete) {
    int has[OP_KIND_COUNT] = {0}, n = op_case_count();
    struct op_case *all = mem_alloc((size_t)n * sizeof *all);
    for (int i = 0; i < n; i++) {
        op_case_get(i, &all[i]);
        has[all[i].kind]++;
        for (int k = 0; k < i; k++) ck_assert_msg(strcmp(all[i].name, all[k].name) != 0, "%s", all[i].name);
    }
    for (int k = 0; k < OP_KIND_COUNT; k++) ck_assert_msg(has[k] > 0, "no case of %s", op_table[k].name);
    mem_free(all);
}
END_TEST

TEST_MAIN("op_cases", every_backend_that_computes_agrees, every_level_agrees_on_encoded_weights, every_unit_agrees, stored_elements_are_counted, a_wrong_backend_is_found_out, names_are_unique_and_kinds_complete)
