/* run.c: assay run and assay experiment: a plan, its measuring, and what was found. */
#include <stdio.h>

#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/measure/plan.h"

static void print_plan(const struct plan *p) {
    printf("%d cells, %d processes each:\n", p->n_cells, p->n_blocks);
    for (int i = 0; i < p->n_cells; i++) printf("  %2d  %s\n", i, p->cells[i].label);
    double seconds = p->n_cells * (p->budget_s * 1.3 + p->n_blocks * 2.0 + (p->checks_fidelity ? 3 : 0));
    printf("at most about %.0f minutes (budget %.0f s a cell; narrow intervals end earlier)\n", seconds / 60, p->budget_s);
}

static enum status run_design(enum design design, struct options *o, int *exit_code, struct error *e) {
    const char *workload;
    struct plan p;
    struct id id = {{0}};
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "what to run: llm (assay list workloads)", NULL, &workload, e);
    if (s == STATUS_OK) s = output_check(o, e);
    if (s != STATUS_OK) return s;
    s = plan_make(workload, design, o, &p, e);
    if (s == STATUS_OK && option_flag(o, OPT_DRY_RUN)) print_plan(&p);
    else if (s == STATUS_OK) {
        s = command_measure(&p, o, &id, e);
        struct error late = {0};
        /* What was measured is shown, also after an interruption. */
        if (id.text[0] && (s == STATUS_OK || s == STATUS_INTERRUPTED)) {
            enum status shown = output_experiment(o, &id, &late);
            if (s == STATUS_OK && shown != STATUS_OK) s = error_set(e, shown, "%s", late.text);
        }
    }
    plan_free(&p);
    return s;
}

static enum status run_run(struct options *o, int *exit_code, struct error *e) { return run_design(DESIGN_SINGLE, o, exit_code, e); }

static enum status run_experiment(struct options *o, int *exit_code, struct error *e) {
    enum design d;
    enum status s = design_parse(o->value[OPT_DESIGN], &d, e);
    return s == STATUS_OK ? run_design(d, o, exit_code, e) : s;
}

const struct command command_run = {"run", "WORKLOAD", "measure one spec (lists make one run each)",
                                    FOR_SPEC | FOR_CONFIG | FOR_MEASURE | FOR_STORE | FOR_OUTPUT, run_run, NULL};
const struct command command_experiment = {"experiment", "WORKLOAD", "switch optimizers on and off in a designed experiment",
                                           FOR_SPEC | FOR_CONFIG | FOR_MEASURE | FOR_STORE | FOR_OUTPUT | FOR_EXPERIMENT, run_experiment, NULL};
