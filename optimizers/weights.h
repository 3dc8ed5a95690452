/* weights.h: rewriting the weights of linear operations, leaf by leaf (private to optimizers/). */
#ifndef ASSAY_OPTIMIZERS_WEIGHTS_H
#define ASSAY_OPTIMIZERS_WEIGHTS_H

#include "optimizers/optimizer.h"

/* Gives a leaf (or what restores its order of rows, or prunes it, or what an optimizer before has stored in its own way: ENCODE) of a weight of type t its
 * new form: `part` itself to leave it alone; NULL with the error: UNSUPPORTED leaves the whole weight as it is, refused for that reason, others end all. */
typedef const struct recipe *weight_edit(void *self, struct arena *a, const struct recipe *part, enum dtype t, struct error *e);

/* Which weights are left alone: a list joined by '+' of head, first, last (layers) and patterns of leaves' names (* and ?).
 * "none": none are. */
int weight_is_skipped(const char *skip, const struct program *p, const struct op *op, const struct recipe *leaf);

/* Edits the weights of all linear operations of the pipeline but those that `skip` names; counts them in `out`. A weight whose
 * new form the device refuses stays, and is counted as refused. */
enum status weights_edit(struct pipeline *p, const char *skip, weight_edit *edit, void *self, const struct rewrite_context *context, struct rewrite *out,
                         struct error *e);

/* The receipt: executions of linear operations whose weight has a step that is_mine, and what their weights take against the program's type.
 * what NULL: the names of those steps' encodings. */
void receipt_from_weights(const char *what, const struct rewrite *r, const struct executed *x, int (*is_mine)(const struct recipe *r), struct receipt *out);

#endif
