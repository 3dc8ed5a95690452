/* output.h: how commands print what the store holds: -o md (default on a terminal and elsewhere), json, jsonl, csv. */
#ifndef ASSAY_HARNESS_COMMANDS_OUTPUT_H
#define ASSAY_HARNESS_COMMANDS_OUTPUT_H

#include "harness/spec/options.h"
#include "results/store/store.h"

/* INPUT where -o names no format; checked before anything is measured. */
enum status output_check(const struct options *o, struct error *e);
/* An experiment (design "single": its runs) to standard output. */
enum status output_experiment(const struct options *o, const struct id *id, struct error *e);
/* csv of a run: every value of every sample; of an experiment: a row a cell and metric. */
enum status output_found(struct store *s, const struct found *f, const char *format, FILE *out, struct error *e);

#endif
