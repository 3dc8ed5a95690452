#include "harness/verify/traces.h"

#include <string.h>

#include "harness/attribution/join.h"
#include "harness/verify/compare.h"
#include "harness/verify/trace.h"
#include "kernels/base/sort.h"

/* ---- a trace ---- */

static int64_t find_origin(const struct activity *a) {
    int64_t origin_ns = INT64_MAX;
    for (size_t i = 0; i < a->n_ops; i++) origin_ns = a->ops[i].start_ns < origin_ns ? a->ops[i].start_ns : origin_ns;
    for (size_t i = 0; i < a->n_calls; i++) origin_ns = a->calls[i].start_ns < origin_ns ? a->calls[i].start_ns : origin_ns;
    for (size_t i = 0; i < a->n_ranges; i++) origin_ns = a->ranges[i].start_ns < origin_ns ? a->ranges[i].start_ns : origin_ns;
    return origin_ns;
}

static int compare_names(const void *pa, const void *pb, const void *context) {
    const struct activity *a = context;
    return strcmp(a->names[*(const int32_t *)pa], a->names[*(const int32_t *)pb]);
}

static int32_t *place_op_names(const struct activity *a) {
    int32_t *place = mem_alloc(a->n_names * sizeof *place), *used = mem_alloc(a->n_names * sizeof *used);
    size_t n = 0;
    for (size_t i = 0; i < a->n_names; i++) place[i] = -1;
    for (size_t i = 0; i < a->n_ops; i++) {
        if (place[a->ops[i].name] < 0) used[n++] = a->ops[i].name;
        place[a->ops[i].name] = 0;
    }
    sort_stable(used, n, sizeof *used, compare_names, a);
    for (size_t i = 0; i < n; i++) place[used[i]] = (int32_t)i;
    mem_free(used);
    return place;
}

static enum status open_trace(const char *folder, struct traced *t, struct error *e) {
    static const char *const files[][2] = {{"trace.json.gz", "pytorch"}, {"trace.json", "pytorch"}, {"trace.sqlite", "nsys"}};
    const char *names;
    enum status s = STATUS_INPUT;
    int is_found = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files && !is_found; i++) {
        char *path = mem_printf("%s/%s", folder, files[i][0]);
        is_found = file_exists(path);
        if (is_found) s = importer_find(files[i][1], &names)->read(path, NULL, &t->imported, e);
        mem_free(path);
    }
    if (!is_found) return error_set(e, STATUS_INPUT, "'%s' holds neither trace.json.gz nor trace.json nor trace.sqlite", folder);
    if (s != STATUS_OK) return s;
    activity_join(&t->imported.activity);
    activity_sort_ops(&t->imported.activity);
    t->a = &t->imported.activity;
    t->waits = activity_waits(t->a);
    t->origin_ns = find_origin(t->a);
    t->op_name_place = place_op_names(t->a);
    return STATUS_OK;
}

static void close_trace(struct traced *t) {
    mem_free((void *)(uintptr_t)t->waits.items);
    mem_free(t->op_name_place);
    imported_free(&t->imported);
}

/* ---- rows of the table ---- */

struct row {
    const char *quantity, *ours, *reference, *detail;
    int is_equal;
};

struct table {
    struct row *rows;
    size_t count, capacity;
    struct arena arena;
};

static void add_row(struct table *t, struct row r) {
    LIST_GROW(t->rows, t->count, t->capacity);
    t->rows[t->count++] = r;
}

/* A number or text as it is; of lists and objects how much there is. */
static const char *brief(struct arena *a, const json_t *v) {
    if (!v) return "-";
    if (json_is_integer(v)) return arena_printf(a, "%lld", (long long)json_integer_value(v));
    if (json_is_string(v)) return arena_printf(a, "%.40s", json_string_value(v));
    if (json_is_array(v)) return arena_printf(a, "%zu rows", json_array_size(v));
    return json_is_object(v) ? arena_printf(a, "%zu values", json_object_size(v)) : "?";
}

/* Where two values differ first, as a path with both values; NULL where they are equal. What only one of two objects
 * has counts, but for keys that we do not claim to know. */
static const char *first_difference(struct arena *a, const char *path, const json_t *ours, const json_t *reference);

static const char *difference_in_list(struct arena *a, const char *path, const json_t *ours, const json_t *reference) {
    size_t n = json_array_size(ours), m = json_array_size(reference);
    for (size_t i = 0; i < n && i < m; i++) {
        const char *found = first_difference(a, arena_printf(a, "%s[%zu]", path, i), json_array_get(ours, i), json_array_get(reference, i));
        if (found) return found;
    }
    return n == m ? NULL : arena_printf(a, "%s%s%zu rows, not %zu", path, *path ? ": " : "", n, m);
}

/* Threads and domains are numbers here; their order was compared with that of the rows. */
static int is_unclaimed(const char *key) { return strcmp(key, "thread") == 0 || strcmp(key, "domain") == 0; }

static const char *difference_in_object(struct arena *a, const char *path, const json_t *ours, const json_t *reference) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)reference, key, value) {
        if (is_unclaimed(key)) continue;
        const char *found = first_difference(a, arena_printf(a, "%s.%.60s", path, key), json_object_get(ours, key), value);
        if (found) return found;
    }
    json_object_foreach((json_t *)(uintptr_t)ours, key, value) {
        if (json_object_get(reference, key)) continue;
        return arena_printf(a, "%s%s%.60s: %s, and none in the reference", path, *path ? "." : "", key, brief(a, value));
    }
    return NULL;
}

static const char *first_difference(struct arena *a, const char *path, const json_t *ours, const json_t *reference) {
    if (json_is_array(ours) && json_is_array(reference)) return difference_in_list(a, path, ours, reference);
    if (json_is_object(ours) && json_is_object(reference)) return difference_in_object(a, path, ours, reference);
    if (ours && reference && json_equal(ours, reference)) return NULL;
    return *path ? arena_printf(a, "%s: %s, not %s", path + (*path == '.'), brief(a, ours), brief(a, reference)) : "they differ";
}

static void compare(struct table *t, const char *quantity, const json_t *ours, const json_t *reference) {
    const char *difference = first_difference(&t->arena, "", ours, reference);
    add_row(t, (struct row){quantity, brief(&t->arena, ours), brief(&t->arena, reference), difference ? difference : "", !difference});
}

/* ---- tensors ---- */

static const char *columns_of(const char *tensor) {
    if (strcmp(tensor, "ops") == 0) return "device,stream,category,start,end,correlation,call row,call start,call end,range,bytes,name";
    if (strcmp(tensor, "gaps") == 0) return "device,start,end,ended by,sync,host,call,queued,unknown";
    return "start,end,parent,depth,inclusive,exclusive";
}

static const char *column_name(struct arena *a, const char *columns, size_t column) {
    while (column-- > 0) columns += strcspn(columns, ",") + 1;
    return arena_printf(a, "%.*s", (int)strcspn(columns, ","), columns);
}

static const char *difference_in_rows(struct arena *a, const char *tensor, const struct trace_rows *ours, const int64_t *reference) {
    size_t width = (size_t)ours->columns;
    for (size_t i = 0; i < ours->n_rows * width; i++)
        if (ours->values[i] != reference[i])
            return arena_printf(a, "row %zu, %s: %lld, not %lld", i / width, column_name(a, columns_of(tensor), i % width),
                                (long long)ours->values[i], (long long)reference[i]);
    return NULL;
}

/* An empty tensor has no second dimension worth the name. */
static void compare_rows(struct table *t, const struct checkpoint *c, const char *tensor, const struct trace_rows *ours) {
    const struct checkpoint_tensor *want = checkpoint_find(c, tensor);
    struct row r = {.quantity = arena_printf(&t->arena, "%s (each row, %d columns)", tensor, ours->columns), .detail = "",
                    .ours = arena_printf(&t->arena, "%zu rows", ours->n_rows), .reference = "-"};
    int is_table = want && want->n_dims == 2 && want->dtype == DTYPE_I64;
    if (is_table) r.reference = arena_printf(&t->arena, "%lld rows", (long long)want->dims[0]);
    int is_same_shape = is_table && want->dims[0] == (int64_t)ours->n_rows && (ours->n_rows == 0 || want->dims[1] == ours->columns);
    const char *difference = is_same_shape ? difference_in_rows(&t->arena, tensor, ours, want->data) : "the shapes differ";
    r.is_equal = !difference;
    if (difference) r.detail = difference;
    add_row(t, r);
}

static void compare_tensors(struct table *t, const struct traced *x, const struct checkpoint *c) {
    static const struct {
        const char *tensor;
        void (*collect)(const struct traced *t, struct trace_rows *out);
    } tensors[] = {{"ops", trace_rows_of_ops}, {"gaps", trace_rows_of_gaps}, {"annotations", trace_rows_of_ranges}};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        struct trace_rows rows;
        tensors[i].collect(x, &rows);
        compare_rows(t, c, tensors[i].tensor, &rows);
        mem_free(rows.values);
    }
}

/* ---- expected.json ---- */

static const struct {
    const char *key, *quantity;
    json_t *(*make)(const struct traced *t);
} facts[] = {
    {"op_names", "names of operations", trace_op_names},
    {"by_name", "operations by name", trace_ops_by_name},
    {"calls_by_name", "calls by name", trace_calls_by_name},
    {"annotations", "ranges, inclusive and exclusive", trace_ranges},
    {"annotations_by_name", "ranges by name", trace_ranges_by_name},
    {"attribution", "with a range, a call, neither", trace_attribution},
    {"launch", "launch delays", trace_launch},
    {"graphs", "graph launches, each", trace_graphs},
    {"integrity", "integrity counts", trace_integrity},
};

static const char *const device_keys[] = {"ops", "first_ns", "last_ns", "span_ns", "busy_ns", "sum_ns", "idle_ns", "by_category", "by_class",
    "compute_and_communication_ns", "communication_alone_ns", "ns_with_n_ops_running", "streams", "gaps"};
static const char *const gap_keys[] = {"n", "max_ns", "sync_ns", "host_ns", "call_ns", "queued_ns", "unknown_ns"};

static void compare_device(struct table *t, const json_t *ours, const json_t *reference) {
    const char *device = brief(&t->arena, json_object_get(reference, "device"));
    compare(t, arena_printf(&t->arena, "device %s", device), json_object_get(ours, "device"), json_object_get(reference, "device"));
    for (size_t i = 0; i < sizeof device_keys / sizeof *device_keys; i++)
        compare(t, arena_printf(&t->arena, "device %s: %s", device, device_keys[i]), json_object_get(ours, device_keys[i]),
                json_object_get(reference, device_keys[i]));
    for (size_t i = 0; i < sizeof gap_keys / sizeof *gap_keys; i++)
        compare(t, arena_printf(&t->arena, "device %s: gaps.%s", device, gap_keys[i]), json_object_get(json_object_get(ours, "gaps"), gap_keys[i]),
                json_object_get(json_object_get(reference, "gaps"), gap_keys[i]));
}

/* Our account's overlap is the reference's time with two or more. */
static void compare_overlap(struct table *t, const json_t *ours, const json_t *reference) {
    const char *key;
    json_t *value, *sum;
    json_int_t ns = 0;
    json_object_foreach(json_object_get(reference, "ns_with_n_ops_running"), key, value) ns += strcmp(key, "1") == 0 ? 0 : json_integer_value(value);
    sum = json_integer(ns);
    compare(t, arena_printf(&t->arena, "device %s: overlap_ns", brief(&t->arena, json_object_get(reference, "device"))),
            json_object_get(ours, "overlap_ns"), sum);
    json_decref(sum);
}

static void compare_devices(struct table *t, const struct traced *x, const json_t *expected) {
    json_t *ours = trace_devices(x), *reference = json_object_get(expected, "devices");
    size_t n = json_array_size(ours) > json_array_size(reference) ? json_array_size(ours) : json_array_size(reference);
    for (size_t i = 0; i < n; i++) {
        compare_device(t, json_array_get(ours, i), json_array_get(reference, i));
        compare_overlap(t, json_array_get(ours, i), json_array_get(reference, i));
    }
    json_decref(ours);
}

/* Stages and idle time sum to the span. */
static void check_conservation(struct table *t, const json_t *line) {
    const char *key;
    json_t *value;
    json_int_t sum = json_integer_value(json_object_get(line, "idle_ns"));
    json_object_foreach(json_object_get(line, "stages_ns"), key, value) sum += json_integer_value(value);
    json_t *total = json_integer(sum);
    compare(t, arena_printf(&t->arena, "ledger of device %s: its sum", brief(&t->arena, json_object_get(line, "device"))), total,
            json_object_get(line, "span_ns"));
    json_decref(total);
}

static void compare_ledgers(struct table *t, const struct traced *x, const json_t *expected) {
    json_t *ours = trace_ledger(x), *line;
    size_t i;
    compare(t, "ledger by exclusive range", ours, json_object_get(expected, "ledger"));
    json_array_foreach(ours, i, line) check_conservation(t, line);
    json_decref(ours);
}

static void compare_all(struct table *t, const struct traced *x, const json_t *expected, const struct checkpoint *c) {
    json_t *origin = json_string(arena_printf(&t->arena, "%lld", (long long)x->origin_ns));
    compare(t, "origin_ns", origin, json_object_get(expected, "origin_ns"));
    json_decref(origin);
    compare_tensors(t, x, c);
    compare_devices(t, x, expected);
    compare_ledgers(t, x, expected);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        json_t *ours = facts[i].make(x);
        compare(t, facts[i].quantity, ours, json_object_get(expected, facts[i].key));
        json_decref(ours);
    }
}

/* ---- output ---- */

static void print_table(const struct table *t, const char *name, FILE *out) {
    fprintf(out, "%s\n%-48s %22s %22s  %s\n", name, "quantity", "ours", "reference", "verdict");
    for (size_t i = 0; i < t->count; i++) {
        const struct row *r = &t->rows[i];
        fprintf(out, "%-48s %22s %22s  %s%s%s\n", r->quantity, r->ours, r->reference, r->is_equal ? "equal" : "FAILED", *r->detail ? ": " : "",
                r->detail);
    }
    fputc('\n', out);
}

static json_t *table_json(const struct table *t, const char *name) {
    json_t *rows = json_array();
    for (size_t i = 0; i < t->count; i++) {
        const struct row *r = &t->rows[i];
        json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:s}", "quantity", r->quantity, "ours", r->ours, "reference", r->reference, "verdict",
                                              r->is_equal ? "equal" : "FAILED", "detail", r->detail));
    }
    return json_pack("{s:s,s:o}", "trace", name, "quantities", rows);
}

struct verifying {
    const struct verify_traces_request *q;
    FILE *out;
    json_t *traces;                /* of -o json */
    int n_failed;
};

static void finish_table(struct verifying *v, const struct table *t, const char *folder) {
    const char *name = reference_name(folder);
    for (size_t i = 0; i < t->count; i++) v->n_failed += !t->rows[i].is_equal;
    if (v->q->as_json) json_array_append_new(v->traces, table_json(t, name));
    else print_table(t, name, v->out);
}

/* ---- folders ---- */

static enum status verify_folder(void *context, const char *folder, struct error *e) {
    struct verifying *v = context;
    struct table table = {0};
    struct traced traced = {0};
    struct checkpoint tensors = {0};
    json_error_t where;
    const char *path = arena_printf(&table.arena, "%s/expected.json", folder);
    json_t *expected = json_load_file(path, 0, &where);
    enum status s = expected ? STATUS_OK : error_set(e, STATUS_INPUT, "%s: line %d: %s", path, where.line, where.text);
    if (s == STATUS_OK) s = safetensors_open(arena_printf(&table.arena, "%s/expected.safetensors", folder), &tensors, e);
    if (s == STATUS_OK) s = open_trace(folder, &traced, e);
    if (s == STATUS_OK) {
        compare_all(&table, &traced, expected, &tensors);
        finish_table(v, &table, folder);
    }
    json_decref(expected);
    checkpoint_close(&tensors);
    close_trace(&traced);
    mem_free(table.rows);
    arena_free(&table.arena);
    return s;
}

enum status verify_traces(const struct verify_traces_request *q, FILE *out, int *n_failed, struct error *e) {
    struct verifying v = {.q = q, .out = out, .traces = json_array()};
    enum status s = reference_each(q->folder, "traces", verify_folder, &v, e);
    if (s == STATUS_OK && q->as_json) {
        json_t *root = json_pack("{s:s,s:i,s:b,s:i,s:O}", "format", "assay-verify", "version", 1, "ok", v.n_failed == 0, "failed", v.n_failed,
                                 "traces", v.traces);
        json_dumpf(root, out, JSON_INDENT(1));
        fputc('\n', out);
        json_decref(root);
    }
    json_decref(v.traces);
    *n_failed = v.n_failed;
    return s;
}
