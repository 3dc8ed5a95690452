/* bpe_merge.h: what bpe.c and bpe_table.c share. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_BPE_MERGE_H
#define ASSAY_WORKLOADS_TOKENIZER_BPE_MERGE_H

#include "workloads/tokenizer/bpe.h"

#define BPE_NO_PAIR UINT64_MAX

/* A token in the making: a node of a doubly linked list over the piece. */
struct bpe_symbol {
    int32_t id;                 /* -1: no token yet (by score only) */
    int32_t previous, next;     /* -1: none */
    uint32_t start, length;     /* bytes of the piece; length 0: merged away */
};

/* A merge that may happen. */
struct bpe_candidate {
    uint64_t key;               /* rank << 32 | left symbol: the heap's order */
    int32_t id;                 /* what it would make */
};

/* A piece seen before: a direct-mapped cache, each slot of fixed size. */
enum { BPE_REMEMBERED = 8192, BPE_REMEMBERED_BYTES = 40, BPE_REMEMBERED_IDS = 10 };
struct bpe_remembered {
    uint8_t length, n_ids;      /* length 0: free */
    char text[BPE_REMEMBERED_BYTES];
    int32_t ids[BPE_REMEMBERED_IDS];
};

struct bpe_found {
    uint32_t rank;
    int32_t id;
};

/* 1 where two neighbours of `piece` may merge. */
int bpe_find_merge(const struct bpe *b, const struct bpe_symbol *left, const struct bpe_symbol *right,
                   const char *piece, struct bpe_found *found);

#endif
