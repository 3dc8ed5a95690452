/* rows.h: rows of a trace into activity, each checked (private to import/).
 * What is wrong with a row comes back as words, NULL where nothing is; the importer knows where the row stands. */
#ifndef ASSAY_HARNESS_IMPORT_ROWS_H
#define ASSAY_HARNESS_IMPORT_ROWS_H

#include "harness/import/import.h"

struct rows {
    struct imported *out;
    const char *path;
    int64_t op_ns, call_ns, range_ns, bytes; /* sums so far: bounded, so that no later sum can overflow */
    uint8_t *call_kind;            /* by name: 0 not asked yet */
    size_t n_call_kinds;
};

/* A thread until rows_finish numbers it: the same words are the same thread. */
int32_t rows_thread(struct rows *r, const char *process, const char *thread);
/* Copies of these become rows; calls learn whether they block or launch a graph from their name. */
const char *rows_op(struct rows *r, const struct activity_op *op);
const char *rows_call(struct rows *r, const struct activity_call *call);
const char *rows_range(struct rows *r, const struct activity_range *range);
/* Numbers the threads. Errors: INPUT no operations, or operations that lie too far apart to be of one recording. */
enum status rows_finish(struct rows *r, struct error *e);
void rows_free(struct rows *r);

/* Control characters become spaces, what is not UTF-8 becomes '?': names are printed and exported. In place. */
void rows_clean_text(char *text);

#endif
