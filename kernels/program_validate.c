/* program_validate.c: what must hold before a program runs. A failure is a defect of a builder or an optimizer, so
 * every one is INTERNAL and names the op and the tensor. */
#include <string.h>

#include "kernels/program.h"

struct check {
    const struct program *p;
    struct program again;      /* tensors copied, for inference to write into */
    char *is_defined;          /* of each tensor, so far: has a value */
    int *home;                 /* of each tensor: the device that made it or holds it; -1: any */
    size_t at;                 /* the op now looked at */
    struct error *e;
};

#define FAIL(c, op, ...) fail((c), (op), mem_printf(__VA_ARGS__))

/* Takes the text. */
static enum status fail(struct check *c, const struct op *op, char *text) {
    const char *name = (unsigned)op->kind < OP_KIND_COUNT ? op_table[op->kind].name : "?";
    error_set(c->e, STATUS_INTERNAL, "program %s, op %zu (%s) %s", c->p->name, c->at, name, text);
    mem_free(text);
    return STATUS_INTERNAL;
}

static const struct tensor *tensor(const struct check *c, int t) { return &c->p->tensors[t]; }

/* The encodings of states are for operations that take caches; all others read dense numbers. */
static enum status check_encoded(struct check *c, const struct op *op) {
    int first, last;
    op_caches(op, &first, &last);
    for (int k = 0; k < op->n_in; k++) {
        const struct tensor *t = tensor(c, op->in[k]);
        if (!t->encoding) continue;
        if (k < first || k >= last) return FAIL(c, op, "reads '%s', which is stored as %s, as if it were dense", t->name, t->encoding->name);
        struct dim width = t->dims[t->n_dims > 0 ? t->n_dims - 1 : 0];
        if (t->n_dims < 1 || t->vectors <= 0 || width.symbol != SYMBOL_NONE || width.size % t->vectors || width.size / t->vectors % t->encoding->block ||
            t->encoding->row_bytes)
            return FAIL(c, op, "reads '%s', whose rows cannot be %lld vectors of %s", t->name, (long long)t->vectors, t->encoding->name);
    }
    return STATUS_OK;
}

static enum status check_arity(struct check *c, const struct op *op) {
    if ((unsigned)op->kind >= OP_KIND_COUNT) return FAIL(c, op, "has no known kind");
    const struct op_row *row = &op_table[op->kind];
    if (op->n_in < row->min_in || op->n_in > row->max_in || op->n_out < row->min_out || op->n_out > row->max_out)
        return FAIL(c, op, "has %d inputs and %d outputs", op->n_in, op->n_out);
    for (int k = 0; k < op->n_in + op->n_out; k++) {
        int t = k < op->n_in ? op->in[k] : op->out[k - op->n_in];
        if (t < 0 || (size_t)t >= c->p->n_tensors) return FAIL(c, op, "names tensor %d of %zu", t, c->p->n_tensors);
    }
    if ((unsigned)op->category >= CATEGORY_COUNT) return FAIL(c, op, "has no ledger category");
    return STATUS_OK;
}

static enum status check_inputs(struct check *c, const struct op *op) {
    int first, last;
    op_caches(op, &first, &last);
    for (int k = 0; k < op->n_in; k++) {
        const struct tensor *t = tensor(c, op->in[k]);
        if (!c->is_defined[op->in[k]]) return FAIL(c, op, "uses '%s' before it is defined", t->name);
        if (t->storage == STORAGE_WEIGHT && !t->recipe) return FAIL(c, op, "reads '%s', a weight without a recipe", t->name);
        if (c->home[op->in[k]] >= 0 && c->home[op->in[k]] != op->device)
            return FAIL(c, op, "on device %d uses '%s', which is on device %d; a copy is missing", op->device, t->name,
                        c->home[op->in[k]]);
        for (int j = first; j < last && op_writes_caches(op); j++)
            if (j != k && op->in[j] == op->in[k]) return FAIL(c, op, "writes '%s' in place while it reads it", t->name);
    }
    return STATUS_OK;
}

static enum status check_outputs(struct check *c, const struct op *op) {
    for (int k = 0; k < op->n_out; k++) {
        const struct tensor *t = tensor(c, op->out[k]);
        if (t->storage != STORAGE_ACTIVATION && t->storage != STORAGE_OUTPUT)
            return FAIL(c, op, "writes '%s', which is of kind %s", t->name, storage_name(t->storage));
        if (c->is_defined[op->out[k]]) return FAIL(c, op, "writes '%s', which another op writes", t->name);
        for (int j = 0; j < k; j++)
            if (op->out[j] == op->out[k]) return FAIL(c, op, "writes '%s' twice", t->name);
        for (int j = 0; j < op->n_in; j++)
            if (op->in[j] == op->out[k]) return FAIL(c, op, "writes '%s' while it reads it", t->name);
    }
    return STATUS_OK;
}

static int is_same_shape(const struct tensor *a, const struct tensor *b) {
    if (a->dtype != b->dtype || a->n_dims != b->n_dims) return 0;
    for (int i = 0; i < a->n_dims; i++)
        if (a->dims[i].symbol != b->dims[i].symbol || a->dims[i].size != b->dims[i].size) return 0;
    return 1;
}

/* Inference again: the outputs must be what the program says they are. */
static enum status check_shapes(struct check *c, const struct op *op) {
    char why[320] = "";
    struct op copy = *op;
    if (!op_table[op->kind].infer(&c->again, &copy, why, sizeof why)) return FAIL(c, op, "does not fit: %s", why);
    for (int k = 0; k < op->n_out; k++) {
        const struct tensor *is = tensor(c, op->out[k]), *follows = &c->again.tensors[op->out[k]];
        if (is_same_shape(is, follows)) continue;
        char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
        tensor_shape_text(is, a);
        tensor_shape_text(follows, b);
        return FAIL(c, op, "gives '%s' as %s, but %s follows from its inputs", is->name, a, b);
    }
    return STATUS_OK;
}

/* States belong to the device that first touches them; outputs to the device where the op puts them. */
static void define(struct check *c, const struct op *op) {
    for (int k = 0; k < op->n_in; k++)
        if (tensor(c, op->in[k])->storage == STORAGE_STATE) c->home[op->in[k]] = op->device;
    for (int k = 0; k < op->n_out; k++) {
        c->is_defined[op->out[k]] = 1;
        c->home[op->out[k]] = op->kind == OP_COPY ? op->i[0] : op->device;
    }
}

static enum status check_op(struct check *c, const struct op *op) {
    enum status s = check_arity(c, op);
    if (s == STATUS_OK) s = check_inputs(c, op);
    if (s == STATUS_OK) s = check_encoded(c, op);
    if (s == STATUS_OK) s = check_outputs(c, op);
    if (s == STATUS_OK) s = check_shapes(c, op);
    if (s == STATUS_OK) define(c, op);
    return s;
}

/* The host and the device find inputs and states by name. */
static enum status check_names(const struct program *p, struct error *e) {
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct tensor *t = &p->tensors[i];
        if (t->storage != STORAGE_INPUT && t->storage != STORAGE_STATE) continue;
        for (size_t k = 0; k < i; k++)
            if (p->tensors[k].storage == t->storage && strcmp(p->tensors[k].name, t->name) == 0)
                return error_set(e, STATUS_INTERNAL, "program %s has two %ss called '%s'", p->name, storage_name(t->storage), t->name);
    }
    return STATUS_OK;
}

enum status program_validate(const struct program *p, struct error *e) {
    size_t n = p->n_tensors + 1;
    struct check c = {.p = p, .again = *p, .is_defined = mem_alloc(n), .home = mem_alloc(n * sizeof(int)), .e = e};
    c.again.tensors = mem_alloc(n * sizeof *p->tensors);
    for (size_t t = 0; t < p->n_tensors; t++) {
        c.again.tensors[t] = p->tensors[t];
        c.is_defined[t] = p->tensors[t].storage != STORAGE_ACTIVATION && p->tensors[t].storage != STORAGE_OUTPUT;
        c.home[t] = -1;
    }
    enum status s = check_names(p, e);
    for (c.at = 0; c.at < p->n_ops && s == STATUS_OK; c.at++) s = check_op(&c, &p->ops[c.at]);
    mem_free(c.again.tensors);
    mem_free(c.is_defined);
    mem_free(c.home);
    return s;
}
