/* match.h: finding runs of operations in a program (private to optimizers/). */
#ifndef ASSAY_OPTIMIZERS_MATCH_H
#define ASSAY_OPTIMIZERS_MATCH_H

#include "optimizers/optimizer.h"

/* Who makes and who reads each tensor; rebuilt after each replacement. */
struct match {
    struct program *program;
    int *producer;        /* op that writes it, -1 */
    int *n_users;
    int *user;            /* the last op that reads it, -1; the only one where n_users is 1 */
    struct arena arena;
};
void match_begin(struct match *m, struct program *p);
void match_end(struct match *m);

/* The only reader of an op's output `which`, if it is of this kind, reads it as input `as` (-1: any), and the
 * tensor is needed nowhere else (not an output, not kept); else -1. */
int match_next(const struct match *m, int op, int which, enum op_kind kind, int as);
int match_is_private(const struct match *m, int tensor);

/* Replaces where the device can run `op` (else counts a refusal); 1 where it did. */
int match_replace(struct match *m, const int *victims, int n, int at, const struct op *op,
                  const struct rewrite_context *context, struct rewrite *out);

/* The receipt that all program rewrites share: executed ops of a kind (by `is_one_of_mine`) against what was found. */
void receipt_from_ops(const char *what, const struct rewrite *r, const struct executed *x,
                      int (*is_mine)(const struct op *op), struct receipt *out);

#endif
