#include "workloads/tokenizer/tokenizer.h"

#include <string.h>

#include "workloads/tokenizer/internal.h"

void token_list_free(struct token_list *l) {
    mem_free(l->ids);
    *l = (struct token_list){0};
}

void tokenizer_close(struct tokenizer *t) {
    if (!t) return;
    bpe_free(&t->bpe);
    mem_try_free(t->is_special, t->n_ids + 1);
    vocabulary_free(&t->vocabulary);
    vocabulary_free(&t->extra);
    added_set_free(&t->added);
    added_set_free(&t->added_normalized);
    normalizer_list_free(&t->normalizers);
    splitter_list_free(&t->splitters);
    token_decoder_list_free(&t->decoders);
    token_list_free(&t->before);
    token_list_free(&t->after);
    text_free(&t->clean);
    text_free(&t->normal);
    text_free(&t->spare);
    pieces_free(&t->pieces);
    pieces_free(&t->spare_pieces);
    arena_free(&t->arena);
    mem_free(t);
}

size_t tokenizer_vocabulary(const struct tokenizer *t) { return t->n_ids; }

int32_t tokenizer_find(const struct tokenizer *t, struct span text) {
    int32_t added = vocabulary_find(&t->extra, text);
    return added >= 0 ? added + (int32_t)t->extra_base : vocabulary_find(&t->vocabulary, text);
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token) {
    return tokenizer_find(t, span_of(token, strlen(token)));
}

/* ---- text to ids ---- */

struct encoding_job {
    struct tokenizer *t;
    size_t limit;
    struct token_list *out;
    struct error *e;
};

/* Normalised text without added tokens. */
static enum status encode_words(const struct encoding_job *j, struct span s, int is_first) {
    struct tokenizer *t = j->t;
    if (s.length == 0) return STATUS_OK;
    pieces_clear(&t->pieces);
    text_append_bytes(&t->pieces.text, s.data, s.length);
    pieces_add(&t->pieces, 0, s.length, is_first);
    enum status status = splitter_run(&t->splitters, &t->pieces, &t->spare_pieces, j->limit, j->e);
    for (size_t i = 0; status == STATUS_OK && i < t->pieces.count; i++)
        status = bpe_encode(&t->bpe, piece_span(&t->pieces, i), j->out, j->e);
    return status;
}

/* Text between two added tokens: normalised, then searched for the tokens that want that. */
static enum status encode_gap(const struct encoding_job *j, struct span s, int is_first) {
    struct tokenizer *t = j->t;
    if (s.length == 0) return STATUS_OK;
    if (t->normalizers.count) {
        t->normal.length = 0;
        text_append_bytes(&t->normal, s.data, s.length);
        enum status status = normalizer_run(&t->normalizers, &t->normal, &t->spare, j->limit, j->e);
        if (status != STATUS_OK) return status;
        s = span_of(t->normal.data, t->normal.length);
    }
    struct added_walk w = added_walk_start(s);
    while (added_walk_next(&t->added_normalized, &w)) {
        enum status status =
            encode_words(j, span_of(s.data + w.done, w.start - w.done), is_first && w.done == 0);
        if (status != STATUS_OK) return status;
        token_list_add(j->out, w.id);
        w.done = w.end;
    }
    return encode_words(j, span_of(s.data + w.done, s.length - w.done), is_first && w.done == 0);
}

static enum status encode_text(const struct encoding_job *j, struct span s) {
    struct added_walk w = added_walk_start(s);
    while (added_walk_next(&j->t->added, &w)) {
        enum status status = encode_gap(j, span_of(s.data + w.done, w.start - w.done), w.done == 0);
        if (status != STATUS_OK) return status;
        token_list_add(j->out, w.id);
        w.done = w.end;
    }
    return encode_gap(j, span_of(s.data + w.done, s.length - w.done), w.done == 0);
}

static struct span text_repair(struct tokenizer *t, struct span s) {
    if (s.length == 0 || utf8_is_valid(s)) return s;
    t->clean.length = 0;
    utf8_append_lossy(&t->clean, s);
    return span_of(t->clean.data, t->clean.length);
}

enum status tokenizer_encode(struct tokenizer *t, const char *text, size_t length, int with_special,
                             struct token_list *out, struct error *e) {
    if (length > PIECES_LIMIT / 4)
        return error_set(e, STATUS_INPUT, "a text of %zu bytes; at most %d fit, so cut it", length, PIECES_LIMIT / 4);
    size_t before = out->count;
    struct span s = text_repair(t, span_of(length ? text : "", length));
    struct encoding_job job = {t, text_growth_limit(s.length), out, e};
    for (size_t i = 0; with_special && i < t->before.count; i++) token_list_add(out, t->before.ids[i]);
    enum status status = encode_text(&job, s);
    for (size_t i = 0; with_special && i < t->after.count; i++) token_list_add(out, t->after.ids[i]);
    if (status != STATUS_OK) out->count = before;
    return status;
}

/* ---- ids to text ---- */

static enum status pieces_from_ids(struct tokenizer *t, const int32_t *ids, size_t n, int skip_special,
                                   struct error *e) {
    pieces_clear(&t->pieces);
    for (size_t i = 0; i < n; i++) {
        struct span s = tokenizer_token(t, ids[i]);
        if (!s.data)
            return error_set(e, STATUS_INPUT, "token %zu: the tokenizer has no id %d (its ids lie below %zu)", i,
                             (int)ids[i], t->n_ids);
        if (skip_special && t->is_special[ids[i]]) continue;
        pieces_add(&t->pieces, t->pieces.text.length, s.length, 0);
        text_append_bytes(&t->pieces.text, s.data, s.length);
        enum status status = text_growth_check(t->pieces.text.length, PIECES_LIMIT, e);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status tokenizer_decode(struct tokenizer *t, const int32_t *ids, size_t n, int skip_special,
                             struct text *out, struct error *e) {
    enum status s = pieces_from_ids(t, ids, n, skip_special, e);
    if (s != STATUS_OK) return s;
    size_t limit = text_growth_limit(t->pieces.text.length);
    s = token_decoder_run(&t->decoders, &t->pieces, &t->spare_pieces, limit, e);
    if (s != STATUS_OK) return s;
    for (size_t i = 0; i < t->pieces.count; i++) {
        struct span piece = piece_span(&t->pieces, i);
        if (i && t->joins_with_space) text_append_bytes(out, " ", 1);
        text_append_bytes(out, piece.data, piece.length);
    }
    if (!out->data) text_append_bytes(out, "", 0);
    return STATUS_OK;
}
