/* experiment.c: the document of an experiment: its cells beside each other, and what each factor does. */
#include <string.h>

#include "results/document/document.h"
#include "results/document/effects.h"
#include "results/document/json.h"
#include "results/document/sections.h"
#include "results/store/query.h"

/* What a reader asks for first; verdicts and effects are given for these. */
static const char *const main_metrics[] = {"e2e_ns", "ttft_ns", "tpot_ns", "itl_ns", "prefill_tokens_per_s",
                                           "decode_tokens_per_s", "tokens_per_s", "peak_bytes"};
enum { MAIN_METRICS = sizeof main_metrics / sizeof *main_metrics };

struct cell {
    struct id run;
    int number;
    uint32_t mask;
    const char *axes_json;
    const char *unfit;            /* run_unfit; NULL where its numbers count */
    json_t *document;             /* of "cells"; borrowed */
    struct run_series series;
};

struct experiment {
    struct id id;
    const char **factors;
    int n_factors;
    struct cell *cells;
    int n_cells;
    struct arena arena;
};

/* ---- reading ---- */

static enum status read_head(struct store *s, struct experiment *x, json_t *d, struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT experiment_id, name, workload, design, seed, n_blocks, created_unix_ns, spec_json FROM v_experiment\n"
        "WHERE experiment_id = ?", "t", x->id.text);
    int row = q ? store_next(s, q, e) : -1;
    if (row < 0) return STATUS_STORE;
    if (row == 0) return error_set(e, STATUS_INPUT, "there is no experiment '%s'; see assay list runs", x->id.text);
    json_columns(d, q, 0, "ttttiiij", (const char *const[]){"id", "name", "workload", "design", "seed", "n_blocks",
                 "created_unix_ns", "spec", NULL});
    json_object_set_new(d, "created", json_time(sqlite3_column_int64(q, 6)));
    store_done(q);
    return STATUS_OK;
}

static enum status read_factors(struct store *s, struct experiment *x, json_t *d, struct error *e) {
    json_t *list = json_array();
    json_object_set_new(d, "factors", list);
    sqlite3_stmt *q =
        store_query(s, e, "SELECT factor FROM v_factor WHERE experiment_id = ? ORDER BY position", "t", x->id.text);
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(x->factors, x->n_factors, capacity);
        x->factors[x->n_factors++] = store_text(&x->arena, q, 0);
        json_array_append_new(list, json_text_column(q, 0));
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static json_t *factors_on(const struct experiment *x, uint32_t mask) {
    json_t *out = json_array();
    for (int f = 0; f < x->n_factors && f < 32; f++)
        if (mask >> f & 1) json_array_append_new(out, json_text(x->factors[f]));
    return out;
}

static enum status read_cells(struct store *s, struct experiment *x, json_t *list, struct error *e) {
    sqlite3_stmt *q = store_query(s, e, "SELECT cell, mask, label, axes_json, run_id, state, reason FROM v_cell\n"
                                  "WHERE experiment_id = ? ORDER BY cell", "t", x->id.text);
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(x->cells, x->n_cells, capacity);
        struct cell *c = &x->cells[x->n_cells++];
        *c = (struct cell){.number = sqlite3_column_int(q, 0), .unfit = "was not measured", .mask = (uint32_t)sqlite3_column_int64(q, 1), .document = json_object()};
        store_id(q, 4, &c->run);
        c->axes_json = store_text(&x->arena, q, 3);
        json_columns(c->document, q, 0, "iitjttt",
                     (const char *const[]){"cell", "mask", "label", "axes", "run", "state", "reason", NULL});
        json_object_set_new(c->document, "factors", factors_on(x, c->mask));
        json_array_append_new(list, c->document);
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status fill_cell(struct store *s, struct cell *c, struct error *e) {
    json_t *identity = json_object();
    enum status status = run_identity(s, &c->run, identity, e);
    static const char *const kept[] = {"is_synthetic", "truncated_layers", "model", "dtype", "backend"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        json_object_set(c->document, kept[i], json_object_get(identity, kept[i]));
    json_decref(identity);
    if (status == STATUS_OK) status = run_series_read(s, &c->run, &c->series, e);
    if (status == STATUS_OK) status = run_metrics(s, &c->run, &c->series, c->document, e);
    if (status == STATUS_OK) status = run_findings(s, &c->run, c->document, e);
    c->unfit = run_unfit(c->document);
    return status;
}

/* ---- cells against the plain cell ---- */

static int same_axes(const struct cell *a, const struct cell *b) { return strcmp(a->axes_json, b->axes_json) == 0; }

static const struct cell *plain_of(const struct experiment *x, const struct cell *c) {
    for (int i = 0; i < x->n_cells; i++)
        if (x->cells[i].mask == 0 && same_axes(&x->cells[i], c)) return &x->cells[i];
    return NULL;
}

/* Comparisons with the plain cell. Of a run past its bound they stand apart, so that nobody takes them for its speed-up. */
static enum status put_versus(struct store *s, const struct experiment *x, struct cell *c, struct error *e) {
    const struct cell *plain = plain_of(x, c);
    json_t *versus = json_object(), *apart = json_object();
    json_object_set_new(c->document, "versus_plain", versus);
    json_object_set_new(c->document, "past_bound_versus_plain", apart);
    json_object_set_new(c->document, "quality_versus_plain", plain && plain != c ? quality_deltas(plain->document, c->document) : json_object());
    if (!plain || plain == c || plain->unfit || (c->unfit && c->unfit != run_past_bound)) return STATUS_OK;
    if (c->unfit) versus = apart;
    struct turns *turns = NULL;
    enum status status = turns_read(s, &plain->run, &c->run, &turns, e);
    for (int i = 0; i < MAIN_METRICS && status == STATUS_OK; i++) {
        struct compare_sides sides = {run_series_find(&plain->series, main_metrics[i]),
                                      run_series_find(&c->series, main_metrics[i]), 1, 0};
        enum verdict_kind kind;
        if (sides.a && sides.b) json_object_set_new(versus, main_metrics[i], compare_metric(&sides, turns, &kind));
    }
    turns_free(turns);
    return status;
}

/* ---- effects ---- */

static int receipt_engaged(const struct cell *c, const char *factor) {
    size_t index, n = strcspn(factor, "=");
    json_t *receipt;
    json_array_foreach(json_object_get(c->document, "receipts"), index, receipt) {
        const char *name = json_string_value(json_object_get(receipt, "optimizer"));
        const char *verdict = json_string_value(json_object_get(receipt, "verdict"));
        if (name && verdict && strlen(name) == n && strncmp(name, factor, n) == 0)
            return strcmp(verdict, "ENGAGED") == 0;
    }
    return 0;
}

static unsigned engaged_factors(const struct experiment *x, const struct cell *first) {
    unsigned out = 0;
    for (int f = 0; f < x->n_factors; f++) {
        int is_engaged = 1;
        for (int i = 0; i < x->n_cells; i++) {
            const struct cell *c = &x->cells[i];
            if (!c->unfit && same_axes(c, first) && c->mask >> f & 1)
                is_engaged &= receipt_engaged(c, x->factors[f]);
        }
        out |= (unsigned)is_engaged << f;
    }
    return out;
}

static struct response response_of(const struct experiment *x, const struct cell *first, const char *metric) {
    return (struct response){.metric = metric,
                             .axes = json_object_get(first->document, "axes"),
                             .n_factors = x->n_factors,
                             .factors = x->factors,
                             .engaged = engaged_factors(x, first)};
}

static void put_metric_effects(const struct experiment *x, const struct cell *first, const char *metric, json_t *d) {
    struct response r = response_of(x, first, metric);
    for (int i = 0; i < x->n_cells; i++) {
        const struct cell *c = &x->cells[i];
        const struct metric_series *m =
            !c->unfit && same_axes(c, first) ? run_series_find(&c->series, metric) : NULL;
        for (size_t p = 0; m && p < m->n; p++) response_add(&r, m->processes[p].block, c->mask, m->processes[p].median);
    }
    effects_append(&r, d);
    response_free(&r);
}

static int is_useful_cell(const struct experiment *x, int number) {
    for (int i = 0; i < x->n_cells; i++)
        if (x->cells[i].number == number) return !x->cells[i].unfit;
    return 0;
}

/* Stages come one after the other out of the query; each is a response of its own. */
static enum status put_stage_effects(struct store *s, const struct experiment *x, const struct cell *first, json_t *d,
                                     struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT stage, block, mask, value, cell FROM v_effect_input WHERE experiment_id = ? AND axes_json = ?\n"
        "AND metric = 'stage_ns' ORDER BY stage, block", "tt",
        x->id.text, first->axes_json);
    struct response r = response_of(x, first, "stage_ns");
    struct arena names = {0};
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        if (!is_useful_cell(x, sqlite3_column_int(q, 4))) continue;
        const char *stage = store_text(&names, q, 0);
        if (!r.stage || strcmp(stage, r.stage) != 0) {
            if (r.stage) effects_append(&r, d);
            response_free(&r);
            r = response_of(x, first, "stage_ns");
            r.stage = stage;
        }
        response_add(&r, sqlite3_column_int(q, 1), (uint32_t)sqlite3_column_int64(q, 2), sqlite3_column_double(q, 3));
    }
    if (row == 0 && r.stage) effects_append(&r, d);
    response_free(&r);
    arena_free(&names);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status put_effects(struct store *s, const struct experiment *x, json_t *d, struct error *e) {
    effects_begin(d);
    enum status status = STATUS_OK;
    if (x->n_factors < 1 || x->n_factors > EFFECTS_MAX_FACTORS) return STATUS_OK;
    for (int i = 0; i < x->n_cells && status == STATUS_OK; i++) {
        const struct cell *first = &x->cells[i];
        int is_first = 1;
        for (int j = 0; j < i; j++) is_first &= !same_axes(&x->cells[j], first);
        if (!is_first) continue;
        for (int m = 0; m < MAIN_METRICS; m++) put_metric_effects(x, first, main_metrics[m], d);
        status = put_stage_effects(s, x, first, d, e);
    }
    return status;
}

/* ---- the document ---- */

static enum status put_runs(struct store *s, const struct experiment *x, json_t *d, struct error *e) {
    json_t *list = json_array();
    json_object_set_new(d, "runs", list);
    enum status status = STATUS_OK;
    for (int i = 0; i < x->n_cells && status == STATUS_OK; i++) {
        json_t *run = NULL;
        if (*x->cells[i].run.text) status = document_run(s, &x->cells[i].run, &run, e);
        if (run) json_array_append_new(list, run);
    }
    return status;
}

static enum status read_all(struct store *s, struct experiment *x, json_t *d, struct error *e) {
    json_t *cells = json_array();
    enum status status = read_head(s, x, d, e);
    if (status == STATUS_OK) status = read_factors(s, x, d, e);
    json_object_set_new(d, "cells", cells);
    if (status == STATUS_OK) status = read_cells(s, x, cells, e);
    for (int i = 0; i < x->n_cells && status == STATUS_OK; i++)
        if (*x->cells[i].run.text) status = fill_cell(s, &x->cells[i], e);
    for (int i = 0; i < x->n_cells && status == STATUS_OK; i++) status = put_versus(s, x, &x->cells[i], e);
    return status;
}

enum status document_experiment(struct store *s, const struct id *experiment, int has_runs, json_t **out,
                                struct error *e) {
    struct experiment x = {.id = *experiment};
    json_t *d = json_pack("{s:s,s:i}", "format", "assay-experiment", "version", DOCUMENT_VERSION);
    enum status status = read_all(s, &x, d, e);
    if (status == STATUS_OK) status = put_effects(s, &x, d, e);
    if (status == STATUS_OK) status = experiment_rows(s, d, e);
    if (status == STATUS_OK && has_runs) status = put_runs(s, &x, d, e);
    for (int i = 0; i < x.n_cells; i++) run_series_free(&x.cells[i].series);
    mem_free(x.cells);
    mem_free(x.factors);
    arena_free(&x.arena);
    *out = status == STATUS_OK ? d : NULL;
    if (status != STATUS_OK) json_decref(d);
    return status;
}
