/* quantize's kv on a toy: which states it edits, in every program; what its receipt says; that fused and captured forms of it
 * agree with the plain one. */
#include <string.h>

#include "check_main.h"
#include "optimizers/tried.h"

enum { REQUESTS = 3, PROMPT = 7, NEW = 6 };

static enum status try(struct tried *t, const char *const *opts, const struct rewrite_context *context, struct error *e) {
    return try_on(t, REQUESTS, PROMPT, NEW, opts, context, e);
}

/* States and linear weights of all programs; how many of them are encoded. */
struct census {
    int states, encoded_states, weights, encoded_weights;
};

static struct census count(const struct pipeline *p) {
    struct census c = {0};
    for (int i = 0; i < p->n_programs; i++)
        for (size_t k = 0; k < p->programs[i].n_tensors; k++) {
            const struct tensor *t = &p->programs[i].tensors[k];
            c.states += t->storage == STORAGE_STATE;
            c.encoded_states += t->encoding == &encoding_int8_row && t->vectors == 2;
            c.weights += t->recipe != NULL;
            c.encoded_weights += t->recipe && t->recipe->kind == RECIPE_ENCODE;
        }
    return c;
}

/* Two layers with keys and values, in two programs; each touched by a write and a read. */
START_TEST(caches_are_encoded_in_every_program) {
    static const char *const sets[][4] = {{"quantize=kind=none,kv=int8", NULL}, {"quantize=kv=int8", NULL},
                                          {"quantize=kind=none,kv=int8", "attention", "fusion", NULL}};
    static const int found[] = {16, 16 + 28, 8}; /* the fused operations touch keys and values at once */
    for (int i = 0; i < 3; i++) {
        struct tried t;
        struct error e = {0};
        ck_assert_msg(try(&t, sets[i], NULL, &e) == STATUS_OK, "%s", e.text);
        struct census c = count(&t.toy.pipeline);
        ck_assert_int_eq(c.states, 8);
        ck_assert_int_eq(c.encoded_states, 8);
        ck_assert_int_eq(c.encoded_weights > 0, i == 1);
        ck_assert_int_eq(t.rewrites[0].found, found[i]);
        ck_assert_int_eq(t.rewrites[0].replaced, found[i]);
        for (int k = 0; k < t.toy.pipeline.n_programs; k++)
            ck_assert_msg(program_validate(&t.toy.pipeline.programs[k], &e) == STATUS_OK, "%s", e.text);
        end(&t);
    }
}
END_TEST

START_TEST(without_it_they_are_plain) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize", NULL}, NULL, &e), STATUS_OK);
    ck_assert_int_eq(count(&t.toy.pipeline).encoded_states, 0);
    end(&t);
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=none", NULL}, NULL, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "kind=none changes nothing without kv=int8"), "%s", e.text);
    end(&t);
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kv=int5", NULL}, NULL, &e), STATUS_INPUT);
    end(&t);
}
END_TEST

START_TEST(the_bound_is_that_of_both) {
    static const char *const texts[] = {"quantize", "quantize=kind=none,kv=int8", "quantize=kv=int8"};
    struct arena a = {0};
    struct error e = {0};
    double bound[3];
    for (int i = 0; i < 3; i++) {
        struct optimizer_use u;
        ck_assert_msg(optimizer_parse(texts[i], &a, &u, &e) == STATUS_OK, "%s", e.text);
        bound[i] = optimizers_bound(&u, 1);
    }
    ck_assert_double_gt(bound[1], 0);
    ck_assert_double_eq_tol(bound[2], bound[0] + bound[1], 1e-12);
    arena_free(&a);
}
END_TEST

/* ---- receipts ---- */

static struct receipt receipt_of(const struct tried *t, int64_t calls) {
    struct executed_op ops[256];
    struct executed x = {.ops = ops, .is_complete = 1};
    struct receipt out = {0};
    const struct program *p = &t->toy.pipeline.programs[0];
    for (size_t i = 0; i < p->n_ops; i++) ops[x.n_ops++] = (struct executed_op){p, &p->ops[i], calls};
    t->uses[0].optimizer->receipt(&t->uses[0].settings, &t->rewrites[0], &x, &out);
    return out;
}

/* No kernel for values in int8: keys stay as they are, too. */
static enum status refuse(void *self, const struct program *p, const struct op *op, struct error *e) {
    (void)self;
    return op->kind == OP_ATTN_VALUES && p->tensors[op->in[1]].encoding ? error_set(e, STATUS_UNSUPPORTED, "no such kernel") : STATUS_OK;
}

START_TEST(receipts_come_from_what_ran) {
    struct tried t;
    struct error e = {0};
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kind=none,kv=int8", NULL}, NULL, &e), STATUS_OK);
    struct receipt r = receipt_of(&t, 3);
    ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
    ck_assert_msg(strstr(r.evidence, "24 executions over encoded caches at 8 places"), "%s", r.evidence);
    ck_assert_int_eq(receipt_of(&t, 0).kind, RECEIPT_IS_NO_OP);
    end(&t);
    ck_assert_int_eq(try(&t, (const char *const[]){"quantize=kv=int8", NULL}, NULL, &e), STATUS_OK);
    r = receipt_of(&t, 3);
    ck_assert_int_eq(r.kind, RECEIPT_IS_ENGAGED);
    ck_assert_msg(strstr(r.evidence, "42 executions of linear operations") && strstr(r.evidence, "24 executions over encoded caches"), "%s", r.evidence);
    end(&t);
    for (int i = 0; i < 2; i++) {
        const char *opt = i ? "quantize=kv=int8" : "quantize=kind=none,kv=int8";
        ck_assert_int_eq(try(&t, (const char *const[]){opt, NULL}, &(struct rewrite_context){.supports = refuse}, &e), STATUS_OK);
        ck_assert_int_eq(count(&t.toy.pipeline).encoded_states, 0);
        r = receipt_of(&t, 3);
        ck_assert_int_eq(r.kind, RECEIPT_IS_FALLBACK);
        ck_assert_msg(strstr(r.evidence, "no such kernel"), "%s", r.evidence);
        end(&t);
    }
}
END_TEST

/* ---- running ---- */

static void run(const struct backend *b, const char *const *opts, int32_t out[REQUESTS][NEW]) {
    struct tried t;
    struct error e = {0};
    struct clock clock = {0};
    struct device *d;
    struct session s;
    ck_assert_msg(try(&t, opts, NULL, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(b->open(&(struct device_options){.clock = &clock, .threads = 2}, &d, &e), STATUS_OK);
    ck_assert_msg(session_open(&s, &t.toy.pipeline, &d, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, (struct launch_capacity){REQUESTS * PROMPT, REQUESTS}, &clock, &e) == STATUS_OK,
                  "%s", e.text);
    ck_assert_msg(session_run(&s, &t.toy.job, NULL, &e) == STATUS_OK, "%s", e.text);
    struct memory_use use;
    b->memory(d, &use);
    const int64_t *most = t.toy.pipeline.programs[0].symbol_max;
    if (b == &backend_cpu) ck_assert_uint_eq(use.state_bytes, 2 * 2 * (size_t)(most[SYMBOL_B] * most[SYMBOL_S]) * 2 * (4 + 4)); /* a scale for 4 codes */
    for (int i = 0; i < REQUESTS; i++) memcpy(out[i], t.toy.outputs[i], NEW * sizeof(int32_t));
    session_close(&s);
    b->close(d);
    end(&t);
}

/* A batch of three, prefilled and decoded. Fused, the same numbers are rounded; captured, the same kernels run. */
START_TEST(fused_and_captured_forms_agree) {
#define KV "quantize=kind=none,kv=int8"
    static const char *const plain[] = {KV, NULL}, *const fused[] = {KV, "attention", "fusion", NULL}, *const captured[] = {KV, "graph=bucket=0", NULL};
#undef KV
    int32_t a[REQUESTS][NEW], b[REQUESTS][NEW];
    run(&backend_reference, plain, a);
    run(&backend_reference, fused, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
    run(&backend_cpu, plain, a);
    run(&backend_cpu, captured, b);
    ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
}
END_TEST

TEST_MAIN("caches", caches_are_encoded_in_every_program, without_it_they_are_plain, the_bound_is_that_of_both, receipts_come_from_what_ran,
          fused_and_captured_forms_agree)
