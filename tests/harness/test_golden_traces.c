/* Every case of golden/traces: verify is the test. A reference that is off by a nanosecond must fail. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "harness/verify/traces.h"
#include "kernels/base/file.h"
#include "kernels/base/memory.h"

static int verify(const char *folder, int as_json) {
    struct error e = {0};
    int n_failed = -1;
    FILE *sink = fopen("/dev/null", "w");
    const struct verify_traces_request q = {folder, as_json};
    enum status s = verify_traces(&q, sink, &n_failed, &e);
    fclose(sink);
    ck_assert_msg(s == STATUS_OK, "%s: %s", folder, e.text);
    return n_failed;
}

START_TEST(every_trace_is_equal) {
    ck_assert_int_eq(verify(ASSAY_GOLDEN_DIR "/traces", 0), 0);
    ck_assert_int_eq(verify(ASSAY_GOLDEN_DIR "/traces/bert_eager_h100", 1), 0);
}
END_TEST

/* ---- spoilt references ---- */

static char folder[] = "/tmp/assay-test-XXXXXX";

static char *path_of(const char *name) { return mem_printf("%s/%s", folder, name); }

static void write_bytes(const char *name, const char *bytes, size_t n) {
    char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
    mem_free(path);
}

static char *read_golden(const char *name, size_t *n) {
    struct error e = {0};
    char *bytes, *path = mem_printf("%s/traces/event_sync_a100/%s", ASSAY_GOLDEN_DIR, name);
    ck_assert_msg(file_read(path, 1 << 24, &bytes, n, &e) == STATUS_OK, "%s", e.text);
    mem_free(path);
    return bytes;
}

static void copy_golden(const char *name) {
    size_t n;
    char *bytes = read_golden(name, &n);
    write_bytes(name, bytes, n);
    mem_free(bytes);
}

static void copy_case(void) {
    copy_golden("trace.json.gz");
    copy_golden("expected.json");
    copy_golden("expected.safetensors");
}

START_TEST(a_nanosecond_is_a_difference) {
    size_t n;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    copy_case();
    ck_assert_int_eq(verify(folder, 0), 0);
    char *tensors = read_golden("expected.safetensors", &n);
    tensors[n - 8] ^= 1; /* the last number of the file, by one */
    write_bytes("expected.safetensors", tensors, n);
    ck_assert_int_eq(verify(folder, 0), 1);
    mem_free(tensors);
    copy_case();
    char *facts = read_golden("expected.json", &n), *busy = strstr(facts, "\"busy_ns\": ");
    ck_assert_ptr_nonnull(busy);
    busy += strcspn(busy, "0123456789");
    busy += strspn(busy, "0123456789") - 1;
    *busy = *busy == '9' ? '8' : (char)(*busy + 1);
    write_bytes("expected.json", facts, n);
    ck_assert_int_gt(verify(folder, 0), 0);
    mem_free(facts);
}
END_TEST

START_TEST(a_folder_without_a_trace_is_an_error) {
    struct error e = {0};
    int n_failed;
    const struct verify_traces_request missing = {"/nonexistent", 0}, other = {ASSAY_GOLDEN_DIR "/llm/mha", 0}, none = {ASSAY_SOURCE_DIR "/plots", 0};
    ck_assert_int_eq(verify_traces(&missing, stdout, &n_failed, &e), STATUS_INPUT);
    e = (struct error){0};
    ck_assert_int_eq(verify_traces(&other, stdout, &n_failed, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "trace.json.gz"));
    e = (struct error){0};
    ck_assert_int_eq(verify_traces(&none, stdout, &n_failed, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "expected.json"));
}
END_TEST

static void skip_without_golden(void) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/traces")) SKIP_TEST_PROGRAM("the golden references are not beside this checkout");
}
__attribute__((constructor)) static void before(void) { skip_without_golden(); }

static void remove_folder(void) {
    static const char *const names[] = {"trace.json.gz", "expected.json", "expected.safetensors", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_of(names[i]);
        remove(path);
        mem_free(path);
    }
}
__attribute__((destructor)) static void after(void) { remove_folder(); }

TEST_MAIN("golden_traces", every_trace_is_equal, a_nanosecond_is_a_difference, a_folder_without_a_trace_is_an_error)
