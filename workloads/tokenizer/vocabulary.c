#include "workloads/tokenizer/vocabulary.h"

#include <string.h>

#include "kernels/base/random.h"

enum status vocabulary_create(struct vocabulary *v, size_t count, size_t n_ids, size_t texts_bytes,
                              struct error *e) {
    size_t slots = 16;
    while (slots < 2 * count) slots *= 2;
    *v = (struct vocabulary){.n_ids = n_ids, .texts_bytes = texts_bytes, .mask = slots - 1};
    v->tokens = mem_try((n_ids + 1) * sizeof *v->tokens);
    v->texts = mem_try(texts_bytes + 1);
    v->slots = mem_try(slots * sizeof *v->slots);
    if (!v->tokens || !v->texts || !v->slots) {
        vocabulary_free(v);
        return error_set(e, STATUS_NO_MEMORY, "no memory for a vocabulary of %zu tokens", n_ids);
    }
    for (size_t i = 0; i < slots; i++) v->slots[i].id = -1;
    return STATUS_OK;
}

void vocabulary_free(struct vocabulary *v) {
    mem_try_free(v->tokens, (v->n_ids + 1) * sizeof *v->tokens);
    mem_try_free(v->texts, v->texts_bytes + 1);
    mem_try_free(v->slots, (v->mask + 1) * sizeof *v->slots);
    *v = (struct vocabulary){0};
}

/* The slot that holds the text, or the free one where it would go. */
static struct vocabulary_slot *slot_of(const struct vocabulary *v, struct span text, uint32_t *hash) {
    uint64_t h = hash_bytes(0, text.data, text.length);
    *hash = (uint32_t)(h >> 32);
    for (size_t i = (size_t)h & v->mask;; i = (i + 1) & v->mask) {
        struct vocabulary_slot *s = &v->slots[i];
        if (s->id < 0 || (s->hash == *hash && span_equal(v->tokens[s->id], text))) return s;
    }
}

void vocabulary_add(struct vocabulary *v, struct span text, int32_t id) {
    uint32_t hash;
    struct vocabulary_slot *s = slot_of(v, text, &hash);
    *s = (struct vocabulary_slot){hash, id};
    char *copy = v->texts + v->texts_used;
    if (text.length) memcpy(copy, text.data, text.length);
    v->texts_used += text.length;
    v->tokens[id] = span_of(copy, text.length);
    if (text.length > v->longest) v->longest = text.length;
}

int32_t vocabulary_find(const struct vocabulary *v, struct span text) {
    uint32_t hash;
    return text.length > v->longest || !v->slots ? -1 : slot_of(v, text, &hash)->id;
}
