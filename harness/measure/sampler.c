#include "harness/measure/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "kernels/cuda/nvtx_client.h"

/* ---- opening ---- */

static void add_fact(void *to, const char *key, const char *value) { json_object_set_new(to, key, json_string(value)); }

static json_t *memory_json(const struct engine *g) {
    struct memory_use use = {0};
    struct rusage r;
    device_backend(g->device)->memory(g->device, &use);
    getrusage(RUSAGE_SELF, &r);
    return json_pack("{s:f,s:f,s:f,s:f,s:f}", "weights", (double)use.weight_bytes, "states", (double)use.state_bytes,
                     "activations", (double)use.activation_bytes, "packed", (double)use.packed_bytes,
                     "peak_resident", (double)r.ru_maxrss * 1024);
}

static uint64_t now_ns(void) { return clock_now_ns(&(struct clock){0}); }

static json_t *open_reply(struct sampler *s, int64_t load_ns, int64_t first_token_ns) {
    json_t *facts = json_object();
    const struct engine *g = &s->engine;
    device_backend(g->device)->describe(g->device, add_fact, facts);
    return json_pack("{s:b,s:o,s:o,s:{s:f,s:f,s:f,s:f,s:f},s:I,s:I,s:I,s:b,s:i,s:i}", "nvtx", g->session.executor.annotator != NULL, "facts", facts, "memory", memory_json(g),
                     "need", "weights", g->need.weights, "states", g->need.states, "activations", g->need.activations,
                     "total", g->need.total, "available", g->need.available, "prepare_ns", (json_int_t)g->prepare_ns, "load_ns", (json_int_t)load_ns,
                     "first_token_ns", (json_int_t)first_token_ns, "is_synthetic", s->model.is_synthetic,
                     "layers", s->model.config.layers, "full_layers", s->model.full_layers);
}

static void loading(void *self, double done, double total) {
    enum { TELL_EVERY_NS = 100000000 };
    struct sampler *s = self;
    uint64_t now = now_ns();
    if (now - s->told_ns < TELL_EVERY_NS) return;
    s->told_ns = now;
    worker_tell("loading %s: %.2f of %.2f GB of weights", s->model.name, done / 1e9, total / 1e9);
}

static enum status sampler_open(void *self, json_t **reply, struct error *e) {
    struct sampler *s = self;
    const struct spec *spec = s->spec;
    s->process_start_ns = now_ns();
    struct llm_options o = {.model = spec->model, .preset = spec->preset, .layers = spec->layers, .seed = spec->sampling.seed};
    enum status st = llm_open(&o, &s->model, e);
    if (st != STATUS_OK) return st;
    s->is_model_open = 1;
    st = sample_plan_make(spec, &s->model, &s->plan, e);
    int64_t load_ns = (int64_t)(now_ns() - s->process_start_ns);
    s->is_engine_open = st == STATUS_OK;
    struct engine_options options = {.limits = s->plan.limits, .roles = ROLES_GENERATE, .loading = {loading, s}, .annotator = s->has_nvtx ? nvtx_annotator() : NULL};
    if (st == STATUS_OK) st = engine_open(&s->engine, spec, &s->model, &options, e);
    uint64_t start, wall;
    if (st == STATUS_OK) st = sampler_run(s, NULL, &start, &wall, e); /* the first sample: shapes met, pages touched */
    if (st != STATUS_OK) return st;
    int64_t first = s->engine.clock.is_fake ? -1 : (int64_t)(s->plan.jobs[0].requests[0].arrival_ns[0] - s->process_start_ns);
    *reply = open_reply(s, load_ns, first);
    return STATUS_OK;
}

static void sampler_close(void *self) {
    struct sampler *s = self;
    if (s->has_tracer) tracer_free(&s->tracer);
    if (s->is_engine_open) engine_close(&s->engine);
    sample_plan_free(&s->plan);
    if (s->is_model_open) llm_close(&s->model);
}

/* ---- samples ---- */

enum status sampler_run(struct sampler *s, struct tracer *t, uint64_t *start_ns, uint64_t *wall_ns, struct error *e) {
    *start_ns = clock_now_ns(&s->engine.clock);
    for (int j = 0; j < s->plan.n_jobs; j++) {
        enum status st = session_run(&s->engine.session, &s->plan.jobs[j], t, e);
        if (st != STATUS_OK) return st;
    }
    *wall_ns = clock_now_ns(&s->engine.clock) - *start_ns;
    if (t) {
        t->start_ns = *start_ns;
        t->end_ns = *start_ns + *wall_ns;
    }
    return STATUS_OK;
}

static void put(json_t *values, const char *metric, int64_t position, double value) {
    json_array_append_new(values, json_pack("[s,I,f]", metric, (json_int_t)position, value));
}

enum { ITL_POSITION_BITS = 20 };

static void request_values(json_t *values, const struct job *job, const struct request *r, int64_t index) {
    double first = (double)(r->arrival_ns[0] - job->start_ns), last = (double)(r->arrival_ns[r->n_output - 1] - job->start_ns);
    put(values, "ttft_ns", index, first);
    put(values, "e2e_ns", index, (double)(job->end_ns - job->start_ns));
    for (int i = 1; i < r->n_output; i++)
        put(values, "itl_ns", (index << ITL_POSITION_BITS) + i, (double)(r->arrival_ns[i] - r->arrival_ns[i - 1]));
    if (r->n_output > 1) put(values, "tpot_ns", index, (last - first) / (r->n_output - 1));
}

/* Rates are of whole jobs: prompt tokens until the first tokens are there, later tokens from then to the last. */
static void rate_values(json_t *values, const struct sample_plan *plan) {
    double prompt = 0, generated = 0, prefill_ns = 0, decode_ns = 0, total_ns = 0;
    for (int j = 0; j < plan->n_jobs; j++) {
        const struct job *job = &plan->jobs[j];
        uint64_t first = job->start_ns, last = job->start_ns;
        for (int i = 0; i < job->n_requests; i++) {
            const struct request *r = &job->requests[i];
            prompt += r->n_prompt;
            generated += r->n_output;
            if (r->arrival_ns[0] > first) first = r->arrival_ns[0];
            if (r->arrival_ns[r->n_output - 1] > last) last = r->arrival_ns[r->n_output - 1];
        }
        prefill_ns += (double)(first - job->start_ns);
        decode_ns += (double)(last - first);
        total_ns += (double)(job->end_ns - job->start_ns);
    }
    double n_requests = 0;
    for (int j = 0; j < plan->n_jobs; j++) n_requests += plan->jobs[j].n_requests;
    if (prefill_ns > 0) put(values, "prefill_tokens_per_s", 0, prompt / prefill_ns * 1e9);
    if (decode_ns > 0 && generated > n_requests) put(values, "decode_tokens_per_s", 0, (generated - n_requests) / decode_ns * 1e9);
    if (total_ns > 0) put(values, "tokens_per_s", 0, generated / total_ns * 1e9);
}

/* ---- a device's instruments, around a sample ---- */

/* Counters of energy move every 100 ms or less: of shorter samples they would say more of their steps than of the sample. */
static const double least_energy_ns = 2e9;

static void read_telemetry(const struct sampler *s, struct telemetry *out) {
    struct device *d = s->engine.device;
    *out = (struct telemetry){NAN, NAN, NAN, NAN, NAN, NAN};
    if (device_backend(d)->telemetry) device_backend(d)->telemetry(d, out);
}

static void put_known(json_t *values, const char *metric, double value) {
    if (!isnan(value)) put(values, metric, 0, value);
}

static void telemetry_values(json_t *values, const struct telemetry *before, const struct telemetry *after, double wall_ns) {
    double energy_j = wall_ns >= least_energy_ns ? after->energy_j - before->energy_j : NAN;
    put_known(values, "energy_joules", energy_j);
    put_known(values, "power_watts", energy_j / wall_ns * 1e9);
    put_known(values, "held_by_power_share", (after->held_by_power_s - before->held_by_power_s) / wall_ns * 1e9);
    put_known(values, "held_by_heat_share", (after->held_by_heat_s - before->held_by_heat_s) / wall_ns * 1e9);
    put_known(values, "clock_mhz", after->clock_mhz);
    put_known(values, "temperature_celsius", after->temperature_c);
    put_known(values, "device_used_bytes", after->used_bytes);
}

static json_t *sample_json(struct sampler *s, uint64_t start_ns, uint64_t wall_ns) {
    json_t *values = json_array();
    int64_t index = 0;
    for (int j = 0; j < s->plan.n_jobs; j++)
        for (int i = 0; i < s->plan.jobs[j].n_requests; i++)
            request_values(values, &s->plan.jobs[j], &s->plan.jobs[j].requests[i], index++);
    rate_values(values, &s->plan);
    json_t *memory = memory_json(&s->engine);
    put(values, "peak_bytes", 0, json_real_value(json_object_get(memory, "peak_resident")));
    json_decref(memory);
    return json_pack("{s:I,s:I,s:o}", "start_ns", (json_int_t)start_ns, "wall_ns", (json_int_t)wall_ns, "values", values);
}

static enum status serve_sample(struct sampler *s, json_t **reply, struct error *e) {
    uint64_t start, wall;
    struct telemetry before, after;
    read_telemetry(s, &before);
    enum status st = sampler_run(s, NULL, &start, &wall, e);
    if (st != STATUS_OK) return st;
    read_telemetry(s, &after);
    *reply = sample_json(s, start, wall);
    telemetry_values(json_object_get(*reply, "values"), &before, &after, (double)wall);
    return STATUS_OK;
}

/* ---- the traced sample ---- */

static void open_tracer(struct sampler *s) {
    const struct engine *g = &s->engine;
    size_t ops = 0, steps = 2;
    for (int i = 0; i < g->pipeline.n_programs; i++)
        if (g->pipeline.programs[i].n_ops > ops) ops = g->pipeline.programs[i].n_ops;
    for (int j = 0; j < s->plan.n_jobs; j++) steps += (size_t)s->spec->generate + 1;
    size_t most = (size_t)1 << 22, spans = (ops + 8) * steps;
    const struct device_head *head = (const void *)g->device;
    tracer_init(&s->tracer, &s->engine.clock, 1, &head->n_lanes, spans < most ? spans : most);
    s->tracer.is_device[0] = head->is_asynchronous;
    s->has_tracer = 1;
}

/* One sample between the beginning and the end of tracing. */
static enum status traced_run(struct sampler *s, enum trace_detail detail, uint64_t *start_ns, uint64_t *wall_ns, struct error *e) {
    struct executor *x = &s->engine.session.executor;
    tracer_clear(&s->tracer);
    enum status st = executor_trace_begin(x, detail, e);
    if (st == STATUS_OK) st = sampler_run(s, &s->tracer, start_ns, wall_ns, e);
    return st == STATUS_OK ? executor_trace_end(x, &s->tracer, e) : st;
}

static json_t *real_or_null(double x) { return x == x && x >= 0 ? json_real(x) : json_null(); }

/* "team of 2", "cuda:0", "null" */
static void unit_name(const struct sampler *s, int unit, char *to, size_t bytes) {
    int lanes = s->tracer.n_lanes[unit];
    if (s->tracer.is_device[unit]) snprintf(to, bytes, "%s:%d", s->spec->backend, unit);
    else if (lanes > 1) snprintf(to, bytes, "team of %d", lanes);
    else snprintf(to, bytes, "%s", s->spec->backend);
}

static json_t *ledger_json(const struct sampler *s, const struct ledger *l) {
    json_t *lines = json_array();
    const struct pipeline *p = &s->engine.pipeline;
    for (int unit = 0; unit < l->n_units; unit++) {
        const struct ledger_unit *u = &l->units[unit];
        char name[64];
        unit_name(s, unit, name, sizeof name);
        for (int stage = 0; stage < p->n_stages; stage++)
            for (int k = 0; k < LEDGER_CATEGORIES; k++) {
                const struct ledger_cell *c = &u->cells[stage][k];
                if (c->ns <= 0 && c->launches == 0) continue;
                json_array_append_new(lines, json_pack("{s:s,s:s,s:s,s:f,s:o,s:o,s:o,s:o,s:I}", "unit", name, "stage", p->stages[stage].name,
                    "category", ledger_category_name(k), "ns", c->ns, "flop", real_or_null(c->flop > 0 ? c->flop : -1),
                    "bytes", real_or_null(c->bytes > 0 ? c->bytes : -1),
                    "ceiling_share", real_or_null(c->least_ns > 0 && c->ns > 0 ? c->least_ns / c->ns : -1),
                    "sure_share", real_or_null(c->surely_ns > 0 && c->ns > 0 ? c->surely_ns / c->ns : -1), "launches", (json_int_t)c->launches));
            }
        json_array_append_new(lines, json_pack("{s:s,s:n,s:s,s:f,s:n,s:n,s:n,s:I}", "unit", name, "stage", "category", "residual",
            "ns", u->residual_ns, "flop", "bytes", "ceiling_share", "launches", (json_int_t)0));
    }
    return json_pack("{s:f,s:o,s:I,s:s}", "wall_ns", l->units[0].wall_ns, "lines", lines, "dropped", (json_int_t)l->dropped, "trouble", l->trouble);
}

static char *place_text(const struct op *op, struct arena *a) {
    if (op->place.part == PART_LAYER) return arena_printf(a, "layer");
    return arena_copy_string(a, op->place.part == PART_EMBED ? "embed" : "head");
}

/* Rows of one kind at one place (all layers together) are one line. */
static json_t *ops_json(const struct sampler *s, const struct ledger *l) {
    json_t *lines = json_array();
    struct arena a = {0};
    for (int i = 0; i < l->n_ops; i++) {
        const struct ledger_op *o = &l->ops[i];
        char *name = op_label(o->program, o->op, &a);
        const char *stage = s->engine.pipeline.stages[o->stage < 0 ? 0 : o->stage].name;
        json_t *line, *found = NULL;
        size_t at;
        json_array_foreach(lines, at, line)
            if (strcmp(json_string_value(json_object_get(line, "op")), name) == 0 && strcmp(json_string_value(json_object_get(line, "stage")), stage) == 0)
                found = line;
        if (!found) {
            found = json_pack("{s:s,s:s,s:s,s:s,s:I,s:f,s:f,s:f,s:f}", "stage", stage, "op", name, "category", category_name(o->op->category),
                "place", place_text(o->op, &a), "calls", (json_int_t)0, "ns", 0.0, "flop", 0.0, "bytes", 0.0, "least_ns", 0.0);
            json_array_append_new(lines, found);
        }
        json_object_set_new(found, "calls", json_integer(json_integer_value(json_object_get(found, "calls")) + o->calls));
        const struct { const char *key; double more; } sums[] = {{"ns", o->ns}, {"flop", o->flop}, {"bytes", o->bytes}, {"least_ns", o->least_ns}};
        for (size_t k = 0; k < 4; k++)
            json_object_set_new(found, sums[k].key, json_real(json_real_value(json_object_get(found, sums[k].key)) + sums[k].more));
    }
    arena_free(&a);
    return lines;
}

/* What an optimizer chose among, and how it came to it. */
static json_t *choices_json(const struct rewrite *r) {
    json_t *out = json_array();
    for (int i = 0; i < r->n_choices; i++) {
        const struct choice *c = &r->choices[i];
        json_t *times = json_array();
        for (int k = 0; k < c->n_rows; k++)
            json_array_append_new(times, json_pack("{s:I,s:f,s:o}", "rows", (json_int_t)c->rows[k], "passes", c->passes[k], "ns", real_or_null(c->ns[k])));
        json_array_append_new(out, json_pack("{s:s,s:s,s:i,s:i,s:o,s:o,s:o,s:o,s:s}", "subject", c->subject, "form", c->form, "places", c->places, "picked", c->picked,
            "times", times, "cost_ns", real_or_null(c->cost_ns), "error_low", real_or_null(c->error_low), "error_high", real_or_null(c->error_high), "why", c->why));
    }
    return out;
}

static json_t *receipts_json(const struct sampler *s, const struct ledger *l) {
    static const char *const names[] = {"ENGAGED", "NO-OP", "FALLBACK", "UNVERIFIED"};
    json_t *out = json_array();
    struct arena a = {0};
    struct executed x;
    ledger_executed(l, &a, &x);
    for (int i = 0; i < s->spec->n_uses; i++) {
        const struct optimizer_use *u = &s->spec->uses[i];
        struct receipt r = {0};
        u->optimizer->receipt(&u->settings, &s->engine.rewrites[i], &x, &r);
        json_array_append_new(out, json_pack("{s:s,s:s,s:s,s:s,s:o}", "optimizer", u->optimizer->name, "settings", u->text,
                                             "verdict", names[r.kind], "evidence", r.evidence, "choices", choices_json(&s->engine.rewrites[i])));
    }
    arena_free(&a);
    return out;
}

enum { SPAN_STEPS = 16 };   /* of the generator, kept for the trace export */

static json_t *spans_json(const struct sampler *s) {
    json_t *out = json_array();
    const struct tracer *t = &s->tracer;
    for (int lane = 0; lane < t->n_lanes[0]; lane++)
        for (size_t i = 0; i < t->lanes[0][lane].count; i++) {
            const struct span *sp = &t->lanes[0][lane].spans[i];
            if (sp->step > SPAN_STEPS) continue;
            const struct op *op = executor_span_op(&s->engine.session.executor, sp, 0);
            const char *stage = s->engine.pipeline.stages[sp->stage < 0 ? 0 : sp->stage].name;
            json_array_append_new(out, json_pack("[s,s,s,i,i,i,I,I]", op && sp->kind == SPAN_RUN ? op_table[op->kind].name : sp->kind == SPAN_HOST ? stage : "wait",
                op ? category_name(op->category) : "host", stage, 0, lane, (int)sp->step, (json_int_t)(sp->start_ns - t->start_ns),
                (json_int_t)(sp->end_ns - sp->start_ns)));
        }
    return out;
}

static enum status serve_profile(struct sampler *s, enum trace_detail detail, json_t **reply, struct error *e) {
    uint64_t start, wall;
    enum status st = STATUS_OK;
    if (!s->has_tracer) {
        open_tracer(s);
        if (s->tracer.is_device[0]) st = traced_run(s, detail, &start, &wall, e); /* the first one instruments kernels: not a sample */
    }
    if (st == STATUS_OK) st = traced_run(s, detail, &start, &wall, e);
    if (st != STATUS_OK) return st;
    struct ledger l;
    ledger_close(&s->tracer, &s->engine.session, s->ceilings, &l);
    *reply = sample_json(s, start, wall);
    int is_captured = s->tracer.is_device[0] && s->engine.session.executor.settings.is_captured;
    json_object_set_new(*reply, "can_trace_launches", json_boolean(is_captured));
    json_object_set_new(*reply, "ledger", ledger_json(s, &l));
    json_object_set_new(*reply, "ops", ops_json(s, &l));
    json_object_set_new(*reply, "receipts", receipts_json(s, &l));
    json_object_set_new(*reply, "spans", spans_json(s));
    ledger_free(&l);
    return STATUS_OK;
}

static enum status serve_output(struct sampler *s, json_t **reply) {
    json_t *out = json_array();
    for (int j = 0; j < s->plan.n_jobs; j++)
        for (int i = 0; i < s->plan.jobs[j].n_requests; i++) {
            const struct request *r = &s->plan.jobs[j].requests[i];
            json_t *tokens = json_array();
            for (int k = 0; k < r->n_output; k++) json_array_append_new(tokens, json_integer(r->output[k]));
            json_t *text = s->model.tokenizer ? json_stringn(r->decoded.data, r->decoded.length) : NULL;
            json_array_append_new(out, json_pack("{s:o,s:o,s:s}", "tokens", tokens, "text", text ? text : json_null(), "finish", finish_name(r->finish)));
        }
    *reply = json_pack("{s:o,s:o}", "output", out, "memory", memory_json(&s->engine));
    return STATUS_OK;
}

static enum status sampler_serve(void *self, const json_t *request, json_t **reply, struct error *e) {
    struct sampler *s = self;
    const char *what = json_string_value(json_object_get(request, "do"));
    if (what && strcmp(what, "sample") == 0) return serve_sample(s, reply, e);
    if (what && strcmp(what, "profile") == 0) return serve_profile(s, TRACE_OPERATIONS, reply, e);
    if (what && strcmp(what, "profile launches") == 0) return serve_profile(s, TRACE_LAUNCHES, reply, e);
    if (what && strcmp(what, "output") == 0) return serve_output(s, reply);
    return error_set(e, STATUS_INTERNAL, "a measuring process does not know '%s'", what ? what : "?");
}

struct worker_program sampler_program(struct sampler *s) {
    return (struct worker_program){sampler_open, sampler_serve, sampler_close, s};
}
