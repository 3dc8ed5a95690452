/* sort.h: a stable sort of long lists that takes at most 6 bytes an item beside them (the C library's qsort makes a
 * copy of the list). What is already in order costs one comparison an item; O(n log n) otherwise. */
#ifndef ASSAY_KERNELS_BASE_SORT_H
#define ASSAY_KERNELS_BASE_SORT_H

#include <stddef.h>

/* Below, equal to or above 0, as for qsort; `context` is what sort_stable was given. */
typedef int (*sort_compare)(const void *a, const void *b, const void *context);

/* Sorts in place. n < 2^32; an item has at most SORT_MAX_ITEM_BYTES. */
enum { SORT_MAX_ITEM_BYTES = 256 };
void sort_stable(void *items, size_t n, size_t item_bytes, sort_compare compare, const void *context);

/* Of items in order, the first that is not before `key`; n where all are. Looks near `from` first, in steps that double:
 * what is asked for in the items' order costs little. */
typedef int (*sort_is_before)(const void *item, const void *key);
size_t sort_find_near(const void *items, size_t n, size_t item_bytes, size_t from, sort_is_before is_before, const void *key);

/* -1, 0 or 1: for comparisons by one key after the other. */
#define SORT_BY(a, b) (((a) > (b)) - ((a) < (b)))

#endif
