#include "harness/attribution/stages.h"

#include <fnmatch.h>
#include <string.h>

#include "kernels/base/sort.h"

/* ---- patterns ---- */

enum { SHOWN_NAMES = 5, SHOWN_BYTES = 60 };

/* A name stands for itself, also where it holds what a glob would read as its own. */
static int matches_one(const char *item, const char *name) { return strcmp(item, name) == 0 || fnmatch(item, name, 0) == 0; }

static int matches(struct arena *scratch, const char *patterns, const char *name) {
    for (const char *at = patterns;; at++) {
        size_t length = strcspn(at, ",");
        if (matches_one(arena_copy_bytes(scratch, at, length), name)) return 1;
        at += length;
        if (!*at) return strcmp(patterns, name) == 0;
    }
}

/* Without ", seq = N" and ", op_id = N" at its end. */
static size_t plain_length(const char *name) {
    static const char *const counters[] = {", op_id = ", ", seq = "};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        size_t digits = length, n = strlen(counters[i]);
        while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9') digits--;
        if (digits < length && digits > n && strncmp(name + digits - n, counters[i], n) == 0) length = digits - n;
    }
    return length;
}

/* Interning grows the list of names; the new ones stand for themselves. */
static void name_stages(struct activity *a, struct stages *out) {
    size_t n = a->n_names;
    int32_t *plain = mem_alloc(n * sizeof *plain);
    for (size_t i = 0; i < n; i++) plain[i] = activity_name(a, a->names[i], plain_length(a->names[i]));
    out->name_of = arena_alloc(&out->arena, a->n_names * sizeof *out->name_of);
    for (size_t i = 0; i < a->n_names; i++) out->name_of[i] = i < n ? plain[i] : (int32_t)i;
    mem_free(plain);
}

/* is_match[name]: asked once a name, not once a range. */
static char *match_names(const struct activity *a, const struct stages *s, const char *patterns) {
    char *is_match = mem_alloc(a->n_names);
    for (size_t i = 0; i < a->n_names; i++) {
        struct arena scratch = {0};
        is_match[i] = (char)(!patterns || matches(&scratch, patterns, a->names[i]) || matches(&scratch, patterns, a->names[s->name_of[i]]));
        arena_free(&scratch);
    }
    return is_match;
}

static enum status no_match(const struct activity *a, const char *option, const char *pattern, struct error *e) {
    struct text have = {0};
    int shown = 0;
    for (size_t i = 0; i < a->n_ranges && shown < SHOWN_NAMES; i++) {
        if (i && a->ranges[i].name == a->ranges[i - 1].name) continue;
        text_append(&have, "%s'%.*s'", shown++ ? ", " : "; there are ", SHOWN_BYTES, a->names[a->ranges[i].name]);
    }
    enum status s = a->n_ranges == 0 ? error_set(e, STATUS_INPUT, "%s %s: the trace has no ranges; name them in the program with NVTX or "
                                                 "torch.profiler.record_function", option, pattern)
                                     : error_set(e, STATUS_INPUT, "%s %s: no range of the trace has such a name%s%s", option, pattern, have.data,
                                                 shown == SHOWN_NAMES ? ", …" : "");
    text_free(&have);
    return s;
}

/* ---- stages ---- */

/* Parents come before what they hold. `depth` counts chosen ranges only. */
static void settle_stages(const struct activity *a, const char *is_stage, int depth, struct stages *out) {
    int32_t *depth_of = mem_alloc(a->n_ranges * sizeof *depth_of);
    out->stage_of = arena_alloc(&out->arena, a->n_ranges * sizeof *out->stage_of);
    for (size_t i = 0; i < a->n_ranges; i++) {
        const struct activity_range *r = &a->ranges[i];
        int is_chosen = is_stage[r->name];
        depth_of[i] = (r->parent < 0 ? 0 : depth_of[r->parent]) + is_chosen;
        int stands = is_chosen && (depth == 0 || depth_of[i] <= depth);
        out->stage_of[i] = stands ? (int32_t)i : r->parent < 0 ? -1 : out->stage_of[r->parent];
        out->n_chosen += (size_t)stands;
    }
    mem_free(depth_of);
}

int32_t stages_of_op(const struct stages *s, const struct activity *a, const struct activity_op *op) {
    if (op->range < 0) return -1;
    int32_t at = s->stage_of[op->range];
    /* ranges that are not nested: the one around may have ended; what owners name was open */
    while (at >= 0 && !a->is_owned_by_ranges && a->ranges[at].end_ns <= a->calls[op->call].start_ns)
        at = a->ranges[at].parent < 0 ? -1 : s->stage_of[a->ranges[at].parent];
    return at < 0 ? -1 : s->name_of[a->ranges[at].name];
}

/* ---- samples ---- */

struct instance {
    int64_t start_ns, end_ns;      /* of the host's range */
    int32_t process, ordinal;      /* ordinal: among its thread's */
};

static int compare_instances(const void *pa, const void *pb, const void *context) {
    const struct instance *a = pa, *b = pb;
    (void)context;
    int by_process = SORT_BY(a->process, b->process), by_start = SORT_BY(a->start_ns, b->start_ns);
    return by_process ? by_process : by_start;
}

/* Outermost instances only. Ranges come by thread and start. */
static size_t collect_instances(const struct activity *a, const char *is_iteration, struct instance *out) {
    size_t n = 0;
    int32_t open = -1, ordinal = 0;
    for (size_t i = 0; i < a->n_ranges; i++) {
        const struct activity_range *r = &a->ranges[i];
        int is_same_thread = open >= 0 && a->ranges[open].thread == r->thread;
        if (!is_iteration[r->name] || (is_same_thread && r->start_ns < a->ranges[open].end_ns)) continue;
        ordinal = is_same_thread ? ordinal + 1 : 0;
        out[n++] = (struct instance){r->start_ns, r->end_ns, r->process, ordinal};
        open = (int32_t)i;
    }
    return n;
}

/* The last instance of the process that starts at or before `now`; -1 none. */
static int64_t find_instance(const struct instance *list, size_t n, int32_t process, int64_t now_ns) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct instance *x = &list[middle];
        if (x->process < process || (x->process == process && x->start_ns <= now_ns)) low = middle + 1;
        else high = middle;
    }
    return low > 0 && list[low - 1].process == process ? (int64_t)low - 1 : -1;
}

/* ends[i]: the instance's own end, or the end of the last operation launched during it. */
static void find_ends(const struct activity *a, const struct instance *list, size_t n, int64_t *ends) {
    for (size_t i = 0; i < n; i++) ends[i] = list[i].end_ns;
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_op *op = &a->ops[i];
        if (op->call < 0) continue;
        int64_t at = find_instance(list, n, op->process, a->calls[op->call].start_ns);
        if (at >= 0 && a->calls[op->call].start_ns < list[at].end_ns && op->end_ns > ends[at]) ends[at] = op->end_ns;
    }
}

/* Window by ordinal, over all threads; an instance that was wholly inside the one before leaves none. */
static void settle_windows(const struct instance *list, const int64_t *ends, size_t n, struct stages *out) {
    size_t n_windows = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct stage_window *w = &out->windows[list[i].ordinal];
        int is_new = (size_t)list[i].ordinal == n_windows; /* no thread is at its second before one has had its first */
        if (is_new || list[i].start_ns < w->start_ns) w->start_ns = list[i].start_ns;
        if (is_new || ends[i] > w->end_ns) w->end_ns = ends[i];
        n_windows += (size_t)is_new;
    }
    for (size_t i = 0; i < n_windows; i++) {
        struct stage_window w = out->windows[i];
        if (kept && w.start_ns < out->windows[kept - 1].end_ns) w.start_ns = out->windows[kept - 1].end_ns;
        if (w.end_ns > w.start_ns) out->windows[kept++] = w;
        else out->n_empty++;
    }
    out->n_windows = kept;
}

static enum status choose_iterations(const struct activity *a, const char *is_iteration, const char *pattern, struct stages *out, struct error *e) {
    struct instance *list = mem_alloc((a->n_ranges + 1) * sizeof *list);
    size_t n = collect_instances(a, is_iteration, list);
    int64_t *ends = mem_alloc((n + 1) * sizeof *ends);
    out->windows = arena_alloc(&out->arena, (n + 1) * sizeof *out->windows);
    sort_stable(list, n, sizeof *list, compare_instances, NULL);
    find_ends(a, list, n, ends);
    settle_windows(list, ends, n, out);
    mem_free(ends);
    mem_free(list);
    if (n == 0) return no_match(a, "--iteration", pattern, e);
    return out->n_windows ? STATUS_OK
                          : error_set(e, STATUS_INPUT, "--iteration %s: no instance has a length; choose a range around the work", pattern);
}

/* From the first operation's start to the last one's end, over all devices. */
static void choose_everything(const struct activity *a, struct stages *out) {
    struct stage_window *w = out->windows = arena_alloc(&out->arena, sizeof *w);
    *w = (struct stage_window){a->ops[0].start_ns, a->ops[0].end_ns};
    for (size_t i = 1; i < a->n_ops; i++) {
        if (a->ops[i].start_ns < w->start_ns) w->start_ns = a->ops[i].start_ns;
        if (a->ops[i].end_ns > w->end_ns) w->end_ns = a->ops[i].end_ns;
    }
    out->n_windows = 1;
}

enum status stages_choose(struct activity *a, const struct stage_choice *c, struct stages *out, struct error *e) {
    enum status s = STATUS_OK;
    *out = (struct stages){0};
    name_stages(a, out);
    char *is_stage = match_names(a, out, c->stages), *is_iteration = match_names(a, out, c->iteration ? c->iteration : "");
    for (size_t i = 0; i < a->n_names && c->iteration; i++) is_stage[i] &= (char)!is_iteration[i];
    settle_stages(a, is_stage, c->depth, out);
    if (c->stages && out->n_chosen == 0) s = no_match(a, "--stages", c->stages, e);
    else if (c->iteration) s = choose_iterations(a, is_iteration, c->iteration, out, e);
    else choose_everything(a, out);
    mem_free(is_stage);
    mem_free(is_iteration);
    return s;
}

void stages_free(struct stages *s) { arena_free(&s->arena); }
