/* program_slice.c: parts of a program as a program, and a program put into another. */
#include <string.h>

#include "kernels/program.h"

struct mapping {
    const struct program *from;
    struct program *to;
    int *tensor;          /* from's tensor → to's, -1 */
};

static int map_tensor(struct mapping *m, int tensor) {
    if (m->tensor[tensor] >= 0) return m->tensor[tensor];
    struct program *p = m->to;
    LIST_GROW(p->tensors, p->n_tensors, p->tensor_capacity);
    p->tensors[p->n_tensors] = m->from->tensors[tensor];
    p->tensors[p->n_tensors].name = arena_copy_string(&p->arena, m->from->tensors[tensor].name);
    return m->tensor[tensor] = (int)p->n_tensors++;
}

static struct op map_op(struct mapping *m, const struct op *op) {
    struct op copy = *op;
    for (int i = 0; i < op->n_in; i++) copy.in[i] = map_tensor(m, op->in[i]);
    for (int i = 0; i < op->n_out; i++) copy.out[i] = map_tensor(m, op->out[i]);
    return copy;
}

static void mapping_begin(struct mapping *m, const struct program *from, struct program *to) {
    *m = (struct mapping){from, to, mem_alloc((from->n_tensors + 1) * sizeof(int))};
    for (size_t i = 0; i < from->n_tensors; i++) m->tensor[i] = -1;
}

static int is_inside(const struct op *op, int with_embed, int first, int last, int with_head) {
    if (op->place.part == PART_EMBED) return with_embed;
    if (op->place.part == PART_HEAD) return with_head;
    return op->place.layer >= first && op->place.layer < last;
}

/* Tensors made on one side of the slice's edge and read on the other. */
static int crosses_in(const struct program *p, const char *inside, int tensor) {
    int producer = program_producer(p, tensor);
    return producer >= 0 && !inside[producer];
}

static int leaves(const struct program *p, const char *inside, int tensor) {
    for (size_t i = 0; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_in; k++)
            if (p->ops[i].in[k] == tensor && !inside[i]) return 1;
    return 0;
}

static void add_once(int *list, int *n, int tensor) {
    for (int i = 0; i < *n && i < 2; i++)
        if (list[i] == tensor) return;
    if (*n < 2) list[*n] = tensor;
    (*n)++;
}

enum status program_slice(const struct program *p, const char *name, int with_embed, int first, int last, int with_head,
                          struct program *out, struct error *e) {
    struct mapping m;
    int entering[2], leaving[2], n_in = 0, n_out = 0;
    char *inside = mem_alloc(p->n_ops + 1);
    program_init(out, name);
    memcpy(out->symbol_max, p->symbol_max, sizeof out->symbol_max);
    mapping_begin(&m, p, out);
    for (size_t i = 0; i < p->n_ops; i++) inside[i] = (char)is_inside(&p->ops[i], with_embed, first, last, with_head);
    for (size_t i = 0; i < p->n_ops; i++) {
        if (!inside[i]) continue;
        for (int k = 0; k < p->ops[i].n_in; k++)
            if (crosses_in(p, inside, p->ops[i].in[k])) add_once(entering, &n_in, p->ops[i].in[k]);
        for (int k = 0; k < p->ops[i].n_out; k++)
            if (leaves(p, inside, p->ops[i].out[k])) add_once(leaving, &n_out, p->ops[i].out[k]);
        struct op copy = map_op(&m, &p->ops[i]);
        LIST_GROW(out->ops, out->n_ops, out->op_capacity);
        out->ops[out->n_ops++] = copy;
    }
    enum status s = STATUS_OK;
    if (n_in > 1 || n_out > 1)
        s = error_set(e, STATUS_UNSUPPORTED, "program %s cannot be sliced at layers %d to %d: %d tensors enter and %d leave, one may", p->name, first, last, n_in, n_out);
    if (n_in == 1) out->tensors[m.tensor[entering[0]]].storage = STORAGE_INPUT;
    if (n_out == 1) out->tensors[m.tensor[leaving[0]]].storage = STORAGE_OUTPUT;
    mem_free(m.tensor);
    mem_free(inside);
    if (s != STATUS_OK) program_free(out);
    return s;
}

enum status program_splice(struct program *p, int at, const struct program *part, int to, int from, int result, struct error *e) {
    struct mapping m;
    if (part->tensors[from].dtype != p->tensors[to].dtype || part->tensors[from].n_dims != p->tensors[to].n_dims)
        return error_set(e, STATUS_INTERNAL, "'%s' of %s does not fit '%s' of %s", part->tensors[from].name, part->name, p->tensors[to].name, p->name);
    mapping_begin(&m, part, p);
    m.tensor[from] = to;
    for (size_t t = 0; t < part->n_tensors; t++) { /* inputs and states of the same name are the same tensor */
        int same = program_find(p, part->tensors[t].name);
        enum storage storage = part->tensors[t].storage;
        if (m.tensor[t] < 0 && same >= 0 && (storage == STORAGE_INPUT || storage == STORAGE_STATE)) m.tensor[t] = same;
    }
    size_t n = part->n_ops, tail = p->n_ops - (size_t)at;
    while (p->op_capacity < p->n_ops + n) p->ops = mem_grow(p->ops, p->op_capacity, &p->op_capacity, sizeof *p->ops);
    memmove(p->ops + (size_t)at + n, p->ops + at, tail * sizeof *p->ops);
    for (size_t i = 0; i < n; i++) {
        struct op op = map_op(&m, &part->ops[i]);
        p->ops[(size_t)at + i] = op;
    }
    p->n_ops += n;
    int made = m.tensor[result];
    if (p->tensors[made].storage == STORAGE_OUTPUT) p->tensors[made].storage = STORAGE_ACTIVATION;
    for (size_t i = (size_t)at + n; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_in; k++)
            if (p->ops[i].in[k] == to) p->ops[i].in[k] = made;
    mem_free(m.tensor);
    return STATUS_OK;
}
