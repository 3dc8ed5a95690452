/* The whole cuda backend on the emulated device, as a measuring process runs it: golden tokens, a ledger that sums up to
 * the nanosecond, the same sums by operation whichever way launches are traced, and what is said when something fails. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "harness/measure/measure.h"
#include "harness/measure/record.h"
#include "harness/measure/sampler.h"
#include "harness/verify/verify.h"
#include "kernels/cuda/emulator/cupti.h"
#include "kernels/cuda/emulator/nvml.h"
#include "kernels/cuda/emulator/runtime.h"
#include "results/document/document.h"

#define GQA ASSAY_GOLDEN_DIR "/llm/gqa"
static const char *const all[] = {"attention", "fusion", "graph", NULL}, *const graph[] = {"graph", NULL}, *const none[] = {NULL};

/* Nothing depends on how many blocks a launch has, so that what is padded costs the same. */
static const struct emulator_costs costs = {.launch_ns = 2000, .call_ns = 500, .latency_ns = 1000, .kernel_ns = 3000, .copy_ns = 1000};

struct measured {
    struct spec spec;
    struct sampler sampler;
    struct worker_program program;
    struct arena a;
};

static void prepare(struct measured *m, const char *const *opts) {
    struct error e = {0};
    *m = (struct measured){.spec = {.workload = "llm", .model = GQA, .backend = "cuda-emulated", .dtype = DTYPE_BF16, .batch = 1, .prompt = 8, .generate = 5}};
    m->spec.sampling.top_p = 1;
    for (int i = 0; opts[i]; i++) ck_assert_int_eq(optimizer_parse(opts[i], &m->a, &m->spec.uses[m->spec.n_uses++], &e), STATUS_OK);
    m->sampler = (struct sampler){.spec = &m->spec};
    m->program = sampler_program(&m->sampler);
}

static void begin(struct measured *m, const char *const *opts) {
    struct error e = {0};
    json_t *reply = NULL;
    prepare(m, opts);
    ck_assert_msg(m->program.open(&m->sampler, &reply, &e) == STATUS_OK, "%s", e.text);
    json_decref(reply);
    emulator_set_time(&m->sampler.engine.clock, &costs);
}

static void end(struct measured *m) {
    m->program.close(&m->sampler);
    arena_free(&m->a);
    int64_t pieces;
    ck_assert_uint_eq(emulator_allocated(&pieces), 0);
    ck_assert_int_eq(pieces, 0);
}

static json_t *ask(struct measured *m, const char *what) {
    struct error e = {0};
    json_t *reply = NULL, *request = json_pack("{s:s}", "do", what);
    ck_assert_msg(m->program.serve(&m->sampler, request, &reply, &e) == STATUS_OK, "%s", e.text);
    json_decref(request);
    return reply;
}

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

/* Of the ledger's lines whose category begins so; "" all. */
static double ledger_sum(const json_t *reply, const char *category, const char *what) {
    double sum = 0;
    size_t i;
    const json_t *line;
    json_array_foreach(json_object_get(json_object_get(reply, "ledger"), "lines"), i, line)
        if (strncmp(json_string_value(json_object_get(line, "category")), category, strlen(category)) == 0) sum += number(line, what);
    return sum;
}

static void ck_sums_to_wall(const json_t *reply) {
    const json_t *l = json_object_get(reply, "ledger");
    ck_assert_str_eq(json_string_value(json_object_get(l, "trouble")), "");
    ck_assert_double_eq(ledger_sum(reply, "", "ns"), number(l, "wall_ns"));
    ck_assert_double_eq(ledger_sum(reply, "residual", "ns"), 0);
    ck_assert_double_eq(number(reply, "wall_ns"), number(l, "wall_ns"));
}

/* The same operations, as often, for as long. */
static void ck_same_operations(const json_t *x, const json_t *y) {
    size_t i;
    const json_t *line, *ops = json_object_get(y, "ops");
    ck_assert_uint_gt(json_array_size(ops), 10);
    ck_assert_uint_eq(json_array_size(json_object_get(x, "ops")), json_array_size(ops));
    json_array_foreach(json_object_get(x, "ops"), i, line) {
        size_t k = 0;
        while (k < json_array_size(ops) && (!json_equal(json_object_get(line, "op"), json_object_get(json_array_get(ops, k), "op")) ||
                                            !json_equal(json_object_get(line, "stage"), json_object_get(json_array_get(ops, k), "stage")))) k++;
        ck_assert_msg(k < json_array_size(ops), "%s", json_string_value(json_object_get(line, "op")));
        ck_assert_double_eq(number(line, "ns"), number(json_array_get(ops, k), "ns"));
        ck_assert_double_eq(number(line, "calls"), number(json_array_get(ops, k), "calls"));
        ck_assert_double_gt(number(line, "ns"), 0);
    }
}

/* ---- results ---- */

static int verify(const char *folder, enum dtype dtype, const char *const *opts) {
    struct error e = {0};
    struct arena a = {0};
    char path[512];
    int n_failed = -1;
    struct verify_request q = {.folder = path, .spec = {.workload = "llm", .backend = "cuda-emulated", .dtype = dtype}};
    snprintf(path, sizeof path, "%s/llm/%s", ASSAY_GOLDEN_DIR, folder);
    for (int i = 0; opts[i]; i++) ck_assert_int_eq(optimizer_parse(opts[i], &a, &q.spec.uses[q.spec.n_uses++], &e), STATUS_OK);
    FILE *sink = fopen("/dev/null", "w");
    ck_assert_msg(verify_llm(&q, sink, &n_failed, &e) == STATUS_OK, "%s", e.text);
    fclose(sink);
    arena_free(&a);
    return n_failed;
}

START_TEST(golden_results) {
    ck_assert_int_eq(verify("gqa", DTYPE_BF16, all), 0);
#if !defined(__SANITIZE_ADDRESS__) /* ten times slower, and tests/gpu.sh has all cases */
    ck_assert_int_eq(verify("tied", DTYPE_F32, none), 0);
#endif
}
END_TEST

START_TEST(the_same_tokens_as_on_the_cpu) {
    struct measured m;
    begin(&m, all);
    json_t *device = ask(&m, "output");
    end(&m);
    prepare(&m, none);
    m.spec.backend = "cpu";
    m.spec.threads = 1;
    json_t *reply = NULL;
    struct error e = {0};
    ck_assert_msg(m.program.open(&m.sampler, &reply, &e) == STATUS_OK, "%s", e.text);
    json_decref(reply);
    json_t *cpu = ask(&m, "output");
    ck_assert_uint_eq(json_array_size(json_object_get(json_array_get(json_object_get(cpu, "output"), 0), "tokens")), 5);
    ck_assert_msg(json_equal(json_object_get(device, "output"), json_object_get(cpu, "output")), "%s", json_dumps(device, 0));
    json_decref(device);
    json_decref(cpu);
    end(&m);
}
END_TEST

/* ---- attribution ---- */

START_TEST(launches_one_by_one) {
    struct measured m;
    begin(&m, none);
    json_t *r = ask(&m, "profile");
    ck_sums_to_wall(r);
    ck_assert(json_is_false(json_object_get(r, "can_trace_launches")));
    /* a launch takes the host 2 us, the kernel 3: the device is the bound once it has work */
    ck_assert_double_gt(ledger_sum(r, "linear", "ns"), 0);
    ck_assert_double_eq(ledger_sum(r, "idle:unknown", "ns"), 0);
    ck_assert_double_gt(ledger_sum(r, "linear", "launches"), 0);
    json_decref(r);
    end(&m);
}
END_TEST

START_TEST(every_way_of_tracing_gives_the_same_sums) {
    struct measured m;
    begin(&m, none);
    json_t *eager = ask(&m, "profile");
    end(&m);
    begin(&m, graph);
    json_t *nodes = ask(&m, "profile"), *wholes = ask(&m, "profile launches"), *again = ask(&m, "profile");
    ck_assert(json_is_true(json_object_get(nodes, "can_trace_launches")));
    ck_sums_to_wall(nodes);
    ck_sums_to_wall(wholes);
    ck_same_operations(nodes, eager);
    ck_same_operations(wholes, nodes);
    ck_same_operations(again, nodes);
    ck_assert(json_equal(json_object_get(wholes, "ledger"), json_object_get(nodes, "ledger")));
    ck_assert_double_lt(ledger_sum(nodes, "", "launches"), ledger_sum(eager, "", "launches") / 10);
    json_decref(eager);
    json_decref(nodes);
    json_decref(wholes);
    json_decref(again);
    end(&m);
}
END_TEST

/* Launches as wholes that were never seen by operations: said, not guessed. */
START_TEST(unseen_launches_are_trouble) {
    struct measured m;
    begin(&m, graph);
    json_t *r = ask(&m, "profile launches");
    const char *trouble = json_string_value(json_object_get(json_object_get(r, "ledger"), "trouble"));
    ck_assert_msg(strstr(trouble, "launches were timed whose operations had not been"), "'%s'", trouble);
    json_decref(r);
    end(&m);
}
END_TEST

static void ck_trouble(enum emulator_cupti_trouble kind, int n, const char *expected) {
    struct measured m;
    begin(&m, none);
    json_decref(ask(&m, "profile"));
    emulator_cupti_trouble(kind, n);
    json_t *r = ask(&m, "profile");
    const char *trouble = json_string_value(json_object_get(json_object_get(r, "ledger"), "trouble"));
    ck_assert_msg(strstr(trouble, expected), "'%s'", trouble);
    json_decref(r);
    r = ask(&m, "profile"); /* and it is over with the next one */
    ck_sums_to_wall(r);
    json_decref(r);
    end(&m);
}

START_TEST(lost_records_are_trouble) { ck_trouble(EMULATOR_CUPTI_DROPS, 20, "CUPTI lost "); }
END_TEST
START_TEST(records_without_times_are_trouble) { ck_trouble(EMULATOR_CUPTI_UNTIMED, 3, "3 pieces of device work have no times"); }
END_TEST

START_TEST(a_clock_that_is_set_is_trouble) {
    ck_trouble(EMULATOR_CUPTI_CLOCK, 5000000, "the system's clock was set while tracing (by 5000 us)");
    ck_trouble(EMULATOR_CUPTI_CLOCK, -2000000, "the system's clock was set while tracing (by -2000 us)");
}
END_TEST

START_TEST(another_profiler_is_named) {
    struct measured m;
    struct error e = {0};
    json_t *reply = NULL, *request = json_pack("{s:s}", "do", "profile");
    begin(&m, none);
    emulator_cupti_trouble(EMULATOR_CUPTI_TAKEN, 1);
    ck_assert_int_eq(m.program.serve(&m.sampler, request, &reply, &e), STATUS_UNSUPPORTED);
    ck_assert_msg(strstr(e.text, "another profiler is attached"), "%s", e.text);
    emulator_cupti_trouble(EMULATOR_CUPTI_TAKEN, 0);
    json_decref(request);
    json_decref(ask(&m, "sample")); /* what is timed needs no profiler */
    end(&m);
}
END_TEST

/* ---- loading ---- */

static void note_loading(void *to, double done, double total) {
    double *last = to;
    ck_assert_double_gt(done, last[0]);
    last[0] = done;
    last[1] = total;
}

START_TEST(weights_on_their_way_are_told) {
    static const char *const backends[] = {"cuda-emulated", "cpu"};
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        struct measured m;
        struct error e = {0};
        struct llm_model model;
        struct engine engine;
        double last[2] = {0, 0};
        prepare(&m, all);
        m.spec.backend = backends[i];
        struct engine_options o = {.roles = ROLES_GENERATE, .limits = {.prefill_rows = 8, .slots = 1, .positions = 16}, .loading = {note_loading, last}};
        ck_assert_msg(llm_open(&(struct llm_options){.model = GQA}, &model, &e) == STATUS_OK, "%s", e.text);
        ck_assert_msg(engine_open(&engine, &m.spec, &model, &o, &e) == STATUS_OK, "%s", e.text);
        ck_assert_double_gt(last[0], 1e5);
        ck_assert_double_le_tol(last[0], last[1], 0.01 * last[1]);
        ck_assert_double_ge_tol(last[0], last[1], 0.01 * last[1]);
        engine_close(&engine);
        llm_close(&model);
        arena_free(&m.a);
    }
}
END_TEST

/* ---- instruments ---- */

/* 300 W all the time: joules are those of the sample's seconds, and are not told of samples that are too short for them. */
START_TEST(energy_is_of_long_samples) {
    struct emulator_costs slow = costs;
    struct measured m;
    begin(&m, none);
    emulator_nvml(&(struct emulator_instruments){.power_w = 300, .held_by_heat = 0.25});
    json_t *r = ask(&m, "sample");
    ck_assert(isnan(record_value(r, "energy_joules")) && isnan(record_value(r, "power_watts")));
    ck_assert_double_eq_tol(record_value(r, "held_by_heat_share"), 0.25, 1e-3);
    ck_assert_double_eq(record_value(r, "held_by_power_share"), 0);
    ck_assert_double_eq(record_value(r, "clock_mhz"), 1000);
    ck_assert_double_gt(record_value(r, "device_used_bytes"), 1e5);
    json_decref(r);
    slow.kernel_ns = 100000000;
    emulator_set_time(&m.sampler.engine.clock, &slow);
    r = ask(&m, "sample");
    ck_assert_double_ge(number(r, "wall_ns"), 2e9);
    ck_assert_double_eq_tol(record_value(r, "energy_joules"), 300e-9 * number(r, "wall_ns"), 2e-3);
    ck_assert_double_eq_tol(record_value(r, "power_watts"), 300, 1e-2);
    json_decref(r);
    emulator_nvml(&(struct emulator_instruments){0});
    end(&m);
}
END_TEST

/* A run's document, measured by the whole protocol. */
static json_t *measure(struct spec *spec) {
    struct error e = {0};
    struct cell cell = {.spec = *spec, .label = "plain", .axes_json = "{}"};
    struct plan p = {.workload = "llm", .design = DESIGN_SINGLE, .cells = &cell, .n_cells = 1, .n_blocks = 1, .samples = 4, .budget_s = 1, .profiles = 1};
    struct store *store;
    struct id experiment;
    struct run_list runs;
    json_t *run = NULL;
    ck_assert_msg(store_open(":memory:", STORE_WRITE, &store, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(measure_plan(&p, store, &(struct measure_options){0}, &experiment, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(store_list_runs(store, &experiment, 0, &runs, &e), STATUS_OK);
    ck_assert_int_eq(runs.count, 1);
    ck_assert_msg(document_run(store, &runs.items[0].id, &run, &e) == STATUS_OK, "%s", e.text);
    run_list_free(&runs);
    store_close(store);
    arena_free(&p.arena);
    return run;
}

START_TEST(held_down_clocks_are_marked) {
    struct measured m;
    prepare(&m, none);
    emulator_nvml(&(struct emulator_instruments){.held_by_power = 0.5});
    json_t *run = measure(&m.spec), *warnings = json_object_get(run, "warnings");
    char *text = json_dumps(warnings, 0);
    ck_assert_msg(strstr(text, "held down by its power limit in 4 of 4 timed samples, for up to 50 %"), "%s", text);
    free(text);
    json_decref(run);
    emulator_nvml(&(struct emulator_instruments){.held_by_power = 0.001});
    run = measure(&m.spec);
    ck_assert_uint_eq(json_array_size(json_object_get(run, "warnings")), 0);
    ck_assert_double_eq_tol(number(json_object_get(json_object_get(run, "metrics"), "held_by_power_share"), "median"), 0.001, 1e-4);
    json_decref(run);
    emulator_nvml(&(struct emulator_instruments){0});
    arena_free(&m.a);
}
END_TEST

/* ---- failures ---- */

START_TEST(too_little_memory_is_known_before_anything_is_allocated) {
    struct measured m;
    struct error e = {0};
    json_t *reply = NULL;
    prepare(&m, none);
    emulator_set_memory(50000);
    ck_assert_int_eq(m.program.open(&m.sampler, &reply, &e), STATUS_NO_MEMORY);
    ck_assert_msg(strstr(e.text, "memory"), "%s", e.text);
    emulator_set_memory(0);
    end(&m);
}
END_TEST

/* Every call of a sample fails once: one clear error each time, and nothing is left behind. */
START_TEST(any_call_may_fail) {
    enum { ILLEGAL_ADDRESS = 700 };
    int n_failed = 0, n_named = 0;
    for (int n = 0;; n += 1 + n / 4) {
        struct measured m;
        struct error e = {0};
        json_t *reply = NULL, *request = json_pack("{s:s}", "do", "profile");
        begin(&m, n % 2 ? all : none);
        emulator_fail_after(n, ILLEGAL_ADDRESS);
        enum status s = m.program.serve(&m.sampler, request, &reply, &e);
        emulator_fail_after(-1, 0);
        json_decref(request);
        json_decref(reply);
        end(&m);
        if (s == STATUS_OK) break;
        ck_assert_int_eq(s, STATUS_BACKEND);
        ck_assert_msg(strstr(e.text, " failed: "), "%s", e.text);
        n_failed++;
        n_named += strstr(e.text, "op ") && strstr(e.text, " of ");
    }
    ck_assert_int_gt(n_failed, 10);
    ck_assert_int_gt(n_named, 5); /* the operation and its shapes */
}
END_TEST

START_TEST(loading_may_fail_anywhere) {
    enum { OUT_OF_MEMORY = 2 };
    int n_failed = 0;
    for (int n = 0;; n += 1 + n / 4) {
        struct measured m;
        struct error e = {0};
        json_t *reply = NULL;
        prepare(&m, all);
        emulator_fail_after(n, OUT_OF_MEMORY);
        enum status s = m.program.open(&m.sampler, &reply, &e);
        emulator_fail_after(-1, 0);
        json_decref(reply);
        end(&m);
        if (s == STATUS_OK) break;
        ck_assert_msg(e.text[0], "%d", n);
        n_failed++;
    }
    ck_assert_int_gt(n_failed, 10);
}
END_TEST

static const char *no_golden(void) { return directory_exists(ASSAY_GOLDEN_DIR "/llm") ? NULL : "the golden references are not beside this checkout"; }

TEST_MAIN_UNLESS(no_golden, "device_runs", golden_results, the_same_tokens_as_on_the_cpu, launches_one_by_one, every_way_of_tracing_gives_the_same_sums,
                 unseen_launches_are_trouble, lost_records_are_trouble, records_without_times_are_trouble, a_clock_that_is_set_is_trouble,
                 another_profiler_is_named, weights_on_their_way_are_told, energy_is_of_long_samples, held_down_clocks_are_marked,
                 too_little_memory_is_known_before_anything_is_allocated, any_call_may_fail, loading_may_fail_anywhere)
