#include "kernels/program.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const char *symbol_name(enum symbol s) {
    static const char *const names[] = {"R", "S", "B"};
    return s == SYMBOL_NONE ? "-" : names[s];
}

const char *storage_name(enum storage s) {
    static const char *const names[] = {"weight", "activation", "state", "constant", "input", "output"};
    return names[s];
}

void program_init(struct program *p, const char *name) {
    *p = (struct program){0};
    p->name = arena_copy_string(&p->arena, name);
}

void program_free(struct program *p) {
    mem_free(p->tensors);
    mem_free(p->ops);
    arena_free(&p->arena);
    *p = (struct program){0};
}

void program_copy(const struct program *from, struct program *to) {
    program_init(to, from->name);
    memcpy(to->symbol_max, from->symbol_max, sizeof to->symbol_max);
    for (size_t i = 0; i < from->n_tensors; i++) {
        const struct tensor *t = &from->tensors[i];
        LIST_GROW(to->tensors, to->n_tensors, to->tensor_capacity);
        struct tensor *copy = &to->tensors[to->n_tensors++];
        *copy = *t;
        copy->name = arena_copy_string(&to->arena, t->name);
        if (t->constant) copy->constant = arena_copy_bytes(&to->arena, t->constant, (size_t)t->dims[0].size * dtype_bytes(t->dtype));
    }
    for (size_t i = 0; i < from->n_ops; i++) {
        LIST_GROW(to->ops, to->n_ops, to->op_capacity);
        to->ops[to->n_ops++] = from->ops[i];
    }
}

/* ---- building ---- */

static int add_tensor(struct program *p, const struct tensor *t) {
    LIST_GROW(p->tensors, p->n_tensors, p->tensor_capacity);
    p->tensors[p->n_tensors] = *t;
    p->tensors[p->n_tensors].name = arena_copy_string(&p->arena, t->name);
    return (int)p->n_tensors++;
}

static int add_shaped(struct program *p, const char *name, enum dtype t, enum storage storage, int n_dims, const struct dim *dims) {
    struct tensor x = {.name = name, .dtype = t, .storage = storage, .n_dims = n_dims};
    memcpy(x.dims, dims, (size_t)n_dims * sizeof *dims);
    return add_tensor(p, &x);
}

int program_input(struct program *p, const char *name, enum dtype t, int n_dims, const struct dim *dims) {
    return add_shaped(p, name, t, STORAGE_INPUT, n_dims, dims);
}

int program_state(struct program *p, const char *name, enum dtype t, int n_dims, const struct dim *dims) {
    return add_shaped(p, name, t, STORAGE_STATE, n_dims, dims);
}

int program_weight(struct program *p, const char *name, enum dtype t, const struct recipe *recipe, int is_vector) {
    struct tensor x = {.name = name, .dtype = t, .storage = STORAGE_WEIGHT, .recipe = recipe, .n_dims = is_vector ? 1 : 2};
    x.dims[0] = dim_of(is_vector ? recipe->rows * recipe->cols : recipe->rows);
    if (!is_vector) x.dims[1] = dim_of(recipe->cols);
    return add_tensor(p, &x);
}

int program_constant(struct program *p, const char *name, enum dtype t, int64_t n, const void *data) {
    struct tensor x = {.name = name, .dtype = t, .storage = STORAGE_CONSTANT, .n_dims = 1, .dims = {dim_of(n)}};
    x.constant = arena_copy_bytes(&p->arena, data, (size_t)n * dtype_bytes(t));
    return add_tensor(p, &x);
}

void program_output(struct program *p, int tensor) {
    assert(p->tensors[tensor].storage == STORAGE_ACTIVATION);
    p->tensors[tensor].storage = STORAGE_OUTPUT;
}

int program_find(const struct program *p, const char *name) {
    for (size_t i = 0; i < p->n_tensors; i++)
        if (strcmp(p->tensors[i].name, name) == 0) return (int)i;
    return -1;
}

/* A program that does not fit is a defect of whoever builds it, and no result of it could be trusted. */
static void refuse_build(const struct program *p, const struct op *op, const char *why) {
    fprintf(stderr, "assay: defect: program %s, op %zu (%s): %s\n", p->name, p->n_ops, op_table[op->kind].name, why);
    abort();
}

int program_append(struct program *p, const struct op_spec *s) {
    char why[256] = "";
    const struct op_row *row = &op_table[s->kind];
    struct op op = {.kind = s->kind, .n_in = (int16_t)s->n_in, .n_out = (int16_t)s->n_out, .place = s->place, .category = s->category};
    memcpy(op.in, s->in, sizeof op.in);
    memcpy(op.f, s->f, sizeof op.f);
    memcpy(op.i, s->i, sizeof op.i);
    for (int i = 0; i < s->n_out; i++) op.out[i] = add_tensor(p, &(struct tensor){.name = s->names[i], .storage = STORAGE_ACTIVATION});
    if (s->n_in < row->min_in || s->n_in > row->max_in || s->n_out < row->min_out || s->n_out > row->max_out)
        refuse_build(p, &op, "wrong number of inputs or outputs");
    if (!row->infer(p, &op, why, sizeof why)) refuse_build(p, &op, why);
    LIST_GROW(p->ops, p->n_ops, p->op_capacity);
    p->ops[p->n_ops++] = op;
    return s->n_out ? op.out[0] : -1;
}

/* ---- looking and replacing ---- */

int program_consumers(const struct program *p, int tensor, int *ops, int max) {
    int n = 0;
    for (size_t i = 0; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_in; k++)
            if (p->ops[i].in[k] == tensor) {
                if (n < max) ops[n] = (int)i;
                n++;
                break;
            }
    return n;
}

int program_producer(const struct program *p, int tensor) {
    for (size_t i = 0; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_out; k++)
            if (p->ops[i].out[k] == tensor) return (int)i;
    return -1;
}

void program_replace(struct program *p, const int *victims, int n_victims, int at, const struct op *op) {
    struct op made = *op; /* may be one of the victims */
    size_t to = 0;
    for (size_t i = 0; i < p->n_ops; i++) {
        int v = 0;
        while (v < n_victims && victims[v] != (int)i) v++;
        if (v == n_victims) p->ops[to++] = p->ops[i];
        else if (v == at) p->ops[to++] = made;
    }
    p->n_ops = to;
}

/* ---- sizes ---- */

int64_t tensor_elements(const struct tensor *t, const int64_t *symbols) {
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++) n *= dim_value(t->dims[i], symbols);
    return n;
}

size_t tensor_bytes(const struct tensor *t, const int64_t *symbols) {
    return (size_t)tensor_elements(t, symbols) * dtype_bytes(t->dtype);
}

/* ---- validation ---- */

static enum status check_op(const struct program *p, size_t i, const char *is_defined, const char *is_written, struct error *e) {
    const struct op *op = &p->ops[i];
    const char *name = op_table[op->kind].name;
    char why[256] = "";
    for (int k = 0; k < op->n_in + op->n_out; k++) {
        int t = k < op->n_in ? op->in[k] : op->out[k - op->n_in];
        if (t < 0 || (size_t)t >= p->n_tensors) return error_set(e, STATUS_INTERNAL, "op %zu (%s) names tensor %d of %zu", i, name, t, p->n_tensors);
    }
    for (int k = 0; k < op->n_in; k++)
        if (!is_defined[op->in[k]]) return error_set(e, STATUS_INTERNAL, "op %zu (%s) uses '%s' before it is defined", i, name, p->tensors[op->in[k]].name);
    for (int k = 0; k < op->n_out; k++) {
        const struct tensor *t = &p->tensors[op->out[k]];
        if (is_written[op->out[k]]) return error_set(e, STATUS_INTERNAL, "op %zu (%s) writes '%s', which another op writes", i, name, t->name);
        if (t->storage != STORAGE_ACTIVATION && t->storage != STORAGE_OUTPUT)
            return error_set(e, STATUS_INTERNAL, "op %zu (%s) writes '%s', a %s", i, name, t->name, storage_name(t->storage));
        for (int j = 0; j < op->n_in; j++)
            if (op->in[j] == op->out[k]) return error_set(e, STATUS_INTERNAL, "op %zu (%s) writes '%s' while it reads it", i, name, t->name);
    }
    /* Inference again: the outputs must be what the program says they are. */
    struct tensor said[OP_MAX_OUT];
    struct program *q = (struct program *)(uintptr_t)p; /* put back below */
    struct op copy = *op;
    for (int k = 0; k < op->n_out; k++) said[k] = p->tensors[op->out[k]];
    int fits = op_table[op->kind].infer(q, &copy, why, sizeof why);
    for (int k = 0; k < op->n_out; k++) {
        struct tensor *t = &q->tensors[op->out[k]];
        fits = fits && memcmp(t->dims, said[k].dims, sizeof t->dims) == 0 && t->dtype == said[k].dtype;
        *t = said[k];
    }
    if (!fits) return error_set(e, STATUS_INTERNAL, "op %zu (%s): %s", i, name, why[0] ? why : "an output has another shape or type than follows from its inputs");
    return STATUS_OK;
}

enum status program_validate(const struct program *p, struct error *e) {
    char *is_defined = mem_alloc(p->n_tensors + 1), *is_written = mem_alloc(p->n_tensors + 1);
    enum status s = STATUS_OK;
    for (size_t t = 0; t < p->n_tensors; t++) is_defined[t] = p->tensors[t].storage != STORAGE_ACTIVATION && p->tensors[t].storage != STORAGE_OUTPUT;
    for (size_t i = 0; i < p->n_ops && s == STATUS_OK; i++) {
        s = check_op(p, i, is_defined, is_written, e);
        for (int k = 0; s == STATUS_OK && k < p->ops[i].n_out; k++) is_defined[p->ops[i].out[k]] = is_written[p->ops[i].out[k]] = 1;
    }
    mem_free(is_defined);
    mem_free(is_written);
    return s;
}
