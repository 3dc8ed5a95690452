/* Mistakes that were planted in kernels are found by what the emulator checks or by wrong values under some schedule;
 * the right forms of the same kernels pass under all. What only the race detector sees: test_cuda_race. */
#include <string.h>

#include "check_main.h"
#include "kernels/cuda/runtime.h"
#include "tests/kernels/cuda/planted.h"
#include "tests/kernels/cuda/schedules.h"

static const struct cuda_runtime *const rt = &cuda_emulated_runtime;

/* What the thread should have found, of each kernel's right form. */
static int expected(enum planted which, int i) {
    switch (which) {
    case PLANTED_BARRIER: return (i + 1) % PLANTED_OUT;
    case PLANTED_WARP_BARRIER: return i ^ 1;
    case PLANTED_REUSE: return 2 * ((i + 1) % PLANTED_OUT) + 1;
    case PLANTED_WAIT: return i + 32 + i;
    case PLANTED_LANES: return i < 16 ? i ^ 1 : i;
    default: return 1;
    }
}

static int is_one_warp(enum planted which) { return which == PLANTED_WARP_BARRIER || which == PLANTED_WAIT || which == PLANTED_LANES; }

/* "" where it ran and every value is right; else what was wrong. */
static const char *run(enum planted which, int is_right, const struct emulator_schedule *s, char *text, size_t bytes) {
    void *stream, *in;
    int *out;
    emulator_set_schedule(s);
    ck_assert_int_eq(rt->stream_open(&stream), 0);
    ck_assert_int_eq(rt->allocate((void **)&out, PLANTED_OUT * sizeof *out), 0);
    ck_assert_int_eq(rt->allocate(&in, PLANTED_IN_BYTES), 0);
    memset(in, 0, PLANTED_IN_BYTES);
    for (int i = 0; i < 64; i++) ((int *)in)[4 * i] = i;
    int code = emulated_planted(which, is_right, stream, out, in);
    if (code == 0) code = rt->stream_wait(stream);
    text[0] = 0;
    if (code != 0) snprintf(text, bytes, "%s", rt->error_text(code));
    for (int i = 0; i < (is_one_warp(which) ? 32 : PLANTED_OUT) && !text[0]; i++)
        if (out[i] != expected(which, i)) snprintf(text, bytes, "value %d is %d, not %d", i, out[i], expected(which, i));
    rt->release(out);
    rt->release(in);
    rt->stream_close(stream);
    return text;
}

START_TEST(right_kernels_pass_under_every_schedule) {
    char text[400];
    for (int which = 0; which < PLANTED_COUNT; which++)
        for (int s = 0; s < N_SCHEDULES; s++) ck_assert_msg(!*run((enum planted)which, 1, &schedules[s], text, sizeof text), "kernel %d, schedule %d: %s", which, s, text);
}
END_TEST

/* Found under at least one schedule; text is the first finding. */
static int is_found(enum planted which, char *text, size_t bytes) {
    for (int s = 0; s < N_SCHEDULES; s++)
        if (*run(which, 0, &schedules[s], text, bytes)) return 1;
    return 0;
}

START_TEST(mistakes_are_found) {
    static const struct {
        enum planted which;
        const char *says;
    } cases[] = {{PLANTED_BARRIER, "value"},     {PLANTED_WARP_BARRIER, "value"},   {PLANTED_REUSE, "value"},
                 {PLANTED_WAIT, "value"},        {PLANTED_LANES, "deadlock"},       {PLANTED_BRANCH, "meet at two barriers"},
                 {PLANTED_LEAVE, "returns while others wait"}, {PLANTED_UNEVEN, "barrier"}, {PLANTED_UNWRITTEN, "value"}};
    char text[400];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(is_found(cases[i].which, text, sizeof text), "mistake %d is not found", (int)cases[i].which);
        ck_assert_msg(strstr(text, cases[i].says), "mistake %d: %s", (int)cases[i].which, text);
    }
}
END_TEST

#if defined(__SANITIZE_ADDRESS__)
#include <sys/wait.h>
#include <unistd.h>

START_TEST(writes_outside_are_found_by_the_address_sanitizer) {
    char text[400];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fclose(stderr);
        run(PLANTED_OUTSIDE, 0, &schedules[0], text, sizeof text);
        _exit(0);
    }
    int state = 0;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_msg(!WIFEXITED(state) || WEXITSTATUS(state) != 0, "the write outside of the buffer was not found");
}
END_TEST
TEST_MAIN("cuda_planted", right_kernels_pass_under_every_schedule, mistakes_are_found, writes_outside_are_found_by_the_address_sanitizer)
#else
TEST_MAIN("cuda_planted", right_kernels_pass_under_every_schedule, mistakes_are_found)
#endif
