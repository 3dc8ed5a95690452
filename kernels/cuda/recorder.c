#include "kernels/cuda/recorder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/thread.h"

enum { BUFFER_BYTES = 4 << 20, POOL = 16, MOST_QUEUED = 4096, DEPTH = 64, ENTRIES_AT_FIRST = 256, KINDS = 64 };

struct entry {
    uint64_t key, value;           /* key 0: empty */
};
struct table {                     /* open addressing; capacity a power of two */
    struct entry *items;
    size_t n, capacity;
};

struct call_name {
    int32_t name;
    uint8_t is_known, is_blocking, is_graph_launch, is_query;
};

struct filled {
    uint8_t *buffer;
    size_t valid;
};

struct recorder {
    const struct cupti *library;
    enum recorder_graphs graphs;
    void *subscriber;
    uint32_t version;
    pthread_mutex_t lock;          /* of pool, queue, nodes; never held while CUPTI is called */
    pthread_cond_t changed;
    uint8_t *pool[POOL];
    int n_pool;
    struct filled queue[MOST_QUEUED];
    size_t head, tail;             /* read, written so far */
    int n_reading;                 /* buffers being read */
    int ends, has_reader;
    pthread_t reader;
    pthread_mutex_t reading;       /* of what follows, nodes apart; no callback of CUPTI's takes it */
    struct activity a;
    struct table names;            /* text's address → index + 1 */
    struct call_name *call_names[2]; /* of driver, runtime callbacks */
    uint32_t n_call_names[2];
    uint64_t *op_nodes;            /* beside a.ops: graph nodes */
    size_t op_node_capacity;
    struct table nodes;            /* a graph's node → the owner of what was captured */
    size_t record_bytes[KINDS];    /* from one record to the next; 0: none was followed yet */
    int process;
};

static struct recorder *the_recorder; /* CUPTI's buffer callbacks carry no pointer of ours */
static _Thread_local uint64_t owners[DEPTH];
static _Thread_local int depth;

/* ---- tables ---- */

static struct entry *table_slot(const struct table *t, uint64_t key) {
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (t->capacity - 1);
    while (t->items[at].key && t->items[at].key != key) at = (at + 1) & (t->capacity - 1);
    return &t->items[at];
}

/* 0: it is not there. */
static uint64_t table_get(const struct table *t, uint64_t key) { return t->capacity && key ? table_slot(t, key)->value : 0; }

static void table_set(struct table *t, uint64_t key, uint64_t value) {
    if (2 * (t->n + 1) > t->capacity) {
        struct table larger = {.n = t->n, .capacity = t->capacity ? 2 * t->capacity : ENTRIES_AT_FIRST};
        larger.items = mem_alloc(larger.capacity * sizeof *larger.items);
        for (size_t i = 0; i < t->capacity; i++)
            if (t->items[i].key) *table_slot(&larger, t->items[i].key) = t->items[i];
        mem_free(t->items);
        *t = larger;
    }
    struct entry *slot = table_slot(t, key);
    t->n += slot->key == 0;
    *slot = (struct entry){key, value};
}

static void table_clear(struct table *t) {
    if (t->n) memset(t->items, 0, t->capacity * sizeof *t->items);
    t->n = 0;
}

/* ---- owners of graph nodes ---- */

void recorder_note_node(struct recorder *r, uint64_t node, uint64_t original, uint64_t owner) {
    pthread_mutex_lock(&r->lock);
    if (original || owner) table_set(&r->nodes, node, original ? table_get(&r->nodes, original) : owner);
    pthread_mutex_unlock(&r->lock);
}

static void on_resource(void *user, uint32_t domain, uint32_t id, const void *data) {
    struct recorder *r = user;
    uint64_t node = 0, original = 0;
    if (domain != CUPTI_DOMAIN_RESOURCE || (id != CUPTI_NODE_CREATED && id != CUPTI_NODE_CLONED)) return;
    const struct cupti_graph_data *g = ((const struct cupti_resource_data *)data)->descriptor;
    if (r->library->GetGraphNodeId(g->node, &node) != CUPTI_OK) return;
    if (id == CUPTI_NODE_CLONED && r->library->GetGraphNodeId(g->original_node, &original) != CUPTI_OK) return;
    recorder_note_node(r, node, original, depth > 0 && depth <= DEPTH ? owners[depth - 1] : 0);
}

/* ---- names ---- */

/* CUPTI has one pointer a name. */
static int32_t name_of_pointer(struct recorder *r, const char *text) {
    if (!text) text = "?";
    uint64_t known = table_get(&r->names, (uintptr_t)text);
    if (known) return (int32_t)known - 1;
    int32_t name = activity_name(&r->a, text, strlen(text));
    table_set(&r->names, (uintptr_t)text, (uint64_t)name + 1);
    return name;
}

static void ask_call_name(struct recorder *r, int is_runtime, uint32_t callback, struct call_name *out) {
    const char *text = NULL;
    int code = r->library->GetCallbackName(is_runtime ? CUPTI_DOMAIN_RUNTIME : CUPTI_DOMAIN_DRIVER, callback, &text);
    if (code != CUPTI_OK || !text) text = "?";
    *out = (struct call_name){activity_name(&r->a, text, strlen(text)), 1, (uint8_t)activity_is_blocking(text), strstr(text, "GraphLaunch") != NULL,
                              (uint8_t)activity_is_query(text)};
}

static struct call_name name_of_call(struct recorder *r, int is_runtime, uint32_t callback) {
    enum { MOST_CALLBACKS = 1 << 16 };
    if (callback >= MOST_CALLBACKS) return (struct call_name){.name = activity_name(&r->a, "?", 1)};
    uint32_t *n = &r->n_call_names[is_runtime];
    if (callback >= *n) {
        struct call_name *names = r->call_names[is_runtime] = mem_resize(r->call_names[is_runtime], (callback + 1) * sizeof *names);
        while (*n <= callback) names[(*n)++].is_known = 0;
    }
    struct call_name *name = &r->call_names[is_runtime][callback];
    if (!name->is_known) ask_call_name(r, is_runtime, callback, name);
    return *name;
}

/* ---- records ---- */

struct work_times {
    uint64_t start, end, node;
    uint32_t correlation, device, stream;
};

static struct activity_op *add_op(struct recorder *r, enum activity_kind kind, const struct work_times *w) {
    if (w->start == 0 || w->end < w->start) {
        r->a.integrity.untimed++;
        return NULL;
    }
    LIST_EXTEND(r->op_nodes, r->a.n_ops, r->op_node_capacity);
    r->op_nodes[r->a.n_ops] = w->node;
    struct activity_op *op = activity_add_op(&r->a);
    op->kind = (uint8_t)kind;
    op->start_ns = (int64_t)w->start;
    op->end_ns = (int64_t)w->end;
    op->correlation = w->correlation;
    op->device = (int32_t)w->device;
    op->stream = (int32_t)w->stream;
    op->process = r->process;
    op->is_in_graph = w->node != 0;
    return op;
}

static void read_kernel(struct recorder *r, const struct cupti_kernel_record *k) {
    struct activity_op *op = add_op(r, ACTIVITY_KERNEL, &(struct work_times){k->start, k->end, k->node, k->correlation, k->device, k->stream});
    if (op) op->name = name_of_pointer(r, k->name);
}

static void read_copy(struct recorder *r, const struct cupti_copy_record *c) {
    static const char *const names[] = {"copy", "copy host to device", "copy device to host", "copy host to array", "copy array to host", "copy array to array",
                                        "copy array to device", "copy device to array", "copy on device", "copy on host", "copy peer to peer"};
    struct activity_op *op = add_op(r, ACTIVITY_COPY, &(struct work_times){c->start, c->end, c->node, c->correlation, c->device, c->stream});
    if (!op) return;
    op->name = name_of_pointer(r, names[c->copy_kind < sizeof names / sizeof *names ? c->copy_kind : 0]);
    op->bytes = (int64_t)c->bytes;
}

static void read_set(struct recorder *r, const struct cupti_set_record *s) {
    struct activity_op *op = add_op(r, ACTIVITY_SET, &(struct work_times){s->start, s->end, s->node, s->correlation, s->device, s->stream});
    if (!op) return;
    op->name = name_of_pointer(r, "set");
    op->bytes = (int64_t)s->bytes;
}

static void read_graph(struct recorder *r, const struct cupti_graph_record *g) {
    struct activity_op *op = add_op(r, ACTIVITY_KERNEL, &(struct work_times){g->start, g->end, 0, g->correlation, g->device, g->stream});
    if (!op) return;
    op->name = name_of_pointer(r, "graph");
    op->is_in_graph = 1;
}

/* Frameworks ask before every launch; what asks has no part in attribution and would be most of the calls. */
static void read_call(struct recorder *r, const struct cupti_call_record *c) {
    struct call_name name = name_of_call(r, c->kind == CUPTI_RUNTIME, c->callback);
    if (name.is_query) return;
    if (c->end < c->start) { /* the system's clock was set meanwhile */
        r->a.integrity.untimed++;
        return;
    }
    struct activity_call *call = activity_add_call(&r->a);
    call->start_ns = (int64_t)c->start;
    call->end_ns = (int64_t)c->end;
    call->correlation = c->correlation;
    call->process = r->process;
    call->thread = (int32_t)c->thread;
    call->name = name.name;
    call->is_blocking = name.is_blocking;
    call->is_graph_launch = name.is_graph_launch;
}

static void read_external(struct recorder *r, const struct cupti_external_record *x) {
    if (x->external_kind != CUPTI_EXTERNAL_CUSTOM0) return;
    struct activity_owner *owner = activity_add_owner(&r->a);
    owner->correlation = x->correlation;
    owner->owner = x->id;
}

static void read_device(struct recorder *r, const struct cupti_device_record *d) {
    struct activity_device *device = activity_add_device(&r->a);
    device->device = (int32_t)d->device;
    device->name = name_of_pointer(r, d->name);
    memcpy(device->uuid, d->uuid, sizeof device->uuid);
}

static void read_record(struct recorder *r, const struct cupti_record *record) {
    const void *p = record;
    switch (record->kind) {
    case CUPTI_KERNEL: case CUPTI_CONCURRENT_KERNEL: read_kernel(r, p); break;
    case CUPTI_COPY: read_copy(r, p); break;
    case CUPTI_SET: read_set(r, p); break;
    case CUPTI_GRAPH: read_graph(r, p); break;
    case CUPTI_RUNTIME: case CUPTI_DRIVER: read_call(r, p); break;
    case CUPTI_EXTERNAL: read_external(r, p); break;
    case CUPTI_DEVICE: read_device(r, p); break;
    case CUPTI_OVERHEAD: case CUPTI_SYNCHRONIZATION: break;
    default: r->a.integrity.unknown++;
    }
}

/* Whether another record begins where the last whole one ends: at a cut one CUPTI's iterator says no more than that it has
 * come to the end. */
static int is_cut(const struct recorder *r, const uint8_t *buffer, size_t valid, const struct cupti_record *last) {
    size_t bytes = last && last->kind < KINDS ? r->record_bytes[last->kind] : 0, at = last ? (size_t)((const uint8_t *)last - buffer) + bytes : 0;
    uint32_t kind = 0;
    if (last && bytes == 0) return 0; /* not known */
    if (at + sizeof kind <= valid) memcpy(&kind, buffer + at, sizeof kind);
    return kind != 0;
}

static void read_buffer(struct recorder *r, uint8_t *buffer, size_t valid) {
    struct cupti_record *record = NULL, *last = NULL;
    size_t dropped = 0;
    int code;
    while ((code = r->library->ActivityGetNextRecord(buffer, valid, &record)) == CUPTI_OK) {
        if (last && last->kind < KINDS) r->record_bytes[last->kind] = (size_t)((uint8_t *)record - (uint8_t *)last);
        read_record(r, record);
        last = record;
    }
    if (code != CUPTI_END) r->a.integrity.unknown++;
    else if (is_cut(r, buffer, valid, last)) r->a.integrity.dropped++;
    if (r->library->ActivityGetNumDroppedRecords(NULL, 0, &dropped) == CUPTI_OK) r->a.integrity.dropped += (int64_t)dropped;
}

void recorder_read(struct recorder *r, uint8_t *buffer, size_t valid) {
    pthread_mutex_lock(&r->reading);
    read_buffer(r, buffer, valid);
    pthread_mutex_unlock(&r->reading);
}

/* ---- buffers ---- */

static void buffer_wanted(uint8_t **buffer, size_t *bytes, size_t *most_records) {
    struct recorder *r = the_recorder;
    *buffer = NULL;
    *most_records = 0;
    if (r) {
        pthread_mutex_lock(&r->lock);
        if (r->n_pool) *buffer = r->pool[--r->n_pool];
        pthread_mutex_unlock(&r->lock);
    }
    if (!*buffer) *buffer = aligned_alloc(8, BUFFER_BYTES); /* refusing one crashes some versions */
    *bytes = *buffer ? BUFFER_BYTES : 0;
}

static void give_back(struct recorder *r, uint8_t *buffer) {
    pthread_mutex_lock(&r->lock);
    if (r->n_pool < POOL) {
        r->pool[r->n_pool++] = buffer;
        buffer = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    free(buffer);
}

static void buffer_filled(void *context, uint32_t stream, uint8_t *buffer, size_t bytes, size_t valid) {
    struct recorder *r = the_recorder;
    (void)context, (void)stream, (void)bytes;
    if (!r || valid == 0) {
        if (r) give_back(r, buffer);
        else free(buffer);
        return;
    }
    pthread_mutex_lock(&r->lock);
    while (r->tail - r->head == MOST_QUEUED) pthread_cond_wait(&r->changed, &r->lock);
    r->queue[r->tail++ % MOST_QUEUED] = (struct filled){buffer, valid};
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

struct reading {
    struct recorder *r;
    struct filled f;
};

static void read_filled(void *arg) {
    const struct reading *x = arg;
    pthread_mutex_lock(&x->r->reading);
    read_buffer(x->r, x->f.buffer, x->f.valid);
}

/* Where memory is refused, what is left of a buffer is lost. */
static void read_or_lose(struct recorder *r, struct filled f) {
    int is_read = mem_attempt(read_filled, &(struct reading){r, f});
    if (!is_read) r->a.integrity.dropped++;
    pthread_mutex_unlock(&r->reading);
}

static void *reader_main(void *arg) {
    struct recorder *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->ends || r->head != r->tail) {
        if (r->head == r->tail) {
            pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        struct filled f = r->queue[r->head++ % MOST_QUEUED];
        r->n_reading = 1;
        pthread_mutex_unlock(&r->lock);
        read_or_lose(r, f);
        memset(f.buffer, 0, f.valid); /* CUPTI is told that buffers come zeroed */
        give_back(r, f.buffer);
        pthread_mutex_lock(&r->lock);
        r->n_reading = 0;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Until what is queued now has been read. */
static void wait_for_reader(struct recorder *r) {
    pthread_mutex_lock(&r->lock);
    size_t target = r->tail;
    while (r->head < target || (r->head == target && r->n_reading)) pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

/* ---- opening ---- */

static enum status cupti_error(const struct recorder *r, int code, const char *doing, struct error *e) {
    const char *text = "?";
    r->library->GetResultString(code, &text);
    if (code == CUPTI_OTHER_SUBSCRIBER)
        return error_set(e, STATUS_UNSUPPORTED, "another profiler is attached to this process (%s): run it without nsys, ncu, cuda-gdb, compute-sanitizer or a framework's profiler", text);
    if (code == CUPTI_NO_PRIVILEGES)
        return error_set(e, STATUS_UNSUPPORTED, "the driver does not let this user profile (%s): ask for NVreg_RestrictProfilingToAdminUsers=0, or run as root", text);
    return error_set(e, STATUS_BACKEND, "CUPTI: %s: %s", doing, text);
}

static int enable_all(const struct recorder *r) {
    static const uint32_t kinds[] = {CUPTI_EXTERNAL, CUPTI_RUNTIME, CUPTI_DRIVER, CUPTI_COPY, CUPTI_SET, CUPTI_CONCURRENT_KERNEL};
    const struct cupti *l = r->library;
    int code = CUPTI_OK;
    if (r->graphs == RECORDER_BY_LAUNCH) l->ActivityEnable(CUPTI_DEVICE); /* which GPU it was: work is recorded without it too */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && code == CUPTI_OK; i++) code = l->ActivityEnable(kinds[i]);
    if (code == CUPTI_OK && r->graphs == RECORDER_BY_GRAPH) code = l->ActivityEnable(CUPTI_GRAPH);
    if (code != CUPTI_OK || r->graphs == RECORDER_BY_LAUNCH) return code;
    code = l->EnableCallback(1, r->subscriber, CUPTI_DOMAIN_RESOURCE, CUPTI_NODE_CREATED);
    return code == CUPTI_OK ? l->EnableCallback(1, r->subscriber, CUPTI_DOMAIN_RESOURCE, CUPTI_NODE_CLONED) : code;
}

static struct recorder *recorder_make(const struct cupti *library, enum recorder_graphs graphs) {
    struct recorder *r = mem_alloc(sizeof *r);
    r->library = library;
    r->graphs = graphs;
    r->process = (int)getpid();
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->reading, NULL);
    pthread_cond_init(&r->changed, NULL);
    return r;
}

struct recorder *recorder_for_replay(const struct cupti *library) { return recorder_make(library, RECORDER_BY_NODE); }

enum status recorder_open(const struct cupti *library, enum recorder_graphs graphs, struct recorder **out, struct error *e) {
    struct recorder *r = recorder_make(library, graphs);
    uint8_t yes = 1;
    size_t one = 1;
    if (the_recorder) return recorder_close(r), error_set(e, STATUS_INTERNAL, "a second recorder in one process");
    int code = library->Subscribe(&r->subscriber, on_resource, r);
    if (code != CUPTI_OK) {
        enum status s = cupti_error(r, code, "subscribing", e);
        r->subscriber = NULL;
        recorder_close(r);
        return s;
    }
    the_recorder = r;
    library->GetVersion(&r->version);
    library->ActivitySetAttribute(CUPTI_ATTRIBUTE_ZEROED, &one, &yes); /* a speed-up; older versions do not know it */
    while (r->n_pool < POOL) {
        r->pool[r->n_pool] = aligned_alloc(8, BUFFER_BYTES);
        memset(r->pool[r->n_pool++], 0, BUFFER_BYTES);
    }
    r->has_reader = thread_start(&r->reader, reader_main, r);
    enum status s = r->has_reader ? STATUS_OK : error_set(e, STATUS_BACKEND, "the system refuses a thread for reading records");
    code = s == STATUS_OK ? library->ActivityRegisterCallbacks(buffer_wanted, buffer_filled) : CUPTI_OK;
    if (code == CUPTI_OK && s == STATUS_OK) code = enable_all(r);
    if (code != CUPTI_OK) s = cupti_error(r, code, "enabling activities", e);
    if (s != STATUS_OK) recorder_close(r);
    else *out = r;
    return s;
}

enum status recorder_set_graphs(struct recorder *r, enum recorder_graphs graphs, struct error *e) {
    if (graphs == r->graphs) return STATUS_OK;
    int code = graphs == RECORDER_BY_GRAPH ? r->library->ActivityEnable(CUPTI_GRAPH) : r->library->ActivityDisable(CUPTI_GRAPH);
    if (code != CUPTI_OK) return cupti_error(r, code, "choosing how graphs are recorded", e);
    r->graphs = graphs;
    return STATUS_OK;
}

void recorder_close(struct recorder *r) {
    if (!r) return;
    if (r->subscriber) r->library->Unsubscribe(r->subscriber);
    if (r->has_reader) {
        pthread_mutex_lock(&r->lock);
        r->ends = 1;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->reader, NULL);
    }
    if (the_recorder == r) the_recorder = NULL;
    while (r->n_pool) free(r->pool[--r->n_pool]);
    activity_free(&r->a);
    mem_free(r->names.items);
    mem_free(r->call_names[0]);
    mem_free(r->call_names[1]);
    mem_free(r->op_nodes);
    mem_free(r->nodes.items);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->reading);
    pthread_cond_destroy(&r->changed);
    mem_free(r);
}

uint32_t recorder_version(const struct recorder *r) { return r->version; }

uint64_t recorder_now(const struct recorder *r) {
    uint64_t ns = 0;
    r->library->GetTimestamp(&ns);
    return ns;
}

/* ---- while recording ---- */

void recorder_push(struct recorder *r, uint64_t owner) {
    if (depth < DEPTH) owners[depth] = owner;
    depth++;
    r->library->ActivityPushExternalCorrelationId(CUPTI_EXTERNAL_CUSTOM0, owner);
}

void recorder_pop(struct recorder *r) {
    if (depth == 0) return;
    depth--;
    r->library->ActivityPopExternalCorrelationId(CUPTI_EXTERNAL_CUSTOM0, NULL);
}

/* ---- the end ---- */

/* Of a node in a graph, the part is the captured one's. */
static void set_owners(struct recorder *r) {
    activity_join_owners(&r->a);
    for (size_t i = 0; i < r->a.n_ops; i++) {
        struct activity_op *op = &r->a.ops[i];
        uint64_t captured = table_get(&r->nodes, r->op_nodes[i]);
        if (captured) op->owner = recorder_owner(recorder_launch(op->owner), recorder_part(captured));
    }
}

/* Names' indices belong to the list of names that is handed over. */
static void hand_over(struct recorder *r, struct activity *out) {
    *out = r->a;
    r->a = (struct activity){0};
    table_clear(&r->names);
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < r->n_call_names[k]; i++) r->call_names[k][i].is_known = 0;
}

static enum status flush(struct recorder *r, uint32_t flags, struct error *e) {
    int code = r->subscriber ? r->library->ActivityFlushAll(flags) : CUPTI_OK;
    return code == CUPTI_OK ? STATUS_OK : cupti_error(r, code, "flushing records", e);
}

enum status recorder_take(struct recorder *r, struct activity *out, struct error *e) {
    enum status s = flush(r, CUPTI_FLUSH_FORCED, e);
    if (s != STATUS_OK) return s;
    wait_for_reader(r);
    pthread_mutex_lock(&r->reading);
    if (r->graphs != RECORDER_BY_LAUNCH) set_owners(r);
    hand_over(r, out);
    pthread_mutex_unlock(&r->reading);
    return STATUS_OK;
}

enum status recorder_take_finished(struct recorder *r, struct activity *out, struct error *e) {
    enum { FLUSHING_MAY_CRASH = 130000 }; /* 13.0: "potential crash in cuptiActivityFlushAll", fixed in its update 1 */
    enum status s = r->version == FLUSHING_MAY_CRASH ? STATUS_OK : flush(r, 0, e);
    if (s != STATUS_OK) return s;
    wait_for_reader(r);
    pthread_mutex_lock(&r->reading);
    hand_over(r, out);
    pthread_mutex_unlock(&r->reading);
    return STATUS_OK;
}

void recorder_forget(void) {
    the_recorder = NULL;
    depth = 0;
}
