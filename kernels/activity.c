#include "kernels/activity.h"

#include <string.h>

#include "kernels/base/random.h"
#include "kernels/base/sort.h"

void activity_free(struct activity *a) {
    mem_free(a->ops);
    mem_free(a->calls);
    mem_free(a->ranges);
    mem_free(a->owners);
    mem_free(a->devices);
    mem_free(a->names);
    mem_free(a->name_index);
    arena_free(&a->arena);
    *a = (struct activity){0};
}

/* ---- names: index + 1 in an open table; 0 is empty ---- */

static size_t slot_of(const struct activity *a, const char *text, size_t bytes) {
    size_t mask = a->name_index_capacity - 1, at = (size_t)hash_bytes(0, text, bytes) & mask;
    for (; a->name_index[at]; at = (at + 1) & mask) {
        const char *have = a->names[a->name_index[at] - 1];
        if (strlen(have) == bytes && memcmp(have, text, bytes) == 0) break;
    }
    return at;
}

static void grow_index(struct activity *a) {
    size_t capacity = a->name_index_capacity ? 2 * a->name_index_capacity : 256;
    uint32_t *larger = mem_alloc(capacity * sizeof *larger);
    mem_free(a->name_index);
    a->name_index = larger;
    a->name_index_capacity = capacity;
    for (size_t i = 0; i < a->n_names; i++) a->name_index[slot_of(a, a->names[i], strlen(a->names[i]))] = (uint32_t)i + 1;
}

int32_t activity_name(struct activity *a, const char *text, size_t bytes) {
    const char *end = memchr(text, 0, bytes);
    if (end) bytes = (size_t)(end - text);
    if (2 * (a->n_names + 1) > a->name_index_capacity) grow_index(a);
    size_t at = slot_of(a, text, bytes);
    if (a->name_index[at]) return (int32_t)a->name_index[at] - 1;
    char *copy = arena_alloc(&a->arena, bytes + 1);
    memcpy(copy, text, bytes);
    LIST_GROW(a->names, a->n_names, a->name_capacity);
    a->names[a->n_names++] = copy;
    a->name_index[at] = (uint32_t)a->n_names;
    return (int32_t)a->n_names - 1;
}

/* ---- rows ---- */

struct activity_op *activity_add_op(struct activity *a) {
    LIST_EXTEND(a->ops, a->n_ops, a->op_capacity);
    struct activity_op *op = &a->ops[a->n_ops++];
    *op = (struct activity_op){.correlation = -1, .call = -1, .range = -1};
    return op;
}

struct activity_call *activity_add_call(struct activity *a) {
    LIST_EXTEND(a->calls, a->n_calls, a->call_capacity);
    struct activity_call *call = &a->calls[a->n_calls];
    *call = (struct activity_call){.correlation = -1, .row = (int32_t)a->n_calls};
    a->n_calls++;
    return call;
}

struct activity_range *activity_add_range(struct activity *a) {
    LIST_EXTEND(a->ranges, a->n_ranges, a->range_capacity);
    struct activity_range *range = &a->ranges[a->n_ranges];
    *range = (struct activity_range){.row = (int32_t)a->n_ranges, .parent = -1};
    a->n_ranges++;
    return range;
}

struct activity_owner *activity_add_owner(struct activity *a) {
    LIST_EXTEND(a->owners, a->n_owners, a->owner_capacity);
    struct activity_owner *owner = &a->owners[a->n_owners++];
    *owner = (struct activity_owner){.correlation = -1};
    return owner;
}

struct activity_device *activity_add_device(struct activity *a) {
    LIST_EXTEND(a->devices, a->n_devices, a->device_capacity);
    struct activity_device *device = &a->devices[a->n_devices++];
    *device = (struct activity_device){0};
    return device;
}

/* ---- owners ---- */

static int compare_owners(const void *pa, const void *pb, const void *context) {
    const struct activity_owner *a = pa, *b = pb;
    (void)context;
    return SORT_BY(a->correlation, b->correlation);
}

static int is_owner_before(const void *item, const void *key) { return ((const struct activity_owner *)item)->correlation < ((const struct activity_op *)key)->correlation; }

void activity_join_owners(struct activity *a) {
    size_t at = 0;
    sort_stable(a->owners, a->n_owners, sizeof *a->owners, compare_owners, NULL);
    for (size_t i = 0; i < a->n_ops && a->n_owners; i++) {
        struct activity_op *op = &a->ops[i];
        at = sort_find_near(a->owners, a->n_owners, sizeof *a->owners, at, is_owner_before, op);
        if (at < a->n_owners && a->owners[at].correlation == op->correlation) op->owner = a->owners[at].owner;
    }
    mem_free(a->owners);
    a->owners = NULL;
    a->n_owners = a->owner_capacity = 0;
}

/* ---- the calls of operations ---- */

static int compare_calls(const void *pa, const void *pb, const void *context) {
    const struct activity_call *a = pa, *b = pb;
    (void)context;
    int by_process = SORT_BY(a->process, b->process), by_correlation = SORT_BY(a->correlation, b->correlation);
    if (by_process) return by_process;
    if (by_correlation) return by_correlation;
    int by_start = SORT_BY(a->start_ns, b->start_ns);
    return by_start ? by_start : SORT_BY(a->row, b->row);
}

static int is_call_before(const void *item, const void *key) {
    const struct activity_call *call = item;
    const struct activity_op *op = key;
    if (call->process != op->process) return call->process < op->process;
    return call->correlation < op->correlation;
}

void activity_join_calls(struct activity *a) {
    size_t at = 0;
    sort_stable(a->calls, a->n_calls, sizeof *a->calls, compare_calls, NULL);
    for (size_t i = 0; i < a->n_ops; i++) {
        struct activity_op *op = &a->ops[i];
        op->call = -1;
        if (op->correlation < 0 || a->n_calls == 0) continue;
        at = sort_find_near(a->calls, a->n_calls, sizeof *a->calls, at, is_call_before, op);
        const struct activity_call *call = at < a->n_calls ? &a->calls[at] : NULL;
        if (call && call->process == op->process && call->correlation == op->correlation) op->call = (int32_t)at;
    }
}

/* ---- order ---- */

static int compare_ops(const void *pa, const void *pb, const void *context) {
    const struct activity_op *a = pa, *b = pb;
    (void)context;
    int by_device = SORT_BY(a->device, b->device), by_start = SORT_BY(a->start_ns, b->start_ns);
    if (by_device || by_start) return by_device ? by_device : by_start;
    int by_end = SORT_BY(a->end_ns, b->end_ns), by_stream = SORT_BY(a->stream, b->stream);
    return by_end ? by_end : by_stream ? by_stream : SORT_BY(a->correlation, b->correlation);
}

void activity_sort_ops(struct activity *a) { sort_stable(a->ops, a->n_ops, sizeof *a->ops, compare_ops, NULL); }

/* ---- what calls do ---- */

static int has_word(const char *name, const char *word) { return strstr(name, word) != NULL; }

/* cudaMemcpy and its kin block unless they say Async; so do cuMemcpyDtoH and the like. */
int activity_is_blocking(const char *name) {
    if (has_word(name, "DeviceSynchronize") || has_word(name, "StreamSynchronize") || has_word(name, "EventSynchronize") || has_word(name, "CtxSynchronize") || has_word(name, "ThreadSynchronize")) return 1;
    if (has_word(name, "Async") || has_word(name, "Graph") || has_word(name, "Batch")) return 0;
    return has_word(name, "Memcpy") || has_word(name, "Memset");
}

int activity_is_query(const char *name) {
    return has_word(name, "Get") || has_word(name, "Query") || has_word(name, "Peek") || has_word(name, "IsCapturing") || has_word(name, "Occupancy");
}
