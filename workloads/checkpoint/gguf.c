/* gguf.c: the header and the metadata of a GGUF file. Source: the GGUF specification (ggml/docs/gguf.md),
 * versions 2 and 3: magic, u32 version, u64 tensors, u64 keys; then (string key, u32 type, value) each; then
 * tensor infos (gguf_tensors.c). */
#include "workloads/checkpoint/parse.h"

enum value_type {
    VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32, VALUE_BOOL, VALUE_STRING, VALUE_ARRAY,
    VALUE_U64, VALUE_I64, VALUE_F64, VALUE_COUNT
};
/* Bytes of a value; strings and arrays: the least that one can have. */
static const uint8_t value_bytes[VALUE_COUNT] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};

/* Real files have about 40 keys. */
enum { MAX_KEYS = 1 << 14, MAX_KEY_BYTES = 65535, MAX_CONFIG_ITEMS = 64 };

struct gguf_array {
    const char *key;
    uint32_t type;
    size_t n;
    void *items; /* owned, mem_try: struct gguf_string, float or int32_t */
};

struct gguf {
    struct gguf_array *arrays;
    size_t n_arrays, capacity;
};

struct reader {
    struct checkpoint *c;
    const struct source *source;
    struct cursor at;
    json_t *seen; /* every key so far */
};

void gguf_free(struct gguf *g) {
    for (size_t i = 0; g && i < g->n_arrays; i++) mem_try_free(g->arrays[i].items, 0);
    if (g) mem_free(g->arrays);
    mem_free(g);
}

static enum status key_error(const struct reader *r, const char *key, const char *what, struct error *e) {
    return error_set(e, STATUS_INPUT, "%s: metadata key '%.*s': %s", r->source->file, CHECKPOINT_SHOWN_BYTES, key,
                     what);
}

/* The next value as JSON; NULL where it has no JSON form (non-finite, not UTF-8) or the file ends: *is_cut. */
static json_t *read_scalar(struct cursor *c, uint32_t type, int *is_cut) {
    union {
        uint8_t u8; int8_t i8; uint16_t u16; int16_t i16; uint32_t u32; int32_t i32; float f32; uint64_t u64;
        int64_t i64; double f64;
    } v;
    struct gguf_string s = {0};
    *is_cut = type == VALUE_STRING ? !cursor_string(c, &s) : !cursor_take(c, &v, value_bytes[type]);
    if (*is_cut) return NULL;
    switch ((enum value_type)type) {
    case VALUE_U8: return json_integer(v.u8);
    case VALUE_I8: return json_integer(v.i8);
    case VALUE_U16: return json_integer(v.u16);
    case VALUE_I16: return json_integer(v.i16);
    case VALUE_U32: return json_integer(v.u32);
    case VALUE_I32: return json_integer(v.i32);
    case VALUE_F32: return json_real((double)v.f32);
    case VALUE_BOOL: return v.u8 <= 1 ? json_boolean(v.u8) : NULL;
    case VALUE_STRING: return json_stringn(s.data, s.length);
    case VALUE_U64: return v.u64 <= INT64_MAX ? json_integer((json_int_t)v.u64) : json_real((double)v.u64);
    case VALUE_I64: return json_integer((json_int_t)v.i64);
    case VALUE_F64: return json_real(v.f64);
    case VALUE_ARRAY:
    case VALUE_COUNT: break;
    }
    return NULL;
}

static enum status keep_strings(struct reader *r, const char *key, struct gguf_array *a, struct error *e) {
    struct gguf_string *items = a->items;
    for (size_t i = 0; i < a->n; i++)
        if (!cursor_string(&r->at, &items[i]))
            return error_set(e, STATUS_INPUT, "%s: metadata key '%.*s': string %zu passes the end of the file; the "
                             "file is cut short", r->source->file, CHECKPOINT_SHOWN_BYTES, key, i);
    return STATUS_OK;
}

/* Arrays that an accessor gives out are kept as C arrays; their bytes in the file may be misaligned. */
static enum status keep_array(struct reader *r, const char *key, uint32_t type, size_t n, struct error *e) {
    struct gguf *g = r->c->gguf;
    size_t bytes = n * (type == VALUE_STRING ? sizeof(struct gguf_string) : value_bytes[type]);
    void *items = mem_try(bytes);
    if (!items)
        return error_set(e, STATUS_NO_MEMORY, "%s: metadata key '%.*s': no memory for %zu items", r->source->file,
                         CHECKPOINT_SHOWN_BYTES, key, n);
    LIST_GROW(g->arrays, g->n_arrays, g->capacity);
    struct gguf_array *a = &g->arrays[g->n_arrays++];
    *a = (struct gguf_array){.key = key, .type = type, .n = n, .items = items};
    if (type == VALUE_STRING) return keep_strings(r, key, a, e);
    cursor_take(&r->at, items, bytes); /* the caller has checked the length */
    return STATUS_OK;
}

/* A short array also becomes JSON, unless an item cannot be. */
static void array_to_config(struct reader *r, const char *key, uint32_t type, size_t n, struct cursor from) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        int is_cut;
        json_t *item = read_scalar(&from, type, &is_cut);
        if (!item) {
            json_decref(list);
            return;
        }
        json_array_append_new(list, item);
    }
    json_object_set_new(r->c->config, key, list);
}

static enum status skip_array(struct reader *r, const char *key, uint32_t type, size_t n, struct error *e) {
    if (type == VALUE_STRING || type == VALUE_F32 || type == VALUE_I32) return keep_array(r, key, type, n, e);
    r->at.at += n * value_bytes[type];
    return STATUS_OK;
}

static enum status read_array(struct reader *r, const char *key, struct error *e) {
    uint32_t type;
    uint64_t n;
    if (!cursor_take(&r->at, &type, sizeof type) || !cursor_take(&r->at, &n, sizeof n))
        return key_error(r, key, "the file ends inside it; the file is cut short", e);
    if (type == VALUE_ARRAY)
        return error_set(e, STATUS_UNSUPPORTED, "%s: metadata key '%.*s': arrays of arrays are not supported",
                         r->source->file, CHECKPOINT_SHOWN_BYTES, key);
    if (type >= VALUE_COUNT) return key_error(r, key, "an array of an unknown type", e);
    if (n > (r->at.size - r->at.at) / value_bytes[type])
        return key_error(r, key, "its items pass the end of the file; the file is cut short", e);
    struct cursor from = r->at;
    enum status s = skip_array(r, key, type, (size_t)n, e);
    if (s == STATUS_OK && n <= MAX_CONFIG_ITEMS) array_to_config(r, key, type, (size_t)n, from);
    return s;
}

static enum status read_value(struct reader *r, const char *key, uint32_t type, struct error *e) {
    if (type >= VALUE_COUNT) return key_error(r, key, "its type is unknown", e);
    if (type == VALUE_ARRAY) return read_array(r, key, e);
    int is_cut;
    json_t *value = read_scalar(&r->at, type, &is_cut);
    if (is_cut) return key_error(r, key, "the file ends inside it; the file is cut short", e);
    if (!value) return key_error(r, key, "its value is not a finite number, a truth value or UTF-8 text", e);
    json_object_set_new(r->c->config, key, value);
    return STATUS_OK;
}

static enum status read_key(struct reader *r, uint64_t index, struct error *e) {
    struct gguf_string s;
    uint32_t type;
    if (!cursor_string(&r->at, &s) || !cursor_take(&r->at, &type, sizeof type))
        return error_set(e, STATUS_INPUT, "%s: the file ends inside metadata key %llu; the file is cut short",
                         r->source->file, (unsigned long long)index);
    if (s.length > MAX_KEY_BYTES || !is_plain_text(s.data, s.length))
        return error_set(e, STATUS_INPUT, "%s: the name of metadata key %llu is not text", r->source->file,
                         (unsigned long long)index);
    const char *key = arena_copy_bytes(&r->c->arena, s.data, s.length);
    if (json_object_get(r->seen, key)) return key_error(r, key, "it is there twice", e);
    json_object_set_new(r->seen, key, json_null());
    return read_value(r, key, type, e);
}

static enum status check_version(const struct source *s, uint32_t version, struct error *e) {
    if (version == 2 || version == 3) return STATUS_OK;
    if ((version & 0xffff) == 0 && version != 0)
        return error_set(e, STATUS_UNSUPPORTED, "%s: a big-endian GGUF file; convert it to little-endian", s->file);
    return error_set(e, STATUS_UNSUPPORTED, "%s: GGUF version %u is not supported (have: 2, 3)", s->file, version);
}

static enum status read_metadata(struct reader *r, uint64_t n, struct error *e) {
    if (n > MAX_KEYS)
        return error_set(e, STATUS_INPUT, "%s: claims %llu metadata keys; at most %d are read", r->source->file,
                         (unsigned long long)n, MAX_KEYS);
    r->c->is_gguf = 1;
    r->c->gguf = mem_alloc(sizeof *r->c->gguf);
    r->c->config = json_object();
    r->seen = json_object();
    enum status s = STATUS_OK;
    for (uint64_t i = 0; s == STATUS_OK && i < n; i++) s = read_key(r, i, e);
    json_decref(r->seen);
    return s;
}

enum status gguf_parse(struct checkpoint *c, const struct source *source, struct error *e) {
    struct reader r = {.c = c, .source = source, .at = {.data = source->data, .size = source->size}};
    uint32_t magic, version;
    uint64_t n_tensors, n_keys;
    if (!cursor_take(&r.at, &magic, sizeof magic) || memcmp(&magic, "GGUF", 4) != 0)
        return error_set(e, STATUS_INPUT, "%s: not a GGUF file", source->file);
    if (!cursor_take(&r.at, &version, sizeof version))
        return error_set(e, STATUS_INPUT, "%s: the file ends inside its header; the file is cut short", source->file);
    enum status s = check_version(source, version, e);
    if (s != STATUS_OK) return s;
    if (!cursor_take(&r.at, &n_tensors, sizeof n_tensors) || !cursor_take(&r.at, &n_keys, sizeof n_keys))
        return error_set(e, STATUS_INPUT, "%s: the file ends inside its header; the file is cut short", source->file);
    s = read_metadata(&r, n_keys, e);
    return s != STATUS_OK ? s : gguf_parse_tensors(c, source, r.at.at, n_tensors, e);
}

static const struct gguf_array *find_array(const struct gguf *g, const char *key, uint32_t type) {
    for (size_t i = 0; g && i < g->n_arrays; i++)
        if (g->arrays[i].type == type && strcmp(g->arrays[i].key, key) == 0) return &g->arrays[i];
    return NULL;
}

int gguf_string_array(const struct gguf *g, const char *key, const struct gguf_string **items, size_t *n) {
    const struct gguf_array *a = find_array(g, key, VALUE_STRING);
    if (!a) return 0;
    *items = a->items;
    *n = a->n;
    return 1;
}

int gguf_f32_array(const struct gguf *g, const char *key, const float **items, size_t *n) {
    const struct gguf_array *a = find_array(g, key, VALUE_F32);
    if (!a) return 0;
    *items = a->items;
    *n = a->n;
    return 1;
}

int gguf_i32_array(const struct gguf *g, const char *key, const int32_t **items, size_t *n) {
    const struct gguf_array *a = find_array(g, key, VALUE_I32);
    if (!a) return 0;
    *items = a->items;
    *n = a->n;
    return 1;
}
