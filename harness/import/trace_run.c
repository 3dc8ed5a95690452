#include "harness/import/trace_run.h"

#include <string.h>

#include "harness/attribution/join.h"

/* For the trace export: some megabytes. Streams beyond the last lane share it. */
enum { MOST_SPANS = 20000, MOST_LANES = 64 };

/* ---- the first operations as spans ---- */

/* A stream's place among those of its device, in the order in which they come. */
static int lane_of(int32_t *streams, int *n, int32_t stream) {
    for (int i = 0; i < *n; i++)
        if (streams[i] == stream) return i;
    if (*n == MOST_LANES) return MOST_LANES - 1;
    streams[*n] = stream;
    return (*n)++;
}

static void add_span(struct trace_run *r, const struct stages *s, const struct activity_op *op, int unit, int lane, int step) {
    const struct activity *a = &r->imported.activity;
    int32_t stage = stages_of_op(s, a, op);
    LIST_GROW(r->spans, r->n_spans, r->span_capacity);
    r->spans[r->n_spans++] = (struct span_record){.name = a->names[op->name], .category = device_category_name((int)device_category_of(a, op)),
        .stage = stage < 0 ? NULL : a->names[stage], .unit = unit, .lane = lane, .step = step,
        .start_ns = op->start_ns - s->windows[0].start_ns, .duration_ns = op->end_ns - op->start_ns};
}

/* Of the device's operations [first, last), those that begin in a sample, at most `most`. */
static void add_spans(struct trace_run *r, const struct stages *s, size_t first, size_t last, size_t most) {
    const struct activity *a = &r->imported.activity;
    int32_t streams[MOST_LANES];
    int n_streams = 0, unit = (int)r->n_devices - 1;
    size_t window = 0, end = r->n_spans + most;
    for (size_t i = first; i < last && r->n_spans < end; i++) {
        const struct activity_op *op = &a->ops[i];
        while (window < s->n_windows && s->windows[window].end_ns <= op->start_ns) window++;
        if (window == s->n_windows) return;
        if (op->start_ns >= s->windows[window].start_ns) add_span(r, s, op, unit, lane_of(streams, &n_streams, op->stream), (int)window);
    }
}

static size_t count_devices(const struct activity *a) {
    size_t n = 0;
    for (size_t i = 0; i < a->n_ops; i++) n += i == 0 || a->ops[i].device != a->ops[i - 1].device;
    return n;
}

static void collect_spans(struct trace_run *r, const struct stages *s) {
    const struct activity *a = &r->imported.activity;
    size_t most = MOST_SPANS / count_devices(a) + 1;
    for (size_t first = 0, last; first < a->n_ops; first = last) {
        for (last = first; last < a->n_ops && a->ops[last].device == a->ops[first].device;) last++;
        LIST_GROW(r->devices, r->n_devices, r->device_capacity);
        r->devices[r->n_devices++] = a->ops[first].device;
        add_spans(r, s, first, last, most);
    }
}

/* ---- reading ---- */

static void count_rows(struct trace_run *r) {
    const struct activity *a = &r->imported.activity;
    r->n_rows = a->n_ops + a->n_calls + a->n_ranges;
    r->n_ops = (int64_t)a->n_ops;
    for (size_t i = 0; i < a->n_ops; i++) r->n_without_call += a->ops[i].call < 0;
}

/* Names stay: lines refer to them. */
static void drop_rows(struct activity *a) {
    mem_free(a->ops);
    mem_free(a->calls);
    mem_free(a->ranges);
    a->ops = NULL;
    a->calls = NULL;
    a->ranges = NULL;
    a->n_ops = a->n_calls = a->n_ranges = a->op_capacity = a->call_capacity = a->range_capacity = 0;
}

enum status trace_run_attribute(const struct trace_request *q, struct trace_run *r, struct error *e) {
    struct activity *a = &r->imported.activity;
    struct stages stages = {0};
    activity_join(a);
    activity_sort_ops(a);
    enum status s = stages_choose(a, &q->choice, &stages, e);
    if (s == STATUS_OK) {
        count_rows(r);
        attribute(a, &stages, &r->found);
        collect_spans(r, &stages);
        r->n_stages = stages.n_chosen;
        r->n_empty = stages.n_empty;
    } else {
        error_prefix(e, "%s", r->path);
    }
    stages_free(&stages);
    drop_rows(a);
    if (s != STATUS_OK) trace_run_free(r);
    return s;
}

enum status trace_run_import(const struct trace_request *q, const char *path, struct trace_run *out, struct error *e) {
    const char *slash = strrchr(path, '/');
    *out = (struct trace_run){.path = path, .file = q->subject ? q->subject : slash ? slash + 1 : path};
    if (q->progress) progress_note(q->progress, "reading %s", out->file);
    enum status s = q->importer->read(path, q->progress, &out->imported, e);
    if (s != STATUS_OK) trace_run_free(out);
    return s;
}

enum status trace_run_read(const struct trace_request *q, const char *path, struct trace_run *out, struct error *e) {
    enum status s = trace_run_import(q, path, out, e);
    return s == STATUS_OK ? trace_run_attribute(q, out, e) : s;
}

void trace_run_free(struct trace_run *r) {
    imported_free(&r->imported);
    attributed_free(&r->found);
    mem_free(r->spans);
    mem_free(r->devices);
    *r = (struct trace_run){0};
}
