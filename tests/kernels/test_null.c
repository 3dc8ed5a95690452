/* The null backend: exact clocks, scripted choices, moved bytes, claimed memory. */
#include <string.h>

#include "check_main.h"
#include "kernels/backend.h"
#include "kernels/toy_program.h"

struct bench {
    struct toy_program toy;
    struct clock clock;
    struct device *device;
    struct prepared *prepared;
    struct tracer tracer;
};

static uint64_t cost_by_kind(void *self, const struct program *p, const struct op *op, const struct work *w) {
    (void)self, (void)p, (void)w;
    return op->kind == OP_LINEAR ? 50000 : 2000;
}

static int32_t scripted(void *self, const struct op *op, int64_t call, int64_t i) {
    (void)op;
    return (int32_t)(*(const int *)self + 10 * call + i);
}

/* The toy model with a choice at its end: embed, norm, linear, silu, add, norm, linear, sample. */
static void build(struct toy_program *t) {
    toy_begin(t, 1);
    const struct dim pd[] = {dim_symbol(SYMBOL_R), dim_of(4)}, sd[] = {dim_symbol(SYMBOL_R)};
    int params = program_input(&t->p, "params", DTYPE_F32, 2, pd), seeds = program_input(&t->p, "seeds", DTYPE_I64, 1, sd);
    program_output(&t->p, program_append(&t->p, &(struct op_spec){.kind = OP_SAMPLE, .n_in = 3, .in = {program_find(&t->p, "logits"), params, seeds},
        .n_out = 1, .names = {"chosen"}, .place = {PART_HEAD, 0}, .category = CATEGORY_SAMPLING}));
    const struct dim cd[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(4)};
    program_state(&t->p, "cache", DTYPE_F32, 3, cd);
}

static void begin(struct bench *b, const struct null_script *script) {
    struct error e = {0};
    *b = (struct bench){.clock = {.is_fake = 1, .fake_ns = 777}};
    build(&b->toy);
    ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = &b->clock, .script = script, .unit = 0}, &b->device, &e), STATUS_OK);
    ck_assert_msg(backend_null.prepare(b->device, &b->toy.p, NULL, &b->prepared, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(backend_null.bind(b->prepared, (int64_t[]){2, 1, 1}, &e), STATUS_OK);
    tracer_init(&b->tracer, &b->clock, 1, (int[]){1}, 100);
    b->tracer.site = (struct launch_site){.stage = 4, .step = 9, .later_from = INT32_MAX};
    b->tracer.program = 2;
}

static void end(struct bench *b) {
    backend_null.release(b->prepared);
    backend_null.close(b->device);
    tracer_free(&b->tracer);
    toy_end(&b->toy);
}

START_TEST(it_needs_an_injected_clock) {
    struct clock real = {0};
    struct device *d;
    struct error e = {0};
    ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = &real}, &d, &e), STATUS_INPUT);
    ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = NULL}, &d, &e), STATUS_INPUT);
    ck_assert(backend_find("null") == &backend_null && backend_null.is_simulated);
    ck_assert_ptr_null(backend_find("nothing"));
    ck_assert_ptr_null(backend_at(100));
    ck_assert_ptr_null(backend_at(-1));
}
END_TEST

START_TEST(eager_costs_are_exact) {
    struct null_script script = {.cost_ns = cost_by_kind};
    struct bench b;
    begin(&b, &script);
    ck_assert_int_eq(backend_null.run(b.prepared, 0, 8, &b.tracer, NULL), STATUS_OK);
    ck_assert_uint_eq(b.clock.fake_ns, 777 + 2 * 50000 + 6 * 2000 + 7 * 1000); /* 7 gaps of 1 us */
    const struct lane *l = &b.tracer.lanes[0][0];
    ck_assert_uint_eq(l->count, 8);
    uint64_t at = 777;
    for (int i = 0; i < 8; i++) {
        const struct span *s = &l->spans[i];
        ck_assert_uint_eq(s->start_ns, at);
        ck_assert_uint_eq(s->end_ns - s->start_ns, i == 2 || i == 6 ? 50000 : 2000);
        ck_assert_uint_eq(s->released_ns, s->end_ns);
        ck_assert(s->op == i && s->step == 9 && s->stage == 4 && s->program == 2 && s->kind == SPAN_RUN && s->launches == 1 && s->subject == -1);
        at = s->end_ns + 1000;
    }
    ck_assert_int_eq(backend_null.run(b.prepared, 1, 2, NULL, NULL), STATUS_OK); /* untraced, a part */
    ck_assert_uint_eq(l->count, 8);
    ck_assert_uint_eq(b.clock.fake_ns, 777 + 2 * 50000 + 6 * 2000 + 7 * 1000 + 2000 + 1000 + 50000);
    end(&b);
}
END_TEST

START_TEST(a_replay_has_the_same_sums_and_one_launch) {
    struct null_script script = {.cost_ns = cost_by_kind};
    struct bench b;
    struct captured *captured;
    begin(&b, &script);
    ck_assert_int_eq(backend_null.capture(b.prepared, 1, 6, &b.tracer, &captured, NULL), STATUS_OK);
    ck_assert_uint_eq(b.clock.fake_ns, 777);
    ck_assert_int_eq(backend_null.replay(b.prepared, captured, &b.tracer, NULL), STATUS_OK);
    ck_assert_uint_eq(b.clock.fake_ns, 777 + 2 * 50000 + 4 * 2000);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(b.tracer.lanes[0][0].spans[i].launches, i == 0);
        ck_assert_int_eq(b.tracer.lanes[0][0].spans[i].op, i + 1);
    }
    backend_null.drop(b.prepared, captured);
    end(&b);
}
END_TEST

START_TEST(costs_without_a_script_follow_the_work) {
    struct bench b;
    begin(&b, NULL);
    ck_assert_int_eq(backend_null.run(b.prepared, 3, 1, NULL, NULL), STATUS_OK);
    ck_assert_uint_eq(b.clock.fake_ns, 777 + 1000); /* the least */
    end(&b);
}
END_TEST

START_TEST(choices_come_from_the_script) {
    int offset = 3;
    struct null_script script = {.cost_ns = cost_by_kind, .choice = scripted, .self = &offset};
    struct bench b;
    int32_t ids[2];
    begin(&b, &script);
    for (int call = 0; call < 3; call++) {
        ck_assert_int_eq(backend_null.run(b.prepared, 0, 8, NULL, NULL), STATUS_OK);
        ck_assert_int_eq(backend_null.read(b.prepared, program_find(&b.toy.p, "chosen"), 0, ids, sizeof ids, NULL), STATUS_OK);
        ck_assert_int_eq(ids[0], 3 + 10 * call);
        ck_assert_int_eq(ids[1], 3 + 10 * call + 1);
    }
    end(&b);
    begin(&b, NULL); /* none: within the vocabulary whatever the call */
    for (int call = 0; call < 40; call++) {
        ck_assert_int_eq(backend_null.run(b.prepared, 7, 1, NULL, NULL), STATUS_OK);
        ck_assert_int_eq(backend_null.read(b.prepared, program_find(&b.toy.p, "chosen"), 0, ids, sizeof ids, NULL), STATUS_OK);
        ck_assert_int_eq(ids[1], (call + 1) % TOY_VOCABULARY);
    }
    end(&b);
}
END_TEST

START_TEST(bytes_move) {
    struct bench b;
    struct error e = {0};
    struct prepared *second;
    int32_t ids[] = {5, 6, 7}, back[3] = {0};
    float x[4] = {1, 2, 3, 4}, y[4] = {0};
    begin(&b, NULL);
    int cache = program_find(&b.toy.p, "cache"), in = program_find(&b.toy.p, "ids"), logits = program_find(&b.toy.p, "logits");
    ck_assert_int_eq(backend_null.write(b.prepared, in, 4, ids, sizeof ids, &e), STATUS_OK);
    ck_assert_int_eq(backend_null.read(b.prepared, in, 8, back, 8, &e), STATUS_OK);
    ck_assert(back[0] == 6 && back[1] == 7);
    ck_assert_int_eq(backend_null.read(b.prepared, cache, 0, y, sizeof y, &e), STATUS_OK); /* never written */
    ck_assert_float_eq(y[3], 0);
    ck_assert_int_eq(backend_null.write(b.prepared, cache, 0, x, sizeof x, &e), STATUS_OK);
    ck_assert_int_eq(backend_null.prepare(b.device, &b.toy.p, NULL, &second, &e), STATUS_OK); /* a state is shared by name */
    ck_assert_int_eq(backend_null.read(second, cache, 0, y, sizeof y, &e), STATUS_OK);
    ck_assert_float_eq(y[3], 4);
    backend_null.release(second);
    ck_assert_int_eq(backend_null.read(b.prepared, logits, TOY_ROWS * TOY_VOCABULARY * 4 - 8, y, 16, &e), STATUS_INTERNAL);
    e = (struct error){0};
    ck_assert_int_eq(backend_null.write(b.prepared, program_find(&b.toy.p, "layer0.up"), 0, x, 4, &e), STATUS_INTERNAL);
    ck_assert_msg(strstr(e.text, "'layer0.up'") != NULL, "%s", e.text);
    ck_assert_int_eq(backend_null.bind(b.prepared, (int64_t[]){TOY_ROWS + 1, 1, 1}, &e), STATUS_INTERNAL);
    end(&b);
}
END_TEST

static int refuse_silu(void *self, const struct op *op) {
    (void)self;
    return op->kind == OP_SILU;
}

START_TEST(a_refusal_is_the_scripts) {
    struct null_script script = {.refuses = refuse_silu};
    struct bench b;
    begin(&b, &script);
    for (size_t i = 0; i < b.toy.p.n_ops; i++) {
        struct error e = {0};
        int is_silu = b.toy.p.ops[i].kind == OP_SILU;
        ck_assert_int_eq(backend_null.supports(b.device, &b.toy.p, &b.toy.p.ops[i], &e), is_silu ? STATUS_UNSUPPORTED : STATUS_OK);
    }
    end(&b);
}
END_TEST

/* ---- memory by size ---- */

static size_t claimed(const struct memory_use *m) { return m->weight_bytes + m->state_bytes + m->activation_bytes; }

START_TEST(memory_is_claimed_by_size) {
    struct bench b;
    struct memory_use use, again;
    struct prepared *second;
    struct error e = {0};
    size_t offsets[64];
    begin(&b, NULL);
    backend_null.memory(b.device, &use);
    /* table and head (11, 8), up (8, 8), two norms of 8; one cache row of 4 */
    ck_assert_uint_eq(use.weight_bytes, 4 * (2 * 11 * 8 + 8 * 8 + 2 * 8));
    ck_assert_uint_eq(use.state_bytes, 4 * 4);
    ck_assert_uint_eq(use.activation_bytes, program_plan(&b.toy.p, offsets));
    ck_assert_int_eq(backend_null.prepare(b.device, &b.toy.p, NULL, &second, &e), STATUS_OK);
    backend_null.memory(b.device, &again); /* weights and states once, one block for all programs */
    ck_assert_uint_eq(claimed(&use), claimed(&again));
    backend_null.release(second);
    end(&b);
}
END_TEST

START_TEST(too_little_memory_is_refused_before_anything_is_made) {
    struct toy_program t;
    struct clock clock = {.is_fake = 1};
    struct null_script script = {.memory_bytes = 1000};
    struct device *d;
    struct prepared *q;
    struct error e = {0};
    struct memory_use use;
    build(&t);
    ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = &clock, .script = &script}, &d, &e), STATUS_OK);
    ck_assert_int_eq(backend_null.prepare(d, &t.p, NULL, &q, &e), STATUS_NO_MEMORY);
    ck_assert_msg(strstr(e.text, "needs ") && strstr(e.text, "the device has 1000"), "%s", e.text);
    backend_null.memory(d, &use);
    ck_assert_uint_eq(claimed(&use), 0);
    script.memory_bytes = 1 << 20;
    ck_assert_int_eq(backend_null.prepare(d, &t.p, NULL, &q, &e), STATUS_OK);
    backend_null.release(q);
    /* a model that no machine holds is prepared all the same where nothing limits it */
    script.memory_bytes = 0;
    t.p.symbol_max[SYMBOL_B] = t.p.symbol_max[SYMBOL_S] = 1 << 20;
    t.p.tensors[program_find(&t.p, "cache")].name = "another cache";
    ck_assert_int_eq(backend_null.prepare(d, &t.p, NULL, &q, &e), STATUS_OK);
    backend_null.memory(d, &use);
    ck_assert_uint_gt(use.state_bytes, (size_t)1 << 43);
    backend_null.release(q);
    backend_null.close(d);
    toy_end(&t);
}
END_TEST

START_TEST(a_group_arrives_at_a_gigabyte_a_second) {
    struct bench b;
    struct prepared *second;
    struct error e = {0};
    begin(&b, NULL);
    struct program grouped;
    program_copy(&b.toy.p, &grouped);
    grouped.tensors[program_find(&grouped, "layer0.up.weight")].recipe =
        recipe_in_group(&b.toy.a, recipe_encode(&b.toy.a, recipe_leaf(&b.toy.a, "other", 1000, 996), &encoding_int8_row), 7);
    ck_assert_int_eq(backend_null.prepare(b.device, &grouped, NULL, &second, &e), STATUS_OK);
    ck_assert_int_eq(backend_null.load_group(b.device, 7, &b.tracer, 3, &e), STATUS_OK);
    ck_assert_uint_eq(b.clock.fake_ns, 777 + 1000 * (996 + 4)); /* a ns a byte */
    const struct span *s = &b.tracer.lanes[0][0].spans[0];
    ck_assert(s->kind == SPAN_WAIT && s->subject == 7 && s->op == 3 && s->launches == 0 && s->end_ns - s->start_ns == 1000000);
    backend_null.drop_group(b.device, 7);
    backend_null.release(second);
    program_free(&grouped);
    end(&b);
}
END_TEST

START_TEST(nothing_is_allocated_while_running) {
    struct bench b;
    struct captured *captured;
    begin(&b, NULL);
    ck_assert_int_eq(backend_null.capture(b.prepared, 0, 8, &b.tracer, &captured, NULL), STATUS_OK);
    uint64_t before = mem_allocations();
    ck_assert_int_eq(backend_null.run(b.prepared, 0, 8, &b.tracer, NULL), STATUS_OK);
    ck_assert_int_eq(backend_null.replay(b.prepared, captured, &b.tracer, NULL), STATUS_OK);
    ck_assert_uint_eq(mem_allocations(), before);
    backend_null.drop(b.prepared, captured);
    end(&b);
}
END_TEST

START_TEST(a_full_lane_counts_what_it_drops) {
    struct bench b;
    begin(&b, NULL);
    for (int i = 0; i < 20; i++) ck_assert_int_eq(backend_null.run(b.prepared, 0, 8, &b.tracer, NULL), STATUS_OK);
    ck_assert_uint_eq(b.tracer.lanes[0][0].count, 100);
    ck_assert_uint_eq(b.tracer.lanes[0][0].dropped, 60);
    tracer_clear(&b.tracer);
    ck_assert_uint_eq(b.tracer.lanes[0][0].count + b.tracer.lanes[0][0].dropped, 0);
    end(&b);
}
END_TEST

TEST_MAIN("null", it_needs_an_injected_clock, eager_costs_are_exact, a_replay_has_the_same_sums_and_one_launch,
          costs_without_a_script_follow_the_work, choices_come_from_the_script, bytes_move, a_refusal_is_the_scripts, memory_is_claimed_by_size,
          too_little_memory_is_refused_before_anything_is_made, a_group_arrives_at_a_gigabyte_a_second, nothing_is_allocated_while_running,
          a_full_lane_counts_what_it_drops)
