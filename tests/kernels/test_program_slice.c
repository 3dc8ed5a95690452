/* Slices and splices of a toy model, on the float64 judge: parts run one after the other give what the whole gives. */
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "kernels/base/random.h"
#include "kernels/toy_program.h"

static void fill(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    (void)self;
    uint64_t seed = hash_bytes((uint64_t)r, name, strlen(name));
    for (int64_t i = 0; i < cols; i++) y[i] = (float)(random_unit(random_next(&seed)) * 2 - 1);
}

static enum status find(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill};
    return STATUS_OK;
}
static const struct weight_source source = {.is_synthetic = 1, .find = find};

enum { ROWS = 3 };
static const int32_t ids[ROWS] = {4, 0, 10};

/* Runs a program whose only real input, if it has one, is called `in`; reads `out` (R, width). */
static void run(const struct program *p, const char *in, const float *x, const char *out, float *y, int64_t width) {
    struct device *d;
    struct prepared *q;
    struct clock clock = {0};
    struct error e = {0};
    ck_assert_msg(program_validate(p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(backend_reference.open(&(struct device_options){.clock = &clock, .threads = 1}, &d, &e), STATUS_OK);
    ck_assert_msg(backend_reference.prepare(d, p, &source, &q, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(backend_reference.bind(q, (int64_t[]){ROWS, 1, 1}, &e), STATUS_OK);
    if (program_find(p, "ids") >= 0) ck_assert_int_eq(backend_reference.write(q, program_find(p, "ids"), 0, ids, sizeof ids, &e), STATUS_OK);
    if (in) ck_assert_int_eq(backend_reference.write(q, program_find(p, in), 0, x, ROWS * TOY_WIDTH * sizeof *x, &e), STATUS_OK);
    ck_assert_msg(backend_reference.run(q, 0, (int)p->n_ops, NULL, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(backend_reference.read(q, program_find(p, out), 0, y, (size_t)(ROWS * width) * sizeof *y, &e) == STATUS_OK, "%s", e.text);
    backend_reference.release(q);
    backend_reference.close(d);
}

static void assert_close(const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++) ck_assert_float_eq_tol(a[i], b[i], 1e-5f);
}

static void slice(const struct toy_program *t, const char *name, int with_embed, int first, int last, int with_head, struct program *out) {
    struct error e = {0};
    ck_assert_msg(program_slice(&t->p, name, with_embed, first, last, with_head, out, &e) == STATUS_OK, "%s", e.text);
}

START_TEST(two_halves_make_a_whole) {
    struct toy_program t;
    struct program lower, upper;
    float whole[ROWS * TOY_VOCABULARY], parts[ROWS * TOY_VOCABULARY], residual[ROWS * TOY_WIDTH];
    toy_begin(&t, 2);
    slice(&t, "lower", 1, 0, 1, 0, &lower);
    slice(&t, "upper", 0, 1, 2, 1, &upper);
    ck_assert_uint_eq(lower.n_ops + upper.n_ops, t.p.n_ops);
    ck_assert_int_eq(lower.tensors[program_find(&lower, "layer0.out")].storage, STORAGE_OUTPUT);
    ck_assert_int_eq(upper.tensors[program_find(&upper, "layer0.out")].storage, STORAGE_INPUT);
    ck_assert_int_eq(program_find(&upper, "ids"), -1);
    run(&t.p, NULL, NULL, "logits", whole, TOY_VOCABULARY);
    run(&lower, NULL, NULL, "layer0.out", residual, TOY_WIDTH);
    run(&upper, "layer0.out", residual, "logits", parts, TOY_VOCABULARY);
    assert_close(whole, parts, ROWS * TOY_VOCABULARY);
    program_free(&lower);
    program_free(&upper);
    toy_end(&t);
}
END_TEST

/* The draft of a draft-and-verify generator: the head reads what the last layer asked for leaves. */
START_TEST(a_gap_is_bridged_by_the_residual) {
    struct toy_program t, one;
    struct program draft, thinned;
    float a[ROWS * TOY_VOCABULARY], b[ROWS * TOY_VOCABULARY];
    toy_begin(&t, 4);
    toy_begin(&one, 1); /* a model of layer 0 alone */
    slice(&t, "draft", 1, 0, 1, 1, &draft);
    ck_assert_int_eq(program_find(&draft, "layer3.out"), -1);
    ck_assert_int_eq(draft.tensors[program_find(&draft, "layer0.out")].storage, STORAGE_OUTPUT);
    run(&one.p, NULL, NULL, "logits", a, TOY_VOCABULARY);
    run(&draft, NULL, NULL, "logits", b, TOY_VOCABULARY);
    assert_close(a, b, ROWS * TOY_VOCABULARY);
    slice(&t, "thinned", 1, 1, 2, 1, &thinned); /* gaps before and after */
    run(&thinned, NULL, NULL, "logits", a, TOY_VOCABULARY);
    ck_assert_float_ne(a[0], b[0]);
    program_free(&draft);
    program_free(&thinned);
    toy_end(&t);
    toy_end(&one);
}
END_TEST

START_TEST(two_tensors_across_an_edge_are_refused) {
    struct toy_program t;
    struct program out;
    struct error e = {0};
    toy_begin(&t, 2);
    int add = program_producer(&t.p, program_find(&t.p, "layer1.out"));
    t.p.ops[add].in[1] = program_find(&t.p, "layer0.act"); /* layer 1 reads a second tensor of layer 0 */
    ck_assert_int_eq(program_slice(&t.p, "upper", 0, 1, 2, 1, &out, &e), STATUS_UNSUPPORTED);
    ck_assert_msg(strstr(e.text, "upper") && strstr(e.text, "2 across"), "%s", e.text);
    toy_end(&t);
}
END_TEST

START_TEST(a_slice_owns_its_names_and_constants) {
    struct program p, out;
    struct error e = {0};
    double f[] = {1, 0.5};
    const struct dim xd[] = {dim_symbol(SYMBOL_R), dim_of(4)}, rd[] = {dim_symbol(SYMBOL_R)};
    program_init(&p, "whole");
    int x = program_input(&p, "x", DTYPE_F32, 2, xd), pos = program_input(&p, "pos", DTYPE_I32, 1, rd), c = program_constant(&p, "f", DTYPE_F64, 2, f);
    program_append(&p, &(struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {x, pos, c}, .n_out = 1, .names = {"y"}, .i = {1}, .place = {PART_LAYER, 0}});
    ck_assert_int_eq(program_slice(&p, "part", 0, 0, 1, 0, &out, &e), STATUS_OK);
    program_free(&p);
    const struct tensor *t = &out.tensors[program_find(&out, "f")];
    ck_assert_double_eq(((const double *)t->constant)[1], 0.5);
    program_free(&out);
}
END_TEST

/* ---- splicing ---- */

START_TEST(a_spliced_layer_counts_as_any_other) {
    struct toy_program two, three;
    struct program middle;
    struct error e = {0};
    float a[ROWS * TOY_VOCABULARY], b[ROWS * TOY_VOCABULARY];
    toy_begin(&two, 2);
    toy_begin(&three, 3);
    slice(&three, "middle", 0, 2, 3, 0, &middle);
    int to = program_find(&two.p, "layer1.out"), at = program_producer(&two.p, to) + 1;
    size_t before = two.p.n_ops;
    enum status s = program_splice(&two.p, at, &middle, to, program_find(&middle, "layer1.out"), program_find(&middle, "layer2.out"), &e);
    ck_assert_msg(s == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(two.p.n_ops, before + middle.n_ops);
    ck_assert_int_eq(two.p.tensors[program_find(&two.p, "layer2.out")].storage, STORAGE_ACTIVATION);
    program_free(&middle); /* nothing of it may be borrowed but recipes */
    run(&three.p, NULL, NULL, "logits", a, TOY_VOCABULARY);
    run(&two.p, NULL, NULL, "logits", b, TOY_VOCABULARY);
    assert_close(a, b, ROWS * TOY_VOCABULARY);
    toy_end(&two);
    toy_end(&three);
}
END_TEST

START_TEST(a_splice_that_does_not_fit_names_both) {
    struct toy_program a, b;
    struct error e = {0};
    toy_begin(&a, 1);
    toy_begin(&b, 1);
    size_t before = a.p.n_ops;
    int logits = program_find(&b.p, "logits"), x = program_find(&a.p, "embed");
    ck_assert_int_eq(program_splice(&a.p, 1, &b.p, x, logits, logits, &e), STATUS_INTERNAL);
    ck_assert_msg(strstr(e.text, "'logits' f32 (R, 11)") && strstr(e.text, "'embed' f32 (R, 8)"), "%s", e.text);
    ck_assert_uint_eq(a.p.n_ops, before);
    toy_end(&a);
    toy_end(&b);
}
END_TEST

TEST_MAIN("program_slice", two_halves_make_a_whole, a_gap_is_bridged_by_the_residual, two_tensors_across_an_edge_are_refused,
          a_slice_owns_its_names_and_constants, a_spliced_layer_counts_as_any_other, a_splice_that_does_not_fit_names_both)
