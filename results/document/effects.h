/* effects.h: what each factor of an experiment does, from one number a cell and block.
 *
 * All numbers are speed-ups: above 1 is better (less time, fewer bytes, a higher rate). "log" is the natural
 * logarithm of the speed-up. Intervals are Student's t over blocks. */
#ifndef ASSAY_RESULTS_DOCUMENT_EFFECTS_H
#define ASSAY_RESULTS_DOCUMENT_EFFECTS_H

#include <jansson.h>
#include <stdint.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum { EFFECTS_MAX_FACTORS = 16, EFFECTS_MAX_ENTRIES = 1 << 22 };

/* A response: (blocks, 2^factors) sums of logarithms, several processes of a cell in one block meaning their mean. */
struct response {
    const char *metric, *stage;      /* stage NULL: end to end */
    json_t *axes;                    /* borrowed; the point of the axes that these cells share */
    int n_factors, n_blocks;
    const char *const *factors;
    unsigned engaged;                /* bit f: every receipt of factor f says ENGAGED */
    int *blocks;                     /* their numbers */
    double *sums;
    int *counts;
    size_t capacity;
};
void response_add(struct response *r, int block, uint32_t mask, double value);
void response_free(struct response *r);

/* Appends to the arrays "effects", "interactions", "shapley", "total", "alone" and "left_out" of `out`, as far as the
 * cells allow: alone and left_out need two cells each, total two, the others all 2^factors in at least one block. */
void effects_append(const struct response *r, json_t *out);

/* The six arrays, empty. */
void effects_begin(json_t *out);

#endif
