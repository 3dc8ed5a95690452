/* optimizer.h: a rewrite of a pipeline, with proof that it took effect.
 *
 * Optimizers see programs and operations, never a workload. Each declares its phases; optimizers_apply runs all
 * phases in the fixed order whatever the order on the command line, so that switches are independent. After a
 * traced run each answers with a receipt whose evidence is the executed operations; what the rewriter counted is
 * only the expectation. To add one: a file with its descriptor, one line in OPTIMIZER_LIST. */
#ifndef ASSAY_OPTIMIZERS_OPTIMIZER_H
#define ASSAY_OPTIMIZERS_OPTIMIZER_H

#include "workloads/pipeline.h"

#define PHASE_LIST_ORDERED(X) \
    X(GENERATION, "generation") X(BATCHING, "batching") X(PROGRAM, "program") X(WEIGHTS, "weights") \
    X(PLACEMENT, "placement") X(RESIDENCY, "residency") X(EXECUTION, "execution")
enum phase {
#define X(name, text) PHASE_##name##_,
    PHASE_LIST_ORDERED(X)
#undef X
    PHASE_COUNT
};

/* How far results may move; ordered, a composite has the worst class of its parts. Same order as the store's. */
enum fidelity { FIDELITY_IS_EXACT, FIDELITY_IS_SAME_CHOICES, FIDELITY_IS_REORDERED, FIDELITY_IS_LOSSY };

/* A named setting: "a|b|c" one of them, "a+b" any subset of them joined by '+' (or "all"), "int", "number", "text". */
struct setting_spec {
    const char *name, *values, *fallback, *help;
};
enum { SETTINGS_MAX = 8 };
struct settings {
    const char *value[SETTINGS_MAX];   /* in the order of the optimizer's specs */
};

enum { USAGES_MAX = 4, TIMED_MAX = 8 };

/* One form that an optimizer had to choose among others by their times, and what came of it. */
struct choice {
    const char *subject, *form;        /* "linear bf16 576 to 1536", "int8_row dynamic" */
    int places, picked;                /* weights of that shape; of these, how many took this form */
    int n_rows;
    int64_t rows[USAGES_MAX];
    double passes[USAGES_MAX];         /* in a sample */
    double ns[USAGES_MAX];             /* of one operation with so many rows; NAN: not timed */
    double cost_ns;                    /* Σ passes · ns */
    double error_low, error_high;      /* over the places; NAN: not looked at */
    const char *why;
};

/* What a rewrite found and did, summed over the pipeline's programs. */
struct rewrite {
    int found;                         /* places where the pattern stands */
    int replaced;                      /* of these, rewritten */
    int refused;                       /* of these, left plain since the device cannot run the new form */
    char reason[256];                  /* of the first refusal */
    const struct choice *choices;      /* of the pipeline's arena */
    int n_choices;
};

/* What programs will be bound to in a run, and how often: a choice by times is weighted by it. */
struct usage {
    int64_t symbols[SYMBOL_COUNT];
    double passes;                     /* in a sample */
};

/* Programs of which one is to be chosen, their input called "x". */
struct timing {
    const struct weight_source *weights;
    int n;
    const struct program *programs[TIMED_MAX];
    int n_rows;
    struct timed_rows {
        const char *key;               /* says all that the times depend on but the machine: by it, what was measured before is known */
        int64_t rows;                  /* SYMBOL_R */
        int n_ops[TIMED_MAX];          /* so many of a program are run, from the first on */
        double ns[TIMED_MAX];          /* answer: of such a run, the median; NAN where the program cannot be made ready */
    } rows[USAGES_MAX];
};

/* Who can say how long the device takes. All programs of a timing are timed in turns, so that nothing that changes with time decides. */
struct timer {
    enum status (*measure)(void *self, struct timing *t, struct error *e);
    void *self;
    double cold_bytes;                 /* weights of more than this do not stay in the device's caches */
    const struct usage *usages;
    int n_usages;                      /* USAGES_MAX at most */
};

/* ||x_j||_2 of the columns that enter a linear operation, over calibration tokens; by the leaf of its weight. */
struct input_norms {
    const char *leaf;
    int64_t cols;
    float *norm;                       /* (cols) */
};

/* What the device can do: asked before an op enters a program, or launches are captured. */
struct rewrite_context {
    enum status (*supports)(void *self, const struct program *p, const struct op *op, struct error *e);
    void *self;
    int can_capture;
    const struct input_norms *norms;   /* where an optimizer asked for calibration; outlive the pipeline */
    int n_norms;
    const struct timer *timer;         /* NULL: no times can be had here */
};

/* Executed operations, from spans of the traced pass: one row an op of a program. */
struct executed_op {
    const struct program *program;
    const struct op *op;
    int64_t calls;                     /* times it ran */
};
struct executed {
    const struct executed_op *ops;
    int n_ops;
    int64_t launches, runs;            /* launches on the device; runs of whole programs */
    int is_complete;                   /* 0: spans were dropped */
};

enum receipt_kind { RECEIPT_IS_ENGAGED, RECEIPT_IS_NO_OP, RECEIPT_IS_FALLBACK, RECEIPT_IS_UNVERIFIED };
struct receipt {
    enum receipt_kind kind;
    char evidence[512];
};

struct optimizer {
    const char *name, *summary;
    unsigned phases;                   /* bit (1 << phase) */
    int rank;                          /* order within a phase, lower first */
    enum fidelity fidelity;
    /* LOSSY: relative rms error of logits that it may add at most, for these settings; 0: it adds none of its own, and is REORDERED with
     * them. NULL in other classes. */
    double (*bound)(const struct settings *s);
    /* What it is calibrated on, for these settings: a file of text, or "prompt", the run's own prompts; NULL: nothing, or no hook. The harness
     * then runs the plain pipeline over it first. */
    const char *(*calibration)(const struct settings *s);
    const struct setting_spec *settings;   /* ends with a NULL name; NULL: none */
    const char *const *excludes;           /* names that cannot be on with it; ends with NULL; NULL: none */
    enum status (*apply)(struct pipeline *p, enum phase phase, const struct settings *s,
                         const struct rewrite_context *context, struct rewrite *out, struct error *e);
    void (*receipt)(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out);
};

#define OPTIMIZER_LIST(X) X(attention) X(fusion) X(graph) X(quantize) X(sparsity)
#define X(name) extern const struct optimizer optimizer_##name;
OPTIMIZER_LIST(X)
#undef X
const struct optimizer *optimizer_at(int i);            /* NULL past the end */
const struct optimizer *optimizer_find(const char *name);

/* One switched-on optimizer with its settings resolved. */
enum { OPTIMIZERS_MAX = 16 };
struct optimizer_use {
    const struct optimizer *optimizer;
    struct settings settings;
    char text[256];                    /* "fusion=patterns=qkv+swiglu", canonical: every setting, or the name alone at defaults */
};
/* Parses "NAME" or "NAME=key=value,key=value". Strings are copied into the arena.
 * INPUT: unknown name or setting (the nearest is suggested), value not among those allowed, more text than `text` holds. */
enum status optimizer_parse(const char *text, struct arena *a, struct optimizer_use *out, struct error *e);
/* INPUT where two of them exclude each other or one is named twice. */
enum status optimizers_check(const struct optimizer_use *uses, int n, struct error *e);
/* rewrites[i] belongs to uses[i]. */
enum status optimizers_apply(struct pipeline *p, const struct optimizer_use *uses, int n,
                             const struct rewrite_context *context, struct rewrite *rewrites, struct error *e);
enum fidelity optimizers_fidelity(const struct optimizer_use *uses, int n);
/* The sum of their bounds, at most 1: an error as large as the logits leaves nothing of the model. 0 where none is lossy. */
double optimizers_bound(const struct optimizer_use *uses, int n);

/* The setting's value by name, of a use or inside an optimizer. */
const char *setting_get(const struct optimizer *o, const struct settings *s, const char *name);
/* "a+b" lists: is `item` in (or is the value "all")? */
int setting_has(const char *value, const char *item);

/* The candidate nearest in spelling to `word`, NULL where none is near. */
const char *nearest_name(const char *word, const char *const *candidates, int n);

#endif
