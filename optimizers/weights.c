#include "optimizers/weights.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

int weights_op_is_linear(const struct op *op) { return op->kind == OP_LINEAR || op->kind == OP_LINEAR_SWIGLU; }

static int last_layer(const struct program *p) {
    int last = -1;
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].place.part == PART_LAYER && p->ops[i].place.layer > last) last = p->ops[i].place.layer;
    return last;
}

static int matches(const char *item, const struct program *p, const struct op *op, const struct recipe *leaf) {
    int is_in_layer = op->place.part == PART_LAYER;
    if (strcmp(item, "none") == 0) return 0;
    if (strcmp(item, "head") == 0) return op->place.part == PART_HEAD;
    if (strcmp(item, "first") == 0) return is_in_layer && op->place.layer == 0;
    if (strcmp(item, "last") == 0) return is_in_layer && op->place.layer == last_layer(p);
    return fnmatch(item, recipe_name(leaf), 0) == 0;
}

int weight_is_skipped(const char *skip, const struct program *p, const struct op *op, const struct recipe *leaf) {
    char item[128];
    for (const char *at = skip; at; at = strchr(at, '+') ? strchr(at, '+') + 1 : NULL) {
        snprintf(item, sizeof item, "%.*s", (int)strcspn(at, "+"), at);
        if (matches(item, p, op, leaf)) return 1;
    }
    return 0;
}

/* ---- editing ---- */

struct editing {
    struct program *program;
    const struct op *op;
    enum dtype dtype;
    const char *skip;
    weight_edit *edit;
    void *self;
    const struct recipe *stored;       /* a part that another optimizer has stored in its own way */
    struct error *e;
};

/* The recipe with its leaves edited; itself where none was, NULL after an error. */
static const struct recipe *edit_recipe(struct editing *k, const struct recipe *r) {
    const struct recipe *parts[RECIPE_MAX_PARTS];
    int is_changed = 0;
    if (r->kind == RECIPE_ENCODE) { /* by another, before */
        k->stored = r;
        return r;
    }
    if (r->kind != RECIPE_CONCAT) return weight_is_skipped(k->skip, k->program, k->op, r) ? r : k->edit(k->self, &k->program->arena, r, k->dtype, k->e);
    for (int i = 0; i < r->n_parts; i++) {
        parts[i] = edit_recipe(k, r->parts[i]);
        if (!parts[i]) return NULL;
        is_changed |= parts[i] != r->parts[i];
    }
    return is_changed ? recipe_in_group(&k->program->arena, recipe_concat(&k->program->arena, parts, r->n_parts), r->group) : r;
}

static enum status edit_op(struct editing *k, const struct rewrite_context *context, struct rewrite *out) {
    struct tensor *w = &k->program->tensors[k->op->in[1]];
    const struct recipe *before = w->recipe, *after = before ? edit_recipe(k, before) : NULL;
    struct error why = {0};
    if (before && !after) return k->e->status;
    if (k->stored) {
        out->found++;
        if (out->refused++ == 0) snprintf(out->reason, sizeof out->reason, "'%.100s' is stored as %s already", recipe_name(k->stored), k->stored->encoding->name);
        return STATUS_OK;
    }
    if (after == before) return STATUS_OK;
    out->found++;
    w->recipe = after;
    if (!context || context->supports(context->self, k->program, k->op, &why) == STATUS_OK) {
        out->replaced++;
        return STATUS_OK;
    }
    w->recipe = before;
    if (out->refused++ == 0) snprintf(out->reason, sizeof out->reason, "%.250s", why.text);
    return STATUS_OK;
}

enum status weights_edit(struct pipeline *p, const char *skip, weight_edit *edit, void *self, const struct rewrite_context *context, struct rewrite *out,
                         struct error *e) {
    for (int i = 0; i < p->n_programs; i++) {
        struct program *program = &p->programs[i];
        for (size_t k = 0; k < program->n_ops; k++) {
            struct editing editing = {program, &program->ops[k], DTYPE_F32, skip, edit, self, NULL, e};
            if (!weights_op_is_linear(editing.op)) continue;
            editing.dtype = program->tensors[editing.op->in[1]].dtype;
            enum status s = edit_op(&editing, context, out);
            if (s != STATUS_OK) return s;
        }
    }
    return STATUS_OK;
}

/* ---- the receipt ---- */

void receipt_from_weights(const char *what, const struct rewrite *r, const struct executed *x, int (*is_mine)(const struct recipe *r), struct receipt *out) {
    int64_t calls = 0;
    int places = 0;
    double stored = 0, plain = 0;
    for (int i = 0; i < x->n_ops; i++) {
        const struct op *op = x->ops[i].op;
        const struct tensor *w = weights_op_is_linear(op) ? &x->ops[i].program->tensors[op->in[1]] : NULL;
        if (!w || !w->recipe || !recipe_find(w->recipe, is_mine) || x->ops[i].calls == 0) continue;
        calls += x->ops[i].calls;
        places++;
        stored += recipe_stored_bytes(w->recipe, w->dtype);
        plain += (double)w->recipe->rows * (double)w->recipe->cols * (double)dtype_bytes(w->dtype);
    }
    if (!x->is_complete) out->kind = RECEIPT_IS_UNVERIFIED;
    else if (r->refused > 0) out->kind = RECEIPT_IS_FALLBACK;
    else out->kind = calls > 0 ? RECEIPT_IS_ENGAGED : RECEIPT_IS_NO_OP;
    snprintf(out->evidence, sizeof out->evidence, "%lld executions of linear operations over %s at %d places, their weights %.3g of what they took (%d of %d rewritten)%s%.200s",
             (long long)calls, what, places, plain > 0 ? stored / plain : 1, r->replaced, r->found, r->reason[0] ? ": " : "", r->reason);
}
