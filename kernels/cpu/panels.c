#include "kernels/cpu/panels.h"

#include "kernels/cpu/cpu.h"

enum { PANEL_COLUMNS = 64, COLUMNS_MADE = 16 }; /* COLUMNS_MADE: a tile's columns are a multiple of it (isa.h) */

int panels_fit(const struct isa_kernels *isa, enum dtype t, int64_t k) { return t == DTYPE_F32 || (t == DTYPE_BF16 && isa->has_pairs && k % 2 == 0); }

int64_t panels_scratch(int64_t k) { return PANEL_COLUMNS * k; }

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
