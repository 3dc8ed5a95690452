/* json_reader.c: the grammar of RFC 8259, with two liberties that traces take: NaN and Infinity as Python and C++
 * write them, and control characters inside strings. */
#include "harness/import/json_reader.h"

#include <ctype.h>
#include <string.h>

/* ---- errors and bytes ---- */

void json_fail(struct json_reader *r, const char *what) {
    if (r->status != STATUS_OK) return;
    r->status = error_set(r->error, STATUS_INPUT, "%s: byte %lld: %s", r->source->path, (long long)source_offset(r->source), what);
}

enum { END_OF_TEXT = -1 };

/* The byte that comes next, which stays; END_OF_TEXT after the last and after an error. */
static int peek_byte(struct json_reader *r) {
    struct byte_source *s = r->source;
    if (s->at < s->end) return s->buffer[s->at];
    if (r->status == STATUS_OK) r->status = source_fill(s, r->error);
    return r->status == STATUS_OK && s->end > 0 ? s->buffer[0] : END_OF_TEXT;
}

static int take_byte(struct json_reader *r) {
    int c = peek_byte(r);
    if (c != END_OF_TEXT) r->source->at++;
    return c;
}

static int skip_space(struct json_reader *r) {
    int c;
    while ((c = peek_byte(r)) == ' ' || c == '\n' || c == '\r' || c == '\t') r->source->at++;
    return c;
}

static void fail_at_end_or(struct json_reader *r, int c, const char *what) {
    json_fail(r, c == END_OF_TEXT ? "the file ends here, in the middle of the JSON; it was cut short" : what);
}

/* ---- strings ---- */

/* A text is kept up to its limit; with `keeps` 0 it is only walked over. */
static void keep_bytes(struct json_reader *r, int keeps, const void *bytes, size_t n) {
    if (!keeps) return;
    if (r->text.length + n > JSON_MAX_TEXT_BYTES) json_fail(r, "a name or number of more than 1 MiB");
    else text_append_bytes(&r->text, bytes, n);
}

static void keep_code_point(struct json_reader *r, int keeps, uint32_t c) {
    unsigned char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; c >>= 6) b[i] = (unsigned char)(0x80 | (c & 0x3f));
    b[0] = (unsigned char)(lead[n] | c);
    keep_bytes(r, keeps, b, n);
}

static uint32_t take_hex4(struct json_reader *r) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int c = take_byte(r);
        if (c == END_OF_TEXT || !isxdigit(c)) return fail_at_end_or(r, c, "\\u wants four hexadecimal digits"), 0;
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static const uint32_t replacement = 0xfffd;

static int is_high_half(uint32_t c) { return c >= 0xd800 && c < 0xdc00; }
static int is_low_half(uint32_t c) { return c >= 0xdc00 && c < 0xe000; }
static void take_escape(struct json_reader *r, int keeps);

/* After "\u". Halves of pairs that stand alone, and NUL, which ends our texts, are replaced. */
static void take_unicode(struct json_reader *r, int keeps) {
    uint32_t c = take_hex4(r), low = 0;
    int has_escape = is_high_half(c) && peek_byte(r) == '\\';
    if (has_escape) take_byte(r);
    if (has_escape && peek_byte(r) == 'u') {
        take_byte(r);
        low = take_hex4(r);
        has_escape = 0;
    }
    if (is_low_half(low)) c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    keep_code_point(r, keeps, c == 0 || is_high_half(c) || is_low_half(c) ? replacement : c);
    if (low && !is_low_half(low)) keep_code_point(r, keeps, is_high_half(low) ? replacement : low);
    if (has_escape) take_escape(r, keeps);
}

static void take_escape(struct json_reader *r, int keeps) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int c = take_byte(r);
    const char *at = c > 0 ? strchr(from, c) : NULL;
    if (c == 'u') take_unicode(r, keeps);
    else if (at) keep_bytes(r, keeps, &to[at - from], 1);
    else fail_at_end_or(r, c, "unknown escape in a string");
}

/* After the opening quote. */
static void take_string(struct json_reader *r, int keeps) {
    struct byte_source *s = r->source;
    while (r->status == STATUS_OK) {
        int c = peek_byte(r);
        size_t begin = s->at;
        while (s->at < s->end && s->buffer[s->at] != '"' && s->buffer[s->at] != '\\') s->at++;
        keep_bytes(r, keeps, s->buffer + begin, s->at - begin);
        if (s->at == s->end && c != END_OF_TEXT) continue;
        c = take_byte(r);
        if (c == '"') return;
        if (c == '\\') take_escape(r, keeps);
        else fail_at_end_or(r, c, "");
    }
}

/* ---- numbers and words ---- */

static int is_part_of_word(int c) { return c != END_OF_TEXT && (isalnum(c) || c == '+' || c == '-' || c == '.'); }

static int skip_digits(const char **at) {
    const char *begin = *at;
    while (isdigit((unsigned char)**at)) (*at)++;
    return *at > begin;
}

static int is_number(const char *at) {
    at += *at == '-';
    if ((at[0] == '0' && isdigit((unsigned char)at[1])) || !skip_digits(&at)) return 0;
    if (*at == '.' && (at++, !skip_digits(&at))) return 0;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        if (!skip_digits(&at)) return 0;
    }
    return *at == 0;
}

static int is_word(const char *text) {
    static const char *const words[] = {"true", "false", "null", "NaN", "nan", "-nan", "-NaN", "Infinity", "-Infinity", "inf", "-inf", "Inf", "-Inf"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) return 1;
    return 0;
}

static void take_number_or_word(struct json_reader *r) {
    r->text.length = 0;
    text_append_bytes(&r->text, "", 0);
    while (r->status == STATUS_OK && is_part_of_word(peek_byte(r))) {
        char c = (char)take_byte(r);
        keep_bytes(r, 1, &c, 1);
    }
    if (r->status == STATUS_OK && !is_number(r->text.data) && !is_word(r->text.data))
        json_fail(r, "before it stands neither a number nor true, false or null");
}

/* ---- values ---- */

enum json_kind json_peek(struct json_reader *r) {
    int c = skip_space(r);
    if (c == '{') return JSON_KIND_OBJECT;
    if (c == '[') return JSON_KIND_ARRAY;
    if (c == '"') return JSON_KIND_STRING;
    if (c == '-' || (c != END_OF_TEXT && isdigit(c))) return JSON_KIND_NUMBER;
    if (c != END_OF_TEXT && isalpha(c)) return JSON_KIND_WORD;
    fail_at_end_or(r, c, "a value was expected");
    return JSON_KIND_NONE;
}

static void enter(struct json_reader *r, char opening) {
    int c = skip_space(r);
    if (c != opening) fail_at_end_or(r, c, opening == '{' ? "an object was expected" : "a list was expected");
    else if (++r->depth > JSON_MAX_DEPTH) json_fail(r, "nested more than 256 deep");
    else take_byte(r);
}

/* Before each item: is there one more? */
static int goes_on(struct json_reader *r, int *first, char opening, char closing) {
    int was_first = *first;
    *first = 0;
    if (was_first) enter(r, opening);
    if (r->status != STATUS_OK) return 0;
    int c = skip_space(r);
    if (c == closing) {
        take_byte(r);
        r->depth--;
        return 0;
    }
    if (was_first) return 1;
    if (c == ',') return take_byte(r), 1;
    fail_at_end_or(r, c, closing == '}' ? "a comma or } was expected" : "a comma or ] was expected");
    return 0;
}

int json_next_item(struct json_reader *r, int *first) { return goes_on(r, first, '[', ']'); }

/* The key stays in r->text until the value is read; 0 where there is none. */
static int take_key(struct json_reader *r, int keeps) {
    int c = skip_space(r);
    if (c != '"') return fail_at_end_or(r, c, "a key in quotes was expected"), 0;
    take_byte(r);
    r->text.length = 0;
    text_append_bytes(&r->text, "", 0);
    take_string(r, keeps);
    c = skip_space(r);
    if (r->status == STATUS_OK && c != ':') fail_at_end_or(r, c, "a colon was expected");
    if (r->status == STATUS_OK) take_byte(r);
    return r->status == STATUS_OK;
}

int json_next_key(struct json_reader *r, int *first, const char **key) {
    if (!goes_on(r, first, '{', '}') || !take_key(r, 1)) return 0;
    *key = r->text.data;
    return 1;
}

static void skip_object(struct json_reader *r) {
    for (int first = 1; goes_on(r, &first, '{', '}') && take_key(r, 0);) json_skip(r);
}

static void skip_array(struct json_reader *r) {
    for (int first = 1; json_next_item(r, &first);) json_skip(r);
}

void json_skip(struct json_reader *r) {
    enum json_kind kind = json_peek(r);
    if (kind == JSON_KIND_OBJECT) skip_object(r);
    else if (kind == JSON_KIND_ARRAY) skip_array(r);
    else if (kind == JSON_KIND_STRING) take_byte(r), take_string(r, 0);
    else if (kind != JSON_KIND_NONE) take_number_or_word(r);
}

const char *json_scalar(struct json_reader *r) {
    enum json_kind kind = json_peek(r);
    if (kind == JSON_KIND_OBJECT || kind == JSON_KIND_ARRAY) return json_skip(r), NULL;
    if (kind == JSON_KIND_STRING) {
        take_byte(r);
        r->text.length = 0;
        text_append_bytes(&r->text, "", 0);
        take_string(r, 1);
    } else if (kind != JSON_KIND_NONE) {
        take_number_or_word(r);
    }
    return r->status == STATUS_OK ? r->text.data : NULL;
}

void json_end(struct json_reader *r) {
    int c = skip_space(r);
    if (r->status == STATUS_OK && c != END_OF_TEXT) json_fail(r, "something follows the end of the JSON");
}
