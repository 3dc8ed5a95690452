/* trace.c: assay trace: somebody else's CUDA program as a run of the store, by its NVTX ranges. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/import/trace_run.h"
#include "harness/trace/folder.h"
#include "harness/trace/launch.h"

/* What it takes until the last processes of a command are gone; a daemon never is. */
enum { PATIENCE_MS = 2500, LOOK_EVERY_MS = 20 };

struct tracing {
    struct options *o;
    struct trace_request q;
    struct progress progress;
    const char *program;           /* the command's last part */
    char *library, *folder, *end;  /* end: how the command ended; NULL well */
    char *warning;
};

/* ---- before ---- */

/* What would fail afterwards fails before the command has run. */
static enum status check_store(const struct options *o, struct error *e) {
    struct store *store;
    enum status s = store_open(o->value[OPT_DB], STORE_WRITE, &store, e);
    if (s == STATUS_OK) store_close(store);
    return s;
}

static enum status prepare(struct tracing *t, struct error *e) {
    const char *names;
    if (!t->o->command || t->o->n_args) return error_set(e, STATUS_INPUT, "say what to run, after two dashes: assay trace -- COMMAND [ARGUMENTS]");
    const char *slash = strrchr(t->o->command[0], '/');
    t->program = slash ? slash + 1 : t->o->command[0];
    t->q = (struct trace_request){.importer = importer_find("recording", &names), .subject = t->program, .is_passing = !t->o->is_given[OPT_KEEP], .progress = &t->progress};
    enum status s = command_trace_request(t->o, &t->q, e);
    if (s == STATUS_OK) s = output_check(t->o, e);
    if (s == STATUS_OK) s = check_store(t->o, e);
    if (s == STATUS_OK) s = launch_library(&t->library, e);
    return s == STATUS_OK ? folder_make(t->o->value[OPT_KEEP], &t->folder, e) : s;
}

/* ---- the command ---- */

/* Processes that the command left behind may be about to write their last. */
static void await_writers(const struct tracing *t) {
    int n_written;
    folder_count(t->folder, &n_written);
    if (n_written) fprintf(stderr, "assay: %s has ended; waiting for %d processes of it\n", t->program, n_written);
    for (int waited_ms = 0; n_written && waited_ms < PATIENCE_MS; waited_ms += LOOK_EVERY_MS) {
        nanosleep(&(struct timespec){0, LOOK_EVERY_MS * 1000000}, NULL);
        folder_count(t->folder, &n_written);
    }
}

static enum status run_command(struct tracing *t, struct error *e) {
    int state = 0, n_written;
    enum status s = launch_run(t->o->command, t->library, t->folder, &state, e);
    if (s != STATUS_OK) return s;
    t->end = launch_end(state);
    if (t->end) {
        t->warning = mem_printf("%s %s: what it did until then is attributed", t->program, t->end);
        t->q.warning = t->warning;
        fprintf(stderr, "assay: warning: %s %s\n", t->program, t->end);
    }
    await_writers(t);
    if (folder_count(t->folder, &n_written) > 0) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "%s%s%s%s: no process of it used CUDA (or its driver, linked in, takes no injection), so there is nothing to attribute", t->program,
                     t->end ? " (which " : "", t->end ? t->end : "", t->end ? ")" : "");
}

/* ---- after ---- */

static enum status store_run(const struct tracing *t, const struct trace_run *run, struct id *id, struct error *e) {
    struct store *store;
    enum status s = store_open(t->o->value[OPT_DB], STORE_WRITE, &store, e);
    if (s != STATUS_OK) return s;
    s = trace_runs_store(store, &t->q, run, 1, id, e);
    store_close(store);
    return s;
}

/* Of a folder that will be gone nobody wants to read. */
static void name_program(const struct tracing *t, struct error *e) {
    size_t n = strlen(t->folder), length = strlen(e->text);
    if (!t->q.is_passing || strncmp(e->text, t->folder, n) != 0 || strncmp(e->text + n, ": ", 2) != 0) return;
    memmove(e->text, e->text + n + 2, length - n - 1);
    error_prefix(e, "%s", t->program);
}

/* What was recorded is not lost where only this fails: a pattern that matches nothing, a full disk. */
static enum status attribute_and_store(struct tracing *t, struct trace_run *run, struct id *id, struct error *e) {
    enum status s = trace_run_attribute(&t->q, run, e);
    if (s == STATUS_OK) s = store_run(t, run, id, e);
    if (s == STATUS_OK || !t->q.is_passing) return s;
    name_program(t, e);
    fprintf(stderr, "assay: the recording is kept: assay import recording %s\n", t->folder);
    mem_free(t->folder);
    t->folder = NULL;
    return s;
}

static enum status take_recording(struct tracing *t, struct id *id, struct error *e) {
    struct trace_run run;
    progress_begin(&t->progress, folder_bytes(t->folder));
    enum status s = trace_run_import(&t->q, t->folder, &run, e);
    if (s != STATUS_OK) return name_program(t, e), s;
    s = attribute_and_store(t, &run, id, e);
    progress_end(&t->progress);
    trace_run_free(&run);
    return s;
}

static void finish(struct tracing *t) {
    if (t->folder && t->q.is_passing) folder_remove(t->folder);
    mem_free(t->library);
    mem_free(t->folder);
    mem_free(t->end);
    mem_free(t->warning);
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    struct tracing t = {.o = o};
    struct id id;
    *exit_code = EXIT_DONE;
    enum status s = prepare(&t, e);
    if (s == STATUS_OK) s = run_command(&t, e);
    if (s == STATUS_OK) s = take_recording(&t, &id, e);
    finish(&t);
    return s == STATUS_OK ? output_experiment(o, &id, e) : s;
}

const struct command command_trace = {"trace", "[OPTIONS] -- COMMAND...", "attribute somebody else's CUDA program by its NVTX ranges, unchanged", FOR_TRACE | FOR_IMPORT | FOR_STORE | FOR_OUTPUT, run, NULL};
