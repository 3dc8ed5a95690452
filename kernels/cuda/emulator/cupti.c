/* cupti.c: the stand-in for CUPTI on the emulator: what the emulated device does becomes records in the library's
 * layouts, in buffers that are asked for and handed back as the library does. Launches come one at a time; each thread
 * pushes ids of its own. */
#include "kernels/cuda/cupti.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/emulator/cupti.h"
#include "kernels/cuda/emulator/observe.h"
#include "kernels/cuda/emulator/runtime.h"

enum { MOST_KINDS = 64, STACK = 64, INVALID_KIND = 21, CALLBACK_OF_NAMES = 16 };
enum { MARKER = 12, MARKER_BYTES = 56, OTHER_BYTES = 56 }; /* of kinds that are walked over: ranges as CUPTI has them; overhead and waits */

static struct {
    cupti_buffer_wanted wanted;
    cupti_buffer_filled filled;
    cupti_callback callback;
    void *user;
    int is_subscribed, is_taken, is_denied, is_on[MOST_KINDS], nodes_on;
    uint8_t *buffer;
    size_t bytes, used, dropped;
    int n_untimed, n_lost; /* of the next ones */
    _Atomic int64_t set_ns; /* by which the clock was set; any thread asks for the time */
    int64_t next_set_ns; /* and will be as the next work begins */
    struct cupti_graph_record graph; /* a launch that is being recorded as a whole; correlation 0: none */
    const char *call_names[CALLBACK_OF_NAMES];
} c;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the buffer and the names: other threads flush and read */
static struct emulator_cupti_device device;
static _Thread_local uint64_t stack[STACK];
static _Thread_local int depth;

void emulator_cupti_trouble(enum emulator_cupti_trouble t, int n) {
    c.is_taken = t == EMULATOR_CUPTI_TAKEN && n;
    if (t == EMULATOR_CUPTI_DROPS) c.n_lost = n;
    if (t == EMULATOR_CUPTI_UNTIMED) c.n_untimed = n;
    if (t == EMULATOR_CUPTI_DENIED) c.is_denied = n;
    if (t == EMULATOR_CUPTI_CLOCK) c.next_set_ns = n;
}

void emulator_cupti_device(const struct emulator_cupti_device *d) { device = *d; }

/* ---- records ---- */

static size_t size_of(uint32_t kind) {
    switch (kind) {
    case CUPTI_KERNEL: case CUPTI_CONCURRENT_KERNEL: return sizeof(struct cupti_kernel_record);
    case CUPTI_COPY: return sizeof(struct cupti_copy_record);
    case CUPTI_SET: return sizeof(struct cupti_set_record);
    case CUPTI_RUNTIME: case CUPTI_DRIVER: return sizeof(struct cupti_call_record);
    case CUPTI_EXTERNAL: return sizeof(struct cupti_external_record);
    case CUPTI_GRAPH: return sizeof(struct cupti_graph_record);
    case CUPTI_DEVICE: return sizeof(struct cupti_device_record);
    case CUPTI_OVERHEAD: case CUPTI_SYNCHRONIZATION: return OTHER_BYTES;
    case MARKER: return MARKER_BYTES;
    default: return 0;
    }
}

static void hand_back(void) {
    uint8_t *buffer = c.buffer;
    c.buffer = NULL;
    if (buffer) c.filled(NULL, 0, buffer, c.bytes, c.used);
}

static void put_locked(const void *record, size_t bytes) {
    size_t most;
    if (c.n_lost > 0) {
        c.n_lost--;
        c.dropped++;
        return;
    }
    if (c.buffer && c.used + bytes > c.bytes) hand_back();
    if (!c.buffer) {
        c.wanted(&c.buffer, &c.bytes, &most);
        c.used = 0;
    }
    if (!c.buffer) {
        c.dropped++;
        return;
    }
    memcpy(c.buffer + c.used, record, bytes);
    c.used += bytes;
}

static void put(const void *record, size_t bytes) {
    if (!c.is_on[((const struct cupti_record *)record)->kind] || !c.wanted) return;
    pthread_mutex_lock(&lock);
    put_locked(record, bytes);
    pthread_mutex_unlock(&lock);
}

/* Nodes of a launch follow each other: the whole is known when something else comes. */
static void end_graph(void) {
    if (c.graph.correlation) put(&c.graph, sizeof c.graph);
    c.graph.correlation = 0;
}

static uint32_t callback_of(const char *name) {
    uint32_t i = 1;
    pthread_mutex_lock(&lock);
    while (i < CALLBACK_OF_NAMES - 1 && c.call_names[i] && strcmp(c.call_names[i], name) != 0) i++;
    c.call_names[i] = name;
    pthread_mutex_unlock(&lock);
    return i;
}

/* Of the device's time; 0 is none. */
static uint64_t system_ns(uint64_t ns) { return ns ? ns + (uint64_t)c.set_ns : 0; }

static void called(const struct emulator_called *call) {
    end_graph();
    struct cupti_external_record x = {.kind = CUPTI_EXTERNAL, .external_kind = CUPTI_EXTERNAL_CUSTOM0, .id = depth ? stack[depth - 1] : 0, .correlation = call->correlation};
    struct cupti_call_record r = {.kind = CUPTI_RUNTIME, .callback = callback_of(call->name), .start = system_ns(call->start_ns), .end = system_ns(call->end_ns), .thread = (uint32_t)(uintptr_t)pthread_self(), .correlation = call->correlation};
    if (depth) put(&x, sizeof x);
    put(&r, sizeof r);
}

static void done(const struct emulator_done *d) {
    c.set_ns += c.next_set_ns;
    c.next_set_ns = 0;
    uint64_t start = system_ns(d->start_ns), end = system_ns(d->end_ns);
    if (c.n_untimed > 0 && c.n_untimed--) start = end = 0;
    if (d->node && c.is_on[CUPTI_GRAPH]) {
        if (c.graph.correlation != d->correlation) {
            end_graph();
            c.graph = (struct cupti_graph_record){.kind = CUPTI_GRAPH, .correlation = d->correlation, .start = start, .device = d->device, .stream = d->stream};
        }
        c.graph.end = end;
        return;
    }
    struct cupti_kernel_record k = {.kind = CUPTI_CONCURRENT_KERNEL, .start = start, .end = end, .device = d->device, .stream = d->stream, .correlation = d->correlation,
                                    .name = d->name, .node = d->node};
    struct cupti_copy_record copy = {.kind = CUPTI_COPY, .copy_kind = d->direction == 0 ? 1 : d->direction == 1 ? 2 : 8, .bytes = d->bytes, .start = start, .end = end,
                                     .device = d->device, .stream = d->stream, .correlation = d->correlation, .node = d->node};
    struct cupti_set_record set = {.kind = CUPTI_SET, .bytes = d->bytes, .start = start, .end = end, .device = d->device, .stream = d->stream, .correlation = d->correlation, .node = d->node};
    if (d->kind == EMULATOR_KERNEL) put(&k, sizeof k);
    else if (d->kind == EMULATOR_COPY) put(&copy, sizeof copy);
    else put(&set, sizeof set);
}

static void node_made(uint64_t node, uint64_t original) {
    struct cupti_graph_data g = {.node = (void *)(uintptr_t)node, .original_node = (void *)(uintptr_t)original};
    struct cupti_resource_data r = {.descriptor = &g};
    if (!c.callback || !c.nodes_on) return;
    c.callback(c.user, CUPTI_DOMAIN_RESOURCE, CUPTI_NODE_CREATED, &r); /* the library says so of copies too */
    if (original) c.callback(c.user, CUPTI_DOMAIN_RESOURCE, CUPTI_NODE_CLONED, &r);
}

static const struct emulator_observer observer = {called, done, node_made};

/* ---- the table ---- */

static int get_version(uint32_t *v) { return *v = 0, CUPTI_OK; }
static int result_string(int status, const char **text) {
    *text = status == CUPTI_OTHER_SUBSCRIBER ? "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED" : status == CUPTI_NO_PRIVILEGES ? "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES" : "an emulated error";
    return CUPTI_OK;
}
static int timestamp(uint64_t *ns) { return *ns = system_ns(emulator_now_ns()), CUPTI_OK; }
static int callback_name(uint32_t domain, uint32_t id, const char **name) {
    (void)domain;
    pthread_mutex_lock(&lock);
    *name = id < CALLBACK_OF_NAMES ? c.call_names[id] : NULL;
    pthread_mutex_unlock(&lock);
    return CUPTI_OK;
}
static int subscribe(void **subscriber, cupti_callback callback, void *user) {
    if (c.is_subscribed || c.is_taken) return CUPTI_OTHER_SUBSCRIBER;
    c.is_subscribed = 1;
    c.callback = callback;
    c.user = user;
    *subscriber = &c;
    emulator_observe(&observer);
    return CUPTI_OK;
}
static int unsubscribe(void *subscriber) {
    (void)subscriber;
    hand_back();
    emulator_observe(NULL);
    size_t dropped = c.dropped;
    memset(&c, 0, sizeof c);
    c.dropped = dropped;
    depth = 0;
    return CUPTI_OK;
}
static int enable_callback(uint32_t is_on, void *subscriber, uint32_t domain, uint32_t id) {
    (void)subscriber, (void)id;
    if (domain == CUPTI_DOMAIN_RESOURCE) c.nodes_on = (int)is_on;
    return CUPTI_OK;
}
static int register_callbacks(cupti_buffer_wanted wanted, cupti_buffer_filled filled) {
    c.wanted = wanted;
    c.filled = filled;
    return CUPTI_OK;
}
static int enable(uint32_t kind) {
    struct cupti_device_record d = {.kind = CUPTI_DEVICE, .device = device.device, .name = device.name};
    if (c.is_denied) return CUPTI_NO_PRIVILEGES;
    c.is_on[kind] = 1;
    memcpy(d.uuid, device.uuid, sizeof d.uuid);
    if (kind == CUPTI_DEVICE && device.name) put(&d, sizeof d);
    return CUPTI_OK;
}
static int disable(uint32_t kind) { return c.is_on[kind] = 0, CUPTI_OK; }
static int set_attribute(uint32_t attribute, size_t *bytes, void *value) { return (void)attribute, (void)bytes, (void)value, CUPTI_OK; }
/* As the library, it stops quietly at a record that is not whole. */
static int next_record(uint8_t *buffer, size_t valid, struct cupti_record **record) {
    uint8_t *at = *record ? (uint8_t *)*record + size_of((*record)->kind) : buffer;
    if (at >= buffer + valid) return CUPTI_END;
    size_t bytes = size_of(((struct cupti_record *)(void *)at)->kind);
    if (bytes == 0) return INVALID_KIND;
    if (at + bytes > buffer + valid) return CUPTI_END;
    *record = (struct cupti_record *)(void *)at;
    return CUPTI_OK;
}
static int dropped_records(void *context, uint32_t stream, size_t *dropped) {
    (void)context, (void)stream;
    *dropped = c.dropped;
    c.dropped = 0;
    return CUPTI_OK;
}
static int flush(uint32_t flags) {
    (void)flags;
    end_graph();
    pthread_mutex_lock(&lock);
    hand_back();
    pthread_mutex_unlock(&lock);
    return CUPTI_OK;
}
static int push(uint32_t kind, uint64_t id) {
    (void)kind;
    if (depth < STACK) stack[depth++] = id;
    return CUPTI_OK;
}
static int pop(uint32_t kind, uint64_t *last) {
    (void)kind;
    if (depth && last) *last = stack[depth - 1];
    if (depth) depth--;
    return CUPTI_OK;
}
static int node_id(void *node, uint64_t *id) { return *id = (uint64_t)(uintptr_t)node, CUPTI_OK; }

const struct cupti cuda_emulated_cupti = {
    .GetVersion = get_version, .GetResultString = result_string, .GetTimestamp = timestamp, .GetCallbackName = callback_name, .Subscribe = subscribe,
    .Unsubscribe = unsubscribe, .EnableCallback = enable_callback, .ActivityRegisterCallbacks = register_callbacks, .ActivityEnable = enable,
    .ActivityDisable = disable, .ActivitySetAttribute = set_attribute, .ActivityGetNextRecord = next_record, .ActivityGetNumDroppedRecords = dropped_records,
    .ActivityFlushAll = flush, .ActivityPushExternalCorrelationId = push, .ActivityPopExternalCorrelationId = pop, .GetGraphNodeId = node_id};
