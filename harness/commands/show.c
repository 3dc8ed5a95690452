#include <string.h>

#include "harness/commands/command.h"
#include "harness/commands/output.h"
#include "harness/measure/costs.h"
#include "harness/measure/engine.h"

static struct device_options show_device(struct clock *clock, const struct spec *s) {
    return (struct device_options){.threads = s->threads, .isa = s->isa, .clock = clock};
}

static enum status supports(void *self, const struct program *p, const struct op *op, struct error *e) {
    return device_backend(self)->supports(self, p, op, e);
}

/* The programs of a spec as its backend would get them; nothing is prepared (but what is timed to be chosen by), so any size can be looked at. */
static enum status show_program(struct options *o, struct error *e) {
    struct spec spec;
    struct llm_model m;
    struct sample_plan plan;
    struct pipeline p;
    struct device *d = NULL;
    struct rewrite rewrites[OPTIMIZERS_MAX];
    enum status s = spec_from_options("llm", o, &o->arena, &spec, e);
    if (s == STATUS_OK) s = optimizers_check(spec.uses, spec.n_uses, e);
    if (s != STATUS_OK) return s;
    struct llm_options from = {.model = spec.model, .preset = spec.preset, .layers = spec.layers, .seed = spec.sampling.seed};
    s = llm_open(&from, &m, e);
    if (s != STATUS_OK) return s;
    s = sample_plan_make(&spec, &m, &plan, e);
    if (s == STATUS_OK) s = llm_pipeline(&m, spec.dtype, &plan.limits, &p, e);
    if (s == STATUS_OK) {
        struct clock clock = {.is_fake = strcmp(spec.backend, "null") == 0};
        struct device_options device = show_device(&clock, &spec);
        s = backend_find(spec.backend)->open(&device, &d, e);
        struct costs costs = {0};
        if (s == STATUS_OK) s = costs_open(&spec, &m, d, &costs, e);
        struct rewrite_context context = {.supports = supports, .self = d, .can_capture = d && device_backend(d)->capture, .timer = costs_timer(&costs)};
        if (s == STATUS_OK) s = optimizers_apply(&p, spec.uses, spec.n_uses, &context, rewrites, e);
        costs_close(&costs);
        for (int i = 0; i < p.n_programs && s == STATUS_OK; i++) program_print(&p.programs[i], stdout);
        if (d) device_backend(d)->close(d);
        pipeline_free(&p);
    }
    sample_plan_free(&plan);
    llm_close(&m);
    return s;
}

static enum status show_found(struct options *o, const char *name, const char *format, struct error *e) {
    struct store *store;
    struct found f;
    enum status s = store_open(o->value[OPT_DB], STORE_READ, &store, e);
    if (s != STATUS_OK) return s;
    s = store_find(store, name, FIND_ANY, &f, e);
    if (s == STATUS_OK) s = output_found(store, &f, format, stdout, e);
    store_close(store);
    return s;
}

static enum status run_show(struct options *o, int *exit_code, struct error *e) {
    const char *name;
    *exit_code = EXIT_DONE;
    if (option_flag(o, OPT_PROGRAM)) return show_program(o, e);
    enum status s = command_argument(o, 0, "which run", "latest", &name, e);
    if (s == STATUS_OK) s = output_check(o, e);
    return s == STATUS_OK ? show_found(o, name, o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md", e) : s;
}

static enum status run_export(struct options *o, int *exit_code, struct error *e) {
    const char *name;
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "which run", "latest", &name, e);
    if (s != STATUS_OK) return s;
    if (o->value[OPT_FORMAT]) { /* -o FILE */
        FILE *out = freopen(o->value[OPT_FORMAT], "w", stdout);
        if (!out) return error_set(e, STATUS_IO, "cannot write '%s'", o->value[OPT_FORMAT]);
    }
    return show_found(o, name, o->value[OPT_EXPORT_FORMAT], e);
}

const struct command command_show = {"show", "[RUN]", "a run or an experiment; --program: the operations of a spec",
                                     FOR_SPEC | FOR_CONFIG | FOR_STORE | FOR_OUTPUT | FOR_SHOW, run_show, NULL};
const struct command command_export = {"export", "[RUN]", "--format csv, json, jsonl, md or trace (for Perfetto), -o FILE",
                                       FOR_STORE | FOR_OUTPUT | FOR_SHOW, run_export, NULL};
