/* attribute.h: joined activity as ledgers: sample by sample and device by device, which stage had the time, doing
 * what, and why the device stood still. For each sample and device the lines sum to the sample's length.
 *
 * Busy time goes to the stage of the operation that has it (account.h), idle time to the stage of the operation that
 * ends it, piece by piece; after the device's last operation it is the host's, as before a call that never comes. */
#ifndef ASSAY_HARNESS_ATTRIBUTION_ATTRIBUTE_H
#define ASSAY_HARNESS_ATTRIBUTION_ATTRIBUTE_H

#include "harness/attribution/account.h"
#include "harness/attribution/stages.h"
#include "kernels/activity.h"

/* What a device does: copies and sets are COPY; of kernels, those of the communication libraries COMMUNICATION (a
 * name that begins with nccl or rccl in any case, or holds ncclKernel or ncclDevKernel). Pieces of idle time follow. */
enum device_category { DEVICE_COMPUTE, DEVICE_COMMUNICATION, DEVICE_COPY, DEVICE_BUSY_COUNT };
enum { DEVICE_CATEGORIES = DEVICE_BUSY_COUNT + PIECE_COUNT };
const char *device_category_name(int category);
enum device_category device_category_of(const struct activity *a, const struct activity_op *op);

struct attributed_line {           /* of the ledger */
    int32_t sample, device, stage; /* stage: name's index, -1 none */
    int32_t category;
    int64_t ns, launches, bytes;   /* launches: calls that began in the sample, and operations whose call is unknown */
};

struct attributed_op {             /* operations that began in the sample, whole */
    int32_t sample, device, stage, name;
    int32_t category;
    int64_t calls, ns, bytes;      /* ns: sum of durations; where operations overlap, more than the ledger's */
};

struct attributed_sample {
    int64_t start_ns, end_ns;
    int64_t n_ops, n_without_call; /* that began in it */
};

struct attributed {
    struct attributed_sample *samples;
    size_t n_samples;
    struct attributed_line *lines; /* by sample, device, stage (as the ranges begin), category */
    size_t n_lines, line_capacity;
    struct attributed_op *ops;     /* by sample and device */
    size_t n_ops, op_capacity;
};

/* Of joined activity, sorted by activity_sort_ops, with at least one operation. */
void attribute(const struct activity *a, const struct stages *s, struct attributed *out);
void attributed_free(struct attributed *x);

/* The blocking calls, settled; owned: mem_free(items). */
struct account_waits activity_waits(const struct activity *a);
/* An operation as the account wants it; its owner is 0. */
struct account_work activity_work(const struct activity *a, const struct activity_op *op);

#endif
