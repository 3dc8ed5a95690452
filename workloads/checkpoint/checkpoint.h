/* checkpoint.h: somebody's weights on disk, whatever the layout, as named tensors over mapped files.
 *
 * Layouts: a folder in Hugging Face form (config.json, *.safetensors with or without an index,
 * tokenizer.json, generation_config.json) or one GGUF file. Every byte comes from outside, so every length,
 * offset and count is checked against the file before use; an error names the file, the tensor and the rule.
 * Nothing is read into memory that can stay mapped. */
#ifndef ASSAY_WORKLOADS_CHECKPOINT_CHECKPOINT_H
#define ASSAY_WORKLOADS_CHECKPOINT_CHECKPOINT_H

#include <jansson.h>

#include "kernels/base/file.h"
#include "kernels/base/memory.h"
#include "kernels/base/status.h"
#include "kernels/encoding.h"

enum { CHECKPOINT_MAX_DIMS = 8 };

struct checkpoint_tensor {
    const char *name;                    /* as in the file */
    int n_dims;
    int64_t dims[CHECKPOINT_MAX_DIMS];   /* outermost first, so a matrix is [out, in] in every layout */
    enum dtype dtype;                    /* element type; for an encoded tensor F32, what decoding gives */
    const struct encoding *encoding;     /* NULL for integer types */
    const void *data;                    /* borrowed from the map */
    size_t bytes;
};

struct checkpoint {
    struct arena arena;
    const char *path;                    /* as the user wrote it */
    int is_gguf;
    struct checkpoint_tensor *tensors;   /* sorted by name */
    size_t n_tensors;
    struct file_map *files;
    size_t n_files;
    json_t *config;                      /* config.json, or the GGUF metadata as one flat object (no arrays of
                                            more than 64 items: those stay in `gguf`) */
    json_t *generation_config;           /* NULL where absent */
    char *tokenizer_path;                /* tokenizer.json, NULL where absent or GGUF */
    struct gguf *gguf;                   /* NULL for folders */
};

/* Opens a folder or a file; which one is seen from the path. Errors: IO missing; INPUT malformed (header
 * longer than the file, tensors that overlap or pass the end, sizes that disagree with shape and type,
 * duplicate names, an index naming an absent file or tensor); UNSUPPORTED element types or GGUF versions. */
enum status checkpoint_open(const char *path, struct checkpoint *out, struct error *e);
void checkpoint_close(struct checkpoint *c);

/* NULL where absent. */
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name);

/* One safetensors file alone, e.g. a golden folder's expected.safetensors. Appends nothing else. */
enum status safetensors_open(const char *path, struct checkpoint *out, struct error *e);

/* Writes n tensors (dense types only) in the given order. */
enum status safetensors_write(const char *path, const struct checkpoint_tensor *tensors, size_t n, struct error *e);

/* GGUF metadata beyond scalars, for the tokenizer. Strings are borrowed, not NUL-terminated. */
struct gguf_string {
    const char *data;
    size_t length;
};
/* An array of strings by key: 1 and its items (arena-owned), 0 where absent or of another type. */
int gguf_string_array(const struct gguf *g, const char *key, const struct gguf_string **items, size_t *n);
int gguf_f32_array(const struct gguf *g, const char *key, const float **items, size_t *n);
int gguf_i32_array(const struct gguf *g, const char *key, const int32_t **items, size_t *n);

#endif
