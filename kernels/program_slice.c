/* program_slice.c: some layers of a program as a program of their own, and a program put into another. */
#include <string.h>

#include "kernels/program.h"

/* Which tensor of one program is which of another. */
struct mapping {
    const struct program *from;
    struct program *to;
    int *tensor;          /* from's tensor → to's, -1 */
};

static void mapping_begin(struct mapping *m, const struct program *from, struct program *to) {
    *m = (struct mapping){from, to, mem_alloc((from->n_tensors + 1) * sizeof(int))};
    for (size_t i = 0; i < from->n_tensors; i++) m->tensor[i] = -1;
}

static int map_tensor(struct mapping *m, int tensor) {
    if (m->tensor[tensor] < 0) m->tensor[tensor] = program_adopt(m->to, &m->from->tensors[tensor]);
    return m->tensor[tensor];
}

static struct op map_op(struct mapping *m, const struct op *op) {
    struct op copy = *op;
    for (int i = 0; i < op->n_in; i++) copy.in[i] = map_tensor(m, op->in[i]);
    for (int i = 0; i < op->n_out; i++) copy.out[i] = map_tensor(m, op->out[i]);
    return copy;
}

static int is_same_shape(const struct tensor *a, const struct tensor *b) {
    int same = a->dtype == b->dtype && a->n_dims == b->n_dims && a->encoding == b->encoding && a->vectors == b->vectors;
    for (int i = 0; same && i < a->n_dims; i++)
        same = a->dims[i].symbol == b->dims[i].symbol && a->dims[i].size == b->dims[i].size;
    return same;
}

/* ---- slicing ---- */

struct slice {
    const struct program *p;
    const char *name;
    char *is_inside;      /* of each op */
    int *producer;        /* of each tensor: the op that makes it, -1 */
    int *reads_as;        /* of each tensor: itself, or across a gap the one that the slice reads in its place */
    char *is_entry;       /* of each tensor: made outside, read inside, nothing to read in its place */
    char *is_exit;        /* of each tensor: made inside, read outside */
};

static int is_asked_for(const struct op *op, int with_embed, int first, int last, int with_head) {
    if (op->place.part == PART_EMBED) return with_embed;
    if (op->place.part == PART_HEAD) return with_head;
    return op->place.layer >= first && op->place.layer < last;
}

static void slice_begin(struct slice *s, const struct program *p) {
    size_t n = p->n_tensors + 1;
    s->p = p;
    s->is_inside = mem_alloc(p->n_ops + 1);
    s->producer = mem_alloc(n * sizeof(int));
    s->reads_as = mem_alloc(n * sizeof(int));
    s->is_entry = mem_alloc(n);
    s->is_exit = mem_alloc(n);
    for (size_t t = 0; t < p->n_tensors; t++) {
        s->producer[t] = -1;
        s->reads_as[t] = (int)t;
    }
    for (size_t i = 0; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_out; k++) s->producer[p->ops[i].out[k]] = (int)i;
}

static void slice_end(struct slice *s) {
    mem_free(s->is_inside);
    mem_free(s->producer);
    mem_free(s->reads_as);
    mem_free(s->is_entry);
    mem_free(s->is_exit);
}

/* Tensors made by ops [made_first, made_end) that ops [read_first, read_end), of those inside or of those outside,
 * read: their number, the first of them in *tensor. */
struct crossing {
    size_t made_first, made_end, read_first, read_end;
    int is_inside;
};

static int count_crossing(const struct slice *s, const struct crossing *c, int *tensor) {
    int n = 0;
    for (size_t i = c->read_first; i < c->read_end; i++)
        for (int k = 0; s->is_inside[i] == c->is_inside && k < s->p->ops[i].n_in; k++) {
            int t = s->p->ops[i].in[k], maker = s->producer[t];
            if (maker < 0 || (size_t)maker < c->made_first || (size_t)maker >= c->made_end) continue;
            if (s->is_inside[maker] == c->is_inside) continue;
            if (n == 0) *tensor = t;
            if (n == 0 || t != *tensor) n++;
        }
    return n;
}

/* The ops [first, end) are left out: what they read from before and what is read of them after must be one tensor
 * each, the residual. Where both exist the gap is bridged: what followed it reads what preceded it. */
static enum status close_gap(struct slice *s, size_t first, size_t end, struct error *e) {
    const struct program *p = s->p;
    int exit = -1, entry = -1;
    struct crossing into = {0, first, first, end, 0}, out_of = {first, end, end, p->n_ops, 1};
    int n_exit = count_crossing(s, &into, &exit), n_entry = count_crossing(s, &out_of, &entry);
    if (n_exit > 1 || n_entry > 1)
        return error_set(e, STATUS_UNSUPPORTED, "program %s cannot be cut into %s: %d tensors are read across op %zu and %d "
                         "across op %zu, where only the residual may be", p->name, s->name, n_exit, first, n_entry, end);
    if (n_exit) s->is_exit[exit] = 1;
    if (n_entry && !n_exit) s->is_entry[entry] = 1;
    if (!n_entry || !n_exit) return STATUS_OK;
    if (!is_same_shape(&p->tensors[exit], &p->tensors[entry]))
        return error_set(e, STATUS_UNSUPPORTED, "program %s cannot be cut into %s: '%s' cannot stand for '%s'", p->name, s->name,
                         p->tensors[exit].name, p->tensors[entry].name);
    s->reads_as[entry] = exit;
    return STATUS_OK;
}

static enum status close_gaps(struct slice *s, struct error *e) {
    enum status result = STATUS_OK;
    for (size_t i = 0; i < s->p->n_ops && result == STATUS_OK; i++) {
        if (s->is_inside[i]) continue;
        size_t end = i;
        while (end < s->p->n_ops && !s->is_inside[end]) end++;
        result = close_gap(s, i, end, e);
        i = end;
    }
    return result;
}

static void build_slice(const struct slice *s, struct program *out) {
    struct mapping m;
    program_init(out, s->name);
    memcpy(out->symbol_max, s->p->symbol_max, sizeof out->symbol_max);
    mapping_begin(&m, s->p, out);
    for (size_t i = 0; i < s->p->n_ops; i++) {
        if (!s->is_inside[i]) continue;
        struct op op = s->p->ops[i];
        for (int k = 0; k < op.n_in; k++) op.in[k] = s->reads_as[op.in[k]];
        op = map_op(&m, &op);
        LIST_GROW(out->ops, out->n_ops, out->op_capacity);
        out->ops[out->n_ops++] = op;
    }
    for (size_t t = 0; t < s->p->n_tensors; t++) {
        if (m.tensor[t] < 0) continue;
        if (s->is_entry[t]) out->tensors[m.tensor[t]].storage = STORAGE_INPUT;
        if (s->is_exit[t]) out->tensors[m.tensor[t]].storage = STORAGE_OUTPUT;
    }
    mem_free(m.tensor);
}

enum status program_slice(const struct program *p, const char *name, int with_embed, int first, int last, int with_head,
                          struct program *out, struct error *e) {
    struct slice s = {.name = name};
    slice_begin(&s, p);
    for (size_t i = 0; i < p->n_ops; i++)
        s.is_inside[i] = (char)is_asked_for(&p->ops[i], with_embed, first, last, with_head);
    enum status result = close_gaps(&s, e);
    if (result == STATUS_OK) build_slice(&s, out);
    slice_end(&s);
    return result;
}

/* ---- splicing ---- */

/* Inputs and states of the same name are the same tensor; so is `from` with `to`. */
static enum status bind_tensors(struct mapping *m, int to, int from, struct error *e) {
    const struct tensor *bound = &m->to->tensors[to], *given = &m->from->tensors[from];
    if (!is_same_shape(bound, given)) {
        char a[SHAPE_TEXT_BYTES], b[SHAPE_TEXT_BYTES];
        tensor_shape_text(given, a);
        tensor_shape_text(bound, b);
        return error_set(e, STATUS_INTERNAL, "'%s' %s of program %s cannot be '%s' %s of program %s", given->name, a,
                         m->from->name, bound->name, b, m->to->name);
    }
    m->tensor[from] = to;
    for (size_t t = 0; t < m->from->n_tensors; t++) {
        const struct tensor *own = &m->from->tensors[t];
        int same = m->tensor[t] < 0 && (own->storage == STORAGE_INPUT || own->storage == STORAGE_STATE) ? program_find(m->to, own->name) : -1;
        if (same >= 0 && is_same_shape(own, &m->to->tensors[same]) && own->storage == m->to->tensors[same].storage) m->tensor[t] = same;
    }
    return STATUS_OK;
}

static void insert_ops(struct mapping *m, size_t at) {
    struct program *p = m->to;
    size_t n = m->from->n_ops;
    for (size_t i = 0; i < n; i++) LIST_GROW(p->ops, p->n_ops + i, p->op_capacity);
    memmove(p->ops + at + n, p->ops + at, (p->n_ops - at) * sizeof *p->ops);
    for (size_t i = 0; i < n; i++) p->ops[at + i] = map_op(m, &m->from->ops[i]);
    p->n_ops += n;
}

enum status program_splice(struct program *p, int at, const struct program *part, int to, int from, int result,
                           struct error *e) {
    struct mapping m;
    mapping_begin(&m, part, p);
    enum status s = bind_tensors(&m, to, from, e);
    if (s == STATUS_OK && (at < 0 || (size_t)at > p->n_ops))
        s = error_set(e, STATUS_INTERNAL, "program %s has no op %d to splice %s before", p->name, at, part->name);
    if (s == STATUS_OK) {
        insert_ops(&m, (size_t)at);
        int made = map_tensor(&m, result), readers = 0;
        for (size_t i = (size_t)at + part->n_ops; i < p->n_ops; i++)
            for (int k = 0; k < p->ops[i].n_in; k++)
                if (p->ops[i].in[k] == to) {
                    p->ops[i].in[k] = made;
                    readers++;
                }
        /* What goes on in the program need not be read by the host. */
        if (readers && p->tensors[made].storage == STORAGE_OUTPUT) p->tensors[made].storage = STORAGE_ACTIVATION;
        for (int k = 0; k < SYMBOL_COUNT; k++)
            if (p->symbol_max[k] < part->symbol_max[k]) p->symbol_max[k] = part->symbol_max[k];
    }
    mem_free(m.tensor);
    return s;
}
