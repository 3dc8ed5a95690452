/* trace_store.c: the records of a trace's run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness/import/trace_run.h"
#include "kernels/base/random.h"
#include "results/document/json.h"

static int64_t unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- the specification ---- */

static json_t *spec_of(const struct trace_request *q, const char *file) {
    json_t *o = json_pack("{s:s, s:s, s:i}", "workload", "trace", "importer", q->importer->name, "stage_depth", q->choice.depth);
    if (file) json_object_set_new(o, "file", json_text(file));
    if (q->choice.stages) json_object_set_new(o, "stages", json_text(q->choice.stages));
    if (q->choice.iteration) json_object_set_new(o, "iteration", json_text(q->choice.iteration));
    return o;
}

/* Traces compare that were attributed by the same rules, of the same devices; the file's name is not among them. */
static json_t *comparability_of(const struct trace_request *q, const struct trace_run *r) {
    json_t *o = spec_of(q, NULL);
    for (size_t i = 0; i < r->imported.n_machine; i++) {
        char *key = mem_printf("machine.%s", r->imported.machine[i].key);
        json_object_set_new(o, key, json_text(r->imported.machine[i].value));
        mem_free(key);
    }
    return o;
}

static char *canonical(json_t *o) {
    char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(o);
    return text;
}

/* ---- is the attribution whole? ---- */

static void say(struct text *t, int64_t n, const char *words) {
    if (n > 0) text_append(t, "%s%lld %s", t->length ? "; " : "", (long long)n, words);
}

/* Why not, in words; "" where it is. Owned by `t`. */
static const char *incompleteness(const struct trace_run *r, int64_t n_ops, int64_t n_without_call, struct text *t) {
    const struct activity_integrity *i = &r->imported.activity.integrity;
    text_append_bytes(t, "", 0);
    if (n_without_call > 0)
        text_append(
            t,
            "%lld of %lld operations have no launching call in the trace (they were launched before the recording, or their calls were not recorded)%s",
            (long long)n_without_call, (long long)n_ops, r->imported.activity.is_owned_by_ranges ? "" : ", so they have no stage");
    say(t, i->dropped, "records were dropped");
    say(t, i->untimed, "records have no times");
    say(t, i->unknown, "records are of a kind that is not known");
    if (i->reason[0]) text_append(t, "%s%s", t->length ? "; " : "", i->reason);
    return t->data;
}

static enum status warn(struct store *s, const struct id *run, const struct trace_request *q, const struct trace_run *r, struct error *e) {
    struct text t = {0}, warning = {0};
    enum status st = q->warning ? store_warning(s, run, q->warning, e) : STATUS_OK;
    if (st == STATUS_OK && *incompleteness(r, r->n_ops, r->n_without_call, &t)) {
        text_append(&warning, "attribution incomplete: %s", t.data);
        st = store_warning(s, run, warning.data, e);
    }
    if (st == STATUS_OK && r->n_stages == 0)
        st = store_warning(
            s, run,
            "no range of the trace is a stage, so its work stands under no stage; name ranges in the program with NVTX or torch.profiler.record_function",
            e);
    if (st == STATUS_OK && r->n_empty) {
        warning.length = 0;
        text_append(&warning,
                    "%zu instances of the iteration left no time to themselves (the device was still busy with the one before): they are no samples",
                    r->n_empty);
        st = store_warning(s, run, warning.data, e);
    }
    text_free(&t);
    text_free(&warning);
    return st;
}

/* ---- samples ---- */

/* Parts of the lists of lines and operations, one sample after the other. */
struct sample_parts {
    size_t line, op;
};

static const char *unit_name(struct arena *a, int32_t device) { return arena_printf(a, "cuda:%d", (int)device); }
static const char *stage_name(const struct trace_run *r, int32_t stage) { return stage < 0 ? NULL : r->imported.activity.names[stage]; }
static double bytes_of(int32_t category, int64_t bytes) { return category == DEVICE_COPY ? (double)bytes : NAN; }

static struct ledger_line line_of(const struct trace_run *r, const struct attributed_line *x, const char *unit) {
    return (struct ledger_line){.unit = unit,
                                .stage = stage_name(r, x->stage),
                                .category = device_category_name(x->category),
                                .ns = (double)x->ns,
                                .flop = NAN,
                                .bytes = bytes_of(x->category, x->bytes),
                                .ceiling_share = NAN,
                                .launches = x->category < DEVICE_BUSY_COUNT ? x->launches : -1};
}

/* Lines of the sample, each unit's followed by its residual: 0, or there is an error in the arithmetic. */
static int fill_lines(const struct trace_run *r, size_t sample, size_t *at, struct arena *a, struct ledger_line *out) {
    const struct attributed_sample *s = &r->found.samples[sample];
    int n = 0;
    while (*at < r->found.n_lines && r->found.lines[*at].sample == (int32_t)sample) {
        int32_t device = r->found.lines[*at].device;
        const char *unit = unit_name(a, device);
        int64_t rest_ns = s->end_ns - s->start_ns;
        for (; *at < r->found.n_lines && r->found.lines[*at].sample == (int32_t)sample && r->found.lines[*at].device == device; (*at)++) {
            out[n++] = line_of(r, &r->found.lines[*at], unit);
            rest_ns -= r->found.lines[*at].ns;
        }
        out[n++] = (struct ledger_line){
            .unit = unit, .category = "residual", .ns = (double)rest_ns, .flop = NAN, .bytes = NAN, .ceiling_share = NAN, .launches = -1};
    }
    return n;
}

static enum status store_lines(struct store *s, int64_t process, const struct trace_run *r, size_t sample, size_t *at, struct error *e) {
    const struct attributed_sample *x = &r->found.samples[sample];
    struct ledger_line *lines = mem_alloc((r->found.n_lines - *at + r->n_devices) * sizeof *lines);
    struct text reason = {0};
    struct arena a = {0};
    int n = fill_lines(r, sample, at, &a, lines);
    const char *why = incompleteness(r, x->n_ops, x->n_without_call, &reason);
    struct ledger_record ledger = {
        .wall_ns = (double)(x->end_ns - x->start_ns), .lines = lines, .n_lines = n, .is_complete = !*why, .reason = *why ? why : NULL};
    enum status st = store_ledger(s, process, (int)sample, &ledger, e);
    arena_free(&a);
    text_free(&reason);
    mem_free(lines);
    return st;
}

static enum status store_operations(struct store *s, int64_t process, const struct trace_run *r, size_t sample, size_t *at, struct error *e) {
    size_t first = *at;
    while (*at < r->found.n_ops && r->found.ops[*at].sample == (int32_t)sample) (*at)++;
    struct op_line *lines = mem_alloc((*at - first) * sizeof *lines);
    struct arena a = {0};
    for (size_t i = first; i < *at; i++) {
        const struct attributed_op *x = &r->found.ops[i];
        lines[i - first] = (struct op_line){.stage = stage_name(r, x->stage),
                                            .op = r->imported.activity.names[x->name],
                                            .category = device_category_name(x->category),
                                            .place = unit_name(&a, x->device),
                                            .calls = x->calls,
                                            .ns = (double)x->ns,
                                            .flop = NAN,
                                            .bytes = bytes_of(x->category, x->bytes)};
    }
    enum status st = store_ops(s, process, (int)sample, lines, (int)(*at - first), e);
    arena_free(&a);
    mem_free(lines);
    return st;
}

static enum status store_samples(struct store *s, int64_t process, const struct trace_run *r, struct error *e) {
    struct sample_parts at = {0, 0};
    enum status st = STATUS_OK;
    for (size_t i = 0; i < r->found.n_samples && st == STATUS_OK; i++) {
        const struct attributed_sample *x = &r->found.samples[i];
        struct sample_record sample = {.index = (int)i, .phase = PHASE_PROFILED, .start_ns = x->start_ns, .wall_ns = x->end_ns - x->start_ns};
        st = store_sample(s, process, &sample, e);
        if (st == STATUS_OK) st = store_lines(s, process, r, i, &at.line, e);
        if (st == STATUS_OK) st = store_operations(s, process, r, i, &at.op, e);
    }
    return st;
}

/* ---- a run ---- */

struct storing {
    struct store *s;
    const struct trace_request *q;
    struct id experiment;
    int64_t now_ns;
    size_t n_runs;
};

/* The file's name without the endings that say what it is. */
static char *stem_of(const char *file, struct arena *a) {
    static const char *const endings[] = {".gz", ".json", ".trace", ".pt", ".sqlite", ".nsys-rep"};
    char *stem = arena_copy_string(a, file);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(stem), n = strlen(endings[i]);
        if (length > n && strcmp(stem + length - n, endings[i]) == 0) stem[length - n] = 0;
    }
    return stem;
}

/* The name asked for, else the file's; runs of several files are told apart by rank where they have one. */
static const char *label_of(const struct storing *t, const struct trace_run *r, struct arena *a) {
    const char *name = t->q->name ? t->q->name : stem_of(r->file, a);
    if (t->n_runs == 1) return name;
    const char *part = r->imported.rank >= 0 ? arena_printf(a, "rank %d", r->imported.rank) : stem_of(r->file, a);
    return t->q->name ? arena_printf(a, "%s %s", name, part) : part;
}

static void add_facts(const struct trace_request *q, const struct trace_run *r, struct imported *facts) {
    char text[64];
    if (!q->is_passing) imported_environment(facts, "trace.file", r->path);
    snprintf(text, sizeof text, "%zu", r->n_rows);
    imported_environment(facts, "trace.records", text);
    snprintf(text, sizeof text, "%d", r->imported.rank);
    if (r->imported.rank >= 0) imported_environment(facts, "distributed.rank", text);
    time_t seconds = (time_t)(r->imported.recorded_unix_ns / 1000000000);
    struct tm when;
    if (r->imported.recorded_unix_ns >= 0 && gmtime_r(&seconds, &when) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &when))
        imported_environment(facts, "trace.recorded", text);
}

static enum status begin_run(struct storing *t, const struct trace_run *r, int cell, const struct id *run, struct error *e) {
    struct arena a = {0};
    struct imported facts = {0};
    char *spec = canonical(spec_of(t->q, r->file)), *comparable = canonical(comparability_of(t->q, r));
    for (size_t i = 0; i < r->imported.n_environment; i++)
        imported_environment(&facts, r->imported.environment[i].key, r->imported.environment[i].value);
    add_facts(t->q, r, &facts);
    struct run_record record = {.id = *run,
                                .experiment = t->experiment,
                                .cell = cell,
                                .workload = "trace",
                                .model = r->file,
                                .backend = "external",
                                .dtype = "unknown",
                                .scenario = "recorded",
                                .label = label_of(t, r, &a),
                                .spec_json = spec,
                                .spec_hash = hash_bytes(0, spec, strlen(spec)),
                                .comparability = hash_bytes(0, comparable, strlen(comparable)),
                                .comparability_json = comparable,
                                .created_unix_ns = t->now_ns};
    struct machine_record machine = {r->imported.machine, (int)r->imported.n_machine};
    struct environment_record environment = {facts.environment, (int)facts.n_environment};
    enum status st = store_run_begin(t->s, &record, &machine, &environment, e);
    imported_free(&facts);
    arena_free(&a);
    free(spec);
    free(comparable);
    return st;
}

static enum status store_one(struct storing *t, const struct trace_run *r, int cell, struct error *e) {
    struct id run;
    int64_t process = 0;
    struct process_record record = {
        .pid = (int)r->imported.pid, .start_unix_ns = r->imported.recorded_unix_ns, .prepare_ns = -1, .load_ns = -1, .first_token_ns = -1};
    enum status st = id_draw(&run, e);
    if (st == STATUS_OK) st = begin_run(t, r, cell, &run, e);
    if (st == STATUS_OK) st = store_process_begin(t->s, &run, &record, &process, e);
    if (st == STATUS_OK) st = store_samples(t->s, process, r, e);
    if (st == STATUS_OK) st = store_spans(t->s, &run, r->spans, (int)r->n_spans, e);
    if (st == STATUS_OK) st = warn(t->s, &run, t->q, r, e);
    return st == STATUS_OK ? store_run_finish(t->s, &run, RUN_OK, NULL, e) : st;
}

static enum status begin_experiment(struct storing *t, const struct trace_run *runs, struct error *e) {
    struct arena a = {0};
    char *spec = canonical(spec_of(t->q, t->n_runs == 1 ? runs[0].file : NULL));
    enum status st = id_draw(&t->experiment, e);
    struct experiment_record record = {.id = t->experiment,
                                       .name = t->q->name,
                                       .workload = "trace",
                                       .design = "single",
                                       .spec_json = spec,
                                       .n_blocks = 1,
                                       .created_unix_ns = t->now_ns};
    if (st == STATUS_OK) st = store_experiment_begin(t->s, &record, e);
    for (size_t i = 0; i < t->n_runs && st == STATUS_OK; i++) {
        char *axes = canonical(t->n_runs == 1 ? json_object() : json_pack("{s:o}", "file", json_text(runs[i].file)));
        struct cell_record cell = {.index = (int)i, .label = label_of(t, &runs[i], &a), .axes_json = axes};
        st = store_cell(t->s, &t->experiment, &cell, e);
        free(axes);
    }
    free(spec);
    arena_free(&a);
    return st;
}

enum status trace_runs_store(struct store *s, const struct trace_request *q, const struct trace_run *runs, size_t n, struct id *experiment,
                             struct error *e) {
    struct storing t = {.s = s, .q = q, .now_ns = unix_ns(), .n_runs = n};
    enum status st = begin_experiment(&t, runs, e);
    for (size_t i = 0; i < n && st == STATUS_OK; i++) {
        if (q->progress) progress_note(q->progress, "storing %s", runs[i].file);
        st = store_one(&t, &runs[i], (int)i, e);
    }
    *experiment = t.experiment;
    return st;
}
