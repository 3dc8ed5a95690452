#include "optimizers/weights.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

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

struct edited {
    struct {
        uint64_t hash;
        const struct recipe *recipe;
    } *recipes;
    size_t n, capacity;
};

struct editing {
    struct arena *arena;               /* the pipeline's */
    struct edited *edited;
    struct program *program;
    const struct op *op;
    enum dtype dtype;
    const char *skip;
    weight_edit *edit;
    void *self;
    struct error *e;
};

/* One object a recipe, whatever number of programs use it: what a device finds of it (settled, counted) is known to all. */
static const struct recipe *only_one(struct editing *k, const struct recipe *r) {
    struct edited *l = k->edited;
    uint64_t hash = recipe_hash(r);
    for (size_t i = 0; i < l->n; i++)
        if (l->recipes[i].hash == hash && l->recipes[i].recipe->group == r->group) return l->recipes[i].recipe;
    LIST_GROW(l->recipes, l->n, l->capacity);
    l->recipes[l->n].hash = hash;
    return l->recipes[l->n++].recipe = r;
}

/* The recipe with its leaves edited; itself where none was, NULL after an error. */
static const struct recipe *edit_recipe(struct editing *k, const struct recipe *r) {
    const struct recipe *parts[RECIPE_MAX_PARTS];
    int is_changed = 0;
    if (r->kind != RECIPE_CONCAT) return weight_is_skipped(k->skip, k->program, k->op, r) ? r : k->edit(k->self, k->arena, r, k->dtype, k->e);
    for (int i = 0; i < r->n_parts; i++) {
        parts[i] = edit_recipe(k, r->parts[i]);
        if (!parts[i]) return NULL;
        is_changed |= parts[i] != r->parts[i];
    }
    return is_changed ? recipe_in_group(k->arena, recipe_concat(k->arena, parts, r->n_parts), r->group) : r;
}

static enum status edit_op(struct editing *k, const struct rewrite_context *context, struct rewrite *out) {
    struct tensor *w = &k->program->tensors[k->op->in[1]];
    const struct recipe *before = w->recipe, *after = before ? edit_recipe(k, before) : NULL;
    struct error why = {0};
    if (before && !after && k->e->status != STATUS_UNSUPPORTED) return k->e->status;
    if (before && !after) {
        out->found++;
        if (out->refused++ == 0) snprintf(out->reason, sizeof out->reason, "%.250s", k->e->text);
        *k->e = (struct error){0};
        return STATUS_OK;
    }
    if (after == before) return STATUS_OK;
    out->found++;
    w->recipe = after = only_one(k, after);
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
    struct edited edited = {0};
    enum status s = STATUS_OK;
    for (int i = 0; i < p->n_programs; i++) {
        struct program *program = &p->programs[i];
        for (size_t k = 0; k < program->n_ops && s == STATUS_OK; k++) {
            struct editing editing = {&p->arena, &edited, program, &program->ops[k], DTYPE_F32, skip, edit, self, e};
            if (!op_is_linear(editing.op)) continue;
            editing.dtype = program->tensors[editing.op->in[1]].dtype;
            s = edit_op(&editing, context, out);
        }
    }
    mem_free(edited.recipes);
    return s;
}

/* ---- the receipt ---- */

/* "int8_row + bitmap_int8": the encodings that ran, each once. */
static void name_encodings(const struct executed *x, int (*is_mine)(const struct recipe *r), char *out, size_t bytes) {
    size_t at = 0;
    snprintf(out, bytes, "codes");
    for (int i = 0; i < x->n_ops; i++) {
        const struct op *op = x->ops[i].op;
        const struct recipe *w = op_is_linear(op) && x->ops[i].calls > 0 ? x->ops[i].program->tensors[op->in[1]].recipe : NULL, *step = w ? recipe_find(w, is_mine) : NULL;
        if (!step || !step->encoding || (at && strstr(out, step->encoding->name)) || at >= bytes) continue;
        at += (size_t)snprintf(out + at, bytes - at, "%s%s%s", at ? " + " : "", step->encoding->name, step->input_bits ? " met by rows in 8 bits" : "");
    }
}

void receipt_from_weights(const char *what, const struct rewrite *r, const struct executed *x, int (*is_mine)(const struct recipe *r), struct receipt *out) {
    int64_t calls = 0;
    int places = 0;
    char names[160];
    if (!what) name_encodings(x, is_mine, names, sizeof names);
    double stored = 0, plain = 0;
    for (int i = 0; i < x->n_ops; i++) {
        const struct op *op = x->ops[i].op;
        const struct tensor *w = op_is_linear(op) ? &x->ops[i].program->tensors[op->in[1]] : NULL;
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
             (long long)calls, what ? what : names, places, plain > 0 ? stored / plain : 1, r->replaced, r->found, r->reason[0] ? ": " : "", r->reason);
}
