/* caches.h: how key-value caches are stored: an edit of the pipeline's states (private to optimizers/). */
#ifndef ASSAY_OPTIMIZERS_CACHES_H
#define ASSAY_OPTIMIZERS_CACHES_H

#include "optimizers/optimizer.h"

/* Stores every cache of the pipeline, the vector of each key-value head by itself, as `encoding` has it; in all programs,
 * or in none where the device refuses one of the operations that touch them. Counts operations in `out`. */
void caches_encode(struct pipeline *p, const struct encoding *encoding, const struct rewrite_context *context, struct rewrite *out);

/* What executed operations on encoded caches there were, as a sentence in `evidence`: 1 where there were some. */
int caches_in_use(const struct executed *x, char *evidence, size_t bytes);

#endif
