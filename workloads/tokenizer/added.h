/* added.h: tokens that are found in the text itself, before anything else is done to it (or, those that are
 * `normalized`, after normalisation). The leftmost match wins, then the longest. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_ADDED_H
#define ASSAY_WORKLOADS_TOKENIZER_ADDED_H

#include "workloads/tokenizer/utf8.h"

struct added_token {
    struct span content;        /* borrowed */
    int32_t id;
    int is_single_word;         /* only where no word character touches it */
    int strips_left, strips_right; /* takes the white space beside it along */
    int is_normalized, is_special;
    size_t place;               /* in the file */
};

/* Sorted by content; those that begin with byte b are items[first[b]] … items[first[b + 1] - 1]. */
struct added_set {
    struct added_token *items;
    size_t count, capacity;
    size_t first[257];
};

void added_set_add(struct added_set *s, struct added_token token);
/* Sorts, after which the set can be walked and no more can be added. */
void added_set_seal(struct added_set *s);
void added_set_free(struct added_set *s);
/* Walks over the tokens in a text: what lies between `done` and `start` is text before the token. */
struct added_walk {
    struct span text;
    size_t search;              /* where the next search begins */
    size_t done;                /* end of the token before */
    size_t start, end;
    int32_t id;
};
struct added_walk added_walk_start(struct span text);
/* 1 with start, end, id; the caller reads the text between and then sets done = end. */
int added_walk_next(const struct added_set *s, struct added_walk *w);

#endif
