/* tally.h: sums under keys, for as many as come: a small table that is emptied again and again. */
#ifndef ASSAY_HARNESS_ATTRIBUTION_TALLY_H
#define ASSAY_HARNESS_ATTRIBUTION_TALLY_H

#include <stddef.h>
#include <stdint.h>

struct tally_item {
    int32_t stage, name;           /* names' indices; -1 none */
    int32_t category;
    int64_t ns, count, launches, bytes;
};

struct tally {
    struct tally_item *items;      /* in the order in which they came */
    size_t count, capacity;
    uint32_t *index;               /* open addressing over items: place + 1 */
    size_t index_capacity;         /* a power of two */
};

/* The item of this key, made where there is none; valid until the next call. */
struct tally_item *tally_at(struct tally *t, int32_t stage, int32_t name, int32_t category);
void tally_clear(struct tally *t);
void tally_free(struct tally *t);

#endif
