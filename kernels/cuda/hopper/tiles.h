/* tiles.h: the arithmetic of Hopper's tiles and matrix descriptors, apart from the kernels, so that a host can test it.
 *
 * A tile in shared memory is cut into strips of 64 columns of 16-bit elements: 128 bytes a row, rows one after the
 * other, 16-byte pieces of a row exchanged by the 128-byte swizzle (piece p of row r lies where p ^ (r % 8) would). The
 * copy engine writes this and wgmma reads it. Eight rows of a strip, 1024 bytes, are one pattern.
 * Source: PTX ISA 8.x, "Matrix descriptor" and "Shared memory matrix layout". */
#ifndef ASSAY_KERNELS_CUDA_HOPPER_TILES_H
#define ASSAY_KERNELS_CUDA_HOPPER_TILES_H

#include <stdint.h>

#if defined(__CUDACC__)
#define TILE_FN __host__ __device__ __forceinline__ static
#else
#define TILE_FN static inline
#endif

enum { STRIP_COLUMNS = 64, STRIP_ROW_BYTES = 128, PATTERN_ROWS = 8, PATTERN_BYTES = PATTERN_ROWS * STRIP_ROW_BYTES };

/* Bytes of a tile of `rows` × `columns`, and of one of its strips. */
TILE_FN uint32_t strip_bytes(uint32_t rows) { return rows * STRIP_ROW_BYTES; }
TILE_FN uint32_t tile_bytes(uint32_t rows, uint32_t columns) { return strip_bytes(rows) * (columns / STRIP_COLUMNS); }

/* Where element (row, column) lies in a tile, in bytes. */
TILE_FN uint32_t tile_offset(uint32_t rows, uint32_t row, uint32_t column) {
    uint32_t strip = column / STRIP_COLUMNS, piece = column % STRIP_COLUMNS / 8, within = column % 8;
    return strip * strip_bytes(rows) + row * STRIP_ROW_BYTES + ((piece ^ (row % PATTERN_ROWS)) * 16) + within * 2;
}

/* A descriptor: address, leading and stride offset in units of 16 bytes; bits 62 and 63 say 128-byte swizzle. */
TILE_FN uint64_t tile_descriptor(uint32_t address, uint32_t leading_bytes, uint32_t stride_bytes) {
    return (uint64_t)((address & 0x3ffffu) >> 4) | (uint64_t)((leading_bytes & 0x3ffffu) >> 4) << 16 | (uint64_t)((stride_bytes & 0x3ffffu) >> 4) << 32 | (uint64_t)1 << 62;
}

/* A factor whose contiguous dimension is the one that is summed over (q and k of scores): 16 of it from `column` on.
 * Patterns of 8 rows follow each other; within a row of a pattern 16 elements are 32 bytes on. */
TILE_FN uint64_t descriptor_by_row(uint32_t tile, uint32_t rows, uint32_t row, uint32_t column) {
    return tile_descriptor(tile + column / STRIP_COLUMNS * strip_bytes(rows) + row * STRIP_ROW_BYTES + column % STRIP_COLUMNS * 2, 16, PATTERN_BYTES);
}

/* A right factor whose rows are summed over (values): 16 rows from `row` on, all columns. Along the columns a strip
 * follows the other; along the rows a pattern of 8. */
TILE_FN uint64_t descriptor_by_column(uint32_t tile, uint32_t rows, uint32_t row) {
    return tile_descriptor(tile + row * STRIP_ROW_BYTES, strip_bytes(rows), PATTERN_BYTES);
}

#endif
