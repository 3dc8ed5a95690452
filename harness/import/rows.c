#include "harness/import/rows.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/sort.h"

/* Nanoseconds since 1970 fit until 2116; the difference of any two times is a 64-bit number. */
static const int64_t time_least_ns = -((int64_t)1 << 61), time_most_ns = (int64_t)1 << 62;
static const int64_t sum_most = (int64_t)1 << 62;
/* Longer than any recording; and where a device's clock was not set, times lie decades apart. */
static const int64_t span_most_ns = (int64_t)100 * 24 * 3600 * 1000000000;

enum { CALL_KNOWN = 1, CALL_BLOCKS = 2, CALL_LAUNCHES_GRAPH = 4 };

/* ---- texts ---- */

/* Bytes of the UTF-8 sequence at s; 0 where there is none (RFC 3629, table 3-7 of Unicode). */
static size_t sequence_bytes(const unsigned char *s) {
    static const struct {
        unsigned char first, last, low, high, bytes;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last || s[1] < forms[i].low || s[1] > forms[i].high) continue;
        for (size_t k = 2; k < forms[i].bytes; k++)
            if ((s[k] & 0xc0) != 0x80) return 0;
        return forms[i].bytes;
    }
    return 0;
}

void rows_clean_text(char *text) {
    for (unsigned char *s = (unsigned char *)text; *s;) {
        size_t n = *s < 0x80 ? 1 : sequence_bytes(s);
        if (n == 0) *s = '?';
        else if (*s < ' ' || *s == 0x7f) *s = ' ';
        s += n ? n : 1;
    }
}

/* Below every character of a name, so that pairs come in the order of their parts. */
static const char pair_separator = 1;

int32_t rows_thread(struct rows *r, const char *process, const char *thread) {
    struct activity *a = &r->out->activity;
    char pair[128];
    int n = snprintf(pair, sizeof pair, "%.60s%c%.60s", process, pair_separator, thread);
    return activity_name(a, pair, (size_t)n);
}

/* ---- rows ---- */

static const char *check_times(int64_t *sum_ns, int64_t start_ns, int64_t end_ns, size_t n_rows) {
    if (start_ns < time_least_ns || start_ns >= time_most_ns || end_ns < time_least_ns || end_ns >= time_most_ns)
        return "its time is not one that a clock can have";
    if (end_ns < start_ns) return "it ends before it starts";
    if (end_ns - start_ns > sum_most - *sum_ns) return "with it, the times of such rows sum to more than 146 years";
    if (n_rows >= INT32_MAX) return "there are more rows of its kind than can be kept (2^31)";
    *sum_ns += end_ns - start_ns;
    return NULL;
}

const char *rows_op(struct rows *r, const struct activity_op *op) {
    struct activity *a = &r->out->activity;
    const char *problem = check_times(&r->op_ns, op->start_ns, op->end_ns, a->n_ops);
    if (!problem && (op->bytes < 0 || op->bytes > sum_most - r->bytes)) problem = "it moves an impossible number of bytes";
    if (problem) return problem;
    r->bytes += op->bytes;
    *activity_add_op(a) = *op;
    return NULL;
}

static int call_kind(struct rows *r, int32_t name) {
    const struct activity *a = &r->out->activity;
    if ((size_t)name >= r->n_call_kinds) {
        size_t n = 2 * a->n_names;
        r->call_kind = mem_resize(r->call_kind, n);
        memset(r->call_kind + r->n_call_kinds, 0, n - r->n_call_kinds);
        r->n_call_kinds = n;
    }
    if (!r->call_kind[name])
        r->call_kind[name] = (uint8_t)(CALL_KNOWN | (activity_is_blocking(a->names[name]) ? CALL_BLOCKS : 0) |
                                       (strstr(a->names[name], "GraphLaunch") ? CALL_LAUNCHES_GRAPH : 0));
    return r->call_kind[name];
}

const char *rows_call(struct rows *r, const struct activity_call *call) {
    struct activity *a = &r->out->activity;
    const char *problem = check_times(&r->call_ns, call->start_ns, call->end_ns, a->n_calls);
    if (problem) return problem;
    struct activity_call *row = activity_add_call(a);
    int32_t place = row->row;
    *row = *call;
    row->row = place;
    row->is_blocking = (call_kind(r, call->name) & CALL_BLOCKS) != 0;
    row->is_graph_launch = (call_kind(r, call->name) & CALL_LAUNCHES_GRAPH) != 0;
    return NULL;
}

const char *rows_range(struct rows *r, const struct activity_range *range) {
    struct activity *a = &r->out->activity;
    const char *problem = check_times(&r->range_ns, range->start_ns, range->end_ns, a->n_ranges);
    if (problem) return problem;
    struct activity_range *row = activity_add_range(a);
    int32_t place = row->row;
    *row = *range;
    row->row = place;
    return NULL;
}

/* ---- the end ---- */

static int compare_names(const void *pa, const void *pb, const void *context) {
    const struct activity *a = context;
    return strcmp(a->names[*(const int32_t *)pa], a->names[*(const int32_t *)pb]);
}

/* Threads are names so far; they become 0, 1, … in the order of these. */
static void number_threads(struct activity *a) {
    int32_t *number_of = mem_alloc(a->n_names * sizeof *number_of), *used = mem_alloc(a->n_names * sizeof *used);
    size_t n = 0;
    for (size_t i = 0; i < a->n_calls; i++) number_of[a->calls[i].thread] = 1;
    for (size_t i = 0; i < a->n_ranges; i++) number_of[a->ranges[i].thread] = 1;
    for (size_t i = 0; i < a->n_names; i++)
        if (number_of[i]) used[n++] = (int32_t)i;
    sort_stable(used, n, sizeof *used, compare_names, a);
    for (size_t i = 0; i < n; i++) number_of[used[i]] = (int32_t)i;
    for (size_t i = 0; i < a->n_calls; i++) a->calls[i].thread = number_of[a->calls[i].thread];
    for (size_t i = 0; i < a->n_ranges; i++) a->ranges[i].thread = number_of[a->ranges[i].thread];
    mem_free(number_of);
    mem_free(used);
}

static enum status check_span(const struct rows *r, struct error *e) {
    const struct activity *a = &r->out->activity;
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (size_t i = 0; i < a->n_ops; i++) {
        first = a->ops[i].start_ns < first ? a->ops[i].start_ns : first;
        last = a->ops[i].end_ns > last ? a->ops[i].end_ns : last;
    }
    if (last - first <= span_most_ns) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "%s: its operations lie %.0f days apart, so some of their times are wrong; record it again", r->path,
                     (double)(last - first) / 8.64e13);
}

enum status rows_finish(struct rows *r, struct error *e) {
    struct activity *a = &r->out->activity;
    if (a->n_ops == 0)
        return error_set(e, STATUS_INPUT,
                         "%s: the trace holds no device operation (%zu host calls, %zu ranges, %lld operations without times); record the device too "
                         "(torch: ProfilerActivity.CUDA; nsys: --trace cuda,nvtx)",
                         r->path, a->n_calls, a->n_ranges, (long long)a->integrity.untimed);
    number_threads(a);
    return check_span(r, e);
}

void rows_free(struct rows *r) { mem_free(r->call_kind); }
