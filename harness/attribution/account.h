/* account.h: a device's time added up: who had it, and why it stood still. Integer arithmetic throughout.
 *
 * Busy time is the union of the operations' intervals. Each busy instant goes to the operation, of those running,
 * that started first (of equals: the one that comes first in the order below), so owners' times and the idle time
 * sum to the span exactly. An idle gap is cut by the call of the operation that ends it:
 *   before the call    SYNC where the calling thread waits in a blocking call, else HOST (the host was late)
 *   inside the call    CALL
 *   after its return   QUEUED (a dependency, or the latency of the device)
 *   no call is known   UNKNOWN
 * launch-bound = HOST + CALL. Definitions and tests: golden/traces.
 * An operation of no length takes no time, and ends a gap only where no other follows. */
#ifndef ASSAY_HARNESS_ATTRIBUTION_ACCOUNT_H
#define ASSAY_HARNESS_ATTRIBUTION_ACCOUNT_H

#include <stdint.h>

#include "kernels/base/memory.h"

struct account_work {              /* one operation of the device; start <= end */
    int64_t start_ns, end_ns;
    int64_t call_start_ns, call_end_ns;
    int64_t correlation;
    int32_t has_call, thread;      /* of the call; threads are numbered by the caller */
    int32_t stream;
    int32_t owner;                 /* who gets its time: 0..n_owners-1 */
};

struct account_wait {              /* a blocking call */
    int64_t start_ns, end_ns;
    int32_t thread;
};

enum account_piece { PIECE_SYNC, PIECE_HOST, PIECE_CALL, PIECE_QUEUED, PIECE_UNKNOWN, PIECE_COUNT };

struct account_gap {
    int64_t start_ns, end_ns;
    int64_t piece_ns[PIECE_COUNT]; /* sums to end - start */
    int32_t ended_by;              /* row of work */
};

struct account {
    int64_t first_ns, last_ns;     /* of the work: first start, last end */
    int64_t busy_ns, sum_ns;       /* union; sum of durations */
    int64_t overlap_ns;            /* time in which two operations or more ran */
    int64_t *owner_ns;             /* n_owners: exclusive, sums to busy_ns */
    int64_t piece_ns[PIECE_COUNT]; /* over all gaps */
    struct account_gap *gaps;
    size_t n_gaps;
};

/* Sorts `work` by start, end, stream, correlation (stable) and settles `waits`; both stay the caller's.
 * n_work may be 0. The account's lists are in the arena. */
void account_close(struct account_work *work, size_t n_work, struct account_wait *waits, size_t n_waits, int n_owners,
                   struct arena *a, struct account *out);

/* ---- the same one operation at a time, for more of them than should stand in memory twice ---- */

/* By start, end, stream, correlation; stable. */
void account_sort(struct account_work *work, size_t n);

/* Sorts waits by thread and start, and cuts from each what an earlier one of its thread covers. */
void account_waits_settle(struct account_wait *waits, size_t n);

struct account_waits {             /* settled */
    const struct account_wait *items;
    size_t n;
};

/* The pieces of the idle time [start, end), which `work` ends; part of a gap may be asked for. */
void account_cut(const struct account_waits *waits, const struct account_work *work, int64_t start_ns, int64_t end_ns,
                 int64_t piece_ns[PIECE_COUNT]);

/* Told of time as it is given out, in its order; `work` is borrowed for the call. */
struct account_sink {
    void *self;
    void (*busy)(void *self, const struct account_work *work, int64_t start_ns, int64_t end_ns);
    void (*gap)(void *self, const struct account_work *ended_by, int64_t start_ns, int64_t end_ns);
};

struct account_walk {
    int64_t first_ns, last_ns, busy_ns, sum_ns, overlap_ns; /* as in struct account, so far */
    int64_t given_ns;              /* time is given out until here */
    int64_t paired_ns;             /* until here two operations or more ran */
    struct account_work latest;    /* of the work */
    int is_begun;
    const struct account_sink *sink;
};
void account_begin(struct account_walk *w, const struct account_sink *sink);
/* Time from `from` on is given out; without this, from the first work on. */
void account_begin_at(struct account_walk *w, const struct account_sink *sink, int64_t from_ns);
/* In the order of account_sort. */
void account_add(struct account_walk *w, const struct account_work *work);
/* After the last work. */
void account_end(struct account_walk *w);
/* The same, and time until `until` is given out: what follows the last work is a gap that a call never ended, made by
 * the thread that launched last. */
void account_end_at(struct account_walk *w, int64_t until_ns);

#endif
