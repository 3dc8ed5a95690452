/* JSON beside the weights: the same bytes as a shard index and as a model's configuration. */
#include "tests/fuzz/fuzz_checkpoint.h"
#include "workloads/llm/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_index(const json_t *o) {
    struct error e = {0};
    json_t *map, *shard;
    const char *tensor;
    enum status s = shard_index_check("fuzz.json", o, &map, &e);
    fuzz_check_error(s, &e);
    if (s != STATUS_OK) return;
    json_object_foreach(map, tensor, shard) {
        const char *name = json_string_value(shard);
        if (!name || strchr(name, '/') || strcmp(name, "..") == 0) abort();
    }
}

static void as_config(const json_t *o) {
    struct error e = {0};
    struct llm_config config;
    enum status s = llm_config_from_json(o, &config, &e);
    fuzz_check_error(s, &e);
    if (s == STATUS_OK && (config.layers < 1 || config.heads < 1 || config.heads % config.kv_heads != 0)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct source s = {.file = "fuzz.json", .data = data, .size = size};
    struct error e = {0};
    json_t *o = NULL;
    enum status status = json_object_parse(&s, "file", 0, &o, &e);
    fuzz_check_error(status, &e);
    if (status != STATUS_OK) return 0;
    as_index(o);
    as_config(o);
    json_decref(o);
    return 0;
}
