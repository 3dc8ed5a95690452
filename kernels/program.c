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

/* ---- building ---- */

static int add_tensor(struct program *p, const struct tensor *t) {
    LIST_GROW(p->tensors, p->n_tensors, p->tensor_capacity);
    p->tensors[p->n_tensors] = *t;
    p->tensors[p->n_tensors].name = arena_copy_string(&p->arena, t->name);
    return (int)p->n_tensors++;
}

int program_adopt(struct program *p, const struct tensor *t) {
    int index = add_tensor(p, t);
    size_t bytes = t->constant ? (size_t)t->dims[0].size * dtype_bytes(t->dtype) : 0;
    if (t->constant) p->tensors[index].constant = arena_copy_bytes(&p->arena, t->constant, bytes);
    return index;
}

void program_copy(const struct program *from, struct program *to) {
    program_init(to, from->name);
    memcpy(to->symbol_max, from->symbol_max, sizeof to->symbol_max);
    for (size_t i = 0; i < from->n_tensors; i++) program_adopt(to, &from->tensors[i]);
    for (size_t i = 0; i < from->n_ops; i++) {
        LIST_GROW(to->ops, to->n_ops, to->op_capacity);
        to->ops[to->n_ops++] = from->ops[i];
    }
}

static int add_shaped(struct program *p, const char *name, enum dtype t, enum storage storage, int n_dims,
                      const struct dim *dims) {
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
    struct tensor x = {.name = name, .dtype = t, .storage = STORAGE_WEIGHT, .recipe = recipe};
    x.n_dims = is_vector ? 1 : 2;
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
static void refuse_build(const struct program *p, const struct op_spec *s, const char *why) {
    fprintf(stderr, "assay: defect: program %s, op %zu (%s): %s\n", p->name, p->n_ops, op_table[s->kind].name, why);
    abort();
}

static void check_arity(const struct program *p, const struct op_spec *s) {
    const struct op_row *row = &op_table[s->kind];
    if (s->n_in < row->min_in || s->n_in > row->max_in) refuse_build(p, s, "wrong number of inputs");
    if (s->n_out < row->min_out || s->n_out > row->max_out) refuse_build(p, s, "wrong number of outputs");
    for (int i = 0; i < s->n_in; i++)
        if (s->in[i] < 0 || (size_t)s->in[i] >= p->n_tensors) refuse_build(p, s, "an input is no tensor of the program");
}

int program_append(struct program *p, const struct op_spec *s) {
    char why[320] = "";
    check_arity(p, s);
    struct op op = {.kind = s->kind, .n_in = (int16_t)s->n_in, .n_out = (int16_t)s->n_out, .place = s->place,
                    .category = s->category};
    memcpy(op.in, s->in, sizeof op.in);
    memcpy(op.f, s->f, sizeof op.f);
    memcpy(op.i, s->i, sizeof op.i);
    for (int i = 0; i < s->n_out; i++)
        op.out[i] = add_tensor(p, &(struct tensor){.name = s->names[i], .storage = STORAGE_ACTIVATION});
    if (!op_table[s->kind].infer(p, &op, why, sizeof why)) refuse_build(p, s, why);
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

/* More elements than any machine holds: larger products stop here, so that sums of bytes do not wrap. */
static const int64_t most_elements = (int64_t)1 << 46;

int64_t tensor_elements(const struct tensor *t, const int64_t *symbols) {
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(n, dim_value(t->dims[i], symbols), &n) || n > most_elements) n = most_elements;
    return n;
}

int64_t tensor_vector_length(const struct tensor *t) { return t->dims[t->n_dims - 1].size / t->vectors; }

size_t tensor_vector_bytes(const struct tensor *t) { return encoding_row_bytes(t->encoding, tensor_vector_length(t)); }

size_t tensor_row_bytes(const struct tensor *t) {
    return t->encoding ? (size_t)t->vectors * tensor_vector_bytes(t) : (size_t)t->dims[t->n_dims - 1].size * dtype_bytes(t->dtype);
}

size_t tensor_bytes(const struct tensor *t, const int64_t *symbols) {
    if (t->encoding) return (size_t)(tensor_elements(t, symbols) / t->dims[t->n_dims - 1].size) * tensor_row_bytes(t);
    return (size_t)tensor_elements(t, symbols) * dtype_bytes(t->dtype);
}
