/* Ceilings: each pattern does the work that it declares; lookups between points; a short real measurement. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "harness/ceilings/ceilings.h"
#include "harness/ceilings/meter.h"
#include "kernels/base/clock.h"

enum { SHARE = 65536, REPEATS = 3 };

static uint64_t fill(char *data) {
    uint64_t sum = 0, state = 1;
    for (size_t i = 0; i < SHARE; i += 8) {
        uint64_t word = state = state * 6364136223846793005u + 1442695040888963407u;
        memcpy(data + i, &word, 8);
        sum += word;
    }
    return sum;
}

START_TEST(reads_touch_every_word) {
    char *data = aligned_alloc(64, SHARE);
    struct probe_list list = probes_read();
    uint64_t sum = fill(data);
    ck_assert_int_gt(list.n, 0);
    for (int i = 0; i < list.n; i++) {
        struct share s = {.data = data, .bytes = SHARE};
        if (!list.items[i].is_supported()) continue;
        list.items[i].run(&s, REPEATS);
        ck_assert_msg(s.sink == REPEATS * sum, "%s read something else", list.items[i].name);
    }
    free(data);
}
END_TEST

START_TEST(copies_copy) {
    char *data = aligned_alloc(64, SHARE);
    struct probe_list list = probes_copy();
    for (int i = 0; i < list.n; i++) {
        struct share s = {.data = data, .bytes = SHARE};
        if (!list.items[i].is_supported()) continue;
        fill(data);
        ck_assert_int_ne(memcmp(data, data + SHARE / 2, SHARE / 2), 0);
        list.items[i].run(&s, 1);
        ck_assert_msg(memcmp(data, data + SHARE / 2, SHARE / 2) == 0, "%s did not copy", list.items[i].name);
    }
    free(data);
}
END_TEST

/* The unit counts its own multiply-adds: twice as many operations are declared. */
static void check_rates(struct probe_list list) {
    for (int i = 0; i < list.n; i++) {
        const struct probe *p = &list.items[i];
        struct share s = {0};
        if (!p->is_supported()) continue;
        p->run(&s, REPEATS);
        ck_assert_msg((double)s.sink * 2 == p->work * REPEATS, "%s: %g operations declared, %g done", p->name,
                      p->work * REPEATS, (double)s.sink * 2);
    }
}

START_TEST(rates_do_what_they_declare) {
    check_rates(probes_rate());
    check_rates(probes_tile());
    ck_assert(probes_rate().items[0].is_supported());
}
END_TEST

static void add(struct ceiling_list *l, const char *kind, const char *unit, int threads, double size, double value) {
    struct ceiling_record r = {
        .kind = kind, .unit = unit, .threads = threads, .working_set_bytes = size, .value = value};
    ceiling_list_add(l, &r);
}

START_TEST(lookups_between_points) {
    struct ceiling_list l = {0};
    add(&l, "read", "", 1, 1 << 14, 100);
    add(&l, "read", "", 1, 1 << 16, 60);
    add(&l, "read", "", 3, 1 << 14, 300);
    add(&l, "read", "", 3, 1 << 16, 100);
    add(&l, "copy", "", 1, 1 << 14, 7);
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 1 << 14), 100);
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 1 << 15), 80); /* half way in log2 */
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 1), 100);      /* constant beyond the ends */
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 1e12), 60);
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 0), 100);
    ck_assert_double_eq(ceiling_read_at(&l, "", 2, 1 << 14), 200); /* half way in threads */
    ck_assert_double_eq(ceiling_read_at(&l, "", 2, 1 << 15), 140);
    ck_assert_double_eq(ceiling_read_at(&l, "", 8, 1 << 16), 100);
    ck_assert_double_eq(ceiling_copy_at(&l, "", 4, 1 << 20), 7);
    ck_assert_double_eq(ceiling_read_at(NULL, "", 1, 1), 0);
    ceiling_list_free(&l);
    ck_assert_double_eq(ceiling_read_at(&l, "", 1, 1), 0);
}
END_TEST

START_TEST(a_type_has_the_rate_of_its_fastest_unit) {
    struct ceiling_list l = {0};
    add(&l, "matrix", "f32", 1, 0, 10);
    ck_assert_double_eq(ceiling_matrix(&l, "bf16", 1), 10);
    add(&l, "matrix", "bf16", 1, 0, 5);
    ck_assert_double_eq(ceiling_matrix(&l, "bf16", 1), 10);
    add(&l, "matrix", "amx-bf16", 1, 0, 80);
    ck_assert_double_eq(ceiling_matrix(&l, "bf16", 1), 80);
    ck_assert_double_eq(ceiling_matrix(&l, "amx-bf16", 1), 80);
    ck_assert_double_eq(ceiling_matrix(&l, "f32", 1), 10);
    ck_assert_double_eq(ceiling_matrix(&l, "int8", 1), 0);
    ck_assert_double_eq(ceiling_matrix(&l, NULL, 1), 0);
    ceiling_list_free(&l);
}
END_TEST

struct watch {
    double share;
    int calls, stop_after;
};

static int watch_progress(void *arg, double share, const char *what) {
    struct watch *w = arg;
    ck_assert_ptr_nonnull(what);
    ck_assert(share >= w->share && share <= 1);
    w->share = share;
    return ++w->calls == w->stop_after;
}

START_TEST(a_short_measurement) {
    struct ceiling_list l;
    struct error e = {0};
    struct watch w = {0};
    struct ceilings_options o = {
        .threads = 2, .is_quick = 1, .seconds = 1, .progress = watch_progress, .progress_arg = &w};
    ck_assert_msg(ceilings_measure(&o, &l, &e) == STATUS_OK, "%s", e.text);
    ck_assert_double_eq(w.share, 1);
    for (int i = 0; i < l.n; i++) {
        const struct ceiling_record *r = &l.items[i];
        ck_assert(r->low > 0 && r->low <= r->value && r->value <= r->high);
        ck_assert(r->threads == 1 || r->threads == 2);
    }
    for (int threads = 1; threads <= 2; threads++) {
        ck_assert_double_gt(ceiling_read_at(&l, "", threads, 1 << 16), 1e8);
        ck_assert_double_gt(ceiling_copy_at(&l, "", threads, 1 << 26), 1e8);
        ck_assert_double_gt(ceiling_matrix(&l, "f32", threads), 1e8);
        ck_assert_double_ge(ceiling_matrix(&l, "bf16", threads), ceiling_matrix(&l, "f32", threads));
    }
    ceiling_list_free(&l);
}
END_TEST

START_TEST(stops_when_asked_and_refuses_nonsense) {
    struct ceiling_list l;
    struct error e = {0};
    struct watch w = {.stop_after = 3};
    struct ceilings_options o = {
        .threads = 1, .is_quick = 1, .seconds = 0.5, .progress = watch_progress, .progress_arg = &w};
    ck_assert_int_eq(ceilings_measure(&o, &l, &e), STATUS_INTERRUPTED);
    ck_assert_int_eq(w.calls, 3);
    ck_assert_int_gt(l.n, 0); /* what was measured is kept */
    ceiling_list_free(&l);
    e = (struct error){0};
    o.threads = 65;
    ck_assert_int_eq(ceilings_measure(&o, &l, &e), STATUS_INPUT);
    ceiling_list_free(&l);
}
END_TEST

TEST_MAIN("ceilings", reads_touch_every_word, copies_copy, rates_do_what_they_declare, lookups_between_points,
          a_type_has_the_rate_of_its_fastest_unit, a_short_measurement, stops_when_asked_and_refuses_nonsense)
