/* model.h: a decoder-only language model in the Llama layout: shape, weights, tokenizer.
 * Facts: golden/llm (formulas), presets after the public configurations named in presets.c. */
#ifndef ASSAY_WORKLOADS_LLM_MODEL_H
#define ASSAY_WORKLOADS_LLM_MODEL_H

#include "kernels/recipe.h"
#include "workloads/checkpoint/checkpoint.h"
#include "workloads/pipeline.h"
#include "workloads/tokenizer/tokenizer.h"

enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_LLAMA3 };

struct llm_config {
    int layers;                 /* L */
    int64_t width;              /* D */
    int heads, kv_heads;        /* H, G */
    int64_t head_width;         /* K */
    int64_t feed_forward;       /* F */
    int64_t vocabulary;         /* V */
    int64_t context;            /* positions at most */
    double eps, rope_theta;
    enum rope_scaling scaling;
    double scaling_factor, low_frequency_factor, high_frequency_factor; /* of llama3 */
    int64_t original_context;
    int is_tied;                /* output matrix = embedding */
    int has_qkv_bias, has_output_bias, has_mlp_bias;
    int is_interleaved;         /* rows of Q and K are stored for the interleaved rotation (GGUF) */
};

struct llm_model {
    struct llm_config config;
    const char *name;           /* as the user wrote it */
    int full_layers;            /* before --layers; equal to config.layers when not cut */
    int is_synthetic;
    uint64_t seed;              /* of synthetic weights */
    struct checkpoint checkpoint;
    struct tokenizer *tokenizer;   /* NULL: text cannot be read or written */
    struct weight_source weights;
    float *rope_factors;        /* (K/2) divisors of the frequencies from the file, or NULL */
    int32_t stop[PIPELINE_MAX_STOP];
    int n_stop;
    struct arena arena;
};

struct llm_options {
    const char *model;          /* a folder, a GGUF file, or a name under the models folder; NULL: preset */
    const char *preset;
    int layers;                 /* 0: all */
    uint64_t seed;
};

/* Errors: INPUT no such model or preset (known ones listed), missing or misshapen tensors (both shapes named);
 * UNSUPPORTED architectures, activations, rope kinds, by name. Pointers inside lead to `out`: do not move it. */
enum status llm_open(const struct llm_options *o, struct llm_model *out, struct error *e);
void llm_close(struct llm_model *m);

/* Parsing alone, for tests and fuzzing. */
enum status llm_config_from_json(const json_t *config, struct llm_config *out, struct error *e);
enum status llm_config_from_gguf(const struct checkpoint *c, struct llm_config *out, struct error *e);

/* ${XDG_CACHE_HOME:-$HOME/.cache}/assay/models, where names are looked up. Arena-owned. */
char *llm_models_folder(struct arena *a);

struct llm_preset {
    const char *name, *source;
    struct llm_config config;
};
const struct llm_preset *llm_preset_at(int i);   /* NULL past the end */

/* Frequencies (K/2) of the rotation, with scaling applied. */
void llm_frequencies(const struct llm_config *c, const float *factors, double *out);

/* The leaf of a weight by its role; -1 layer for those outside layers. Arena-owned. */
#define LLM_WEIGHT_LIST(X) \
    X(EMBED, "model.embed_tokens.weight", "token_embd.weight") \
    X(INPUT_NORM, "model.layers.%d.input_layernorm.weight", "blk.%d.attn_norm.weight") \
    X(Q, "model.layers.%d.self_attn.q_proj.weight", "blk.%d.attn_q.weight") \
    X(K, "model.layers.%d.self_attn.k_proj.weight", "blk.%d.attn_k.weight") \
    X(V, "model.layers.%d.self_attn.v_proj.weight", "blk.%d.attn_v.weight") \
    X(O, "model.layers.%d.self_attn.o_proj.weight", "blk.%d.attn_output.weight") \
    X(Q_BIAS, "model.layers.%d.self_attn.q_proj.bias", "blk.%d.attn_q.bias") \
    X(K_BIAS, "model.layers.%d.self_attn.k_proj.bias", "blk.%d.attn_k.bias") \
    X(V_BIAS, "model.layers.%d.self_attn.v_proj.bias", "blk.%d.attn_v.bias") \
    X(O_BIAS, "model.layers.%d.self_attn.o_proj.bias", "blk.%d.attn_output.bias") \
    X(POST_NORM, "model.layers.%d.post_attention_layernorm.weight", "blk.%d.ffn_norm.weight") \
    X(GATE, "model.layers.%d.mlp.gate_proj.weight", "blk.%d.ffn_gate.weight") \
    X(UP, "model.layers.%d.mlp.up_proj.weight", "blk.%d.ffn_up.weight") \
    X(DOWN, "model.layers.%d.mlp.down_proj.weight", "blk.%d.ffn_down.weight") \
    X(GATE_BIAS, "model.layers.%d.mlp.gate_proj.bias", "blk.%d.ffn_gate.bias") \
    X(UP_BIAS, "model.layers.%d.mlp.up_proj.bias", "blk.%d.ffn_up.bias") \
    X(DOWN_BIAS, "model.layers.%d.mlp.down_proj.bias", "blk.%d.ffn_down.bias") \
    X(FINAL_NORM, "model.norm.weight", "output_norm.weight") \
    X(HEAD, "lm_head.weight", "output.weight")
enum llm_weight {
#define X(name, hf, gguf) LLM_##name,
    LLM_WEIGHT_LIST(X)
#undef X
};
const char *llm_leaf_name(struct arena *a, int is_gguf, enum llm_weight w, int layer);

/* Sizes of a run, from its spec. */
struct llm_limits {
    int64_t prefill_rows;       /* Σ prompt tokens */
    int64_t slots;              /* requests at once */
    int64_t positions;          /* longest prompt + generated */
    int64_t forced_rows;        /* rows of one launch of the forced program; 0: no such program */
};
/* The plain pipeline: tokenise · prefill · decode · sample · detokenise. The model must outlive it. */
enum status llm_pipeline(struct llm_model *m, enum dtype dtype, const struct llm_limits *limits, struct pipeline *out,
                         struct error *e);

#endif
