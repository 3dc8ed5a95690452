/* Records in, views out, exactly; finding, going on, the cache and the ceilings. */
#include "check_main.h"

#include "fixture.h"
#include "results/store/query.h"

static char *path;
static struct store *store;

static void setup(void) {
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
}

static void teardown(void) {
    store_close(store);
    fixture_remove(path);
}

/* The rows of a query as "a|b;c|d", NULL as "-". */
static const char *rows(const char *sql) {
    static char text[8192];
    sqlite3_stmt *q = NULL;
    size_t n = 0;
    ck_assert_msg(sqlite3_prepare_v2(store_reader(store), sql, -1, &q, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(store_reader(store)));
    text[0] = '\0';
    while (sqlite3_step(q) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(q); i++) {
            const char *value = (const char *)sqlite3_column_text(q, i);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? "|" : n ? ";" : "", value ? value : "-");
        }
    }
    sqlite3_finalize(q);
    return text;
}

START_TEST(views_give_back_what_went_in) {
    setup();
    fixture_fill(store);
    ck_assert_str_eq(
        rows("SELECT name, design, seed, n_factors, n_cells, n_blocks, n_finished, spec_json FROM v_experiment"),
        "made up|full|7|2|4|3|4|{\"a\": 1}");
    ck_assert_str_eq(
        rows("SELECT cell, mask, label, state, n_processes, n_samples, reason FROM v_run ORDER BY cell"),
        "0|0|plain|ok|3|18|-;1|1|attention|ok|3|18|-;2|2|fusion|ok|3|18|-;3|3|attention+fusion|noisy|3|18|steal 3 %");
    ck_assert_str_eq(rows("SELECT spec_hash, comparability, is_synthetic, truncated_layers FROM v_run WHERE cell = 0"),
                     "00000000000000ff|0000000000000010|1|2");
    ck_assert_str_eq(rows("SELECT source, key, value FROM v_environment WHERE run_id LIKE 'a0%' ORDER BY key"),
                     "machine|cores|2;machine|cpu|made up;environment|governor|performance");
    ck_assert_str_eq(rows("SELECT optimizer, settings, verdict, evidence FROM v_receipt WHERE run_id LIKE 'b2b2c3%'"),
                     "attention||ENGAGED|30 of 30 chains;fusion|norm|NO-OP|-");
    ck_assert_str_eq(rows("SELECT name, unit, value, n, detail FROM v_quality WHERE run_id LIKE 'a1%'"),
                     "nll|nats/token|3.5|99|-");
    ck_assert_str_eq(rows("SELECT class, bytes FROM v_memory WHERE run_id LIKE 'a1%'"),
                     "peak_resident|700000000.0;weights|500000000.0");
    ck_assert_str_eq(rows("SELECT position, text FROM v_warning ORDER BY position"), "0|steal 3 %;1|second");
    ck_assert_str_eq(rows("SELECT count(*) FROM machine UNION ALL SELECT count(*) FROM environment"), "1;1");
    teardown();
}
END_TEST

START_TEST(unknown_numbers_are_null) {
    setup();
    fixture_fill(store);
    ck_assert_str_eq(rows("SELECT ratio, low, high, by_operation FROM v_perturbation WHERE run_id LIKE 'a0%'"), "1.01|1.005|-|1.4");
    ck_assert_str_eq(rows("SELECT DISTINCT prepare_ns, load_ns, first_token_ns FROM v_process"), "11|12|-");
    ck_assert_str_eq(rows("SELECT count(*), count(value) FROM v_metric_sample WHERE metric = 'unknown_ns'"), "72|0");
    ck_assert_str_eq(rows("SELECT count(*) FROM v_process_metric WHERE metric = 'unknown_ns'"), "0");
    ck_assert_str_eq(rows("SELECT category, flop, bytes, ceiling_share, ceiling, launches FROM v_ledger\n"
                          "WHERE run_id LIKE 'a0%' AND category IN ('attention', 'residual') ORDER BY line"),
                     "attention|-|-|-|-|20.0;residual|-|-|-|-|-");
    teardown();
}
END_TEST

START_TEST(samples_and_medians) {
    setup();
    fixture_fill(store);
    ck_assert_str_eq(
        rows(
            "SELECT metric, position, value FROM v_metric_sample WHERE run_id LIKE 'a0%' AND block = 0 AND sample = 0\n"
            "AND metric IN ('itl_ns', 'wall_ns') ORDER BY metric, position"),
        "itl_ns|1|5000000.0;itl_ns|2|7000000.0;itl_ns|1048577|6000000.0;wall_ns|0|99997500.0");
    ck_assert_str_eq(rows("SELECT block, n, median FROM v_process_metric WHERE run_id LIKE 'a0%' AND metric = 'e2e_ns' "
                          "ORDER BY block"),
                     "0|6|100000000.0;1|6|101000000.0;2|6|99000000.0");
    ck_assert_str_eq(rows("SELECT mask, value FROM v_effect_input WHERE metric = 'itl_ns' AND block = 1 ORDER BY mask"),
                     "0|6000000.0;1|6000000.0;2|6000000.0;3|6000000.0");
    ck_assert_str_eq(rows("SELECT mask, value FROM v_effect_input WHERE stage = 'decode' AND block = 0 ORDER BY mask"),
                     "0|60000000.0;1|48000000.0;2|30000000.0;3|24000000.0");
    teardown();
}
END_TEST

START_TEST(ledger_lines_sum_to_the_wall) {
    setup();
    fixture_fill(store);
    ck_assert_str_eq(
        rows("SELECT unit, stage, category, ns, wall_ns, share, flop, ceiling_share, n_ledgers FROM v_ledger\n"
             "WHERE run_id LIKE 'a0%' ORDER BY line LIMIT 1"),
        "team of 2|prefill|linear|30000000.0|100000000.0|0.3|4000000000.0|0.5|3");
    ck_assert_str_eq(
        rows("SELECT count(*) FROM (SELECT abs(sum(ns) - max(wall_ns)) AS d FROM v_ledger GROUP BY run_id, unit)\n"
             "WHERE d > 0.001"),
        "0");
    ck_assert_str_eq(rows("SELECT op, calls, flop FROM v_op WHERE run_id LIKE 'a0%'"), "linear|20.0|1000000000.0");
    /* A second ledger without one of the lines: the line counts as 0 there. */
    const struct ledger_line line = {"team of 2", "prefill", "linear", 50e6, NAN, NAN, NAN, NULL, 1};
    const struct ledger_record r = {50e6, &line, 1, 0, "spans were dropped"};
    FIXTURE_OK(store_ledger(store, 1, 1, &r, e));
    ck_assert_str_eq(rows("SELECT stage, category, ns, wall_ns, is_complete, reason FROM v_ledger WHERE run_id LIKE "
                          "'a0%' ORDER BY line LIMIT 2"),
                     "prefill|linear|35000000.0|87500000.0|0|spans were "
                     "dropped;decode|linear|37500000.0|87500000.0|0|spans were dropped");
    ck_assert_str_eq(rows("SELECT round(sum(ns)) FROM v_ledger WHERE run_id LIKE 'a0%'"), "87500000.0");
    teardown();
}
END_TEST

START_TEST(a_process_is_measured_once) {
    setup();
    fixture_fill(store);
    struct error e = {0};
    struct id run = fixture_id(fixture_runs[1]);
    int64_t process;
    ck_assert_int_eq(store_process_begin(store, &run, &(struct process_record){.block = 1, .order = 1}, &process, &e),
                     STATUS_STORE);
    ck_assert_msg(strstr(e.text, "already holds block 1, order 1") != NULL, "%s", e.text);
    e = (struct error){0};
    struct id nobody = fixture_id("00000000000000000000000000000000");
    ck_assert_int_eq(store_process_begin(store, &nobody, &(struct process_record){.block = 1}, &process, &e),
                     STATUS_STORE);
    ck_assert_msg(strstr(e.text, "holds no run") != NULL, "%s", e.text);
    e = (struct error){0};
    ck_assert_int_eq(store_sample(store, 999, &(struct sample_record){0}, &e), STATUS_STORE); /* no such process */
    ck_assert_int_eq(sqlite3_get_autocommit(store_reader(store)), 1);
    teardown();
}
END_TEST

START_TEST(going_on_after_an_interruption) {
    setup();
    fixture_begin(store);
    struct id run = fixture_id(fixture_runs[2]), x = fixture_id(fixture_experiment), found;
    int64_t first, second;
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 0, .order = 2}, &first, e));
    fixture_sample(store, first, 2, 0, 0);
    FIXTURE_OK(store_process_finish(store, first, e));
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 1, .order = 0}, &second, e));
    fixture_sample(store, second, 2, 1, 0);
    FIXTURE_OK(store_run_finish(store, &run, RUN_INTERRUPTED, "stopped", e));
    ck_assert_str_eq(rows("SELECT n_processes, n_samples FROM v_run WHERE cell = 2"),
                     "2|2"); /* nothing measured is lost */

    struct arena a = {0};
    struct finished_process *list;
    int n, is_found;
    FIXTURE_OK(store_experiment_of_spec(store, "{\"a\": 1}", &found, &is_found, e));
    ck_assert(is_found && strcmp(found.text, x.text) == 0);
    FIXTURE_OK(store_experiment_of_spec(store, "{\"a\": 2}", &found, &is_found, e));
    ck_assert(!is_found);
    FIXTURE_OK(store_finished(store, &x, &a, &list, &n, e));
    ck_assert_int_eq(n, 1);
    ck_assert(list[0].cell == 2 && list[0].block == 0 && list[0].order == 2);
    FIXTURE_OK(store_run_reopen(store, &x, 2, &found, &is_found, e));
    ck_assert(is_found && strcmp(found.text, run.text) == 0);
    ck_assert_str_eq(rows("SELECT state, n_processes FROM v_run WHERE cell = 2"), "running|1");
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 1, .order = 0}, &second, e));
    fixture_sample(store, second, 2, 1, 0);
    FIXTURE_OK(store_run_finish(store, &run, RUN_OK, NULL, e));
    FIXTURE_OK(store_finished(store, &x, &a, &list, &n, e));
    ck_assert_int_eq(n, 2);
    ck_assert_str_eq(rows("SELECT block, state FROM v_process ORDER BY process_id"),
                     "0|finished;1|abandoned;1|finished");
    FIXTURE_OK(store_run_reopen(store, &x, 9, &found, &is_found, e));
    ck_assert(!is_found);
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 2, .order = 0}, &second, e));
    fixture_sample(store, second, 2, 1, 0);
    FIXTURE_OK(store_process_abandon(store, second, e)); /* it leaves the views, and its place is free */
    ck_assert_str_eq(rows("SELECT count(*) FROM v_sample WHERE block = 2"), "0");
    FIXTURE_OK(store_process_begin(store, &run, &(struct process_record){.block = 2, .order = 0}, &second, e));
    arena_free(&a);
    teardown();
}
END_TEST

static void expect_found(const char *text, enum find_kind kind, int is_experiment, const char *id) {
    struct found f;
    FIXTURE_OK(store_find(store, text, kind, &f, e));
    ck_assert_str_eq(f.id.text, id);
    ck_assert_int_eq(f.is_experiment, is_experiment);
}

static const char *expect_lost(const char *text, enum find_kind kind) {
    static struct error e;
    e = (struct error){0};
    struct found f;
    ck_assert_int_eq(store_find(store, text, kind, &f, &e), STATUS_INPUT);
    return e.text;
}

START_TEST(finding) {
    setup();
    ck_assert(strstr(expect_lost("latest", FIND_ANY), "holds no") != NULL);
    fixture_fill(store);
    expect_found("latest", FIND_RUN, 0, fixture_runs[3]);
    expect_found("latest~1", FIND_RUN, 0, fixture_runs[2]);
    expect_found("latest", FIND_EXPERIMENT, 1, fixture_experiment);
    expect_found("a1a1", FIND_ANY, 0, fixture_runs[1]);
    expect_found("b2b2c", FIND_RUN, 0, fixture_runs[3]);
    expect_found("e0e0e0", FIND_ANY, 1, fixture_experiment);
    expect_found("made up", FIND_ANY, 1, fixture_experiment);
    const char *text = expect_lost("b2b2", FIND_RUN);
    ck_assert_msg(strstr(text, "b2b2b2b20000") && strstr(text, "b2b2c3c30000") && strstr(text, "2 ids"), "%s", text);
    expect_lost("latest~4", FIND_RUN);
    expect_lost("a1a", FIND_RUN); /* too short to mean an id */
    expect_lost("e0e0e0", FIND_RUN);
    expect_lost("latest~", FIND_RUN);
    expect_lost("' OR 1 --", FIND_RUN);
    teardown();
}
END_TEST

START_TEST(a_single_run_hides_its_experiment) {
    setup();
    struct id x = fixture_id("51515151000000000000000000000000"), run = fixture_id("61616161000000000000000000000000");
    const struct experiment_record r = {x, "quick", "llm", "single", "{}", 1, 0, NULL, 1, 5};
    const struct run_record record = {.id = run,
                                      .experiment = x,
                                      .workload = "llm",
                                      .model = "m",
                                      .backend = "cpu",
                                      .dtype = "f32",
                                      .scenario = "single",
                                      .label = "plain",
                                      .spec_json = "{}",
                                      .comparability_json = "{}",
                                      .created_unix_ns = 6};
    FIXTURE_OK(store_experiment_begin(store, &r, e));
    FIXTURE_OK(store_cell(store, &x, &(struct cell_record){0, 0, "plain", "{}"}, e));
    FIXTURE_OK(store_run_begin(store, &record, &fixture_machine, &fixture_environment, e));
    expect_found("latest", FIND_ANY, 0, run.text);
    expect_found("5151", FIND_ANY, 0, run.text);
    expect_found("quick", FIND_ANY, 0, run.text);
    expect_found("quick", FIND_RUN, 0, run.text);
    struct error e = {0};
    struct run_record again = record;
    again.id = fixture_id("71717171000000000000000000000000");
    ck_assert_int_eq(store_run_begin(store, &again, &fixture_machine, &fixture_environment, &e),
                     STATUS_STORE); /* one run a cell */
    teardown();
}
END_TEST

START_TEST(lists) {
    setup();
    fixture_fill(store);
    struct run_list runs;
    struct experiment_list experiments;
    struct id x = fixture_id(fixture_experiment);
    FIXTURE_OK(store_list_runs(store, NULL, 2, &runs, e));
    ck_assert_int_eq(runs.count, 2);
    ck_assert_str_eq(runs.items[0].id.text, fixture_runs[3]);
    ck_assert_int_eq(runs.items[0].state, RUN_NOISY);
    ck_assert_str_eq(runs.items[0].reason, "steal 3 %");
    ck_assert_ptr_null(runs.items[1].reason);
    run_list_free(&runs);
    FIXTURE_OK(store_list_runs(store, &x, 0, &runs, e));
    ck_assert_int_eq(runs.count, 4);
    ck_assert_str_eq(runs.items[0].label, "plain");
    run_list_free(&runs);
    FIXTURE_OK(store_list_experiments(store, 0, &experiments, e));
    ck_assert_int_eq(experiments.count, 1);
    ck_assert_int_eq(experiments.items[0].n_finished, 4);
    experiment_list_free(&experiments);
    teardown();
}
END_TEST

START_TEST(ceilings_and_cache) {
    setup();
    struct arena a = {0};
    struct ceiling_set got;
    FIXTURE_OK(store_ceilings_newest(store, &fixture_machine, &a, &got, e));
    ck_assert_int_eq(got.count, 0);
    const struct ceiling_record items[] = {{"read", "", "four streams", 2, 96e6, 20e9, 19e9, 21e9},
                                           {"matrix", "bf16", NULL, 1, NAN, 1e12, NAN, NAN}};
    const struct ceiling_set older = {100, NAN, items, 1}, newer = {200, 0.02, items, 2};
    FIXTURE_OK(store_ceilings(store, &fixture_machine, &newer, e));
    FIXTURE_OK(store_ceilings(store, &fixture_machine, &older, e));
    const struct fact swapped[] = {{"cores", "2"}, {"cpu", "made up"}}, other[] = {{"cores", "3"}, {"cpu", "made up"}};
    FIXTURE_OK(
        store_ceilings_newest(store, &(struct machine_record){swapped, 2}, &a, &got, e)); /* order means nothing */
    ck_assert(got.count == 2 && got.created_unix_ns == 200 && got.noise == 0.02);
    ck_assert(strcmp(got.items[0].pattern, "four streams") == 0 && got.items[1].pattern == NULL &&
              isnan(got.items[1].low));
    FIXTURE_OK(store_ceilings_newest(store, &(struct machine_record){other, 2}, &a, &got, e));
    ck_assert_int_eq(got.count, 0);
    fixture_fill(store); /* its runs end now, long after both sets */
    ck_assert_str_eq(rows("SELECT DISTINCT created_unix_ns, count(*) FROM v_ceiling WHERE run_id LIKE 'a0%'"), "200|2");

    void *value;
    size_t bytes;
    FIXTURE_OK(store_cache_get(store, "probe", &value, &bytes, e));
    ck_assert_ptr_null(value);
    FIXTURE_OK(store_cache_put(store, "probe", "a\0b", 3, e));
    FIXTURE_OK(store_cache_put(store, "probe", "c\0d", 3, e));
    FIXTURE_OK(store_cache_get(store, "probe", &value, &bytes, e));
    ck_assert(bytes == 3 && memcmp(value, "c\0d", 3) == 0);
    mem_free(value);
    FIXTURE_OK(store_cache_put(store, "empty", NULL, 0, e));
    FIXTURE_OK(store_cache_get(store, "empty", &value, &bytes, e));
    ck_assert(value && bytes == 0);
    mem_free(value);
    arena_free(&a);
    teardown();
}
END_TEST

START_TEST(spans_share_their_words) {
    setup();
    fixture_begin(store);
    struct id run = fixture_id(fixture_runs[0]);
    const struct span_record spans[] = {{"linear", "linear", "decode", 0, 0, 1, 10, 5},
                                        {"linear", "linear", NULL, 0, 1, 1, 10, 6}};
    FIXTURE_OK(store_spans(store, &run, spans, 2, e));
    FIXTURE_OK(store_spans(store, &run, spans, 2, e)); /* replaces */
    ck_assert_str_eq(rows("SELECT span, name, category, stage, lane, duration_ns FROM v_span"),
                     "0|linear|linear|decode|0|5;1|linear|linear|-|1|6");
    ck_assert_str_eq(rows("SELECT count(*) FROM word"), "2");
    teardown();
}
END_TEST

START_TEST(identities_differ) {
    struct id a, b;
    FIXTURE_OK(id_draw(&a, e));
    FIXTURE_OK(id_draw(&b, e));
    ck_assert_str_ne(a.text, b.text);
    ck_assert_uint_eq(strspn(a.text, "0123456789abcdef"), 32);
}
END_TEST

TEST_MAIN("results.store", views_give_back_what_went_in, unknown_numbers_are_null, samples_and_medians,
          ledger_lines_sum_to_the_wall, a_process_is_measured_once, going_on_after_an_interruption, finding,
          a_single_run_hides_its_experiment, lists, ceilings_and_cache, spans_share_their_words, identities_differ)
