#include "results/store/schema.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/store/version1.h"

static const schema_migration migrations[] = {schema_version1};

const struct schema *schema_newest(void) {
    static const struct schema newest = {migrations, sizeof migrations / sizeof *migrations};
    return &newest;
}

int64_t schema_pragma(sqlite3 *db, const char *sql, int *code) {
    sqlite3_stmt *q = NULL;
    *code = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    int64_t value = -1;
    if (*code == SQLITE_OK) *code = sqlite3_step(q);
    if (*code == SQLITE_ROW) value = sqlite3_column_int64(q, 0);
    int last = sqlite3_finalize(q);
    *code = *code == SQLITE_ROW || *code == SQLITE_DONE ? last : *code;
    return value;
}

static int apply(sqlite3 *db, const struct schema *s, int from) {
    int code = SQLITE_OK;
    for (int v = from; v < s->version; v++)
        for (const char *const *sql = s->migrations[v]; *sql && code == SQLITE_OK; sql++)
            code = sqlite3_exec(db, *sql, NULL, NULL, NULL);
    char pragma[96];
    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d; PRAGMA application_id = %d", s->version,
             SCHEMA_APPLICATION_ID);
    return code == SQLITE_OK ? sqlite3_exec(db, pragma, NULL, NULL, NULL) : code;
}

int schema_migrate(sqlite3 *db, const struct schema *s) {
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK) return code;
    int from = (int)schema_pragma(db, "PRAGMA user_version", &code); /* as it is now that we alone may write */
    if (code == SQLITE_OK && from >= 0 && from < s->version) code = apply(db, s, from);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code != SQLITE_OK) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static enum status damaged(const char *path, const char *what, const char *name, struct error *e) {
    return error_set(e, STATUS_STORE,
                     "the database '%s' is damaged: %s '%.60s'; restore it from a copy, or name another "
                     "with --db",
                     path, what, name);
}

/* Every object of `model` is in db with the same words. */
static enum status compare(sqlite3 *db, sqlite3 *model, const char *path, struct error *e) {
    sqlite3_stmt *want = NULL, *have = NULL;
    int code =
        sqlite3_prepare_v2(model, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL", -1, &want, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema WHERE type = ? AND name = ? AND sql = ?", -1,
                                  &have, NULL);
    enum status status = code == SQLITE_OK ? STATUS_OK : damaged(path, sqlite3_errmsg(db), "sqlite_schema", e);
    while (status == STATUS_OK && sqlite3_step(want) == SQLITE_ROW) {
        for (int i = 0; i < 3; i++) sqlite3_bind_value(have, i + 1, sqlite3_column_value(want, i));
        if (sqlite3_step(have) != SQLITE_ROW || sqlite3_column_int(have, 0) != 1)
            status =
                damaged(path, "its form is not that of its version at", (const char *)sqlite3_column_text(want, 1), e);
        sqlite3_reset(have);
    }
    sqlite3_finalize(want);
    sqlite3_finalize(have);
    return status;
}

enum status schema_check(sqlite3 *db, const struct schema *s, int version, const char *path, struct error *e) {
    int code;
    int64_t triggers = schema_pragma(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", &code);
    if (code != SQLITE_OK) return damaged(path, sqlite3_errmsg(db), "sqlite_schema", e);
    if (triggers > 0) return damaged(path, "it holds triggers, which Assay never makes, in", "sqlite_schema", e);
    sqlite3 *model = NULL;
    struct schema then = {s->migrations, version};
    if (sqlite3_open(":memory:", &model) != SQLITE_OK || schema_migrate(model, &then) != SQLITE_OK) {
        sqlite3_close(model);
        return error_set(e, STATUS_INTERNAL, "the database's own form cannot be made");
    }
    enum status status = compare(db, model, path, e);
    sqlite3_close(model);
    return status;
}
