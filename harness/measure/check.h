/* check.h: are the results right, before any time is taken? One process checks all cells of an experiment.
 *
 * The probe is a fixed row of at most 64 tokens, teacher-forced. Its logits are compared with the plain pipeline
 * on the `reference` backend (float64, weights streamed, so that any size fits). The error is
 * rms(logits − reference) ÷ rms(reference). A class is judged against the plain form in the same types:
 *   exact         the same bits as the plain form
 *   same choices  the same argmax wherever the reference's margin exceeds the measured error
 *   reordered     error at most twice the plain form's
 *   lossy         error at most twice the plain form's and what the optimizers' settings declare beside it
 * Quality: the mean negative log-likelihood (nats a token) of a text, one pass, no BOS, chunks of 256 rows; the share of
 * cloze items answered rightly (cloze.h); of an optimized cell, its divergence from the plain form's distributions. */
#ifndef ASSAY_HARNESS_MEASURE_CHECK_H
#define ASSAY_HARNESS_MEASURE_CHECK_H

#include "harness/measure/worker.h"
#include "harness/spec/spec.h"
#include "kernels/base/memory.h"

/* What one cell gets: request {"do":"check","cell":i} → {"class","error","plain_error","bound","ok","detail",
 * "quality":[{"name","unit","value","n"}…]}. */
struct checker {
    const struct spec *cells;       /* borrowed; differ in what they like */
    int n_cells;
    double bound;                   /* what lossy optimizers may add to the error, whatever they declare; NAN: what they declare */
    struct checker_model *model;    /* of the last cell: kept while the next one wants the same */
};
struct worker_program checker_program(struct checker *c);

#endif
