/* linear.c: y = x wᵀ + b, and the fused gelu(x wᵀ + b) and silu(x gᵀ) · (x uᵀ).
 *
 * A member computes a run of output columns (rows of w) in tiles: the tile in f32, then bias, GELU or SwiGLU, rounding
 * and the way to the outputs. Up to FEW_LIMIT rows of x, the tile comes from our own streaming kernels, which are
 * bound by reading w; beyond, from our panels or the dense library (units.h), or from strips where both operands are codes. All read the
 * weights where they lie, in one plain layout; what the arithmetic unit cannot take as stored is converted a tile at a time. */
#include "kernels/cpu/linear.h"
#include "kernels/cpu/tiles.h"

/* ---- from a tile of f32 to the outputs ---- */

static void store_swiglu(const struct cpu_call *c, const struct tile *t) {
    enum dtype type = cpu_out_type(c, 0)->dtype;
    int64_t width = columns_of(c);
    for (int64_t r = 0; r < t->rows; r++)
        cpu_isa(c)->swiglu(type, t->y + r * t->stride, t->up + r * t->stride, cpu_at_out(cpu_out(c, 0), type, (t->row + r) * width + t->first), t->n);
}

static void store_outputs(const struct cpu_call *c, const struct tile *t) {
    const float *bias = cpu_vector(c, 0);
    void (*finish)(enum dtype t, const float *x, const float *bias, void *y, int64_t n) = c->o->op->kind == OP_LINEAR_GELU ? cpu_isa(c)->finish_gelu : cpu_isa(c)->finish;
    int64_t begin = 0;
    for (int k = 0; k < c->o->op->n_out; k++) {
        const struct tensor *out = cpu_out_type(c, k);
        int64_t width = out->dims[1].size, from = t->first > begin ? t->first : begin, to = least(t->first + t->n, begin + width);
        for (int64_t r = 0; from < to && r < t->rows; r++)
            finish(out->dtype, t->y + r * t->stride + (from - t->first), bias ? bias + from : NULL,
                   cpu_at_out(cpu_out(c, k), out->dtype, (t->row + r) * width + (from - begin)), to - from);
        begin += width;
    }
}

void linear_store(const struct cpu_call *c, const struct tile *t) {
    if (is_swiglu(c->o->op)) store_swiglu(c, t);
    else store_outputs(c, t);
}

/* ---- rows of x in codes, and strips ---- */

static int32_t code_sum(const int8_t *codes, int64_t n) {
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += codes[i];
    return sum;
}

void linear_round_row(const struct cpu_call *c, int64_t row, int64_t stride, int8_t *codes, float *scale, int32_t *offset) {
    int64_t k = c->o->weight->cols;
    enum dtype t = cpu_in_type(c, 0)->dtype;
    *scale = cpu_isa(c)->round_row(t, cpu_at(cpu_in(c, 0), t, row * k), k, codes);
    memset(codes + k, 0, (size_t)(stride - k));
    *offset = k <= STRIP_MOST_CODES ? 128 * code_sum(codes, k) : 0;
}

void linear_group_sums(const int8_t *codes, int64_t k, int group, int64_t stride, float *sums) {
    memset(sums, 0, (size_t)stride * sizeof *sums);
    for (int64_t g = 0; g < k / group; g++) sums[g] = (float)code_sum(codes + g * group, group);
}

/* Few rows never go to tiles. */
static void run_strips(const struct cpu_call *c, const struct strips_product *p) {
    if (cpu_is_many_rows(p->m) && units_of(&c->q->device->units, DTYPE_I8, rows_class(p->m)) == UNIT_TILES) tiles_strips(p);
    else cpu_isa(c)->strips(p);
}

void linear_strips(const struct cpu_call *c, const struct cpu_segment *s, const struct strips_product *whole, int64_t row, int64_t n, float *side) {
    struct strips_product p = *whole;
    int64_t lead = row % STRIP_ROWS, here = least(n, STRIP_ROWS - lead);
    p.groups = s->encoding->groups;
    p.k = whole_runs(c->o->weight->cols, STRIP_PAD);
    p.strip_stride = s->strip_bytes;
    p.w = s->data + (size_t)(row / STRIP_ROWS) * s->strip_bytes;
    if (lead > 0) { /* columns that begin within a strip */
        p.strips = 1;
        p.y = side;
        p.y_stride = STRIP_ROWS;
        run_strips(c, &p);
        for (int64_t r = 0; r < p.m; r++) memcpy(whole->y + r * whole->y_stride, side + r * STRIP_ROWS + lead, (size_t)here * sizeof *side);
        p.w += s->strip_bytes;
        p.y = whole->y + here;
        p.y_stride = whole->y_stride;
        n -= here;
    }
    p.strips = (n + STRIP_ROWS - 1) / STRIP_ROWS;
    if (p.strips > 0) run_strips(c, &p);
}

/* ---- the operations ---- */

int cpu_is_many_rows(int64_t rows) { return rows > FEW_LIMIT; }

void cpu_linear(const struct cpu_call *c) {
    int64_t rows = rows_of(c);
    if (rows == 0) return;
    if (cpu_is_many_rows(rows)) linear_many(c);
    else linear_few(c);
}

void cpu_need_linear(struct cpu_device *d, const struct program *p, const struct op *op, const struct cpu_weight *w, struct cpu_need *out) {
    const struct tensor *x = &p->tensors[op->in[0]];
    int64_t rows = dim_value(x->dims[0], p->symbol_max);
    *out = (struct cpu_need){.scratch = linear_few_bytes(w->cols, rows)};
    if (cpu_is_many_rows(rows)) linear_many_need(d, x->dtype, rows, w, out);
}

const char *cpu_linear_unit(struct cpu_device *d, enum dtype t, int64_t rows) {
    int is_many = cpu_is_many_rows(rows);
    int is_rounded = t == DTYPE_I8 && !d->isa->has_codes;
    if (is_many) return units_describe(&d->units, is_rounded ? DTYPE_F32 : t, rows_class(rows)); /* f16, too: as f32 */
    if (t == DTYPE_I8) return is_rounded ? "streaming, f32 (rounded)" : "streaming, AVX512-VNNI";
    if (t == DTYPE_BF16 && d->has_bf16_unit) return "streaming, AVX-512 bf16 dot";
    return t == DTYPE_F32 ? "streaming, f32" : "streaming, f32 (weights converted in registers)";
}
