#include "kernels/cpu/panels.h"

#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum {
    PANEL_COLUMNS = 64,
    COLUMNS_MADE = 16,            /* a tile's columns are a multiple of it (isa.h) */
    HALVES_COLUMNS = 128, STEP = 64, /* of a panel of halves: elements of a sum in fp16 */
    X_BITS = 5, W_BITS = 4        /* magnitudes below 2^5 and 2^4: STEP products sum to less than 2^15 */
};

int panels_fit(const struct isa_kernels *isa, enum dtype t, int64_t k) { return t == DTYPE_F32 || (t == DTYPE_BF16 && isa->has_pairs && k % 2 == 0); }

/* Pairs of bf16 are moved as the 32 bits that they are. */
void panels_run(const struct isa_kernels *isa, const struct dense_key *key, const void *a, const void *b, float *c, float *scratch) {
    int together = key->t == DTYPE_BF16 ? 2 : 1;
    const float *w = b;
    for (int64_t j = 0; j < key->n; j += PANEL_COLUMNS) {
        int64_t n = least(PANEL_COLUMNS, key->n - j);
        struct tile_product p = {.a = a, .b = scratch, .c = c + j, .m = key->m, .n = whole_runs(n, COLUMNS_MADE), .k = key->k / together,
                                 .a_stride = key->a_stride / together, .b_stride = PANEL_COLUMNS, .c_stride = key->c_stride};
        isa->transpose(DTYPE_F32, w + j * key->b_stride / together, key->b_stride / together, n, p.k, scratch, PANEL_COLUMNS);
        (together == 2 ? isa->tile_pairs : isa->tile)(&p);
    }
}

/* ---- in fp16 ---- */

struct halves {
    float factors[HALVES_COLUMNS], back[HALVES_COLUMNS]; /* of columns: powers of two, and what undoes them */
    float turned[STEP * HALVES_COLUMNS];
    uint16_t panel[STEP * HALVES_COLUMNS];
};

int64_t panels_scratch(int64_t k) {
    const int64_t halves = sizeof(struct halves) / sizeof(float);
    return PANEL_COLUMNS * k > halves ? PANEL_COLUMNS * k : halves;
}

/* A power of two whose product with `most` is below 2^bits; 1 where there is none, since nothing is there or something not finite. */
static float factor_of(float most, int bits) {
    int exponent;
    if (!(most > 0)) return 1;
    frexpf(most, &exponent);
    return ldexpf(1, bits - exponent < 126 ? bits - exponent : 126);
}

float panels_halve(const struct isa_kernels *isa, enum dtype t, const void *x, int64_t k, uint32_t *words) {
    float factor = factor_of(isa->most(t, x, k), X_BITS);
    isa->twice(t, x, factor, words, k);
    return 1 / factor;
}

/* k of all columns' elements from `first` on, in range. */
static void fill_panel(const struct isa_kernels *isa, const struct dense_key *key, const void *b, int64_t n, int64_t first, int64_t k, struct halves *h) {
    isa->transpose(key->t, cpu_at(b, key->t, first), key->b_stride, n, k, h->turned, HALVES_COLUMNS);
    for (int64_t i = 0; i < k; i++) {
        isa->mul(DTYPE_F32, h->turned + i * HALVES_COLUMNS, h->factors, h->turned + i * HALVES_COLUMNS, n);
        isa->from_f32(DTYPE_F16, h->turned + i * HALVES_COLUMNS, h->panel + i * HALVES_COLUMNS, n);
    }
}

void panels_run_halves(const struct isa_kernels *isa, const struct dense_key *key, const uint32_t *a, const float *factors, const void *b, float *c, float *scratch) {
    struct halves *h = (struct halves *)(void *)scratch;
    for (int64_t j = 0; j < key->n; j += HALVES_COLUMNS) {
        int64_t n = least(HALVES_COLUMNS, key->n - j);
        const void *w = cpu_at(b, key->t, j * key->b_stride);
        struct tile_product p = {.b = (const float *)(const void *)h->panel, .c = c + j, .m = key->m, .n = whole_runs(n, COLUMNS_MADE), .a_stride = key->a_stride,
                                 .b_stride = HALVES_COLUMNS / 2, .c_stride = key->c_stride};
        memset(h->panel, 0, sizeof h->panel); /* beyond n */
        for (int64_t i = 0; i < n; i++) {
            h->factors[i] = factor_of(isa->most(key->t, cpu_at(w, key->t, i * key->b_stride), key->k), W_BITS);
            h->back[i] = 1 / h->factors[i];
        }
        for (int64_t first = 0; first < key->k; first += STEP) {
            p.k = least(STEP, key->k - first);
            p.a = (const float *)(const void *)(a + first);
            p.is_added = first > 0;
            fill_panel(isa, key, w, n, first, p.k, h);
            isa->tile_halves(&p);
        }
        for (int64_t r = 0; r < key->m; r++) {
            float *row = c + j + r * key->c_stride, *both = h->turned; /* first the factors: a sum with one of them may be beyond f32 */
            isa->scale(DTYPE_F32, h->back, factors[r], both, n);
            isa->mul(DTYPE_F32, row, both, row, n);
        }
    }
}
