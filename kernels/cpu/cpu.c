/* cpu.c: the backend's table. */
#include "kernels/cpu/cpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/dense.h"

/* ---- which kernel, and how many members it is worth ---- */

enum split {
    SPLIT_ELEMENTS,          /* by elements of the first input */
    SPLIT_ROWS,              /* by rows: no more members than rows */
    SPLIT_KEYS,              /* attention: rows × keys */
    SPLIT_TEAM               /* a product */
};

/* ns: what a unit of the split costs one member, within a factor of two (measured at 2 to 4 GHz). */
struct kernel_row {
    cpu_kernel *run;
    enum split split;
    float ns;                /* an element; for SPLIT_KEYS a multiply-add; for SPLIT_TEAM a weight */
};

static const struct kernel_row kernels[OP_KIND_COUNT] = {
    [OP_EMBED] = {cpu_embed, SPLIT_ROWS, 0.1f},
    [OP_RMSNORM] = {cpu_rmsnorm, SPLIT_ROWS, 0.1f},
    [OP_LAYERNORM] = {cpu_layernorm, SPLIT_ROWS, 0.15f},
    [OP_LINEAR] = {cpu_linear, SPLIT_TEAM, 0.05f},
    [OP_ROPE] = {cpu_rope, SPLIT_ROWS, 0.15f},
    [OP_KV_WRITE] = {cpu_kv_write, SPLIT_ROWS, 0.1f},
    [OP_ATTN_SCORES] = {cpu_attn_scores, SPLIT_KEYS, 0.02f},
    [OP_SCALE] = {cpu_scale, SPLIT_ELEMENTS, 0.1f},
    [OP_CAUSAL_MASK] = {cpu_causal_mask, SPLIT_ROWS, 0.1f},
    [OP_SOFTMAX] = {cpu_softmax, SPLIT_ROWS, 0.6f},
    [OP_ATTN_VALUES] = {cpu_attn_values, SPLIT_KEYS, 0.02f},
    [OP_ADD] = {cpu_add, SPLIT_ELEMENTS, 0.1f},
    [OP_MUL] = {cpu_mul, SPLIT_ELEMENTS, 0.1f},
    [OP_SILU] = {cpu_silu, SPLIT_ELEMENTS, 0.4f},
    [OP_GELU] = {cpu_gelu, SPLIT_ELEMENTS, 0.5f},
    [OP_GATHER_ROWS] = {cpu_gather_rows, SPLIT_ROWS, 0.1f},
    [OP_SAMPLE] = {cpu_sample, SPLIT_ROWS, 0.2f},
    [OP_NLL] = {cpu_nll, SPLIT_ROWS, 0.4f},
    [OP_COPY] = {cpu_copy, SPLIT_ELEMENTS, 0.1f},
    [OP_ATTENTION] = {cpu_attention, SPLIT_KEYS, 0.04f},
    [OP_ADD_RMSNORM] = {cpu_add_rmsnorm, SPLIT_ROWS, 0.2f},
    [OP_LINEAR_SWIGLU] = {cpu_linear, SPLIT_TEAM, 0.05f},
    [OP_LINEAR_GELU] = {cpu_linear, SPLIT_TEAM, 0.05f},
    [OP_ROPE_KV_WRITE] = {cpu_rope_kv_write, SPLIT_ROWS, 0.2f},
};

cpu_kernel *cpu_kernel_of(enum op_kind k) { return kernels[k].run; }

/* A member joins for at least this much of the work: less is not worth the cache lines that move between cores. */
enum { LEAST_SHARE_NS = 1500 };

/* The tensor whose size tells an op's work: the output of a gather, else the first input. */
static const struct tensor *sizing_tensor(const struct program *p, const struct op *op) {
    int is_gather = op->kind == OP_EMBED || op->kind == OP_GATHER_ROWS;
    return &p->tensors[is_gather ? op->out[0] : op->in[0]];
}

static int members_of(const struct cpu_prepared *q, const struct cpu_op *o) {
    const struct program *p = q->head.program;
    const struct kernel_row *k = &kernels[o->op->kind];
    const struct tensor *t = sizing_tensor(p, o->op);
    int64_t n = tensor_elements(t, q->symbols), most = q->device->size, width = t->n_dims ? dim_value(t->dims[t->n_dims - 1], q->symbols) : 1;
    double ns = (double)k->ns * (double)n;
    if (k->split == SPLIT_KEYS) ns = (double)k->ns * (double)tensor_elements(&p->tensors[o->op->in[0]], q->symbols) * (double)q->symbols[SYMBOL_S];
    if (k->split == SPLIT_TEAM) {
        if (cpu_is_many_rows(width > 0 ? n / width : 0)) return (int)most; /* its members meet inside */
        ns = (double)k->ns * (double)o->weight->rows * (double)o->weight->cols;
    }
    if (k->split == SPLIT_ROWS && width > 0 && n / width < most) most = n / width;
    int64_t worth = (int64_t)(ns / LEAST_SHARE_NS);
    if (worth < most) most = worth;
    return most < 1 ? 1 : (int)most;
}

/* ---- opening ---- */

static void limit_library(enum isa level) {
    static const enum isa_limit limits[] = {DENSE_SSE41, DENSE_AVX2, DENSE_AVX512, DENSE_AVX512BF16, DENSE_BEST};
    dense_limit_isa(limits[level]);
}

static enum status cpu_open(const struct device_options *o, struct device **out, struct error *e) {
    enum isa level;
    struct team *team;
    enum status s = isa_choose(o->isa, &level, e);
    if (s == STATUS_OK) s = team_open(o->threads, o->is_bound, &team, e);
    if (s != STATUS_OK) return s;
    struct cpu_device *d = mem_alloc(sizeof *d);
    d->team = team;
    d->size = team_size(team);
    d->head = (struct device_head){.backend = &backend_cpu, .unit = o->unit, .n_lanes = d->size, .watch = o->watch};
    d->level = level;
    d->isa = isa_table(level);
    d->has_bf16_unit = level >= ISA_LEVEL_AVX512BF16;
    if (o->isa) limit_library(level);
    units_begin(&d->units, d->isa, level, o->memory);
    *out = (struct device *)(void *)d;
    return STATUS_OK;
}

static void cpu_close(struct device *device) {
    struct cpu_device *d = (struct cpu_device *)(void *)device;
    if (!d) return;
    for (size_t i = 0; i < d->n_states; i++) mem_free(d->states[i].name);
    for (size_t i = 0; i < d->n_state_blocks; i++) mem_try_free(d->state_blocks[i].data, d->state_blocks[i].bytes);
    for (int i = 0; i < d->size; i++) {
        mem_try_free(d->scratch[i], d->scratch_bytes);
        mem_try_free(d->dense_scratch[i], d->dense_scratch_bytes);
    }
    mem_try_free(d->activations, d->activation_bytes);
    mem_try_free(d->shared, d->shared_bytes);
    mem_free(d->states);
    mem_free(d->state_blocks);
    mem_free(d->weights);
    mem_free(d->angles);
    team_close(d->team);
    mem_free(d);
}

/* ---- what is possible ---- */

static int is_unwritable(const struct recipe *r) { return r->kind == RECIPE_ENCODE && !r->encoding->encode && !r->encoding->groups && !recipe_is_verbatim(r); }

static int is_real(enum dtype t) { return t == DTYPE_F32 || t == DTYPE_BF16 || t == DTYPE_F16; }

static enum status cpu_supports(const struct device *device, const struct program *p, const struct op *op, struct error *e) {
    const char *name = op_table[op->kind].name;
    (void)device;
    if (op->kind == OP_COPY && op->i[0] != op->device) return error_set(e, STATUS_UNSUPPORTED, "a copy between devices is the executor's");
    for (int i = 0; i < op->n_in; i++) {
        const struct tensor *t = &p->tensors[op->in[i]];
        if (t->storage == STORAGE_WEIGHT && !is_real(t->dtype))
            return error_set(e, STATUS_UNSUPPORTED, "%s: weight '%s' of type %s", name, t->name, dtype_name(t->dtype));
        const struct recipe *bad = t->recipe ? recipe_find(t->recipe, is_unwritable) : NULL;
        if (bad) return error_set(e, STATUS_UNSUPPORTED, "%s: weight '%s': Assay reads %s but does not write it", name, t->name, bad->encoding->name);
        if (t->dtype == DTYPE_F64 && t->storage != STORAGE_CONSTANT)
            return error_set(e, STATUS_UNSUPPORTED, "%s: '%s' holds frequencies that are not constant", name, t->name);
    }
    int first, last;
    op_vectors(op, &first, &last);
    for (int i = first; i < last; i++)
        if (p->tensors[op->in[i]].storage != STORAGE_WEIGHT)
            return error_set(e, STATUS_UNSUPPORTED, "%s: '%s' is computed, not a weight", name, p->tensors[op->in[i]].name);
    op_caches(op, &first, &last);
    for (int i = first; i < last; i++)
        if (p->tensors[op->in[i]].encoding && p->tensors[op->in[i]].encoding != &encoding_int8_row)
            return error_set(e, STATUS_UNSUPPORTED, "%s: no kernel for a cache stored as %s", name, p->tensors[op->in[i]].encoding->name);
    int cache = op_writes_caches(op) ? first : -1;
    if (cache >= 0 && (p->tensors[op->in[cache]].dtype != p->tensors[op->in[0]].dtype))
        return error_set(e, STATUS_UNSUPPORTED, "%s: a cache of type %s for rows of type %s", name, dtype_name(p->tensors[op->in[cache]].dtype),
                         dtype_name(p->tensors[op->in[0]].dtype));
    return STATUS_OK;
}

/* ---- data ---- */

/* Activations move when a later program makes the device's block larger. */
static void resolve_activations(struct cpu_prepared *q) {
    if (q->block == q->device->activations) return;
    for (size_t i = 0; i < q->head.program->n_tensors; i++)
        if (q->offsets[i] != SIZE_MAX) q->data[i] = (char *)q->device->activations + q->offsets[i];
    q->block = q->device->activations;
}

static enum status cpu_bind(struct prepared *prepared, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    resolve_activations(q);
    if (q->is_bound && memcmp(symbols, q->symbols, sizeof q->symbols) == 0) return STATUS_OK;
    memcpy(q->symbols, symbols, sizeof q->symbols);
    for (size_t i = 0; i < q->head.program->n_ops; i++) q->ops[i].members = members_of(q, &q->ops[i]);
    enum status s = cpu_linear_bind(q, e);
    q->is_bound = s == STATUS_OK;
    return s;
}

static enum status find_bytes(struct cpu_prepared *q, int tensor, size_t offset, size_t bytes, char **out, struct error *e) {
    const struct tensor *t = &q->head.program->tensors[tensor];
    size_t all = tensor_bytes(t, q->head.program->symbol_max);
    resolve_activations(q);
    if (!q->data[tensor] || offset > all || bytes > all - offset)
        return error_set(e, STATUS_INTERNAL, "bytes %zu..%zu of tensor '%s' (%s of %zu bytes) cannot be reached", offset, offset + bytes, t->name,
                         storage_name(t->storage), all);
    *out = (char *)q->data[tensor] + offset;
    return STATUS_OK;
}

static enum status cpu_write(struct prepared *prepared, int tensor, size_t offset, const void *src, size_t bytes, struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    char *to;
    enum status s = find_bytes(q, tensor, offset, bytes, &to, e);
    if (s == STATUS_OK && bytes) memcpy(to, src, bytes);
    return s;
}

static enum status cpu_read(struct prepared *prepared, int tensor, size_t offset, void *dst, size_t bytes, struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    char *from;
    enum status s = find_bytes(q, tensor, offset, bytes, &from, e);
    if (s == STATUS_OK && bytes) memcpy(dst, from, bytes);
    return s;
}

/* ---- running ---- */

void cpu_fault(const struct cpu_call *c, enum status status, const char *format, ...) {
    char text[ERROR_TEXT_BYTES / 2];
    va_list args;
    if (atomic_exchange(&c->q->has_fault, 1)) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(&c->q->fault, status, "%s (%s)", text, op_table[c->o->op->kind].name);
}

struct run {
    struct cpu_prepared *q;
    int first, n;
    struct tracer *t;
};

static void record(const struct run *r, int member, int op, uint64_t start, uint64_t end, uint64_t released, int launches) {
    struct span *s = tracer_next(r->t, r->q->device->head.unit, member);
    if (s)
        *s = (struct span){.start_ns = start, .end_ns = end, .released_ns = released, .note = tracer_note_now(r->t), .step = r->t->site.step, .op = op, .subject = -1,
                           .stage = (int16_t)launch_site_stage(&r->t->site, op), .program = (int16_t)r->t->program, .kind = SPAN_RUN,
                           .is_serial = r->q->ops[op].members == 1, .launches = (uint16_t)launches};
}

/* The launching thread is member 0. */
static const struct annotated_ops *annotated_by(const struct cpu_prepared *q, int member) { return member == 0 ? q->head.annotated : NULL; }

static void run_member(void *arg, int member) {
    const struct run *r = arg;
    struct team *team = r->q->device->team;
    const struct annotated_ops *annotated = annotated_by(r->q, member);
    uint64_t start = r->t ? clock_now_ns(r->t->clock) : 0;
    for (int i = r->first; i < r->first + r->n; i++) {
        const struct cpu_op *o = &r->q->ops[i];
        struct cpu_call c = {r->q, o, member, o->members};
        annotate_op(annotated, i);
        if (member < o->members) o->run(&c);
        uint64_t end = r->t ? clock_now_ns(r->t->clock) : 0;
        team_barrier(team, member);
        annotate_op_end(annotated, i);
        if (!r->t) continue;
        uint64_t released = clock_now_ns(r->t->clock);
        record(r, member, i, start, member < o->members ? end : start, released, 1);
        start = released;
    }
}

static enum status end_run(struct cpu_prepared *q, struct error *e) {
    if (!atomic_load(&q->has_fault)) return STATUS_OK;
    enum status s = error_set(e, q->fault.status, "%s", q->fault.text);
    atomic_store(&q->has_fault, 0);
    q->fault = (struct error){0};
    return s;
}

static enum status cpu_run(struct prepared *prepared, int first, int n, struct tracer *t, struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    if (!q->is_bound) return error_set(e, STATUS_INTERNAL, "program %s runs before its symbols are bound", q->head.program->name);
    resolve_activations(q);
    team_run(q->device->team, run_member, &(struct run){q, first, n, t});
    return end_run(q, e);
}

/* ---- captured: the operations with all that the symbols decide, in runs of which the last alone ends with a barrier:
 * neighbours that one member does need none between them ---- */

struct command {
    void (*run)(const struct cpu_call *c);
    struct cpu_call call;          /* but for the member */
    int op, is_last;               /* of its run */
};

struct captured {
    int n;
    struct command commands[];
};

static enum status cpu_capture(struct prepared *prepared, int first, int n, struct tracer *t, struct captured **out, struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    (void)t, (void)e;
    *out = mem_alloc(sizeof **out + (size_t)n * sizeof *(*out)->commands);
    (*out)->n = n;
    for (int i = 0; i < n; i++) {
        const struct cpu_op *o = &q->ops[first + i];
        int is_serial = o->members == 1, goes_on = is_serial && i + 1 < n && q->ops[first + i + 1].members == 1;
        (*out)->commands[i] = (struct command){o->run, {q, o, 0, o->members}, first + i, !goes_on};
    }
    return STATUS_OK;
}

static void cpu_drop(struct prepared *p, struct captured *c) {
    (void)p;
    mem_free(c);
}

struct replay {
    struct cpu_prepared *q;
    const struct captured *c;
    struct tracer *t;
};

/* A member that waits out a run of others' operations has one span of it, with the last of them. */
static void replay_member(void *arg, int member) {
    const struct replay *r = arg;
    struct team *team = r->q->device->team;
    const struct run as_run = {r->q, 0, 0, r->t};
    const struct annotated_ops *annotated = annotated_by(r->q, member);
    uint64_t start = r->t ? clock_now_ns(r->t->clock) : 0;
    for (int i = 0; i < r->c->n; i++) {
        const struct command *k = &r->c->commands[i];
        struct cpu_call c = k->call;
        c.member = member;
        int is_mine = member < c.members;
        annotate_op(annotated, k->op);
        if (is_mine) k->run(&c);
        uint64_t end = r->t && is_mine ? clock_now_ns(r->t->clock) : start, released = end;
        if (k->is_last) {
            team_barrier(team, member);
            if (r->t) released = clock_now_ns(r->t->clock);
        }
        annotate_op_end(annotated, k->op);
        if (!r->t || (!is_mine && !k->is_last)) continue;
        record(&as_run, member, k->op, start, end, released, i == 0);
        start = released;
    }
}

static enum status cpu_replay(struct prepared *prepared, struct captured *c, struct tracer *t, struct error *e) {
    struct cpu_prepared *q = (struct cpu_prepared *)(void *)prepared;
    team_run(q->device->team, replay_member, &(struct replay){q, c, t});
    return end_run(q, e);
}

static enum status cpu_synchronise(struct device *d, struct error *e) {
    (void)d, (void)e;
    return STATUS_OK;
}

/* ---- facts ---- */

static void cpu_memory(const struct device *device, struct memory_use *out) {
    const struct cpu_device *d = (const struct cpu_device *)(const void *)device;
    *out = (struct memory_use){0};
    for (size_t i = 0; i < d->n_weights; i++)
        for (int k = 0; k < d->weights[i]->n_segments; k++) {
            const struct cpu_segment *s = &d->weights[i]->segments[k];
            out->weight_bytes += cpu_segment_bytes(s);
            out->packed_bytes += s->owned_bytes;
        }
    for (size_t i = 0; i < d->n_states; i++) out->state_bytes += d->states[i].bytes;
    out->activation_bytes = d->activation_bytes + d->input_bytes + d->shared_bytes + (size_t)d->size * (d->scratch_bytes + d->dense_scratch_bytes);
    for (size_t i = 0; i < d->n_angles; i++) out->activation_bytes += 2 * sizeof(float) * (size_t)(d->angles[i]->positions * d->angles[i]->half);
}

static void cpu_describe(struct device *device, void (*each)(void *to, const char *key, const char *value), void *to) {
    struct cpu_device *d = (struct cpu_device *)(void *)device;
    static const enum dtype types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_I8}; /* of what is multiplied */
    static const struct { const char *name; int64_t rows; } counts[] = {{"few", 1}, {"tens", ROWS_TENS_MOST}, {"many", ROWS_TENS_MOST + 1}};
    char key[64], value[96];
    each(to, "isa", isa_name(d->level));
    each(to, "isa.best", isa_name(isa_best()));
    snprintf(value, sizeof value, "%d", d->size);
    each(to, "threads", value);
    each(to, "bound", team_is_bound(d->team) ? "1" : "0");
    for (int i = 0; i < 12; i++) {
        snprintf(key, sizeof key, "compute_unit.linear.%s.%s", dtype_name(types[i / 3]), counts[i % 3].name);
        each(to, key, cpu_linear_unit(d, types[i / 3], counts[i % 3].rows));
    }
    dense_describe(value, sizeof value);
    each(to, "library", value);
}

const struct backend backend_cpu = {
    .name = "cpu", .summary = "this machine's cores: own kernels for each instruction set, oneDNN where it is the faster one for large products",
    .open = cpu_open, .close = cpu_close, .supports = cpu_supports, .prepare = cpu_prepare, .release = cpu_release, .bind = cpu_bind,
    .write = cpu_write, .read = cpu_read, .run = cpu_run, .capture = cpu_capture, .replay = cpu_replay, .drop = cpu_drop, .synchronise = cpu_synchronise, .memory = cpu_memory, .describe = cpu_describe,
};
