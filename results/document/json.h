/* json.h: values of a row as JSON: NULL and NAN are null, bytes that are not UTF-8 become U+FFFD. */
#ifndef ASSAY_RESULTS_DOCUMENT_JSON_H
#define ASSAY_RESULTS_DOCUMENT_JSON_H

#include <jansson.h>
#include <sqlite3.h>
#include <stdint.h>

json_t *json_text(const char *s);                      /* NULL: null */
json_t *json_number(double x);
json_t *json_text_column(sqlite3_stmt *q, int column);
json_t *json_real_column(sqlite3_stmt *q, int column);
json_t *json_int_column(sqlite3_stmt *q, int column);
json_t *json_flag_column(sqlite3_stmt *q, int column);
json_t *json_parsed_column(sqlite3_stmt *q, int column); /* of JSON text; null where it is none */
json_t *json_time(int64_t unix_ns);                    /* "2026-11-24T14:05:07Z" */

/* Puts a column of each letter of `types` (t text, r real, i integer, f flag, j parsed JSON) under the names, in
 * order from column `first`. Names are ended by NULL. */
void json_columns(json_t *object, sqlite3_stmt *q, int first, const char *types, const char *const *names);

#endif
