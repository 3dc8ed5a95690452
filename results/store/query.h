/* query.h: reading the views, row by row. Statements are prepared once and kept.
 *
 *   sqlite3_stmt *q = store_query(s, e, "SELECT … WHERE run_id = ?", "t", run->text);
 *   int row = -1;
 *   while (q && (row = store_next(s, q, e)) == 1) … sqlite3_column_*(q, i) …
 *   return row < 0 ? STATUS_STORE : STATUS_OK;
 */
#ifndef ASSAY_RESULTS_STORE_QUERY_H
#define ASSAY_RESULTS_STORE_QUERY_H

#include "results/store/store.h"

/* Binds by `types`, a letter an argument:
 *   t const char * (NULL allowed)   i int64_t   n int64_t, -1 is NULL   r double, not finite is NULL
 *   b const void *, size_t          x uint64_t as 16 hex digits
 * `sql` is a string constant: its address is its name. Texts and blobs are borrowed until the last step.
 * A statement in use must not be asked for again. NULL on failure. */
sqlite3_stmt *store_query(struct store *s, struct error *e, const char *sql, const char *types, ...);
/* 1: a row; 0: no more, the statement is free again; -1: failed. */
int store_next(struct store *s, sqlite3_stmt *q, struct error *e);
/* Gives up a query before its end. */
void store_done(sqlite3_stmt *q);

/* Text of a column in the arena; store_text gives "" for NULL. */
const char *store_text(struct arena *a, sqlite3_stmt *q, int column);
const char *store_text_or_null(struct arena *a, sqlite3_stmt *q, int column);
double store_real(sqlite3_stmt *q, int column);      /* NAN for NULL */
void store_id(sqlite3_stmt *q, int column, struct id *out);

#endif
