#include "harness/measure/ledger.h"

#include <string.h>

#include "harness/attribution/account.h"
#include "harness/ceilings/ceilings.h"

const char *ledger_category_name(int i) {
    static const char *const idle[] = {"idle:imbalance", "idle:serial", "idle:dispatch", "idle:residency",
                                       "idle:sync", "idle:host", "idle:call", "idle:queued", "idle:unknown"};
    return i < CATEGORY_COUNT ? category_name((enum category)i) : idle[i - CATEGORY_COUNT];
}

/* ---- work and limits ---- */

struct closing {
    const struct tracer *t;
    const struct session *s;
    const struct ledger_ceilings *ceilings;
    struct ledger *out;
    int *first_op[EXECUTOR_MAX_PROGRAMS];   /* index in out->ops of each op of unit 0's program */
    double step_weight_bytes[EXECUTOR_MAX_PROGRAMS];
};

static const struct launch_note *note_of(const struct closing *c, const struct span *s) {
    return s->note >= 0 && (size_t)s->note < c->t->n_notes ? &c->t->notes[s->note] : NULL;
}

static double weight_bytes(const struct program *p, const struct op *op) {
    double bytes = 0;
    if (op->kind == OP_EMBED) return 0; /* reads a few rows of its table */
    for (int i = 0; i < op->n_in; i++) {
        const struct tensor *t = &p->tensors[op->in[i]];
        if (t->storage == STORAGE_WEIGHT) bytes += recipe_stored_bytes(t->recipe, t->dtype);
    }
    return bytes;
}

static const char *matrix_unit(const struct ledger_ceilings *k, const struct program *p, const struct op *op) {
    for (int i = 0; k->codes_unit && i < op->n_in; i++) {
        const struct recipe *w = p->tensors[op->in[i]].recipe;
        if (w && recipe_rounds_inputs(w)) return k->codes_unit;
    }
    return k->matrix_unit;
}

static double least_time_ns(struct closing *c, const struct program *p, const struct op *op, double step_bytes, const struct work *w) {
    const struct ledger_ceilings *k = c->ceilings;
    if (!k || !k->list) return 0;
    double weights = weight_bytes(p, op), others = w->bytes > weights ? w->bytes - weights : 0;
    double ns = 0, rate = ceiling_matrix(k->list, matrix_unit(k, p, op), k->threads);
    double far = ceiling_read_at(k->list, k->bandwidth_unit, k->threads, step_bytes);
    double near = ceiling_read_at(k->list, k->bandwidth_unit, k->threads, others);
    if (far > 0) ns += weights / far * 1e9;
    if (near > 0) ns += others / near * 1e9;
    if (rate > 0 && w->flop / rate * 1e9 > ns) ns = w->flop / rate * 1e9;
    return ns;
}

/* ---- one span ---- */

static struct ledger_cell *cell(struct ledger_unit *u, int stage, int category) {
    return &u->cells[stage < 0 ? 0 : stage][category];
}

static struct ledger_op *op_row(struct closing *c, const struct span *s, int unit) {
    const struct op *op = executor_span_op(&c->s->executor, s, unit);
    struct ledger *out = c->out;
    if (!op) return NULL;
    if (unit == 0 && c->first_op[s->program] && c->first_op[s->program][s->op] >= 0) return &out->ops[c->first_op[s->program][s->op]];
    for (int i = 0; unit > 0 && i < out->n_ops; i++)
        if (out->ops[i].op == op) return &out->ops[i];
    struct ledger_op *row = &out->ops[out->n_ops];
    *row = (struct ledger_op){.program = executor_span_program(&c->s->executor, s, unit), .op = op, .stage = s->stage, .last_note = -1};
    if (unit == 0 && c->first_op[s->program]) c->first_op[s->program][s->op] = out->n_ops;
    out->n_ops++;
    return row;
}

/* What an operation had to do, once a launch. */
static void add_work(struct closing *c, struct ledger_cell *to, struct ledger_op *row, const struct span *s) {
    const struct launch_note *note = note_of(c, s);
    if (row->last_note == s->note && row->calls > 0) return;
    row->last_note = s->note;
    row->calls++;
    if (!note) return;
    struct work w = op_work(row->program, row->op, note->symbols, &note->site.facts);
    double touched = c->step_weight_bytes[s->program], least = least_time_ns(c, row->program, row->op, touched, &w);
    to->flop += w.flop;
    to->bytes += w.bytes;
    to->least_ns += least;
    to->surely_ns += least_time_ns(c, row->program, row->op, touched / 4, &w);
    row->flop += w.flop;
    row->bytes += w.bytes;
    row->least_ns += least;
}

static void add_launches(struct closing *c, struct ledger_cell *to, const struct span *s) {
    to->launches += s->launches;
    c->out->launches += s->launches;
}

static void add_run(struct closing *c, struct ledger_unit *u, int unit, int lane, double share, const struct span *s) {
    struct ledger_op *row = op_row(c, s, unit);
    if (!row) return;
    struct ledger_cell *to = cell(u, s->stage, (int)row->op->category);
    double ns = (double)(s->end_ns - s->start_ns) * share;
    to->ns += ns;
    row->ns += ns;
    cell(u, s->stage, CATEGORY_COUNT + (s->is_serial ? IDLE_SERIAL : IDLE_IMBALANCE))->ns += (double)(s->released_ns - s->end_ns) * share;
    if (lane > 0) return;
    add_work(c, to, row, s);
    add_launches(c, to, s);
}

static int is_same_launch(const struct span *a, const struct span *b) {
    return a->kind == SPAN_RUN && b->kind == SPAN_RUN && a->program == b->program && a->step == b->step && a->stage == b->stage;
}

/* How much of [from, to) host spans of lane 0 cover; `at` walks forward with time. */
static double host_cover(const struct lane *l, size_t *at, uint64_t from, uint64_t to, int *stage) {
    double covered = 0;
    while (*at < l->count && l->spans[*at].end_ns <= from) (*at)++;
    for (size_t i = *at; i < l->count && l->spans[i].start_ns < to; i++) {
        const struct span *s = &l->spans[i];
        if (s->kind != SPAN_HOST && s->kind != SPAN_COPY) continue;
        uint64_t a = s->start_ns > from ? s->start_ns : from, b = s->end_ns < to ? s->end_ns : to;
        if (b > a) {
            covered += (double)(b - a);
            *stage = s->stage;
        }
    }
    return covered;
}

static void add_lane(struct closing *c, struct ledger_unit *u, int unit, int lane, double share) {
    const struct lane *l = &c->t->lanes[unit][lane], *host = &c->t->lanes[unit][0];
    const struct span *before = NULL;
    size_t at = 0;
    uint64_t now = c->t->start_ns;
    for (size_t i = 0; i <= l->count; i++) {
        const struct span *s = i < l->count ? &l->spans[i] : NULL;
        uint64_t next = s ? s->start_ns : c->t->end_ns;
        int stage = s ? s->stage : 0;
        if (next > now && before && s && is_same_launch(before, s)) {
            cell(u, stage, CATEGORY_COUNT + IDLE_DISPATCH)->ns += (double)(next - now) * share;
        } else if (next > now && lane > 0) {
            double covered = host_cover(host, &at, now, next, &stage);
            cell(u, stage, CATEGORY_COUNT + IDLE_SERIAL)->ns += covered * share;
        }
        if (!s) break;
        if (s->kind == SPAN_RUN) add_run(c, u, unit, lane, share, s);
        else if (s->kind == SPAN_WAIT) cell(u, s->stage, CATEGORY_COUNT + IDLE_RESIDENCY)->ns += (double)(s->end_ns - s->start_ns) * share;
        else cell(u, s->stage, s->kind == SPAN_COPY ? CATEGORY_COPY : CATEGORY_HOST)->ns += (double)(s->end_ns - s->start_ns) * share;
        now = s->released_ns;
        before = s;
    }
    c->out->dropped += l->dropped;
}

/* ---- a device ---- */

struct device_walk {
    struct closing *c;
    struct ledger_unit *u;
    int unit;
    const struct lane *work, *host;
    struct account_waits waits;
    size_t host_at;                         /* host spans that end before the walk's time are behind */
};

/* The line of a span on the device. */
static struct ledger_cell *device_cell(const struct device_walk *w, const struct span *s) {
    const struct op *op = s->kind == SPAN_RUN ? executor_span_op(&w->c->s->executor, s, 0) : NULL;
    return cell(w->u, s->stage, op ? (int)op->category : CATEGORY_COPY);
}

/* An operation has its exclusive time, as its line has: kernels that begin early overlap with the one ahead. */
static void device_busy(void *self, const struct account_work *work, int64_t start_ns, int64_t end_ns) {
    const struct device_walk *w = self;
    const struct span *s = &w->work->spans[work->owner];
    struct ledger_op *row = s->kind == SPAN_RUN ? op_row(w->c, s, w->unit) : NULL;
    device_cell(w, s)->ns += (double)(end_ns - start_ns);
    if (row) row->ns += (double)(end_ns - start_ns);
}

static void add_pieces(const struct device_walk *w, const struct account_work *ended_by, int64_t start_ns, int64_t end_ns) {
    int64_t pieces[PIECE_COUNT];
    if (end_ns <= start_ns) return;
    account_cut(&w->waits, ended_by, start_ns, end_ns, pieces);
    for (int i = 0; i < PIECE_COUNT; i++) cell(w->u, w->work->spans[ended_by->owner].stage, CATEGORY_COUNT + IDLE_SYNC + i)->ns += (double)pieces[i];
}

static int is_host_stage(const struct device_walk *w, const struct span *s) {
    return s->kind == SPAN_HOST && s->stage >= 0 && w->c->s->pipeline->stages[s->stage].kind == STAGE_HOST;
}

/* Declared host stages first; what they leave is idle. */
static void device_gap(void *self, const struct account_work *ended_by, int64_t start_ns, int64_t end_ns) {
    struct device_walk *w = self;
    while (w->host_at < w->host->count && (int64_t)w->host->spans[w->host_at].end_ns <= start_ns) w->host_at++;
    for (size_t i = w->host_at; i < w->host->count && (int64_t)w->host->spans[i].start_ns < end_ns; i++) {
        const struct span *s = &w->host->spans[i];
        if (!is_host_stage(w, s)) continue;
        int64_t from = (int64_t)s->start_ns > start_ns ? (int64_t)s->start_ns : start_ns, to = (int64_t)s->end_ns < end_ns ? (int64_t)s->end_ns : end_ns;
        if (to <= from) continue;
        add_pieces(w, ended_by, start_ns, from);
        cell(w->u, s->stage, CATEGORY_HOST)->ns += (double)(to - from);
        start_ns = to;
    }
    add_pieces(w, ended_by, start_ns, end_ns);
}

static void add_device_ops(struct closing *c, struct ledger_unit *u, int unit, const struct lane *l) {
    struct device_walk w = {.c = c, .u = u, .unit = unit, .work = l};
    for (size_t i = 0; i < l->count; i++) {
        const struct span *s = &l->spans[i];
        struct ledger_op *row = s->kind == SPAN_RUN ? op_row(c, s, unit) : NULL;
        add_launches(c, device_cell(&w, s), s);
        if (row) add_work(c, device_cell(&w, s), row, s);
    }
}

static struct account_work work_of(const struct span *s, size_t owner) {
    return (struct account_work){.start_ns = (int64_t)s->start_ns, .end_ns = (int64_t)s->end_ns, .call_start_ns = (int64_t)s->call_start_ns, .call_end_ns = (int64_t)s->call_end_ns,
                                 .has_call = s->call_end_ns > 0, .stream = s->stream, .owner = (int32_t)owner};
}

static void add_device(struct closing *c, struct ledger_unit *u, int unit) {
    const struct lane *work = &c->t->lanes[unit][DEVICE_LANE], *host = &c->t->lanes[unit][HOST_LANE];
    struct account_work *list = mem_alloc((work->count + 1) * sizeof *list);
    struct account_wait *waits = mem_alloc((host->count + 1) * sizeof *waits);
    size_t n_waits = 0;
    for (size_t i = 0; i < host->count; i++)
        if (host->spans[i].kind == SPAN_SYNC) waits[n_waits++] = (struct account_wait){(int64_t)host->spans[i].start_ns, (int64_t)host->spans[i].end_ns, 0};
    for (size_t i = 0; i < work->count; i++) list[i] = work_of(&work->spans[i], i);
    account_sort(list, work->count);
    account_waits_settle(waits, n_waits);
    struct device_walk w = {.c = c, .u = u, .unit = unit, .work = work, .host = host, .waits = {waits, n_waits}};
    struct account_walk walk;
    account_begin_at(&walk, &(struct account_sink){&w, device_busy, device_gap}, (int64_t)c->t->start_ns);
    for (size_t i = 0; i < work->count; i++) account_add(&walk, &list[i]);
    if (work->count) account_end_at(&walk, (int64_t)c->t->end_ns);
    add_device_ops(c, u, unit, work);
    c->out->dropped += work->dropped + host->dropped;
    mem_free(list);
    mem_free(waits);
}

/* ---- everything ---- */

static void prepare_programs(struct closing *c) {
    const struct executor *x = &c->s->executor;
    size_t n_ops = 0;
    for (int i = 0; i < x->n_programs; i++) {
        const struct program *p = x->programs[i].program;
        c->first_op[i] = x->programs[i].is_split ? NULL : arena_alloc(&c->out->arena, (p->n_ops + 1) * sizeof(int));
        for (size_t k = 0; k < p->n_ops; k++) {
            if (c->first_op[i]) c->first_op[i][k] = -1;
            c->step_weight_bytes[i] += weight_bytes(p, &p->ops[k]);
        }
        n_ops += p->n_ops;
    }
    c->out->ops = arena_alloc(&c->out->arena, (n_ops + 1) * sizeof *c->out->ops);
}

void ledger_close(const struct tracer *t, const struct session *s, const struct ledger_ceilings *ceilings, struct ledger *out) {
    *out = (struct ledger){.n_units = t->n_units, .runs = (int64_t)t->n_notes};
    memcpy(out->trouble, t->trouble, sizeof out->trouble);
    struct closing c = {.t = t, .s = s, .ceilings = ceilings, .out = out};
    prepare_programs(&c);
    for (int unit = 0; unit < t->n_units; unit++) {
        struct ledger_unit *u = &out->units[unit];
        u->wall_ns = u->residual_ns = (double)(t->end_ns - t->start_ns);
        if (t->is_device[unit]) add_device(&c, u, unit);
        for (int lane = 0; lane < t->n_lanes[unit] && !t->is_device[unit]; lane++) add_lane(&c, u, unit, lane, 1.0 / t->n_lanes[unit]);
        for (int stage = 0; stage < PIPELINE_MAX_STAGES; stage++)
            for (int k = 0; k < LEDGER_CATEGORIES; k++) u->residual_ns -= u->cells[stage][k].ns;
    }
}

void ledger_free(struct ledger *l) { arena_free(&l->arena); }

void ledger_executed(const struct ledger *l, struct arena *a, struct executed *out) {
    struct executed_op *ops = arena_alloc(a, (size_t)(l->n_ops + 1) * sizeof *ops);
    for (int i = 0; i < l->n_ops; i++) ops[i] = (struct executed_op){l->ops[i].program, l->ops[i].op, l->ops[i].calls};
    *out = (struct executed){.ops = ops, .n_ops = l->n_ops, .launches = l->launches, .runs = l->runs, .is_complete = l->dropped == 0 && !l->trouble[0]};
}
