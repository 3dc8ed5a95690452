#include "workloads/tokenizer/json_source.h"

#include "kernels/base/file.h"

enum { FILE_LIMIT_BYTES = 256 << 20 };

struct span json_span(const json_t *o, const char *key) {
    const json_t *s = json_object_get(o, key);
    return json_is_string(s) ? span_of(json_string_value(s), json_string_length(s)) : span_of("", 0);
}

int json_flag(const json_t *o, const char *key, int otherwise) {
    const json_t *flag = json_object_get(o, key);
    return json_is_boolean(flag) ? json_is_true(flag) : otherwise;
}

static enum status build(struct tokenizer *t, const json_t *root, struct error *e) {
    if (!json_is_object(root)) return error_set(e, STATUS_INPUT, "a tokenizer file must hold one JSON object");
    enum status s = json_read_model(t, root, e);
    if (s == STATUS_OK) s = json_read_components(t, root, e);
    if (s == STATUS_OK) s = json_read_added(t, root, e);
    return s;
}

/* `truncation` and `padding` are the business of whoever batches: they are not applied here. */
enum status tokenizer_parse_json(const char *data, size_t length, struct tokenizer **out, struct error *e) {
    json_error_t where;
    json_t *root = json_loadb(data, length, JSON_ALLOW_NUL, &where);
    if (!root)
        return error_set(e, STATUS_INPUT, "not JSON: %s (line %d, column %d)", where.text, where.line, where.column);
    struct tokenizer *t = mem_alloc(sizeof *t);
    enum status s = build(t, root, e);
    json_decref(root);
    if (s == STATUS_OK) *out = t;
    else tokenizer_close(t);
    return s;
}

enum status tokenizer_open_json(const char *path, struct tokenizer **out, struct error *e) {
    char *data;
    size_t length;
    enum status s = file_read(path, FILE_LIMIT_BYTES, &data, &length, e);
    if (s != STATUS_OK) return s;
    s = tokenizer_parse_json(data, length, out, e);
    mem_free(data);
    if (s != STATUS_OK) error_prefix(e, "%s", path);
    return s;
}
