#include "results/export/csv.h"

#include <stdlib.h>
#include <string.h>

#include "results/export/human.h"

void csv_field(FILE *out, int is_first, const char *text) {
    if (!is_first) fputc(',', out);
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

void csv_json(FILE *out, int is_first, const json_t *value) {
    if (json_is_string(value)) {
        csv_field(out, is_first, json_string_value(value));
        return;
    }
    char *text = !value || json_is_null(value) ? NULL
        : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    csv_field(out, is_first, text ? text : "");
    free(text);
}

void csv_end(FILE *out) { fputs("\r\n", out); }

static void header(FILE *out, const char *const *names, int is_first) {
    for (; *names; names++, is_first = 0) csv_field(out, is_first, *names);
}

static void fields(FILE *out, const json_t *object, const char *const *names, int is_first) {
    for (; *names; names++, is_first = 0) csv_json(out, is_first, json_object_get(object, *names));
}

/* ---- documents ---- */

static const char *const run_names[] = {"id", "label", "model", "dtype", "backend", "state", "is_synthetic",
                                        "truncated_layers", NULL};
static const char *const cell_names[] = {"run", "label", "model", "dtype", "backend", "state", "is_synthetic",
                                         "truncated_layers", NULL};
static const char *const quality_names[] = {"fidelity", "is_past_bound", NULL};
static const char *const metric_names[] = {"unit", "median", "low", "high", "p90", "p99", "samples", "processes",
                                           "interval_of", NULL};
static const char *const verdict_names[] = {"verdict", "ratio", "low", "high", "detectable", NULL};

/* What stands beside every metric of a run, so that no speed is read without it. */
static void put_fidelity(FILE *out, const json_t *owner) {
    csv_field(out, 0, json_field_text(json_object_get(owner, "fidelity"), "class"));
    csv_json(out, 0, json_object_get(owner, "is_past_bound"));
}

/* A row a metric, then a row a quality: its value as median, and how far it is from the plain cell's. */
static void metric_rows(FILE *out, const json_t *owner, const char *const *owner_names, int has_verdict) {
    const char *metric;
    json_t *value;
    json_object_foreach(json_object_get(owner, "metrics"), metric, value) {
        fields(out, owner, owner_names, 1);
        csv_field(out, 0, metric);
        fields(out, value, metric_names, 0);
        if (has_verdict) fields(out, json_object_get(json_object_get(owner, "versus_plain"), metric), verdict_names, 0);
        put_fidelity(out, owner);
        if (has_verdict) csv_field(out, 0, "");
        csv_end(out);
    }
    json_object_foreach(json_object_get(owner, "quality"), metric, value) {
        json_t *row = json_pack("{s:O?,s:O?,s:O?}", "unit", json_object_get(value, "unit"), "median", json_object_get(value, "value"), "samples", json_object_get(value, "n"));
        fields(out, owner, owner_names, 1);
        csv_field(out, 0, metric);
        fields(out, row, metric_names, 0);
        if (has_verdict) fields(out, NULL, verdict_names, 0);
        put_fidelity(out, owner);
        if (has_verdict) csv_json(out, 0, json_object_get(json_object_get(json_object_get(owner, "quality_versus_plain"), metric), "delta"));
        csv_end(out);
        json_decref(row);
    }
}

static void run_rows(const json_t *d, FILE *out) {
    header(out, (const char *const[]){"run", NULL}, 1);
    header(out, run_names + 1, 0);
    header(out, (const char *const[]){"metric", NULL}, 0);
    header(out, metric_names, 0);
    header(out, quality_names, 0);
    csv_end(out);
    metric_rows(out, d, run_names, 0);
}

/* A line a side: ours, then its peers, each with the ratio of ours to it. */
static void side_rows(const json_t *row, const json_t *side, const char *role, FILE *out) {
    static const char *const row_names[] = {"title", "metric", "unit", NULL}, *const verdict_of_row[] = {"at_least", "verdict", NULL};
    static const char *const side_names[] = {"entry", "run", "state", "median", "lowest", "highest", "rounds", NULL};
    static const char *const ratio_names[] = {"median", "lowest", "highest", "low", "high", "rounds", NULL};
    fields(out, row, row_names, 1);
    csv_field(out, 0, role);
    fields(out, side, side_names, 0);
    fields(out, json_object_get(side, "ratio"), ratio_names, 0);
    fields(out, row, verdict_of_row, 0);
    csv_end(out);
}

static void suite_rows(const json_t *d, FILE *out) {
    size_t i, k;
    json_t *row, *peer;
    header(out, (const char *const[]){"title", "metric", "unit", "role", "entry", "run", "state", "median", "lowest", "highest", "rounds", "ratio", "ratio_lowest",
                                      "ratio_highest", "ratio_low", "ratio_high", "ratio_rounds", "at_least", "verdict", NULL}, 1);
    csv_end(out);
    json_array_foreach(json_object_get(d, "rows"), i, row) {
        side_rows(row, json_object_get(row, "ours"), "ours", out);
        json_array_foreach(json_object_get(row, "peers"), k, peer)
            side_rows(row, peer, strcmp(json_field_text(peer, "entry"), json_field_text(row, "best")) == 0 ? "best" : "peer", out);
    }
}

static void experiment_rows(const json_t *d, FILE *out) {
    size_t index;
    json_t *cell;
    header(out, cell_names, 1);
    header(out, (const char *const[]){"metric", NULL}, 0);
    header(out, metric_names, 0);
    header(out, (const char *const[]){"verdict", "ratio", "ratio_low", "ratio_high", "detectable", NULL}, 0);
    header(out, quality_names, 0);
    header(out, (const char *const[]){"delta", NULL}, 0);
    csv_end(out);
    json_array_foreach(json_object_get(d, "cells"), index, cell) metric_rows(out, cell, cell_names, 1);
}

static void comparison_rows(const json_t *d, FILE *out) {
    static const char *const names[] = {"unit", "a_median", "b_median", "verdict", "ratio", "low", "high", "detectable",
                                        "pairing", "blocks", "reason", "delta", NULL};
    header(out, (const char *const[]){"a", "b", "metric", NULL}, 1);
    header(out, names, 0);
    csv_end(out);
    const char *metric;
    json_t *value;
    json_object_foreach(json_object_get(d, "metrics"), metric, value) {
        csv_field(out, 1, json_field_text(json_object_get(d, "a"), "id"));
        csv_field(out, 0, json_field_text(json_object_get(d, "b"), "id"));
        csv_field(out, 0, metric);
        fields(out, value, names, 0);
        csv_end(out);
    }
    json_object_foreach(json_object_get(d, "quality"), metric, value) {
        json_t *row = json_pack("{s:O?,s:O?,s:O?,s:O?}", "unit", json_object_get(value, "unit"), "a_median", json_object_get(value, "a"), "b_median",
                                json_object_get(value, "b"), "delta", json_object_get(value, "delta"));
        csv_field(out, 1, json_field_text(json_object_get(d, "a"), "id"));
        csv_field(out, 0, json_field_text(json_object_get(d, "b"), "id"));
        csv_field(out, 0, metric);
        fields(out, row, names, 0);
        csv_end(out);
        json_decref(row);
    }
}

/* A list: columns are the fields of its first item. */
static void list_rows(const json_t *list, FILE *out) {
    size_t index;
    json_t *item, *value;
    const char *name;
    json_array_foreach(list, index, item) {
        int is_first = 1;
        if (index == 0) {
            json_object_foreach(item, name, value) {
                csv_field(out, is_first, name);
                is_first = 0;
            }
            csv_end(out);
            is_first = 1;
        }
        json_object_foreach(item, name, value) {
            csv_json(out, is_first, value);
            is_first = 0;
        }
        csv_end(out);
    }
}

void csv_document(const json_t *d, FILE *out) {
    const char *format = json_field_text(d, "format");
    if (strcmp(format, "assay-run") == 0) run_rows(d, out);
    else if (json_array_size(json_object_get(d, "rows"))) suite_rows(d, out);
    else if (strcmp(format, "assay-experiment") == 0) experiment_rows(d, out);
    else if (strcmp(format, "assay-comparison") == 0) comparison_rows(d, out);
    else if (strcmp(format, "assay-runs") == 0) list_rows(json_object_get(d, "runs"), out);
    else if (strcmp(format, "assay-experiments") == 0) list_rows(json_object_get(d, "experiments"), out);
    else list_rows(json_object_get(d, "ceilings"), out);
}
