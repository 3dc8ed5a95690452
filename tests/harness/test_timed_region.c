/* Nothing is allocated in a timed region: after a first sample has met every shape, another one allocates nothing. */
#include <string.h>

#include "check_main.h"
#include "optimizers/optimizer.h"
#include "toy_model.h"

static void second_sample_allocates_nothing(const char *backend, const char *const *opts, int n_opts) {
    struct toy t;
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use uses[2];
    struct rewrite rewrites[2];
    struct session s;
    struct device *d;
    struct clock clock = {.is_fake = strcmp(backend, "null") == 0};
    const struct backend *b = backend_find(backend);
    toy_open(&t, 3, 12, 8);
    for (int i = 0; i < n_opts; i++) ck_assert_int_eq(optimizer_parse(opts[i], &a, &uses[i], &e), STATUS_OK);
    ck_assert_int_eq(optimizers_apply(&t.pipeline, uses, n_opts, NULL, rewrites, &e), STATUS_OK);
    ck_assert_msg(b->open(&(struct device_options){.clock = &clock, .threads = 2}, &d, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(session_open(&s, &t.pipeline, &d, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, (struct launch_capacity){36, 3}, &clock, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(session_run(&s, &t.job, NULL, &e) == STATUS_OK, "%s", e.text);
    int32_t first[8];
    memcpy(first, t.outputs[1], sizeof first);
    uint64_t before = mem_allocations();
    ck_assert_int_eq(session_run(&s, &t.job, NULL, &e), STATUS_OK);
    ck_assert_uint_eq(mem_allocations(), before);
    if (!clock.is_fake) ck_assert_int_eq(memcmp(first, t.outputs[1], sizeof first), 0);
    session_close(&s);
    b->close(d);
    toy_close(&t);
    arena_free(&a);
}

START_TEST(on_the_null_backend) { second_sample_allocates_nothing("null", NULL, 0); }
END_TEST

START_TEST(on_the_cpu) {
    static const char *const both[] = {"attention", "fusion"};
    second_sample_allocates_nothing("cpu", NULL, 0);
    second_sample_allocates_nothing("cpu", both, 2);
}
END_TEST

TEST_MAIN("timed_region", on_the_null_backend, on_the_cpu)
