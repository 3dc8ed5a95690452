/* sections.h: parts of a run's document that experiments and comparisons hold too. */
#ifndef ASSAY_RESULTS_DOCUMENT_SECTIONS_H
#define ASSAY_RESULTS_DOCUMENT_SECTIONS_H

#include <jansson.h>

#include "results/document/document.h"
#include "results/document/series.h"

/* "id" … "comparability" into `out`. Errors: STORE; INPUT no such run. */
enum status run_identity(struct store *s, const struct id *run, json_t *out, struct error *e);
/* "metrics". */
enum status run_metrics(struct store *s, const struct id *run, const struct run_series *series, json_t *out,
                        struct error *e);
/* "receipts", "fidelity", "is_past_bound", "quality". */
enum status run_findings(struct store *s, const struct id *run, json_t *out, struct error *e);

/* "rows" of a suite's document, which has its "cells", "n_blocks" and "spec" (whose "rows" are what was asked for). */
enum status experiment_rows(struct store *s, json_t *document, struct error *e);

/* Why the numbers of a run (with identity and findings) enter no speed-up, effect or verdict, in words that follow "run X":
 * "is invalid", "is past its fidelity bound"; NULL where they do. The one judge of this. */
const char *run_unfit(const json_t *run);
extern const char run_past_bound[]; /* the last of these: right numbers of too low a quality */

/* {"nll": {"a","b","delta","unit"}, …}: every quality that both runs have. */
json_t *quality_deltas(const json_t *a, const json_t *b);

/* ---- comparing, without asking whether it may be done ---- */

/* What verdict.h found, with its settings: {"verdict","ratio","low","high","detectable","reason","blocks",
 * "pairing"}. Blocks pair where `is_paired` and both sides hold them; samples pair too where those processes took
 * turns. A side is a metric of one run. */
struct compare_sides {
    const struct metric_series *a, *b;
    int is_paired;               /* cells of one experiment */
    double margin;               /* 0: the default */
};
struct turns;                    /* when the processes of two runs were sampling */
json_t *compare_metric(const struct compare_sides *sides, const struct turns *turns, enum verdict_kind *kind);

enum status turns_read(struct store *s, const struct id *a, const struct id *b, struct turns **out, struct error *e);
void turns_free(struct turns *t);

#endif
