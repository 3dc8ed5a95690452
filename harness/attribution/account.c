#include "harness/attribution/account.h"

#include <string.h>

#include "kernels/base/sort.h"

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- waits ---- */

static int compare_waits(const void *pa, const void *pb, const void *context) {
    const struct account_wait *a = pa, *b = pb;
    (void)context;
    int by_thread = SORT_BY(a->thread, b->thread);
    return by_thread ? by_thread : SORT_BY(a->start_ns, b->start_ns);
}

void account_waits_settle(struct account_wait *waits, size_t n) {
    sort_stable(waits, n, sizeof *waits, compare_waits, NULL);
    for (size_t i = 1; i < n; i++) {
        struct account_wait *w = &waits[i];
        if (w->thread != w[-1].thread) continue;
        w->start_ns = most(w->start_ns, w[-1].end_ns);
        w->end_ns = most(w->end_ns, w->start_ns);
    }
}

/* The first wait of the thread that ends after `now`, or where it would stand. */
static size_t find_wait(const struct account_waits *waits, int32_t thread, int64_t now_ns) {
    size_t low = 0, high = waits->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct account_wait *w = &waits->items[middle];
        if (w->thread < thread || (w->thread == thread && w->end_ns <= now_ns)) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* How much of [start, end) the thread spent in blocking calls. */
static int64_t waited_ns(const struct account_waits *waits, int32_t thread, int64_t start_ns, int64_t end_ns) {
    int64_t sum = 0;
    for (size_t i = find_wait(waits, thread, start_ns); i < waits->n; i++) {
        const struct account_wait *w = &waits->items[i];
        if (w->thread != thread || w->start_ns >= end_ns) break;
        sum += most(0, least(w->end_ns, end_ns) - most(w->start_ns, start_ns));
    }
    return sum;
}

/* ---- a gap ---- */

void account_cut(const struct account_waits *waits, const struct account_work *work, int64_t start_ns, int64_t end_ns,
                 int64_t piece_ns[PIECE_COUNT]) {
    memset(piece_ns, 0, PIECE_COUNT * sizeof *piece_ns);
    if (!work->has_call) {
        piece_ns[PIECE_UNKNOWN] = end_ns - start_ns;
        return;
    }
    int64_t called = least(most(work->call_start_ns, start_ns), end_ns);
    int64_t returned = least(most(work->call_end_ns, called), end_ns);
    piece_ns[PIECE_SYNC] = called > start_ns ? waited_ns(waits, work->thread, start_ns, called) : 0;
    piece_ns[PIECE_HOST] = called - start_ns - piece_ns[PIECE_SYNC];
    piece_ns[PIECE_CALL] = returned - called;
    piece_ns[PIECE_QUEUED] = end_ns - returned;
}

/* ---- the walk ---- */

void account_begin(struct account_walk *w, const struct account_sink *sink) { *w = (struct account_walk){.sink = sink}; }

void account_begin_at(struct account_walk *w, const struct account_sink *sink, int64_t from_ns) {
    *w = (struct account_walk){.sink = sink, .is_begun = 1, .given_ns = from_ns, .paired_ns = from_ns};
    w->first_ns = w->last_ns = from_ns;
}

static void give_gap(struct account_walk *w, const struct account_work *ended_by, int64_t until_ns) {
    if (until_ns > w->given_ns) w->sink->gap(w->sink->self, ended_by, w->given_ns, until_ns);
    w->given_ns = most(w->given_ns, until_ns);
}

/* Two ran from here to the lesser of the two ends; what was counted before is not counted again. */
static void count_overlap(struct account_walk *w, const struct account_work *work) {
    int64_t until = least(work->end_ns, w->given_ns);
    w->overlap_ns += most(0, until - most(work->start_ns, w->paired_ns));
    w->paired_ns = most(w->paired_ns, until);
}

void account_add(struct account_walk *w, const struct account_work *work) {
    if (!w->is_begun) account_begin_at(w, w->sink, work->start_ns);
    w->last_ns = most(w->last_ns, work->end_ns);
    w->latest = *work;
    if (work->end_ns == work->start_ns) return;
    w->sum_ns += work->end_ns - work->start_ns;
    give_gap(w, work, work->start_ns);
    count_overlap(w, work);
    if (work->end_ns <= w->given_ns) return;
    w->sink->busy(w->sink->self, work, w->given_ns, work->end_ns);
    w->busy_ns += work->end_ns - w->given_ns;
    w->given_ns = work->end_ns;
}

/* Where an operation of no length comes last. */
void account_end(struct account_walk *w) { give_gap(w, &w->latest, w->last_ns); }

void account_end_at(struct account_walk *w, int64_t until_ns) {
    struct account_work never = w->latest;
    account_end(w);
    never.call_start_ns = never.call_end_ns = INT64_MAX;
    give_gap(w, &never, until_ns);
}

/* ---- a list ---- */

static int compare_work(const void *pa, const void *pb, const void *context) {
    const struct account_work *a = pa, *b = pb;
    (void)context;
    int by_start = SORT_BY(a->start_ns, b->start_ns), by_end = SORT_BY(a->end_ns, b->end_ns);
    int by_stream = SORT_BY(a->stream, b->stream);
    return by_start ? by_start : by_end ? by_end : by_stream ? by_stream : SORT_BY(a->correlation, b->correlation);
}

void account_sort(struct account_work *work, size_t n) { sort_stable(work, n, sizeof *work, compare_work, NULL); }

struct closing {
    struct account_waits waits;
    struct account *out;
    size_t gap_capacity;
    int32_t row;                   /* of the work that is being added */
};

static void close_busy(void *self, const struct account_work *work, int64_t start_ns, int64_t end_ns) {
    struct closing *c = self;
    c->out->owner_ns[work->owner] += end_ns - start_ns;
}

static void close_gap(void *self, const struct account_work *ended_by, int64_t start_ns, int64_t end_ns) {
    struct closing *c = self;
    struct account *out = c->out;
    LIST_GROW(out->gaps, out->n_gaps, c->gap_capacity);
    struct account_gap *gap = &out->gaps[out->n_gaps++];
    *gap = (struct account_gap){.start_ns = start_ns, .end_ns = end_ns, .ended_by = c->row};
    account_cut(&c->waits, ended_by, start_ns, end_ns, gap->piece_ns);
    for (int i = 0; i < PIECE_COUNT; i++) out->piece_ns[i] += gap->piece_ns[i];
}

void account_close(struct account_work *work, size_t n_work, struct account_wait *waits, size_t n_waits, int n_owners,
                   struct arena *a, struct account *out) {
    struct account_walk w;
    struct closing c = {.waits = {waits, n_waits}, .out = out};
    const struct account_sink sink = {&c, close_busy, close_gap};
    *out = (struct account){.owner_ns = arena_alloc(a, (size_t)n_owners * sizeof *out->owner_ns)};
    account_sort(work, n_work);
    account_waits_settle(waits, n_waits);
    account_begin(&w, &sink);
    for (size_t i = 0; i < n_work; i++) {
        c.row = (int32_t)i;
        account_add(&w, &work[i]);
    }
    account_end(&w);
    out->first_ns = w.first_ns;
    out->last_ns = w.last_ns;
    out->busy_ns = w.busy_ns;
    out->sum_ns = w.sum_ns;
    out->overlap_ns = w.overlap_ns;
    struct account_gap *gaps = out->gaps;
    out->gaps = n_work ? (void *)arena_copy_bytes(a, gaps, out->n_gaps * sizeof *gaps) : NULL;
    mem_free(gaps);
}
