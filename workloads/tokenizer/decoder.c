#include "workloads/tokenizer/decoder.h"

#include <string.h>

#include "workloads/tokenizer/normalizer.h"
#include "workloads/tokenizer/splitter.h"

#define REPLACEMENT_BYTES "\xEF\xBF\xBD"

static void piece_end(struct pieces *out, size_t start) { pieces_add(out, start, out->text.length - start, 0); }

/* A token that is spelled with anything outside the byte alphabet stands for its own bytes. */
static void unmap_token(struct text *bytes, struct span s) {
    size_t before = bytes->length;
    for (size_t at = 0, used; at < s.length; at += used) {
        int byte = character_to_byte(utf8_next(s.data + at, s.length - at, &used));
        if (byte < 0) {
            bytes->length = before;
            text_append_bytes(bytes, s.data, s.length);
            return;
        }
        char c = (char)byte;
        text_append_bytes(bytes, &c, 1);
    }
}

static void decode_byte_level(const struct pieces *p, struct pieces *out) {
    struct text bytes = {0};
    for (size_t i = 0; i < p->count; i++) unmap_token(&bytes, piece_span(p, i));
    utf8_append_lossy(&out->text, span_of(bytes.data, bytes.length));
    text_free(&bytes);
    piece_end(out, 0);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of "<0x..>", -1 for any other token. */
static int token_byte(struct span s) {
    if (s.length != 6 || memcmp(s.data, "<0x", 3) != 0 || s.data[5] != '>') return -1;
    int high = hex_digit(s.data[3]), low = hex_digit(s.data[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* The bytes gathered since `start` become one piece, or as many U+FFFD when they are no text. */
static void bytes_flush(struct pieces *out, size_t start) {
    size_t n = out->text.length - start;
    if (n == 0) return;
    if (utf8_is_valid(span_of(out->text.data + start, n))) {
        piece_end(out, start);
        return;
    }
    out->text.length = start;
    for (size_t i = 0; i < n; i++) {
        text_append_bytes(&out->text, REPLACEMENT_BYTES, 3);
        pieces_add(out, start + 3 * i, 3, 0);
    }
}

static void decode_byte_fallback(const struct pieces *p, struct pieces *out) {
    size_t start = 0; /* of the bytes not yet made a piece */
    for (size_t i = 0; i < p->count; i++) {
        struct span s = piece_span(p, i);
        int byte = token_byte(s);
        if (byte >= 0) {
            char c = (char)byte;
            text_append_bytes(&out->text, &c, 1);
            continue;
        }
        bytes_flush(out, start);
        pieces_add(out, out->text.length, s.length, 0);
        text_append_bytes(&out->text, s.data, s.length);
        start = out->text.length;
    }
    bytes_flush(out, start);
}

static void decode_strip(const struct token_decoder *d, struct span s, struct text *out) {
    for (size_t i = 0; i < d->left && s.length && span_starts_with(s, d->content); i++)
        s = span_of(s.data + d->content.length, s.length - d->content.length);
    size_t n = d->content.length;
    for (size_t i = 0; i < d->right && s.length >= n; i++) {
        if (memcmp(s.data + s.length - n, d->content.data, n) != 0) break;
        s.length -= n;
    }
    text_append_bytes(out, s.data, s.length);
}

static void decode_metaspace(const struct token_decoder *d, struct span s, int is_first, struct text *out) {
    struct pattern_walk w = text_pattern_walk(s);
    size_t done = 0;
    int found = 0;
    while (text_pattern_next(&d->pattern, &w, &found, NULL) == STATUS_OK && found) { /* a literal never fails */
        text_append_bytes(out, s.data + done, w.start - done);
        if (!is_first || !d->left) text_append_bytes(out, " ", 1);
        done = w.end;
    }
    text_append_bytes(out, s.data + done, s.length - done);
}

static enum status decode_each(const struct token_decoder *d, const struct pieces *p, struct pieces *out,
                               size_t limit, struct error *e) {
    for (size_t i = 0; i < p->count; i++) {
        struct span s = piece_span(p, i);
        size_t start = out->text.length;
        enum status status = STATUS_OK;
        if (d->kind == DECODER_REPLACE) status = text_replace(&out->text, s, &d->pattern, d->content, limit, e);
        else if (d->kind == DECODER_STRIP) decode_strip(d, s, &out->text);
        else decode_metaspace(d, s, i == 0, &out->text);
        if (status != STATUS_OK) return status;
        piece_end(out, start);
    }
    return STATUS_OK;
}

static void decode_fuse(const struct pieces *p, struct pieces *out) {
    for (size_t i = 0; i < p->count; i++) {
        struct span s = piece_span(p, i);
        text_append_bytes(&out->text, s.data, s.length);
    }
    piece_end(out, 0);
}

enum status token_decoder_run(const struct token_decoder_list *l, struct pieces *p, struct pieces *spare,
                              size_t limit, struct error *e) {
    for (size_t i = 0; i < l->count; i++) {
        const struct token_decoder *d = &l->items[i];
        enum status s = STATUS_OK;
        pieces_clear(spare);
        switch (d->kind) {
        case DECODER_BYTE_LEVEL: decode_byte_level(p, spare); break;
        case DECODER_BYTE_FALLBACK: decode_byte_fallback(p, spare); break;
        case DECODER_FUSE: decode_fuse(p, spare); break;
        default: s = decode_each(d, p, spare, limit, e); break;
        }
        if (s == STATUS_OK) s = text_growth_check(spare->text.length, limit, e);
        if (s != STATUS_OK) return s;
        pieces_swap(p, spare);
    }
    return STATUS_OK;
}

void token_decoder_list_free(struct token_decoder_list *l) {
    for (size_t i = 0; i < l->count; i++) text_pattern_free(&l->items[i].pattern);
    mem_free(l->items);
    *l = (struct token_decoder_list){0};
}
