/* sample.c: choices and likelihoods from logits (R, V).
 *
 * Sampling goes through the tokens in falling probability (ties by index), cut to the top_k first, then to the
 * shortest run that holds top_p of what is left, and inverts the distribution at a uniform number drawn from the
 * row's seed. Tokens come from a heap, so only as many are put in order as the draw needs; the heap holds those
 * within REACH of the largest logit first, and the rest only if these run out. */
#include <math.h>

#include "kernels/base/random.h"
#include "kernels/cpu/cpu.h"

enum { REACH = 12 }; /* e^−12: a candidate's least weight against the best, in the first heap */

struct heap {
    const float *logits;
    int32_t *ids;            /* a binary heap: each is not behind its two followers */
    int64_t count, vocabulary;
    float least;             /* logits at or above are in the heap or were; those below are not yet */
    int has_rest;
};

static int is_before(const struct heap *h, int32_t a, int32_t b) {
    return h->logits[a] > h->logits[b] || (h->logits[a] == h->logits[b] && a < b);
}

static void sift(struct heap *h, int64_t at) {
    int32_t moved = h->ids[at];
    for (;;) {
        int64_t next = 2 * at + 1;
        if (next >= h->count) break;
        if (next + 1 < h->count && is_before(h, h->ids[next + 1], h->ids[next])) next++;
        if (!is_before(h, h->ids[next], moved)) break;
        h->ids[at] = h->ids[next];
        at = next;
    }
    h->ids[at] = moved;
}

/* Logits that are no numbers are never candidates. */
static void heap_fill(struct heap *h, int want_rest) {
    h->count = 0;
    for (int64_t i = 0; i < h->vocabulary; i++)
        if (want_rest ? h->logits[i] < h->least : h->logits[i] >= h->least) h->ids[h->count++] = (int32_t)i;
    for (int64_t i = h->count / 2; i-- > 0;) sift(h, i);
    h->has_rest = !want_rest;
}

/* The next token in falling probability; -1 when all are gone. */
static int32_t heap_pop(struct heap *h) {
    if (h->count == 0 && h->has_rest) heap_fill(h, 1);
    if (h->count == 0) return -1;
    int32_t top = h->ids[0];
    h->ids[0] = h->ids[--h->count];
    if (h->count > 0) sift(h, 0);
    return top;
}

struct draw {
    struct heap heap;
    double temperature, top_p, whole; /* whole: weight of all that top_k leaves */
    float most;
    int64_t kept;
};

static double weight_of(const struct draw *d, int32_t id) { return exp(((double)d->heap.logits[id] - (double)d->most) / d->temperature); }

/* Walks the run that top_k and top_p leave; stops where its weight passes `limit`. Returns the last token seen. */
static int32_t walk(struct draw *d, double limit, double *sum) {
    int32_t last = -1;
    double top = 0;
    heap_fill(&d->heap, 0);
    for (int64_t n = 0; n < d->kept && (n == 0 || top < d->top_p * d->whole); n++) {
        int32_t id = heap_pop(&d->heap);
        if (id < 0) break;
        last = id;
        top += weight_of(d, id);
        if (top > limit) break;
    }
    *sum = top;
    return last;
}

static int32_t draw_token(struct draw *d, uint64_t seed) {
    double top_p = d->top_p, sum, reached;
    if (d->kept < d->heap.vocabulary) { /* whole is the weight of the first top_k: walk them all once */
        d->top_p = 1;
        d->whole = INFINITY;
        walk(d, INFINITY, &sum);
        d->top_p = top_p;
        d->whole = sum;
    }
    sum = d->whole;
    if (d->top_p < 1) walk(d, INFINITY, &sum);
    return walk(d, random_unit(random_mix(seed)) * sum, &reached);
}

static int32_t sample_row(const struct cpu_call *c, const void *x, enum dtype t, int64_t width, const float *params, int64_t seed) {
    const struct isa_kernels *isa = cpu_isa(c);
    int32_t best = (int32_t)isa->argmax(t, x, width);
    if (!(params[0] > 0)) return best;
    float *logits = cpu_scratch(c);
    isa->to_f32(t, x, logits, width);
    int64_t top_k = params[1] > 0 && params[1] < (float)width ? (int64_t)params[1] : width;
    struct draw d = {
        .heap = {.logits = logits, .ids = (int32_t *)(void *)(logits + width), .vocabulary = width, .least = logits[best] - REACH * params[0]},
        .temperature = (double)params[0], .top_p = (double)params[2], .most = logits[best], .kept = top_k};
    if (top_k == width) d.whole = isa->sum_exp(DTYPE_F32, logits, logits[best], 1 / params[0], width);
    int32_t chosen = draw_token(&d, (uint64_t)seed);
    return chosen < 0 ? best : chosen;
}

void cpu_sample(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    const float *params = cpu_in(c, 1);
    const int64_t *seeds = cpu_in(c, 2);
    int32_t *y = cpu_out(c, 0);
    int64_t width = cpu_dim(c, x, 1), first, last;
    cpu_slice(cpu_dim(c, x, 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) y[r] = sample_row(c, cpu_at(cpu_in(c, 0), x->dtype, r * width), x->dtype, width, params + 4 * r, seeds[r]);
}

static float one(enum dtype t, const void *x, int64_t i) {
    if (t == DTYPE_F32) return ((const float *)x)[i];
    uint16_t h = ((const uint16_t *)x)[i];
    return t == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

/* −log p(target) = max + log Σ exp(x − max) − x[target]; a negative target has no loss. */
void cpu_nll(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    const int32_t *targets = cpu_in(c, 1);
    float *y = cpu_out(c, 0);
    int64_t width = cpu_dim(c, x, 1), first, last;
    cpu_slice(cpu_dim(c, x, 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) {
        const void *row = cpu_at(cpu_in(c, 0), x->dtype, r * width);
        y[r] = 0;
        if (targets[r] < 0) continue;
        if (targets[r] >= width) {
            cpu_fault(c, STATUS_INPUT, "target %d is outside the vocabulary (%lld)", targets[r], (long long)width);
            continue;
        }
        float most = one(x->dtype, row, cpu_isa(c)->argmax(x->dtype, row, width));
        double sum = cpu_isa(c)->sum_exp(x->dtype, row, most, 1, width);
        y[r] = (float)((double)most + log(sum) - (double)one(x->dtype, row, targets[r]));
    }
}
