/* open.c: a file made, opened, brought up to date, or refused with a reason. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "results/store/internal.h"
#include "results/store/schema.h"

/* A value of a hostile file is not read into more memory than this; the longest of ours are outputs and probes. */
enum { BUSY_MS = 5000, VALUE_LIMIT_BYTES = 256 << 20 };

enum status id_draw(struct id *out, struct error *e) {
    unsigned char bytes[(ID_CHARS - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return error_set(e, STATUS_IO, "the system gives no random numbers: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(out->text + 2 * i, 3, "%02x", bytes[i]);
    return STATUS_OK;
}

sqlite3 *store_reader(struct store *s) { return s->db; }

static const char *cause(int code) {
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "is locked by another program; wait for it or end it, or name another with --db";
    case SQLITE_FULL: return "has no room left on its disk; free some: what was stored so far is kept";
    case SQLITE_READONLY: return "is read-only; make the file and its folder writable, or name another with --db";
    case SQLITE_NOTADB: return "is not a database; name another with --db";
    case SQLITE_CORRUPT: return "is damaged; restore it from a copy, or name another with --db";
    case SQLITE_IOERR: return "cannot be read or written by the system; look at its disk";
    case SQLITE_CANTOPEN: return "cannot be opened; look at the permissions of the file and its folder";
    case SQLITE_CONSTRAINT: return "refuses a record that contradicts what it holds";
    default: return "failed";
    }
}

enum status store_error(struct store *s, struct error *e) {
    int code = sqlite3_extended_errcode(s->db);
    enum status kind = (code & 0xff) == SQLITE_NOMEM ? STATUS_NO_MEMORY : STATUS_STORE;
    return error_set(e, kind, "the database '%s' %s (%s)", s->path, cause(code), sqlite3_errmsg(s->db));
}

/* ---- before SQLite sees the path ---- */

static enum status check_folder(const char *path, struct error *e) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return STATUS_OK;
    char *folder = mem_printf("%.*s", (int)(slash - path), path);
    enum status status = STATUS_OK;
    if (!directory_exists(folder))
        status = error_set(e, STATUS_STORE,
                           "the database's folder '%s' does not exist; make it, or name another with --db", folder);
    mem_free(folder);
    return status;
}

static enum status check_path(const char *path, enum store_mode mode, struct error *e) {
    if (!path || !*path) return error_set(e, STATUS_STORE, "the database's name is empty; give a file with --db");
    if (strcmp(path, ":memory:") == 0) return STATUS_OK;
    enum status status = check_folder(path, e);
    if (status != STATUS_OK) return status;
    struct stat st;
    if (stat(path, &st) != 0)
        return errno != ENOENT
                   ? error_set(e, STATUS_STORE, "the database '%s' cannot be opened: %s", path, strerror(errno))
               : mode == STORE_WRITE
                   ? STATUS_OK
                   : error_set(
                         e, STATUS_STORE,
                         "there is no database '%s'; measure something first (assay run), or name another with --db",
                         path);
    if (S_ISDIR(st.st_mode))
        return error_set(e, STATUS_STORE, "'%s' is a folder; name a database file in it with --db", path);
    if (!S_ISREG(st.st_mode))
        return error_set(e, STATUS_STORE, "'%s' is not a regular file; name another with --db", path);
    return STATUS_OK;
}

/* ---- a connection ---- */

/* The file may come from anywhere: no functions with side effects from its views, no writes to its schema. */
static void harden(sqlite3 *db) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_LIMIT_BYTES);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_exec(db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
}

/* "file:…?immutable=1": for a file in a folder where no log can be made beside it. */
static char *immutable_uri(const char *path) {
    struct text uri = {0};
    text_append(&uri, "file:");
    for (const unsigned char *p = (const unsigned char *)path; *p; p++)
        text_append(&uri, strchr("?#% ", *p) || *p >= 0x80 ? "%%%02X" : "%c", *p);
    text_append(&uri, "?immutable=1");
    return uri.data;
}

static int has_log(const char *path) {
    char *log = mem_printf("%s-wal", path);
    struct stat st;
    int has = stat(log, &st) == 0 && st.st_size > 0;
    mem_free(log);
    return has;
}

static enum status connect(struct store *s, enum store_mode mode, struct error *e) {
    int flags = mode == STORE_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) return store_error(s, e);
    harden(s->db);
    int code;
    schema_pragma(s->db, "SELECT count(*) FROM sqlite_schema", &code);
    int is_unwritable = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
    if (mode == STORE_READ && is_unwritable && !has_log(s->path)) {
        sqlite3_close(s->db);
        char *uri = immutable_uri(s->path);
        int opened = sqlite3_open_v2(uri, &s->db, flags | SQLITE_OPEN_URI, NULL);
        mem_free(uri);
        if (opened != SQLITE_OK) return store_error(s, e);
        harden(s->db);
        schema_pragma(s->db, "SELECT count(*) FROM sqlite_schema", &code);
    }
    return code == SQLITE_OK ? STATUS_OK : store_error(s, e);
}

/* ---- whose file, and of which version ---- */

static enum status refuse_version(const struct store *s, int64_t version, int64_t newest, struct error *e) {
    if (version > newest)
        return error_set(
            e, STATUS_STORE,
            "the database '%s' is of version %lld and this Assay knows versions up to %lld; use a newer Assay, "
            "or name another database with --db",
            s->path, (long long)version, (long long)newest);
    return error_set(
        e, STATUS_STORE,
        "the database '%s' is of version %lld; measure into it once (assay run --db) to bring it to version %lld",
        s->path, (long long)version, (long long)newest);
}

static enum status identify(struct store *s, int64_t *version, struct error *e) {
    int code[3];
    int64_t objects = schema_pragma(s->db, "SELECT count(*) FROM sqlite_schema", &code[0]);
    int64_t owner = schema_pragma(s->db, "PRAGMA application_id", &code[1]);
    *version = schema_pragma(s->db, "PRAGMA user_version", &code[2]);
    if (code[0] != SQLITE_OK || code[1] != SQLITE_OK || code[2] != SQLITE_OK) return store_error(s, e);
    int is_empty = objects == 0 && owner == 0 && *version == 0;
    if (!is_empty && owner != SCHEMA_APPLICATION_ID)
        return error_set(e, STATUS_STORE, "'%s' is a database, but not one of Assay's; name another with --db",
                         s->path);
    if (!is_empty && *version < 1)
        return error_set(e, STATUS_STORE, "the database '%s' is damaged: its version is %lld", s->path,
                         (long long)*version);
    return STATUS_OK;
}

static enum status prepare_read(struct store *s, int64_t version, struct error *e) {
    const struct schema *schema = schema_newest();
    if (version == 0)
        return error_set(e, STATUS_STORE, "the database '%s' is empty; measure something first (assay run)", s->path);
    if (version != schema->version) return refuse_version(s, version, schema->version, e);
    return schema_check(s->db, schema, (int)version, s->path, e);
}

static enum status prepare_write(struct store *s, int64_t version, struct error *e) {
    const struct schema *schema = schema_newest();
    if (version > schema->version) return refuse_version(s, version, schema->version, e);
    if (sqlite3_db_readonly(s->db, "main") == 1)
        return error_set(e, STATUS_STORE, "the database '%s' %s", s->path, cause(SQLITE_READONLY));
    if (version > 0) {
        enum status status = schema_check(s->db, schema, (int)version, s->path, e);
        if (status != STATUS_OK) return status;
    }
    int code;
    schema_pragma(s->db, "PRAGMA journal_mode = WAL", &code); /* where it cannot be, a rollback journal is as safe */
    if (code == SQLITE_OK) code = sqlite3_exec(s->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    if (code == SQLITE_OK && version < schema->version) code = schema_migrate(s->db, schema);
    return code == SQLITE_OK ? STATUS_OK : store_error(s, e);
}

enum status store_open(const char *path, enum store_mode mode, struct store **out, struct error *e) {
    *out = NULL;
    enum status status = check_path(path, mode, e);
    if (status != STATUS_OK) return status;
    struct store *s = mem_alloc(sizeof *s);
    s->path = mem_copy_string(path);
    int64_t version = 0;
    status = connect(s, mode, e);
    if (status == STATUS_OK) status = identify(s, &version, e);
    if (status == STATUS_OK) status = mode == STORE_WRITE ? prepare_write(s, version, e) : prepare_read(s, version, e);
    if (status != STATUS_OK) {
        store_close(s);
        return status;
    }
    *out = s;
    return STATUS_OK;
}

void store_close(struct store *s) {
    if (!s) return;
    for (int i = 0; i < s->n_cached; i++) sqlite3_finalize(s->cache[i].statement);
    sqlite3_close(s->db);
    mem_free(s->path);
    mem_free(s);
}
