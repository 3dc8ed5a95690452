/* vocabulary.h: tokens by text and by id. One block holds all texts, one open-addressed table finds them. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_VOCABULARY_H
#define ASSAY_WORKLOADS_TOKENIZER_VOCABULARY_H

#include "kernels/base/status.h"
#include "workloads/tokenizer/utf8.h"

/* No known vocabulary has more than 300 thousand; the limit keeps a hostile id from asking for gigabytes. */
enum { VOCABULARY_MAX_IDS = 1 << 22 };

struct vocabulary_slot {
    uint32_t hash;
    int32_t id;                 /* -1: free */
};

struct vocabulary {
    struct span *tokens;        /* [n_ids], data NULL where no token has the id */
    size_t n_ids;               /* the highest id + 1 */
    char *texts;
    size_t texts_used, texts_bytes;
    struct vocabulary_slot *slots;
    size_t mask;                /* slots - 1, slots a power of two */
    size_t longest;             /* bytes of the longest token that can be found */
};

/* Room for `count` tokens of `texts_bytes` in total, ids below n_ids. Errors: NO_MEMORY. */
enum status vocabulary_create(struct vocabulary *v, size_t count, size_t n_ids, size_t texts_bytes,
                              struct error *e);
void vocabulary_free(struct vocabulary *v);

/* Copies the text. A text or id that comes again takes the place of the earlier one. */
void vocabulary_add(struct vocabulary *v, struct span text, int32_t id);

/* -1 where absent. */
int32_t vocabulary_find(const struct vocabulary *v, struct span text);

#endif
