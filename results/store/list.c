/* list.c: which runs and experiments there are, and which one is meant. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "results/store/internal.h"

#define X(name, text) text,
static const char *const run_states[] = {RUN_STATE_LIST(X)};
#undef X

enum { MAX_CANDIDATES = 8, MIN_PREFIX = 4 };

static enum run_state parse_state(const char *text) {
    for (size_t i = 0; i < sizeof run_states / sizeof *run_states; i++)
        if (strcmp(run_states[i], text) == 0) return (enum run_state)i;
    return RUN_INVALID;
}

static void read_run(sqlite3_stmt *q, struct arena *a, struct run_row *r) {
    store_id(q, 0, &r->id);
    store_id(q, 1, &r->experiment);
    r->cell = sqlite3_column_int(q, 2);
    r->state = parse_state(store_text(a, q, 3));
    r->label = store_text(a, q, 4);
    r->workload = store_text(a, q, 5);
    r->model = store_text(a, q, 6);
    r->backend = store_text(a, q, 7);
    r->dtype = store_text(a, q, 8);
    r->scenario = store_text(a, q, 9);
    r->name = store_text(a, q, 10);
    r->reason = store_text_or_null(a, q, 11);
    r->is_synthetic = sqlite3_column_int(q, 12);
    r->truncated_layers = sqlite3_column_int(q, 13);
    r->n_processes = sqlite3_column_int(q, 14);
    r->n_samples = sqlite3_column_int(q, 15);
    r->created_unix_ns = sqlite3_column_int64(q, 16);
}

#define RUN_COLUMNS                                                                                                    \
    "SELECT run_id, experiment_id, cell, state, label, workload, model, backend, dtype, scenario, experiment, "        \
    "reason,\n"                                                                                                        \
    "is_synthetic, truncated_layers, n_processes, n_samples, created_unix_ns FROM v_run "

enum status store_list_runs(struct store *s, const struct id *experiment, int limit, struct run_list *out,
                            struct error *e) {
    *out = (struct run_list){0};
    int64_t most = limit > 0 ? limit : -1;
    sqlite3_stmt *q = experiment
        ? store_query(s, e, RUN_COLUMNS "WHERE experiment_id = ? ORDER BY cell LIMIT ?", "ti", experiment->text, most)
        : store_query(s, e, RUN_COLUMNS "ORDER BY created_unix_ns DESC, run_id LIMIT ?", "i", most);
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(out->items, out->count, capacity);
        read_run(q, &out->arena, &out->items[out->count++]);
    }
    if (row < 0) run_list_free(out);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

void run_list_free(struct run_list *l) {
    mem_free(l->items);
    arena_free(&l->arena);
    *l = (struct run_list){0};
}

enum status store_list_experiments(struct store *s, int limit, struct experiment_list *out, struct error *e) {
    *out = (struct experiment_list){0};
    sqlite3_stmt *q =
        store_query(s, e,
                    "SELECT experiment_id, name, workload, design, n_cells, n_blocks, n_finished, created_unix_ns\n"
                    "FROM v_experiment ORDER BY created_unix_ns DESC, experiment_id LIMIT ?",
                    "i", (int64_t)(limit > 0 ? limit : -1));
    size_t capacity = 0;
    int row = -1;
    while (q && (row = store_next(s, q, e)) == 1) {
        LIST_GROW(out->items, out->count, capacity);
        struct experiment_row *r = &out->items[out->count++];
        store_id(q, 0, &r->id);
        r->name = store_text(&out->arena, q, 1);
        r->workload = store_text(&out->arena, q, 2);
        r->design = store_text(&out->arena, q, 3);
        r->n_cells = sqlite3_column_int(q, 4);
        r->n_blocks = sqlite3_column_int(q, 5);
        r->n_finished = sqlite3_column_int(q, 6);
        r->created_unix_ns = sqlite3_column_int64(q, 7);
    }
    if (row < 0) experiment_list_free(out);
    return row < 0 ? STATUS_STORE : STATUS_OK;
}

void experiment_list_free(struct experiment_list *l) {
    mem_free(l->items);
    arena_free(&l->arena);
    *l = (struct experiment_list){0};
}

/* ---- finding ---- */

/* What may be meant: (is_experiment, id, created, words). An experiment of one run is only a shell around it. */
#define MEANT                                                                                                          \
    "WITH meant AS (\n"                                                                                                \
    "    SELECT 0 AS is_experiment, run_id AS id, created_unix_ns AS created, workload || ' ' || model || ' ' || "     \
    "label\n"                                                                                                          \
    "        || ', ' || state AS words, experiment_id AS alias, design = 'single' AS is_alone, experiment AS name\n"   \
    "    FROM v_run\n"                                                                                                 \
    "    UNION ALL\n"                                                                                                  \
    "    SELECT 1, experiment_id, created_unix_ns, workload || ' experiment ' || name || ', ' || design, "             \
    "experiment_id,\n"                                                                                                 \
    "        design = 'single', name\n"                                                                                \
    "    FROM v_experiment)\n"                                                                                         \
    "SELECT is_experiment, id, words FROM meant\n"                                                                     \
    "WHERE (CASE ?1 WHEN 0 THEN NOT is_experiment WHEN 1 THEN is_experiment\n"                                         \
    "    ELSE NOT (is_experiment AND is_alone) END)\n"

/* The number after "latest~", 0 of "latest" alone, -1 of anything else. */
static int64_t parse_latest(const char *text) {
    if (strncmp(text, "latest", 6) != 0) return -1;
    if (text[6] == '\0') return 0;
    if (text[6] != '~' || !isdigit((unsigned char)text[7])) return -1;
    char *end;
    long n = strtol(text + 7, &end, 10);
    return *end || n > 1000000 ? -1 : n;
}

static int is_prefix(const char *text) {
    size_t n = strlen(text);
    return n >= MIN_PREFIX && n < ID_CHARS && strspn(text, "0123456789abcdef") == n;
}

static enum status ambiguous(struct store *s, sqlite3_stmt *q, const struct found *first, const char *first_words,
                             const char *text, struct error *e) {
    struct text list = {0};
    text_append(&list, "\n  %.12s  %s", first->id.text, first_words);
    int n = 1;
    do {
        if (n++ < MAX_CANDIDATES)
            text_append(&list, "\n  %.12s  %.60s", (const char *)sqlite3_column_text(q, 1),
                        (const char *)sqlite3_column_text(q, 2));
    } while (store_next(s, q, NULL) == 1);
    error_set(e, STATUS_INPUT, "'%s' is the beginning of %d ids; give more digits of one of these:%s%s", text, n,
              list.data, n > MAX_CANDIDATES ? "\n  …" : "");
    text_free(&list);
    return STATUS_INPUT;
}

/* Takes the only row of `q`, or refuses. */
static enum status take_only(struct store *s, sqlite3_stmt *q, const char *text, struct found *out, int *n,
                             struct error *e) {
    *n = 0;
    int row = q ? store_next(s, q, e) : -1;
    if (row != 1) return row < 0 ? STATUS_STORE : STATUS_OK;
    *n = 1;
    out->is_experiment = sqlite3_column_int(q, 0);
    store_id(q, 1, &out->id);
    char *words = mem_printf("%.60s", (const char *)sqlite3_column_text(q, 2));
    enum status status = STATUS_OK;
    row = store_next(s, q, e);
    if (row == 1) status = ambiguous(s, q, out, words, text, e);
    if (row < 0) status = STATUS_STORE;
    mem_free(words);
    return status;
}

static const char *kind_name(enum find_kind kind) {
    return kind == FIND_RUN ? "run" : kind == FIND_EXPERIMENT ? "experiment" : "run or experiment";
}

enum status store_find(struct store *s, const char *text, enum find_kind kind, struct found *out, struct error *e) {
    int n = 0;
    enum status status = STATUS_OK;
    int64_t back = parse_latest(text);
    if (back >= 0) {
        status = take_only(s,
                           store_query(s, e, MEANT "ORDER BY created DESC, is_experiment DESC, id LIMIT 1 OFFSET ?2",
                                       "ii", (int64_t)kind, back),
                           text, out, &n, e);
        if (status == STATUS_OK && n == 0)
            return error_set(e, STATUS_INPUT, "the database '%s' holds no %s '%s'; see assay list runs", s->path,
                             kind_name(kind), text);
        return status;
    }
    if (is_prefix(text)) /* an id, or the shell's id of a single run */
        status = take_only(s,
                           store_query(s, e,
                                       MEANT "AND (substr(id, 1, length(?2)) = ?2 OR NOT is_experiment AND is_alone\n"
                                             "AND substr(alias, 1, length(?2)) = ?2) ORDER BY created DESC",
                                       "it", (int64_t)kind, text),
                           text, out, &n, e);
    if (status == STATUS_OK && n == 0)
        status = take_only(s, store_query(s, e, MEANT "AND name = ?2 AND name <> '' AND (is_experiment OR is_alone)\n"
            "ORDER BY created DESC LIMIT 1", "it", (int64_t)kind, text), text, out, &n, e);
    if (status == STATUS_OK && n == 0)
        status = error_set(e, STATUS_INPUT,
                           "no %s of '%s' is called '%s'; give latest, latest~1, a name, or the first %d digits "
                           "or more of an id (assay list runs)",
                           kind_name(kind), s->path, text, MIN_PREFIX);
    return status;
}
