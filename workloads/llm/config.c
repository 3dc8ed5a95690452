/* config.c: the shape of a model from config.json or from GGUF metadata; what we do not compute is refused by name. */
#include <math.h>
#include <string.h>

#include "workloads/llm/model.h"

static const json_t *get(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return v && !json_is_null(v) ? v : NULL;
}

static enum status get_int(const json_t *o, const char *key, int64_t low, int64_t high, int64_t *out, struct error *e) {
    const json_t *v = get(o, key);
    if (!v) return error_set(e, STATUS_INPUT, "configuration lacks '%s'", key);
    double x = json_number_value(v);
    if (!json_is_number(v) || x != floor(x) || x < (double)low || x > (double)high)
        return error_set(e, STATUS_INPUT, "configuration: '%s' must be a whole number from %lld to %lld", key, (long long)low, (long long)high);
    *out = (int64_t)x;
    return STATUS_OK;
}

static enum status get_positive(const json_t *o, const char *key, double *out, struct error *e) {
    const json_t *v = get(o, key);
    if (!v) return STATUS_OK; /* keeps the default */
    double x = json_number_value(v);
    if (!json_is_number(v) || !(x > 0) || !isfinite(x))
        return error_set(e, STATUS_INPUT, "configuration: '%s' must be a positive number", key);
    *out = x;
    return STATUS_OK;
}

/* The shape's integers under the names of one layout; optional ones (low < 0) keep their default. */
struct int_field {
    const char *key;
    int64_t high;
    int64_t *to;
    int is_optional;
};

static enum status get_ints(const json_t *o, const struct int_field *f, int n, struct error *e) {
    for (int i = 0; i < n; i++) {
        if (f[i].is_optional && !get(o, f[i].key)) continue;
        enum status s = get_int(o, f[i].key, 1, f[i].high, f[i].to, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

enum { MAX_LAYERS = 4096, MAX_WIDTH = 1 << 20, MAX_VOCABULARY = 1 << 24, MAX_CONTEXT = 1 << 30 };

struct shape { /* all as int64_t while parsing */
    int64_t layers, width, heads, kv_heads, head_width, feed_forward, vocabulary, context;
};

static enum status shape_finish(const struct shape *s, struct llm_config *out, struct error *e) {
    int64_t kv = s->kv_heads ? s->kv_heads : s->heads;
    if (s->heads % kv != 0)
        return error_set(e, STATUS_INPUT, "configuration: %lld query heads are not a multiple of %lld key-value heads", (long long)s->heads, (long long)kv);
    int64_t k = s->head_width;
    if (!k && s->width % s->heads != 0)
        return error_set(e, STATUS_INPUT, "configuration: width %lld is not a multiple of %lld heads, and no head width is given", (long long)s->width, (long long)s->heads);
    if (!k) k = s->width / s->heads;
    if (k % 2) return error_set(e, STATUS_INPUT, "configuration: head width %lld is odd; rotation needs pairs", (long long)k);
    out->layers = (int)s->layers;
    out->width = s->width;
    out->heads = (int)s->heads;
    out->kv_heads = (int)kv;
    out->head_width = k;
    out->feed_forward = s->feed_forward;
    out->vocabulary = s->vocabulary;
    out->context = s->context;
    return STATUS_OK;
}

static enum status scaling_from_json(const json_t *r, int64_t context, struct llm_config *out, struct error *e) {
    const json_t *type = get(r, "rope_type") ? get(r, "rope_type") : get(r, "type");
    const char *kind = json_string_value(type);
    if (!kind || strcmp(kind, "default") == 0) return STATUS_OK;
    out->scaling_factor = 1;
    enum status s = get_positive(r, "factor", &out->scaling_factor, e);
    if (s != STATUS_OK) return s;
    if (strcmp(kind, "linear") == 0) {
        out->scaling = ROPE_LINEAR;
        return STATUS_OK;
    }
    if (strcmp(kind, "llama3") != 0)
        return error_set(e, STATUS_UNSUPPORTED, "rope scaling '%s' is not supported (have: default, linear, llama3)", kind);
    out->scaling = ROPE_LLAMA3;
    out->low_frequency_factor = 1;
    out->high_frequency_factor = 4;
    out->original_context = context;
    if ((s = get_positive(r, "low_freq_factor", &out->low_frequency_factor, e)) != STATUS_OK) return s;
    if ((s = get_positive(r, "high_freq_factor", &out->high_frequency_factor, e)) != STATUS_OK) return s;
    if (out->high_frequency_factor <= out->low_frequency_factor)
        return error_set(e, STATUS_INPUT, "rope scaling llama3: high_freq_factor must be above low_freq_factor");
    if (get(r, "original_max_position_embeddings"))
        return get_int(r, "original_max_position_embeddings", 1, MAX_CONTEXT, &out->original_context, e);
    return STATUS_OK;
}

static enum status check_architecture(const json_t *c, struct error *e) {
    const char *type = json_string_value(get(c, "model_type"));
    const char *first = json_string_value(json_array_get(get(c, "architectures"), 0));
    if (!type || strcmp(type, "llama") != 0 || (first && strcmp(first, "LlamaForCausalLM") != 0))
        return error_set(e, STATUS_UNSUPPORTED, "architecture '%s' (model_type '%s') is not supported; have LlamaForCausalLM ('llama')",
                         first ? first : "?", type ? type : "?");
    const char *act = json_string_value(get(c, "hidden_act"));
    if (act && strcmp(act, "silu") != 0)
        return error_set(e, STATUS_UNSUPPORTED, "hidden_act '%s' is not supported; have 'silu'", act);
    return STATUS_OK;
}

enum status llm_config_from_json(const json_t *c, struct llm_config *out, struct error *e) {
    *out = (struct llm_config){.eps = 1e-6, .rope_theta = 1e4};
    enum status s = check_architecture(c, e);
    if (s != STATUS_OK) return s;
    struct shape shape = {.context = 2048};
    const struct int_field fields[] = {
        {"num_hidden_layers", MAX_LAYERS, &shape.layers, 0},   {"hidden_size", MAX_WIDTH, &shape.width, 0},
        {"num_attention_heads", MAX_WIDTH, &shape.heads, 0},   {"num_key_value_heads", MAX_WIDTH, &shape.kv_heads, 1},
        {"head_dim", MAX_WIDTH, &shape.head_width, 1},         {"intermediate_size", MAX_WIDTH, &shape.feed_forward, 0},
        {"vocab_size", MAX_VOCABULARY, &shape.vocabulary, 0},  {"max_position_embeddings", MAX_CONTEXT, &shape.context, 1},
    };
    s = get_ints(c, fields, sizeof fields / sizeof *fields, e);
    if (s == STATUS_OK) s = shape_finish(&shape, out, e);
    if (s == STATUS_OK) s = get_positive(c, "rms_norm_eps", &out->eps, e);
    /* Newer files keep theta and the scaling together under rope_parameters. */
    const json_t *parameters = get(c, "rope_parameters");
    const json_t *scaling = parameters ? parameters : get(c, "rope_scaling");
    if (s == STATUS_OK) s = get_positive(parameters && get(parameters, "rope_theta") ? parameters : c, "rope_theta", &out->rope_theta, e);
    if (s == STATUS_OK && scaling) s = scaling_from_json(scaling, out->context, out, e);
    out->is_tied = json_is_true(get(c, "tie_word_embeddings"));
    out->has_qkv_bias = out->has_output_bias = json_is_true(get(c, "attention_bias"));
    out->has_mlp_bias = json_is_true(get(c, "mlp_bias"));
    return s;
}

enum status llm_config_from_gguf(const struct checkpoint *c, struct llm_config *out, struct error *e) {
    *out = (struct llm_config){.eps = 1e-5, .rope_theta = 1e4, .is_interleaved = 1};
    const json_t *k = c->config;
    const char *architecture = json_string_value(get(k, "general.architecture"));
    if (!architecture || strcmp(architecture, "llama") != 0)
        return error_set(e, STATUS_UNSUPPORTED, "GGUF architecture '%s' is not supported; have 'llama'", architecture ? architecture : "?");
    const struct checkpoint_tensor *embed = checkpoint_find(c, "token_embd.weight");
    if (!embed || embed->n_dims != 2) return error_set(e, STATUS_INPUT, "tensor 'token_embd.weight' is missing or not a matrix");
    struct shape shape = {.context = 2048, .vocabulary = embed->dims[0]};
    const struct int_field fields[] = {
        {"llama.block_count", MAX_LAYERS, &shape.layers, 0},
        {"llama.embedding_length", MAX_WIDTH, &shape.width, 0},
        {"llama.attention.head_count", MAX_WIDTH, &shape.heads, 0},
        {"llama.attention.head_count_kv", MAX_WIDTH, &shape.kv_heads, 1},
        {"llama.attention.key_length", MAX_WIDTH, &shape.head_width, 1},
        {"llama.feed_forward_length", MAX_WIDTH, &shape.feed_forward, 0},
        {"llama.context_length", MAX_CONTEXT, &shape.context, 1},
    };
    enum status s = get_ints(k, fields, sizeof fields / sizeof *fields, e);
    if (s == STATUS_OK) s = shape_finish(&shape, out, e);
    if (s == STATUS_OK) s = get_positive(k, "llama.attention.layer_norm_rms_epsilon", &out->eps, e);
    if (s == STATUS_OK) s = get_positive(k, "llama.rope.freq_base", &out->rope_theta, e);
    if (s != STATUS_OK) return s;
    const char *scaling = json_string_value(get(k, "llama.rope.scaling.type"));
    if (scaling && strcmp(scaling, "linear") == 0) {
        out->scaling = ROPE_LINEAR;
        out->scaling_factor = 1;
        s = get_positive(k, "llama.rope.scaling.factor", &out->scaling_factor, e);
    } else if (scaling && strcmp(scaling, "none") != 0) {
        return error_set(e, STATUS_UNSUPPORTED, "GGUF rope scaling '%s' is not supported (have: none, linear)", scaling);
    }
    out->is_tied = checkpoint_find(c, "output.weight") == NULL;
    out->has_qkv_bias = checkpoint_find(c, "blk.0.attn_q.bias") != NULL;
    out->has_output_bias = checkpoint_find(c, "blk.0.attn_output.bias") != NULL;
    out->has_mlp_bias = checkpoint_find(c, "blk.0.ffn_gate.bias") != NULL;
    return s;
}

/* inv_freq[j] = theta^(−2j/K); linear divides by the factor; llama3 leaves short wavelengths, divides long ones,
 * and blends between (the published Llama 3.1 rule). */
void llm_frequencies(const struct llm_config *c, const float *factors, double *out) {
    const double pi = 3.14159265358979323846;
    double context = (double)c->original_context;
    for (int64_t j = 0; j < c->head_width / 2; j++) {
        double f = pow(c->rope_theta, -2.0 * (double)j / (double)c->head_width);
        if (factors) f /= (double)factors[j];
        if (c->scaling == ROPE_LINEAR) f /= c->scaling_factor;
        if (c->scaling == ROPE_LLAMA3) {
            double wavelength = 2 * pi / f;
            if (wavelength > context / c->low_frequency_factor) {
                f /= c->scaling_factor;
            } else if (wavelength >= context / c->high_frequency_factor) {
                double smooth = (context / wavelength - c->low_frequency_factor) / (c->high_frequency_factor - c->low_frequency_factor);
                f = (1 - smooth) * f / c->scaling_factor + smooth * f;
            }
        }
        out[j] = f;
    }
}
