/* markdown_tables.c: experiments and comparisons. */
#include <math.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/export/human.h"
#include "results/export/markdown.h"
#include "results/export/quality.h"

/* ---- an experiment's cells ---- */

static struct human metric_text(const json_t *cell, const char *metric) {
    const json_t *m = json_object_get(json_object_get(cell, "metrics"), metric);
    return human_value(json_field(m, "median"), json_field_text(m, "unit"));
}

/* "attention ENGAGED, fusion NO-OP". */
static char *receipts_text(const json_t *cell) {
    struct text out = {0};
    size_t index;
    json_t *r;
    text_append(&out, "%s", "");
    json_array_foreach(json_object_get(cell, "receipts"), index, r)
        text_append(&out, "%s%s %s", index ? ", " : "", json_field_text(r, "optimizer"), json_field_text(r, "verdict"));
    return out.data;
}

static void put_cell_row(const json_t *cell, FILE *out) {
    const json_t *v = json_object_get(json_object_get(cell, "versus_plain"), "e2e_ns");
    struct human speedup = human_factor(1 / json_field(v, "ratio"));
    struct human interval = human_interval(1 / json_field(v, "high"), 1 / json_field(v, "low"), 1, "");
    char *receipts = receipts_text(cell), *fidelity = fidelity_words(cell);
    char *quality = quality_words(cell, json_object_get(cell, "quality_versus_plain"));
    char *label = mem_printf("%s%s", json_field_text(cell, "label"), md_note_of(cell).text);
    const char *speedless = speedless_words(cell);
    md_row(out, MD_CELLS(label, json_field_text(cell, "state"), metric_text(cell, "e2e_ns").text,
                         speedless ? speedless : speedup.text, speedless ? "" : interval.text,
                         speedless ? "" : json_field_text(v, "verdict"), fidelity, quality, metric_text(cell, "ttft_ns").text,
                         metric_text(cell, "tpot_ns").text, metric_text(cell, "prefill_tokens_per_s").text,
                         metric_text(cell, "decode_tokens_per_s").text, metric_text(cell, "peak_bytes").text, receipts));
    mem_free(receipts);
    mem_free(fidelity);
    mem_free(quality);
    mem_free(label);
}

/* ---- its effects ---- */

static const json_t *find_entry(const json_t *d, const char *list, const json_t *like) {
    static const char *const keys[] = {"metric", "stage", "axes", "factor"};
    size_t index;
    json_t *x;
    json_array_foreach(json_object_get(d, list), index, x) {
        int is_same = 1;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            is_same &= json_equal(json_object_get(x, keys[k]), json_object_get(like, keys[k]));
        if (is_same) return x;
    }
    return NULL;
}

static struct human entry_text(const json_t *x) {
    struct human out = human_factor(json_field(x, "speedup"));
    struct human interval = human_interval(json_field(x, "low"), json_field(x, "high"), 1, "");
    if (isfinite(json_field(x, "low"))) {
        size_t n = strlen(out.text);
        snprintf(out.text + n, sizeof out.text - n, " (%.40s)", interval.text);
    }
    if (x && json_is_false(json_object_get(x, "is_engaged"))) snprintf(out.text, sizeof out.text, "not engaged");
    return out;
}

/* What a row is about: the metric, the stage, the point of the axes. */
static char *subject(const json_t *x) {
    struct text out = {0};
    const char *key, *stage = json_field_text(x, "stage");
    json_t *value;
    text_append(&out, "%s", *stage ? stage : json_field_text(x, "metric"));
    json_object_foreach(json_object_get(x, "axes"), key, value) {
        char *words = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        text_append(&out, " %s=%s", key, json_is_string(value) ? json_string_value(value) : words ? words : "");
        mem_free(words);
    }
    return out.data;
}

/* A table to read holds what a request feels; other metrics and stages are in the JSON. */
static int is_shown(const json_t *x) {
    static const char *const shown[] = {"e2e_ns", "ttft_ns", "tpot_ns"};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(json_field_text(x, "metric"), shown[i]) == 0) return 1;
    return 0;
}

/* Rows are the entries of the list that has the most: every factor that has one cell on and a partner without it. */
static void put_effects(const json_t *d, const char *note, FILE *out) {
    const char *list = json_array_size(json_object_get(d, "alone")) >= json_array_size(json_object_get(d, "left_out"))
                           ? "alone"
                           : "left_out";
    size_t index;
    json_t *x;
    if (json_array_size(json_object_get(d, list)) == 0) return;
    fputs("\nSpeed-ups, with 95 % intervals over blocks (stages and other metrics: -o json)\n", out);
    md_header(out, note, 1, MD_CELLS("what", "optimizer", "alone", "left out", "main effect", "Shapley share"));
    json_array_foreach(json_object_get(d, list), index, x) {
        if (!is_shown(x)) continue;
        char *what = subject(x);
        md_row(out,
               MD_CELLS(what, json_field_text(x, "factor"), entry_text(find_entry(d, "alone", x)).text,
                        entry_text(find_entry(d, "left_out", x)).text, entry_text(find_entry(d, "effects", x)).text,
                        entry_text(find_entry(d, "shapley", x)).text));
        mem_free(what);
    }
}

static void put_interactions(const json_t *d, const char *note, FILE *out) {
    size_t index;
    json_t *x;
    if (json_array_size(json_object_get(d, "interactions")) == 0) return;
    md_header(out, note, 1, MD_CELLS("interaction", "of", "factor"));
    json_array_foreach(json_object_get(d, "interactions"), index, x) {
        if (!is_shown(x)) continue;
        const json_t *f = json_object_get(x, "factors");
        const char *a = json_string_value(json_array_get(f, 0)), *b = json_string_value(json_array_get(f, 1));
        char *what = subject(x), *pair = mem_printf("%s with %s", a ? a : "", b ? b : "");
        md_row(out, MD_CELLS(what, pair, entry_text(x).text));
        mem_free(what);
        mem_free(pair);
    }
}

void md_experiment(const json_t *d, FILE *out) {
    size_t index;
    json_t *cell;
    const json_t *cells = json_object_get(d, "cells");
    struct md_note note = md_note_of(json_array_get(cells, 0));
    const char *name = json_field_text(d, "name");
    fprintf(out, "# %s: %s%sdesign %s, %lld blocks (experiment %.12s)\n", json_field_text(d, "workload"), name,
            *name ? ", " : "", json_field_text(d, "design"),
            (long long)json_integer_value(json_object_get(d, "n_blocks")), json_field_text(d, "id"));
    md_rows(d, out);
    md_header(out, "", 1,
              MD_CELLS("cell", "state", "end to end", "speed-up", "99 % interval", "verdict", "fidelity",
                       "quality (against plain)", "first token", "per token", "prefill", "decode", "peak memory",
                       "receipts"));
    json_array_foreach(cells, index, cell) put_cell_row(cell, out);
    put_effects(d, note.text, out);
    put_interactions(d, note.text, out);
}

/* ---- a comparison ---- */

static void put_side(const char *name, const json_t *side, const json_t *deltas, FILE *out) {
    char *label = mem_printf("%s%s", json_field_text(side, "label"), md_note_of(side).text);
    char *receipts = receipts_text(side), *fidelity = fidelity_words(side), *quality = quality_words(side, deltas);
    md_row(out, MD_CELLS(name, json_field_text(side, "id"), label, json_field_text(side, "model"),
                         json_field_text(side, "dtype"), json_field_text(side, "state"), receipts, fidelity, quality));
    mem_free(label);
    mem_free(receipts);
    mem_free(fidelity);
    mem_free(quality);
}

void md_comparison(const json_t *d, FILE *out) {
    const char *name;
    size_t index;
    json_t *m, *warning;
    const json_t *a = json_object_get(d, "a"), *b = json_object_get(d, "b");
    struct md_note note_a = md_note_of(a), note_b = md_note_of(b);
    const char *note = *note_a.text ? note_a.text : note_b.text;
    fprintf(out, "# B is %s: %s", json_field_text(d, "verdict"), json_field_text(d, "metric"));
    if (isfinite(json_field(d, "ratio")))
        fprintf(out, " %s (%s)", human_factor(json_field(d, "ratio")).text,
                human_interval(json_field(d, "low"), json_field(d, "high"), 1, "").text);
    fprintf(out, ", %s\n", json_field_text(d, "reason"));
    md_header(out, "", 0, MD_CELLS("side", "run", "label", "model", "type", "state", "receipts", "fidelity",
                               "quality (B against A)"));
    put_side("A", a, NULL, out);
    put_side("B", b, json_object_get(d, "quality"), out);
    md_header(out, note, 1, MD_CELLS("metric", "A", "B", "B over A", "99 % interval", "verdict", "detectable", "by"));
    json_object_foreach(json_object_get(d, "metrics"), name, m) {
        const char *unit = json_field_text(m, "unit");
        md_row(out,
               MD_CELLS(name, human_value(json_field(m, "a_median"), unit).text,
                        human_value(json_field(m, "b_median"), unit).text, human_factor(json_field(m, "ratio")).text,
                        human_interval(json_field(m, "low"), json_field(m, "high"), 1, "").text,
                        json_field_text(m, "verdict"), human_percent(json_field(m, "detectable")).text,
                        json_field_text(m, "pairing")));
    }
    if (json_array_size(json_object_get(d, "warnings"))) fputc('\n', out);
    json_array_foreach(json_object_get(d, "warnings"), index, warning)
        fprintf(out, "- warning: %s\n", json_string_value(warning));
}
