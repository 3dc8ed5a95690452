#include "kernels/executor.h"

#include <string.h>

enum step_kind { STEP_RUN, STEP_COPY, STEP_ENSURE };

struct executor_step {
    enum step_kind kind;
    int device;              /* RUN, ENSURE */
    int first, n;            /* RUN: ops of the device's part */
    int op;                  /* index in the whole program: of the first op, of the copy, of the op that waits */
    int from_tensor, to_tensor, to_device; /* COPY: tensors of the whole program */
    int group;               /* ENSURE */
};

void executor_init(struct executor *x, struct device *const *devices, int n_devices, struct clock *clock,
                   const struct executor_settings *settings) {
    *x = (struct executor){.n_devices = n_devices, .clock = clock, .settings = *settings};
    for (int d = 0; d < n_devices; d++) x->devices[d] = devices[d];
    int groups = settings->residency.capacity_groups;
    x->resident = groups > 0 ? mem_alloc((size_t)groups * sizeof *x->resident) : NULL;
}

static void drop_capture(struct executor_program *q, struct executor_capture *c) {
    if (c->captured) prepared_backend(q->prepared[0])->drop(q->prepared[0], c->captured);
    c->captured = NULL;
}

static void program_entry_free(struct executor_program *q) {
    for (int i = 0; i < q->n_captures; i++) drop_capture(q, &q->captures[i]);
    for (int d = 0; d < EXECUTOR_MAX_DEVICES; d++) {
        if (q->prepared[d]) prepared_backend(q->prepared[d])->release(q->prepared[d]);
        mem_free(q->tensor_map[d]);
        if (q->is_split && q->parts[d]) {
            program_free(q->parts[d]);
            mem_free(q->parts[d]);
        }
    }
    mem_free(q->steps);
}

void executor_free(struct executor *x) {
    for (int i = 0; i < x->n_programs; i++) program_entry_free(&x->programs[i]);
    mem_free(x->resident);
    mem_free(x->bounce);
    arena_free(&x->labels);
    *x = (struct executor){0};
}

/* ---- splitting a program by device ---- */

static int part_tensor(struct executor_program *q, int device, int tensor, enum storage as) {
    int *slot = &q->tensor_map[device][tensor];
    if (*slot >= 0) return *slot;
    struct program *part = q->parts[device];
    LIST_GROW(part->tensors, part->n_tensors, part->tensor_capacity);
    struct tensor *t = &part->tensors[part->n_tensors];
    *t = q->program->tensors[tensor];
    if (as == STORAGE_INPUT) t->storage = STORAGE_INPUT;
    t->name = arena_copy_string(&part->arena, t->name);
    return *slot = (int)part->n_tensors++;
}

static void part_append(struct executor_program *q, const struct op *op) {
    struct program *part = q->parts[op->device];
    LIST_GROW(part->ops, part->n_ops, part->op_capacity);
    struct op *copy = &part->ops[part->n_ops++];
    *copy = *op;
    for (int i = 0; i < op->n_in; i++) copy->in[i] = part_tensor(q, op->device, op->in[i], STORAGE_ACTIVATION);
    for (int i = 0; i < op->n_out; i++) copy->out[i] = part_tensor(q, op->device, op->out[i], STORAGE_ACTIVATION);
}

static void split_begin(struct executor_program *q, int n_devices) {
    const struct program *p = q->program;
    q->is_split = 1;
    for (int d = 0; d < n_devices; d++) {
        q->parts[d] = mem_alloc(sizeof *q->parts[d]);
        program_init(q->parts[d], p->name);
        memcpy(q->parts[d]->symbol_max, p->symbol_max, sizeof p->symbol_max);
        q->tensor_map[d] = mem_alloc((p->n_tensors ? p->n_tensors : 1) * sizeof **q->tensor_map);
        for (size_t t = 0; t < p->n_tensors; t++) q->tensor_map[d][t] = -1;
    }
}

/* The copy's source is read back by the host, so it is an output of its part; its result enters the other
 * device's part as an input. `place` of the copy op's device is where the data comes from; f[0] unused;
 * i[0] is the device it goes to. */
static void split_copy(struct executor_program *q, const struct op *op) {
    int from = part_tensor(q, op->device, op->in[0], STORAGE_ACTIVATION);
    struct tensor *t = &q->parts[op->device]->tensors[from];
    if (t->storage == STORAGE_ACTIVATION) t->storage = STORAGE_OUTPUT;
    part_tensor(q, op->i[0], op->out[0], STORAGE_INPUT);
}

/* ---- the steps of a program ---- */

static int is_device_copy(const struct op *op) { return op->kind == OP_COPY && op->i[0] != op->device; }

static int op_group(const struct program *p, const struct op *op) {
    for (int i = 0; i < op->n_in; i++) {
        const struct recipe *r = p->tensors[op->in[i]].recipe;
        if (r && r->group >= 0) return r->group;
    }
    return -1;
}

static void plan_op(struct executor *x, struct executor_program *q, int index, int *capacity) {
    const struct op *op = &q->program->ops[index];
    int group = x->settings.residency.capacity_groups > 0 ? op_group(q->program, op) : -1;
    size_t room = (size_t)*capacity;
    LIST_GROW(q->steps, q->n_steps + 2, room);
    *capacity = (int)room;
    struct executor_step *last = q->n_steps ? &q->steps[q->n_steps - 1] : NULL;
    if (group >= 0)
        q->steps[q->n_steps++] = (struct executor_step){.kind = STEP_ENSURE, .device = op->device, .op = index, .group = group};
    if (is_device_copy(op)) {
        split_copy(q, op);
        q->steps[q->n_steps++] = (struct executor_step){.kind = STEP_COPY, .device = op->device, .op = index,
            .from_tensor = op->in[0], .to_tensor = op->out[0], .to_device = op->i[0]};
        return;
    }
    int at = q->is_split ? (int)q->parts[op->device]->n_ops : index;
    if (q->is_split) part_append(q, op);
    if (group < 0 && last && last->kind == STEP_RUN && last->device == op->device) {
        last->n++;
        return;
    }
    q->steps[q->n_steps++] = (struct executor_step){.kind = STEP_RUN, .device = op->device, .first = at, .n = 1, .op = index};
}

static int is_alone(const struct program *p) {
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].device != 0 || is_device_copy(&p->ops[i])) return 0;
    return 1;
}

static enum status prepare_part(struct executor *x, struct executor_program *q, int d, const struct weight_source *w,
                                struct error *e) {
    const struct backend *b = device_backend(x->devices[d]);
    for (size_t i = 0; i < q->parts[d]->n_ops; i++) {
        enum status s = b->supports(x->devices[d], q->parts[d], &q->parts[d]->ops[i], e);
        if (s != STATUS_OK) return error_prefix(e, "backend %s", b->name);
    }
    return b->prepare(x->devices[d], q->parts[d], w, &q->prepared[d], e);
}

enum status executor_add(struct executor *x, const struct program *p, const struct weight_source *w, int *out,
                         struct error *e) {
    enum status s = program_validate(p, e);
    if (s != STATUS_OK) return error_prefix(e, "program %s", p->name);
    if (x->n_programs == EXECUTOR_MAX_PROGRAMS) return error_set(e, STATUS_INTERNAL, "more than %d programs", EXECUTOR_MAX_PROGRAMS);
    struct executor_program *q = &x->programs[x->n_programs];
    *q = (struct executor_program){.program = p};
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].device < 0 || p->ops[i].device >= x->n_devices)
            return error_set(e, STATUS_INPUT, "program %s: op %zu is placed on device %d of %d", p->name, i, p->ops[i].device, x->n_devices);
    int capacity = 0;
    if (is_alone(p)) q->parts[0] = (struct program *)(uintptr_t)p;
    else split_begin(q, x->n_devices);
    for (size_t i = 0; i < p->n_ops; i++) plan_op(x, q, (int)i, &capacity);
    x->n_programs++;
    for (int d = 0; d < x->n_devices; d++)
        if (q->parts[d] && (q->parts[d]->n_ops || !q->is_split)) {
            s = prepare_part(x, q, d, w, e);
            if (s != STATUS_OK) return error_prefix(e, "program %s", p->name);
        }
    *out = x->n_programs - 1;
    return STATUS_OK;
}

/* ---- data in and out ---- */

/* Keys beyond a row's position are masked, so S may be larger than needed. */
static int64_t bucket(const struct executor *x, const struct executor_program *q, int64_t keys) {
    int64_t step = x->settings.bucket_keys, most = q->program->symbol_max[SYMBOL_S];
    if (step <= 0) return keys;
    int64_t up = (keys + step - 1) / step * step;
    return up < most ? up : most;
}

enum status executor_bind(struct executor *x, int program, const int64_t symbols[SYMBOL_COUNT], struct error *e) {
    struct executor_program *q = &x->programs[program];
    for (int i = 0; i < SYMBOL_COUNT; i++)
        if (symbols[i] > q->program->symbol_max[i])
            return error_set(e, STATUS_INTERNAL, "program %s: %s = %lld is over its maximum %lld", q->program->name,
                             symbol_name((enum symbol)i), (long long)symbols[i], (long long)q->program->symbol_max[i]);
    memcpy(q->symbols, symbols, sizeof q->symbols);
    q->symbols[SYMBOL_S] = bucket(x, q, symbols[SYMBOL_S]);
    for (int d = 0; d < x->n_devices; d++)
        if (q->prepared[d]) {
            enum status s = prepared_backend(q->prepared[d])->bind(q->prepared[d], q->symbols, e);
            if (s != STATUS_OK) return s;
        }
    return STATUS_OK;
}

static int tensor_on(const struct executor_program *q, int d, int tensor) {
    if (!q->prepared[d]) return -1;
    return q->is_split ? q->tensor_map[d][tensor] : (d == 0 ? tensor : -1);
}

enum status executor_write(struct executor *x, int program, int tensor, size_t offset, const void *src, size_t bytes,
                           struct error *e) {
    struct executor_program *q = &x->programs[program];
    for (int d = 0; d < x->n_devices; d++) {
        int t = tensor_on(q, d, tensor);
        if (t < 0) continue;
        enum status s = prepared_backend(q->prepared[d])->write(q->prepared[d], t, offset, src, bytes, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}

enum status executor_read(struct executor *x, int program, int tensor, size_t offset, void *dst, size_t bytes,
                          struct error *e) {
    struct executor_program *q = &x->programs[program];
    for (int d = x->n_devices - 1; d >= 0; d--) {
        int t = tensor_on(q, d, tensor);
        if (t < 0) continue;
        return prepared_backend(q->prepared[d])->read(q->prepared[d], t, offset, dst, bytes, e);
    }
    return error_set(e, STATUS_INTERNAL, "tensor '%s' is on no device", q->program->tensors[tensor].name);
}

/* ---- running ---- */

static enum status run_copy(struct executor *x, struct executor_program *q, const struct executor_step *step,
                            struct tracer *t, struct error *e) {
    const struct program *p = q->program;
    size_t bytes = tensor_bytes(&p->tensors[step->from_tensor], q->symbols);
    if (bytes > x->bounce_bytes) {
        x->bounce = mem_resize(x->bounce, bytes);
        x->bounce_bytes = bytes;
    }
    uint64_t start = clock_now_ns(x->clock);
    struct prepared *from = q->prepared[step->device], *to = q->prepared[step->to_device];
    if (q->labels) annotate_push(x->annotator, q->labels[step->op]);
    enum status s = prepared_backend(from)->read(from, q->tensor_map[step->device][step->from_tensor], 0, x->bounce, bytes, e);
    if (s == STATUS_OK)
        s = prepared_backend(to)->write(to, q->tensor_map[step->to_device][step->to_tensor], 0, x->bounce, bytes, e);
    if (q->labels) annotate_pop(x->annotator);
    struct span *span = s == STATUS_OK && t ? tracer_next(t, 0, 0) : NULL;
    uint64_t end = clock_now_ns(x->clock);
    if (span)
        *span = (struct span){.start_ns = start, .end_ns = end, .released_ns = end, .note = tracer_note_now(t), .step = t->site.step, .op = step->op,
            .subject = -1, .stage = (int16_t)launch_site_stage(&t->site, step->op), .program = (int16_t)t->program, .kind = SPAN_COPY, .launches = 1};
    return s;
}

/* Least recently used goes first; a hit only moves to the front. */
static enum status ensure_group(struct executor *x, const struct executor_step *step, struct tracer *t, struct error *e) {
    int capacity = x->settings.residency.capacity_groups, at = 0;
    while (at < x->n_resident && x->resident[at] != step->group) at++;
    int is_hit = at < x->n_resident;
    struct device *d = x->devices[step->device];
    const struct backend *b = device_backend(d);
    if (!is_hit) {
        if (!b->load_group) return error_set(e, STATUS_UNSUPPORTED, "backend %s cannot move weight groups", b->name);
        if (x->n_resident == capacity) b->drop_group(d, x->resident[--x->n_resident]);
        enum status s = b->load_group(d, step->group, t, step->op, e);
        if (s != STATUS_OK) return s;
        at = x->n_resident++;
    }
    memmove(x->resident + 1, x->resident, (size_t)at * sizeof *x->resident);
    x->resident[0] = step->group;
    return STATUS_OK;
}

/* The capture for what is bound; made now where there is none. Its place may have been another's. */
static enum status find_capture(struct executor_program *q, struct tracer *t, struct executor_capture **out, struct error *e) {
    struct executor_capture *oldest = q->captures;
    for (int i = 0; i < q->n_captures; i++) {
        struct executor_capture *c = *out = &q->captures[i];
        if (c->captured && c->is_traced == (t != NULL) && memcmp(c->symbols, q->symbols, sizeof c->symbols) == 0) return STATUS_OK;
        if (c->used < oldest->used) oldest = c;
    }
    *out = q->n_captures < EXECUTOR_MAX_CAPTURES ? &q->captures[q->n_captures++] : oldest;
    drop_capture(q, *out);
    **out = (struct executor_capture){.is_traced = t != NULL};
    memcpy((*out)->symbols, q->symbols, sizeof q->symbols);
    return prepared_backend(q->prepared[0])->capture(q->prepared[0], 0, (int)q->program->n_ops, t, &(*out)->captured, e);
}

static enum status run_captured(struct executor *x, struct executor_program *q, struct tracer *t, struct error *e) {
    struct executor_capture *c;
    const struct backend *b = device_backend(x->devices[0]);
    if (!b->capture || q->is_split) return error_set(e, STATUS_UNSUPPORTED, "backend %s cannot capture program %s", b->name, q->program->name);
    enum status s = find_capture(q, t, &c, e);
    if (s != STATUS_OK) return s;
    c->used = ++x->uses;
    return b->replay(q->prepared[0], c->captured, t, e);
}

static void annotate_site(const struct executor *x, struct executor_program *q, int device, const struct launch_site *site, int later_from) {
    struct annotated_ops *a = q->annotated[device];
    if (!a) return;
    a->later_stage = site->later_stage < 0 ? NULL : x->stages[site->later_stage];
    a->later_from = site->later_stage < 0 ? INT32_MAX : later_from;
}

static int part_index(int later_from, const struct executor_step *step) {
    return later_from == INT32_MAX || step->kind != STEP_RUN ? later_from : later_from - step->op + step->first;
}

static enum status run_eager(struct executor *x, struct executor_program *q, const struct launch_site *site, struct tracer *t, struct error *e) {
    enum status s = STATUS_OK;
    for (int i = 0; i < q->n_steps && s == STATUS_OK; i++) {
        const struct executor_step *step = &q->steps[i];
        struct prepared *p = q->prepared[step->device];
        int later_from = part_index(site->later_from, step); /* backends count the part's operations */
        if (t) t->site.later_from = later_from;
        annotate_site(x, q, step->device, site, later_from);
        if (step->kind == STEP_RUN) s = prepared_backend(p)->run(p, step->first, step->n, t, e);
        else if (step->kind == STEP_COPY) s = run_copy(x, q, step, t, e);
        else s = ensure_group(x, step, t, e);
    }
    return s;
}

enum status executor_run(struct executor *x, int program, const struct launch_site *site, struct tracer *t, struct error *e) {
    struct executor_program *q = &x->programs[program];
    if (t) {
        struct launch_note note = {.program = program, .site = *site};
        memcpy(note.symbols, q->symbols, sizeof q->symbols);
        tracer_note(t, &note);
        t->program = program;
        t->site = *site;
    }
    if (!x->settings.is_captured) return run_eager(x, q, site, t, e);
    annotate_site(x, q, 0, site, site->later_from);
    return run_captured(x, q, t, e);
}

/* ---- annotating ---- */

static char **labels_of(struct executor *x, const struct program *p) {
    char **labels = arena_alloc(&x->labels, p->n_ops * sizeof *labels);
    for (size_t i = 0; i < p->n_ops; i++) labels[i] = op_label(p, &p->ops[i], &x->labels);
    return labels;
}

static void annotate_part(struct executor *x, struct executor_program *q, int d) {
    if (!q->prepared[d]) return;
    q->annotated[d] = arena_alloc(&x->labels, sizeof **q->annotated);
    *q->annotated[d] = (struct annotated_ops){.to = x->annotator, .labels = q->is_split ? labels_of(x, q->parts[d]) : q->labels, .later_from = INT32_MAX};
    prepared_annotate(q->prepared[d], q->annotated[d]);
}

void executor_annotate(struct executor *x, const struct annotator *to, const char *const *stages) {
    x->annotator = to;
    x->stages = stages;
    for (int i = 0; i < x->n_programs; i++) {
        struct executor_program *q = &x->programs[i];
        q->labels = labels_of(x, q->program);
        for (int d = 0; d < x->n_devices; d++) annotate_part(x, q, d);
    }
}

/* ---- tracing ---- */

enum status executor_trace_begin(struct executor *x, enum trace_detail detail, struct error *e) {
    enum status s = STATUS_OK;
    for (int d = 0; d < x->n_devices && s == STATUS_OK; d++)
        if (device_backend(x->devices[d])->trace_begin) s = device_backend(x->devices[d])->trace_begin(x->devices[d], detail, e);
    return s;
}

enum status executor_trace_end(struct executor *x, struct tracer *t, struct error *e) {
    enum status s = STATUS_OK;
    for (int d = 0; d < x->n_devices && s == STATUS_OK; d++)
        if (device_backend(x->devices[d])->trace_end) s = device_backend(x->devices[d])->trace_end(x->devices[d], t, e);
    return s;
}

const struct program *executor_span_program(const struct executor *x, const struct span *s, int unit) {
    if (s->program < 0 || s->program >= x->n_programs || unit >= x->n_devices) return NULL;
    const struct executor_program *q = &x->programs[s->program];
    return s->kind == SPAN_RUN && q->is_split ? q->parts[unit] : q->program;
}

const struct op *executor_span_op(const struct executor *x, const struct span *s, int unit) {
    const struct program *p = executor_span_program(x, s, unit);
    return p && s->op >= 0 && (size_t)s->op < p->n_ops ? &p->ops[s->op] : NULL;
}
