/* Every case of golden/quantize: verify is the test. A code that is off by one must fail, but where it is fragile. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "harness/verify/quantize.h"

static int verify(const char *folder, int as_json) {
    struct error e = {0};
    int n_failed = -1;
    FILE *sink = fopen("/dev/null", "w");
    const struct verify_quantize_request q = {.folder = folder, .as_json = as_json};
    enum status s = verify_quantize(&q, sink, &n_failed, &e);
    fclose(sink);
    ck_assert_msg(s == STATUS_OK, "%s: %s", folder, e.text);
    return n_failed;
}

START_TEST(every_case_agrees) {
    static const char *const cases[] = {"normal", "heavy", "outliers", "integer", "pruning"};
    ck_assert_int_eq(verify(ASSAY_GOLDEN_DIR "/quantize", 0), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = mem_printf("%s/quantize/%s", ASSAY_GOLDEN_DIR, cases[i]);
        ck_assert_int_eq(verify(folder, 1), 0);
        mem_free(folder);
    }
}
END_TEST

/* ---- spoilt references ---- */

static char folder[] = "/tmp/assay-test-XXXXXX";

static void write_file(const char *name, const char *bytes, size_t n) {
    char *path = mem_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
    mem_free(path);
}

static char *read_golden(const char *one, const char *name, size_t *n) {
    struct error e = {0};
    char *bytes, *path = mem_printf("%s/quantize/%s/%s", ASSAY_GOLDEN_DIR, one, name);
    ck_assert_msg(file_read(path, 1 << 24, &bytes, n, &e) == STATUS_OK, "%s", e.text);
    mem_free(path);
    return bytes;
}

/* Element i of a tensor of a case, changed by one, in a copy of it. Returns what fails then. */
static int verify_spoilt(const char *one, const char *tensor, int64_t i) {
    size_t n_facts, n;
    struct error e = {0};
    struct checkpoint c;
    char *facts = read_golden(one, "expected.json", &n_facts), *bytes = read_golden(one, "expected.safetensors", &n);
    char *path = mem_printf("%s/quantize/%s/expected.safetensors", ASSAY_GOLDEN_DIR, one);
    ck_assert_msg(safetensors_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    const struct checkpoint_tensor *t = checkpoint_find(&c, tensor);
    ck_assert_ptr_nonnull(t);
    bytes[(const uint8_t *)t->data - c.files[0].data + i * (int64_t)dtype_bytes(t->dtype)] ^= 1;
    write_file("expected.json", facts, n_facts);
    write_file("expected.safetensors", bytes, n);
    checkpoint_close(&c);
    mem_free(facts);
    mem_free(bytes);
    mem_free(path);
    return verify(folder, 0);
}

START_TEST(one_unit_is_a_difference) {
    static const char *const spoilt[][2] = {{"normal", "out.b4.g64.axis0.hqq.codes"}, {"heavy", "out.b3.g16.axis1.hqq.packed"}, {"outliers", "out.b2.g64.axis1.rtn.codes"},
                                            {"pruning", "out.wanda.row.0.7"}, {"pruning", "out.magnitude.2of4"}, {"integer", "out.int8.activation.codes"}};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) ck_assert_msg(verify_spoilt(spoilt[i][0], spoilt[i][1], 3) > 0, "%s", spoilt[i][1]);
}
END_TEST

static void skip_without_golden(void) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/quantize")) SKIP_TEST_PROGRAM("the golden references are not beside this checkout");
}
__attribute__((constructor)) static void before(void) { skip_without_golden(); }

static void remove_folder(void) {
    static const char *const names[] = {"expected.json", "expected.safetensors", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = mem_printf("%s/%s", folder, names[i]);
        remove(path);
        mem_free(path);
    }
}
__attribute__((destructor)) static void after(void) { remove_folder(); }

TEST_MAIN("golden_quantize", every_case_agrees, one_unit_is_a_difference)
