#include "harness/spec/spec.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/backend.h"
#include "kernels/base/random.h"

const char *scenario_name(enum scenario s) { return s == SCENARIO_SINGLE ? "single" : "offline"; }

static enum status in_range(const struct options *o, enum option_id id, int64_t low, int64_t high, int *out, struct error *e) {
    int64_t v = option_int(o, id);
    if (v < low || v > high)
        return error_set(e, STATUS_INPUT, "--%s %lld is out of range (%lld to %lld)", option_table[id].name, (long long)v, (long long)low, (long long)high);
    *out = (int)v;
    return STATUS_OK;
}

static enum status check_names(const struct options *o, struct spec *s, struct error *e) {
    const char *names[16];
    int n = 0;
    if (!backend_find(s->backend)) {
        while (backend_at(n)) names[n] = backend_at(n)->name, n++;
        const char *near = nearest_name(s->backend, names, n);
        return error_set(e, STATUS_INPUT, "unknown backend '%s'%s%s%s; see assay list backends", s->backend, near ? "; did you mean '" : "",
                         near ? near : "", near ? "'?" : "");
    }
    int t = dtype_parse(o->value[OPT_DTYPE]);
    if (t != DTYPE_F32 && t != DTYPE_BF16 && t != DTYPE_F16)
        return error_set(e, STATUS_INPUT, "--dtype '%s' is not one of f32, bf16, f16", o->value[OPT_DTYPE]);
    s->dtype = (enum dtype)t;
    return STATUS_OK;
}

static enum status read_scenario(const struct options *o, struct spec *s, struct error *e) {
    const char *text = o->value[OPT_SCENARIO];
    s->scenario = s->batch > 1 ? SCENARIO_OFFLINE : SCENARIO_SINGLE;
    if (!text) return STATUS_OK;
    if (strcmp(text, "single") == 0) s->scenario = SCENARIO_SINGLE;
    else if (strcmp(text, "offline") == 0) s->scenario = SCENARIO_OFFLINE;
    else return error_set(e, STATUS_INPUT, "--scenario '%s' is not one of single, offline", text);
    if (s->scenario == SCENARIO_SINGLE && s->batch > 1)
        return error_set(e, STATUS_INPUT, "--scenario single serves one request at a time; leave out --batch %d or say offline", s->batch);
    return STATUS_OK;
}

static enum status read_numbers(const struct options *o, struct spec *s, struct error *e) {
    static const struct { enum option_id id; int64_t low, high; size_t offset; } fields[] = {
        {OPT_LAYERS, 0, 4096, offsetof(struct spec, layers)},       {OPT_THREADS, 0, 64, offsetof(struct spec, threads)},
        {OPT_BATCH, 1, 4096, offsetof(struct spec, batch)},         {OPT_PROMPT, 1, 1 << 20, offsetof(struct spec, prompt)},
        {OPT_GENERATE, 1, 1 << 20, offsetof(struct spec, generate)}, {OPT_TOP_K, 0, 1 << 24, offsetof(struct spec, sampling.top_k)},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        enum status st = in_range(o, fields[i].id, fields[i].low, fields[i].high, (int *)(void *)((char *)s + fields[i].offset), e);
        if (st != STATUS_OK) return st;
    }
    s->sampling.temperature = (float)option_real(o, OPT_TEMPERATURE);
    s->sampling.top_p = (float)option_real(o, OPT_TOP_P);
    s->sampling.seed = (uint64_t)option_int(o, OPT_SEED);
    if (!(s->sampling.temperature >= 0)) return error_set(e, STATUS_INPUT, "--temperature must be 0 or more");
    if (!(s->sampling.top_p > 0) || s->sampling.top_p > 1) return error_set(e, STATUS_INPUT, "--top-p must lie above 0 and at most at 1");
    return STATUS_OK;
}

static enum status read_prompt(const struct options *o, struct spec *s, struct error *e) {
    s->prompt_text = o->value[OPT_PROMPT_TEXT];
    s->prompts = o->value[OPT_PROMPTS];
    s->prompt_ids = o->value[OPT_PROMPT_IDS];
    int n = (s->prompt_text != NULL) + (s->prompts != NULL) + (s->prompt_ids != NULL);
    if (n > 1) return error_set(e, STATUS_INPUT, "give one of --prompt-text, --prompts, --prompt-ids");
    if (n == 1 && o->is_given[OPT_PROMPT]) return error_set(e, STATUS_INPUT, "--prompt is a synthetic length; leave it out where a prompt is given");
    return STATUS_OK;
}

enum status spec_from_options(const char *workload, const struct options *o, struct arena *a, struct spec *s, struct error *e) {
    *s = (struct spec){.workload = workload, .model = o->value[OPT_MODEL], .preset = o->value[OPT_PRESET],
        .backend = o->value[OPT_BACKEND], .isa = o->value[OPT_ISA], .uses_stop = option_flag(o, OPT_STOP), .score = o->value[OPT_SCORE], .cloze = o->value[OPT_CLOZE]};
    enum status st = check_names(o, s, e);
    if (st == STATUS_OK) st = read_numbers(o, s, e);
    if (st == STATUS_OK) st = read_scenario(o, s, e);
    if (st == STATUS_OK) st = read_prompt(o, s, e);
    for (int i = 0; i < o->n_list && st == STATUS_OK; i++) st = optimizer_parse(o->list[i], a, &s->uses[s->n_uses++], e);
    return st;
}

static void put_text(json_t *o, const char *key, const char *value) {
    json_object_set_new(o, key, value ? json_string(value) : json_null());
}

json_t *spec_json(const struct spec *s) {
    json_t *o = json_object(), *opts = json_array();
    for (int i = 0; i < s->n_uses; i++) json_array_append_new(opts, json_string(s->uses[i].text));
    put_text(o, "workload", s->workload);
    put_text(o, "model", s->model);
    put_text(o, "preset", s->preset);
    put_text(o, "backend", s->backend);
    put_text(o, "isa", s->isa);
    put_text(o, "dtype", dtype_name(s->dtype));
    put_text(o, "scenario", scenario_name(s->scenario));
    put_text(o, "prompt_text", s->prompt_text);
    put_text(o, "prompts", s->prompts);
    put_text(o, "prompt_ids", s->prompt_ids);
    put_text(o, "score", s->score);
    if (s->cloze) put_text(o, "cloze", s->cloze); /* absent where it is not given, so that older specs keep their hash */
    json_object_set_new(o, "layers", json_integer(s->layers));
    json_object_set_new(o, "threads", json_integer(s->threads));
    json_object_set_new(o, "batch", json_integer(s->batch));
    json_object_set_new(o, "prompt", json_integer(s->prompt));
    json_object_set_new(o, "generate", json_integer(s->generate));
    json_object_set_new(o, "stop", json_boolean(s->uses_stop));
    json_object_set_new(o, "temperature", json_real((double)s->sampling.temperature));
    json_object_set_new(o, "top_k", json_integer(s->sampling.top_k));
    json_object_set_new(o, "top_p", json_real((double)s->sampling.top_p));
    json_object_set_new(o, "seed", json_integer((json_int_t)s->sampling.seed));
    json_object_set_new(o, "opt", opts);
    return o;
}

uint64_t spec_hash(const struct spec *s) {
    json_t *o = spec_json(s);
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t h = hash_bytes(0, text, strlen(text));
    free(text);
    json_decref(o);
    return h;
}

char *spec_label(const struct spec *s, struct arena *a) {
    struct text t = {0};
    for (int i = 0; i < s->n_uses; i++) text_append(&t, "%s%s", i ? "+" : "", s->uses[i].text);
    char *label = arena_copy_string(a, t.length ? t.data : "plain");
    text_free(&t);
    return label;
}

const char *spec_model_name(const struct spec *s) { return s->model ? s->model : s->preset ? s->preset : "?"; }
