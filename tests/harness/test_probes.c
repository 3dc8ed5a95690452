/* The seams, probed on the null backend: each probe is a few lines where the seam is right.
 *   a draft-and-verify generator over sliced layers, a two-request multiplexer, an int8 leaf under a fused QKV,
 *   two devices with a copy, a weight group that lives in a file, a captured replay. */
#include <string.h>

#include "check_main.h"
#include "harness/measure/ledger.h"
#include "optimizers/optimizer.h"
#include "toy_model.h"

/* ---- a run on the null backend: costs and choices from the script ---- */

struct probe {
    struct clock clock;
    struct device *devices[2];
    struct session session;
    struct tracer tracer;
};

static uint64_t flat_cost(void *self, const struct program *p, const struct op *op, const struct work *w) {
    (void)self, (void)p, (void)op, (void)w;
    return 10000;
}

static int32_t count_up(void *self, const struct op *op, int64_t call, int64_t i) {
    (void)self, (void)op;
    return (int32_t)((call * 4 + i) % 32);
}

static const struct null_script counting = {.cost_ns = flat_cost, .choice = count_up};

static void probe_open(struct probe *r, const struct pipeline *p, int n_devices, unsigned roles, const struct null_script *script) {
    struct error e = {0};
    int lanes[] = {1, 1};
    *r = (struct probe){.clock = {.is_fake = 1}};
    for (int d = 0; d < n_devices; d++) {
        struct device_options o = {.clock = &r->clock, .script = script, .unit = d};
        ck_assert_int_eq(backend_null.open(&o, &r->devices[d], &e), STATUS_OK);
    }
    enum status s = session_open(&r->session, p, r->devices, n_devices, roles, (struct launch_capacity){64, 8}, &r->clock, &e);
    ck_assert_msg(s == STATUS_OK, "%s", e.text);
    tracer_init(&r->tracer, &r->clock, n_devices, lanes, 20000);
}

static void probe_run(struct probe *r, struct job *job) {
    struct error e = {0};
    tracer_clear(&r->tracer);
    enum status s = session_run(&r->session, job, &r->tracer, &e);
    ck_assert_msg(s == STATUS_OK, "%s", e.text);
}

static void probe_close(struct probe *r) {
    session_close(&r->session);
    for (int d = 0; d < 2; d++)
        if (r->devices[d]) backend_null.close(r->devices[d]);
    tracer_free(&r->tracer);
}

static void assert_conserves(const struct probe *r) {
    struct ledger l;
    ledger_close(&r->tracer, &r->session, NULL, &l);
    for (int u = 0; u < 1; u++) {
        double sum = l.units[u].residual_ns;
        for (int s = 0; s < PIPELINE_MAX_STAGES; s++)
            for (int k = 0; k < LEDGER_CATEGORIES; k++) sum += l.units[u].cells[s][k].ns;
        ck_assert_double_eq_tol(sum, l.units[u].wall_ns, 1e-6);
    }
    ledger_free(&l);
}

static int count_spans(const struct probe *r, int unit, enum span_kind kind) {
    int n = 0;
    for (size_t i = 0; i < r->tracer.lanes[unit][0].count; i++) n += r->tracer.lanes[unit][0].spans[i].kind == kind;
    return n;
}

/* ---- draft and verify over sliced layers ---- */

/* What the draft left at the exit goes into the layers above it. */
static enum status pass_exit(struct generation *g, struct error *e) {
    const struct pipeline *p = g->pipeline;
    int draft = p->role[ROLE_DRAFT], verify = p->role[ROLE_VERIFY];
    float exit_row[16];
    enum status s = executor_read(g->executor, g->io[draft].executor_program, program_find(&p->programs[draft], "layer0.out"), 0, exit_row, sizeof exit_row, e);
    if (s != STATUS_OK) return s;
    return executor_write(g->executor, g->io[verify].executor_program, program_find(&p->programs[verify], "layer0.out"), 0, exit_row, sizeof exit_row, e);
}

/* Drafts one token with the first layer, verifies with the second: the programs are the pipeline's own, sliced. */
static enum status draft_and_verify(struct generation *g, struct error *e) {
    const struct pipeline *p = g->pipeline;
    p->batcher->prefill(g->job, g->launch);
    enum status s = generation_launch(g, p->role[ROLE_PREFILL], pipeline_stage(p, "prefill"), 0, e);
    p->batcher->accept(p, g->job, g->launch, clock_now_ns(g->clock));
    for (int step = 1; s == STATUS_OK; step++) {
        p->batcher->decode(g->job, g->launch);
        if (g->launch->n_slots == 0) return STATUS_OK;
        s = generation_launch(g, p->role[ROLE_DRAFT], pipeline_stage(p, "draft"), step, e);
        if (s == STATUS_OK) s = pass_exit(g, e);
        if (s == STATUS_OK) s = generation_launch(g, p->role[ROLE_VERIFY], pipeline_stage(p, "verify"), step, e);
        p->batcher->accept(p, g->job, g->launch, clock_now_ns(g->clock));
    }
    return s;
}
static const struct generator generator_draft_and_verify = {"draft-and-verify", draft_and_verify};

static void add_slice(struct pipeline *p, enum role role, const char *name, int with_embed, int first, int last) {
    struct error e = {0};
    int index = p->n_programs++;
    enum status s = program_slice(&p->programs[p->role[ROLE_DECODE]], name, with_embed, first, last, 1, &p->programs[index], &e);
    ck_assert_msg(s == STATUS_OK, "%s", e.text);
    p->role[role] = index;
    p->stages[p->n_stages++] = (struct stage){.name = name, .kind = STAGE_INNER, .program = index};
}

START_TEST(draft_and_verify_over_slices) {
    struct toy t;
    struct probe r;
    toy_open(&t, 1, 4, 3);
    add_slice(&t.pipeline, ROLE_DRAFT, "draft", 1, 0, 1);
    add_slice(&t.pipeline, ROLE_VERIFY, "verify", 0, 1, 2);
    t.pipeline.generator = &generator_draft_and_verify;
    const struct program *draft = &t.pipeline.programs[t.pipeline.role[ROLE_DRAFT]], *verify = &t.pipeline.programs[t.pipeline.role[ROLE_VERIFY]];
    const struct program *decode = &t.pipeline.programs[t.pipeline.role[ROLE_DECODE]];
    ck_assert_uint_eq(draft->n_ops + verify->n_ops, decode->n_ops + 4); /* gather, norm, head and choice stand in both */
    ck_assert_int_eq(draft->tensors[program_find(draft, "layer0.out")].storage, STORAGE_OUTPUT);
    ck_assert_int_eq(verify->tensors[program_find(verify, "layer0.out")].storage, STORAGE_INPUT);
    probe_open(&r, &t.pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DRAFT | 1u << ROLE_VERIFY, &counting);
    probe_run(&r, &t.job);
    ck_assert_int_eq(t.requests[0].n_output, 3);
    ck_assert_int_eq(t.outputs[0][1], 2 * 4 % 32); /* the third choice made: prefill, draft, verify */
    assert_conserves(&r);
    probe_close(&r);
    toy_close(&t);
}
END_TEST

/* ---- two requests in one row ---- */

static void mux_fill(const struct job *job, struct launch *l, int is_prefill) {
    struct job half = {.requests = job->requests, .n_requests = job->n_requests / 2};
    (is_prefill ? batcher_pack.prefill : batcher_pack.decode)(&half, l);
    for (int64_t i = 0; i < l->symbols[SYMBOL_R]; i++) { /* the partner's token rides in the second lane */
        const struct request *partner = &job->requests[half.n_requests + l->rows[i]];
        l->ids[1][i] = is_prefill ? partner->prompt[l->pos[i]] : partner->output[partner->n_output - 1];
    }
    for (int i = 0; i < l->n_slots; i++) l->request_of[l->n_slots + i] = half.n_requests + l->request_of[i];
}
static void mux_prefill(const struct job *job, struct launch *l) { mux_fill(job, l, 1); }
static void mux_decode(const struct job *job, struct launch *l) { mux_fill(job, l, 0); }
static void mux_accept(const struct pipeline *p, struct job *job, const struct launch *l, uint64_t now_ns) {
    struct launch both = *l;
    both.n_slots = 2 * l->n_slots;
    batcher_pack.accept(p, job, &both, now_ns);
}
static const struct batcher batcher_mux = {"multiplex", 2, mux_prefill, mux_decode, mux_accept};

/* A choice for each lane: the second sample op stands for the demultiplexer's second output. */
static void demultiplex(struct program *p) {
    int chosen = program_find(p, "chosen");
    p->tensors[chosen].n_dims = 2;
    p->tensors[chosen].dims[1] = dim_of(2);
}

START_TEST(two_requests_in_a_row) {
    struct toy t;
    struct probe r;
    toy_open(&t, 4, 4, 2);
    const struct dim rows[] = {dim_symbol(SYMBOL_R)};
    for (int i = 0; i < t.pipeline.n_programs; i++) program_input(&t.pipeline.programs[i], "ids1", DTYPE_I32, 1, rows);
    t.pipeline.batcher = &batcher_mux;
    probe_open(&r, &t.pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, &counting);
    for (int i = 0; i < t.pipeline.n_programs; i++) demultiplex(&t.pipeline.programs[i]);
    probe_run(&r, &t.job);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(t.requests[i].n_output, 2);
    ck_assert_int_eq(t.outputs[2][0], 2); /* slot 0's second lane: element 2 of the first choice */
    ck_assert_int_eq(t.outputs[1][1], 4 + 1);
    probe_close(&r);
    toy_close(&t);
}
END_TEST

/* ---- an int8 leaf under a fused QKV ---- */

START_TEST(int8_leaf_under_fused_qkv) {
    struct toy t;
    struct probe r;
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use use;
    struct rewrite rewrite;
    toy_open(&t, 1, 4, 2);
    for (int i = 0; i < t.pipeline.n_programs; i++) { /* what a weight optimizer does to one leaf */
        struct program *p = &t.pipeline.programs[i];
        for (size_t k = 0; k < p->n_ops; k++)
            if (p->ops[k].kind == OP_LINEAR && p->ops[k].n_out && strcmp(p->tensors[p->ops[k].out[0]].name, "layer0.k_proj") == 0) {
                struct tensor *w = &p->tensors[p->ops[k].in[1]];
                w->recipe = recipe_encode(&t.pipeline.arena, w->recipe, &encoding_int8_row);
            }
    }
    ck_assert_int_eq(optimizer_parse("fusion=patterns=qkv", &a, &use, &e), STATUS_OK);
    ck_assert_int_eq(optimizers_apply(&t.pipeline, &use, 1, NULL, &rewrite, &e), STATUS_OK);
    ck_assert_int_eq(rewrite.replaced, 4); /* two layers in two programs */
    const struct program *p = &t.pipeline.programs[t.pipeline.role[ROLE_DECODE]];
    int q = program_find(p, "layer0.q_proj"), producer = program_producer(p, q);
    const struct op *op = &p->ops[producer];
    ck_assert_int_eq(op->n_out, 3);
    struct recipe_segment segments[RECIPE_MAX_SEGMENTS];
    ck_assert_int_eq(recipe_segments(p->tensors[op->in[1]].recipe, t.pipeline.weights, segments, &e), 3);
    ck_assert_ptr_null(segments[0].encoding);
    ck_assert_ptr_eq(segments[1].encoding, &encoding_int8_row);
    probe_open(&r, &t.pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, &counting);
    probe_run(&r, &t.job);
    probe_close(&r);
    toy_close(&t);
    arena_free(&a);
}
END_TEST

/* ---- two devices with a copy on the cut ---- */

static void place_second_layer(struct program *p) {
    int cut = program_find(p, "layer0.out"), after = program_producer(p, cut) + 1;
    LIST_GROW(p->tensors, p->n_tensors, p->tensor_capacity);
    int moved = (int)p->n_tensors++;
    p->tensors[moved] = p->tensors[cut];
    p->tensors[moved].name = "layer0.out.moved";
    LIST_GROW(p->ops, p->n_ops, p->op_capacity);
    memmove(p->ops + after + 1, p->ops + after, (p->n_ops - (size_t)after) * sizeof *p->ops);
    p->ops[after] = (struct op){.kind = OP_COPY, .n_in = 1, .n_out = 1, .in = {cut}, .out = {moved}, .i = {1}, .category = CATEGORY_COPY};
    p->n_ops++;
    for (size_t i = (size_t)after + 1; i < p->n_ops; i++) {
        p->ops[i].device = 1;
        for (int k = 0; k < p->ops[i].n_in; k++)
            if (p->ops[i].in[k] == cut) p->ops[i].in[k] = moved;
    }
}

START_TEST(two_devices_with_a_copy) {
    struct toy t;
    struct probe r;
    toy_open(&t, 2, 4, 3);
    for (int i = 0; i < t.pipeline.n_programs; i++) place_second_layer(&t.pipeline.programs[i]);
    probe_open(&r, &t.pipeline, 2, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, &counting);
    probe_run(&r, &t.job);
    ck_assert_int_eq(t.requests[1].n_output, 3);
    ck_assert_int_eq(count_spans(&r, 0, SPAN_COPY), 3); /* one a launch */
    ck_assert_int_gt(count_spans(&r, 1, SPAN_RUN), 0);
    assert_conserves(&r);
    probe_close(&r);
    toy_close(&t);
}
END_TEST

/* ---- a weight group that lives in a file ---- */

START_TEST(weight_groups_come_and_go) {
    struct toy t;
    struct probe r;
    toy_open(&t, 1, 4, 3);
    for (int i = 0; i < t.pipeline.n_programs; i++) {
        struct program *p = &t.pipeline.programs[i];
        for (size_t k = 0; k < p->n_ops; k++)
            if (p->ops[k].n_out && strstr(p->tensors[p->ops[k].out[0]].name, ".mlp_out")) {
                struct tensor *w = &p->tensors[p->ops[k].in[1]];
                w->recipe = recipe_in_group(&t.pipeline.arena, w->recipe, p->ops[k].place.layer);
            }
    }
    t.pipeline.execution.residency.capacity_groups = 1;
    probe_open(&r, &t.pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, &counting);
    probe_run(&r, &t.job);
    ck_assert_int_eq(count_spans(&r, 0, SPAN_WAIT), 2 * 3); /* room for one of two: each launch loads both */
    struct ledger l;
    ledger_close(&r.tracer, &r.session, NULL, &l);
    int decode = pipeline_stage(&t.pipeline, "decode");
    /* "how long did layer 1's group keep its operation waiting": 16 × 24 f32 at 1 GB/s, twice each in two steps */
    ck_assert_double_eq(l.units[0].cells[decode][CATEGORY_COUNT + IDLE_RESIDENCY].ns, 4 * 16 * 24 * 4);
    ledger_free(&l);
    assert_conserves(&r);
    probe_close(&r);
    toy_close(&t);
}
END_TEST

/* ---- a captured replay ---- */

static void run_executed(int is_captured, int64_t *launches, double *busy_ns, uint64_t *wall_ns) {
    struct toy t;
    struct probe r;
    struct ledger l;
    toy_open(&t, 1, 4, 3);
    t.pipeline.execution.is_captured = is_captured;
    probe_open(&r, &t.pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, &counting);
    probe_run(&r, &t.job);
    ledger_close(&r.tracer, &r.session, NULL, &l);
    *launches = l.launches;
    *busy_ns = 0;
    for (int i = 0; i < l.n_ops; i++) *busy_ns += l.ops[i].ns;
    *wall_ns = (uint64_t)l.units[0].wall_ns;
    ledger_free(&l);
    assert_conserves(&r);
    probe_close(&r);
    toy_close(&t);
}

START_TEST(captured_replay_agrees_with_eager) {
    int64_t eager_launches, captured_launches;
    double eager_busy, captured_busy;
    uint64_t eager_wall, captured_wall;
    run_executed(0, &eager_launches, &eager_busy, &eager_wall);
    run_executed(1, &captured_launches, &captured_busy, &captured_wall);
    ck_assert_double_eq(eager_busy, captured_busy); /* the same operations, the same sums */
    ck_assert_int_eq(captured_launches, 3);         /* one a step, the choice in it */
    ck_assert_int_gt(eager_launches, 100);
    ck_assert_uint_lt(captured_wall, eager_wall);
}
END_TEST

/* ---- receipts ---- */

static int refuse_attention(void *self, const struct op *op) {
    (void)self;
    return op->kind == OP_ATTENTION;
}

static enum status supports(void *self, const struct program *p, const struct op *op, struct error *e) {
    return backend_null.supports(self, p, op, e);
}

static enum receipt_kind receipt_of(const char *text, struct toy *t, const struct null_script *script, char evidence[512]) {
    struct probe r;
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use use;
    struct rewrite rewrite;
    struct device *asked;
    struct clock clock = {.is_fake = 1};
    backend_null.open(&(struct device_options){.clock = &clock, .script = script}, &asked, &e);
    ck_assert_int_eq(optimizer_parse(text, &a, &use, &e), STATUS_OK);
    ck_assert_int_eq(optimizers_apply(&t->pipeline, &use, 1, &(struct rewrite_context){.supports = supports, .self = asked}, &rewrite, &e), STATUS_OK);
    backend_null.close(asked);
    probe_open(&r, &t->pipeline, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, script);
    probe_run(&r, &t->job);
    struct ledger l;
    struct executed x;
    struct receipt receipt;
    ledger_close(&r.tracer, &r.session, NULL, &l);
    ledger_executed(&l, &a, &x);
    use.optimizer->receipt(&use.settings, &rewrite, &x, &receipt);
    memcpy(evidence, receipt.evidence, sizeof receipt.evidence);
    ledger_free(&l);
    probe_close(&r);
    arena_free(&a);
    return receipt.kind;
}

START_TEST(receipts_tell_what_ran) {
    static const struct null_script refusing = {.cost_ns = flat_cost, .choice = count_up, .refuses = refuse_attention};
    char evidence[512];
    struct toy t;
    toy_open(&t, 1, 4, 3);
    ck_assert_int_eq(receipt_of("attention", &t, &counting, evidence), RECEIPT_IS_ENGAGED);
    ck_assert_str_eq(evidence, "6 executions of fused attention at 4 places (4 rewritten)");
    ck_assert_int_eq(receipt_of("attention", &t, &counting, evidence), RECEIPT_IS_NO_OP); /* nothing is left to match */
    toy_close(&t);
    toy_open(&t, 1, 4, 3);
    ck_assert_int_eq(receipt_of("attention", &t, &refusing, evidence), RECEIPT_IS_FALLBACK);
    ck_assert_ptr_nonnull(strstr(evidence, "refuses attention"));
    toy_close(&t);
}
END_TEST

TEST_MAIN("probes", draft_and_verify_over_slices, two_requests_in_a_row, int8_leaf_under_fused_qkv, two_devices_with_a_copy,
          weight_groups_come_and_go, captured_replay_agrees_with_eager, receipts_tell_what_ran)
