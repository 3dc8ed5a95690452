/* prepare.c: a program on the device: its operands found or made, memory planned, once. */
#include <string.h>

#include "kernels/cpu/cpu.h"

enum { ALIGN_BYTES = 64 };

static size_t aligned(size_t n) { return (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES; }

/* ---- memory ---- */

static enum status grow(void **block, size_t *have, size_t want, const char *what, struct error *e) {
    if (want <= *have) return STATUS_OK;
    void *p = mem_try(want);
    if (!p) return error_set(e, STATUS_NO_MEMORY, "no memory for %s (%zu bytes)", what, want);
    mem_try_free(*block, *have);
    *block = p;
    *have = want;
    return STATUS_OK;
}

enum status cpu_scratch_grow(void **blocks, int n, size_t *have, size_t want, struct error *e) {
    if (want <= *have) return STATUS_OK;
    for (int i = 0; i < n; i++) {
        size_t mine = *have;
        enum status s = grow(&blocks[i], &mine, want, "an operation's scratch", e);
        if (s != STATUS_OK) return s;
    }
    *have = want;
    return STATUS_OK;
}

static int has_layout(const struct cpu_state *s, const struct tensor *t, const int64_t *most) {
    for (int i = 0; i < t->n_dims; i++)
        if (s->dims[i] != dim_value(t->dims[i], most)) return 0;
    return s->dtype == t->dtype && s->encoding == t->encoding && s->vectors == t->vectors;
}

static struct cpu_state *state_named(struct cpu_device *d, const char *name) {
    for (size_t i = 0; i < d->n_states; i++)
        if (strcmp(d->states[i].name, name) == 0) return &d->states[i];
    return NULL;
}

static void add_state(struct cpu_device *d, const struct tensor *t, const int64_t *most, void *data) {
    LIST_GROW(d->states, d->n_states, d->state_capacity);
    struct cpu_state *s = &d->states[d->n_states++];
    *s = (struct cpu_state){.name = mem_copy_string(t->name), .dtype = t->dtype, .encoding = t->encoding, .vectors = t->vectors, .data = data,
                            .bytes = tensor_bytes(t, most)};
    for (int i = 0; i < t->n_dims; i++) s->dims[i] = dim_value(t->dims[i], most);
}

/* The states that the device does not have yet, in one block: each alone may be too small for huge pages. */
static enum status add_states(struct cpu_prepared *q, struct error *e) {
    const struct program *p = q->head.program;
    struct cpu_device *d = q->device;
    size_t bytes = 0, at = 0;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_STATE && !state_named(d, p->tensors[i].name)) bytes += aligned(tensor_bytes(&p->tensors[i], p->symbol_max));
    if (bytes == 0) return STATUS_OK;
    char *data = mem_try(bytes);
    if (!data) return error_set(e, STATUS_NO_MEMORY, "no memory for states, key-value caches among them (%zu bytes)", bytes);
    LIST_GROW(d->state_blocks, d->n_state_blocks, d->state_block_capacity);
    d->state_blocks[d->n_state_blocks++] = (struct cpu_block){data, bytes};
    for (size_t i = 0; i < p->n_tensors; i++) {
        if (p->tensors[i].storage != STORAGE_STATE || state_named(d, p->tensors[i].name)) continue;
        add_state(d, &p->tensors[i], p->symbol_max, data + at);
        at += aligned(tensor_bytes(&p->tensors[i], p->symbol_max));
    }
    return STATUS_OK;
}

static enum status find_state(struct cpu_device *d, const struct tensor *t, const int64_t *most, void **out, struct error *e) {
    const struct cpu_state *s = state_named(d, t->name);
    *out = s->data;
    if (has_layout(s, t, most)) return STATUS_OK;
    return error_set(e, STATUS_INTERNAL, "state '%s' has another shape, type or encoding than in the program prepared before", t->name);
}

/* ---- one program's tensors ---- */

static enum status place_inputs(struct cpu_prepared *q, struct error *e) {
    const struct program *p = q->head.program;
    size_t at = 0;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_INPUT) at += aligned(tensor_bytes(&p->tensors[i], p->symbol_max));
    q->inputs = mem_try(at);
    if (!q->inputs) return error_set(e, STATUS_NO_MEMORY, "no memory for inputs (%zu bytes)", at);
    q->input_bytes = at;
    q->device->input_bytes += at;
    at = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        if (p->tensors[i].storage != STORAGE_INPUT) continue;
        q->data[i] = (char *)q->inputs + at;
        at += aligned(tensor_bytes(&p->tensors[i], p->symbol_max));
    }
    return STATUS_OK;
}

static enum status place_lasting(struct cpu_prepared *q, struct error *e) {
    const struct program *p = q->head.program;
    enum status s = place_inputs(q, e);
    if (s == STATUS_OK) s = add_states(q, e);
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++) {
        const struct tensor *t = &p->tensors[i];
        if (t->storage == STORAGE_CONSTANT) q->data[i] = (void *)(uintptr_t)t->constant;
        if (t->storage == STORAGE_STATE) s = find_state(q->device, t, p->symbol_max, &q->data[i], e);
    }
    return s;
}

static enum status plan_activations(struct cpu_prepared *q, struct error *e) {
    struct cpu_device *d = q->device;
    size_t bytes = program_plan(q->head.program, q->offsets);
    return grow(&d->activations, &d->activation_bytes, bytes, "activations", e);
}

/* ---- one program's operations ---- */

static int freq_input(const struct op *op) { return op->kind == OP_ROPE ? 2 : op->kind == OP_ROPE_KV_WRITE ? 5 : -1; }

/* Which input is a matrix; -1 for none. */
static int matrix_input(const struct op *op) {
    return op->kind == OP_EMBED ? 0 : op_is_linear(op) ? 1 : -1;
}

static enum status get_operands(struct cpu_prepared *q, struct cpu_op *o, const struct weight_source *source, struct error *e) {
    const struct program *p = q->head.program;
    int matrix = matrix_input(o->op), freq = freq_input(o->op), first, last;
    enum status s = STATUS_OK;
    if (matrix >= 0) {
        const struct tensor *t = &p->tensors[o->op->in[matrix]];
        s = cpu_weight_get(q->device, t->recipe, t->dtype, 0, source, &o->weight, e);
    }
    op_vectors(o->op, &first, &last);
    for (int i = first; i < last && s == STATUS_OK; i++)
        s = cpu_weight_get(q->device, p->tensors[o->op->in[i]].recipe, DTYPE_F32, 1, source, &o->vectors[i - first], e);
    if (freq >= 0 && s == STATUS_OK) {
        const struct tensor *t = &p->tensors[o->op->in[freq]];
        s = cpu_angles_get(q->device, t->constant, t->dims[0].size, p->symbol_max[SYMBOL_S], &o->angles, e);
    }
    return s;
}

static void need_of(const struct cpu_prepared *q, const struct cpu_op *o, struct cpu_need *out) {
    const struct program *p = q->head.program;
    if (op_is_linear(o->op)) {
        cpu_need_linear(q->device, p, o->op, o->weight, out);
        return;
    }
    switch (o->op->kind) {
    case OP_ATTN_SCORES: case OP_ATTN_VALUES: case OP_ATTENTION: cpu_need_attention(q->device, p, o->op, out); break;
    default: cpu_need_plain(p, o->op, out);
    }
}

static enum status prepare_ops(struct cpu_prepared *q, const struct weight_source *source, struct error *e) {
    struct cpu_device *d = q->device;
    struct cpu_need most = {0};
    for (size_t i = 0; i < q->head.program->n_ops; i++) {
        struct cpu_op *o = &q->ops[i];
        struct cpu_need need;
        enum status s = get_operands(q, o, source, e);
        if (s != STATUS_OK) return s;
        need_of(q, o, &need);
        if (need.scratch > most.scratch) most.scratch = need.scratch;
        if (need.shared > most.shared) most.shared = need.shared;
    }
    enum status s = cpu_scratch_grow(d->scratch, d->size, &d->scratch_bytes, aligned(most.scratch), e);
    return s == STATUS_OK ? grow(&d->shared, &d->shared_bytes, most.shared, "scratch of all threads", e) : s;
}

enum status cpu_prepare(struct device *device, const struct program *p, const struct weight_source *source, struct prepared **out,
                        struct error *e) {
    struct cpu_prepared *q = mem_alloc(sizeof *q);
    q->head = (struct prepared_head){.backend = &backend_cpu, .program = p};
    q->device = (struct cpu_device *)(void *)device;
    q->ops = mem_alloc((p->n_ops + 1) * sizeof *q->ops);
    q->data = mem_alloc((p->n_tensors + 1) * sizeof *q->data);
    q->offsets = mem_alloc((p->n_tensors + 1) * sizeof *q->offsets);
    for (size_t i = 0; i < p->n_ops; i++) q->ops[i] = (struct cpu_op){.op = &p->ops[i], .run = cpu_kernel_of(p->ops[i].kind)};
    enum status s = place_lasting(q, e);
    if (s == STATUS_OK) s = plan_activations(q, e);
    if (s == STATUS_OK) s = prepare_ops(q, source, e);
    if (s == STATUS_OK) *out = (struct prepared *)(void *)q;
    else cpu_release((struct prepared *)(void *)q);
    return s;
}

void cpu_release(struct prepared *prepared) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    struct cpu_device *d = q->device;
    for (size_t i = 0; i < q->head.program->n_ops; i++) {
        cpu_weight_drop(d, q->ops[i].weight);
        for (int k = 0; k < 2; k++) cpu_weight_drop(d, q->ops[i].vectors[k]);
        cpu_angles_drop(d, q->ops[i].angles);
    }
    cpu_dense_close(q->dense);
    d->input_bytes -= q->input_bytes;
    mem_try_free(q->inputs, q->input_bytes);
    mem_free(q->ops);
    mem_free(q->data);
    mem_free(q->offsets);
    mem_free(q);
}
