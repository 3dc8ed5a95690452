#include "optimizers/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void index_op(struct match *m, int i) {
    const struct op *op = &m->program->ops[i];
    for (int k = 0; k < op->n_in; k++) {
        m->n_users[op->in[k]]++;
        m->user[op->in[k]] = i;
    }
    for (int k = 0; k < op->n_out; k++) m->producer[op->out[k]] = i;
}

static void match_index(struct match *m) {
    size_t n = m->program->n_tensors;
    arena_free(&m->arena);
    m->producer = arena_alloc(&m->arena, n * sizeof(int));
    m->n_users = arena_alloc(&m->arena, n * sizeof(int));
    m->user = arena_alloc(&m->arena, n * sizeof(int));
    for (size_t t = 0; t < n; t++) m->producer[t] = m->user[t] = -1;
    for (size_t i = 0; i < m->program->n_ops; i++) index_op(m, (int)i);
}

void match_begin(struct match *m, struct program *p) {
    *m = (struct match){.program = p};
    match_index(m);
}

void match_end(struct match *m) { arena_free(&m->arena); }

int match_is_private(const struct match *m, int tensor) {
    const struct tensor *t = &m->program->tensors[tensor];
    return t->storage == STORAGE_ACTIVATION && !t->is_kept && m->n_users[tensor] == 1;
}

int match_next(const struct match *m, int op, int which, enum op_kind kind, int as) {
    int tensor = m->program->ops[op].out[which];
    if (!match_is_private(m, tensor)) return -1;
    int user = m->user[tensor];
    const struct op *next = &m->program->ops[user];
    if (next->kind != kind) return -1;
    if (as >= 0 && next->in[as] != tensor) return -1;
    return user;
}

static int compare_ints(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* The plain ops that the victims stand for, in order. */
static void cover(const struct program *p, const int *victims, int n, struct op *op) {
    op->n_covers = 0;
    for (int v = 0; v < n; v++) {
        const struct op *old = &p->ops[victims[v]];
        for (int i = 0; i < (old->n_covers ? old->n_covers : 1) && op->n_covers < OP_MAX_COVERS; i++)
            op->covers[op->n_covers++] = old->n_covers ? old->covers[i] : (uint8_t)old->kind;
    }
}

int match_replace(struct match *m, const int *victims, int n, int at, const struct op *op,
                  const struct rewrite_context *context, struct rewrite *out) {
    int sorted[OP_MAX_COVERS];
    struct op made = *op;
    memcpy(sorted, victims, (size_t)n * sizeof(int));
    qsort(sorted, (size_t)n, sizeof(int), compare_ints);
    cover(m->program, sorted, n, &made);
    int where = 0;
    while (sorted[where] != at) where++;
    struct error e = {0};
    out->found++;
    if (context && context->supports(context->self, m->program, &made, &e) != STATUS_OK) {
        if (out->refused++ == 0) snprintf(out->reason, sizeof out->reason, "%.250s", e.text);
        return 0;
    }
    program_replace(m->program, sorted, n, where, &made);
    out->replaced++;
    match_index(m);
    return 1;
}

void receipt_from_ops(const char *what, const struct rewrite *r, const struct executed *x,
                      int (*is_mine)(const struct op *op), struct receipt *out) {
    int64_t calls = 0, places = 0;
    for (int i = 0; i < x->n_ops; i++)
        if (is_mine(x->ops[i].op)) {
            places += x->ops[i].calls > 0;
            calls += x->ops[i].calls;
        }
    if (!x->is_complete) {
        out->kind = RECEIPT_IS_UNVERIFIED;
        snprintf(out->evidence, sizeof out->evidence, "the trace is incomplete; %lld executions of %s seen", (long long)calls, what);
    } else if (r->found == 0) {
        out->kind = RECEIPT_IS_NO_OP;
        snprintf(out->evidence, sizeof out->evidence, "no operation of the pipeline matches; %lld executions of %s seen", (long long)calls, what);
    } else if (r->refused > 0 || calls == 0) {
        out->kind = RECEIPT_IS_FALLBACK;
        snprintf(out->evidence, sizeof out->evidence, "%d of %d places stayed plain%s%.200s; %lld executions of %s seen",
                 r->found - r->replaced, r->found, r->reason[0] ? ": " : "", r->reason, (long long)calls, what);
    } else {
        out->kind = RECEIPT_IS_ENGAGED;
        snprintf(out->evidence, sizeof out->evidence, "%lld executions of %s at %lld places (%d rewritten)", (long long)calls, what,
                 (long long)places, r->replaced);
    }
}
