/* sources.h: where the weights of a workload come from: a checkpoint, or a seed. */
#ifndef ASSAY_WORKLOADS_SOURCES_H
#define ASSAY_WORKLOADS_SOURCES_H

#include "kernels/recipe.h"
#include "workloads/checkpoint/checkpoint.h"

/* Leaves by their names in the checkpoint, which must outlive it. A bias (a vector called "….bias") is a column, so that it splits and
 * stacks by rows as its matrix does; other vectors are one row. Errors of find: INPUT missing, or of more than two dimensions;
 * UNSUPPORTED types that cannot be weights. */
struct weight_source checkpoint_weights(const struct checkpoint *c);

/* Any leaf of any shape, close to normal with a standard deviation of 0.02, as the public initialisers have it; weights of norms are
 * 1 ± 0.02, so that nothing degenerates. Depends on the seed, the name and the element alone. The seed must outlive it. */
struct weight_source synthetic_weights(const uint64_t *seed);

#endif
