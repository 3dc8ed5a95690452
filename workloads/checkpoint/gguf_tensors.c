/* gguf_tensors.c: the tensor table of a GGUF file: (string name, u32 rank, u64 dimensions, u32 type, u64 offset)
 * each, then padding to the alignment; offsets count from there. Dimension 0 varies fastest there, so the order
 * turns round here. */
#include "workloads/checkpoint/parse.h"

enum { DEFAULT_ALIGNMENT = 32, MAX_ALIGNMENT = 1 << 20, MIN_INFO_BYTES = 24 };

/* ggml's types by number. `dtype` counts only where is_read. Source: enum ggml_type of ggml.h. */
struct ggml_type {
    const char *name;
    int is_read;
    enum dtype dtype;
    const struct encoding *encoding;
};

static const struct ggml_type ggml_types[] = {
    [0] = {"F32", 1, DTYPE_F32, &encoding_f32},    [1] = {"F16", 1, DTYPE_F16, &encoding_f16},
    [2] = {"Q4_0", 1, DTYPE_F32, &encoding_q4_0},  [3] = {"Q4_1", 1, DTYPE_F32, &encoding_q4_1},
    [4] = {.name = "Q4_2"},      [5] = {.name = "Q4_3"},      [6] = {.name = "Q5_0"},     [7] = {.name = "Q5_1"},
    [8] = {"Q8_0", 1, DTYPE_F32, &encoding_q8_0},
    [9] = {.name = "Q8_1"},      [10] = {.name = "Q2_K"},     [11] = {.name = "Q3_K"},    [12] = {.name = "Q4_K"},
    [13] = {.name = "Q5_K"},     [14] = {.name = "Q6_K"},     [15] = {.name = "Q8_K"},    [16] = {.name = "IQ2_XXS"},
    [17] = {.name = "IQ2_XS"},   [18] = {.name = "IQ3_XXS"},  [19] = {.name = "IQ1_S"},   [20] = {.name = "IQ4_NL"},
    [21] = {.name = "IQ3_S"},    [22] = {.name = "IQ2_S"},    [23] = {.name = "IQ4_XS"},
    [24] = {"I8", 1, DTYPE_I8, NULL},              [25] = {.name = "I16"},
    [26] = {"I32", 1, DTYPE_I32, NULL},            [27] = {"I64", 1, DTYPE_I64, NULL},
    [28] = {"F64", 1, DTYPE_F64, NULL},            [29] = {.name = "IQ1_M"},
    [30] = {"BF16", 1, DTYPE_BF16, &encoding_bf16},
    [31] = {.name = "Q4_0_4_4"}, [32] = {.name = "Q4_0_4_8"}, [33] = {.name = "Q4_0_8_8"},
    [34] = {.name = "TQ1_0"},    [35] = {.name = "TQ2_0"},    [39] = {.name = "MXFP4"},
};

static enum status find_type(const struct source *s, const char *name, uint32_t id, const struct ggml_type **out,
                             struct error *e) {
    const struct ggml_type *t = id < sizeof ggml_types / sizeof *ggml_types ? &ggml_types[id] : NULL;
    if (t && t->is_read) {
        *out = t;
        return STATUS_OK;
    }
    return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.*s': type %s (%u) is not supported (have: F32, F16, BF16, "
                     "Q8_0, Q4_0, Q4_1); get or convert to one of these", s->file, CHECKPOINT_SHOWN_BYTES, name,
                     t && t->name ? t->name : "unknown", id);
}

static enum status cut_short(const struct source *s, uint64_t index, struct error *e) {
    return error_set(e, STATUS_INPUT, "%s: the file ends inside the description of tensor %llu; the file is cut short",
                     s->file, (unsigned long long)index);
}

static enum status read_dims(const struct source *s, struct cursor *at, struct checkpoint_tensor *t, uint64_t index,
                             struct error *e) {
    uint32_t rank;
    if (!cursor_take(at, &rank, sizeof rank)) return cut_short(s, index, e);
    if (rank > CHECKPOINT_MAX_DIMS)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': %u dimensions; at most %d are read", s->file,
                         CHECKPOINT_SHOWN_BYTES, t->name, rank, CHECKPOINT_MAX_DIMS);
    t->n_dims = (int)rank;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        uint64_t dim;
        if (!cursor_take(at, &dim, sizeof dim)) return cut_short(s, index, e);
        if (dim > INT64_MAX)
            return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': dimension %llu is out of range", s->file,
                             CHECKPOINT_SHOWN_BYTES, t->name, (unsigned long long)dim);
        t->dims[i] = (int64_t)dim;
    }
    return STATUS_OK;
}

/* One description; t->data stays NULL, *offset is what the file says. */
static enum status read_info(struct checkpoint *c, const struct source *s, struct cursor *at, uint64_t index,
                             uint64_t *offset, struct error *e) {
    struct checkpoint_tensor *t = &c->tensors[c->n_tensors];
    *t = (struct checkpoint_tensor){0};
    struct gguf_string name;
    uint32_t id;
    if (!cursor_string(at, &name)) return cut_short(s, index, e);
    if (name.length == 0 || !is_plain_text(name.data, name.length))
        return error_set(e, STATUS_INPUT, "%s: the name of tensor %llu is not text", s->file,
                         (unsigned long long)index);
    t->name = arena_copy_bytes(&c->arena, name.data, name.length);
    enum status status = read_dims(s, at, t, index, e);
    if (status != STATUS_OK) return status;
    if (!cursor_take(at, &id, sizeof id) || !cursor_take(at, offset, sizeof *offset)) return cut_short(s, index, e);
    const struct ggml_type *type = NULL;
    status = find_type(s, t->name, id, &type, e);
    if (status != STATUS_OK) return status;
    t->dtype = type->dtype;
    t->encoding = type->encoding;
    c->n_tensors++;
    return tensor_measure(s, t, e);
}

static enum status read_alignment(const struct checkpoint *c, const struct source *s, uint64_t *out, struct error *e) {
    const json_t *value = json_object_get(c->config, "general.alignment");
    *out = DEFAULT_ALIGNMENT;
    if (!value) return STATUS_OK;
    json_int_t x = json_integer_value(value);
    if (x < 1 || x > MAX_ALIGNMENT || (x & (x - 1)) != 0)
        return error_set(e, STATUS_INPUT, "%s: metadata key 'general.alignment' must be a power of two up to %d",
                         s->file, MAX_ALIGNMENT);
    *out = (uint64_t)x;
    return STATUS_OK;
}

static enum status place(const struct source *s, struct checkpoint_tensor *t, uint64_t offset, uint64_t start,
                         uint64_t alignment, struct error *e) {
    if (offset % alignment != 0)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': offset %llu is not a multiple of the alignment, %llu",
                         s->file, CHECKPOINT_SHOWN_BYTES, t->name, (unsigned long long)offset,
                         (unsigned long long)alignment);
    uint64_t room = start < s->size ? s->size - start : 0;
    if (offset > room || t->bytes > room - offset)
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': %zu bytes at offset %llu pass the end of the file, which "
                         "has %llu bytes of data; the file is cut short or damaged", s->file, CHECKPOINT_SHOWN_BYTES,
                         t->name, t->bytes, (unsigned long long)offset, (unsigned long long)room);
    t->data = s->data + (room ? start + offset : 0); /* no room: an empty tensor */
    return STATUS_OK;
}

enum status gguf_parse_tensors(struct checkpoint *c, const struct source *s, size_t at, uint64_t n, struct error *e) {
    struct cursor cursor = {.data = s->data, .size = s->size, .at = at};
    if (n > (s->size - at) / MIN_INFO_BYTES)
        return error_set(e, STATUS_INPUT, "%s: claims %llu tensors, more than its size can describe; the file is cut "
                         "short or damaged", s->file, (unsigned long long)n);
    uint64_t alignment;
    enum status status = read_alignment(c, s, &alignment, e);
    if (status == STATUS_OK) status = tensors_reserve(c, s, n, e);
    if (status != STATUS_OK) return status;
    size_t first = c->n_tensors;
    uint64_t *offsets = mem_alloc((size_t)n * sizeof *offsets);
    for (uint64_t i = 0; status == STATUS_OK && i < n; i++) status = read_info(c, s, &cursor, i, &offsets[i], e);
    uint64_t start = (cursor.at + alignment - 1) / alignment * alignment;
    for (uint64_t i = 0; status == STATUS_OK && i < n; i++)
        status = place(s, &c->tensors[first + i], offsets[i], start, alignment, e);
    mem_free(offsets);
    return status != STATUS_OK ? status : tensors_settle(c, s, first, e);
}
