/* checkpoint.c: which layout lies at a path, and what a checkpoint owns. */
#include "workloads/checkpoint/checkpoint.h"

#include <errno.h>
#include <sys/stat.h>

#include "workloads/checkpoint/parse.h"

enum status checkpoint_map(struct checkpoint *c, const char *path, struct source *out, struct error *e) {
    struct file_map map;
    enum status s = file_map(path, &map, e);
    if (s != STATUS_OK) return s;
    c->files = mem_resize(c->files, (c->n_files + 1) * sizeof *c->files);
    c->files[c->n_files++] = map;
    *out = (struct source){.file = path, .data = map.data, .size = map.size};
    return STATUS_OK;
}

static enum status open_file(struct checkpoint *c, struct error *e) {
    struct source s;
    enum status status = checkpoint_map(c, c->path, &s, e);
    if (status != STATUS_OK) return status;
    if (s.size < 4 || memcmp(s.data, "GGUF", 4) != 0)
        return error_set(e, STATUS_INPUT, "'%s' is not a GGUF file; a checkpoint is one GGUF file, or a folder with "
                         "config.json and *.safetensors (give the folder, not a file in it)", c->path);
    status = gguf_parse(c, &s, e);
    return status != STATUS_OK ? status : tensors_sort(c, e);
}

enum status checkpoint_open(const char *path, struct checkpoint *out, struct error *e) {
    struct stat st;
    *out = (struct checkpoint){0};
    if (stat(path, &st) != 0) return error_set(e, STATUS_IO, "cannot open '%s': %s", path, strerror(errno));
    out->path = arena_copy_string(&out->arena, path);
    enum status s = S_ISDIR(st.st_mode) ? folder_open(out, e) : open_file(out, e);
    if (s != STATUS_OK) checkpoint_close(out);
    return s;
}

void checkpoint_close(struct checkpoint *c) {
    for (size_t i = 0; i < c->n_files; i++) file_unmap(&c->files[i]);
    mem_free(c->files);
    mem_free(c->tensors);
    json_decref(c->config);
    json_decref(c->generation_config);
    gguf_free(c->gguf);
    arena_free(&c->arena);
    *c = (struct checkpoint){0};
}
