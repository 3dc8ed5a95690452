#include "harness/suite/reader.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/optimizer.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"

static enum status unknown_key(struct reader *r, const struct node *key, const char *const *allowed) {
    struct text t = {0};
    int n = 0;
    for (; allowed[n]; n++) text_append(&t, "%s%s", n ? ", " : "", allowed[n]);
    const char *near = nearest_name(key->text, allowed, n);
    tree_error(r->tree, key, r->e, "unknown key '%.80s'%s%s%s (allowed here: %s)", key->text, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", t.data);
    text_free(&t);
    return STATUS_INPUT;
}

enum status reader_keys(struct reader *r, const struct node *map, const char *what, const char *const *allowed) {
    if (map->kind != NODE_MAP) return tree_error(r->tree, map, r->e, "%s must be a map of keys and values", what);
    for (size_t i = 0; i < map->n; i++) {
        const char *const *name = allowed;
        while (*name && strcmp(*name, map->keys[i].text) != 0) name++;
        if (!*name) return unknown_key(r, &map->keys[i], allowed);
    }
    return STATUS_OK;
}

enum status reader_need(struct reader *r, const struct node *map, const char *key, const struct node **out) {
    *out = tree_find(map, key);
    return *out ? STATUS_OK : tree_error(r->tree, map, r->e, "'%s' is missing here", key);
}

int reader_is_null(const struct node *n) { return n->is_plain && (!*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0); }

enum status reader_text(struct reader *r, const struct node *n, const char *key, const char **out) {
    *out = "";
    if (n->kind != NODE_TEXT) return tree_error(r->tree, n, r->e, "'%s' must be one value, not a %s", key, n->kind == NODE_LIST ? "list" : "map");
    if (reader_is_null(n)) return tree_error(r->tree, n, r->e, "'%s' has no value", key);
    *out = n->text;
    return STATUS_OK;
}

enum status reader_whole(struct reader *r, const struct node *n, const char *key, int64_t low, int64_t high, int64_t *out) {
    const char *text;
    char *end;
    enum status s = reader_text(r, n, key, &text);
    if (s != STATUS_OK) return s;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (n->is_plain && !*end && errno == 0 && *out >= low && *out <= high) return STATUS_OK;
    return tree_error(r->tree, n, r->e, "'%s' must be a whole number from %lld to %lld, not '%.80s'", key, (long long)low, (long long)high, text);
}

enum status reader_positive(struct reader *r, const struct node *n, const char *key, double high, double *out) {
    const char *text;
    char *end;
    enum status s = reader_text(r, n, key, &text);
    if (s != STATUS_OK) return s;
    *out = strtod(text, &end);
    if (n->is_plain && !*end && isfinite(*out) && *out > 0 && *out <= high) return STATUS_OK;
    return tree_error(r->tree, n, r->e, "'%s' must be a number above 0 and at most %g, not '%.80s'", key, high, text);
}

enum status reader_list(struct reader *r, const struct node *n, const char *key, const char *of) {
    if (n->kind == NODE_LIST && n->n > 0) return STATUS_OK;
    return tree_error(r->tree, n, r->e, "'%s' must be a list of %s%s", key, of, n->kind == NODE_LIST ? ", with one at least" : "");
}

/* ---- variables ---- */

/* One variable from its name on, to what follows its brace; NULL where it is malformed. *value NULL: not set. */
static const char *take_variable(const struct reader *r, const char *at, const char **name, const char **value) {
    size_t n = strspn(at, LETTERS) > 0 ? strspn(at, LETTERS "0123456789") : 0;
    const char *end = strchr(at, '}');
    int has_other = n > 0 && strncmp(at + n, ":-", 2) == 0;
    if (n == 0 || !end || (!has_other && at + n != end)) return NULL;
    *name = arena_copy_bytes(r->arena, at, n);
    *value = strcmp(*name, "SUITE_FOLDER") == 0 ? r->folder : getenv(*name);
    if (*value && !**value) *value = NULL;
    if (!*value && has_other) *value = arena_copy_bytes(r->arena, at + n + 2, (size_t)(end - at) - n - 2);
    return end + 1;
}

enum status reader_expand(struct reader *r, const struct node *n, const char *key, const char **out, const char **missing) {
    struct text t = {0};
    const char *text, *name, *value;
    int is_whole = 1;
    *out = NULL;
    if (n->kind == NODE_TEXT && !n->is_plain && !*n->text) return *out = "", STATUS_OK;
    enum status s = reader_text(r, n, key, &text);
    if (s != STATUS_OK) return s;
    text_append(&t, "%s", "");
    for (const char *at = text; s == STATUS_OK && *at;) {
        if (strncmp(at, "$${", 3) == 0 || strncmp(at, "${", 2) != 0) {
            at += strncmp(at, "$${", 3) == 0;
            text_append_bytes(&t, at++, 1);
            continue;
        }
        const char *next = take_variable(r, at + 2, &name, &value);
        if (!next) s = tree_error(r->tree, n, r->e, "'%.40s' is no variable; write ${NAME} or ${NAME:-otherwise} ($${ stands for ${)", at);
        else if (value) text_append(&t, "%s", value);
        else {
            is_whole = 0;
            if (!*missing) *missing = arena_printf(r->arena, "the environment variable %s is not set", name);
        }
        at = next;
    }
    if (s == STATUS_OK && is_whole) *out = arena_copy_string(r->arena, t.data);
    text_free(&t);
    return s;
}
