/* trace_devices.c: what a device did and why it stood still. Counts of what runs at once are taken at every start and
 * end, apart from the account, which gives busy and idle time. */
#include <string.h>

#include "harness/verify/trace.h"
#include "kernels/base/sort.h"

/* ---- projections ---- */

void projection_add(struct projection *p, const struct activity_op *op) {
    int is_new = p->ops == 0;
    if (is_new || op->device != p->device) p->end_ns = op->start_ns;
    if (is_new || op->start_ns < p->first_ns) p->first_ns = op->start_ns;
    if (is_new || op->end_ns > p->last_ns) p->last_ns = op->end_ns;
    p->device = op->device;
    p->ops++;
    p->sum_ns += op->end_ns - op->start_ns;
    int64_t from = op->start_ns > p->end_ns ? op->start_ns : p->end_ns;
    if (op->end_ns <= from) return;
    p->busy_ns += op->end_ns - from;
    p->end_ns = op->end_ns;
}

json_t *projection_json(const struct projection *p, int64_t origin_ns) {
    int64_t first = p->ops ? p->first_ns - origin_ns : -1, last = p->ops ? p->last_ns - origin_ns : -1;
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "ops", (json_int_t)p->ops, "sum_ns", (json_int_t)p->sum_ns, "busy_ns", (json_int_t)p->busy_ns,
                     "first_ns", (json_int_t)first, "last_ns", (json_int_t)last);
}

/* ---- what runs at once ---- */

enum kind { KIND_KERNEL, KIND_MEMCPY, KIND_MEMSET, KIND_COMPUTE, KIND_COMMUNICATION, KIND_MEMORY, KIND_COUNT };

struct edge {
    int64_t time_ns;
    int8_t step;                   /* 1 begins, -1 ends */
    uint8_t category, class;
};

struct device_sum {
    size_t first, last;            /* its operations */
    int64_t n[KIND_COUNT], sum_ns[KIND_COUNT], busy_ns[KIND_COUNT], bytes[KIND_COUNT];
    int64_t both_ns, alone_ns;     /* computing and communicating; communicating and nothing else */
    int64_t *with_n_ns;            /* by how many run */
    size_t n_with;
};

static int compare_edges(const void *pa, const void *pb, const void *context) {
    const struct edge *a = pa, *b = pb;
    (void)context;
    return SORT_BY(a->time_ns, b->time_ns);
}

static enum kind class_of(const struct activity *a, const struct activity_op *op) {
    enum device_category c = device_category_of(a, op);
    return c == DEVICE_COPY ? KIND_MEMORY : c == DEVICE_COMMUNICATION ? KIND_COMMUNICATION : KIND_COMPUTE;
}

static size_t collect_edges(const struct activity *a, const struct device_sum *d, struct edge *out) {
    size_t n = 0;
    for (size_t i = d->first; i < d->last; i++) {
        const struct activity_op *op = &a->ops[i];
        if (op->end_ns == op->start_ns) continue;
        out[n++] = (struct edge){op->start_ns, 1, op->kind, (uint8_t)class_of(a, op)};
        out[n++] = (struct edge){op->end_ns, -1, op->kind, (uint8_t)class_of(a, op)};
    }
    sort_stable(out, n, sizeof *out, compare_edges, NULL);
    return n;
}

/* Time between two edges, to all that run. */
static void add_stretch(struct device_sum *d, const int64_t *running, size_t n_running, int64_t ns) {
    if (n_running == 0 || ns == 0) return;
    d->with_n_ns[n_running] += ns;
    if (n_running >= d->n_with) d->n_with = n_running + 1;
    for (int k = 0; k < KIND_COUNT; k++) d->busy_ns[k] += running[k] ? ns : 0;
    if (running[KIND_COMPUTE] && running[KIND_COMMUNICATION]) d->both_ns += ns;
    if (running[KIND_COMMUNICATION] && !running[KIND_COMPUTE] && !running[KIND_MEMORY]) d->alone_ns += ns;
}

static void count_running(const struct activity *a, struct device_sum *d) {
    struct edge *edges = mem_alloc(2 * (d->last - d->first) * sizeof *edges);
    size_t n = collect_edges(a, d, edges), n_running = 0;
    int64_t running[KIND_COUNT] = {0};
    for (size_t i = 0; i < n; i++) {
        if (i) add_stretch(d, running, n_running, edges[i].time_ns - edges[i - 1].time_ns);
        running[edges[i].category] += edges[i].step;
        running[edges[i].class] += edges[i].step;
        n_running += (size_t)edges[i].step;
    }
    mem_free(edges);
}

static void add_op(struct device_sum *d, int kind, const struct activity_op *op) {
    d->n[kind]++;
    d->sum_ns[kind] += op->end_ns - op->start_ns;
    d->bytes[kind] += op->bytes;
}

static void sum_device(const struct activity *a, struct device_sum *d) {
    d->with_n_ns = mem_alloc((d->last - d->first + 1) * sizeof *d->with_n_ns);
    for (size_t i = d->first; i < d->last; i++) {
        add_op(d, a->ops[i].kind, &a->ops[i]);
        add_op(d, (int)class_of(a, &a->ops[i]), &a->ops[i]);
    }
    count_running(a, d);
}

static json_t *kinds_json(const struct device_sum *d, int first, int last, int with_bytes) {
    static const char *const names[] = {"kernel", "memcpy", "memset", "compute", "communication", "memory"};
    json_t *out = json_object();
    for (int k = first; k < last; k++) {
        json_t *one = json_pack("{s:I,s:I,s:I}", "n", (json_int_t)d->n[k], "sum_ns", (json_int_t)d->sum_ns[k], "busy_ns", (json_int_t)d->busy_ns[k]);
        if (with_bytes) json_object_set_new(one, "bytes", json_integer((json_int_t)d->bytes[k]));
        json_object_set_new(out, names[k], one);
    }
    return out;
}

static json_t *running_json(const struct device_sum *d) {
    json_t *out = json_object();
    for (size_t n = 1; n < d->n_with; n++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", n);
        if (d->with_n_ns[n]) json_object_set_new(out, key, json_integer((json_int_t)d->with_n_ns[n]));
    }
    return out;
}

/* ---- streams ---- */

struct stream_sum {
    int32_t stream;
    struct projection p;
};

static int compare_streams(const void *pa, const void *pb, const void *context) {
    const struct stream_sum *a = pa, *b = pb;
    (void)context;
    return SORT_BY(a->stream, b->stream);
}

static json_t *streams_json(const struct traced *t, const struct device_sum *d) {
    struct stream_sum *list = NULL;
    size_t n = 0, capacity = 0;
    for (size_t i = d->first; i < d->last; i++) {
        const struct activity_op *op = &t->a->ops[i];
        size_t at = 0;
        while (at < n && list[at].stream != op->stream) at++;
        if (at == n) {
            LIST_GROW(list, n, capacity);
            list[n++] = (struct stream_sum){.stream = op->stream};
        }
        projection_add(&list[at].p, op);
    }
    sort_stable(list, n, sizeof *list, compare_streams, NULL);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *one = projection_json(&list[i].p, t->origin_ns);
        json_object_set_new(one, "stream", json_integer(list[i].stream));
        json_object_set_new(one, "self_overlap_ns", json_integer((json_int_t)(list[i].p.sum_ns - list[i].p.busy_ns)));
        json_array_append_new(out, one);
    }
    mem_free(list);
    return out;
}

/* ---- the account ---- */

struct device_account {
    struct account account;
    struct account_work *work;
    struct arena arena;
};

/* Owners are the names of the innermost ranges; the last one has what has none. */
static void close_device(const struct traced *t, size_t first, size_t last, struct device_account *out) {
    const struct activity *a = t->a;
    *out = (struct device_account){.work = mem_alloc((last - first) * sizeof *out->work)};
    for (size_t i = first; i < last; i++) {
        out->work[i - first] = activity_work(a, &a->ops[i]);
        out->work[i - first].owner = a->ops[i].range < 0 ? (int32_t)a->n_names : a->ranges[a->ops[i].range].name;
    }
    struct account_wait *waits = arena_alloc(&out->arena, t->waits.n * sizeof *waits);
    if (t->waits.n) memcpy(waits, t->waits.items, t->waits.n * sizeof *waits);
    account_close(out->work, last - first, waits, t->waits.n, (int)a->n_names + 1, &out->arena, &out->account);
}

static void device_account_free(struct device_account *d) {
    mem_free(d->work);
    arena_free(&d->arena);
}

static size_t device_end(const struct activity *a, size_t first) {
    size_t last = first;
    while (last < a->n_ops && a->ops[last].device == a->ops[first].device) last++;
    return last;
}

static json_t *gaps_json(const struct account *x) {
    int64_t longest = 0;
    for (size_t i = 0; i < x->n_gaps; i++)
        if (x->gaps[i].end_ns - x->gaps[i].start_ns > longest) longest = x->gaps[i].end_ns - x->gaps[i].start_ns;
    return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "n", (json_int_t)x->n_gaps, "max_ns", (json_int_t)longest, "sync_ns",
                     (json_int_t)x->piece_ns[PIECE_SYNC], "host_ns", (json_int_t)x->piece_ns[PIECE_HOST], "call_ns",
                     (json_int_t)x->piece_ns[PIECE_CALL], "queued_ns", (json_int_t)x->piece_ns[PIECE_QUEUED], "unknown_ns",
                     (json_int_t)x->piece_ns[PIECE_UNKNOWN]);
}

static json_t *device_json(const struct traced *t, size_t first, size_t last) {
    struct device_sum d = {.first = first, .last = last};
    struct device_account c;
    sum_device(t->a, &d);
    close_device(t, first, last, &c);
    const struct account *x = &c.account;
    json_t *out = json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "device", (int)t->a->ops[first].device, "ops", (json_int_t)(last - first), "sum_ns",
                            (json_int_t)x->sum_ns, "first_ns", (json_int_t)(x->first_ns - t->origin_ns), "last_ns",
                            (json_int_t)(x->last_ns - t->origin_ns), "span_ns", (json_int_t)(x->last_ns - x->first_ns), "busy_ns",
                            (json_int_t)x->busy_ns, "idle_ns", (json_int_t)(x->last_ns - x->first_ns - x->busy_ns));
    json_object_set_new(out, "by_category", kinds_json(&d, KIND_KERNEL, KIND_COMPUTE, 1));
    json_object_set_new(out, "by_class", kinds_json(&d, KIND_COMPUTE, KIND_COUNT, 0));
    json_object_set_new(out, "compute_and_communication_ns", json_integer((json_int_t)d.both_ns));
    json_object_set_new(out, "communication_alone_ns", json_integer((json_int_t)d.alone_ns));
    json_object_set_new(out, "ns_with_n_ops_running", running_json(&d));
    json_object_set_new(out, "overlap_ns", json_integer((json_int_t)x->overlap_ns));
    json_object_set_new(out, "streams", streams_json(t, &d));
    json_object_set_new(out, "gaps", gaps_json(x));
    mem_free(d.with_n_ns);
    device_account_free(&c);
    return out;
}

json_t *trace_devices(const struct traced *t) {
    json_t *out = json_array();
    for (size_t first = 0, last; first < t->a->n_ops; first = last) {
        last = device_end(t->a, first);
        json_array_append_new(out, device_json(t, first, last));
    }
    return out;
}

static json_t *stages_json(const struct traced *t, const struct device_account *c) {
    json_t *out = json_object();
    for (size_t i = 0; i <= t->a->n_names; i++)
        if (c->account.owner_ns[i])
            json_object_set_new(out, i < t->a->n_names ? t->a->names[i] : "", json_integer((json_int_t)c->account.owner_ns[i]));
    return out;
}

json_t *trace_ledger(const struct traced *t) {
    json_t *out = json_array();
    for (size_t first = 0, last; first < t->a->n_ops; first = last) {
        struct device_account c;
        last = device_end(t->a, first);
        close_device(t, first, last, &c);
        int64_t span_ns = c.account.last_ns - c.account.first_ns;
        json_array_append_new(out, json_pack("{s:i,s:o,s:I,s:I,s:I}", "device", (int)t->a->ops[first].device, "stages_ns", stages_json(t, &c),
                                             "busy_ns", (json_int_t)c.account.busy_ns, "idle_ns", (json_int_t)(span_ns - c.account.busy_ns),
                                             "span_ns", (json_int_t)span_ns));
        device_account_free(&c);
    }
    return out;
}

/* device, start, end, row in ops, sync, host, call, queued, unknown */
enum { GAP_COLUMNS = 9 };

static void put_gap(struct trace_rows *out, const struct traced *t, int32_t device, size_t first, const struct account_gap *g) {
    int64_t *v = out->values + out->n_rows++ * GAP_COLUMNS;
    v[0] = device;
    v[1] = g->start_ns - t->origin_ns;
    v[2] = g->end_ns - t->origin_ns;
    v[3] = (int64_t)first + g->ended_by;
    memcpy(v + 4, g->piece_ns, sizeof g->piece_ns);
}

void trace_rows_of_gaps(const struct traced *t, struct trace_rows *out) {
    *out = (struct trace_rows){.values = mem_alloc(t->a->n_ops * GAP_COLUMNS * sizeof *out->values), .columns = GAP_COLUMNS};
    for (size_t first = 0, last; first < t->a->n_ops; first = last) {
        struct device_account c;
        last = device_end(t->a, first);
        close_device(t, first, last, &c);
        for (size_t i = 0; i < c.account.n_gaps; i++) put_gap(out, t, t->a->ops[first].device, first, &c.account.gaps[i]);
        device_account_free(&c);
    }
}
