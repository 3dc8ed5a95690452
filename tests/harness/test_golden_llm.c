/* Every case of golden/llm on the judge and on the cpu, in f32 and bf16, plain and with optimizers: verify is the
 * test. A deliberately wrong model must fail. */
#include <string.h>

#include "check_main.h"
#include "harness/verify/verify.h"

static const char *const cases[] = {"mha", "gqa", "sharded", "tied"};
enum { N_CASES = sizeof cases / sizeof *cases };

static int verify(const char *folder, const char *model, const char *backend, enum dtype dtype, const char *const *opts, int threads) {
    struct error e = {0};
    struct arena a = {0};
    char path[512], from[512];
    int n_failed = -1;
    struct verify_request q = {.folder = path, .spec = {.workload = "llm", .backend = backend, .dtype = dtype, .threads = threads}};
    snprintf(path, sizeof path, "%s/llm/%s", ASSAY_GOLDEN_DIR, folder);
    snprintf(from, sizeof from, "%s/llm/%s", ASSAY_GOLDEN_DIR, model ? model : folder);
    if (model) q.spec.model = from;
    for (int i = 0; opts && opts[i]; i++) ck_assert_int_eq(optimizer_parse(opts[i], &a, &q.spec.uses[q.spec.n_uses++], &e), STATUS_OK);
    FILE *sink = fopen("/dev/null", "w");
    enum status s = verify_llm(&q, sink, &n_failed, &e);
    fclose(sink);
    arena_free(&a);
    ck_assert_msg(s == STATUS_OK, "%s %s: %s", folder, backend, e.text);
    return n_failed;
}

static const char *const both[] = {"attention", "fusion", NULL};

START_TEST(the_judge_agrees) {
    for (int i = 0; i < N_CASES; i++) {
        ck_assert_msg(verify(cases[i], NULL, "reference", DTYPE_F32, NULL, 0) == 0, "%s", cases[i]);
        ck_assert_msg(verify(cases[i], NULL, "reference", DTYPE_F32, both, 0) == 0, "%s, optimized", cases[i]);
    }
}
END_TEST

START_TEST(the_cpu_agrees_in_f32) {
    for (int i = 0; i < N_CASES; i++)
        for (int threads = 1; threads <= 3; threads++) {
            ck_assert_msg(verify(cases[i], NULL, "cpu", DTYPE_F32, NULL, threads) == 0, "%s, %d threads", cases[i], threads);
            ck_assert_msg(verify(cases[i], NULL, "cpu", DTYPE_F32, both, threads) == 0, "%s, optimized, %d threads", cases[i], threads);
        }
}
END_TEST

START_TEST(the_cpu_agrees_in_bf16) {
    for (int i = 0; i < N_CASES; i++) {
        ck_assert_msg(verify(cases[i], NULL, "cpu", DTYPE_BF16, NULL, 2) == 0, "%s", cases[i]);
        ck_assert_msg(verify(cases[i], NULL, "cpu", DTYPE_BF16, both, 2) == 0, "%s, optimized", cases[i]);
    }
}
END_TEST

START_TEST(another_model_fails) { ck_assert_int_gt(verify("gqa", "sharded", "reference", DTYPE_F32, NULL, 0), 0); }
END_TEST

static void skip_without_golden(void) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/llm")) SKIP_TEST_PROGRAM("the golden references are not beside this checkout");
}
__attribute__((constructor)) static void before(void) { skip_without_golden(); }

TEST_MAIN("golden_llm", the_judge_agrees, the_cpu_agrees_in_f32, the_cpu_agrees_in_bf16, another_model_fails)
