/* pytorch.c: traces of the PyTorch profiler (Kineto): Trace Event JSON, plain or gzip. An event at a time; what is
 * kept of one are the few fields below. Which rows count, and why: golden/traces, "Kineto JSON". */
#include <stdio.h>
#include <string.h>

#include "harness/import/decimal.h"
#include "harness/import/json_reader.h"
#include "harness/import/rows.h"

/* ---- the fields of an event ---- */

#define EVENT_FIELDS(X) X(PH, "ph") X(CAT, "cat") X(NAME, "name") X(PID, "pid") X(TID, "tid") X(TS, "ts") X(DUR, "dur")
#define ARGUMENT_FIELDS(X) X(DEVICE, "device") X(STREAM, "stream") X(CORRELATION, "correlation") X(BYTES, "bytes") X(GRAPH_NODE, "graph node id")
enum field {
#define X(id, key) FIELD_##id,
    EVENT_FIELDS(X) FIELD_EVENT_COUNT,
    FIELD_LAST_OF_EVENT = FIELD_EVENT_COUNT - 1,
    ARGUMENT_FIELDS(X) FIELD_COUNT
#undef X
};

static const char *const field_keys[FIELD_COUNT] = {
#define X(id, key) [FIELD_##id] = key,
    EVENT_FIELDS(X) ARGUMENT_FIELDS(X)
#undef X
};

struct device_name {
    char *name, *memory_bytes;     /* of the arena; NULL not recorded */
};

struct reading {
    struct json_reader json;
    struct rows rows;
    struct imported *out;
    struct text field[FIELD_COUNT];
    uint8_t has[FIELD_COUNT];
    int has_events;
    int64_t base_ns;               /* of the wall clock; 0 not recorded */
    struct device_name *devices;
    size_t n_devices, device_capacity;
};

/* ---- what an event is ---- */

static const char *field_text(const struct reading *r, enum field f) { return r->has[f] ? r->field[f].data : ""; }

static int64_t field_whole(const struct reading *r, enum field f, int64_t otherwise) {
    int64_t value;
    return r->has[f] && decimal_whole(r->field[f].data, &value) ? value : otherwise;
}

/* Correlation 0 is CUPTI's word for none. */
static int64_t correlation_of(const struct reading *r) {
    int64_t c = field_whole(r, FIELD_CORRELATION, -1);
    return c == 0 ? -1 : c;
}

static int32_t clipped(int64_t x) { return x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : (int32_t)x; }

static int32_t name_of(struct reading *r) {
    if (r->has[FIELD_NAME]) rows_clean_text(r->field[FIELD_NAME].data);
    const char *name = field_text(r, FIELD_NAME);
    return activity_name(&r->out->activity, name, strlen(name));
}

static int32_t thread_of(struct reading *r) {
    if (r->has[FIELD_TID]) rows_clean_text(r->field[FIELD_TID].data);
    if (r->has[FIELD_PID]) rows_clean_text(r->field[FIELD_PID].data);
    return rows_thread(&r->rows, field_text(r, FIELD_PID), field_text(r, FIELD_TID));
}

/* 0 where the event has no time (counted); a time that is none is an error. */
static int times_of(struct reading *r, int64_t *start_ns, int64_t *end_ns) {
    int64_t duration_ns = 0;
    if (!r->has[FIELD_TS]) return r->out->activity.integrity.untimed++, 0;
    if (!decimal_ns(r->field[FIELD_TS].data, start_ns) || (r->has[FIELD_DUR] && !decimal_ns(r->field[FIELD_DUR].data, &duration_ns)) ||
        __builtin_add_overflow(*start_ns, duration_ns, end_ns)) {
        json_fail(&r->json, "the event before has a time that is no number of microseconds");
        return 0;
    }
    return 1;
}

static void fail_row(struct reading *r, const char *problem) {
    char what[256];
    snprintf(what, sizeof what, "the %s event '%.60s' before: %s; record the trace again", field_text(r, FIELD_CAT), field_text(r, FIELD_NAME),
             problem);
    json_fail(&r->json, what);
}

static void take_op(struct reading *r, int kind) {
    struct activity_op op = {.correlation = correlation_of(r), .call = -1, .range = -1, .kind = (uint8_t)kind};
    if (!times_of(r, &op.start_ns, &op.end_ns)) return;
    op.device = clipped(field_whole(r, FIELD_DEVICE, -1));
    op.stream = clipped(field_whole(r, FIELD_STREAM, -1));
    op.bytes = field_whole(r, FIELD_BYTES, 0);
    op.owner = (uint64_t)field_whole(r, FIELD_GRAPH_NODE, 0);
    op.is_in_graph = op.owner != 0;
    op.name = name_of(r);
    const char *problem = rows_op(&r->rows, &op);
    if (problem) fail_row(r, problem);
}

static void take_call(struct reading *r, int kind) {
    struct activity_call call = {.correlation = correlation_of(r)};
    (void)kind;
    if (!times_of(r, &call.start_ns, &call.end_ns)) return;
    call.thread = thread_of(r);
    call.name = name_of(r);
    const char *problem = rows_call(&r->rows, &call);
    if (problem) fail_row(r, problem);
}

static void take_range(struct reading *r, int kind) {
    struct activity_range range = {.parent = -1};
    (void)kind;
    if (!times_of(r, &range.start_ns, &range.end_ns)) return;
    range.thread = thread_of(r);
    range.name = name_of(r);
    const char *problem = rows_range(&r->rows, &range);
    if (problem) fail_row(r, problem);
}

/* Everything else is host side, derived, or a wait, and no work. A file is one process. */
static const struct {
    const char *category;
    void (*take)(struct reading *r, int kind);
    int kind;
} event_kinds[] = {
    {"kernel", take_op, ACTIVITY_KERNEL},   {"gpu_memcpy", take_op, ACTIVITY_COPY}, {"gpu_memset", take_op, ACTIVITY_SET},
    {"cuda_runtime", take_call, 0},         {"cuda_driver", take_call, 0},          {"user_annotation", take_range, 0},
    {"Kernel", take_op, ACTIVITY_KERNEL},   {"Memcpy", take_op, ACTIVITY_COPY},     {"Memset", take_op, ACTIVITY_SET}, /* until 2021 */
    {"Runtime", take_call, 0},              {"Driver", take_call, 0},
};

static void take_event(struct reading *r) {
    if (strcmp(field_text(r, FIELD_PH), "X") != 0) return;
    const char *category = field_text(r, FIELD_CAT);
    for (size_t i = 0; i < sizeof event_kinds / sizeof *event_kinds; i++)
        if (strcmp(event_kinds[i].category, category) == 0) event_kinds[i].take(r, event_kinds[i].kind);
}

/* ---- reading events ---- */

static int find_field(const char *key, int first, int last) {
    for (int f = first; f < last; f++)
        if (strcmp(field_keys[f], key) == 0) return f;
    return -1;
}

/* The value that comes next, kept as text; null is as absent. */
static void read_field(struct reading *r, int f) {
    int is_word = json_peek(&r->json) == JSON_KIND_WORD;
    const char *text = json_scalar(&r->json);
    r->has[f] = text && !(is_word && strcmp(text, "null") == 0);
    r->field[f].length = 0;
    if (r->has[f]) text_append_bytes(&r->field[f], text, r->json.text.length);
}

static void read_arguments(struct reading *r) {
    const char *key;
    if (json_peek(&r->json) != JSON_KIND_OBJECT) {
        json_skip(&r->json);
        return;
    }
    for (int first = 1; json_next_key(&r->json, &first, &key);) {
        int f = find_field(key, FIELD_EVENT_COUNT, FIELD_COUNT);
        if (f < 0) json_skip(&r->json);
        else read_field(r, f);
    }
}

static void read_event(struct reading *r) {
    const char *key;
    memset(r->has, 0, sizeof r->has);
    for (int first = 1; json_next_key(&r->json, &first, &key);) {
        int f = find_field(key, 0, FIELD_EVENT_COUNT);
        if (f >= 0) read_field(r, f);
        else if (strcmp(key, "args") == 0) read_arguments(r);
        else json_skip(&r->json);
    }
    if (r->json.status == STATUS_OK) take_event(r);
}

static void read_events(struct reading *r) {
    r->has_events = 1;
    for (int first = 1; json_next_item(&r->json, &first);) {
        if (json_peek(&r->json) == JSON_KIND_OBJECT) read_event(r);
        else json_skip(&r->json);
    }
}

/* ---- what stands beside them ---- */

static void read_device(struct reading *r) {
    struct device_name d = {0};
    const char *key, *text;
    if (json_peek(&r->json) != JSON_KIND_OBJECT) {
        json_skip(&r->json);
        return;
    }
    for (int first = 1; json_next_key(&r->json, &first, &key);) {
        char **to = strcmp(key, "name") == 0 ? &d.name : strcmp(key, "totalGlobalMem") == 0 ? &d.memory_bytes : NULL;
        if (!to) json_skip(&r->json);
        else if ((text = json_scalar(&r->json)) && *text) rows_clean_text(*to = arena_copy_string(&r->out->arena, text));
    }
    LIST_GROW(r->devices, r->n_devices, r->device_capacity);
    r->devices[r->n_devices++] = d;
}

static void read_devices(struct reading *r) {
    if (json_peek(&r->json) != JSON_KIND_ARRAY) {
        json_skip(&r->json);
        return;
    }
    for (int first = 1; json_next_item(&r->json, &first);) read_device(r);
}

static void read_fact(struct reading *r, const char *fact) {
    const char *text = json_scalar(&r->json);
    if (!text) return;
    rows_clean_text(r->json.text.data);
    imported_environment(r->out, fact, text);
}

static void read_distributed(struct reading *r) {
    const char *key, *text;
    int64_t rank;
    if (json_peek(&r->json) != JSON_KIND_OBJECT) {
        json_skip(&r->json);
        return;
    }
    for (int first = 1; json_next_key(&r->json, &first, &key);) {
        if (strcmp(key, "rank") == 0) {
            if ((text = json_scalar(&r->json)) && decimal_whole(text, &rank) && rank >= 0 && rank < INT32_MAX) r->out->rank = (int)rank;
        } else if (strcmp(key, "world_size") == 0) read_fact(r, "distributed.world_size");
        else if (strcmp(key, "backend") == 0) read_fact(r, "distributed.backend");
        else if (strcmp(key, "nccl_version") == 0) read_fact(r, "nccl.version");
        else json_skip(&r->json);
    }
}

/* The profiler's own log: did CUPTI stop before the end? */
static void read_log(struct reading *r) {
    struct activity_integrity *i = &r->out->activity.integrity;
    if (json_peek(&r->json) != JSON_KIND_ARRAY) {
        json_skip(&r->json);
        return;
    }
    for (int first = 1; json_next_item(&r->json, &first);) {
        const char *text = json_scalar(&r->json);
        if (text && strstr(text, "CUPTI stopped early? = 1") && !i->reason[0])
            snprintf(i->reason, sizeof i->reason, "the profiler's log says that CUPTI stopped before the end");
    }
}

static void read_base(struct reading *r) {
    const char *text = json_scalar(&r->json);
    if (text && !decimal_whole(text, &r->base_ns)) r->base_ns = 0;
}

/* What is read by a function, and what becomes a fact of the environment under that name. */
static const struct {
    const char *key;
    void (*read)(struct reading *r);
    const char *fact;
} top_keys[] = {
    {"traceEvents", read_events, NULL},
    {"deviceProperties", read_devices, NULL},
    {"distributedInfo", read_distributed, NULL},
    {"baseTimeNanoseconds", read_base, NULL},
    {"INFO", read_log, NULL},
    {"WARNING", read_log, NULL},
    {"ERROR", read_log, NULL},
    {"schemaVersion", NULL, "trace.schema"},
    {"cuda_runtime_version", NULL, "cuda.runtime"},
    {"cuda_driver_version", NULL, "cuda.driver"},
    {"cupti_version", NULL, "cupti.version"},
    {"roctracer_version", NULL, "roctracer.version"},
    {"with_stack", NULL, "profiler.with_stack"},
    {"record_shapes", NULL, "profiler.record_shapes"},
};

static void read_top_key(struct reading *r, const char *key) {
    for (size_t i = 0; i < sizeof top_keys / sizeof *top_keys; i++) {
        if (strcmp(top_keys[i].key, key) != 0) continue;
        if (top_keys[i].read) top_keys[i].read(r);
        else read_fact(r, top_keys[i].fact);
        return;
    }
    json_skip(&r->json);
}

static void read_top(struct reading *r) {
    const char *key;
    enum json_kind kind = json_peek(&r->json);
    if (kind == JSON_KIND_ARRAY) read_events(r); /* the other form of the same format */
    else if (kind == JSON_KIND_OBJECT)
        for (int first = 1; json_next_key(&r->json, &first, &key);) read_top_key(r, key);
    else json_fail(&r->json, "this is no trace: it begins with neither { nor [; give the .json or .json.gz that the PyTorch profiler wrote");
    json_end(&r->json);
    if (!r->has_events) json_fail(&r->json, "the JSON ends without traceEvents: it is no trace of the PyTorch profiler");
}

/* ---- facts ---- */

/* "8 x NVIDIA B200"; equal neighbours are counted. */
static void add_machine(struct reading *r) {
    struct text gpus = {0};
    for (size_t i = 0, n; i < r->n_devices; i += n) {
        const struct device_name *d = &r->devices[i];
        for (n = 1; i + n < r->n_devices && d->name && r->devices[i + n].name && strcmp(d->name, r->devices[i + n].name) == 0;) n++;
        if (!d->name) continue;
        if (n > 1) text_append(&gpus, "%s%zu x %s", gpus.length ? ", " : "", n, d->name);
        else text_append(&gpus, "%s%s", gpus.length ? ", " : "", d->name);
    }
    imported_machine(r->out, "gpu", gpus.length ? gpus.data : "not recorded");
    if (r->n_devices && r->devices[0].memory_bytes) imported_machine(r->out, "gpu.memory_bytes", r->devices[0].memory_bytes);
    text_free(&gpus);
}

/* Older files count from 1970; newer ones from a base that they name. */
static void add_recorded(struct reading *r) {
    static const int64_t year_2001_ns = 1000000000000000000;
    int64_t first_ns = r->out->activity.ops[0].start_ns;
    if (r->base_ns > 0 && first_ns >= 0 && r->base_ns < INT64_MAX - first_ns) r->out->recorded_unix_ns = r->base_ns + first_ns;
    else if (r->base_ns == 0 && first_ns > year_2001_ns) r->out->recorded_unix_ns = first_ns;
}

static enum status read_all(struct reading *r, struct error *e) {
    read_top(r);
    if (r->json.status != STATUS_OK) return r->json.status;
    enum status s = rows_finish(&r->rows, e);
    if (s != STATUS_OK) return s;
    imported_environment(r->out, "trace.format", "PyTorch profiler (Kineto)");
    add_machine(r);
    add_recorded(r);
    return STATUS_OK;
}

static void reading_free(struct reading *r) {
    for (int f = 0; f < FIELD_COUNT; f++) text_free(&r->field[f]);
    text_free(&r->json.text);
    rows_free(&r->rows);
    mem_free(r->devices);
}

static enum status read_pytorch(const char *path, struct progress *progress, struct imported *out, struct error *e) {
    struct byte_source source;
    *out = (struct imported){.recorded_unix_ns = -1, .pid = -1, .rank = -1};
    enum status s = source_open(path, progress, &source, e);
    if (s != STATUS_OK) return s;
    struct reading r = {.json = {.source = &source, .error = e}, .out = out, .rows = {.out = out, .path = path}};
    s = read_all(&r, e);
    reading_free(&r);
    source_close(&source);
    if (s != STATUS_OK) imported_free(out);
    return s;
}

const struct importer importer_pytorch = {"pytorch", "JSON of the PyTorch profiler, plain or gzip", read_pytorch};
