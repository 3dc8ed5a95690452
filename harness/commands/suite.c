/* suite.c: assay suite: entries measured side by side in interleaved rounds, and what is compared. */
#include <stdio.h>
#include <string.h>

#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/suite/suite.h"
#include "results/document/document.h"
#include "results/export/export.h"

/* ---- a dry run ---- */

static void print_command(const struct external *x) {
    for (int i = 0; x->command.argv[i]; i++) printf("%s%s", i ? " " : "", x->command.argv[i]);
}

/* Why an entry would be skipped; "" where nothing speaks against it. */
static struct error obstacle_of(const struct cell *c) {
    struct error why = {0};
    if (c->missing) error_set(&why, STATUS_INPUT, "%s", c->missing);
    else if (c->external) child_find(&c->external->command, &why);
    return why;
}

static double print_entry(const struct plan *p, int i) {
    const struct cell *c = &p->cells[i];
    struct error why = obstacle_of(c);
    struct arena a = {0};
    printf("  %2d  %-32s ", i, c->label);
    if (c->external) print_command(c->external);
    else printf("%s %s, %s, %s: %s", c->spec.workload, spec_model_name(&c->spec), c->spec.backend, dtype_name(c->spec.dtype), spec_label(&c->spec, &a));
    printf("%s%s\n", why.text[0] ? "\n      would be skipped: " : "", why.text);
    arena_free(&a);
    if (why.text[0]) return 0;
    return c->external ? c->external->command.limit_s * p->n_blocks : p->budget_s * 1.3 + p->n_blocks * 2.0 + (p->checks_fidelity ? 3 : 0);
}

static void print_row(const json_t *row) {
    size_t i;
    json_t *peer;
    printf("  %s: %s of '%s' against", json_string_value(json_object_get(row, "title")), json_string_value(json_object_get(row, "metric")),
           json_string_value(json_object_get(row, "ours")));
    json_array_foreach(json_object_get(row, "against"), i, peer) printf("%s '%s'", i ? "," : "", json_string_value(peer));
    if (json_is_number(json_object_get(row, "at_least"))) printf(", at least %g", json_number_value(json_object_get(row, "at_least")));
    printf("\n");
}

static void print_plan(const struct suite *s) {
    const struct plan *p = &s->plan;
    double seconds = 0;
    size_t k;
    json_t *row;
    printf("%s: %d entries, %d rounds, in each every entry once as a fresh process:\n", p->name, p->n_cells, p->n_blocks);
    for (int i = 0; i < p->n_cells; i++) seconds += print_entry(p, i);
    if (json_array_size(s->rows)) printf("compared:\n");
    json_array_foreach(s->rows, k, row) print_row(row);
    printf("at most about %.0f minutes (budget %.0f s an entry of ours; commands up to their limits, and seldom so long)\n", seconds / 60, p->budget_s);
}

/* ---- results ---- */

static int has_text(const json_t *list, const char *field, const char *text) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        const char *value = json_string_value(json_object_get(item, field));
        if (value && strcmp(value, text) == 0) return 1;
    }
    return 0;
}

/* A row that is short decides; else what could not be decided, or was not measured for a failure, is not called good. */
static int exit_code_of(const json_t *document) {
    const json_t *rows = json_object_get(document, "rows"), *cells = json_object_get(document, "cells");
    if (has_text(rows, "verdict", "short")) return EXIT_CHECK_FAILED;
    if (has_text(rows, "verdict", "inconclusive") || has_text(cells, "state", "failed") || has_text(cells, "state", "invalid")) return EXIT_INCONCLUSIVE;
    return EXIT_DONE;
}

static enum status print_found(const struct options *o, const struct id *id, int *exit_code, struct error *e) {
    struct store *store;
    json_t *document = NULL;
    enum export_format format;
    enum status s = export_format_parse(o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md", &format, e);
    if (s == STATUS_OK) s = store_open(o->value[OPT_DB], STORE_READ, &store, e);
    if (s != STATUS_OK) return s;
    s = document_experiment(store, id, format == EXPORT_JSON || format == EXPORT_JSONL, &document, e);
    if (s == STATUS_OK) s = export_document(document, format, stdout, e);
    if (s == STATUS_OK) *exit_code = exit_code_of(document);
    json_decref(document);
    store_close(store);
    return s;
}

/* What was measured is shown, also after an interruption. */
static enum status measure(struct suite *suite, const struct options *o, int *exit_code, struct error *e) {
    struct id id = {{0}};
    struct error late = {0};
    enum status s = command_measure(&suite->plan, o, &id, e);
    if (!id.text[0] || (s != STATUS_OK && s != STATUS_INTERRUPTED)) return s;
    enum status shown = print_found(o, &id, exit_code, &late);
    return s == STATUS_OK && shown != STATUS_OK ? error_set(e, shown, "%s", late.text) : s;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *file;
    struct suite suite;
    int64_t rounds = o->is_given[OPT_ROUNDS] ? option_int(o, OPT_ROUNDS) : 0;
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "which suite: assay suite FILE.yaml", NULL, &file, e);
    if (s == STATUS_OK) s = output_check(o, e);
    if (s == STATUS_OK && o->value[OPT_FORMAT] && strcmp(o->value[OPT_FORMAT], "trace") == 0) s = error_set(e, STATUS_INPUT, "-o: a trace is of one run, not of a suite");
    if (s == STATUS_OK && o->is_given[OPT_ROUNDS] && (rounds < 1 || rounds > 1000)) s = error_set(e, STATUS_INPUT, "--rounds must lie between 1 and 1000");
    if (s == STATUS_OK) s = suite_read(file, (int)rounds, &suite, e);
    if (s != STATUS_OK) return s;
    if (option_flag(o, OPT_DRY_RUN)) print_plan(&suite);
    else s = measure(&suite, o, exit_code, e);
    suite_free(&suite);
    return s;
}

static const char file_help[] =
    "The file (keys not named here are refused with line and column):\n"
    "  version: 1\n"
    "  name: nightly                       # default: the file's name\n"
    "  rounds: 5                           # in each every entry runs once, as a fresh process; the order is drawn and mirrored\n"
    "  seed: 1                             # of that order\n"
    "  defaults: {preset: llama-1.1b, threads: 2, samples: 3}   # options of assay run by their long names\n"
    "  entries:\n"
    "    - name: ours                      # an entry of ours: its options win over the defaults, null takes one back, lists are axes\n"
    "      workload: llm\n"
    "      opt: [attention, fusion]\n"
    "    - name: theirs                    # somebody else's command, without a shell; ${NAME} and ${NAME:-otherwise} are the environment's\n"
    "      external: [\"${LLAMA_BENCH}\", -m, \"${MODEL}\", -p, \"0\", -n, \"64\", -o, json]\n"
    "      limit: 300                      # seconds; 600 where it is left out\n"
    "      directory: build                # to run in\n"
    "      environment: {OMP_NUM_THREADS: \"2\"}\n"
    "      warm: [\"${MODEL}\"]             # files that are read through before each process, ours too, so that their pages are in memory\n"
    "      figures:                        # each from one of json (a path), regex (one group), wall: true\n"
    "        - {metric: decode_tokens_per_s, json: \"[n_gen=64].avg_ts\"}\n"
    "        - {metric: ttft_ns, regex: \"first token ([0-9.]+) ms\", unit: ms}\n"
    "  compare:\n"
    "    - {title: decode, metric: decode_tokens_per_s, ours: ours, against: [theirs], at_least: 1.2}\n"
    "\n"
    "Exit code: 0 every row reaches its at_least; 1 a row is short of it; 2 usage or a bad file; 3 a row is not decided (its 95 % interval\n"
    "holds at_least, or a side has no value) or an entry failed; 130 interrupted. --resume goes on where it stopped.\n";

const struct command command_suite = {"suite", "FILE.yaml", "entries side by side, others' commands too: 0 rows met, 1 a row is short, 3 inconclusive",
                                      FOR_SUITE | FOR_STORE | FOR_OUTPUT, run, file_help};
