/* folder.c: a checkpoint folder in Hugging Face form: config.json, weights in one safetensors file or in shards
 * under an index, and what may lie beside them. */
#include <dirent.h>
#include <errno.h>

#include "workloads/checkpoint/parse.h"

#define INDEX_NAME "model.safetensors.index.json"

/* A JSON file of the folder; *out stays NULL where it is absent. */
static enum status load_json(struct checkpoint *c, const char *name, json_t **out, struct error *e) {
    const char *path = arena_printf(&c->arena, "%s/%s", c->path, name);
    if (!file_exists(path)) return STATUS_OK;
    struct file_map map;
    enum status s = file_map(path, &map, e);
    if (s != STATUS_OK) return s;
    struct source source = {.file = path, .data = map.data, .size = map.size};
    s = json_object_parse(&source, "file", 0, out, e);
    file_unmap(&map);
    return s;
}

/* ---- weights under an index ---- */

static int is_plain_name(const char *name) {
    return *name && !strchr(name, '/') && !strstr(name, "..") && is_plain_text(name, strlen(name));
}

enum status shard_index_check(const char *file, const json_t *index, json_t **weight_map, struct error *e) {
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return error_set(e, STATUS_INPUT, "%s: 'weight_map' is missing, empty or not an object", file);
    const char *tensor;
    json_t *shard;
    json_object_foreach(map, tensor, shard) {
        if (!is_plain_text(tensor, strlen(tensor)))
            return error_set(e, STATUS_INPUT, "%s: 'weight_map' holds a name with control characters", file);
        if (!json_is_string(shard) || !is_plain_name(json_string_value(shard)))
            return error_set(e, STATUS_INPUT, "%s: tensor '%.*s': its shard must be the name of a file in the same "
                             "folder", file, CHECKPOINT_SHOWN_BYTES, tensor);
    }
    *weight_map = map;
    return STATUS_OK;
}

static enum status open_shard(struct checkpoint *c, const char *index, const char *tensor, const char *shard,
                              struct error *e) {
    const char *path = arena_printf(&c->arena, "%s/%s", c->path, shard);
    if (!file_exists(path))
        return error_set(e, STATUS_INPUT, "%s: tensor '%.*s' is said to lie in '%.*s', but there is no such file; "
                         "fetch the missing shards", index, CHECKPOINT_SHOWN_BYTES, tensor, CHECKPOINT_SHOWN_BYTES, shard);
    struct source s;
    enum status status = checkpoint_map(c, path, &s, e);
    return status != STATUS_OK ? status : safetensors_parse(c, &s, e);
}

/* Every shard once, at the first tensor that names it. */
static enum status open_shards(struct checkpoint *c, const char *index, json_t *map, struct error *e) {
    json_t *opened = json_object();
    enum status s = STATUS_OK;
    const char *tensor;
    json_t *shard;
    json_object_foreach(map, tensor, shard) {
        const char *name = json_string_value(shard);
        if (json_object_get(opened, name)) continue;
        s = open_shard(c, index, tensor, name, e);
        if (s != STATUS_OK) break;
        json_object_set_new(opened, name, json_true());
    }
    json_decref(opened);
    return s;
}

static enum status open_indexed(struct checkpoint *c, const json_t *index, struct error *e) {
    const char *file = arena_printf(&c->arena, "%s/%s", c->path, INDEX_NAME);
    json_t *map;
    enum status s = shard_index_check(file, index, &map, e);
    if (s == STATUS_OK) s = open_shards(c, file, map, e);
    if (s == STATUS_OK) s = tensors_sort(c, e);
    if (s != STATUS_OK) return s;
    const char *tensor;
    json_t *shard;
    json_object_foreach(map, tensor, shard)
        if (!checkpoint_find(c, tensor))
            return error_set(e, STATUS_INPUT, "%s: tensor '%.*s' is not in any shard ('%.*s' should have it)", file,
                             CHECKPOINT_SHOWN_BYTES, tensor, CHECKPOINT_SHOWN_BYTES, json_string_value(shard));
    return STATUS_OK;
}

/* ---- weights in one file ---- */

/* The one *.safetensors of the folder, arena-owned. */
static enum status find_single(struct checkpoint *c, const char **out, struct error *e) {
    DIR *d = opendir(c->path);
    if (!d) return error_set(e, STATUS_IO, "cannot list '%s': %s", c->path, strerror(errno));
    int n = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        size_t length = strlen(entry->d_name), suffix = sizeof ".safetensors" - 1;
        if (length <= suffix || strcmp(entry->d_name + length - suffix, ".safetensors") != 0) continue;
        *out = arena_printf(&c->arena, "%s/%s", c->path, entry->d_name);
        n++;
    }
    closedir(d);
    if (n == 1) return STATUS_OK;
    if (n == 0)
        return error_set(e, STATUS_INPUT, "'%s' holds no *.safetensors (weights in *.bin, *.pt or *.pth files are not "
                         "read; convert them to safetensors)", c->path);
    return error_set(e, STATUS_INPUT, "'%s' holds %d *.safetensors files and neither model.safetensors nor %s to say "
                     "which count", c->path, n, INDEX_NAME);
}

static enum status open_single(struct checkpoint *c, struct error *e) {
    const char *path = arena_printf(&c->arena, "%s/model.safetensors", c->path);
    enum status s = file_exists(path) ? STATUS_OK : find_single(c, &path, e);
    struct source source;
    if (s == STATUS_OK) s = checkpoint_map(c, path, &source, e);
    if (s == STATUS_OK) s = safetensors_parse(c, &source, e);
    return s != STATUS_OK ? s : tensors_sort(c, e);
}

enum status folder_open(struct checkpoint *c, struct error *e) {
    json_t *index = NULL;
    enum status s = load_json(c, "config.json", &c->config, e);
    if (s == STATUS_OK && !c->config)
        return error_set(e, STATUS_INPUT, "'%s' holds no config.json; a checkpoint folder has config.json, "
                         "*.safetensors and tokenizer.json", c->path);
    if (s == STATUS_OK) s = load_json(c, "generation_config.json", &c->generation_config, e);
    if (s == STATUS_OK) s = load_json(c, INDEX_NAME, &index, e);
    if (s == STATUS_OK) s = index ? open_indexed(c, index, e) : open_single(c, e);
    json_decref(index);
    char *tokenizer = arena_printf(&c->arena, "%s/tokenizer.json", c->path);
    if (file_exists(tokenizer)) c->tokenizer_path = tokenizer;
    return s;
}
