/* product.h: y (m, n) = x (m, k) · w (n, k)ᵀ + bias through cuBLASLt: planned once for each shape, the fastest of the
 * candidates that its heuristic names kept. Row-major here; to the library the same bytes are yᵀ = w · xᵀ. */
#ifndef ASSAY_KERNELS_CUDA_PRODUCT_H
#define ASSAY_KERNELS_CUDA_PRODUCT_H

#include "kernels/base/status.h"
#include "kernels/cuda/blaslt.h"
#include "kernels/cuda/runtime.h"
#include "kernels/types.h"

struct product_shape {
    int64_t m, n, k;
    enum dtype in, out;            /* of x and w; of y and bias */
    int has_bias;
};
struct product_data {
    const void *x, *w, *bias;
    void *y;
};

struct products;                   /* all plans of a device */
struct product;                    /* one plan */

enum status products_open(const struct blaslt *library, const struct cuda_runtime *rt, void *stream, struct products **out, struct error *e);
void products_close(struct products *p); /* NULL is fine */
size_t products_version(const struct products *p);
/* The plan of this shape, made now where there is none: candidates are timed on `data`, whose y is overwritten. */
enum status products_plan(struct products *p, const struct product_shape *s, const struct product_data *data, struct product **out, struct error *e);
/* 0, or the library's status. */
int product_run(const struct products *p, const struct product *plan, const struct product_data *data);

#endif
