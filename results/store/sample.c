/* sample.c: what a process found: samples, ledgers, operations; and the spans of a run. */
#include <math.h>

#include "results/store/internal.h"

#define X(name, text) text,
static const char *const phases[] = {PHASE_LIST(X)};
#undef X

static enum status insert_value(struct store *s, int64_t sample, const struct value_record *v, struct error *e) {
    static const char insert[] = "INSERT INTO value SELECT ?, metric_id, ?, ? FROM metric WHERE metric = ?";
    enum status status = store_run(s, e, insert, "iirt", sample, v->position, v->value, v->metric);
    if (status != STATUS_OK || sqlite3_changes(s->db) == 1) return status;
    status = store_run(s, e, "INSERT INTO metric VALUES(NULL, ?)", "t", v->metric);
    return status == STATUS_OK ? store_run(s, e, insert, "iirt", sample, v->position, v->value, v->metric) : status;
}

enum status store_sample(struct store *s, int64_t process, const struct sample_record *r, struct error *e) {
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_run(s, e, "INSERT INTO sample VALUES(NULL, ?, ?, ?, ?, ?)", "itinn", process, phases[r->phase],
                       (int64_t)r->index, r->start_ns, r->wall_ns);
    int64_t sample = sqlite3_last_insert_rowid(s->db);
    const struct value_record wall = {"wall_ns", 0, r->wall_ns == -1 ? NAN : (double)r->wall_ns};
    if (status == STATUS_OK) status = insert_value(s, sample, &wall, e);
    for (int i = 0; i < r->n_values && status == STATUS_OK; i++)
        status = insert_value(s, sample, &r->values[i], e);
    return store_end(s, status, e);
}

enum status store_ledger(struct store *s, int64_t process, int sample, const struct ledger_record *r,
                         struct error *e) {
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_run(s, e, "INSERT INTO ledger VALUES(NULL, ?, ?, ?, ?, ?)", "iirit", process, (int64_t)sample,
                       r->wall_ns, (int64_t)(r->is_complete != 0), r->reason);
    int64_t ledger = sqlite3_last_insert_rowid(s->db);
    for (int i = 0; i < r->n_lines && status == STATUS_OK; i++) {
        const struct ledger_line *l = &r->lines[i];
        status = store_run(s, e, "INSERT INTO ledger_line VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "iitttrrrrtn",
                           ledger, (int64_t)i, l->unit, l->stage, l->category, l->ns, l->flop, l->bytes,
                           l->ceiling_share, l->ceiling, l->launches);
        if (status == STATUS_OK)
            status = store_run(s, e, "INSERT OR IGNORE INTO ledger_unit VALUES(?, ?)", "it", ledger, l->unit);
    }
    return store_end(s, status, e);
}

enum status store_ops(struct store *s, int64_t process, int sample, const struct op_line *lines, int n,
                      struct error *e) {
    enum status status = store_begin(s, e);
    for (int i = 0; i < n && status == STATUS_OK; i++) {
        const struct op_line *l = &lines[i];
        status = store_run(s, e, "INSERT INTO op SELECT ledger_id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM ledger\n"
                           "WHERE process_id = ? AND sample = ?", "ittttnrrrii", (int64_t)i, l->stage, l->op,
                           l->category, l->place, l->calls, l->ns, l->flop, l->bytes, process, (int64_t)sample);
        if (status == STATUS_OK && sqlite3_changes(s->db) != 1)
            status = error_set(e, STATUS_STORE, "the database '%s' holds no ledger of this sample for its operations",
                               s->path);
    }
    return store_end(s, status, e);
}

static enum status insert_word(struct store *s, const char *word, struct error *e) {
    if (!word) return STATUS_OK;
    return store_run(s, e, "INSERT OR IGNORE INTO word VALUES(NULL, ?)", "t", word);
}

static enum status insert_span(struct store *s, const struct id *run, int i, const struct span_record *r,
                               struct error *e) {
    enum status status = insert_word(s, r->name, e);
    if (status == STATUS_OK) status = insert_word(s, r->category, e);
    if (status == STATUS_OK) status = insert_word(s, r->stage, e);
    if (status != STATUS_OK) return status;
    return store_run(s, e, "INSERT INTO span VALUES(?, ?, (SELECT word_id FROM word WHERE word = ?),\n"
        "(SELECT word_id FROM word WHERE word = ?), (SELECT word_id FROM word WHERE word = ?), ?, ?, ?, ?, ?)",
        "titttiiiii", run->text, (int64_t)i, r->name, r->category, r->stage, (int64_t)r->unit, (int64_t)r->lane,
        (int64_t)r->step, r->start_ns, r->duration_ns);
}

enum status store_spans(struct store *s, const struct id *run, const struct span_record *spans, int n,
                        struct error *e) {
    enum status status = store_begin(s, e);
    if (status != STATUS_OK) return status;
    status = store_run(s, e, "DELETE FROM span WHERE run_id = ?", "t", run->text);
    for (int i = 0; i < n && status == STATUS_OK; i++) status = insert_span(s, run, i, &spans[i], e);
    return store_end(s, status, e);
}
