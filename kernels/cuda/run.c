/* run.c: data in and out, launches, captured launches; and the tables of the two backends. */
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/emulator/runtime.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/profiler.h"

static struct cuda_prepared *self(struct prepared *p) { return (struct cuda_prepared *)(void *)p; }

/* ---- binding ---- */

/* Activations move when a later program makes the device's block larger. */
static void resolve_activations(struct cuda_prepared *q) {
    if (q->block == q->device->activations.data) return;
    for (size_t i = 0; i < q->head.program->n_tensors; i++)
        if (q->offsets[i] != SIZE_MAX) q->data[i] = (char *)q->device->activations.data + q->offsets[i];
    q->block = q->device->activations.data;
}

static enum status cuda_bind(struct prepared *prepared, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    struct cuda_prepared *q = self(prepared);
    resolve_activations(q);
    if (q->is_bound && memcmp(symbols, q->symbols, sizeof q->symbols) == 0) return STATUS_OK;
    memcpy(q->symbols, symbols, sizeof q->symbols);
    enum status s = cuda_linear_plan(q, e);
    q->is_bound = s == STATUS_OK;
    return s;
}

/* ---- data ---- */

static enum status find_bytes(struct cuda_prepared *q, int tensor, size_t offset, size_t bytes, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[tensor];
    size_t all = tensor_bytes(t, q->head.program->symbol_max);
    resolve_activations(q);
    if (!q->data[tensor] || offset > all || bytes > all - offset)
        return error_set(e, STATUS_INTERNAL, "bytes %zu..%zu of tensor '%s' (%s of %zu bytes) cannot be reached", offset, offset + bytes, t->name,
                         storage_name(t->storage), all);
    return STATUS_OK;
}

/* An input waits in the mirror for the next launch; the copy of the launch before must be done with it. */
static enum status write_input(struct cuda_prepared *q, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    size_t at = (size_t)((char *)q->data[tensor] - q->inputs) + offset;
    if (q->is_flushing) {
        enum status s = cuda_wait(q->device, q->head.program, e);
        if (s != STATUS_OK) return s;
        q->is_flushing = 0;
    }
    memcpy(q->mirror + at, src, bytes);
    if (q->dirty_from == q->dirty_to) q->dirty_from = q->dirty_to = at;
    if (at < q->dirty_from) q->dirty_from = at;
    if (at + bytes > q->dirty_to) q->dirty_to = at + bytes;
    return STATUS_OK;
}

/* Through the staging memory, a piece at a time. */
static enum status move(struct cuda_prepared *q, char *on_device, char *on_host, size_t bytes, enum cuda_direction d, struct error *e) {
    struct cuda_device *device = q->device;
    for (size_t at = 0; at < bytes; at += CUDA_STAGING_BYTES) {
        size_t n = bytes - at < CUDA_STAGING_BYTES ? bytes - at : CUDA_STAGING_BYTES;
        int is_out = d == CUDA_TO_HOST;
        if (!is_out) memcpy(device->staging, on_host + at, n);
        int code = is_out ? device->rt->copy(device->staging, on_device + at, n, d, device->stream) : device->rt->copy(on_device + at, device->staging, n, d, device->stream);
        if (code != 0) return cuda_error(device, code, "copying a tensor", e);
        enum status s = cuda_wait(device, q->head.program, e);
        if (s != STATUS_OK) return s;
        if (is_out) memcpy(on_host + at, device->staging, n);
    }
    q->is_flushing = 0;
    return STATUS_OK;
}

static enum status cuda_write(struct prepared *prepared, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    struct cuda_prepared *q = self(prepared);
    enum status s = find_bytes(q, tensor, offset, bytes, e);
    if (s != STATUS_OK || bytes == 0) return s;
    if (q->head.program->tensors[tensor].storage == STORAGE_INPUT) return write_input(q, tensor, offset, src, bytes, e);
    return move(q, (char *)q->data[tensor] + offset, (char *)(uintptr_t)src, bytes, CUDA_TO_DEVICE, e);
}

static enum status flush_inputs(struct cuda_prepared *q, size_t from, size_t to, struct error *e) {
    if (from == to) return STATUS_OK;
    int code = q->device->rt->copy(q->inputs + from, q->mirror + from, to - from, CUDA_TO_DEVICE, q->device->stream);
    if (code != 0) return cuda_error(q->device, code, "copying inputs", e);
    q->dirty_from = q->dirty_to = 0;
    q->is_flushing = 1;
    return STATUS_OK;
}

static enum status cuda_read(struct prepared *prepared, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct cuda_prepared *q = self(prepared);
    enum status s = find_bytes(q, tensor, offset, bytes, e);
    if (s == STATUS_OK) s = flush_inputs(q, q->dirty_from, q->dirty_to, e);
    return s == STATUS_OK ? move(q, (char *)q->data[tensor] + offset, dst, bytes, CUDA_TO_HOST, e) : s;
}

/* ---- launching ---- */

/* What failed, with its operation and the shapes in play. */
static enum status launch_error(struct cuda_prepared *q, int index, int code, struct error *e) {
    const struct program *p = q->head.program;
    const struct op *op = &p->ops[index];
    char shape[SHAPE_TEXT_BYTES] = "";
    if (op->n_in > 0) tensor_shape_text(&p->tensors[op->in[0]], shape);
    enum status s = cuda_error(q->device, code, op_table[op->kind].name, e);
    error_prefix(e, "op %d of %s (on %s; R %lld, S %lld, B %lld)", index, p->name, shape, (long long)q->symbols[SYMBOL_R], (long long)q->symbols[SYMBOL_S],
                 (long long)q->symbols[SYMBOL_B]);
    return s;
}

static enum status launch_ops(struct cuda_prepared *q, int first, int n, struct tracer *t, struct error *e) {
    for (int i = first; i < first + n; i++) {
        struct cuda_call c = {q, &q->ops[i], i};
        annotate_op(q->head.annotated, i);
        if (t) profiler_push(q->device->profiler, t, i);
        int code = cuda_launch(&c);
        if (t) profiler_pop(q->device->profiler);
        annotate_op_end(q->head.annotated, i);
        if (code != 0) return launch_error(q, i, code, e);
    }
    return STATUS_OK;
}

static enum status cuda_run(struct prepared *prepared, int first, int n, struct tracer *t, struct error *e) {
    struct cuda_prepared *q = self(prepared);
    if (!q->is_bound) return error_set(e, STATUS_INTERNAL, "program %s runs before its symbols are bound", q->head.program->name);
    resolve_activations(q);
    if (t) profiler_launch(q->device->profiler, t);
    enum status s = flush_inputs(q, q->dirty_from, q->dirty_to, e);
    return s == STATUS_OK ? launch_ops(q, first, n, t, e) : s;
}

/* ---- captured launches: the copy of all inputs, then the operations ---- */

struct captured {
    void *graph;
};

static enum status cuda_capture(struct prepared *prepared, int first, int n, struct tracer *t, struct captured **out, struct error *e) {
    struct cuda_prepared *q = self(prepared);
    struct cuda_device *d = q->device;
    void *graph = NULL;
    resolve_activations(q);
    int code = d->rt->capture_begin(d->stream);
    if (code != 0) return cuda_error(d, code, "beginning a capture", e);
    enum status s = flush_inputs(q, 0, q->input_bytes, e);
    q->dirty_to = q->input_bytes; /* nothing was copied yet */
    q->is_flushing = 0;
    if (s == STATUS_OK) s = launch_ops(q, first, n, t, e);
    code = d->rt->capture_end(d->stream, &graph); /* also after a failure: the stream must come out of it */
    if (s == STATUS_OK && code != 0) s = cuda_error(d, code, "ending a capture", e);
    if (s != STATUS_OK) {
        if (code == 0) d->rt->graph_close(graph);
        return s;
    }
    *out = mem_alloc(sizeof **out);
    (*out)->graph = graph;
    return STATUS_OK;
}

static enum status cuda_replay(struct prepared *prepared, struct captured *c, struct tracer *t, struct error *e) {
    struct cuda_prepared *q = self(prepared);
    struct cuda_device *d = q->device;
    if (t) profiler_launch(d->profiler, t);
    int code = d->rt->graph_launch(c->graph, d->stream);
    if (code != 0) return cuda_error(d, code, q->head.program->name, e);
    q->dirty_from = q->dirty_to = 0;
    q->is_flushing = 1;
    return STATUS_OK;
}

static void cuda_drop(struct prepared *prepared, struct captured *c) {
    self(prepared)->device->rt->graph_close(c->graph);
    mem_free(c);
}

/* ---- tracing ---- */

static enum status cuda_trace_begin(struct device *device, enum trace_detail detail, struct error *e) {
    struct cuda_device *d = (struct cuda_device *)(void *)device;
    enum status s = cuda_wait(d, NULL, e);
    if (s == STATUS_OK && !d->profiler) {
        const struct cupti *library = d->platform.cupti(&d->cupti_path, e);
        s = library ? profiler_open(library, d->clock, &d->profiler, e) : e->status;
    }
    return s == STATUS_OK ? profiler_begin(d->profiler, detail, e) : s;
}

static enum status cuda_trace_end(struct device *device, struct tracer *t, struct error *e) {
    struct cuda_device *d = (struct cuda_device *)(void *)device;
    enum status s = cuda_wait(d, NULL, e);
    return s == STATUS_OK ? profiler_end(d->profiler, t, d->head.unit, e) : s;
}

/* ---- the two backends ---- */

static const struct blaslt *emulated_blaslt(const char **path, struct error *e) {
    (void)e;
    *path = "the emulator's stand-in";
    return &cuda_emulated_blaslt;
}

static const struct cupti *emulated_cupti(const char **path, struct error *e) {
    (void)e;
    *path = "the emulator's stand-in";
    return &cuda_emulated_cupti;
}

static const struct nvml *emulated_nvml(const char **path, struct error *e) {
    (void)e;
    *path = "the emulator's stand-in";
    return &cuda_emulated_nvml;
}

static void emulated_begin(const struct device_options *o) { emulator_set_time(o->clock->is_fake ? o->clock : NULL, NULL); }

static enum status device_open(const struct device_options *o, struct device **out, struct error *e) {
    const struct cuda_platform p = {.backend = &backend_cuda, .runtime = cuda_device_runtime(), .kernels = cuda_device_kernel_table(), .blaslt = library_blaslt, .cupti = library_cupti,
                                    .nvml = library_nvml};
    return cuda_open_on(&p, o, out, e);
}

static enum status emulated_open(const struct device_options *o, struct device **out, struct error *e) {
    static const struct cuda_platform p = {.backend = &backend_cuda_emulated, .runtime = &cuda_emulated_runtime, .kernels = &cuda_emulated_kernels, .blaslt = emulated_blaslt,
                                           .cupti = emulated_cupti, .nvml = emulated_nvml, .begin = emulated_begin};
    return cuda_open_on(&p, o, out, e);
}

#define CUDA_FUNCTIONS                                                                                                                             \
    .close = cuda_close, .supports = cuda_supports, .prepare = cuda_prepare, .release = cuda_release, .bind = cuda_bind, .write = cuda_write,          \
    .read = cuda_read, .run = cuda_run, .capture = cuda_capture, .replay = cuda_replay, .drop = cuda_drop, .trace_begin = cuda_trace_begin,            \
    .trace_end = cuda_trace_end, .synchronise = cuda_synchronise, .memory = cuda_memory, .capacity = cuda_capacity, .measure_limit = cuda_measure_limit, .telemetry = cuda_telemetry,                     \
    .describe = cuda_describe

const struct backend backend_cuda = {.name = "cuda", .summary = "an NVIDIA GPU: own kernels, cuBLASLt for large products, attribution by CUPTI", .open = device_open, CUDA_FUNCTIONS};
const struct backend backend_cuda_emulated = {
    .name = "cuda-emulated", .summary = "the cuda backend on an emulated device: right results, declared times", .is_timeless = 1, .open = emulated_open, CUDA_FUNCTIONS};
