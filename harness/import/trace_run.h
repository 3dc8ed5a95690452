/* trace_run.h: from a trace to a run in the store.
 *
 * A file is a run of one experiment of design "single": backend "external", workload "trace", model the file's name (or
 * what the request calls it).
 * Its samples are profiled ones: nothing is known of the same program without its profiler. */
#ifndef ASSAY_HARNESS_IMPORT_TRACE_RUN_H
#define ASSAY_HARNESS_IMPORT_TRACE_RUN_H

#include "harness/attribution/attribute.h"
#include "harness/import/import.h"
#include "results/store/store.h"

struct trace_run {
    const char *path;              /* borrowed */
    const char *file;              /* its last part, or the request's subject */
    struct imported imported;      /* names and facts; the rows are gone */
    struct attributed found;
    struct span_record *spans;     /* the first device operations of the samples */
    size_t n_spans, span_capacity;
    size_t n_rows, n_stages, n_empty; /* n_empty: instances of the iteration that left no time of their own */
    int32_t *devices;              /* of the ledger's lines, ascending */
    size_t n_devices, device_capacity;
    int64_t n_ops, n_without_call; /* of the whole trace */
};

struct trace_request {
    const struct importer *importer;
    struct stage_choice choice;
    const char *name;              /* of the experiment; NULL none */
    const char *subject;           /* what was traced; NULL: the file's name */
    const char *warning;           /* said of every run; NULL none */
    int is_passing;                /* the file will be gone: its path is no fact */
    struct progress *progress;     /* NULL none */
};

/* Reads, joins and attributes. Errors: as importers and stages_choose say. */
enum status trace_run_read(const struct trace_request *q, const char *path, struct trace_run *out, struct error *e);
/* The same in two steps, for what must not be lost when the second fails. */
enum status trace_run_import(const struct trace_request *q, const char *path, struct trace_run *out, struct error *e);
enum status trace_run_attribute(const struct trace_request *q, struct trace_run *r, struct error *e);
void trace_run_free(struct trace_run *r);

/* Errors: STORE. */
enum status trace_runs_store(struct store *s, const struct trace_request *q, const struct trace_run *runs, size_t n,
                             struct id *experiment, struct error *e);

#endif
