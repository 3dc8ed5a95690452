/* record.h: what measuring processes answered, into the store (private to measure/). */
#ifndef ASSAY_HARNESS_MEASURE_RECORD_H
#define ASSAY_HARNESS_MEASURE_RECORD_H

#include <jansson.h>

#include "results/store/store.h"

/* A sample's numbers; the wall time in *wall_ns. */
enum status record_sample(struct store *s, int64_t process, enum sample_phase phase, int index, const json_t *reply, double *wall_ns, struct error *e);
/* Ledger and operations of a profiled sample. */
enum status record_profile(struct store *s, int64_t process, int index, const json_t *reply, struct error *e);
enum status record_receipts(struct store *s, const struct id *run, const json_t *reply, int *n_engaged, struct error *e);
enum status record_spans(struct store *s, const struct id *run, const json_t *reply, struct error *e);
enum status record_output(struct store *s, const struct id *run, const json_t *reply, struct error *e);
enum status record_fidelity(struct store *s, const struct id *run, const json_t *check, struct error *e);
enum status record_memory(struct store *s, const struct id *run, const json_t *memory, struct error *e);

/* The largest share of the ledger's lines of a ceiling that caches cannot explain (ledger.h, surely_ns); 0: unknown. */
/* A value of a sample by its metric; NAN where it has none. */
double record_value(const json_t *reply, const char *metric);
double record_largest_share(const json_t *reply, char *where, size_t where_bytes);

#endif
