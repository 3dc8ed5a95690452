/* build.c: the steps that building from JSON and from GGUF share. */
#include <string.h>

#include "workloads/tokenizer/internal.h"

const char GPT2_SPLIT[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static enum status room_check(size_t count, const char *what, struct error *e) {
    if (count < TOKENIZER_MAX_COMPONENTS) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "more than %d %s", TOKENIZER_MAX_COMPONENTS, what);
}

enum status normalizer_new(struct tokenizer *t, enum normalizer_kind kind, struct normalizer **out, struct error *e) {
    struct normalizer_list *l = &t->normalizers;
    enum status s = room_check(l->count, "normalizers", e);
    if (s != STATUS_OK) return s;
    LIST_GROW(l->items, l->count, l->capacity);
    *out = &l->items[l->count++];
    **out = (struct normalizer){.kind = kind};
    return STATUS_OK;
}

enum status splitter_new(struct tokenizer *t, enum splitter_kind kind, struct splitter **out, struct error *e) {
    struct splitter_list *l = &t->splitters;
    enum status s = room_check(l->count, "pre-tokenizers", e);
    if (s != STATUS_OK) return s;
    LIST_GROW(l->items, l->count, l->capacity);
    *out = &l->items[l->count++];
    **out = (struct splitter){.kind = kind};
    return STATUS_OK;
}

enum status token_decoder_new(struct tokenizer *t, enum token_decoder_kind kind, struct token_decoder **out,
                              struct error *e) {
    struct token_decoder_list *l = &t->decoders;
    enum status s = room_check(l->count, "decoders", e);
    if (s != STATUS_OK) return s;
    LIST_GROW(l->items, l->count, l->capacity);
    *out = &l->items[l->count++];
    **out = (struct token_decoder){.kind = kind};
    return STATUS_OK;
}

enum status splitter_add_regex(struct tokenizer *t, const char *regex, struct error *e) {
    struct splitter *p;
    enum status s = splitter_new(t, SPLITTER_PATTERN, &p, e);
    return s != STATUS_OK ? s : text_pattern_compile(&p->pattern, span_of(regex, strlen(regex)), "built-in split", e);
}

struct span tokenizer_keep(struct tokenizer *t, struct span s) {
    return span_of(arena_copy_bytes(&t->arena, s.data, s.length), s.length);
}

void token_list_add(struct token_list *l, int32_t id) {
    LIST_GROW(l->ids, l->count, l->capacity);
    l->ids[l->count++] = id;
}

struct span tokenizer_token(const struct tokenizer *t, int32_t id) {
    size_t i = (size_t)id;
    if (id < 0 || i >= t->n_ids) return span_of(NULL, 0);
    if (i >= t->extra_base && i - t->extra_base < t->extra.n_ids) {
        struct span added = t->extra.tokens[i - t->extra_base];
        if (added.data) return added;
    }
    return i < t->vocabulary.n_ids ? t->vocabulary.tokens[i] : span_of(NULL, 0);
}

/* A `normalized` token is looked for in normalised text, so in normalised form. */
static enum status normalize_content(struct tokenizer *t, struct added_token *token, struct error *e) {
    t->normal.length = 0;
    text_append_bytes(&t->normal, token->content.data, token->content.length);
    enum status s = normalizer_run(&t->normalizers, &t->normal, &t->spare, text_growth_limit(token->content.length), e);
    if (s == STATUS_OK) token->content = tokenizer_keep(t, span_of(t->normal.data, t->normal.length));
    return s;
}

enum status tokenizer_set_added(struct tokenizer *t, const struct added_token *tokens, size_t n, struct error *e) {
    t->is_special = mem_try(t->n_ids + 1);
    if (!t->is_special) return error_set(e, STATUS_NO_MEMORY, "no memory for %zu tokens", t->n_ids);
    for (size_t i = 0; i < n; i++) {
        struct added_token token = tokens[i];
        if (token.content.length == 0) continue;
        if (token.is_special) t->is_special[token.id] = 1;
        token.place = i;
        enum status s = token.is_normalized ? normalize_content(t, &token, e) : STATUS_OK;
        if (s != STATUS_OK) return s;
        added_set_add(token.is_normalized ? &t->added_normalized : &t->added, token);
    }
    added_set_seal(&t->added);
    added_set_seal(&t->added_normalized);
    return STATUS_OK;
}
