/* device.c: the limits of devices that measure their own (GPUs): bandwidth over the working set, matrix rates. Measured
 * by a process of its own: one that has started a driver may not fork others that use it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/ceilings/ceilings.h"
#include "harness/measure/worker.h"
#include "kernels/backend.h"
#include "results/stats/descriptive.h"

enum { REPEATS = 9, QUICK_REPEATS = 5 };
static const double least_bytes = 1 << 20, most_bytes = (double)(1ull << 32);

static enum status add_limit(struct device *d, const struct limit *l, int repeats, const char *unit, struct ceiling_list *out, struct error *e) {
    static const char *const kinds[] = {"read", "copy", "matrix"};
    double rates[REPEATS];
    enum status s = device_backend(d)->measure_limit(d, l, repeats, rates, e);
    if (s != STATUS_OK) return s;
    struct ceiling_record r = {.kind = kinds[l->kind], .unit = unit, .pattern = l->kind == LIMIT_MATRIX ? "cuBLASLt, 8192 cubed" : "16 bytes a thread", .threads = 1,
                               .working_set_bytes = (double)l->bytes, .value = sample_median(rates, (size_t)repeats), .low = INFINITY};
    for (int i = 0; i < repeats; i++) {
        r.low = fmin(r.low, rates[i]);
        r.high = fmax(r.high, rates[i]);
    }
    ceiling_list_add(out, &r);
    return STATUS_OK;
}

static enum status add_device(struct device *d, const struct ceilings_options *o, struct ceiling_list *out, struct error *e) {
    static const enum dtype types[] = {DTYPE_BF16, DTYPE_F16, DTYPE_F32};
    const char *name = device_backend(d)->name;
    int repeats = o->is_quick ? QUICK_REPEATS : REPEATS;
    double step = o->is_quick ? 16 : 2;
    enum status s = STATUS_OK;
    for (double bytes = least_bytes; bytes <= most_bytes && s == STATUS_OK; bytes *= step)
        for (int kind = LIMIT_READ; kind <= LIMIT_COPY && s == STATUS_OK; kind++)
            s = add_limit(d, &(struct limit){.kind = (enum limit_kind)kind, .bytes = (size_t)bytes}, repeats, name, out, e);
    for (int i = 0; i < 3 && s == STATUS_OK; i++) {
        char unit[64];
        snprintf(unit, sizeof unit, "%s-%s", name, dtype_name(types[i]));
        s = add_limit(d, &(struct limit){.kind = LIMIT_MATRIX, .dtype = types[i]}, repeats, unit, out, e);
    }
    return s;
}

static enum status add_devices(const struct ceilings_options *o, struct ceiling_list *out, struct error *e) {
    for (int i = 0; backend_at(i); i++) {
        const struct backend *b = backend_at(i);
        struct clock clock = {0};
        struct device *d;
        struct error reason = {0};
        if (!b->measure_limit || b->is_timeless) continue;
        if (b->open(&(struct device_options){.clock = &clock, .threads = 1}, &d, &reason) != STATUS_OK) continue; /* doctor says why */
        enum status s = add_device(d, o, out, e);
        b->close(d);
        if (s != STATUS_OK) return error_prefix(e, "limits of %s", b->name), s;
    }
    return STATUS_OK;
}

/* ---- the process ---- */

static enum status worker_open(void *self, json_t **reply, struct error *e) {
    struct ceiling_list list = {0};
    enum status s = add_devices(self, &list, e);
    *reply = json_array();
    for (int i = 0; i < list.n && s == STATUS_OK; i++) {
        const struct ceiling_record *r = &list.items[i];
        json_array_append_new(*reply, json_pack("[s,s,s,f,f,f,f]", r->kind, r->unit, r->pattern, r->working_set_bytes, r->value, r->low, r->high));
    }
    ceiling_list_free(&list);
    return s;
}

static enum status worker_serve(void *self, const json_t *request, json_t **reply, struct error *e) {
    (void)self, (void)request, (void)reply;
    return error_set(e, STATUS_INTERNAL, "nothing more is asked of this process");
}

static void worker_close(void *self) { (void)self; }

enum status ceilings_measure_devices(const struct ceilings_options *o, struct ceiling_list *out, struct error *e) {
    struct worker_program program = {worker_open, worker_serve, worker_close, (void *)(uintptr_t)o};
    struct worker w = {0};
    json_t *reply, *item;
    size_t i;
    enum status s = worker_start(&program, &w, &reply, e);
    if (s != STATUS_OK) return s;
    json_array_foreach(reply, i, item) {
        struct ceiling_record r = {.threads = 1};
        if (json_unpack(item, "[s,s,s,F,F,F,F]", &r.kind, &r.unit, &r.pattern, &r.working_set_bytes, &r.value, &r.low, &r.high) == 0) ceiling_list_add(out, &r);
    }
    json_decref(reply);
    worker_stop(&w);
    return STATUS_OK;
}
