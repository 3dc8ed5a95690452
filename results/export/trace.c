/* trace.c: spans as Trace Event JSON, written as they are read. */
#include <stdlib.h>
#include <string.h>

#include "results/document/json.h"
#include "results/export/export.h"
#include "results/store/query.h"

struct trace {
    FILE *out;
    int n_events;
    /* the stage that is open on this unit's lane of stages */
    char *stage;
    int unit, step;
    int64_t start_ns, end_ns;
};

/* Events name their stage's lane 0; lane i of a unit is thread i + 1. */
enum { STAGE_THREAD = 0 };

static void begin_event(struct trace *t) { fputs(t->n_events++ ? ",\n" : "\n", t->out); }

static void put_text(FILE *out, const char *s) {
    json_t *value = json_text(s);
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    fputs(text ? text : "\"\"", out);
    free(text);
    json_decref(value);
}

/* Nanoseconds as microseconds, exactly. */
static void put_us(FILE *out, const char *name, int64_t ns) {
    int64_t whole = ns / 1000, rest = ns % 1000;
    fprintf(out, ",\"%s\":%s%lld.%03lld", name, ns < 0 && whole == 0 ? "-" : "", (long long)whole,
            (long long)(rest < 0 ? -rest : rest));
}

static void put_name(struct trace *t, const char *kind, int unit, int thread, const char *format, int number) {
    char name[64];
    snprintf(name, sizeof name, format, number);
    begin_event(t);
    fprintf(t->out, "{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%d,\"args\":{\"name\":\"%s\"}}", kind, unit,
            thread, name);
}

static void close_stage(struct trace *t, int64_t at_most_ns) {
    if (!t->stage) return;
    int64_t end = t->end_ns < at_most_ns ? t->end_ns : at_most_ns;
    begin_event(t);
    fputs("{\"ph\":\"X\",\"cat\":\"stage\",\"name\":", t->out);
    put_text(t->out, t->stage);
    put_us(t->out, "ts", t->start_ns);
    put_us(t->out, "dur", end - t->start_ns);
    fprintf(t->out, ",\"pid\":%d,\"tid\":%d,\"args\":{\"step\":%d}}", t->unit, STAGE_THREAD, t->step);
    mem_free(t->stage);
    t->stage = NULL;
}

struct span {
    const char *name, *category, *stage;
    int unit, lane, step;
    int64_t start_ns, duration_ns;
};

/* Spans come by unit and start: those of one stage and step that follow each other are one
 * event, and what has no stage (idle pieces) does not part them. */
static void extend_stage(struct trace *t, const struct span *s) {
    if (!s->stage) return;
    int64_t end = s->start_ns + s->duration_ns;
    int is_same = t->stage && t->unit == s->unit && t->step == s->step && strcmp(t->stage, s->stage) == 0;
    if (!is_same) {
        close_stage(t, t->unit == s->unit ? s->start_ns : INT64_MAX);
        t->stage = mem_copy_string(s->stage);
        t->unit = s->unit;
        t->step = s->step;
        t->start_ns = s->start_ns;
        t->end_ns = end;
    }
    if (end > t->end_ns) t->end_ns = end;
}

static void put_span(struct trace *t, const struct span *s) {
    begin_event(t);
    fputs("{\"ph\":\"X\",\"name\":", t->out);
    put_text(t->out, s->name);
    fputs(",\"cat\":", t->out);
    put_text(t->out, s->category ? s->category : "other");
    put_us(t->out, "ts", s->start_ns);
    put_us(t->out, "dur", s->duration_ns);
    fprintf(t->out, ",\"pid\":%d,\"tid\":%d,\"args\":{\"step\":%d", s->unit, s->lane + 1, s->step);
    if (s->stage) {
        fputs(",\"stage\":", t->out);
        put_text(t->out, s->stage);
    }
    fputs("}}", t->out);
}

static enum status put_names(struct store *s, const struct id *run, struct trace *t, struct error *e) {
    sqlite3_stmt *q = store_query(s, e, "SELECT DISTINCT unit, lane FROM v_span WHERE run_id = ? ORDER BY unit, lane",
                                  "t", run->text);
    int row = -1, unit = 0, n_units = 0;
    while (q && (row = store_next(s, q, e)) == 1) {
        if (n_units == 0 || sqlite3_column_int(q, 0) != unit) {
            unit = sqlite3_column_int(q, 0);
            n_units++;
            put_name(t, "process_name", unit, STAGE_THREAD, "unit %d", unit);
            put_name(t, "thread_name", unit, STAGE_THREAD, "stages", 0);
        }
        put_name(t, "thread_name", unit, sqlite3_column_int(q, 1) + 1, "lane %d", sqlite3_column_int(q, 1));
    }
    if (row == 0 && n_units == 0)
        return error_set(e, STATUS_INPUT, "run %.12s kept no spans to trace; measure with --profile 1 or more",
                         run->text);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

static enum status put_spans(struct store *s, const struct id *run, struct trace *t, struct error *e) {
    sqlite3_stmt *q = store_query(s, e,
        "SELECT name, category, stage, unit, lane, step, start_ns, duration_ns FROM v_span WHERE run_id = ?\n"
        "AND abs(start_ns) < 1e18 AND duration_ns BETWEEN 0 AND 1e18 ORDER BY unit, start_ns, span", "t", run->text);
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        struct span x = {name ? name : "",
                         (const char *)sqlite3_column_text(q, 1),
                         (const char *)sqlite3_column_text(q, 2),
                         sqlite3_column_int(q, 3),
                         sqlite3_column_int(q, 4),
                         sqlite3_column_int(q, 5),
                         sqlite3_column_int64(q, 6),
                         sqlite3_column_int64(q, 7)};
        put_span(t, &x);
        extend_stage(t, &x);
    }
    close_stage(t, INT64_MAX);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

enum status export_trace(struct store *s, const struct id *run, FILE *out, struct error *e) {
    struct trace t = {.out = out};
    fprintf(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"run\":\"%s\"},\"traceEvents\":[", run->text);
    enum status status = put_names(s, run, &t, e);
    if (status == STATUS_OK) status = put_spans(s, run, &t, e);
    fputs("\n]}\n", out);
    if (status == STATUS_OK && ferror(out)) status = error_set(e, STATUS_IO, "the trace cannot be written");
    return status;
}
