/* limits.c: what the device can do at most, by its own clock: reads, copies, products of large matrices. */
#include "kernels/base/random.h"
#include "kernels/cuda/cuda.h"

enum { MATRIX_SIDE = 8192, LEAST_MS = 1 };

/* Something that is done `times` over, and how much it is. */
struct subject {
    struct cuda_device *d;
    const struct limit *l;
    char *a, *b, *c;               /* device memory */
    struct product *plan;
};

static size_t bytes_of(const struct limit *l) {
    if (l->kind == LIMIT_MATRIX) return (size_t)MATRIX_SIDE * MATRIX_SIDE * dtype_bytes(l->dtype);
    return l->kind == LIMIT_COPY ? l->bytes / 2 : l->bytes;
}

static double work_of(const struct limit *l) {
    return l->kind == LIMIT_MATRIX ? 2.0 * MATRIX_SIDE * MATRIX_SIDE * MATRIX_SIDE : (double)(l->bytes / 32 * 32);
}

static int put(const struct subject *s, int times) {
    const struct cuda_device *d = s->d;
    struct cuda_read read = {.n = (int64_t)(s->l->bytes / 16), .passes = times, .x = s->a, .sink = (int32_t *)(void *)s->b, .n_multiprocessors = d->properties.n_multiprocessors};
    struct cuda_map copy = {.kind = CUDA_MAP_COPY, .t = DTYPE_F32, .n = (int64_t)(s->l->bytes / 32 * 4), .a = s->a, .y = s->b};
    struct product_data product = {.x = s->a, .w = s->b, .y = s->c};
    int code = 0;
    if (s->l->kind == LIMIT_READ) return d->kernels->read(d->stream, &read);
    for (int i = 0; i < times && code == 0; i++) code = s->l->kind == LIMIT_COPY ? d->kernels->map(d->stream, &copy) : product_run(d->products, s->plan, &product);
    return code;
}

static enum status time_once(const struct subject *s, int times, void *events[2], float *ms, struct error *e) {
    const struct cuda_runtime *rt = s->d->rt;
    int code = rt->event_record(events[0], s->d->stream);
    if (code == 0) code = put(s, times);
    if (code == 0) code = rt->event_record(events[1], s->d->stream);
    if (code == 0) code = rt->event_wait(events[1]);
    if (code == 0) code = rt->event_elapsed(ms, events[0], events[1]);
    return code == 0 ? STATUS_OK : cuda_error(s->d, code, "measuring a limit", e);
}

/* Often enough that a run is long against the clock's steps. */
static enum status repeat(const struct subject *s, int repeats, double *per_s, struct error *e) {
    const struct cuda_runtime *rt = s->d->rt;
    void *events[2] = {NULL, NULL};
    float ms = 0;
    int times = 1;
    rt->event_open(&events[0]);
    rt->event_open(&events[1]);
    enum status st = time_once(s, 1, events, &ms, e); /* loads code */
    for (int i = 0; st == STATUS_OK && i < 12; i++) {
        st = time_once(s, times, events, &ms, e);
        if (ms >= LEAST_MS) break;
        times *= 2;
    }
    for (int i = 0; i < repeats && st == STATUS_OK; i++) {
        st = time_once(s, times, events, &ms, e);
        per_s[i] = ms > 0 ? work_of(s->l) * times / (double)ms * 1e3 : 0;
    }
    rt->event_close(events[0]);
    rt->event_close(events[1]);
    return st;
}

/* Random numbers: products of zeros run faster than others. */
static enum status fill_random(struct cuda_device *d, char *to, size_t bytes, enum dtype t, struct error *e) {
    uint64_t state = 1;
    size_t piece = bytes < CUDA_STAGING_BYTES ? bytes : CUDA_STAGING_BYTES;
    for (size_t i = 0; i < piece / dtype_bytes(t); i++) {
        float x = (float)(random_next(&state) >> 40) * 0x1p-24f - 0.5f;
        if (t == DTYPE_F32) ((float *)d->staging)[i] = x;
        else ((uint16_t *)d->staging)[i] = t == DTYPE_BF16 ? f32_to_bf16(x) : f32_to_f16(x);
    }
    for (size_t at = 0; at < bytes; at += piece) {
        int code = d->rt->copy(to + at, d->staging, bytes - at < piece ? bytes - at : piece, CUDA_TO_DEVICE, d->stream);
        if (code != 0) return cuda_error(d, code, "filling memory", e);
    }
    return cuda_wait(d, NULL, e);
}

static enum status make_subject(struct subject *s, struct error *e) {
    struct cuda_device *d = s->d;
    size_t bytes = bytes_of(s->l), needed = 3 * bytes, available = 0, total = 0;
    if (d->rt->memory(&available, &total) == 0 && needed > available) return error_set(e, STATUS_UNSUPPORTED, "the device has no %zu bytes left", needed);
    int code = d->rt->allocate((void **)&s->a, bytes);
    if (code == 0) code = d->rt->allocate((void **)&s->b, bytes);
    if (code == 0 && s->l->kind == LIMIT_MATRIX) code = d->rt->allocate((void **)&s->c, bytes);
    if (code != 0) return cuda_error(d, code, "allocating memory for a limit", e);
    enum dtype t = s->l->kind == LIMIT_MATRIX ? s->l->dtype : DTYPE_F32;
    enum status st = fill_random(d, s->a, bytes, t, e);
    if (st == STATUS_OK) st = fill_random(d, s->b, bytes, t, e);
    if (st != STATUS_OK || s->l->kind != LIMIT_MATRIX) return st;
    struct product_shape shape = {MATRIX_SIDE, MATRIX_SIDE, MATRIX_SIDE, t, t, 0};
    return products_plan(d->products, &shape, &(struct product_data){.x = s->a, .w = s->b, .y = s->c}, &s->plan, e);
}

enum status cuda_measure_limit(struct device *device, const struct limit *l, int repeats, double *per_s, struct error *e) {
    struct subject s = {.d = (struct cuda_device *)(void *)device, .l = l};
    enum status st = make_subject(&s, e);
    if (st == STATUS_OK) st = repeat(&s, repeats, per_s, e);
    cuda_free(s.d, s.a);
    cuda_free(s.d, s.b);
    cuda_free(s.d, s.c);
    return st;
}
