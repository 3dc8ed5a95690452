/* nsys.c: SQLite exports of Nsight Systems. Tables and columns come and go with the version: each is asked for.
 * Which rows count, and why: golden/traces, "Nsight Systems SQLite". The file is foreign: it is opened read-only and
 * defensively, and nothing of it but tables is read. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/import/rows.h"
#include "kernels/base/file.h"

enum { NEWEST_SCHEMA = 3, TEXT_LIMIT_BYTES = 1 << 20, PROGRESS_ROWS = 4096, CACHED_IDS = 1 << 22, CACHED_KINDS = 16 };

struct reading {
    sqlite3 *db;
    const char *path;
    struct imported *out;
    struct rows rows;
    struct progress *progress;
    double row_bytes;              /* of the file, a row's share: for the progress */
    sqlite3_stmt *string;          /* a text by its id */
    int32_t *names;                /* by text id below CACHED_IDS: name + 1 */
    size_t n_names;
    int32_t copy_names[CACHED_KINDS]; /* by kind of copy: name + 1 */
    const char *version;           /* of the export's schema; "" not said */
    int64_t process_global, thread_global;  /* the last ones seen, and what they are here */
    int32_t process, thread;
    int has_process, has_thread;
};

/* ---- the database ---- */

static enum status database_error(const struct reading *r, const char *what, struct error *e) {
    int code = sqlite3_errcode(r->db);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return error_set(e, STATUS_IO, "%s: another program is writing it; wait for the export to end", r->path);
    return error_set(e, STATUS_INPUT, "%s: %s: %s; export it again", r->path, what, sqlite3_errmsg(r->db));
}

static uint64_t big_endian(const uint8_t *p, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[i];
    return value;
}

/* SQLite reads what is missing at the end as zeros, so the size that the header claims is checked first.
 * Source: the file format at sqlite.org/fileformat2.html, 1.3: page size at 16 (1 for 65536), pages at 28, which hold
 * where the counters at 24 and 92 agree. */
static enum status check_size(const struct reading *r, const struct file_map *f, struct error *e) {
    enum { HEADER_BYTES = 100 };
    if (f->size < HEADER_BYTES || memcmp(f->data, "SQLite format 3", 16) != 0)
        return error_set(e, STATUS_INPUT, "%s: it is no SQLite database; export the report first: nsys export --type sqlite FILE.nsys-rep", r->path);
    uint64_t page = big_endian(f->data + 16, 2), claimed = big_endian(f->data + 28, 4) * (page == 1 ? 65536 : page);
    if (memcmp(f->data + 24, f->data + 92, 4) != 0 || claimed <= f->size) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "%s: the file is cut short: it has %zu bytes of %llu; copy or export it again", r->path, f->size,
                     (unsigned long long)claimed);
}

static enum status open_database(struct reading *r, struct error *e) {
    struct file_map probe;
    enum status s = file_map(r->path, &probe, e); /* missing, unreadable or no file: in the system's words */
    if (s != STATUS_OK) return s;
    s = check_size(r, &probe, e);
    r->row_bytes = (double)probe.size;
    file_unmap(&probe);
    if (s != STATUS_OK) return s;
    if (sqlite3_open_v2(r->path, &r->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) return database_error(r, "it cannot be opened", e);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, TEXT_LIMIT_BYTES);
    sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_exec(r->db, "PRAGMA cell_size_check = ON", NULL, NULL, NULL);
    if (sqlite3_exec(r->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) return database_error(r, "it cannot be read", e);
    return STATUS_OK;
}

/* The first column of the first row, in the arena; NULL where there is none. For small questions only. */
static const char *ask(const struct reading *r, const char *sql, const char *argument) {
    sqlite3_stmt *q;
    const char *out = NULL;
    if (sqlite3_prepare_v2(r->db, sql, -1, &q, NULL) != SQLITE_OK) return NULL;
    if (argument) sqlite3_bind_text(q, 1, argument, -1, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0)) {
        char *copy = arena_copy_string(&r->out->arena, (const char *)sqlite3_column_text(q, 0));
        rows_clean_text(copy);
        out = copy;
    }
    sqlite3_finalize(q);
    return out;
}

/* A real table: virtual ones would run code. */
static int has_table(const struct reading *r, const char *table) {
    return ask(r, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? AND rootpage > 0", table) != NULL;
}

static int has_column(const struct reading *r, const char *table, const char *column) {
    char *sql = mem_printf("SELECT 1 FROM pragma_table_info('%s') WHERE name = ?", table);
    int has = ask(r, sql, column) != NULL;
    mem_free(sql);
    return has;
}

/* ---- texts, processes, threads ---- */

/* A text by id as a name; ids without a text are shown as such. */
static int32_t look_up_name(struct reading *r, int64_t id) {
    char number[32];
    int n = snprintf(number, sizeof number, "?%lld", (long long)id);
    int32_t name = -1;
    if (r->string) {
        sqlite3_bind_int64(r->string, 1, id);
        if (sqlite3_step(r->string) == SQLITE_ROW && sqlite3_column_text(r->string, 0)) {
            char *text = mem_copy_string((const char *)sqlite3_column_text(r->string, 0));
            rows_clean_text(text);
            name = activity_name(&r->out->activity, text, strlen(text));
            mem_free(text);
        }
        sqlite3_reset(r->string);
    }
    return name >= 0 ? name : activity_name(&r->out->activity, number, (size_t)n);
}

static int32_t name_of_id(struct reading *r, int64_t id) {
    if (id < 0 || id >= CACHED_IDS) return look_up_name(r, id);
    if ((size_t)id >= r->n_names) {
        size_t n = 2 * (size_t)id + 64 < CACHED_IDS ? 2 * (size_t)id + 64 : CACHED_IDS;
        r->names = mem_resize(r->names, n * sizeof *r->names);
        memset(r->names + r->n_names, 0, (n - r->n_names) * sizeof *r->names);
        r->n_names = n;
    }
    if (!r->names[id]) r->names[id] = look_up_name(r, id) + 1;
    return r->names[id] - 1;
}

/* "cudaLaunchKernel_v7000" is cudaLaunchKernel: exports name the version of the call's parameters. */
static int32_t call_name_of_id(struct reading *r, int64_t id) {
    struct activity *a = &r->out->activity;
    int32_t name = name_of_id(r, id);
    const char *text = a->names[name], *end = text + strlen(text);
    while (end > text && end[-1] >= '0' && end[-1] <= '9') end--;
    if (!*end || end - text < 2 || end[-1] != 'v' || end[-2] != '_') return name;
    return activity_name(a, text, (size_t)(end - text) - 2);
}

/* The low 24 bits of a global id are the thread's; the rest is the process's. */
static int32_t process_of(struct reading *r, int64_t global) {
    char text[32];
    int64_t process = global >> 24;
    if (r->has_process && r->process_global == process) return r->process;
    int n = snprintf(text, sizeof text, "%lld", (long long)process);
    r->has_process = 1;
    r->process_global = process;
    return r->process = activity_name(&r->out->activity, text, (size_t)n);
}

static int32_t thread_of(struct reading *r, int64_t global) {
    char process[32], thread[32];
    if (r->has_thread && r->thread_global == global) return r->thread;
    snprintf(process, sizeof process, "%lld", (long long)(global >> 24));
    snprintf(thread, sizeof thread, "%lld", (long long)global);
    r->has_thread = 1;
    r->thread_global = global;
    return r->thread = rows_thread(&r->rows, process, thread);
}

/* ---- tables ---- */

enum column {
    COLUMN_START,
    COLUMN_END,
    COLUMN_GLOBAL,
    COLUMN_CORRELATION,
    COLUMN_NAME,
    COLUMN_DEVICE,
    COLUMN_STREAM,
    COLUMN_BYTES,
    COLUMN_NODE,
    COLUMN_TEXT,
    COLUMN_TYPE,
    COLUMN_COUNT
};

/* A column has up to three names, the later ones of other versions; "!" before the first: without it there is no row. */
struct table {
    const char *name;
    const char *columns[COLUMN_COUNT][3];
    const char *(*take)(struct reading *r, sqlite3_stmt *q, int kind);
    int kind;
};

static int is_null(sqlite3_stmt *q, enum column c) { return sqlite3_column_type(q, (int)c) == SQLITE_NULL; }
static int64_t whole(sqlite3_stmt *q, enum column c) { return sqlite3_column_int64(q, (int)c); }

static int64_t correlation_of(sqlite3_stmt *q) { return whole(q, COLUMN_CORRELATION) ? whole(q, COLUMN_CORRELATION) : -1; }

/* CUPTI writes 0 for both times where it could not take them. */
static int is_untimed(sqlite3_stmt *q) {
    return is_null(q, COLUMN_START) || is_null(q, COLUMN_END) || (whole(q, COLUMN_START) == 0 && whole(q, COLUMN_END) == 0);
}

static int32_t look_up_copy(struct reading *r, int64_t copy_kind) {
    char id[32], name[96];
    snprintf(id, sizeof id, "%lld", (long long)copy_kind);
    const char *label = has_table(r, "ENUM_CUDA_MEMCPY_OPER") ? ask(r, "SELECT label FROM ENUM_CUDA_MEMCPY_OPER WHERE id = CAST(? AS INTEGER)", id)
                                                              : NULL;
    int n = snprintf(name, sizeof name, "Memcpy %.64s", label ? label : id);
    return activity_name(&r->out->activity, name, (size_t)n);
}

static int32_t copy_name(struct reading *r, int64_t copy_kind) {
    if (copy_kind < 0 || copy_kind >= CACHED_KINDS) return look_up_copy(r, copy_kind);
    if (!r->copy_names[copy_kind]) r->copy_names[copy_kind] = look_up_copy(r, copy_kind) + 1;
    return r->copy_names[copy_kind] - 1;
}

static int32_t graph_name(struct reading *r, int64_t graph) {
    char name[48];
    int n = snprintf(name, sizeof name, "CUDA graph %lld", (long long)graph);
    return activity_name(&r->out->activity, name, (size_t)n);
}

enum { OP_KERNEL = ACTIVITY_KERNEL, OP_COPY = ACTIVITY_COPY, OP_SET = ACTIVITY_SET, OP_GRAPH };

static int32_t op_name(struct reading *r, sqlite3_stmt *q, int kind) {
    if (kind == OP_KERNEL) return name_of_id(r, whole(q, COLUMN_NAME));
    if (kind == OP_COPY) return copy_name(r, whole(q, COLUMN_NAME));
    return kind == OP_GRAPH ? graph_name(r, whole(q, COLUMN_NODE)) : activity_name(&r->out->activity, "Memset", 6);
}

static const char *take_op(struct reading *r, sqlite3_stmt *q, int kind) {
    if (is_untimed(q)) return r->out->activity.integrity.untimed++, NULL;
    struct activity_op op = {.start_ns = whole(q, COLUMN_START),
                             .end_ns = whole(q, COLUMN_END),
                             .correlation = correlation_of(q),
                             .call = -1,
                             .range = -1,
                             .bytes = whole(q, COLUMN_BYTES),
                             .owner = (uint64_t)whole(q, COLUMN_NODE),
                             .device = (int32_t)whole(q, COLUMN_DEVICE),
                             .stream = (int32_t)whole(q, COLUMN_STREAM),
                             .kind = (uint8_t)(kind == OP_GRAPH ? OP_KERNEL : kind)};
    op.is_in_graph = op.owner != 0 || kind == OP_GRAPH;
    op.process = process_of(r, whole(q, COLUMN_GLOBAL));
    op.name = op_name(r, q, kind);
    return rows_op(&r->rows, &op);
}

static const char *take_call(struct reading *r, sqlite3_stmt *q, int kind) {
    struct activity_call call = {.start_ns = whole(q, COLUMN_START), .end_ns = whole(q, COLUMN_END), .correlation = correlation_of(q)};
    (void)kind;
    if (is_untimed(q)) return r->out->activity.integrity.untimed++, NULL;
    call.process = process_of(r, whole(q, COLUMN_GLOBAL));
    call.thread = thread_of(r, whole(q, COLUMN_GLOBAL));
    call.name = call_name_of_id(r, whole(q, COLUMN_NAME));
    return rows_call(&r->rows, &call);
}

static int32_t range_name(struct reading *r, sqlite3_stmt *q) {
    const char *text = (const char *)sqlite3_column_text(q, COLUMN_TEXT);
    if (!text) return name_of_id(r, whole(q, COLUMN_NAME));
    char *clean = mem_copy_string(text);
    rows_clean_text(clean);
    int32_t name = activity_name(&r->out->activity, clean, strlen(clean));
    mem_free(clean);
    return name;
}

/* Pushes with their pops only: marks, domains and what was still open are no ranges, and start/end pairs belong to no
 * thread's nesting. */
static const char *take_range(struct reading *r, sqlite3_stmt *q, int kind) {
    struct activity_range range = {.start_ns = whole(q, COLUMN_START), .end_ns = whole(q, COLUMN_END), .parent = -1};
    if (whole(q, COLUMN_TYPE) != kind || is_null(q, COLUMN_START) || is_null(q, COLUMN_END)) return NULL;
    range.process = process_of(r, whole(q, COLUMN_GLOBAL));
    range.thread = thread_of(r, whole(q, COLUMN_GLOBAL));
    range.name = range_name(r, q);
    return rows_range(&r->rows, &range);
}

#define OP_COLUMNS \
    [COLUMN_START] = {"!start"}, [COLUMN_END] = {"!end"}, [COLUMN_GLOBAL] = {"globalPid"}, [COLUMN_CORRELATION] = {"!correlationId"}, \
    [COLUMN_DEVICE] = {"!deviceId"}, [COLUMN_STREAM] = {"!streamId"}
enum { NVTX_PUSH_POP = 59 };

/* In this order: of operations and of calls, what comes first is the earlier row. */
static const struct table tables[] = {
    {"CUPTI_ACTIVITY_KIND_KERNEL", {OP_COLUMNS, [COLUMN_NAME] = {"!demangledName", "shortName"}, [COLUMN_NODE] = {"graphNodeId"}}, take_op, OP_KERNEL},
    {"CUPTI_ACTIVITY_KIND_MEMCPY", {OP_COLUMNS, [COLUMN_NAME] = {"copyKind"}, [COLUMN_BYTES] = {"!bytes"}, [COLUMN_NODE] = {"graphNodeId"}}, take_op, OP_COPY},
    {"CUPTI_ACTIVITY_KIND_MEMSET", {OP_COLUMNS, [COLUMN_BYTES] = {"bytes"}, [COLUMN_NODE] = {"graphNodeId"}}, take_op, OP_SET},
    {"CUPTI_ACTIVITY_KIND_GRAPH_TRACE", {OP_COLUMNS, [COLUMN_NODE] = {"graphId", "graphExecId"}}, take_op, OP_GRAPH},
    {"CUPTI_ACTIVITY_KIND_RUNTIME", {[COLUMN_START] = {"!start"}, [COLUMN_END] = {"!end"}, [COLUMN_GLOBAL] = {"!globalTid"}, [COLUMN_CORRELATION] = {"!correlationId"},
                                     [COLUMN_NAME] = {"!nameId"}}, take_call, 0},
    {"NVTX_EVENTS", {[COLUMN_START] = {"!start"}, [COLUMN_END] = {"!end"}, [COLUMN_GLOBAL] = {"!globalTid"}, [COLUMN_TYPE] = {"!eventType"}, [COLUMN_TEXT] = {"text"},
                     [COLUMN_NAME] = {"textId"}}, take_range, NVTX_PUSH_POP},
};
enum { N_TABLES = sizeof tables / sizeof *tables };

static enum status missing_column(const struct reading *r, const struct table *t, const char *column, struct error *e) {
    return error_set(
        e, STATUS_UNSUPPORTED,
        "%s: the table %s has no column '%s': schema %s of the export is not one that is known here (up to %d.x); export it with another "
        "version of Nsight Systems",
        r->path, t->name, column, *r->version ? r->version : "without a version", NEWEST_SCHEMA);
}

/* "SELECT "start", "end", …, NULL FROM table ORDER BY rowid": in the order of enum column. */
static enum status build_query(const struct reading *r, const struct table *t, struct text *sql, struct error *e) {
    text_append(sql, "SELECT ");
    for (int c = 0; c < COLUMN_COUNT; c++) {
        const char *const *names = t->columns[c], *found = NULL;
        int is_needed = names[0] && names[0][0] == '!';
        for (int i = 0; i < 3 && names[i] && !found; i++)
            if (has_column(r, t->name, names[i] + (names[i][0] == '!'))) found = names[i] + (names[i][0] == '!');
        if (is_needed && !found) return missing_column(r, t, names[0] + 1, e);
        if (found) text_append(sql, "%s\"%s\"", c ? ", " : "", found);
        else text_append(sql, "%sNULL", c ? ", " : "");
    }
    text_append(sql, " FROM \"%s\" ORDER BY rowid", t->name);
    return STATUS_OK;
}

static enum status read_rows(struct reading *r, const struct table *t, sqlite3_stmt *q, struct error *e) {
    int code;
    for (int64_t row = 1; (code = sqlite3_step(q)) == SQLITE_ROW; row++) {
        const char *problem = t->take(r, q, t->kind);
        if (problem) return error_set(e, STATUS_INPUT, "%s: %s, row %lld: %s; export or record it again", r->path, t->name, (long long)row, problem);
        if (r->progress && row % PROGRESS_ROWS == 0) progress_add(r->progress, PROGRESS_ROWS * r->row_bytes);
    }
    return code == SQLITE_DONE ? STATUS_OK : database_error(r, t->name, e);
}

static enum status read_table(struct reading *r, const struct table *t, struct error *e) {
    struct text sql = {0};
    sqlite3_stmt *q = NULL;
    if (!has_table(r, t->name)) return STATUS_OK;
    enum status s = build_query(r, t, &sql, e);
    if (s == STATUS_OK && sqlite3_prepare_v2(r->db, sql.data, -1, &q, NULL) != SQLITE_OK) s = database_error(r, t->name, e);
    if (s == STATUS_OK) s = read_rows(r, t, q, e);
    sqlite3_finalize(q);
    text_free(&sql);
    return s;
}

/* ---- what it is ---- */

static enum status check_schema(struct reading *r, struct error *e) {
    const char *const from[] = {"META_DATA_EXPORT", "EXPORT_META_DATA"};
    r->version = "";
    for (size_t i = 0; i < 2 && !*r->version; i++) {
        char *sql = mem_printf("SELECT value FROM %s WHERE name = 'EXPORT_SCHEMA_VERSION'", from[i]);
        const char *found = has_table(r, from[i]) ? ask(r, sql, NULL) : NULL;
        if (found) r->version = found;
        mem_free(sql);
    }
    int has_any = 0;
    for (int i = 0; i < N_TABLES; i++) has_any |= has_table(r, tables[i].name);
    if (!has_table(r, "StringIds") || (!has_any && !*r->version))
        return error_set(e, STATUS_INPUT, "%s: a database, but no export of Nsight Systems; make one: nsys export --type sqlite FILE.nsys-rep",
                         r->path);
    if (atoi(r->version) > NEWEST_SCHEMA)
        return error_set(
            e, STATUS_UNSUPPORTED,
            "%s: schema %s of the export is newer than what is known here (up to %d.x); export it with an older version of Nsight Systems", r->path,
            r->version, NEWEST_SCHEMA);
    return STATUS_OK;
}

static void add_environment(struct reading *r, const char *key, const char *value) {
    if (value && *value) imported_environment(r->out, key, value);
}

static void add_gpus(struct reading *r) {
    static const char sql[] = "SELECT group_concat(CASE WHEN n > 1 THEN n || ' x ' ELSE '' END || name, ', ') FROM\n"
                              "(SELECT name, count(*) AS n FROM TARGET_INFO_GPU GROUP BY name)";
    const char *gpus = has_table(r, "TARGET_INFO_GPU") ? ask(r, sql, NULL) : NULL;
    imported_machine(r->out, "gpu", gpus && *gpus ? gpus : "not recorded");
}

/* What the recorder itself complained about in the device's trace. */
static void add_complaint(struct reading *r) {
    static const char sql[] = "SELECT text FROM DIAGNOSTIC_EVENT WHERE text LIKE '%dropped%' OR text LIKE '%events might have been lost%'\n"
                              "OR text LIKE 'Not all CUDA events%' LIMIT 1";
    struct activity_integrity *i = &r->out->activity.integrity;
    const char *text = has_table(r, "DIAGNOSTIC_EVENT") ? ask(r, sql, NULL) : NULL;
    if (text) snprintf(i->reason, sizeof i->reason, "Nsight Systems says: %.120s", text);
}

static void add_recorded(struct reading *r) {
    static const char sql[] = "SELECT utcEpochNs FROM TARGET_INFO_SESSION_START_TIME";
    const char *text = has_table(r, "TARGET_INFO_SESSION_START_TIME") ? ask(r, sql, NULL) : NULL;
    long long start = text ? atoll(text) : 0;
    if (start > 0) r->out->recorded_unix_ns = start;
}

/* The process's id in the system, where there is but one. */
static void add_pid(struct reading *r) {
    const struct activity *a = &r->out->activity;
    for (size_t i = 1; i < a->n_ops; i++)
        if (a->ops[i].process != a->ops[0].process) return;
    r->out->pid = atoll(a->names[a->ops[0].process]) & 0xffffff;
}

static void add_facts(struct reading *r) {
    const char *product = has_table(r, "META_DATA_EXPORT") ? ask(r, "SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_PRODUCT_VERSION'", NULL)
                                                           : NULL;
    add_environment(r, "trace.format", "Nsight Systems export");
    add_environment(r, "trace.schema", r->version);
    add_environment(r, "nsys.version", product);
    add_gpus(r);
    add_complaint(r);
    add_recorded(r);
    add_pid(r);
}

/* From the file's size to a row's share of it; the newest row id is the cheapest count there is. */
static void share_rows(struct reading *r) {
    double rows = 1;
    for (int i = 0; i < N_TABLES; i++) {
        char *sql = mem_printf("SELECT max(rowid) FROM %s", tables[i].name);
        const char *newest = has_table(r, tables[i].name) ? ask(r, sql, NULL) : NULL;
        if (newest) rows += atof(newest);
        mem_free(sql);
    }
    r->row_bytes /= rows;
}

static enum status read_all(struct reading *r, struct error *e) {
    enum status s = open_database(r, e);
    if (s == STATUS_OK) s = check_schema(r, e);
    if (s == STATUS_OK) share_rows(r);
    if (s == STATUS_OK && sqlite3_prepare_v2(r->db, "SELECT value FROM StringIds WHERE id = ?", -1, &r->string, NULL) != SQLITE_OK)
        s = database_error(r, "StringIds", e);
    for (int i = 0; i < N_TABLES && s == STATUS_OK; i++) s = read_table(r, &tables[i], e);
    if (s == STATUS_OK) s = rows_finish(&r->rows, e);
    if (s == STATUS_OK) add_facts(r);
    return s;
}

static enum status read_nsys(const char *path, struct progress *progress, struct imported *out, struct error *e) {
    *out = (struct imported){.recorded_unix_ns = -1, .pid = -1, .rank = -1};
    struct reading r = {.path = path, .out = out, .progress = progress, .rows = {.out = out, .path = path}};
    enum status s = read_all(&r, e);
    sqlite3_finalize(r.string);
    sqlite3_close(r.db);
    rows_free(&r.rows);
    mem_free(r.names);
    if (s != STATUS_OK) imported_free(out);
    return s;
}

const struct importer importer_nsys = {"nsys", "SQLite export of Nsight Systems", read_nsys};
