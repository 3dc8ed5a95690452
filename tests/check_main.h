/* check_main.h: TEST_MAIN("name", test, test, …) makes main() of a Check test file.
 * A test program exits 0 when all pass, 1 when one fails, 77 (skipped) where SKIP_TEST_PROGRAM ran. */
#ifndef ASSAY_TESTS_CHECK_MAIN_H
#define ASSAY_TESTS_CHECK_MAIN_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* Check notes each passed assertion in a file, for tests that crash: loops over millions of numbers would do nothing
 * else. */
#define _mark_point(file, line) ((void)0)

static inline int check_run(const char *name, const TTest *const *list, size_t n) {
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 0);
    for (size_t i = 0; i < n; i++) tcase_add_test(tests, list[i]);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define TEST_MAIN(name, ...) \
    int main(void) { \
        const TTest *const list[] = {__VA_ARGS__}; \
        return check_run(name, list, sizeof list / sizeof *list); \
    }

/* `why_not()`: NULL where the tests can run here, else the reason for skipping them. */
#define TEST_MAIN_UNLESS(why_not, name, ...) \
    int main(void) { \
        const TTest *const list[] = {__VA_ARGS__}; \
        const char *reason = why_not(); \
        if (reason) return printf("skipped: %s\n", reason), 77; \
        return check_run(name, list, sizeof list / sizeof *list); \
    }

/* ck_assert_msg for inner loops: Check writes to a pipe at each assertion, this only at a failure. */
#define REQUIRE(condition, ...) \
    do { \
        if (!(condition)) ck_abort_msg(__VA_ARGS__); \
    } while (0)

#define SKIP_TEST_PROGRAM(reason) \
    do { \
        printf("skipped: %s\n", reason); \
        exit(77); \
    } while (0)

#endif
