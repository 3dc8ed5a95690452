/* reference.c: the device: memory, data in and out in the declared types, the walk over the operations. */
#include "kernels/reference/reference.h"

#include <omp.h>

static int is_real(enum dtype t) { return t == DTYPE_F32 || t == DTYPE_F16 || t == DTYPE_BF16 || t == DTYPE_F64; }

static struct reference_device *device_self(struct device *d) { return (struct reference_device *)(void *)d; }
static struct reference_prepared *prepared_self(struct prepared *p) { return (struct reference_prepared *)(void *)p; }

/* ---- the device ---- */

static enum status reference_open(const struct device_options *o, struct device **out, struct error *e) {
    (void)e;
    struct reference_device *d = mem_alloc(sizeof *d);
    d->head = (struct device_head){.backend = &backend_reference, .unit = o->unit, .n_lanes = 1};
    d->threads = o->threads > 0 ? o->threads : omp_get_max_threads();
    *out = (struct device *)(void *)d;
    return STATUS_OK;
}

static void reference_close(struct device *device) {
    struct reference_device *d = device_self(device);
    for (size_t i = 0; i < d->n_states; i++) {
        mem_free(d->states[i].name);
        mem_try_free(d->states[i].data, d->states[i].elements * sizeof(double));
    }
    mem_free(d->states);
    mem_free(d);
}

static enum status reference_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e) {
    (void)d;
    if (op->kind == OP_COPY && op->i[0] != op->device)
        return error_set(e, STATUS_UNSUPPORTED, "a copy between devices is the executor's");
    for (int i = 0; i < op->n_in; i++) {
        const struct tensor *t = &p->tensors[op->in[i]];
        if (t->encoding && !t->encoding->encode)
            return error_set(e, STATUS_UNSUPPORTED, "%s: Assay reads %s but does not write it", op_table[op->kind].name, t->encoding->name);
    }
    return STATUS_OK;
}

static enum status reference_synchronise(struct device *d, struct error *e) {
    (void)d, (void)e;
    return STATUS_OK;
}

static void reference_memory(const struct device *d, struct memory_use *out) {
    *out = ((const struct reference_device *)(const void *)d)->use;
}

static void reference_describe(struct device *d, void (*each)(void *to, const char *key, const char *value), void *to) {
    char threads[16];
    snprintf(threads, sizeof threads, "%d", ((const struct reference_device *)(const void *)d)->threads);
    each(to, "threads", threads);
    each(to, "compute_unit.linear", "float64, portable C");
}

/* ---- preparing ---- */

static enum status find_state(struct reference_device *d, const struct tensor *t, size_t elements, double **out, struct error *e) {
    for (size_t i = 0; i < d->n_states; i++) {
        if (strcmp(d->states[i].name, t->name) != 0) continue;
        *out = d->states[i].data;
        if (d->states[i].elements != elements)
            return error_set(e, STATUS_INTERNAL, "state '%s' has %zu elements here and %zu in another program", t->name, elements,
                             d->states[i].elements);
        if (d->states[i].encoding == t->encoding && d->states[i].vectors == t->vectors) return STATUS_OK;
        return error_set(e, STATUS_INTERNAL, "state '%s' has another encoding in another program", t->name);
    }
    *out = mem_try(elements * sizeof(double));
    if (!*out) return error_set(e, STATUS_NO_MEMORY, "no memory for state '%s' (%zu float64)", t->name, elements);
    LIST_GROW(d->states, d->n_states, d->capacity);
    d->states[d->n_states++] = (struct reference_state){mem_copy_string(t->name), *out, elements, t->encoding, t->vectors};
    d->use.state_bytes += elements * sizeof(double);
    return STATUS_OK;
}

/* The plan of the same program with float64 in place of every real. */
static size_t plan_wide(const struct program *p, size_t *offsets) {
    struct program wide = *p;
    wide.tensors = mem_alloc((p->n_tensors + 1) * sizeof *wide.tensors);
    for (size_t i = 0; i < p->n_tensors; i++) {
        wide.tensors[i] = p->tensors[i];
        if (is_real(p->tensors[i].dtype)) wide.tensors[i].dtype = DTYPE_F64;
    }
    size_t bytes = program_plan(&wide, offsets);
    mem_free(wide.tensors);
    return bytes;
}

static int owns(const struct tensor *t) { return t->storage == STORAGE_INPUT || t->storage == STORAGE_CONSTANT; }

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

static enum status make_tensor(struct reference_prepared *q, size_t i, size_t offset, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[i];
    size_t n = (size_t)tensor_elements(t, q->head.program->symbol_max);
    void *at = offset == SIZE_MAX ? NULL : (char *)q->block + offset;
    if (t->storage == STORAGE_STATE) return find_state(q->device, t, n, &q->real[i], e);
    if (owns(t)) {
        at = mem_try(n * (is_real(t->dtype) ? sizeof(double) : dtype_bytes(t->dtype)));
        if (!at) return error_set(e, STATUS_NO_MEMORY, "no memory for '%s' (%zu elements)", t->name, n);
    }
    if (is_real(t->dtype)) q->real[i] = at;
    else q->whole[i] = at;
    for (size_t k = 0; t->constant && q->real[i] && k < n; k++) q->real[i][k] = load(t->dtype, t->constant, k);
    if (t->constant && q->whole[i]) memcpy(at, t->constant, n * dtype_bytes(t->dtype));
    return STATUS_OK;
}

static void reference_release(struct prepared *prepared) {
    struct reference_prepared *q = prepared_self(prepared);
    const struct program *p = q->head.program;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (owns(&p->tensors[i])) mem_try_free(q->real[i] ? (void *)q->real[i] : q->whole[i], 0);
    mem_try_free(q->block, q->block_bytes);
    q->device->use.activation_bytes -= q->block_bytes;
    mem_free(q->real);
    mem_free(q->whole);
    mem_free(q);
}

static enum status make_tensors(struct reference_prepared *q, const size_t *offsets, struct error *e) {
    const struct program *p = q->head.program;
    q->block = mem_try(q->block_bytes);
    enum status s = q->block ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for the activations of program %s "
                                                     "(%zu bytes)", p->name, q->block_bytes);
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++) s = make_tensor(q, i, offsets[i], e);
    return s;
}

static enum status reference_prepare(struct device *device, const struct program *p, const struct weight_source *w,
                                     struct prepared **out, struct error *e) {
    struct reference_prepared *q = mem_alloc(sizeof *q);
    size_t *offsets = mem_alloc((p->n_tensors + 1) * sizeof *offsets);
    *q = (struct reference_prepared){.head = {.backend = &backend_reference, .program = p}, .device = device_self(device), .weights = w};
    q->real = mem_alloc((p->n_tensors + 1) * sizeof(double *));
    q->whole = mem_alloc((p->n_tensors + 1) * sizeof(void *));
    q->block_bytes = plan_wide(p, offsets);
    q->device->use.activation_bytes += q->block_bytes;
    enum status s = make_tensors(q, offsets, e);
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++)
        if (p->tensors[i].recipe) s = recipe_settle(p->tensors[i].recipe, w, NULL, e);
    mem_free(offsets);
    if (s != STATUS_OK) reference_release((struct prepared *)(void *)q);
    else *out = (struct prepared *)(void *)q;
    return s;
}

static enum status reference_bind(struct prepared *prepared, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    struct reference_prepared *q = prepared_self(prepared);
    for (int i = 0; i < SYMBOL_COUNT; i++)
        if (symbols[i] < 0 || symbols[i] > q->head.program->symbol_max[i])
            return error_set(e, STATUS_INTERNAL, "program %s: %s = %lld is outside [0, %lld]", q->head.program->name,
                             symbol_name((enum symbol)i), (long long)symbols[i], (long long)q->head.program->symbol_max[i]);
    memcpy(q->symbols, symbols, sizeof q->symbols);
    return STATUS_OK;
}

/* ---- in and out ---- */

/* What can be read or written by itself: an element, or an encoded vector. */
static size_t unit_bytes(const struct tensor *t) { return t->encoding ? tensor_vector_bytes(t) : dtype_bytes(t->dtype); }

static void load_vectors(const struct tensor *t, const void *from, size_t n, double *to) {
    size_t width = (size_t)tensor_vector_length(t);
    float *row = mem_alloc((width + 1) * sizeof *row);
    for (size_t v = 0; v < n; v++) {
        t->encoding->decode((const char *)from + v * unit_bytes(t), row, (int64_t)width);
        for (size_t i = 0; i < width; i++) to[v * width + i] = (double)row[i];
    }
    mem_free(row);
}

static void store_vectors(const struct tensor *t, const double *from, size_t n, void *to) {
    size_t width = (size_t)tensor_vector_length(t);
    float *row = mem_alloc((width + 1) * sizeof *row);
    for (size_t v = 0; v < n; v++) {
        for (size_t i = 0; i < width; i++) row[i] = (float)from[v * width + i];
        t->encoding->encode(row, (char *)to + v * unit_bytes(t), (int64_t)width);
    }
    mem_free(row);
}

static enum status check_range(const struct reference_prepared *q, int tensor, size_t offset, size_t bytes, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[tensor];
    size_t whole = tensor_bytes(t, q->head.program->symbol_max), width = unit_bytes(t);
    int is_shared = t->storage == STORAGE_ACTIVATION && !t->is_kept; /* its memory serves others as well */
    if (is_shared || (!q->real[tensor] && !q->whole[tensor]))
        return error_set(e, STATUS_INTERNAL, "'%s', of kind %s, has no memory of its own", t->name, storage_name(t->storage));
    if (offset > whole || bytes > whole - offset || offset % width || bytes % width)
        return error_set(e, STATUS_INTERNAL, "bytes %zu to %zu of '%s' were asked for, it has %zu", offset, offset + bytes, t->name, whole);
    return STATUS_OK;
}

static enum status reference_write(struct prepared *prepared, int tensor, size_t offset, const void *src, size_t bytes,
                                   struct error *e) {
    struct reference_prepared *q = prepared_self(prepared);
    const struct tensor *t = &q->head.program->tensors[tensor];
    enum status s = check_range(q, tensor, offset, bytes, e);
    if (s != STATUS_OK || bytes == 0) return s;
    size_t first = offset / unit_bytes(t), n = bytes / unit_bytes(t);
    if (q->whole[tensor]) memcpy((char *)q->whole[tensor] + offset, src, bytes);
    else if (t->encoding) load_vectors(t, src, n, q->real[tensor] + (int64_t)first * tensor_vector_length(t));
    else
        for (size_t i = 0; i < n; i++) q->real[tensor][first + i] = load(t->dtype, src, i);
    return STATUS_OK;
}

static enum status reference_read(struct prepared *prepared, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct reference_prepared *q = prepared_self(prepared);
    const struct tensor *t = &q->head.program->tensors[tensor];
    enum status s = check_range(q, tensor, offset, bytes, e);
    if (s != STATUS_OK || bytes == 0) return s;
    size_t first = offset / unit_bytes(t), n = bytes / unit_bytes(t);
    if (q->whole[tensor]) memcpy(dst, (const char *)q->whole[tensor] + offset, bytes);
    else if (t->encoding) store_vectors(t, q->real[tensor] + (int64_t)first * tensor_vector_length(t), n, dst);
    else
        for (size_t i = 0; i < n; i++) store(t->dtype, dst, i, q->real[tensor][first + i]);
    return STATUS_OK;
}

/* ---- running ---- */

static reference_function *const functions[OP_KIND_COUNT] = {
    [OP_EMBED] = reference_embed, [OP_RMSNORM] = reference_rmsnorm, [OP_LAYERNORM] = reference_layernorm, [OP_LINEAR] = reference_linear, [OP_ROPE] = reference_rope,
    [OP_KV_WRITE] = reference_kv_write, [OP_ATTN_SCORES] = reference_scores, [OP_SCALE] = reference_elementwise,
    [OP_CAUSAL_MASK] = reference_mask, [OP_SOFTMAX] = reference_softmax, [OP_ATTN_VALUES] = reference_values,
    [OP_ADD] = reference_elementwise, [OP_MUL] = reference_elementwise, [OP_SILU] = reference_elementwise, [OP_GELU] = reference_elementwise,
    [OP_GATHER_ROWS] = reference_gather, [OP_SAMPLE] = reference_sample, [OP_NLL] = reference_nll,
    [OP_COPY] = reference_elementwise, [OP_ATTENTION] = reference_attention, [OP_ADD_RMSNORM] = reference_add_rmsnorm,
    [OP_LINEAR_SWIGLU] = reference_swiglu, [OP_LINEAR_GELU] = reference_linear_gelu, [OP_ROPE_KV_WRITE] = reference_rope_kv_write,
};

static void record(const struct reference_prepared *q, int op, uint64_t start_ns, struct tracer *t) {
    struct span *span = tracer_next(t, q->device->head.unit, 0);
    uint64_t end_ns = clock_now_ns(t->clock);
    if (span)
        *span = (struct span){.start_ns = start_ns, .end_ns = end_ns, .released_ns = end_ns, .note = tracer_note_now(t), .step = t->site.step, .op = op,
                              .subject = -1, .stage = (int16_t)launch_site_stage(&t->site, op), .program = (int16_t)t->program, .kind = SPAN_RUN,
                              .launches = 1};
}

static enum status reference_run(struct prepared *prepared, int first, int n, struct tracer *t, struct error *e) {
    struct reference_prepared *q = prepared_self(prepared);
    struct error own = {0};
    for (int i = first; i < first + n; i++) {
        uint64_t start_ns = t ? clock_now_ns(t->clock) : 0;
        struct reference_call c = {q, &q->head.program->ops[i], e ? e : &own};
        annotate_op(q->head.annotated, i);
        enum status s = functions[c.op->kind](&c);
        annotate_op_end(q->head.annotated, i);
        if (s != STATUS_OK) return s;
        if (t) record(q, i, start_ns, t);
    }
    return STATUS_OK;
}

const struct backend backend_reference = {
    .name = "reference", .summary = "every operation in float64, weights streamed: the judge of the others",
    .open = reference_open, .close = reference_close, .supports = reference_supports, .prepare = reference_prepare,
    .release = reference_release, .bind = reference_bind, .write = reference_write, .read = reference_read,
    .run = reference_run, .synchronise = reference_synchronise, .memory = reference_memory,
    .describe = reference_describe,
};
