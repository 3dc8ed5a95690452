/* Building, validating, printing and planning programs; each kind of defect is refused with its reason. */
#include <string.h>

#include "check_main.h"
#include "kernels/base/random.h"
#include "kernels/toy_program.h"

/* ---- inference ---- */

static void assert_shape(const struct program *p, const char *name, const char *shape) {
    char text[SHAPE_TEXT_BYTES];
    int t = program_find(p, name);
    ck_assert_msg(t >= 0, "no tensor %s", name);
    tensor_shape_text(&p->tensors[t], text);
    ck_assert_str_eq(text, shape);
}

START_TEST(shapes_follow_symbolically) {
    struct program p;
    struct arena a = {0};
    program_init(&p, "shapes");
    const struct dim xd[] = {dim_symbol(SYMBOL_R), dim_of(12)}, rd[] = {dim_symbol(SYMBOL_R)};
    const struct dim cd[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(4)}, bd[] = {dim_symbol(SYMBOL_B)};
    int x = program_input(&p, "x", DTYPE_BF16, 2, xd), rows = program_input(&p, "rows", DTYPE_I32, 1, rd);
    int pos = program_input(&p, "pos", DTYPE_I32, 1, rd), last = program_input(&p, "last", DTYPE_I32, 1, bd);
    int keys = program_state(&p, "keys", DTYPE_BF16, 3, cd), values = program_state(&p, "values", DTYPE_BF16, 3, cd);
    const struct recipe *parts[] = {recipe_leaf(&a, "q", 12, 12), recipe_leaf(&a, "k", 4, 12), recipe_leaf(&a, "v", 4, 12)};
    const struct recipe *whole = recipe_in_group(&a, recipe_encode(&a, recipe_concat(&a, parts, 3), &encoding_int8_row), 2);
    int w = program_weight(&p, "w", DTYPE_BF16, whole, 0);
    program_append(&p, &(struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {x, w}, .n_out = 3, .names = {"q", "k", "v"}});
    int q = program_find(&p, "q");
    int s = program_append(&p, &(struct op_spec){.kind = OP_ATTN_SCORES, .n_in = 4, .in = {q, keys, rows, pos}, .n_out = 1, .names = {"s"}, .i = {6, 2}});
    int y = program_append(&p, &(struct op_spec){.kind = OP_ATTN_VALUES, .n_in = 4, .in = {s, values, rows, pos}, .n_out = 1, .names = {"y"}, .i = {6, 2}});
    y = program_append(&p, &(struct op_spec){.kind = OP_GATHER_ROWS, .n_in = 2, .in = {y, last}, .n_out = 1, .names = {"g"}});
    int h = program_weight(&p, "h", DTYPE_BF16, recipe_leaf(&a, "h", 50, 12), 0);
    program_append(&p, &(struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {y, h}, .n_out = 1, .names = {"logits"}, .i = {1}});
    assert_shape(&p, "q", "bf16 (R, 12)");
    assert_shape(&p, "v", "bf16 (R, 4)");
    assert_shape(&p, "s", "bf16 (R, 6, S)");
    assert_shape(&p, "y", "bf16 (R, 12)");
    assert_shape(&p, "g", "bf16 (B, 12)");
    assert_shape(&p, "logits", "f32 (B, 50)");
    struct error e = {0};
    ck_assert_msg(program_validate(&p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(tensor_elements(&p.tensors[s], (int64_t[]){3, 5, 2}), 3 * 6 * 5);
    ck_assert_uint_eq(tensor_bytes(&p.tensors[s], (int64_t[]){3, 5, 2}), 3 * 6 * 5 * 2);
    ck_assert_uint_lt(tensor_bytes(&p.tensors[s], (int64_t[]){INT64_MAX, INT64_MAX, 2}), (size_t)1 << 50); /* does not wrap */
    program_free(&p);
    arena_free(&a);
}
END_TEST

static int infer(struct program *p, struct op op, char why[320]) { return op_table[op.kind].infer(p, &op, why, 320); }

START_TEST(what_does_not_fit_names_both_shapes) {
    struct toy_program t;
    char why[320];
    toy_begin(&t, 1);
    int x = program_find(&t.p, "embed"), logits = program_find(&t.p, "logits"), w = program_find(&t.p, "layer0.up.weight");
    ck_assert(!infer(&t.p, (struct op){.kind = OP_ADD, .n_in = 2, .in = {x, logits}, .n_out = 1, .out = {x}}, why));
    ck_assert_str_eq(why, "'embed' f32 (R, 8) differs in shape or type from 'logits' f32 (R, 11)");
    ck_assert(!infer(&t.p, (struct op){.kind = OP_LINEAR, .n_in = 2, .in = {logits, w}, .n_out = 1, .out = {x}}, why));
    ck_assert_str_eq(why, "'layer0.up.weight' f32 (8, 8) does not fit the width of 'logits' f32 (R, 11)");
    ck_assert(!infer(&t.p, (struct op){.kind = OP_LINEAR, .n_in = 2, .in = {x, w}, .n_out = 2, .out = {x, x}}, why));
    ck_assert_str_eq(why, "'layer0.up.weight' f32 (8, 8) does not split into the operation's outputs");
    ck_assert(!infer(&t.p, (struct op){.kind = OP_KV_WRITE, .n_in = 4, .in = {x, t.ids, t.ids, w}}, why));
    ck_assert_str_eq(why, "'layer0.up.weight' f32 (8, 8) must be a state (B, S, G*K)");
    ck_assert(!infer(&t.p, (struct op){.kind = OP_GATHER_ROWS, .n_in = 2, .in = {x, x}, .n_out = 1, .out = {x}}, why));
    ck_assert_str_eq(why, "'embed' f32 (R, 8) must be i32 with one dim");
    toy_end(&t);
}
END_TEST

/* ---- validation ---- */

static void assert_refused(const struct program *p, const char *reason) {
    struct error e = {0};
    ck_assert_int_eq(program_validate(p, &e), STATUS_INTERNAL);
    ck_assert_msg(strstr(e.text, reason) != NULL, "'%s' lacks '%s'", e.text, reason);
}

START_TEST(defects_are_refused) {
    struct toy_program t;
    struct error e = {0};
    toy_begin(&t, 2);
    struct program *p = &t.p;
    ck_assert_msg(program_validate(p, &e) == STATUS_OK, "%s", e.text);
    int out = program_find(p, "layer0.out"), at = program_producer(p, out);
    struct op good = p->ops[at];
    p->ops[at].in[1] = program_find(p, "layer1.act");
    assert_refused(p, "op 4 (add) uses 'layer1.act' before it is defined");
    p->ops[at].in[1] = 10000;
    assert_refused(p, "names tensor 10000");
    p->ops[at] = good;
    p->ops[at].out[0] = program_find(p, "embed");
    assert_refused(p, "writes 'embed', which another op writes");
    p->ops[at].out[0] = t.ids;
    assert_refused(p, "writes 'ids', which is of kind input");
    p->ops[at] = good;
    p->ops[at].out[0] = p->ops[at].in[0];
    assert_refused(p, "op 4 (add) writes 'embed'");
    p->ops[at] = good;
    p->ops[at].n_in = 1;
    assert_refused(p, "has 1 inputs and 1 outputs");
    p->ops[at] = good;
    p->tensors[out].dims[1] = dim_of(9);
    assert_refused(p, "gives 'layer0.out' as f32 (R, 9), but f32 (R, 8) follows from its inputs");
    p->tensors[out].dims[1] = dim_of(8);
    p->ops[at].device = 1;
    assert_refused(p, "on device 1 uses 'embed', which is on device 0; a copy is missing");
    p->ops[at] = good;
    p->tensors[program_find(p, "head.weight")].recipe = NULL;
    assert_refused(p, "'head.weight', a weight without a recipe");
    toy_end(&t);
}
END_TEST

START_TEST(states_are_written_in_place) {
    struct program p;
    struct error e = {0};
    program_init(&p, "states");
    const struct dim xd[] = {dim_symbol(SYMBOL_R), dim_of(4)}, rd[] = {dim_symbol(SYMBOL_R)};
    const struct dim cd[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(4)};
    int x = program_input(&p, "x", DTYPE_F32, 2, xd), rows = program_input(&p, "rows", DTYPE_I32, 1, rd);
    int pos = program_input(&p, "pos", DTYPE_I32, 1, rd), keys = program_state(&p, "keys", DTYPE_F32, 3, cd);
    int values = program_state(&p, "values", DTYPE_F32, 3, cd), f = program_constant(&p, "f", DTYPE_F64, 1, (double[]){1});
    /* a read before any write is what decode does */
    program_append(&p, &(struct op_spec){.kind = OP_ATTN_SCORES, .n_in = 4, .in = {x, keys, rows, pos}, .n_out = 1, .names = {"s"}, .i = {2, 2}});
    program_append(&p, &(struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {x, rows, pos, keys}});
    program_append(&p, &(struct op_spec){.kind = OP_ROPE_KV_WRITE, .n_in = 8, .in = {x, x, x, pos, rows, f, keys, values}, .n_out = 1,
                                         .names = {"q"}, .i = {2, 2}});
    ck_assert_msg(program_validate(&p, &e) == STATUS_OK, "%s", e.text);
    p.ops[2].in[7] = keys;
    assert_refused(&p, "op 2 (rope_kv_write) writes 'keys' in place while it reads it");
    p.ops[2].in[7] = values;
    p.ops[1].device = 1;
    assert_refused(&p, "uses 'keys', which is on device 0");
    p.ops[1].device = 0;
    program_state(&p, "keys", DTYPE_F32, 3, cd);
    assert_refused(&p, "two states called 'keys'");
    program_free(&p);
}
END_TEST

/* Two vectors of two numbers a position, each behind its scale; only what takes caches may touch them. */
START_TEST(states_may_be_encoded) {
    struct program p, copy;
    struct error e = {0};
    program_init(&p, "encoded");
    const struct dim xd[] = {dim_symbol(SYMBOL_R), dim_of(4)}, rd[] = {dim_symbol(SYMBOL_R)};
    const struct dim cd[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(4)};
    int x = program_input(&p, "x", DTYPE_BF16, 2, xd), rows = program_input(&p, "rows", DTYPE_I32, 1, rd);
    int pos = program_input(&p, "pos", DTYPE_I32, 1, rd), keys = program_state(&p, "keys", DTYPE_BF16, 3, cd);
    p.tensors[keys].encoding = &encoding_int8_row;
    p.tensors[keys].vectors = 2;
    program_append(&p, &(struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {x, rows, pos, keys}});
    program_append(&p, &(struct op_spec){.kind = OP_ATTN_SCORES, .n_in = 4, .in = {x, keys, rows, pos}, .n_out = 1, .names = {"s"}, .i = {2, 2}});
    ck_assert_msg(program_validate(&p, &e) == STATUS_OK, "%s", e.text);
    assert_shape(&p, "keys", "bf16 (B, S, 4) as int8_row by 2");
    assert_shape(&p, "s", "bf16 (R, 2, S)");
    ck_assert_uint_eq(tensor_bytes(&p.tensors[keys], (int64_t[]){3, 5, 2}), 5 * 2 * 2 * (4 + 2));
    ck_assert_uint_lt(tensor_bytes(&p.tensors[keys], (int64_t[]){3, INT64_MAX, INT64_MAX}), (size_t)1 << 50);
    program_copy(&p, &copy);
    ck_assert_msg(program_validate(&copy, &e) == STATUS_OK, "%s", e.text);
    assert_shape(&copy, "keys", "bf16 (B, S, 4) as int8_row by 2");
    program_free(&copy);
    p.tensors[keys].vectors = 1;
    assert_refused(&p, "'keys' bf16 (B, S, 4) as int8_row by 4 is not encoded by the heads that the operation names");
    p.tensors[keys].vectors = 3;
    assert_refused(&p, "reads 'keys', whose rows cannot be 3 vectors of int8_row");
    p.tensors[keys].vectors = 2;
    program_append(&p, &(struct op_spec){.kind = OP_SCALE, .n_in = 1, .in = {keys}, .n_out = 1, .names = {"y"}, .f = {2}});
    assert_refused(&p, "(scale) reads 'keys', which is stored as int8_row, as if it were dense");
    program_free(&p);
}
END_TEST

START_TEST(a_copy_moves_to_another_device) {
    struct toy_program t;
    struct error e = {0};
    toy_begin(&t, 1);
    int x = program_find(&t.p, "layer0.out"), here = toy_append(&t, OP_COPY, x, -1, "here", (struct place){PART_HEAD, 0});
    t.p.ops[t.p.n_ops - 1].i[0] = 1;
    toy_append(&t, OP_SILU, here, -1, "there", (struct place){PART_HEAD, 0});
    assert_refused(&t.p, "on device 0 uses 'here', which is on device 1");
    t.p.ops[t.p.n_ops - 1].device = 1;
    ck_assert_msg(program_validate(&t.p, &e) == STATUS_OK, "%s", e.text);
    toy_end(&t);
}
END_TEST

/* ---- looking and replacing ---- */

START_TEST(consumers_producers_replacing) {
    struct toy_program t;
    struct program copy;
    struct error e = {0};
    int ops[4];
    toy_begin(&t, 2);
    int x = program_find(&t.p, "layer0.out");
    ck_assert_int_eq(program_consumers(&t.p, x, ops, 4), 2);
    ck_assert_int_eq(t.p.ops[ops[0]].kind, OP_RMSNORM);
    ck_assert_int_eq(t.p.ops[ops[1]].kind, OP_ADD);
    ck_assert_int_eq(program_consumers(&t.p, x, ops, 1), 2);
    ck_assert_int_eq(program_producer(&t.p, t.ids), -1);
    program_copy(&t.p, &copy);
    /* add + norm of layer 1 → one op at the place of the first */
    int add = program_producer(&t.p, x), norm = add + 1;
    const struct op *a = &t.p.ops[add], *n = &t.p.ops[norm];
    struct op fused = {.kind = OP_ADD_RMSNORM, .n_in = 3, .in = {a->in[0], a->in[1], n->in[1]}, .n_out = 2, .out = {a->out[0], n->out[0]},
                       .f = {1e-5f}, .place = n->place, .category = CATEGORY_NORM_ELEMENTWISE, .covers = {OP_ADD, OP_RMSNORM}, .n_covers = 2};
    program_replace(&t.p, (int[]){add, norm}, 2, 0, &fused);
    ck_assert_uint_eq(t.p.n_ops, copy.n_ops - 1);
    ck_assert_int_eq(t.p.ops[add].kind, OP_ADD_RMSNORM);
    ck_assert_msg(program_validate(&t.p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(program_validate(&copy, &e) == STATUS_OK, "%s", e.text);
    program_free(&copy);
    toy_end(&t);
}
END_TEST

START_TEST(printing) {
    struct toy_program t;
    char *text = NULL;
    size_t bytes;
    toy_begin(&t, 1);
    struct tensor *w = &t.p.tensors[program_find(&t.p, "layer0.up.weight")];
    w->recipe = recipe_encode(&t.a, w->recipe, &encoding_int8_row);
    FILE *f = open_memstream(&text, &bytes);
    program_print(&t.p, f);
    fclose(f);
    static const char *const wanted[] = {"program toy: 7 operations", "R=6", "   2  layer 0    linear", "layer0.norm f32 (R, 8)",
        "layer0.up.weight f32 (8, 8) = encode int8_row(layer0.up.weight)", "-> layer0.up f32 (R, 8)", "norm_elementwise", "logits f32 (R, 11) [output]"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) ck_assert_msg(strstr(text, wanted[i]) != NULL, "no '%s' in\n%s", wanted[i], text);
    int lines = 0;
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    ck_assert_int_eq(lines, 1 + 7);
    free(text);
    toy_end(&t);
}
END_TEST

/* ---- memory: by brute force, what lives at the same time never overlaps ---- */

/* A program of `n` random sums over what is there already; some kept, some outputs. */
static void random_program(struct toy_program *t, int n, uint64_t seed) {
    toy_begin(t, 1);
    int made[64], count = 0;
    made[count++] = program_find(&t->p, "embed");
    made[count++] = program_find(&t->p, "layer0.out");
    for (int i = 0; i < n; i++) {
        int a = made[random_next(&seed) % (uint64_t)count], b = made[random_next(&seed) % (uint64_t)count];
        made[count++] = toy_append(t, i % 3 ? OP_ADD : OP_SILU, a, i % 3 ? b : -1, arena_printf(&t->a, "t%d", i), (struct place){PART_HEAD, 0});
        if (random_next(&seed) % 7 == 0) t->p.tensors[made[count - 1]].is_kept = 1;
        else if (random_next(&seed) % 7 == 0) program_output(&t->p, made[count - 1]);
    }
}

/* Each op marks its outputs' bytes with their owner; whatever is read later, or to the end, must still be its own. */
static void assert_plan_holds(const struct program *p) {
    size_t *offsets = mem_alloc(p->n_tensors * sizeof *offsets), total = program_plan(p, offsets), sum = 0;
    int *owner = mem_alloc((total + 1) * sizeof *owner);
    for (size_t i = 0; i <= total; i++) owner[i] = -1;
    for (size_t t = 0; t < p->n_tensors; t++) {
        int is_made = program_producer(p, (int)t) >= 0;
        ck_assert_int_eq(is_made, offsets[t] != SIZE_MAX);
        size_t bytes = tensor_bytes(&p->tensors[t], p->symbol_max);
        if (is_made) ck_assert_uint_eq(offsets[t] % 64, 0);
        if (is_made) sum += bytes + 64;
        for (size_t i = 0; is_made && p->tensors[t].is_kept && i < bytes; i++) { /* kept bytes are nobody else's at any time */
            ck_assert_int_eq(owner[offsets[t] + i], -1);
            owner[offsets[t] + i] = (int)t;
        }
    }
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct op *op = &p->ops[i];
        for (int k = 0; k < op->n_out; k++)
            for (size_t at = 0; at < tensor_bytes(&p->tensors[op->out[k]], p->symbol_max); at++) {
                int *o = &owner[offsets[op->out[k]] + at];
                ck_assert_msg(*o < 0 || *o == op->out[k] || !p->tensors[*o].is_kept, "a kept tensor is overwritten");
                *o = op->out[k];
            }
        for (int k = 0; k < op->n_in; k++)
            for (size_t at = 0; offsets[op->in[k]] != SIZE_MAX && at < tensor_bytes(&p->tensors[op->in[k]], p->symbol_max); at++)
                ck_assert_int_eq(owner[offsets[op->in[k]] + at], op->in[k]);
    }
    for (size_t t = 0; t < p->n_tensors; t++)
        for (size_t at = 0; p->tensors[t].storage == STORAGE_OUTPUT && at < tensor_bytes(&p->tensors[t], p->symbol_max); at++)
            ck_assert_int_eq(owner[offsets[t] + at], (int)t);
    ck_assert_uint_le(total, sum);
    mem_free(owner);
    mem_free(offsets);
}

START_TEST(plans_never_overlap) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct toy_program t;
        random_program(&t, (int)(seed % 40), seed);
        assert_plan_holds(&t.p);
        toy_end(&t);
    }
}
END_TEST

START_TEST(plans_reuse_memory_and_bear_nothing) {
    struct toy_program t;
    size_t offsets[64];
    toy_begin(&t, 9);
    ck_assert_uint_le(t.p.n_tensors, 64);
    size_t tensor = TOY_ROWS * TOY_WIDTH * sizeof(float); /* layers take turns: at most 3 of these live at once */
    ck_assert_uint_ge(program_plan(&t.p, offsets), 3 * tensor);
    ck_assert_uint_le(program_plan(&t.p, offsets), 4 * tensor);
    t.p.symbol_max[SYMBOL_R] = 0;
    ck_assert_uint_eq(program_plan(&t.p, offsets), 0);
    ck_assert_uint_ne(offsets[program_find(&t.p, "logits")], SIZE_MAX);
    toy_end(&t);
}
END_TEST

TEST_MAIN("program", shapes_follow_symbolically, what_does_not_fit_names_both_shapes, defects_are_refused, states_are_written_in_place,
          states_may_be_encoded,
          a_copy_moves_to_another_device, consumers_producers_replacing, printing, plans_never_overlap, plans_reuse_memory_and_bear_nothing)
