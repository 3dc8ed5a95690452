/* rounds.c: the rounds of a suite: every cell once, alone, as a fresh process. */
#include "harness/measure/measuring.h"
#include "kernels/base/file.h"

enum { MOST_REASON = 600 };

/* ---- what cannot be measured here ---- */

/* Not possible here is a result, and no failure. */
static enum run_state state_of(enum status why) { return why == STATUS_UNSUPPORTED || why == STATUS_NO_MEMORY ? RUN_SKIPPED : RUN_FAILED; }

static enum status leave_out(struct measuring *m, struct cell_state *c, enum run_state state, const char *reason, struct error *e) {
    enum status st = c->has_run ? STATUS_OK : measure_begin_run(m, c, NULL, e);
    c->is_failed = 1;
    progress_note(&m->progress, "%s is %s: %s", c->cell->label, run_state_name(state), reason);
    return st == STATUS_OK ? store_run_finish(m->s, &c->run, state, reason, e) : st;
}

static int n_finished(const struct measuring *m, const struct cell_state *c) {
    int n = 0;
    for (int block = 0; block < m->p->n_blocks; block++) n += measure_is_finished(m, (int)(c->cell - m->p->cells), block);
    return n + c->n_processes;
}

enum status rounds_begin(struct measuring *m, struct error *e) {
    enum status st = STATUS_OK;
    for (int i = 0; i < m->p->n_cells && st == STATUS_OK; i++) {
        struct cell_state *c = &m->cells[i];
        struct error why = {0};
        if (n_finished(m, c) > 0) continue; /* gone since: its rounds fail, and what it has stays */
        if (c->cell->missing) st = leave_out(m, c, RUN_SKIPPED, c->cell->missing, e);
        else if (c->cell->external && child_find(&c->cell->external->command, &why) != STATUS_OK) st = leave_out(m, c, RUN_SKIPPED, why.text, e);
        else if (c->failure.status != STATUS_OK) st = leave_out(m, c, state_of(c->failure.status), c->failure.text, e);
    }
    return st;
}

/* ---- a round ---- */

/* Commits the one sample of a command that has ended well: without it the store has no such process. */
static enum status record_found(struct measuring *m, struct cell_state *c, int round, const struct external_found *f, struct error *e) {
    const struct external *x = c->cell->external;
    struct process_record process = {.block = round, .order = c->order, .pid = f->pid, .start_unix_ns = f->start_unix_ns, .prepare_ns = -1, .load_ns = -1, .first_token_ns = -1};
    struct value_record values[EXTERNAL_MOST_FIGURES];
    for (int i = 0; i < x->n_figures; i++) values[i] = (struct value_record){x->figures[i].metric, 0, f->values[i]};
    struct sample_record sample = {.phase = PHASE_TIMED, .start_ns = f->start_ns, .wall_ns = f->wall_ns, .values = values, .n_values = x->n_figures};
    enum status st = c->has_run ? STATUS_OK : measure_begin_run(m, c, NULL, e);
    if (st == STATUS_OK) st = store_process_begin(m->s, &c->run, &process, &c->process, e);
    if (st == STATUS_OK) st = store_sample(m->s, c->process, &sample, e);
    if (st == STATUS_OK) st = store_process_finish(m->s, c->process, e);
    if (st == STATUS_OK && c->n_processes < 64) c->timed[c->n_processes++] = f->values[0];
    return st;
}

static enum status run_external(struct measuring *m, struct cell_state *c, int round, struct error *e) {
    struct external_found found;
    progress_note(&m->progress, "round %d of %d: running %s", round + 1, m->p->n_blocks, c->cell->label);
    c->process = 0;
    enum status st = external_run(c->cell->external, &found, e);
    if (st == STATUS_OK) progress_add(&m->progress, (double)found.wall_ns * 1e-9);
    return st == STATUS_OK ? record_found(m, c, round, &found, e) : st;
}

/* What a process gave until it failed is no figure of this round. A signal to all of us is no failure of the process. */
static enum status fail_round(struct measuring *m, struct cell_state *c, int round, const struct error *why, struct error *e) {
    if (why->status == STATUS_STORE) return error_set(e, STATUS_STORE, "%s", why->text);
    if (worker_is_interrupted()) return error_set(e, STATUS_INTERRUPTED, "interrupted; what was measured is kept");
    enum status st = c->has_run ? STATUS_OK : measure_begin_run(m, c, NULL, e);
    if (st == STATUS_OK && c->process) st = store_process_abandon(m->s, c->process, e);
    if (c->n_failures++ == 0) {
        c->failure = *why;
        c->failed_block = round;
    }
    progress_note(&m->progress, "round %d of %d: %s failed: %s", round + 1, m->p->n_blocks, c->cell->label, why->text);
    return st;
}

static enum status warm_files(const struct cell_state *c, struct error *e) {
    enum status st = STATUS_OK;
    for (int i = 0; c->cell->warm && c->cell->warm[i] && st == STATUS_OK; i++) st = file_warm(c->cell->warm[i], e);
    return st;
}

enum status rounds_run(struct measuring *m, int round, struct error *e) {
    int order[PLAN_MAX_CELLS];
    enum status st = STATUS_OK;
    measure_order(m, 0, round, 0, m->p->n_cells, order);
    for (int k = 0; k < m->p->n_cells && st == STATUS_OK; k++) {
        struct cell_state *c = &m->cells[order[k]];
        struct error mine = {0};
        if (c->is_failed || measure_is_finished(m, order[k], round)) continue;
        if (worker_is_interrupted()) return error_set(e, STATUS_INTERRUPTED, "interrupted; what was measured is kept");
        c->order = k;
        enum status done = warm_files(c, &mine);
        if (done == STATUS_OK) done = c->cell->external ? run_external(m, c, round, &mine) : measure_process(m, c, round, &mine);
        if (done != STATUS_OK) st = fail_round(m, c, round, &mine, e);
    }
    return st;
}

/* ---- the end ---- */

enum status rounds_end(struct measuring *m, struct error *e) {
    enum status st = STATUS_OK;
    for (int i = 0; i < m->p->n_cells && st == STATUS_OK; i++) {
        struct cell_state *c = &m->cells[i];
        char text[MOST_REASON];
        if (c->is_failed || c->n_failures == 0) continue;
        snprintf(text, sizeof text, "%d of %d rounds failed; first round %d: %.500s", c->n_failures, m->p->n_blocks, c->failed_block + 1, c->failure.text);
        st = n_finished(m, c) ? store_warning(m->s, &c->run, text, e) : leave_out(m, c, state_of(c->failure.status), c->failure.text, e);
    }
    return st;
}
