/* Rewrites keep the meaning: on the float64 judge, every setting gives the plain pipeline's logits; settings and
 * names are checked with the nearest one suggested. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "optimizers/optimizer.h"
#include "toy_model.h"

static void prefill_tokens(const char *const *opts, int n_opts, int32_t out[3][6], struct rewrite *rewrites) {
    struct toy t;
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use uses[4];
    struct device *d;
    struct clock clock = {0};
    struct session s;
    toy_open(&t, 3, 7, 6);
    for (int i = 0; i < n_opts; i++) ck_assert_msg(optimizer_parse(opts[i], &a, &uses[i], &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(optimizers_check(uses, n_opts, &e), STATUS_OK);
    ck_assert_int_eq(optimizers_apply(&t.pipeline, uses, n_opts, NULL, rewrites, &e), STATUS_OK);
    ck_assert_int_eq(backend_reference.open(&(struct device_options){.clock = &clock}, &d, &e), STATUS_OK);
    ck_assert_msg(session_open(&s, &t.pipeline, &d, 1, 1u << ROLE_PREFILL | 1u << ROLE_DECODE, (struct launch_capacity){21, 3}, &clock, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(session_run(&s, &t.job, NULL, &e) == STATUS_OK, "%s", e.text);
    for (int i = 0; i < 3; i++) memcpy(out[i], t.outputs[i], 6 * sizeof(int32_t));
    session_close(&s);
    backend_reference.close(d);
    toy_close(&t);
    arena_free(&a);
}

START_TEST(every_setting_keeps_the_tokens) {
    static const char *const sets[][2] = {{"attention", NULL}, {"fusion", NULL}, {"fusion", "attention"}, {"attention", "fusion"},
        {"fusion=patterns=add_norm", NULL}, {"fusion=patterns=qkv", NULL}, {"fusion=patterns=swiglu", NULL}, {"fusion=patterns=rope_kv", NULL},
        {"fusion=patterns=qkv+rope_kv", "attention=programs=decode"}};
    int32_t plain[3][6], rewritten[3][6];
    struct rewrite r[4];
    prefill_tokens(NULL, 0, plain, r);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        int n = sets[i][1] ? 2 : 1;
        prefill_tokens(sets[i], n, rewritten, r);
        for (int k = 0; k < n; k++) {
            ck_assert_int_gt(r[k].replaced, 0);
            ck_assert_int_eq(r[k].found, r[k].replaced);
        }
        ck_assert_int_eq(memcmp(plain, rewritten, sizeof plain), 0);
    }
}
END_TEST

static void assert_refused(const char *text, const char *expected) {
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use u;
    ck_assert_int_eq(optimizer_parse(text, &a, &u, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, expected) != NULL, "'%s' lacks '%s'", e.text, expected);
    arena_free(&a);
}

START_TEST(wrong_names_are_refused_with_a_suggestion) {
    assert_refused("atention", "did you mean 'attention'");
    assert_refused("quantise", "unknown optimizer");
    assert_refused("fusion=pattern=qkv", "did you mean 'patterns'");
    assert_refused("fusion=patterns=qvk", "is not allowed");
    assert_refused("fusion=patterns", "not of the form key=value");
}
END_TEST

START_TEST(the_same_twice_is_refused) {
    struct arena a = {0};
    struct error e = {0};
    struct optimizer_use u[2];
    optimizer_parse("fusion", &a, &u[0], &e);
    optimizer_parse("fusion=patterns=qkv", &a, &u[1], &e);
    ck_assert_str_eq(u[1].text, "fusion=patterns=qkv");
    ck_assert_int_eq(optimizers_check(u, 2, &e), STATUS_INPUT);
    arena_free(&a);
}
END_TEST

TEST_MAIN("rewrites", every_setting_keeps_the_tokens, wrong_names_are_refused_with_a_suggestion, the_same_twice_is_refused)
