#include "kernels/sparse/bitmap.h"

#include <string.h>

#include "kernels/base/memory.h"

/* ---- a row ---- */

/* Values may lie at any byte; of a constant width the copies become moves. */
static inline int64_t pack(const char *row, const uint32_t *mask, int64_t words, size_t width, char *values) {
    int64_t n_values = 0;
    for (int64_t word = 0; word < words; word++)
        for (uint32_t bits = mask[word]; bits; bits &= bits - 1)
            memcpy(values + (size_t)n_values++ * width, row + (size_t)(word * MASK_BITS + __builtin_ctz(bits)) * width, width);
    return n_values;
}

static inline int64_t unpack(const char *values, const uint32_t *mask, int64_t words, size_t width, char *row) {
    int64_t n_values = 0;
    for (int64_t word = 0; word < words; word++)
        for (uint32_t bits = mask[word]; bits; bits &= bits - 1)
            memcpy(row + (size_t)(word * MASK_BITS + __builtin_ctz(bits)) * width, values + (size_t)n_values++ * width, width);
    return n_values;
}

int64_t bitmap_pack_row(const void *row, const uint32_t *mask, int64_t n, int value_bytes, void *values) {
    int64_t words = mask_words(n);
    return value_bytes == 1 ? pack(row, mask, words, 1, values) : value_bytes == 2 ? pack(row, mask, words, 2, values) : pack(row, mask, words, 4, values);
}

int64_t bitmap_unpack_row(const void *values, const uint32_t *mask, int64_t n, int value_bytes, void *row) {
    int64_t words = mask_words(n);
    memset(row, 0, (size_t)n * (size_t)value_bytes);
    return value_bytes == 1 ? unpack(values, mask, words, 1, row) : value_bytes == 2 ? unpack(values, mask, words, 2, row) : unpack(values, mask, words, 4, row);
}

/* ---- a matrix ---- */

static size_t mask_bytes(int64_t rows, int64_t cols) { return (size_t)(rows * mask_words(cols)) * sizeof(uint32_t); }
static size_t value_room(int64_t values, int value_bytes) { return (size_t)values * (size_t)value_bytes + BITMAP_SLACK_BYTES; }

double bitmap_bytes(int64_t rows, int64_t cols, int64_t values, int value_bytes) {
    return (double)mask_bytes(rows, cols) + (double)(rows + 1) * sizeof(int64_t) + (double)values * value_bytes;
}

void bitmap_free(struct bitmap *b) {
    if (b->values) mem_try_free(b->values, value_room(b->row_start[b->rows], b->value_bytes));
    mem_try_free(b->mask, mask_bytes(b->rows, b->cols));
    mem_free(b->row_start);
    *b = (struct bitmap){0};
}

static void pack_rows(const struct masked *m, const struct bitmap *b) {
    int64_t words = mask_words(m->cols);
    size_t width = (size_t)b->value_bytes;
    for (int64_t i = 0; i < m->rows; i++)
        bitmap_pack_row((const char *)m->values + (size_t)(i * m->cols) * width, m->mask + i * words, m->cols, b->value_bytes,
                        (char *)b->values + (size_t)b->row_start[i] * width);
}

enum status bitmap_encode(const struct masked *m, int value_bytes, struct bitmap *out, struct error *e) {
    int64_t words = mask_words(m->cols);
    *out = (struct bitmap){.rows = m->rows, .cols = m->cols, .value_bytes = value_bytes};
    out->row_start = mem_alloc((size_t)(m->rows + 1) * sizeof *out->row_start);
    for (int64_t i = 0; i < m->rows; i++) out->row_start[i + 1] = out->row_start[i] + mask_count(m->mask + i * words, words);
    size_t room = value_room(out->row_start[m->rows], value_bytes), masks = mask_bytes(m->rows, m->cols);
    out->mask = mem_try(masks);
    out->values = mem_try(room);
    if (!out->mask || !out->values) {
        bitmap_free(out);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a bitmap of [%lld, %lld] (%zu bytes)", (long long)m->rows, (long long)m->cols, room + masks);
    }
    memcpy(out->mask, m->mask, masks);
    pack_rows(m, out);
    return STATUS_OK;
}

void bitmap_decode(const struct bitmap *b, int64_t first, int64_t n, void *dense) {
    size_t width = (size_t)b->value_bytes;
    for (int64_t i = first; i < first + n; i++)
        bitmap_unpack_row((const char *)b->values + (size_t)b->row_start[i] * width, b->mask + i * mask_words(b->cols), b->cols, b->value_bytes,
                          (char *)dense + (size_t)((i - first) * b->cols) * width);
}
