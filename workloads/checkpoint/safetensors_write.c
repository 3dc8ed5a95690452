/* safetensors_write.c: dense tensors to a safetensors file, for dumps that other tools read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workloads/checkpoint/parse.h"
#include "workloads/checkpoint/safetensors_types.h"

static const char *type_name(enum dtype dtype) {
    for (size_t i = 0; i < SAFETENSORS_TYPE_COUNT; i++)
        if (safetensors_types[i].dtype == dtype) return safetensors_types[i].name;
    return NULL;
}

static enum status check_writable(const struct source *s, const struct checkpoint_tensor *t, struct error *e) {
    struct checkpoint_tensor measured = *t;
    if (t->encoding && t->encoding != encoding_of_dtype(t->dtype))
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%s': the encoding %s cannot be written; decode it first",
                         s->file, t->name, t->encoding->name);
    enum status status = tensor_measure(s, &measured, e);
    if (status != STATUS_OK || measured.bytes == t->bytes) return status;
    return error_set(e, STATUS_INTERNAL, "%s: tensor '%s': its shape needs %zu bytes, it has %zu", s->file, t->name,
                     measured.bytes, t->bytes);
}

static json_t *describe(const struct checkpoint_tensor *t, size_t begin) {
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dims; i++) json_array_append_new(shape, json_integer((json_int_t)t->dims[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(t->dtype), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + t->bytes));
}

/* The header's text; spaces after it bring the data to a multiple of 8. */
static enum status build_header(const struct source *s, const struct checkpoint_tensor *tensors, size_t n,
                                struct text *out, struct error *e) {
    json_t *header = json_object();
    size_t at = 0;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < n; i++) {
        status = check_writable(s, &tensors[i], e);
        if (status != STATUS_OK) break;
        if (json_object_get(header, tensors[i].name))
            status = error_set(e, STATUS_INPUT, "%s: there are two tensors '%s'", s->file, tensors[i].name);
        else if (json_object_set_new(header, tensors[i].name, describe(&tensors[i], at)) != 0)
            status = error_set(e, STATUS_INPUT, "%s: the name of tensor %zu is not text", s->file, i);
        at += tensors[i].bytes;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    text_append(out, "%s", text ? text : "");
    free(text);
    json_decref(header);
    while (out->length % 8) text_append_bytes(out, " ", 1);
    return status;
}

static int write_all(FILE *f, const struct text *header, const struct checkpoint_tensor *tensors, size_t n) {
    uint64_t length = header->length;
    int is_ok = fwrite(&length, sizeof length, 1, f) == 1 && fwrite(header->data, 1, header->length, f) == length;
    for (size_t i = 0; is_ok && i < n; i++)
        if (tensors[i].bytes) is_ok = fwrite(tensors[i].data, 1, tensors[i].bytes, f) == tensors[i].bytes;
    return is_ok;
}

/* Under another name first, so that a full disk leaves no half file under the right one. */
static enum status write_file(const char *path, const struct text *header, const struct checkpoint_tensor *tensors,
                              size_t n, struct error *e) {
    char *partial = mem_printf("%s.partial", path);
    FILE *f = fopen(partial, "wb");
    int is_ok = f && write_all(f, header, tensors, n);
    int code = errno;
    if (f && fclose(f) != 0 && is_ok) {
        is_ok = 0;
        code = errno;
    }
    if (is_ok && rename(partial, path) != 0) {
        is_ok = 0;
        code = errno;
    }
    if (!is_ok && f) unlink(partial);
    mem_free(partial);
    return is_ok ? STATUS_OK : error_set(e, STATUS_IO, "cannot write '%s': %s", path, strerror(code));
}

enum status safetensors_write(const char *path, const struct checkpoint_tensor *tensors, size_t n, struct error *e) {
    struct source s = {.file = path};
    struct text header = {0};
    enum status status = build_header(&s, tensors, n, &header, e);
    if (status == STATUS_OK) status = write_file(path, &header, tensors, n, e);
    text_free(&header);
    return status;
}
