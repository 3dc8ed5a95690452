/* prepare.c: a program made ready: its weights on the device, its tensors' places, room for its operations. */
#include <string.h>

#include "kernels/cuda/cuda.h"

enum { ALIGN_BYTES = 256 };
static size_t aligned(size_t n) { return (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES; }

/* ---- states: one for each name, shared by the device's programs ---- */

static int has_layout(const struct cuda_state *s, const struct tensor *t, const int64_t *most) {
    for (int i = 0; i < t->n_dims; i++)
        if (s->dims[i] != dim_value(t->dims[i], most)) return 0;
    return s->dtype == t->dtype;
}

static enum status find_state(struct cuda_device *d, const struct tensor *t, const int64_t *most, void **out, struct error *e) {
    for (size_t i = 0; i < d->n_states; i++) {
        if (strcmp(d->states[i].name, t->name) != 0) continue;
        *out = d->states[i].data;
        if (has_layout(&d->states[i], t, most)) return STATUS_OK;
        return error_set(e, STATUS_INTERNAL, "state '%s' has another shape or type than in the program prepared before", t->name);
    }
    size_t bytes = tensor_bytes(t, most);
    void *data = NULL;
    int code = d->rt->allocate(&data, bytes);
    if (code == 0) code = d->rt->fill(data, 0, bytes, d->stream);
    if (code != 0) {
        cuda_free(d, data);
        enum status s = cuda_error(d, code, "allocating it", e);
        return error_prefix(e, "state '%s' (%zu bytes)", t->name, bytes), s;
    }
    LIST_GROW(d->states, d->n_states, d->state_capacity);
    struct cuda_state *s = &d->states[d->n_states++];
    *s = (struct cuda_state){.name = mem_copy_string(t->name), .dtype = t->dtype, .data = data, .bytes = bytes};
    for (int i = 0; i < t->n_dims; i++) s->dims[i] = dim_value(t->dims[i], most);
    *out = data;
    return STATUS_OK;
}

/* ---- inputs and constants: one block, and its mirror on the host ---- */

static int lies_in_block(const struct tensor *t) { return t->storage == STORAGE_INPUT || t->storage == STORAGE_CONSTANT; }

static enum status place_inputs(struct cuda_prepared *q, struct error *e) {
    const struct program *p = q->head.program;
    struct cuda_device *d = q->device;
    size_t at = 0;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (lies_in_block(&p->tensors[i])) at += aligned(tensor_bytes(&p->tensors[i], p->symbol_max));
    int code = d->rt->allocate((void **)&q->inputs, at);
    if (code == 0) code = d->rt->allocate_host((void **)&q->mirror, at);
    if (code != 0) return cuda_error(d, code, "allocating inputs", e);
    q->input_bytes = q->dirty_to = at;
    d->input_bytes += at;
    memset(q->mirror, 0, at);
    at = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct tensor *t = &p->tensors[i];
        if (!lies_in_block(t)) continue;
        q->data[i] = q->inputs + at;
        if (t->storage == STORAGE_CONSTANT) memcpy(q->mirror + at, t->constant, tensor_bytes(t, p->symbol_max));
        at += aligned(tensor_bytes(t, p->symbol_max));
    }
    return STATUS_OK;
}

static enum status place_states(struct cuda_prepared *q, struct error *e) {
    const struct program *p = q->head.program;
    enum status s = STATUS_OK;
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++)
        if (p->tensors[i].storage == STORAGE_STATE) s = find_state(q->device, &p->tensors[i], p->symbol_max, &q->data[i], e);
    return s;
}

/* ---- operations ---- */

/* Which input is a matrix, the frequencies; -1 for none. */
static int matrix_input(const struct op *op) { return op->kind == OP_EMBED ? 0 : op_is_linear(op) ? 1 : -1; }
static int freq_input(const struct op *op) { return op->kind == OP_ROPE ? 2 : op->kind == OP_ROPE_KV_WRITE ? 5 : -1; }

/* The library wants a bias in the output's type, ours in f32. */
static enum status make_bias(struct cuda_prepared *q, struct cuda_op *o, const struct weight_source *source, struct error *e) {
    const struct program *p = q->head.program;
    enum dtype t = p->tensors[o->op->out[0]].dtype;
    struct cuda_weight *w;
    enum status s = cuda_weight_get(q->device, p->tensors[o->op->in[2]].recipe, t, 1, source, &w, e);
    if (s == STATUS_OK) o->bias = w;
    return s;
}

static enum status get_operands(struct cuda_prepared *q, struct cuda_op *o, const struct weight_source *source, struct error *e) {
    const struct program *p = q->head.program;
    int matrix = matrix_input(o->op), freq = freq_input(o->op), first, last;
    enum status s = STATUS_OK;
    if (matrix >= 0) {
        const struct tensor *t = &p->tensors[o->op->in[matrix]];
        s = cuda_weight_get(q->device, t->recipe, t->dtype, 0, source, &o->weight, e);
    }
    op_vectors(o->op, &first, &last);
    for (int i = first; i < last && s == STATUS_OK; i++)
        s = cuda_weight_get(q->device, p->tensors[o->op->in[i]].recipe, DTYPE_F32, 1, source, &o->vectors[i - first], e);
    if (op_is_linear(o->op) && o->vectors[0] && s == STATUS_OK) s = make_bias(q, o, source, e);
    if (freq >= 0 && s == STATUS_OK) {
        const struct tensor *t = &p->tensors[o->op->in[freq]];
        s = cuda_angles_get(q->device, t->constant, t->dims[0].size, p->symbol_max[SYMBOL_S], &o->angles, e);
    }
    return s;
}

static void largest(struct cuda_need *most, const struct cuda_need *more) {
    if (more->scratch > most->scratch) most->scratch = more->scratch;
    if (more->counters > most->counters) most->counters = more->counters;
    if (more->choices > most->choices) most->choices = more->choices;
}

static enum status prepare_ops(struct cuda_prepared *q, const struct weight_source *source, struct error *e) {
    struct cuda_device *d = q->device;
    struct cuda_need most = {0};
    for (size_t i = 0; i < q->head.program->n_ops; i++) {
        struct cuda_need need;
        enum status s = get_operands(q, &q->ops[i], source, e);
        if (s != STATUS_OK) return s;
        cuda_need_of(d, q->head.program, q->ops[i].op, &need);
        largest(&most, &need);
    }
    enum status s = cuda_grow(d, &d->activations, program_plan(q->head.program, q->offsets), 0, "allocating activations", e);
    if (s == STATUS_OK) s = cuda_grow(d, &d->scratch, most.scratch, 0, "allocating scratch memory", e);
    if (s == STATUS_OK) s = cuda_grow(d, &d->counters, most.counters, 1, "allocating counters", e);
    return s == STATUS_OK ? cuda_grow(d, &d->choices, most.choices, 1, "allocating memory of choices", e) : s;
}

enum status cuda_prepare(struct device *device, const struct program *p, const struct weight_source *source, struct prepared **out, struct error *e) {
    struct cuda_prepared *q = mem_alloc(sizeof *q);
    q->device = (struct cuda_device *)(void *)device;
    q->head = (struct prepared_head){.backend = q->device->head.backend, .program = p};
    q->ops = mem_alloc((p->n_ops + 1) * sizeof *q->ops);
    q->data = mem_alloc((p->n_tensors + 1) * sizeof *q->data);
    q->offsets = mem_alloc((p->n_tensors + 1) * sizeof *q->offsets);
    for (size_t i = 0; i < p->n_ops; i++) q->ops[i] = (struct cuda_op){.op = &p->ops[i]};
    enum status s = place_inputs(q, e);
    if (s == STATUS_OK) s = place_states(q, e);
    if (s == STATUS_OK) s = prepare_ops(q, source, e);
    if (s == STATUS_OK) *out = (struct prepared *)(void *)q;
    else cuda_release((struct prepared *)(void *)q);
    return s;
}

void cuda_release(struct prepared *prepared) {
    struct cuda_prepared *q = (struct cuda_prepared *)(void *)prepared;
    struct cuda_device *d = q->device;
    for (size_t i = 0; i < q->head.program->n_ops; i++) {
        cuda_weight_drop(d, q->ops[i].weight);
        for (int k = 0; k < 2; k++) cuda_weight_drop(d, q->ops[i].vectors[k]);
        cuda_weight_drop(d, q->ops[i].bias);
        cuda_angles_drop(d, q->ops[i].angles);
    }
    d->input_bytes -= q->input_bytes;
    cuda_free(d, q->inputs);
    d->rt->release_host(q->mirror); /* nothing uses it either, now */
    mem_free(q->ops);
    mem_free(q->data);
    mem_free(q->offsets);
    mem_free(q);
}
