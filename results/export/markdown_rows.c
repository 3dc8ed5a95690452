/* markdown_rows.c: what a suite compares. */
#include <math.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/export/human.h"
#include "results/export/markdown.h"

/* "12.3 [12.1 – 12.6 tokens/s]"; a dash where there is no value. Owned. */
static char *side_text(const json_t *side, const char *unit) {
    double median = json_field(side, "median");
    if (!isfinite(median)) return mem_copy_string("–");
    struct human range = human_interval(json_field(side, "lowest"), json_field(side, "highest"), median, unit);
    struct human value = human_value(median, unit);
    return mem_printf("%.*s [%s]", (int)strcspn(value.text, " "), value.text, range.text);
}

static char *ours_text(const json_t *row) {
    const json_t *ours = json_object_get(row, "ours");
    char *value = side_text(ours, json_field_text(row, "unit"));
    char *text = mem_printf("%s: %s%s", json_field_text(ours, "entry"), value, md_note_of(ours).text);
    mem_free(value);
    return text;
}

/* The best peer alone, or the others. */
static char *peers_text(const json_t *row, int wants_best) {
    struct text t = {0};
    size_t i;
    json_t *peer;
    text_append(&t, "%s", "");
    json_array_foreach(json_object_get(row, "peers"), i, peer) {
        const char *entry = json_field_text(peer, "entry");
        if ((strcmp(entry, json_field_text(row, "best")) == 0) != wants_best) continue;
        char *value = side_text(peer, json_field_text(row, "unit"));
        text_append(&t, "%s%s: %s%s", t.length ? "; " : "", entry, value, md_note_of(peer).text);
        mem_free(value);
    }
    return t.data;
}

static void put_row(const json_t *row, FILE *out) {
    const json_t *ratio = json_object_get(row, "ratio");
    char *ours = ours_text(row), *best = peers_text(row, 1), *others = peers_text(row, 0);
    md_row(out, MD_CELLS(json_field_text(row, "title"), json_field_text(row, "metric"), ours, best, others, human_factor(json_field(ratio, "median")).text,
                         human_interval(json_field(ratio, "lowest"), json_field(ratio, "highest"), 1, "").text,
                         human_interval(json_field(ratio, "low"), json_field(ratio, "high"), 1, "").text, human_count(json_field(ratio, "rounds")).text,
                         human_factor(json_field(row, "at_least")).text, json_field_text(row, "verdict")));
    mem_free(ours);
    mem_free(best);
    mem_free(others);
}

static void put_reason(const json_t *of, const char *name, const char *state, int *n, FILE *out) {
    const char *reason = json_field_text(of, "reason");
    if (!*reason) return;
    fprintf(out, "%s- %s%s%s: %s\n", (*n)++ ? "" : "\n", json_field_text(of, name), *state ? " is " : "", state, reason);
}

/* Rows that are not decided, entries that have nothing to show, or less than they might. */
static void put_reasons(const json_t *d, FILE *out) {
    size_t i;
    json_t *x;
    int n = 0;
    json_array_foreach(json_object_get(d, "rows"), i, x) put_reason(x, "title", "", &n, out);
    json_array_foreach(json_object_get(d, "cells"), i, x) put_reason(x, "label", json_field_text(x, "state"), &n, out);
}

void md_rows(const json_t *d, FILE *out) {
    const json_t *rows = json_object_get(d, "rows");
    size_t i;
    json_t *row;
    if (json_array_size(rows)) {
        fputs("\nR is how many times better ours is than the best of the others, round by round: its median, its range over rounds, its 95 % interval\n", out);
        md_header(out, "", 1, MD_CELLS("row", "metric", "ours [range]", "best of the others [range]", "the others", "R", "range", "95 % interval", "rounds", "at least", "verdict"));
    }
    json_array_foreach(rows, i, row) put_row(row, out);
    if (strcmp(json_field_text(d, "design"), "suite") == 0) put_reasons(d, out);
}
