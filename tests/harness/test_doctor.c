/* The doctor: findings are complete and sane here, print as text and JSON, and become facts of records. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "harness/doctor/doctor.h"
#include "harness/doctor/environment.h"
#include "harness/doctor/features.h"
#include "harness/doctor/findings.h"

static const struct finding *find(const struct doctor_report *r, const char *key) {
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->items[i].key, key) == 0) return &r->items[i];
    ck_abort_msg("no finding '%s'", key);
}

START_TEST(finds_what_every_machine_has) {
    static const char *const keys[] = {"cpu.model",
                                       "cpu.features",
                                       "cpu.cores",
                                       "cpu.affinity",
                                       "cpu.usable",
                                       "cpu.governor",
                                       "memory.total",
                                       "memory.available",
                                       "memory.huge_pages",
                                       "system.kernel",
                                       "system.load",
                                       "clock.source",
                                       "clock.resolution",
                                       "clock.cost",
                                       "noise.gaps",
                                       "noise.steal",
                                       "library.onednn",
                                       "library.sqlite",
                                       "library.jansson",
                                       "library.pcre2",
                                       "program.gnuplot",
                                       "build.flags",
                                       "gpu"};
    struct doctor_report r;
    doctor_collect(&r, 0.02);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) ck_assert(*find(&r, keys[i])->value);
    for (int i = 0; i < r.n; i++) {
        const struct finding *f = &r.items[i];
        ck_assert_msg((f->status == FINDING_OK) == (*f->advice == '\0'), "%s: advice where and only where it is needed",
                      f->key);
        for (int k = 0; k < i; k++) ck_assert_msg(strcmp(r.items[k].key, f->key) != 0, "%s twice", f->key);
    }
    ck_assert_int_eq(doctor_count(&r, FINDING_OK) + doctor_count(&r, FINDING_WARN) + doctor_count(&r, FINDING_BAD),
                     r.n);
    ck_assert_int_ge(atoi(find(&r, "cpu.cores")->value), 1);
    ck_assert_double_gt(strtod(find(&r, "noise.gaps")->value, NULL), -1);
    doctor_free(&r);
}
END_TEST

START_TEST(advice_stands_with_what_is_wrong) {
    struct doctor_report r = {0};
    finding_add(&r, SCOPE_ENVIRONMENT, "a", FINDING_OK, "do nothing", "%d", 1);
    finding_add(&r, SCOPE_MACHINE, "b", FINDING_BAD, "do \"this\"", "broken");
    ck_assert_str_eq(find(&r, "a")->advice, "");
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    doctor_print(&r, f, 0);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "bad   b"));
    ck_assert_ptr_nonnull(strstr(text, "→ do \"this\""));
    ck_assert_ptr_null(strstr(text, "do nothing"));
    ck_assert_ptr_nonnull(strstr(text, "1 ok, 0 warn, 1 bad"));
    free(text);
    doctor_free(&r);
}
END_TEST

START_TEST(json_reads_back) {
    struct doctor_report r = {0};
    finding_add(&r, SCOPE_MACHINE, "b", FINDING_WARN, "do \"this\"", "broken");
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    doctor_print(&r, f, 1);
    fclose(f);
    json_t *root = json_loads(text, 0, NULL);
    json_t *first = json_array_get(json_object_get(root, "findings"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "advice")), "do \"this\"");
    ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "warn");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "warn")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "version")), 1);
    json_decref(root);
    free(text);
    doctor_free(&r);
}
END_TEST

static const char *fact(const struct fact *facts, int n, const char *key) {
    for (int i = 0; i < n; i++)
        if (strcmp(facts[i].key, key) == 0) return facts[i].value;
    return NULL;
}

/* What differs between two looks must not be the machine's: it decides what may be compared. */
START_TEST(machine_facts_stay_environment_facts_may_move) {
    struct environment_facts a, b;
    environment_collect(&a);
    environment_collect(&b);
    ck_assert_int_gt(a.machine.n_facts, 5);
    ck_assert_int_eq(a.machine.n_facts, b.machine.n_facts);
    for (int i = 0; i < a.machine.n_facts; i++) {
        ck_assert_str_eq(a.machine.facts[i].key, b.machine.facts[i].key);
        ck_assert_str_eq(a.machine.facts[i].value, b.machine.facts[i].value);
    }
    ck_assert_ptr_nonnull(fact(a.machine.facts, a.machine.n_facts, "cpu.model"));
    ck_assert_ptr_null(fact(a.machine.facts, a.machine.n_facts, "system.load"));
    ck_assert_ptr_nonnull(fact(a.environment.facts, a.environment.n_facts, "system.load"));
    ck_assert_ptr_null(fact(a.environment.facts, a.environment.n_facts, "cpu.model"));
    environment_free(&a);
    environment_free(&b);
}
END_TEST

/* The compiler's run-time library looks by itself: both must agree. */
START_TEST(features_agree_with_the_compiler) {
#if defined(__x86_64__)
    ck_assert_int_eq(feature_has(FEATURE_AVX2), __builtin_cpu_supports("avx2") != 0);
    ck_assert_int_eq(feature_has(FEATURE_FMA), __builtin_cpu_supports("fma") != 0);
    ck_assert_int_eq(feature_has(FEATURE_BMI2), __builtin_cpu_supports("bmi2") != 0);
    ck_assert_int_eq(feature_has(FEATURE_AVX512F), __builtin_cpu_supports("avx512f") != 0);
    ck_assert_int_eq(feature_has(FEATURE_AVX512BW), __builtin_cpu_supports("avx512bw") != 0);
    ck_assert_int_eq(feature_has(FEATURE_AVX512_VNNI), __builtin_cpu_supports("avx512vnni") != 0);
    ck_assert_int_eq(feature_has(FEATURE_AVX512_BF16), __builtin_cpu_supports("avx512bf16") != 0);
#endif
    for (int i = 0; i < FEATURE_COUNT; i++) ck_assert(*feature_name((enum feature)i));
}
END_TEST

START_TEST(lines_of_system_files) {
    char value[64], path[] = "/tmp/assay_doctor_XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs("model\t: x\nmodel name\t: A CPU @ 2 GHz\nNAME=\"Some System\"\n", f);
    fclose(f);
    ck_assert(line_find(path, "model name", value, sizeof value));
    ck_assert_str_eq(value, "A CPU @ 2 GHz");
    ck_assert(line_find(path, "NAME", value, sizeof value));
    ck_assert_str_eq(value, "Some System");
    ck_assert(!line_find(path, "absent", value, sizeof value));
    ck_assert(line_read(path, value, 8)); /* cut, not overrun */
    ck_assert_uint_lt(strlen(value), 8);
    ck_assert(!line_read("/nowhere/at/all", value, sizeof value));
    remove(path);
}
END_TEST

TEST_MAIN("doctor", finds_what_every_machine_has, advice_stands_with_what_is_wrong, json_reads_back,
          machine_facts_stay_environment_facts_may_move, features_agree_with_the_compiler, lines_of_system_files)
