/* program_plan.c: activation memory from liveness. Largest first, each at the lowest offset where it overlaps no
 * tensor that lives at the same time. */
#include <stdlib.h>
#include <string.h>

#include "kernels/program.h"

enum { ALIGN_BYTES = 64 };

struct life {
    int tensor, first, last;
    size_t bytes, offset;
};

static size_t find_lives(const struct program *p, struct life *lives) {
    int *at = mem_alloc((p->n_tensors + 1) * sizeof *at); /* 1 + index in lives; 0: none */
    size_t n = 0;
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct op *op = &p->ops[i];
        for (int k = 0; k < op->n_out; k++) {
            const struct tensor *t = &p->tensors[op->out[k]];
            size_t bytes = (tensor_bytes(t, p->symbol_max) + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
            /* Kept: read after any op, so nothing shares with it; an output must reach the end. */
            int lasts = t->storage == STORAGE_OUTPUT || t->is_kept;
            lives[n] = (struct life){.tensor = op->out[k], .first = t->is_kept ? 0 : (int)i,
                                     .last = lasts ? (int)p->n_ops : (int)i, .bytes = bytes};
            at[op->out[k]] = (int)++n;
        }
        for (int k = 0; k < op->n_in; k++)
            if (at[op->in[k]] && lives[at[op->in[k]] - 1].last < (int)i) lives[at[op->in[k]] - 1].last = (int)i;
    }
    mem_free(at);
    return n;
}

static int larger_first(const void *a, const void *b) {
    const struct life *x = a, *y = b;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes ? 1 : x->tensor - y->tensor;
}

static int overlaps(const struct life *a, const struct life *b) { return a->first <= b->last && b->first <= a->last; }

/* The placed lives are kept sorted by offset, so one walk finds the lowest gap. */
static size_t place(struct life **placed, size_t n, struct life *x) {
    size_t offset = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        if (!overlaps(placed[i], x)) continue;
        if (placed[i]->offset >= offset + x->bytes) break;
        if (placed[i]->offset + placed[i]->bytes > offset) offset = placed[i]->offset + placed[i]->bytes;
    }
    x->offset = offset;
    while (at < n && placed[at]->offset <= offset) at++;
    memmove(placed + at + 1, placed + at, (n - at) * sizeof(struct life *));
    placed[at] = x;
    return offset + x->bytes;
}

size_t program_plan(const struct program *p, size_t *offsets) {
    size_t total = 0;
    struct life *lives = mem_alloc((p->n_tensors + 1) * sizeof *lives);
    struct life **placed = mem_alloc((p->n_tensors + 1) * sizeof(struct life *));
    for (size_t t = 0; t < p->n_tensors; t++) offsets[t] = SIZE_MAX;
    size_t n = find_lives(p, lives);
    qsort(lives, n, sizeof *lives, larger_first);
    for (size_t i = 0; i < n; i++) {
        size_t end = place(placed, i, &lives[i]);
        offsets[lives[i].tensor] = lives[i].offset;
        if (end > total) total = end;
    }
    mem_free(lives);
    mem_free(placed);
    return total;
}
