/* compare.c: two runs, refused where they cannot be compared. */
#include <string.h>

#include "results/document/document.h"
#include "results/document/json.h"
#include "results/document/sections.h"

struct side {
    json_t *document;            /* identity, metrics, findings */
    struct run_series series;
};

static enum status side_read(struct store *s, const struct id *run, struct side *out, struct error *e) {
    *out = (struct side){.document = json_object()};
    enum status status = run_identity(s, run, out->document, e);
    if (status == STATUS_OK) status = run_series_read(s, run, &out->series, e);
    if (status == STATUS_OK) status = run_metrics(s, run, &out->series, out->document, e);
    return status == STATUS_OK ? run_findings(s, run, out->document, e) : status;
}

static void side_free(struct side *s) {
    json_decref(s->document);
    run_series_free(&s->series);
}

static const char *field(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* ---- may they be compared? ---- */

static int is_listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ",")) {
        p += strspn(p, ", ");
        size_t length = strcspn(p, ", ");
        if (length == n && strncmp(p, name, n) == 0) return 1;
    }
    return 0;
}

static void append_value(struct text *out, const json_t *value) {
    char *words = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    text_append(out, "%.60s", words ? words : "nothing");
    mem_free(words);
}

static void add_difference(json_t *list, struct text *refused, const char *across, const char *fact,
                           json_t *const value[2]) {
    int is_asked = is_listed(across, fact);
    json_array_append_new(list, json_pack("{s:o,s:O?,s:O?,s:b}", "fact", json_text(fact), "a", value[0], "b", value[1],
                                          "is_asked", is_asked));
    if (is_asked) return;
    text_append(refused, "%s%s (", refused->length ? ", " : "", fact);
    append_value(refused, value[0]);
    text_append(refused, " against ");
    append_value(refused, value[1]);
    text_append(refused, ")");
}

/* Facts of either side that differ, into `list`; those that nobody asked for, in words, into `refused`. None where
 * they cannot be read. */
static void find_differences(const struct side sides[2], const char *across, json_t *list, struct text *refused) {
    json_t *facts[2], *value;
    const char *fact;
    for (int i = 0; i < 2; i++)
        facts[i] = json_object_get(json_object_get(sides[i].document, "comparability"), "facts");
    if (!json_is_object(facts[0]) || !json_is_object(facts[1])) return;
    json_object_foreach(facts[0], fact, value) {
        json_t *other = json_object_get(facts[1], fact);
        if (!other || !json_equal(value, other))
            add_difference(list, refused, across, fact, (json_t *const[]){value, other});
    }
    json_object_foreach(facts[1], fact, value)
        if (!json_object_get(facts[0], fact))
            add_difference(list, refused, across, fact, (json_t *const[]){NULL, value});
}

static enum status check_comparable(const struct side sides[2], const char *across, json_t *list, struct error *e) {
    const json_t *a = json_object_get(sides[0].document, "comparability"),
                 *b = json_object_get(sides[1].document, "comparability");
    if (strcmp(field(a, "key"), field(b, "key")) == 0) return STATUS_OK;
    struct text refused = {0};
    find_differences(sides, across, list, &refused);
    enum status status = STATUS_OK;
    if (refused.length)
        status = error_set(e, STATUS_INPUT, "runs %.12s and %.12s cannot be compared: they differ in %.700s; where a "
            "difference is what you ask about, name it with --across", field(sides[0].document, "id"),
            field(sides[1].document, "id"), refused.data);
    else if (json_array_size(list) == 0)
        status = error_set(e, STATUS_INPUT, "runs %.12s and %.12s cannot be compared: their comparability keys differ",
                           field(sides[0].document, "id"), field(sides[1].document, "id"));
    text_free(&refused);
    return status;
}

/* ---- what the comparison says ---- */

static json_t *side_json(const struct side *side) {
    static const char *const kept[] = {"id", "experiment", "name", "cell", "label", "model", "dtype", "state", "reason",
                                       "is_synthetic", "truncated_layers", "receipts", "fidelity", "is_past_bound",
                                       "quality"};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        json_object_set(out, kept[i], json_object_get(side->document, kept[i]));
    return out;
}

static json_t *metric_json(const struct side sides[2], const char *metric, const struct turns *turns, double margin,
                           enum verdict_kind *kind) {
    struct compare_sides s = {run_series_find(&sides[0].series, metric), run_series_find(&sides[1].series, metric), 0,
                              margin};
    s.is_paired = strcmp(field(sides[0].document, "experiment"), field(sides[1].document, "experiment")) == 0;
    json_t *out = compare_metric(&s, turns, kind);
    const char *const names[] = {"a_median", "b_median"};
    for (int i = 0; i < 2; i++) {
        const json_t *metrics = json_object_get(sides[i].document, "metrics");
        json_object_set(out, names[i], json_object_get(json_object_get(metrics, metric), "median"));
        const char *unfit = run_unfit(sides[i].document);
        if (!unfit) continue;
        static const char *const judged[] = {"ratio", "low", "high", "detectable"};
        for (size_t k = 0; k < sizeof judged / sizeof *judged; k++) json_object_set_new(out, judged[k], json_null());
        *kind = VERDICT_INCONCLUSIVE;
        json_object_set_new(out, "verdict", json_string(verdict_name(*kind)));
        json_object_set_new(
            out, "reason",
            json_sprintf("run %.12s %s: its numbers decide nothing", field(sides[i].document, "id"), unfit));
    }
    json_object_set_new(out, "unit", json_string(metric_unit(metric)));
    return out;
}

static json_t *warnings_json(const struct side sides[2]) {
    json_t *out = json_array();
    for (int i = 0; i < 2; i++) {
        const json_t *d = sides[i].document;
        const char *state = field(d, "state");
        if (strcmp(state, "ok") != 0)
            json_array_append_new(out, json_sprintf("run %.12s is %s: %s", field(d, "id"), state, field(d, "reason")));
        if (json_is_true(json_object_get(d, "is_past_bound")))
            json_array_append_new(out, json_sprintf("run %.12s is past its fidelity bound, so that it has no speed-up", field(d, "id")));
        if (json_is_true(json_object_get(d, "is_synthetic")))
            json_array_append_new(out, json_sprintf("run %.12s has synthetic weights", field(d, "id")));
        size_t index;
        json_t *receipt;
        json_array_foreach(json_object_get(d, "receipts"), index,
                           receipt) if (strcmp(field(receipt, "verdict"), "ENGAGED") != 0)
            json_array_append_new(out,
                                  json_sprintf("run %.12s: %s is %s, so that no speed-up is its own", field(d, "id"),
                                               field(receipt, "optimizer"), field(receipt, "verdict")));
    }
    return out;
}

static enum status build(const struct side sides[2], const struct turns *turns, const struct compare_options *o,
                         json_t *out, enum verdict_kind *verdict, struct error *e) {
    const char *metric = o->metric ? o->metric : "e2e_ns";
    json_t *metrics = json_object(), *main_metric = NULL;
    for (size_t i = 0; i < sides[0].series.n; i++) {
        const char *name = sides[0].series.metrics[i].metric;
        enum verdict_kind kind;
        if (!run_series_find(&sides[1].series, name)) continue;
        json_object_set_new(metrics, name, metric_json(sides, name, turns, o->margin, &kind));
        if (strcmp(name, metric) != 0) continue;
        *verdict = kind;
        main_metric = json_object_get(metrics, name);
    }
    enum status status = STATUS_OK;
    if (!main_metric)
        status = error_set(e, STATUS_INPUT,
                           "runs %.12s and %.12s have no timed samples of '%s' in common; choose another --metric "
                           "(assay show lists them)",
                           field(sides[0].document, "id"), field(sides[1].document, "id"), metric);
    json_object_update(out, main_metric);
    json_object_set_new(out, "metrics", metrics);
    json_object_set_new(out, "quality", quality_deltas(sides[0].document, sides[1].document));
    json_object_set_new(out, "warnings", warnings_json(sides));
    return status;
}

enum status document_compare(struct store *s, const struct id *a, const struct id *b, const struct compare_options *o,
                             enum verdict_kind *verdict, json_t **out, struct error *e) {
    *out = NULL;
    if (strcmp(a->text, b->text) == 0)
        return error_set(e, STATUS_INPUT, "run %.12s cannot be compared with itself; name two runs", a->text);
    struct side sides[2] = {{0}, {0}};
    struct turns *turns = NULL;
    json_t *differing = json_array();
    enum status status = side_read(s, a, &sides[0], e);
    if (status == STATUS_OK) status = side_read(s, b, &sides[1], e);
    if (status == STATUS_OK) status = check_comparable(sides, o->across, differing, e);
    if (status == STATUS_OK) status = turns_read(s, a, b, &turns, e);
    json_t *d = json_pack("{s:s,s:i,s:s,s:o,s:o,s:o}", "format", "assay-comparison", "version", DOCUMENT_VERSION,
                          "metric", o->metric ? o->metric : "e2e_ns", "a", side_json(&sides[0]), "b",
                          side_json(&sides[1]), "differing", differing);
    if (status == STATUS_OK) status = build(sides, turns, o, d, verdict, e);
    if (status == STATUS_OK) *out = d;
    else json_decref(d);
    turns_free(turns);
    side_free(&sides[0]);
    side_free(&sides[1]);
    return status;
}
