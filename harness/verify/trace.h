/* trace.h: a trace's numbers under the names that golden/traces gives them (private to verify/). Times are
 * nanoseconds from the origin: the earliest start of any operation, call or range. */
#ifndef ASSAY_HARNESS_VERIFY_TRACE_H
#define ASSAY_HARNESS_VERIFY_TRACE_H

#include <jansson.h>

#include "harness/attribution/attribute.h"
#include "harness/import/import.h"

struct traced {
    struct imported imported;      /* joined; operations sorted */
    const struct activity *a;      /* its activity */
    struct account_waits waits;
    int64_t origin_ns;
    int32_t *op_name_place;        /* by name: its place among the operations' names in the order of text; -1 none */
};

/* Running totals of operations that come by device and start. */
struct projection {
    int64_t ops, sum_ns, busy_ns, first_ns, last_ns;
    int64_t end_ns;
    int32_t device;
};
void projection_add(struct projection *p, const struct activity_op *op);
json_t *projection_json(const struct projection *p, int64_t origin_ns);

/* Rows of one width: int64 values, `columns` a row. Owned: mem_free(values). */
struct trace_rows {
    int64_t *values;
    size_t n_rows;
    int columns;
};
void trace_rows_of_ops(const struct traced *t, struct trace_rows *out);
void trace_rows_of_gaps(const struct traced *t, struct trace_rows *out);
void trace_rows_of_ranges(const struct traced *t, struct trace_rows *out);

/* The keys of expected.json. */
json_t *trace_devices(const struct traced *t);
json_t *trace_ledger(const struct traced *t);
json_t *trace_op_names(const struct traced *t);
json_t *trace_ops_by_name(const struct traced *t);
json_t *trace_calls_by_name(const struct traced *t);
json_t *trace_launch(const struct traced *t);
json_t *trace_graphs(const struct traced *t);
json_t *trace_integrity(const struct traced *t);
json_t *trace_attribution(const struct traced *t);
json_t *trace_ranges(const struct traced *t);
json_t *trace_ranges_by_name(const struct traced *t);

#endif
