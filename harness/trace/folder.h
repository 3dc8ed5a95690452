/* folder.h: where the recordings of a command lie until they are stored. */
#ifndef ASSAY_HARNESS_TRACE_FOLDER_H
#define ASSAY_HARNESS_TRACE_FOLDER_H

#include "kernels/base/status.h"

/* `keep`, made where it is missing, or (NULL) a private one in $TMPDIR; absolute. Owned: mem_free.
 * Errors: INPUT it holds recordings already; IO it cannot be made. */
enum status folder_make(const char *keep, char **out, struct error *e);
/* Recordings in it; `n_written`: those of processes that still run. */
int folder_count(const char *folder, int *n_written);
double folder_bytes(const char *folder);
/* Removes it with its recordings. */
void folder_remove(const char *folder);

#endif
