/* units.h: which unit and whose kernels multiply many rows of x, found by measuring on one core when it is first asked for, and kept by
 * whoever keeps such things for the device (backend.h, struct unit_memory). Private to kernels/cpu/.
 *
 * Candidates: for f32, our panels and the dense library; for bf16, both on the processor's bf16 unit (the library also on AMX tiles), f32
 * after widening, and our panels in fp16, whose error is below that of a rounding to bf16 (but not to f16: that goes to f32); for codes,
 * the vectors' unit (VNNI) and tiles of bytes where both are there. Few and many rows differ in what turning or packing w costs, so that
 * each has its own answer. */
#ifndef ASSAY_KERNELS_CPU_UNITS_H
#define ASSAY_KERNELS_CPU_UNITS_H

#include "kernels/backend.h"
#include "kernels/cpu/isa.h"

enum unit { UNIT_UNKNOWN, UNIT_PANELS, UNIT_LIBRARY, UNIT_F32, UNIT_HALVES, UNIT_VECTORS, UNIT_TILES }; /* F32: not on the type's own unit, but on the one for f32 */
enum rows_class { ROWS_TENS, ROWS_HUNDREDS, ROWS_CLASSES };
enum { ROWS_TENS_MOST = 64 };
static inline enum rows_class rows_class(int64_t rows) { return rows <= ROWS_TENS_MOST ? ROWS_TENS : ROWS_HUNDREDS; }

struct units {
    const struct isa_kernels *isa;
    enum isa level;
    int has_library_bf16;                     /* on a unit of its own: pairs, or tiles */
    int has_halves, has_byte_tiles;
    const struct unit_memory *memory;         /* NULL: nobody remembers */
    enum unit f32[ROWS_CLASSES], bf16[ROWS_CLASSES], codes[ROWS_CLASSES];
};

void units_begin(struct units *u, const struct isa_kernels *isa, enum isa level, const struct unit_memory *memory);

/* For x of f32, of bf16, or in codes (i8) where the vectors multiply those. Never UNIT_UNKNOWN; measures what nobody remembers
 * (some 10 ms), from one thread. */
enum unit units_of(struct units *u, enum dtype t, enum rows_class c);

/* "panels, AVX-512 bf16 dot"; i8: of codes. Of one that nobody has measured: that. */
const char *units_describe(struct units *u, enum dtype t, enum rows_class c);

#endif
