#include "workloads/classify/encoder.h"

#include <math.h>
#include <string.h>

const struct encoder_config encoder_bert_base = {.layers = 12, .width = 768, .feed_forward = 3072, .heads = 12, .vocabulary = 30522,
                                                 .positions = 512, .segments = 2, .eps = 1e-12};

/* ---- configuration ---- */

static enum status read_size(const json_t *config, const char *key, int64_t *out, struct error *e) {
    const json_t *v = json_object_get(config, key);
    int64_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 1 || n > INT32_MAX) return error_set(e, STATUS_INPUT, "config.json: '%s' must be a whole number above 0", key);
    *out = n;
    return STATUS_OK;
}

/* The key's text, where it is there, must be `only`. */
static enum status want_text(const json_t *config, const char *key, const char *only, struct error *e) {
    const char *v = json_string_value(json_object_get(config, key));
    if (!v || strcmp(v, only) == 0) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "config.json: %s is '%s'; encoders with '%s' are supported", key, v, only);
}

enum status encoder_config_from_json(const json_t *config, struct encoder_config *out, struct error *e) {
    int64_t layers = 0, heads = 0;
    struct { const char *key; int64_t *to; } sizes[] = {
        {"num_hidden_layers", &layers}, {"num_attention_heads", &heads}, {"hidden_size", &out->width}, {"intermediate_size", &out->feed_forward},
        {"vocab_size", &out->vocabulary}, {"max_position_embeddings", &out->positions}, {"type_vocab_size", &out->segments}};
    *out = (struct encoder_config){.eps = 1e-12};
    enum status s = want_text(config, "hidden_act", "gelu", e);
    if (s == STATUS_OK) s = want_text(config, "position_embedding_type", "absolute", e);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && s == STATUS_OK; i++) s = read_size(config, sizes[i].key, sizes[i].to, e);
    if (s != STATUS_OK) return s;
    if (out->width % heads) return error_set(e, STATUS_INPUT, "config.json: hidden_size %lld does not split into %lld heads", (long long)out->width, (long long)heads);
    out->layers = (int)layers;
    out->heads = (int)heads;
    const json_t *eps = json_object_get(config, "layer_norm_eps");
    if (eps) out->eps = json_number_value(eps);
    return out->eps > 0 ? STATUS_OK : error_set(e, STATUS_INPUT, "config.json: 'layer_norm_eps' must be above 0");
}

/* ---- the program ---- */

struct builder {
    const struct encoder_config *c;
    const char *prefix;
    enum dtype dtype;
    struct arena *recipes;
    struct program *p;
    struct place place;
    int ids, pos, segments, rows, last;
};

static char *numbered(struct builder *b, const char *what) { return arena_printf(&b->p->arena, "layer%d.%s", b->place.layer, what); }

static int append(struct builder *b, enum op_kind kind, enum category category, const char *name, struct op_spec s) {
    s.kind = kind;
    s.category = category;
    s.place = b->place;
    s.n_out = name != NULL;
    s.names[0] = name;
    return program_append(b->p, &s);
}

/* A leaf called prefix + (layer's path) + what; vectors are f32. */
static int weight(struct builder *b, const char *what, int64_t rows, int64_t cols, int is_vector) {
    char *leaf = b->place.part == PART_EMBED ? arena_printf(b->recipes, "%sembeddings.%s", b->prefix, what)
                                             : arena_printf(b->recipes, "%sencoder.layer.%d.%s", b->prefix, b->place.layer, what);
    return program_weight(b->p, leaf, is_vector ? DTYPE_F32 : b->dtype, recipe_leaf(b->recipes, leaf, rows, cols), is_vector);
}

static int linear(struct builder *b, int x, const char *what, int64_t rows, int64_t cols, const char *name) {
    int w = weight(b, arena_printf(b->recipes, "%s.weight", what), rows, cols, 0), bias = weight(b, arena_printf(b->recipes, "%s.bias", what), rows, 1, 1);
    return append(b, OP_LINEAR, CATEGORY_LINEAR, numbered(b, name), (struct op_spec){.n_in = 3, .in = {x, w, bias}});
}

static int norm(struct builder *b, int x, const char *what, const char *name) {
    int g = weight(b, arena_printf(b->recipes, "%s.weight", what), 1, b->c->width, 1);
    int bias = weight(b, arena_printf(b->recipes, "%s.bias", what), b->c->width, 1, 1);
    return append(b, OP_LAYERNORM, CATEGORY_NORM_ELEMENTWISE, name, (struct op_spec){.n_in = 3, .in = {x, g, bias}, .f = {(float)b->c->eps}});
}

static int add(struct builder *b, int x, int y, const char *name) {
    return append(b, OP_ADD, b->place.part == PART_EMBED ? CATEGORY_EMBEDDING : CATEGORY_NORM_ELEMENTWISE, name, (struct op_spec){.n_in = 2, .in = {x, y}});
}

static int look_up(struct builder *b, const char *what, int64_t rows, int ids, const char *name) {
    return append(b, OP_EMBED, CATEGORY_EMBEDDING, name, (struct op_spec){.n_in = 2, .in = {weight(b, what, rows, b->c->width, 0), ids}});
}

static int embed(struct builder *b) {
    b->place = (struct place){PART_EMBED, 0};
    int x = look_up(b, "word_embeddings.weight", b->c->vocabulary, b->ids, "words");
    x = add(b, x, look_up(b, "token_type_embeddings.weight", b->c->segments, b->segments, "types"), "words_types");
    x = add(b, x, look_up(b, "position_embeddings.weight", b->c->positions, b->pos, "places"), "embedded");
    return norm(b, x, "LayerNorm", "hidden.0");
}

/* Keys and values of a launch are kept as a cache that this launch fills. */
static int keep(struct builder *b, int x, const char *name) {
    const struct dim dims[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(b->c->width)};
    int state = program_state(b->p, numbered(b, name), b->dtype, 3, dims);
    append(b, OP_KV_WRITE, CATEGORY_ATTENTION, NULL, (struct op_spec){.n_in = 4, .in = {x, b->rows, b->pos, state}});
    return state;
}

static int attention(struct builder *b, int x) {
    int64_t d = b->c->width;
    int heads = b->c->heads;
    int q = linear(b, x, "attention.self.query", d, d, "query");
    int k = linear(b, x, "attention.self.key", d, d, "key");
    int v = linear(b, x, "attention.self.value", d, d, "value");
    int keys = keep(b, k, "keys"), values = keep(b, v, "values");
    int s = append(b, OP_ATTN_SCORES, CATEGORY_ATTENTION, numbered(b, "scores"), (struct op_spec){.n_in = 4, .in = {q, keys, b->rows, b->last}, .i = {heads, heads}});
    s = append(b, OP_SCALE, CATEGORY_ATTENTION, numbered(b, "scaled"), (struct op_spec){.n_in = 1, .in = {s}, .f = {(float)(1 / sqrt((double)d / heads))}});
    s = append(b, OP_CAUSAL_MASK, CATEGORY_ATTENTION, numbered(b, "masked"), (struct op_spec){.n_in = 2, .in = {s, b->last}});
    s = append(b, OP_SOFTMAX, CATEGORY_ATTENTION, numbered(b, "probabilities"), (struct op_spec){.n_in = 1, .in = {s}});
    s = append(b, OP_ATTN_VALUES, CATEGORY_ATTENTION, numbered(b, "context"), (struct op_spec){.n_in = 4, .in = {s, values, b->rows, b->last}, .i = {heads, heads}});
    return linear(b, s, "attention.output.dense", d, d, "attended");
}

static int layer(struct builder *b, int x) {
    int64_t d = b->c->width, f = b->c->feed_forward;
    int y = add(b, attention(b, x), x, numbered(b, "attention_sum"));
    y = norm(b, y, "attention.output.LayerNorm", arena_printf(&b->p->arena, "attention_output.%d", b->place.layer));
    int up = linear(b, y, "intermediate.dense", f, d, "up");
    up = append(b, OP_GELU, CATEGORY_NORM_ELEMENTWISE, numbered(b, "gelu"), (struct op_spec){.n_in = 1, .in = {up}});
    y = add(b, linear(b, up, "output.dense", d, f, "down"), y, numbered(b, "sum"));
    return norm(b, y, "output.LayerNorm", arena_printf(&b->p->arena, "hidden.%d", b->place.layer + 1));
}

void encoder_program(const struct encoder_config *c, const char *prefix, enum dtype t, const struct encoder_limits *limits, struct arena *recipes,
                     struct program *p) {
    struct builder b = {.c = c, .prefix = prefix, .dtype = t, .recipes = recipes, .p = p};
    struct { const char *name; int *to; } inputs[] = {{"ids", &b.ids}, {"pos", &b.pos}, {"segments", &b.segments}, {"rows", &b.rows}, {"last", &b.last}};
    p->symbol_max[SYMBOL_R] = limits->rows;
    p->symbol_max[SYMBOL_B] = limits->slots;
    p->symbol_max[SYMBOL_S] = limits->length;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        *inputs[i].to = program_input(p, inputs[i].name, DTYPE_I32, 1, (struct dim[]){dim_symbol(SYMBOL_R)});
    int x = embed(&b);
    for (int i = 0; i < c->layers; i++) {
        b.place = (struct place){PART_LAYER, i};
        x = layer(&b, x);
    }
    program_output(p, x);
}
