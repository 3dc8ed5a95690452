/* op_cases: the one case table of operations: every kind × element types × awkward sizes (odd, one row, one column,
 * head ratios, no rows, slots of unequal lengths), on weights in several encodings.
 *
 * A case builds a program of one operation, fills inputs, weights and states from a seed, runs it on a device and on
 * the float64 judge, and compares. Numbers lie on a grid that f32, bf16 and f16 hold exactly, so that only the
 * arithmetic differs, not what went in. Include op_cases.c once in a test program. */
#ifndef ASSAY_TESTS_KERNELS_OP_CASES_H
#define ASSAY_TESTS_KERNELS_OP_CASES_H

#include "kernels/backend.h"

enum { OP_CASE_NAME_BYTES = 128, OP_CASE_WHERE_BYTES = 256 };

struct op_case {
    char name[OP_CASE_NAME_BYTES];   /* "linear bf16 R=5 32x96+96+33 q4_1 bias" */
    enum op_kind kind;
    enum dtype dtype;                /* of activations, states and dense weights */
    const struct op_shape *shape;    /* op_cases.c */
    int variant;                     /* of the weights; op_cases.c */
};

int op_case_count(void);
void op_case_get(int i, struct op_case *out);

struct op_result {
    int is_supported;                /* 0: the device said no, with its reason in `where` */
    double worst;                    /* largest error as a multiple of what the type allows: at most 1 agrees */
    char where[OP_CASE_WHERE_BYTES]; /* of the worst: tensor, element, both values */
};

/* Errors: what the device or the judge said while preparing or running. */
enum status op_case_run(const struct op_case *c, struct device *d, struct op_result *out, struct error *e);

#endif
