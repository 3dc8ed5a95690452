#include "kernels/sparse/tiled_csl.h"

#include <string.h>

#include "kernels/base/memory.h"

enum { ROWS = TILED_CSL_ROWS, COLS = TILED_CSL_COLS, VECTOR = TILED_CSL_VECTOR, BANKS = 32, WARP = 32 };

static int swizzled(int row, int col) { return col ^ ((row % 8) << 3); }
static int bank_of(uint32_t record) { return (int)(record >> 16) % COLS / 2; }

/* ---- a tile ---- */

struct tile {
    int n;
    uint32_t records[ROWS * COLS];    /* row-major, then those that fill up */
    uint64_t taken[ROWS];             /* bit: swizzled column */
    int in_bank[BANKS];
};

static void tile_add(struct tile *t, int row, int place, uint16_t value) {
    t->records[t->n++] = value | (uint32_t)(row * COLS + place) << 16;
    t->taken[row] |= (uint64_t)1 << place;
    t->in_bank[place / 2]++;
}

/* A zero where the emptiest bank holds none; there is such a place where the number of records is no multiple of 4. */
static void tile_add_zero(struct tile *t) {
    int bank = 0, row = 0;
    for (int b = 1; b < BANKS; b++)
        if (t->in_bank[b] < t->in_bank[bank]) bank = b;
    uint64_t pair = (uint64_t)3 << (2 * bank);
    while ((t->taken[row] & pair) == pair) row++;
    tile_add(t, row, t->taken[row] >> (2 * bank) & 1 ? 2 * bank + 1 : 2 * bank, 0);
}

static void tile_read(const struct masked *m, int64_t row, int64_t col, struct tile *t) {
    t->n = 0;
    memset(t->taken, 0, sizeof t->taken);
    memset(t->in_bank, 0, sizeof t->in_bank);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c += MASK_BITS)
            for (uint32_t bits = masked_bits(m, row + r, col + c); bits; bits &= bits - 1) {
                int at = c + __builtin_ctz(bits);
                tile_add(t, r, swizzled(r, at), ((const uint16_t *)m->values)[(row + r) * m->cols + col + at]);
            }
    while (t->n % VECTOR) tile_add_zero(t);
}

/* Records by bank, and the banks by what is left of each, most first: the first `level_banks` have equally much. */
struct banks {
    uint32_t sorted[ROWS * COLS];
    int end[BANKS];                   /* of the bank's records that are left */
    int left[BANKS];
    int order[BANKS];
    int level_banks;
};

static void banks_fill(struct banks *b, const struct tile *t) {
    int next[BANKS], at = 0;
    for (int k = 0; k < BANKS; k++) {
        next[k] = at;
        at += t->in_bank[k];
        b->end[k] = at;
        b->left[k] = t->in_bank[k];
        int place = k;
        for (; place > 0 && b->left[b->order[place - 1]] < b->left[k]; place--) b->order[place] = b->order[place - 1];
        b->order[place] = k;
    }
    for (int i = 0; i < t->n; i++) b->sorted[next[bank_of(t->records[i])]++] = t->records[i];
    b->level_banks = 0;
}

/* One of the fullest goes down a level, behind the others of its level and before all below: the order holds. */
static uint32_t banks_take(struct banks *b) {
    if (b->level_banks == 0)
        while (b->level_banks < BANKS && b->left[b->order[b->level_banks]] == b->left[b->order[0]]) b->level_banks++;
    int bank = b->order[--b->level_banks];
    b->left[bank]--;
    return b->sorted[--b->end[bank]];
}

/* `lanes` vectors, record v of each before any record v + 1. */
static void take_round(struct banks *b, int lanes, uint32_t *to) {
    for (int v = 0; v < VECTOR; v++)
        for (int lane = 0; lane < lanes; lane++) to[lane * VECTOR + v] = banks_take(b);
}

static void tile_write(const struct tile *t, struct banks *b, uint32_t *to) {
    int vectors = t->n / VECTOR, rounds = vectors / WARP;
    banks_fill(b, t);
    take_round(b, vectors % WARP, to + rounds * WARP * VECTOR);
    for (int r = 0; r < rounds; r++) take_round(b, WARP, to + r * WARP * VECTOR);
}

/* ---- a matrix ---- */

static int64_t tiles(const struct tiled_csl *t) { return t->tile_rows * t->tile_cols; }
static size_t record_room(const struct tiled_csl *t) { return (size_t)t->n_records * sizeof *t->records; }

double tiled_csl_bytes(const struct tiled_csl *t) { return (double)record_room(t) + (double)(tiles(t) + 2) * sizeof *t->offsets; }

void tiled_csl_free(struct tiled_csl *t) {
    mem_try_free(t->records, record_room(t));
    mem_free(t->offsets);
    *t = (struct tiled_csl){0};
}

static int64_t count_tile(const struct masked *m, int64_t row, int64_t col) {
    int64_t n = 0;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c += MASK_BITS) n += __builtin_popcount(masked_bits(m, row + r, col + c));
    return n;
}

/* Every tile's place, before anything is written. */
static enum status place_tiles(const struct masked *m, int64_t capacity, struct tiled_csl *out, struct error *e) {
    int64_t vectors = 0;
    for (int64_t i = 0; i < tiles(out); i++) {
        int64_t down = i / out->tile_cols, across = i % out->tile_cols, n = count_tile(m, down * ROWS, across * COLS);
        if (capacity != SPARSE_UNLIMITED && n > capacity)
            return error_set(e, STATUS_UNSUPPORTED, "tile [%lld, %lld] of %d x %d holds %lld values; Tiled-CSL's kernel has room for %lld of a tile",
                             (long long)down, (long long)across, ROWS, COLS, (long long)n, (long long)capacity);
        vectors += (n + VECTOR - 1) / VECTOR;
        if (vectors > INT32_MAX)
            return error_set(e, STATUS_UNSUPPORTED, "a matrix of [%lld, %lld] has more values than Tiled-CSL's 32-bit offsets reach", (long long)m->rows,
                             (long long)m->cols);
        out->offsets[i + 1] = (int32_t)vectors;
    }
    out->offsets[tiles(out) + 1] = (int32_t)vectors;
    out->n_records = vectors * VECTOR;
    return STATUS_OK;
}

struct tile_work {
    struct tile tile;
    struct banks banks;
};

static void write_tiles(const struct masked *m, const struct tiled_csl *out) {
    struct tile_work *work = mem_alloc(sizeof *work);
    for (int64_t i = 0; i < tiles(out); i++) {
        tile_read(m, i / out->tile_cols * ROWS, i % out->tile_cols * COLS, &work->tile);
        tile_write(&work->tile, &work->banks, out->records + (int64_t)out->offsets[i] * VECTOR);
    }
    mem_free(work);
}

enum status tiled_csl_encode(const struct masked *m, int64_t capacity, struct tiled_csl *out, struct error *e) {
    *out = (struct tiled_csl){.rows = m->rows, .cols = m->cols, .tile_rows = (m->rows + ROWS - 1) / ROWS, .tile_cols = (m->cols + COLS - 1) / COLS};
    out->offsets = mem_alloc((size_t)(tiles(out) + 2) * sizeof *out->offsets);
    enum status s = place_tiles(m, capacity, out, e);
    if (s == STATUS_OK && !(out->records = mem_try(record_room(out))))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for Tiled-CSL of [%lld, %lld] (%zu bytes)", (long long)m->rows, (long long)m->cols, record_room(out));
    if (s == STATUS_OK) write_tiles(m, out);
    else tiled_csl_free(out);
    return s;
}

void tiled_csl_decode(const struct tiled_csl *t, uint16_t *dense) {
    memset(dense, 0, (size_t)(t->rows * t->cols) * sizeof *dense);
    for (int64_t i = 0; i < tiles(t); i++)
        for (int64_t k = (int64_t)t->offsets[i] * VECTOR; k < (int64_t)t->offsets[i + 1] * VECTOR; k++) {
            int place = (int)(t->records[k] >> 16), r = place / COLS, c = swizzled(r, place % COLS); /* its own inverse */
            int64_t row = i / t->tile_cols * ROWS + r, col = i % t->tile_cols * COLS + c;
            if (row < t->rows && col < t->cols) dense[row * t->cols + col] = (uint16_t)t->records[k];
        }
}
