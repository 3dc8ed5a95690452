/* model.h: what is found, as plain records. The harness fills these; the store keeps them; views, export,
 * figures and the report read them back. Strings are borrowed by the functions that take a record.
 * Unknown numbers are NAN (or -1 for integers), stored as NULL: a figure then shows a gap, never a zero. */
#ifndef ASSAY_RESULTS_MODEL_H
#define ASSAY_RESULTS_MODEL_H

#include <stdint.h>

/* Identities are 32 hex digits drawn from the system, so that two stores merge without collisions. */
enum { ID_CHARS = 33 };
struct id {
    char text[ID_CHARS];
};

#define RUN_STATE_LIST(X) \
    X(RUNNING, "running") X(OK, "ok") X(NOISY, "noisy") X(INVALID, "invalid") X(SKIPPED, "skipped") \
    X(FAILED, "failed") X(INTERRUPTED, "interrupted")
enum run_state {
#define X(name, text) RUN_##name,
    RUN_STATE_LIST(X)
#undef X
};

#define RECEIPT_LIST(X) X(ENGAGED, "ENGAGED") X(NO_OP, "NO-OP") X(FALLBACK, "FALLBACK") X(UNVERIFIED, "UNVERIFIED")
enum receipt_verdict {
#define X(name, text) RECEIPT_##name,
    RECEIPT_LIST(X)
#undef X
};

#define FIDELITY_LIST(X) X(EXACT, "exact") X(SAME_CHOICES, "same choices") X(REORDERED, "reordered") X(LOSSY, "lossy")
enum fidelity_class { /* ordered: a composite has the worst of its parts */
#define X(name, text) FIDELITY_##name,
    FIDELITY_LIST(X)
#undef X
};

struct fact {              /* key → value, e.g. of a machine, an environment or a device */
    const char *key, *value;
};

struct machine_record {    /* what does not change from run to run; same facts = same machine row */
    const struct fact *facts;
    int n_facts;
};
struct environment_record { /* what may: governor, load, steal, versions, build flags */
    const struct fact *facts;
    int n_facts;
};

struct experiment_record {
    struct id id;
    const char *name, *workload, *design; /* "single", "each", "leave-one-out", "full" */
    const char *spec_json;                /* as asked, for --resume */
    uint64_t seed;
    int n_factors;
    const char *const *factors;           /* optimizer names with settings; bit i of a cell's mask */
    int n_blocks;
    int64_t created_unix_ns;
};

struct cell_record {
    int index;
    uint32_t mask;                        /* which factors are on */
    const char *label;                    /* "plain", "attention", "attention+fusion"; axes are appended */
    const char *axes_json;                /* {"batch": 8, …} of list-valued options; "{}" */
};

struct run_record {                       /* one cell measured: one resolved spec */
    struct id id, experiment;
    int cell;                             /* index in the experiment */
    const char *workload, *model, *backend, *dtype, *scenario, *label;
    const char *spec_json;                /* the resolved spec, canonical: keys sorted */
    uint64_t spec_hash;
    uint64_t comparability;               /* equal keys may be compared; differences are shown by name */
    const char *comparability_json;       /* the facts under the key: machine, isa, unit, dtype, weights, scenario */
    int is_synthetic;                     /* weights have no training behind them */
    int truncated_layers;                 /* 0, or the --layers that the preset was cut to */
    int64_t created_unix_ns;
};

struct process_record {                   /* the statistical unit */
    int block, order;                     /* unique with experiment and cell */
    int pid;
    int64_t start_unix_ns;
    int64_t prepare_ns, load_ns, first_token_ns; /* from process start; -1 unknown */
};

#define PHASE_LIST(X) X(WARMUP, "warmup") X(TIMED, "timed") X(PROFILED, "profiled")
enum sample_phase {
#define X(name, text) PHASE_##name,
    PHASE_LIST(X)
#undef X
};

/* One number of a sample. `position`: request for per-request metrics, request·2^20 + index for itl_ns. */
struct value_record {
    const char *metric;                   /* "ttft_ns", "itl_ns", "tpot_ns", "e2e_ns", "prefill_tokens_per_s", … */
    int64_t position;
    double value;
};

struct sample_record {
    int index;                            /* in its process and phase */
    enum sample_phase phase;
    int64_t start_ns, wall_ns;            /* start: monotonic, of the sampling process */
    const struct value_record *values;
    int n_values;
};

/* For each unit the lines sum to wall_ns; categories "idle:…" and "residual" among them. */
struct ledger_line {
    const char *unit;                     /* "team of 2", "cuda:0" */
    const char *stage;                    /* NULL where none: idle pieces between stages, residual */
    const char *category;
    double ns;
    double flop, bytes, ceiling_share;    /* NAN where unknown */
    const char *ceiling;                  /* which limit the share is of: "read 96 MB", "bf16 matrix"; NULL */
    int64_t launches;
};
struct ledger_record {
    double wall_ns;
    const struct ledger_line *lines;
    int n_lines;
    int is_complete;
    const char *reason;                   /* why not */
};

/* Per-operation sums under the ledger: one row a (stage, op name, category). */
struct op_line {
    const char *stage, *op, *category, *place;
    int64_t calls;
    double ns, flop, bytes;
};

struct receipt_record {
    const char *optimizer, *settings;
    enum receipt_verdict verdict;
    const char *evidence;                 /* a line from executed spans (the rewriter's count is the expectation); below it, where
                                             the optimizer chose among forms, a JSON list of them */
};

struct fidelity_record {
    enum fidelity_class class;
    double error, plain_error, bound;     /* rms of the probe's logits against float64, relative */
    int is_ok;
    const char *detail;
};

struct quality_record {
    const char *name, *unit;              /* "nll", "nats/token" */
    double value;
    int64_t n;
    const char *detail;
};

struct memory_record {
    const char *class;                    /* "weights", "states", "activations", "peak_resident", … */
    double bytes;
};

struct perturbation_record {              /* profiled over timed wall time */
    double ratio, low, high;
    double by_operation;                  /* the ratio that was too large, where captured launches are timed as wholes; else 0 */
};

struct output_record {
    int request;
    const char *tokens_json, *text;       /* text may be NULL */
};

struct ceiling_record {
    const char *kind;                     /* "read", "copy", "matrix" */
    const char *unit;                     /* "f32", "bf16", "int8", …; "" for bandwidth */
    const char *pattern;                  /* which of the tried forms was best */
    int threads;
    double working_set_bytes, value;      /* bytes/s or flop/s: median of the best pattern */
    double low, high;                     /* over repeats */
};

/* One span of the profiled pass, for the trace export (a bounded number of steps is kept). */
struct span_record {
    const char *name, *category, *stage;
    int unit, lane, step;
    int64_t start_ns, duration_ns;        /* start relative to the traced region */
};

#endif
