/* bpe.h: byte-pair encoding of one piece of text.
 *
 * Two kinds of merge table. By rank (tokenizers' BPE): a pair of ids merges where the file lists it, the lowest
 * rank first. By score (SentencePiece): two neighbours merge where their joined text is a token, the highest
 * score first. In both the leftmost of equals goes first. A linked list and a heap make a piece of n characters
 * O(n log n), so a piece may be a whole book; short pieces are remembered.
 * Source: Sennrich et al. 2016, alg. 1; Kudo & Richardson 2018 for byte fallback. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_BPE_H
#define ASSAY_WORKLOADS_TOKENIZER_BPE_H

#include "workloads/tokenizer/tokenizer.h"
#include "workloads/tokenizer/vocabulary.h"

struct bpe_merge {
    uint64_t pair;              /* left id << 32 | right id; BPE_NO_PAIR: free */
    uint32_t rank;
    int32_t id;                 /* of the merged token */
};

enum { BPE_UNKNOWN_NONE = -1, BPE_UNKNOWN_MISSING = -2 };

struct bpe {
    const struct vocabulary *vocabulary;   /* borrowed */
    struct bpe_merge *merges;              /* open-addressed by pair; NULL when merging by score */
    size_t mask;
    uint32_t *ranks;                       /* [n_ids] when merging by score: 0 is the highest score */
    struct span prefix, suffix;            /* continuing_subword_prefix, end_of_word_suffix; length 0: none */
    int32_t unknown;                       /* id, or NONE (such characters vanish), or MISSING (an error) */
    int is_unknown_fused, has_byte_fallback, ignores_merges;
    int32_t bytes[256];                    /* ids of <0x00> … <0xFF>, -1 where absent */

    struct bpe_symbol *symbols;            /* scratch, kept between pieces */
    size_t n_symbols, symbol_capacity;
    struct bpe_candidate *heap;
    size_t n_heap, heap_capacity;
    struct text joined;
    struct bpe_remembered *remembered;
};

/* Sets up for a filled vocabulary; then either bpe_reserve_merges and bpe_add_merge, or bpe_set_scores. */
enum status bpe_create(struct bpe *b, const struct vocabulary *v, struct error *e);
enum status bpe_reserve_merges(struct bpe *b, size_t count, struct error *e);

/* Errors: INPUT where left, right or what they make is no token; `index` is the merge's rank and place. */
enum status bpe_add_merge(struct bpe *b, struct span left, struct span right, size_t index, struct error *e);

/* scores [n]: one a token. Errors: NO_MEMORY; INPUT a score that is no number. */
enum status bpe_set_scores(struct bpe *b, const float *scores, size_t n, struct error *e);
void bpe_free(struct bpe *b);

/* Appends the ids of one piece (well-formed UTF-8). Errors: INPUT a character without token where the file names
 * an unknown token that its vocabulary lacks. */
enum status bpe_encode(struct bpe *b, struct span piece, struct token_list *out, struct error *e);

#endif
