/* rows.c: what is compared with what. */
#include <string.h>

#include "harness/suite/parts.h"
#include "optimizers/optimizer.h"

static const double most_ratio = 1e6;
static const char *const row_keys[] = {"title", "metric", "ours", "against", "at_least", NULL};

/* The unit is in the name, and with it which way is better. */
static enum status check_metric(struct reader *r, const struct node *n, const char *metric) {
    return figure_metric_check(metric, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, n, r->e);
}

/* A label that a longer one begins with is an entry with axes. */
static int has_points(const struct plan *p, const char *name) {
    for (int i = 0; i < p->n_cells; i++) {
        size_t n = strlen(name);
        if (strncmp(p->cells[i].label, name, n) == 0 && p->cells[i].label[n] == ' ' && strchr(p->cells[i].label + n, '=')) return 1;
    }
    return 0;
}

static enum status unknown_entry(struct reader *r, const struct suite *s, const struct node *n, const char *name) {
    const char *names[PLAN_MAX_CELLS];
    struct text all = {0};
    for (int i = 0; i < s->plan.n_cells; i++) {
        names[i] = s->plan.cells[i].label;
        if (all.length < ERROR_TEXT_BYTES / 2) text_append(&all, "%s'%s'", i ? ", " : "", names[i]);
    }
    const char *near = nearest_name(name, names, s->plan.n_cells);
    if (has_points(&s->plan, name)) tree_error(r->tree, n, r->e, "'%s' has axes: name one of its points (have: %s)", name, all.data);
    else tree_error(r->tree, n, r->e, "there is no entry '%s'%s%s%s (have: %s)", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", all.data);
    text_free(&all);
    return STATUS_INPUT;
}

/* An entry that gives the metric, as far as can be known before it runs. */
static enum status read_side(struct reader *r, const struct suite *s, const struct node *n, const char *key, const char *metric, const char **out) {
    enum status st = reader_text(r, n, key, out);
    const struct cell *cell = NULL;
    for (int i = 0; i < s->plan.n_cells && st == STATUS_OK; i++)
        if (strcmp(s->plan.cells[i].label, *out) == 0) cell = &s->plan.cells[i];
    if (st != STATUS_OK || !cell) return st == STATUS_OK ? unknown_entry(r, s, n, *out) : st;
    if (!cell->external || strcmp(metric, "wall_ns") == 0) return STATUS_OK;
    for (int i = 0; i < cell->external->n_figures; i++)
        if (strcmp(cell->external->figures[i].metric, metric) == 0) return STATUS_OK;
    return tree_error(r->tree, n, r->e, "the entry '%s' has no figure of the metric '%s'", *out, metric);
}

static enum status read_against(struct reader *r, const struct suite *s, const struct node *n, const char *metric, const char *ours, json_t *out) {
    const struct node *items = n->kind == NODE_LIST ? n->items : n;
    size_t count = n->kind == NODE_LIST ? n->n : 1;
    const char *name;
    if (count == 0) return tree_error(r->tree, n, r->e, "'against' must name one entry at least");
    for (size_t i = 0; i < count; i++) {
        enum status st = read_side(r, s, &items[i], "against", metric, &name);
        if (st != STATUS_OK) return st;
        if (strcmp(name, ours) == 0) return tree_error(r->tree, &items[i], r->e, "'%s' is compared with itself", name);
        for (size_t k = 0; k < json_array_size(out); k++)
            if (strcmp(json_string_value(json_array_get(out, k)), name) == 0) return tree_error(r->tree, &items[i], r->e, "'%s' stands here twice", name);
        json_array_append_new(out, json_string(name));
    }
    return STATUS_OK;
}

static enum status check_title(struct reader *r, const struct suite *s, const struct node *n, const char *title) {
    size_t i;
    json_t *row;
    json_array_foreach(s->rows, i, row)
        if (strcmp(json_string_value(json_object_get(row, "title")), title) == 0) return tree_error(r->tree, n, r->e, "there are two rows of the title '%s'", title);
    return STATUS_OK;
}

static enum status read_row(struct reader *r, struct suite *s, const struct node *n) {
    const struct node *title_node, *metric_node, *ours_node, *against_node, *least_node = tree_find(n, "at_least");
    const char *title, *metric, *ours;
    double at_least = 0;
    json_t *against = json_array();
    enum status st = reader_keys(r, n, "a row", row_keys);
    if (st == STATUS_OK) st = reader_need(r, n, "title", &title_node);
    if (st == STATUS_OK) st = reader_text(r, title_node, "title", &title);
    if (st == STATUS_OK) st = check_title(r, s, title_node, title);
    if (st == STATUS_OK) st = reader_need(r, n, "metric", &metric_node);
    if (st == STATUS_OK) st = reader_text(r, metric_node, "metric", &metric);
    if (st == STATUS_OK) st = check_metric(r, metric_node, metric);
    if (st == STATUS_OK) st = reader_need(r, n, "ours", &ours_node);
    if (st == STATUS_OK) st = read_side(r, s, ours_node, "ours", metric, &ours);
    if (st == STATUS_OK) st = reader_need(r, n, "against", &against_node);
    if (st == STATUS_OK) st = read_against(r, s, against_node, metric, ours, against);
    if (st == STATUS_OK && least_node) st = reader_positive(r, least_node, "at_least", most_ratio, &at_least);
    if (st == STATUS_OK)
        json_array_append_new(s->rows, json_pack("{s:s, s:s, s:s, s:O, s:o}", "title", title, "metric", metric, "ours", ours, "against", against, "at_least",
                                                 least_node ? json_real(at_least) : json_null()));
    json_decref(against);
    return st;
}

enum status rows_read(struct reader *r, struct suite *s, const struct node *list) {
    enum status st = reader_list(r, list, "compare", "rows");
    for (size_t i = 0; i < list->n && st == STATUS_OK; i++) st = read_row(r, s, &list->items[i]);
    return st;
}
