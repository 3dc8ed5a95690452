/* null.c: computes nothing; an injected clock advances by each operation's declared cost, and data-dependent choices
 * come from a script. Everything above the backend is tested on it with exact expectations.
 *
 * Inputs, outputs and states hold real bytes, so that the movement of data can be checked; what is large is made
 * when it is first written, so that a model of any size can be prepared. Memory is claimed by size alone. */
#include <string.h>

#include "kernels/backend.h"

enum {
    NULL_DISPATCH_NS = 1000,        /* between operations that are launched one by one */
    NULL_LEAST_NS = 1000,           /* an operation's least cost where the script names none */
    NULL_GROUP_BYTES_PER_US = 1000, /* weight groups arrive at 1 GB/s */
    NULL_EAGER_BYTES = 1 << 20      /* larger buffers wait for their first write */
};

struct null_buffer {
    size_t bytes;
    void *data;                    /* NULL: zeros, not written yet */
};

struct null_state {
    char *name;
    struct null_buffer buffer;
};

struct null_weight {
    uint64_t hash;
    size_t bytes;
    int group;
};

struct null_device {
    struct device_head head;
    struct clock *clock;
    const struct null_script *script;
    struct null_state **states;
    size_t n_states, state_capacity;
    struct null_weight *weights;   /* each recipe once */
    size_t n_weights, weight_capacity;
    struct memory_use use;
    int64_t choices;               /* calls of choice operations so far, of all programs */
};

struct null_prepared {
    struct prepared_head head;
    struct null_device *device;
    struct null_buffer *own;       /* of inputs, outputs and kept activations */
    struct null_buffer **buffers;  /* of each tensor: its own or a state's; NULL where it has none */
    int64_t symbols[SYMBOL_COUNT];
};

static struct null_prepared *self(struct prepared *p) { return (struct null_prepared *)(void *)p; }
static struct null_device *device_self(struct device *d) { return (struct null_device *)(void *)d; }

/* ---- the device ---- */

static enum status null_open(const struct device_options *o, struct device **out, struct error *e) {
    static const struct null_script plain;
    if (!o->clock || !o->clock->is_fake)
        return error_set(e, STATUS_INPUT, "the null backend computes nothing: it needs an injected clock to advance");
    struct null_device *d = mem_alloc(sizeof *d);
    d->head = (struct device_head){.backend = &backend_null, .unit = o->unit, .n_lanes = 1};
    d->clock = o->clock;
    d->script = o->script ? o->script : &plain;
    *out = (struct device *)(void *)d;
    return STATUS_OK;
}

static void null_close(struct device *device) {
    struct null_device *d = device_self(device);
    for (size_t i = 0; i < d->n_states; i++) {
        mem_free(d->states[i]->name);
        mem_try_free(d->states[i]->buffer.data, d->states[i]->buffer.bytes);
        mem_free(d->states[i]);
    }
    mem_free(d->states);
    mem_free(d->weights);
    mem_free(d);
}

static enum status null_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e) {
    const struct null_script *script = ((const struct null_device *)(const void *)d)->script;
    (void)p;
    if (!script->refuses || !script->refuses(script->self, op)) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "the script refuses %s", op_table[op->kind].name);
}

static enum status null_synchronise(struct device *d, struct error *e) {
    (void)d, (void)e;
    return STATUS_OK;
}

static void null_memory(const struct device *d, struct memory_use *out) {
    *out = ((const struct null_device *)(const void *)d)->use;
}

static void null_describe(struct device *d, void (*each)(void *to, const char *key, const char *value), void *to) {
    (void)d;
    each(to, "compute_unit.linear", "none: declared costs on an injected clock");
}

/* ---- memory ---- */

static struct null_state *find_state(const struct null_device *d, const char *name) {
    for (size_t i = 0; i < d->n_states; i++)
        if (strcmp(d->states[i]->name, name) == 0) return d->states[i];
    return NULL;
}

/* Lists the weights that the device lacks; returns their bytes. */
static size_t list_weights(struct null_device *d, const struct program *p) {
    size_t bytes = 0;
    for (size_t i = 0; i < p->n_tensors; i++) {
        const struct tensor *t = &p->tensors[i];
        if (t->storage != STORAGE_WEIGHT) continue;
        uint64_t hash = recipe_hash(t->recipe);
        size_t k = 0;
        while (k < d->n_weights && d->weights[k].hash != hash) k++;
        if (k < d->n_weights) continue;
        LIST_GROW(d->weights, d->n_weights, d->weight_capacity);
        d->weights[d->n_weights++] = (struct null_weight){hash, (size_t)recipe_stored_bytes(t->recipe, t->dtype), t->recipe->group};
        bytes += d->weights[d->n_weights - 1].bytes;
    }
    return bytes;
}

static size_t new_state_bytes(const struct null_device *d, const struct program *p) {
    size_t bytes = 0;
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_STATE && !find_state(d, p->tensors[i].name))
            bytes += tensor_bytes(&p->tensors[i], p->symbol_max);
    return bytes;
}

/* Claims a program's memory, or nothing of it. */
static enum status claim(struct null_device *d, const struct program *p, struct error *e) {
    size_t *offsets = mem_alloc((p->n_tensors + 1) * sizeof *offsets), block = program_plan(p, offsets);
    mem_free(offsets);
    size_t n_before = d->n_weights;
    struct memory_use use = d->use;
    use.weight_bytes += list_weights(d, p);
    use.state_bytes += new_state_bytes(d, p);
    if (block > use.activation_bytes) use.activation_bytes = block; /* programs run one after another in one block */
    size_t need = use.weight_bytes + use.state_bytes + use.activation_bytes;
    if (d->script->memory_bytes && need > d->script->memory_bytes) {
        d->n_weights = n_before;
        return error_set(e, STATUS_NO_MEMORY, "program %s needs %zu bytes (weights %zu, states %zu, activations %zu), the device has %zu",
                         p->name, need, use.weight_bytes, use.state_bytes, use.activation_bytes, d->script->memory_bytes);
    }
    d->use = use;
    return STATUS_OK;
}

static enum status make_real(struct null_buffer *b, struct error *e) {
    if (b->data || b->bytes == 0) return STATUS_OK;
    b->data = mem_try(b->bytes);
    return b->data ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for a buffer of %zu bytes", b->bytes);
}

static struct null_buffer *state_buffer(struct null_device *d, const struct tensor *t, size_t bytes) {
    struct null_state *s = find_state(d, t->name);
    if (s) return &s->buffer;
    LIST_GROW(d->states, d->n_states, d->state_capacity);
    s = d->states[d->n_states++] = mem_alloc(sizeof *s);
    *s = (struct null_state){.name = mem_copy_string(t->name), .buffer = {.bytes = bytes}};
    return &s->buffer;
}

static enum status make_buffer(struct null_prepared *q, size_t i, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[i];
    size_t bytes = tensor_bytes(t, q->head.program->symbol_max);
    if (t->storage == STORAGE_STATE) {
        q->buffers[i] = state_buffer(q->device, t, bytes);
        return STATUS_OK;
    }
    if (t->storage != STORAGE_INPUT && t->storage != STORAGE_OUTPUT && !t->is_kept) return STATUS_OK;
    q->buffers[i] = &q->own[i];
    q->own[i].bytes = bytes;
    return bytes <= NULL_EAGER_BYTES ? make_real(&q->own[i], e) : STATUS_OK;
}

static void null_release(struct prepared *prepared) {
    struct null_prepared *q = self(prepared);
    for (size_t i = 0; i < q->head.program->n_tensors; i++) mem_try_free(q->own[i].data, q->own[i].bytes);
    mem_free(q->own);
    mem_free(q->buffers);
    mem_free(q);
}

static enum status null_prepare(struct device *device, const struct program *p, const struct weight_source *w,
                                struct prepared **out, struct error *e) {
    struct null_device *d = device_self(device);
    (void)w;
    enum status s = claim(d, p, e);
    if (s != STATUS_OK) return s;
    struct null_prepared *q = mem_alloc(sizeof *q);
    *q = (struct null_prepared){.head = {.backend = &backend_null, .program = p}, .device = d};
    q->own = mem_alloc((p->n_tensors + 1) * sizeof *q->own);
    q->buffers = mem_alloc((p->n_tensors + 1) * sizeof(struct null_buffer *));
    for (size_t i = 0; i < p->n_tensors && s == STATUS_OK; i++) s = make_buffer(q, i, e);
    if (s != STATUS_OK) null_release((struct prepared *)(void *)q);
    else *out = (struct prepared *)(void *)q;
    return s;
}

static enum status null_bind(struct prepared *prepared, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    struct null_prepared *q = self(prepared);
    const struct program *p = q->head.program;
    for (int i = 0; i < SYMBOL_COUNT; i++)
        if (symbols[i] < 0 || symbols[i] > p->symbol_max[i])
            return error_set(e, STATUS_INTERNAL, "program %s: %s = %lld is outside [0, %lld]", p->name, symbol_name((enum symbol)i),
                             (long long)symbols[i], (long long)p->symbol_max[i]);
    memcpy(q->symbols, symbols, sizeof q->symbols);
    return STATUS_OK;
}

/* ---- in and out ---- */

static enum status find_range(const struct null_prepared *q, int tensor, size_t offset, size_t bytes, struct null_buffer **out,
                              struct error *e) {
    const struct tensor *t = &q->head.program->tensors[tensor];
    *out = q->buffers[tensor];
    if (!*out) return error_set(e, STATUS_INTERNAL, "'%s', of kind %s, has no memory of its own", t->name, storage_name(t->storage));
    if (offset <= (*out)->bytes && bytes <= (*out)->bytes - offset) return STATUS_OK;
    return error_set(e, STATUS_INTERNAL, "bytes %zu to %zu of '%s' were asked for, it has %zu", offset, offset + bytes, t->name, (*out)->bytes);
}

static enum status null_write(struct prepared *p, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    struct null_buffer *b;
    enum status s = find_range(self(p), tensor, offset, bytes, &b, e);
    if (s == STATUS_OK) s = make_real(b, e);
    if (s == STATUS_OK && bytes) memcpy((char *)b->data + offset, src, bytes);
    return s;
}

static enum status null_read(struct prepared *p, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct null_buffer *b;
    enum status s = find_range(self(p), tensor, offset, bytes, &b, e);
    if (s != STATUS_OK || bytes == 0) return s;
    if (b->data) memcpy(dst, (const char *)b->data + offset, bytes);
    else memset(dst, 0, bytes);
    return STATUS_OK;
}

/* ---- running ---- */

/* As if every row saw every position that is bound. */
static uint64_t cost_ns(const struct null_prepared *q, const struct op *op) {
    const struct null_script *script = q->device->script;
    const int64_t *symbols = q->symbols;
    struct facts f = {.rows = symbols[SYMBOL_R], .sum_keys = symbols[SYMBOL_R] * symbols[SYMBOL_S],
                      .distinct_keys = symbols[SYMBOL_B] * symbols[SYMBOL_S]};
    struct work w = op_work(q->head.program, op, symbols, &f);
    if (script->cost_ns) return script->cost_ns(script->self, q->head.program, op, &w);
    double ns = w.bytes / 1024 + w.flop / 1000;
    return ns < NULL_LEAST_NS ? NULL_LEAST_NS : (uint64_t)ns;
}

/* Without a script: the number of the call plus the element's, within what there is to choose from. */
static int32_t choice(const struct null_prepared *q, const struct op *op, int64_t call, int64_t i) {
    const struct null_script *script = q->device->script;
    const struct tensor *from = &q->head.program->tensors[op->in[0]];
    int64_t n = dim_value(from->dims[from->n_dims - 1], q->symbols);
    return script->choice ? script->choice(script->self, op, call, i) : (int32_t)((call + i) % (n > 0 ? n : 1));
}

static void choose(struct null_prepared *q, const struct op *op) {
    int64_t call = q->device->choices++;
    for (int k = 0; k < op->n_out; k++) {
        const struct null_buffer *b = q->buffers[op->out[k]];
        int64_t n = tensor_elements(&q->head.program->tensors[op->out[k]], q->symbols);
        if (!b || !b->data) continue; /* nobody reads it */
        for (int64_t i = 0; i < n && (size_t)(i + 1) * sizeof(int32_t) <= b->bytes; i++) ((int32_t *)b->data)[i] = choice(q, op, call, i);
    }
}

static void copy(const struct null_prepared *q, const struct op *op) {
    const struct null_buffer *from = q->buffers[op->in[0]], *to = q->buffers[op->out[0]];
    if (from && from->data && to && to->data) memcpy(to->data, from->data, from->bytes < to->bytes ? from->bytes : to->bytes);
}

static void record(const struct null_device *d, struct tracer *t, const struct span *what) {
    struct span *span = t ? tracer_next(t, d->head.unit, 0) : NULL;
    if (!span) return;
    *span = *what;
    span->end_ns = span->released_ns = clock_now_ns(d->clock);
    span->note = tracer_note_now(t);
    span->step = t->site.step;
    span->stage = (int16_t)launch_site_stage(&t->site, span->op);
    span->program = (int16_t)t->program;
}

static void run_op(struct null_prepared *q, int index, int launches, struct tracer *t) {
    const struct op *op = &q->head.program->ops[index];
    uint64_t start = clock_now_ns(q->device->clock);
    annotate_op(q->head.annotated, index);
    clock_advance_ns(q->device->clock, cost_ns(q, op));
    if (op_table[op->kind].is_choice) choose(q, op);
    if (op->kind == OP_COPY) copy(q, op);
    record(q->device, t, &(struct span){.start_ns = start, .op = index, .subject = -1, .kind = SPAN_RUN,
                                        .launches = (uint16_t)launches});
    annotate_op_end(q->head.annotated, index);
}

static enum status null_run(struct prepared *p, int first, int n, struct tracer *t, struct error *e) {
    (void)e;
    for (int i = first; i < first + n; i++) {
        if (i > first) clock_advance_ns(self(p)->device->clock, NULL_DISPATCH_NS);
        run_op(self(p), i, 1, t);
    }
    return STATUS_OK;
}

struct captured {
    int first, n;
};

static enum status null_capture(struct prepared *p, int first, int n, struct tracer *t, struct captured **out, struct error *e) {
    (void)p, (void)t, (void)e;
    *out = mem_alloc(sizeof **out);
    **out = (struct captured){first, n};
    return STATUS_OK;
}

static enum status null_replay(struct prepared *p, struct captured *c, struct tracer *t, struct error *e) {
    (void)e;
    for (int i = 0; i < c->n; i++) run_op(self(p), c->first + i, i == 0, t);
    return STATUS_OK;
}

static void null_drop(struct prepared *p, struct captured *c) {
    (void)p;
    mem_free(c);
}

/* ---- residency ---- */

static enum status null_load_group(struct device *device, int group, struct tracer *t, int op, struct error *e) {
    struct null_device *d = device_self(device);
    size_t bytes = 0;
    (void)e;
    for (size_t i = 0; i < d->n_weights; i++) bytes += d->weights[i].group == group ? d->weights[i].bytes : 0;
    uint64_t start = clock_now_ns(d->clock);
    clock_advance_ns(d->clock, bytes * 1000 / NULL_GROUP_BYTES_PER_US);
    record(d, t, &(struct span){.start_ns = start, .op = op, .subject = group, .kind = SPAN_WAIT});
    return STATUS_OK;
}

static void null_drop_group(struct device *d, int group) { (void)d, (void)group; }

const struct backend backend_null = {
    .name = "null", .summary = "computes nothing; declared costs on an injected clock, scripted choices", .is_simulated = 1, .is_timeless = 1,
    .open = null_open, .close = null_close, .supports = null_supports, .prepare = null_prepare, .release = null_release,
    .bind = null_bind, .write = null_write, .read = null_read, .run = null_run, .capture = null_capture, .replay = null_replay, .drop = null_drop,
    .synchronise = null_synchronise, .load_group = null_load_group, .drop_group = null_drop_group, .memory = null_memory,
    .describe = null_describe,
};
