/* export.h: documents as tables and text, raw samples as rows, spans as a trace.
 *
 * csv   RFC 4180 with a header and CRLF; unknown is an empty field. A run, an experiment's cells or a comparison: a
 *       row a metric; a list: a row an item.
 * json  the document, indented; jsonl: on one line (of a list: a line an item).
 * md    tables that paste into Markdown, in units for people; unknown is a dash. Synthetic weights and cut layers
 *       are named in every table. */
#ifndef ASSAY_RESULTS_EXPORT_EXPORT_H
#define ASSAY_RESULTS_EXPORT_EXPORT_H

#include <jansson.h>
#include <stdio.h>

#include "results/store/store.h"

#define EXPORT_LIST(X) X(CSV, "csv") X(JSON, "json") X(JSONL, "jsonl") X(MD, "md") X(TRACE, "trace")
enum export_format {
#define X(name, text) EXPORT_##name,
    EXPORT_LIST(X)
#undef X
};
/* Errors: INPUT an unknown name; those known are listed. */
enum status export_format_parse(const char *text, enum export_format *out, struct error *e);

/* Any document of document.h. Errors: IO; INPUT for `trace`, which is of a run's spans. */
enum status export_document(const json_t *document, enum export_format format, FILE *out, struct error *e);

/* Every value of every sample of a run: run_id, label, block, phase, sample, metric, position, value. CSV. */
enum status export_samples(struct store *s, const struct id *run, FILE *out, struct error *e);

/* The profiled spans in Trace Event form (JSON): complete events in microseconds, a process a unit, a thread a lane,
 * and a thread of stages. Opens in Perfetto and chrome://tracing. Errors: INPUT the run kept no spans. */
enum status export_trace(struct store *s, const struct id *run, FILE *out, struct error *e);

#endif
