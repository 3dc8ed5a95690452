/* The account of a device's time, by hand and against counting nanosecond by nanosecond. */
#include "check_main.h"
#include "harness/attribution/account.h"
#include "kernels/base/random.h"

#include <string.h>

static struct arena arena;

static struct account close_all(struct account_work *work, size_t n, struct account_wait *waits, size_t n_waits, int n_owners) {
    struct account out;
    account_close(work, n, waits, n_waits, n_owners, &arena, &out);
    return out;
}

static void check_pieces(const int64_t *have, int64_t sync, int64_t host, int64_t call, int64_t queued, int64_t unknown) {
    const int64_t want[PIECE_COUNT] = {sync, host, call, queued, unknown};
    for (int i = 0; i < PIECE_COUNT; i++) ck_assert_int_eq(have[i], want[i]);
}

START_TEST(nothing_is_nothing) {
    struct account a = close_all(NULL, 0, NULL, 0, 1);
    ck_assert_int_eq(a.busy_ns + a.sum_ns + a.last_ns - a.first_ns, 0);
    ck_assert_uint_eq(a.n_gaps, 0);
    arena_free(&arena);
}
END_TEST

/* 0..10 works; then: the thread waits 12..20, is late until 30, calls 30..34, and the device starts at 37. */
START_TEST(a_gap_has_four_pieces) {
    struct account_work work[] = {{.start_ns = 0, .end_ns = 10},
                                  {.start_ns = 37, .end_ns = 40, .has_call = 1, .thread = 2, .call_start_ns = 30, .call_end_ns = 34}};
    struct account_wait waits[] = {{12, 20, 2}, {5, 9, 2}, {0, 50, 1}};
    struct account a = close_all(work, 2, waits, 3, 1);
    ck_assert_uint_eq(a.n_gaps, 1);
    ck_assert_int_eq(a.gaps[0].start_ns, 10);
    ck_assert_int_eq(a.gaps[0].end_ns, 37);
    ck_assert_int_eq(a.gaps[0].ended_by, 1);
    check_pieces(a.gaps[0].piece_ns, 8, 12, 4, 3, 0);
    check_pieces(a.piece_ns, 8, 12, 4, 3, 0);
    ck_assert_int_eq(a.busy_ns, 13);
    arena_free(&arena);
}
END_TEST

/* A call that began before the gap, one that has not returned when the device starts, one that comes after it. */
START_TEST(calls_may_lie_anywhere) {
    struct account_work work[] = {{.start_ns = 0, .end_ns = 10},
                                  {.start_ns = 20, .end_ns = 30, .has_call = 1, .call_start_ns = 5, .call_end_ns = 15},
                                  {.start_ns = 40, .end_ns = 50, .has_call = 1, .call_start_ns = 33, .call_end_ns = 90},
                                  {.start_ns = 60, .end_ns = 70, .has_call = 1, .call_start_ns = 1, .call_end_ns = 2},
                                  {.start_ns = 80, .end_ns = 90, .has_call = 1, .call_start_ns = 85, .call_end_ns = 86}};
    struct account a = close_all(work, 5, NULL, 0, 1);
    check_pieces(a.gaps[0].piece_ns, 0, 0, 5, 5, 0);
    check_pieces(a.gaps[1].piece_ns, 0, 3, 7, 0, 0);
    check_pieces(a.gaps[2].piece_ns, 0, 0, 0, 10, 0);
    check_pieces(a.gaps[3].piece_ns, 0, 10, 0, 0, 0); /* a device that starts before its call: the host was late */
    arena_free(&arena);
}
END_TEST

START_TEST(without_a_call_nothing_is_known) {
    struct account_work work[] = {{.start_ns = 0, .end_ns = 10}, {.start_ns = 15, .end_ns = 20}};
    struct account a = close_all(work, 2, NULL, 0, 1);
    check_pieces(a.piece_ns, 0, 0, 0, 0, 5);
    arena_free(&arena);
}
END_TEST

/* In one stream too. A long one, one inside it, one that goes on after it: each instant is the earlier starter's. */
START_TEST(the_first_to_start_has_the_time) {
    struct account_work work[] = {
        {.start_ns = 5, .end_ns = 8, .owner = 1}, {.start_ns = 7, .end_ns = 15, .owner = 2}, {.start_ns = 0, .end_ns = 10, .owner = 0}};
    struct account a = close_all(work, 3, NULL, 0, 3);
    ck_assert_int_eq(a.owner_ns[0], 10);
    ck_assert_int_eq(a.owner_ns[1], 0);
    ck_assert_int_eq(a.owner_ns[2], 5);
    ck_assert_int_eq(a.busy_ns, 15);
    ck_assert_int_eq(a.sum_ns, 21);
    ck_assert_int_eq(a.overlap_ns, 5); /* 5..10: two or three at once count once */
    arena_free(&arena);
}
END_TEST

/* Of several that start together: the least end, then stream, then correlation. */
START_TEST(equal_starts_have_an_order) {
    struct account_work work[] = {{.start_ns = 0, .end_ns = 9, .owner = 0}, {.start_ns = 0, .end_ns = 4, .stream = 2, .owner = 1},
                                  {.start_ns = 0, .end_ns = 4, .stream = 1, .correlation = 8, .owner = 2}, {.start_ns = 0, .end_ns = 4, .stream = 1, .correlation = 7, .owner = 3}};
    struct account a = close_all(work, 4, NULL, 0, 4);
    ck_assert_int_eq(a.owner_ns[3], 4);
    ck_assert_int_eq(a.owner_ns[0], 5);
    ck_assert_int_eq(a.owner_ns[1] + a.owner_ns[2], 0);
    arena_free(&arena);
}
END_TEST

START_TEST(operations_of_no_length_take_no_time) {
    struct account_work middle[] = {{.start_ns = 0, .end_ns = 10},
                                    {.start_ns = 14, .end_ns = 14, .has_call = 1, .call_start_ns = 1, .call_end_ns = 2},
                                    {.start_ns = 20, .end_ns = 25}};
    struct account a = close_all(middle, 3, NULL, 0, 1);
    ck_assert_uint_eq(a.n_gaps, 1);
    ck_assert_int_eq(a.gaps[0].ended_by, 2);
    check_pieces(a.piece_ns, 0, 0, 0, 0, 10);
    struct account_work ends[] = {{.start_ns = 2, .end_ns = 2},
                                  {.start_ns = 10, .end_ns = 12},
                                  {.start_ns = 20, .end_ns = 20, .has_call = 1, .call_start_ns = 15, .call_end_ns = 16}};
    a = close_all(ends, 3, NULL, 0, 1);
    ck_assert_int_eq(a.first_ns, 2);
    ck_assert_int_eq(a.last_ns, 20);
    ck_assert_uint_eq(a.n_gaps, 2);
    check_pieces(a.gaps[0].piece_ns, 0, 0, 0, 0, 8);
    check_pieces(a.gaps[1].piece_ns, 0, 3, 1, 4, 0); /* nothing follows: the last one ends the gap */
    arena_free(&arena);
}
END_TEST

/* A blocking copy that waits in a synchronisation of its own is one wait. */
START_TEST(waits_inside_waits_count_once) {
    struct account_work work[] = {{.start_ns = 0, .end_ns = 10},
                                  {.start_ns = 50, .end_ns = 60, .has_call = 1, .thread = 1, .call_start_ns = 50, .call_end_ns = 51}};
    struct account_wait waits[] = {{20, 40, 1}, {25, 30, 1}, {35, 45, 1}, {12, 14, 1}, {41, 43, 0}};
    struct account a = close_all(work, 2, waits, 5, 1);
    check_pieces(a.piece_ns, 27, 13, 0, 0, 0);
    arena_free(&arena);
}
END_TEST

/* ---- counting every nanosecond ---- */

enum { LENGTH = 400, MOST_WORK = 24, MOST_WAITS = 12, THREADS = 3, OWNERS = 4 };

static int64_t draw(uint64_t *seed, int64_t below) { return (int64_t)(random_next(seed) % (uint64_t)below); }

static void draw_work(uint64_t *seed, struct account_work *w) {
    *w = (struct account_work){.start_ns = draw(seed, LENGTH),
                               .has_call = draw(seed, 5) > 0,
                               .thread = (int32_t)draw(seed, THREADS),
                               .stream = (int32_t)draw(seed, 2),
                               .correlation = draw(seed, 9),
                               .owner = (int32_t)draw(seed, OWNERS)};
    w->end_ns = w->start_ns + (draw(seed, 6) ? draw(seed, 30) : 0);
    w->call_start_ns = w->start_ns - 20 + draw(seed, 30);
    w->call_end_ns = w->call_start_ns + draw(seed, 15);
}

static int is_before(const struct account_work *a, const struct account_work *b) {
    if (a->start_ns != b->start_ns) return a->start_ns < b->start_ns;
    if (a->end_ns != b->end_ns) return a->end_ns < b->end_ns;
    return a->stream != b->stream ? a->stream < b->stream : a->correlation < b->correlation;
}

static int is_waiting(const struct account_wait *waits, size_t n, int32_t thread, int64_t now) {
    for (size_t i = 0; i < n; i++)
        if (waits[i].thread == thread && waits[i].start_ns <= now && now < waits[i].end_ns) return 1;
    return 0;
}

/* Who has the instant, and how many run. */
static const struct account_work *who_has(const struct account_work *work, size_t n, int64_t now, int *running) {
    const struct account_work *first = NULL;
    *running = 0;
    for (size_t i = 0; i < n; i++) {
        if (work[i].start_ns > now || now >= work[i].end_ns) continue;
        ++*running;
        if (!first || is_before(&work[i], first)) first = &work[i];
    }
    return first;
}

/* The operation that ends the idle instant: the next with a length, else the last of all. */
static const struct account_work *who_ends(const struct account_work *work, size_t n, int64_t now) {
    const struct account_work *next = NULL, *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (work[i].end_ns > work[i].start_ns && work[i].start_ns > now && (!next || is_before(&work[i], next))) next = &work[i];
        if (!last || !is_before(&work[i], last)) last = &work[i]; /* of equals the later row */
    }
    return next ? next : last;
}

static enum account_piece piece_of(const struct account_work *w, const struct account_wait *waits, size_t n_waits, int64_t now) {
    if (!w->has_call) return PIECE_UNKNOWN;
    if (now < w->call_start_ns) return is_waiting(waits, n_waits, w->thread, now) ? PIECE_SYNC : PIECE_HOST;
    return now < w->call_end_ns ? PIECE_CALL : PIECE_QUEUED;
}

static void count_all(const struct account_work *work, size_t n, const struct account_wait *waits, size_t n_waits, struct account *out) {
    for (int64_t now = out->first_ns; now < out->last_ns; now++) {
        int running;
        const struct account_work *w = who_has(work, n, now, &running);
        if (w) out->owner_ns[w->owner]++;
        else out->piece_ns[piece_of(who_ends(work, n, now), waits, n_waits, now)]++;
        out->busy_ns += running > 0;
        out->overlap_ns += running > 1;
    }
}

START_TEST(counting_every_instant_agrees) {
    for (uint64_t trial = 0; trial < 3000; trial++) {
        uint64_t seed = random_mix(trial);
        size_t n = 1 + (size_t)draw(&seed, MOST_WORK), n_waits = (size_t)draw(&seed, MOST_WAITS);
        struct account_work work[MOST_WORK];
        struct account_wait waits[MOST_WAITS], as_drawn[MOST_WAITS];
        int64_t owner_ns[OWNERS] = {0};
        for (size_t i = 0; i < n; i++) draw_work(&seed, &work[i]);
        for (size_t i = 0; i < n_waits; i++) {
            int64_t start = draw(&seed, LENGTH);
            as_drawn[i] = waits[i] = (struct account_wait){start, start + draw(&seed, 40), (int32_t)draw(&seed, THREADS)};
        }
        struct account a = close_all(work, n, waits, n_waits, OWNERS), want = {.first_ns = a.first_ns, .last_ns = a.last_ns, .owner_ns = owner_ns};
        count_all(work, n, as_drawn, n_waits, &want);
        REQUIRE(a.busy_ns == want.busy_ns && a.overlap_ns == want.overlap_ns, "trial %llu", (unsigned long long)trial);
        REQUIRE(memcmp(a.piece_ns, want.piece_ns, sizeof a.piece_ns) == 0, "pieces of trial %llu", (unsigned long long)trial);
        REQUIRE(memcmp(a.owner_ns, owner_ns, sizeof owner_ns) == 0, "owners of trial %llu", (unsigned long long)trial);
        arena_free(&arena);
    }
}
END_TEST

TEST_MAIN("account", nothing_is_nothing, a_gap_has_four_pieces, calls_may_lie_anywhere, without_a_call_nothing_is_known,
          the_first_to_start_has_the_time, equal_starts_have_an_order, operations_of_no_length_take_no_time, waits_inside_waits_count_once,
          counting_every_instant_agrees)
