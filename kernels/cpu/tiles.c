#include "kernels/cpu/tiles.h"

#include <immintrin.h>
#include <string.h>

#include "kernels/encoding.h"

enum { SIDE = 16, TALL = 2 * SIDE, WIDE = 2, TILE_BYTES = SIDE * 64, MOST_PIECES = 2 };

/* ---- the unit: tiles 0 to 3 are sums, 4 and 5 of x, 6 and 7 of the matrix ---- */

/* How an application sets the unit up: rows and bytes a row of each tile (palette 1). */
struct setup {
    uint8_t palette, first_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static struct setup setup_of(int piece) {
    struct setup s = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        s.row_bytes[t] = (uint16_t)(t == 4 || t == 5 ? piece : 64);
        s.rows[t] = (uint8_t)(t >= 6 ? piece / 4 : SIDE);
    }
    return s;
}

#if TILES_ARE_EMULATED
#define ON_TILES
static struct {
    struct setup setup;
    uint8_t bytes[8][SIDE][64];
} unit;

#define BEGIN(s) unit.setup = *(s)
#define END() memset(&unit, 0xee, sizeof unit)
#define ZERO(t) memset(unit.bytes[t], 0, sizeof unit.bytes[t])
static void LOAD(int t, const void *from, int64_t stride) {
    memset(unit.bytes[t], 0, sizeof unit.bytes[t]);
    for (int r = 0; r < unit.setup.rows[t]; r++) memcpy(unit.bytes[t][r], (const char *)from + r * stride, unit.setup.row_bytes[t]);
}
static void STORE(int t, void *to, int64_t stride) {
    for (int r = 0; r < unit.setup.rows[t]; r++) memcpy((char *)to + r * stride, unit.bytes[t][r], unit.setup.row_bytes[t]);
}
static void DOT(int c, int a, int b) {
    for (int r = 0; r < unit.setup.rows[c]; r++)
        for (int n = 0; n < unit.setup.row_bytes[c] / 4; n++) {
            int32_t sum;
            memcpy(&sum, &unit.bytes[c][r][4 * n], sizeof sum);
            for (int k = 0; k < unit.setup.rows[b]; k++)
                for (int i = 0; i < 4; i++) sum += (int8_t)unit.bytes[a][r][4 * k + i] * unit.bytes[b][k][4 * n + i];
            memcpy(&unit.bytes[c][r][4 * n], &sum, sizeof sum);
        }
}
#else
#define ON_TILES __attribute__((target("amx-tile,amx-int8,avx512f,avx512bw,avx512vl,avx512dq")))
#define BEGIN(s) _tile_loadconfig(s)
#define END() _tile_release()
#define ZERO(t) _tile_zero(t)
#define LOAD(t, from, stride) _tile_loadd(t, from, (size_t)(stride))
#define STORE(t, to, stride) _tile_stored(t, to, (size_t)(stride))
#define DOT(c, a, b) _tile_dpbsud(c, a, b)
#endif

/* ---- 32 rows of x by two strips ---- */

struct block {
    int32_t sums[2][WIDE][SIDE][SIDE]; /* by half of the rows, strip, row, column */
};

/* sums (+)= x's rows at `x` by the pieces of both strips, `apart` bytes from one strip to the other. */
ON_TILES static void multiply(const int8_t *x, int64_t x_stride, const char *w, size_t apart, int piece, int64_t pieces, struct block *out) {
    __asm__ volatile("" ::: "memory"); /* what tiles read is written: the compiler does not know that they read */
    ZERO(0);
    ZERO(1);
    ZERO(2);
    ZERO(3);
    for (int64_t i = 0; i < pieces; i++) {
        LOAD(4, x + i * piece, x_stride);
        LOAD(5, x + SIDE * x_stride + i * piece, x_stride);
        LOAD(6, w + i * piece * SIDE, 64);
        LOAD(7, w + apart + (size_t)(i * piece * SIDE), 64);
        DOT(0, 4, 6);
        DOT(1, 4, 7);
        DOT(2, 5, 6);
        DOT(3, 5, 7);
    }
    STORE(0, out->sums[0][0], 64);
    STORE(1, out->sums[0][1], 64);
    STORE(2, out->sums[1][0], 64);
    STORE(3, out->sums[1][1], 64);
}

static const int32_t *sums_of(const struct block *b, int64_t row, int a) { return b->sums[row / SIDE][a][row % SIDE]; }

/* ---- one scale a row ---- */

ON_TILES static void int8_strips(const struct strips_product *p, int64_t rows, int64_t s) {
    const char *w = p->w + (size_t)s * p->strip_stride;
    float scales[WIDE][SIDE];
    struct block b;
    for (int a = 0; a < WIDE; a++) memcpy(scales[a], w + (size_t)a * p->strip_stride + p->k * STRIP_ROWS, sizeof scales[a]);
    for (int64_t r = 0; r < rows; r += TALL) {
        multiply(p->x + r * p->x_stride, p->x_stride, w, p->strip_stride, STRIP_PAD, p->k / STRIP_PAD, &b);
        for (int64_t i = 0; i < TALL; i++)
            for (int a = 0; a < WIDE; a++) {
                float *y = p->y + (r + i) * p->y_stride + (s + a) * STRIP_ROWS;
                const int32_t *sum = sums_of(&b, i, a);
                for (int j = 0; j < SIDE; j++) y[j] = (float)(sum[j] - p->x_offsets[r + i]) * (scales[a][j] * p->x_scales[r + i]);
            }
    }
}

/* ---- groups ---- */

static float number(enum dtype t, const char *from, int i) {
    if (t == DTYPE_U8) return (float)((const uint8_t *)from)[i];
    if (t == DTYPE_F16) return f16_to_f32(((const uint16_t *)(const void *)from)[i]);
    return ((const float *)(const void *)from)[i];
}

/* A group of two strips: codes a byte each, and what they stand for. */
struct group {
    char codes[WIDE][MOST_PIECES * TILE_BYTES];
    float scale[WIDE][SIDE], zero[WIDE][SIDE];
};

ON_TILES static void unpack(const struct grouping *q, const char *from, struct group *g, int a) {
    int bytes = q->group * STRIP_ROWS / 2;
    for (int at = 0; at < bytes; at += 64)
        for (int i = 0; i < 64; i++) {
            g->codes[a][2 * at + i] = from[at + i] & 15;
            g->codes[a][2 * at + 64 + i] = (char)((uint8_t)from[at + i] >> 4);
        }
    for (int j = 0; j < SIDE; j++) {
        g->scale[a][j] = number(q->scale, from + bytes, j);
        g->zero[a][j] = number(q->zero, from + bytes + (size_t)SIDE * dtype_bytes(q->scale), j);
    }
}

/* Group by group, so that each is unpacked once for all rows; y gathers. */
ON_TILES static void grouped_strips(const struct strips_product *p, int64_t rows, int64_t s, struct group *g) {
    const struct grouping *q = p->groups;
    int piece = q->group < 64 ? q->group : 64;
    size_t step = (size_t)q->group * STRIP_ROWS / 2 + STRIP_ROWS * (dtype_bytes(q->scale) + dtype_bytes(q->zero));
    struct block b;
    for (int64_t at = 0; at * q->group < p->k; at++) {
        for (int a = 0; a < WIDE; a++) unpack(q, p->w + (size_t)(s + a) * p->strip_stride + (size_t)at * step, g, a);
        for (int64_t r = 0; r < rows; r += TALL) {
            multiply(p->x + r * p->x_stride + at * q->group, p->x_stride, g->codes[0], sizeof g->codes[0], piece, q->group / piece, &b);
            for (int64_t i = 0; i < TALL; i++)
                for (int a = 0; a < WIDE; a++) {
                    float *y = p->y + (r + i) * p->y_stride + (s + a) * STRIP_ROWS, x_sum = p->x_sums[(r + i) * p->sums_stride + at];
                    const int32_t *sum = sums_of(&b, i, a);
                    for (int j = 0; j < SIDE; j++) y[j] = ((float)sum[j] - x_sum * g->zero[a][j]) * g->scale[a][j] + (at ? y[j] : 0);
                }
        }
    }
    for (int64_t r = 0; r < rows; r++)
        for (int j = 0; j < WIDE * STRIP_ROWS; j++) p->y[r * p->y_stride + s * STRIP_ROWS + j] *= p->x_scales[r];
}

/* ---- the whole ---- */

/* Of a product: rows from r on, strips from s on. */
static struct strips_product rest_of(const struct strips_product *p, int64_t r, int64_t s) {
    struct strips_product rest = *p;
    rest.m -= r;
    rest.strips -= s;
    rest.x += r * p->x_stride;
    rest.x_scales += r;
    if (p->groups) rest.x_sums += r * p->sums_stride;
    else rest.x_offsets += r;
    rest.w += (size_t)s * p->strip_stride;
    rest.y += r * p->y_stride + s * STRIP_ROWS;
    return rest;
}

ON_TILES static void whole_blocks(const struct strips_product *p, int64_t rows, int64_t strips) {
    struct group g;
    struct setup setup = setup_of(p->groups && p->groups->group < 64 ? p->groups->group : 64);
    BEGIN(&setup);
    for (int64_t s = 0; s < strips; s += WIDE) {
        if (p->groups) grouped_strips(p, rows, s, &g);
        else int8_strips(p, rows, s);
    }
    END();
}

void tiles_strips(const struct strips_product *p) {
    const struct isa_kernels *other = isa_table(ISA_LEVEL_AMX);
    int64_t rows = p->m / TALL * TALL, strips = p->strips / WIDE * WIDE;
    if (rows > 0 && strips > 0) whole_blocks(p, rows, strips);
    struct strips_product right = rest_of(p, 0, strips), below = rest_of(p, rows, 0);
    right.m = rows;
    if (right.m > 0 && right.strips > 0) other->strips(&right);
    if (below.m > 0 && below.strips > 0) other->strips(&below);
}
