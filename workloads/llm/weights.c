/* weights.c: names of leaves in both layouts; weights from a checkpoint or drawn from a seed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/random.h"
#include "workloads/llm/weights.h"

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

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* A bias is a column, so that it splits and stacks by rows as its matrix does; a norm's weight is one row. */
static enum status find_in_checkpoint(void *self, const char *name, struct leaf *out, struct error *e) {
    const struct llm_model *m = self;
    const struct checkpoint_tensor *t = checkpoint_find(&m->checkpoint, name);
    if (!t) return error_set(e, STATUS_INPUT, "%s: tensor '%s' is missing", m->checkpoint.path, name);
    if (!t->encoding) return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%s' has type %s, not numbers that can be weights", m->checkpoint.path, name, dtype_name(t->dtype));
    if (t->n_dims < 1 || t->n_dims > 2)
        return error_set(e, STATUS_INPUT, "%s: tensor '%s' has %d dimensions; a weight has 1 or 2", m->checkpoint.path, name, t->n_dims);
    int is_column = t->n_dims == 1 && ends_with(name, ".bias");
    *out = (struct leaf){.name = t->name, .encoding = t->encoding, .data = t->data,
        .rows = t->n_dims == 2 || is_column ? t->dims[0] : 1,
        .cols = t->n_dims == 2 ? t->dims[1] : is_column ? 1 : t->dims[0]};
    return STATUS_OK;
}

/* Irwin-Hall of four 16-bit uniforms: close to normal, one hash an element. Standard deviation 0.02, as the
 * public initialisers have it; norms are 1 ± 0.02 so that nothing degenerates. */
static void fill_synthetic(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    const struct llm_model *m = self;
    uint64_t row_seed = hash_bytes(m->seed, name, strlen(name)) ^ ((uint64_t)r * 0x9e3779b97f4a7c15u);
    const float scale = 0.02f / (65536.0f * 0.57735027f); /* sd of the sum: 65536·sqrt(4/12) */
    const float centre = strstr(name, "norm") ? 1.0f : 0.0f;
    for (int64_t c = 0; c < cols; c++) {
        uint64_t bits = random_mix(row_seed + (uint64_t)c * 0xd1342543de82ef95u);
        int32_t sum = (int32_t)((bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48)) - 131070;
        y[c] = centre + scale * (float)sum;
    }
}

/* Any name is known to a synthetic model; the recipe's own shape is right by construction. */
static enum status find_synthetic(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_synthetic, .self = self};
    return STATUS_OK;
}

void llm_weight_source(struct llm_model *m) {
    m->weights = (struct weight_source){.self = m, .is_synthetic = m->is_synthetic,
                                        .find = m->is_synthetic ? find_synthetic : find_in_checkpoint};
}

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
