/* json_components.c: normalizer, pre_tokenizer, post_processor and decoder of a tokenizer.json. One table for
 * each family says which component types are known and who reads them; a Sequence is flattened. */
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "workloads/tokenizer/json_source.h"

enum { NESTING_LIMIT = 8 };

struct component;
struct reading {
    struct tokenizer *t;
    const json_t *o;            /* the component */
    const char *where;
    const char *type;
    struct error *e;
};

struct component {
    const char *type;
    enum status (*read)(const struct reading *r);
};

struct family {
    const char *key;            /* in the file */
    const char *list_key;       /* in its Sequence */
    const struct component *components;
};

/* ---- shared pieces ---- */

static enum status refuse(const struct reading *r, enum status status, const char *what) {
    return error_set(r->e, status, "%s (%s): %s", r->where, r->type, what);
}

/* {"String": s} or {"Regex": s}. */
static enum status read_pattern(const struct reading *r, struct text_pattern *p) {
    const json_t *pattern = json_object_get(r->o, "pattern");
    if (json_is_string(json_object_get(pattern, "Regex")))
        return text_pattern_compile(p, json_span(pattern, "Regex"), r->where, r->e);
    if (!json_is_string(json_object_get(pattern, "String")))
        return refuse(r, STATUS_INPUT, "'pattern' is neither {\"String\": …} nor {\"Regex\": …}");
    text_pattern_literal(p, tokenizer_keep(r->t, json_span(pattern, "String")));
    return STATUS_OK;
}

static enum status read_content(const struct reading *r, const char *key, struct span *out) {
    if (!json_is_string(json_object_get(r->o, key)))
        return error_set(r->e, STATUS_INPUT, "%s (%s): '%s' is not a string", r->where, r->type, key);
    *out = tokenizer_keep(r->t, json_span(r->o, key));
    return STATUS_OK;
}

/* ---- normalizers ---- */

static enum status read_prepend(const struct reading *r) {
    struct normalizer *n;
    enum status s = normalizer_new(r->t, NORMALIZER_PREPEND, &n, r->e);
    return s != STATUS_OK ? s : read_content(r, "prepend", &n->content);
}

static enum status read_replace(const struct reading *r) {
    struct normalizer *n;
    enum status s = normalizer_new(r->t, NORMALIZER_REPLACE, &n, r->e);
    if (s == STATUS_OK) s = read_content(r, "content", &n->content);
    return s != STATUS_OK ? s : read_pattern(r, &n->pattern);
}

static enum status read_normal_form(const struct reading *r) {
    struct normalizer *n;
    enum status s = normalizer_new(r->t, NORMALIZER_UNICODE, &n, r->e);
    if (s != STATUS_OK) return s;
    int is_composed = r->type[strlen(r->type) - 1] == 'C', is_compatible = strchr(r->type, 'K') != NULL;
    n->form = (int)UTF8PROC_STABLE | (int)(is_composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
              (is_compatible ? (int)UTF8PROC_COMPAT : 0);
    return STATUS_OK;
}

static enum status read_lowercase(const struct reading *r) {
    struct normalizer *n;
    return normalizer_new(r->t, NORMALIZER_LOWERCASE, &n, r->e);
}

static enum status read_strip(const struct reading *r) {
    struct normalizer *n;
    enum status s = normalizer_new(r->t, NORMALIZER_STRIP, &n, r->e);
    if (s != STATUS_OK) return s;
    n->is_left = json_flag(r->o, "strip_left", 1);
    n->is_right = json_flag(r->o, "strip_right", 1);
    return STATUS_OK;
}

static const struct component normalizers[] = {
    {"Prepend", read_prepend},      {"Replace", read_replace},     {"NFC", read_normal_form},
    {"NFD", read_normal_form},      {"NFKC", read_normal_form},    {"NFKD", read_normal_form},
    {"Lowercase", read_lowercase},  {"Strip", read_strip},         {0}};

/* ---- pre-tokenizers ---- */

static enum status read_byte_level(const struct reading *r) {
    struct splitter *p;
    enum status s = STATUS_OK;
    if (json_flag(r->o, "add_prefix_space", 1)) s = splitter_new(r->t, SPLITTER_PREFIX, &p, r->e);
    if (s == STATUS_OK && json_flag(r->o, "use_regex", 1)) s = splitter_add_regex(r->t, GPT2_SPLIT, r->e);
    return s != STATUS_OK ? s : splitter_new(r->t, SPLITTER_BYTES, &p, r->e);
}

static enum status read_split(const struct reading *r) {
    static const char *const names[] = {[SPLIT_ISOLATED] = "Isolated", [SPLIT_REMOVED] = "Removed",
                                        [SPLIT_WITH_PREVIOUS] = "MergedWithPrevious",
                                        [SPLIT_WITH_NEXT] = "MergedWithNext", [SPLIT_CONTIGUOUS] = "Contiguous"};
    struct splitter *p;
    enum status s = splitter_new(r->t, SPLITTER_PATTERN, &p, r->e);
    if (s != STATUS_OK) return s;
    struct span behavior = json_span(r->o, "behavior");
    size_t i = 0;
    while (i < sizeof names / sizeof *names && !span_equal(behavior, span_of(names[i], strlen(names[i])))) i++;
    if (i == sizeof names / sizeof *names)
        return refuse(r, STATUS_UNSUPPORTED,
                      "'behavior' is none of Isolated, Removed, MergedWithPrevious, MergedWithNext, Contiguous");
    p->behavior = (enum split_behavior)i;
    p->is_inverted = json_flag(r->o, "invert", 0);
    return read_pattern(r, &p->pattern);
}

static enum status read_digits(const struct reading *r) {
    struct splitter *p;
    enum status s = splitter_new(r->t, SPLITTER_DIGITS, &p, r->e);
    if (s == STATUS_OK) p->behavior = json_flag(r->o, "individual_digits", 0) ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return s;
}

/* What the pre-tokenizer and the decoder of this name have in common. */
static enum status read_mark(const struct reading *r, struct span *mark, enum mark_scheme *scheme) {
    static const char *const names[] = {[MARK_ALWAYS] = "always", [MARK_FIRST] = "first", [MARK_NEVER] = "never"};
    enum status s = read_content(r, "replacement", mark);
    if (s != STATUS_OK) return s;
    size_t used;
    if (mark->length == 0 || (utf8_next(mark->data, mark->length, &used), used != mark->length))
        return refuse(r, STATUS_INPUT, "'replacement' is not one character");
    *scheme = json_flag(r->o, "add_prefix_space", 1) ? MARK_ALWAYS : MARK_NEVER;
    const json_t *name = json_object_get(r->o, "prepend_scheme");
    if (!json_is_string(name)) return STATUS_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(json_string_value(name), names[i]) != 0) continue;
        *scheme = (enum mark_scheme)i;
        return STATUS_OK;
    }
    return refuse(r, STATUS_UNSUPPORTED, "'prepend_scheme' is none of always, first, never");
}

static enum status read_metaspace(const struct reading *r) {
    struct splitter *p;
    struct span mark;
    enum status s = splitter_new(r->t, SPLITTER_MARK, &p, r->e);
    if (s == STATUS_OK) s = read_mark(r, &p->mark, &p->scheme);
    if (s != STATUS_OK || !json_flag(r->o, "split", 1)) return s;
    mark = p->mark;
    s = splitter_new(r->t, SPLITTER_PATTERN, &p, r->e);
    if (s != STATUS_OK) return s;
    text_pattern_literal(&p->pattern, mark);
    p->behavior = SPLIT_WITH_NEXT;
    return STATUS_OK;
}

static const struct component pre_tokenizers[] = {
    {"ByteLevel", read_byte_level}, {"Split", read_split}, {"Digits", read_digits}, {"Metaspace", read_metaspace}, {0}};

/* ---- decoders ---- */

static enum status new_decoder(const struct reading *r, enum token_decoder_kind kind) {
    struct token_decoder *d;
    return token_decoder_new(r->t, kind, &d, r->e);
}

static enum status read_byte_level_decoder(const struct reading *r) { return new_decoder(r, DECODER_BYTE_LEVEL); }
static enum status read_byte_fallback(const struct reading *r) { return new_decoder(r, DECODER_BYTE_FALLBACK); }
static enum status read_fuse(const struct reading *r) { return new_decoder(r, DECODER_FUSE); }

static enum status read_replace_decoder(const struct reading *r) {
    struct token_decoder *d;
    enum status s = token_decoder_new(r->t, DECODER_REPLACE, &d, r->e);
    if (s == STATUS_OK) s = read_content(r, "content", &d->content);
    return s != STATUS_OK ? s : read_pattern(r, &d->pattern);
}

static size_t count_of(const json_t *o, const char *key) {
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (size_t)n : 0;
}

static enum status read_strip_decoder(const struct reading *r) {
    struct token_decoder *d;
    enum status s = token_decoder_new(r->t, DECODER_STRIP, &d, r->e);
    if (s == STATUS_OK) s = read_content(r, "content", &d->content);
    if (s != STATUS_OK) return s;
    if (d->content.length == 0) return refuse(r, STATUS_INPUT, "'content' is not one character");
    d->left = count_of(r->o, "start");
    d->right = count_of(r->o, "stop");
    return STATUS_OK;
}

static enum status read_metaspace_decoder(const struct reading *r) {
    struct token_decoder *d;
    enum mark_scheme scheme = MARK_NEVER;
    enum status s = token_decoder_new(r->t, DECODER_METASPACE, &d, r->e);
    if (s == STATUS_OK) s = read_mark(r, &d->content, &scheme);
    if (s != STATUS_OK) return s;
    text_pattern_literal(&d->pattern, d->content);
    d->left = scheme != MARK_NEVER;
    return STATUS_OK;
}

static const struct component decoders[] = {
    {"ByteLevel", read_byte_level_decoder}, {"ByteFallback", read_byte_fallback}, {"Fuse", read_fuse},
    {"Replace", read_replace_decoder},      {"Strip", read_strip_decoder},        {"Metaspace", read_metaspace_decoder},
    {0}};

/* ---- post-processors ---- */

/* It moves offsets only, which nobody here asks for. */
static enum status read_byte_level_processor(const struct reading *r) {
    (void)r;
    return STATUS_OK;
}

/* One item of `single`: a token (its ids go to *ids), or the text itself (*is_text). */
static enum status read_template_item(const struct reading *r, const json_t *item, struct token_list *ids,
                                      int *is_text) {
    const json_t *special = json_object_get(item, "SpecialToken"), *sequence = json_object_get(item, "Sequence");
    *is_text = sequence != NULL;
    if (sequence) {
        if (span_equal(json_span(sequence, "id"), span_of("A", 1))) return STATUS_OK;
        return refuse(r, STATUS_INPUT, "'single' names a sequence other than A");
    }
    const json_t *name = json_object_get(special, "id");
    if (!json_is_string(name)) return refuse(r, STATUS_INPUT, "'single' holds neither a SpecialToken nor a Sequence");
    const json_t *entry = json_object_getn(json_object_get(r->o, "special_tokens"), json_string_value(name),
                                           json_string_length(name));
    const json_t *list = json_object_get(entry, "ids");
    if (!json_is_array(list)) return refuse(r, STATUS_INPUT, "'single' names a token that 'special_tokens' lacks");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t id = json_integer_value(json_array_get(list, i));
        if (!json_is_integer(json_array_get(list, i)) || id < 0 || id >= VOCABULARY_MAX_IDS)
            return refuse(r, STATUS_INPUT, "an id in 'special_tokens' is out of range");
        token_list_add(ids, (int32_t)id);
    }
    return STATUS_OK;
}

static enum status read_template(const struct reading *r) {
    struct tokenizer *t = r->t;
    const json_t *single = json_object_get(r->o, "single");
    enum status s = STATUS_OK;
    int n_texts = 0;
    if (t->has_template) return refuse(r, STATUS_UNSUPPORTED, "a second template");
    t->has_template = 1;
    for (size_t i = 0; s == STATUS_OK && i < json_array_size(single); i++) {
        int is_text;
        s = read_template_item(r, json_array_get(single, i), n_texts ? &t->after : &t->before, &is_text);
        if (s == STATUS_OK) n_texts += is_text;
    }
    if (s == STATUS_OK && n_texts != 1)
        s = refuse(r, STATUS_UNSUPPORTED, "'single' does not hold the sequence A exactly once");
    return s;
}

static const struct component processors[] = {
    {"TemplateProcessing", read_template}, {"ByteLevel", read_byte_level_processor}, {0}};

/* ---- families ---- */

static const struct family families[] = {
    {"normalizer", "normalizers", normalizers},
    {"pre_tokenizer", "pretokenizers", pre_tokenizers},
    {"post_processor", "processors", processors},
    {"decoder", "decoders", decoders},
};

static enum status refuse_type(const struct family *f, const struct reading *r) {
    struct text known = {0};
    for (const struct component *c = f->components; c->type; c++) text_append(&known, "%s, ", c->type);
    enum status s = error_set(r->e, STATUS_UNSUPPORTED, "%s: component '%s' is not supported (known: %sSequence)",
                              r->where, r->type, known.data);
    text_free(&known);
    return s;
}

static enum status read_component(const struct family *f, struct reading r, int depth) {
    if (!r.o || json_is_null(r.o)) return STATUS_OK;
    const json_t *type = json_object_get(r.o, "type");
    if (!json_is_string(type)) return error_set(r.e, STATUS_INPUT, "%s: not an object with a 'type'", r.where);
    r.type = json_string_value(type);
    if (strcmp(r.type, "Sequence") == 0) {
        const json_t *list = json_object_get(r.o, f->list_key);
        if (!json_is_array(list)) return error_set(r.e, STATUS_INPUT, "%s: no array '%s'", r.where, f->list_key);
        if (depth == NESTING_LIMIT) return refuse(&r, STATUS_UNSUPPORTED, "sequences are nested too deeply");
        enum status s = STATUS_OK;
        for (size_t i = 0; s == STATUS_OK && i < json_array_size(list); i++) {
            struct json_place place;
            snprintf(place.text, sizeof place.text, "%s.%s[%zu]", r.where, f->list_key, i);
            s = read_component(f, (struct reading){r.t, json_array_get(list, i), place.text, NULL, r.e}, depth + 1);
        }
        return s;
    }
    for (const struct component *c = f->components; c->type; c++)
        if (strcmp(c->type, r.type) == 0) return c->read(&r);
    return refuse_type(f, &r);
}

enum status json_read_components(struct tokenizer *t, const json_t *root, struct error *e) {
    enum status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < sizeof families / sizeof *families; i++) {
        const json_t *o = json_object_get(root, families[i].key);
        s = read_component(&families[i], (struct reading){t, o, families[i].key, NULL, e}, 0);
    }
    const json_t *decoder = json_object_get(root, "decoder");
    t->joins_with_space = !decoder || json_is_null(decoder);
    return s;
}
