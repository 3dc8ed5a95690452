/* pipeline.c: the plain pipeline of a decoder-only model: tokenise · prefill · decode · sample · detokenise.
 *
 * Every layer, one operation for each mathematical step (formulas: golden/llm):
 *   x += o(attention(rope(q), rope(k), v)), q, k, v from norm(x);   x += down(silu(gate(n)) · up(n)), n = norm(x)
 * Tensors are named as the golden references name them, so that verification finds them. */
#include <math.h>
#include <string.h>

#include "workloads/llm/weights.h"

struct builder {
    struct llm_model *model;
    const struct llm_config *c;
    struct arena *arena;                 /* of recipes: the pipeline's */
    struct program *p;
    enum dtype dtype;
    int layer;
    int ids, pos, rows, last, inv_freq;
};

static char *layer_name(struct builder *b, const char *what) { return arena_printf(&b->p->arena, "layer%d.%s", b->layer, what); }

static struct place here(const struct builder *b) { return (struct place){PART_LAYER, b->layer}; }

static int matrix(struct builder *b, enum llm_weight w, const char *what) {
    return program_weight(b->p, layer_name(b, what), b->dtype, llm_recipe(b->model, b->arena, w, b->layer), 0);
}

static int norm(struct builder *b, int x, enum llm_weight w, const char *name, struct place place) {
    const char *weight_name = arena_printf(&b->p->arena, "%s.weight", name);
    int g = program_weight(b->p, weight_name, DTYPE_F32, llm_recipe(b->model, b->arena, w, place.layer), 1);
    return program_append(b->p, &(struct op_spec){.kind = OP_RMSNORM, .n_in = 2, .in = {x, g}, .n_out = 1, .names = {name},
        .f = {(float)b->c->eps}, .place = place, .category = CATEGORY_NORM_ELEMENTWISE});
}

static int linear(struct builder *b, int x, enum llm_weight w, int has_bias, enum llm_weight bias, const char *name) {
    struct op_spec s = {.kind = OP_LINEAR, .n_in = 2, .in = {x, matrix(b, w, arena_printf(&b->p->arena, "%s.weight", name))},
        .n_out = 1, .names = {layer_name(b, name)}, .place = here(b), .category = CATEGORY_LINEAR};
    if (has_bias) {
        const struct recipe *r = llm_recipe(b->model, b->arena, bias, b->layer);
        s.in[s.n_in++] = program_weight(b->p, layer_name(b, arena_printf(&b->p->arena, "%s.bias", name)), DTYPE_F32, r, 1);
    }
    return program_append(b->p, &s);
}

static int unary(struct builder *b, enum op_kind kind, int x, float f, const char *name, enum category category) {
    return program_append(b->p, &(struct op_spec){.kind = kind, .n_in = 1, .in = {x}, .n_out = 1,
        .names = {layer_name(b, name)}, .f = {f}, .place = here(b), .category = category});
}

static int binary(struct builder *b, enum op_kind kind, int x, int y, const char *name) {
    return program_append(b->p, &(struct op_spec){.kind = kind, .n_in = 2, .in = {x, y}, .n_out = 1,
        .names = {layer_name(b, name)}, .place = here(b), .category = CATEGORY_NORM_ELEMENTWISE});
}

static int rope(struct builder *b, int x, int heads, const char *name) {
    return program_append(b->p, &(struct op_spec){.kind = OP_ROPE, .n_in = 3, .in = {x, b->pos, b->inv_freq}, .n_out = 1,
        .names = {layer_name(b, name)}, .i = {heads}, .place = here(b), .category = CATEGORY_NORM_ELEMENTWISE});
}

static int cache(struct builder *b, const char *name) {
    const struct dim dims[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(b->c->kv_heads * b->c->head_width)};
    return program_state(b->p, layer_name(b, name), b->dtype, 3, dims);
}

static void kv_write(struct builder *b, int x, int state) {
    program_append(b->p, &(struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {x, b->rows, b->pos, state},
        .place = here(b), .category = CATEGORY_ATTENTION});
}

static int attend(struct builder *b, enum op_kind kind, int x, int state, const char *name) {
    return program_append(b->p, &(struct op_spec){.kind = kind, .n_in = 4, .in = {x, state, b->rows, b->pos}, .n_out = 1,
        .names = {layer_name(b, name)}, .i = {b->c->heads, b->c->kv_heads}, .place = here(b), .category = CATEGORY_ATTENTION});
}

/* The plain chain: scores, scale, mask, softmax, times values; each its own pass over (R, H, S). */
static int attention(struct builder *b, int x) {
    const struct llm_config *c = b->c;
    int q = linear(b, x, LLM_Q, c->has_qkv_bias, LLM_Q_BIAS, "q_proj");
    int k = linear(b, x, LLM_K, c->has_qkv_bias, LLM_K_BIAS, "k_proj");
    int v = linear(b, x, LLM_V, c->has_qkv_bias, LLM_V_BIAS, "v_proj");
    int keys = cache(b, "k_cache"), values = cache(b, "v_cache");
    q = rope(b, q, c->heads, "q_rope");
    k = rope(b, k, c->kv_heads, "k_rope");
    kv_write(b, k, keys);
    kv_write(b, v, values);
    int s = attend(b, OP_ATTN_SCORES, q, keys, "attn_scores");
    s = unary(b, OP_SCALE, s, (float)(1.0 / sqrt((double)c->head_width)), "attn_scaled", CATEGORY_ATTENTION);
    s = program_append(b->p, &(struct op_spec){.kind = OP_CAUSAL_MASK, .n_in = 2, .in = {s, b->pos}, .n_out = 1,
        .names = {layer_name(b, "attn_masked")}, .place = here(b), .category = CATEGORY_ATTENTION});
    s = unary(b, OP_SOFTMAX, s, 0, "attn_probs", CATEGORY_ATTENTION);
    int context = attend(b, OP_ATTN_VALUES, s, values, "attn_context");
    return linear(b, context, LLM_O, c->has_output_bias, LLM_O_BIAS, "attn_out");
}

static int feed_forward(struct builder *b, int x) {
    const struct llm_config *c = b->c;
    int gate = linear(b, x, LLM_GATE, c->has_mlp_bias, LLM_GATE_BIAS, "gate");
    int up = linear(b, x, LLM_UP, c->has_mlp_bias, LLM_UP_BIAS, "up");
    int act = unary(b, OP_SILU, gate, 0, "gate_act", CATEGORY_NORM_ELEMENTWISE);
    int product = binary(b, OP_MUL, act, up, "mlp_act");
    return linear(b, product, LLM_DOWN, c->has_mlp_bias, LLM_DOWN_BIAS, "mlp_out");
}

static int layer(struct builder *b, int x) {
    int n = norm(b, x, LLM_INPUT_NORM, layer_name(b, "input_norm"), here(b));
    x = binary(b, OP_ADD, x, attention(b, n), "attn_sum");
    n = norm(b, x, LLM_POST_NORM, layer_name(b, "post_norm"), here(b));
    return binary(b, OP_ADD, x, feed_forward(b, n), "out");
}

static int trunk(struct builder *b) {
    int table = program_weight(b->p, "embed.weight", b->dtype, llm_recipe(b->model, b->arena, LLM_EMBED, -1), 0);
    int x = program_append(b->p, &(struct op_spec){.kind = OP_EMBED, .n_in = 2, .in = {table, b->ids}, .n_out = 1,
        .names = {"embed"}, .place = {PART_EMBED, 0}, .category = CATEGORY_EMBEDDING});
    for (b->layer = 0; b->layer < b->c->layers; b->layer++) x = layer(b, x);
    return x;
}

static int head(struct builder *b, int x) {
    struct place place = {PART_HEAD, 0};
    x = norm(b, x, LLM_FINAL_NORM, "final_norm", place);
    int w = program_weight(b->p, "head.weight", b->dtype, llm_recipe(b->model, b->arena, LLM_HEAD, -1), 0);
    return program_append(b->p, &(struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {x, w}, .n_out = 1, .names = {"logits"},
        .i = {1}, .place = place, .category = CATEGORY_LINEAR});
}

static int input(struct builder *b, const char *name, enum dtype t, enum symbol s) {
    const struct dim dims[] = {dim_symbol(s)};
    return program_input(b->p, name, t, 1, dims);
}

static void begin(struct builder *b, int64_t rows, const struct llm_limits *limits) {
    b->p->symbol_max[SYMBOL_R] = rows;
    b->p->symbol_max[SYMBOL_S] = limits->positions;
    b->p->symbol_max[SYMBOL_B] = limits->slots;
    b->ids = input(b, "ids", DTYPE_I32, SYMBOL_R);
    b->pos = input(b, "pos", DTYPE_I32, SYMBOL_R);
    b->rows = input(b, "rows", DTYPE_I32, SYMBOL_R);
    int64_t half = b->c->head_width / 2;
    double *frequencies = arena_alloc(&b->p->arena, (size_t)half * sizeof *frequencies);
    llm_frequencies(b->c, b->model->rope_factors, frequencies);
    b->inv_freq = program_constant(b->p, "rope.inv_freq", DTYPE_F64, half, frequencies);
}

/* Prefill and decode differ in how many rows they may hold, and in name; both pick each slot's last row. */
static void build_generating(struct builder *b, int64_t rows, const struct llm_limits *limits) {
    begin(b, rows, limits);
    b->last = input(b, "last", DTYPE_I32, SYMBOL_B);
    const struct dim params_dims[] = {dim_symbol(SYMBOL_B), dim_of(4)};
    int params = program_input(b->p, "sample_params", DTYPE_F32, 2, params_dims);
    int seeds = input(b, "sample_seeds", DTYPE_I64, SYMBOL_B);
    int x = trunk(b);
    struct place place = {PART_HEAD, 0};
    x = program_append(b->p, &(struct op_spec){.kind = OP_GATHER_ROWS, .n_in = 2, .in = {x, b->last}, .n_out = 1,
        .names = {"last_hidden"}, .place = place, .category = CATEGORY_OTHER});
    int logits = head(b, x);
    int chosen = program_append(b->p, &(struct op_spec){.kind = OP_SAMPLE, .n_in = 3, .in = {logits, params, seeds}, .n_out = 1,
        .names = {"chosen"}, .place = place, .category = CATEGORY_SAMPLING});
    program_output(b->p, chosen);
}

/* Given tokens, every row's logits and likelihood: fidelity, scoring, verification. */
static void build_forced(struct builder *b, const struct llm_limits *limits) {
    begin(b, limits->forced_rows, limits);
    int targets = input(b, "targets", DTYPE_I32, SYMBOL_R);
    int logits = head(b, trunk(b));
    program_output(b->p, logits);
    int nll = program_append(b->p, &(struct op_spec){.kind = OP_NLL, .n_in = 2, .in = {logits, targets}, .n_out = 1,
        .names = {"nll"}, .place = {PART_HEAD, 0}, .category = CATEGORY_OTHER});
    program_output(b->p, nll);
}

/* ---- host stages ---- */

static enum status tokenise(const struct pipeline *p, struct job *job, struct error *e) {
    struct llm_model *m = p->model;
    for (int i = 0; i < job->n_requests; i++) {
        struct request *r = &job->requests[i];
        if (!r->text) continue;
        struct token_list list = {.ids = r->prompt, .capacity = (size_t)r->prompt_capacity};
        enum status s = tokenizer_encode(m->tokenizer, r->text, r->text_bytes, 1, &list, e);
        r->prompt = list.ids; /* the list may have grown */
        if ((size_t)r->prompt_capacity < list.capacity) r->prompt_capacity = (int)list.capacity;
        if (s != STATUS_OK) return s;
        r->n_prompt = (int)list.count;
    }
    return STATUS_OK;
}

static enum status detokenise(const struct pipeline *p, struct job *job, struct error *e) {
    struct llm_model *m = p->model;
    if (!m->tokenizer) return STATUS_OK;
    for (int i = 0; i < job->n_requests; i++) {
        struct request *r = &job->requests[i];
        enum status s = tokenizer_decode(m->tokenizer, r->output, (size_t)r->n_output, 1, &r->decoded, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

static void add_stage(struct pipeline *p, const char *name, enum stage_kind kind, int program,
                      enum status (*host)(const struct pipeline *, struct job *, struct error *)) {
    p->stages[p->n_stages++] = (struct stage){.name = name, .kind = kind, .program = program, .host = host};
}

enum status llm_pipeline(struct llm_model *m, enum dtype dtype, const struct llm_limits *limits, struct pipeline *out,
                         struct error *e) {
    if (limits->positions > m->config.context)
        return error_set(e, STATUS_INPUT, "%lld positions (prompt + generated) are beyond the context of %s, %lld; shorten one of them",
                         (long long)limits->positions, m->name, (long long)m->config.context);
    pipeline_init(out, "llm");
    struct builder b = {.model = m, .c = &m->config, .arena = &out->arena, .dtype = dtype};
    static const struct { enum role role; const char *name; } roles[] = {
        {ROLE_PREFILL, "prefill"}, {ROLE_DECODE, "decode"}, {ROLE_FORCED, "forced"}};
    for (size_t i = 0; i < 3; i++) {
        if (roles[i].role == ROLE_FORCED && limits->forced_rows == 0) continue;
        out->role[roles[i].role] = pipeline_add_program(out, roles[i].name);
        b.p = &out->programs[out->role[roles[i].role]];
        if (roles[i].role == ROLE_FORCED) build_forced(&b, limits);
        else build_generating(&b, roles[i].role == ROLE_PREFILL ? limits->prefill_rows : limits->slots, limits);
    }
    add_stage(out, "tokenise", STAGE_HOST, -1, tokenise);
    add_stage(out, "generate", STAGE_GENERATOR, -1, NULL);
    add_stage(out, "prefill", STAGE_INNER, out->role[ROLE_PREFILL], NULL);
    add_stage(out, "decode", STAGE_INNER, out->role[ROLE_DECODE], NULL);
    add_stage(out, "sample", STAGE_INNER, -1, NULL);
    add_stage(out, "detokenise", STAGE_HOST, -1, detokenise);
    out->generator = &generator_autoregressive;
    out->weights = &m->weights;
    memcpy(out->stop, m->stop, sizeof out->stop);
    out->n_stop = m->n_stop;
    out->context = limits->positions;
    out->model = m;
    return STATUS_OK;
}
