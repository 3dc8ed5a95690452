/* trace_ops.c: operations and calls: each, by name, by graph launch, and what decides whether a result is whole. */
#include <string.h>

#include "harness/verify/trace.h"
#include "kernels/base/sort.h"

static const struct activity_call *call_of(const struct activity *a, const struct activity_op *op) {
    return op->call < 0 ? NULL : &a->calls[op->call];
}

/* ---- each ---- */

/* device, stream, category, start, end, correlation, call row, call start, call end, range, bytes, name */
enum { OP_COLUMNS = 12 };

void trace_rows_of_ops(const struct traced *t, struct trace_rows *out) {
    const struct activity *a = t->a;
    *out = (struct trace_rows){.values = mem_alloc(a->n_ops * OP_COLUMNS * sizeof *out->values), .n_rows = a->n_ops, .columns = OP_COLUMNS};
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_op *op = &a->ops[i];
        const struct activity_call *call = call_of(a, op);
        const int64_t row[OP_COLUMNS] = {op->device,
                                         op->stream,
                                         op->kind,
                                         op->start_ns - t->origin_ns,
                                         op->end_ns - t->origin_ns,
                                         op->correlation,
                                         call ? call->row : -1,
                                         call ? call->start_ns - t->origin_ns : -1,
                                         call ? call->end_ns - t->origin_ns : -1,
                                         op->range,
                                         op->bytes,
                                         t->op_name_place[op->name]};
        memcpy(out->values + i * OP_COLUMNS, row, sizeof row);
    }
}

json_t *trace_op_names(const struct traced *t) {
    json_t *out = json_array();
    for (size_t i = 0; i < t->a->n_names; i++)
        if (t->op_name_place[i] >= 0) json_array_append_new(out, json_null());
    for (size_t i = 0; i < t->a->n_names; i++)
        if (t->op_name_place[i] >= 0) json_array_set_new(out, (size_t)t->op_name_place[i], json_string(t->a->names[i]));
    return out;
}

/* ---- by name ---- */

struct name_sum {
    int32_t name, kind;            /* kind: -1 of calls */
    int64_t n, sum_ns, min_ns, max_ns;
};

struct name_sums {
    struct name_sum *items;
    size_t count, capacity;
    int32_t *place;                /* by name and kind: item, -1 none */
};

enum { KINDS = 4 };
static const char *const kind_names[] = {"kernel", "memcpy", "memset"};

static void sums_begin(const struct activity *a, struct name_sums *s) {
    *s = (struct name_sums){.place = mem_alloc(a->n_names * KINDS * sizeof *s->place)};
    for (size_t i = 0; i < a->n_names * KINDS; i++) s->place[i] = -1;
}

static void sums_add(struct name_sums *s, int32_t name, int32_t kind, int64_t ns) {
    int32_t *place = &s->place[(size_t)name * KINDS + (size_t)(kind + 1)];
    if (*place < 0) {
        LIST_GROW(s->items, s->count, s->capacity);
        *place = (int32_t)s->count;
        s->items[s->count++] = (struct name_sum){.name = name, .kind = kind, .min_ns = INT64_MAX, .max_ns = INT64_MIN};
    }
    struct name_sum *x = &s->items[*place];
    x->n++;
    x->sum_ns += ns;
    x->min_ns = ns < x->min_ns ? ns : x->min_ns;
    x->max_ns = ns > x->max_ns ? ns : x->max_ns;
}

/* The longest first, then by category and name as text; categories' names are in the order of their numbers. */
static int compare_sums(const void *pa, const void *pb, const void *context) {
    const struct name_sum *a = pa, *b = pb;
    const struct activity *activity = context;
    if (a->sum_ns != b->sum_ns) return SORT_BY(b->sum_ns, a->sum_ns);
    return a->kind != b->kind ? SORT_BY(a->kind, b->kind) : strcmp(activity->names[a->name], activity->names[b->name]);
}

static json_t *sums_json(const struct activity *a, struct name_sums *s) {
    json_t *out = json_array();
    sort_stable(s->items, s->count, sizeof *s->items, compare_sums, a);
    for (size_t i = 0; i < s->count; i++) {
        const struct name_sum *x = &s->items[i];
        json_t *one = json_pack("{s:s,s:I,s:I}", "name", a->names[x->name], "n", (json_int_t)x->n, "sum_ns", (json_int_t)x->sum_ns);
        if (x->kind >= 0) {
            json_object_set_new(one, "category", json_string(kind_names[x->kind]));
            json_object_set_new(one, "min_ns", json_integer((json_int_t)x->min_ns));
            json_object_set_new(one, "max_ns", json_integer((json_int_t)x->max_ns));
        }
        json_array_append_new(out, one);
    }
    mem_free(s->items);
    mem_free(s->place);
    return out;
}

json_t *trace_ops_by_name(const struct traced *t) {
    struct name_sums s;
    sums_begin(t->a, &s);
    for (size_t i = 0; i < t->a->n_ops; i++) sums_add(&s, t->a->ops[i].name, t->a->ops[i].kind, t->a->ops[i].end_ns - t->a->ops[i].start_ns);
    return sums_json(t->a, &s);
}

json_t *trace_calls_by_name(const struct traced *t) {
    struct name_sums s;
    sums_begin(t->a, &s);
    for (size_t i = 0; i < t->a->n_calls; i++) sums_add(&s, t->a->calls[i].name, -1, t->a->calls[i].end_ns - t->a->calls[i].start_ns);
    return sums_json(t->a, &s);
}

/* ---- launches ---- */

struct spread {
    int64_t n, sum_ns, min_ns, max_ns;
};

static void spread_add(struct spread *s, int64_t ns) {
    s->min_ns = s->n == 0 || ns < s->min_ns ? ns : s->min_ns;
    s->max_ns = s->n == 0 || ns > s->max_ns ? ns : s->max_ns;
    s->sum_ns += ns;
    s->n++;
}

static json_t *spread_json(const struct spread *s) {
    if (s->n == 0) return json_pack("{s:i}", "n", 0);
    return json_pack("{s:I,s:I,s:I,s:I}", "n", (json_int_t)s->n, "sum_ns", (json_int_t)s->sum_ns, "min_ns", (json_int_t)s->min_ns, "max_ns",
                     (json_int_t)s->max_ns);
}

json_t *trace_launch(const struct traced *t) {
    struct spread from_start = {0}, from_end = {0};
    int64_t clipped_ns = 0;
    for (size_t i = 0; i < t->a->n_ops; i++) {
        const struct activity_op *op = &t->a->ops[i];
        const struct activity_call *call = call_of(t->a, op);
        if (!call) continue;
        spread_add(&from_start, op->start_ns - call->start_ns);
        spread_add(&from_end, op->start_ns - call->end_ns);
        if (op->start_ns > call->end_ns) clipped_ns += op->start_ns - call->end_ns;
    }
    return json_pack("{s:o,s:o,s:I}", "start_minus_call_start", spread_json(&from_start), "start_minus_call_end", spread_json(&from_end),
                     "start_minus_call_end_clipped_sum_ns", (json_int_t)clipped_ns);
}

/* ---- graphs ---- */

static int compare_by_call(const void *pa, const void *pb, const void *context) {
    const struct activity *a = context;
    const struct activity_op *x = &a->ops[*(const uint32_t *)pa], *y = &a->ops[*(const uint32_t *)pb];
    const struct activity_call *u = &a->calls[x->call], *v = &a->calls[y->call];
    return u->start_ns != v->start_ns ? SORT_BY(u->start_ns, v->start_ns) : SORT_BY(x->call, y->call);
}

/* Operations of graph launches, launch by launch as the calls begin. */
static size_t collect_graph_ops(const struct activity *a, uint32_t *rows) {
    size_t n = 0;
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_call *call = call_of(a, &a->ops[i]);
        if (call && call->is_graph_launch) rows[n++] = (uint32_t)i;
    }
    sort_stable(rows, n, sizeof *rows, compare_by_call, a);
    return n;
}

static int is_new_stream(const struct activity *a, const uint32_t *rows, size_t first, size_t i) {
    for (size_t k = first; k < i; k++)
        if (a->ops[rows[k]].device == a->ops[rows[i]].device && a->ops[rows[k]].stream == a->ops[rows[i]].stream) return 0;
    return 1;
}

static json_t *launch_json(const struct traced *t, const uint32_t *rows, size_t first, size_t last) {
    const struct activity_call *call = call_of(t->a, &t->a->ops[rows[first]]);
    struct projection p = {0};
    int streams = 0;
    for (size_t i = first; i < last; i++) {
        streams += is_new_stream(t->a, rows, first, i);
        projection_add(&p, &t->a->ops[rows[i]]);
    }
    json_t *out = projection_json(&p, t->origin_ns);
    json_object_set_new(out, "streams", json_integer(streams));
    json_object_set_new(out, "correlation", json_integer((json_int_t)call->correlation));
    json_object_set_new(out, "call_start_ns", json_integer((json_int_t)(call->start_ns - t->origin_ns)));
    json_object_set_new(out, "call_end_ns", json_integer((json_int_t)(call->end_ns - t->origin_ns)));
    return out;
}

json_t *trace_graphs(const struct traced *t) {
    const struct activity *a = t->a;
    uint32_t *rows = mem_alloc(a->n_ops * sizeof *rows);
    size_t n = collect_graph_ops(a, rows), n_launches = 0;
    json_t *each = json_array();
    for (size_t first = 0, last; first < n; first = last) {
        for (last = first; last < n && a->ops[rows[last]].call == a->ops[rows[first]].call;) last++;
        json_array_append_new(each, launch_json(t, rows, first, last));
    }
    for (size_t i = 0; i < a->n_calls; i++) n_launches += a->calls[i].is_graph_launch;
    mem_free(rows);
    return json_pack("{s:I,s:I,s:I,s:o}", "launches", (json_int_t)n_launches, "launches_without_ops",
                     (json_int_t)(n_launches - json_array_size(each)), "ops", (json_int_t)n, "each", each);
}

/* ---- integrity ---- */

static int is_launch(const char *name) {
    static const char *const words[] = {"LaunchKernel", "LaunchCooperative", "GraphLaunch", "Memcpy", "Memset", "ExtModuleLaunch", "ModuleLaunch"};
    if (strstr(name, "Attribute") || strstr(name, "Param")) return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(name, words[i])) return 1;
    return 0;
}

static void put(json_t *out, const char *key, int64_t value) { json_object_set_new(out, key, json_integer((json_int_t)value)); }

/* Operations of one process and correlation, together. */
static int compare_by_correlation(const void *pa, const void *pb, const void *context) {
    const struct activity *a = context;
    const struct activity_op *x = &a->ops[*(const uint32_t *)pa], *y = &a->ops[*(const uint32_t *)pb];
    return x->process != y->process ? SORT_BY(x->process, y->process) : SORT_BY(x->correlation, y->correlation);
}

static void put_correlations(const struct activity *a, json_t *out) {
    uint32_t *rows = mem_alloc(a->n_ops * sizeof *rows);
    size_t n = 0;
    int64_t n_several = 0, most = 0;
    for (size_t i = 0; i < a->n_ops; i++)
        if (a->ops[i].correlation >= 0) rows[n++] = (uint32_t)i;
    sort_stable(rows, n, sizeof *rows, compare_by_correlation, a);
    for (size_t first = 0, last; first < n; first = last) {
        for (last = first; last < n && compare_by_correlation(&rows[first], &rows[last], a) == 0;) last++;
        n_several += last - first > 1;
        most = (int64_t)(last - first) > most ? (int64_t)(last - first) : most;
    }
    put(out, "correlations_with_several_ops", n_several);
    put(out, "max_ops_a_correlation", most);
    mem_free(rows);
}

static int compare_numbers(const void *pa, const void *pb, const void *context) {
    (void)context;
    return SORT_BY(*(const int64_t *)pa, *(const int64_t *)pb);
}

static int has_number(const int64_t *sorted, size_t n, int64_t x) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] < x) low = middle + 1;
        else high = middle;
    }
    return low < n && sorted[low] == x;
}

/* Operations without a call whose correlation a call of another process has. */
static int64_t count_foreign(const struct activity *a) {
    int64_t n = 0, *known = mem_alloc(a->n_calls * sizeof *known);
    for (size_t i = 0; i < a->n_calls; i++) known[i] = a->calls[i].correlation;
    sort_stable(known, a->n_calls, sizeof *known, compare_numbers, NULL);
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_op *op = &a->ops[i];
        n += op->call < 0 && op->correlation >= 0 && has_number(known, a->n_calls, op->correlation);
    }
    mem_free(known);
    return n;
}

static void put_ops(const struct traced *t, json_t *out) {
    const struct activity *a = t->a;
    int64_t without = 0, no_call = 0, empty = 0, zero = a->integrity.untimed, early = 0;
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_op *op = &a->ops[i];
        without += op->correlation < 0;
        no_call += op->call < 0;
        empty += op->end_ns <= op->start_ns;
        zero += op->start_ns == 0;
        early += op->call >= 0 && op->start_ns < a->calls[op->call].start_ns;
    }
    put(out, "ops", (int64_t)a->n_ops);
    put(out, "ops_without_correlation", without);
    put(out, "ops_without_call", no_call);
    put(out, "ops_zero_or_negative_duration", empty);
    put(out, "ops_start_zero", zero);
    put(out, "ops_before_their_call", early);
    put(out, "ops_whose_correlation_only_another_process_used", count_foreign(a));
}

static void put_calls(const struct activity *a, json_t *out) {
    uint8_t *is_used = mem_alloc(a->n_calls);
    int64_t sharing = 0, launches = 0, idle = 0;
    for (size_t i = 0; i < a->n_ops; i++)
        if (a->ops[i].call >= 0) is_used[a->ops[i].call] = 1;
    for (size_t i = 0; i < a->n_calls; i++) {
        const struct activity_call *c = &a->calls[i];
        sharing += i && c->correlation >= 0 && c->process == c[-1].process && c->correlation == c[-1].correlation;
        launches += is_launch(a->names[c->name]);
        idle += is_launch(a->names[c->name]) && !is_used[i];
    }
    put(out, "calls", (int64_t)a->n_calls);
    put(out, "calls_sharing_a_correlation", sharing);
    put(out, "launch_calls", launches);
    put(out, "launch_calls_without_op", idle);
    mem_free(is_used);
}

/* The last range of the thread that begins at or before `now`; -1 none. Ranges come by thread and start. */
static int32_t last_begun(const struct activity *a, int32_t thread, int64_t now_ns) {
    size_t low = 0, high = a->n_ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct activity_range *r = &a->ranges[middle];
        if (r->thread < thread || (r->thread == thread && r->start_ns <= now_ns)) low = middle + 1;
        else high = middle;
    }
    return low > 0 && a->ranges[low - 1].thread == thread ? (int32_t)low - 1 : -1;
}

static void put_ranges(const struct activity *a, json_t *out) {
    int64_t on_edge = 0, not_nested = 0;
    for (size_t i = 0; i < a->n_ranges; i++) not_nested += a->ranges[i].parent >= 0 && a->ranges[i].end_ns > a->ranges[a->ranges[i].parent].end_ns;
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_call *c = call_of(a, &a->ops[i]);
        for (int32_t at = c ? last_begun(a, c->thread, c->start_ns) : -1; at >= 0; at = a->ranges[at].parent) {
            int64_t end_ns = a->ranges[at].end_ns;
            on_edge += (c->start_ns <= end_ns && end_ns < c->end_ns) || c->start_ns == end_ns;
        }
    }
    put(out, "annotations", (int64_t)a->n_ranges);
    put(out, "annotations_not_nested", not_nested);
    put(out, "calls_on_an_annotation_edge", on_edge);
}

json_t *trace_integrity(const struct traced *t) {
    json_t *out = json_object();
    put_ops(t, out);
    put_calls(t->a, out);
    put_correlations(t->a, out);
    put_ranges(t->a, out);
    return out;
}

/* ---- what has a range, a call, or neither ---- */

json_t *trace_attribution(const struct traced *t) {
    static const char *const names[] = {"in_an_annotation", "call_but_no_annotation", "no_call"};
    struct projection p[3] = {{0}};
    json_t *out = json_object();
    for (size_t i = 0; i < t->a->n_ops; i++) {
        const struct activity_op *op = &t->a->ops[i];
        projection_add(&p[op->range >= 0 ? 0 : op->call >= 0 ? 1 : 2], op);
    }
    for (int i = 0; i < 3; i++) json_object_set_new(out, names[i], projection_json(&p[i], t->origin_ns));
    return out;
}
