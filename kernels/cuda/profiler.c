#include "kernels/cuda/profiler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/sort.h"
#include "kernels/cuda/recorder.h"

enum { NO_OP = 1, FIRST_OP = 2 }; /* parts of an owner: a launch's copies, its operations */

/* A captured launch as it was seen by operations: spans [first, first + n) of the list, from the launch's first start
 * on, which took `length`. */
struct seen_launch {
    size_t first, n;
    uint64_t length;
};

struct profiler {
    struct recorder *recorder;
    struct clock *clock;
    int64_t offset_ns;             /* CUPTI's clock − the tracer's, as the region began */
    int is_launched;               /* a launch's id is pushed */
    enum trace_detail detail;
    struct span *seen;             /* of captured launches, when operations were traced last, in order of launches */
    size_t n_seen, seen_capacity;
    struct seen_launch *launches;  /* by note */
    size_t n_launches, launch_capacity;
};

/* The difference of the two clocks, from the closest of a few readings. */
static int64_t clock_offset(const struct profiler *p) {
    int64_t best = 0;
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = clock_now_ns(p->clock), theirs = recorder_now(p->recorder), after = clock_now_ns(p->clock);
        if (after - before >= least) continue;
        least = after - before;
        best = (int64_t)theirs - (int64_t)(before + least / 2);
    }
    return best;
}

enum status profiler_open(const struct cupti *library, struct clock *clock, struct profiler **out, struct error *e) {
    struct profiler *p = mem_alloc(sizeof *p);
    p->clock = clock;
    enum status s = recorder_open(library, RECORDER_BY_NODE, &p->recorder, e);
    if (s == STATUS_OK) *out = p;
    else mem_free(p);
    return s;
}

void profiler_close(struct profiler *p) {
    if (!p) return;
    recorder_close(p->recorder);
    mem_free(p->seen);
    mem_free(p->launches);
    mem_free(p);
}

enum status profiler_begin(struct profiler *p, enum trace_detail detail, struct error *e) {
    struct activity before;
    enum status s = recorder_set_graphs(p->recorder, detail == TRACE_LAUNCHES ? RECORDER_BY_GRAPH : RECORDER_BY_NODE, e);
    if (s == STATUS_OK) s = recorder_take(p->recorder, &before, e);
    if (s == STATUS_OK) activity_free(&before);
    p->detail = detail;
    p->offset_ns = clock_offset(p);
    return s;
}

/* A launch is the tracer's newest note, counted from 1; an operation is its index, shifted. */
void profiler_push(struct profiler *p, const struct tracer *t, int op) {
    if (p) recorder_push(p->recorder, recorder_owner(t->n_notes, (uint32_t)(op + FIRST_OP)));
}

void profiler_pop(struct profiler *p) {
    if (p) recorder_pop(p->recorder);
}

static void end_launch(struct profiler *p) {
    if (p->is_launched) recorder_pop(p->recorder);
    p->is_launched = 0;
}

void profiler_launch(struct profiler *p, const struct tracer *t) {
    if (!p) return;
    end_launch(p);
    recorder_push(p->recorder, recorder_owner(t->n_notes, NO_OP));
    p->is_launched = 1;
}

/* ---- into the tracer ---- */

static uint64_t ours(const struct profiler *p, int64_t ns) { return (uint64_t)(ns - p->offset_ns); }

/* Copies and fills are calls, but launch no kernel. */
static int is_launch(const struct activity *a, const struct activity_op *op, const struct activity_call *call) {
    if (!call) return op->kind == ACTIVITY_KERNEL;
    return !strstr(a->names[call->name], "Memcpy") && !strstr(a->names[call->name], "Memset");
}

static struct span span_of(const struct profiler *p, const struct tracer *t, const struct activity *a, const struct activity_op *op, int is_first) {
    uint64_t launch = recorder_launch(op->owner);
    int index = (int)recorder_part(op->owner) - FIRST_OP;
    const struct launch_note *note = launch >= 1 && launch <= t->n_notes ? &t->notes[launch - 1] : NULL; /* NULL: before the first launch */
    const struct activity_call *call = op->call < 0 ? NULL : &a->calls[op->call];
    uint64_t start = ours(p, op->start_ns), end = ours(p, op->end_ns);
    struct span s = {.start_ns = start, .end_ns = end, .released_ns = end, .stream = op->stream, .note = (int32_t)launch - 1, .step = note ? note->site.step : 0, .op = note && index >= 0 ? index : -1,
                     .subject = -1, .stage = (int16_t)(note ? launch_site_stage(&note->site, index >= 0 ? index : 0) : -1),
                     .program = (int16_t)(note ? note->program : -1), .kind = note && index >= 0 ? SPAN_RUN : SPAN_COPY, .launches = (uint16_t)(is_first && is_launch(a, op, call))};
    if (call) {
        s.call_start_ns = ours(p, call->start_ns);
        s.call_end_ns = ours(p, call->end_ns);
    }
    return s;
}

static void put_span(struct tracer *t, int unit, struct span s) {
    struct span *to = tracer_next(t, unit, DEVICE_LANE);
    if (to) *to = s;
}

/* ---- captured launches, seen by operations once and then as wholes ---- */

static void see(struct profiler *p, const struct span *s) {
    if (s->note < 0) return;
    LIST_GROW(p->seen, p->n_seen, p->seen_capacity);
    p->seen[p->n_seen++] = *s;
}

static int by_launch(const void *pa, const void *pb, const void *context) {
    const struct span *a = pa, *b = pb;
    (void)context;
    return a->note != b->note ? SORT_BY(a->note, b->note) : SORT_BY(a->start_ns, b->start_ns);
}

static void index_seen(struct profiler *p) {
    sort_stable(p->seen, p->n_seen, sizeof *p->seen, by_launch, NULL);
    p->n_launches = 0;
    for (size_t i = 0, n; i < p->n_seen; i += n) {
        uint64_t start = p->seen[i].start_ns, end = start;
        for (n = 0; i + n < p->n_seen && p->seen[i + n].note == p->seen[i].note; n++)
            if (p->seen[i + n].end_ns > end) end = p->seen[i + n].end_ns;
        for (size_t k = i; k < i + n; k++) {
            p->seen[k].start_ns -= start;
            p->seen[k].end_ns -= start;
        }
        size_t note = (size_t)p->seen[i].note;
        while (note >= p->launch_capacity) LIST_GROW(p->launches, p->launch_capacity, p->launch_capacity);
        while (p->n_launches <= note) p->launches[p->n_launches++] = (struct seen_launch){0};
        p->launches[note] = (struct seen_launch){i, n, end - start};
    }
}

/* A launch's time, shared out as its operations were seen to share it; 0: they were not seen. */
static int put_launch(const struct profiler *p, struct tracer *t, int unit, const struct span *whole) {
    const struct seen_launch *l = whole->note >= 0 && (size_t)whole->note < p->n_launches ? &p->launches[whole->note] : NULL;
    if (!l || l->n == 0 || p->seen[l->first].program != whole->program) return 0;
    double scale = l->length ? (double)(whole->end_ns - whole->start_ns) / (double)l->length : 0;
    for (size_t i = l->first; i < l->first + l->n; i++) {
        struct span s = p->seen[i];
        s.start_ns = whole->start_ns + (uint64_t)((double)s.start_ns * scale);
        s.end_ns = s.released_ns = whole->start_ns + (uint64_t)((double)s.end_ns * scale);
        s.call_start_ns = whole->call_start_ns;
        s.call_end_ns = whole->call_end_ns;
        put_span(t, unit, s);
    }
    return 1;
}

/* Into the tracer; how many launches' operations are not known. */
static size_t put_ops(struct profiler *p, struct tracer *t, int unit, const struct activity *a) {
    int64_t correlation = -1;
    size_t n_unknown = 0;
    if (p->detail == TRACE_OPERATIONS) p->n_seen = 0;
    for (size_t i = 0; i < a->n_ops; i++) {
        struct span s = span_of(p, t, a, &a->ops[i], a->ops[i].correlation != correlation);
        int is_whole = p->detail == TRACE_LAUNCHES && a->ops[i].is_in_graph;
        correlation = a->ops[i].correlation;
        if (p->detail == TRACE_OPERATIONS && a->ops[i].is_in_graph) see(p, &s);
        if (is_whole && put_launch(p, t, unit, &s)) continue;
        n_unknown += (size_t)is_whole;
        put_span(t, unit, s);
    }
    if (p->detail == TRACE_OPERATIONS) index_seen(p);
    return n_unknown;
}

static void put_waits(const struct profiler *p, struct tracer *t, int unit, const struct activity *a) {
    for (size_t i = 0; i < a->n_calls; i++) {
        const struct activity_call *c = &a->calls[i];
        struct span *s = c->is_blocking ? tracer_next(t, unit, HOST_LANE) : NULL;
        if (s)
            *s = (struct span){.start_ns = ours(p, c->start_ns), .end_ns = ours(p, c->end_ns), .released_ns = ours(p, c->end_ns), .op = -1, .subject = -1, .stage = -1,
                               .program = -1, .kind = SPAN_SYNC};
    }
}

/* What keeps the attribution from being whole. */
static void note_trouble(const struct profiler *p, struct tracer *t, const struct activity *a, size_t n_unknown) {
    const struct activity_integrity *i = &a->integrity;
    int64_t step = clock_offset(p) - p->offset_ns;
    if (i->dropped) snprintf(t->trouble, sizeof t->trouble, "CUPTI lost %lld records", (long long)i->dropped);
    else if (i->untimed) snprintf(t->trouble, sizeof t->trouble, "%lld pieces of device work have no times", (long long)i->untimed);
    else if (i->unknown) snprintf(t->trouble, sizeof t->trouble, "%lld records are of kinds that Assay does not know", (long long)i->unknown);
    else if (n_unknown) snprintf(t->trouble, sizeof t->trouble, "%zu captured launches were timed whose operations had not been", n_unknown);
    else if (llabs(step) > RECORDER_CLOCK_STEP_NS) snprintf(t->trouble, sizeof t->trouble, "the system's clock was set while tracing (by %lld us)", (long long)step / 1000);
}

enum status profiler_end(struct profiler *p, struct tracer *t, int unit, struct error *e) {
    struct activity a;
    end_launch(p);
    enum status s = recorder_take(p->recorder, &a, e);
    if (s != STATUS_OK) return s;
    activity_join_calls(&a);
    activity_sort_ops(&a);
    size_t n_unknown = put_ops(p, t, unit, &a);
    put_waits(p, t, unit, &a);
    note_trouble(p, t, &a, n_unknown);
    activity_free(&a);
    return STATUS_OK;
}
