/* normalizer.h: text to text, before it is cut. A Sequence is flattened into a list. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_NORMALIZER_H
#define ASSAY_WORKLOADS_TOKENIZER_NORMALIZER_H

#include "workloads/tokenizer/pattern.h"
#include "workloads/tokenizer/pieces.h"

enum normalizer_kind {
    NORMALIZER_PREPEND,         /* `content` before a text that is not empty */
    NORMALIZER_REPLACE,         /* every match of `pattern` becomes `content` */
    NORMALIZER_UNICODE,         /* a normal form: utf8proc's `form` flags */
    NORMALIZER_LOWERCASE,       /* each character by its full lower case, without context */
    NORMALIZER_STRIP            /* White_Space off the ends chosen */
};

struct normalizer {
    enum normalizer_kind kind;
    struct span content;        /* borrowed */
    struct text_pattern pattern;
    int form;
    int is_left, is_right;
};

struct normalizer_list {
    struct normalizer *items;
    size_t count, capacity;
};

/* Rewrites *text in place through *spare. Errors: INPUT growth past `limit`, an expression that gives up. */
enum status normalizer_run(const struct normalizer_list *l, struct text *text, struct text *spare, size_t limit,
                           struct error *e);
void normalizer_list_free(struct normalizer_list *l);

/* Appends `s` with every match replaced; decoders use it too. */
enum status text_replace(struct text *out, struct span s, const struct text_pattern *p, struct span content,
                         size_t limit, struct error *e);

#endif
