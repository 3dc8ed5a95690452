#include "workloads/tokenizer/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Bytes of a sequence by its lead byte, 0 where no sequence starts so; the second byte's range excludes
 * overlong forms, surrogates and what lies past U+10FFFF. */
static size_t sequence_length(uint8_t lead, uint8_t *low, uint8_t *high) {
    *low = 0x80, *high = 0xBF;
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    if (lead < 0xE0) return 2;
    if (lead == 0xE0) *low = 0xA0;
    if (lead == 0xED) *high = 0x9F;
    if (lead < 0xF0) return 3;
    if (lead == 0xF0) *low = 0x90;
    if (lead == 0xF4) *high = 0x8F;
    return 4;
}

uint32_t utf8_next(const char *p, size_t n, size_t *used) {
    const uint8_t *b = (const uint8_t *)p;
    uint8_t low, high;
    size_t length = sequence_length(b[0], &low, &high);
    *used = 1;
    if (length == 1) return b[0];
    if (length == 0) return UTF8_REPLACEMENT;
    uint32_t c = b[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (i >= n || b[i] < low || b[i] > high) return UTF8_REPLACEMENT;
        c = c << 6 | (b[i] & 0x3Fu);
        low = 0x80, high = 0xBF;
        *used = i + 1;
    }
    return c;
}

uint32_t utf8_last(const char *p, size_t n, size_t *used) {
    size_t start = n - 1;
    while (start > 0 && n - start < 4 && ((uint8_t)p[start] & 0xC0) == 0x80) start--;
    return utf8_next(p + start, n - start, used);
}

size_t utf8_put(uint32_t c, char out[4]) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (char)(marks[n] | c);
    return n;
}

/* Length of the well-formed prefix. */
static size_t valid_prefix(struct span s) {
    size_t at = 0, used;
    while (at < s.length) {
        if ((uint8_t)s.data[at] < 0x80) {
            at++;
            continue;
        }
        /* U+FFFD itself is three bytes EF BF BD; every other U+FFFD means malformed. */
        uint32_t c = utf8_next(s.data + at, s.length - at, &used);
        if (c == UTF8_REPLACEMENT && (used != 3 || memcmp(s.data + at, "\xEF\xBF\xBD", 3) != 0)) break;
        at += used;
    }
    return at;
}

int utf8_is_valid(struct span s) { return valid_prefix(s) == s.length; }

void utf8_append_lossy(struct text *out, struct span s) {
    while (s.length) {
        size_t n = valid_prefix(s), used = 0;
        text_append_bytes(out, s.data, n);
        if (n < s.length) {
            utf8_next(s.data + n, s.length - n, &used);
            text_append_bytes(out, "\xEF\xBF\xBD", 3);
        }
        s = span_of(s.data + n + used, s.length - n - used);
    }
}

int unicode_is_space(uint32_t c) {
    if ((c >= 9 && c <= 13) || c == 0x85) return 1;
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

int unicode_is_numeric(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

/* The circled and squared letters are symbols by category, but alphabetic. */
static int is_enclosed_letter(uint32_t c) {
    return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
           (c >= 0x1F170 && c <= 0x1F189);
}

int unicode_is_word(uint32_t c) {
    if (c == 0x200C || c == 0x200D || is_enclosed_letter(c)) return 1;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return 1;
    default: return 0;
    }
}

int span_equal(struct span a, struct span b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

int span_starts_with(struct span s, struct span prefix) {
    return s.length >= prefix.length && span_equal(span_of(s.data, prefix.length), prefix);
}
