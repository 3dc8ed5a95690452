/* tiles.h: products of many rows of codes on AMX's tiles of bytes (Intel 64 manual, TDPBSUD): 64 elements of 16 rows of x times the same of
 * 16 rows of the matrix, which in a strip lie as a tile wants them. Private to kernels/cpu/.
 *
 * Written in six operations on tiles, which have C bodies too: so the same source runs, and is judged, where there is no such unit. */
#ifndef ASSAY_KERNELS_CPU_TILES_H
#define ASSAY_KERNELS_CPU_TILES_H

#include "kernels/cpu/isa.h"

/* As isa_kernels.strips, for x and weights that are packed for it; only at ISA_LEVEL_AMX with isa_has_byte_tiles(). What is left of rows
 * beyond a multiple of 32, and of strips beyond an even number, goes to that. */
void tiles_strips(const struct strips_product *p);

#endif
