/* What a suite compares: ratios on known numbers, the best of the others, rounds that lack a side, verdicts. */
#include "check_main.h"

#include "fixture.h"
#include "results/document/document.h"
#include "results/stats/paired.h"

enum { ROUNDS = 4, CELLS = 5 };
static const char *const labels[CELLS] = {"ours", "slow", "fast", "broken", "never run"};
/* decode_tokens_per_s and first_token_ns of each round; 0: the round has none. */
static const double rates[CELLS][ROUNDS] = {{12, 24, 36, 20}, {5, 5, 5, 5}, {10, 20, 0, 10}, {99, 99, 99, 99}};
static const int64_t starts_ns[CELLS][ROUNDS] = {{100, 100, 100, 100}, {300, 100, 200, 400}};

static char *path;
static struct store *store;
static const char rows_json[] =
    "{\"rows\": ["
    "{\"title\": \"met\", \"metric\": \"decode_tokens_per_s\", \"ours\": \"ours\", \"against\": [\"slow\", \"fast\", \"broken\", \"never run\"], \"at_least\": 0.6},"
    "{\"title\": \"short\", \"metric\": \"decode_tokens_per_s\", \"ours\": \"slow\", \"against\": [\"fast\"], \"at_least\": 2},"
    "{\"title\": \"straddles\", \"metric\": \"decode_tokens_per_s\", \"ours\": \"ours\", \"against\": [\"fast\"], \"at_least\": 1.3},"
    "{\"title\": \"gap\", \"metric\": \"decode_tokens_per_s\", \"ours\": \"ours\", \"against\": [\"broken\", \"never run\"], \"at_least\": 1},"
    "{\"title\": \"times\", \"metric\": \"first_token_ns\", \"ours\": \"ours\", \"against\": [\"slow\"], \"at_least\": null}]}";

static void fill_cell(int cell) {
    struct run_record r = {.id = fixture_id(fixture_runs[0]), .experiment = fixture_id(fixture_experiment), .cell = cell, .workload = "external", .model = "m",
                           .backend = "external", .dtype = "unknown", .scenario = "external", .label = labels[cell], .spec_json = "{}", .comparability_json = "{}"};
    r.id.text[31] = (char)('0' + cell);
    FIXTURE_OK(store_run_begin(store, &r, &fixture_machine, &fixture_environment, e));
    for (int block = 0; block < ROUNDS; block++) {
        int64_t process;
        if (rates[cell][block] == 0) continue;
        const struct process_record p = {.block = block, .order = cell, .start_unix_ns = 1, .prepare_ns = -1, .load_ns = -1,
                                         .first_token_ns = starts_ns[cell][block] ? starts_ns[cell][block] : -1};
        const struct value_record v = {"decode_tokens_per_s", 0, rates[cell][block]};
        const struct sample_record s = {.phase = PHASE_TIMED, .start_ns = 1, .wall_ns = 1, .values = &v, .n_values = 1};
        FIXTURE_OK(store_process_begin(store, &r.id, &p, &process, e));
        FIXTURE_OK(store_sample(store, process, &s, e));
        FIXTURE_OK(store_process_finish(store, process, e));
    }
    FIXTURE_OK(store_run_finish(store, &r.id, cell == 3 ? RUN_FAILED : RUN_OK, cell == 3 ? "it broke" : NULL, e));
}

static json_t *document(void) {
    const struct experiment_record x = {.id = fixture_id(fixture_experiment), .name = "s", .workload = "suite", .design = "suite", .spec_json = rows_json, .n_blocks = ROUNDS};
    json_t *d = NULL;
    path = fixture_path();
    FIXTURE_OK(store_open(path, STORE_WRITE, &store, e));
    FIXTURE_OK(store_experiment_begin(store, &x, e));
    for (int i = 0; i < CELLS; i++) {
        const struct cell_record c = {.index = i, .label = labels[i], .axes_json = "{}"};
        FIXTURE_OK(store_cell(store, &x.id, &c, e));
    }
    for (int i = 0; i < CELLS - 1; i++) fill_cell(i);
    FIXTURE_OK(document_experiment(store, &x.id, 0, &d, e));
    store_close(store);
    fixture_remove(path);
    return d;
}

static const json_t *row_of(const json_t *d, size_t i) { return json_array_get(json_object_get(d, "rows"), i); }
static const char *text_of(const json_t *o, const char *name) { return json_string_value(json_object_get(o, name)); }
static double number_of(const json_t *o, const char *name) {
    const json_t *x = json_object_get(o, name);
    return json_is_number(x) ? json_number_value(x) : NAN;
}
static void near(double got, double want) { ck_assert_msg(fabs(got - want) <= 1e-9 * fabs(want), "%.12g is not %.12g", got, want); }

START_TEST(ratios_on_known_numbers) {
    const double x[] = {12, 24, NAN, 20}, y[] = {10, 20, 30, 10};
    struct paired_ratio r = paired_ratio(x, y, 4, 0.95);
    ck_assert_uint_eq(r.n, 3);
    near(r.median, 1.2);
    near(r.lowest, 1.2);
    near(r.highest, 2);
    /* by hand: logs 0.18232155679, 0.18232155679, 0.69314718056; mean 0.35259676471, deviation 0.29492532, t(2) 4.30265273 */
    ck_assert_double_eq_tol(log(r.low), 0.35259676471 - 4.30265273 * 0.29492532 / sqrt(3), 1e-6);
    ck_assert_double_eq_tol(log(r.high), 0.35259676471 + 4.30265273 * 0.29492532 / sqrt(3), 1e-6);
    r = paired_ratio(x, y, 1, 0.95);
    ck_assert_uint_eq(r.n, 1);
    near(r.median, 1.2);
    ck_assert(isnan(r.low) && isnan(r.high));
    r = paired_ratio(x + 2, y + 2, 1, 0.95);
    ck_assert(r.n == 0 && isnan(r.median));
}
END_TEST

START_TEST(the_best_of_the_others_counts) {
    json_t *d = document();
    const json_t *row = row_of(d, 0), *ratio = json_object_get(row, "ratio"), *peers = json_object_get(row, "peers");
    ck_assert_str_eq(text_of(row, "best"), "fast"); /* not the one that failed, with 99 */
    near(number_of(json_object_get(row, "ours"), "median"), 22);
    near(number_of(json_object_get(row, "ours"), "lowest"), 12);
    near(number_of(json_object_get(row, "ours"), "highest"), 36);
    near(number_of(json_array_get(peers, 1), "median"), 10);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(peers, 1), "rounds")), 3);
    near(number_of(ratio, "median"), 1.2); /* 1.2, 1.2, none, 2 */
    near(number_of(ratio, "highest"), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(ratio, "rounds")), 3);
    near(number_of(json_object_get(json_array_get(peers, 0), "ratio"), "median"), 4.4); /* 2.4, 4.8, 7.2, 4 */
    ck_assert(json_is_null(json_object_get(json_array_get(peers, 2), "median")));
    ck_assert_str_eq(text_of(json_array_get(peers, 2), "reason"), "it broke");
    ck_assert(json_is_null(json_object_get(json_array_get(peers, 3), "state")));
    json_decref(d);
}
END_TEST

START_TEST(verdicts_come_from_the_interval) {
    json_t *d = document();
    static const char *const verdicts[] = {"met", "short", "inconclusive", "inconclusive", NULL};
    for (size_t i = 0; i < 5; i++) {
        const char *got = text_of(row_of(d, i), "verdict");
        ck_assert_msg((got == NULL) == (verdicts[i] == NULL) && (!got || strcmp(got, verdicts[i]) == 0), "row %zu is %s", i, got ? got : "null");
    }
    ck_assert(json_is_null(json_object_get(row_of(d, 3), "ratio"))); /* a gap, and no zero */
    ck_assert_str_eq(text_of(row_of(d, 3), "reason"), "no round has a value of ours and of the best peer");
    json_decref(d);
}
END_TEST

START_TEST(of_times_less_is_better) {
    json_t *d = document();
    const json_t *ratio = json_object_get(row_of(d, 4), "ratio");
    near(number_of(ratio, "median"), 2.5); /* 3, 1, 2, 4 */
    near(number_of(ratio, "lowest"), 1);
    near(number_of(ratio, "highest"), 4);
    json_decref(d);
}
END_TEST

TEST_MAIN("rows", ratios_on_known_numbers, the_best_of_the_others_counts, verdicts_come_from_the_interval, of_times_less_is_better)
