#include "kernels/sparse/tca_bme.h"

#include <string.h>

#include "kernels/base/memory.h"

enum { GROUP = TCA_BME_GROUP, BANDS = TCA_BME_BANDS, BITMAPS = TCA_BME_BITMAPS, SIDE = 8, ALIGN_VALUES = 8 };

/* Where bitmap b of a group begins within it: b = 16 band + 4 tile + (top left, bottom left, top right, bottom right). */
static int64_t bitmap_row(int b) { return b / 16 * 16 + b % 2 * SIDE; }
static int64_t bitmap_col(int b) { return b / 4 % 4 * 16 + b % 4 / 2 * SIDE; }

static int64_t groups(const struct tca_bme *t) { return t->group_rows * t->group_cols; }
static int64_t group_row(const struct tca_bme *t, int64_t g) { return g / t->group_cols * GROUP; }
static int64_t group_col(const struct tca_bme *t, int64_t g) { return g % t->group_cols * GROUP; }

static size_t bitmap_room(const struct tca_bme *t) { return (size_t)groups(t) * BITMAPS * sizeof *t->bitmaps; }
static size_t value_room(const struct tca_bme *t) { return (size_t)t->n_values * sizeof *t->values; }

double tca_bme_bytes(const struct tca_bme *t) {
    return (double)value_room(t) + (double)bitmap_room(t) + (double)(groups(t) + 1 + BANDS * groups(t)) * sizeof(int32_t);
}

void tca_bme_free(struct tca_bme *t) {
    mem_try_free(t->bitmaps, bitmap_room(t));
    mem_try_free(t->values, value_room(t));
    mem_free(t->group_start);
    mem_free(t->band_start);
    *t = (struct tca_bme){0};
}

/* ---- encoding ---- */

static uint64_t read_bitmap(const struct masked *m, int64_t row, int64_t col) {
    uint64_t bits = 0;
    for (int r = 0; r < SIDE; r++) bits |= (uint64_t)(masked_bits(m, row + r, col) & 0xff) << (SIDE * r);
    return bits;
}

/* A group's bitmaps and bands; returns its values. */
static int64_t read_group(const struct masked *m, const struct tca_bme *t, int64_t g) {
    int64_t n = 0;
    for (int b = 0; b < BITMAPS; b++) {
        uint64_t bits = read_bitmap(m, group_row(t, g) + bitmap_row(b), group_col(t, g) + bitmap_col(b));
        if (b % (BITMAPS / BANDS) == 0) t->band_start[g * BANDS + b / (BITMAPS / BANDS)] = (int32_t)n;
        t->bitmaps[g * BITMAPS + b] = bits;
        n += __builtin_popcountll(bits);
    }
    return n;
}

static enum status place_groups(const struct masked *m, int64_t capacity, struct tca_bme *out, struct error *e) {
    for (int64_t g = 0; g < groups(out); g++) {
        int64_t n = (read_group(m, out, g) + ALIGN_VALUES - 1) / ALIGN_VALUES * ALIGN_VALUES;
        if (capacity != SPARSE_UNLIMITED && n > capacity)
            return error_set(e, STATUS_UNSUPPORTED, "group tile [%lld, %lld] of %d x %d holds %lld values; TCA-BME's kernel has room for %lld of a group",
                             (long long)(g / out->group_cols), (long long)(g % out->group_cols), GROUP, GROUP, (long long)n, (long long)capacity);
        out->n_values += n;
        out->most_values = n > out->most_values ? n : out->most_values;
        if (out->n_values > INT32_MAX)
            return error_set(e, STATUS_UNSUPPORTED, "a matrix of [%lld, %lld] has more values than TCA-BME's 32-bit offsets reach", (long long)m->rows,
                             (long long)m->cols);
        out->group_start[g + 1] = (int32_t)out->n_values;
    }
    return STATUS_OK;
}

/* The element of bit `bit` of the group's bitmap b, in a dense matrix. */
static int64_t element_of(const struct tca_bme *t, int64_t g, int b, int bit) {
    return (group_row(t, g) + bitmap_row(b) + bit / SIDE) * t->cols + group_col(t, g) + bitmap_col(b) + bit % SIDE;
}

static void pack_group(const struct tca_bme *t, int64_t g, const uint16_t *dense) {
    uint16_t *value = t->values + t->group_start[g];
    for (int b = 0; b < BITMAPS; b++)
        for (uint64_t bits = t->bitmaps[g * BITMAPS + b]; bits; bits &= bits - 1) *value++ = dense[element_of(t, g, b, __builtin_ctzll(bits))];
}

static enum status get_room(struct tca_bme *out, struct error *e) {
    size_t n = (size_t)groups(out);
    out->group_start = mem_alloc((n + 1) * sizeof *out->group_start);
    out->band_start = mem_alloc((n * BANDS + 1) * sizeof *out->band_start);
    out->bitmaps = mem_try(bitmap_room(out));
    if (out->bitmaps) return STATUS_OK;
    return error_set(e, STATUS_NO_MEMORY, "no memory for the bitmaps of [%lld, %lld] (%zu bytes)", (long long)out->rows, (long long)out->cols, bitmap_room(out));
}

enum status tca_bme_encode(const struct masked *m, int64_t capacity, struct tca_bme *out, struct error *e) {
    *out = (struct tca_bme){.rows = m->rows, .cols = m->cols, .group_rows = (m->rows + GROUP - 1) / GROUP, .group_cols = (m->cols + GROUP - 1) / GROUP};
    enum status s = get_room(out, e);
    if (s == STATUS_OK) s = place_groups(m, capacity, out, e);
    if (s == STATUS_OK && !(out->values = mem_try(value_room(out))))
        s = error_set(e, STATUS_NO_MEMORY, "no memory for TCA-BME of [%lld, %lld] (%zu bytes)", (long long)m->rows, (long long)m->cols, value_room(out));
    for (int64_t g = 0; g < groups(out) && s == STATUS_OK; g++) pack_group(out, g, m->values);
    if (s != STATUS_OK) tca_bme_free(out);
    return s;
}

/* ---- decoding ---- */

static void unpack_group(const struct tca_bme *t, int64_t g, uint16_t *dense) {
    const uint16_t *value = t->values + t->group_start[g];
    for (int b = 0; b < BITMAPS; b++)
        for (uint64_t bits = t->bitmaps[g * BITMAPS + b]; bits; bits &= bits - 1) dense[element_of(t, g, b, __builtin_ctzll(bits))] = *value++;
}

void tca_bme_decode(const struct tca_bme *t, uint16_t *dense) {
    memset(dense, 0, (size_t)(t->rows * t->cols) * sizeof *dense);
    for (int64_t g = 0; g < groups(t); g++) unpack_group(t, g, dense);
}
