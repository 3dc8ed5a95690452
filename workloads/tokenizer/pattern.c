#include "workloads/tokenizer/pattern.h"

#include <string.h>

/* JIT stack: long runs under a backtracking repeat need more than the 32 KiB that PCRE2 gives by itself. */
enum { JIT_STACK_FIRST = 32 << 10, JIT_STACK_MOST = 4 << 20, HEAP_LIMIT_KIB = 64 << 10, NESTING_LIMIT = 50 };
enum { MATCH_LIMIT_BASE = 1000000, MATCH_LIMIT_PER_BYTE = 8, PATTERN_LIMIT = 1 << 16 };

static enum status compile(struct text_pattern *p, struct span regex, const char *where, struct error *e) {
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return error_set(e, STATUS_NO_MEMORY, "%s: no memory for an expression", where);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
    pcre2_set_parens_nest_limit(context, NESTING_LIMIT);
    int code;
    PCRE2_SIZE at;
    /* Ruby's ^ and $ are those of a line. */
    p->code = pcre2_compile((PCRE2_SPTR)regex.data, regex.length,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
    pcre2_compile_context_free(context);
    if (p->code) return STATUS_OK;
    PCRE2_UCHAR words[160];
    if (pcre2_get_error_message(code, words, sizeof words) < 0) memcpy(words, "unknown error", 14);
    return error_set(e, STATUS_UNSUPPORTED, "%s: the expression is not supported: %s (at byte %zu of '%.200s')", where,
                     (const char *)words, (size_t)at, regex.data);
}

enum status text_pattern_compile(struct text_pattern *p, struct span regex, const char *where, struct error *e) {
    *p = (struct text_pattern){0};
    if (regex.length > PATTERN_LIMIT)
        return error_set(e, STATUS_UNSUPPORTED, "%s: an expression of more than %d bytes", where, PATTERN_LIMIT);
    struct text rewritten = {0};
    enum status s = text_pattern_rewrite(&rewritten, regex, where, e);
    if (s == STATUS_OK) s = compile(p, span_of(rewritten.data, rewritten.length), where, e);
    text_free(&rewritten);
    if (s != STATUS_OK) return s;
    p->match = pcre2_match_data_create(1, NULL);
    p->context = pcre2_match_context_create(NULL);
    if (!p->match || !p->context) {
        text_pattern_free(p);
        return error_set(e, STATUS_NO_MEMORY, "%s: no memory for an expression", where);
    }
    pcre2_set_heap_limit(p->context, HEAP_LIMIT_KIB);
    /* Without JIT, or where it refuses an expression, the interpreter gives the same matches. */
    if (pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE) == 0) {
        p->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL);
        if (p->stack) pcre2_jit_stack_assign(p->context, NULL, p->stack);
    }
    return STATUS_OK;
}

void text_pattern_literal(struct text_pattern *p, struct span literal) {
    *p = (struct text_pattern){.literal = literal};
}

void text_pattern_free(struct text_pattern *p) {
    if (p->stack) pcre2_jit_stack_free(p->stack);
    pcre2_match_context_free(p->context);
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    *p = (struct text_pattern){0};
}

struct pattern_walk text_pattern_walk(struct span subject) { return (struct pattern_walk){.subject = subject}; }

static int literal_next(const struct text_pattern *p, struct pattern_walk *w) {
    if (p->literal.length == 0 || w->from >= w->subject.length) return 0;
    const char *hit =
        memmem(w->subject.data + w->from, w->subject.length - w->from, p->literal.data, p->literal.length);
    if (!hit) return 0;
    w->start = (size_t)(hit - w->subject.data);
    w->end = w->from = w->start + p->literal.length;
    return 1;
}

/* One search from w->from: 1 found, 0 none, < 0 PCRE2's error. */
static int regex_search(const struct text_pattern *p, struct pattern_walk *w) {
    int rc = pcre2_match(p->code, (PCRE2_SPTR)w->subject.data, w->subject.length, w->from, PCRE2_NO_UTF_CHECK,
                         p->match, p->context);
    if (rc == PCRE2_ERROR_NOMATCH) return 0;
    if (rc < 0) return rc;
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(p->match);
    w->start = bounds[0];
    w->end = bounds[1];
    return w->end >= w->start ? 1 : PCRE2_ERROR_INTERNAL;
}

enum status text_pattern_next(const struct text_pattern *p, struct pattern_walk *w, int *found, struct error *e) {
    *found = 0;
    if (w->subject.length == 0) return STATUS_OK; /* not even an empty match, as the reference has it */
    if (!p->code) {
        *found = literal_next(p, w);
        return STATUS_OK;
    }
    if (w->from == 0) {
        size_t limit = MATCH_LIMIT_BASE + MATCH_LIMIT_PER_BYTE * w->subject.length;
        pcre2_set_match_limit(p->context, limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX);
    }
    while (w->from <= w->subject.length) {
        int rc = regex_search(p, w);
        if (rc == 0) return STATUS_OK;
        if (rc < 0)
            return error_set(e, STATUS_INPUT, "the tokenizer's expression gives up on this text (PCRE2 error %d); "
                             "check the pattern of its Split or Replace", rc);
        if (w->end > w->start || !w->has_last || w->last_end != w->end) {
            w->from = w->last_end = w->end;
            w->has_last = *found = 1;
            return STATUS_OK;
        }
        size_t used = 1;
        if (w->from < w->subject.length) utf8_next(w->subject.data + w->from, w->subject.length - w->from, &used);
        w->from += used;
    }
    return STATUS_OK;
}
