/* quantize=kind=auto on a toy and made-up times: what it asks, that it picks the least, what bounds and refusals leave out. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "optimizers/optimizer.h"
#include "toy_model.h"

enum form { PLAIN, INT8, INT8_DYNAMIC, INT4, INT4_DYNAMIC, FORMS };
enum { PREFILL_ROWS = 8, DECODE_STEPS = 10 };

/* ---- a timer of made-up times ---- */

struct fake {
    double prefill_ns[FORMS], decode_ns[FORMS];
    double wide_factor[FORMS];         /* what they are multiplied by where K is 128; 0: 1 */
    int n_asked, n_programs, n_steps;  /* questions; programs in them; recipes with HQQ's steps among those */
    char keys[16][256];
    const struct program *refused;     /* not to be timed */
};

static int is_encoded(const struct recipe *r) { return r->kind == RECIPE_ENCODE; }

static enum form form_of(const struct recipe *r) {
    const struct recipe *x = recipe_find(r, is_encoded);
    if (!x) return PLAIN;
    int is_dynamic = x->input_bits == 8;
    return x->encoding == &encoding_int8_row ? is_dynamic ? INT8_DYNAMIC : INT8 : is_dynamic ? INT4_DYNAMIC : INT4;
}

static enum status tell(void *self, struct timing *t, struct error *e) {
    struct fake *f = self;
    for (int k = 0; k < t->n_rows; k++) {
        snprintf(f->keys[f->n_asked % 16], sizeof f->keys[0], "%s", t->rows[k].key);
        f->n_asked++;
        for (int i = 0; i < t->n; i++) {
            const struct program *p = t->programs[i];
            const struct recipe *w = p->tensors[p->ops[0].in[1]].recipe;
            enum form form = form_of(w);
            double factor = w->cols == 128 && f->wide_factor[form] > 0 ? f->wide_factor[form] : 1;
            ck_assert_msg(program_validate(p, e) == STATUS_OK, "%s", e->text);
            ck_assert_int_ge((int)p->n_ops, t->rows[k].n_ops[i]);
            ck_assert_int_eq(p->symbol_max[SYMBOL_R], PREFILL_ROWS);
            f->n_programs++;
            f->n_steps += recipe_find(w, is_encoded) && recipe_find(w, is_encoded)->steps;
            t->rows[k].ns[i] = t->rows[k].n_ops[i] * factor * (t->rows[k].rows == 1 ? f->decode_ns : f->prefill_ns)[form];
        }
    }
    return STATUS_OK;
}

static const struct usage usages[] = {{{[SYMBOL_R] = PREFILL_ROWS, [SYMBOL_B] = 1}, 1}, {{[SYMBOL_R] = 1, [SYMBOL_B] = 1}, DECODE_STEPS}};

static enum status supports_plain(void *self, const struct program *p, const struct op *op, struct error *e) {
    const struct recipe *r = p->tensors[op->in[1]].recipe;
    (void)self;
    return r && recipe_find(r, is_encoded) ? error_set(e, STATUS_UNSUPPORTED, "no such kernel") : STATUS_OK;
}

/* ---- a toy whose rows fit groups ---- */

struct tried {
    struct llm_model model;
    struct pipeline pipeline;
    struct arena a;
    struct optimizer_use uses[2];
    struct rewrite rewrites[2];
    int n;
    struct error e;
};

static enum status supports_all(void *self, const struct program *p, const struct op *op, struct error *e) {
    (void)self, (void)p, (void)op, (void)e;
    return STATUS_OK;
}

static enum status supports_no_dynamic(void *self, const struct program *p, const struct op *op, struct error *e) {
    const struct recipe *r = p->tensors[op->in[1]].recipe;
    (void)self;
    return r && recipe_rounds_inputs(r) ? error_set(e, STATUS_UNSUPPORTED, "no such kernel") : STATUS_OK;
}

static void open_toy(struct tried *t, int64_t width) {
    *t = (struct tried){0};
    t->model.name = "toy";
    t->model.is_synthetic = 1;
    t->model.seed = 7;
    t->model.config = (struct llm_config){.layers = 2, .width = width, .heads = 4, .kv_heads = 2, .head_width = width / 4, .feed_forward = 2 * width,
        .vocabulary = 32, .context = 128, .eps = 1e-5, .rope_theta = 1e4};
    llm_weight_source(&t->model);
    struct llm_limits limits = {.prefill_rows = PREFILL_ROWS, .slots = 1, .positions = 32};
    if (llm_pipeline(&t->model, DTYPE_BF16, &limits, &t->pipeline, &t->e) != STATUS_OK) abort();
}

static enum status apply(struct tried *t, struct fake *f, const char *const *opts, enum status (*supports)(void *, const struct program *, const struct op *, struct error *)) {
    const struct timer timer = {tell, f, 1 << 20, usages, 2};
    const struct rewrite_context context = {.supports = supports, .timer = f ? &timer : NULL};
    enum status s = STATUS_OK;
    while (opts[t->n] && s == STATUS_OK) {
        s = optimizer_parse(opts[t->n], &t->a, &t->uses[t->n], &t->e);
        t->n++;
    }
    return s == STATUS_OK ? optimizers_apply(&t->pipeline, t->uses, t->n, &context, t->rewrites, &t->e) : s;
}

static enum status try(struct tried *t, struct fake *f, const char *opt) {
    open_toy(t, 64);
    return apply(t, f, (const char *const[]){opt, NULL}, supports_all);
}

static void end(struct tried *t) {
    pipeline_free(&t->pipeline);
    llm_close(&t->model);
    arena_free(&t->a);
}

static enum form form_at(const struct tried *t, int program, const char *name) {
    const struct program *p = &t->pipeline.programs[program];
    int i = program_find(p, name);
    ck_assert_msg(i >= 0, "no '%s'", name);
    return form_of(p->tensors[i].recipe);
}

static const struct choice *choice_of(const struct tried *t, const char *subject, const char *form) {
    const struct rewrite *r = &t->rewrites[0];
    for (int i = 0; i < r->n_choices; i++)
        if (strcmp(r->choices[i].subject, subject) == 0 && strcmp(r->choices[i].form, form) == 0) return &r->choices[i];
    ck_abort_msg("no choice of %s for %s", form, subject);
}

static struct receipt receipt_of(const struct tried *t) {
    struct executed_op ops[256];
    struct executed x = {.ops = ops, .is_complete = 1};
    struct receipt out = {0};
    for (int i = 0; i < t->pipeline.n_programs; i++)
        for (size_t k = 0; k < t->pipeline.programs[i].n_ops; k++) ops[x.n_ops++] = (struct executed_op){&t->pipeline.programs[i], &t->pipeline.programs[i].ops[k], 1};
    t->uses[0].optimizer->receipt(&t->uses[0].settings, &t->rewrites[0], &x, &out);
    return out;
}

/* ---- choosing ---- */

/* Four shapes: 64 to 64 (q, o), to 32 (k, v), to 128 (gate, up), and 128 to 64; each at two numbers of rows. The head is skipped. */
START_TEST(each_shape_is_asked_once_and_has_its_least) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 9, 9, 9, 9}, .decode_ns = {90, 20, 30, 40, 50}, .wide_factor = {[INT4] = 0.1}};
    ck_assert_msg(try(&t, &f, "quantize=kind=auto,bound=1") == STATUS_OK, "%s", t.e.text);
    ck_assert_int_eq(f.n_asked, 8);
    ck_assert_int_eq(f.n_programs, 8 * FORMS);
    ck_assert_int_eq(t.rewrites[0].n_choices, 4 * FORMS);
    for (int program = 0; program < 2; program++) {
        ck_assert_int_eq(form_at(&t, program, "layer0.q_proj.weight"), INT8);
        ck_assert_int_eq(form_at(&t, program, "layer1.up.weight"), INT8);
        ck_assert_int_eq(form_at(&t, program, "layer1.mlp_out.weight"), INT4);
        ck_assert_int_eq(form_at(&t, program, "head.weight"), PLAIN);
    }
    const struct choice *c = choice_of(&t, "linear bf16 64 to 64", "int8_row");
    ck_assert_int_eq(c->places, 4);
    ck_assert_int_eq(c->picked, 4);
    ck_assert_double_eq_tol(c->cost_ns, 9 + DECODE_STEPS * 20, 1e-9);
    ck_assert_str_eq(c->why, "least time at 4");
    ck_assert_str_eq(choice_of(&t, "linear bf16 64 to 64", "plain")->why, "slower");
    ck_assert_msg(strncmp(f.keys[0], "linear bf16 64 to 64, 8 rows: plain x ", 38) == 0, "%s", f.keys[0]);
    ck_assert_int_eq(t.rewrites[0].replaced, 28);
    end(&t);
}
END_TEST

/* What is fast in the prefill alone loses to what is fast in every step, and wins where steps are alike. */
START_TEST(passes_weigh_the_rows) {
    struct tried t;
    struct fake f = {.prefill_ns = {100, 100, 10, 100, 100}, .decode_ns = {20, 8, 9, 20, 20}};
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto,bound=1"), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT8_DYNAMIC);
    end(&t);
    f.prefill_ns[INT8_DYNAMIC] = 95;
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto,bound=1"), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT8);
    end(&t);
}
END_TEST

START_TEST(the_bound_is_obeyed) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 8, 7, 6, 5}, .decode_ns = {9, 8, 7, 6, 5}};
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto,bound=0.05"), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT8_DYNAMIC);
    const struct choice *int4 = choice_of(&t, "linear bf16 64 to 128", "int4_g64"), *dynamic = choice_of(&t, "linear bf16 64 to 128", "int8_row dynamic"),
                        *int8 = choice_of(&t, "linear bf16 64 to 128", "int8_row"), *plain = choice_of(&t, "linear bf16 64 to 128", "plain");
    ck_assert_msg(strcmp(int4->why, "error above 0.05 at 4 of 4") == 0, "%s", int4->why);
    ck_assert(int4->error_low > 0.05 && int4->error_low <= int4->error_high && int4->error_high < 0.2);
    ck_assert(int8->error_high > 0 && int8->error_high < 0.02);
    ck_assert_double_gt(dynamic->error_low, int8->error_low); /* rows of x are rounded, too */
    ck_assert_double_eq(plain->error_high, 0);
    end(&t);
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto,bound=0.0001"), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), PLAIN);
    ck_assert_int_eq(receipt_of(&t).kind, RECEIPT_IS_NO_OP);
    end(&t);
}
END_TEST

/* Zero points found by steps: in what is kept, not in what is timed. */
START_TEST(steps_are_not_timed) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 8, 7, 1, 5}, .decode_ns = {9, 8, 7, 1, 5}};
    ck_assert_msg(try(&t, &f, "quantize=kind=auto,bound=1,rounding=hqq,zero=float") == STATUS_OK, "%s", t.e.text);
    const struct program *p = &t.pipeline.programs[0];
    const struct recipe *r = p->tensors[program_find(p, "layer0.q_proj.weight")].recipe;
    ck_assert_str_eq(r->encoding->name, "int4_g64_z");
    ck_assert_int_eq(r->rule.rounding, QUANTIZE_HQQ);
    ck_assert_int_eq(f.n_steps, 0);
    end(&t);
}
END_TEST

/* Leaves of a fused weight are timed and decided together; what is skipped stays inside of it. */
START_TEST(fused_leaves_are_decided_together) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 2, 7, 6, 5}, .decode_ns = {9, 2, 7, 6, 5}};
    open_toy(&t, 64);
    ck_assert_msg(apply(&t, &f, (const char *const[]){"quantize=kind=auto,skip=head+*k_proj*", "fusion", NULL}, supports_all) == STATUS_OK, "%s", t.e.text);
    const struct program *p = &t.pipeline.programs[0];
    int seen = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct recipe *r = p->tensors[i].recipe;
        if (!r || r->kind != RECIPE_CONCAT || r->n_parts != 3) continue;
        ck_assert_int_eq(form_of(r->parts[0]), INT8);
        ck_assert_int_eq(form_of(r->parts[1]), PLAIN);
        ck_assert_int_eq(form_of(r->parts[2]), INT8);
        seen++;
    }
    ck_assert_int_eq(seen, 2);
    ck_assert_int_eq(choice_of(&t, "linear bf16 64 to 64+32 skipped+32", "int8_row")->picked, 2);
    ck_assert_int_eq(choice_of(&t, "linear_swiglu bf16 64 to 128+128", "int8_row")->picked, 2);
    end(&t);
}
END_TEST

/* ---- what is left out ---- */

START_TEST(refused_candidates_are_left_out) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 8, 1, 7, 1}, .decode_ns = {9, 8, 1, 7, 1}};
    open_toy(&t, 64);
    ck_assert_int_eq(apply(&t, &f, (const char *const[]){"quantize=kind=auto,bound=1", NULL}, supports_no_dynamic), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT4);
    ck_assert_int_eq(f.n_programs, 8 * 3);
    ck_assert_str_eq(choice_of(&t, "linear bf16 64 to 64", "int8_row dynamic")->why, "left out: no such kernel");
    ck_assert_int_eq(receipt_of(&t).kind, RECEIPT_IS_ENGAGED);
    end(&t);
    open_toy(&t, 32); /* groups of 64 do not fit rows of 32, but those of the 64 that go down */
    ck_assert_int_eq(apply(&t, &f, (const char *const[]){"quantize=kind=auto,bound=1", NULL}, supports_no_dynamic), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT8);
    ck_assert_int_eq(form_at(&t, 0, "layer0.mlp_out.weight"), INT4);
    ck_assert_msg(strstr(choice_of(&t, "linear bf16 32 to 32", "int4")->why, "no multiple of group=64"), "%s", choice_of(&t, "linear bf16 32 to 32", "int4")->why);
    end(&t);
}
END_TEST

START_TEST(where_nothing_else_runs_nothing_is_asked) {
    struct tried t;
    struct fake f = {0};
    open_toy(&t, 64);
    ck_assert_int_eq(apply(&t, &f, (const char *const[]){"quantize=kind=auto", NULL}, supports_plain), STATUS_OK);
    ck_assert_int_eq(f.n_asked, 0);
    ck_assert_int_eq(t.rewrites[0].refused, 14); /* weights */
    ck_assert_str_eq(choice_of(&t, "linear bf16 64 to 64", "plain")->why, "nothing else runs here");
    struct receipt r = receipt_of(&t);
    ck_assert_int_eq(r.kind, RECEIPT_IS_FALLBACK);
    ck_assert_msg(strstr(r.evidence, "no such kernel"), "%s", r.evidence);
    end(&t);
}
END_TEST

START_TEST(what_cannot_be_timed_is_left_out) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, NAN, 8, 7, 6}, .decode_ns = {9, 1, 8, 7, 6}};
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto"), STATUS_OK);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), INT8_DYNAMIC);
    ck_assert_msg(strstr(choice_of(&t, "linear bf16 64 to 64", "int8_row")->why, "could not make it ready"), "%s", choice_of(&t, "linear bf16 64 to 64", "int8_row")->why);
    end(&t);
}
END_TEST

START_TEST(without_times_everything_stays) {
    struct tried t;
    ck_assert_int_eq(try(&t, NULL, "quantize=kind=auto"), STATUS_OK);
    ck_assert_int_eq(t.rewrites[0].refused, 28);
    ck_assert_int_eq(form_at(&t, 0, "layer0.q_proj.weight"), PLAIN);
    struct receipt r = receipt_of(&t);
    ck_assert_int_eq(r.kind, RECEIPT_IS_FALLBACK);
    ck_assert_msg(strstr(r.evidence, "no times of its own"), "%s", r.evidence);
    end(&t);
}
END_TEST

static void assert_refused(const char *opt, const char *expected) {
    struct tried t;
    struct fake f = {0};
    ck_assert_msg(try(&t, &f, opt) == STATUS_INPUT, "%s", opt);
    ck_assert_msg(strstr(t.e.text, expected), "'%s' lacks '%s'", t.e.text, expected);
    end(&t);
}

START_TEST(what_makes_no_sense_is_refused) {
    assert_refused("quantize=kind=auto,bound=0", "above 0, 1 at most");
    assert_refused("quantize=kind=auto,bound=1.5", "above 0, 1 at most");
    assert_refused("quantize=kind=auto,bound=nan", "above 0, 1 at most");
    assert_refused("quantize=kind=auto,bound=much", "is not allowed");
    assert_refused("quantize=kind=auto,rounding=hqq", "zero=float");
    assert_refused("quantize=kind=int8,bound=0.1", "is of kind=auto");
}
END_TEST

static void fill_nan(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    (void)self;
    for (int64_t i = 0; i < cols; i++) y[i] = strstr(name, "up_proj") && r == 0 && i == 5 ? NAN : 1;
}
static enum status find_nan(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_nan};
    return STATUS_OK;
}

START_TEST(weights_that_are_no_numbers_are_named) {
    static const struct weight_source source = {.find = find_nan};
    struct tried t;
    struct fake f = {.prefill_ns = {9, 8, 7, 6, 5}, .decode_ns = {9, 8, 7, 6, 5}};
    open_toy(&t, 64);
    t.pipeline.weights = &source;
    ck_assert_int_eq(apply(&t, &f, (const char *const[]){"quantize=kind=auto", NULL}, supports_all), STATUS_INPUT);
    ck_assert_msg(strstr(t.e.text, "up_proj") && strstr(t.e.text, "row 0, column 5"), "%s", t.e.text);
    end(&t);
}
END_TEST

/* ---- the receipt ---- */

START_TEST(receipts_count_the_forms_that_ran) {
    struct tried t;
    struct fake f = {.prefill_ns = {9, 2, 7, 6, 5}, .decode_ns = {9, 2, 7, 6, 5}, .wide_factor = {[INT4_DYNAMIC] = 0.1}};
    ck_assert_int_eq(try(&t, &f, "quantize=kind=auto,bound=1"), STATUS_OK);
    struct receipt r = receipt_of(&t);
    ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
    ck_assert_msg(strstr(r.evidence, "chosen by time (12 int8_row, 2 int4_g64 dynamic, 1 plain)"), "%s", r.evidence);
    ck_assert_double_eq_tol(optimizers_bound(t.uses, 1), 0.5, 1e-9); /* that of int4-dynamic */
    end(&t);
}
END_TEST

TEST_MAIN("auto", each_shape_is_asked_once_and_has_its_least, passes_weigh_the_rows, the_bound_is_obeyed, steps_are_not_timed, fused_leaves_are_decided_together,
          refused_candidates_are_left_out, where_nothing_else_runs_nothing_is_asked, what_cannot_be_timed_is_left_out, without_times_everything_stays, what_makes_no_sense_is_refused,
          weights_that_are_no_numbers_are_named, receipts_count_the_forms_that_ran)
