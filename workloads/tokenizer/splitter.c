#include "workloads/tokenizer/splitter.h"

#include <string.h>

/* ---- GPT-2's byte alphabet ---- */

uint32_t byte_to_character(uint8_t byte) {
    if (byte <= 0x20) return 0x100u + byte;
    if (byte >= 0x7F && byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
    return byte == 0xAD ? 0x143u : byte;
}

int character_to_byte(uint32_t c) {
    if (c >= 0x100 && c <= 0x120) return (int)(c - 0x100);
    if (c >= 0x121 && c <= 0x142) return (int)(c - 0x121 + 0x7F);
    if (c == 0x143) return 0xAD;
    return c > 0xFF || byte_to_character((uint8_t)c) != c ? -1 : (int)c;
}

/* ---- rewriting steps ---- */

static void rewrite_bytes(struct text *out, struct span s) {
    char buffer[256];
    size_t n = 0;
    for (size_t i = 0; i < s.length; i++) {
        if (n > sizeof buffer - 4) {
            text_append_bytes(out, buffer, n);
            n = 0;
        }
        n += utf8_put(byte_to_character((uint8_t)s.data[i]), buffer + n);
    }
    text_append_bytes(out, buffer, n);
}

static void rewrite_mark(struct text *out, struct span s, const struct splitter *p, int is_first) {
    struct span space = span_of(" ", 1);
    int wants = p->scheme == MARK_ALWAYS || (p->scheme == MARK_FIRST && is_first);
    if (wants && !span_starts_with(s, p->mark) && !span_starts_with(s, space))
        text_append_bytes(out, p->mark.data, p->mark.length);
    for (size_t i = 0, run; i < s.length; i += run) {
        const char *hit = memchr(s.data + i, ' ', s.length - i);
        run = hit ? (size_t)(hit - s.data) - i : s.length - i;
        text_append_bytes(out, s.data + i, run);
        if (!hit) break;
        text_append_bytes(out, p->mark.data, p->mark.length);
        run++;
    }
}

static void rewrite_piece(const struct splitter *p, struct pieces *out, struct span s, int is_first) {
    size_t start = out->text.length;
    switch (p->kind) {
    case SPLITTER_PREFIX:
        if (s.data[0] != ' ') text_append_bytes(&out->text, " ", 1);
        text_append_bytes(&out->text, s.data, s.length);
        break;
    case SPLITTER_BYTES: rewrite_bytes(&out->text, s); break;
    default: rewrite_mark(&out->text, s, p, is_first); break;
    }
    pieces_add(out, start, out->text.length - start, is_first);
}

/* ---- cutting steps ---- */

/* Receives a piece's segments from left to right and joins them as the behaviour says. */
struct cutter {
    struct pieces *out;
    enum split_behavior behavior;
    size_t base;                /* where the piece begins in the text */
    size_t first;               /* its first item in `out` */
    int is_first, was_match;
};

static void cutter_add(struct cutter *c, size_t start, size_t end, int is_match) {
    int joins = 0;
    switch (c->behavior) {
    case SPLIT_ISOLATED: break;
    case SPLIT_REMOVED:
        if (is_match) return;
        break;
    case SPLIT_WITH_PREVIOUS: joins = is_match && !c->was_match; break;
    case SPLIT_WITH_NEXT: joins = !is_match && c->was_match; break;
    case SPLIT_CONTIGUOUS: joins = is_match == c->was_match; break;
    }
    c->was_match = is_match;
    if (joins && c->out->count > c->first) c->out->items[c->out->count - 1].length += end - start;
    else pieces_add(c->out, c->base + start, end - start, c->is_first && start == 0);
}

/* Empty matches make empty pieces, which count for joining but not for the result. */
static void cutter_end(struct cutter *c) {
    size_t kept = c->first;
    for (size_t i = c->first; i < c->out->count; i++)
        if (c->out->items[i].length) c->out->items[kept++] = c->out->items[i];
    c->out->count = kept;
}

static enum status cut_by_pattern(const struct splitter *p, struct cutter *c, struct span s, struct error *e) {
    struct pattern_walk w = text_pattern_walk(s);
    size_t done = 0;
    for (int found;; done = w.end) {
        enum status status = text_pattern_next(&p->pattern, &w, &found, e);
        if (status != STATUS_OK) return status;
        if (!found) break;
        if (w.start > done) cutter_add(c, done, w.start, p->is_inverted);
        cutter_add(c, w.start, w.end, !p->is_inverted);
    }
    if (done < s.length) cutter_add(c, done, s.length, p->is_inverted);
    return STATUS_OK;
}

static void cut_digits(struct cutter *c, struct span s) {
    size_t done = 0;
    for (size_t at = 0, used; at < s.length; at += used) {
        if (!unicode_is_numeric(utf8_next(s.data + at, s.length - at, &used))) continue;
        if (at > done) cutter_add(c, done, at, 0);
        cutter_add(c, at, at + used, 1);
        done = at + used;
    }
    if (done < s.length) cutter_add(c, done, s.length, 0);
}

static enum status cut_piece(const struct splitter *p, struct pieces *out, struct span s, const struct piece *from,
                             struct error *e) {
    struct cutter c = {.out = out, .behavior = p->behavior, .base = from->start, .first = out->count,
                       .is_first = from->is_first};
    enum status status = STATUS_OK;
    if (p->kind == SPLITTER_DIGITS) cut_digits(&c, s);
    else status = cut_by_pattern(p, &c, s, e);
    cutter_end(&c);
    return status;
}

enum status splitter_run(const struct splitter_list *l, struct pieces *p, struct pieces *spare, size_t limit,
                         struct error *e) {
    for (size_t i = 0; i < l->count; i++) {
        const struct splitter *step = &l->items[i];
        int is_cut = step->kind == SPLITTER_PATTERN || step->kind == SPLITTER_DIGITS;
        pieces_clear(spare);
        for (size_t j = 0; j < p->count; j++) {
            enum status s = STATUS_OK;
            if (is_cut) {
                s = cut_piece(step, spare, piece_span(p, j), &p->items[j], e);
            } else {
                rewrite_piece(step, spare, piece_span(p, j), p->items[j].is_first);
                s = text_growth_check(spare->text.length, limit, e);
            }
            if (s != STATUS_OK) return s;
        }
        if (is_cut) { /* the cuts are in p's text */
            struct text t = p->text;
            p->text = spare->text;
            spare->text = t;
        }
        pieces_swap(p, spare);
    }
    return STATUS_OK;
}

void splitter_list_free(struct splitter_list *l) {
    for (size_t i = 0; i < l->count; i++) text_pattern_free(&l->items[i].pattern);
    mem_free(l->items);
    *l = (struct splitter_list){0};
}
