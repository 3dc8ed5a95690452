#include "workloads/pipeline.h"

#include <string.h>

const char *finish_name(enum finish f) {
    static const char *const names[] = {"none", "length", "stop", "context"};
    return names[f];
}

void pipeline_init(struct pipeline *p, const char *workload) {
    *p = (struct pipeline){.workload = workload, .batcher = &batcher_pack};
    for (int i = 0; i < ROLE_COUNT; i++) p->role[i] = -1;
}

void pipeline_free(struct pipeline *p) {
    for (int i = 0; i < p->n_programs; i++) program_free(&p->programs[i]);
    arena_free(&p->arena);
}

int pipeline_stage(const struct pipeline *p, const char *name) {
    for (int i = 0; i < p->n_stages; i++)
        if (strcmp(p->stages[i].name, name) == 0) return i;
    return -1;
}

int pipeline_add_program(struct pipeline *p, const char *name) {
    program_init(&p->programs[p->n_programs], name);
    return p->n_programs++;
}

/* ---- session ---- */

static struct launch_io io_find(const struct program *p, int executor_program) {
    static const char *const lanes[LAUNCH_MAX_LANES] = {"ids", "ids1", "ids2", "ids3"};
    struct launch_io io = {.executor_program = executor_program,
        .pos = program_find(p, "pos"), .rows = program_find(p, "rows"), .last = program_find(p, "last"),
        .params = program_find(p, "sample_params"), .seeds = program_find(p, "sample_seeds"),
        .chosen = program_find(p, "chosen"), .choice = (int)p->n_ops};
    for (int i = 0; i < LAUNCH_MAX_LANES; i++) io.ids[i] = program_find(p, lanes[i]);
    for (int i = (int)p->n_ops - 1; i >= 0; i--)
        if (op_table[p->ops[i].kind].is_choice) io.choice = i;
    return io;
}

static void launch_allocate(struct launch *l, struct arena *a, struct launch_capacity capacity, int n_lanes) {
    size_t rows = (size_t)capacity.rows, choices = (size_t)capacity.slots * (size_t)n_lanes;
    if (rows < (size_t)capacity.slots) rows = (size_t)capacity.slots;
    for (int i = 0; i < n_lanes; i++) l->ids[i] = arena_alloc(a, rows * sizeof(int32_t));
    l->n_lanes = n_lanes;
    l->pos = arena_alloc(a, rows * sizeof(int32_t));
    l->rows = arena_alloc(a, rows * sizeof(int32_t));
    l->last = arena_alloc(a, choices * sizeof(int32_t));
    l->params = arena_alloc(a, choices * 4 * sizeof(float));
    l->seeds = arena_alloc(a, choices * sizeof(int64_t));
    l->chosen = arena_alloc(a, choices * sizeof(int32_t));
    l->request_of = arena_alloc(a, choices * sizeof(int));
}

enum status session_open(struct session *s, const struct pipeline *p, struct device *const *devices, int n_devices,
                         unsigned roles, struct launch_capacity capacity, struct clock *clock, struct error *e) {
    *s = (struct session){.pipeline = p, .clock = clock};
    executor_init(&s->executor, devices, n_devices, clock, &p->execution);
    launch_allocate(&s->launch, &s->arena, capacity, p->batcher->n_lanes);
    for (int i = 0; i < p->n_programs; i++) s->io[i].executor_program = -1;
    for (int role = 0; role < ROLE_COUNT; role++) {
        int i = p->role[role];
        if (i < 0 || !(roles & (1u << role)) || s->io[i].executor_program >= 0) continue;
        int index;
        enum status status = executor_add(&s->executor, &p->programs[i], p->weights, &index, e);
        if (status != STATUS_OK) return status;
        s->io[i] = io_find(&p->programs[i], index);
    }
    return STATUS_OK;
}

void session_close(struct session *s) {
    executor_free(&s->executor);
    arena_free(&s->arena);
}

void session_annotate(struct session *s, const struct annotator *to) {
    const char **stages = arena_alloc(&s->arena, PIPELINE_MAX_STAGES * sizeof *stages);
    for (int i = 0; i < s->pipeline->n_stages; i++) stages[i] = s->pipeline->stages[i].name;
    executor_annotate(&s->executor, to, stages);
}

static void job_reset(struct job *job) {
    for (int i = 0; i < job->n_requests; i++) {
        struct request *r = &job->requests[i];
        r->n_output = 0;
        r->length = 0;
        r->finish = FINISH_NONE;
        r->decoded.length = 0;
    }
}

static enum status run_stage(struct session *s, int stage, struct job *job, struct tracer *t, struct error *e) {
    const struct pipeline *p = s->pipeline;
    const struct stage *g = &p->stages[stage];
    if (g->kind == STAGE_HOST) {
        uint64_t start = t ? clock_now_ns(s->clock) : 0;
        enum status status = g->host(p, job, e);
        if (t) tracer_host(t, stage, start, clock_now_ns(s->clock));
        return status;
    }
    if (g->kind == STAGE_PROGRAM)
        return executor_run(&s->executor, s->io[g->program].executor_program, &(struct launch_site){.stage = stage, .later_from = INT32_MAX}, t, e);
    struct generation generation = {.pipeline = p, .executor = &s->executor, .job = job, .launch = &s->launch,
                                    .io = s->io, .tracer = t, .clock = s->clock};
    return p->generator->run(&generation, e);
}

enum status session_run(struct session *s, struct job *job, struct tracer *t, struct error *e) {
    job_reset(job);
    job->start_ns = clock_now_ns(s->clock);
    if (t) t->start_ns = job->start_ns;
    for (int i = 0; i < s->pipeline->n_stages; i++) {
        if (s->pipeline->stages[i].kind == STAGE_INNER) continue;
        executor_stage_begin(&s->executor, i);
        enum status status = run_stage(s, i, job, t, e);
        executor_stage_end(&s->executor, i);
        if (status != STATUS_OK) return error_prefix(e, "stage %s", s->pipeline->stages[i].name);
    }
    job->end_ns = clock_now_ns(s->clock);
    if (t) t->end_ns = job->end_ns;
    return STATUS_OK;
}

/* ---- one launch ---- */

static enum status write_input(struct generation *g, int program, int tensor, const void *data, size_t bytes,
                               struct error *e) {
    if (tensor < 0) return STATUS_OK;
    return executor_write(g->executor, program, tensor, 0, data, bytes, e);
}

static enum status launch_write(struct generation *g, const struct launch_io *io, struct error *e) {
    const struct launch *l = g->launch;
    int x = io->executor_program;
    size_t rows = (size_t)l->symbols[SYMBOL_R], slots = (size_t)l->n_slots, choices = slots * (size_t)l->n_lanes;
    enum status s = STATUS_OK;
    for (int i = 0; i < l->n_lanes && s == STATUS_OK; i++)
        s = write_input(g, x, io->ids[i], l->ids[i], rows * sizeof(int32_t), e);
    if (s == STATUS_OK) s = write_input(g, x, io->pos, l->pos, rows * sizeof(int32_t), e);
    if (s == STATUS_OK) s = write_input(g, x, io->rows, l->rows, rows * sizeof(int32_t), e);
    if (s == STATUS_OK) s = write_input(g, x, io->last, l->last, slots * sizeof(int32_t), e);
    if (s == STATUS_OK) s = write_input(g, x, io->params, l->params, choices * 4 * sizeof(float), e);
    if (s == STATUS_OK) s = write_input(g, x, io->seeds, l->seeds, choices * sizeof(int64_t), e);
    return s;
}

static enum status launch(struct generation *g, int program, int stage, int step, struct error *e) {
    const struct launch_io *io = &g->io[program];
    const struct launch *l = g->launch;
    int x = io->executor_program, has_choice = io->choice < (int)g->pipeline->programs[program].n_ops;
    struct launch_site site = {.stage = stage, .step = step, .later_stage = pipeline_stage(g->pipeline, "sample"), .later_from = io->choice, .facts = l->facts};
    uint64_t start = g->tracer ? clock_now_ns(g->clock) : 0;
    enum status s = executor_bind(g->executor, x, l->symbols, e);
    if (s == STATUS_OK) s = launch_write(g, io, e);
    if (g->tracer) {
        g->tracer->site = site;
        tracer_host(g->tracer, stage, start, clock_now_ns(g->clock));
    }
    if (s == STATUS_OK) s = executor_run(g->executor, x, &site, g->tracer, e);
    if (s != STATUS_OK || !has_choice) return s;
    size_t choices = (size_t)l->n_slots * (size_t)l->n_lanes;
    return executor_read(g->executor, x, io->chosen, 0, l->chosen, choices * sizeof(int32_t), e);
}

enum status generation_launch(struct generation *g, int program, int stage, int step, struct error *e) {
    executor_stage_begin(g->executor, stage);
    enum status s = launch(g, program, stage, step, e);
    executor_stage_end(g->executor, stage);
    return s;
}
