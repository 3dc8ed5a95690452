/* cupti.h: the part of CUPTI's interface that recording needs, as a table of functions and the beginnings of its
 * records: filled from the library where there is one, by a stand-in on the emulator. Declared here, with the library's
 * own numbers and layouts, so that a build without a toolkit has it; inject/layout_check.c compares them with the library's
 * headers. Records grow at their end from version to version, so only what is read is declared, and a buffer is walked
 * by the library that filled it. */
#ifndef ASSAY_KERNELS_CUDA_CUPTI_H
#define ASSAY_KERNELS_CUDA_CUPTI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CUPTI_OK = 0, CUPTI_END = 12, CUPTI_NO_PRIVILEGES = 35, CUPTI_OTHER_SUBSCRIBER = 39 };
enum cupti_kind {
    CUPTI_COPY = 1, CUPTI_SET = 2, CUPTI_KERNEL = 3, CUPTI_DRIVER = 4, CUPTI_RUNTIME = 5, CUPTI_DEVICE = 8, CUPTI_CONCURRENT_KERNEL = 10,
    CUPTI_OVERHEAD = 17, CUPTI_SYNCHRONIZATION = 38, CUPTI_EXTERNAL = 39, CUPTI_GRAPH = 51
};
enum { CUPTI_EXTERNAL_CUSTOM0 = 3, CUPTI_FLUSH_FORCED = 1, CUPTI_ATTRIBUTE_ZEROED = 5 };
enum { CUPTI_DOMAIN_DRIVER = 1, CUPTI_DOMAIN_RUNTIME = 2, CUPTI_DOMAIN_RESOURCE = 3, CUPTI_NODE_CREATED = 13, CUPTI_NODE_CLONED = 20 };

struct cupti_record {
    uint32_t kind;
};
struct cupti_kernel_record {
    uint32_t kind, unread[3];
    uint64_t start, end, completed;
    uint32_t device, context, stream;
    uint32_t grid_and_more[10];
    uint32_t correlation;
    int64_t grid_id;
    const char *name;
    void *reserved;
    uint64_t queued, submitted;
    uint32_t unread2[2];
    uint64_t node;
};
struct cupti_copy_record {
    uint32_t kind;
    uint8_t copy_kind, from, to, flags;
    uint64_t bytes, start, end;
    uint32_t device, context, stream, correlation, runtime_correlation, pad;
    void *reserved;
    uint64_t node;
};
struct cupti_set_record {
    uint32_t kind, value;
    uint64_t bytes, start, end;
    uint32_t device, context, stream, correlation;
    uint16_t flags, memory_kind;
    uint32_t pad;
    void *reserved;
    uint64_t node;
};
struct cupti_call_record {         /* RUNTIME, DRIVER */
    uint32_t kind, callback;
    uint64_t start, end;
    uint32_t process, thread, correlation, result;
};
struct cupti_external_record {
    uint32_t kind, external_kind;
    uint64_t id;
    uint32_t correlation, reserved;
};
struct cupti_graph_record {
    uint32_t kind, correlation;
    uint64_t start, end;
    uint32_t device, graph, context, stream;
};
struct cupti_device_record {
    uint32_t kind, flags;
    uint64_t bandwidth, bytes;
    uint32_t limits[20], capability[2];
    uint32_t device, has_ecc;
    uint8_t uuid[16];
    const char *name;
};
struct cupti_graph_data {          /* of the resource callbacks about nodes */
    void *graph, *original_graph, *node, *original_node;
};
struct cupti_resource_data {
    void *context, *handle, *descriptor;
};

typedef void (*cupti_buffer_wanted)(uint8_t **buffer, size_t *bytes, size_t *most_records);
typedef void (*cupti_buffer_filled)(void *context, uint32_t stream, uint8_t *buffer, size_t bytes, size_t valid);
typedef void (*cupti_callback)(void *user, uint32_t domain, uint32_t id, const void *data);

/* name without the library's prefix, arguments; all return the library's status */
#define CUPTI_LIST(X) \
    X(GetVersion, (uint32_t *version)) \
    X(GetResultString, (int status, const char **text)) \
    X(GetTimestamp, (uint64_t *ns)) \
    X(GetCallbackName, (uint32_t domain, uint32_t id, const char **name)) \
    X(Subscribe, (void **subscriber, cupti_callback callback, void *user)) \
    X(Unsubscribe, (void *subscriber)) \
    X(EnableCallback, (uint32_t is_on, void *subscriber, uint32_t domain, uint32_t id)) \
    X(ActivityRegisterCallbacks, (cupti_buffer_wanted wanted, cupti_buffer_filled filled)) \
    X(ActivityEnable, (uint32_t kind)) \
    X(ActivityDisable, (uint32_t kind)) \
    X(ActivitySetAttribute, (uint32_t attribute, size_t *bytes, void *value)) \
    X(ActivityGetNextRecord, (uint8_t * buffer, size_t valid, struct cupti_record **record)) \
    X(ActivityGetNumDroppedRecords, (void *context, uint32_t stream, size_t *dropped)) \
    X(ActivityFlushAll, (uint32_t flags)) \
    X(ActivityPushExternalCorrelationId, (uint32_t kind, uint64_t id)) \
    X(ActivityPopExternalCorrelationId, (uint32_t kind, uint64_t *last)) \
    X(GetGraphNodeId, (void *node, uint64_t *id))

struct cupti {
#define X(name, arguments) int(*name) arguments;
    CUPTI_LIST(X)
#undef X
};

extern const struct cupti cuda_emulated_cupti;

#ifdef __cplusplus
}
#endif

#endif
