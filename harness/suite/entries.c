/* entries.c: what is measured: specs of ours, and commands. */
#include <string.h>

#include "harness/measure/worker.h"
#include "harness/suite/parts.h"

enum { MOST_NAME = 80 };
static const double default_limit_s = 600, most_limit_s = 86400;
static const char *const spec_keys[] = {"name", "workload", "warm", NULL};
static const char *const external_keys[] = {"name", "external", "directory", "environment", "limit", "figures", "warm", NULL};
static const char *const figure_keys[] = {"metric", "json", "regex", "wall", "unit", NULL};

struct entry {
    const struct node *node;
    const char *name;
};

/* ---- lists of words ---- */

/* Words that hold variables which are not set stay as they are written: the entry will not run. Ends with NULL. */
static enum status read_words(struct reader *r, const struct node *list, const char *key, const char *how, const char *const **out, const char **missing) {
    enum status s = reader_list(r, list, key, how);
    const char **words = arena_alloc(r->arena, (list->n + 1) * sizeof *words);
    for (size_t i = 0; i < list->n && s == STATUS_OK; i++) {
        s = reader_expand(r, &list->items[i], key, &words[i], missing);
        if (s == STATUS_OK && !words[i]) words[i] = list->items[i].text;
    }
    *out = words;
    return s;
}

static enum status read_warm(struct reader *r, const struct node *entry, struct plan_entry *to) {
    const struct node *list = tree_find(entry, "warm");
    return list ? read_words(r, list, "warm", "files that are read before it runs", &to->warm, &to->missing) : STATUS_OK;
}

/* ---- specs of ours ---- */

static enum status read_spec(struct reader *r, struct suite *s, const struct entry *x, const struct node *workload) {
    const struct option_map map = {x->node, spec_keys, &s->options[0], FOR_SPEC};
    const char *name;
    enum status st = reader_text(r, workload, "workload", &name);
    if (st == STATUS_OK) st = reader_keys(r, x->node, "an entry", options_allowed(r, &map));
    struct suite_options *o = suite_new_options(s);
    if (st == STATUS_OK) st = options_read(r, &map, x->node->n, o);
    if (st != STATUS_OK) return st;
    struct plan_entry entry = {.name = x->name, .missing = options_missing(o)};
    st = read_warm(r, x->node, &entry);
    if (st != STATUS_OK) return st;
    st = plan_add_spec(&s->plan, &entry, name, &o->o, r->e);
    return st == STATUS_OK ? STATUS_OK : tree_blame(r->tree, options_culprit(r, &map, name), r->e);
}

/* ---- figures ---- */

static enum status read_source(struct reader *r, const struct node *n, struct figure *f) {
    static const char *const sources[] = {"json", "regex", "wall"};
    const struct node *found = NULL;
    int count = 0;
    for (int i = 0; i < 3; i++) {
        const struct node *value = tree_find(n, sources[i]);
        count += value != NULL;
        if (value) found = value, f->source = (enum figure_source)i;
    }
    if (count != 1) return tree_error(r->tree, n, r->e, "a figure is read from one of json (a path), regex (with one group), wall (true)");
    enum status s = reader_text(r, found, sources[f->source], &f->pattern);
    if (s == STATUS_OK && f->source == FIGURE_JSON) s = figure_path_check(f->pattern, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, found, r->e);
    if (s == STATUS_OK && f->source == FIGURE_REGEX) s = figure_regex_check(f->pattern, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, found, r->e);
    if (s != STATUS_OK || f->source != FIGURE_WALL) return s;
    if (strcmp(f->pattern, "true") != 0) return tree_error(r->tree, found, r->e, "'wall' is true, or is left out");
    f->pattern = NULL;
    return STATUS_OK;
}

static enum status read_unit(struct reader *r, const struct node *n, struct figure *f) {
    const struct node *unit = tree_find(n, "unit");
    const char *name;
    f->scale = 1;
    if (!unit) return STATUS_OK;
    if (f->source == FIGURE_WALL) return tree_error(r->tree, unit, r->e, "'wall' is in nanoseconds: it takes no unit");
    enum status s = reader_text(r, unit, "unit", &name);
    if (s != STATUS_OK) return s;
    return figure_unit_scale(f->metric, name, &f->scale, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, unit, r->e);
}

static enum status read_metric(struct reader *r, const struct external *x, const struct node *n, struct figure *f) {
    const struct node *metric;
    double scale;
    enum status s = reader_need(r, n, "metric", &metric);
    if (s == STATUS_OK) s = reader_text(r, metric, "metric", &f->metric);
    if (s != STATUS_OK) return s;
    for (int i = 0; i < x->n_figures; i++)
        if (strcmp(x->figures[i].metric, f->metric) == 0) return tree_error(r->tree, metric, r->e, "the metric '%s' is given twice", f->metric);
    if (strcmp(f->metric, "wall_ns") == 0) return tree_error(r->tree, metric, r->e, "'wall_ns' is there without being asked for: the command's time from start to end");
    if (figure_metric_check(f->metric, r->e) != STATUS_OK) return tree_blame(r->tree, metric, r->e);
    if (!tree_find(n, "wall")) return STATUS_OK;
    return figure_unit_scale(f->metric, "ns", &scale, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, metric, r->e);
}

static enum status read_figures(struct reader *r, const struct node *list, struct external *x) {
    enum status s = reader_list(r, list, "figures", "metrics and how each is read");
    for (size_t i = 0; i < list->n && s == STATUS_OK; i++) {
        const struct node *n = &list->items[i];
        struct figure f = {0};
        if (x->n_figures == EXTERNAL_MOST_FIGURES) return tree_error(r->tree, n, r->e, "more than %d figures", EXTERNAL_MOST_FIGURES);
        s = reader_keys(r, n, "a figure", figure_keys);
        if (s == STATUS_OK) s = read_metric(r, x, n, &f);
        if (s == STATUS_OK) s = read_source(r, n, &f);
        if (s == STATUS_OK) s = read_unit(r, n, &f);
        if (s == STATUS_OK) x->figures[x->n_figures++] = f;
    }
    return s;
}

/* ---- commands ---- */

static int is_variable_name(const char *name) {
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    return *name && !(*name >= '0' && *name <= '9') && !name[strspn(name, all)];
}

static enum status read_environment(struct reader *r, const struct node *map, const char *const **out, const char **missing) {
    if (!map) return STATUS_OK;
    if (map->kind != NODE_MAP) return tree_error(r->tree, map, r->e, "'environment' must be a map of variables and texts");
    const char **list = arena_alloc(r->arena, (map->n + 1) * sizeof *list), *value;
    for (size_t i = 0; i < map->n; i++) {
        const char *name = map->keys[i].text;
        if (!is_variable_name(name)) return tree_error(r->tree, &map->keys[i], r->e, "'%.80s' is no variable's name", name);
        enum status s = reader_expand(r, &map->items[i], name, &value, missing);
        if (s != STATUS_OK) return s;
        list[i] = arena_printf(r->arena, "%s=%s", name, value ? value : map->items[i].text);
    }
    *out = list;
    return STATUS_OK;
}

static enum status read_command(struct reader *r, const struct node *n, struct child_request *c, const char **missing) {
    const struct node *words = tree_find(n, "external"), *directory = tree_find(n, "directory"), *limit = tree_find(n, "limit");
    enum status s = read_words(r, words, "external", "words: [program, argument, ...]; for a shell, [sh, -c, 'text']", &c->argv, missing);
    if (s == STATUS_OK && !*c->argv[0]) s = tree_error(r->tree, &words->items[0], r->e, "the program has no name");
    if (s == STATUS_OK && directory) s = reader_expand(r, directory, "directory", &c->directory, missing);
    if (s == STATUS_OK) s = read_environment(r, tree_find(n, "environment"), &c->environment, missing);
    c->limit_s = default_limit_s;
    return s == STATUS_OK && limit ? reader_positive(r, limit, "limit", most_limit_s, &c->limit_s) : s;
}

static enum status read_external(struct reader *r, struct suite *s, const struct entry *x) {
    struct external *external = arena_alloc(r->arena, sizeof *external);
    struct plan_entry entry = {.name = x->name};
    const struct node *figures;
    enum status st = reader_keys(r, x->node, "an external entry", external_keys);
    if (st == STATUS_OK) st = read_command(r, x->node, &external->command, &entry.missing);
    if (st == STATUS_OK) st = read_warm(r, x->node, &entry);
    if (st == STATUS_OK) st = reader_need(r, x->node, "figures", &figures);
    if (st == STATUS_OK) st = read_figures(r, figures, external);
    external->command.is_stopped = worker_is_interrupted;
    if (st != STATUS_OK) return st;
    st = plan_add_external(&s->plan, &entry, external, r->e);
    return st == STATUS_OK ? STATUS_OK : tree_blame(r->tree, x->node, r->e);
}

/* ---- entries ---- */

static enum status check_name(struct reader *r, const struct suite *s, const struct node *n, const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ') return tree_error(r->tree, n, r->e, "a name has one line, without tabs");
    if (strlen(name) > MOST_NAME) return tree_error(r->tree, n, r->e, "a name has at most %d bytes", MOST_NAME);
    for (int i = 0; i < s->plan.n_cells; i++)
        if (strcmp(s->plan.cells[i].label, name) == 0) return tree_error(r->tree, n, r->e, "there are two entries of the name '%s'", name);
    return STATUS_OK;
}

static enum status read_entry(struct reader *r, struct suite *s, struct entry *x) {
    const struct node *name, *workload, *external;
    if (x->node->kind != NODE_MAP) return tree_error(r->tree, x->node, r->e, "an entry must be a map of keys and values");
    enum status st = reader_need(r, x->node, "name", &name);
    if (st == STATUS_OK) st = reader_text(r, name, "name", &x->name);
    if (st == STATUS_OK) st = check_name(r, s, name, x->name);
    if (st != STATUS_OK) return st;
    workload = tree_find(x->node, "workload");
    external = tree_find(x->node, "external");
    if (!workload == !external) return tree_error(r->tree, x->node, r->e, "the entry '%s' must have one of 'workload' (ours) and 'external' (a command)", x->name);
    return external ? read_external(r, s, x) : read_spec(r, s, x, workload);
}

/* An entry with axes stands under several labels. */
static enum status check_labels(struct reader *r, const struct suite *s, const struct node *at, int first) {
    for (int i = first; i < s->plan.n_cells; i++)
        for (int k = 0; k < i; k++)
            if (strcmp(s->plan.cells[i].label, s->plan.cells[k].label) == 0)
                return tree_error(r->tree, at, r->e, "there are two entries of the name '%s'", s->plan.cells[i].label);
    return STATUS_OK;
}

enum status entries_read(struct reader *r, struct suite *s, const struct node *list) {
    enum status st = reader_list(r, list, "entries", "what is measured");
    for (size_t i = 0; i < list->n && st == STATUS_OK; i++) {
        struct entry x = {.node = &list->items[i]};
        int first = s->plan.n_cells;
        st = read_entry(r, s, &x);
        if (st == STATUS_OK) st = check_labels(r, s, x.node, first);
    }
    return st;
}
