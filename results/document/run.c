/* run.c: the document of a run, section by section, each from one view. */
#include <math.h>
#include <string.h>

#include "results/document/document.h"
#include "results/document/json.h"
#include "results/document/series.h"
#include "results/document/sections.h"
#include "results/store/query.h"

/* A list of objects: the columns of each row under their names. */
struct table {
    const char *sql, *types;
    const char *const *names;
};

static enum status read_table(struct store *s, const struct id *run, const struct table *t, json_t *list,
                              struct error *e) {
    sqlite3_stmt *q = store_query(s, e, t->sql, "t", run->text);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        json_t *object = json_object();
        json_columns(object, q, 0, t->types, t->names);
        json_array_append_new(list, object);
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status put_table(struct store *s, const struct id *run, const char *name, const struct table *t,
                             json_t *out, struct error *e) {
    json_t *list = json_array();
    json_object_set_new(out, name, list);
    return read_table(s, run, t, list, e);
}

/* The only row as an object, null where there is none. */
static enum status put_row(struct store *s, const struct id *run, const char *name, const struct table *t,
                           json_t *out, struct error *e) {
    json_t *list = json_array();
    enum status status = read_table(s, run, t, list, e);
    json_t *first = json_array_get(list, 0);
    json_object_set(out, name, first ? first : json_null());
    json_decref(list);
    return status;
}

/* Rows by name: the first column is the key; of one column more the value itself, else an object. */
static enum status put_map(struct store *s, const struct id *run, const char *name, const struct table *t,
                           json_t *out, struct error *e) {
    json_t *map = json_object();
    json_object_set_new(out, name, map);
    sqlite3_stmt *q = store_query(s, e, t->sql, "t", run->text);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        json_t *key = json_text_column(q, 0), *object = json_object();
        json_columns(object, q, 1, t->types, t->names);
        json_t *only = t->names[1] ? object : json_object_get(object, t->names[0]);
        if (json_is_string(key)) json_object_set(map, json_string_value(key), only);
        json_decref(object);
        json_decref(key);
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

#define NAMES(...) (const char *const[]){__VA_ARGS__, NULL}

/* ---- sections ---- */

enum status run_identity(struct store *s, const struct id *run, json_t *out, struct error *e) {
    sqlite3_stmt *q = store_query(
        s, e,
        "SELECT run_id, experiment_id, experiment, cell, label, workload, model, backend, dtype, scenario, state, "
        "reason,\n"
        "is_synthetic, truncated_layers, created_unix_ns, spec_json, spec_hash, comparability, comparability_json\n"
        "FROM v_run WHERE run_id = ?",
        "t", run->text);
    int row = q ? store_next(s, q, e) : -1;
    if (row < 0) return STATUS_STORE;
    if (row == 0) return error_set(e, STATUS_INPUT, "there is no run '%s'; see assay list runs", run->text);
    json_columns(out, q, 0, "tttittttttttfi",
                 NAMES("id", "experiment", "name", "cell", "label", "workload", "model", "backend", "dtype", "scenario",
                       "state", "reason", "is_synthetic", "truncated_layers"));
    json_object_set_new(out, "created", json_time(sqlite3_column_int64(q, 14)));
    json_columns(out, q, 14, "ijt", NAMES("created_unix_ns", "spec", "spec_hash"));
    json_t *comparability = json_object();
    json_columns(comparability, q, 17, "tj", NAMES("key", "facts"));
    json_object_set_new(out, "comparability", comparability);
    store_done(q);
    return STATUS_OK;
}

/* Peak memory is a metric too; where no sample carries it, it is the run's own record. */
static enum status put_peak(struct store *s, const struct id *run, json_t *metrics, struct error *e) {
    if (json_object_get(metrics, "peak_bytes")) return STATUS_OK;
    sqlite3_stmt *q = store_query(s, e, "SELECT bytes FROM v_memory WHERE run_id = ? AND class = 'peak_resident'\n"
                                  "AND bytes IS NOT NULL", "t", run->text);
    int row = q ? store_next(s, q, e) : -1;
    if (row != 1) return row < 0 ? STATUS_STORE : STATUS_OK;
    json_object_set_new(metrics, "peak_bytes",
                        json_pack("{s:o,s:n,s:n,s:s,s:i,s:i,s:i,s:s,s:n,s:n}", "median", json_real_column(q, 0), "low",
                                  "high", "unit", "bytes", "samples", 1, "values", 1, "processes", 1, "interval_of",
                                  "samples", "p90", "p99"));
    store_done(q);
    return STATUS_OK;
}

enum status run_metrics(struct store *s, const struct id *run, const struct run_series *series, json_t *out,
                        struct error *e) {
    json_t *metrics = json_object();
    json_object_set_new(out, "metrics", metrics);
    for (size_t i = 0; i < series->n; i++)
        json_object_set_new(metrics, series->metrics[i].metric, metric_summary(&series->metrics[i]));
    return put_peak(s, run, metrics, e);
}

static enum status put_ledger(struct store *s, const struct id *run, json_t *out, struct error *e) {
    enum status status = put_row(s, run, "ledger",
                                 &(struct table){"SELECT avg(wall_ns), min(is_complete), max(reason), max(n_ledgers) "
                                                 "FROM v_ledger WHERE run_id = ? GROUP BY run_id",
                                                 "rfti", NAMES("wall_ns", "is_complete", "reason", "ledgers")},
                                 out, e);
    json_t *ledger = json_object_get(out, "ledger");
    if (status != STATUS_OK || !json_is_object(ledger)) return status;
    return put_table(
        s, run, "lines",
        &(struct table){
            "SELECT unit, stage, category, ns, share, flop, bytes, ceiling_share, ceiling, launches FROM v_ledger\n"
            "WHERE run_id = ? ORDER BY unit, line",
            "tttrrrrrtr",
            NAMES("unit", "stage", "category", "ns", "share", "flop", "bytes", "ceiling_share", "ceiling", "launches")},
        ledger, e);
}

/* Evidence is a line; what an optimizer chose among is JSON below it (results/model.h), and only some choose. */
static enum status put_receipts(struct store *s, const struct id *run, json_t *out, struct error *e) {
    size_t index;
    json_t *receipt;
    enum status status = put_table(s, run, "receipts", &(struct table){
        "SELECT optimizer, settings, verdict, iif(instr(evidence, char(10)), substr(evidence, 1, instr(evidence, char(10)) - 1), evidence),\n"
        "iif(instr(evidence, char(10)), substr(evidence, instr(evidence, char(10)) + 1), NULL)\n"
        "FROM v_receipt WHERE run_id = ? ORDER BY optimizer", "ttttj",
        NAMES("optimizer", "settings", "verdict", "evidence", "choices")}, out, e);
    json_array_foreach(json_object_get(out, "receipts"), index, receipt)
        if (!json_is_array(json_object_get(receipt, "choices"))) json_object_del(receipt, "choices");
    return status;
}

enum status run_findings(struct store *s, const struct id *run, json_t *out, struct error *e) {
    enum status status = put_receipts(s, run, out, e);
    if (status == STATUS_OK)
        status = put_row(s, run, "fidelity", &(struct table){
            "SELECT class, error, plain_error, bound, is_ok, detail FROM v_fidelity WHERE run_id = ?", "trrrft",
            NAMES("class", "error", "plain_error", "bound", "ok", "detail")}, out, e);
    if (status == STATUS_OK)
        status = put_map(s, run, "quality", &(struct table){
            "SELECT name, value, unit, n, detail FROM v_quality WHERE run_id = ? ORDER BY name", "rtit",
            NAMES("value", "unit", "n", "detail")}, out, e);
    const json_t *fidelity = json_object_get(out, "fidelity");
    const char *class = json_string_value(json_object_get(fidelity, "class"));
    int is_lossy = class && strcmp(class, fidelity_class_name(FIDELITY_LOSSY)) == 0;
    json_object_set_new(out, "is_past_bound", json_boolean(is_lossy && json_is_false(json_object_get(fidelity, "ok"))));
    return status;
}

const char run_past_bound[] = "is past its fidelity bound";

const char *run_unfit(const json_t *run) {
    static const char *const words[][2] = {{"invalid", "is invalid"}, {"failed", "is failed"}, {"skipped", "is skipped"}};
    const char *state = json_string_value(json_object_get(run, "state"));
    if (!state) return "was not measured";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(state, words[i][0]) == 0) return words[i][1];
    return json_is_true(json_object_get(run, "is_past_bound")) ? run_past_bound : NULL;
}

json_t *quality_deltas(const json_t *a, const json_t *b) {
    json_t *out = json_object(), *entry;
    const char *name;
    const json_t *other = json_object_get(b, "quality");
    json_object_foreach(json_object_get(a, "quality"), name, entry) {
        json_t *x = json_object_get(entry, "value"), *y = json_object_get(json_object_get(other, name), "value");
        if (!json_is_number(x) || !json_is_number(y)) continue;
        json_object_set_new(out, name, json_pack("{s:O,s:O,s:f,s:O}", "a", x, "b", y, "delta",
                            json_number_value(y) - json_number_value(x), "unit", json_object_get(entry, "unit")));
    }
    return out;
}

/* The first request's tokens and text stand at the top; all of them are in "requests". */
static enum status put_output(struct store *s, const struct id *run, json_t *out, struct error *e) {
    json_t *object = json_object();
    enum status status = put_table(s, run, "requests", &(struct table){
        "SELECT request, tokens_json, text FROM v_output WHERE run_id = ? ORDER BY request", "ijt",
        NAMES("request", "tokens", "text")}, object, e);
    json_t *first = json_array_get(json_object_get(object, "requests"), 0);
    if (first) {
        json_object_set(object, "tokens", json_object_get(first, "tokens"));
        json_object_set(object, "text", json_object_get(first, "text"));
    }
    json_object_set(out, "output", first ? object : json_null());
    json_decref(object);
    return status;
}

static enum status put_facts(struct store *s, const struct id *run, json_t *out, struct error *e) {
    enum status status = put_map(s, run, "environment", &(struct table){
        "SELECT key, value FROM v_environment WHERE run_id = ? AND source = 'environment' ORDER BY key", "t",
        NAMES("value")}, out, e);
    if (status != STATUS_OK) return status;
    return put_map(s, run, "machine", &(struct table){
        "SELECT key, value FROM v_environment WHERE run_id = ? AND source = 'machine' ORDER BY key", "t",
        NAMES("value")}, out, e);
}

static enum status put_measured(struct store *s, const struct id *run, json_t *out, struct error *e) {
    enum status status = put_ledger(s, run, out, e);
    if (status == STATUS_OK)
        status = put_table(
            s, run, "operations",
            &(struct table){
                "SELECT stage, op, category, place, calls, ns, flop, bytes FROM v_op WHERE run_id = ? ORDER BY ns DESC",
                "ttttrrrr", NAMES("stage", "op", "category", "place", "calls", "ns", "flop", "bytes")},
            out, e);
    if (status == STATUS_OK) status = run_findings(s, run, out, e);
    if (status == STATUS_OK)
        status = put_map(s, run, "memory", &(struct table){
            "SELECT class, bytes FROM v_memory WHERE run_id = ? ORDER BY class", "r", NAMES("bytes")}, out, e);
    if (status == STATUS_OK)
        status = put_row(s, run, "perturbation",
                         &(struct table){"SELECT ratio, low, high, by_operation FROM v_perturbation WHERE run_id = ?", "rrrr",
                                         NAMES("ratio", "low", "high", "by_operation")},
                         out, e);
    if (status == STATUS_OK) status = put_output(s, run, out, e);
    return status;
}

static enum status put_warnings(struct store *s, const struct id *run, json_t *out, struct error *e) {
    json_t *list = json_array();
    json_object_set_new(out, "warnings", list);
    sqlite3_stmt *q =
        store_query(s, e, "SELECT text FROM v_warning WHERE run_id = ? ORDER BY position", "t", run->text);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) json_array_append_new(list, json_text_column(q, 0));
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

enum status document_run(struct store *s, const struct id *run, json_t **out, struct error *e) {
    struct run_series series = {0};
    json_t *d = json_pack("{s:s,s:i}", "format", "assay-run", "version", DOCUMENT_VERSION);
    enum status status = run_identity(s, run, d, e);
    if (status == STATUS_OK) status = put_facts(s, run, d, e);
    if (status == STATUS_OK)
        status = put_table(s, run, "processes",
                           &(struct table){"SELECT block, order_in_block, pid, state, start_unix_ns, prepare_ns, "
                                           "load_ns, first_token_ns FROM v_process\n"
                                           "WHERE run_id = ? ORDER BY process_id",
                                           "iiitiiii",
                                           NAMES("block", "order", "pid", "state", "start_unix_ns", "prepare_ns",
                                                 "load_ns", "first_token_ns")},
                           d, e);
    if (status == STATUS_OK) status = run_series_read(s, run, &series, e);
    if (status == STATUS_OK) status = run_metrics(s, run, &series, d, e);
    if (status == STATUS_OK) status = put_measured(s, run, d, e);
    if (status == STATUS_OK) status = put_warnings(s, run, d, e);
    run_series_free(&series);
    *out = status == STATUS_OK ? d : NULL;
    if (status != STATUS_OK) json_decref(d);
    return status;
}
