#include "harness/measure/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/measure/check.h"
#include "harness/measure/measuring.h"
#include "harness/measure/record.h"
#include "kernels/base/random.h"
#include "results/stats/descriptive.h"
#include "results/stats/steady.h"

enum { MOST_WARMUPS = 30, LEAST_SAMPLES = 5, EXTERNAL_EXPECTED_S = 10 };
static const double confidence = 0.95, memory_share = 0.8, noise_limit = 0.10;
/* Shared machines were seen to change their memory bandwidth by 1.6 within an hour, so a share somewhat above 1 says
 * that the limits are stale (a warning); twice the limit says that a figure is wrong. */
static const double perturbation_limit = 1.05, stale_share = 1.10, wrong_share = 2, held_limit = 0.01;

int64_t measure_unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double monotonic_ns(void) { return (double)clock_now_ns(&(struct clock){0}); }

/* ---- checks ---- */

static int can_check(const struct cell *c) { return cell_is_ours(c) && !backend_find(c->spec.backend)->is_simulated; }

/* Asks the checker, which is started where it is not up. */
static enum status check_cell(struct measuring *m, const struct worker_program *program, struct worker *w, int cell, struct error *e) {
    json_t *hello = NULL;
    progress_note(&m->progress, "checking %s", m->p->cells[cell].label);
    enum status st = w->pid > 0 ? STATUS_OK : worker_start(program, w, &hello, e);
    json_decref(hello);
    if (st == STATUS_OK) st = worker_call(w, json_pack("{s:s,s:i}", "do", "check", "cell", cell), &m->cells[cell].check, e);
    progress_add(&m->progress, 1);
    return st;
}

/* An experiment needs all of its cells; a suite goes on without the one that could not be judged, with a fresh checker. */
static enum status check_cells(struct measuring *m, struct error *e) {
    struct spec *specs = mem_alloc((size_t)m->p->n_cells * sizeof *specs);
    struct checker checker = {.cells = specs, .n_cells = m->p->n_cells, .bound = m->p->bound};
    struct worker_program program = checker_program(&checker);
    struct worker w = {.to = -1, .from = -1};
    enum status st = STATUS_OK;
    for (int i = 0; i < m->p->n_cells; i++) specs[i] = m->p->cells[i].spec;
    for (int i = 0; i < m->p->n_cells && st == STATUS_OK; i++) {
        struct error *failure = m->p->design == DESIGN_SUITE ? &m->cells[i].failure : e;
        if (!can_check(&m->p->cells[i])) continue;
        st = check_cell(m, &program, &w, i, failure);
        if (st == STATUS_OK || failure == e) continue;
        worker_stop(&w);
        st = STATUS_OK;
        if (worker_is_interrupted()) st = error_set(e, STATUS_INTERRUPTED, "interrupted before anything was measured");
    }
    worker_stop(&w);
    mem_free(specs);
    return st;
}

/* ---- runs and processes ---- */

static json_t *comparability(const struct measuring *m, const struct cell_state *c, const json_t *hello) {
    json_t *o = c->cell->external ? json_pack("{s:s}", "workload", "external") : spec_json(&c->cell->spec), *facts = json_object_get(hello, "facts");
    const char *key;
    json_t *value;
    json_object_del(o, "opt");
    json_object_del(o, "score");
    json_object_del(o, "cloze");
    json_object_foreach(facts, key, value) json_object_set(o, key, value);
    for (int i = 0; i < m->o->machine.n_facts; i++) {
        char name[96];
        snprintf(name, sizeof name, "machine.%s", m->o->machine.facts[i].key);
        json_object_set_new(o, name, json_string(m->o->machine.facts[i].value));
    }
    return o;
}

/* What a run is called by; the rest of the record is the caller's. */
static struct run_record run_of_spec(const struct spec *s, const json_t *hello) {
    struct run_record r = {.workload = s->workload, .model = spec_model_name(s), .backend = s->backend, .dtype = dtype_name(s->dtype),
        .scenario = scenario_name(s->scenario), .is_synthetic = json_is_true(json_object_get(hello, "is_synthetic")), .truncated_layers = s->layers};
    if (hello && s->layers == json_integer_value(json_object_get(hello, "full_layers"))) r.truncated_layers = 0;
    return r;
}

static struct run_record run_of_external(const struct external *x) {
    return (struct run_record){.workload = "external", .model = external_program(x), .backend = "external", .dtype = "unknown", .scenario = "external"};
}

enum status measure_begin_run(struct measuring *m, struct cell_state *c, const json_t *hello, struct error *e) {
    enum status st = id_draw(&c->run, e);
    json_t *spec = cell_json(c->cell), *comparable = comparability(m, c, hello);
    char *spec_text = json_dumps(spec, JSON_COMPACT | JSON_SORT_KEYS), *comparable_text = json_dumps(comparable, JSON_COMPACT | JSON_SORT_KEYS);
    struct run_record r = c->cell->external ? run_of_external(c->cell->external) : run_of_spec(&c->cell->spec, hello);
    r.id = c->run;
    r.experiment = m->experiment;
    r.cell = (int)(c->cell - m->p->cells);
    r.label = c->cell->label;
    r.spec_json = spec_text;
    r.spec_hash = hash_bytes(0, spec_text, strlen(spec_text));
    r.comparability = hash_bytes(0, comparable_text, strlen(comparable_text));
    r.comparability_json = comparable_text;
    r.created_unix_ns = measure_unix_ns();
    if (st == STATUS_OK) st = store_run_begin(m->s, &r, &m->o->machine, &m->o->environment, e);
    c->has_run = st == STATUS_OK;
    if (st == STATUS_OK && c->check) st = record_fidelity(m->s, &c->run, c->check, e);
    free(spec_text);
    free(comparable_text);
    json_decref(spec);
    json_decref(comparable);
    return st;
}

/* A cell that cannot go on keeps what it has; its run says why. Trouble with the store ends everything. */
static enum status fail_cell(struct measuring *m, struct cell_state *c, const struct error *why, struct error *e) {
    if (c->is_up) worker_stop(&c->worker);
    c->is_up = 0;
    if (why->status == STATUS_INTERRUPTED || why->status == STATUS_STORE) return error_set(e, why->status, "%s", why->text);
    c->is_failed = 1;
    if (m->first.status == STATUS_OK) m->first = *why;
    enum status st = c->has_run ? STATUS_OK : measure_begin_run(m, c, NULL, e);
    return st == STATUS_OK ? store_run_finish(m->s, &c->run, RUN_FAILED, why->text, e) : st;
}

int measure_is_finished(const struct measuring *m, int cell, int block) {
    for (int i = 0; i < m->n_finished; i++)
        if (m->finished[i].cell == cell && m->finished[i].block == block) return 1;
    return 0;
}

static void note_need(struct measuring *m, const struct cell_state *c, const json_t *need) {
    double weights = json_number_value(json_object_get(need, "weights")), states = json_number_value(json_object_get(need, "states"));
    progress_note(&m->progress, "%s needs %.3f GB: weights %.3f, cache %.3f, activations %.3f", c->cell->label, c->need_bytes / 1e9, weights / 1e9,
                  states / 1e9, json_number_value(json_object_get(need, "activations")) / 1e9);
}

/* Ranges without anybody who takes them cost nothing; whoever takes them looks on and slows what is timed. */
static enum status note_nvtx(struct measuring *m, const struct cell_state *c, int is_taken, struct error *e) {
    if (is_taken) return store_warning(m->s, &c->run, "a tool took NVTX ranges: the times are those of a run under it", e);
    progress_note(&m->progress, "--nvtx: no tool takes ranges (nsys and ncu set NVTX_INJECTION64_PATH)");
    return STATUS_OK;
}

static void worker_told(void *self, const char *text) { progress_news(self, "%s", text); }

static enum status start_process(struct measuring *m, struct cell_state *c, int block, struct error *e) {
    struct process_record r = {.block = block, .order = c->order, .start_unix_ns = measure_unix_ns()};
    struct worker_program program = sampler_program(&c->sampler);
    json_t *hello = NULL;
    c->sampler = (struct sampler){.spec = &c->cell->spec, .ceilings = c->limits.list ? &c->limits : NULL, .has_nvtx = m->p->has_nvtx};
    progress_note(&m->progress, "block %d of %d: preparing %s", block + 1, m->p->n_blocks, c->cell->label);
    c->worker = (struct worker){.heard = worker_told, .self = &m->progress};
    enum status st = worker_start(&program, &c->worker, &hello, e);
    if (st != STATUS_OK) return st;
    c->is_up = 1;
    c->process = 0;
    c->n_walls = 0;
    c->spent_ns = 0;
    c->need_bytes = json_number_value(json_object_get(json_object_get(hello, "need"), "total"));
    c->available_bytes = json_number_value(json_object_get(json_object_get(hello, "need"), "available"));
    json_object_del(json_object_get(hello, "need"), "available"); /* not a class of memory */
    if (block == 0) note_need(m, c, json_object_get(hello, "need"));
    if (!c->has_run) st = measure_begin_run(m, c, hello, e);
    if (st == STATUS_OK && block == 0 && m->p->has_nvtx) st = note_nvtx(m, c, json_is_true(json_object_get(hello, "nvtx")), e);
    if (st == STATUS_OK) st = record_memory(m->s, &c->run, json_object_get(hello, "need"), e);
    r.pid = (int)c->worker.pid;
    r.prepare_ns = json_integer_value(json_object_get(hello, "prepare_ns"));
    r.load_ns = json_integer_value(json_object_get(hello, "load_ns"));
    r.first_token_ns = json_integer_value(json_object_get(hello, "first_token_ns"));
    if (st == STATUS_OK) st = store_process_begin(m->s, &c->run, &r, &c->process, e);
    json_decref(hello);
    return st;
}

/* ---- samples ---- */

/* A sample during which the device was not as fast as it can be is marked by its values, and counted. */
static void note_held(struct cell_state *c, const json_t *reply) {
    static const struct { const char *metric, *by; } reasons[] = {{"held_by_power_share", "its power limit"}, {"held_by_heat_share", "heat"}};
    int is_held = 0;
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        double share = record_value(reply, reasons[i].metric);
        is_held |= share > held_limit;
        if (!(share > c->most_held)) continue;
        c->most_held = share;
        c->held_by = reasons[i].by;
    }
    c->n_timed++;
    c->n_held += is_held;
}

static enum status take_sample(struct measuring *m, struct cell_state *c, enum sample_phase phase, int index, double *wall_ns, struct error *e) {
    json_t *reply = NULL;
    enum status st = worker_call(&c->worker, json_pack("{s:s}", "do", "sample"), &reply, e);
    if (st == STATUS_OK) st = record_sample(m->s, c->process, phase, index, reply, wall_ns, e);
    if (st == STATUS_OK && phase == PHASE_TIMED) note_held(c, reply);
    json_decref(reply);
    return st;
}

static enum status warm_up(struct measuring *m, struct cell_state *c, struct error *e) {
    double rates[MOST_WARMUPS], spent = 0, budget_ns = m->p->budget_s / m->p->n_blocks * 0.25e9;
    for (int n = 0; n < MOST_WARMUPS;) {
        double wall;
        enum status st = take_sample(m, c, PHASE_WARMUP, n, &wall, e);
        if (st != STATUS_OK) return st;
        rates[n++] = 1e9 / (wall > 0 ? wall : 1);
        spent += wall;
        if (steady_reached(rates, (size_t)n, NULL) || (n >= 2 && spent > budget_ns)) return STATUS_OK;
    }
    return STATUS_OK;
}

static int wants_more(const struct measuring *m, const struct cell_state *c) {
    if (!c->is_up || c->is_failed || c->n_walls >= MOST_PROCESS_SAMPLES) return 0;
    if (m->p->samples > 0) return c->n_walls < m->p->samples;
    if (c->n_walls < 2) return 1;
    if (c->spent_ns >= m->p->budget_s * 1e9 / m->p->n_blocks) return 0;
    if (c->n_walls < LEAST_SAMPLES) return 1;
    return !interval_narrow_enough(c->walls, (size_t)c->n_walls, m->p->precision, confidence);
}

void measure_order(const struct measuring *m, int block, int round, int first, int n, int *order) {
    uint64_t state = random_mix(m->p->seed) ^ (uint64_t)(block * 100003 + round / 2);
    for (int i = 0; i < n; i++) order[i] = first + i;
    for (int i = n - 1; i > 0; i--) {
        int j = (int)(random_next(&state) % (uint64_t)(i + 1)), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (int i = 0; round % 2 && i < n / 2; i++) {
        int t = order[i];
        order[i] = order[n - 1 - i];
        order[n - 1 - i] = t;
    }
}

static enum status take_timed(struct measuring *m, struct cell_state *c, struct error *e) {
    double wall, before = monotonic_ns();
    if (worker_is_interrupted()) return error_set(e, STATUS_INTERRUPTED, "interrupted; what was measured is kept");
    enum status st = take_sample(m, c, PHASE_TIMED, c->n_walls, &wall, e);
    if (st != STATUS_OK) return st;
    c->walls[c->n_walls++] = wall;
    c->spent_ns += monotonic_ns() - before;
    progress_add(&m->progress, (monotonic_ns() - before) * 1e-9);
    return STATUS_OK;
}

static enum status timed_rounds(struct measuring *m, int block, int first, int n, struct error *e) {
    int order[PLAN_MAX_CELLS], goes_on = 1;
    for (int round = 0; goes_on; round++) {
        goes_on = 0;
        measure_order(m, block, round, first, n, order);
        for (int k = 0; k < n; k++) {
            struct cell_state *c = &m->cells[order[k]];
            struct error mine = {0};
            if (!wants_more(m, c)) continue;
            enum status st = take_timed(m, c, &mine);
            if (st == STATUS_OK) goes_on = 1;
            else if ((st = fail_cell(m, c, &mine, e)) != STATUS_OK) return st;
        }
    }
    return STATUS_OK;
}

/* One profiled sample. Where tracing each operation slows captured launches by more than the limit, and from then on in
 * this process, launches are traced as wholes. */
static enum status take_profile(struct measuring *m, struct cell_state *c, double timed_ns, double *by_operation, json_t **reply, struct error *e) {
    enum status st = worker_call(&c->worker, json_pack("{s:s}", "do", *by_operation > 0 ? "profile launches" : "profile"), reply, e);
    if (st != STATUS_OK || *by_operation > 0 || timed_ns <= 0 || !json_is_true(json_object_get(*reply, "can_trace_launches"))) return st;
    double ratio = json_number_value(json_object_get(*reply, "wall_ns")) / timed_ns;
    if (ratio <= perturbation_limit) return st;
    *by_operation = ratio;
    json_decref(*reply);
    *reply = NULL;
    return take_profile(m, c, timed_ns, by_operation, reply, e);
}

static enum status profile(struct measuring *m, struct cell_state *c, int block, struct error *e) {
    double walls[64], timed_ns = c->n_walls > 0 ? sample_median(c->walls, (size_t)c->n_walls) : 0, by_operation = 0;
    int n = m->p->profiles < 64 ? m->p->profiles : 64;
    for (int i = 0; i < n; i++) {
        json_t *reply = NULL;
        char where[96] = "";
        enum status st = take_profile(m, c, timed_ns, &by_operation, &reply, e);
        if (st == STATUS_OK) st = record_sample(m->s, c->process, PHASE_PROFILED, i, reply, &walls[i], e);
        if (st == STATUS_OK) st = record_profile(m->s, c->process, i, reply, e);
        int n_engaged;
        if (st == STATUS_OK && block == 0 && i == 0) st = record_receipts(m->s, &c->run, reply, &n_engaged, e);
        if (st == STATUS_OK && block == 0 && i == n - 1) st = record_spans(m->s, &c->run, reply, e);
        double share = reply ? record_largest_share(reply, where, sizeof where) : 0;
        if (share > c->largest_share) {
            c->largest_share = share;
            memcpy(c->share_where, where, sizeof where);
        }
        json_decref(reply);
        if (st != STATUS_OK) return st;
    }
    if (n > 0 && c->n_processes < 64) c->profiled[c->n_processes] = sample_median(walls, (size_t)n);
    if (by_operation > c->by_operation) c->by_operation = by_operation;
    return STATUS_OK;
}

static enum status end_process(struct measuring *m, struct cell_state *c, int block, struct error *e) {
    json_t *reply = NULL;
    enum status st = profile(m, c, block, e);
    if (st == STATUS_OK && block == 0) {
        st = worker_call(&c->worker, json_pack("{s:s}", "do", "output"), &reply, e);
        if (st == STATUS_OK) st = record_output(m->s, &c->run, reply, e);
        json_decref(reply);
    }
    if (st == STATUS_OK) st = store_process_finish(m->s, c->process, e);
    if (st == STATUS_OK && c->n_processes < 64 && c->n_walls > 0) c->timed[c->n_processes++] = sample_median(c->walls, (size_t)c->n_walls);
    worker_stop(&c->worker);
    c->is_up = 0;
    return st;
}

/* ---- a block ---- */

/* Starts cells from `first` on while they fit beside each other; how many are up or done with. */
static int start_group(struct measuring *m, int block, int first, enum status *st, struct error *e) {
    double used = 0, largest = 0, available = memory_available() * memory_share;
    int i = first;
    for (; i < m->p->n_cells; i++) {
        struct cell_state *c = &m->cells[i];
        struct error mine = {0};
        if (c->is_failed || measure_is_finished(m, i, block)) continue;
        double expected = c->need_bytes > 0 ? c->need_bytes : largest; /* in the first block: as its neighbours */
        if (used > 0 && used + expected > available) break;
        if (worker_is_interrupted()) {
            *st = error_set(e, STATUS_INTERRUPTED, "interrupted; what was measured is kept");
            return i - first;
        }
        c->order = i;
        enum status mine_status = start_process(m, c, block, &mine);
        if (mine_status == STATUS_OK) mine_status = warm_up(m, c, &mine);
        if (mine_status != STATUS_OK && (*st = fail_cell(m, c, &mine, e)) != STATUS_OK) return i - first;
        if (used == 0 && c->available_bytes > 0) available = c->available_bytes * memory_share;
        used += c->need_bytes;
        largest = c->need_bytes > largest ? c->need_bytes : largest;
    }
    return i - first;
}

enum status measure_process(struct measuring *m, struct cell_state *c, int block, struct error *e) {
    enum status st = start_process(m, c, block, e);
    if (st == STATUS_OK) st = warm_up(m, c, e);
    while (st == STATUS_OK && wants_more(m, c)) st = take_timed(m, c, e);
    if (st == STATUS_OK) st = end_process(m, c, block, e);
    if (c->is_up) worker_stop(&c->worker);
    c->is_up = 0;
    return st;
}

static enum status run_block(struct measuring *m, int block, struct error *e) {
    enum status st = STATUS_OK;
    for (int first = 0; first < m->p->n_cells && st == STATUS_OK;) {
        int n = start_group(m, block, first, &st, e);
        if (st == STATUS_OK) {
            progress_note(&m->progress, "block %d of %d: timing %d cells in turns", block + 1, m->p->n_blocks, n);
            st = timed_rounds(m, block, first, n, e);
        }
        for (int i = first; i < first + n && st == STATUS_OK; i++) {
            struct cell_state *c = &m->cells[i];
            struct error mine = {0};
            if (!c->is_up) continue;
            if (end_process(m, c, block, &mine) != STATUS_OK) st = fail_cell(m, c, &mine, e);
        }
        first += n;
    }
    for (int i = 0; i < m->p->n_cells; i++) { /* after an interruption */
        if (m->cells[i].is_up) worker_stop(&m->cells[i].worker);
        m->cells[i].is_up = 0;
    }
    return st;
}

/* ---- the end of a run ---- */

static enum status finish_perturbation(struct measuring *m, struct cell_state *c, double *low, struct error *e) {
    struct perturbation_record r = {.low = INFINITY, .high = 0, .by_operation = c->by_operation};
    double ratios[64];
    int n = 0;
    *low = 0;
    for (int i = 0; i < c->n_processes; i++)
        if (c->timed[i] > 0 && c->profiled[i] > 0) {
            double x = ratios[n++] = c->profiled[i] / c->timed[i];
            r.low = x < r.low ? x : r.low;
            r.high = x > r.high ? x : r.high;
        }
    if (n == 0) return STATUS_OK;
    r.ratio = sample_median(ratios, (size_t)n);
    *low = r.low;
    return store_perturbation(m->s, &c->run, &r, e);
}

static double spread_of(const struct cell_state *c) {
    double low = INFINITY, high = 0;
    for (int i = 0; i < c->n_processes; i++) {
        low = c->timed[i] < low ? c->timed[i] : low;
        high = c->timed[i] > high ? c->timed[i] : high;
    }
    return c->n_processes > 1 && low > 0 ? high / low - 1 : 0;
}

/* A lossy run's numbers are right whatever its quality: it keeps its state, and is marked. */
static enum status warn_past_bound(struct measuring *m, const struct cell_state *c, struct error *e) {
    char text[256];
    snprintf(text, sizeof text, "past its fidelity bound (error %.3g, bound %.3g): this run stays out of every speed-up", json_number_value(json_object_get(c->check, "error")),
             json_number_value(json_object_get(c->check, "bound")));
    return store_warning(m->s, &c->run, text, e);
}

/* ok, noisy or invalid, and why. */
static enum status finish_run(struct measuring *m, struct cell_state *c, struct error *e) {
    char reason[256] = "";
    enum run_state state = RUN_OK;
    double perturbation_low;
    enum status st = finish_perturbation(m, c, &perturbation_low, e);
    if (st == STATUS_OK && perturbation_low > perturbation_limit)
        st = store_warning(m->s, &c->run, "profiling slowed the run by more than 5 % in every process: the attribution is not that of the timed run", e);
    if (st == STATUS_OK && c->largest_share > stale_share) {
        char text[256];
        snprintf(text, sizeof text, "%s reached %.0f %% of the measured limit: the machine was slower when its limits were measured; run assay ceilings again",
                 c->share_where, c->largest_share * 100);
        st = store_warning(m->s, &c->run, text, e);
    }
    if (st == STATUS_OK && c->n_held > 0) {
        char text[256];
        snprintf(text, sizeof text, "the device's clocks were held down by %s in %d of %d timed samples, for up to %.0f %% of a sample: cooler, or with a fixed lower clock, it is steadier",
                 c->held_by, c->n_held, c->n_timed, c->most_held * 100);
        st = store_warning(m->s, &c->run, text, e);
    }
    int is_outside = c->check && !json_is_true(json_object_get(c->check, "ok"));
    int is_lossy = c->check && json_integer_value(json_object_get(c->check, "class")) == FIDELITY_LOSSY;
    if (st == STATUS_OK && is_outside && is_lossy) st = warn_past_bound(m, c, e);
    if (is_outside && !is_lossy) {
        state = RUN_INVALID;
        snprintf(reason, sizeof reason, "results are outside their fidelity class: error %.3g, bound %.3g", json_number_value(json_object_get(c->check, "error")),
                 json_number_value(json_object_get(c->check, "bound")));
    } else if (c->largest_share > wrong_share) {
        state = RUN_INVALID;
        snprintf(reason, sizeof reason, "%s reached %.0f %% of what the machine was measured to allow: either figure is wrong", c->share_where, c->largest_share * 100);
    } else if (spread_of(c) > noise_limit) {
        state = RUN_NOISY;
        snprintf(reason, sizeof reason, "processes differ by %.0f %%", spread_of(c) * 100);
    }
    return st == STATUS_OK ? store_run_finish(m->s, &c->run, state, reason[0] ? reason : NULL, e) : st;
}

static enum status finish_all(struct measuring *m, enum status outcome, struct error *e) {
    enum status st = STATUS_OK;
    for (int i = 0; i < m->p->n_cells && st == STATUS_OK; i++) {
        struct cell_state *c = &m->cells[i];
        if (!c->has_run || c->is_failed) continue;
        if (outcome == STATUS_OK) st = finish_run(m, c, e);
        else st = store_run_finish(m->s, &c->run, RUN_INTERRUPTED, outcome == STATUS_INTERRUPTED ? "stopped by a signal" : "the experiment ended early", e);
    }
    return st;
}

/* ---- everything ---- */

/* What was interrupted goes on: finished processes are not repeated. */
static enum status reopen_experiment(struct measuring *m, struct arena *a, struct error *e) {
    enum status st = store_finished(m->s, &m->experiment, a, &m->finished, &m->n_finished, e);
    for (int i = 0; i < m->p->n_cells && st == STATUS_OK; i++)
        st = store_run_reopen(m->s, &m->experiment, i, &m->cells[i].run, &m->cells[i].has_run, e);
    return st;
}

static enum status begin_experiment(struct measuring *m, struct arena *a, struct error *e) {
    struct plan *p = m->p;
    int is_found = 0;
    char *spec = plan_json(p);
    enum status st = STATUS_OK;
    if (m->o->resumes) st = store_experiment_of_spec(m->s, spec, &m->experiment, &is_found, e);
    if (st == STATUS_OK && is_found) return reopen_experiment(m, a, e);
    if (st == STATUS_OK) st = id_draw(&m->experiment, e);
    struct experiment_record r = {.id = m->experiment, .name = p->name, .workload = p->workload, .design = design_name(p->design), .spec_json = spec,
        .seed = p->seed, .n_factors = p->n_factors, .factors = p->factors, .n_blocks = p->n_blocks, .created_unix_ns = measure_unix_ns()};
    if (st == STATUS_OK) st = store_experiment_begin(m->s, &r, e);
    for (int i = 0; i < p->n_cells && st == STATUS_OK; i++) {
        struct cell_record c = {.index = i, .mask = p->cells[i].mask, .label = p->cells[i].label, .axes_json = p->cells[i].axes_json};
        st = store_cell(m->s, &m->experiment, &c, e);
    }
    return st;
}

/* Which of the machine's limits hold for a spec; a device has its own. */
static struct ledger_ceilings limits_of(const struct spec *s, const struct ceiling_list *list, struct arena *a) {
    const struct backend *b = backend_find(s->backend);
    if (!list || b->is_timeless) return (struct ledger_ceilings){0};
    if (b->measure_limit) return (struct ledger_ceilings){list, 1, b->name, arena_printf(a, "%s-%s", b->name, dtype_name(s->dtype)), NULL};
    return (struct ledger_ceilings){list, s->threads ? s->threads : (int)1 << 16, "", dtype_name(s->dtype), "int8"};
}

static double expected_seconds(const struct plan *p) {
    double seconds = 0;
    for (int i = 0; i < p->n_cells; i++) seconds += p->cells[i].external ? p->n_blocks * EXTERNAL_EXPECTED_S : p->budget_s + (p->checks_fidelity ? 1 : 0);
    return seconds;
}

static void prepare_cells(struct measuring *m, struct arena *a) {
    for (int i = 0; i < m->p->n_cells; i++) {
        m->cells[i].cell = &m->p->cells[i];
        if (cell_is_ours(&m->p->cells[i])) m->cells[i].limits = limits_of(&m->p->cells[i].spec, m->o->ceilings, a);
    }
}

static enum status run_blocks(struct measuring *m, struct error *e) {
    int is_suite = m->p->design == DESIGN_SUITE;
    enum status st = is_suite ? rounds_begin(m, e) : STATUS_OK;
    for (int block = 0; block < m->p->n_blocks && st == STATUS_OK; block++) st = is_suite ? rounds_run(m, block, e) : run_block(m, block, e);
    return st == STATUS_OK && is_suite ? rounds_end(m, e) : st;
}

enum status measure_plan(struct plan *p, struct store *s, const struct measure_options *o, struct id *out, struct error *e) {
    struct measuring m = {.p = p, .s = s, .o = o, .cells = mem_alloc((size_t)p->n_cells * sizeof *m.cells)};
    struct arena a = {0};
    *out = (struct id){{0}};
    prepare_cells(&m, &a);
    worker_catch_signals();
    progress_begin(&m.progress, expected_seconds(p));
    enum status st = p->checks_fidelity ? check_cells(&m, e) : STATUS_OK;
    if (st == STATUS_OK) st = begin_experiment(&m, &a, e);
    if (st == STATUS_OK) *out = m.experiment;
    if (st == STATUS_OK) st = run_blocks(&m, e);
    if (out->text[0]) {
        struct error late = {0};
        enum status ended = finish_all(&m, st, &late);
        if (st == STATUS_OK && ended != STATUS_OK) st = error_set(e, ended, "%s", late.text);
    }
    progress_end(&m.progress);
    int n_failed = 0;
    for (int i = 0; i < p->n_cells; i++) {
        n_failed += m.cells[i].is_failed;
        json_decref(m.cells[i].check);
    }
    if (st == STATUS_OK && n_failed == p->n_cells && p->design != DESIGN_SUITE) st = error_set(e, m.first.status, "%s", m.first.text);
    mem_free(m.cells);
    arena_free(&a);
    return st;
}
