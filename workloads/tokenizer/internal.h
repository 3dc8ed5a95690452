/* internal.h: what a tokenizer is made of, for the files that build one (json_*.c, gguf.c) and the one that
 * runs it (tokenizer.c). */
#ifndef ASSAY_WORKLOADS_TOKENIZER_INTERNAL_H
#define ASSAY_WORKLOADS_TOKENIZER_INTERNAL_H

#include "workloads/tokenizer/added.h"
#include "workloads/tokenizer/bpe.h"
#include "workloads/tokenizer/decoder.h"
#include "workloads/tokenizer/normalizer.h"
#include "workloads/tokenizer/splitter.h"
#include "workloads/tokenizer/tokenizer.h"

/* A component list longer than this is no tokenizer anybody made. */
enum { TOKENIZER_MAX_COMPONENTS = 64 };

struct tokenizer {
    struct arena arena;                 /* texts that components borrow */
    struct vocabulary vocabulary;       /* the model's tokens */
    struct vocabulary extra;            /* added tokens that the model lacks; ids count from extra_base */
    size_t extra_base;
    size_t n_ids;                       /* the highest id of both + 1 */
    uint8_t *is_special;                /* [n_ids] */
    struct bpe bpe;
    struct added_set added, added_normalized;
    struct normalizer_list normalizers;
    struct splitter_list splitters;
    struct token_decoder_list decoders;
    int joins_with_space;               /* no decoder at all: the reference puts spaces between tokens */
    struct token_list before, after;    /* what the post-processor puts around a text */
    int has_template;

    struct text clean, normal, spare;   /* scratch */
    struct pieces pieces, spare_pieces;
};

/* Growing the component lists. Errors: UNSUPPORTED past TOKENIZER_MAX_COMPONENTS. */
enum status normalizer_new(struct tokenizer *t, enum normalizer_kind kind, struct normalizer **out, struct error *e);
enum status splitter_new(struct tokenizer *t, enum splitter_kind kind, struct splitter **out, struct error *e);
enum status token_decoder_new(struct tokenizer *t, enum token_decoder_kind kind, struct token_decoder **out,
                              struct error *e);

/* A Split of an expression written here, each match a piece of its own. */
enum status splitter_add_regex(struct tokenizer *t, const char *regex, struct error *e);
/* The GPT-2 split that ByteLevel has built in. */
extern const char GPT2_SPLIT[];

struct span tokenizer_keep(struct tokenizer *t, struct span s);   /* a copy in the arena */
void token_list_add(struct token_list *l, int32_t id);

/* The id of a text, added or the model's; -1 where absent. */
int32_t tokenizer_find(const struct tokenizer *t, struct span text);

/* The text of an id; data NULL where no token has it. */
struct span tokenizer_token(const struct tokenizer *t, int32_t id);

/* Takes the file's added tokens, in its order, once both vocabularies and the normalisers stand. */
enum status tokenizer_set_added(struct tokenizer *t, const struct added_token *tokens, size_t n, struct error *e);

#endif
