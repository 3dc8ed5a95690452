/* Documents of a made-up store, exactly: medians, intervals, ledger, effects, verdicts, and what is refused. */
#include "check_main.h"

#include "fixture.h"
#include "results/document/document.h"

static char *path;
static struct store *store;

static void setup(void) {
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
    fixture_fill(store);
}

static void teardown(void) {
    store_close(store);
    fixture_remove(path);
}

/* A value by a path such as "metrics.e2e_ns.median" or "lines.0.ns". */
static json_t *at(json_t *d, const char *where) {
    char *copy = mem_copy_string(where);
    for (char *name = strtok(copy, "."); name && d; name = strtok(NULL, "."))
        d = json_is_array(d) ? json_array_get(d, (size_t)atoi(name)) : json_object_get(d, name);
    mem_free(copy);
    return d;
}

static void expect_number(json_t *d, const char *where, double value) {
    json_t *x = at(d, where);
    ck_assert_msg(json_is_number(x), "%s is no number", where);
    double got = json_number_value(x);
    ck_assert_msg(fabs(got - value) <= 1e-9 * fabs(value), "%s is %.12g, not %.12g", where, got, value);
}

static void expect_json(json_t *d, const char *where, const char *json) {
    json_t *want = json_loads(json, JSON_DECODE_ANY, NULL);
    char *got = json_dumps(at(d, where), JSON_ENCODE_ANY);
    ck_assert_msg(json_equal(at(d, where), want), "%s is %s, not %s", where, got ? got : "absent", json);
    free(got);
    json_decref(want);
}

static json_t *run_document(int i) {
    json_t *d = NULL;
    struct id run = fixture_id(fixture_runs[i]);
    FIXTURE_OK(document_run(store, &run, &d, e));
    return d;
}

START_TEST(a_run) {
    setup();
    json_t *d = run_document(3);
    expect_json(d, "format", "\"assay-run\"");
    expect_json(d, "version", "1");
    expect_json(d, "id", "\"b2b2c3c3000000000000000000000003\"");
    expect_json(d, "state", "\"noisy\"");
    expect_json(d, "reason", "\"steal 3 %\"");
    expect_json(d, "spec", "{\"seed\": 7}");
    expect_json(d, "is_synthetic", "true");
    expect_json(d, "truncated_layers", "2");
    expect_json(d, "environment", "{\"governor\": \"performance\"}");
    expect_json(d, "machine", "{\"cores\": \"2\", \"cpu\": \"made up\"}");
    expect_json(d, "comparability",
                "{\"key\": \"0000000000000010\", \"facts\": {\"dtype\": \"bf16\", \"isa\": \"avx2\"}}");
    expect_json(d, "processes.1",
                "{\"block\": 1, \"order\": 3, \"pid\": 103, \"state\": \"finished\", \"start_unix_ns\": 3000,"
                "\"prepare_ns\": 11, \"load_ns\": 12, \"first_token_ns\": null}");
    expect_json(d, "receipts.1",
                "{\"optimizer\": \"fusion\", \"settings\": \"norm\", \"verdict\": \"NO-OP\", \"evidence\": null}");
    expect_json(d, "fidelity",
                "{\"class\": \"reordered\", \"error\": 1e-6, \"plain_error\": 9e-7, \"bound\": 1.8e-6, \"ok\": true,"
                "\"detail\": \"64 positions\"}");
    expect_number(d, "quality.nll.value", 5.5);
    expect_number(d, "memory.weights", 5e8);
    expect_json(d, "perturbation", "{\"ratio\": 1.01, \"low\": 1.005, \"high\": null, \"by_operation\": 1.4}");
    expect_json(d, "output.tokens", "[1, 2, 3]");
    expect_json(d, "output.text", "\"Hello | world\"");
    expect_json(d, "warnings", "[\"steal 3 %\", \"second\"]");
    json_decref(d);
    struct error e = {0};
    struct id nobody = fixture_id("ffff");
    ck_assert_int_eq(document_run(store, &nobody, &d, &e), STATUS_INPUT);
    ck_assert_ptr_null(d);
    teardown();
}
END_TEST

/* Student's t for 2 degrees of freedom at 95 % is 4.302652729911 (closed form: 2 P / sqrt(2 a (1 - a))). */
START_TEST(metrics) {
    setup();
    json_t *d = run_document(0);
    expect_number(d, "metrics.e2e_ns.median", 100e6);
    double half = 4.302652729911275 * 1e6 / sqrt(3); /* medians 99, 100 and 101 ms: deviation 1 ms */
    expect_number(d, "metrics.e2e_ns.low", 100e6 - half);
    expect_number(d, "metrics.e2e_ns.high", 100e6 + half);
    expect_json(d, "metrics.e2e_ns.interval_of", "\"processes\"");
    expect_json(d, "metrics.e2e_ns.unit", "\"ns\"");
    expect_json(d, "metrics.e2e_ns.samples", "18");
    expect_number(d, "metrics.itl_ns.median", 6e6);
    expect_json(d, "metrics.itl_ns.values", "54");
    expect_json(d, "metrics.decode_tokens_per_s.unit", "\"tokens/s\"");
    expect_number(d, "metrics.peak_bytes.median", 7e8);
    expect_json(d, "metrics.peak_bytes.low", "null");
    ck_assert_ptr_null(at(d, "metrics.unknown_ns"));
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(the_ledger_conserves) {
    setup();
    json_t *d = run_document(1);
    size_t i;
    json_t *line;
    double sum = 0, shares = 0;
    json_array_foreach(at(d, "ledger.lines"), i, line) {
        sum += json_number_value(json_object_get(line, "ns"));
        shares += json_number_value(json_object_get(line, "share"));
    }
    expect_number(d, "ledger.wall_ns", 80e6);
    ck_assert_double_eq_tol(sum, 80e6, 1e-3);
    ck_assert_double_eq_tol(shares, 1, 1e-12);
    expect_json(d, "ledger.lines.4.stage", "null");
    expect_json(d, "ledger.lines.4.category", "\"residual\"");
    expect_json(d, "ledger.lines.4.flop", "null");
    expect_number(d, "ledger.lines.0.ceiling_share", 0.5);
    expect_number(d, "operations.0.ns", 40e6);
    json_decref(d);
    teardown();
}
END_TEST

/* A run with nothing: nulls. One sample: no interval; more in one process: an interval of samples. */
START_TEST(few_samples) {
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
    fixture_begin(store);
    struct id run = fixture_id(fixture_runs[0]);
    json_t *d = run_document(0);
    expect_json(d, "metrics", "{}");
    expect_json(d, "ledger", "null");
    expect_json(d, "fidelity", "null");
    expect_json(d, "output", "null");
    expect_json(d, "receipts", "[]");
    expect_json(d, "state", "\"running\"");
    json_decref(d);
    int64_t process;
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 0}, &process, e));
    fixture_sample(store, process, 0, 0, 0);
    d = run_document(0);
    expect_json(d, "metrics.e2e_ns.low", "null");
    expect_json(d, "metrics.e2e_ns.processes", "1");
    json_decref(d);
    for (int i = 1; i < 12; i++) fixture_sample(store, process, 0, 0, i);
    d = run_document(0);
    expect_json(d, "metrics.e2e_ns.interval_of", "\"samples\"");
    double low = json_number_value(at(d, "metrics.e2e_ns.low")), high = json_number_value(at(d, "metrics.e2e_ns.high"));
    double median = json_number_value(at(d, "metrics.e2e_ns.median"));
    ck_assert(low < median && median < high && low >= 100e6 - 2500 && high <= 100e6 + 8500);
    json_decref(d);
    for (int block = 1; block < 3; block++) { /* processes so unlike that t alone would allow a negative time */
        const struct value_record wild = {"ttft_ns", 0, 1e9 * block};
        FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = block}, &process, e));
        FIXTURE_OK(store_sample(store, process, &(struct sample_record){0, PHASE_TIMED, 0, 1, &wild, 1}, e));
    }
    d = run_document(0);
    expect_json(d, "metrics.ttft_ns.interval_of", "\"processes\"");
    expect_number(d, "metrics.ttft_ns.low", 0);
    json_decref(d);
    teardown();
}
END_TEST

/* Entry of a list by metric, stage and factor. */
static json_t *entry(json_t *d, const char *list, const char *metric, const char *factor) {
    size_t i;
    json_t *x;
    json_array_foreach(json_object_get(d, list), i, x) {
        const char *name = json_string_value(json_object_get(x, "factor"));
        const char *stage = json_string_value(json_object_get(x, "stage"));
        const char *subject = stage ? stage : json_string_value(json_object_get(x, "metric"));
        if (strcmp(subject, metric) == 0 && (!factor || strcmp(name, factor) == 0)) return x;
    }
    ck_abort_msg("no %s of %s in %s", factor ? factor : "entry", metric, list);
    return NULL;
}

/* Times multiply: attention 1.25, fusion 2 in every cell, so that every way of asking gives the same, and no more. */
START_TEST(effects_of_an_experiment) {
    setup();
    json_t *d = NULL;
    struct id x = fixture_id(fixture_experiment);
    FIXTURE_OK(document_experiment(store, &x, 1, &d, e));
    expect_json(d, "factors", "[\"attention\", \"fusion=norm\"]");
    static const char *const lists[] = {"effects", "shapley", "alone", "left_out"};
    for (int i = 0; i < 4; i++) {
        expect_number(entry(d, lists[i], "e2e_ns", "attention"), "speedup", 1.25);
        expect_number(entry(d, lists[i], "e2e_ns", "fusion=norm"), "speedup", 2);
        expect_number(entry(d, lists[i], "decode", "fusion=norm"), "speedup", 2);
        expect_json(entry(d, lists[i], "e2e_ns", "attention"), "blocks", "3");
        expect_json(entry(d, lists[i], "e2e_ns", "attention"), "is_engaged", "true");
        expect_json(entry(d, lists[i], "e2e_ns", "fusion=norm"), "is_engaged", "false"); /* its receipt says NO-OP */
    }
    expect_number(entry(d, "total", "e2e_ns", NULL), "speedup", 2.5);
    expect_number(entry(d, "interactions", "e2e_ns", NULL), "speedup", 1);
    /* Rates 200 (1 + mask): effects on their reciprocals, 200 400 600 800. */
    expect_number(entry(d, "effects", "decode_tokens_per_s", "attention"), "speedup", sqrt(2 * 800.0 / 600));
    expect_number(entry(d, "interactions", "decode_tokens_per_s", NULL), "log", 0.5 * (log(800.0 / 600) - log(2)));
    expect_number(entry(d, "shapley", "decode_tokens_per_s", "fusion=norm"), "log", 0.5 * (log(3) + log(2)));
    expect_json(d, "cells.1.factors", "[\"attention\"]");
    expect_json(d, "cells.1.axes", "{\"batch\": \"8\"}");
    expect_json(d, "cells.0.versus_plain", "{}");
    expect_json(d, "cells.1.versus_plain.e2e_ns.verdict", "\"faster\"");
    expect_json(d, "cells.1.versus_plain.e2e_ns.pairing", "\"paired blocks\"");
    ck_assert_double_eq_tol(json_number_value(at(d, "cells.2.versus_plain.e2e_ns.ratio")), 0.5, 1e-9);
    expect_json(d, "cells.1.versus_plain.ttft_ns.verdict", "\"equivalent\"");
    expect_number(d, "cells.3.quality.nll.value", 5.5);
    ck_assert_uint_eq(json_array_size(at(d, "runs")), 4);
    json_decref(d);
    teardown();
}
END_TEST

/* A cell that is invalid leaves the design incomplete: contrasts without it stay, the rest is absent, not wrong. */
START_TEST(an_invalid_cell_has_no_say) {
    setup();
    json_t *d = NULL;
    struct id x = fixture_id(fixture_experiment), run = fixture_id(fixture_runs[3]);
    FIXTURE_OK(store_run_finish(store, &run, RUN_INVALID, "above the ceiling", e));
    FIXTURE_OK(document_experiment(store, &x, 0, &d, e));
    expect_json(d, "effects", "[]");
    expect_json(d, "shapley", "[]");
    expect_json(d, "total", "[]");
    expect_json(d, "left_out", "[]");
    expect_number(entry(d, "alone", "e2e_ns", "attention"), "speedup", 1.25);
    expect_json(d, "cells.3.versus_plain", "{}");
    expect_json(d, "cells.3.reason", "\"above the ceiling\"");
    ck_assert_ptr_null(at(d, "runs"));
    json_decref(d);
    struct id nobody = fixture_id("ffff");
    struct error e = {0};
    ck_assert_int_eq(document_experiment(store, &nobody, 0, &d, &e), STATUS_INPUT);
    teardown();
}
END_TEST

/* So does one past its fidelity bound, whose comparison stands apart; one outside another class is invalid by its state. */
START_TEST(a_cell_past_its_bound_has_no_say) {
    setup();
    json_t *d = NULL;
    struct id x = fixture_id(fixture_experiment);
    fixture_past_bound(store, 3);
    FIXTURE_OK(document_experiment(store, &x, 0, &d, e));
    expect_json(d, "cells.3.state", "\"noisy\"");
    expect_json(d, "cells.3.is_past_bound", "true");
    expect_json(d, "cells.1.is_past_bound", "false");
    static const char *const lists[] = {"effects", "shapley", "interactions", "total", "left_out"};
    for (int i = 0; i < 5; i++) expect_json(d, lists[i], "[]"); /* stages too */
    expect_number(entry(d, "alone", "e2e_ns", "attention"), "speedup", 1.25);
    expect_json(d, "cells.3.versus_plain", "{}");
    ck_assert_double_eq_tol(json_number_value(at(d, "cells.3.past_bound_versus_plain.e2e_ns.ratio")), 0.4, 1e-9);
    expect_json(d, "cells.1.past_bound_versus_plain", "{}");
    expect_json(d, "cells.3.quality_versus_plain.nll", "{\"a\": 2.5, \"b\": 5.5, \"delta\": 3.0, \"unit\": \"nats/token\"}");
    expect_json(d, "cells.0.quality_versus_plain", "{}");
    json_decref(d);
    struct id run = fixture_id(fixture_runs[3]);
    FIXTURE_OK(store_run_finish(store, &run, RUN_INVALID, "above the ceiling", e));
    FIXTURE_OK(document_experiment(store, &x, 0, &d, e));
    expect_json(d, "cells.3.past_bound_versus_plain", "{}"); /* its numbers are wrong as well */
    json_decref(d);
    teardown();
}
END_TEST

static json_t *compare(const char *a, const char *b, const struct compare_options *o, enum verdict_kind *kind) {
    json_t *d = NULL;
    struct id x = fixture_id(a), y = fixture_id(b);
    FIXTURE_OK(document_compare(store, &x, &y, o, kind, &d, e));
    return d;
}

static const char *refused(const char *a, const char *b, const struct compare_options *o) {
    static struct error e;
    e = (struct error){0};
    json_t *d;
    enum verdict_kind kind;
    struct id x = fixture_id(a), y = fixture_id(b);
    ck_assert_int_eq(document_compare(store, &x, &y, o, &kind, &d, &e), STATUS_INPUT);
    ck_assert_ptr_null(d);
    return e.text;
}

START_TEST(comparing_cells) {
    setup();
    enum verdict_kind kind;
    json_t *d = compare(fixture_runs[1], fixture_runs[0], &(struct compare_options){0}, &kind);
    ck_assert_int_eq(kind, VERDICT_SLOWER);
    expect_json(d, "verdict", "\"slower\"");
    expect_json(d, "metric", "\"e2e_ns\"");
    expect_json(d, "a.id", "\"a1a1a1a1000000000000000000000001\"");
    ck_assert_double_eq_tol(json_number_value(at(d, "ratio")), 1.25, 1e-9);
    ck_assert(json_number_value(at(d, "low")) < 1.25 && json_number_value(at(d, "high")) > 1.25);
    expect_json(d, "pairing", "\"paired blocks\"");
    expect_number(d, "a_median", 80e6);
    expect_number(d, "quality.nll.delta", -1);
    expect_json(d, "metrics.ttft_ns.verdict", "\"equivalent\"");
    expect_json(d, "metrics.decode_tokens_per_s.verdict", "\"slower\""); /* half the rate */
    ck_assert_ptr_null(at(d, "metrics.unknown_ns"));
    json_decref(d);
    d = compare(fixture_runs[0], fixture_runs[1], &(struct compare_options){.metric = "ttft_ns"}, &kind);
    ck_assert_int_eq(kind, VERDICT_EQUIVALENT);
    json_decref(d);
    d = compare(fixture_runs[0], fixture_runs[1], &(struct compare_options){.metric = "decode_tokens_per_s"}, &kind);
    ck_assert_int_eq(kind, VERDICT_FASTER);
    json_decref(d);
    ck_assert(strstr(refused(fixture_runs[0], fixture_runs[0], &(struct compare_options){0}), "itself"));
    ck_assert(
        strstr(refused(fixture_runs[0], fixture_runs[1], &(struct compare_options){.metric = "nothing"}), "'nothing'"));
    struct id run = fixture_id(fixture_runs[1]);
    FIXTURE_OK(store_run_finish(store, &run, RUN_INVALID, "above the ceiling", e));
    d = compare(fixture_runs[0], fixture_runs[1], &(struct compare_options){0}, &kind);
    ck_assert_int_eq(kind, VERDICT_INCONCLUSIVE);
    expect_json(d, "reason", "\"run a1a1a1a10000 is invalid: its numbers decide nothing\"");
    json_decref(d);
    fixture_past_bound(store, 2);
    d = compare(fixture_runs[0], fixture_runs[2], &(struct compare_options){0}, &kind);
    ck_assert_int_eq(kind, VERDICT_INCONCLUSIVE);
    expect_json(d, "reason", "\"run b2b2b2b20000 is past its fidelity bound: its numbers decide nothing\"");
    expect_json(d, "b.is_past_bound", "true");
    expect_json(d, "ratio", "null");
    expect_json(d, "metrics.ttft_ns.ratio", "null");
    expect_number(d, "b_median", 50e6); /* what was measured stays */
    json_decref(d);
    teardown();
}
END_TEST

static const char stranger[] = "dddddddd000000000000000000000000";

/* A run of another experiment: `n` processes that take `scale` times the plain cell's time. */
static void add_stranger(double scale, int n, uint64_t key, const char *facts) {
    struct id x = fixture_id("cccccccc000000000000000000000000"), run = fixture_id(stranger);
    const struct experiment_record r = {x, "", "llm", "single", "{}", 1, 0, NULL, n, 5};
    const struct run_record record = {.id = run,
                                      .experiment = x,
                                      .workload = "llm",
                                      .model = "tiny",
                                      .backend = "null",
                                      .dtype = "f32",
                                      .scenario = "single",
                                      .label = "plain",
                                      .spec_json = "{}",
                                      .comparability = key,
                                      .comparability_json = facts,
                                      .created_unix_ns = 1};
    FIXTURE_OK(store_experiment_begin(store, &r, e));
    FIXTURE_OK(store_cell(store, &x, &(struct cell_record){0, 0, "plain", "{}"}, e));
    FIXTURE_OK(store_run_begin(store, &record, &fixture_machine, &fixture_environment, e));
    for (int p = 0; p < n; p++) {
        int64_t process;
        FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = p}, &process, e));
        for (int i = 0; i < FIXTURE_SAMPLES; i++) {
            double wall = 100e6 * scale * fixture_drift[p % 3] + 1000 * i;
            const struct value_record value = {"e2e_ns", 0, wall};
            FIXTURE_OK(
                store_sample(store, process, &(struct sample_record){i, PHASE_TIMED, i, (int64_t)wall, &value, 1}, e));
        }
    }
    FIXTURE_OK(store_run_finish(store, &run, RUN_OK, NULL, e));
}

START_TEST(comparing_strangers) {
    setup();
    enum verdict_kind kind;
    add_stranger(1.5, 3, 16, "{\"dtype\": \"bf16\", \"isa\": \"avx2\"}");
    json_t *d = compare(fixture_runs[0], stranger, &(struct compare_options){0}, &kind);
    expect_json(d, "pairing", "\"unpaired\""); /* the spread between processes counts */
    ck_assert_int_eq(kind, VERDICT_SLOWER);
    ck_assert(json_number_value(at(d, "high")) - json_number_value(at(d, "low")) > 0.04);
    json_decref(d);
    teardown();

    setup();
    add_stranger(1.5, 1, 16, "{\"dtype\": \"bf16\", \"isa\": \"avx2\"}");
    d = compare(fixture_runs[0], stranger, &(struct compare_options){0}, &kind);
    ck_assert_int_eq(kind, VERDICT_INCONCLUSIVE); /* one process says nothing about the next */
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(what_cannot_be_compared) {
    setup();
    enum verdict_kind kind;
    add_stranger(1.5, 3, 17, "{\"dtype\": \"f32\", \"isa\": \"avx2\", \"weights\": \"other\"}");
    const char *text = refused(fixture_runs[0], stranger, &(struct compare_options){0});
    ck_assert_msg(strstr(text, "dtype (\"bf16\" against \"f32\")") &&
                      strstr(text, "weights (nothing against \"other\")"),
                  "%s", text);
    ck_assert_msg(!strstr(text, "isa") && strstr(text, "--across"), "%s", text);
    text = refused(fixture_runs[0], stranger, &(struct compare_options){.across = "dtype"});
    ck_assert_msg(strstr(text, "weights") && !strstr(text, "dtype"), "%s", text);
    json_t *d = compare(fixture_runs[0], stranger, &(struct compare_options){.across = "weights, dtype"}, &kind);
    expect_json(d, "differing.0", "{\"fact\": \"dtype\", \"a\": \"bf16\", \"b\": \"f32\", \"is_asked\": true}");
    json_decref(d);
    teardown();

    setup();
    add_stranger(1, 3, 18, "not JSON");
    text = refused(fixture_runs[0], stranger, &(struct compare_options){.across = "dtype,isa"});
    ck_assert_msg(strstr(text, "keys differ") != NULL, "%s", text);
    teardown();
}
END_TEST

/* Two processes of a block that took turns pair sample by sample. */
START_TEST(turns) {
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
    fixture_begin(store);
    for (int block = 0; block < 3; block++) {
        int64_t process[2];
        for (int i = 0; i < 2; i++) {
            struct id run = fixture_id(fixture_runs[i]);
            FIXTURE_OK(
                store_process_begin(store, &run, &(struct process_record){.block = block, .order = i}, &process[i], e));
        }
        for (int i = 0; i < 40; i++) {
            const struct value_record value = {"e2e_ns", 0, 1e6 * (1 + 0.05 * (i / 2 % 5)) * (i % 2 ? 1.1 : 1)};
            FIXTURE_OK(store_sample(store, process[i % 2],
                                    &(struct sample_record){i / 2, PHASE_TIMED, 1000 * i, 900, &value, 1}, e));
        }
    }
    enum verdict_kind kind;
    json_t *d = compare(fixture_runs[0], fixture_runs[1], &(struct compare_options){0}, &kind);
    expect_json(d, "pairing", "\"paired samples\"");
    ck_assert_int_eq(kind, VERDICT_SLOWER);
    ck_assert_double_eq_tol(json_number_value(at(d, "ratio")), 1.1, 1e-9);
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(text_that_is_not_utf8) {
    setup();
    struct id run = fixture_id(fixture_runs[0]);
    FIXTURE_OK(
        store_output(store, &run, &(struct output_record){0, "{broken", "a\xff\xe4\xb8\xad\xe4\xb8 \xed\xa0\x80z"}, e));
    json_t *d = run_document(0);
    expect_json(d, "output.text",
                "\"a\xef\xbf\xbd\xe4\xb8\xad\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
    expect_json(d, "output.tokens", "null");
    json_decref(d);
    teardown();
}
END_TEST

START_TEST(lists) {
    setup();
    json_t *d;
    FIXTURE_OK(document_run_list(store, 1, &d, e));
    expect_json(d, "format", "\"assay-runs\"");
    expect_json(d, "runs.0",
                "{\"id\": \"b2b2c3c3000000000000000000000003\", \"experiment\": \"e0e0e0e0000000000000000000000001\", "
                "\"cell\": 3,"
                "\"name\": \"made up\", \"state\": \"noisy\", \"reason\": \"steal 3 %\", \"label\": "
                "\"attention+fusion\", \"workload\": \"llm\","
                "\"model\": \"tiny\", \"backend\": \"null\", \"dtype\": \"bf16\", \"scenario\": \"single\", "
                "\"is_synthetic\": true,"
                "\"truncated_layers\": 2, \"processes\": 3, \"samples\": 18, \"created\": \"1970-01-01T00:00:00Z\"}");
    ck_assert_uint_eq(json_array_size(at(d, "runs")), 1);
    json_decref(d);
    FIXTURE_OK(document_experiment_list(store, 0, &d, e));
    expect_json(d, "experiments.0.cells", "4");
    json_decref(d);
    const struct ceiling_record item = {"read", NULL, NULL, 2, 1e6, 2e10, NAN, NAN};
    d = document_ceilings(&(struct ceiling_set){0, NAN, &item, 1});
    expect_json(d, "ceilings.0",
                "{\"kind\": \"read\", \"unit\": \"\", \"pattern\": null, \"threads\": 2, \"working_set_bytes\": 1e6,"
                "\"value\": 2e10, \"low\": null, \"high\": null}");
    expect_json(d, "noise", "null");
    json_decref(d);
    teardown();
}
END_TEST

TEST_MAIN("results.document", a_run, metrics, the_ledger_conserves, few_samples, effects_of_an_experiment,
          an_invalid_cell_has_no_say, a_cell_past_its_bound_has_no_say, comparing_cells, comparing_strangers, what_cannot_be_compared, turns,
          text_that_is_not_utf8, lists)
