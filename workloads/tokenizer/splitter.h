/* splitter.h: pre-tokenizers, as a flat list of two kinds of step: those that rewrite each piece, and those
 * that cut it. ByteLevel is PREFIX, PATTERN and BYTES; Metaspace is MARK and PATTERN. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_SPLITTER_H
#define ASSAY_WORKLOADS_TOKENIZER_SPLITTER_H

#include "workloads/tokenizer/pattern.h"
#include "workloads/tokenizer/pieces.h"

enum splitter_kind {
    SPLITTER_PREFIX,            /* rewrite: a space before a piece that has none */
    SPLITTER_BYTES,             /* rewrite: every byte as its printable character */
    SPLITTER_MARK,              /* rewrite: spaces become `mark`, which also goes before the piece (`scheme`) */
    SPLITTER_PATTERN,           /* cut at matches of `pattern` */
    SPLITTER_DIGITS             /* cut at characters of category N */
};

/* What becomes of a match: a piece of its own; nothing; part of the piece before or after it; one piece with
 * neighbouring matches. */
enum split_behavior { SPLIT_ISOLATED, SPLIT_REMOVED, SPLIT_WITH_PREVIOUS, SPLIT_WITH_NEXT, SPLIT_CONTIGUOUS };

enum mark_scheme { MARK_ALWAYS, MARK_FIRST, MARK_NEVER };

struct splitter {
    enum splitter_kind kind;
    struct text_pattern pattern;
    enum split_behavior behavior;
    int is_inverted;            /* what lies between matches counts as the match */
    struct span mark;           /* borrowed */
    enum mark_scheme scheme;
};

struct splitter_list {
    struct splitter *items;
    size_t count, capacity;
};

/* Cuts p->items, through *spare. Errors as normalizer_run. */
enum status splitter_run(const struct splitter_list *l, struct pieces *p, struct pieces *spare, size_t limit,
                         struct error *e);
void splitter_list_free(struct splitter_list *l);

/* GPT-2's byte alphabet: byte to code point, and back (-1 where c stands for no byte).
 * Source: Radford et al. 2019, the released encoder: printable Latin-1 stands for itself, the rest follows
 * from U+0100 on in order. */
uint32_t byte_to_character(uint8_t byte);
int character_to_byte(uint32_t c);

#endif
