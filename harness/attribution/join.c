#include "harness/attribution/join.h"

#include "kernels/base/sort.h"

/* ---- orders ---- */

static int compare_ranges(const void *pa, const void *pb, const void *context) {
    const struct activity_range *a = pa, *b = pb;
    (void)context;
    int by_thread = SORT_BY(a->thread, b->thread), by_start = SORT_BY(a->start_ns, b->start_ns);
    return by_thread ? by_thread : by_start ? by_start : SORT_BY(b->end_ns, a->end_ns);
}

/* Of rows of calls: by thread and time. */
static int compare_call_rows(const void *pa, const void *pb, const void *context) {
    const struct activity_call *calls = context, *a = &calls[*(const uint32_t *)pa], *b = &calls[*(const uint32_t *)pb];
    int by_thread = SORT_BY(a->thread, b->thread);
    return by_thread ? by_thread : SORT_BY(a->start_ns, b->start_ns);
}

/* ---- the range of a call ---- */

/* The innermost range that is still open, of `from` and those around it. */
static int32_t innermost_open(const struct activity *a, int32_t from, int32_t thread, int64_t now_ns) {
    while (from >= 0 && (a->ranges[from].thread != thread || a->ranges[from].end_ns <= now_ns)) from = a->ranges[from].parent;
    return from;
}

static void nest_ranges(struct activity *a) {
    sort_stable(a->ranges, a->n_ranges, sizeof *a->ranges, compare_ranges, NULL);
    for (size_t i = 0; i < a->n_ranges; i++) {
        struct activity_range *r = &a->ranges[i];
        r->parent = innermost_open(a, (int32_t)i - 1, r->thread, r->start_ns);
        r->depth = r->parent < 0 ? 0 : a->ranges[r->parent].depth + 1;
    }
}

static int has_begun(const struct activity_range *r, const struct activity_call *call) {
    return r->thread != call->thread ? r->thread < call->thread : r->start_ns <= call->start_ns;
}

/* range_of[call]: calls and ranges walked together, thread by thread in the order of time; a range that has ended is
 * never looked at again. */
static void find_ranges(const struct activity *a, int32_t *range_of) {
    uint32_t *rows = mem_alloc(a->n_calls * sizeof *rows);
    int32_t open = -1;
    size_t next = 0;
    for (size_t i = 0; i < a->n_calls; i++) rows[i] = (uint32_t)i;
    sort_stable(rows, a->n_calls, sizeof *rows, compare_call_rows, a->calls);
    for (size_t i = 0; i < a->n_calls; i++) {
        const struct activity_call *call = &a->calls[rows[i]];
        while (next < a->n_ranges && has_begun(&a->ranges[next], call)) open = (int32_t)next++;
        range_of[rows[i]] = open = innermost_open(a, open, call->thread, call->start_ns);
    }
    mem_free(rows);
}

static void find_ranges_of_ops(struct activity *a) {
    int32_t *range_of = mem_alloc(a->n_calls * sizeof *range_of);
    find_ranges(a, range_of);
    for (size_t i = 0; i < a->n_ops; i++) a->ops[i].range = a->ops[i].call < 0 ? -1 : range_of[a->ops[i].call];
    mem_free(range_of);
}

/* ---- the range of an owner ---- */

/* Owners name rows of the source, before these were sorted. What names no row has no range. */
static void take_ranges_of_owners(struct activity *a) {
    int32_t *place_of = mem_alloc(a->n_ranges * sizeof *place_of);
    for (size_t i = 0; i < a->n_ranges; i++) place_of[a->ranges[i].row] = (int32_t)i;
    for (size_t i = 0; i < a->n_ops; i++) {
        uint64_t owner = a->ops[i].owner;
        a->ops[i].range = owner > 0 && owner <= a->n_ranges ? place_of[owner - 1] : -1;
    }
    mem_free(place_of);
}

void activity_join(struct activity *a) {
    activity_join_calls(a);
    nest_ranges(a);
    if (a->is_owned_by_ranges) take_ranges_of_owners(a);
    else find_ranges_of_ops(a);
}
