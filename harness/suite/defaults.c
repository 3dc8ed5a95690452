/* defaults.c: options by their long names, as values of YAML. */
#include <string.h>

#include "harness/suite/parts.h"

static int is_reserved(const struct option_map *m, const char *key) {
    for (const char *const *name = m->reserved; *name; name++)
        if (strcmp(*name, key) == 0) return 1;
    return 0;
}

const char *const *options_allowed(struct reader *r, const struct option_map *m) {
    const char **names = arena_alloc(r->arena, (OPTION_COUNT + 8) * sizeof *names);
    int n = 0;
    for (const char *const *name = m->reserved; *name; name++) names[n++] = *name;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].commands & m->commands) names[n++] = option_table[i].name;
    return names;
}

static const char **missing_of(struct suite_options *o, const char *key, unsigned commands) { return &o->missing[options_find(key, commands) - option_table]; }

static enum status set_flag(struct reader *r, struct suite_options *o, const char *key, const struct node *value, unsigned commands) {
    int is_on = strcmp(value->text, "true") == 0;
    if (!value->is_plain || (!is_on && strcmp(value->text, "false") != 0)) return tree_error(r->tree, value, r->e, "'%s' must be true or false, not '%.80s'", key, value->text);
    return options_set(&o->o, key, is_on ? "1" : "0", commands, r->e);
}

static enum status set_one(struct reader *r, struct suite_options *o, const char *key, const struct node *value, unsigned commands) {
    const char *text;
    enum status s = reader_expand(r, value, key, &text, missing_of(o, key, commands));
    if (s != STATUS_OK || !text) return s;
    if (options_find(key, commands)->kind == OPTION_FLAG) return set_flag(r, o, key, value, commands);
    return options_set(&o->o, key, text, commands, r->e) == STATUS_OK ? STATUS_OK : tree_blame(r->tree, value, r->e);
}

/* An axis as a list of YAML: the command line's "1,8,32". */
static enum status set_axis(struct reader *r, struct suite_options *o, const char *key, const struct node *list, unsigned commands) {
    struct text t = {0};
    const char *item;
    enum status s = reader_list(r, list, key, "values");
    for (size_t i = 0; i < list->n && s == STATUS_OK; i++) {
        s = reader_expand(r, &list->items[i], key, &item, missing_of(o, key, commands));
        if (s == STATUS_OK && item && strchr(item, ',')) s = tree_error(r->tree, &list->items[i], r->e, "'%.80s': a comma inside a list", item);
        if (s == STATUS_OK && item) text_append(&t, "%s%s", t.length ? "," : "", item);
    }
    if (s == STATUS_OK && t.length && options_set(&o->o, key, t.data, commands, r->e) != STATUS_OK) s = tree_blame(r->tree, list, r->e);
    text_free(&t);
    return s;
}

static enum status set_list(struct reader *r, struct suite_options *o, const char *key, const struct node *value, unsigned commands) {
    enum status s = options_set(&o->o, key, NULL, commands, r->e); /* an entry's list takes the place of the defaults' */
    if (s != STATUS_OK || value->kind != NODE_LIST) return s == STATUS_OK ? set_one(r, o, key, value, commands) : s;
    for (size_t i = 0; i < value->n && s == STATUS_OK; i++) s = set_one(r, o, key, &value->items[i], commands);
    return s;
}

static enum status set_option(struct reader *r, struct suite_options *o, const char *key, const struct node *value, unsigned commands) {
    const struct option_row *row = options_find(key, commands);
    *missing_of(o, key, commands) = NULL;
    if (value->kind == NODE_TEXT && *value->text && reader_is_null(value)) return options_set(&o->o, key, NULL, commands, r->e);
    if (row->kind == OPTION_LIST) return set_list(r, o, key, value, commands);
    if (value->kind == NODE_LIST && row->is_axis) return set_axis(r, o, key, value, commands);
    return set_one(r, o, key, value, commands);
}

enum status options_read(struct reader *r, const struct option_map *m, size_t n_keys, struct suite_options *out) {
    *out = m->base ? *m->base : (struct suite_options){0};
    out->o.arena = (struct arena){0};
    enum status s = STATUS_OK;
    for (size_t i = 0; i < n_keys && s == STATUS_OK; i++)
        if (!is_reserved(m, m->map->keys[i].text)) s = set_option(r, out, m->map->keys[i].text, &m->map->items[i], m->commands);
    options_fill(&out->o);
    return s;
}

const char *options_missing(const struct suite_options *o) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (o->missing[i]) return o->missing[i];
    return NULL;
}

/* ---- which value is to blame ---- */

enum status options_try(struct reader *r, const struct option_map *m, size_t n_keys, const char *workload) {
    struct suite_options o;
    struct plan p = {0};
    enum status s = options_read(r, m, n_keys, &o);
    if (s == STATUS_OK) s = plan_begin_suite(&p, &o.o, r->e);
    if (s == STATUS_OK) s = plan_add_spec(&p, &(struct plan_entry){.name = "entry"}, workload, &o.o, r->e);
    plan_free(&p);
    options_free(&o.o);
    return s;
}

const struct node *options_culprit(struct reader *r, const struct option_map *m, const char *workload) {
    for (size_t n = m->map->n; n-- > 0;) {
        struct error ignored = {0};
        struct reader quiet = *r;
        quiet.e = &ignored;
        if (options_try(&quiet, m, n, workload) == STATUS_OK) return &m->map->items[n];
    }
    return m->map;
}
