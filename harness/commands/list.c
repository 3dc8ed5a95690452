#include <string.h>

#include "harness/commands/command.h"
#include "harness/plot/plot.h"
#include "kernels/backend.h"
#include "optimizers/optimizer.h"
#include "results/store/store.h"
#include "workloads/llm/model.h"

static enum status list_workloads(const struct options *o, struct error *e) {
    (void)o, (void)e;
    printf("%-16s %s\n", "llm", "decoder-only language models in the Llama layout: tokenise, prefill, decode, sample, detokenise");
    return STATUS_OK;
}

static enum status list_presets(const struct options *o, struct error *e) {
    (void)o, (void)e;
    printf("%-16s %6s %6s %9s %6s %7s %8s  %s\n", "preset", "layers", "width", "heads", "ffn", "vocab", "context", "after");
    for (int i = 0; llm_preset_at(i); i++) {
        const struct llm_preset *p = llm_preset_at(i);
        printf("%-16s %6d %6lld %5d/%-3d %6lld %7lld %8lld  %s\n", p->name, p->config.layers, (long long)p->config.width, p->config.heads,
               p->config.kv_heads, (long long)p->config.feed_forward, (long long)p->config.vocabulary, (long long)p->config.context, p->source);
    }
    return STATUS_OK;
}

static enum status list_optimizers(const struct options *o, struct error *e) {
    (void)o, (void)e;
    for (int i = 0; optimizer_at(i); i++) {
        const struct optimizer *x = optimizer_at(i);
        printf("%-16s %s\n", x->name, x->summary);
        for (int k = 0; x->settings && x->settings[k].name; k++)
            printf("%-16s   %s=%s  %s [%s]\n", "", x->settings[k].name, x->settings[k].values, x->settings[k].help, x->settings[k].fallback);
    }
    return STATUS_OK;
}

/* Each is opened: what it is good for here it says itself. */
static enum status list_backends(const struct options *o, struct error *e) {
    (void)o, (void)e;
    for (int i = 0; backend_at(i); i++) {
        const struct backend *b = backend_at(i);
        struct clock clock = {.is_fake = b->is_timeless};
        const struct device_options options = {.clock = &clock};
        struct device *d;
        struct error why = {0};
        enum status s = b->open(&options, &d, &why);
        printf("%-16s %-11s %s\n", b->name, s == STATUS_OK ? "ready" : "unavailable", b->summary);
        if (s == STATUS_OK) b->close(d);
        else printf("%-16s %-11s %s\n", "", "", why.text);
    }
    return STATUS_OK;
}

static enum status list_figures(const struct options *o, struct error *e) {
    struct figure_list l;
    char *folder;
    (void)o;
    enum status s = plot_data_folder(&folder, e);
    if (s != STATUS_OK) return s;
    s = plot_list(folder, &l, e);
    for (int i = 0; s == STATUS_OK && i < l.count; i++) printf("%-22s %s\n", l.items[i].name, l.items[i].summary);
    if (s == STATUS_OK) plot_list_free(&l);
    mem_free(folder);
    return s;
}

static enum status list_runs(const struct options *o, struct error *e) {
    struct store *store;
    struct run_list l;
    enum status s = store_open(o->value[OPT_DB], STORE_READ, &store, e);
    if (s != STATUS_OK) return s;
    s = store_list_runs(store, NULL, 0, &l, e);
    if (s == STATUS_OK) {
        printf("%-10s %-12s %-10s %-9s %-24s %-28s %5s %7s\n", "run", "state", "experiment", "backend", "model", "cell", "procs", "samples");
        for (int i = 0; i < l.count; i++) {
            const struct run_row *r = &l.items[i];
            printf("%-10.8s %-12s %-10.8s %-9s %-24.24s %-28.28s %5d %7d%s\n", r->id.text, run_state_name(r->state), r->experiment.text, r->backend, r->model,
                   r->label, r->n_processes, r->n_samples, r->is_synthetic ? "  synthetic weights" : "");
        }
        run_list_free(&l);
    }
    store_close(store);
    return s;
}

static const struct {
    const char *name;
    enum status (*list)(const struct options *o, struct error *e);
} kinds[] = {{"workloads", list_workloads}, {"presets", list_presets}, {"optimizers", list_optimizers},
             {"backends", list_backends},   {"figures", list_figures}, {"runs", list_runs}};

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *what, *names[sizeof kinds / sizeof *kinds];
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "what to list: workloads, presets, optimizers, backends, figures or runs", NULL, &what, e);
    if (s != STATUS_OK) return s;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        names[i] = kinds[i].name;
        if (strcmp(what, names[i]) == 0) return kinds[i].list(o, e);
    }
    const char *near = nearest_name(what, names, (int)(sizeof kinds / sizeof *kinds));
    return error_set(e, STATUS_INPUT, "cannot list '%s'%s%s%s (have: workloads, presets, optimizers, backends, figures, runs)", what,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

const struct command command_list = {"list", "KIND", "workloads, presets, optimizers, backends, figures or runs", FOR_STORE, run, NULL};
