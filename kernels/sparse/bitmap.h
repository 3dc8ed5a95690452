/* bitmap.h: a sparse matrix as a bit mask and its kept values, packed row by row.
 *
 *   mask       (rows, mask_words(cols)) u32    bit j of word b: element 32 b + j of the row is kept
 *   row_start  (rows + 1) i64                  index of the row's first value; the last is the number of all
 *   values     (row_start[rows])               1 or 2 bytes each, in the order of columns, rows one after the other
 *
 * 32 columns, one mask word, are one register of 16-bit elements: a full load at the row's running place and an expansion by
 * the mask (vpexpandw, vpexpandb) give the dense block, and the mask's popcount moves the place. 16 rows of such blocks are one
 * AMX tile of a left-hand matrix as they come. BITMAP_SLACK_BYTES after the last value may be read, so a full load is always
 * allowed. Columns past the end have no bit, so a last block expands to zeros there.
 * After SparAMX (2025), whose mask words these are; it keeps tiles of 16 x 32, here rows are whole so that one row streams. */
#ifndef ASSAY_KERNELS_SPARSE_BITMAP_H
#define ASSAY_KERNELS_SPARSE_BITMAP_H

#include "kernels/base/status.h"
#include "kernels/sparse/masked.h"

enum { BITMAP_SLACK_BYTES = 64 };

struct bitmap {
    int64_t rows, cols;
    int value_bytes;                  /* 1 or 2 */
    uint32_t *mask;
    int64_t *row_start;
    void *values;
};

/* Owned: bitmap_free. Errors: NO_MEMORY with the bytes asked for. */
enum status bitmap_encode(const struct masked *m, int value_bytes, struct bitmap *out, struct error *e);
void bitmap_free(struct bitmap *b);

/* dense (n, cols) = rows first .. first + n, value_bytes an element. */
void bitmap_decode(const struct bitmap *b, int64_t first, int64_t n, void *dense);

/* Bytes that a product reads: mask, row starts, values. */
double bitmap_bytes(int64_t rows, int64_t cols, int64_t values, int value_bytes);

/* One row, for what streams: packs the kept of `row` (n elements) to `values`, and back; returns how many. 1, 2 or 4 bytes a
 * value, at any address. */
int64_t bitmap_pack_row(const void *row, const uint32_t *mask, int64_t n, int value_bytes, void *values);
int64_t bitmap_unpack_row(const void *values, const uint32_t *mask, int64_t n, int value_bytes, void *row);

#endif
