/* tile.c: small f32 products whose operands lie in cache, transposition, and the tile step of a softmax: what
 * attention is made of. */
#include "kernels/cpu/isa/internal.h"

#if LANES == 16
enum { TALL = 6, WIDE = 4 };
#else
enum { TALL = 6, WIDE = 2 };
#endif

enum elements { NUMBERS, PAIRS, HALVES }; /* of a and b: a constant in every use */

INLINE vf multiply_add(enum elements e, vf a, vf b, vf sum) {
#if defined(__AVX512BF16__)
    if (e == PAIRS) return v_dot_pairs(sum, a, b);
#endif
    return e == HALVES ? v_fma_halves(a, b, sum) : v_fma(a, b, sum);
}

INLINE int64_t columns_of(enum elements e) { return e == HALVES ? 2 * LANES : LANES; } /* of a vector */

/* c (+)= the halves of a sum; only the first of its parts where the columns end there. */
INLINE void store_halves(const struct tile_product *p, float *c, int64_t column, vf sum) {
    union v_halves s = {sum};
    for (int i = 0; i < 2 && column + i * LANES < p->n; i++) {
        vf x = vh_f16(s.part[i]);
        v_store(DTYPE_F32, c, i * LANES, p->is_added ? x + v_load(DTYPE_F32, c, i * LANES) : x);
    }
}

/* c (tall, wide vectors) at row i, column j; both extents are constants. */
INLINE void corner(enum elements e, int tall, int wide, const struct tile_product *p, int64_t i, int64_t j) {
    vf sum[TALL][WIDE];
    const float *a = p->a + i * p->a_stride;
    float *c = p->c + i * p->c_stride + j;
#pragma GCC unroll 8
    for (int r = 0; r < tall; r++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) sum[r][v] = e != HALVES && p->is_added ? v_load(DTYPE_F32, c + r * p->c_stride, v * LANES) : v_set(0);
    for (int64_t k = 0; k < p->k; k++) {
        const float *b = p->b + k * p->b_stride + j * LANES / columns_of(e);
        vf bv[WIDE];
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) bv[v] = v_load(DTYPE_F32, b, v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < tall; r++) {
            vf ar = v_spread(a + r * p->a_stride + k);
#pragma GCC unroll 8
            for (int v = 0; v < wide; v++) sum[r][v] = multiply_add(e, ar, bv[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < tall; r++)
#pragma GCC unroll 8
        for (int v = 0; v < wide; v++) {
            if (e == HALVES) store_halves(p, c + r * p->c_stride + v * 2 * LANES, j + v * 2 * LANES, sum[r][v]);
            else v_store(DTYPE_F32, c + r * p->c_stride, v * LANES, sum[r][v]);
        }
}

INLINE void column(enum elements e, int wide, const struct tile_product *p, int64_t j) {
    int64_t i = 0;
    for (; i + TALL <= p->m; i += TALL) corner(e, TALL, wide, p, i, j);
    for (; i + 2 <= p->m; i += 2) corner(e, 2, wide, p, i, j);
    if (i < p->m) corner(e, 1, wide, p, i, j);
}

INLINE void tile(enum elements e, const struct tile_product *p) {
    int64_t j = 0, columns = columns_of(e);
    for (; j + WIDE * columns <= p->n; j += WIDE * columns) column(e, WIDE, p, j);
    for (; j < p->n; j += columns) column(e, 1, p, j);
}

void ISA_NAME(isa_tile)(const struct tile_product *p) { tile(NUMBERS, p); }
void ISA_NAME(isa_tile_pairs)(const struct tile_product *p) { tile(PAIRS, p); }
void ISA_NAME(isa_tile_halves)(const struct tile_product *p) { tile(HALVES, p); }

void ISA_NAME(isa_pair_rows)(const void *x, size_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride) {
    for (int64_t r = 0; r < rows; r += 2) {
        const char *even = (const char *)x + (size_t)r * x_stride, *odd = even + x_stride;
        V_FOR(c, cols, part, {
            vu low = (vu)V_LOAD(DTYPE_BF16, even, c, part) >> 16;
            vu high = (vu)(r + 1 < rows ? V_LOAD(DTYPE_BF16, odd, c, part) : v_set(0));
            V_STORE(DTYPE_F32, y + r / 2 * y_stride, c, part, (vf)(low | high));
        });
    }
}

/* ---- transposition ---- */

INLINE void transpose(enum dtype t, const void *x, int64_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride) {
    int64_t wide = (rows + 15) / 16 * 16;
    for (int64_t r = 0; r < wide; r += LANES)
        for (int64_t c = 0; c < cols; c += LANES) {
            vf square[LANES];
            int64_t n = cols - c;
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) {
                int64_t at = (r + i) * x_stride + c;
                square[i] = r + i >= rows ? v_set(0) : n >= LANES ? v_load(t, x, at) : v_load_part(t, x, at, n);
            }
            v_transpose(square);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++)
                if (i < n) v_store(DTYPE_F32, y + (c + i) * y_stride, r, square[i]);
        }
}
void ISA_NAME(isa_transpose)(enum dtype t, const void *x, int64_t x_stride, int64_t rows, int64_t cols, float *y, int64_t y_stride) {
    if (t == DTYPE_I8) transpose(DTYPE_I8, x, x_stride, rows, cols, y, y_stride);
    else BY_TYPE(t, transpose, x, x_stride, rows, cols, y, y_stride);
}

/* ---- softmax, tile by tile ---- */

/* s := s · factor; the largest of them and `most`. */
INLINE float scale_row(float *s, int64_t n, float factor, float most) {
    vf m = v_set(most);
    for (int64_t j = 0; j < n; j += LANES) {
        vf x = v_load(DTYPE_F32, s, j) * factor;
        v_store(DTYPE_F32, s, j, x);
        m = v_max(x, m);
    }
    return v_most(m);
}

static void softmax_row(const struct softmax_tile *p, int64_t i) {
    float *s = p->s + i * p->s_stride, *o = p->o + i * p->o_stride;
    int64_t seen = p->visible[i] < p->n ? p->visible[i] : p->n;
    if (seen <= 0) {
        memset(s, 0, (size_t)p->n * sizeof *s);
        return;
    }
    for (int64_t j = seen; j < p->n; j++) s[j] = -INFINITY;
    float most = scale_row(s, p->n, p->factor, p->max[i]), kept = v_exp(v_set(p->max[i] - most))[0];
    vf sum = {0};
    for (int64_t j = 0; j < p->n; j += LANES) {
        vf e = v_exp(v_load(DTYPE_F32, s, j) - most);
        v_store(DTYPE_F32, s, j, e);
        sum += e;
    }
    p->sum[i] = p->sum[i] * kept + v_sum(sum);
    p->max[i] = most;
    if (kept != 1)
        for (int64_t d = 0; d < p->k; d += LANES) v_store(DTYPE_F32, o, d, v_load(DTYPE_F32, o, d) * kept);
}

void ISA_NAME(isa_softmax_tile)(const struct softmax_tile *p) {
    for (int64_t i = 0; i < p->m; i++) softmax_row(p, i);
}
