/* pieces.h: a text cut into pieces, the currency of pre-tokenizers and decoders.
 * A step reads one `struct pieces` and fills another; the two are swapped, so nothing is allocated once their
 * buffers have grown. Everything here stays below PIECES_LIMIT bytes: hostile components can multiply text. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_PIECES_H
#define ASSAY_WORKLOADS_TOKENIZER_PIECES_H

#include "kernels/base/status.h"
#include "workloads/tokenizer/utf8.h"

enum { PIECES_LIMIT = 1 << 30 };

struct piece {
    size_t start, length;       /* bytes of pieces.text */
    int is_first;               /* begins where the user's text begins */
};

struct pieces {
    struct text text;
    struct piece *items;
    size_t count, capacity;
};

void pieces_clear(struct pieces *p);
void pieces_free(struct pieces *p);
void pieces_swap(struct pieces *a, struct pieces *b);
void pieces_add(struct pieces *p, size_t start, size_t length, int is_first);
static inline struct span piece_span(const struct pieces *p, size_t i) {
    return span_of(p->text.data + p->items[i].start, p->items[i].length);
}

/* How long what becomes of n bytes may get: generous for text, a stop for components that explode. */
size_t text_growth_limit(size_t n);
/* INPUT where a component has made `length` bytes, more than `limit`. */
enum status text_growth_check(size_t length, size_t limit, struct error *e);

#endif
