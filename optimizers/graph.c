/* graph.c: a whole step as one launch, after CUDA Graphs: operations are captured once, with all that can be resolved
 * beforehand, and replayed. Sizes that change from step to step are rounded up, so that one capture serves many. */
#include <stdio.h>
#include <stdlib.h>

#include "optimizers/optimizer.h"

static const struct setting_spec settings[] = {
    {"bucket", "int", "256", "key positions are rounded up to a multiple of this; 0: a capture for every length"},
    {0},
};

static enum status apply(struct pipeline *p, enum phase phase, const struct settings *s, const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    long bucket = strtol(s->value[0], NULL, 10);
    (void)phase;
    if (bucket < 0) return error_set(e, STATUS_INPUT, "optimizer graph: bucket=%ld is negative", bucket);
    out->found = p->n_programs;
    if (context && !context->can_capture) {
        out->refused = out->found;
        snprintf(out->reason, sizeof out->reason, "this backend cannot capture launches");
        return STATUS_OK;
    }
    p->execution.is_captured = 1;
    p->execution.bucket_keys = bucket;
    out->replaced = out->found;
    return STATUS_OK;
}

/* Launches a step before: one an operation; after: as executed. */
static void receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    int64_t operations = 0;
    (void)s;
    for (int i = 0; i < x->n_ops; i++) operations += x->ops[i].calls;
    double runs = x->runs > 0 ? (double)x->runs : 1;
    if (!x->is_complete) out->kind = RECEIPT_IS_UNVERIFIED;
    else if (r->refused > 0 || x->launches > x->runs) out->kind = RECEIPT_IS_FALLBACK;
    else if (operations <= x->runs) out->kind = RECEIPT_IS_NO_OP;
    else out->kind = RECEIPT_IS_ENGAGED;
    snprintf(out->evidence, sizeof out->evidence, "%.4g launches a step for %.4g operations (%lld in %lld runs)%s%.200s", (double)x->launches / runs, (double)operations / runs,
             (long long)x->launches, (long long)x->runs, r->reason[0] ? ": " : "", r->reason);
}

const struct optimizer optimizer_graph = {
    .name = "graph", .summary = "every step captured once and replayed as one launch",
    .phases = 1u << PHASE_EXECUTION_, .rank = 90, .fidelity = FIDELITY_IS_SAME_CHOICES, .settings = settings, .apply = apply, .receipt = receipt,
};
