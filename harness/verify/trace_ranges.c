/* trace_ranges.c: what ranges own: exclusively (the innermost) and inclusively (every one around the call). */
#include <string.h>

#include "harness/verify/trace.h"
#include "kernels/base/sort.h"

/* How many rows expected.json lists, and from how many ranges on only those with operations. */
enum { LISTED_RANGES = 400, MANY_RANGES = 1500, LISTED_NAMES = 300, MANY_NAMES = 500 };

struct owned {
    struct projection inclusive, exclusive;
    int64_t n, host_ns;
    int32_t name, last_op;         /* last_op: an operation counts once, also in two ranges of one name */
};

/* Calls `own(list, place of the range, operation)` for every range around an operation's call, innermost first. */
static void each_owner(const struct activity *a, struct owned *list, void (*own)(const struct activity *, struct owned *, int32_t, int32_t, int)) {
    for (size_t i = 0; i < a->n_ops; i++) {
        const struct activity_op *op = &a->ops[i];
        for (int32_t at = op->range; at >= 0; at = a->ranges[at].parent)
            if (a->calls[op->call].start_ns < a->ranges[at].end_ns) own(a, list, at, (int32_t)i, at == op->range);
    }
}

static void own_by_range(const struct activity *a, struct owned *list, int32_t range, int32_t op, int is_innermost) {
    projection_add(&list[range].inclusive, &a->ops[op]);
    if (is_innermost) projection_add(&list[range].exclusive, &a->ops[op]);
}

static void own_by_name(const struct activity *a, struct owned *list, int32_t range, int32_t op, int is_innermost) {
    struct owned *o = &list[a->ranges[range].name];
    if (is_innermost) projection_add(&o->exclusive, &a->ops[op]);
    if (o->last_op == op) return;
    o->last_op = op;
    projection_add(&o->inclusive, &a->ops[op]);
}

static struct owned *owned_by_range(const struct activity *a) {
    struct owned *list = mem_alloc(a->n_ranges * sizeof *list);
    each_owner(a, list, own_by_range);
    return list;
}

/* start, end, parent row, depth, operations inclusive, operations exclusive */
enum { RANGE_COLUMNS = 6 };

void trace_rows_of_ranges(const struct traced *t, struct trace_rows *out) {
    const struct activity *a = t->a;
    struct owned *list = owned_by_range(a);
    *out = (struct trace_rows){
        .values = mem_alloc(a->n_ranges * RANGE_COLUMNS * sizeof *out->values), .n_rows = a->n_ranges, .columns = RANGE_COLUMNS};
    for (size_t i = 0; i < a->n_ranges; i++) {
        const struct activity_range *r = &a->ranges[i];
        const int64_t row[RANGE_COLUMNS] = {r->start_ns - t->origin_ns, r->end_ns - t->origin_ns, r->parent, r->depth,
                                            list[i].inclusive.ops,      list[i].exclusive.ops};
        memcpy(out->values + i * RANGE_COLUMNS, row, sizeof row);
    }
    mem_free(list);
}

static json_t *owned_json(const struct traced *t, const struct owned *o, const char *name) {
    return json_pack("{s:s,s:o,s:o}", "name", name, "inclusive", projection_json(&o->inclusive, t->origin_ns), "exclusive",
                     projection_json(&o->exclusive, t->origin_ns));
}

json_t *trace_ranges(const struct traced *t) {
    const struct activity *a = t->a;
    struct owned *list = owned_by_range(a);
    json_t *out = json_array();
    for (size_t i = 0; i < a->n_ranges && json_array_size(out) < LISTED_RANGES; i++) {
        const struct activity_range *r = &a->ranges[i];
        if (a->n_ranges > MANY_RANGES && list[i].inclusive.ops == 0) continue;
        json_t *one = owned_json(t, &list[i], a->names[r->name]);
        json_object_set_new(one, "index", json_integer((json_int_t)i));
        json_object_set_new(one, "start_ns", json_integer((json_int_t)(r->start_ns - t->origin_ns)));
        json_object_set_new(one, "end_ns", json_integer((json_int_t)(r->end_ns - t->origin_ns)));
        json_object_set_new(one, "parent", json_integer(r->parent));
        json_object_set_new(one, "depth", json_integer(r->depth));
        json_array_append_new(out, one);
    }
    mem_free(list);
    return out;
}

static int compare_owned(const void *pa, const void *pb, const void *context) {
    const struct owned *a = pa, *b = pb;
    const struct activity *activity = context;
    if (a->exclusive.sum_ns != b->exclusive.sum_ns) return SORT_BY(b->exclusive.sum_ns, a->exclusive.sum_ns);
    return strcmp(activity->names[a->name], activity->names[b->name]);
}

json_t *trace_ranges_by_name(const struct traced *t) {
    const struct activity *a = t->a;
    struct owned *list = mem_alloc(a->n_names * sizeof *list);
    json_t *out = json_array();
    size_t n = 0;
    for (size_t i = 0; i < a->n_names; i++) list[i] = (struct owned){.name = (int32_t)i, .last_op = -1};
    for (size_t i = 0; i < a->n_ranges; i++) {
        n += list[a->ranges[i].name].n++ == 0;
        list[a->ranges[i].name].host_ns += a->ranges[i].end_ns - a->ranges[i].start_ns;
    }
    each_owner(a, list, own_by_name);
    sort_stable(list, a->n_names, sizeof *list, compare_owned, a);
    for (size_t i = 0; i < a->n_names && json_array_size(out) < LISTED_NAMES; i++) {
        if (list[i].n == 0 || (n > MANY_NAMES && list[i].inclusive.ops == 0)) continue;
        json_t *one = owned_json(t, &list[i], a->names[list[i].name]);
        json_object_set_new(one, "n", json_integer((json_int_t)list[i].n));
        json_object_set_new(one, "host_sum_ns", json_integer((json_int_t)list[i].host_ns));
        json_array_append_new(out, one);
    }
    mem_free(list);
    return out;
}
