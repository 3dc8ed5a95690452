/* reference.h: the judge: every operation in float64, as its formula says and no cleverer.
 *
 * Activations and states are doubles whatever their declared type; weights are decoded from their recipes a few
 * rows at a time and never kept, so a model larger than memory can be judged. Private to kernels/reference/. */
#ifndef ASSAY_KERNELS_REFERENCE_REFERENCE_H
#define ASSAY_KERNELS_REFERENCE_REFERENCE_H

#include "kernels/backend.h"

struct reference_state {
    char *name;
    double *data;
    size_t elements;
};

struct reference_device {
    struct device_head head;
    struct clock *clock;
    struct reference_state *states;
    size_t n_states, capacity;
};

struct reference_prepared {
    struct prepared_head head;
    struct reference_device *device;
    const struct weight_source *weights;
    double **real;                       /* of each tensor that holds reals, at the symbols' maxima; NULL */
    void **whole;                        /* of each tensor that holds integers */
    int64_t symbols[SYMBOL_COUNT];
};

/* One operation on a prepared program. */
enum status reference_op(struct reference_prepared *q, const struct op *op, struct error *e);

/* Rows of x (R,K) times rows of a recipe: y (R, n) = x · w[first..first+n)ᵀ, decoded in tiles. */
enum status reference_product(struct reference_prepared *q, const struct recipe *w, const double *x, int64_t rows, double *y, struct error *e);

#endif
