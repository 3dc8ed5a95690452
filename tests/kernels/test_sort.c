/* The stable sort: against insertion, on lists of every length, orders and item sizes. */
#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/base/sort.h"

#include <stdint.h>
#include <string.h>

struct item {
    int32_t key, place;
    char ballast[40];
};

static int compare_items(const void *pa, const void *pb, const void *context) {
    const struct item *a = pa, *b = pb;
    ++*(size_t *)(uintptr_t)context;
    return SORT_BY(a->key, b->key);
}

static void check_sorted(const struct item *items, size_t n) {
    for (size_t i = 1; i < n; i++) {
        REQUIRE(items[i - 1].key <= items[i].key, "order at %zu of %zu", i, n);
        REQUIRE(items[i - 1].key < items[i].key || items[i - 1].place < items[i].place, "stability at %zu of %zu", i, n);
        REQUIRE(items[i].ballast[39] == (char)items[i].place, "contents at %zu of %zu", i, n);
    }
}

static void fill(struct item *items, size_t n, uint64_t seed, int32_t keys) {
    for (size_t i = 0; i < n; i++) {
        items[i] = (struct item){.key = (int32_t)(random_next(&seed) % (uint64_t)keys), .place = (int32_t)i};
        items[i].ballast[39] = (char)i;
    }
}

START_TEST(sorts_stably) {
    static struct item items[600];
    size_t compared = 0;
    for (size_t n = 0; n < 600; n += n < 40 ? 1 : 37)
        for (int32_t keys = 1; keys < 2000; keys *= 7) {
            fill(items, n, n * 31 + (uint64_t)keys, keys);
            sort_stable(items, n, sizeof *items, compare_items, &compared);
            check_sorted(items, n);
        }
}
END_TEST

START_TEST(looks_once_at_what_is_in_order) {
    enum { N = 100000 };
    size_t compared = 0;
    struct item *items = mem_alloc(N * sizeof *items);
    for (size_t i = 0; i < N; i++) items[i].key = (int32_t)i / 3;
    sort_stable(items, N, sizeof *items, compare_items, &compared);
    ck_assert_uint_lt(compared, N);
    mem_free(items);
}
END_TEST

static int is_before(const void *item, const void *key) { return ((const struct item *)item)->key < *(const int32_t *)key; }

START_TEST(finds_the_first_from_anywhere) {
    enum { N = 50 };
    static struct item items[N];
    for (int32_t i = 0; i < N; i++) items[i].key = i / 3 * 2;
    for (size_t n = 0; n <= N; n++)
        for (int32_t key = -1; key < 2 * N; key++)
            for (size_t from = 0; from <= N; from++) {
                size_t at = sort_find_near(items, n, sizeof *items, from, is_before, &key);
                REQUIRE(at <= n && (at == 0 || items[at - 1].key < key) && (at == n || items[at].key >= key), "%d of %zu from %zu", key, n, from);
            }
}
END_TEST

TEST_MAIN("sort", sorts_stably, looks_once_at_what_is_in_order, finds_the_first_from_anywhere)
