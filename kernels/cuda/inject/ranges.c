#include "kernels/cuda/inject/ranges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/cuda/nvtx.h"

enum { NAME_BYTES = 1024, PAIRS = 1 << 16, NO_PART = 0 };

struct range_thread {
    struct ranges *ranges;
    struct open_range open[RANGES_NESTED]; /* of all domains, the innermost last */
    int depth, n_known;            /* n_known: of these, how many the recorder was told of */
    int64_t n_deeper;              /* pushed beyond what is kept */
};

static _Thread_local struct range_thread *mine;

/* ---- time ---- */

/* CUPTI's clock on Linux is the system's: before there is a recorder it is asked directly. */
static int64_t system_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(struct ranges *s) {
    struct recorder *r = atomic_load_explicit(&s->recorder, memory_order_acquire);
    return r ? (int64_t)recorder_now(r) : system_now_ns();
}

/* ---- rows, under the lock ---- */

static const char *text_of(const struct ranges *s, const void *handle) {
    uintptr_t i = (uintptr_t)handle;
    return i >= 1 && i <= s->texts.n_names ? s->texts.names[i - 1] : "(unnamed)";
}

/* -1: there is no room. */
static int32_t intern(struct activity *a, size_t *bytes, const char *text, size_t n) {
    size_t before = a->n_names;
    if (before >= RANGES_FULL || *bytes >= RANGES_TEXT_BYTES) return -1;
    int32_t name = activity_name(a, text, n);
    if (a->n_names > before) *bytes += n;
    return name;
}

static int32_t name_of(struct ranges *s, const struct range_name *n) {
    const char *text = n->text ? n->text : text_of(s, n->registered);
    char whole[NAME_BYTES];
    if (!n->domain) return intern(&s->rows, &s->row_bytes, text, strnlen(text, NAME_BYTES));
    int length = snprintf(whole, sizeof whole, "%.500s/%.500s", text_of(s, n->domain), text);
    return intern(&s->rows, &s->row_bytes, whole, (size_t)length);
}

/* A row that begins now, or NO_RANGE. */
static uint64_t add_row(struct ranges *s, const struct range_name *name, int32_t thread, int64_t start_ns) {
    int32_t n = s->rows.n_ranges < RANGES_FULL ? name_of(s, name) : -1;
    if (n < 0) return s->n_lost++, NO_RANGE;
    struct activity_range *row = activity_add_range(&s->rows);
    row->start_ns = start_ns;
    row->end_ns = ACTIVITY_OPEN_NS;
    row->thread = thread;
    row->name = n;
    if (s->rows.n_ranges == RANGES_MANY) pthread_cond_signal(&s->many);
    return s->first + s->rows.n_ranges - 1;
}

/* A clock that is set back leaves a range without length. */
static void end_row(struct ranges *s, const struct open_range *o, int64_t end_ns) {
    if (o->range == NO_RANGE) return;
    if (end_ns < o->start_ns) end_ns = o->start_ns;
    if (o->range >= s->first) {
        s->rows.ranges[o->range - s->first].end_ns = end_ns;
        return;
    }
    LIST_GROW(s->ends, s->n_ends, s->end_capacity);
    s->ends[s->n_ends++] = (struct activity_end){o->range, end_ns};
}

/* ---- what is done under the lock, and left where memory is refused ---- */

struct doing {
    struct ranges *s;
    const struct range_name *name;
    struct open_range *open;
    int64_t end_ns;
    int32_t thread;
    uint64_t id;                   /* of a range of start and end */
    const char *text;              /* to be registered, and its handle */
    void *handle;
};

static int do_locked(struct ranges *s, void (*work)(void *), struct doing *d) {
    if (atomic_load_explicit(&s->is_over, memory_order_relaxed)) return 0;
    pthread_mutex_lock(&s->lock);
    int is_done = mem_attempt(work, d);
    if (!is_done) atomic_store(&s->is_over, 1);
    pthread_mutex_unlock(&s->lock);
    return is_done;
}

static void do_begin(void *arg) {
    struct doing *d = arg;
    d->open->range = add_row(d->s, d->name, d->thread, d->open->start_ns);
}

static void do_end(void *arg) {
    struct doing *d = arg;
    end_row(d->s, d->open, d->end_ns);
}

/* ---- threads ---- */

static void end_thread(void *arg) {
    struct range_thread *t = arg;
    mine = NULL;
    for (int i = t->depth - 1; i >= 0; i--) do_locked(t->ranges, do_end, &(struct doing){.s = t->ranges, .open = &t->open[i], .end_ns = now_ns(t->ranges)});
    free(t);
}

/* NULL: there is no memory for one. */
static struct range_thread *this_thread(struct ranges *s) {
    if (mine) return mine;
    mine = calloc(1, sizeof *mine);
    if (!mine) return NULL;
    mine->ranges = s;
    pthread_setspecific(s->threads, mine);
    return mine;
}

/* Threads have the number that CUPTI gives them by default. */
static int32_t thread_number(void) { return (int32_t)(uintptr_t)pthread_self(); }

/* Tells the recorder of what is open and it does not know yet. */
static void tell(struct ranges *s, struct range_thread *t) {
    struct recorder *r = atomic_load_explicit(&s->recorder, memory_order_acquire);
    for (; r && t->n_known < t->depth; t->n_known++)
        if (t->open[t->n_known].range != NO_RANGE) recorder_push(r, recorder_owner(t->open[t->n_known].range + 1, NO_PART));
}

/* The recorder knows of `depth` at most. */
static void take_back(struct ranges *s, struct range_thread *t, int depth) {
    struct recorder *r = atomic_load_explicit(&s->recorder, memory_order_acquire);
    for (; t->n_known > depth; t->n_known--)
        if (t->open[t->n_known - 1].range != NO_RANGE) recorder_pop(r);
}

static int count_of(const struct range_thread *t, const void *domain) {
    int n = 0;
    for (int i = 0; i < t->depth; i++) n += t->open[i].domain == domain;
    return n;
}

/* ---- push and pop ---- */

static int push_deeper(struct ranges *s, struct range_thread *t) {
    pthread_mutex_lock(&s->lock);
    s->n_lost++;
    pthread_mutex_unlock(&s->lock);
    return RANGES_NESTED + (int)t->n_deeper++;
}

int ranges_push(struct ranges *s, const struct range_name *name) {
    struct range_thread *t = this_thread(s);
    if (!t) return NVTX_NOT_COUNTED;
    if (t->depth == RANGES_NESTED) return push_deeper(s, t);
    struct open_range *o = &t->open[t->depth];
    *o = (struct open_range){NO_RANGE, name->domain, now_ns(s)};
    do_locked(s, do_begin, &(struct doing){.s = s, .name = name, .open = o, .thread = thread_number()});
    t->depth++;
    tell(s, t);
    return count_of(t, name->domain) - 1;
}

int ranges_pop(struct ranges *s, const void *domain) {
    struct range_thread *t = this_thread(s);
    if (!t) return NVTX_NOT_COUNTED;
    if (t->n_deeper > 0) return RANGES_NESTED + (int)--t->n_deeper;
    int at = t->depth - 1;
    while (at >= 0 && t->open[at].domain != domain) at--;
    if (at < 0) return NVTX_NOTHING_PUSHED;
    take_back(s, t, at);
    do_locked(s, do_end, &(struct doing){.s = s, .open = &t->open[at], .end_ns = now_ns(s)});
    t->depth--;
    memmove(&t->open[at], &t->open[at + 1], (size_t)(t->depth - at) * sizeof *t->open);
    tell(s, t);
    return count_of(t, domain);
}

/* ---- start and end ---- */

static void do_start(void *arg) {
    struct doing *d = arg;
    struct ranges *s = d->s;
    if (s->n_pairs == PAIRS) {
        s->n_lost++;
        return;
    }
    LIST_GROW(s->pairs, s->n_pairs, s->pair_capacity);
    d->open->range = add_row(s, d->name, 0, d->open->start_ns);
    if (d->open->range != NO_RANGE) s->pairs[s->n_pairs++] = *d->open;
}

uint64_t ranges_start(struct ranges *s, const struct range_name *name) {
    struct open_range o = {NO_RANGE, name->domain, now_ns(s)};
    do_locked(s, do_start, &(struct doing){.s = s, .name = name, .open = &o});
    return o.range + 1; /* NO_RANGE + 1 is 0 */
}

static void do_end_pair(void *arg) {
    struct doing *d = arg;
    struct ranges *s = d->s;
    size_t at = s->n_pairs;
    while (at > 0 && s->pairs[at - 1].range + 1 != d->id) at--;
    if (at == 0) return;
    end_row(s, &s->pairs[at - 1], d->end_ns);
    s->n_pairs--;
    memmove(&s->pairs[at - 1], &s->pairs[at], (s->n_pairs - (at - 1)) * sizeof *s->pairs);
}

void ranges_end(struct ranges *s, uint64_t id) { do_locked(s, do_end_pair, &(struct doing){.s = s, .id = id, .end_ns = now_ns(s)}); }

static void do_register(void *arg) {
    struct doing *d = arg;
    d->handle = (void *)(uintptr_t)(intern(&d->s->texts, &d->s->text_bytes, d->text, strnlen(d->text, NAME_BYTES)) + 1);
}

void *ranges_register(struct ranges *s, const char *text) {
    struct doing d = {.s = s, .text = text};
    do_locked(s, do_register, &d);
    return d.handle;
}

/* ---- recording ---- */

void ranges_open(struct ranges *s) {
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->many, NULL);
    pthread_key_create(&s->threads, end_thread);
}

/* 0 where the recorder's clock is the system's. */
static int64_t clock_difference_ns(const struct recorder *r) {
    int64_t before = system_now_ns(), theirs = (int64_t)recorder_now(r), after = system_now_ns();
    return theirs >= before && theirs <= after ? 0 : theirs - before;
}

void ranges_attach(struct ranges *s, struct recorder *r) {
    struct range_thread *t = this_thread(s);
    int64_t difference_ns = clock_difference_ns(r);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->rows.n_ranges; i++) {
        struct activity_range *row = &s->rows.ranges[i];
        row->start_ns += difference_ns;
        if (row->end_ns != ACTIVITY_OPEN_NS) row->end_ns += difference_ns;
    }
    for (size_t i = 0; i < s->n_pairs; i++) s->pairs[i].start_ns += difference_ns;
    for (int i = 0; t && i < t->depth; i++) t->open[i].start_ns += difference_ns;
    atomic_store_explicit(&s->recorder, r, memory_order_release);
    pthread_mutex_unlock(&s->lock);
    if (t) tell(s, t);
}

void ranges_take(struct ranges *s, struct activity *rows, struct activity_end **ends, size_t *n_ends) {
    pthread_mutex_lock(&s->lock);
    *rows = s->rows;
    *ends = s->ends;
    *n_ends = s->n_ends;
    s->first += s->rows.n_ranges;
    s->rows = (struct activity){0};
    s->ends = NULL;
    s->n_ends = s->end_capacity = s->row_bytes = 0;
    if (s->n_lost > 0)
        snprintf(rows->integrity.reason, sizeof rows->integrity.reason,
                 "%lld ranges or more found no room (at most %d between two writes, %d deep): their work stands under the range around", (long long)s->n_lost,
                 RANGES_FULL, RANGES_NESTED);
    pthread_mutex_unlock(&s->lock);
}

void ranges_wait(struct ranges *s, int seconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&s->lock);
    if (s->rows.n_ranges < RANGES_MANY) pthread_cond_clockwait(&s->many, &s->lock, CLOCK_MONOTONIC, &until);
    pthread_mutex_unlock(&s->lock);
}

/* ---- forks ---- */

void ranges_before_fork(struct ranges *s) { pthread_mutex_lock(&s->lock); }

/* Handles stay valid in the child; of its threads there is one. */
static void forget_parent(struct ranges *s) {
    activity_free(&s->rows);
    mem_free(s->ends);
    s->ends = NULL;
    s->n_ends = s->end_capacity = s->row_bytes = s->n_pairs = 0;
    s->first = 0;
    s->n_lost = 0;
    atomic_store(&s->recorder, NULL);
    atomic_store(&s->is_over, 0);
    pthread_cond_init(&s->many, NULL); /* who waited is not here */
    for (int i = 0; mine && i < mine->depth; i++) mine->open[i].range = NO_RANGE;
    if (mine) mine->n_known = 0;
}

void ranges_after_fork(struct ranges *s, int is_child) {
    if (is_child) forget_parent(s);
    pthread_mutex_unlock(&s->lock);
}
