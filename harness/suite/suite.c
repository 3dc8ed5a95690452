#include "harness/suite/suite.h"

#include <stdlib.h>
#include <string.h>

#include "harness/suite/parts.h"

enum { SUITE_VERSION = 1, DEFAULT_ROUNDS = 5, MOST_ROUNDS = 1000, MOST_OPTIONS = PLAN_MAX_CELLS + 2 };
static const char *const suite_keys[] = {"version", "name", "rounds", "seed", "defaults", "entries", "compare", NULL};
static const char *const no_keys[] = {NULL};

/* Before anything else: another version may have other keys. */
static enum status check_version(struct reader *r, const struct node *root) {
    const struct node *n = tree_find(root, "version");
    if (root->kind != NODE_MAP) return tree_error(r->tree, root, r->e, "a suite must be a map of keys and values, beginning with 'version: %d'", SUITE_VERSION);
    if (!n) return tree_error(r->tree, root, r->e, "'version' is missing here; this program reads 'version: %d'", SUITE_VERSION);
    if (n->kind == NODE_TEXT && n->is_plain && strcmp(n->text, "1") == 0) return STATUS_OK;
    return tree_error(r->tree, n, r->e, "this program reads 'version: %d' of suites%s%.40s%s", SUITE_VERSION, n->text ? ", not '" : "", n->text ? n->text : "", n->text ? "'" : "");
}

/* ---- defaults ---- */

/* They must hold by themselves: what is wrong with them is said here, and not at each entry. */
static enum status read_defaults(struct reader *r, struct suite *s, const struct node *n) {
    static const struct node nothing = {.kind = NODE_MAP};
    const struct option_map map = {n ? n : &nothing, no_keys, NULL, FOR_SPEC | FOR_PROTOCOL};
    struct suite_options *o = suite_new_options(s);
    enum status st = reader_keys(r, map.map, "'defaults'", options_allowed(r, &map));
    if (st == STATUS_OK) st = options_read(r, &map, map.map->n, o);
    if (st != STATUS_OK) return st;
    st = options_try(r, &map, map.map->n, "llm");
    return st == STATUS_OK ? plan_begin_suite(&s->plan, &o->o, r->e) : tree_blame(r->tree, options_culprit(r, &map, "llm"), r->e);
}

/* ---- the file ---- */

/* The file's name without folder and ending. */
static const char *stem_of(const char *file, struct arena *a) {
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *dot = strrchr(name, '.');
    return arena_copy_bytes(a, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static enum status read_head(struct reader *r, struct suite *s, const struct node *root, int rounds) {
    const struct node *name = tree_find(root, "name"), *count = tree_find(root, "rounds"), *seed = tree_find(root, "seed");
    int64_t n_rounds = DEFAULT_ROUNDS, number = 1;
    s->plan.name = stem_of(r->tree->file, r->arena);
    enum status st = name ? reader_text(r, name, "name", &s->plan.name) : STATUS_OK;
    if (st == STATUS_OK && count) st = reader_whole(r, count, "rounds", 1, MOST_ROUNDS, &n_rounds);
    if (st == STATUS_OK && seed) st = reader_whole(r, seed, "seed", 0, INT64_MAX, &number);
    s->plan.n_blocks = rounds > 0 ? rounds : (int)n_rounds;
    s->plan.seed = (uint64_t)number;
    return st;
}

static enum status read_suite(struct reader *r, struct suite *s, int rounds) {
    const struct node *root = &r->tree->root, *entries, *compare;
    enum status st = check_version(r, root);
    if (st == STATUS_OK) st = reader_keys(r, root, "a suite", suite_keys);
    if (st == STATUS_OK) st = read_defaults(r, s, tree_find(root, "defaults"));
    if (st == STATUS_OK) st = read_head(r, s, root, rounds);
    if (st == STATUS_OK) st = reader_need(r, root, "entries", &entries);
    if (st == STATUS_OK) st = entries_read(r, s, entries);
    compare = tree_find(root, "compare");
    if (st == STATUS_OK && compare) st = rows_read(r, s, compare);
    s->plan.rows = s->rows;
    return st;
}

struct suite_options *suite_new_options(struct suite *s) {
    if (!s->options) s->options = mem_alloc(MOST_OPTIONS * sizeof *s->options);
    return &s->options[s->n_options++];
}

/* Takes the tree over. */
static enum status read_tree(struct suite *s, int rounds, struct error *e) {
    char *path = realpath(s->tree.file, NULL), *slash = path ? strrchr(path, '/') : NULL;
    if (slash && slash > path) *slash = 0;
    struct reader r = {.tree = &s->tree, .arena = &s->arena, .folder = arena_copy_string(&s->arena, path ? path : "."), .e = e};
    free(path);
    s->rows = json_array();
    enum status st = read_suite(&r, s, rounds);
    if (st != STATUS_OK) suite_free(s);
    return st;
}

enum status suite_parse(const char *file, const char *bytes, size_t length, int rounds, struct suite *out, struct error *e) {
    *out = (struct suite){0};
    enum status s = tree_parse(file, bytes, length, &out->tree, e);
    return s == STATUS_OK ? read_tree(out, rounds, e) : s;
}

enum status suite_read(const char *file, int rounds, struct suite *out, struct error *e) {
    *out = (struct suite){0};
    enum status s = tree_read(file, &out->tree, e);
    return s == STATUS_OK ? read_tree(out, rounds, e) : s;
}

void suite_free(struct suite *s) {
    plan_free(&s->plan);
    for (size_t i = 0; i < s->n_options; i++) options_free(&s->options[i].o);
    mem_free(s->options);
    json_decref(s->rows);
    tree_free(&s->tree);
    arena_free(&s->arena);
    *s = (struct suite){0};
}
