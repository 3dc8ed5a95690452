/* sample.c: the next token of each row.
 *
 * params (B, 4): temperature, top_k, top_p, unused. At temperature 0 the largest logit, the lowest index among
 * equals. Else softmax(logits / temperature), in falling order and ties by index; the first top_k of them (0: all),
 * then the shortest run of those that holds top_p of their sum; of that run the token where the cumulative sum
 * passes u, uniform in [0, 1) from the row's seed. */
#include <math.h>
#include <stdlib.h>

#include "kernels/base/random.h"
#include "kernels/reference/reference.h"

struct ranked {
    double weight;
    int32_t id;
};

static int likelier(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    return x->weight > y->weight ? -1 : x->weight < y->weight ? 1 : (x->id > y->id) - (x->id < y->id);
}

static int64_t argmax(const double *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best] || (isnan(x[best]) && !isnan(x[i]))) best = i;
    return best;
}

/* Candidates in falling order; what is no number has no chance. */
static void rank(const double *logits, int64_t n, double temperature, struct ranked *out) {
    double most = logits[argmax(logits, n)];
    for (int64_t i = 0; i < n; i++) {
        double weight = exp((logits[i] - most) / temperature);
        out[i] = (struct ranked){isnan(weight) ? 0 : weight, (int32_t)i};
    }
    qsort(out, (size_t)n, sizeof *out, likelier);
}

static int32_t draw(const struct ranked *r, int64_t n, double top_p, double u) {
    double whole = 0, sum = 0, at = 0;
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) whole += r[i].weight;
    while (kept < n && (kept == 0 || sum < top_p * whole)) sum += r[kept++].weight;
    for (int64_t i = 0; i < kept; i++)
        if ((at += r[i].weight) > u * sum) return r[i].id;
    return r[kept - 1].id;
}

static int32_t sample(const double *logits, int64_t n, const double *params, int64_t seed, struct ranked *scratch) {
    if (!(params[0] > 0)) return (int32_t)argmax(logits, n);
    int64_t top_k = params[1] > 0 && params[1] < (double)n ? (int64_t)params[1] : n;
    rank(logits, n, params[0], scratch);
    return draw(scratch, top_k, params[2], random_unit(random_mix((uint64_t)seed)));
}

enum status reference_sample(const struct reference_call *c) {
    int64_t rows = reference_in_dim(c, 0, 0), n = reference_in_dim(c, 0, 1);
    const double *logits = reference_in(c, 0), *params = reference_in(c, 1);
    const int64_t *seeds = c->q->whole[c->op->in[2]];
    int32_t *ids = c->q->whole[c->op->out[0]];
    struct ranked *scratch = mem_alloc((size_t)n * sizeof *scratch);
    for (int64_t r = 0; r < rows; r++) ids[r] = sample(logits + r * n, n, params + 4 * r, seeds[r], scratch);
    mem_free(scratch);
    return STATUS_OK;
}
