#define PCRE2_CODE_UNIT_WIDTH 8
#include "harness/external/figure.h"

#include <ctype.h>
#include <math.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "results/document/document.h"

enum { MOST_METRIC_CHARS = 64 };
static const uint32_t match_limit = 10000000; /* beyond it an expression runs away; the library's own default */

/* ---- metrics and units ---- */

enum status figure_metric_check(const char *metric, struct error *e) {
    size_t n = strspn(metric, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (metric[n] || n == 0 || n > MOST_METRIC_CHARS || isdigit((unsigned char)*metric))
        return error_set(e, STATUS_INPUT, "'%s' is no metric's name: lower-case letters, digits and _, at most %d", metric, MOST_METRIC_CHARS);
    if (*metric_unit(metric)) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "the metric '%s' must end in its unit: _ns, _bytes, tokens_per_s, requests_per_s, per_s, _tokens, _joules or _watts", metric);
}

enum status figure_unit_scale(const char *metric, const char *unit, double *scale, struct error *e) {
    static const struct {
        const char *name, *of;
        double scale;
    } units[] = {
        {"ns", "ns", 1},        {"us", "ns", 1e3},      {"ms", "ns", 1e6},          {"s", "ns", 1e9},            {"bytes", "bytes", 1},
        {"kB", "bytes", 1e3},   {"MB", "bytes", 1e6},   {"GB", "bytes", 1e9},       {"KiB", "bytes", 1024},      {"MiB", "bytes", 1048576},
        {"GiB", "bytes", 1073741824},
    };
    const char *own = metric_unit(metric);
    *scale = 1;
    if (strcmp(unit, own) == 0) return STATUS_OK;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].name, unit) == 0 && strcmp(units[i].of, own) == 0) return *scale = units[i].scale, STATUS_OK;
    return error_set(e, STATUS_INPUT, "the unit '%s' does not fit the metric '%s' (%s)", unit, metric,
                     strcmp(own, "ns") == 0 ? "ns, us, ms, s" : strcmp(own, "bytes") == 0 ? "bytes, kB, MB, GB, KiB, MiB, GiB" : own);
}

/* ---- paths ---- */

struct step {
    enum { STEP_MEMBER, STEP_INDEX, STEP_MATCH } kind;
    const char *name, *value;  /* not ended by a NUL */
    size_t name_length, value_length;
    size_t index;
};

/* Inside brackets: "text", a whole number, or member=value. Returns what comes after, NULL where it is none of these. */
static const char *take_brackets(const char *at, struct step *out) {
    const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
    if (end) {
        *out = (struct step){.kind = STEP_MEMBER, .name = at + 1, .name_length = (size_t)(end - at - 1)};
        return end[1] == ']' ? end + 2 : NULL;
    }
    size_t digits = strspn(at, "0123456789"), name = strcspn(at, "=]");
    if (digits > 0 && digits < 10 && at[digits] == ']') {
        *out = (struct step){.kind = STEP_INDEX, .index = (size_t)strtoul(at, NULL, 10)};
        return at + digits + 1;
    }
    size_t value = at[name] == '=' ? strcspn(at + name + 1, "]") : 0;
    if (name == 0 || value == 0 || at[name + 1 + value] != ']') return NULL;
    *out = (struct step){.kind = STEP_MATCH, .name = at, .name_length = name, .value = at + name + 1, .value_length = value};
    return at + name + value + 2;
}

/* The next step of a path; NULL where it is malformed. */
static const char *take_step(const char *at, int is_first, struct step *out) {
    if (*at == '[') return take_brackets(at + 1, out);
    if (*at == '.' && !is_first) at++;
    else if (!is_first) return NULL;
    size_t n = strcspn(at, ".[]=\"");
    *out = (struct step){.kind = STEP_MEMBER, .name = at, .name_length = n};
    return n > 0 ? at + n : NULL;
}

enum status figure_path_check(const char *path, struct error *e) {
    struct step step;
    for (const char *at = path; at == path || *at;) {
        const char *next = take_step(at, at == path, &step);
        if (!next) return error_set(e, STATUS_INPUT, "'%s' is no path from '%s' on; like [0].avg_ts, [n_gen=64].avg_ts, results.decode[\"tokens/s\"]", path, at);
        at = next;
    }
    return STATUS_OK;
}

static json_t *member(const json_t *object, const char *name, size_t length) {
    char *key = mem_printf("%.*s", (int)length, name);
    json_t *value = json_object_get(object, key);
    mem_free(key);
    return value;
}

/* Is it written so? Numbers by value: n_gen=64 finds 64 and 64.0. */
static int is_value(const json_t *v, const char *text, size_t length) {
    char *copy = mem_printf("%.*s", (int)length, text), *end;
    double number = strtod(copy, &end);
    int is_same = json_is_string(v)    ? strcmp(json_string_value(v), copy) == 0
                  : json_is_number(v)  ? !*end && number == json_number_value(v)
                  : json_is_boolean(v) ? strcmp(copy, json_is_true(v) ? "true" : "false") == 0
                                       : 0;
    mem_free(copy);
    return is_same;
}

static json_t *match(const json_t *list, const struct step *step, const char *path, struct error *e) {
    size_t i, n = 0;
    json_t *item, *found = NULL;
    json_array_foreach(list, i, item) {
        if (!is_value(member(item, step->name, step->name_length), step->value, step->value_length)) continue;
        found = item;
        n++;
    }
    if (n == 1) return found;
    error_set(e, STATUS_INPUT, "%zu of %zu elements have %.*s=%.*s (path '%s'); one must", n, json_array_size(list), (int)step->name_length, step->name,
              (int)step->value_length, step->value, path);
    return NULL;
}

static json_t *walk(json_t *root, const char *path, struct error *e) {
    struct step step;
    json_t *value = root;
    for (const char *at = path; *at && value;) {
        const char *next = take_step(at, at == path, &step);
        if (step.kind == STEP_MATCH) value = match(value, &step, path, e);
        else if (step.kind == STEP_INDEX) value = json_array_get(value, step.index);
        else value = member(value, step.name, step.name_length);
        if (!value) error_set(e, STATUS_INPUT, "the JSON has nothing at '%.*s' (path '%s')", (int)(next - path), path, path);
        at = next;
    }
    return value;
}

/* ---- reading ---- */

/* The last line that is not blank. */
static const char *last_line(const char *text, size_t *length) {
    size_t end = *length;
    while (end > 0 && isspace((unsigned char)text[end - 1])) end--;
    size_t start = end;
    while (start > 0 && text[start - 1] != '\n') start--;
    *length = end - start;
    return text + start;
}

static enum status read_json(const struct figure *f, const struct figure_text *t, double *out, struct error *e) {
    json_error_t where, of_line;
    size_t length = t->output_length;
    const char *line = last_line(t->output, &length);
    json_t *root = json_loadb(t->output, t->output_length, JSON_REJECT_DUPLICATES, &where);
    if (!root && length) root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &of_line);
    if (!root) return error_set(e, STATUS_INPUT, length ? "its output is no JSON: line %d: %s" : "it printed nothing", where.line, where.text);
    json_t *value = walk(root, f->pattern, e);
    enum status s = value ? STATUS_OK : STATUS_INPUT;
    if (value && !json_is_number(value)) s = error_set(e, STATUS_INPUT, "the JSON has no number at '%s'", f->pattern);
    *out = json_number_value(value);
    json_decref(root);
    return s;
}

static pcre2_code *compile(const char *pattern, struct error *e) {
    int code;
    PCRE2_SIZE at;
    uint32_t groups = 0;
    PCRE2_UCHAR words[160];
    pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_MULTILINE, &code, &at, NULL);
    if (!re) {
        pcre2_get_error_message(code, words, sizeof words);
        error_set(e, STATUS_INPUT, "'%s' is no regular expression: at character %zu: %s", pattern, (size_t)at + 1, (const char *)words);
        return NULL;
    }
    pcre2_pattern_info(re, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups == 1) return re;
    error_set(e, STATUS_INPUT, "'%s' has %u groups; one must hold the number: tokens/s: ([0-9.]+)", pattern, groups);
    pcre2_code_free(re);
    return NULL;
}

enum status figure_regex_check(const char *pattern, struct error *e) {
    pcre2_code *re = compile(pattern, e);
    pcre2_code_free(re);
    return re ? STATUS_OK : STATUS_INPUT;
}

/* The group of the last match; 0 length where there is none. */
static enum status last_match(const pcre2_code *re, const char *text, size_t length, const char **out, size_t *n, struct error *e) {
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(re, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(context, match_limit);
    int code = 0;
    *n = 0;
    for (size_t at = 0; at <= length;) {
        code = pcre2_match(re, (PCRE2_SPTR)text, length, at, 0, data, context);
        if (code < 0) break;
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
        if (code > 1) *out = text + ends[2], *n = ends[3] - ends[2];
        at = ends[1] > at ? ends[1] : at + 1;
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    if (code >= 0 || code == PCRE2_ERROR_NOMATCH) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "the regular expression takes too long on its output");
}

static enum status read_regex(const struct figure *f, const struct figure_text *t, double *out, struct error *e) {
    const char *text = NULL;
    size_t n = 0;
    pcre2_code *re = compile(f->pattern, e);
    if (!re) return STATUS_INPUT;
    enum status s = last_match(re, t->output, t->output_length, &text, &n, e);
    if (s == STATUS_OK && n == 0) s = last_match(re, t->errors, t->errors_length, &text, &n, e);
    pcre2_code_free(re);
    if (s != STATUS_OK) return s;
    if (n == 0) return error_set(e, STATUS_INPUT, t->output_length + t->errors_length ? "nothing that it printed matches '%s'" : "it printed nothing", f->pattern);
    char *copy = mem_printf("%.*s", (int)n, text), *end;
    *out = strtod(copy, &end);
    if (*end || end == copy) s = error_set(e, STATUS_INPUT, "'%.60s' is no number (regex '%s')", copy, f->pattern);
    mem_free(copy);
    return s;
}

enum status figure_read(const struct figure *f, const struct figure_text *t, double *out, struct error *e) {
    double value = (double)t->wall_ns;
    enum status s = f->source == FIGURE_JSON ? read_json(f, t, &value, e) : f->source == FIGURE_REGEX ? read_regex(f, t, &value, e) : STATUS_OK;
    if (s == STATUS_OK && (!isfinite(value) || value <= 0)) s = error_set(e, STATUS_INPUT, "%g is no measurement", value);
    *out = value * f->scale;
    return s == STATUS_OK ? STATUS_OK : error_prefix(e, "%s", f->metric);
}
