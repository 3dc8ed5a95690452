#include "harness/commands/command.h"
#include "harness/verify/verify.h"

#include <string.h>

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *workload, *folder;
    struct verify_request q = {.dump = o->value[OPT_DUMP], .as_json = o->value[OPT_FORMAT] && strcmp(o->value[OPT_FORMAT], "json") == 0};
    enum status s = command_argument(o, 0, "what to verify: assay verify llm DIR", NULL, &workload, e);
    if (s == STATUS_OK) s = command_argument(o, 1, "which folder holds the reference: assay verify llm DIR", NULL, &folder, e);
    if (s != STATUS_OK) return s;
    if (strcmp(workload, "llm") != 0) return error_set(e, STATUS_INPUT, "unknown workload '%s' (have: llm)", workload);
    /* Verification speaks of the full precision unless told otherwise. */
    if (!o->is_given[OPT_DTYPE]) o->value[OPT_DTYPE] = "f32";
    /* Options that only measuring has keep their defaults. */
    s = spec_from_options(workload, o, &o->arena, &q.spec, e);
    if (s != STATUS_OK) return s;
    q.folder = folder;
    int n_failed;
    s = verify_llm(&q, stdout, &n_failed, e);
    if (s == STATUS_OK && !q.as_json) printf("\n%s\n", n_failed ? "FAILED" : "all within tolerance");
    *exit_code = n_failed ? EXIT_CHECK_FAILED : EXIT_DONE;
    return s;
}

const struct command command_verify = {"verify", "WORKLOAD DIR", "compare with an independent reference, tensor by tensor", FOR_VERIFY | FOR_OUTPUT, run};
