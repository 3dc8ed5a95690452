/* rows.c: what a suite compares: an entry of ours against the best of others, round by round. */
#include <math.h>
#include <string.h>

#include "results/document/document.h"
#include "results/document/json.h"
#include "results/document/sections.h"
#include "results/stats/descriptive.h"
#include "results/stats/paired.h"
#include "results/store/query.h"

static const double confidence = 0.95; /* as of effects: over blocks */

struct side {
    const json_t *cell;          /* of the document's "cells"; NULL: the experiment has no such entry */
    double *values;              /* (n_rounds) NAN where a round has none */
    double *present;             /* (n) those that are there, sorted */
    size_t n;
    double median;               /* NAN where n is 0 */
};

struct row {
    const json_t *asked;         /* title, metric, ours, against, at_least */
    const char *metric;
    size_t n_rounds;
    struct side ours, *peers;
    size_t n_peers;
};

static const char *text_of(const json_t *o, const char *name) {
    const char *text = json_string_value(json_object_get(o, name));
    return text ? text : "";
}

/* ---- values ---- */

static const json_t *find_cell(const json_t *cells, const char *label) {
    size_t i;
    json_t *cell;
    json_array_foreach(cells, i, cell)
        if (strcmp(text_of(cell, "label"), label) == 0) return cell;
    return NULL;
}

/* The process is the unit: one number a round. The time to the first token is a fact of the process, not of a sample. */
static enum status read_values(struct store *s, const struct row *r, struct side *x, struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT block, median FROM v_process_metric WHERE run_id = ?1 AND metric = ?2\n"
        "UNION ALL SELECT block, first_token_ns FROM v_process\n"
        "WHERE run_id = ?1 AND ?2 = 'first_token_ns' AND state <> 'abandoned' AND first_token_ns > 0", "tt", text_of(x->cell, "run"), r->metric);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        int block = sqlite3_column_int(q, 0);
        if (block >= 0 && (size_t)block < r->n_rounds) x->values[block] = store_real(q, 1);
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status read_side(struct store *s, const struct row *r, const json_t *cells, const char *label, struct side *x, struct error *e) {
    x->cell = find_cell(cells, label);
    x->values = mem_alloc(r->n_rounds * sizeof *x->values);
    x->present = mem_alloc(r->n_rounds * sizeof *x->present);
    for (size_t i = 0; i < r->n_rounds; i++) x->values[i] = NAN;
    enum status st = run_unfit(x->cell) ? STATUS_OK : read_values(s, r, x, e);
    for (size_t i = 0; i < r->n_rounds; i++)
        if (x->values[i] > 0) x->present[x->n++] = x->values[i];
    sample_sort(x->present, x->n);
    x->median = sample_median(x->present, x->n);
    return st;
}

static void side_free(struct side *x) {
    mem_free(x->values);
    mem_free(x->present);
}

/* ---- arithmetic ---- */

/* Above 1: ours is better, whichever way the metric goes. */
static struct paired_ratio ratio_to(const struct row *r, const struct side *peer) {
    int turns = metric_is_better_low(r->metric);
    return paired_ratio(turns ? peer->values : r->ours.values, turns ? r->ours.values : peer->values, r->n_rounds, confidence);
}

/* By its median over the rounds that it has; NULL where no peer has one. */
static const struct side *best_peer(const struct row *r) {
    const struct side *best = NULL;
    for (size_t i = 0; i < r->n_peers; i++) {
        const struct side *x = &r->peers[i];
        int is_better = best && (metric_is_better_low(r->metric) ? x->median < best->median : x->median > best->median);
        if (x->n && (!best || is_better)) best = x;
    }
    return best;
}

/* ---- the document ---- */

static json_t *ratio_json(const struct paired_ratio *x) {
    if (x->n == 0) return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "median", json_number(x->median), "lowest", json_number(x->lowest), "highest", json_number(x->highest),
                     "low", json_number(x->low), "high", json_number(x->high), "rounds", (json_int_t)x->n);
}

static json_t *side_json(const struct row *r, const struct side *x, const char *label) {
    static const char *const kept[] = {"run", "state", "reason", "model", "dtype", "backend", "is_synthetic", "truncated_layers", "is_past_bound"};
    json_t *o = json_pack("{s:s, s:o, s:o, s:o, s:I}", "entry", label, "median", json_number(x->median), "lowest", json_number(x->n ? x->present[0] : NAN), "highest",
                          json_number(x->n ? x->present[x->n - 1] : NAN), "rounds", (json_int_t)x->n);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        json_t *value = json_object_get(x->cell, kept[i]);
        json_object_set_new(o, kept[i], value ? json_incref(value) : json_null());
    }
    if (x == &r->ours) return o;
    struct paired_ratio ratio = ratio_to(r, x);
    json_object_set_new(o, "ratio", ratio_json(&ratio));
    return o;
}

/* Whether the ratio reaches what was asked for; NULL where nothing was. */
static const char *verdict_of(const struct paired_ratio *x, double at_least, const char **reason) {
    *reason = "";
    if (x->n == 0) *reason = "no round has a value of ours and of the best peer";
    if (!(at_least > 0)) return NULL;
    if (x->n == 0) return "inconclusive";
    if (x->n == 1) return *reason = "one round has no interval: use more rounds", "inconclusive";
    if (x->low >= at_least) return "met";
    if (x->high < at_least) return "short";
    return *reason = "the interval holds what is to be reached: use more rounds, or a quieter machine", "inconclusive";
}

static json_t *row_json(const struct row *r) {
    const json_t *against = json_object_get(r->asked, "against"), *at_least = json_object_get(r->asked, "at_least");
    const struct side *best = best_peer(r);
    struct paired_ratio ratio = best ? ratio_to(r, best) : (struct paired_ratio){.n = 0};
    const char *reason, *verdict = verdict_of(&ratio, json_number_value(at_least), &reason);
    json_t *peers = json_array();
    for (size_t i = 0; i < r->n_peers; i++) json_array_append_new(peers, side_json(r, &r->peers[i], json_string_value(json_array_get(against, i))));
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:f}", "title", text_of(r->asked, "title"), "metric", r->metric, "unit", metric_unit(r->metric),
                     "at_least", json_is_number(at_least) ? json_real(json_number_value(at_least)) : json_null(), "ours", side_json(r, &r->ours, text_of(r->asked, "ours")),
                     "peers", peers, "best", best ? json_text(text_of(best->cell, "label")) : json_null(), "ratio", ratio_json(&ratio), "verdict", json_text(verdict),
                     "reason", reason, "confidence", confidence);
}

static enum status add_row(struct store *s, const json_t *asked, const json_t *d, json_t *out, struct error *e) {
    const json_t *cells = json_object_get(d, "cells"), *against = json_object_get(asked, "against");
    json_int_t rounds = json_integer_value(json_object_get(d, "n_blocks"));
    struct row r = {.asked = asked, .metric = text_of(asked, "metric"), .n_rounds = rounds > 0 ? (size_t)rounds : 0, .n_peers = json_array_size(against)};
    r.peers = mem_alloc(r.n_peers * sizeof *r.peers);
    enum status st = read_side(s, &r, cells, text_of(asked, "ours"), &r.ours, e);
    for (size_t i = 0; i < r.n_peers && st == STATUS_OK; i++) {
        const char *label = json_string_value(json_array_get(against, i));
        st = read_side(s, &r, cells, label ? label : "", &r.peers[i], e);
    }
    if (st == STATUS_OK) json_array_append_new(out, row_json(&r));
    side_free(&r.ours);
    for (size_t i = 0; i < r.n_peers; i++) side_free(&r.peers[i]);
    mem_free(r.peers);
    return st;
}

enum status experiment_rows(struct store *s, json_t *d, struct error *e) {
    json_t *asked = json_object_get(json_object_get(d, "spec"), "rows"), *row, *out = json_array();
    size_t i;
    enum status st = STATUS_OK;
    json_object_set_new(d, "rows", out);
    json_array_foreach(asked, i, row)
        if (st == STATUS_OK) st = add_row(s, row, d, out, e);
    return st;
}
