/* safetensors.c: reading one safetensors file: u64 header length, a JSON header {"name": {"dtype", "shape",
 * "data_offsets": [begin, end)}, …, "__metadata__": {…}}, then the data, which offsets count from.
 * Source: the format's description in github.com/huggingface/safetensors. */
#include <math.h>

#include "workloads/checkpoint/parse.h"
#include "workloads/checkpoint/safetensors_types.h"

static enum status tensor_error(const struct source *s, const char *name, const char *what, struct error *e) {
    return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': %s", s->file, CHECKPOINT_SHOWN_BYTES, name, what);
}

/* Numbers of a header come as reals, so that one too long for an integer is still seen with its tensor's name;
 * every whole number below 2^53 is exact. */
static int to_whole(const json_t *v, int64_t *out) {
    double x = json_number_value(v);
    if (!json_is_number(v) || !(x >= 0) || x >= 0x1p53 || x != floor(x)) return 0;
    *out = (int64_t)x;
    return 1;
}

static enum status read_dtype(const struct source *s, const json_t *info, struct checkpoint_tensor *t,
                              struct error *e) {
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    if (!dtype) return tensor_error(s, t->name, "'dtype' is missing or not a string", e);
    for (size_t i = 0; i < SAFETENSORS_TYPE_COUNT; i++) {
        if (strcmp(safetensors_types[i].name, dtype) != 0) continue;
        t->dtype = safetensors_types[i].dtype;
        t->encoding = encoding_of_dtype(t->dtype);
        return STATUS_OK;
    }
    return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.*s': type '%.40s' is not supported (have: F32, F16, BF16, "
                     "F64, I8, U8, I32, I64, BOOL)", s->file, CHECKPOINT_SHOWN_BYTES, t->name, dtype);
}

static enum status read_shape(const struct source *s, const json_t *info, struct checkpoint_tensor *t,
                              struct error *e) {
    const json_t *shape = json_object_get(info, "shape");
    if (!json_is_array(shape)) return tensor_error(s, t->name, "'shape' is missing or not an array", e);
    if (json_array_size(shape) > CHECKPOINT_MAX_DIMS)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': %zu dimensions; at most %d are read", s->file,
                         CHECKPOINT_SHOWN_BYTES, t->name, json_array_size(shape), CHECKPOINT_MAX_DIMS);
    t->n_dims = (int)json_array_size(shape);
    for (int i = 0; i < t->n_dims; i++)
        if (!to_whole(json_array_get(shape, (size_t)i), &t->dims[i]))
            return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': dimension %d is not a whole number from 0 to 2^53",
                             s->file, CHECKPOINT_SHOWN_BYTES, t->name, i);
    return tensor_measure(s, t, e);
}

/* The data's place: inside the file, and as long as shape and type say. */
static enum status read_place(const struct source *s, size_t start, const json_t *info, struct checkpoint_tensor *t,
                              struct error *e) {
    const json_t *offsets = json_object_get(info, "data_offsets");
    int64_t begin, end;
    if (json_array_size(offsets) != 2 || !to_whole(json_array_get(offsets, 0), &begin) ||
        !to_whole(json_array_get(offsets, 1), &end) || begin > end)
        return tensor_error(s, t->name, "'data_offsets' must be two whole numbers, begin and end, not falling", e);
    size_t room = s->size - start;
    if ((size_t)end > room)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': its data, bytes %lld to %lld, pass the end of the file, "
                         "which has %zu bytes of data; the file is cut short or damaged", s->file,
                         CHECKPOINT_SHOWN_BYTES, t->name, (long long)begin, (long long)end, room);
    if ((size_t)(end - begin) != t->bytes)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': its shape and type (%s) need %zu bytes, but its offsets "
                         "span %lld", s->file, CHECKPOINT_SHOWN_BYTES, t->name, dtype_name(t->dtype), t->bytes,
                         (long long)(end - begin));
    t->data = s->data + start + begin;
    return STATUS_OK;
}

static enum status read_tensor(struct checkpoint *c, const struct source *s, size_t start, const char *name,
                               const json_t *info, struct error *e) {
    if (*name == 0 || !is_plain_text(name, strlen(name)))
        return error_set(e, STATUS_INPUT, "%s: the header holds a tensor whose name is empty or has control characters",
                         s->file);
    struct checkpoint_tensor *t = &c->tensors[c->n_tensors];
    *t = (struct checkpoint_tensor){.name = arena_copy_string(&c->arena, name)};
    if (!json_is_object(info)) return tensor_error(s, name, "its description is not an object", e);
    enum status status = read_dtype(s, info, t, e);
    if (status == STATUS_OK) status = read_shape(s, info, t, e);
    if (status == STATUS_OK) status = read_place(s, start, info, t, e);
    if (status == STATUS_OK) c->n_tensors++;
    return status;
}

static enum status read_header(struct checkpoint *c, const struct source *s, size_t start, json_t *header,
                               struct error *e) {
    enum status status = tensors_reserve(c, s, json_object_size(header), e);
    size_t first = c->n_tensors;
    const char *name;
    json_t *info;
    json_object_foreach(header, name, info) {
        if (status != STATUS_OK) return status;
        if (strcmp(name, "__metadata__") != 0) status = read_tensor(c, s, start, name, info, e);
        else if (!json_is_object(info))
            return error_set(e, STATUS_INPUT, "%s: '__metadata__' of the header is not an object", s->file);
    }
    return status != STATUS_OK ? status : tensors_settle(c, s, first, e);
}

enum status safetensors_parse(struct checkpoint *c, const struct source *s, struct error *e) {
    struct cursor at = {.data = s->data, .size = s->size};
    uint64_t length;
    if (!cursor_take(&at, &length, sizeof length))
        return error_set(e, STATUS_INPUT, "%s: %zu bytes are too few for a safetensors file; it is cut short", s->file,
                         s->size);
    if (length > s->size - at.at)
        return error_set(e, STATUS_INPUT, "%s: its header claims %llu bytes, but the file has %zu; it is cut short or "
                         "not a safetensors file", s->file, (unsigned long long)length, s->size);
    if (length > SAFETENSORS_MAX_HEADER_BYTES)
        return error_set(e, STATUS_INPUT, "%s: its header claims %llu bytes; the format allows %d", s->file,
                         (unsigned long long)length, SAFETENSORS_MAX_HEADER_BYTES);
    struct source text = {.file = s->file, .data = s->data + at.at, .size = (size_t)length};
    json_t *header;
    enum status status = json_object_parse(&text, "header", JSON_DECODE_INT_AS_REAL, &header, e);
    if (status != STATUS_OK) return status;
    status = read_header(c, s, at.at + (size_t)length, header, e);
    json_decref(header);
    return status;
}

enum status safetensors_open(const char *path, struct checkpoint *out, struct error *e) {
    struct source s;
    *out = (struct checkpoint){0};
    out->path = arena_copy_string(&out->arena, path);
    enum status status = checkpoint_map(out, out->path, &s, e);
    if (status == STATUS_OK) status = safetensors_parse(out, &s, e);
    if (status == STATUS_OK) status = tensors_sort(out, e);
    if (status != STATUS_OK) checkpoint_close(out);
    return status;
}
