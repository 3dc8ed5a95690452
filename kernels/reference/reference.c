#include "kernels/reference/reference.h"

#include <string.h>

static int holds_reals(const struct tensor *t) {
    return t->storage != STORAGE_WEIGHT && (t->dtype == DTYPE_F32 || t->dtype == DTYPE_F16 || t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F64);
}

static enum status reference_open(const struct device_options *o, struct device **out, struct error *e) {
    (void)e;
    struct reference_device *d = mem_alloc(sizeof *d);
    d->head = (struct device_head){&backend_reference, o->unit, 1};
    d->clock = o->clock;
    *out = (struct device *)(void *)d;
    return STATUS_OK;
}

static void reference_close(struct device *device) {
    struct reference_device *d = (struct reference_device *)(void *)device;
    for (size_t i = 0; i < d->n_states; i++) {
        mem_free(d->states[i].name);
        mem_try_free(d->states[i].data, d->states[i].elements * sizeof(double));
    }
    mem_free(d->states);
    mem_free(d);
}

static enum status reference_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e) {
    (void)d, (void)p;
    if (op->kind == OP_COPY && op->i[0] != op->device) return error_set(e, STATUS_UNSUPPORTED, "a copy between devices is the executor's");
    return STATUS_OK;
}

static double *find_state(struct reference_device *d, const struct tensor *t, size_t elements) {
    for (size_t i = 0; i < d->n_states; i++)
        if (strcmp(d->states[i].name, t->name) == 0) return d->states[i].elements == elements ? d->states[i].data : NULL;
    LIST_GROW(d->states, d->n_states, d->capacity);
    double *data = mem_try(elements * sizeof *data);
    if (data) d->states[d->n_states++] = (struct reference_state){mem_copy_string(t->name), data, elements};
    return data;
}

static void reference_release(struct prepared *prepared) {
    struct reference_prepared *q = (struct reference_prepared *)(void *)prepared;
    const struct program *p = q->head.program;
    for (size_t i = 0; i < p->n_tensors; i++) {
        if (q->real[i] && p->tensors[i].storage != STORAGE_STATE) mem_try_free(q->real[i], 0);
        if (q->whole[i]) mem_try_free(q->whole[i], 0);
    }
    mem_free(q->real);
    mem_free(q->whole);
    mem_free(q);
}

static enum status make_tensor(struct reference_prepared *q, size_t i, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[i];
    size_t n = (size_t)tensor_elements(t, q->head.program->symbol_max);
    if (t->storage == STORAGE_WEIGHT) return STATUS_OK;
    if (t->storage == STORAGE_STATE) q->real[i] = find_state(q->device, t, n);
    else if (holds_reals(t)) q->real[i] = mem_try(n * sizeof(double));
    else q->whole[i] = mem_try(n * dtype_bytes(t->dtype));
    if (!q->real[i] && !q->whole[i]) return error_set(e, STATUS_NO_MEMORY, "no memory for '%s' (%zu elements)", t->name, n);
    if (t->constant && t->dtype == DTYPE_F64) memcpy(q->real[i], t->constant, n * sizeof(double));
    return STATUS_OK;
}

static enum status reference_prepare(struct device *device, const struct program *p, const struct weight_source *w, struct prepared **out,
                                     struct error *e) {
    struct reference_prepared *q = mem_alloc(sizeof *q);
    *q = (struct reference_prepared){.head = {&backend_reference, p}, .device = (struct reference_device *)(void *)device, .weights = w};
    q->real = mem_alloc((p->n_tensors + 1) * sizeof(double *));
    q->whole = mem_alloc((p->n_tensors + 1) * sizeof(void *));
    enum status s = STATUS_OK;
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++) s = make_tensor(q, i, e);
    if (s != STATUS_OK) reference_release((struct prepared *)(void *)q);
    else *out = (struct prepared *)(void *)q;
    return s;
}

static enum status reference_bind(struct prepared *prepared, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    (void)e;
    memcpy(((struct reference_prepared *)(void *)prepared)->symbols, symbols, sizeof(int64_t) * SYMBOL_COUNT);
    return STATUS_OK;
}

/* ---- in and out, in the declared types ---- */

static double load(enum dtype t, const void *from, size_t i) {
    if (t == DTYPE_F64) return ((const double *)from)[i];
    if (t == DTYPE_F32) return (double)((const float *)from)[i];
    uint16_t half = ((const uint16_t *)from)[i];
    return (double)(t == DTYPE_BF16 ? bf16_to_f32(half) : f16_to_f32(half));
}

static void store(enum dtype t, void *to, size_t i, double x) {
    if (t == DTYPE_F64) ((double *)to)[i] = x;
    else if (t == DTYPE_F32) ((float *)to)[i] = (float)x;
    else ((uint16_t *)to)[i] = t == DTYPE_BF16 ? f32_to_bf16((float)x) : f32_to_f16((float)x);
}

static enum status reference_write(struct prepared *prepared, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    struct reference_prepared *q = (struct reference_prepared *)(void *)prepared;
    const struct tensor *t = &q->head.program->tensors[tensor];
    size_t width = dtype_bytes(t->dtype);
    (void)e;
    if (q->whole[tensor]) memcpy((char *)q->whole[tensor] + offset, src, bytes);
    else
        for (size_t i = 0; i < bytes / width; i++) q->real[tensor][offset / width + i] = load(t->dtype, src, i);
    return STATUS_OK;
}

static enum status reference_read(struct prepared *prepared, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct reference_prepared *q = (struct reference_prepared *)(void *)prepared;
    const struct tensor *t = &q->head.program->tensors[tensor];
    size_t width = dtype_bytes(t->dtype);
    (void)e;
    if (q->whole[tensor]) memcpy(dst, (const char *)q->whole[tensor] + offset, bytes);
    else
        for (size_t i = 0; i < bytes / width; i++) store(t->dtype, dst, i, q->real[tensor][offset / width + i]);
    return STATUS_OK;
}

static enum status reference_run(struct prepared *prepared, int first, int n, struct tracer *t, struct error *e) {
    struct reference_prepared *q = (struct reference_prepared *)(void *)prepared;
    for (int i = first; i < first + n; i++) {
        uint64_t start = t ? clock_now_ns(t->clock) : 0;
        enum status s = reference_op(q, &q->head.program->ops[i], e);
        if (s != STATUS_OK) return s;
        struct span *span = t ? tracer_next(t, q->device->head.unit, 0) : NULL;
        if (!span) continue;
        uint64_t end = clock_now_ns(t->clock);
        *span = (struct span){.start_ns = start, .end_ns = end, .released_ns = end, .step = t->step, .op = i, .subject = -1,
            .stage = (int16_t)t->stage, .program = (int16_t)t->program, .kind = SPAN_RUN, .launches = 1};
    }
    return STATUS_OK;
}

static enum status reference_synchronise(struct device *d, struct error *e) {
    (void)d, (void)e;
    return STATUS_OK;
}

static void reference_memory(const struct device *d, struct memory_use *out) {
    (void)d;
    *out = (struct memory_use){0};
}

static void reference_describe(const struct device *d, void (*each)(void *to, const char *key, const char *value), void *to) {
    (void)d;
    each(to, "compute_unit.linear", "float64, plain C");
}

const struct backend backend_reference = {
    .name = "reference", .summary = "every operation in float64, weights streamed: the judge of the others",
    .open = reference_open, .close = reference_close, .supports = reference_supports, .prepare = reference_prepare,
    .release = reference_release, .bind = reference_bind, .write = reference_write, .read = reference_read, .run = reference_run,
    .synchronise = reference_synchronise, .memory = reference_memory, .describe = reference_describe,
};
