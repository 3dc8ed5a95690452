/* The race detector: finds planted races, whatever the schedule; finds none in the kernels, on the whole case table. */
#include <string.h>

#include "check_main.h"
#include "kernels/cuda/cuda.h"
#include "kernels/op_cases.c"
#include "tests/kernels/cuda/planted.h"
#include "tests/kernels/cuda/schedules.h"

static const struct cuda_runtime *const rt = &cuda_emulated_runtime;

static const char *run_planted(enum planted which, int is_right, const struct emulator_schedule *s) {
    static char text[400];
    void *stream, *in;
    int *out;
    emulator_set_schedule(s);
    ck_assert_int_eq(rt->stream_open(&stream), 0);
    ck_assert_int_eq(rt->allocate((void **)&out, PLANTED_OUT * sizeof *out), 0);
    ck_assert_int_eq(rt->allocate(&in, PLANTED_IN_BYTES), 0);
    int code = raced_planted(which, is_right, stream, out, in);
    if (code == 0) code = rt->stream_wait(stream);
    snprintf(text, sizeof text, "%s", code ? rt->error_text(code) : "");
    rt->release(out);
    rt->release(in);
    rt->stream_close(stream);
    return text;
}

START_TEST(planted_races_are_found_under_every_schedule) {
    static const enum planted races[] = {PLANTED_BARRIER, PLANTED_WARP_BARRIER, PLANTED_REUSE};
    for (size_t i = 0; i < sizeof races / sizeof *races; i++)
        for (int s = 0; s < N_SCHEDULES; s++) {
            const char *text = run_planted(races[i], 0, &schedules[s]);
            ck_assert_msg(strstr(text, "race on shared memory"), "race %d, schedule %d: '%s'", (int)races[i], s, text);
            ck_assert_str_eq(run_planted(races[i], 1, &schedules[s]), "");
        }
}
END_TEST

/* ---- the backend on the instrumented kernels ---- */

static const struct blaslt *blaslt(const char **path, struct error *e) {
    (void)e;
    *path = "";
    return &cuda_emulated_blaslt;
}

START_TEST(the_kernels_have_none) {
    const struct cuda_platform raced = {.backend = &backend_cuda_emulated, .runtime = rt, .kernels = &cuda_raced_kernels, .blaslt = blaslt};
    struct clock clock = {0};
    struct device *d;
    struct error e = {0};
    emulator_set_schedule(&schedules[4]);
    ck_assert_int_eq(cuda_open_on(&raced, &(struct device_options){.clock = &clock, .threads = 1}, &d, &e), STATUS_OK);
    for (int i = 0; i < op_case_count(); i++) {
        struct op_case c;
        struct op_result r;
        op_case_get(i, &c);
        enum status status = op_case_run(&c, d, &r, &e);
        ck_assert_msg(status == STATUS_OK && r.worst <= 1, "%s: %s%s", c.name, r.where, e.text);
    }
    backend_cuda_emulated.close(d);
}
END_TEST

TEST_MAIN("cuda_race", planted_races_are_found_under_every_schedule, the_kernels_have_none)
