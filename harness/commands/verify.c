#include "harness/commands/command.h"
#include "harness/verify/quantize.h"
#include "harness/verify/traces.h"
#include "harness/verify/verify.h"

#include <string.h>

static int wants_json(const struct options *o) { return o->value[OPT_FORMAT] && strcmp(o->value[OPT_FORMAT], "json") == 0; }

static enum status run_llm(struct options *o, const char *folder, int *n_failed, struct error *e) {
    struct verify_request q = {.folder = folder, .dump = o->value[OPT_DUMP], .as_json = wants_json(o)};
    /* Verification speaks of the full precision unless told otherwise. */
    if (!o->is_given[OPT_DTYPE]) o->value[OPT_DTYPE] = "f32";
    /* Options that only measuring has keep their defaults. */
    enum status s = spec_from_options("llm", o, &o->arena, &q.spec, e);
    if (s == STATUS_OK) s = optimizers_check(q.spec.uses, q.spec.n_uses, e);
    return s == STATUS_OK ? verify_llm(&q, stdout, n_failed, e) : s;
}

static enum status run_traces(struct options *o, const char *folder, int *n_failed, struct error *e) {
    const struct verify_traces_request q = {.folder = folder, .as_json = wants_json(o)};
    return verify_traces(&q, stdout, n_failed, e);
}

static enum status run_quantize(struct options *o, const char *folder, int *n_failed, struct error *e) {
    const struct verify_quantize_request q = {.folder = folder, .dump = o->value[OPT_DUMP], .as_json = wants_json(o)};
    return verify_quantize(&q, stdout, n_failed, e);
}

/* What can be verified: prints its table and counts what failed. */
static const struct verifiable {
    const char *name, *passed;
    enum status (*run)(struct options *o, const char *folder, int *n_failed, struct error *e);
} verifiables[] = {
    {"llm", "all within tolerance", run_llm},
    {"traces", "all equal to the nanosecond", run_traces},
    {"quantize", "all equal or within tolerance", run_quantize},
};
enum { N_VERIFIABLES = sizeof verifiables / sizeof *verifiables };

static enum status find_verifiable(const char *name, const struct verifiable **out, struct error *e) {
    struct text have = {0};
    for (int i = 0; i < N_VERIFIABLES; i++) {
        text_append(&have, "%s%s", i ? ", " : "", verifiables[i].name);
        if (strcmp(verifiables[i].name, name) == 0) *out = &verifiables[i];
    }
    enum status s = *out ? STATUS_OK : error_set(e, STATUS_INPUT, "cannot verify '%s' (have: %s)", name, have.data);
    text_free(&have);
    return s;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *name, *folder;
    const struct verifiable *v = NULL;
    int n_failed = 0;
    enum status s = command_argument(o, 0, "what to verify: assay verify llm DIR, traces DIR or quantize DIR", NULL, &name, e);
    if (s == STATUS_OK) s = find_verifiable(name, &v, e);
    if (s == STATUS_OK)
        s = command_argument(o, 1, "which folder holds the reference: assay verify llm DIR, traces DIR or quantize DIR", NULL, &folder, e);
    if (s == STATUS_OK) s = v->run(o, folder, &n_failed, e);
    if (s == STATUS_OK && !wants_json(o)) printf("\n%s\n", n_failed ? "FAILED" : v->passed);
    *exit_code = n_failed ? EXIT_CHECK_FAILED : EXIT_DONE;
    return s;
}

const struct command command_verify = {"verify", "WHAT DIR", "compare with an independent reference: llm and quantize tensor by tensor, traces to the nanosecond",
                                       FOR_VERIFY | FOR_OUTPUT, run, NULL};
