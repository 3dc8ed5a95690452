#include "workloads/tokenizer/normalizer.h"

#include <stdlib.h>
#include <utf8proc.h>

enum status text_replace(struct text *out, struct span s, const struct text_pattern *p, struct span content,
                         size_t limit, struct error *e) {
    struct pattern_walk w = text_pattern_walk(s);
    size_t done = 0;
    for (int found;;) {
        enum status status = text_pattern_next(p, &w, &found, e);
        if (status == STATUS_OK) status = text_growth_check(out->length, limit, e);
        if (status != STATUS_OK) return status;
        if (!found) break;
        text_append_bytes(out, s.data + done, w.start - done);
        text_append_bytes(out, content.data, content.length);
        done = w.end;
    }
    text_append_bytes(out, s.data + done, s.length - done);
    return text_growth_check(out->length, limit, e);
}

static int is_ascii(struct span s) {
    unsigned char all = 0;
    for (size_t i = 0; i < s.length; i++) all |= (unsigned char)s.data[i];
    return all < 0x80;
}

static enum status to_normal_form(struct text *out, struct span s, int form, struct error *e) {
    if (is_ascii(s)) {
        text_append_bytes(out, s.data, s.length);
        return STATUS_OK;
    }
    utf8proc_uint8_t *mapped = NULL;
    utf8proc_ssize_t n = utf8proc_map((const utf8proc_uint8_t *)s.data, (utf8proc_ssize_t)s.length, &mapped,
                                      (utf8proc_option_t)form);
    if (n < 0) return error_set(e, STATUS_INPUT, "Unicode normalisation failed: %s", utf8proc_errmsg(n));
    text_append_bytes(out, mapped, (size_t)n);
    free(mapped);
    return STATUS_OK;
}

static void to_lower(struct text *out, struct span s) {
    for (size_t at = 0, used; at < s.length; at += used) {
        uint32_t c = utf8_next(s.data + at, s.length - at, &used);
        char bytes[4];
        /* The one character whose full lower case is two: U+0130 gives i and a dot above. */
        if (c == 0x130) text_append_bytes(out, "i\xCC\x87", 3);
        else text_append_bytes(out, bytes, utf8_put((uint32_t)utf8proc_tolower((utf8proc_int32_t)c), bytes));
    }
}

static void strip(struct text *out, struct span s, int is_left, int is_right) {
    size_t used;
    while (is_left && s.length && unicode_is_space(utf8_next(s.data, s.length, &used)))
        s = span_of(s.data + used, s.length - used);
    while (is_right && s.length && unicode_is_space(utf8_last(s.data, s.length, &used))) s.length -= used;
    text_append_bytes(out, s.data, s.length);
}

static enum status run_one(const struct normalizer *n, struct span s, struct text *out, size_t limit,
                           struct error *e) {
    switch (n->kind) {
    case NORMALIZER_PREPEND:
        if (s.length) text_append_bytes(out, n->content.data, n->content.length);
        text_append_bytes(out, s.data, s.length);
        break;
    case NORMALIZER_REPLACE: return text_replace(out, s, &n->pattern, n->content, limit, e);
    case NORMALIZER_UNICODE: return to_normal_form(out, s, n->form, e);
    case NORMALIZER_LOWERCASE: to_lower(out, s); break;
    case NORMALIZER_STRIP: strip(out, s, n->is_left, n->is_right); break;
    }
    return STATUS_OK;
}

enum status normalizer_run(const struct normalizer_list *l, struct text *text, struct text *spare, size_t limit,
                           struct error *e) {
    for (size_t i = 0; i < l->count; i++) {
        spare->length = 0;
        text_append_bytes(spare, "", 0);
        enum status s = run_one(&l->items[i], span_of(text->data, text->length), spare, limit, e);
        if (s == STATUS_OK) s = text_growth_check(spare->length, limit, e);
        if (s != STATUS_OK) return s;
        struct text t = *text;
        *text = *spare;
        *spare = t;
    }
    return STATUS_OK;
}

void normalizer_list_free(struct normalizer_list *l) {
    for (size_t i = 0; i < l->count; i++) text_pattern_free(&l->items[i].pattern);
    mem_free(l->items);
    *l = (struct normalizer_list){0};
}
