/* auto.h: for each weight the form that takes least time on this device, of those within a bound on its error (private to optimizers/).
 * After torchao's AutoQuant, which times each distinct shape of a model with each of its kinds and picks for each layer.
 *
 * One decision is that of an operation's weight: fused leaves are timed and decided together, since together they run, and the times of
 * parts do not add up to the whole's. What `skip` names stays as it is inside of it.
 *
 * Time: of a row of such operations on weights of their own, as many as it takes that caches hold them no more than they will in the
 * run; at the rows of each usage, weighted by its passes.
 * Error: relative rms of w - decoded w over up to 32 rows spread over the leaf, the worst leaf deciding. A form that rounds rows of x has
 * the error of rounding normally distributed ones beside it (root of the sum of squares). That is the product's relative error where
 * inputs are alike and independent; outliers of real activations are not seen here but by the check of the whole run. */
#ifndef ASSAY_OPTIMIZERS_AUTO_H
#define ASSAY_OPTIMIZERS_AUTO_H

#include "optimizers/weights.h"

struct candidate {
    const char *name;
    weight_edit *edit;
    void *self;
};

struct auto_rule {
    const struct candidate *candidates; /* beside the plain form */
    int n;                              /* TIMED_MAX - 1 at most */
    const char *skip;
    double bound;
};

/* Edits the pipeline's weights; out->choices says how it came to it. Where nobody can tell times, all places count as refused. A candidate
 * that the device or its own edit refuses is left out, with the reason among the choices. */
enum status auto_edit(struct pipeline *p, const struct auto_rule *rule, const struct rewrite_context *context, struct rewrite *out, struct error *e);

/* "112 int4_g64 dynamic, 56 int8_row, 10 plain": the forms of linear operations' weights that ran. */
void auto_summary(const struct executed *x, char *to, size_t bytes);

#endif
