#include "workloads/tokenizer/bpe.h"

#include <string.h>

#include "kernels/base/random.h"
#include "workloads/tokenizer/bpe_merge.h"

static void symbol_add(struct bpe *b, int32_t id, size_t start, size_t length) {
    LIST_GROW(b->symbols, b->n_symbols, b->symbol_capacity);
    int32_t i = (int32_t)b->n_symbols++;
    b->symbols[i] = (struct bpe_symbol){id, i - 1, i + 1, (uint32_t)start, (uint32_t)length};
}

/* ---- characters to symbols ---- */

/* An unknown run waits: the reference emits it only before the next known character (and so after the byte
 * tokens that may follow it). */
struct unknown_run {
    int is_waiting;
    size_t start, length;
};

static void unknown_flush(struct bpe *b, struct unknown_run *u) {
    if (u->is_waiting) symbol_add(b, b->unknown, u->start, u->length);
    u->is_waiting = 0;
}

static enum status unknown_add(struct bpe *b, struct unknown_run *u, size_t start, size_t length, struct error *e) {
    if (b->unknown == BPE_UNKNOWN_NONE) return STATUS_OK;
    if (b->unknown == BPE_UNKNOWN_MISSING)
        return error_set(e, STATUS_INPUT, "a character has no token, and the tokenizer's unk_token is not in its "
                         "vocabulary");
    if (u->is_waiting && b->is_unknown_fused) {
        u->length += length;
        return STATUS_OK;
    }
    unknown_flush(b, u);
    *u = (struct unknown_run){1, start, length};
    return STATUS_OK;
}

/* All bytes as tokens, or none. */
static int byte_tokens_add(struct bpe *b, struct span s, size_t start) {
    for (size_t i = 0; i < s.length; i++)
        if (b->bytes[(uint8_t)s.data[i]] < 0) return 0;
    for (size_t i = 0; i < s.length; i++) symbol_add(b, b->bytes[(uint8_t)s.data[i]], start, 1);
    return 1;
}

/* The character as the vocabulary spells it: with the prefix of inner ones, the suffix of the last. */
static struct span spell(struct bpe *b, struct span piece, size_t at, size_t used) {
    int has_prefix = at > 0 && b->prefix.length, has_suffix = at + used == piece.length && b->suffix.length;
    if (!has_prefix && !has_suffix) return span_of(piece.data + at, used);
    b->joined.length = 0;
    if (has_prefix) text_append_bytes(&b->joined, b->prefix.data, b->prefix.length);
    text_append_bytes(&b->joined, piece.data + at, used);
    if (has_suffix) text_append_bytes(&b->joined, b->suffix.data, b->suffix.length);
    return span_of(b->joined.data, b->joined.length);
}

static enum status symbols_by_rank(struct bpe *b, struct span piece, struct error *e) {
    struct unknown_run unknown = {0};
    for (size_t at = 0, used; at < piece.length; at += used) {
        utf8_next(piece.data + at, piece.length - at, &used);
        struct span s = spell(b, piece, at, used);
        int32_t id = vocabulary_find(b->vocabulary, s);
        if (id >= 0) {
            unknown_flush(b, &unknown);
            symbol_add(b, id, at, used);
        } else if (!b->has_byte_fallback || !byte_tokens_add(b, s, at)) {
            enum status status = unknown_add(b, &unknown, at, used, e);
            if (status != STATUS_OK) return status;
        }
    }
    unknown_flush(b, &unknown);
    return STATUS_OK;
}

static void symbols_by_score(struct bpe *b, struct span piece) {
    for (size_t at = 0, used; at < piece.length; at += used) {
        utf8_next(piece.data + at, piece.length - at, &used);
        symbol_add(b, vocabulary_find(b->vocabulary, span_of(piece.data + at, used)), at, used);
    }
}

/* ---- merging: a binary heap of candidates; stale ones are recognised when they come up ---- */

static void sift_down(struct bpe *b, size_t at) {
    struct bpe_candidate moving = b->heap[at];
    for (size_t child; (child = 2 * at + 1) < b->n_heap; at = child) {
        if (child + 1 < b->n_heap && b->heap[child + 1].key < b->heap[child].key) child++;
        if (b->heap[child].key >= moving.key) break;
        b->heap[at] = b->heap[child];
    }
    b->heap[at] = moving;
}

static void sift_up(struct bpe *b, size_t at) {
    struct bpe_candidate moving = b->heap[at];
    for (; at > 0 && b->heap[(at - 1) / 2].key > moving.key; at = (at - 1) / 2) b->heap[at] = b->heap[(at - 1) / 2];
    b->heap[at] = moving;
}

static int candidate_add(struct bpe *b, int32_t left, const char *piece) {
    const struct bpe_symbol *s = &b->symbols[left];
    struct bpe_found found;
    if (s->next < 0 || !bpe_find_merge(b, s, &b->symbols[s->next], piece, &found)) return 0;
    LIST_GROW(b->heap, b->n_heap, b->heap_capacity);
    b->heap[b->n_heap++] = (struct bpe_candidate){(uint64_t)found.rank << 32 | (uint32_t)left, found.id};
    return 1;
}

static struct bpe_candidate candidate_take(struct bpe *b) {
    struct bpe_candidate top = b->heap[0];
    b->heap[0] = b->heap[--b->n_heap];
    if (b->n_heap) sift_down(b, 0);
    return top;
}

/* Joins a symbol with its right neighbour. */
static void symbol_merge(struct bpe *b, int32_t left, int32_t id) {
    struct bpe_symbol *l = &b->symbols[left], *r = &b->symbols[l->next];
    l->id = id;
    l->length += r->length;
    l->next = r->next;
    r->length = 0;
    if (l->next >= 0) b->symbols[l->next].previous = left;
}

static void merge_all(struct bpe *b, const char *piece) {
    b->n_heap = 0;
    for (size_t i = 0; i < b->n_symbols; i++) candidate_add(b, (int32_t)i, piece);
    for (size_t i = b->n_heap / 2; i-- > 0;) sift_down(b, i);
    while (b->n_heap) {
        struct bpe_candidate top = candidate_take(b);
        int32_t left = (int32_t)(uint32_t)top.key;
        struct bpe_symbol *s = &b->symbols[left];
        struct bpe_found now;
        if (s->length == 0 || s->next < 0) continue;
        /* Compared by what it makes, not by rank, as the reference does. */
        if (!bpe_find_merge(b, s, &b->symbols[s->next], piece, &now) || now.id != top.id) continue;
        symbol_merge(b, left, top.id);
        if (s->previous >= 0 && candidate_add(b, s->previous, piece)) sift_up(b, b->n_heap - 1);
        if (candidate_add(b, left, piece)) sift_up(b, b->n_heap - 1);
    }
}

/* ---- symbols to ids ---- */

static void id_add(struct token_list *out, int32_t id) {
    LIST_GROW(out->ids, out->count, out->capacity);
    out->ids[out->count++] = id;
}

/* By score a character without token falls back to its bytes, else to the unknown token. */
static enum status fallback_add(const struct bpe *b, struct span s, struct token_list *out, struct error *e) {
    int has_all = b->has_byte_fallback;
    for (size_t i = 0; has_all && i < s.length; i++) has_all = b->bytes[(uint8_t)s.data[i]] >= 0;
    for (size_t i = 0; has_all && i < s.length; i++) id_add(out, b->bytes[(uint8_t)s.data[i]]);
    if (has_all) return STATUS_OK;
    if (b->unknown < 0)
        return error_set(e, STATUS_INPUT, "a character has no token, and the tokenizer has no unknown token");
    id_add(out, b->unknown);
    return STATUS_OK;
}

static enum status encode_anew(struct bpe *b, struct span piece, struct token_list *out, struct error *e) {
    b->n_symbols = 0;
    enum status s = STATUS_OK;
    if (b->ranks) symbols_by_score(b, piece);
    else s = symbols_by_rank(b, piece, e);
    if (s != STATUS_OK || b->n_symbols == 0) return s;
    b->symbols[b->n_symbols - 1].next = -1;
    merge_all(b, piece.data);
    for (int32_t i = 0; s == STATUS_OK && i >= 0; i = b->symbols[i].next) {
        const struct bpe_symbol *symbol = &b->symbols[i];
        if (symbol->id >= 0) id_add(out, symbol->id);
        else s = fallback_add(b, span_of(piece.data + symbol->start, symbol->length), out, e);
    }
    return s;
}

enum status bpe_encode(struct bpe *b, struct span piece, struct token_list *out, struct error *e) {
    if (piece.length == 0) return STATUS_OK;
    if (b->ignores_merges) {
        int32_t id = vocabulary_find(b->vocabulary, piece);
        if (id >= 0) {
            id_add(out, id);
            return STATUS_OK;
        }
    }
    if (piece.length > BPE_REMEMBERED_BYTES) return encode_anew(b, piece, out, e);
    struct bpe_remembered *r = &b->remembered[hash_bytes(0, piece.data, piece.length) % BPE_REMEMBERED];
    if (span_equal(span_of(r->text, r->length), piece)) {
        for (int i = 0; i < r->n_ids; i++) id_add(out, r->ids[i]);
        return STATUS_OK;
    }
    size_t before = out->count;
    enum status s = encode_anew(b, piece, out, e);
    size_t n = out->count - before;
    if (s != STATUS_OK || n > BPE_REMEMBERED_IDS) return s;
    r->length = (uint8_t)piece.length;
    r->n_ids = (uint8_t)n;
    memcpy(r->text, piece.data, piece.length);
    if (n) memcpy(r->ids, out->ids + before, n * sizeof *r->ids);
    return s;
}
