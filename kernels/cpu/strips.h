/* strips.h: how weights are kept that meet rows of x in eight bits (recipe.h: input_bits): in strips of 16 rows, so that a lane of a
 * sum belongs to one row, nothing is added across lanes, and a strip is one stream from memory. Private to kernels/cpu/.
 *
 * k is padded with zeros to a multiple of STRIP_PAD. A strip of int8_row: for each 4 elements 16 × 4 bytes, each code plus 128; then
 * 16 scales (f32). A strip of 4-bit groups: group by group, for each 8 elements 16 × 4 bytes, elements 0 to 3 of a row in the lower
 * and 4 to 7 in the upper halves; then 16 scales and 16 zero points of the grouping's types. Rows beyond the last are zeros. */
#ifndef ASSAY_KERNELS_CPU_STRIPS_H
#define ASSAY_KERNELS_CPU_STRIPS_H

#include "kernels/cpu/isa.h"
#include "kernels/encoding.h"

/* Whether rows of k elements can be kept so: codes whose products the machine sums exactly. */
int strips_fit(const struct isa_kernels *isa, const struct encoding *e, int64_t k);

size_t strip_bytes(const struct encoding *e, int64_t k);

/* The strip of n ≤ STRIP_ROWS encoded rows, `stride` bytes apart. scratch: strip_scratch bytes. */
size_t strip_scratch(int64_t k);
void strip_pack(const struct isa_kernels *isa, const struct encoding *e, const void *rows, size_t stride, int64_t n, int64_t k, void *strip, void *scratch);

#endif
