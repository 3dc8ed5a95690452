#include "optimizers/caches.h"

#include <stdio.h>
#include <string.h>

/* ---- which tensors they are ---- */

/* The cache that input k of the op is; NULL where it is none. */
static const struct tensor *cache_at(const struct program *p, const struct op *op, int k) {
    int first, last;
    op_caches(op, &first, &last);
    return k >= first && k < last ? &p->tensors[op->in[k]] : NULL;
}

static int touches_cache(const struct op *op) {
    int first, last;
    op_caches(op, &first, &last);
    return last > first;
}

/* Key-value heads of the caches that the op touches; 0 where it knows of none. */
static int32_t heads_of(const struct op *op) { return touches_cache(op) && op->kind != OP_KV_WRITE ? op->i[1] : 0; }

/* Key-value heads of a cache, by its name from whichever program says; 0: none does. */
static int32_t heads_of_cache(const struct pipeline *p, const char *name) {
    for (int i = 0; i < p->n_programs; i++) {
        const struct program *program = &p->programs[i];
        for (size_t k = 0; k < program->n_ops; k++)
            for (int in = 0; in < program->ops[k].n_in; in++) {
                const struct tensor *t = cache_at(program, &program->ops[k], in);
                if (t && heads_of(&program->ops[k]) && strcmp(t->name, name) == 0) return heads_of(&program->ops[k]);
            }
    }
    return 0;
}

/* ---- editing ---- */

/* All of them, or with encoding NULL: dense again. Programs share states by name, so a name has one encoding in all. */
static void set_all(struct pipeline *p, const struct encoding *encoding) {
    for (int i = 0; i < p->n_programs; i++)
        for (size_t k = 0; k < p->programs[i].n_tensors; k++) {
            struct tensor *t = &p->programs[i].tensors[k];
            int32_t heads = t->storage == STORAGE_STATE && encoding ? heads_of_cache(p, t->name) : 0;
            if (t->storage != STORAGE_STATE) continue;
            t->encoding = heads ? encoding : NULL;
            t->vectors = heads;
        }
}

/* Every use of an encoded state must be one that can: a cache of the op, on this device. */
static enum status check_op(const struct program *p, const struct op *op, const struct rewrite_context *context, struct error *why) {
    for (int k = 0; k < op->n_in; k++) {
        const struct tensor *t = &p->tensors[op->in[k]];
        if (t->encoding && !cache_at(p, op, k))
            return error_set(why, STATUS_UNSUPPORTED, "%s reads '%s', which only attention may", op_table[op->kind].name, t->name);
    }
    return context && touches_cache(op) ? context->supports(context->self, p, op, why) : STATUS_OK;
}

void caches_encode(struct pipeline *p, const struct encoding *encoding, const struct rewrite_context *context, struct rewrite *out) {
    int found = 0, refused = 0;
    struct error why = {0};
    set_all(p, encoding);
    for (int i = 0; i < p->n_programs; i++)
        for (size_t k = 0; k < p->programs[i].n_ops; k++) {
            const struct op *op = &p->programs[i].ops[k];
            found += touches_cache(op);
            if (!refused && check_op(&p->programs[i], op, context, &why) != STATUS_OK) refused = 1;
        }
    out->found += found;
    if (!refused) {
        out->replaced += found;
        return;
    }
    set_all(p, NULL);
    if (out->refused == 0) snprintf(out->reason, sizeof out->reason, "%.250s", why.text);
    out->refused += found;
}

/* ---- the receipt ---- */

struct cache_use {
    int64_t calls;
    int places;
    double stored, plain;              /* bytes */
    const struct program *counted;     /* programs share their caches: those that one of them writes are all */
};

static void add_cache(struct cache_use *u, const struct program *p, const struct tensor *t) {
    if (u->counted && u->counted != p) return;
    u->counted = p;
    u->stored += (double)tensor_bytes(t, p->symbol_max);
    u->plain += (double)tensor_elements(t, p->symbol_max) * (double)dtype_bytes(t->dtype);
}

static void add_op(struct cache_use *u, const struct executed_op *x) {
    int is_mine = 0;
    for (int k = 0; k < x->op->n_in; k++) {
        const struct tensor *t = cache_at(x->program, x->op, k);
        if (!t || !t->encoding) continue;
        is_mine = 1;
        if (op_writes_caches(x->op)) add_cache(u, x->program, t);
    }
    u->calls += is_mine ? x->calls : 0;
    u->places += is_mine;
}

int caches_in_use(const struct executed *x, char *evidence, size_t bytes) {
    struct cache_use u = {0};
    for (int i = 0; i < x->n_ops; i++)
        if (x->ops[i].calls > 0) add_op(&u, &x->ops[i]);
    snprintf(evidence, bytes, "%lld executions over encoded caches at %d places, which take %.4g MB for %.4g", (long long)u.calls, u.places, u.stored / 1e6, u.plain / 1e6);
    return u.calls > 0;
}
