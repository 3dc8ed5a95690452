#include "workloads/tokenizer/pieces.h"

void pieces_clear(struct pieces *p) {
    p->text.length = 0;
    p->count = 0;
    text_append_bytes(&p->text, "", 0); /* so that text.data is never NULL */
}

void pieces_free(struct pieces *p) {
    text_free(&p->text);
    mem_free(p->items);
    *p = (struct pieces){0};
}

void pieces_swap(struct pieces *a, struct pieces *b) {
    struct pieces t = *a;
    *a = *b;
    *b = t;
}

void pieces_add(struct pieces *p, size_t start, size_t length, int is_first) {
    LIST_GROW(p->items, p->count, p->capacity);
    p->items[p->count++] = (struct piece){start, length, is_first};
}

size_t text_growth_limit(size_t n) {
    size_t limit = n < PIECES_LIMIT / 64 ? (1u << 20) + 32 * n : PIECES_LIMIT;
    return limit < PIECES_LIMIT ? limit : PIECES_LIMIT;
}

enum status text_growth_check(size_t length, size_t limit, struct error *e) {
    if (length <= limit) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "the tokenizer's components blow the text up past %zu bytes; "
                     "check its Replace and Prepend contents, or cut the text", limit);
}
