/* The ledger adds up, on known times: one lane, and a team of two with imbalance, serial work and dispatch. */
#include "check_main.h"
#include "harness/measure/ledger.h"
#include "toy_model.h"

struct world {
    struct toy toy;
    struct clock clock;
    struct device *device;
    struct session session;
    struct tracer tracer;
    int program, linear, norm;   /* executor's program; an op of each category */
};

static int find_op(const struct program *p, enum op_kind kind) {
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].kind == kind) return (int)i;
    return -1;
}

static void world_open(struct world *w, int lanes) {
    struct error e = {0};
    *w = (struct world){.clock = {.is_fake = 1}};
    toy_open(&w->toy, 1, 4, 2);
    ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = &w->clock}, &w->device, &e), STATUS_OK);
    ck_assert_int_eq(session_open(&w->session, &w->toy.pipeline, &w->device, 1, 1u << ROLE_DECODE, (struct launch_capacity){8, 1}, &w->clock, &e), STATUS_OK);
    tracer_init(&w->tracer, &w->clock, 1, &lanes, 100);
    const struct program *p = &w->toy.pipeline.programs[w->toy.pipeline.role[ROLE_DECODE]];
    w->linear = find_op(p, OP_LINEAR);
    w->norm = find_op(p, OP_RMSNORM);
}

static void world_close(struct world *w) {
    session_close(&w->session);
    backend_null.close(w->device);
    tracer_free(&w->tracer);
    toy_close(&w->toy);
}

static void span(struct world *w, int lane, enum span_kind kind, int op, uint64_t start, uint64_t end, uint64_t released, int is_serial) {
    *tracer_next(&w->tracer, 0, lane) = (struct span){.start_ns = start, .end_ns = end, .released_ns = released, .op = op, .subject = -1,
        .stage = 3, .program = (int16_t)(kind == SPAN_RUN ? 0 : -1), .kind = (uint8_t)kind, .is_serial = (uint8_t)is_serial, .launches = 1};
}

static double line(const struct ledger *l, int category) { return l->units[0].cells[3][category].ns; }

START_TEST(a_sleep_of_23_ms_reads_23_ms) {
    struct world w;
    struct ledger l;
    world_open(&w, 1);
    w.tracer.start_ns = 1000;
    span(&w, 0, SPAN_RUN, w.linear, 1000, 23001000, 23001000, 0);
    w.tracer.end_ns = 23001000;
    ledger_close(&w.tracer, &w.session, NULL, &l);
    ck_assert_double_eq(line(&l, CATEGORY_LINEAR), 23e6);
    ck_assert_double_eq(l.units[0].wall_ns, 23e6);
    ck_assert_double_eq(l.units[0].residual_ns, 0);
    ledger_free(&l);
    world_close(&w);
}
END_TEST

START_TEST(a_team_of_two_is_split_into_its_pieces) {
    struct world w;
    struct ledger l;
    world_open(&w, 2);
    w.tracer.start_ns = 0;
    span(&w, 0, SPAN_HOST, -1, 0, 100, 100, 1);                  /* host on member 0; member 1 waits: serial */
    span(&w, 0, SPAN_RUN, w.linear, 100, 400, 410, 0);           /* 300 of work, 10 waiting */
    span(&w, 1, SPAN_RUN, w.linear, 100, 300, 410, 0);           /* 200 of work, 110 waiting: imbalance */
    span(&w, 0, SPAN_RUN, w.norm, 420, 520, 520, 1);             /* dispatch 10; one works alone */
    span(&w, 1, SPAN_RUN, w.norm, 420, 420, 520, 1);
    w.tracer.end_ns = 550;                                       /* 30 that no record explains */
    ledger_close(&w.tracer, &w.session, NULL, &l);
    ck_assert_double_eq(line(&l, CATEGORY_HOST), 50);
    ck_assert_double_eq(line(&l, CATEGORY_LINEAR), (300 + 200) / 2.0);
    ck_assert_double_eq(line(&l, CATEGORY_NORM_ELEMENTWISE), 50);
    ck_assert_double_eq(line(&l, CATEGORY_COUNT + IDLE_IMBALANCE), (10 + 110) / 2.0);
    ck_assert_double_eq(line(&l, CATEGORY_COUNT + IDLE_SERIAL), (100 + 100) / 2.0);
    ck_assert_double_eq(line(&l, CATEGORY_COUNT + IDLE_DISPATCH), 10);
    ck_assert_double_eq(l.units[0].residual_ns, 30);
    ledger_free(&l);
    world_close(&w);
}
END_TEST

START_TEST(dropped_spans_are_counted) {
    struct world w;
    struct ledger l;
    struct arena a = {0};
    struct executed x;
    world_open(&w, 1);
    for (int i = 0; i < 100; i++) span(&w, 0, SPAN_RUN, w.norm, (uint64_t)i, (uint64_t)i + 1, (uint64_t)i + 1, 0);
    ck_assert_ptr_null(tracer_next(&w.tracer, 0, 0));
    w.tracer.end_ns = 100;
    ledger_close(&w.tracer, &w.session, NULL, &l);
    ledger_executed(&l, &a, &x);
    ck_assert_uint_eq(l.dropped, 1);
    ck_assert_int_eq(x.is_complete, 0);
    arena_free(&a);
    ledger_free(&l);
    world_close(&w);
}
END_TEST

TEST_MAIN("ledger", a_sleep_of_23_ms_reads_23_ms, a_team_of_two_is_split_into_its_pieces, dropped_spans_are_counted)
