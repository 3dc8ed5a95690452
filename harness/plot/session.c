/* session.c: which runs a figure is about. */
#include "harness/plot/session.h"

#include "harness/plot/tables.h"

/* position counts from 1 in the order asked for, cells of an experiment in their order. */
static const char selected_sql[] =
    "create temp table selected(position integer primary key, run_id text unique, short_id text, label text, "
    "state text, mark text)";

static const char caption_sql[] =
    "create temp table caption(position integer primary key, word text);"
    "insert into caption(word) select group_concat(word, ' · ') from (select distinct workload || ' · ' || "
    "model || ' · ' "
    "  || backend || ' · ' || dtype || ' · ' || scenario as word from v_run join selected using (run_id) limit 3);"
    "insert into caption(word) select 'SYNTHETIC WEIGHTS' where exists "
    "  (select 1 from v_run join selected using (run_id) where is_synthetic);"
    "insert into caption(word) select 'TRUNCATED TO ' || group_concat(distinct truncated_layers) || ' LAYERS' "
    "  from v_run join selected using (run_id) where truncated_layers > 0 having count(*);"
    "insert into caption(word) select case count(*) when 1 then '— run' else '— runs' end from selected;"
    "insert into caption(word) select short_id from selected order by position";

enum status plot_session_execute(sqlite3 *db, const char *sql, struct error *e) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return STATUS_OK;
    return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
}

/* Adds a run, or the runs of an experiment in the order of its cells. Twice the same counts once. */
static enum status select_found(sqlite3 *db, const struct found *f, struct error *e) {
    static const char sql[] =
        "insert or ignore into selected(run_id, short_id, label, state, mark) "
        "select run_id, substr(run_id, 1, 8), case when length(label) > 44 then substr(label, 1, 43) || '…' "
        "else label end, "
        "state, case when state not in ('ok', 'running') then ' (' || state || ')' when exists (select 1 from v_fidelity f "
        "where f.run_id = v_run.run_id and f.class = 'lossy' and f.is_ok = 0) then ' (past its bound)' else '' end "
        "from v_run where case when ?2 then experiment_id else run_id end = ?1 order by cell";
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
    sqlite3_bind_text(s, 1, f->id.text, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, f->is_experiment);
    int code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? STATUS_OK : error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
}

static enum status select_runs(struct plot_session *s, const char *const *runs, int n_runs, struct error *e) {
    enum status status = plot_session_execute(s->db, selected_sql, e);
    for (int i = 0; status == STATUS_OK && i < (n_runs ? n_runs : 1); i++) {
        struct found found;
        status = n_runs ? store_find(s->store, runs[i], FIND_ANY, &found, e)
                        : store_find(s->store, "latest", FIND_EXPERIMENT, &found, e);
        if (status == STATUS_OK) status = select_found(s->db, &found, e);
    }
    return status;
}

enum status plot_session_open(const char *store, const char *const *runs, int n_runs, const char *data_folder,
                         struct plot_session *out, struct error *e) {
    *out = (struct plot_session){0};
    enum status status = STATUS_OK;
    if (data_folder) out->folder = mem_copy_string(data_folder);
    else status = plot_data_folder(&out->folder, e);
    if (status == STATUS_OK) status = store_open(store, STORE_READ, &out->store, e);
    if (status == STATUS_OK) {
        out->db = store_reader(out->store);
        status = select_runs(out, runs, n_runs, e);
    }
    if (status == STATUS_OK) status = plot_session_execute(out->db, caption_sql, e);
    if (status == STATUS_OK) status = tables_fill(out, e);
    if (status != STATUS_OK) plot_session_close(out);
    return status;
}

void plot_session_close(struct plot_session *s) {
    store_close(s->store);
    mem_free(s->folder);
    *s = (struct plot_session){0};
}

enum status plot_figure(const struct plot_request *r, struct error *e) {
    struct plot_session s;
    enum status status = plot_session_open(r->store, r->runs, r->n_runs, r->data_folder, &s, e);
    if (status != STATUS_OK) return status;
    status = plot_session_draw(&s, r, e);
    plot_session_close(&s);
    return status;
}
