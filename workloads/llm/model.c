/* model.c: opening a model: a folder, a GGUF file, a name under the models folder, or a preset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/llm/weights.h"

char *llm_models_folder(struct arena *a) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) return arena_printf(a, "%s/assay/models", cache);
    return arena_printf(a, "%s/.cache/assay/models", home ? home : ".");
}

/* A path as it is, else NAME, NAME.gguf under the models folder. */
static enum status find_model(struct arena *a, const char *name, const char **path, struct error *e) {
    *path = name;
    if (file_exists(name) || directory_exists(name)) return STATUS_OK;
    const char *folder = llm_models_folder(a);
    *path = arena_printf(a, "%s/%s", folder, name);
    if (file_exists(*path) || directory_exists(*path)) return STATUS_OK;
    *path = arena_printf(a, "%s/%s.gguf", folder, name);
    if (file_exists(*path)) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "no model '%s': neither a folder or file of that name, nor in %s", name, folder);
}

static enum status find_preset(const char *name, const struct llm_preset **out, struct error *e) {
    char known[512] = "";
    for (int i = 0; (*out = llm_preset_at(i)); i++) {
        if (strcmp((*out)->name, name) == 0) return STATUS_OK;
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", (*out)->name);
    }
    return error_set(e, STATUS_INPUT, "no preset '%s'; have %s", name, known);
}

static void add_stop(struct llm_model *m, const json_t *v) {
    if (json_is_integer(v) && m->n_stop < PIPELINE_MAX_STOP) m->stop[m->n_stop++] = (int32_t)json_integer_value(v);
    size_t i;
    json_t *item;
    json_array_foreach((json_t *)(uintptr_t)v, i, item)
        if (json_is_integer(item)) add_stop(m, item);
}

static void find_stops(struct llm_model *m) {
    const struct checkpoint *c = &m->checkpoint;
    const json_t *from_generation = json_object_get(c->generation_config, "eos_token_id");
    if (c->is_gguf) {
        add_stop(m, json_object_get(c->config, "tokenizer.ggml.eos_token_id"));
        add_stop(m, json_object_get(c->config, "tokenizer.ggml.eot_token_id"));
    } else {
        add_stop(m, from_generation ? from_generation : json_object_get(c->config, "eos_token_id"));
    }
}

static enum status open_checkpoint(const char *name, struct llm_model *m, struct error *e) {
    const char *path;
    enum status s = find_model(&m->arena, name, &path, e);
    if (s == STATUS_OK) s = checkpoint_open(path, &m->checkpoint, e);
    if (s != STATUS_OK) return s;
    struct checkpoint *c = &m->checkpoint;
    s = c->is_gguf ? llm_config_from_gguf(c, &m->config, e) : llm_config_from_json(c->config, &m->config, e);
    if (s != STATUS_OK) return error_prefix(e, "%s", path), s;
    if (c->is_gguf) s = tokenizer_open_gguf(c, &m->tokenizer, e);
    else if (c->tokenizer_path) s = tokenizer_open_json(c->tokenizer_path, &m->tokenizer, e);
    if (s != STATUS_OK) return error_prefix(e, "%s: tokenizer", path), s;
    find_stops(m);
    return STATUS_OK;
}

/* GGUF files of Llama 3.1 and later carry the scaled frequencies as divisors. */
static enum status read_rope_factors(struct llm_model *m, struct error *e) {
    const struct checkpoint_tensor *t = m->checkpoint.is_gguf ? checkpoint_find(&m->checkpoint, "rope_freqs.weight") : NULL;
    if (!t) return STATUS_OK;
    int64_t half = m->config.head_width / 2;
    if (t->n_dims != 1 || t->dims[0] != half || t->dtype != DTYPE_F32)
        return error_set(e, STATUS_INPUT, "%s: tensor 'rope_freqs.weight' must be f32 (%lld)", m->name, (long long)half);
    m->rope_factors = arena_alloc(&m->arena, (size_t)half * sizeof(float));
    memcpy(m->rope_factors, t->data, (size_t)half * sizeof(float));
    return STATUS_OK;
}

/* Every weight is there with the right shape before anything large is allocated. */
static enum status check_weights(struct llm_model *m, struct error *e) {
    struct arena a = {0};
    const struct llm_config *c = &m->config;
    static const struct { enum llm_weight first, last; } groups[] = {
        {LLM_INPUT_NORM, LLM_O}, {LLM_POST_NORM, LLM_DOWN}};
    enum status s = recipe_check(llm_recipe(m, &a, LLM_EMBED, -1), &m->weights, e);
    if (s == STATUS_OK) s = recipe_check(llm_recipe(m, &a, LLM_FINAL_NORM, -1), &m->weights, e);
    if (s == STATUS_OK) s = recipe_check(llm_recipe(m, &a, LLM_HEAD, -1), &m->weights, e);
    for (int layer = 0; layer < c->layers; layer++)
        for (size_t g = 0; g < 2; g++)
            for (int w = (int)groups[g].first; w <= (int)groups[g].last && s == STATUS_OK; w++)
                s = recipe_check(llm_recipe(m, &a, (enum llm_weight)w, layer), &m->weights, e);
    arena_free(&a);
    return s;
}

enum status llm_open(const struct llm_options *o, struct llm_model *m, struct error *e) {
    *m = (struct llm_model){.name = o->model ? o->model : o->preset, .seed = o->seed, .is_synthetic = !o->model};
    enum status s = STATUS_OK;
    if (o->model && o->preset) s = error_set(e, STATUS_INPUT, "give a model or a preset, not both");
    else if (!o->model && !o->preset) s = error_set(e, STATUS_INPUT, "say what to run: --model PATH or --preset NAME (assay list presets)");
    const struct llm_preset *preset = NULL;
    if (s == STATUS_OK && o->preset) s = find_preset(o->preset, &preset, e);
    if (s == STATUS_OK && preset) m->config = preset->config;
    if (s == STATUS_OK && o->model) s = open_checkpoint(o->model, m, e);
    if (s == STATUS_OK) s = read_rope_factors(m, e);
    m->full_layers = m->config.layers;
    if (s == STATUS_OK && o->layers > m->full_layers)
        s = error_set(e, STATUS_INPUT, "--layers %d: '%s' has %d", o->layers, m->name, m->full_layers);
    if (s == STATUS_OK && o->layers > 0) m->config.layers = o->layers;
    llm_weight_source(m);
    if (s == STATUS_OK && !m->is_synthetic) s = check_weights(m, e);
    if (s != STATUS_OK) llm_close(m);
    return s;
}

void llm_close(struct llm_model *m) {
    tokenizer_close(m->tokenizer);
    m->tokenizer = NULL;
    checkpoint_close(&m->checkpoint);
    arena_free(&m->arena);
}
