/* utf8.h: bytes to code points and back, and the few character properties that tokenizers ask for.
 *
 * Malformed input: each maximal prefix of a well-formed sequence counts as one U+FFFD (Unicode 15, table 3-8),
 * which is also what the reference tokenizers do. Properties come from utf8proc. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_UTF8_H
#define ASSAY_WORKLOADS_TOKENIZER_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/memory.h"

/* A borrowed run of bytes; may hold NUL. */
struct span {
    const char *data;
    size_t length;
};

enum { UTF8_REPLACEMENT = 0xFFFD };

/* The code point at p, of n > 0 bytes; *used is how many bytes it takes. A malformed start gives
 * UTF8_REPLACEMENT and the bytes to step over. */
uint32_t utf8_next(const char *p, size_t n, size_t *used);

/* The code point that ends before p[n], n > 0, in well-formed text; *used as above. */
uint32_t utf8_last(const char *p, size_t n, size_t *used);

/* Writes 1 to 4 bytes, returns how many. */
size_t utf8_put(uint32_t c, char out[4]);

int utf8_is_valid(struct span s);
void utf8_append_lossy(struct text *out, struct span s);

int unicode_is_space(uint32_t c);    /* property White_Space */
int unicode_is_numeric(uint32_t c);  /* general category N */
int unicode_is_word(uint32_t c);     /* alphabetic, mark, decimal digit, connector or joiner */

static inline struct span span_of(const char *data, size_t length) { return (struct span){data, length}; }
int span_equal(struct span a, struct span b);
int span_starts_with(struct span s, struct span prefix);

#endif
