#include "kernels/base/sort.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kernels/base/memory.h"

struct sorting {
    const char *items;
    size_t item_bytes;
    sort_compare compare;
    const void *context;
    uint32_t *spare;               /* the left half of a merge */
};

static int is_after(const struct sorting *s, uint32_t a, uint32_t b) {
    return s->compare(s->items + a * s->item_bytes, s->items + b * s->item_bytes, s->context) > 0;
}

static void merge(const struct sorting *s, uint32_t *order, size_t middle, size_t n) {
    size_t left = 0, right = middle, to = 0;
    memcpy(s->spare, order, middle * sizeof *order);
    while (left < middle && right < n)
        order[to++] = is_after(s, s->spare[left], order[right]) ? order[right++] : s->spare[left++];
    memcpy(order + to, s->spare + left, (middle - left) * sizeof *order);
}

static void sort_part(const struct sorting *s, uint32_t *order, size_t n) {
    size_t middle = n / 2;
    if (n < 2) return;
    sort_part(s, order, middle);
    sort_part(s, order + middle, n - middle);
    if (is_after(s, order[middle - 1], order[middle])) merge(s, order, middle, n);
}

/* Moves each item to its place along the cycles of the permutation; order[i] becomes i. */
static void permute(char *items, size_t item_bytes, uint32_t *order, size_t n) {
    char held[SORT_MAX_ITEM_BYTES];
    for (size_t i = 0; i < n; i++) {
        if (order[i] == i) continue;
        size_t at = i;
        memcpy(held, items + i * item_bytes, item_bytes);
        while (order[at] != i) {
            size_t from = order[at];
            memcpy(items + at * item_bytes, items + from * item_bytes, item_bytes);
            order[at] = (uint32_t)at;
            at = from;
        }
        memcpy(items + at * item_bytes, held, item_bytes);
        order[at] = (uint32_t)at;
    }
}

void sort_stable(void *items, size_t n, size_t item_bytes, sort_compare compare, const void *context) {
    assert(n <= UINT32_MAX && item_bytes <= SORT_MAX_ITEM_BYTES);
    if (n < 2) return;
    uint32_t *order = mem_alloc(n * sizeof *order);
    struct sorting s = {items, item_bytes, compare, context, mem_alloc((n / 2) * sizeof *s.spare)};
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    sort_part(&s, order, n);
    mem_free(s.spare);
    permute(items, item_bytes, order, n);
    mem_free(order);
}

/* ---- finding ---- */

struct finding {
    const char *items;
    size_t item_bytes;
    sort_is_before is_before;
    const void *key;
};

static int is_below(const struct finding *f, size_t at) { return f->is_before(f->items + at * f->item_bytes, f->key); }

/* The first in [low, high) that is not before the key, else high. */
static size_t find_between(const struct finding *f, size_t low, size_t high) {
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (is_below(f, middle)) low = middle + 1;
        else high = middle;
    }
    return low;
}

size_t sort_find_near(const void *items, size_t n, size_t item_bytes, size_t from, sort_is_before is_before, const void *key) {
    const struct finding f = {items, item_bytes, is_before, key};
    size_t low = from < n ? from : n, high = low, step = 1;
    if (low < n && is_below(&f, low)) {
        do {
            low = high + 1;
            high = n - high > step ? high + step : n;
            step *= 2;
        } while (high < n && is_below(&f, high));
    } else {
        do {
            high = low;
            low = low > step ? low - step : 0;
            step *= 2;
        } while (low > 0 && !is_below(&f, low));
    }
    return find_between(&f, low, high);
}
