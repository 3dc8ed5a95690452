/* parse.h: the readers behind checkpoint.h, from bytes in memory; private to this folder, its tests and its
 * fuzz targets.
 *
 * A reader appends to a checkpoint what one file claims, after checking each claim against the file's size.
 * What it appends borrows the bytes. The caller closes the checkpoint whatever the status. */
#ifndef ASSAY_WORKLOADS_CHECKPOINT_PARSE_H
#define ASSAY_WORKLOADS_CHECKPOINT_PARSE_H

#include "workloads/checkpoint/checkpoint.h"

/* Limits on what outside bytes may make us allocate; the largest public models stay far below them. */
enum {
    SAFETENSORS_MAX_HEADER_BYTES = 100000000, /* the format's own rule */
    CHECKPOINT_MAX_TENSORS = 1 << 20,
    CHECKPOINT_SHOWN_BYTES = 200,             /* of a name in an error */
};

/* A file's bytes and the name that errors give it. */
struct source {
    const char *file;
    const uint8_t *data;
    size_t size;
};

/* ---- json.c ---- */

/* One JSON object. `flags` as json_loadb; duplicate keys are always refused, by name. Memory is bounded before
 * parsing by a scan of the text, and so is nesting. `part` says what it is, "header" or "file". The result is
 * the caller's: json_decref. Errors: INPUT. */
enum status json_object_parse(const struct source *s, const char *part, size_t flags, json_t **out, struct error *e);

/* 1 where the bytes are UTF-8 without control characters, so that they can be shown and exported. */
int is_plain_text(const char *p, size_t n);

/* ---- tensors.c ---- */

/* Room for `more` tensors. Errors: INPUT too many. */
enum status tensors_reserve(struct checkpoint *c, const struct source *s, uint64_t more, struct error *e);

/* t->bytes from dims, type and encoding. Errors: INPUT overflow, rows not a multiple of the block. */
enum status tensor_measure(const struct source *s, struct checkpoint_tensor *t, struct error *e);

/* Ends one file, whose tensors are c->tensors[first..): none overlaps another, and data that lies misaligned
 * for its type is copied, all into one anonymous map. Errors: INPUT, NO_MEMORY. */
enum status tensors_settle(struct checkpoint *c, const struct source *s, size_t first, struct error *e);

/* Sorts all by name. Errors: INPUT a name twice. */
enum status tensors_sort(struct checkpoint *c, struct error *e);

/* ---- readers ---- */

enum status safetensors_parse(struct checkpoint *c, const struct source *s, struct error *e);
enum status gguf_parse(struct checkpoint *c, const struct source *s, struct error *e);
enum status gguf_parse_tensors(struct checkpoint *c, const struct source *s, size_t at, uint64_t n, struct error *e);
void gguf_free(struct gguf *g);

/* The weight_map of a shard index, borrowed from it: tensor name to file name, each a plain name in the same
 * folder. Errors: INPUT. */
enum status shard_index_check(const char *file, const json_t *index, json_t **weight_map, struct error *e);

/* Maps a file into c->files, which owns it. Errors: IO, as file_map. */
enum status checkpoint_map(struct checkpoint *c, const char *path, struct source *out, struct error *e);

/* Everything in a folder. Errors: as checkpoint_open. */
enum status folder_open(struct checkpoint *c, struct error *e);

/* ---- little-endian reading with bounds; the host is little-endian too (tensors.c asserts it) ---- */

struct cursor {
    const uint8_t *data;
    size_t size, at;
};

/* 0 where fewer than n bytes are left. */
static inline int cursor_take(struct cursor *c, void *out, size_t n) {
    if (n > c->size - c->at) return 0;
    memcpy(out, c->data + c->at, n);
    c->at += n;
    return 1;
}

/* A u64 length and that many bytes, borrowed. */
static inline int cursor_string(struct cursor *c, struct gguf_string *out) {
    uint64_t n;
    if (!cursor_take(c, &n, sizeof n) || n > c->size - c->at) return 0;
    *out = (struct gguf_string){(const char *)c->data + c->at, (size_t)n};
    c->at += (size_t)n;
    return 1;
}

#endif
