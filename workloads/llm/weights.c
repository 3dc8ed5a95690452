/* weights.c: names of leaves in both layouts, their recipes and their source. */
#include <string.h>

#include "workloads/llm/weights.h"
#include "workloads/sources.h"

const char *llm_leaf_name(struct arena *a, int is_gguf, enum llm_weight w, int layer) {
    static const char *const patterns[][2] = {
#define X(name, hf, gguf) {hf, gguf},
        LLM_WEIGHT_LIST(X)
#undef X
    };
    /* The two layouts differ in words only; "%d" appears once or not at all. */
    const char *pattern = patterns[w][is_gguf];
    const char *hole = strstr(pattern, "%d");
    if (!hole) return arena_copy_string(a, pattern);
    return arena_printf(a, "%.*s%d%s", (int)(hole - pattern), pattern, layer, hole + 2);
}

void llm_weight_source(struct llm_model *m) { m->weights = m->is_synthetic ? synthetic_weights(&m->seed) : checkpoint_weights(&m->checkpoint); }

static const struct recipe *leaf(struct llm_model *m, struct arena *a, enum llm_weight w, int layer, int64_t rows, int64_t cols) {
    return recipe_leaf(a, llm_leaf_name(a, m->checkpoint.is_gguf, w, layer), rows, cols);
}

const struct recipe *llm_recipe(struct llm_model *m, struct arena *a, enum llm_weight w, int layer) {
    const struct llm_config *c = &m->config;
    int64_t q = c->heads * c->head_width, kv = c->kv_heads * c->head_width, d = c->width, f = c->feed_forward;
    const struct recipe *r;
    switch (w) {
    case LLM_HEAD: return leaf(m, a, c->is_tied ? LLM_EMBED : LLM_HEAD, layer, c->vocabulary, d);
    case LLM_EMBED: return leaf(m, a, w, layer, c->vocabulary, d);
    case LLM_INPUT_NORM: case LLM_POST_NORM: case LLM_FINAL_NORM: return leaf(m, a, w, layer, 1, d);
    case LLM_V: return leaf(m, a, w, layer, kv, d);
    case LLM_O: return leaf(m, a, w, layer, d, q);
    case LLM_GATE: case LLM_UP: return leaf(m, a, w, layer, f, d);
    case LLM_DOWN: return leaf(m, a, w, layer, d, f);
    case LLM_V_BIAS: return leaf(m, a, w, layer, kv, 1);
    case LLM_O_BIAS: case LLM_DOWN_BIAS: return leaf(m, a, w, layer, d, 1);
    case LLM_GATE_BIAS: case LLM_UP_BIAS: return leaf(m, a, w, layer, f, 1);
    case LLM_Q: r = leaf(m, a, w, layer, q, d); break;
    case LLM_K: r = leaf(m, a, w, layer, kv, d); break;
    case LLM_Q_BIAS: r = leaf(m, a, w, layer, q, 1); break;
    case LLM_K_BIAS: r = leaf(m, a, w, layer, kv, 1); break;
    default: return NULL;
    }
    int heads = w == LLM_Q || w == LLM_Q_BIAS ? c->heads : c->kv_heads;
    return c->is_interleaved ? recipe_unpermute(a, r, heads) : r;
}
