#include "workloads/tokenizer/added.h"

#include <stdlib.h>
#include <string.h>

void added_set_add(struct added_set *s, struct added_token token) {
    if (token.content.length == 0) return;
    LIST_GROW(s->items, s->count, s->capacity);
    s->items[s->count++] = token;
}

static int content_order(struct span a, struct span b) {
    size_t n = a.length < b.length ? a.length : b.length;
    int order = memcmp(a.data, b.data, n);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* By content; of equal ones (which normalising may make) the special first, then the file's order. */
static int token_order(const void *a, const void *b) {
    const struct added_token *x = a, *y = b;
    int order = content_order(x->content, y->content);
    if (order == 0) order = y->is_special - x->is_special;
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Of n tokens with one content the first is found; what the file says of its id last counts, as the reference
 * has it. */
static struct added_token first_of(const struct added_token *equal, size_t n) {
    struct added_token token = equal[0];
    for (size_t i = 1; i < n; i++)
        if (equal[i].id == token.id && equal[i].place > token.place) token = equal[i];
    return token;
}

void added_set_seal(struct added_set *s) {
    if (s->count) qsort(s->items, s->count, sizeof *s->items, token_order);
    size_t kept = 0;
    for (size_t i = 0, n; i < s->count; i += n) {
        for (n = 1; i + n < s->count && span_equal(s->items[i].content, s->items[i + n].content);) n++;
        s->items[kept++] = first_of(&s->items[i], n);
    }
    s->count = kept;
    for (size_t b = 0, i = 0; b <= 256; b++) {
        while (i < s->count && (uint8_t)s->items[i].content.data[0] < b) i++;
        s->first[b] = i;
    }
}

void added_set_free(struct added_set *s) {
    mem_free(s->items);
    *s = (struct added_set){0};
}

/* Among items [low, high), which agree on `depth` bytes, those whose next byte is `byte`. */
static void narrow(const struct added_set *s, size_t depth, uint8_t byte, size_t *low, size_t *high) {
    size_t a = *low, b = *high;
    for (size_t end = *high; a < end;) {
        size_t m = (a + end) / 2;
        struct span c = s->items[m].content;
        if (c.length <= depth || (uint8_t)c.data[depth] < byte) a = m + 1;
        else end = m;
    }
    for (size_t start = a; start < b;) {
        size_t m = (start + b) / 2;
        if ((uint8_t)s->items[m].content.data[depth] > byte) b = m;
        else start = m + 1;
    }
    *low = a;
    *high = b;
}

/* The longest token at the start of `text`, NULL where there is none. */
static const struct added_token *longest_at(const struct added_set *s, struct span text) {
    uint8_t byte = (uint8_t)text.data[0];
    size_t low = s->first[byte], high = s->first[byte + 1];
    const struct added_token *best = NULL;
    for (size_t depth = 1; low < high; depth++) {
        /* The shortest of those that agree so far sorts first. */
        if (s->items[low].content.length == depth) best = &s->items[low];
        if (depth == text.length) break;
        narrow(s, depth, (uint8_t)text.data[depth], &low, &high);
    }
    return best;
}

static int touches_word(struct span text, size_t start, size_t end) {
    size_t used;
    if (start > 0 && unicode_is_word(utf8_last(text.data, start, &used))) return 1;
    return end < text.length && unicode_is_word(utf8_next(text.data + end, text.length - end, &used));
}

/* Takes in the white space beside the token, but none that the token before has already taken. */
static void strip_beside(struct added_walk *w, const struct added_token *token) {
    size_t used;
    while (token->strips_left && w->start > w->done) {
        if (!unicode_is_space(utf8_last(w->text.data, w->start, &used))) break;
        w->start -= used;
    }
    while (token->strips_right && w->end < w->text.length) {
        if (!unicode_is_space(utf8_next(w->text.data + w->end, w->text.length - w->end, &used))) break;
        w->end += used;
    }
}

struct added_walk added_walk_start(struct span text) { return (struct added_walk){.text = text}; }

int added_walk_next(const struct added_set *s, struct added_walk *w) {
    if (s->count == 0) return 0;
    while (w->search < w->text.length) {
        uint8_t byte = (uint8_t)w->text.data[w->search];
        const struct added_token *token = NULL;
        if (s->first[byte] < s->first[byte + 1])
            token = longest_at(s, span_of(w->text.data + w->search, w->text.length - w->search));
        if (!token) {
            w->search++;
            continue;
        }
        w->start = w->search;
        w->end = w->search = w->start + token->content.length;
        if (token->is_single_word && touches_word(w->text, w->start, w->end)) continue;
        strip_beside(w, token);
        if (w->start < w->done) w->start = w->done;
        if (w->end < w->done) w->end = w->done;
        w->id = token->id;
        return 1;
    }
    return 0;
}
