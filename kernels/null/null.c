/* null.c: computes nothing; an injected clock advances by each operation's declared cost, and data-dependent choices
 * come from a script. Everything above the backend is tested on it with exact expectations. */
#include <string.h>

#include "kernels/backend.h"

enum { NULL_DISPATCH_NS = 1000, NULL_LEAST_NS = 1000 };
static const double null_group_bytes_per_s = 1e9;

struct null_state {
    char *name;
    void *data;
    size_t bytes;
};

struct null_device {
    struct device_head head;
    struct clock *clock;
    const struct null_script *script;
    struct null_state *states;
    size_t n_states, capacity;
    struct memory_use use;
    uint64_t *hashes;              /* weights that are counted already */
    size_t n_hashes, hash_capacity;
    double group_bytes[256];
    int64_t choices;               /* calls of choice operations so far, of all programs */
};

struct null_prepared {
    struct prepared_head head;
    struct null_device *device;
    void **data;                   /* of inputs, outputs and states */
    int64_t symbols[SYMBOL_COUNT];
    int captured_first, captured_n;
};

static struct null_prepared *self(struct prepared *p) { return (struct null_prepared *)(void *)p; }
static struct null_device *device_self(struct device *d) { return (struct null_device *)(void *)d; }

static enum status null_open(const struct device_options *o, struct device **out, struct error *e) {
    static const struct null_script plain;
    if (!o->clock || !o->clock->is_fake) return error_set(e, STATUS_INPUT, "the null backend needs an injected clock");
    struct null_device *d = mem_alloc(sizeof *d);
    d->head = (struct device_head){&backend_null, o->unit, 1};
    d->clock = o->clock;
    d->script = o->script ? o->script : &plain;
    *out = (struct device *)(void *)d;
    return STATUS_OK;
}

static void null_close(struct device *device) {
    struct null_device *d = device_self(device);
    for (size_t i = 0; i < d->n_states; i++) {
        mem_free(d->states[i].name);
        mem_free(d->states[i].data);
    }
    mem_free(d->states);
    mem_free(d->hashes);
    mem_free(d);
}

static enum status null_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e) {
    const struct null_script *script = ((const struct null_device *)(const void *)d)->script;
    (void)p;
    if (script->refuses && script->refuses(script->self, op)) return error_set(e, STATUS_UNSUPPORTED, "the script refuses %s", op_table[op->kind].name);
    return STATUS_OK;
}

/* ---- preparing ---- */

static double recipe_bytes(const struct recipe *r, enum dtype t) {
    if (r->kind == RECIPE_ENCODE) return (double)encoding_row_bytes(r->encoding, r->cols) * (double)r->rows;
    if (r->kind == RECIPE_LEAF) return (double)r->rows * (double)r->cols * (double)dtype_bytes(t);
    double bytes = 0;
    for (int i = 0; i < r->n_parts; i++) bytes += recipe_bytes(r->parts[i], t);
    return bytes;
}

static void count_weight(struct null_device *d, const struct tensor *t) {
    uint64_t h = recipe_hash(t->recipe);
    for (size_t i = 0; i < d->n_hashes; i++)
        if (d->hashes[i] == h) return;
    LIST_GROW(d->hashes, d->n_hashes, d->hash_capacity);
    d->hashes[d->n_hashes++] = h;
    double bytes = recipe_bytes(t->recipe, t->dtype);
    d->use.weight_bytes += (size_t)bytes;
    if (t->recipe->group >= 0 && t->recipe->group < 256) d->group_bytes[t->recipe->group] += bytes;
}

static void *find_state(struct null_device *d, const struct tensor *t, size_t bytes) {
    for (size_t i = 0; i < d->n_states; i++)
        if (strcmp(d->states[i].name, t->name) == 0) return d->states[i].data;
    LIST_GROW(d->states, d->n_states, d->capacity);
    d->states[d->n_states] = (struct null_state){mem_copy_string(t->name), mem_alloc(bytes), bytes};
    d->use.state_bytes += bytes;
    return d->states[d->n_states++].data;
}

static enum status check_memory(struct null_device *d, const struct program *p, struct error *e) {
    size_t *offsets = mem_alloc((p->n_tensors + 1) * sizeof *offsets), block = program_plan(p, offsets);
    mem_free(offsets);
    if (block > d->use.activation_bytes) d->use.activation_bytes = block;
    size_t need = d->use.weight_bytes + d->use.state_bytes + d->use.activation_bytes;
    if (d->script->memory_bytes && need > d->script->memory_bytes)
        return error_set(e, STATUS_NO_MEMORY, "program %s needs %zu bytes, the device has %zu", p->name, need, d->script->memory_bytes);
    return STATUS_OK;
}

static void null_release(struct prepared *prepared) {
    struct null_prepared *q = self(prepared);
    for (size_t i = 0; i < q->head.program->n_tensors; i++)
        if (q->head.program->tensors[i].storage != STORAGE_STATE) mem_free(q->data[i]);
    mem_free(q->data);
    mem_free(q);
}

static enum status null_prepare(struct device *device, const struct program *p, const struct weight_source *w, struct prepared **out, struct error *e) {
    struct null_device *d = device_self(device);
    (void)w;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_WEIGHT) count_weight(d, &p->tensors[i]);
    enum status s = check_memory(d, p, e);
    if (s != STATUS_OK) return s;
    struct null_prepared *q = mem_alloc(sizeof *q);
    *q = (struct null_prepared){.head = {&backend_null, p}, .device = d, .data = mem_alloc((p->n_tensors + 1) * sizeof(void *))};
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct tensor *t = &p->tensors[i];
        size_t bytes = tensor_bytes(t, p->symbol_max);
        if (t->storage == STORAGE_STATE) q->data[i] = find_state(d, t, bytes);
        else if (t->storage == STORAGE_INPUT || t->storage == STORAGE_OUTPUT || t->is_kept) q->data[i] = mem_alloc(bytes);
    }
    *out = (struct prepared *)(void *)q;
    return STATUS_OK;
}

static enum status null_bind(struct prepared *p, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    (void)e;
    memcpy(self(p)->symbols, symbols, sizeof self(p)->symbols);
    return STATUS_OK;
}

static enum status null_write(struct prepared *p, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    struct null_prepared *q = self(p);
    if (!q->data[tensor]) return error_set(e, STATUS_INTERNAL, "'%s' holds nothing on the null backend", q->head.program->tensors[tensor].name);
    memcpy((char *)q->data[tensor] + offset, src, bytes);
    return STATUS_OK;
}

static enum status null_read(struct prepared *p, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct null_prepared *q = self(p);
    if (!q->data[tensor]) return error_set(e, STATUS_INTERNAL, "'%s' holds nothing on the null backend", q->head.program->tensors[tensor].name);
    memcpy(dst, (const char *)q->data[tensor] + offset, bytes);
    return STATUS_OK;
}

/* ---- running ---- */

static uint64_t cost_ns(const struct null_prepared *q, const struct op *op) {
    const struct null_script *script = q->device->script;
    struct facts f = {.rows = q->symbols[SYMBOL_R], .sum_keys = q->symbols[SYMBOL_R] * q->symbols[SYMBOL_S], .distinct_keys = q->symbols[SYMBOL_S]};
    struct work w = op_work(q->head.program, op, q->symbols, &f);
    if (script->cost_ns) return script->cost_ns(script->self, q->head.program, op, &w);
    double ns = w.bytes / 1024 + w.flop / 1000;
    return ns < NULL_LEAST_NS ? NULL_LEAST_NS : (uint64_t)ns;
}

static void choose(struct null_prepared *q, const struct op *op) {
    const struct null_script *script = q->device->script;
    int64_t call = q->device->choices++;
    for (int k = 0; k < op->n_out; k++) {
        int32_t *to = q->data[op->out[k]];
        int64_t n = tensor_elements(&q->head.program->tensors[op->out[k]], q->symbols);
        for (int64_t i = 0; to && i < n; i++) to[i] = script->choice ? script->choice(script->self, op, call, i) : (int32_t)(call + i);
    }
}

static void run_op(struct null_prepared *q, int index, int launches, struct tracer *t) {
    const struct op *op = &q->head.program->ops[index];
    struct clock *clock = q->device->clock;
    uint64_t start = clock_now_ns(clock);
    clock_advance_ns(clock, cost_ns(q, op));
    if (op_table[op->kind].is_choice) choose(q, op);
    struct span *span = t ? tracer_next(t, q->device->head.unit, 0) : NULL;
    uint64_t end = clock_now_ns(clock);
    if (span)
        *span = (struct span){.start_ns = start, .end_ns = end, .released_ns = end, .step = t->step, .op = index, .subject = -1,
            .stage = (int16_t)t->stage, .program = (int16_t)t->program, .kind = SPAN_RUN, .launches = (uint16_t)launches};
}

static enum status null_run(struct prepared *p, int first, int n, struct tracer *t, struct error *e) {
    (void)e;
    for (int i = first; i < first + n; i++) {
        if (i > first) clock_advance_ns(self(p)->device->clock, NULL_DISPATCH_NS);
        run_op(self(p), i, 1, t);
    }
    return STATUS_OK;
}

static enum status null_capture(struct prepared *p, int first, int n, struct error *e) {
    (void)e;
    self(p)->captured_first = first;
    self(p)->captured_n = n;
    return STATUS_OK;
}

static enum status null_replay(struct prepared *p, struct tracer *t, struct error *e) {
    struct null_prepared *q = self(p);
    (void)e;
    for (int i = 0; i < q->captured_n; i++) run_op(q, q->captured_first + i, i == 0, t);
    return STATUS_OK;
}

static enum status null_synchronise(struct device *d, struct error *e) {
    (void)d, (void)e;
    return STATUS_OK;
}

static enum status null_load_group(struct device *device, int group, struct tracer *t, int op, struct error *e) {
    struct null_device *d = device_self(device);
    if (group < 0 || group >= 256) return error_set(e, STATUS_INTERNAL, "weight group %d", group);
    uint64_t start = clock_now_ns(d->clock);
    clock_advance_ns(d->clock, (uint64_t)(d->group_bytes[group] / null_group_bytes_per_s * 1e9));
    struct span *span = t ? tracer_next(t, d->head.unit, 0) : NULL;
    uint64_t end = clock_now_ns(d->clock);
    if (span)
        *span = (struct span){.start_ns = start, .end_ns = end, .released_ns = end, .step = t->step, .op = op, .subject = group,
            .stage = (int16_t)t->stage, .program = (int16_t)t->program, .kind = SPAN_WAIT};
    return STATUS_OK;
}

static void null_drop_group(struct device *d, int group) { (void)d, (void)group; }

static void null_memory(const struct device *d, struct memory_use *out) { *out = ((const struct null_device *)(const void *)d)->use; }

static void null_describe(const struct device *d, void (*each)(void *to, const char *key, const char *value), void *to) {
    (void)d;
    each(to, "compute_unit.linear", "none: declared costs on an injected clock");
}

const struct backend backend_null = {
    .name = "null", .summary = "computes nothing; declared costs on an injected clock, scripted choices", .is_simulated = 1,
    .open = null_open, .close = null_close, .supports = null_supports, .prepare = null_prepare, .release = null_release, .bind = null_bind,
    .write = null_write, .read = null_read, .run = null_run, .capture = null_capture, .replay = null_replay, .synchronise = null_synchronise,
    .load_group = null_load_group, .drop_group = null_drop_group, .memory = null_memory, .describe = null_describe,
};
