/* factorial.h: a full 2^k design of switches, replicated in blocks.
 *
 * A cell c is a mask: factor f is on where bit f of c is set. A block holds every cell once, measured near each
 * other in time; what all cells of a block share (its hour, its machine's mood) cancels in every contrast. So
 * each quantity is computed within each block, on natural logarithms, and its interval is Student's t over the
 * blocks' values: no assumption about noise inside a block, and blocks may differ in variance.
 * k from 1 to FACTORIAL_FACTORS_MAX; work k 2^k for each block.
 *
 * Quantities, all of log time (so a negative effect is faster; exp of a speed-up is a factor):
 *   effect of a set T    sum over cells of log time times the product of signs in T, over 2^(k-1). A single bit is
 *                        a main effect, two bits a two-way interaction (Yates 1937).
 *   alone(f)             log( time(nothing) / time(f only) )
 *   left out(f)          log( time(all but f) / time(all) )
 *   share(f)             f's Shapley value (1953) of log( time(nothing) / time(S) ): its mean contribution over
 *                        all orders of switching on. Shares sum to the total; factors multiply to it.
 *   total                log( time(nothing) / time(all) ) */
#ifndef ASSAY_RESULTS_STATS_FACTORIAL_H
#define ASSAY_RESULTS_STATS_FACTORIAL_H

#include <stddef.h>

#include "kernels/base/status.h"

enum { FACTORIAL_FACTORS_MAX = 10 };

/* y (2^k) any response, effects (2^k) out, may alias; effects[0] is the mean. */
void factorial_effects(const double *y, int factors, double *effects);

/* value (2^k) of each coalition, shares (k) out. */
void factorial_shapley(const double *value, int factors, double *shares);

struct factorial_estimate {
    double value, low, high;   /* natural log units; low and high NAN with one block */
    double p;                  /* two-sided against 0; NAN with one block. Adjust for their number (multiplicity.h) */
};

struct factorial {
    int factors;
    size_t blocks_used, blocks_left_out;          /* a block with a missing cell cannot balance: left out */
    struct factorial_estimate *effects;           /* (2^k) by mask; [0] is the mean log time */
    struct factorial_estimate *alone, *left_out, *shares;   /* (k) */
    struct factorial_estimate total;
};

/* times (blocks, 2^k): one location of each cell in each block (e.g. the median of its process); NAN: missing.
 * Errors: INPUT k out of range, a time that is not positive, no complete block. On success: factorial_free. */
enum status factorial_analyse(const double *times, int factors, size_t blocks, double confidence,
                              struct factorial *out, struct error *e);
void factorial_free(struct factorial *f);

#endif
