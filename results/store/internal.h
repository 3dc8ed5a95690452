/* internal.h: what the files of the store share. */
#ifndef ASSAY_RESULTS_STORE_INTERNAL_H
#define ASSAY_RESULTS_STORE_INTERNAL_H

#include "results/store/query.h"

enum { STORE_MAX_STATEMENTS = 96 };

struct store {
    sqlite3 *db;
    char *path;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } cache[STORE_MAX_STATEMENTS];
    int n_cached;
};

/* Runs a statement that gives no rows; `types` as in query.h. */
enum status store_run(struct store *s, struct error *e, const char *sql, const char *types, ...);

/* One transaction; nothing is kept where status is not OK. */
enum status store_begin(struct store *s, struct error *e);
enum status store_end(struct store *s, enum status status, struct error *e);

/* Facts by content: equal facts have equal identities in every store. */
void facts_identity(const struct fact *facts, int n, struct id *out);
enum status store_machine(struct store *s, const struct machine_record *r, struct id *out, struct error *e);

#endif
