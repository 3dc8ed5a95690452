/* linear.c: x times the rows of a recipe, the only operation of the judge whose speed matters.
 *
 * Weights are decoded TILE_ROWS rows at a time; a block of the tile times a block of x stays in registers. */
#include <math.h>

#include "kernels/reference/reference.h"

enum { TILE_ROWS = 16, BLOCK_W = 4, BLOCK_X = 2, LANES = 8 };

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* One weight times rows of x, into the operation's outputs side by side. */
struct product {
    const struct recipe *weight;   /* (N, K) */
    const double *x;               /* (R, K) */
    double *rounded;               /* the same with each row rounded to 8 bits, for weights that ask for it; else NULL */
    int64_t rows;
    int n_outputs;
    double *y[OP_MAX_OUT];         /* (R, width[i]); the widths sum to N */
    int64_t width[OP_MAX_OUT];
};

struct tile {
    float *narrow;                 /* (TILE_ROWS, K) as decoded */
    double *wide;                  /* (TILE_ROWS, K) */
};

/* sum[i][j] = w[i] · x[j], each in LANES partial sums: its rounding differs from a plain loop's, its order never. */
#if !defined(__SANITIZE_THREAD__) /* the resolver of clones runs before the sanitizer is there */
__attribute__((target_clones("default", "avx2", "avx512f")))
#endif
static void dot_block(const double *const *w, const double *const *x, int64_t k, double sum[BLOCK_W][BLOCK_X]) {
    lanes part[BLOCK_W][BLOCK_X] = {{{0}}};
    int64_t whole = k / LANES * LANES;
    for (int64_t c = 0; c < whole; c += LANES) {
        lanes a = *(const lanes *)(x[0] + c), b = *(const lanes *)(x[1] + c);
        for (int i = 0; i < BLOCK_W; i++) {
            lanes v = *(const lanes *)(w[i] + c);
            part[i][0] += v * a;
            part[i][1] += v * b;
        }
    }
    for (int i = 0; i < BLOCK_W; i++)
        for (int j = 0; j < BLOCK_X; j++) {
            double total = 0;
            for (int64_t c = whole; c < k; c++) total += w[i][c] * x[j][c];
            for (int l = 0; l < LANES; l++) total += part[i][j][l];
            sum[i][j] = total;
        }
}

/* Where element (row, n) of the whole product belongs. */
static double *place_of(const struct product *p, int64_t row, int64_t n) {
    int i = 0;
    while (n >= p->width[i]) n -= p->width[i++];
    return p->y[i] + row * p->width[i] + n;
}

/* Rows of w that meet the same form of x. Blocks at the edges repeat their last row; what they compute twice is written once. */
static void multiply_rows(const struct product *p, const double *all_x, const double *w_rows, int64_t first, int64_t count) {
    int64_t k = p->weight->cols;
    for (int64_t r = 0; r < p->rows; r += BLOCK_X)
        for (int64_t n = 0; n < count; n += BLOCK_W) {
            const double *w[BLOCK_W], *x[BLOCK_X];
            double sum[BLOCK_W][BLOCK_X];
            for (int i = 0; i < BLOCK_W; i++) w[i] = w_rows + (n + i < count ? n + i : count - 1) * k;
            for (int j = 0; j < BLOCK_X; j++) x[j] = all_x + (r + j < p->rows ? r + j : p->rows - 1) * k;
            dot_block(w, x, k, sum);
            for (int i = 0; i < BLOCK_W && n + i < count; i++)
                for (int j = 0; j < BLOCK_X && r + j < p->rows; j++) *place_of(p, r + j, first + n + i) = sum[i][j];
        }
}

static void multiply_tile(const struct product *p, const struct tile *t, int64_t first, int64_t count) {
    for (int64_t n = 0, run; n < count; n += run) {
        int is_rounded = recipe_input_bits(p->weight, first + n) > 0;
        for (run = 1; n + run < count && (recipe_input_bits(p->weight, first + n + run) > 0) == is_rounded;) run++;
        multiply_rows(p, is_rounded ? p->rounded : p->x, t->wide + n * p->weight->cols, first + n, run);
    }
}

static enum status run_tile(const struct reference_call *c, const struct product *p, const struct tile *t, int64_t first,
                            struct error *e) {
    int64_t left = p->weight->rows - first, count = left < TILE_ROWS ? left : TILE_ROWS;
    if (!t->narrow || !t->wide) return error_set(e, STATUS_NO_MEMORY, "no memory for %d rows of a weight", TILE_ROWS);
    enum status s = recipe_decode(p->weight, c->q->weights, first, count, t->narrow, e);
    if (s != STATUS_OK) return s;
    for (int64_t i = 0; i < count * p->weight->cols; i++) t->wide[i] = (double)t->narrow[i];
    multiply_tile(p, t, first, count);
    return STATUS_OK;
}

void reference_round(const struct encoding *encoding, const double *x, double *y, int64_t n) {
    float *row = mem_alloc((size_t)(n + 1) * sizeof *row);
    void *codes = mem_alloc(encoding_row_bytes(encoding, n));
    for (int64_t i = 0; i < n; i++) row[i] = (float)x[i];
    encoding->encode(row, codes, n);
    encoding->decode(codes, row, n);
    for (int64_t i = 0; i < n; i++) y[i] = (double)row[i];
    mem_free(row);
    mem_free(codes);
}

/* Each row through the encoding that has this rounding. */
static enum status round_rows(struct product *p, struct error *e) {
    int64_t k = p->weight->cols;
    p->rounded = mem_try((size_t)(p->rows * k) * sizeof *p->rounded);
    for (int64_t r = 0; r < p->rows && p->rounded; r++) reference_round(&encoding_int8_row, p->x + r * k, p->rounded + r * k, k);
    return p->rounded ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for %lld rounded rows", (long long)p->rows);
}

static enum status multiply_all(const struct reference_call *c, const struct product *p) {
    enum status result = STATUS_OK;
    int64_t n = p->rows > 0 ? p->weight->rows : 0;
    size_t elements = (size_t)(TILE_ROWS * p->weight->cols);
#pragma omp parallel if (REFERENCE_IS_PARALLEL) num_threads(c->q->device->threads)
    {
        struct tile t = {mem_try(elements * sizeof(float)), mem_try(elements * sizeof(double))};
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < n; first += TILE_ROWS) {
            struct error mine = {0};
            enum status s = run_tile(c, p, &t, first, &mine);
            if (s != STATUS_OK) {
#pragma omp critical(reference_linear)
                result = error_set(c->e, s, "%s", mine.text);
            }
        }
        mem_try_free(t.narrow, elements * sizeof(float));
        mem_try_free(t.wide, elements * sizeof(double));
    }
    return result;
}

static enum status multiply(const struct reference_call *c, struct product *p) {
    enum status s = p->rows > 0 && recipe_rounds_inputs(p->weight) ? round_rows(p, c->e) : STATUS_OK;
    if (s == STATUS_OK) s = multiply_all(c, p);
    mem_try_free(p->rounded, (size_t)(p->rows * p->weight->cols) * sizeof *p->rounded);
    return s;
}

enum status reference_linear(const struct reference_call *c) {
    const struct op *op = c->op;
    struct product p = {.weight = reference_recipe(c, 1), .x = reference_in(c, 0), .rows = reference_in_dim(c, 0, 0),
                        .n_outputs = op->n_out};
    for (int i = 0; i < op->n_out; i++) {
        p.y[i] = reference_out(c, i);
        p.width[i] = reference_out_dim(c, i, 1);
    }
    enum status s = multiply(c, &p);
    if (s != STATUS_OK || op->n_in < 3) return s;
    double *bias = reference_vector(c, 2);
    if (!bias) return c->e->status;
    for (int64_t n = 0; n < p.weight->rows; n++)
        for (int64_t r = 0; r < p.rows; r++) *place_of(&p, r, n) += bias[n];
    mem_free(bias);
    return STATUS_OK;
}

/* x Φ(x); Hendrycks & Gimpel 2016. */
double reference_gelu(double x) { return x * erfc(-x * M_SQRT1_2) / 2; }

enum status reference_linear_gelu(const struct reference_call *c) {
    enum status s = reference_linear(c);
    int64_t n = reference_out_dim(c, 0, 0) * reference_out_dim(c, 0, 1);
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) reference_out(c, 0)[i] = reference_gelu(reference_out(c, 0)[i]);
    return s;
}

double reference_silu(double x) { return x / (1 + exp(-x)); }

enum status reference_swiglu(const struct reference_call *c) {
    struct product p = {.weight = reference_recipe(c, 1), .x = reference_in(c, 0), .rows = reference_in_dim(c, 0, 0),
                        .n_outputs = 2};
    int64_t width = reference_out_dim(c, 0, 1), n = p.rows * width;
    double *gate_up = mem_try((size_t)(2 * n) * sizeof *gate_up), *y = reference_out(c, 0);
    if (!gate_up) return error_set(c->e, STATUS_NO_MEMORY, "no memory for %lld products", (long long)(2 * n));
    p.y[0] = gate_up;
    p.y[1] = gate_up + n;
    p.width[0] = p.width[1] = width;
    enum status s = multiply(c, &p);
    for (int64_t i = 0; i < n && s == STATUS_OK; i++) y[i] = reference_silu(p.y[0][i]) * p.y[1][i];
    mem_try_free(gate_up, (size_t)(2 * n) * sizeof *gate_up);
    return s;
}
