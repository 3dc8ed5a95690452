/* tables.c: what results/document computed for the selected runs' experiments, taken apart into rows by SQL. */
#include <stdlib.h>

#include "harness/plot/tables.h"
#include "results/document/document.h"
#include "results/export/quality.h"

static const char tables_sql[] =
    "create temp table interval(run_id text, metric text, unit text, median real, low real, high real, samples integer,"
    "  primary key(run_id, metric));"
    "create temp table comparison(run_id text, base_id text, metric text, verdict text, ratio real, low real, "
    "high real,"
    "  detectable real, is_engaged integer, primary key(run_id, metric));"
    "create temp table past_bound(run_id text, base_id text, metric text, verdict text, ratio real, low real, high real,"
    "  detectable real, is_engaged integer, primary key(run_id, metric));"
    "create temp table beside(run_id text primary key, fidelity text, quality text, speedless text);"
    "create temp table effect(metric text, stage text, axes text, factor text, position integer, ratio real, low real,"
    "  high real);"
    "create temp table shapley(metric text, stage text, axes text, factor text, position integer, ratio real, low real,"
    "  high real);"
    "create temp table interaction(metric text, stage text, axes text, a text, a_position integer, b text,"
    "  b_position integer, ratio real, low real, high real);"
    "create temp table ladder(step integer primary key, label text, ns real, low real, high real, ratio real, "
    "ratio_low real,"
    "  ratio_high real, mask integer);"
    "create temp table suite_row(position integer, title text, metric text, unit text, at_least real, verdict text, reason text,"
    "  ratio real, lowest real, highest real, low real, high real, rounds integer);"
    "create temp table suite_side(position integer, role text, entry text, state text, median real, lowest real, highest real,"
    "  rounds integer, is_synthetic integer)";

/* ?1 is the document. Numbers of a run that is not to be trusted are gaps. */
static const char interval_sql[] =
    "insert into interval select c.value ->> '$.run', m.key, m.value ->> '$.unit', m.value ->> '$.median', "
    "m.value ->> '$.low', m.value ->> '$.high', m.value ->> '$.samples' "
    "from json_each(?1, '$.cells') c, json_each(c.value, '$.metrics') m "
    "where c.value ->> '$.run' in (select run_id from selected) "
    "and c.value ->> '$.state' not in ('invalid', 'failed', 'skipped') and m.value ->> '$.median' is not null";

/* A document compares in the metric's own unit; here more than 1 is better, so a ratio of times turns over. A run is
 * engaged where every receipt says so, and there is one if anything is on. */
#define VERSUS_SQL(field) \
    "with cell as (select value ->> '$.run' as run, value ->> '$.mask' as mask, value ->> '$.axes' as axes, value, " \
    "    (select coalesce(min(verdict = 'ENGAGED'), value ->> '$.mask' = 0) from v_receipt where run_id = " \
    "value ->> '$.run') " \
    "    as is_engaged from json_each(?1, '$.cells')), " \
    "versus as (select c.run, c.is_engaged, p.run as base, v.key as metric, v.value ->> '$.verdict' as verdict, " \
    "v.value ->> '$.ratio' as ratio, " \
    "           v.value ->> '$.low' as low, v.value ->> '$.high' as high, v.value ->> '$.detectable' as detectable, " \
    "           v.key not like '%per_s' as turns " \
    "           from cell c join cell p on p.mask = 0 and p.axes = c.axes, json_each(c.value, '$." field "') v) " \
    "select run, base, metric, verdict, iif(turns, 1 / ratio, ratio), iif(turns, 1 / high, low), iif(turns, 1 " \
    "/ low, high), " \
    "detectable, is_engaged from versus where run in (select run_id from selected) "

static const char past_bound_sql[] = "insert into past_bound " VERSUS_SQL("past_bound_versus_plain");
static const char comparison_sql[] =
    "insert into comparison " VERSUS_SQL("versus_plain")
    "union all select run, run, m.key, null, 1, null, null, null, 1 from cell, json_each(cell.value, '$.metrics') m "
    "where mask = 0 and run in (select run_id from selected) and m.value ->> '$.median' is not null";

/* A point of the axes in words: "batch=8"; "" where there are none. */
#define AXES_SQL "coalesce((select group_concat(key || '=' || value, ' ') from json_each(x.value, '$.axes')), '')"

/* Of optimizers that took effect: what did nothing has no effect to show. */
static const char effect_sql[] =
    "insert into effect select x.value ->> '$.metric', x.value ->> '$.stage', " AXES_SQL ", x.value ->> '$.factor', "
    "1 + (x.value ->> '$.position'), x.value ->> '$.speedup', x.value ->> '$.low', x.value ->> '$.high' from "
    "json_each(?1, '$.effects') x "
    "where x.value ->> '$.is_engaged'";

static const char shapley_sql[] =
    "insert into shapley select x.value ->> '$.metric', x.value ->> '$.stage', " AXES_SQL ", x.value ->> '$.factor', "
    "1 + (x.value ->> '$.position'), x.value ->> '$.speedup', x.value ->> '$.low', x.value ->> '$.high' from "
    "json_each(?1, '$.shapley') x "
    "where x.value ->> '$.is_engaged'";

static const char interaction_sql[] =
    "insert into interaction select x.value ->> '$.metric', x.value ->> '$.stage', " AXES_SQL ", "
    "x.value ->> '$.factors[0]', 1 + (x.value ->> '$.positions[0]'), x.value ->> '$.factors[1]', 1 + (x.value "
    "->> '$.positions[1]'), "
    "x.value ->> '$.speedup', x.value ->> '$.low', x.value ->> '$.high' from json_each(?1, '$.interactions') x "
    "where x.value ->> '$.is_engaged'";

/* What a suite compares. */
static const char suite_row_sql[] =
    "insert into suite_row select x.key + 1, x.value ->> '$.title', x.value ->> '$.metric', x.value ->> '$.unit', "
    "x.value ->> '$.at_least', x.value ->> '$.verdict', x.value ->> '$.reason', x.value ->> '$.ratio.median', "
    "x.value ->> '$.ratio.lowest', x.value ->> '$.ratio.highest', x.value ->> '$.ratio.low', x.value ->> '$.ratio.high', "
    "x.value ->> '$.ratio.rounds' from json_each(?1, '$.rows') x";

static const char suite_side_sql[] =
    "insert into suite_side with side as (select x.key + 1 as position, 'ours' as role, x.value -> '$.ours' as v "
    "from json_each(?1, '$.rows') x union all "
    "select x.key + 1, iif(p.value ->> '$.entry' = x.value ->> '$.best', 'best', 'peer'), p.value "
    "from json_each(?1, '$.rows') x, json_each(x.value, '$.peers') p) "
    "select position, role, v ->> '$.entry', v ->> '$.state', v ->> '$.median', v ->> '$.lowest', v ->> '$.highest', "
    "v ->> '$.rounds', v ->> '$.is_synthetic' from side";

/* The cells of the first selected run's experiment and axes, with their time and speed-up. */
#define CELL_SQL \
    "with first as (select experiment_id, axes_json from v_run join selected using (run_id) order by position " \
    "limit 1), " \
    "cell as (select r.mask, r.label, r.experiment_id, i.median, i.low, i.high, c.ratio, c.low as ratio_low, " \
    "c.high as ratio_high from first f join v_run r using (experiment_id, axes_json) " \
    "join interval i on i.run_id = r.run_id and i.metric = 'e2e_ns' " \
    "join comparison c on c.run_id = r.run_id and c.metric = 'e2e_ns' and c.is_engaged) "

static const char ladder_plain_sql[] =
    CELL_SQL "insert into ladder select 0, label, median, low, high, ratio, ratio_low, ratio_high, mask from "
    "cell where mask = 0";

/* From the last step on: of the cells with one optimizer more, the one that takes least time. */
static const char ladder_step_sql[] =
    CELL_SQL "insert into ladder select l.step + 1, '+ ' || f.factor, c.median, c.low, c.high, c.ratio, c.ratio_low, "
    "c.ratio_high, c.mask from cell c join ladder l on l.step = (select max(step) from ladder) "
    "join v_factor f on f.experiment_id = c.experiment_id and c.mask = l.mask | (1 << f.position) and c.mask <> l.mask "
    "order by c.median limit 1";

static enum status run_on(sqlite3 *db, const char *sql, const char *document, struct error *e) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
    if (document) sqlite3_bind_text(s, 1, document, -1, SQLITE_STATIC);
    int code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? STATUS_OK : error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
}

/* What stands beside a run's speed wherever it is shown, in the words of every other table. */
static enum status fill_beside(sqlite3 *db, const json_t *d, struct error *e) {
    size_t i;
    json_t *cell;
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, "insert into beside select ?1, ?2, ?3, ?4 where ?1 in (select run_id from selected)", -1, &s, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
    int code = SQLITE_DONE;
    json_array_foreach(json_object_get(d, "cells"), i, cell) {
        char *const words[] = {fidelity_words(cell), quality_words(cell, json_object_get(cell, "quality_versus_plain"))};
        sqlite3_bind_text(s, 1, json_string_value(json_object_get(cell, "run")), -1, SQLITE_STATIC);
        for (int k = 0; k < 2; k++) sqlite3_bind_text(s, 2 + k, *words[k] ? words[k] : NULL, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, speedless_words(cell), -1, SQLITE_STATIC);
        if (code == SQLITE_DONE) code = sqlite3_step(s);
        sqlite3_reset(s);
        for (int k = 0; k < 2; k++) mem_free(words[k]);
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? STATUS_OK : error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
}

/* Effects are of a whole design: a choice among its cells has none. `is_whole`: every cell is selected. */
static enum status fill_from(struct plot_session *s, const struct id *experiment, int is_whole, struct error *e) {
    json_t *d;
    enum status status = document_experiment(s->store, experiment, 0, &d, e);
    if (status != STATUS_OK) return status;
    char *text = json_dumps(d, JSON_COMPACT);
    status = fill_beside(s->db, d, e);
    json_decref(d);
    const char *const sql[] = {interval_sql, comparison_sql, past_bound_sql, effect_sql, shapley_sql, interaction_sql, suite_row_sql, suite_side_sql};
    int n_sql = (int)(sizeof sql / sizeof *sql);
    for (int i = 0; status == STATUS_OK && i < (is_whole ? n_sql : 3); i++) status = run_on(s->db, sql[i], text, e);
    free(text);
    return status;
}

static enum status fill_ladder(sqlite3 *db, struct error *e) {
    enum status status = run_on(db, ladder_plain_sql, NULL, e);
    for (int n = sqlite3_changes(db); status == STATUS_OK && n > 0; n = sqlite3_changes(db))
        status = run_on(db, ladder_step_sql, NULL, e);
    if (status != STATUS_OK) return status;
    /* The plain form alone is no ladder. */
    return plot_session_execute(db, "delete from ladder where (select count(*) from ladder) = 1", e);
}

enum status tables_fill(struct plot_session *s, struct error *e) {
    static const char experiments_sql[] =
        "select r.experiment_id, count(*) = (select n_cells from v_experiment x where x.experiment_id = "
        "r.experiment_id) "
        "and min(s.position) = 1 from selected s join v_run r using (run_id) group by r.experiment_id order by "
        "min(s.position)";
    sqlite3_stmt *list;
    enum status status = plot_session_execute(s->db, tables_sql, e);
    if (status != STATUS_OK) return status;
    if (sqlite3_prepare_v2(s->db, experiments_sql, -1, &list, NULL) != SQLITE_OK)
        return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(s->db));
    while (status == STATUS_OK && sqlite3_step(list) == SQLITE_ROW) {
        struct id id = {0};
        sqlite3_snprintf(sizeof id.text, id.text, "%s", (const char *)sqlite3_column_text(list, 0));
        status = fill_from(s, &id, sqlite3_column_int(list, 1), e);
    }
    sqlite3_finalize(list);
    return status == STATUS_OK ? fill_ladder(s->db, e) : status;
}
