/* ops.c: rows of reals: embedding, norms, element by element, likelihood. Formulas: op.h. */
#include <math.h>
#include <string.h>

#include "kernels/reference/reference.h"

enum status reference_check_ids(const struct reference_call *c, int i, int64_t n, int64_t limit, const char *what) {
    const int32_t *ids = reference_ids(c, i);
    for (int64_t k = 0; k < n; k++)
        if (ids[k] < 0 || ids[k] >= limit)
            return error_set(c->e, STATUS_INPUT, "%s: %s %d at row %lld is outside [0, %lld)", op_table[c->op->kind].name, what,
                             ids[k], (long long)k, (long long)limit);
    return STATUS_OK;
}

double *reference_vector(const struct reference_call *c, int i) {
    const struct recipe *r = reference_recipe(c, i);
    int64_t n = r->rows * r->cols;
    float *narrow = mem_alloc((size_t)n * sizeof *narrow);
    double *wide = mem_alloc((size_t)n * sizeof *wide);
    enum status s = recipe_decode(r, c->q->weights, 0, r->rows, narrow, c->e);
    for (int64_t k = 0; k < n; k++) wide[k] = (double)narrow[k];
    mem_free(narrow);
    if (s == STATUS_OK) return wide;
    mem_free(wide);
    return NULL;
}

enum status reference_embed(const struct reference_call *c) {
    const struct recipe *table = reference_recipe(c, 0);
    int64_t rows = reference_out_dim(c, 0, 0), d = table->cols;
    enum status s = reference_check_ids(c, 1, rows, table->rows, "id");
    float *row = mem_alloc((size_t)d * sizeof *row);
    for (int64_t r = 0; r < rows && s == STATUS_OK; r++) {
        s = recipe_decode(table, c->q->weights, reference_ids(c, 1)[r], 1, row, c->e);
        for (int64_t i = 0; i < d && s == STATUS_OK; i++) reference_out(c, 0)[r * d + i] = (double)row[i];
    }
    mem_free(row);
    return s;
}

/* y[t,:] = g · x[t,:] / sqrt(mean(x[t,:]²) + eps); Zhang & Sennrich 2019, eq. 4. */
static void normalise(const double *x, const double *g, double *y, int64_t d, double eps) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += x[i] * x[i];
    double scale = 1 / sqrt(sum / (double)d + eps);
    for (int64_t i = 0; i < d; i++) y[i] = x[i] * scale * g[i];
}

static enum status normalise_rows(const struct reference_call *c, int weight, const double *x, double *y) {
    double *g = reference_vector(c, weight);
    if (!g) return c->e->status;
    int64_t rows = reference_in_dim(c, 0, 0), d = reference_in_dim(c, 0, 1);
    for (int64_t r = 0; r < rows; r++) normalise(x + r * d, g, y + r * d, d, (double)c->op->f[0]);
    mem_free(g);
    return STATUS_OK;
}

enum status reference_rmsnorm(const struct reference_call *c) {
    return normalise_rows(c, 1, reference_in(c, 0), reference_out(c, 0));
}

/* y[t,:] = g · (x[t,:] − mean) / sqrt(mean((x[t,:] − mean)²) + eps) + b; Ba et al. 2016, eq. 4. */
static void centre_and_scale(const double *x, const double *g, const double *b, double *y, int64_t d, double eps) {
    double mean = 0, sum = 0;
    for (int64_t i = 0; i < d; i++) mean += x[i] / (double)d;
    for (int64_t i = 0; i < d; i++) sum += (x[i] - mean) * (x[i] - mean);
    double scale = 1 / sqrt(sum / (double)d + eps);
    for (int64_t i = 0; i < d; i++) y[i] = (x[i] - mean) * scale * g[i] + b[i];
}

enum status reference_layernorm(const struct reference_call *c) {
    double *g = reference_vector(c, 1), *b = g ? reference_vector(c, 2) : NULL;
    int64_t rows = b ? reference_in_dim(c, 0, 0) : 0, d = reference_in_dim(c, 0, 1);
    for (int64_t r = 0; r < rows; r++) centre_and_scale(reference_in(c, 0) + r * d, g, b, reference_out(c, 0) + r * d, d, (double)c->op->f[0]);
    enum status s = b ? STATUS_OK : c->e->status;
    mem_free(g);
    mem_free(b);
    return s;
}

enum status reference_add_rmsnorm(const struct reference_call *c) {
    const double *a = reference_in(c, 0), *b = reference_in(c, 1);
    double *sum = reference_out(c, 0);
    int64_t n = reference_in_dim(c, 0, 0) * reference_in_dim(c, 0, 1);
    for (int64_t i = 0; i < n; i++) sum[i] = a[i] + b[i];
    return normalise_rows(c, 2, sum, reference_out(c, 1));
}

static double combine(const struct op *op, double a, double b) {
    switch (op->kind) {
    case OP_SCALE: return a * (double)op->f[0];
    case OP_ADD: return a + b;
    case OP_MUL: return a * b;
    case OP_SILU: return reference_silu(a);
    case OP_GELU: return reference_gelu(a);
    default: return a; /* COPY */
    }
}

enum status reference_elementwise(const struct reference_call *c) {
    const struct tensor *t = reference_type(c, c->op->in[0]);
    int64_t n = tensor_elements(t, c->q->symbols);
    const double *a = reference_in(c, 0), *b = c->op->n_in > 1 ? reference_in(c, 1) : a;
    double *y = reference_out(c, 0);
    if (a) {
        for (int64_t i = 0; i < n; i++) y[i] = combine(c->op, a[i], b[i]);
        return STATUS_OK;
    }
    memcpy(c->q->whole[c->op->out[0]], c->q->whole[c->op->in[0]], (size_t)n * dtype_bytes(t->dtype)); /* COPY of ids */
    return STATUS_OK;
}

/* y may be x. */
void reference_softmax_row(const double *x, double *y, int64_t n) {
    double most = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, x[i]);
    for (int64_t i = 0; i < n; i++) sum += y[i] = exp(x[i] - most);
    for (int64_t i = 0; i < n; i++) y[i] /= sum;
}

enum status reference_softmax(const struct reference_call *c) {
    const struct tensor *t = reference_type(c, c->op->in[0]);
    int64_t s = reference_in_dim(c, 0, t->n_dims - 1), n = tensor_elements(t, c->q->symbols);
    for (int64_t i = 0; i < n; i += s) reference_softmax_row(reference_in(c, 0) + i, reference_out(c, 0) + i, s);
    return STATUS_OK;
}

enum status reference_gather(const struct reference_call *c) {
    int64_t d = reference_in_dim(c, 0, 1), n = reference_out_dim(c, 0, 0);
    enum status s = reference_check_ids(c, 1, n, reference_in_dim(c, 0, 0), "row index");
    for (int64_t i = 0; i < n && s == STATUS_OK; i++)
        memcpy(reference_out(c, 0) + i * d, reference_in(c, 0) + reference_ids(c, 1)[i] * d, (size_t)d * sizeof(double));
    return s;
}

/* −log p(target) = max + log Σ exp(x − max) − x[target]; a negative target has no loss. */
enum status reference_nll(const struct reference_call *c) {
    int64_t width = reference_in_dim(c, 0, 1), rows = reference_in_dim(c, 0, 0);
    for (int64_t r = 0; r < rows; r++) {
        const double *x = reference_in(c, 0) + r * width;
        int32_t target = reference_ids(c, 1)[r];
        double most = -INFINITY, sum = 0;
        if (target >= width)
            return error_set(c->e, STATUS_INPUT, "nll: target %d at row %lld is outside the vocabulary (%lld)", target,
                             (long long)r, (long long)width);
        for (int64_t i = 0; i < width; i++) most = fmax(most, x[i]);
        for (int64_t i = 0; i < width; i++) sum += exp(x[i] - most);
        reference_out(c, 0)[r] = target < 0 ? 0 : most + log(sum) - x[target];
    }
    return STATUS_OK;
}
