/* document.h: what the store holds, as JSON documents that scripts may rely on: each has "format" and "version", and
 * results/README.md lists every field. Within a version fields are only added. Unknown is null, never 0.
 *
 * All of it comes from the store's views and results/stats. Documents are owned: json_decref. */
#ifndef ASSAY_RESULTS_DOCUMENT_DOCUMENT_H
#define ASSAY_RESULTS_DOCUMENT_DOCUMENT_H

#include <jansson.h>

#include "results/stats/verdict.h"
#include "results/store/store.h"

enum { DOCUMENT_VERSION = 1 };

/* "assay-run". Errors: STORE; INPUT no such run. */
enum status document_run(struct store *s, const struct id *run, json_t **out, struct error *e);

/* "assay-experiment": cells with their metrics, verdicts against the plain cell of the same axes, and effects,
 * interactions and Shapley shares over blocks, and of a suite what it compares. With `has_runs` the full run documents are in "runs". */
enum status document_experiment(struct store *s, const struct id *experiment, int has_runs, json_t **out,
                                struct error *e);

struct compare_options {
    const char *metric;       /* NULL: "e2e_ns" */
    double margin;            /* relative; 0: the default of verdict.h */
    const char *across;       /* facts of the comparability key that may differ: "dtype,isa"; NULL: none */
};
/* "assay-comparison" of run b against run a. Paired blocks where both are cells of one experiment, else the spread
 * between processes. Errors: STORE; INPUT a run with itself, facts that differ (named), or no such metric in both. */
enum status document_compare(struct store *s, const struct id *a, const struct id *b, const struct compare_options *o,
                             enum verdict_kind *verdict, json_t **out, struct error *e);

/* "assay-runs" and "assay-experiments": one short object each, newest first; limit 0: all. */
enum status document_run_list(struct store *s, int limit, json_t **out, struct error *e);
enum status document_experiment_list(struct store *s, int limit, json_t **out, struct error *e);

/* "assay-ceilings". */
json_t *document_ceilings(const struct ceiling_set *set);

/* "ns", "bytes", "tokens/s", … by the metric's name; "" where it has none. */
const char *metric_unit(const char *metric);
/* Rates are better high, times and bytes low. */
int metric_is_better_low(const char *metric);

#endif
