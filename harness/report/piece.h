/* piece.h: a table or list of the report is one file, plots/report/NAME.sql. Its comment lines say how it is shown:
 *   -- title: a heading above it            -- note: a sentence under the heading
 *   -- as: list                             one text column, a bullet a row (default: a table)
 *   -- each: run                            once for each selected run, its position bound to :run
 *   -- empty: a sentence where there is no row (default: nothing at all)
 * A column is named by its heading; '#' before it means numbers. Formatting functions: functions.h. */
#ifndef ASSAY_HARNESS_REPORT_PIECE_H
#define ASSAY_HARNESS_REPORT_PIECE_H

#include <sqlite3.h>

#include "harness/report/page.h"
#include "kernels/base/status.h"

/* Errors: STORE, naming the file. */
enum status piece_write(struct page *p, sqlite3 *db, const char *folder, const char *name, struct error *e);

#endif
