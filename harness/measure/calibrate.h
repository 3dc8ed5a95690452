/* calibrate.h: what enters linear operations, for optimizers that ask for it: norms of input columns over calibration tokens. */
#ifndef ASSAY_HARNESS_MEASURE_CALIBRATE_H
#define ASSAY_HARNESS_MEASURE_CALIBRATE_H

#include "harness/spec/spec.h"
#include "workloads/llm/model.h"

/* What calibration was asked for by the spec's optimizers: the first's; NULL: none. */
const char *calibration_wanted(const struct spec *spec);

/* Runs the plain pipeline on the spec's backend, in its type, over the tokens of `from`: a file of text, or "prompt", the run's own
 * prompts. Tokens go in sequences of at most 128, 4096 in all. One row of *out for each leaf of a linear operation's weight; all is of
 * the arena. To be called before the spec's own device is open: a thread team is bound.
 * Errors: as engine_open; IO the file; INPUT a file without a tokenizer to read it, or without tokens. */
enum status calibrate(const struct spec *spec, struct llm_model *m, const char *from, struct arena *a, struct input_norms **out, int *n, struct error *e);

#endif
