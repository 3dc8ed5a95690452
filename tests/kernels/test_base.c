/* The smallest room: statuses, memory, clock, files. */
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/clock.h"
#include "kernels/base/file.h"
#include "kernels/base/memory.h"
#include "kernels/base/status.h"

START_TEST(first_error_stays) {
    struct error e = {0};
    ck_assert_int_eq(error_set(&e, STATUS_INPUT, "tensor '%s' is short", "x"), STATUS_INPUT);
    error_set(&e, STATUS_IO, "later");
    ck_assert_str_eq(e.text, "tensor 'x' is short");
    ck_assert_int_eq(error_prefix(&e, "file.gguf"), STATUS_INPUT);
    ck_assert_str_eq(e.text, "file.gguf: tensor 'x' is short");
    ck_assert_int_eq(status_exit_code(STATUS_INPUT), 2);
}
END_TEST

START_TEST(arena_and_text) {
    struct arena a = {0};
    char *s = arena_printf(&a, "%d-%s", 7, "x");
    ck_assert_str_eq(s, "7-x");
    ck_assert_ptr_nonnull(arena_alloc(&a, 1 << 20));
    ck_assert_str_eq(s, "7-x");
    arena_free(&a);
    struct text t = {0};
    for (int i = 0; i < 100; i++) text_append(&t, "%d,", i);
    ck_assert_uint_eq(t.length, 290);
    text_free(&t);
}
END_TEST

START_TEST(allocation_counts_and_fails) {
    uint64_t before = mem_allocations();
    void *p = mem_try(100);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(mem_allocations(), before + 1);
    mem_try_free(p, 100);
    mem_fail_after(0);
    ck_assert_ptr_null(mem_try(100));
    mem_fail_after(-1);
    ck_assert_ptr_null(mem_try(SIZE_MAX));
}
END_TEST

static int n_steps;
static void three_steps(void *arg) {
    for (n_steps = 0; n_steps < 3; n_steps++) mem_free(mem_alloc(8));
    (void)arg;
}
static void attempt_inside(void *arg) {
    mem_fail_after(1);
    *(int *)arg = mem_attempt(three_steps, NULL);
    mem_free(mem_alloc(8));
}

START_TEST(attempts_end_where_memory_is_refused) {
    int inner = -1;
    ck_assert_int_eq(mem_attempt(attempt_inside, &inner), 1);
    ck_assert_int_eq(inner, 0);
    ck_assert_int_eq(n_steps, 1);
    ck_assert_int_eq(mem_attempt(three_steps, NULL), 1);
    ck_assert_int_eq(n_steps, 3);
}
END_TEST

START_TEST(fake_clock_moves_only_when_told) {
    struct clock c = {.is_fake = 1};
    clock_advance_ns(&c, 23000000);
    ck_assert_uint_eq(clock_now_ns(&c), 23000000);
}
END_TEST

START_TEST(missing_file_is_named) {
    struct error e = {0};
    struct file_map m;
    ck_assert_int_eq(file_map("/nonexistent/x", &m, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "/nonexistent/x"));
}
END_TEST

TEST_MAIN("base", first_error_stays, arena_and_text, allocation_counts_and_fails, attempts_end_where_memory_is_refused, fake_clock_moves_only_when_told,
          missing_file_is_named)
