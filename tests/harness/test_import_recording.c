/* Recordings of several processes as one trace: whose call, whose range, which GPU; and what is not believed. */
#include "check_main.h"
#include "harness/attribution/join.h"
#include "harness/import/import.h"
#include "kernels/activity_file.h"
#include "kernels/cuda/recorder.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/assay-test-XXXXXX";
static int n_files;

static void remove_files(void) {
    for (; n_files > 0; n_files--) {
        char path[128];
        snprintf(path, sizeof path, "%s/%d.recording", folder, n_files - 1);
        unlink(path);
    }
}
__attribute__((constructor)) static void before(void) {
    if (!mkdtemp(folder)) abort();
}
__attribute__((destructor)) static void after(void) {
    remove_files();
    rmdir(folder);
}

/* ---- a process: one range, one call, one operation in it, all with correlation 5 ---- */

static int32_t name(struct activity *a, const char *text) { return activity_name(a, text, strlen(text)); }

static void fill(struct activity *a, const char *range, int64_t start_ns) {
    *activity_add_range(a) = (struct activity_range){.start_ns = start_ns, .end_ns = start_ns + 100, .thread = 9, .name = name(a, range)};
    *activity_add_call(a) = (struct activity_call){.start_ns = start_ns + 10, .end_ns = start_ns + 20, .correlation = 5, .thread = 9, .name = name(a, "cuLaunchKernel")};
    *activity_add_op(a) = (struct activity_op){.start_ns = start_ns + 30, .end_ns = start_ns + 60, .correlation = 5, .name = name(a, "gemm\n")};
    *activity_add_owner(a) = (struct activity_owner){5, recorder_owner(1, 0)};
}

static void add_device(struct activity *a, int32_t device, int uuid) {
    struct activity_device *d = activity_add_device(a);
    d->device = device;
    d->name = name(a, "GPU Z");
    memset(d->uuid, uuid, sizeof d->uuid);
}

static void write_file(struct activity *a, const char *pid, int is_last) {
    char path[128];
    struct error e = {0};
    const struct activity_fact facts[] = {{name(a, "pid"), name(a, pid)}, {name(a, "command"), name(a, "/usr/bin/prog x")}, {name(a, "driver"), name(a, "580.1")}};
    snprintf(path, sizeof path, "%s/%d.recording", folder, n_files++);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(activity_file_begin(file, &e), STATUS_OK);
    ck_assert_int_eq(activity_file_put(file, &(struct activity_piece){.activity = a, .facts = facts, .n_facts = 3, .is_last = is_last}, &e), STATUS_OK);
    close(file);
    activity_free(a);
}

static void read_folder(struct imported *x) {
    struct error e = {0};
    ck_assert_msg(importer_recording.read(folder, NULL, x, &e) == STATUS_OK, "%s", e.text);
    activity_join(&x->activity);
    remove_files();
}

static const char *range_of(const struct activity *a, size_t op) { return a->names[a->ranges[a->ops[op].range].name]; }
static const char *fact(const struct fact *list, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].key, key) == 0) return list[i].value;
    return "";
}

START_TEST(correlations_and_ranges_are_a_process_s) {
    struct activity first = {0}, second = {0};
    struct imported x;
    fill(&first, "one", 1000);
    fill(&second, "two", 2000);
    write_file(&first, "11", 1);
    write_file(&second, "12", 1);
    read_folder(&x);
    const struct activity *a = &x.activity;
    ck_assert_uint_eq(a->n_ops, 2);
    ck_assert_str_eq(range_of(a, 0), "one");
    ck_assert_str_eq(range_of(a, 1), "two");
    ck_assert_int_eq(a->calls[a->ops[1].call].start_ns, 2010);
    ck_assert_int_ne(a->calls[0].thread, a->calls[1].thread);
    ck_assert_int_eq(a->calls[0].thread, a->ranges[0].thread);
    ck_assert_str_eq(a->names[a->ops[0].name], "gemm ");
    ck_assert_int_eq(x.pid, -1);
    ck_assert_str_eq(fact(x.environment, x.n_environment, "trace.processes"), "2");
    ck_assert_str_eq(fact(x.environment, x.n_environment, "gpu.driver"), "580.1");
    ck_assert_str_eq(fact(x.machine, x.n_machine, "gpu"), "not recorded");
    ck_assert_str_eq(a->integrity.reason, "");
    imported_free(&x);
}
END_TEST

/* Each process calls its GPU 0; what it is says the UUID. A GPU without work is no machine's. */
START_TEST(gpus_are_known_by_uuid) {
    static const int uuids[] = {7, 8, 7, 9};
    static const int32_t numbers[] = {0, 1, 0, 2};
    struct imported x;
    for (int i = 0; i < 4; i++) {
        struct activity a = {0};
        fill(&a, "r", 1000 * i);
        add_device(&a, 0, uuids[i]);
        if (i == 0) add_device(&a, 3, 50);
        write_file(&a, "11", 1);
    }
    read_folder(&x);
    for (size_t i = 0; i < 4; i++) ck_assert_int_eq(x.activity.ops[i].device, numbers[i]);
    ck_assert_str_eq(fact(x.machine, x.n_machine, "gpu"), "3 x GPU Z");
    imported_free(&x);
}
END_TEST

START_TEST(troubles_are_named_and_counted) {
    struct activity whole = {0}, cut = {0}, other = {0};
    struct imported x;
    fill(&whole, "r", 0);
    write_file(&whole, "11", 1);
    fill(&cut, "r", 0);
    cut.integrity.untimed = 2;
    write_file(&cut, "12", 0);
    strcpy(other.integrity.reason, "another tool\tis there");
    write_file(&other, "13", 1);
    read_folder(&x);
    ck_assert_int_eq(x.activity.integrity.untimed, 2);
    ck_assert_msg(strstr(x.activity.integrity.reason, "prog (process 12): its recording has no end"), "%s", x.activity.integrity.reason);
    ck_assert_msg(strstr(x.activity.integrity.reason, "; 1 other processes"), "%s", x.activity.integrity.reason);
    imported_free(&x);
}
END_TEST

/* A range that was lost with its file's end owns nothing. */
START_TEST(owners_beyond_the_file_own_nothing) {
    struct activity a = {0};
    struct imported x;
    fill(&a, "r", 0);
    a.owners[0].owner = recorder_owner(2, 0);
    write_file(&a, "11", 0);
    fill(&a, "r", 1000);
    write_file(&a, "12", 1);
    read_folder(&x);
    ck_assert_int_eq(x.activity.ops[0].range, -1);
    ck_assert_str_eq(range_of(&x.activity, 1), "r");
    imported_free(&x);
}
END_TEST

static void assert_error(const char *words) {
    struct imported x;
    struct error e = {0};
    ck_assert_int_eq(importer_recording.read(folder, NULL, &x, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, words) != NULL, "'%s' lacks '%s'", e.text, words);
    remove_files();
}

START_TEST(errors_say_what) {
    struct activity a = {0};
    assert_error("the folder holds no recording");
    write_file(&a, "11", 1);
    assert_error("CUDA was started, but no kernel, copy or fill ran");
    strcpy(a.integrity.reason, "no permission");
    write_file(&a, "11", 1);
    assert_error("no work of a GPU was recorded: prog (process 11): no permission");
    fill(&a, "r", INT64_C(1) << 62);
    write_file(&a, "11", 1);
    assert_error("0.recording: range 1: its time is not one that a clock can have");
    fill(&a, "r", 0);
    a.ops[0].bytes = -1;
    write_file(&a, "11", 1);
    assert_error("operation 1: it moves an impossible number of bytes");
    for (int i = 0; i < 300; i++) add_device(&a, i, 1 + i % 200);
    write_file(&a, "11", 1);
    assert_error("device 257: there are more than 256");
}
END_TEST

TEST_MAIN("import_recording", correlations_and_ranges_are_a_process_s, gpus_are_known_by_uuid, troubles_are_named_and_counted,
          owners_beyond_the_file_own_nothing, errors_say_what)
