/* join.h: which host call launched an operation, and which range was open at that call. */
#ifndef ASSAY_HARNESS_ATTRIBUTION_JOIN_H
#define ASSAY_HARNESS_ATTRIBUTION_JOIN_H

#include "kernels/activity.h"

/* Sorts calls by (process, correlation, start, row) and ranges by (thread, start, longest first); sets the operations'
 * `call` and `range`, the ranges' `parent` and `depth`. The call of an operation is the one of its process and
 * correlation that starts first; its range is the one that its owner names, where ranges are owners, else the innermost
 * on the call's thread with start <= call start < end. Every row has start <= end. O(n log n), near O(n) for rows that come in the order of time; at most 14 bytes a call
 * while it works. */
void activity_join(struct activity *a);

#endif
