/* decimal.h: numbers as they are written in a trace, without a double on the way. */
#ifndef ASSAY_HARNESS_IMPORT_DECIMAL_H
#define ASSAY_HARNESS_IMPORT_DECIMAL_H

#include <stdint.h>

/* Microseconds as decimal text ("1419247332972.313", "68.0", "-1e3") to whole nanoseconds, exactly; what is finer is
 * rounded, halves to even. 0 where it is no such text or does not fit. */
int decimal_ns(const char *text, int64_t *out);

/* A whole number; what follows a point must be zeros. 0 where it is none or does not fit. */
int decimal_whole(const char *text, int64_t *out);

#endif
