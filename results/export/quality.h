/* quality.h: what a run's speed costs, in words: the one place from which every table has them.
 * Runs are those of documents: cells of an experiment, sides of a comparison, whole runs. */
#ifndef ASSAY_RESULTS_EXPORT_QUALITY_H
#define ASSAY_RESULTS_EXPORT_QUALITY_H

#include <jansson.h>

/* "lossy (error 0.211)", "lossy (error 0.62, past its bound 0.4)", "reordered (error 1.00e-06)"; "" where nothing was checked.
 * Owned. */
char *fidelity_words(const json_t *run);

/* "nll 1.146 nats/token (+0.162), kl_from_plain 0.130 nats/token, …": every quality, in brackets the difference from the
 * baseline where `deltas` ({name: {"delta"}}, may be NULL) has it; "" where there is none. Owned. */
char *quality_words(const json_t *run, const json_t *deltas);

/* Why a cell or side has no speed-up: "past its bound", "not engaged", "no receipt"; NULL where it may have one. */
const char *speedless_words(const json_t *run);

#endif
