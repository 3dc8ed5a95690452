/* import.c: assay import: another tool's traces as runs of the store. */
#include <string.h>
#include <sys/stat.h>

#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/import/trace_run.h"

static enum status choose_importer(const char *name, const struct importer **out, struct error *e) {
    const char *names;
    *out = importer_find(name, &names);
    return *out ? STATUS_OK : error_set(e, STATUS_INPUT, "unknown format '%s' (have: %s)", name, names);
}

enum status command_trace_request(const struct options *o, struct trace_request *q, struct error *e) {
    int64_t depth = option_int(o, OPT_STAGE_DEPTH);
    q->choice = (struct stage_choice){.stages = o->value[OPT_STAGES], .iteration = o->value[OPT_ITERATION], .depth = (int)depth};
    q->name = o->value[OPT_NAME];
    return depth >= 0 && depth <= 1000 ? STATUS_OK : error_set(e, STATUS_INPUT, "--stage-depth must lie between 0 and 1000");
}

static enum status read_request(struct options *o, struct trace_request *q, struct error *e) {
    const char *format, *file;
    enum status s = command_argument(o, 0, "what to import: assay import nsys FILE, or assay import pytorch FILE...", NULL, &format, e);
    if (s == STATUS_OK) s = choose_importer(format, &q->importer, e);
    if (s == STATUS_OK) s = command_argument(o, 1, "which file to import", NULL, &file, e);
    if (s == STATUS_OK) s = output_check(o, e);
    return s == STATUS_OK ? command_trace_request(o, q, e) : s;
}

static double size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (double)st.st_size : 0;
}

/* All are read before the first is stored: a bad file leaves nothing behind. */
static enum status read_runs(const struct trace_request *q, const struct options *o, struct trace_run *runs, struct error *e) {
    double bytes = 0;
    enum status s = STATUS_OK;
    for (int i = 1; i < o->n_args; i++) bytes += size_of(o->args[i]);
    progress_begin(q->progress, bytes);
    for (int i = 1; i < o->n_args && s == STATUS_OK; i++) s = trace_run_read(q, o->args[i], &runs[i - 1], e);
    return s;
}

static enum status store_runs(const struct trace_request *q, const struct options *o, const struct trace_run *runs, struct id *id, struct error *e) {
    struct store *store;
    enum status s = store_open(o->value[OPT_DB], STORE_WRITE, &store, e);
    if (s != STATUS_OK) return s;
    s = trace_runs_store(store, q, runs, (size_t)o->n_args - 1, id, e);
    store_close(store);
    return s;
}

/* Traces side by side have nothing that the table of an experiment shows: in words each prints as itself. */
static enum status print_runs(struct options *o, const struct id *experiment, struct error *e) {
    struct store *store;
    struct run_list runs;
    if (o->n_args == 2 || (o->value[OPT_FORMAT] && strcmp(o->value[OPT_FORMAT], "md") != 0)) return output_experiment(o, experiment, e);
    enum status s = store_open(o->value[OPT_DB], STORE_READ, &store, e);
    if (s != STATUS_OK) return s;
    s = store_list_runs(store, experiment, 0, &runs, e);
    for (int i = 0; s == STATUS_OK && i < runs.count; i++) {
        const struct found one = {.id = runs.items[i].id};
        s = output_found(store, &one, "md", stdout, e);
        putchar('\n');
    }
    if (s == STATUS_OK) run_list_free(&runs);
    store_close(store);
    return s;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    struct progress progress;
    struct trace_request q = {.progress = &progress};
    struct id id;
    *exit_code = EXIT_DONE;
    enum status s = read_request(o, &q, e);
    if (s != STATUS_OK) return s;
    struct trace_run *runs = mem_alloc((size_t)o->n_args * sizeof *runs);
    s = read_runs(&q, o, runs, e);
    if (s == STATUS_OK) s = store_runs(&q, o, runs, &id, e);
    progress_end(&progress);
    for (int i = 0; i < o->n_args; i++) trace_run_free(&runs[i]);
    mem_free(runs);
    return s == STATUS_OK ? print_runs(o, &id, e) : s;
}

const struct command command_import = {"import", "FORMAT FILE...", "traces as runs: nsys (SQLite export), pytorch (profiler's JSON), recording (of assay trace)",
                                       FOR_IMPORT | FOR_STORE | FOR_OUTPUT, run, NULL};
