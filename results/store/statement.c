#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/random.h"
#include "results/store/internal.h"

/* Where the cache is full, its last place is used again. */
static sqlite3_stmt *prepare(struct store *s, struct error *e, const char *sql) {
    for (int i = 0; i < s->n_cached; i++)
        if (s->cache[i].sql == sql) return s->cache[i].statement;
    sqlite3_stmt *q = NULL;
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &q, NULL) != SQLITE_OK) {
        store_error(s, e);
        return NULL;
    }
    if (s->n_cached == STORE_MAX_STATEMENTS) sqlite3_finalize(s->cache[--s->n_cached].statement);
    s->cache[s->n_cached].sql = sql;
    s->cache[s->n_cached++].statement = q;
    return q;
}

static int bind_int(sqlite3_stmt *q, int i, int64_t x, int has_null) {
    return has_null && x == -1 ? sqlite3_bind_null(q, i) : sqlite3_bind_int64(q, i, x);
}

static int bind_hex(sqlite3_stmt *q, int i, uint64_t x) {
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)x);
    return sqlite3_bind_text(q, i, text, -1, SQLITE_TRANSIENT);
}

/* The position of the argument at fault is 0 where all went well. */
static int bind_all(sqlite3_stmt *q, const char *types, va_list args) {
    int code = SQLITE_OK;
    for (int i = 1; *types && code == SQLITE_OK; types++, i++) {
        if (*types == 't') {
            code = sqlite3_bind_text(q, i, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else if (*types == 'i' || *types == 'n') {
            code = bind_int(q, i, va_arg(args, int64_t), *types == 'n');
        } else if (*types == 'x') {
            code = bind_hex(q, i, va_arg(args, uint64_t));
        } else if (*types == 'r') {
            double x = va_arg(args, double);
            code = isfinite(x) ? sqlite3_bind_double(q, i, x) : sqlite3_bind_null(q, i);
        } else {
            const void *p = va_arg(args, const void *);
            code = sqlite3_bind_blob64(q, i, p, va_arg(args, size_t), SQLITE_STATIC);
        }
    }
    return code;
}

static sqlite3_stmt *query(struct store *s, struct error *e, const char *sql, const char *types, va_list args) {
    sqlite3_stmt *q = prepare(s, e, sql);
    if (!q) return NULL;
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    if (bind_all(q, types, args) == SQLITE_OK) return q;
    store_error(s, e);
    return NULL;
}

sqlite3_stmt *store_query(struct store *s, struct error *e, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    sqlite3_stmt *q = query(s, e, sql, types, args);
    va_end(args);
    return q;
}

void store_done(sqlite3_stmt *q) {
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
}

int store_next(struct store *s, sqlite3_stmt *q, struct error *e) {
    int code = sqlite3_step(q);
    if (code == SQLITE_ROW) return 1;
    if (code != SQLITE_DONE) store_error(s, e);
    store_done(q);
    return code == SQLITE_DONE ? 0 : -1;
}

enum status store_run(struct store *s, struct error *e, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    sqlite3_stmt *q = query(s, e, sql, types, args);
    va_end(args);
    if (!q) return STATUS_STORE;
    int more = store_next(s, q, e);
    if (more == 1) store_done(q);
    return more < 0 ? STATUS_STORE : STATUS_OK;
}

enum status store_begin(struct store *s, struct error *e) { return store_run(s, e, "BEGIN IMMEDIATE", ""); }

enum status store_end(struct store *s, enum status status, struct error *e) {
    if (status == STATUS_OK) status = store_run(s, e, "COMMIT", "");
    if (status != STATUS_OK && !sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---- columns ---- */

const char *store_text_or_null(struct arena *a, sqlite3_stmt *q, int column) {
    const void *p = sqlite3_column_text(q, column);
    return p ? arena_copy_bytes(a, p, (size_t)sqlite3_column_bytes(q, column)) : NULL;
}

const char *store_text(struct arena *a, sqlite3_stmt *q, int column) {
    const char *text = store_text_or_null(a, q, column);
    return text ? text : "";
}

double store_real(sqlite3_stmt *q, int column) {
    return sqlite3_column_type(q, column) == SQLITE_NULL ? NAN : sqlite3_column_double(q, column);
}

void store_id(sqlite3_stmt *q, int column, struct id *out) {
    const char *text = (const char *)sqlite3_column_text(q, column);
    snprintf(out->text, sizeof out->text, "%s", text ? text : "");
}

/* ---- identities by content ---- */

/* A sum over the facts does not depend on their order; 128 bits from two seeds. */
void facts_identity(const struct fact *facts, int n, struct id *out) {
    uint64_t half[2] = {0, 0};
    for (int i = 0; i < n; i++)
        for (uint64_t h = 0; h < 2; h++) {
            uint64_t key = hash_bytes(h + 1, facts[i].key, strlen(facts[i].key));
            half[h] += hash_bytes(key, facts[i].value, strlen(facts[i].value));
        }
    snprintf(out->text, sizeof out->text, "%016llx%016llx", (unsigned long long)half[0], (unsigned long long)half[1]);
}
