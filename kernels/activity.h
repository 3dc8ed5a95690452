/* activity.h: what a profiler recorded of devices and of the threads that drive them: the one form that CUPTI's
 * records, Nsight Systems exports and PyTorch traces are read into. Times are integer nanoseconds on one axis.
 *
 * An operation (kernel, copy, set) was launched by the host call of the same process and correlation. A range is a
 * named stretch of a host thread (NVTX push/pop, user annotation). Ranges joined and times added up: harness/attribution. */
#ifndef ASSAY_KERNELS_ACTIVITY_H
#define ASSAY_KERNELS_ACTIVITY_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/memory.h"

enum activity_kind { ACTIVITY_KERNEL, ACTIVITY_COPY, ACTIVITY_SET };

struct activity_op {
    int64_t start_ns, end_ns;
    int64_t correlation;       /* -1: none */
    int64_t bytes;             /* of copies and sets */
    uint64_t owner;            /* the id that was pushed for it, or what was captured with its graph node; 0: none */
    int32_t process, device, stream;
    int32_t name;              /* in names */
    int32_t call;              /* row in calls, once joined; -1: none */
    int32_t range;             /* row in ranges: the innermost that was open at the call, once joined; -1: none */
    uint8_t kind;
    uint8_t is_in_graph;
};

struct activity_call {
    int64_t start_ns, end_ns;
    int64_t correlation;       /* -1: none */
    int32_t process, thread;   /* thread: unique over processes */
    int32_t name;
    int32_t row;               /* place in the source among its calls: of equal starts the earlier one counts */
    uint8_t is_blocking;       /* waits for the device: …Synchronize, blocking copies and sets */
    uint8_t is_graph_launch;
};

struct activity_range {
    int64_t start_ns, end_ns;
    int32_t process, thread;
    int32_t name;
    int32_t row;               /* place in the source among its ranges: what owners of operations may name */
    int32_t parent, depth;     /* once nested: row, -1 outermost; 0 outermost */
};

/* Of one process: the id that was pushed for device work as a host call was made. */
struct activity_owner {
    int64_t correlation;
    uint64_t owner;
};

struct activity_device {
    int32_t device;            /* as its process numbers it */
    int32_t name;
    uint8_t uuid[16];          /* the same in every process */
};

/* Why an attribution may not be whole. */
struct activity_integrity {
    int64_t dropped, untimed, unknown; /* records that were lost, have no times, are of no known kind */
    char reason[320];          /* the first other trouble, in words: a foreign subscriber, a clock step; "" none */
};

struct activity {
    struct activity_op *ops;
    size_t n_ops, op_capacity;
    struct activity_call *calls;
    size_t n_calls, call_capacity;
    struct activity_range *ranges;
    size_t n_ranges, range_capacity;
    struct activity_owner *owners; /* not joined yet */
    size_t n_owners, owner_capacity;
    struct activity_device *devices; /* where they are known */
    size_t n_devices, device_capacity;
    const char **names;        /* interned: equal texts have one index */
    size_t n_names, name_capacity;
    uint32_t *name_index;      /* open addressing over names; capacity a power of two */
    size_t name_index_capacity;
    struct activity_integrity integrity;
    int is_owned_by_ranges;    /* an operation's owner is its range's row in the source + 1, whatever the times say */
    struct arena arena;        /* of names */
};

void activity_free(struct activity *a);
int32_t activity_name(struct activity *a, const char *text, size_t bytes);
/* New rows, zeroed but for joins and correlations of -1; valid until the next row of its kind. */
struct activity_op *activity_add_op(struct activity *a);
struct activity_call *activity_add_call(struct activity *a);
struct activity_range *activity_add_range(struct activity *a);
struct activity_owner *activity_add_owner(struct activity *a);
struct activity_device *activity_add_device(struct activity *a);
/* Gives operations the owner of their call, by correlation, and drops the list of owners. */
void activity_join_owners(struct activity *a);
/* Sorts calls by (process, correlation, start, row) and sets the operations' `call`: of their process and correlation the
 * one that starts first. Near O(n) for rows that come in the order of time; at most 6 bytes a call while it works. */
void activity_join_calls(struct activity *a);
/* Sorts operations by device, start, end, stream, correlation (stable). */
void activity_sort_ops(struct activity *a);
/* Is a call of this name one that waits for the device? Knows CUDA's and HIP's names, with or without "_v…" ends. */
int activity_is_blocking(const char *call_name);
/* One that only asks: it neither launches nor waits. Frameworks make many of these. */
int activity_is_query(const char *call_name);

#endif
