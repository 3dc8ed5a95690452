#include "harness/attribution/tally.h"

#include <string.h>

#include "kernels/base/memory.h"
#include "kernels/base/random.h"

static int is_of(const struct tally_item *i, int32_t stage, int32_t name, int32_t category) {
    return i->stage == stage && i->name == name && i->category == category;
}

/* The slot that holds the key's item, or the empty one where it belongs. */
static size_t slot_of(const struct tally *t, int32_t stage, int32_t name, int32_t category) {
    uint64_t key = random_mix((uint64_t)(uint32_t)stage << 32 | (uint32_t)name) ^ (uint32_t)category;
    size_t mask = t->index_capacity - 1, at = (size_t)random_mix(key) & mask;
    while (t->index[at] && !is_of(&t->items[t->index[at] - 1], stage, name, category)) at = (at + 1) & mask;
    return at;
}

static void grow_index(struct tally *t) {
    t->index_capacity = t->index_capacity ? 2 * t->index_capacity : 64;
    mem_free(t->index);
    t->index = mem_alloc(t->index_capacity * sizeof *t->index);
    for (size_t i = 0; i < t->count; i++) {
        const struct tally_item *x = &t->items[i];
        t->index[slot_of(t, x->stage, x->name, x->category)] = (uint32_t)i + 1;
    }
}

struct tally_item *tally_at(struct tally *t, int32_t stage, int32_t name, int32_t category) {
    if (2 * (t->count + 1) > t->index_capacity) grow_index(t);
    size_t at = slot_of(t, stage, name, category);
    if (t->index[at]) return &t->items[t->index[at] - 1];
    LIST_GROW(t->items, t->count, t->capacity);
    t->items[t->count++] = (struct tally_item){.stage = stage, .name = name, .category = category};
    t->index[at] = (uint32_t)t->count;
    return &t->items[t->count - 1];
}

void tally_clear(struct tally *t) {
    if (t->count) memset(t->index, 0, t->index_capacity * sizeof *t->index);
    t->count = 0;
}

void tally_free(struct tally *t) {
    mem_free(t->items);
    mem_free(t->index);
    *t = (struct tally){0};
}
