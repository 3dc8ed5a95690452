/* decoder.h: the texts of tokens to one text. A Sequence is flattened; each step maps a list of pieces to one. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_DECODER_H
#define ASSAY_WORKLOADS_TOKENIZER_DECODER_H

#include "workloads/tokenizer/pattern.h"
#include "workloads/tokenizer/pieces.h"

enum token_decoder_kind {
    DECODER_BYTE_LEVEL,         /* printable characters back to bytes; malformed UTF-8 becomes U+FFFD */
    DECODER_REPLACE,            /* in each piece, matches of `pattern` become `content` */
    DECODER_BYTE_FALLBACK,      /* runs of <0x..> to their bytes, or one U+FFFD each */
    DECODER_FUSE,               /* all pieces to one */
    DECODER_STRIP,              /* up to `left` and `right` of `content` off the ends of each piece */
    DECODER_METASPACE           /* `content` to a space; in the first piece to nothing where `left` */
};

struct token_decoder {
    enum token_decoder_kind kind;
    struct text_pattern pattern;
    struct span content;        /* borrowed */
    size_t left, right;
};

struct token_decoder_list {
    struct token_decoder *items;
    size_t count, capacity;
};

enum status token_decoder_run(const struct token_decoder_list *l, struct pieces *p, struct pieces *spare,
                              size_t limit, struct error *e);
void token_decoder_list_free(struct token_decoder_list *l);

#endif
