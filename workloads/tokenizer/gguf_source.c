/* gguf_source.c: a tokenizer from the metadata of a GGUF file, which names its rules ("model" and "pre") where
 * a tokenizer.json spells them out. Sources: the GGUF specification for the keys; llama.cpp's vocabulary loader
 * for what each name means and for the defaults. */
#include <stdio.h>
#include <string.h>

#include "workloads/checkpoint/checkpoint.h"
#include "workloads/tokenizer/internal.h"

/* tokenizer.ggml.token_type */
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER_DEFINED };

#define KEY(name) "tokenizer.ggml." name
#define LOWER_BLOCK "\xE2\x96\x81" /* U+2581, SentencePiece's space */

#define LLAMA3_SPLIT(numbers) \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" numbers \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Pre-tokenizers by name: the expressions that cut, one after the other; "" stands for the GPT-2 split. */
struct named_split {
    const char *name;
    const char *regexes[4];
    int ignores_merges, adds_bos;
};

static const struct named_split named_splits[] = {
    {"gpt-2", {""}, 0, 0},
    {"phi-2", {""}, 0, 0},
    {"mpt", {""}, 0, 0},
    {"olmo", {""}, 0, 0},
    {"jais", {""}, 0, 0},
    {"smollm", {"\\p{N}", ""}, 0, 0},
    {"starcoder", {"\\p{N}", ""}, 0, 0},
    {"refact", {"\\p{N}", ""}, 0, 0},
    {"command-r", {"\\p{N}", ""}, 0, 0},
    {"codeshell", {"\\p{N}", ""}, 0, 0},
    {"exaone", {"\\p{N}", ""}, 0, 0},
    {"llama-bpe", {LLAMA3_SPLIT("\\p{N}{1,3}")}, 1, 1},
    {"llama3", {LLAMA3_SPLIT("\\p{N}{1,3}")}, 1, 1},
    {"llama-v3", {LLAMA3_SPLIT("\\p{N}{1,3}")}, 1, 1},
    {"qwen2", {LLAMA3_SPLIT("\\p{N}")}, 0, 0},
    {"stablelm2", {LLAMA3_SPLIT("\\p{N}")}, 0, 0},
    {"default", {"[\\p{P}\\$\\+<=>\\^~\\|]+", "", "\\p{N}+", "[0-9][0-9][0-9]"}, 0, 0},
};

struct gguf_source {
    const struct checkpoint *c;
    const struct gguf_string *tokens;
    const int32_t *types;       /* NULL: all normal */
    size_t n;
    int is_scored;              /* model "llama" */
    const struct named_split *split;
};

static const char *text_of(const struct checkpoint *c, const char *key, const char *otherwise) {
    const json_t *s = json_object_get(c->config, key);
    return json_is_string(s) ? json_string_value(s) : otherwise;
}

static int flag_of(const struct checkpoint *c, const char *key, int otherwise) {
    const json_t *flag = json_object_get(c->config, key);
    return json_is_boolean(flag) ? json_is_true(flag) : otherwise;
}

static enum status find_split(struct gguf_source *g, struct error *e) {
    const char *name = text_of(g->c, KEY("pre"), "default");
    for (size_t i = 0; i < sizeof named_splits / sizeof *named_splits; i++)
        if (strcmp(named_splits[i].name, name) == 0) g->split = &named_splits[i];
    if (g->split) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "tokenizer.ggml.pre: the pre-tokenizer '%s' is not supported (known: "
                     "gpt-2, smollm, starcoder, llama-bpe, qwen2, default and their kin); use the model's folder with "
                     "its tokenizer.json", name);
}

static enum status read_source(struct gguf_source *g, struct error *e) {
    const char *model = text_of(g->c, KEY("model"), "");
    g->is_scored = strcmp(model, "llama") == 0;
    if (!g->is_scored && strcmp(model, "gpt2") != 0)
        return error_set(e, STATUS_UNSUPPORTED, "tokenizer.ggml.model: '%s' is not supported (known: gpt2, llama)",
                         model);
    if (!gguf_string_array(g->c->gguf, KEY("tokens"), &g->tokens, &g->n) || g->n == 0)
        return error_set(e, STATUS_INPUT, "tokenizer.ggml.tokens: missing, or not an array of strings");
    if (g->n > VOCABULARY_MAX_IDS)
        return error_set(e, STATUS_INPUT, "tokenizer.ggml.tokens: more than %d", VOCABULARY_MAX_IDS);
    size_t n_types;
    if (!gguf_i32_array(g->c->gguf, KEY("token_type"), &g->types, &n_types)) g->types = NULL;
    else if (n_types != g->n)
        return error_set(e, STATUS_INPUT, "tokenizer.ggml.token_type: %zu types for %zu tokens", n_types, g->n);
    return g->is_scored ? STATUS_OK : find_split(g, e);
}

static enum status fill_vocabulary(struct tokenizer *t, const struct gguf_source *g, struct error *e) {
    size_t bytes = 0;
    for (size_t i = 0; i < g->n; i++) {
        bytes += g->tokens[i].length;
        if (!utf8_is_valid(span_of(g->tokens[i].data, g->tokens[i].length)))
            return error_set(e, STATUS_INPUT, "tokenizer.ggml.tokens: token %zu is not UTF-8", i);
    }
    enum status s = vocabulary_create(&t->vocabulary, g->n, g->n, bytes, e);
    if (s != STATUS_OK) return s;
    for (size_t i = 0; i < g->n; i++)
        vocabulary_add(&t->vocabulary, span_of(g->tokens[i].data, g->tokens[i].length), (int32_t)i);
    t->n_ids = t->extra_base = g->n;
    return bpe_create(&t->bpe, &t->vocabulary, e);
}

/* ---- model "gpt2": byte-level, merges by rank ---- */

static enum status fill_merges(struct tokenizer *t, const struct gguf_source *g, struct error *e) {
    const struct gguf_string *merges;
    size_t n;
    if (!gguf_string_array(g->c->gguf, KEY("merges"), &merges, &n))
        return error_set(e, STATUS_INPUT, "tokenizer.ggml.merges: missing, or not an array of strings");
    enum status s = bpe_reserve_merges(&t->bpe, n, e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        struct span m = span_of(merges[i].data, merges[i].length);
        const char *space = m.length > 1 ? memchr(m.data + 1, ' ', m.length - 1) : NULL;
        if (!space) return error_set(e, STATUS_INPUT, "tokenizer.ggml.merges: merge %zu is not two tokens", i);
        size_t left = (size_t)(space - m.data);
        s = bpe_add_merge(&t->bpe, span_of(m.data, left), span_of(space + 1, m.length - left - 1), i, e);
    }
    if (s != STATUS_OK) error_prefix(e, "tokenizer.ggml.merges");
    return s;
}

static enum status build_byte_level(struct tokenizer *t, const struct gguf_source *g, struct error *e) {
    enum status s = fill_merges(t, g, e);
    t->bpe.ignores_merges = g->split->ignores_merges;
    for (size_t i = 0; s == STATUS_OK && i < 4 && g->split->regexes[i]; i++)
        s = splitter_add_regex(t, *g->split->regexes[i] ? g->split->regexes[i] : GPT2_SPLIT, e);
    struct splitter *bytes;
    struct token_decoder *decoder;
    if (s == STATUS_OK) s = splitter_new(t, SPLITTER_BYTES, &bytes, e);
    return s != STATUS_OK ? s : token_decoder_new(t, DECODER_BYTE_LEVEL, &decoder, e);
}

/* ---- model "llama": SentencePiece, merges by score ---- */

static enum status add_space_decoders(struct tokenizer *t, int has_prefix, struct error *e) {
    struct token_decoder *d;
    enum status s = token_decoder_new(t, DECODER_REPLACE, &d, e);
    if (s != STATUS_OK) return s;
    text_pattern_literal(&d->pattern, span_of(LOWER_BLOCK, 3));
    d->content = span_of(" ", 1);
    s = token_decoder_new(t, DECODER_BYTE_FALLBACK, &d, e);
    if (s == STATUS_OK) s = token_decoder_new(t, DECODER_FUSE, &d, e);
    if (s != STATUS_OK || !has_prefix) return s;
    s = token_decoder_new(t, DECODER_STRIP, &d, e);
    if (s != STATUS_OK) return s;
    d->content = span_of(" ", 1);
    d->left = 1;
    return s;
}

static enum status build_scored(struct tokenizer *t, const struct gguf_source *g, struct error *e) {
    const float *scores;
    size_t n;
    if (!gguf_f32_array(g->c->gguf, KEY("scores"), &scores, &n) || n != g->n)
        return error_set(e, STATUS_INPUT, "tokenizer.ggml.scores: missing, or not one number a token");
    enum status s = bpe_set_scores(&t->bpe, scores, n, e);
    if (s != STATUS_OK) return s;
    t->bpe.has_byte_fallback = 1;
    int has_prefix = flag_of(g->c, KEY("add_space_prefix"), 1);
    struct normalizer *normalizer;
    if (has_prefix) {
        s = normalizer_new(t, NORMALIZER_PREPEND, &normalizer, e);
        if (s != STATUS_OK) return s;
        normalizer->content = span_of(LOWER_BLOCK, 3);
    }
    s = normalizer_new(t, NORMALIZER_REPLACE, &normalizer, e);
    if (s != STATUS_OK) return s;
    text_pattern_literal(&normalizer->pattern, span_of(" ", 1));
    normalizer->content = span_of(LOWER_BLOCK, 3);
    return add_space_decoders(t, has_prefix, e);
}

/* ---- special tokens ---- */

/* An id by key, or `otherwise` (-1: none). Errors: INPUT no token has it. */
static enum status special_id(const struct gguf_source *g, const char *key, int32_t otherwise, int32_t *out,
                              struct error *e) {
    const json_t *value = json_object_get(g->c->config, key);
    *out = otherwise;
    if (!json_is_integer(value)) return STATUS_OK;
    json_int_t id = json_integer_value(value);
    if (id < 0 || (size_t)id >= g->n)
        return error_set(e, STATUS_INPUT, "%s: there is no token %lld (%zu tokens)", key, (long long)id, g->n);
    *out = (int32_t)id;
    return STATUS_OK;
}

static enum status add_edge(const struct gguf_source *g, const char *flag, const char *key, int is_default,
                            int32_t otherwise, struct token_list *list, struct error *e) {
    int32_t id;
    enum status s = special_id(g, key, otherwise, &id, e);
    if (s != STATUS_OK || !flag_of(g->c, flag, is_default)) return s;
    if (id < 0 || (size_t)id >= g->n) return error_set(e, STATUS_INPUT, "%s is set, but %s is missing", flag, key);
    token_list_add(list, id);
    return STATUS_OK;
}

static enum status set_special(struct tokenizer *t, const struct gguf_source *g, struct error *e) {
    /* SentencePiece's own numbers are the defaults of "llama". */
    int is_bos_default = g->is_scored || g->split->adds_bos;
    enum status s = add_edge(g, KEY("add_bos_token"), KEY("bos_token_id"), is_bos_default, g->is_scored ? 1 : -1,
                             &t->before, e);
    if (s == STATUS_OK)
        s = add_edge(g, KEY("add_eos_token"), KEY("eos_token_id"), 0, g->is_scored ? 2 : -1, &t->after, e);
    if (s == STATUS_OK && g->is_scored) s = special_id(g, KEY("unknown_token_id"), 0, &t->bpe.unknown, e);
    if (s != STATUS_OK) return s;
    struct added_token *tokens = mem_alloc(g->n * sizeof *tokens);
    size_t n = 0;
    for (size_t i = 0; g->types && i < g->n; i++) {
        if (g->types[i] < TYPE_UNKNOWN || g->types[i] > TYPE_USER_DEFINED) continue;
        tokens[n++] = (struct added_token){.content = t->vocabulary.tokens[i], .id = (int32_t)i,
                                           .is_special = g->types[i] != TYPE_USER_DEFINED};
    }
    s = tokenizer_set_added(t, tokens, n, e);
    mem_free(tokens);
    return s;
}

enum status tokenizer_open_gguf(const struct checkpoint *c, struct tokenizer **out, struct error *e) {
    struct gguf_source g = {.c = c};
    if (!c->gguf) return error_set(e, STATUS_INPUT, "%s is not a GGUF file", c->path);
    enum status s = read_source(&g, e);
    if (s != STATUS_OK) return s;
    struct tokenizer *t = mem_alloc(sizeof *t);
    s = fill_vocabulary(t, &g, e);
    if (s == STATUS_OK) s = g.is_scored ? build_scored(t, &g, e) : build_byte_level(t, &g, e);
    if (s == STATUS_OK) s = set_special(t, &g, e);
    if (s == STATUS_OK) *out = t;
    else tokenizer_close(t);
    return s;
}
