/* linear.c: y = x wᵀ + b, and gelu(x wᵀ + b) and silu(x gᵀ) · (x uᵀ). Few rows stream the matrix through our own kernel; many go
 * through cuBLASLt, an output at a time (outputs are tensors of their own; they share x, which caches keep). */
#include <string.h>

#include "kernels/cuda/cuda.h"

static int is_swiglu(const struct op *op) { return op->kind == OP_LINEAR_SWIGLU; }
static int64_t rows_of(const struct cuda_call *c) { return cuda_dim(c, cuda_in_type(c, 0), 0); }

static int linear_few(const struct cuda_call *c) {
    const struct op *op = c->o->op;
    const struct cuda_weight *w = c->o->weight;
    const struct cuda_properties *d = &c->q->device->properties;
    struct cuda_few f = {.t = w->dtype, .out = cuda_out_type(c, 0)->dtype, .rows = rows_of(c), .k = w->cols, .n = is_swiglu(op) ? w->rows / 2 : w->rows,
                         .x = cuda_in(c, 0), .w = w->data, .bias = c->o->vectors[0] ? c->o->vectors[0]->data : NULL, .is_swiglu = is_swiglu(op), .n_outputs = op->n_out,
                         .n_multiprocessors = d->n_multiprocessors, .l2_bytes = (uint32_t)d->l2_bytes};
    for (int i = 0; i < op->n_out; i++) {
        f.n_of[i] = cuda_out_type(c, i)->dims[1].size;
        f.y[i] = cuda_out(c, i);
    }
    return c->q->device->kernels->few(c->q->device->stream, &f);
}

/* Output i of a product of many rows; SwiGLU's two halves are one output, in scratch. */
static void product_of(const struct cuda_call *c, int i, struct product_shape *shape, struct product_data *data) {
    const struct cuda_weight *w = c->o->weight;
    const struct tensor *out = cuda_out_type(c, i);
    int64_t first = 0;
    for (int k = 0; k < i; k++) first += cuda_out_type(c, k)->dims[1].size;
    *shape = (struct product_shape){.m = rows_of(c), .n = is_swiglu(c->o->op) ? w->rows : out->dims[1].size, .k = w->cols, .in = w->dtype, .out = out->dtype, .has_bias = c->o->bias != NULL};
    *data = (struct product_data){.x = cuda_in(c, 0), .w = (const char *)w->data + (size_t)(first * w->cols) * dtype_bytes(w->dtype),
                                  .bias = c->o->bias ? (const char *)c->o->bias->data + (size_t)first * dtype_bytes(out->dtype) : NULL,
                                  .y = is_swiglu(c->o->op) ? c->q->device->scratch.data : cuda_out(c, i)};
}

static int linear_many(const struct cuda_call *c) {
    const struct cuda_device *d = c->q->device;
    for (int i = 0; i < c->o->op->n_out; i++) {
        struct product_shape shape;
        struct product_data data;
        product_of(c, i, &shape, &data);
        int code = product_run(d->products, c->o->plans[i], &data);
        if (code != 0) return code;
    }
    if (!is_swiglu(c->o->op)) return 0;
    struct cuda_swiglu s = {.t = cuda_out_type(c, 0)->dtype, .rows = rows_of(c), .width = c->o->weight->rows / 2, .x = d->scratch.data, .y = cuda_out(c, 0)};
    return d->kernels->swiglu(d->stream, &s);
}

int cuda_linear(const struct cuda_call *c) {
    int code = cuda_is_many_rows(rows_of(c)) ? linear_many(c) : linear_few(c);
    if (code != 0 || c->o->op->kind != OP_LINEAR_GELU) return code;
    const struct tensor *y = cuda_out_type(c, 0);
    struct cuda_map m = {.kind = CUDA_MAP_GELU, .t = y->dtype, .n = tensor_elements(y, c->q->symbols), .a = cuda_out(c, 0), .y = cuda_out(c, 0)};
    return c->q->device->kernels->map(c->q->device->stream, &m);
}

enum status cuda_linear_plan(struct cuda_prepared *q, struct error *e) {
    for (size_t i = 0; i < q->head.program->n_ops; i++) {
        struct cuda_op *o = &q->ops[i];
        struct cuda_call c = {q, o, (int)i};
        if (!o->weight || o->op->kind == OP_EMBED || !cuda_is_many_rows(rows_of(&c))) continue;
        for (int k = 0; k < o->op->n_out; k++) {
            struct product_shape shape;
            struct product_data data;
            product_of(&c, k, &shape, &data);
            enum status s = products_plan(q->device->products, &shape, &data, &o->plans[k], e);
            if (s != STATUS_OK) return s;
        }
    }
    return STATUS_OK;
}

size_t cuda_linear_scratch(const struct program *p, const struct op *op) {
    int64_t rows = dim_value(p->tensors[op->in[0]].dims[0], p->symbol_max);
    if (!is_swiglu(op) || !cuda_is_many_rows(rows)) return 0;
    return (size_t)(rows * p->tensors[op->in[1]].recipe->rows) * dtype_bytes(p->tensors[op->out[0]].dtype);
}
