/* run.c: assay run and assay experiment: a plan, its measuring, and what was found. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "harness/ceilings/ceilings.h"
#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/doctor/environment.h"
#include "harness/measure/measure.h"
#include "kernels/backend.h"

/* Limits are measured again after a day: clocks, neighbours and kernels change. */
static const int64_t ceilings_valid_ns = (int64_t)24 * 3600 * 1000000000;

static int64_t unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The store's newest limits of this machine, else a quick measurement that is stored. */
static enum status find_ceilings(struct store *s, const struct machine_record *machine, struct arena *a, struct ceiling_list *out, struct error *e) {
    struct ceiling_set set;
    *out = (struct ceiling_list){0};
    enum status st = store_ceilings_newest(s, machine, a, &set, e);
    if (st != STATUS_OK) return st;
    if (set.count > 0 && unix_ns() - set.created_unix_ns < ceilings_valid_ns) {
        for (int i = 0; i < set.count; i++) ceiling_list_add(out, &set.items[i]);
        return STATUS_OK;
    }
    fprintf(stderr, "assay: measuring this machine's limits (a few seconds, once a day)\n");
    st = ceilings_measure(&(struct ceilings_options){.is_quick = 1}, out, e);
    if (st == STATUS_OK) st = ceilings_measure_devices(&(struct ceilings_options){.is_quick = 1}, out, e);
    if (st != STATUS_OK) return st;
    struct ceiling_set fresh = {.created_unix_ns = unix_ns(), .noise = NAN, .items = out->items, .count = out->n};
    return store_ceilings(s, machine, &fresh, e);
}

static void print_plan(const struct plan *p) {
    printf("%d cells, %d processes each:\n", p->n_cells, p->n_blocks);
    for (int i = 0; i < p->n_cells; i++) printf("  %2d  %s\n", i, p->cells[i].label);
    double seconds = p->n_cells * (p->budget_s * 1.3 + p->n_blocks * 2.0 + (p->checks_fidelity ? 3 : 0));
    printf("at most about %.0f minutes (budget %.0f s a cell; narrow intervals end earlier)\n", seconds / 60, p->budget_s);
}

static int all_timeless(const struct plan *p) {
    for (int i = 0; i < p->n_cells; i++)
        if (!backend_find(p->cells[i].spec.backend)->is_timeless) return 0;
    return 1;
}

static enum status measure(struct plan *p, const struct options *o, struct id *id, struct error *e) {
    struct store *s;
    struct environment_facts facts;
    struct ceiling_list ceilings = {0};
    struct arena a = {0};
    enum status st = store_open(o->value[OPT_DB], STORE_WRITE, &s, e);
    if (st != STATUS_OK) return st;
    environment_collect(&facts);
    struct measure_options options = {.resumes = option_flag(o, OPT_RESUME), .machine = facts.machine, .environment = facts.environment};
    if (!all_timeless(p)) {
        st = find_ceilings(s, &options.machine, &a, &ceilings, e);
        options.ceilings = &ceilings;
    }
    if (st == STATUS_OK) st = measure_plan(p, s, &options, id, e);
    ceiling_list_free(&ceilings);
    environment_free(&facts);
    arena_free(&a);
    store_close(s);
    return st;
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
        s = measure(&p, o, &id, e);
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
                                    FOR_SPEC | FOR_MEASURE | FOR_STORE | FOR_OUTPUT, run_run};
const struct command command_experiment = {"experiment", "WORKLOAD", "switch optimizers on and off in a designed experiment",
                                           FOR_SPEC | FOR_MEASURE | FOR_STORE | FOR_OUTPUT | FOR_EXPERIMENT, run_experiment};
