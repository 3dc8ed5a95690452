#include "harness/attribution/attribute.h"

#include <string.h>
#include <strings.h>

#include "harness/attribution/tally.h"
#include "kernels/base/sort.h"

/* ---- names ---- */

const char *device_category_name(int category) {
    static const char *const names[DEVICE_CATEGORIES] = {"compute",   "communication", "copy",        "idle:sync",
                                                         "idle:host", "idle:call",     "idle:queued", "idle:unknown"};
    return names[category];
}

enum device_category device_category_of(const struct activity *a, const struct activity_op *op) {
    const char *name = a->names[op->name];
    if (op->kind != ACTIVITY_KERNEL) return DEVICE_COPY;
    int is_communication = strncasecmp(name, "nccl", 4) == 0 || strncasecmp(name, "rccl", 4) == 0 || strcasestr(name, "ncclKernel") ||
                           strstr(name, "ncclDevKernel");
    return is_communication ? DEVICE_COMMUNICATION : DEVICE_COMPUTE;
}

/* ---- rows ---- */

struct account_waits activity_waits(const struct activity *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->n_calls; i++) n += a->calls[i].is_blocking;
    struct account_wait *items = mem_alloc(n * sizeof *items);
    n = 0;
    for (size_t i = 0; i < a->n_calls; i++) {
        const struct activity_call *c = &a->calls[i];
        if (c->is_blocking) items[n++] = (struct account_wait){c->start_ns, c->end_ns, c->thread};
    }
    account_waits_settle(items, n);
    return (struct account_waits){items, n};
}

struct account_work activity_work(const struct activity *a, const struct activity_op *op) {
    struct account_work w = {.start_ns = op->start_ns, .end_ns = op->end_ns, .correlation = op->correlation, .stream = op->stream};
    if (op->call < 0) return w;
    const struct activity_call *c = &a->calls[op->call];
    w.has_call = 1;
    w.thread = c->thread;
    w.call_start_ns = c->start_ns;
    w.call_end_ns = c->end_ns;
    return w;
}

/* ---- the walk over a device ---- */

struct attributing {
    const struct activity *a;
    const struct stages *stages;
    struct attributed *out;
    struct account_waits waits;
    char *category_of;             /* by name, of kernels */
    uint8_t *is_counted;           /* by call: it was counted as a launch */
    struct tally time, ops;        /* of the window that time, and that starts, have reached */
    size_t time_window, op_window;
    int32_t device;
    int32_t stage, category;       /* of the operation that is being added */
};

static void add_line(struct attributing *t, size_t window, const struct tally_item *i) {
    struct attributed *out = t->out;
    LIST_GROW(out->lines, out->n_lines, out->line_capacity);
    out->lines[out->n_lines++] = (struct attributed_line){.sample = (int32_t)window, .device = t->device, .stage = i->stage, .category = i->category,
        .ns = i->ns, .launches = i->launches, .bytes = i->bytes};
}

static void flush_time(struct attributing *t) {
    for (size_t i = 0; i < t->time.count; i++) add_line(t, t->time_window, &t->time.items[i]);
    tally_clear(&t->time);
    t->time_window++;
}

/* Operations also bring launches and bytes to their line, which may have no time of its own. */
static void flush_ops(struct attributing *t) {
    struct attributed *out = t->out;
    for (size_t i = 0; i < t->ops.count; i++) {
        const struct tally_item *x = &t->ops.items[i];
        struct tally_item line = {.stage = x->stage, .category = x->category, .launches = x->launches, .bytes = x->bytes};
        LIST_GROW(out->ops, out->n_ops, out->op_capacity);
        out->ops[out->n_ops++] = (struct attributed_op){(int32_t)t->op_window, t->device, x->stage, x->name, x->category, x->count, x->ns, x->bytes};
        add_line(t, t->op_window, &line);
    }
    tally_clear(&t->ops);
    t->op_window++;
}

/* The window that holds `now` or comes next; those that have ended are flushed. */
static const struct stage_window *window_at(struct attributing *t, size_t *at, void (*flush)(struct attributing *), int64_t now_ns) {
    while (*at < t->stages->n_windows && t->stages->windows[*at].end_ns <= now_ns) flush(t);
    return *at < t->stages->n_windows ? &t->stages->windows[*at] : NULL;
}

/* Calls `give` for the part of [start, end) in each window. */
static void part(struct attributing *t, const struct account_work *work, int64_t start_ns, int64_t end_ns,
                 void (*give)(struct attributing *, const struct account_work *, int64_t, int64_t)) {
    for (int64_t now = start_ns; now < end_ns;) {
        const struct stage_window *w = window_at(t, &t->time_window, flush_time, now);
        if (!w || w->start_ns >= end_ns) return;
        int64_t from = now > w->start_ns ? now : w->start_ns, until = end_ns < w->end_ns ? end_ns : w->end_ns;
        give(t, work, from, until);
        now = until;
    }
}

static void give_busy(struct attributing *t, const struct account_work *work, int64_t start_ns, int64_t end_ns) {
    (void)work;
    tally_at(&t->time, t->stage, -1, t->category)->ns += end_ns - start_ns;
}

static void give_gap(struct attributing *t, const struct account_work *work, int64_t start_ns, int64_t end_ns) {
    int64_t piece_ns[PIECE_COUNT];
    account_cut(&t->waits, work, start_ns, end_ns, piece_ns);
    for (int i = 0; i < PIECE_COUNT; i++)
        if (piece_ns[i]) tally_at(&t->time, t->stage, -1, DEVICE_BUSY_COUNT + i)->ns += piece_ns[i];
}

static void on_busy(void *self, const struct account_work *work, int64_t start_ns, int64_t end_ns) { part(self, work, start_ns, end_ns, give_busy); }
static void on_gap(void *self, const struct account_work *work, int64_t start_ns, int64_t end_ns) { part(self, work, start_ns, end_ns, give_gap); }

/* A call counts once, however many operations it launched: a graph's launch is one. */
static int counts_as_launch(struct attributing *t, const struct activity_op *op) {
    if (op->call < 0) return 1;
    uint8_t bit = (uint8_t)(1 << (op->call & 7)), *byte = &t->is_counted[op->call >> 3];
    if (*byte & bit) return 0;
    *byte |= bit;
    return 1;
}

static void count_op(struct attributing *t, const struct activity_op *op) {
    const struct stage_window *w = window_at(t, &t->op_window, flush_ops, op->start_ns);
    if (!w || op->start_ns < w->start_ns) return;
    struct attributed_sample *sample = &t->out->samples[t->op_window];
    sample->n_ops++;
    sample->n_without_call += op->call < 0;
    struct tally_item *x = tally_at(&t->ops, t->stage, op->name, t->category);
    x->count++;
    x->ns += op->end_ns - op->start_ns;
    x->bytes += op->bytes;
    x->launches += counts_as_launch(t, op);
}

/* Operations [first, last) are those of one device. */
static void attribute_device(struct attributing *t, size_t first, size_t last) {
    const struct account_sink sink = {t, on_busy, on_gap};
    const struct stages *s = t->stages;
    struct account_walk walk;
    t->device = t->a->ops[first].device;
    t->time_window = t->op_window = 0;
    account_begin_at(&walk, &sink, s->windows[0].start_ns);
    for (size_t i = first; i < last; i++) {
        const struct activity_op *op = &t->a->ops[i];
        struct account_work work = activity_work(t->a, op);
        t->stage = stages_of_op(s, t->a, op);
        t->category = op->kind == ACTIVITY_KERNEL ? t->category_of[op->name] : DEVICE_COPY;
        count_op(t, op);
        account_add(&walk, &work);
    }
    t->stage = -1;
    account_end_at(&walk, s->windows[s->n_windows - 1].end_ns);
    while (t->time_window < s->n_windows) flush_time(t);
    while (t->op_window < s->n_windows) flush_ops(t);
}

/* ---- lines in order ---- */

static int compare_lines(const void *pa, const void *pb, const void *context) {
    const struct attributed_line *a = pa, *b = pb;
    const int64_t *begin_of = context; /* by stage's name: when its first range began */
    int by_sample = SORT_BY(a->sample, b->sample), by_device = SORT_BY(a->device, b->device);
    if (by_sample || by_device) return by_sample ? by_sample : by_device;
    if (a->stage != b->stage) {
        int64_t x = a->stage < 0 ? INT64_MAX : begin_of[a->stage], y = b->stage < 0 ? INT64_MAX : begin_of[b->stage];
        return x != y ? SORT_BY(x, y) : SORT_BY(a->stage, b->stage);
    }
    return SORT_BY(a->category, b->category);
}

static int is_same_line(const struct attributed_line *a, const struct attributed_line *b) {
    return a->sample == b->sample && a->device == b->device && a->stage == b->stage && a->category == b->category;
}

static void merge_lines(struct attributed *out) {
    size_t n = 0;
    for (size_t i = 0; i < out->n_lines; i++) {
        const struct attributed_line *x = &out->lines[i];
        struct attributed_line *last = n ? &out->lines[n - 1] : NULL;
        if (!last || !is_same_line(last, x)) {
            out->lines[n++] = *x;
            continue;
        }
        last->ns += x->ns;
        last->launches += x->launches;
        last->bytes += x->bytes;
    }
    out->n_lines = n;
}

static int compare_samples(const void *pa, const void *pb, const void *context) {
    const struct attributed_op *a = pa, *b = pb;
    (void)context;
    return SORT_BY(a->sample, b->sample);
}

static void order_lines(const struct activity *a, const struct stages *s, struct attributed *out) {
    int64_t *begin_of = mem_alloc(a->n_names * sizeof *begin_of);
    for (size_t i = 0; i < a->n_names; i++) begin_of[i] = INT64_MAX;
    for (size_t i = 0; i < a->n_ranges; i++) {
        int64_t *begin = &begin_of[s->name_of[a->ranges[i].name]];
        if (a->ranges[i].start_ns < *begin) *begin = a->ranges[i].start_ns;
    }
    sort_stable(out->lines, out->n_lines, sizeof *out->lines, compare_lines, begin_of);
    merge_lines(out);
    sort_stable(out->ops, out->n_ops, sizeof *out->ops, compare_samples, NULL);
    mem_free(begin_of);
}

/* ---- everything ---- */

/* A kernel's category follows from its name; asked once a name. */
static char *categories_of_names(const struct activity *a) {
    char *out = mem_alloc(a->n_names);
    for (size_t i = 0; i < a->n_names; i++) {
        struct activity_op op = {.kind = ACTIVITY_KERNEL, .name = (int32_t)i};
        out[i] = (char)device_category_of(a, &op);
    }
    return out;
}

void attribute(const struct activity *a, const struct stages *s, struct attributed *out) {
    *out = (struct attributed){.samples = mem_alloc(s->n_windows * sizeof *out->samples), .n_samples = s->n_windows};
    struct attributing t = {.a = a, .stages = s, .out = out, .waits = activity_waits(a), .category_of = categories_of_names(a),
                            .is_counted = mem_alloc(a->n_calls / 8 + 1)};
    for (size_t i = 0; i < s->n_windows; i++)
        out->samples[i] = (struct attributed_sample){.start_ns = s->windows[i].start_ns, .end_ns = s->windows[i].end_ns};
    for (size_t first = 0, last; first < a->n_ops; first = last) {
        for (last = first; last < a->n_ops && a->ops[last].device == a->ops[first].device;) last++;
        attribute_device(&t, first, last);
    }
    order_lines(a, s, out);
    tally_free(&t.time);
    tally_free(&t.ops);
    mem_free((void *)(uintptr_t)t.waits.items);
    mem_free(t.category_of);
    mem_free(t.is_counted);
}

void attributed_free(struct attributed *x) {
    mem_free(x->samples);
    mem_free(x->lines);
    mem_free(x->ops);
    *x = (struct attributed){0};
}
