/* experiment.c: experiments, cells, runs and processes as they begin and end. */
#include <string.h>
#include <time.h>

#include "results/store/internal.h"

#define X(name, text) text,
static const char *const run_states[] = {RUN_STATE_LIST(X)};
#undef X

const char *run_state_name(enum run_state s) { return run_states[s]; }

static int64_t unix_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

enum status store_experiment_begin(struct store *s, const struct experiment_record *r, struct error *e) {
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_run(s, e, "INSERT INTO experiment VALUES(?, ?, ?, ?, ?, ?, ?, ?)", "tttttiii", r->id.text,
                       r->name ? r->name : "", r->workload, r->design, r->spec_json, (int64_t)r->seed,
                       (int64_t)r->n_blocks, r->created_unix_ns);
    for (int i = 0; i < r->n_factors && status == STATUS_OK; i++)
        status = store_run(s, e, "INSERT INTO factor VALUES(?, ?, ?)", "tit", r->id.text, (int64_t)i, r->factors[i]);
    return store_end(s, status, e);
}

enum status store_cell(struct store *s, const struct id *experiment, const struct cell_record *r, struct error *e) {
    return store_run(s, e, "INSERT INTO cell VALUES(?, ?, ?, ?, ?)", "tiitt", experiment->text, (int64_t)r->index,
                     (int64_t)r->mask, r->label, r->axes_json);
}

/* ---- facts ---- */

enum status store_machine(struct store *s, const struct machine_record *r, struct id *out, struct error *e) {
    facts_identity(r->facts, r->n_facts, out);
    enum status status = store_run(s, e, "INSERT OR IGNORE INTO machine VALUES(?)", "t", out->text);
    for (int i = 0; i < r->n_facts && status == STATUS_OK; i++)
        status = store_run(s, e, "INSERT OR IGNORE INTO machine_fact VALUES(?, ?, ?)", "ttt", out->text,
                           r->facts[i].key, r->facts[i].value);
    return status;
}

static enum status put_environment(struct store *s, const struct environment_record *r, struct id *out,
                                   struct error *e) {
    facts_identity(r->facts, r->n_facts, out);
    enum status status = store_run(s, e, "INSERT OR IGNORE INTO environment VALUES(?)", "t", out->text);
    for (int i = 0; i < r->n_facts && status == STATUS_OK; i++)
        status = store_run(s, e, "INSERT OR IGNORE INTO environment_fact VALUES(?, ?, ?)", "ttt", out->text,
                           r->facts[i].key, r->facts[i].value);
    return status;
}

/* ---- runs ---- */

static enum status insert_run(struct store *s, const struct run_record *r, const struct id *machine,
                              const struct id *environment, struct error *e) {
    return store_run(s, e,
        "INSERT INTO run VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', NULL, ?, NULL)",
        "ttittttttttt" "xxtiii", r->id.text, r->experiment.text, (int64_t)r->cell, machine->text, environment->text,
        r->workload, r->model, r->backend, r->dtype, r->scenario, r->label, r->spec_json, r->spec_hash,
        r->comparability, r->comparability_json, (int64_t)(r->is_synthetic != 0), (int64_t)r->truncated_layers,
        r->created_unix_ns);
}

enum status store_run_begin(struct store *s, const struct run_record *r, const struct machine_record *machine,
                            const struct environment_record *environment, struct error *e) {
    struct id machine_id, environment_id;
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_machine(s, machine, &machine_id, e);
    if (status == STATUS_OK) status = put_environment(s, environment, &environment_id, e);
    if (status == STATUS_OK) status = insert_run(s, r, &machine_id, &environment_id, e);
    return store_end(s, status, e);
}

enum status store_run_finish(struct store *s, const struct id *run, enum run_state state, const char *reason,
                             struct error *e) {
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_run(s, e, "UPDATE run SET state = ?, reason = ?, finished_unix_ns = ? WHERE run_id = ?", "ttit",
                       run_states[state], reason, unix_now_ns(), run->text);
    if (status == STATUS_OK && sqlite3_changes(s->db) != 1)
        status = error_set(e, STATUS_STORE, "the database '%s' holds no run '%s' to finish", s->path, run->text);
    if (status == STATUS_OK && state != RUN_FAILED && state != RUN_INTERRUPTED)
        status = store_run(s, e, "UPDATE process SET state = 'finished' WHERE run_id = ? AND state = 'running'", "t",
                           run->text);
    return store_end(s, status, e);
}

enum status store_warning(struct store *s, const struct id *run, const char *text, struct error *e) {
    return store_run(s, e,
        "INSERT INTO warning SELECT ?1, coalesce((SELECT max(position) + 1 FROM warning WHERE run_id = ?1), 0), ?2",
        "tt", run->text, text);
}

enum status store_run_reopen(struct store *s, const struct id *experiment, int cell, struct id *run, int *is_found,
                             struct error *e) {
    *is_found = 0;
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    sqlite3_stmt *q = store_query(s, e, "SELECT run_id FROM run WHERE experiment_id = ? AND cell = ?", "ti",
                                  experiment->text, (int64_t)cell);
    int row = q ? store_next(s, q, e) : -1;
    if (row == 1) {
        *is_found = 1;
        store_id(q, 0, run);
        store_done(q);
        status =
            store_run(s, e, "UPDATE run SET state = 'running', reason = NULL, finished_unix_ns = NULL WHERE run_id = ?",
                      "t", run->text);
        if (status == STATUS_OK)
            status = store_run(s, e, "UPDATE process SET state = 'abandoned' WHERE run_id = ? AND state = 'running'",
                               "t", run->text);
        if (status == STATUS_OK) status = store_run(s, e, "DELETE FROM warning WHERE run_id = ?", "t", run->text);
    }
    return store_end(s, row < 0 ? STATUS_STORE : status, e);
}

/* ---- processes ---- */

enum status store_process_begin(struct store *s, const struct id *run, const struct process_record *r,
                                int64_t *process, struct error *e) {
    enum status status = store_run(s, e,
        "INSERT INTO process SELECT NULL, run_id, experiment_id, cell, ?, ?, ?, 'running', ?, ?, ?, ?\n"
        "FROM run WHERE run_id = ?", "iinnnnnt", (int64_t)r->block, (int64_t)r->order, (int64_t)r->pid,
        r->start_unix_ns, r->prepare_ns, r->load_ns, r->first_token_ns, run->text);
    if (status == STATUS_OK && sqlite3_changes(s->db) != 1)
        return error_set(e, STATUS_STORE, "the database '%s' holds no run '%s' for a process", s->path, run->text);
    if (status != STATUS_OK && sqlite3_extended_errcode(s->db) == SQLITE_CONSTRAINT_UNIQUE && e)
        *e = (struct error){0}, error_set(e, STATUS_STORE,
                                          "the database '%s' already holds block %d, order %d of run '%s'; to go on "
                                          "with an experiment use --resume",
                                          s->path, r->block, r->order, run->text);
    *process = sqlite3_last_insert_rowid(s->db);
    return status;
}

enum status store_process_finish(struct store *s, int64_t process, struct error *e) {
    return store_run(s, e, "UPDATE process SET state = 'finished' WHERE process_id = ?", "i", process);
}

enum status store_process_abandon(struct store *s, int64_t process, struct error *e) {
    return store_run(s, e, "UPDATE process SET state = 'abandoned' WHERE process_id = ?", "i", process);
}

/* ---- going on ---- */

enum status store_experiment_of_spec(struct store *s, const char *spec_json, struct id *out, int *is_found,
                                     struct error *e) {
    sqlite3_stmt *q = store_query(s, e, "SELECT experiment_id FROM v_experiment WHERE spec_json = ?\n"
                                  "ORDER BY created_unix_ns DESC LIMIT 1", "t", spec_json);
    int row = q ? store_next(s, q, e) : -1;
    *is_found = row == 1;
    if (row != 1) return row < 0 ? STATUS_STORE : STATUS_OK;
    store_id(q, 0, out);
    store_done(q);
    return STATUS_OK;
}

enum status store_finished(struct store *s, const struct id *experiment, struct arena *a,
                           struct finished_process **out, int *n, struct error *e) {
    sqlite3_stmt *q = store_query(s, e, "SELECT cell, block, order_in_block, count(*) OVER () FROM v_process\n"
        "WHERE experiment_id = ? AND state = 'finished' ORDER BY block, order_in_block, cell", "t", experiment->text);
    *out = NULL;
    *n = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        if (!*out) *out = arena_alloc(a, (size_t)sqlite3_column_int(q, 3) * sizeof **out);
        (*out)[(*n)++] = (struct finished_process){sqlite3_column_int(q, 0), sqlite3_column_int(q, 1),
                                                   sqlite3_column_int(q, 2)};
    }
    return row < 0 ? STATUS_STORE : STATUS_OK;
}
