/* markdown.c: a run, and the lists. */
#include "results/export/markdown.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/export/human.h"

enum { MAX_COLUMNS = 24, TEXT_CHARS = 400 };

/* ---- tables ---- */

static void put_cell(FILE *out, const char *s) {
    fputs(" ", out);
    if (!*s) fputs("–", out);
    for (; *s; s++) {
        if (*s == '|') fputs("\\|", out);
        else fputc((unsigned char)*s < ' ' ? ' ' : *s, out);
    }
    fputs(" |", out);
}

void md_row(FILE *out, const char *const *cells) {
    fputc('|', out);
    for (; *cells; cells++) put_cell(out, *cells);
    fputc('\n', out);
}

void md_header(FILE *out, const char *note, int is_numeric, const char *const *cells) {
    char *first = mem_printf("%s%s", cells[0], note);
    fputs("\n|", out);
    put_cell(out, first);
    mem_free(first);
    int n = 1;
    for (; cells[n]; n++) put_cell(out, cells[n]);
    fputs("\n|", out);
    for (int i = 0; i < n; i++) fputs(i && is_numeric ? "---:|" : "---|", out);
    fputc('\n', out);
}

struct md_note md_note_of(const json_t *run) {
    struct md_note out = {""};
    int is_synthetic = json_is_true(json_object_get(run, "is_synthetic"));
    json_int_t layers = json_integer_value(json_object_get(run, "truncated_layers"));
    char cut[40] = "";
    if (layers > 0) snprintf(cut, sizeof cut, "cut to %lld layers", (long long)layers);
    if (is_synthetic || layers > 0)
        snprintf(out.text, sizeof out.text, " (%s%s%s)", is_synthetic ? "synthetic weights" : "",
                 is_synthetic && layers > 0 ? ", " : "", cut);
    return out;
}

/* ---- sections of a run ---- */

static void put_summary(const json_t *d, const char *note, FILE *out) {
    static const char *const fields[][2] = {{"state", "state"},      {"reason", "reason"}, {"model", "model"},
                                            {"backend", "backend"},  {"dtype", "type"},    {"scenario", "scenario"},
                                            {"created", "measured"}, {"id", "run"}};
    fprintf(out, "# %s: %s, %s\n", json_field_text(d, "workload"), json_field_text(d, "model"),
            json_field_text(d, "label"));
    md_header(out, note, 0, MD_CELLS("fact", "value"));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (*json_field_text(d, fields[i][0])) md_row(out, MD_CELLS(fields[i][1], json_field_text(d, fields[i][0])));
}

static void put_metrics(const json_t *d, const char *note, FILE *out) {
    const char *name;
    json_t *m;
    if (json_object_size(json_object_get(d, "metrics")) == 0) return;
    md_header(out, note, 1, MD_CELLS("metric", "median", "95 % interval", "of", "p90", "p99", "samples", "processes"));
    json_object_foreach(json_object_get(d, "metrics"), name, m) {
        const char *unit = json_field_text(m, "unit");
        double median = json_field(m, "median");
        md_row(out, MD_CELLS(name, human_value(median, unit).text,
                             human_interval(json_field(m, "low"), json_field(m, "high"), median, unit).text,
                             json_field_text(m, "interval_of"), human_value(json_field(m, "p90"), unit).text,
                             human_value(json_field(m, "p99"), unit).text, human_count(json_field(m, "samples")).text,
                             human_count(json_field(m, "processes")).text));
    }
}

/* ---- the ledger: stages down, categories across ---- */

struct names {
    const char *items[MAX_COLUMNS];
    int n;
};

/* Its index; -1 where there is no room for one more. */
static int name_index(struct names *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->items[i], name) == 0) return i;
    if (l->n == MAX_COLUMNS) return -1;
    l->items[l->n] = name;
    return l->n++;
}

/* Rows are the longest stages in their own order, then one for all that are shorter, then one for everything. */
enum { MAX_STAGES = MAX_COLUMNS, ROW_REST = MAX_STAGES, ROW_ALL, N_ROWS };

struct matrix {
    struct names stages, categories;
    int n_rest;                             /* stages that are not among the rows */
    double ns[N_ROWS][MAX_COLUMNS];
};

static int falling(const void *a, const void *b) { return (*(const double *)a < *(const double *)b) - (*(const double *)a > *(const double *)b); }

/* Time by stage, in the order in which they come. */
static json_t *stage_totals(const json_t *lines, const char *unit) {
    json_t *totals = json_object(), *line;
    size_t index;
    json_array_foreach(lines, index, line) {
        const char *stage = json_field_text(line, "stage");
        double ns = json_field(line, "ns"), before = json_number_value(json_object_get(totals, stage));
        if (strcmp(json_field_text(line, "unit"), unit) == 0) json_object_set_new(totals, stage, json_real(before + (isfinite(ns) ? ns : 0)));
    }
    return totals;
}

/* The time from which on a stage has a row of its own. */
static double least_shown(json_t *totals) {
    size_t n = json_object_size(totals), i = 0;
    double *sorted = mem_alloc(n * sizeof *sorted), least = -INFINITY;
    const char *stage;
    json_t *total;
    json_object_foreach(totals, stage, total) sorted[i++] = json_real_value(total);
    qsort(sorted, n, sizeof *sorted, falling);
    if (n > MAX_STAGES) least = sorted[MAX_STAGES - 1];
    mem_free(sorted);
    return least;
}

static void choose_stages(const json_t *lines, const char *unit, struct matrix *m) {
    json_t *totals = stage_totals(lines, unit), *line;
    double least = least_shown(totals);
    size_t index;
    json_array_foreach(lines, index, line) {
        const char *stage = json_field_text(line, "stage");
        if (strcmp(json_field_text(line, "unit"), unit) == 0 && json_real_value(json_object_get(totals, stage)) >= least) name_index(&m->stages, stage);
    }
    m->n_rest = (int)json_object_size(totals) - m->stages.n;
    json_decref(totals);
}

static int find_name(const struct names *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->items[i], name) == 0) return i;
    return -1;
}

static void fill_matrix(const json_t *lines, const char *unit, struct matrix *m) {
    size_t index;
    json_t *line;
    choose_stages(lines, unit, m);
    json_array_foreach(lines, index, line) {
        if (strcmp(json_field_text(line, "unit"), unit) != 0) continue;
        int s = find_name(&m->stages, json_field_text(line, "stage"));
        int c = name_index(&m->categories, json_field_text(line, "category"));
        double ns = json_field(line, "ns");
        if (c < 0 || !isfinite(ns)) continue;
        m->ns[s < 0 ? ROW_REST : s][c] += ns;
        m->ns[ROW_ALL][c] += ns;
    }
}

/* Rows without time have no place, but for the residual of everything: that it is 0 is a result. */
static void put_matrix_row(const struct matrix *m, int row, const char *name, double wall_ns, FILE *out) {
    const char *cells[MAX_COLUMNS + 4] = {name};
    struct human text[MAX_COLUMNS];
    double total = 0;
    for (int c = 0; c < m->categories.n; c++) {
        int is_shown = m->ns[row][c] > 0 || (row == ROW_ALL && strcmp(m->categories.items[c], "residual") == 0);
        total += m->ns[row][c];
        text[c] = human_value(is_shown ? m->ns[row][c] : NAN, "ns");
        cells[3 + c] = text[c].text;
    }
    struct human time = human_value(total, "ns"), share = human_percent(total / wall_ns);
    cells[1] = time.text;
    cells[2] = share.text;
    if (total > 0) md_row(out, cells);
}

static void put_matrix(const struct matrix *m, const char *unit, const char *note, double wall_ns, FILE *out) {
    const char *cells[MAX_COLUMNS + 4] = {unit, "time", "share"};
    char rest[48];
    for (int c = 0; c < m->categories.n; c++) cells[3 + c] = m->categories.items[c];
    md_header(out, note, 1, cells);
    for (int s = 0; s < m->stages.n; s++) put_matrix_row(m, s, *m->stages.items[s] ? m->stages.items[s] : "(no stage)", wall_ns, out);
    snprintf(rest, sizeof rest, "(%d shorter stages)", m->n_rest);
    put_matrix_row(m, ROW_REST, rest, wall_ns, out);
    put_matrix_row(m, ROW_ALL, "(all)", wall_ns, out);
}

static void put_ceilings(const json_t *lines, const char *note, FILE *out) {
    size_t index;
    json_t *line;
    md_header(out, note, 1,
              MD_CELLS("stage and category", "time", "share", "work", "traffic", "of the ceiling", "which"));
    json_array_foreach(lines, index, line) {
        if (!(json_field(line, "ceiling_share") >= 0)) continue;
        const char *stage = json_field_text(line, "stage");
        char *name = mem_printf("%s%s%s", stage, *stage ? " " : "", json_field_text(line, "category"));
        md_row(out, MD_CELLS(name, human_value(json_field(line, "ns"), "ns").text,
                             human_percent(json_field(line, "share")).text,
                             human_value(json_field(line, "flop"), "flop").text,
                             human_value(json_field(line, "bytes"), "bytes").text,
                             human_percent(json_field(line, "ceiling_share")).text, json_field_text(line, "ceiling")));
        mem_free(name);
    }
}

static void put_ledger(const json_t *d, const char *note, FILE *out) {
    const json_t *ledger = json_object_get(d, "ledger"), *lines = json_object_get(ledger, "lines");
    struct names units = {.n = 0};
    size_t index;
    json_t *line;
    int has_ceilings = 0;
    json_array_foreach(lines, index, line) {
        name_index(&units, json_field_text(line, "unit"));
        has_ceilings |= json_field(line, "ceiling_share") >= 0;
    }
    for (int u = 0; u < units.n; u++) {
        struct matrix m = {.stages = {.n = 0}};
        fill_matrix(lines, units.items[u], &m);
        put_matrix(&m, units.items[u], note, json_field(ledger, "wall_ns"), out);
    }
    if (has_ceilings) put_ceilings(lines, note, out);
}

/* ---- findings ---- */

/* "1 row 12.3 µs, 128 rows 456 µs" */
static char *times_text(const json_t *choice) {
    struct text t = {0};
    size_t index;
    json_t *x;
    text_append(&t, "%s", "");
    json_array_foreach(json_object_get(choice, "times"), index, x) {
        double rows = json_field(x, "rows");
        struct human ns = human_value(json_field(x, "ns"), "ns");
        text_append(&t, "%s%s row%s %s", index ? ", " : "", human_count(rows).text, rows == 1 ? "" : "s", ns.text);
    }
    return t.data;
}

/* What an optimizer chose among, a row a form. */
static void put_choices(const json_t *receipt, const char *note, FILE *out) {
    const json_t *choices = json_object_get(receipt, "choices");
    size_t index;
    json_t *x;
    if (json_array_size(choices) == 0) return;
    md_header(out, note, 0, MD_CELLS("chosen for", "form", "one operation", "in a sample", "error", "picked", "why"));
    json_array_foreach(choices, index, x) {
        double low = json_field(x, "error_low"), high = json_field(x, "error_high");
        char *times = times_text(x), *picked = mem_printf("%s of %s", human_count(json_field(x, "picked")).text, human_count(json_field(x, "places")).text);
        md_row(out, MD_CELLS(json_field_text(x, "subject"), json_field_text(x, "form"), times, human_value(json_field(x, "cost_ns"), "ns").text,
                             human_interval(low, high, high, "").text, picked, json_field_text(x, "why")));
        mem_free(times);
        mem_free(picked);
    }
}

static void put_findings(const json_t *d, const char *note, FILE *out) {
    size_t index;
    json_t *x;
    const char *name;
    const json_t *receipts = json_object_get(d, "receipts"), *fidelity = json_object_get(d, "fidelity");
    if (json_array_size(receipts)) md_header(out, note, 0, MD_CELLS("optimizer", "receipt", "evidence"));
    json_array_foreach(receipts, index, x) md_row(
        out, MD_CELLS(json_field_text(x, "optimizer"), json_field_text(x, "verdict"), json_field_text(x, "evidence")));
    json_array_foreach(receipts, index, x) put_choices(x, note, out);
    if (json_is_object(fidelity)) {
        md_header(out, note, 0, MD_CELLS("fidelity", "kept", "error", "plain form", "bound", "detail"));
        md_row(out, MD_CELLS(json_field_text(fidelity, "class"),
                             json_is_true(json_object_get(fidelity, "ok")) ? "yes"
                             : json_is_true(json_object_get(d, "is_past_bound")) ? "past its bound" : "no",
                             human_value(json_field(fidelity, "error"), "").text,
                             human_value(json_field(fidelity, "plain_error"), "").text,
                             human_value(json_field(fidelity, "bound"), "").text, json_field_text(fidelity, "detail")));
    }
    if (json_object_size(json_object_get(d, "quality")))
        md_header(out, note, 1, MD_CELLS("quality", "value", "unit", "n"));
    json_object_foreach(json_object_get(d, "quality"), name, x)
        md_row(out, MD_CELLS(name, human_value(json_field(x, "value"), "").text, json_field_text(x, "unit"),
                             human_count(json_field(x, "n")).text));
    if (json_object_size(json_object_get(d, "memory"))) md_header(out, note, 1, MD_CELLS("memory", "size"));
    json_object_foreach(json_object_get(d, "memory"), name, x)
        md_row(out, MD_CELLS(name, human_value(json_is_number(x) ? json_number_value(x) : NAN, "bytes").text));
}

static void put_notes(const json_t *d, FILE *out) {
    const json_t *p = json_object_get(d, "perturbation");
    size_t index;
    json_t *warning;
    if (json_is_object(p))
        fprintf(out, "\nProfiled over timed wall time: %s (%s).\n", human_factor(json_field(p, "ratio")).text,
                human_interval(json_field(p, "low"), json_field(p, "high"), 1, "").text);
    if (json_is_number(json_object_get(p, "by_operation")))
        fprintf(out, "\nCaptured launches are timed as wholes and shared out as a pass by operations found it; that pass took %s.\n", human_factor(json_field(p, "by_operation")).text);
    const char *text = json_field_text(json_object_get(d, "output"), "text");
    if (*text) {
        fputs("\n> ", out);
        for (int n = 0; *text && (n < TEXT_CHARS || ((unsigned char)*text & 0xc0) == 0x80); text++, n++)
            if (*text == '\n') fputs("\n> ", out);
            else fputc(*text, out);
        fputs(*text ? " …\n" : "\n", out);
    }
    if (json_array_size(json_object_get(d, "warnings"))) fputc('\n', out);
    json_array_foreach(json_object_get(d, "warnings"), index, warning)
        fprintf(out, "- warning: %s\n", json_string_value(warning));
}

static void put_run(const json_t *d, FILE *out) {
    struct md_note note = md_note_of(d);
    put_summary(d, note.text, out);
    put_metrics(d, note.text, out);
    put_ledger(d, note.text, out);
    put_findings(d, note.text, out);
    put_notes(d, out);
}

/* ---- lists ---- */

static void put_runs(const json_t *d, FILE *out) {
    size_t index;
    json_t *r;
    md_header(out, "", 0,
              MD_CELLS("run", "measured", "workload", "model", "label", "type", "state", "samples", "name"));
    json_array_foreach(json_object_get(d, "runs"), index, r) {
        char id[13];
        snprintf(id, sizeof id, "%s", json_field_text(r, "id"));
        char *model = mem_printf("%s%s", json_field_text(r, "model"), md_note_of(r).text);
        md_row(out, MD_CELLS(id, json_field_text(r, "created"), json_field_text(r, "workload"), model,
                             json_field_text(r, "label"), json_field_text(r, "dtype"), json_field_text(r, "state"),
                             human_count(json_field(r, "samples")).text, json_field_text(r, "name")));
        mem_free(model);
    }
}

static void put_experiments(const json_t *d, FILE *out) {
    size_t index;
    json_t *x;
    md_header(out, "", 0,
              MD_CELLS("experiment", "measured", "workload", "name", "design", "cells", "finished", "blocks"));
    json_array_foreach(json_object_get(d, "experiments"), index, x) {
        char id[13];
        snprintf(id, sizeof id, "%s", json_field_text(x, "id"));
        md_row(out,
               MD_CELLS(id, json_field_text(x, "created"), json_field_text(x, "workload"), json_field_text(x, "name"),
                        json_field_text(x, "design"), human_count(json_field(x, "cells")).text,
                        human_count(json_field(x, "finished")).text, human_count(json_field(x, "blocks")).text));
    }
}

static void put_ceiling_set(const json_t *d, FILE *out) {
    size_t index;
    json_t *c;
    md_header(out, "", 1, MD_CELLS("ceiling", "threads", "working set", "value", "interval", "pattern"));
    json_array_foreach(json_object_get(d, "ceilings"), index, c) {
        const char *type = json_field_text(c, "unit"), *unit = *type ? "flop/s" : "bytes/s";
        char *name = mem_printf("%s%s%s", json_field_text(c, "kind"), *type ? " " : "", type);
        double value = json_field(c, "value");
        md_row(out,
               MD_CELLS(name, human_count(json_field(c, "threads")).text,
                        human_value(json_field(c, "working_set_bytes"), "bytes").text, human_value(value, unit).text,
                        human_interval(json_field(c, "low"), json_field(c, "high"), value, unit).text,
                        json_field_text(c, "pattern")));
        mem_free(name);
    }
}

void markdown_document(const json_t *d, FILE *out) {
    const char *format = json_field_text(d, "format");
    if (strcmp(format, "assay-run") == 0) put_run(d, out);
    else if (strcmp(format, "assay-experiment") == 0) md_experiment(d, out);
    else if (strcmp(format, "assay-comparison") == 0) md_comparison(d, out);
    else if (strcmp(format, "assay-runs") == 0) put_runs(d, out);
    else if (strcmp(format, "assay-experiments") == 0) put_experiments(d, out);
    else put_ceiling_set(d, out);
}
