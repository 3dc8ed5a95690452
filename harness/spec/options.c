#include "harness/spec/options.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/optimizer.h"

const struct option_row option_table[OPTION_COUNT] = {
#define X(id, name, kind, axis, fallback, commands, value, help) {name, OPTION_##kind, axis, fallback, commands, value, help},
    OPTION_LIST_TABLE(X)
#undef X
};

static int find_option(const char *name, size_t length, unsigned commands) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if ((option_table[i].commands & commands) && strlen(option_table[i].name) == length &&
            strncmp(option_table[i].name, name, length) == 0)
            return i;
    return -1;
}

static enum status unknown_option(const char *arg, unsigned commands, struct error *e) {
    const char *names[OPTION_COUNT];
    int n = 0;
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_table[i].commands & commands) names[n++] = option_table[i].name;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(arg, "="), arg);
    const char *near = nearest_name(word, names, n);
    if (near) return error_set(e, STATUS_INPUT, "unknown option '--%s'; did you mean '--%s'?", word, near);
    return error_set(e, STATUS_INPUT, "unknown option '--%s'; see --help", word);
}

static int is_number(const char *text, int is_whole) {
    char *end;
    errno = 0;
    if (is_whole) (void)strtoll(text, &end, 10);
    else (void)strtod(text, &end);
    return *text && !*end && errno == 0;
}

static enum status check_value(int id, const char *value, struct error *e) {
    const struct option_row *row = &option_table[id];
    if (row->is_axis && value[strcspn(value, ",-*+")] && !(value[0] == '-' && is_number(value, 1))) return STATUS_OK;
    if (row->kind == OPTION_INT && !is_number(value, 1))
        return error_set(e, STATUS_INPUT, "--%s wants a whole number, not '%s'", row->name, value);
    if (row->kind == OPTION_REAL && !is_number(value, 0))
        return error_set(e, STATUS_INPUT, "--%s wants a number, not '%s'", row->name, value);
    return STATUS_OK;
}

static enum status set_value(struct options *o, int id, const char *value, struct error *e) {
    enum status s = check_value(id, value, e);
    if (s != STATUS_OK) return s;
    o->is_given[id] = 1;
    if (option_table[id].kind == OPTION_LIST) {
        if (o->n_list == OPTION_MAX_REPEATS) return error_set(e, STATUS_INPUT, "--%s is given more than %d times", option_table[id].name, OPTION_MAX_REPEATS);
        o->list[o->n_list++] = arena_copy_string(&o->arena, value);
    } else {
        o->value[id] = arena_copy_string(&o->arena, value);
    }
    return STATUS_OK;
}

/* "--name value", "--name=value", "--flag", "--no-flag", "-o value". Returns how many arguments it took. */
static enum status take_option(struct options *o, int argc, char **argv, int *at, unsigned commands, struct error *e) {
    const char *arg = argv[*at], *name = arg[1] == '-' ? arg + 2 : arg + 1;
    size_t length = strcspn(name, "=");
    int is_negated = strncmp(name, "no-", 3) == 0 && find_option(name, length, commands) < 0;
    int id = find_option(is_negated ? name + 3 : name, is_negated ? length - 3 : length, commands);
    if (id < 0 || (is_negated && option_table[id].kind != OPTION_FLAG)) return unknown_option(name, commands, e);
    if (option_table[id].kind == OPTION_FLAG) {
        if (name[length] == '=') return error_set(e, STATUS_INPUT, "--%s takes no value", option_table[id].name);
        return set_value(o, id, is_negated ? "0" : "1", e);
    }
    if (name[length] == '=') return set_value(o, id, name + length + 1, e);
    if (*at + 1 >= argc) return error_set(e, STATUS_INPUT, "--%s wants a value (%s)", option_table[id].name, option_table[id].value);
    return set_value(o, id, argv[++*at], e);
}

static enum status take_environment(struct options *o, unsigned commands, struct error *e) {
    for (int id = 0; id < OPTION_COUNT; id++) {
        char name[64] = "ASSAY_";
        size_t at = strlen(name);
        for (const char *c = option_table[id].name; *c && at < sizeof name - 1; c++)
            name[at++] = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
        const char *value = getenv(name);
        if (!value || !*value || o->is_given[id] || !(option_table[id].commands & commands)) continue;
        enum status s = set_value(o, id, value, e);
        if (s != STATUS_OK) return error_prefix(e, "environment variable %s", name), s;
    }
    return STATUS_OK;
}

static enum status set_json(struct options *o, int id, const json_t *v, struct error *e) {
    char text[64];
    if (json_is_string(v)) return set_value(o, id, json_string_value(v), e);
    if (json_is_boolean(v)) return set_value(o, id, json_is_true(v) ? "1" : "0", e);
    if (json_is_integer(v)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
        return set_value(o, id, text, e);
    }
    if (json_is_real(v)) {
        snprintf(text, sizeof text, "%.17g", json_real_value(v));
        return set_value(o, id, text, e);
    }
    return error_set(e, STATUS_INPUT, "'%s' must be a text, a number, true or false", option_table[id].name);
}

static enum status take_file(struct options *o, unsigned commands, struct error *e) {
    json_error_t where;
    const char *path = o->value[OPT_CONFIG], *name;
    if (!path || !(commands & FOR_CONFIG)) return STATUS_OK;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &where), *v;
    if (!json_is_object(root)) {
        enum status s = error_set(e, STATUS_INPUT, "%s: line %d: %s", path, where.line, root ? "not an object" : where.text);
        json_decref(root);
        return s;
    }
    enum status s = STATUS_OK;
    json_object_foreach(root, name, v) {
        int id = find_option(name, strlen(name), commands);
        size_t i;
        json_t *item;
        if (id < 0) s = unknown_option(name, commands, e);
        else if (o->is_given[id]) continue;
        else if (json_is_array(v) && option_table[id].kind == OPTION_LIST) {
            json_array_foreach(v, i, item) if (s == STATUS_OK) s = set_json(o, id, item, e);
        } else s = set_json(o, id, v, e);
        if (s != STATUS_OK) {
            error_prefix(e, "%s", path);
            break;
        }
    }
    json_decref(root);
    return s;
}

enum status options_parse(int argc, char **argv, int first, unsigned commands, struct options *o, struct error *e) {
    *o = (struct options){0};
    enum status s = STATUS_OK;
    for (int i = first, is_over = 0; i < argc && s == STATUS_OK; i++) {
        int ends_here = !is_over && strcmp(argv[i], "--") == 0;
        if (ends_here && (commands & FOR_TRACE)) {
            o->command = i + 1 < argc ? argv + i + 1 : NULL;
            break;
        }
        if (ends_here) is_over = 1;
        else if (!is_over && argv[i][0] == '-' && argv[i][1]) s = take_option(o, argc, argv, &i, commands, e);
        else if (o->n_args == OPTION_MAX_ARGS) s = error_set(e, STATUS_INPUT, "more than %d arguments", OPTION_MAX_ARGS);
        else o->args[o->n_args++] = argv[i];
    }
    if (s == STATUS_OK) s = take_file(o, commands, e);
    if (s == STATUS_OK) s = take_environment(o, commands, e);
    options_fill(o);
    return s;
}

void options_fill(struct options *o) {
    for (int id = 0; id < OPTION_COUNT; id++)
        if (!o->is_given[id]) o->value[id] = option_table[id].fallback;
}

enum status options_set(struct options *o, const char *name, const char *value, unsigned commands, struct error *e) {
    int id = find_option(name, strlen(name), commands);
    if (id < 0) return unknown_option(name, commands, e);
    if (value) return set_value(o, id, value, e);
    o->is_given[id] = 0;
    o->value[id] = NULL;
    if (option_table[id].kind == OPTION_LIST) o->n_list = 0;
    return STATUS_OK;
}

const struct option_row *options_find(const char *name, unsigned commands) {
    int id = find_option(name, strlen(name), commands);
    return id < 0 ? NULL : &option_table[id];
}

void options_free(struct options *o) { arena_free(&o->arena); }

void options_help(unsigned commands, FILE *out) {
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *r = &option_table[i];
        if (!(r->commands & commands)) continue;
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s", strlen(r->name) == 1 ? "-" : "--", r->name, r->value ? " " : "", r->value ? r->value : "");
        fprintf(out, "  %-28s %s%s", left, r->help, r->is_axis ? " (may be a list)" : "");
        if (r->fallback && r->kind != OPTION_FLAG) fprintf(out, " [%s]", r->fallback);
        fprintf(out, "\n");
    }
}

int64_t option_int(const struct options *o, enum option_id id) { return strtoll(o->value[id], NULL, 10); }
double option_real(const struct options *o, enum option_id id) { return strtod(o->value[id], NULL); }
int option_flag(const struct options *o, enum option_id id) { return strcmp(o->value[id], "1") == 0; }

static enum status add_item(struct arena *a, const char *text, size_t length, const char *items[], int *n, struct error *e) {
    if (*n == AXIS_MAX) return error_set(e, STATUS_INPUT, "a list has more than %d items", AXIS_MAX);
    items[(*n)++] = arena_copy_bytes(a, text, length);
    return STATUS_OK;
}

/* "first-last", "first-last+step", "first-last*factor" of whole numbers. */
static enum status add_range(const struct option_row *row, const char *text, struct arena *a, const char *items[], int *n, struct error *e) {
    char *end;
    long long first = strtoll(text, &end, 10), last = *end == '-' ? strtoll(end + 1, &end, 10) : first, step = 1;
    char kind = *end;
    if (kind == '+' || kind == '*') step = strtoll(end + 1, &end, 10);
    if (*end || last < first || step < 1 || (kind == '*' && (step < 2 || first < 1)))
        return error_set(e, STATUS_INPUT, "--%s: '%s' is neither a number nor a range (first-last, first-last+step, first-last*factor)", row->name, text);
    for (long long v = first; v <= last; v = kind == '*' ? v * step : v + step) {
        char number[32];
        int length = snprintf(number, sizeof number, "%lld", v);
        enum status s = add_item(a, number, (size_t)length, items, n, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

enum status axis_expand(const struct option_row *row, const char *text, struct arena *a, const char *items[AXIS_MAX],
                        int *n, struct error *e) {
    *n = 0;
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");
        char *item = arena_copy_bytes(a, at, length);
        enum status s = row->kind == OPTION_INT ? add_range(row, item, a, items, n, e) : add_item(a, item, length, items, n, e);
        if (s != STATUS_OK) return s;
        at += length;
        if (!*at) return STATUS_OK;
    }
}
