#include "harness/measure/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const design_names[] = {"single", "each", "leave-one-out", "full", "suite"};
const char *design_name(enum design d) { return design_names[d]; }

enum status design_parse(const char *text, enum design *out, struct error *e) {
    for (int d = DESIGN_EACH; d <= DESIGN_FULL; d++)
        if (strcmp(text, design_names[d]) == 0) return *out = (enum design)d, STATUS_OK;
    const char *near = nearest_name(text, design_names + 1, 3);
    return error_set(e, STATUS_INPUT, "unknown design '%s'%s%s%s (have: each, leave-one-out, full)", text, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The masks of a design over k factors, plain first. */
static int design_masks(enum design d, int k, uint32_t *masks) {
    uint32_t all = (1u << k) - 1;
    int n = 0;
    if (d == DESIGN_SINGLE) return masks[0] = all, 1;
    if (d == DESIGN_FULL) {
        for (uint32_t m = 0; m <= all; m++) masks[n++] = m;
        return n;
    }
    masks[n++] = 0;
    for (int i = 0; i < k; i++) masks[n++] = d == DESIGN_EACH ? 1u << i : all & ~(1u << i);
    if (d == DESIGN_LEAVE_ONE_OUT) masks[n++] = all;
    if (d == DESIGN_LEAVE_ONE_OUT && k == 1) n = 2; /* all but one of one is plain */
    if (d == DESIGN_LEAVE_ONE_OUT && k == 1) masks[1] = all;
    return n;
}

struct axis {
    enum option_id id;
    const char *items[AXIS_MAX];
    int n;
};

/* Options that hold more than one value. */
static enum status find_axes(const struct options *o, struct arena *a, struct axis *axes, int *n_axes, struct error *e) {
    *n_axes = 0;
    for (int id = 0; id < OPTION_COUNT; id++) {
        if (!option_table[id].is_axis || !o->value[id] || !o->is_given[id]) continue;
        struct axis x = {.id = (enum option_id)id};
        enum status s = axis_expand(&option_table[id], o->value[id], a, x.items, &x.n, e);
        if (s != STATUS_OK) return s;
        axes[(*n_axes)++] = x;
    }
    return STATUS_OK;
}

/* What cells are made from: the point of the axes, and the entry of a suite (NULL: no suite). */
struct point {
    const struct axis *axes;
    int n_axes;
    const int *at;
    const struct plan_entry *entry;
};

static char *label_of(struct arena *a, const struct spec *s, const struct point *x) {
    struct text t = {0};
    struct arena scratch = {0};
    text_append(&t, "%s", x->entry ? x->entry->name : spec_label(s, &scratch));
    for (int i = 0; i < x->n_axes; i++)
        if (x->axes[i].n > 1) text_append(&t, " %s=%s", option_table[x->axes[i].id].name, x->axes[i].items[x->at[i]]);
    char *label = arena_copy_string(a, t.data);
    text_free(&t);
    arena_free(&scratch);
    return label;
}

/* Entries are points of an axis too: none is another one's plain form. */
static char *axes_text(struct arena *a, const struct point *x) {
    json_t *o = json_object();
    if (x->entry) json_object_set_new(o, "entry", json_string(x->entry->name));
    for (int i = 0; i < x->n_axes; i++)
        if (x->axes[i].n > 1) json_object_set_new(o, option_table[x->axes[i].id].name, json_string(x->axes[i].items[x->at[i]]));
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS), *copy = arena_copy_string(a, text);
    free(text);
    json_decref(o);
    return copy;
}

static enum status too_many_cells(struct error *e) {
    return error_set(e, STATUS_INPUT, "this makes more than %d cells; shorten an axis or choose --design each", PLAN_MAX_CELLS);
}

/* One point of the axes × all masks. */
static enum status add_cells(struct plan *p, const char *workload, const struct options *o, const struct point *x, const uint32_t *masks, int n_masks,
                             struct error *e) {
    struct options point = *o;
    for (int i = 0; i < x->n_axes; i++) point.value[x->axes[i].id] = x->axes[i].items[x->at[i]];
    struct spec full;
    enum status s = spec_from_options(workload, &point, &p->arena, &full, e);
    if (s != STATUS_OK) return s;
    for (int m = 0; m < n_masks; m++) {
        if (p->n_cells == PLAN_MAX_CELLS) return too_many_cells(e);
        struct cell *c = &p->cells[p->n_cells++];
        *c = (struct cell){.mask = masks[m], .spec = full};
        if (x->entry) c->missing = x->entry->missing, c->warm = x->entry->warm;
        c->spec.n_uses = 0;
        for (int i = 0; i < full.n_uses; i++)
            if (masks[m] & (1u << i)) c->spec.uses[c->spec.n_uses++] = full.uses[i];
        s = optimizers_check(c->spec.uses, c->spec.n_uses, e);
        if (s != STATUS_OK) return s;
        c->label = label_of(&p->arena, &c->spec, x);
        c->axes_json = axes_text(&p->arena, x);
    }
    if (x->entry) return STATUS_OK; /* an entry's optimizers are its own, no factors of the suite */
    for (int i = 0; i < full.n_uses; i++) p->factors[i] = arena_copy_string(&p->arena, full.uses[i].text);
    p->n_factors = full.n_uses;
    return STATUS_OK;
}

static enum status check_workload(const char *workload, struct error *e) {
    return strcmp(workload, "llm") == 0 ? STATUS_OK : error_set(e, STATUS_INPUT, "unknown workload '%s' (have: llm)", workload);
}

static enum status read_protocol(const struct options *o, struct plan *p, struct error *e) {
    p->name = o->value[OPT_NAME];
    p->n_blocks = (int)option_int(o, o->value[OPT_BLOCKS] && o->is_given[OPT_BLOCKS] ? OPT_BLOCKS : OPT_PROCESSES);
    p->samples = (int)option_int(o, OPT_SAMPLES);
    p->precision = option_real(o, OPT_PRECISION);
    p->budget_s = option_real(o, OPT_BUDGET);
    p->profiles = (int)option_int(o, OPT_PROFILE);
    p->checks_fidelity = option_flag(o, OPT_FIDELITY);
    p->has_nvtx = option_flag(o, OPT_NVTX);
    p->bound = o->value[OPT_BOUND] ? option_real(o, OPT_BOUND) : NAN;
    if (p->n_blocks < 1 || p->n_blocks > 1000) return error_set(e, STATUS_INPUT, "--processes must lie between 1 and 1000");
    if (p->samples < 0 || p->profiles < 0 || !(p->precision > 0) || !(p->budget_s > 0))
        return error_set(e, STATUS_INPUT, "--samples and --profile cannot be negative; --precision and --budget must be above 0");
    if (p->bound < 0) return error_set(e, STATUS_INPUT, "--bound cannot be negative");
    return STATUS_OK;
}

/* All points of the axes: an odometer. */
static enum status add_points(struct plan *p, const char *workload, struct options *o, const struct point *like, const uint32_t *masks, int n_masks,
                              struct error *e) {
    struct axis *axes = arena_alloc(&p->arena, OPTION_COUNT * sizeof *axes);
    int n_axes, at[OPTION_COUNT] = {0};
    enum status s = find_axes(o, &p->arena, axes, &n_axes, e);
    const struct point x = {axes, n_axes, at, like->entry};
    for (int is_over = 0; !is_over && s == STATUS_OK;) {
        s = add_cells(p, workload, o, &x, masks, n_masks, e);
        int i = n_axes - 1;
        while (i >= 0 && ++at[i] == axes[i].n) at[i--] = 0;
        is_over = i < 0;
    }
    return s;
}

enum status plan_make(const char *workload, enum design design, struct options *o, struct plan *p, struct error *e) {
    uint32_t masks[PLAN_MAX_CELLS];
    *p = (struct plan){.workload = workload, .design = design};
    enum status s = check_workload(workload, e);
    if (s == STATUS_OK) s = read_protocol(o, p, e);
    if (s != STATUS_OK) return s;
    if (design != DESIGN_SINGLE && o->n_list == 0) return error_set(e, STATUS_INPUT, "an experiment switches optimizers: give --opt NAME (assay list optimizers)");
    if (o->n_list > 8 && design == DESIGN_FULL) return error_set(e, STATUS_INPUT, "--design full with %d optimizers makes %d cells; use each or leave-one-out", o->n_list, 1 << o->n_list);
    p->cells = arena_alloc(&p->arena, PLAN_MAX_CELLS * sizeof *p->cells);
    int n_masks = design_masks(design, o->n_list, masks);
    s = add_points(p, workload, o, &(struct point){0}, masks, n_masks, e);
    if (s == STATUS_OK) p->seed = p->cells[0].spec.sampling.seed;
    return s;
}

enum status plan_begin_suite(struct plan *p, struct options *o, struct error *e) {
    *p = (struct plan){.workload = "suite", .design = DESIGN_SUITE};
    p->cells = arena_alloc(&p->arena, PLAN_MAX_CELLS * sizeof *p->cells);
    return read_protocol(o, p, e);
}

enum status plan_add_spec(struct plan *p, const struct plan_entry *entry, const char *workload, struct options *o, struct error *e) {
    uint32_t all = (1u << o->n_list) - 1;
    const struct point like = {.entry = entry};
    enum status s = check_workload(workload, e);
    return s == STATUS_OK ? add_points(p, workload, o, &like, &all, 1, e) : s;
}

enum status plan_add_external(struct plan *p, const struct plan_entry *entry, const struct external *x, struct error *e) {
    if (p->n_cells == PLAN_MAX_CELLS) return too_many_cells(e);
    struct cell *c = &p->cells[p->n_cells++];
    *c = (struct cell){.external = x, .missing = entry->missing, .warm = entry->warm, .label = entry->name, .axes_json = axes_text(&p->arena, &(struct point){.entry = entry})};
    return STATUS_OK;
}

int cell_is_ours(const struct cell *c) { return !c->external && !c->missing; }
json_t *cell_json(const struct cell *c) { return c->external ? external_json(c->external) : spec_json(&c->spec); }

void plan_free(struct plan *p) { arena_free(&p->arena); }

char *plan_json(struct plan *p) {
    json_t *cells = json_array();
    for (int i = 0; i < p->n_cells; i++) {
        json_t *cell = json_object();
        json_object_set_new(cell, "mask", json_integer((json_int_t)p->cells[i].mask));
        json_object_set_new(cell, "label", json_string(p->cells[i].label));
        json_object_set_new(cell, "spec", cell_json(&p->cells[i]));
        for (int k = 0; p->cells[i].warm && p->cells[i].warm[k]; k++) {
            if (k == 0) json_object_set_new(cell, "warm", json_array());
            json_array_append_new(json_object_get(cell, "warm"), json_string(p->cells[i].warm[k]));
        }
        json_array_append_new(cells, cell);
    }
    json_t *root = json_pack("{s:s,s:s,s:i,s:i,s:f,s:f,s:o}", "workload", p->workload, "design", design_name(p->design), "blocks", p->n_blocks,
                             "samples", p->samples, "precision", p->precision, "budget_s", p->budget_s, "cells", cells);
    if (p->design == DESIGN_SUITE) json_object_set_new(root, "seed", json_integer((json_int_t)p->seed));
    if (p->rows) json_object_set_new(root, "rows", json_deep_copy(p->rows));
    if (!isnan(p->bound)) json_object_set_new(root, "bound", json_real(p->bound));
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS), *copy = arena_copy_string(&p->arena, text);
    free(text);
    json_decref(root);
    return copy;
}
