/* product.c: x times the rows of a recipe, the only operation of the judge whose speed matters. */
#include "kernels/reference/reference.h"

enum { TILE_ROWS = 16, LANES = 16 };

/* Partial sums in lanes: the order differs from a plain loop by rounding of float64 only. */
__attribute__((target_clones("default", "avx2", "avx512f")))
static void dot_rows(const double *x, int64_t rows, const float *w, int64_t k, double *y, int64_t stride) {
    for (int64_t r = 0; r < rows; r++) {
        const double *a = x + r * k;
        double sum[LANES] = {0}, total = 0;
        int64_t i = 0;
        for (; i + LANES <= k; i += LANES)
            for (int l = 0; l < LANES; l++) sum[l] += a[i + l] * (double)w[i + l];
        for (; i < k; i++) total += a[i] * (double)w[i];
        for (int l = 0; l < LANES; l++) total += sum[l];
        y[r * stride] = total;
    }
}

enum status reference_product(struct reference_prepared *q, const struct recipe *w, const double *x, int64_t rows, double *y, struct error *e) {
    enum status result = STATUS_OK;
    int64_t n = w->rows, k = w->cols;
#pragma omp parallel for schedule(dynamic)
    for (int64_t first = 0; first < n; first += TILE_ROWS) {
        struct error mine = {0};
        int64_t count = n - first < TILE_ROWS ? n - first : TILE_ROWS;
        float *tile = mem_alloc((size_t)(count * k) * sizeof *tile);
        enum status s = recipe_decode(w, q->weights, first, count, tile, &mine);
        for (int64_t i = 0; i < count && s == STATUS_OK; i++) dot_rows(x, rows, tile + i * k, k, y + first + i, n);
        mem_free(tile);
        if (s != STATUS_OK) {
#pragma omp critical
            result = error_set(e, s, "%s", mine.text);
        }
    }
    return result;
}
