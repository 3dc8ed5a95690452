/* query.h: an .sql file of a figure, executed: each statement under a line "-- block: NAME" becomes NAME.dat. */
#ifndef ASSAY_HARNESS_PLOT_QUERY_H
#define ASSAY_HARNESS_PLOT_QUERY_H

#include <sqlite3.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

/* Writes FOLDER/NAME.dat for each block of the file at `path`: tab-separated, text in double quotes, NULL as "?",
 * a comment line of column names first. Appends to `prelude`, for each block, gnuplot's variables
 *   NAME        the file's path
 *   NAME_rows   its number of rows
 *   NAME_chars  the longest text in its column `label`, where it has one
 *   NAME_COLUMN an array of a column's values, for blocks of 1 to 64 rows and at most 16 columns (NULL: NaN)
 * Everything that the file makes in the temporary schema is gone afterwards.
 * Errors: INPUT the first block is empty (the text of the file's line "-- empty: …"); STORE a statement failed. */
enum status query_write(sqlite3 *db, const char *path, const char *folder, struct text *prelude, struct error *e);

/* A gnuplot string constant in single quotes, which neither escapes nor substitutes anything. */
void query_quote(struct text *out, const char *s);

#endif
