#include "results/stats/multiplicity.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/base/memory.h"

struct ranked {
    double p;
    size_t index;
};

static int ranked_order(const void *left, const void *right) {
    const struct ranked *a = left, *b = right;
    if (a->p != b->p) return a->p < b->p ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The p that are numbers, ascending; the others are copied through. */
static struct ranked *rank_values(const double *p, size_t n, double *adjusted, size_t *count) {
    struct ranked *ranks = mem_alloc(n * sizeof *ranks);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(p[i])) adjusted[i] = NAN;
        else ranks[(*count)++] = (struct ranked){p[i], i};
    }
    if (*count > 1) qsort(ranks, *count, sizeof *ranks, ranked_order);
    return ranks;
}

void adjust_holm(const double *p, size_t n, double *adjusted) {
    size_t count;
    struct ranked *ranks = rank_values(p, n, adjusted, &count);
    double highest = 0.0;
    for (size_t r = 0; r < count; r++) { /* step down: never below what a smaller p got */
        highest = fmax(highest, fmin(1.0, ranks[r].p * (double)(count - r)));
        adjusted[ranks[r].index] = highest;
    }
    mem_free(ranks);
}

/* Step up: p_(r) * count * penalty / r, never above what a larger p got. */
static void adjust_step_up(const double *p, size_t n, int any_dependence, double *adjusted) {
    size_t count;
    struct ranked *ranks = rank_values(p, n, adjusted, &count);
    double penalty = any_dependence ? 0.0 : 1.0;
    for (size_t r = 1; any_dependence && r <= count; r++) penalty += 1.0 / (double)r;
    double lowest = 1.0;
    for (size_t r = count; r > 0; r--) {
        lowest = fmin(lowest, ranks[r - 1].p * (double)count * penalty / (double)r);
        adjusted[ranks[r - 1].index] = lowest;
    }
    mem_free(ranks);
}

void adjust_benjamini_hochberg(const double *p, size_t n, double *adjusted) { adjust_step_up(p, n, 0, adjusted); }
void adjust_benjamini_yekutieli(const double *p, size_t n, double *adjusted) { adjust_step_up(p, n, 1, adjusted); }
