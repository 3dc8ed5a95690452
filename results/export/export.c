#include "results/export/export.h"

#include <string.h>

#include "results/export/csv.h"
#include "results/export/markdown.h"
#include "results/store/query.h"

enum status export_format_parse(const char *text, enum export_format *out, struct error *e) {
#define X(name, word) word,
    static const char *const names[] = {EXPORT_LIST(X)};
#undef X
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *out = (enum export_format)i;
        if (strcmp(names[i], text) == 0) return STATUS_OK;
    }
    return error_set(e, STATUS_INPUT, "'%s' is no format; choose csv, json, jsonl, md or trace", text);
}

static int write_json(const json_t *value, size_t flags, FILE *out) {
    int failed = json_dumpf(value, out, flags | JSON_REAL_PRECISION(15));
    fputc('\n', out);
    return failed;
}

static int write_lines(const json_t *document, FILE *out) {
    static const char *const lists[][2] = {{"assay-runs", "runs"}, {"assay-experiments", "experiments"}};
    const char *format = json_string_value(json_object_get(document, "format"));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (!format || strcmp(format, lists[i][0]) != 0) continue;
        size_t index;
        json_t *item;
        int failed = 0;
        json_array_foreach(json_object_get(document, lists[i][1]), index, item) failed |=
            write_json(item, JSON_COMPACT, out);
        return failed;
    }
    return write_json(document, JSON_COMPACT, out);
}

enum status export_document(const json_t *document, enum export_format format, FILE *out, struct error *e) {
    int failed = 0;
    switch (format) {
    case EXPORT_CSV: csv_document(document, out); break;
    case EXPORT_JSON: failed = write_json(document, JSON_INDENT(2), out); break;
    case EXPORT_JSONL: failed = write_lines(document, out); break;
    case EXPORT_MD: markdown_document(document, out); break;
    case EXPORT_TRACE: return error_set(e, STATUS_INPUT, "a trace is of one run: assay export RUN --format trace");
    }
    return failed || ferror(out) ? error_set(e, STATUS_IO, "the export cannot be written") : STATUS_OK;
}

static const char *number(char *buffer, size_t size, sqlite3_stmt *q, int column) {
    if (sqlite3_column_type(q, column) == SQLITE_NULL) return "";
    snprintf(buffer, size, "%.15g", sqlite3_column_double(q, column));
    return buffer;
}

enum status export_samples(struct store *s, const struct id *run, FILE *out, struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT m.run_id, r.label, m.block, m.phase, m.sample, m.metric, m.position, m.value\n"
        "FROM v_metric_sample m JOIN v_run r USING (run_id) WHERE m.run_id = ?\n"
        "ORDER BY m.process_id, m.phase, m.sample, m.metric, m.position", "t", run->text);
    if (!q) return STATUS_STORE;
    fputs("run,label,block,phase,sample,metric,position,value\r\n", out);
    int row;
    while ((row = store_next(s, q, e)) == 1) {
        char buffer[40];
        for (int i = 0; i < 7; i++) {
            const char *text = (const char *)sqlite3_column_text(q, i);
            csv_field(out, i == 0, text ? text : "");
        }
        csv_field(out, 0, number(buffer, sizeof buffer, q, 7));
        csv_end(out);
    }
    if (row < 0) return STATUS_STORE;
    return ferror(out) ? error_set(e, STATUS_IO, "the samples cannot be written") : STATUS_OK;
}
