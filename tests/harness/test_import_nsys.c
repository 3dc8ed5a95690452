/* Exports of Nsight Systems, made by hand: what is read from good ones, and the one clear error of each bad one. */
#include "check_main.h"
#include "harness/attribution/join.h"
#include "harness/import/import.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/assay-test-XXXXXX";
__attribute__((constructor)) static void before(void) { close(mkstemp(path)); }
__attribute__((destructor)) static void after(void) { unlink(path); }

#define STRINGS "CREATE TABLE StringIds(id INTEGER PRIMARY KEY, value TEXT); INSERT INTO StringIds VALUES(1, 'gemm<int>'), (2, 'cudaLaunchKernel_v7000'), (3, 'step')," \
                "(4, 'cudaMemcpy_v3020_ptsz'), (5, 'cuGraphLaunch'), (7, 'bad' || char(10) || x'ff');"
#define VERSION(v) "CREATE TABLE META_DATA_EXPORT(name TEXT, value TEXT); INSERT INTO META_DATA_EXPORT VALUES('EXPORT_SCHEMA_VERSION', '" v "');"
#define KERNELS "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL(start INT, \"end\" INT, deviceId INT, streamId INT, correlationId INT, globalPid INT, demangledName INT, graphNodeId INT);"
#define CALLS "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME(start INT, \"end\" INT, globalTid INT, correlationId INT, nameId INT);"
#define RANGES "CREATE TABLE NVTX_EVENTS(start INT, \"end\" INT, eventType INT, globalTid INT, text TEXT, textId INT);"
#define A_KERNEL "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(100, 200, 0, 7, 9, 16777216 * 5, 1, NULL);"

static void write_export(const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    unlink(path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s", message);
    sqlite3_close(db);
}

static void write_bytes(const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fwrite(bytes, 1, n, f);
    fclose(f);
}

static void read_good(const char *sql, struct imported *out) {
    struct error e = {0};
    write_export(sql);
    ck_assert_msg(importer_nsys.read(path, NULL, out, &e) == STATUS_OK, "%s", e.text);
}

/* Two processes with the same correlation; the twin of an API row; a range as text and one by id. */
START_TEST(rows_are_joined_by_process) {
    struct imported x;
    read_good(STRINGS VERSION("3.25.0") KERNELS CALLS RANGES A_KERNEL
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(300, 400, 1, 7, 9, 16777216 * 6, 8, 77);"
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES(52, 60, 16777216 * 5 + 3, 9, 2), (50, 61, 16777216 * 5 + 3, 9, 2), (10, 20, 16777216 * 6 + 4, 9, 4);"
        "INSERT INTO NVTX_EVENTS VALUES(40, 70, 59, 16777216 * 5 + 3, 'outer', NULL), (45, 60, 59, 16777216 * 5 + 3, NULL, 3), (0, NULL, 59, 1, 'open', NULL),"
        "(0, 9, 60, 1, 'pair', NULL), (5, NULL, 34, 1, 'mark', NULL), (0, 1, 59, 16777216 * 6 + 4, NULL, 7);", &x);
    struct activity *a = &x.activity;
    activity_join(a);
    ck_assert_uint_eq(a->n_ops, 2);
    ck_assert_uint_eq(a->n_ranges, 3);
    ck_assert_int_eq(a->calls[a->ops[0].call].start_ns, 50);
    ck_assert_str_eq(a->names[a->calls[a->ops[0].call].name], "cudaLaunchKernel");
    ck_assert_str_eq(a->names[a->ranges[a->ops[0].range].name], "step");
    ck_assert_int_eq(a->calls[a->ops[1].call].start_ns, 10);
    ck_assert_int_eq(a->calls[a->ops[1].call].is_blocking, 1);
    ck_assert_str_eq(a->names[a->ops[0].name], "gemm<int>");
    ck_assert_str_eq(a->names[a->ops[1].name], "?8"); /* an id without a text */
    ck_assert_int_eq(a->ops[1].is_in_graph, 1);
    ck_assert_int_eq(x.pid, -1);
    imported_free(&x);
}
END_TEST

START_TEST(texts_are_made_printable) {
    struct imported x;
    read_good(STRINGS VERSION("3.1.0") KERNELS RANGES A_KERNEL
              "INSERT INTO NVTX_EVENTS VALUES(0, 1, 59, 1, NULL, 7), (0, 2, 59, 1, 'tab' || char(9), NULL);",
              &x);
    ck_assert_str_eq(x.activity.names[x.activity.ranges[0].name], "bad ?");
    ck_assert_str_eq(x.activity.names[x.activity.ranges[1].name], "tab ");
    ck_assert_int_eq(x.pid, 5);
    imported_free(&x);
}
END_TEST

/* A graph traced as a whole is one operation; copies are named by the export's own words. */
START_TEST(graphs_and_copies) {
    struct imported x;
    read_good(STRINGS VERSION("3.13.2")
        "CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE(start INT, \"end\" INT, deviceId INT, graphId INT, streamId INT, correlationId INT, globalPid INT);"
        "INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES(100, 250, 0, 12, 7, 9, 16777216 * 5);"
        "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY(start INT, \"end\" INT, deviceId INT, streamId INT, correlationId INT, globalPid INT, bytes INT, copyKind INT);"
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES(1, 2, 0, 7, 0, 0, 4096, 1), (3, 4, 0, 7, 0, 0, 1, 99);"
        "CREATE TABLE ENUM_CUDA_MEMCPY_OPER(id INT, name TEXT, label TEXT); INSERT INTO ENUM_CUDA_MEMCPY_OPER VALUES(1, 'HTOD', 'Host-to-Device');"
        "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET(start INT, \"end\" INT, deviceId INT, streamId INT, correlationId INT, globalPid INT, bytes INT);"
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES(5, 6, 0, 7, 4, 0, 16);" CALLS
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES(50, 60, 16777216 * 5 + 1, 9, 5);", &x);
    struct activity *a = &x.activity;
    activity_join(a);
    ck_assert_uint_eq(a->n_ops, 4);
    ck_assert_str_eq(a->names[a->ops[0].name], "Memcpy Host-to-Device");
    ck_assert_int_eq(a->ops[0].correlation, -1);
    ck_assert_str_eq(a->names[a->ops[1].name], "Memcpy 99");
    ck_assert_str_eq(a->names[a->ops[2].name], "Memset");
    ck_assert_str_eq(a->names[a->ops[3].name], "CUDA graph 12");
    ck_assert_int_eq(a->ops[3].is_in_graph, 1);
    ck_assert_int_eq(a->calls[a->ops[3].call].is_graph_launch, 1);
    imported_free(&x);
}
END_TEST

START_TEST(facts_and_complaints) {
    struct imported x;
    read_good(STRINGS VERSION("3.13.2") KERNELS A_KERNEL "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(0, 0, 0, 7, 9, 0, 1, NULL);"
        "CREATE TABLE TARGET_INFO_GPU(name TEXT); INSERT INTO TARGET_INFO_GPU VALUES('NVIDIA A'), ('NVIDIA A'), ('NVIDIA B');"
        "CREATE TABLE TARGET_INFO_SESSION_START_TIME(utcEpochNs INT); INSERT INTO TARGET_INFO_SESSION_START_TIME VALUES(1696392839587175550);"
        "CREATE TABLE DIAGNOSTIC_EVENT(text TEXT); INSERT INTO DIAGNOSTIC_EVENT VALUES('fine'), ('7 events were dropped');", &x);
    ck_assert_str_eq(x.machine[0].value, "2 x NVIDIA A, NVIDIA B");
    ck_assert_int_eq(x.recorded_unix_ns, 1696392839587175550);
    ck_assert_int_eq(x.activity.integrity.untimed, 1);
    ck_assert_str_eq(x.activity.integrity.reason, "Nsight Systems says: 7 events were dropped");
    imported_free(&x);
}
END_TEST

START_TEST(bad_exports_have_one_clear_error) {
    static const struct {
        const char *sql, *words;
        enum status status;
    } cases[] = {
        {"CREATE TABLE t(x)", "a database, but no export of Nsight Systems", STATUS_INPUT},
        {STRINGS VERSION("4.2.0") KERNELS A_KERNEL, "schema 4.2.0 of the export is newer than what is known here (up to 3.x)", STATUS_UNSUPPORTED},
        {STRINGS VERSION("3.99.1") "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL(start INT, \"end\" INT, correlationId INT, streamId INT, demangledName INT);",
         "CUPTI_ACTIVITY_KIND_KERNEL has no column 'deviceId': schema 3.99.1", STATUS_UNSUPPORTED},
        {STRINGS VERSION("3.13.2") KERNELS, "holds no device operation", STATUS_INPUT},
        {STRINGS VERSION("3.13.2"), "holds no device operation", STATUS_INPUT},
        {STRINGS KERNELS A_KERNEL "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(200, 100, 0, 7, 9, 0, 1, 0);", "CUPTI_ACTIVITY_KIND_KERNEL, row 2: it ends before it starts", STATUS_INPUT},
        {STRINGS KERNELS "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(1, 9223372036854775807, 0, 7, 9, 0, 1, 0);", "row 1: its time is not one that a clock can have", STATUS_INPUT},
        {STRINGS KERNELS A_KERNEL "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(1696392839587175550, 1696392839587175551, 0, 7, 9, 0, 1, 0);", "days apart", STATUS_INPUT},
        {STRINGS "CREATE VIEW CUPTI_ACTIVITY_KIND_KERNEL AS SELECT 1 AS start, 2 AS \"end\";", "no export of Nsight Systems", STATUS_INPUT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct imported x;
        struct error e = {0};
        write_export(cases[i].sql);
        enum status s = importer_nsys.read(path, NULL, &x, &e);
        ck_assert_msg(s == cases[i].status, "case %zu: %d %s", i, (int)s, e.text);
        ck_assert_msg(strstr(e.text, cases[i].words) != NULL && strstr(e.text, path) != NULL, "case %zu: %s", i, e.text);
    }
}
END_TEST

START_TEST(what_is_no_database_is_said) {
    struct imported x;
    struct error e = {0};
    char bytes[8192];
    memset(bytes, 'x', sizeof bytes);
    write_bytes(bytes, sizeof bytes);
    ck_assert_int_eq(importer_nsys.read(path, NULL, &x, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "no SQLite database; export the report first"));
    e = (struct error){0};
    ck_assert_int_eq(importer_nsys.read("/nonexistent.sqlite", NULL, &x, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "No such file"));
}
END_TEST

/* Cut at many places: refused with words, never a crash. */
START_TEST(cut_exports_are_refused) {
    struct imported x;
    write_export(STRINGS VERSION("3.13.2") KERNELS CALLS A_KERNEL
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL SELECT 1000 + i * 10, 1005 + i * 10, 0, 7, i, 0, 1, 0 FROM n;");
    FILE *f = fopen(path, "rb");
    char *bytes = mem_alloc(1 << 20);
    size_t n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    for (size_t cut = 100; cut < n; cut += n / 23) {
        struct error e = {0};
        write_bytes(bytes, cut);
        enum status s = importer_nsys.read(path, NULL, &x, &e);
        ck_assert_msg(s == STATUS_INPUT && strstr(e.text, path), "cut at %zu of %zu: %s", cut, n, e.text);
    }
    mem_free(bytes);
}
END_TEST

TEST_MAIN("import_nsys", rows_are_joined_by_process, texts_are_made_printable, graphs_and_copies, facts_and_complaints,
          bad_exports_have_one_clear_error, what_is_no_database_is_said, cut_exports_are_refused)
