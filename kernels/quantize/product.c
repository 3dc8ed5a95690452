#include "kernels/quantize.h"

void product_weight_only(const struct quantized_product *s, const float *x, const float *w, float *y) {
    for (int64_t t = 0; t < s->tokens; t++)
        for (int64_t r = 0; r < s->rows; r++) {
            double sum = 0;
            for (int64_t k = 0; k < s->cols; k++) sum += (double)x[t * s->cols + k] * (double)w[r * s->cols + k];
            y[t * s->rows + r] = (float)sum;
        }
}

/* |product| <= 2^14, so that 2^17 - 1 of them stay below 2^31. */
enum { MOST_EXACT_COLS = (1 << 17) - 1 };

enum status product_int8(const struct quantized_product *s, const int8_t *a, const int8_t *b, int32_t *sums, struct error *e) {
    if (s->cols > MOST_EXACT_COLS)
        return error_set(e, STATUS_UNSUPPORTED, "rows of %lld int8 codes: sums in int32 are exact up to %d", (long long)s->cols, MOST_EXACT_COLS);
    for (int64_t t = 0; t < s->tokens; t++)
        for (int64_t r = 0; r < s->rows; r++) {
            int32_t sum = 0;
            for (int64_t k = 0; k < s->cols; k++) sum += a[t * s->cols + k] * b[r * s->cols + k];
            sums[t * s->rows + r] = sum;
        }
    return STATUS_OK;
}

void product_scaled(const struct quantized_product *s, const int32_t *sums, const float *token_scale, const float *row_scale, float *y) {
    for (int64_t t = 0; t < s->tokens; t++)
        for (int64_t r = 0; r < s->rows; r++) y[t * s->rows + r] = (float)((double)sums[t * s->rows + r] * (double)token_scale[t] * (double)row_scale[r]);
}
