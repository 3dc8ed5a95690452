/* json_model.c: vocabulary, merges and added tokens of a tokenizer.json. */
#include <string.h>

#include "workloads/tokenizer/json_source.h"

static int printed(struct span s) { return s.length < 80 ? (int)s.length : 80; }

/* ---- vocabulary and the ids of added tokens ---- */

struct vocabulary_size {
    size_t n_ids, texts_bytes;
};

static enum status vocabulary_measure(json_t *vocab, struct vocabulary_size *size, struct error *e) {
    const char *key;
    size_t length;
    json_t *value;
    json_object_keylen_foreach(vocab, key, length, value) {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= VOCABULARY_MAX_IDS)
            return error_set(e, STATUS_INPUT, "model.vocab: the id of '%.*s' is not a number from 0 to %d",
                             printed(span_of(key, length)), key, VOCABULARY_MAX_IDS - 1);
        if ((size_t)id >= size->n_ids) size->n_ids = (size_t)id + 1;
        size->texts_bytes += length;
    }
    return STATUS_OK;
}

static enum status vocabulary_fill(struct vocabulary *v, json_t *vocab, struct error *e) {
    const char *key;
    size_t length;
    json_t *value;
    json_object_keylen_foreach(vocab, key, length, value) {
        int32_t id = (int32_t)json_integer_value(value);
        struct span text = span_of(key, length);
        if (v->tokens[id].data)
            return error_set(e, STATUS_INPUT, "model.vocab: '%.*s' and '%.*s' have the same id %d",
                             printed(v->tokens[id]), v->tokens[id].data, printed(text), key, (int)id);
        vocabulary_add(v, text, id);
    }
    return STATUS_OK;
}

/* The reference ignores the ids that the file gives to added tokens: one that the model knows has the model's
 * id, any other the next number after the model's tokens and those added before. */
static enum status extra_fill(struct tokenizer *t, const json_t *added, struct error *e) {
    size_t n = json_array_size(added), bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *content = json_object_get(json_array_get(added, i), "content");
        if (!json_is_string(content))
            return error_set(e, STATUS_INPUT, "added_tokens[%zu]: not an object with a string 'content'", i);
        bytes += json_string_length(content);
    }
    if (n > VOCABULARY_MAX_IDS) return error_set(e, STATUS_INPUT, "added_tokens: more than %d", VOCABULARY_MAX_IDS);
    enum status s = vocabulary_create(&t->extra, n, n, bytes, e);
    if (s != STATUS_OK) return s;
    int32_t next = 0;
    for (size_t i = 0; i < n; i++) {
        struct span content = json_span(json_array_get(added, i), "content");
        int is_new = content.length && vocabulary_find(&t->vocabulary, content) < 0 &&
                     vocabulary_find(&t->extra, content) < 0;
        if (is_new) vocabulary_add(&t->extra, content, next++);
    }
    size_t end = t->extra_base + (size_t)next;
    t->n_ids = end > t->vocabulary.n_ids ? end : t->vocabulary.n_ids;
    return STATUS_OK;
}

/* ---- merges ---- */

/* ["a", "b"], or "a b" in older files. */
static int merge_halves(const json_t *merge, struct span *left, struct span *right) {
    if (json_is_array(merge)) {
        const json_t *a = json_array_get(merge, 0), *b = json_array_get(merge, 1);
        if (json_array_size(merge) != 2 || !json_is_string(a) || !json_is_string(b)) return 0;
        *left = span_of(json_string_value(a), json_string_length(a));
        *right = span_of(json_string_value(b), json_string_length(b));
        return 1;
    }
    if (!json_is_string(merge)) return 0;
    const char *text = json_string_value(merge), *end = text + json_string_length(merge);
    const char *space = memchr(text, ' ', (size_t)(end - text));
    if (!space || memchr(space + 1, ' ', (size_t)(end - space) - 1)) return 0;
    *left = span_of(text, (size_t)(space - text));
    *right = span_of(space + 1, (size_t)(end - space) - 1);
    return 1;
}

static enum status merges_fill(struct bpe *b, const json_t *merges, struct error *e) {
    size_t n = json_array_size(merges);
    if (n > UINT32_MAX / 2) return error_set(e, STATUS_INPUT, "model.merges: %zu are too many", n);
    enum status s = bpe_reserve_merges(b, n, e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        struct span left, right;
        if (!merge_halves(json_array_get(merges, i), &left, &right))
            return error_set(e, STATUS_INPUT, "model.merges[%zu]: not two tokens ([\"a\", \"b\"] or \"a b\")", i);
        s = bpe_add_merge(b, left, right, i, e);
    }
    if (s != STATUS_OK) error_prefix(e, "model.merges");
    return s;
}

/* ---- the model ---- */

static enum status model_check(const json_t *model, struct error *e) {
    if (!json_is_object(model)) return error_set(e, STATUS_INPUT, "the tokenizer file has no 'model' object");
    const json_t *type = json_object_get(model, "type");
    /* Files older than the "type" key hold merges where they hold a BPE. */
    int is_bpe = json_is_string(type) ? strcmp(json_string_value(type), "BPE") == 0
                                      : json_is_array(json_object_get(model, "merges"));
    if (!is_bpe)
        return error_set(e, STATUS_UNSUPPORTED, "model: type '%s' is not supported (known: BPE)",
                         json_is_string(type) ? json_string_value(type) : "(none)");
    if (!json_is_object(json_object_get(model, "vocab")))
        return error_set(e, STATUS_INPUT, "model.vocab: missing, or not an object");
    if (!json_is_array(json_object_get(model, "merges")))
        return error_set(e, STATUS_INPUT, "model.merges: missing, or not an array");
    if (json_number_value(json_object_get(model, "dropout")) != 0)
        return error_set(e, STATUS_UNSUPPORTED, "model.dropout: random merges are for training; set it to null");
    return STATUS_OK;
}

static void model_options(struct tokenizer *t, const json_t *model) {
    struct bpe *b = &t->bpe;
    struct span unknown = json_span(model, "unk_token");
    if (json_is_string(json_object_get(model, "unk_token"))) {
        b->unknown = vocabulary_find(&t->vocabulary, unknown);
        if (b->unknown < 0) b->unknown = BPE_UNKNOWN_MISSING;
    }
    b->prefix = tokenizer_keep(t, json_span(model, "continuing_subword_prefix"));
    b->suffix = tokenizer_keep(t, json_span(model, "end_of_word_suffix"));
    b->is_unknown_fused = json_flag(model, "fuse_unk", 0);
    b->has_byte_fallback = json_flag(model, "byte_fallback", 0);
    b->ignores_merges = json_flag(model, "ignore_merges", 0);
}

enum status json_read_model(struct tokenizer *t, const json_t *root, struct error *e) {
    const json_t *model = json_object_get(root, "model");
    enum status s = model_check(model, e);
    if (s != STATUS_OK) return s;
    json_t *vocab = json_object_get(model, "vocab");
    struct vocabulary_size size = {0};
    s = vocabulary_measure(vocab, &size, e);
    if (s == STATUS_OK)
        s = vocabulary_create(&t->vocabulary, json_object_size(vocab), size.n_ids, size.texts_bytes, e);
    if (s == STATUS_OK) s = vocabulary_fill(&t->vocabulary, vocab, e);
    t->extra_base = json_object_size(vocab);
    if (s == STATUS_OK) s = extra_fill(t, json_object_get(root, "added_tokens"), e);
    if (s == STATUS_OK) s = bpe_create(&t->bpe, &t->vocabulary, e);
    if (s != STATUS_OK) return s;
    model_options(t, model);
    return merges_fill(&t->bpe, json_object_get(model, "merges"), e);
}

enum status json_read_added(struct tokenizer *t, const json_t *root, struct error *e) {
    const json_t *added = json_object_get(root, "added_tokens");
    size_t n = json_array_size(added);
    struct added_token *tokens = mem_alloc((n + 1) * sizeof *tokens);
    for (size_t i = 0; i < n; i++) {
        const json_t *o = json_array_get(added, i);
        struct added_token *token = &tokens[i];
        token->content = tokenizer_keep(t, json_span(o, "content"));
        token->id = token->content.length ? tokenizer_find(t, token->content) : 0;
        token->is_single_word = json_flag(o, "single_word", 0);
        token->strips_left = json_flag(o, "lstrip", 0);
        token->strips_right = json_flag(o, "rstrip", 0);
        token->is_special = json_flag(o, "special", 0);
        token->is_normalized = json_flag(o, "normalized", !token->is_special);
    }
    enum status s = tokenizer_set_added(t, tokens, n, e);
    mem_free(tokens);
    return s;
}
