/* From Ruby's regular expressions to PCRE2's. Sources: Oniguruma doc/RE and doc/SYNTAX.md; pcre2pattern(3). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "workloads/tokenizer/pattern.h"

/* Unicode White_Space, and everything else, as class members: PCRE2's \s also takes U+180E. */
#define SPACE_MEMBERS \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NON_SPACE_MEMBERS \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}" \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
/* Oniguruma's words: alphabetic characters, marks, digits, connectors; \w has the six Latin-1 numbers too. */
#define POSIX_WORD_MEMBERS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD_MEMBERS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}" POSIX_WORD_MEMBERS

/* POSIX classes are properties there; PCRE2's go by category. */
static const struct {
    const char *name, *members;
} posix_classes[] = {
    {"[:alpha:]", "\\p{Alphabetic}"}, {"[:alnum:]", "\\p{Alphabetic}\\p{Nd}"}, {"[:digit:]", "\\p{Nd}"},
    {"[:upper:]", "\\p{Uppercase}"},  {"[:lower:]", "\\p{Lowercase}"},         {"[:space:]", SPACE_MEMBERS},
    {"[:word:]", POSIX_WORD_MEMBERS},
};

struct rewriter {
    struct text *out;
    struct span in;
    size_t at;
    int in_class, class_is_new;
    const char *where;
};

static char peek(const struct rewriter *r, size_t ahead) {
    return r->at + ahead < r->in.length ? r->in.data[r->at + ahead] : 0;
}

static void copy(struct rewriter *r, size_t n) {
    text_append_bytes(r->out, r->in.data + r->at, n);
    r->at += n;
}

static enum status refuse(const struct rewriter *r, const char *what, struct error *e) {
    return error_set(e, STATUS_UNSUPPORTED, "%s: %s in an expression is not supported (at byte %zu of '%.*s')",
                     r->where, what, r->at, r->in.length < 200 ? (int)r->in.length : 200, r->in.data);
}

/* A set written as class members, in or outside brackets. */
static void put_members(struct rewriter *r, const char *members, int is_negated) {
    if (r->in_class) text_append(r->out, "%s", members);
    else text_append(r->out, "[%s%s]", is_negated ? "^" : "", members);
    r->at += 2;
}

static int is_script(const char *name, size_t n) {
    char pattern[80];
    int length = snprintf(pattern, sizeof pattern, "\\p{sc:%.*s}", (int)n, name);
    int code;
    PCRE2_SIZE at;
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)pattern, (size_t)length, PCRE2_UTF, &code, &at, NULL);
    pcre2_code_free(c);
    return c != NULL;
}

/* \p{Name}: where Name is a script, PCRE2 would take its extensions too. */
static enum status put_property(struct rewriter *r, struct error *e) {
    if (peek(r, 2) != '{') return refuse(r, "a property without braces", e);
    const char *name = r->in.data + r->at + 3;
    const char *end = memchr(name, '}', r->in.length - r->at - 3);
    if (!end || end - name > 60) return refuse(r, "an unclosed or overlong property", e);
    size_t n = (size_t)(end - name);
    int is_inverse = n && *name == '^';
    if (!is_script(name + is_inverse, n - (size_t)is_inverse)) {
        copy(r, n + 4);
        return STATUS_OK;
    }
    text_append(r->out, "\\%c{%ssc:%.*s}", peek(r, 1), is_inverse ? "^" : "", (int)n - is_inverse, name + is_inverse);
    r->at += n + 4;
    return STATUS_OK;
}

static enum status put_unicode_escape(struct rewriter *r, struct error *e) {
    for (size_t i = 2; i < 6; i++)
        if (!isxdigit((unsigned char)peek(r, i))) return refuse(r, "\\u without four hexadecimal digits", e);
    text_append(r->out, "\\x{%.4s}", r->in.data + r->at + 2);
    r->at += 6;
    return STATUS_OK;
}

/* \b and \B by our word characters: PCRE2's own are narrower. */
static void put_boundary(struct rewriter *r, int is_inner) {
    static const char word[] = "[" WORD_MEMBERS "]";
    if (is_inner) text_append(r->out, "(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))", word, word, word, word);
    else text_append(r->out, "(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))", word, word, word, word);
    r->at += 2;
}

static enum status put_escape(struct rewriter *r, struct error *e) {
    char c = peek(r, 1);
    size_t used;
    switch (c) {
    case 's': put_members(r, SPACE_MEMBERS, 0); return STATUS_OK;
    case 'S': put_members(r, r->in_class ? NON_SPACE_MEMBERS : SPACE_MEMBERS, 1); return STATUS_OK;
    case 'w': put_members(r, WORD_MEMBERS, 0); return STATUS_OK;
    case 'W':
        if (r->in_class) return refuse(r, "\\W inside brackets", e);
        put_members(r, WORD_MEMBERS, 1);
        return STATUS_OK;
    case 'p':
    case 'P': return put_property(r, e);
    case 'u': return put_unicode_escape(r, e);
    case 'v': /* one vertical tab; PCRE2's \v is a set */
        text_append(r->out, "\\x{b}");
        r->at += 2;
        return STATUS_OK;
    case 'b':
    case 'B':
        if (r->in_class) break; /* a backspace, in both */
        put_boundary(r, c == 'B');
        return STATUS_OK;
    default: break;
    }
    if (c == 0 && r->at + 1 >= r->in.length) return refuse(r, "a backslash at the end", e);
    if (isalnum((unsigned char)c) && !strchr(r->in_class ? "nrtfaexdDb" : "nrtfaexdDAzZR", c)) {
        char what[] = {'\\', c, 0};
        return refuse(r, what, e);
    }
    utf8_next(r->in.data + r->at + 1, r->in.length - r->at - 1, &used);
    copy(r, 1 + used);
    return STATUS_OK;
}

/* "[" inside a set. */
static enum status put_posix_class(struct rewriter *r, struct error *e) {
    for (size_t i = 0; i < sizeof posix_classes / sizeof *posix_classes; i++) {
        struct span name = span_of(posix_classes[i].name, strlen(posix_classes[i].name));
        if (!span_starts_with(span_of(r->in.data + r->at, r->in.length - r->at), name)) continue;
        text_append(r->out, "%s", posix_classes[i].members);
        r->at += name.length;
        return STATUS_OK;
    }
    return refuse(r, peek(r, 1) == ':' ? "this [:name:]" : "a set inside a set", e);
}

static enum status put_class_byte(struct rewriter *r, struct error *e) {
    char c = peek(r, 0);
    if (c == '[') {
        enum status s = put_posix_class(r, e);
        if (s != STATUS_OK) return s;
    } else if (c == '&' && peek(r, 1) == '&') {
        return refuse(r, "an intersection of sets (&&)", e);
    } else if (c == ']') {
        if (r->class_is_new) return refuse(r, "an empty set", e);
        r->in_class = 0;
        copy(r, 1);
    } else {
        copy(r, 1);
    }
    r->class_is_new = 0;
    return STATUS_OK;
}

/* After "(": groups, looking around and the option i mean the same in both. */
static enum status put_group(struct rewriter *r, struct error *e) {
    if (peek(r, 1) == '*') return refuse(r, "(*…)", e);
    if (peek(r, 1) != '?') {
        copy(r, 1);
        return STATUS_OK;
    }
    if (memchr(":=!>", peek(r, 2), 4)) {
        copy(r, 3);
        return STATUS_OK;
    }
    if (peek(r, 2) == '<' && (peek(r, 3) == '=' || peek(r, 3) == '!')) {
        copy(r, 4);
        return STATUS_OK;
    }
    size_t n = 2;
    while (peek(r, n) == 'i' || peek(r, n) == '-') n++;
    /* A lone (?i) reaches over a later | in PCRE2 but starts a group in Ruby: the same only at the start. */
    if (n == 2 || !(peek(r, n) == ':' || (peek(r, n) == ')' && r->at == 0)))
        return refuse(r, "this kind of (?…) group", e);
    copy(r, n + 1);
    return STATUS_OK;
}

/* {n,m}: Ruby knows {,m}, and reads {n,m}+ as a repeat of a repeat where PCRE2 reads "possessive". */
static enum status put_interval(struct rewriter *r, struct error *e) {
    size_t n = 1;
    while (isdigit((unsigned char)peek(r, n)) || peek(r, n) == ',') n++;
    if (n == 1 || peek(r, n) != '}') {
        copy(r, 1);
        return STATUS_OK;
    }
    if (peek(r, n + 1) == '+') return refuse(r, "an interval followed by +", e);
    if (peek(r, 1) == ',') {
        text_append(r->out, "{0");
        r->at++;
        n--;
    }
    copy(r, n + 1);
    return STATUS_OK;
}

static enum status put_next(struct rewriter *r, struct error *e) {
    char c = peek(r, 0);
    if (c == '\\') {
        r->class_is_new = 0;
        return put_escape(r, e);
    }
    if (r->in_class) return put_class_byte(r, e);
    if (c == '(') return put_group(r, e);
    if (c == '{') return put_interval(r, e);
    copy(r, 1);
    if (c == '[') {
        r->in_class = r->class_is_new = 1;
        if (peek(r, 0) == '^') copy(r, 1);
    }
    return STATUS_OK;
}

enum status text_pattern_rewrite(struct text *out, struct span regex, const char *where, struct error *e) {
    struct rewriter r = {.out = out, .in = regex, .where = where};
    text_append_bytes(out, "", 0);
    enum status s = STATUS_OK;
    while (s == STATUS_OK && r.at < regex.length) s = put_next(&r, e);
    if (s == STATUS_OK && r.in_class) s = refuse(&r, "an unclosed set", e);
    return s;
}
