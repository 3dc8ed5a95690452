#include "harness/measure/costs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/doctor/caches.h"
#include "harness/measure/job.h"
#include "harness/measure/machine.h"
#include "harness/measure/worker.h"
#include "kernels/base/random.h"
#include "results/stats/descriptive.h"

enum { LEAST_ROUNDS = 9, MOST_ROUNDS = 25, MOST_REPEATS = 1 << 14 };
static const double turn_ns = 2e5, patience_ns = 1e9;
static const double least_cold = 8 << 20, most_cold = 256 << 20, cold_on_device = 128 << 20; /* a GPU's last level is 50 MB or so */

/* ---- whose times these are ---- */

/* Which units a device takes is itself measured, and so may be known or not. */
static void add_fact(void *to, const char *key, const char *value) {
    if (strncmp(key, "compute_unit.", strlen("compute_unit.")) != 0) text_append(to, "device.%s %s\n", key, value);
}

/* The machine, its device and the device's settings: with another of them, other times. */
static void machine_text(const struct costs *c, struct text *to) {
    text_append(to, "backend %s\n", c->spec->backend);
    device_backend(c->run)->describe(c->run, add_fact, to);
    machine_facts(to);
}

static enum status open_timings(struct costs *c, struct error *e) {
    struct text machine = {0};
    struct arena a = {0};
    char build[MACHINE_BUILD_BYTES];
    if (c->is_open) return STATUS_OK;
    machine_text(c, &machine);
    machine_build(build);
    enum status s = timings_open(timings_folder(&a), machine.data, build, &c->timings, e);
    c->is_open = 1;
    text_free(&machine);
    arena_free(&a);
    return s;
}

/* ---- programs made ready ---- */

struct contest {
    const struct backend *backend;
    struct prepared *ready[TIMED_MAX];   /* NULL: could not be */
    int64_t repeats[TIMED_MAX];          /* runs in a turn */
    double turns[TIMED_MAX][MOST_ROUNDS];
};

static enum status open_device(struct costs *c, struct error *e) {
    if (c->device) return STATUS_OK;
    remember_begin(&c->remember);
    struct device_options o = {.threads = c->spec->threads, .isa = c->spec->isa, .is_bound = 1, .clock = &c->clock, .memory = &c->remember.memory};
    return backend_find(c->spec->backend)->open(&o, &c->device, e);
}

/* Rows as norms leave them: numbers around 1. */
static enum status write_rows(struct prepared *q, const struct program *p, struct error *e) {
    int x = program_find(p, "x");
    const struct tensor *t = &p->tensors[x];
    size_t n = (size_t)tensor_elements(t, p->symbol_max), bytes = tensor_bytes(t, p->symbol_max);
    float *values = mem_try(n * sizeof *values + 1);
    void *stored = mem_try(bytes + 1);
    uint64_t state = 1;
    enum status s = values && stored ? STATUS_OK : error_set(e, STATUS_NO_MEMORY, "no memory for %zu rows to time with", n);
    for (size_t i = 0; i < n && s == STATUS_OK; i++) values[i] = (float)(2 * random_unit(random_next(&state)) - 1);
    if (s == STATUS_OK) encoding_of_dtype(t->dtype)->encode(values, stored, (int64_t)n);
    if (s == STATUS_OK) s = prepared_backend(q)->write(q, x, 0, stored, bytes, e);
    mem_try_free(values, n * sizeof *values + 1);
    mem_try_free(stored, bytes + 1);
    return s;
}

/* What the device cannot run is out of the contest, and no error; a lack of memory may be gone tomorrow and must not be remembered. */
static enum status make_ready(struct costs *c, const struct timing *t, struct contest *k, struct error *e) {
    enum status s = STATUS_OK;
    k->backend = device_backend(c->device);
    for (int i = 0; i < t->n && s == STATUS_OK; i++) {
        struct error why = {0};
        s = k->backend->prepare(c->device, t->programs[i], t->weights, &k->ready[i], &why);
        if (s != STATUS_OK) k->ready[i] = NULL;
        else s = write_rows(k->ready[i], t->programs[i], &why);
        if (s == STATUS_UNSUPPORTED) s = STATUS_OK;
        else if (s != STATUS_OK) error_set(e, s, "%s (while timing %s)", why.text, t->rows[0].key);
    }
    return s;
}

static void release_all(const struct contest *k, int n) {
    for (int i = 0; i < n; i++)
        if (k->ready[i]) k->backend->release(k->ready[i]);
}

/* ---- turns ---- */

/* ns of `repeats` runs, each waited for. */
static enum status take_turn(struct costs *c, const struct contest *k, int i, int n_ops, int64_t repeats, double *ns, struct error *e) {
    enum status s = STATUS_OK;
    uint64_t start = clock_now_ns(&c->clock);
    for (int64_t r = 0; r < repeats && s == STATUS_OK; r++) s = k->backend->run(k->ready[i], 0, n_ops, NULL, e);
    if (s == STATUS_OK) s = k->backend->synchronise(c->device, e);
    *ns = (double)(clock_now_ns(&c->clock) - start);
    return s;
}

/* The first run meets its shape, the second says how many make a turn. */
static enum status warm_up(struct costs *c, struct contest *k, const struct timed_rows *r, int i, struct error *e) {
    double ns = 0;
    enum status s = k->backend->bind(k->ready[i], (int64_t[SYMBOL_COUNT]){[SYMBOL_R] = r->rows, [SYMBOL_S] = 1, [SYMBOL_B] = 1}, e);
    for (int n = 0; n < 2 && s == STATUS_OK; n++) s = take_turn(c, k, i, r->n_ops[i], 1, &ns, e);
    k->repeats[i] = (int64_t)fmin(MOST_REPEATS, ceil(turn_ns / fmax(ns, 1)));
    return s;
}

/* The order of a round: begins one later each time, and every second one runs backwards. */
static int place_in(int round, int k, int n) { return (round + (round % 2 ? n - 1 - k : k)) % n; }

static enum status time_rows(struct costs *c, struct contest *k, int n, struct timed_rows *r, struct error *e) {
    enum status s = STATUS_OK;
    int rounds = 0;
    for (int i = 0; i < n && s == STATUS_OK; i++)
        if (k->ready[i]) s = warm_up(c, k, r, i, e);
    uint64_t start = clock_now_ns(&c->clock);
    for (; rounds < MOST_ROUNDS && s == STATUS_OK; rounds++) {
        if (rounds >= LEAST_ROUNDS && (double)(clock_now_ns(&c->clock) - start) > patience_ns) break;
        for (int at = 0; at < n && s == STATUS_OK; at++) {
            int i = place_in(rounds, at, n);
            if (k->ready[i]) s = take_turn(c, k, i, r->n_ops[i], k->repeats[i], &k->turns[i][rounds], e);
        }
    }
    for (int i = 0; i < n && s == STATUS_OK; i++) r->ns[i] = k->ready[i] ? sample_median(k->turns[i], (size_t)rounds) / (double)k->repeats[i] : NAN;
    return s;
}

/* ---- the timer ---- */

static int find_known(const struct costs *c, struct timing *t, int is_known[USAGES_MAX]) {
    int n = 0;
    for (int i = 0; i < t->n_rows; i++) n += is_known[i] = timings_find(&c->timings, t->rows[i].key, t->rows[i].ns, t->n);
    return n;
}

static enum status time_missing(struct costs *c, struct timing *t, const int is_known[USAGES_MAX], struct error *e) {
    struct contest *k = mem_alloc(sizeof *k);
    enum status s = open_device(c, e);
    if (s == STATUS_OK) s = make_ready(c, t, k, e);
    for (int i = 0; i < t->n_rows && s == STATUS_OK; i++) {
        if (is_known[i]) continue;
        worker_tell("timing %s", t->rows[i].key);
        s = time_rows(c, k, t->n, &t->rows[i], e);
        if (s == STATUS_OK) s = timings_add(&c->timings, t->rows[i].key, t->rows[i].ns, t->n, e);
    }
    if (c->device) release_all(k, t->n);
    mem_free(k);
    return s;
}

static enum status measure(void *self, struct timing *t, struct error *e) {
    struct costs *c = self;
    int is_known[USAGES_MAX];
    enum status s = open_timings(c, e);
    if (s == STATUS_OK) s = timings_lock(&c->timings, e);
    if (s != STATUS_OK) return s;
    if (find_known(c, t, is_known) < t->n_rows) s = time_missing(c, t, is_known, e);
    find_known(c, t, is_known); /* as others will read them */
    timings_unlock(&c->timings);
    return s;
}

/* ---- opening ---- */

/* What caches do not hold, with room for what else is in them. */
static double cold_bytes(const struct device *d) {
    if (device_backend(d)->capacity) return cold_on_device;
    long last = cache_bytes(3) > 0 ? cache_bytes(3) : cache_bytes(2);
    return fmin(most_cold, fmax(least_cold, 2 * (double)last));
}

static enum status find_usages(struct costs *c, struct llm_model *m, struct error *e) {
    struct sample_plan plan;
    enum status s = sample_plan_make(c->spec, m, &plan, e);
    const struct llm_limits *l = &plan.limits;
    c->usages[0] = (struct usage){{[SYMBOL_R] = l->prefill_rows, [SYMBOL_S] = l->positions, [SYMBOL_B] = l->slots}, 1};
    c->usages[1] = (struct usage){{[SYMBOL_R] = l->slots, [SYMBOL_S] = l->positions, [SYMBOL_B] = l->slots}, c->spec->generate - 1};
    sample_plan_free(&plan);
    return s;
}

static int has_times(const struct backend *b) { return !b->is_timeless && !b->is_simulated && strcmp(b->name, "reference") != 0; }

enum status costs_open(const struct spec *spec, struct llm_model *m, struct device *run, struct costs *out, struct error *e) {
    *out = (struct costs){.spec = spec, .run = run, .timings = {.fd = -1}};
    if (spec->n_uses == 0 || !has_times(device_backend(run))) return STATUS_OK;
    enum status s = find_usages(out, m, e);
    out->timer = (struct timer){.measure = measure, .self = out, .cold_bytes = cold_bytes(run), .usages = out->usages, .n_usages = spec->generate > 1 ? 2 : 1};
    return s;
}

const struct timer *costs_timer(const struct costs *c) { return c->timer.measure ? &c->timer : NULL; }

void costs_close(struct costs *c) {
    if (c->device) device_backend(c->device)->close(c->device);
    remember_end(&c->remember);
    if (c->is_open) timings_close(&c->timings);
    *c = (struct costs){0};
}
