/* device.c: opening a device and what the backend says of it. */
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/team.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/profiler.h"

enum status cuda_error(const struct cuda_device *d, int code, const char *doing, struct error *e) {
    enum { OUT_OF_MEMORY = 2 };
    return error_set(e, code == OUT_OF_MEMORY ? STATUS_NO_MEMORY : STATUS_BACKEND, "%s failed: %s (%s)", doing, d->rt->error_text(code), d->rt->error_name(code));
}

void cuda_free(struct cuda_device *d, void *p) {
    if (!p) return;
    d->rt->stream_wait(d->stream);
    d->rt->release(p);
}

/* ---- opening ---- */

static enum status choose_device(struct cuda_device *d, struct error *e) {
    int n = 0;
    const char *trouble = d->rt->trouble();
    if (trouble) return error_set(e, STATUS_UNSUPPORTED, "no GPU can be used here: %s", trouble);
    int code = d->rt->count(&n);
    if (code != 0 || n == 0) return error_set(e, STATUS_UNSUPPORTED, "no GPU can be used here: %s", code ? d->rt->error_text(code) : "the driver lists none");
    code = d->rt->use(0);
    if (code == 0) code = d->rt->versions(&d->driver_version, &d->runtime_version);
    if (code == 0) code = d->rt->properties(0, &d->properties);
    if (code != 0) return cuda_error(d, code, "asking for device 0", e);
    if (d->properties.major < 8)
        return error_set(e, STATUS_UNSUPPORTED, "%s has compute capability %d.%d; 8.0 (Ampere) or later is needed", d->properties.name, d->properties.major, d->properties.minor);
    return STATUS_OK;
}

static enum status open_resources(struct cuda_device *d, struct error *e) {
    int code = d->rt->stream_open(&d->stream);
    if (code == 0) code = d->rt->allocate_host(&d->staging, CUDA_STAGING_BYTES);
    if (code == 0) code = d->rt->allocate_host((void **)&d->fault, sizeof *d->fault);
    if (code != 0) return cuda_error(d, code, "opening a stream and pinned memory", e);
    *d->fault = (struct cuda_fault){0};
    const struct blaslt *library = d->platform.blaslt(&d->blaslt_path, e);
    if (!library) return e->status;
    return products_open(library, d->rt, d->stream, &d->products, e);
}

void cuda_close(struct device *device) {
    struct cuda_device *d = (struct cuda_device *)(void *)device;
    if (d->stream) d->rt->stream_wait(d->stream);
    profiler_close(d->profiler);
    products_close(d->products);
    for (size_t i = 0; i < d->n_states; i++) {
        mem_free(d->states[i].name);
        cuda_free(d, d->states[i].data);
    }
    cuda_free(d, d->activations.data);
    cuda_free(d, d->scratch.data);
    cuda_free(d, d->counters.data);
    cuda_free(d, d->choices.data);
    d->rt->release_host(d->staging);
    d->rt->release_host(d->fault);
    if (d->stream) d->rt->stream_close(d->stream);
    team_close(d->team);
    mem_free(d->states);
    mem_free(d->weights);
    mem_free(d->angles);
    mem_free(d);
}

enum status cuda_open_on(const struct cuda_platform *p, const struct device_options *o, struct device **out, struct error *e) {
    if (!p->runtime)
        return error_set(e, STATUS_UNSUPPORTED, "this build has no CUDA in it: build where nvcc of CUDA 12.6 or later is found (see README.md), or use --backend cpu");
    struct cuda_device *d = mem_alloc(sizeof *d);
    *d = (struct cuda_device){.head = {.backend = p->backend, .unit = o->unit, .n_lanes = 2, .is_asynchronous = 1, .watch = o->watch}, .platform = *p, .rt = p->runtime, .kernels = p->kernels, .clock = o->clock};
    if (p->begin) p->begin(o);
    enum status s = choose_device(d, e);
    if (s == STATUS_OK) s = team_open(o->threads, 0, &d->team, e);
    if (s == STATUS_OK) s = open_resources(d, e);
    if (s == STATUS_OK) *out = (struct device *)(void *)d;
    else cuda_close((struct device *)(void *)d);
    return s;
}

/* ---- waiting ---- */

static enum status fault_error(struct cuda_device *d, const struct program *p, struct error *e) {
    struct cuda_fault f = *d->fault;
    *d->fault = (struct cuda_fault){0};
    const char *kind = p && f.op >= 0 && (size_t)f.op < p->n_ops ? op_table[p->ops[f.op].kind].name : "an operation";
    switch (f.code) {
    case CUDA_FAULT_ID: return error_set(e, STATUS_INPUT, "token id %d is outside the vocabulary (%s)", f.value, kind);
    case CUDA_FAULT_ROW: return error_set(e, STATUS_INPUT, "row %d is gathered, which is not there (%s)", f.value, kind);
    case CUDA_FAULT_KEY: return error_set(e, STATUS_INPUT, "slot %d, position %d is outside the cache (%s)", f.slot, f.value, kind);
    case CUDA_FAULT_TARGET: return error_set(e, STATUS_INPUT, "target %d is outside the vocabulary (%s)", f.value, kind);
    default: return STATUS_OK;
    }
}

enum status cuda_wait(struct cuda_device *d, const struct program *p, struct error *e) {
    int code = d->rt->stream_wait(d->stream);
    if (code != 0) return cuda_error(d, code, p ? p->name : "waiting for the device", e);
    return d->fault->code == CUDA_FAULT_NONE ? STATUS_OK : fault_error(d, p, e);
}

enum status cuda_grow(struct cuda_device *d, struct cuda_block *b, size_t bytes, int is_zeroed, const char *what, struct error *e) {
    if (bytes <= b->bytes) return STATUS_OK;
    enum status s = cuda_wait(d, NULL, e);
    if (s != STATUS_OK) return s;
    cuda_free(d, b->data);
    *b = (struct cuda_block){0};
    int code = d->rt->allocate(&b->data, bytes);
    if (code == 0) b->bytes = bytes;
    if (code == 0 && is_zeroed) code = d->rt->fill(b->data, 0, bytes, d->stream);
    if (code == 0) return STATUS_OK;
    s = cuda_error(d, code, what, e);
    return error_prefix(e, "%zu bytes on the device", bytes), s;
}

enum status cuda_synchronise(struct device *device, struct error *e) { return cuda_wait((struct cuda_device *)(void *)device, NULL, e); }

/* ---- facts ---- */

void cuda_memory(const struct device *device, struct memory_use *out) {
    const struct cuda_device *d = (const struct cuda_device *)(const void *)device;
    *out = (struct memory_use){0};
    for (size_t i = 0; i < d->n_weights; i++) out->weight_bytes += d->weights[i]->bytes;
    for (size_t i = 0; i < d->n_states; i++) out->state_bytes += d->states[i].bytes;
    out->packed_bytes = out->weight_bytes;
    out->activation_bytes = d->activations.bytes + d->scratch.bytes + d->counters.bytes + d->choices.bytes + d->input_bytes;
    for (size_t i = 0; i < d->n_angles; i++) out->activation_bytes += 2 * sizeof(float) * (size_t)(d->angles[i]->positions * d->angles[i]->half);
}

size_t cuda_capacity(const struct device *device) {
    const struct cuda_device *d = (const struct cuda_device *)(const void *)device;
    size_t available = 0, total = 0;
    return d->rt->memory(&available, &total) == 0 ? available : 0;
}

void cuda_describe(struct device *device, void (*each)(void *to, const char *key, const char *value), void *to) {
    const struct cuda_device *d = (const struct cuda_device *)(const void *)device;
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    char key[64], value[CUDA_NAME_BYTES + 32];
    each(to, "device", d->properties.name);
    snprintf(value, sizeof value, "%d.%d", d->properties.major, d->properties.minor);
    each(to, "compute_capability", value);
    snprintf(value, sizeof value, "%d.%d", d->driver_version / 1000, d->driver_version % 1000 / 10);
    each(to, "driver.cuda", value);
    snprintf(value, sizeof value, "%d.%d", d->runtime_version / 1000, d->runtime_version % 1000 / 10);
    each(to, "runtime.cuda", value);
    snprintf(value, sizeof value, "cuBLASLt %zu", products_version(d->products));
    each(to, "library", value);
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "compute_unit.linear.%s.few", dtype_name(types[i]));
        each(to, key, types[i] == DTYPE_F32 ? "streaming, f32" : "streaming, tensor cores");
        snprintf(key, sizeof key, "compute_unit.linear.%s.many", dtype_name(types[i]));
        each(to, key, "cuBLASLt");
    }
}
