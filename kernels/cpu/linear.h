/* linear.h: what the two halves of the cpu's linear operations share: few rows of x (linear_few.c), many (linear_many.c).
 * Private to kernels/cpu/. */
#ifndef ASSAY_KERNELS_CPU_LINEAR_H
#define ASSAY_KERNELS_CPU_LINEAR_H

#include <string.h>

#include "kernels/cpu/cpu.h"

enum {
    FEW_LIMIT = 16,          /* measured: from about here on what many rows meet is the faster one */
    COLUMN_UNIT = 16         /* members' runs of columns are whole cache lines of bf16 and a multiple of every kernel's width */
};

static inline int64_t rows_of(const struct cpu_call *c) { return cpu_dim(c, cpu_in_type(c, 0), 0); }
static inline int is_swiglu(const struct op *op) { return op->kind == OP_LINEAR_SWIGLU; }
static inline int64_t columns_of(const struct cpu_call *c) { return c->o->weight->rows / (is_swiglu(c->o->op) ? 2 : 1); }

/* A part of the product in f32, on its way to the outputs: bias, GELU or SwiGLU, and rounding. */
struct tile {
    int64_t first, n;        /* output columns */
    int64_t row, rows;       /* rows of x */
    float *y, *up;           /* (rows, stride); up: second factor of SwiGLU */
    int64_t stride;
};
void linear_store(const struct cpu_call *c, const struct tile *t);

/* Rows row..row+n of a segment in strips, as columns of y (m, y_stride), of which up to STRIP_ROWS beyond n are written over; the
 * rest of the product is in `p`, but for its strips. side: (m, STRIP_ROWS) floats. */
void linear_strips(const struct cpu_call *c, const struct cpu_segment *s, const struct strips_product *p, int64_t row, int64_t n, float *side);

/* Row `row` of x in codes, zero from k up to `stride`, its scale, and 128 Σ codes (0 where no strip is so long). */
void linear_round_row(const struct cpu_call *c, int64_t row, int64_t stride, int8_t *codes, float *scale, int32_t *offset);
/* Σ of codes by groups; 0 from there up to `stride`. */
void linear_group_sums(const int8_t *codes, int64_t k, int group, int64_t stride, float *sums);

/* One member's columns. */
void linear_few(const struct cpu_call *c);
void linear_many(const struct cpu_call *c);

/* Bytes of a member's scratch for a weight of k columns; for many rows also what all members share. */
size_t linear_few_bytes(int64_t k, int64_t max_rows);
void linear_many_need(struct cpu_device *d, enum dtype x, int64_t max_rows, const struct cpu_weight *w, struct cpu_need *out);

#endif
