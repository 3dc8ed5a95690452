#include "harness/measure/engine.h"

#include "harness/measure/calibrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/measure/costs.h"

/* ---- memory ---- */

static double read_number(const char *path, const char *key) {
    char line[256];
    double value = -1;
    FILE *f = fopen(path, "r");
    if (!f) return -1;
    while (value < 0 && fgets(line, sizeof line, f))
        if (!key) value = strtod(line, NULL);
        else if (strncmp(line, key, strlen(key)) == 0) value = strtod(line + strlen(key), NULL) * 1024;
    fclose(f);
    return value;
}

double memory_available(void) {
    double machine = read_number("/proc/meminfo", "MemAvailable:");
    double limit = read_number("/sys/fs/cgroup/memory.max", NULL), used = read_number("/sys/fs/cgroup/memory.current", NULL);
    if (limit > 0 && used >= 0 && limit - used < machine) return limit - used;
    return machine;
}

/* Weights once for each recipe (a program's weights are shared with the others by their hash). */
struct hash_set {
    uint64_t *seen;
    size_t n, capacity;
};

static int set_add(struct hash_set *s, uint64_t h) {
    for (size_t i = 0; i < s->n; i++)
        if (s->seen[i] == h) return 0;
    LIST_GROW(s->seen, s->n, s->capacity);
    s->seen[s->n++] = h;
    return 1;
}

static void add_need(const struct program *p, struct hash_set *seen, int has_states, struct memory_need *need) {
    size_t *offsets = mem_alloc((p->n_tensors + 1) * sizeof *offsets);
    double block = (double)program_plan(p, offsets);
    mem_free(offsets);
    if (block > need->activations) need->activations = block;
    for (size_t i = 0; i < p->n_ops; i++)
        for (int k = 0; k < p->ops[i].n_in; k++) { /* only what an operation still reads: rewrites leave others behind */
            const struct tensor *t = &p->tensors[p->ops[i].in[k]];
            if (t->storage == STORAGE_WEIGHT && set_add(seen, recipe_hash(t->recipe))) need->weights += recipe_stored_bytes(t->recipe, t->dtype);
        }
    for (size_t i = 0; i < p->n_tensors; i++)
        if (p->tensors[i].storage == STORAGE_STATE && !has_states) need->states += (double)tensor_bytes(&p->tensors[i], p->symbol_max);
}

static enum status check_memory(struct engine *g, unsigned roles, struct error *e) {
    struct hash_set seen = {0};
    struct memory_need *need = &g->need;
    int has_states = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        int i = g->pipeline.role[role];
        if (i < 0 || !(roles & (1u << role))) continue;
        add_need(&g->pipeline.programs[i], &seen, has_states, need);
        has_states = 1;
    }
    mem_free(seen.seen);
    need->total = need->weights + need->states + need->activations;
    const struct backend *b = device_backend(g->device);
    need->available = b->capacity ? (double)b->capacity(g->device) : memory_available();
    int streams = b->is_simulated || strcmp(b->name, "reference") == 0; /* weights need not fit */
    if (!streams && (b->capacity || need->available > 0) && need->total > need->available)
        return error_set(e, STATUS_NO_MEMORY, "%s needs %.2f GB (weights %.2f, cache %.2f, activations %.2f), %.2f GB are available%s; "
                         "try --layers, a shorter prompt, or a smaller --batch", g->model->name, need->total / 1e9, need->weights / 1e9,
                         need->states / 1e9, need->activations / 1e9, need->available / 1e9, b->capacity ? " on the device" : "");
    return STATUS_OK;
}

/* ---- opening ---- */

static enum status device_supports(void *self, const struct program *p, const struct op *op, struct error *e) {
    const struct device *d = self;
    return device_backend(d)->supports(d, p, op, e);
}

static void weights_loaded(void *to, double bytes) {
    struct engine *g = to;
    g->loaded_bytes += bytes;
    if (g->loading.tell) g->loading.tell(g->loading.to, g->loaded_bytes, g->need.weights);
}

static enum status open_device(struct engine *g, struct error *e) {
    const struct backend *b = backend_find(g->spec->backend);
    static const struct null_script script; /* declared costs and fixed choices; other backends do not look at it */
    g->clock.is_fake = b->is_timeless;
    remember_begin(&g->remember);
    struct device_options o = {.threads = g->spec->threads, .isa = g->spec->isa, .is_bound = 1, .clock = &g->clock, .memory = &g->remember.memory,
                               .script = &script, .watch = {weights_loaded, g}};
    return b->open(&o, &g->device, e);
}

static enum status rewrite(struct engine *g, const struct input_norms *norms, int n_norms, struct error *e) {
    struct costs costs;
    enum status s = costs_open(g->spec, g->model, g->device, &costs, e);
    struct rewrite_context context = {.supports = device_supports, .self = g->device, .can_capture = device_backend(g->device)->capture != NULL,
                                      .timer = costs_timer(&costs), .norms = norms, .n_norms = n_norms};
    if (s == STATUS_OK) s = optimizers_apply(&g->pipeline, g->spec->uses, g->spec->n_uses, &context, g->rewrites, e);
    costs_close(&costs);
    return s;
}

enum status engine_open(struct engine *g, const struct spec *spec, struct llm_model *m, const struct engine_options *o,
                        struct error *e) {
    *g = (struct engine){.spec = spec, .model = m, .loading = o->loading};
    uint64_t start = clock_now_ns(&(struct clock){0});
    enum status s = llm_pipeline(m, spec->dtype, &o->limits, &g->pipeline, e);
    for (int i = 0; i < g->pipeline.n_programs && o->keep; i++) o->keep(&g->pipeline.programs[i]);
    struct input_norms *norms = NULL;
    int n_norms = 0;
    const char *calibration = calibration_wanted(spec);
    if (s == STATUS_OK && calibration) s = calibrate(spec, m, calibration, &g->pipeline.arena, &norms, &n_norms, e);
    if (s == STATUS_OK) s = open_device(g, e);
    if (s == STATUS_OK) s = rewrite(g, norms, n_norms, e);
    if (s == STATUS_OK) s = check_memory(g, o->roles, e);
    int64_t rows = o->limits.prefill_rows > o->limits.forced_rows ? o->limits.prefill_rows : o->limits.forced_rows;
    struct launch_capacity capacity = {rows, o->limits.slots};
    if (s == STATUS_OK) s = session_open(&g->session, &g->pipeline, &g->device, 1, o->roles, capacity, &g->clock, e);
    if (s == STATUS_OK && o->annotator) session_annotate(&g->session, o->annotator);
    g->prepare_ns = (int64_t)(clock_now_ns(&(struct clock){0}) - start);
    return s;
}

void engine_close(struct engine *g) {
    session_close(&g->session);
    if (g->device) device_backend(g->device)->close(g->device);
    remember_end(&g->remember);
    pipeline_free(&g->pipeline);
}

/* ---- forced tokens ---- */

struct forced {
    struct engine *g;
    const struct program *p;
    int index, ids, pos, rows, targets, logits, nll;
};

static enum status forced_chunk(struct forced *f, const int32_t *ids, int first, int n, int total, float *logits, float *nll, struct error *e) {
    struct executor *x = &f->g->session.executor;
    struct launch *l = &f->g->session.launch;
    int64_t symbols[SYMBOL_COUNT] = {[SYMBOL_R] = n, [SYMBOL_S] = first + n, [SYMBOL_B] = 1};
    int32_t *targets = mem_alloc((size_t)n * sizeof *targets);
    for (int i = 0; i < n; i++) {
        l->pos[i] = first + i;
        l->rows[i] = 0;
        targets[i] = first + i + 1 < total ? ids[first + i + 1] : -1;
    }
    size_t bytes = (size_t)n * sizeof(int32_t), width = (size_t)f->g->model->config.vocabulary;
    enum status s = executor_bind(x, f->index, symbols, e);
    if (s == STATUS_OK) s = executor_write(x, f->index, f->ids, 0, ids + first, bytes, e);
    if (s == STATUS_OK) s = executor_write(x, f->index, f->pos, 0, l->pos, bytes, e);
    if (s == STATUS_OK) s = executor_write(x, f->index, f->rows, 0, l->rows, bytes, e);
    if (s == STATUS_OK) s = executor_write(x, f->index, f->targets, 0, targets, bytes, e);
    if (s == STATUS_OK) s = executor_run(x, f->index, &(struct launch_site){.later_from = INT32_MAX}, NULL, e);
    if (s == STATUS_OK && logits) s = executor_read(x, f->index, f->logits, 0, logits + (size_t)first * width, (size_t)n * width * sizeof(float), e);
    int n_nll = first + n < total ? n : n - 1;
    if (s == STATUS_OK && nll && n_nll > 0) s = executor_read(x, f->index, f->nll, 0, nll + first, (size_t)n_nll * sizeof(float), e);
    mem_free(targets);
    return s;
}

enum status engine_forced(struct engine *g, const int32_t *ids, int n, float *logits, float *nll, struct error *e) {
    int program = g->pipeline.role[ROLE_FORCED];
    if (program < 0 || g->session.io[program].executor_program < 0) return error_set(e, STATUS_INTERNAL, "the forced program is not prepared");
    const struct program *p = &g->pipeline.programs[program];
    struct forced f = {.g = g, .p = p, .index = g->session.io[program].executor_program, .ids = program_find(p, "ids"),
        .pos = program_find(p, "pos"), .rows = program_find(p, "rows"), .targets = program_find(p, "targets"),
        .logits = program_find(p, "logits"), .nll = program_find(p, "nll")};
    int64_t most = p->symbol_max[SYMBOL_R];
    for (int first = 0; first < n; first += (int)most) {
        int rows = n - first < (int)most ? n - first : (int)most;
        enum status s = forced_chunk(&f, ids, first, rows, n, logits, nll, e);
        if (s != STATUS_OK) return s;
    }
    return STATUS_OK;
}
