#include "harness/measure/cloze.h"

#include <string.h>

#include "kernels/base/file.h"

enum { CLOZE_FILE_BYTES = 16 << 20, MAX_ITEMS = 10000, MAX_OPTIONS = 64 };

/* ---- reading ---- */

static enum status check_keys(const json_t *o, struct error *e) {
    static const char *const keys[] = {"context", "options", "answer"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)o, key, value) {
        int is_known = 0;
        for (int i = 0; i < 3; i++) is_known |= strcmp(key, keys[i]) == 0;
        if (is_known) continue;
        const char *near = nearest_name(key, keys, 3);
        return error_set(e, STATUS_INPUT, "unknown key '%.60s'%s%s%s (have: context, options, answer)", key, near ? "; did you mean '" : "", near ? near : "",
                         near ? "'?" : "");
    }
    for (int i = 0; i < 3; i++)
        if (!json_object_get(o, keys[i])) return error_set(e, STATUS_INPUT, "'%s' is missing", keys[i]);
    return STATUS_OK;
}

static enum status check_values(const json_t *o, struct error *e) {
    const json_t *options = json_object_get(o, "options"), *answer = json_object_get(o, "answer");
    size_t n = json_array_size(options);
    if (!json_is_string(json_object_get(o, "context"))) return error_set(e, STATUS_INPUT, "'context' is no text");
    if (!json_is_array(options) || n < 2 || n > MAX_OPTIONS) return error_set(e, STATUS_INPUT, "'options' is no list of 2 to %d texts", MAX_OPTIONS);
    for (size_t i = 0; i < n; i++)
        if (!json_is_string(json_array_get(options, i))) return error_set(e, STATUS_INPUT, "options[%zu] is no text", i);
    if (!json_is_integer(answer) || json_integer_value(answer) < 0 || json_integer_value(answer) >= (json_int_t)n)
        return error_set(e, STATUS_INPUT, "'answer' is no number of an option, 0 to %zu", n - 1);
    return STATUS_OK;
}

/* Appends what the text is in tokens; there must be one. */
static enum status encode(const struct llm_model *m, const json_t *text, const char *what, struct token_list *out, struct error *e) {
    size_t before = out->count;
    enum status s = tokenizer_encode(m->tokenizer, json_string_value(text), json_string_length(text), 0, out, e);
    return s == STATUS_OK && out->count == before ? error_set(e, STATUS_INPUT, "%s is empty", what) : s;
}

static enum status make_row(const struct llm_model *m, const json_t *o, int option, struct cloze_item *item, struct error *e) {
    struct token_list *row = &item->rows[option];
    char what[32];
    snprintf(what, sizeof what, "options[%d]", option);
    enum status s = encode(m, json_object_get(o, "context"), "'context'", row, e);
    item->n_context = (int)row->count;
    if (s == STATUS_OK) s = encode(m, json_array_get(json_object_get(o, "options"), (size_t)option), what, row, e);
    int64_t most = m->config.context < CLOZE_MAX_TOKENS ? m->config.context : CLOZE_MAX_TOKENS;
    if (s == STATUS_OK && (int64_t)row->count > most)
        s = error_set(e, STATUS_INPUT, "context and options[%d] are %zu tokens; at most %lld fit %s", option, row->count, (long long)most, m->name);
    return s;
}

static enum status add_item(const struct llm_model *m, const json_t *o, struct cloze *c, struct error *e) {
    enum status s = check_keys(o, e);
    if (s == STATUS_OK) s = check_values(o, e);
    if (s != STATUS_OK) return s;
    if (c->n_items == MAX_ITEMS) return error_set(e, STATUS_INPUT, "more than %d items", MAX_ITEMS);
    struct cloze_item *item = &c->items[c->n_items++];
    item->answer = (int)json_integer_value(json_object_get(o, "answer"));
    item->n_options = (int)json_array_size(json_object_get(o, "options"));
    item->rows = arena_alloc(&c->arena, (size_t)item->n_options * sizeof *item->rows);
    for (int i = 0; i < item->n_options && s == STATUS_OK; i++) {
        s = make_row(m, o, i, item, e);
        if ((int)item->rows[i].count > c->longest) c->longest = (int)item->rows[i].count;
    }
    return s;
}

static enum status read_line(const struct llm_model *m, const char *line, size_t length, struct cloze *c, struct error *e) {
    json_error_t where;
    if (strspn(line, " \t\r") >= length) return STATUS_OK;
    json_t *o = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);
    enum status s = json_is_object(o) ? add_item(m, o, c, e)
        : o ? error_set(e, STATUS_INPUT, "expected an object with context, options and answer")
            : error_set(e, STATUS_INPUT, "not JSON: %.100s (column %d)", where.text, where.column);
    json_decref(o);
    return s;
}

enum status cloze_read(const char *path, const struct llm_model *m, struct cloze *out, struct error *e) {
    char *data;
    size_t length;
    *out = (struct cloze){0};
    if (!m->tokenizer) return error_set(e, STATUS_INPUT, "--cloze needs a tokenizer, and '%s' has none", m->name);
    enum status s = file_read(path, CLOZE_FILE_BYTES, &data, &length, e);
    if (s != STATUS_OK) return s;
    out->items = arena_alloc(&out->arena, MAX_ITEMS * sizeof *out->items);
    int number = 1;
    for (size_t at = 0; at < length && s == STATUS_OK; number++) {
        const char *end = memchr(data + at, '\n', length - at);
        size_t bytes = end ? (size_t)(end - data) - at : length - at;
        s = read_line(m, data + at, bytes, out, e);
        if (s != STATUS_OK) error_prefix(e, "%s, line %d", path, number);
        at += bytes + 1;
    }
    mem_free(data);
    if (s == STATUS_OK && out->n_items == 0) s = error_set(e, STATUS_INPUT, "%s: holds no item", path);
    return s;
}

void cloze_free(struct cloze *c) {
    for (int i = 0; i < c->n_items; i++)
        for (int k = 0; k < c->items[i].n_options; k++) token_list_free(&c->items[i].rows[k]);
    arena_free(&c->arena);
    *c = (struct cloze){0};
}

/* ---- scoring ---- */

enum status cloze_log_likelihood(struct engine *g, const int32_t *ids, int n_context, int n, double *out, struct error *e) {
    float nll[CLOZE_MAX_TOKENS];
    enum status s = engine_forced(g, ids, n, NULL, nll, e);
    *out = 0;
    for (int i = n_context; i < n && s == STATUS_OK; i++) *out -= (double)nll[i - 1];
    return s;
}

static enum status answer(const struct cloze_item *item, struct engine *g, int *is_right, struct error *e) {
    double scores[MAX_OPTIONS];
    *is_right = 1;
    for (int i = 0; i < item->n_options; i++) {
        enum status s = cloze_log_likelihood(g, item->rows[i].ids, item->n_context, (int)item->rows[i].count, &scores[i], e);
        if (s != STATUS_OK) return s;
    }
    for (int i = 0; i < item->n_options; i++) *is_right &= i == item->answer || scores[i] < scores[item->answer];
    return STATUS_OK;
}

enum status cloze_score(const struct cloze *c, struct engine *g, int *n_right, struct error *e) {
    *n_right = 0;
    for (int i = 0; i < c->n_items; i++) {
        int is_right;
        enum status s = answer(&c->items[i], g, &is_right, e);
        if (s != STATUS_OK) return s;
        *n_right += is_right;
    }
    return STATUS_OK;
}
