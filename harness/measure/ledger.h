/* ledger.h: from spans to a table that adds up. For each unit: wall = Σ lines + idle pieces + residual.
 *
 * A thread team of T lanes counts a lane's time as 1/T. Idle pieces come from recorded moments:
 *   idle:imbalance  from a member's own end of an operation to its release by the barrier
 *   idle:serial     the same while one member alone works, or while the host stage runs on member 0
 *   idle:dispatch   from the release of one operation to the start of the next of the same launch
 *   idle:residency  waits for weights
 * What no record explains is the residual.
 *
 * A device's busy time is the union over its streams, each instant that of the operation that started first; else a
 * host stage that runs then has the time; else an idle piece, cut by the call of the operation that ends it, after the
 * rules of attribution/account.h (the stage is that operation's):
 *   idle:host, idle:call    launch-bound: the host was late, or inside the call
 *   idle:queued             a dependency, or the device's latency
 *   idle:sync               the host waited for the device
 *   idle:unknown            the call was not recorded
 *
 * Shares of the ceiling: an operation cannot take less time than
 * max(flop ÷ rate, weight bytes ÷ read bandwidth at what a whole step touches + other bytes ÷ bandwidth at the
 * operation's own size); a line's share is Σ of these ÷ its time. */
#ifndef ASSAY_HARNESS_MEASURE_LEDGER_H
#define ASSAY_HARNESS_MEASURE_LEDGER_H

#include "optimizers/optimizer.h"

struct ceiling_list;

enum idle {
    IDLE_IMBALANCE, IDLE_SERIAL, IDLE_DISPATCH, IDLE_RESIDENCY,
    IDLE_SYNC, IDLE_HOST, IDLE_CALL, IDLE_QUEUED, IDLE_UNKNOWN, /* as enum account_piece */
    IDLE_COUNT
};
enum { LEDGER_CATEGORIES = CATEGORY_COUNT + IDLE_COUNT };

struct ledger_cell {
    double ns;
    double flop, bytes;        /* of RUN spans */
    double least_ns;           /* what the ceilings allow; 0 unknown */
    double surely_ns;          /* the same if a quarter of what a step touches is all that memory must deliver: caches
                                  that do not evict the oldest first keep a share of a cycle larger than themselves */
    int64_t launches;
};

struct ledger_op {             /* one row an (op of a program): for receipts and the per-operation table */
    const struct program *program;
    const struct op *op;
    int stage;
    int64_t calls;
    int32_t last_note;         /* the launch that it was last seen in */
    double ns, flop, bytes, least_ns;
};

struct ledger_unit {
    double wall_ns, residual_ns;
    struct ledger_cell cells[PIPELINE_MAX_STAGES][LEDGER_CATEGORIES];
};

struct ledger {
    int n_units;
    struct ledger_unit units[TRACE_MAX_UNITS];
    struct ledger_op *ops;
    int n_ops;
    int64_t launches, runs;    /* on devices; of whole programs */
    uint64_t dropped;
    char trouble[160];         /* why it is not whole, besides dropped spans; "" where it is */
    struct arena arena;
};

const char *ledger_category_name(int i);

/* What the machine can do, for shares: NULL where unknown. */
struct ledger_ceilings {
    const struct ceiling_list *list;
    int threads;
    const char *bandwidth_unit; /* "", or the device's */
    const char *matrix_unit;   /* "bf16", "cuda-bf16": of linear and attention work */
    const char *codes_unit;    /* "int8": of linears that round their inputs to codes, too; NULL where there are none */
};

void ledger_close(const struct tracer *t, const struct session *s, const struct ledger_ceilings *c, struct ledger *out);
void ledger_free(struct ledger *l);

/* Executed operations for receipts, borrowed from the ledger. */
void ledger_executed(const struct ledger *l, struct arena *a, struct executed *out);

#endif
