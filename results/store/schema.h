/* schema.h: the format of the file, version by version. */
#ifndef ASSAY_RESULTS_STORE_SCHEMA_H
#define ASSAY_RESULTS_STORE_SCHEMA_H

#include <sqlite3.h>
#include <stdint.h>

#include "kernels/base/status.h"

enum { SCHEMA_APPLICATION_ID = 0x41535359 }; /* "ASSY" */

/* A migration brings a file from version i to i + 1: statements, ended by NULL. */
typedef const char *const *schema_migration;
struct schema {
    const schema_migration *migrations;
    int version;                   /* their number: the newest version */
};
const struct schema *schema_newest(void);

/* Brings a file of version `from` up to date in one transaction. Another process may have done it meanwhile.
 * Errors: an SQLite code other than SQLITE_OK. */
int schema_migrate(sqlite3 *db, const struct schema *s);

/* Does the file hold exactly the objects of its version (others may be there too, but no triggers)? A view of a
 * prepared file could otherwise run for ever or lie. Errors: STORE damaged, naming the first odd object. */
enum status schema_check(sqlite3 *db, const struct schema *s, int version, const char *path, struct error *e);

/* PRAGMA of one integer; -1 where it fails. */
int64_t schema_pragma(sqlite3 *db, const char *sql, int *code);

#endif
