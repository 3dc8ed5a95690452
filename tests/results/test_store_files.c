/* The file itself: made, refused with one clear reason, brought forward, full, locked, and killed in mid-write. */
#include "check_main.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"
#include "results/store/query.h"
#include "results/store/schema.h"

static struct error open_error(const char *path, enum store_mode mode) {
    struct error e = {0};
    struct store *s = NULL;
    ck_assert_int_eq(store_open(path, mode, &s, &e), STATUS_STORE);
    ck_assert_ptr_null(s);
    return e;
}

#define EXPECT_REFUSED(path, mode, words) \
    do { \
        struct error refused_ = open_error(path, mode); \
        ck_assert_msg(strstr(refused_.text, words) != NULL, "%s", refused_.text); \
    } while (0)

static void write_file(const char *path, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    ck_assert(f && fwrite(data, 1, bytes, f) == bytes && fclose(f) == 0);
}

static struct store *filled(const char *path) {
    struct store *s;
    FIXTURE_OK(store_open(path, STORE_WRITE, &s, e));
    fixture_fill(s);
    return s;
}

static void change(const char *path, const char *sql) {
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t count(struct store *s, const char *sql) {
    int code;
    int64_t n = schema_pragma(store_reader(s), sql, &code);
    ck_assert_int_eq(code, SQLITE_OK);
    return n;
}

START_TEST(a_new_file_is_of_the_newest_version) {
    char *path = fixture_path();
    EXPECT_REFUSED(path, STORE_READ, "there is no database");
    struct store *s = filled(path);
    ck_assert_int_eq(count(s, "PRAGMA user_version"), schema_newest()->version);
    ck_assert_int_eq(count(s, "PRAGMA application_id"), SCHEMA_APPLICATION_ID);
    ck_assert_int_eq(count(s, "PRAGMA foreign_keys"), 1);
    sqlite3_stmt *q = store_query(s, NULL, "PRAGMA journal_mode", "");
    ck_assert(store_next(s, q, NULL) == 1 && strcmp((const char *)sqlite3_column_text(q, 0), "wal") == 0);
    store_done(q);
    store_close(s);
    FIXTURE_OK(store_open(path, STORE_READ, &s, e));
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_run"), 4);
    struct error e = {0};
    struct id run = fixture_id(fixture_runs[0]);
    ck_assert_int_eq(store_warning(s, &run, "no", &e), STATUS_STORE);
    ck_assert_msg(strstr(e.text, "read-only") != NULL, "%s", e.text);
    store_close(s);
    FIXTURE_OK(store_open(path, STORE_WRITE, &s, e)); /* again, with what it holds */
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_run"), 4);
    store_close(s);
    fixture_remove(path);
}
END_TEST

START_TEST(what_is_no_database_of_ours) {
    char *path = fixture_path();
    write_file(path, "this is a text, long enough to be taken for a page of something", 64);
    EXPECT_REFUSED(path, STORE_READ, "is not a database");
    EXPECT_REFUSED(path, STORE_WRITE, "is not a database");
    unlink(path);
    change(path, "CREATE TABLE theirs(x)");
    EXPECT_REFUSED(path, STORE_WRITE, "not one of Assay's");
    EXPECT_REFUSED(path, STORE_READ, "not one of Assay's");
    unlink(path);
    write_file(path, "", 0);
    EXPECT_REFUSED(path, STORE_READ, "is empty");
    struct store *s;
    FIXTURE_OK(store_open(path, STORE_WRITE, &s, e)); /* an empty file may become one */
    store_close(s);
    EXPECT_REFUSED("", STORE_WRITE, "empty");
    EXPECT_REFUSED("/tmp", STORE_WRITE, "is a folder");
    EXPECT_REFUSED("/dev/null", STORE_WRITE, "not a regular file");
    EXPECT_REFUSED("/tmp/assay-no-such-folder/x.db", STORE_WRITE, "folder '/tmp/assay-no-such-folder' does not exist");
    fixture_remove(path);
}
END_TEST

START_TEST(versions) {
    char *path = fixture_path();
    store_close(filled(path));
    change(path, "PRAGMA user_version = 99");
    EXPECT_REFUSED(path, STORE_WRITE, "version 99");
    EXPECT_REFUSED(path, STORE_READ, "use a newer Assay");
    change(path, "PRAGMA user_version = 0");
    EXPECT_REFUSED(path, STORE_READ, "damaged");
    change(path, "PRAGMA user_version = -3");
    EXPECT_REFUSED(path, STORE_WRITE, "damaged");
    fixture_remove(path);
}
END_TEST

/* A made-up second version: a table more, and a view that reads it. */
START_TEST(a_file_is_brought_forward) {
    static const char *const second[] = {"CREATE TABLE extra(run_id TEXT NOT NULL REFERENCES run, x REAL) STRICT",
                                         "CREATE VIEW v_extra AS SELECT run_id, x FROM extra", NULL};
    static const char *const broken[] = {"CREATE TABLE third(x) STRICT", NULL}; /* STRICT wants a type */
    const schema_migration steps[] = {schema_newest()->migrations[0], second, broken};
    const struct schema two = {steps, 2}, three = {steps, 3};
    char *path = fixture_path();
    store_close(filled(path));
    sqlite3 *db;
    struct error e = {0};
    int code;
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(schema_check(db, &two, 1, path, &e), STATUS_OK);
    ck_assert_int_eq(schema_check(db, &two, 2, path, &e), STATUS_STORE); /* not yet */
    ck_assert_int_eq(schema_migrate(db, &two), SQLITE_OK);
    ck_assert_int_eq(schema_pragma(db, "PRAGMA user_version", &code), 2);
    ck_assert_int_eq(schema_pragma(db, "SELECT count(*) FROM v_run", &code), 4);
    e = (struct error){0};
    ck_assert_msg(schema_check(db, &two, 2, path, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(schema_migrate(db, &two), SQLITE_OK); /* nothing left to do */
    ck_assert_int_ne(schema_migrate(db, &three), SQLITE_OK); /* fails as a whole */
    ck_assert_int_eq(schema_pragma(db, "PRAGMA user_version", &code), 2);
    ck_assert_int_eq(sqlite3_get_autocommit(db), 1);
    sqlite3_close(db);
    EXPECT_REFUSED(path, STORE_READ, "version 2");
    fixture_remove(path);
}
END_TEST

START_TEST(a_changed_form_is_refused) {
    char *path = fixture_path();
    store_close(filled(path));
    change(path, "CREATE TABLE mine(x); CREATE INDEX mine_x ON mine(x)");
    struct store *s;
    FIXTURE_OK(store_open(path, STORE_READ, &s, e)); /* what others add does no harm */
    store_close(s);
    change(path, "CREATE TRIGGER bad AFTER INSERT ON run BEGIN DELETE FROM run; END");
    EXPECT_REFUSED(path, STORE_WRITE, "triggers");
    change(path, "DROP TRIGGER bad; DROP VIEW v_op;\n"
           "CREATE VIEW v_op AS WITH RECURSIVE f(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM f) SELECT x FROM f");
    EXPECT_REFUSED(path, STORE_READ, "v_op");
    fixture_remove(path);
}
END_TEST

START_TEST(locked) {
    char *path = fixture_path();
    struct store *s = filled(path);
    sqlite3_busy_timeout(store_reader(s), 20);
    sqlite3 *other;
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    struct error e = {0};
    struct id run = fixture_id(fixture_runs[0]);
    ck_assert_int_eq(store_run_finish(s, &run, RUN_OK, NULL, &e), STATUS_STORE);
    ck_assert_msg(strstr(e.text, "is locked by another program") != NULL, "%s", e.text);
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_run"), 4); /* reading goes on */
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    FIXTURE_OK(store_run_finish(s, &run, RUN_OK, NULL, e));
    sqlite3_close(other);
    store_close(s);
    fixture_remove(path);
}
END_TEST

START_TEST(full) {
    char *path = fixture_path();
    struct store *s;
    FIXTURE_OK(store_open(path, STORE_WRITE, &s, e));
    fixture_begin(s);
    struct id run = fixture_id(fixture_runs[0]);
    int64_t process, kept = 0;
    FIXTURE_OK(store_process_begin(s, &run, &(struct process_record){.block = 0}, &process, e));
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA max_page_count = %lld", (long long)count(s, "PRAGMA page_count") + 4);
    ck_assert_int_eq(sqlite3_exec(store_reader(s), pragma, NULL, NULL, NULL), SQLITE_OK);
    struct error e = {0};
    enum status status = STATUS_OK;
    struct value_record values[64];
    for (int i = 0; i < 64; i++) values[i] = (struct value_record){"itl_ns", i, 1e6};
    for (int i = 0; i < 1000 && status == STATUS_OK; i++, kept += status == STATUS_OK)
        status = store_sample(s, process, &(struct sample_record){i, PHASE_TIMED, 0, 1, values, 64}, &e);
    ck_assert_int_eq(status, STATUS_STORE);
    ck_assert_msg(strstr(e.text, "no room left") != NULL, "%s", e.text);
    ck_assert_int_gt(kept, 0);
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_sample"), kept);
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_metric_sample WHERE metric = 'itl_ns'"),
                     64 * kept); /* none by halves */
    ck_assert_int_eq(sqlite3_exec(store_reader(s), "PRAGMA max_page_count = 1000000", NULL, NULL, NULL), SQLITE_OK);
    FIXTURE_OK(store_sample(s, process, &(struct sample_record){(int)kept, PHASE_TIMED, 0, 1, values, 64}, e));
    store_close(s);
    fixture_remove(path);
}
END_TEST

/* A child that stores samples and says so is killed at an arbitrary moment: every sample it spoke of is there. */
static void die_writing(const char *path, int to) {
    struct store *s;
    struct error e = {0};
    int64_t process;
    struct id run = fixture_id(fixture_runs[0]);
    if (store_open(path, STORE_WRITE, &s, &e) != STATUS_OK) _exit(1);
    if (store_process_begin(s, &run, &(struct process_record){.block = 0}, &process, &e) != STATUS_OK) _exit(1);
    for (int i = 0;; i++) {
        const struct value_record values[] = {{"e2e_ns", 0, i}, {"itl_ns", 1, i}, {"itl_ns", 2, i}};
        if (store_sample(s, process, &(struct sample_record){i, PHASE_TIMED, i, i, values, 3}, &e) != STATUS_OK)
            _exit(1);
        if (write(to, &i, sizeof i) != sizeof i) _exit(1);
    }
}

START_TEST(a_finished_sample_survives_a_kill) {
    for (int round = 0; round < 8; round++) {
        char *path = fixture_path();
        struct store *s;
        FIXTURE_OK(store_open(path, STORE_WRITE, &s, e));
        fixture_begin(s);
        store_close(s);
        int ends[2], spoken = -1, last = -1, code;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) die_writing(path, ends[1]);
        close(ends[1]);
        while (spoken < 20 + 7 * round) ck_assert_int_eq(read(ends[0], &spoken, sizeof spoken), sizeof spoken);
        usleep((useconds_t)(137 * round));
        kill(pid, SIGKILL);
        while (read(ends[0], &last, sizeof last) == sizeof last) spoken = last;
        waitpid(pid, &code, 0);
        ck_assert(WIFSIGNALED(code));
        FIXTURE_OK(store_open(path, round % 2 ? STORE_WRITE : STORE_READ, &s, e));
        int64_t stored = count(s, "SELECT count(*) FROM v_sample");
        ck_assert_msg(stored == spoken + 1 || stored == spoken + 2, "%lld stored, %d spoken", (long long)stored,
                      spoken + 1);
        ck_assert_int_eq(count(s, "SELECT count(*) FROM v_metric_sample WHERE metric <> 'wall_ns'"), 3 * stored);
        ck_assert_int_eq(count(s, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
        store_close(s);
        close(ends[0]);
        fixture_remove(path);
    }
}
END_TEST

/* As somebody who may only read (root may everything): runs `body` in a child without rights. */
static int as_nobody(void (*body)(const char *), const char *path) {
    fflush(NULL);
    pid_t pid = fork();
    int code = -1;
    if (pid == 0) {
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(1);
        body(path);
        _exit(0);
    }
    waitpid(pid, &code, 0);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static void read_and_fail_to_write(const char *path) {
    struct store *s = NULL;
    struct error e = {0};
    if (store_open(path, STORE_READ, &s, &e) != STATUS_OK) {
        fprintf(stderr, "reading: %s\n", e.text);
        _exit(2);
    }
    int code;
    if (schema_pragma(store_reader(s), "SELECT count(*) FROM v_run", &code) != 4) _exit(3);
    store_close(s);
    if (store_open(path, STORE_WRITE, &s, &e) != STATUS_STORE || !strstr(e.text, "read-only")) {
        fprintf(stderr, "writing: %s\n", e.text);
        _exit(4);
    }
}

START_TEST(read_only) {
    char *path = fixture_path();
    store_close(filled(path));
    char *folder = mem_printf("%.*s", (int)(strrchr(path, '/') - path), path);
    ck_assert(chmod(path, 0444) == 0 && chmod(folder, 0555) == 0);
    ck_assert_int_eq(as_nobody(read_and_fail_to_write, path), 0);
    chmod(folder, 0755);
    mem_free(folder);
    fixture_remove(path);
}
END_TEST

/* Pages cut off or overwritten: an error or the rows, never a crash. */
START_TEST(damaged) {
    char *path = fixture_path();
    store_close(filled(path));
    FILE *f = fopen(path, "rb");
    char *bytes = mem_alloc(1 << 22);
    size_t n = fread(bytes, 1, 1 << 22, f);
    fclose(f);
    write_file(path, bytes, n / 2);
    struct store *s;
    struct error e = {0};
    enum status status = store_open(path, STORE_READ, &s, &e);
    if (status == STATUS_OK) {
        struct run_list list;
        status = store_list_runs(s, NULL, 0, &list, &e);
        if (status == STATUS_OK) run_list_free(&list);
        store_close(s);
    }
    ck_assert_int_eq(status, STATUS_STORE);
    ck_assert_msg(strstr(e.text, "damaged") != NULL, "%s", e.text);
    memset(bytes + 100, 0xA5, 900);
    write_file(path, bytes, n);
    EXPECT_REFUSED(path, STORE_WRITE, "damaged");
    mem_free(bytes);
    fixture_remove(path);
}
END_TEST

/* The fuzz target's seed must stay a valid file of this version, else the target would test the refusal only. */
START_TEST(the_fuzz_seed_opens) {
    struct store *s;
    FIXTURE_OK(store_open(ASSAY_SOURCE_DIR "/tests/fuzz/corpus/store/experiment.db", STORE_READ, &s, e));
    ck_assert_int_eq(count(s, "SELECT count(*) FROM v_run"), 4);
    store_close(s);
}
END_TEST

TEST_MAIN("results.store_files", a_new_file_is_of_the_newest_version, what_is_no_database_of_ours, versions,
          a_file_is_brought_forward, a_changed_form_is_refused, locked, full, a_finished_sample_survives_a_kill,
          read_only, damaged,
          the_fuzz_seed_opens)
