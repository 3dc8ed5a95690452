/* The merge tables: by rank and by score. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/random.h"
#include "workloads/tokenizer/bpe_merge.h"

enum status bpe_create(struct bpe *b, const struct vocabulary *v, struct error *e) {
    *b = (struct bpe){.vocabulary = v, .unknown = BPE_UNKNOWN_NONE};
    b->remembered = mem_try(BPE_REMEMBERED * sizeof *b->remembered);
    if (!b->remembered) return error_set(e, STATUS_NO_MEMORY, "no memory for the tokenizer's cache");
    for (int i = 0; i < 256; i++) {
        char name[8];
        int n = snprintf(name, sizeof name, "<0x%02X>", (unsigned)i & 255u);
        b->bytes[i] = vocabulary_find(v, span_of(name, (size_t)n));
    }
    return STATUS_OK;
}

void bpe_free(struct bpe *b) {
    mem_try_free(b->merges, (b->mask + 1) * sizeof *b->merges);
    if (b->vocabulary) mem_try_free(b->ranks, b->vocabulary->n_ids * sizeof *b->ranks);
    mem_try_free(b->remembered, BPE_REMEMBERED * sizeof *b->remembered);
    mem_free(b->symbols);
    mem_free(b->heap);
    text_free(&b->joined);
    *b = (struct bpe){0};
}

enum status bpe_reserve_merges(struct bpe *b, size_t count, struct error *e) {
    size_t slots = 16;
    while (slots < 2 * count) slots *= 2;
    b->merges = mem_try(slots * sizeof *b->merges);
    if (!b->merges) return error_set(e, STATUS_NO_MEMORY, "no memory for %zu merges", count);
    b->mask = slots - 1;
    for (size_t i = 0; i < slots; i++) b->merges[i].pair = BPE_NO_PAIR;
    return STATUS_OK;
}

static struct bpe_merge *merge_slot(const struct bpe *b, uint64_t pair) {
    for (size_t i = (size_t)random_mix(pair) & b->mask;; i = (i + 1) & b->mask)
        if (b->merges[i].pair == pair || b->merges[i].pair == BPE_NO_PAIR) return &b->merges[i];
}

static enum status no_token(struct span s, size_t index, struct error *e) {
    return error_set(e, STATUS_INPUT, "merge %zu: '%.*s' is no token of the vocabulary", index,
                     s.length < 80 ? (int)s.length : 80, s.data);
}

enum status bpe_add_merge(struct bpe *b, struct span left, struct span right, size_t index, struct error *e) {
    int32_t l = vocabulary_find(b->vocabulary, left), r = vocabulary_find(b->vocabulary, right);
    if (l < 0 || r < 0) return no_token(l < 0 ? left : right, index, e);
    struct span rest = right;
    if (b->prefix.length && b->prefix.length <= right.length)
        rest = span_of(right.data + b->prefix.length, right.length - b->prefix.length);
    b->joined.length = 0;
    text_append_bytes(&b->joined, left.data, left.length);
    text_append_bytes(&b->joined, rest.data, rest.length);
    struct span joined = span_of(b->joined.data, b->joined.length);
    int32_t id = vocabulary_find(b->vocabulary, joined);
    if (id < 0) return no_token(joined, index, e);
    uint64_t pair = (uint64_t)(uint32_t)l << 32 | (uint32_t)r;
    *merge_slot(b, pair) = (struct bpe_merge){pair, (uint32_t)index, id};
    return STATUS_OK;
}

static int falling_score(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

enum status bpe_set_scores(struct bpe *b, const float *scores, size_t n, struct error *e) {
    for (size_t i = 0; i < n; i++)
        if (isnan(scores[i])) return error_set(e, STATUS_INPUT, "the score of token %zu is not a number", i);
    b->ranks = mem_try((n ? n : 1) * sizeof *b->ranks);
    float *sorted = mem_try((n ? n : 1) * sizeof *sorted);
    if (!b->ranks || !sorted) {
        mem_try_free(sorted, n * sizeof *sorted);
        return error_set(e, STATUS_NO_MEMORY, "no memory for %zu scores", n);
    }
    if (n) memcpy(sorted, scores, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, falling_score);
    /* The rank of a score is how many scores lie above it: equal scores share a rank. */
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = n;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (sorted[middle] > scores[i]) low = middle + 1;
            else high = middle;
        }
        b->ranks[i] = (uint32_t)low;
    }
    mem_try_free(sorted, n * sizeof *sorted);
    return STATUS_OK;
}

int bpe_find_merge(const struct bpe *b, const struct bpe_symbol *left, const struct bpe_symbol *right,
                   const char *piece, struct bpe_found *found) {
    if (b->ranks) {
        /* Neighbours lie side by side in the piece. */
        int32_t id = vocabulary_find(b->vocabulary, span_of(piece + left->start, left->length + right->length));
        if (id < 0) return 0;
        *found = (struct bpe_found){b->ranks[id], id};
        return 1;
    }
    if (!b->merges) return 0;
    uint64_t pair = (uint64_t)(uint32_t)left->id << 32 | (uint32_t)right->id;
    const struct bpe_merge *m = merge_slot(b, pair);
    if (m->pair == BPE_NO_PAIR) return 0;
    *found = (struct bpe_found){m->rank, m->id};
    return 1;
}
