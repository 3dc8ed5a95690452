/* tiled_csl.h: Flash-LLM's Tiled-CSL: tiles of 128 x 64, each a list of (value, place) records that a GPU kernel scatters
 * into shared memory.
 *
 *   records  u32: low half the 16-bit value, high half the place in the tile: row 64 + (col ^ ((row % 8) << 3)), row 0..127,
 *            col 0..63: the address that the kernel's swizzle has for it.
 *   offsets  i32 (tiles + 2): the tile's first record in vectors of 4 records; tiles row-major; then the end, and the end of one
 *            empty tile more, which a kernel that loads ahead reads.
 *   A tile's records are filled up to a multiple of 4 with zeros at places that hold none.
 *
 * Order within a tile: 32 lanes load a vector each and store its 4 records one after the other, so record v of lane l of round
 * r is at r 128 + 4 l + v, and the 32 records of one (r, v) should lie in different banks of shared memory ((col / 2) % 32 of the
 * swizzled column). Each record is taken from the bank that has most left; the last, partial round takes first.
 *
 * Capacity: the published kernel stages 4096 records a tile and drops what is more without a word; encoding refuses instead.
 * Source: Xia et al. 2023 and AlibabaResearch/flash-llm, by its behaviour. */
#ifndef ASSAY_KERNELS_SPARSE_TILED_CSL_H
#define ASSAY_KERNELS_SPARSE_TILED_CSL_H

#include "kernels/base/status.h"
#include "kernels/sparse/masked.h"

enum { TILED_CSL_ROWS = 128, TILED_CSL_COLS = 64, TILED_CSL_VECTOR = 4, TILED_CSL_CAPACITY = 4096 };

struct tiled_csl {
    int64_t rows, cols;
    int64_t tile_rows, tile_cols;     /* tiles down and across; those at the ends may be partial */
    int64_t n_records;                /* with those that fill up */
    uint32_t *records;
    int32_t *offsets;
};

/* m of 16-bit elements. `capacity`: records a tile may have, TILED_CSL_CAPACITY or SPARSE_UNLIMITED. Owned: tiled_csl_free.
 * Errors: UNSUPPORTED a tile holds more (the tile, both numbers); more records than i32 offsets reach; NO_MEMORY. */
enum status tiled_csl_encode(const struct masked *m, int64_t capacity, struct tiled_csl *out, struct error *e);
void tiled_csl_free(struct tiled_csl *t);

/* dense (rows, cols) of 16-bit elements. */
void tiled_csl_decode(const struct tiled_csl *t, uint16_t *dense);

/* Bytes of records and offsets. */
double tiled_csl_bytes(const struct tiled_csl *t);

#endif
