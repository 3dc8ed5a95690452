/* quantize and sparsity on a toy: which weights they touch, what they make of them, what they refuse, what their receipts say. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "optimizers/tried.h"

static enum status try(struct tried *t, const char *const *opts, const struct rewrite_context *context, struct error *e) {
    return try_on(t, 1, 4, 2, opts, context, e);
}

static const struct recipe *weight_of(const struct tried *t, const char *name) {
    const struct program *p = &t->toy.pipeline.programs[0];
    int i = program_find(p, name);
    ck_assert_msg(i >= 0, "no '%s'", name);
    return p->tensors[i].recipe;
}

static int is_encoded(const struct recipe *r) { return r->kind == RECIPE_ENCODE; }

/* Two programs of two layers with seven projections each; the head stays. */
START_TEST(projections_are_quantized_and_the_head_is_not) {
    struct tried t;
    struct error e = {0};
    ck_assert_msg(try(&t, (const char *const[]){"quantize", NULL}, NULL, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(t.rewrites[0].found, 28);
    ck_assert_int_eq(t.rewrites[0].replaced, 28);
    ck_assert(is_encoded(weight_of(&t, "layer0.q_proj.weight")));
    ck_assert_ptr_eq(weight_of(&t, "layer0.q_proj.weight")->encoding, &encoding_int8_row);
    ck_assert(!is_encoded(weight_of(&t, "head.weight")));
    ck_assert(!is_encoded(weight_of(&t, "embed.weight")));
    end(&t);
}
END_TEST

START_TEST(what_is_skipped_stays) {
    static const struct { const char *opt; int found; } all[] = {
        {"quantize=skip=none", 30}, {"quantize=skip=first+last", 2}, {"quantize=skip=first+head", 14}, {"quantize=skip=head+*down_proj*", 24},
        {"quantize=skip=*", 0}, {"sparsity=skip=head+last", 14}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct tried t;
        struct error e = {0};
        ck_assert_msg(try(&t, (const char *const[]){all[i].opt, NULL}, NULL, &e) == STATUS_OK, "%s", e.text);
        ck_assert_msg(t.rewrites[0].replaced == all[i].found, "%s: %d", all[i].opt, t.rewrites[0].replaced);
        end(&t);
    }
}
END_TEST

/* The leaves of a fused product are quantized apart, and have the scales that they have alone. */
START_TEST(leaves_of_fused_weights_are_edited) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=skip=head+*k_proj*", "fusion", NULL}, NULL, &e), STATUS_OK);
    const struct program *p = &t.toy.pipeline.programs[0];
    int seen = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct recipe *r = p->tensors[i].recipe;
        if (!r || r->kind != RECIPE_CONCAT || r->n_parts != 3) continue;
        ck_assert(is_encoded(r->parts[0]) && !is_encoded(r->parts[1]) && is_encoded(r->parts[2]));
        seen++;
    }
    ck_assert_int_eq(seen, 2);
    end(&t);
}
END_TEST

/* The same weights as without; the rows that meet them are rounded, but those that meet what is skipped. */
START_TEST(dynamic_kinds_round_inputs_by_leaf) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=int8-dynamic,skip=head+*k_proj*", "fusion", NULL}, NULL, &e), STATUS_OK);
    const struct program *p = &t.toy.pipeline.programs[0];
    int seen = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct recipe *r = p->tensors[i].recipe;
        if (!r || r->kind != RECIPE_CONCAT || r->n_parts != 3) continue;
        ck_assert_int_eq(recipe_input_bits(r, 0), 8);
        ck_assert_int_eq(recipe_input_bits(r, r->parts[0]->rows), 0);
        ck_assert_int_eq(recipe_input_bits(r, r->rows - 1), 8);
        ck_assert_ptr_eq(r->parts[0]->encoding, &encoding_int8_row);
        seen++;
    }
    ck_assert_int_eq(seen, 2);
    ck_assert_double_gt(optimizers_bound(t.uses, 1), 0.1);
    end(&t);
}
END_TEST

START_TEST(pruning_keeps_what_it_should) {
    struct tried t;
    struct error e = {0};
    float plain[16], pruned[16];
    ck_assert_int_eq(try(&t, (const char *const[]){"sparsity=share=0.5", NULL}, NULL, &e), STATUS_OK);
    const struct recipe *r = weight_of(&t, "layer1.q_proj.weight");
    ck_assert_ptr_eq(r->encoding, &encoding_bitmap_f32);
    ck_assert_int_eq(recipe_settle(r, t.toy.pipeline.weights, NULL, &e), STATUS_OK);
    ck_assert_int_eq(recipe_decode(r, t.toy.pipeline.weights, 3, 1, pruned, &e), STATUS_OK);
    ck_assert_int_eq(recipe_decode(r->parts[0]->parts[0], t.toy.pipeline.weights, 3, 1, plain, &e), STATUS_OK);
    int zeros = 0;
    for (int i = 0; i < 16; i++) {
        zeros += pruned[i] == 0;
        ck_assert(pruned[i] == 0 || pruned[i] == plain[i]);
    }
    ck_assert_int_eq(zeros, 8);
    end(&t);
}
END_TEST

/* Pruned weights with their zeros can be quantized in every way; under a bitmap there is room for int8 alone, and the receipt says so. */
START_TEST(pruned_weights_are_quantized) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize", "sparsity=format=dense", NULL}, NULL, &e), STATUS_OK);
    const struct recipe *r = weight_of(&t, "layer0.q_proj.weight");
    ck_assert(is_encoded(r) && r->encoding == &encoding_int8_row && r->parts[0]->kind == RECIPE_PRUNE);
    ck_assert_int_eq(t.rewrites[0].replaced, 28);
    end(&t);
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=int4,group=32", "sparsity", NULL}, NULL, &e), STATUS_OK);
    ck_assert_ptr_eq(weight_of(&t, "layer0.q_proj.weight")->encoding, &encoding_bitmap_f32);
    ck_assert_int_eq(t.rewrites[0].refused, 28);
    ck_assert_msg(strstr(t.rewrites[0].reason, "is stored as bitmap_f32 already, where int8 alone has a place"), "%s", t.rewrites[0].reason);
    end(&t);
}
END_TEST

static void decode_row(const struct tried *t, const struct recipe *r, int64_t row, float *y) {
    struct error e = {0};
    ck_assert_msg(recipe_settle(r, t->toy.pipeline.weights, NULL, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(recipe_decode(r, t->toy.pipeline.weights, row, 1, y, &e) == STATUS_OK, "%s", e.text);
}

/* int8 under the bits: the numbers of pruning, then quantizing with the zeros in place; what one of the two skips has the other's form. */
START_TEST(codes_lie_under_the_bits) {
    static const char *const pers[] = {"row", "matrix", "2:4"};
    for (int i = 0; i < 3; i++) {
        struct tried t, dense;
        struct error e = {0};
        char opt[64], dense_opt[80];
        snprintf(opt, sizeof opt, "sparsity=share=0.5,per=%s,skip=head+*k_proj*", pers[i]);
        snprintf(dense_opt, sizeof dense_opt, "%s,format=dense", opt);
        ck_assert_int_eq(try(&t, (const char *const[]){opt, "quantize=kind=int8,skip=head+*v_proj*", NULL}, NULL, &e), STATUS_OK);
        ck_assert_int_eq(try(&dense, (const char *const[]){dense_opt, "quantize=kind=int8,skip=head+*v_proj*", NULL}, NULL, &e), STATUS_OK);
        ck_assert_int_eq(t.rewrites[0].refused + t.rewrites[1].refused, 0);
        ck_assert_int_eq(t.rewrites[0].replaced, 24);
        ck_assert_int_eq(t.rewrites[1].replaced, 24);
        ck_assert_ptr_eq(weight_of(&t, "layer0.k_proj.weight")->encoding, &encoding_int8_row);
        ck_assert_ptr_eq(weight_of(&t, "layer0.v_proj.weight")->encoding, &encoding_bitmap_f32);
        const struct recipe *both = weight_of(&t, "layer1.q_proj.weight"), *one = weight_of(&dense, "layer1.q_proj.weight");
        ck_assert_ptr_eq(both->encoding, &encoding_bitmap_int8);
        ck_assert_ptr_eq(one->encoding, &encoding_int8_row);
        for (int64_t r = 0; r < both->rows; r++) {
            float x[64], y[64];
            decode_row(&t, both, r, x);
            decode_row(&dense, one, r, y);
            for (int64_t c = 0; c < both->cols; c++) ck_assert(x[c] == y[c]);
        }
        end(&t);
        end(&dense);
    }
}
END_TEST

/* ---- by matrix ---- */

/* Whatever rows are asked for, in whatever order, and by however many hands: one threshold, ties in the order of rows. */
static void fill_ties(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    (void)self, (void)name;
    for (int64_t i = 0; i < cols; i++) y[i] = (float)((r * 7 + i * 3) % 4 + 1) * ((r + i) % 2 ? 1.0f : -1.0f);
}
static enum status find_ties(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_ties};
    return STATUS_OK;
}

static void three_in_turn(void *self, void (*work)(void *arg, int member), void *arg) {
    (void)self;
    for (int i = 2; i >= 0; i--) work(arg, i);
}

START_TEST(ties_fall_in_the_order_of_rows) {
    enum { ROWS = 33, COLS = 21 };
    static const struct weight_source source = {.find = find_ties};
    struct arena a = {0};
    struct error e = {0};
    float w[ROWS * COLS], got[ROWS * COLS];
    for (int share = 0; share <= 10; share++) {
        const struct pruning p = {.per = PRUNE_PER_MATRIX, .share = share / 10.0};
        const struct recipe *r = recipe_prune(&a, recipe_leaf(&a, "w", ROWS, COLS), &p);
        uint32_t mask[ROWS];
        ck_assert_int_eq(recipe_settle(r, &source, share % 2 ? NULL : &(struct hands){three_in_turn, NULL, 3}, &e), STATUS_OK);
        for (int64_t i = ROWS - 1; i >= 0; i--) ck_assert_int_eq(recipe_decode(r, &source, i, 1, got + i * COLS, &e), STATUS_OK);
        for (int64_t i = 0; i < ROWS; i++) fill_ties(NULL, "w", i, w + i * COLS, COLS);
        ck_assert_int_eq(prune(&p, &(struct prune_rows){.w = w, .rows = ROWS, .cols = COLS}, mask, &e), STATUS_OK);
        for (int64_t i = 0; i < ROWS * COLS; i++) ck_assert(got[i] == (mask_get(mask + i / COLS, i % COLS) ? w[i] : 0));
    }
    arena_free(&a);
}
END_TEST

/* A checkpoint that is pruned already keeps what it has, unless more is to go than is zero. */
static void fill_half(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    fill_ties(self, name, r, y, cols);
    for (int64_t i = 0; i < cols; i++) y[i] = (i + r) % 2 ? 0 : y[i];
}
static enum status find_half(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_half};
    return STATUS_OK;
}

START_TEST(what_is_pruned_already_stays) {
    enum { ROWS = 6, COLS = 20 };
    static const struct weight_source source = {.find = find_half};
    static const struct pruning all[] = {{.per = PRUNE_PER_ROW, .share = 0.3}, {.per = PRUNE_PER_ROW, .share = 0.5}, {.per = PRUNE_PER_MATRIX, .share = 0.5},
                                         {.per = PRUNE_N_OF_M, .n = 2, .m = 4}, {.per = PRUNE_PER_ROW, .share = 0.6}};
    struct arena a = {0};
    struct error e = {0};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        const struct recipe *r = recipe_prune(&a, recipe_leaf(&a, "w", ROWS, COLS), &all[k]);
        int changed = 0;
        ck_assert_int_eq(recipe_settle(r, &source, NULL, &e), STATUS_OK);
        for (int64_t i = 0; i < ROWS; i++) {
            float is[COLS], was[COLS];
            ck_assert_int_eq(recipe_decode(r, &source, i, 1, is, &e), STATUS_OK);
            fill_half(NULL, "w", i, was, COLS);
            for (int c = 0; c < COLS; c++) changed += is[c] != was[c];
        }
        ck_assert_int_eq(changed, all[k].share > 0.5 ? 2 * ROWS : 0);
    }
    arena_free(&a);
}
END_TEST

/* Wanda: of each row those with the least |w| norm go; by matrix, of all; the norms are part of what the recipe is. */
START_TEST(scores_are_weights_times_norms) {
    enum { ROWS = 7, COLS = 40 };
    static const struct weight_source source = {.find = find_ties};
    struct arena a = {0};
    struct error e = {0};
    float norm[COLS], w[ROWS * COLS], is[ROWS * COLS];
    for (int c = 0; c < COLS; c++) norm[c] = 0.25f + (float)(c * 37 % 41) / 8;
    for (int i = 0; i < ROWS; i++) fill_ties(NULL, "w", i, w + i * COLS, COLS);
    const struct recipe *leaf = recipe_leaf(&a, "w", ROWS, COLS);
    for (int k = 0; k < 2; k++) {
        const struct pruning p = {.per = k ? PRUNE_PER_MATRIX : PRUNE_PER_ROW, .share = 0.4};
        const struct recipe *r = recipe_prune_scored(&a, leaf, &p, norm);
        ck_assert_int_eq(recipe_settle(r, &source, NULL, &e), STATUS_OK);
        ck_assert_int_eq(recipe_decode(r, &source, 0, ROWS, is, &e), STATUS_OK);
        for (int i = 0; i < ROWS * COLS; i++) {
            int first = k ? 0 : i / COLS * COLS, last = k ? ROWS * COLS : first + COLS, lower = 0;
            for (int j = first; j < last; j++) {
                float mine = fabsf(w[i]) * norm[i % COLS], other = fabsf(w[j]) * norm[j % COLS];
                lower += other < mine || (other == mine && j < i);
            }
            ck_assert_float_eq(is[i], lower < (int)(0.4 * (last - first)) ? 0 : w[i]);
        }
        ck_assert(recipe_hash(r) != recipe_hash(recipe_prune(&a, leaf, &p)));
        uint64_t before = recipe_hash(r);
        norm[3] += 1;
        ck_assert(recipe_hash(r) != before);
    }
    arena_free(&a);
}
END_TEST

/* Whole zero points: 0 is a code of every group, so that what was pruned stays 0. */
START_TEST(zeros_stay_zero_in_groups) {
    enum { COLS = 64 };
    struct arena a = {0};
    struct error e = {0};
    float pruned[COLS], y[COLS];
    static const struct weight_source source = {.find = find_ties};
    const struct recipe *r = recipe_prune(&a, recipe_leaf(&a, "w", 3, COLS), &(struct pruning){.per = PRUNE_PER_ROW, .share = 0.4});
    const struct recipe *q = recipe_quantize(&a, r, &encoding_int4_g32, &(struct quantizer){.bits = 4, .group = 32, .zero = QUANTIZE_ZERO_INTEGER});
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_int_eq(recipe_decode(r, &source, i, 1, pruned, &e), STATUS_OK);
        ck_assert_int_eq(recipe_decode(q, &source, i, 1, y, &e), STATUS_OK);
        for (int c = 0; c < COLS; c++) ck_assert((pruned[c] != 0) || y[c] == 0);
    }
    arena_free(&a);
}
END_TEST

/* ---- as stored ---- */

/* q and k lie in blocks; all others are dense. */
static enum status find_blocks(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .data = "", .encoding = strstr(name, "q_proj") ? &encoding_q4_1 : strstr(name, "k_proj") ? &encoding_q8_0 : &encoding_bf16};
    return STATUS_OK;
}

START_TEST(stored_blocks_are_taken_as_they_are) {
    static const struct weight_source source = {.find = find_blocks};
    struct tried t = {0};
    struct error e = {0};
    toy_open(&t.toy, 1, 4, 2);
    t.toy.pipeline.weights = &source;
    ck_assert_int_eq(optimizer_parse("quantize=kind=stored,skip=head+*layers.1.*", &t.a, &t.uses[0], &e), STATUS_OK);
    ck_assert_msg(optimizers_apply(&t.toy.pipeline, t.uses, 1, NULL, t.rewrites, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(optimizers_fidelity(t.uses, 1), FIDELITY_IS_REORDERED);
    ck_assert_ptr_eq(weight_of(&t, "layer0.q_proj.weight")->encoding, &encoding_q4_1);
    ck_assert_ptr_eq(weight_of(&t, "layer0.k_proj.weight")->encoding, &encoding_q8_0);
    ck_assert(recipe_is_verbatim(weight_of(&t, "layer0.q_proj.weight")));
    ck_assert(!is_encoded(weight_of(&t, "layer0.v_proj.weight")));
    ck_assert_int_eq(t.rewrites[0].replaced, t.rewrites[0].found);
    ck_assert_msg(strstr(t.rewrites[0].reason, "weights are stored otherwise and stay so"), "%s", t.rewrites[0].reason);
    end(&t);
}
END_TEST

START_TEST(nothing_stored_in_blocks_is_no_op) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=stored", NULL}, NULL, &e), STATUS_OK);
    ck_assert_int_eq(t.rewrites[0].found, 0);
    ck_assert_msg(strstr(t.rewrites[0].reason, "none of these weights in blocks"), "%s", t.rewrites[0].reason);
    end(&t);
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=stored", "sparsity=format=dense", NULL}, NULL, &e), STATUS_OK);
    ck_assert_int_eq(t.rewrites[0].refused, 28);
    ck_assert_msg(strstr(t.rewrites[0].reason, "is pruned: no longer what the checkpoint stores"), "%s", t.rewrites[0].reason);
    end(&t);
}
END_TEST

/* ---- refusals ---- */

static void assert_refused(const char *opt, const char *expected) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){opt, NULL}, NULL, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, expected), "'%s' lacks '%s'", e.text, expected);
    end(&t);
}

START_TEST(what_makes_no_sense_is_refused) {
    assert_refused("quantize=kind=int4", "have 16 elements, no multiple of group=64");
    assert_refused("quantize=rounding=hqq", "kind=int8 has no zero points");
    assert_refused("quantize=kind=int4,rounding=hqq", "zero=float");
    assert_refused("quantize=kind=int8-dynamic,zero=float", "kind=int8-dynamic has no zero points");
    assert_refused("quantize=kind=stored,zero=float", "takes what the checkpoint has");
    assert_refused("quantize=kind=int5", "is not allowed");
    assert_refused("sparsity=share=1.5", "give one from 0 to 1");
    assert_refused("sparsity=share=half", "is not allowed");
    assert_refused("sparsity=by=zeros,format=dense", "changes nothing");
}
END_TEST

/* ---- receipts ---- */

static enum status refuse(void *self, const struct program *p, const struct op *op, struct error *e) {
    (void)self;
    return p->tensors[op->in[1]].recipe->kind == RECIPE_ENCODE ? error_set(e, STATUS_UNSUPPORTED, "no such kernel") : STATUS_OK;
}

static struct receipt receipt_of_use(const struct tried *t, int use, int64_t calls) {
    struct executed_op ops[256];
    struct executed x = {.ops = ops, .is_complete = 1};
    struct receipt out = {0};
    const struct program *p = &t->toy.pipeline.programs[0];
    for (size_t i = 0; i < p->n_ops; i++) ops[x.n_ops++] = (struct executed_op){p, &p->ops[i], calls};
    t->uses[use].optimizer->receipt(&t->uses[use].settings, &t->rewrites[use], &x, &out);
    return out;
}

static struct receipt receipt_of(const struct tried *t, int64_t calls) { return receipt_of_use(t, 0, calls); }

START_TEST(receipts_come_from_what_ran) {
    static const char *const opts[] = {"quantize", "sparsity=share=0.75"};
    for (int i = 0; i < 2; i++) {
        struct tried t;
        struct error e = {0};
        ck_assert_int_eq(try(&t, (const char *const[]){opts[i], NULL}, NULL, &e), STATUS_OK);
        struct receipt r = receipt_of(&t, 3);
        ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
        ck_assert_msg(strstr(r.evidence, "42 executions of linear operations"), "%s", r.evidence);
        ck_assert_int_eq(receipt_of(&t, 0).kind, RECEIPT_IS_NO_OP);
        end(&t);
        ck_assert_int_eq(try(&t, (const char *const[]){opts[i], NULL}, &(struct rewrite_context){.supports = refuse}, &e), STATUS_OK);
        r = receipt_of(&t, 3);
        ck_assert_int_eq(r.kind, RECEIPT_IS_FALLBACK);
        ck_assert_msg(strstr(r.evidence, "no such kernel"), "%s", r.evidence);
        end(&t);
    }
}
END_TEST

START_TEST(both_have_a_receipt) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize", "sparsity=share=0.75", NULL}, NULL, &e), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct receipt r = receipt_of_use(&t, i, 3);
        ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
        ck_assert_msg(strstr(r.evidence, "42 executions of linear operations"), "%s", r.evidence);
        ck_assert_msg(strstr(r.evidence, i ? "bitmap weights" : "over bitmap_int8"), "%s", r.evidence);
    }
    end(&t);
}
END_TEST

/* What a device counted of its weights is said of all programs, and told from what pruning was to drop. */
START_TEST(receipts_tell_how_much_is_zero) {
    static const struct { const char *opt; double kept; const char *says; } all[] = {
        {"sparsity=share=0.5", 0.5, "; 50.0 % of their elements are zero"}, {"sparsity=share=0.25", 0.25, "; 75.0 % of their elements are zero, more than were to be dropped"},
        {"sparsity=by=zeros", 0.125, "; 87.5 % of their elements are zero in the checkpoint"}, {"sparsity=share=0.5", -1, NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct tried t;
        struct error e = {0};
        ck_assert_int_eq(try(&t, (const char *const[]){all[i].opt, NULL}, NULL, &e), STATUS_OK);
        const struct program *last = &t.toy.pipeline.programs[t.toy.pipeline.n_programs - 1];
        for (size_t k = 0; k < last->n_tensors; k++) {
            const struct recipe *w = last->tensors[k].recipe;
            if (w && w->kept && all[i].kept >= 0) *w->kept = (int64_t)(all[i].kept * (double)(w->rows * w->cols));
        }
        struct receipt r = receipt_of(&t, 3);
        ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
        if (all[i].says) ck_assert_msg(strstr(r.evidence, all[i].says), "%s", r.evidence);
        else ck_assert_msg(!strstr(r.evidence, "elements are zero"), "%s", r.evidence);
        end(&t);
    }
}
END_TEST

static enum status allow(void *self, const struct program *p, const struct op *op, struct error *e) { return (void)self, (void)p, (void)op, (void)e, STATUS_OK; }

/* Norms come by leaf, also where leaves are fused; a leaf of which nothing was seen is refused. */
START_TEST(wanda_needs_norms) {
    static float norm[64];
    struct input_norms all[64];
    struct tried t;
    struct error e = {0};
    int n = 0;
    for (int i = 0; i < 64; i++) norm[i] = (float)(i + 1);
    ck_assert_int_eq(try(&t, (const char *const[]){"sparsity=by=wanda", NULL}, NULL, &e), STATUS_OK);
    ck_assert_int_eq(t.rewrites[0].refused, 28);
    ck_assert_msg(strstr(t.rewrites[0].reason, "nothing was seen of the inputs of"), "%s", t.rewrites[0].reason);
    const struct program *p = &t.toy.pipeline.programs[0];
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct recipe *w = p->ops[i].kind == OP_LINEAR ? p->tensors[p->ops[i].in[1]].recipe : NULL;
        if (w) all[n++] = (struct input_norms){arena_copy_string(&t.a, recipe_name(w)), w->cols, norm};
    }
    struct tried u;
    ck_assert_int_eq(try(&u, (const char *const[]){"sparsity=by=wanda", "fusion", NULL}, &(struct rewrite_context){.supports = allow, .norms = all, .n_norms = n}, &e), STATUS_OK);
    ck_assert_int_eq(u.rewrites[0].refused, 0);
    ck_assert_int_gt(u.rewrites[0].replaced, 0);
    struct receipt r = receipt_of(&u, 1);
    ck_assert_msg(strstr(r.evidence, "bitmap weights without 0.5 by Wanda"), "%s", r.evidence);
    ck_assert_str_eq(u.uses[0].optimizer->calibration(&u.uses[0].settings), "prompt");
    end(&t);
    end(&u);
}
END_TEST

TEST_MAIN("weights", projections_are_quantized_and_the_head_is_not, what_is_skipped_stays, leaves_of_fused_weights_are_edited, dynamic_kinds_round_inputs_by_leaf, pruning_keeps_what_it_should, pruned_weights_are_quantized,
          ties_fall_in_the_order_of_rows, what_makes_no_sense_is_refused, receipts_come_from_what_ran,
          scores_are_weights_times_norms, wanda_needs_norms, stored_blocks_are_taken_as_they_are, nothing_stored_in_blocks_is_no_op, what_is_pruned_already_stays, both_have_a_receipt, receipts_tell_how_much_is_zero, codes_lie_under_the_bits, zeros_stay_zero_in_groups)
