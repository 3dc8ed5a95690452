/* pattern.h: what Split and Replace look for: a literal or a regular expression.
 *
 * Tokenizer files write their expressions for Oniguruma (Ruby syntax); PCRE2 runs them here. Where the two
 * read the same words differently (white space, word characters, scripts, intervals) the expression is
 * rewritten; what has no faithful form is refused by name, never run with another meaning. One difference is
 * left: under (?i) PCRE2 folds single characters only, so that "ss" does not match U+00DF. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_PATTERN_H
#define ASSAY_WORKLOADS_TOKENIZER_PATTERN_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "kernels/base/status.h"
#include "workloads/tokenizer/utf8.h"

struct text_pattern {
    struct span literal;          /* borrowed; used where code is NULL */
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* `where` names the place in the file for errors. Errors: UNSUPPORTED with PCRE2's words or the construct. */
enum status text_pattern_compile(struct text_pattern *p, struct span regex, const char *where, struct error *e);
void text_pattern_literal(struct text_pattern *p, struct span literal);
void text_pattern_free(struct text_pattern *p);

/* Walks over the matches of one subject (well-formed UTF-8), left to right, none overlapping; an empty match
 * right behind another match is passed over. Start with text_pattern_walk. */
struct pattern_walk {
    struct span subject;
    size_t from, last_end;
    int has_last;
    size_t start, end;            /* of the match found */
};
struct pattern_walk text_pattern_walk(struct span subject);

/* *found 0 at the end. Errors: INPUT where the expression backtracks without end on this text. */
enum status text_pattern_next(const struct text_pattern *p, struct pattern_walk *w, int *found, struct error *e);

/* pattern_rewrite.c: Ruby syntax to PCRE2's. */
enum status text_pattern_rewrite(struct text *out, struct span regex, const char *where, struct error *e);

#endif
