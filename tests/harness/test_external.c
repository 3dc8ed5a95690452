/* Somebody else's commands: how they end, what is read of them, and that nothing of them stays. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "harness/external/external.h"

/* ---- figures ---- */

static enum status read_figure(enum figure_source source, const char *pattern, const char *output, const char *errors, double *out, struct error *e) {
    const struct figure f = {"a_per_s", source, pattern, 1};
    const struct figure_text t = {output, errors, strlen(output), strlen(errors), 1500};
    *e = (struct error){0};
    return figure_read(&f, &t, out, e);
}

START_TEST(numbers_are_found) {
    static const struct { enum figure_source source; const char *pattern, *output; double value; } cases[] = {
        {FIGURE_JSON, "[0].avg_ts", "[{\"avg_ts\": 2.5}]", 2.5},
        {FIGURE_JSON, "[n_gen=64].avg_ts", "[{\"n_gen\": 0, \"avg_ts\": 1}, {\"n_gen\": 64, \"avg_ts\": 7}]", 7},
        {FIGURE_JSON, "[name=a b].x", "[{\"name\": \"a b\", \"x\": 3}]", 3},
        {FIGURE_JSON, "[ok=true].x", "[{\"ok\": false, \"x\": 3}, {\"ok\": true, \"x\": 4}]", 4},
        {FIGURE_JSON, "a.b[1]", "{\"a\": {\"b\": [1, 5]}}", 5},
        {FIGURE_JSON, "a[\"tokens/s.x\"]", "{\"a\": {\"tokens/s.x\": 6}}", 6},
        {FIGURE_JSON, "rate", "loading...\n{\"rate\": 8}\n\n", 8}, /* the last line */
        {FIGURE_REGEX, "rate ([0-9.]+)", "rate 1\nrate 2.5\n", 2.5}, /* the last match */
        {FIGURE_REGEX, "^([0-9]+) tokens", "x 3 tokens\n4 tokens\n", 4},
        {FIGURE_REGEX, "err=(.*)", "nothing", 9}, /* on standard error */
        {FIGURE_REGEX, "(?:a|b)=(\\S+)", "a=1e3 b", 1000},
        {FIGURE_WALL, NULL, "", 1500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        struct error e;
        enum status s = read_figure(cases[i].source, cases[i].pattern, cases[i].output, "err=9", &value, &e);
        ck_assert_msg(s == STATUS_OK, "%s: %s", cases[i].output, e.text);
        ck_assert_double_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(what_cannot_be_read_is_said) {
    static const struct { enum figure_source source; const char *pattern, *output, *words; } cases[] = {
        {FIGURE_JSON, "a", "", "it printed nothing"},
        {FIGURE_JSON, "a", "hello\nworld\n", "is no JSON"},
        {FIGURE_JSON, "a", "{\"a\": 1, \"a\": 2}", "is no JSON"},
        {FIGURE_JSON, "a.b", "{\"a\": 1}", "nothing at 'a.b'"},
        {FIGURE_JSON, "[2].x", "[1]", "nothing at '[2]'"},
        {FIGURE_JSON, "[n=1].x", "[{\"n\": 1, \"x\": 1}, {\"n\": 1, \"x\": 2}]", "2 of 2 elements have n=1"},
        {FIGURE_JSON, "[n=3].x", "[{\"n\": 1}]", "0 of 1 elements have n=3"},
        {FIGURE_JSON, "a", "{\"a\": \"1\"}", "no number at 'a'"},
        {FIGURE_JSON, "a", "{\"a\": 0}", "0 is no measurement"},
        {FIGURE_JSON, "a", "{\"a\": -3}", "-3 is no measurement"},
        {FIGURE_REGEX, "r=(.*)", "", "it printed nothing"},
        {FIGURE_REGEX, "r=(.*)", "x", "nothing that it printed matches"},
        {FIGURE_REGEX, "r=(.*)", "r=12 ms", "'12 ms' is no number"},
        {FIGURE_REGEX, "r=(.*)", "r=inf", "is no measurement"},
        {FIGURE_REGEX, "(a+a+)+$|x(b)?", "", "one must hold the number"},
        {FIGURE_REGEX, "((?:a|aa|aaa)+)b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaacb", "takes too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        struct error e;
        ck_assert_int_eq(read_figure(cases[i].source, cases[i].pattern, cases[i].output, "", &value, &e), STATUS_INPUT);
        ck_assert_msg(strstr(e.text, cases[i].words) != NULL, "'%s' lacks '%s'", e.text, cases[i].words);
    }
}
END_TEST

/* ---- commands ---- */

static struct external shell(const char *text, const char *const *argv[1], double limit_s) {
    static const char *words[4];
    words[0] = "sh";
    words[1] = "-c";
    words[2] = text;
    words[3] = NULL;
    *argv = words;
    return (struct external){.command = {.argv = words, .limit_s = limit_s}, .figures = {{"a_per_s", FIGURE_REGEX, "rate ([0-9.]+)", 1}}, .n_figures = 1};
}

static enum status run_shell(const char *text, double limit_s, struct external_found *found, struct error *e) {
    const char *const *argv;
    struct external x = shell(text, &argv, limit_s);
    *e = (struct error){0};
    return external_run(&x, found, e);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Gone, or a zombie that nobody waits for. */
static int is_gone(int pid) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    for (int i = 0; i < 200; i++) {
        FILE *f = fopen(path, "r");
        if (!f) return 1;
        const char *state = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
        fclose(f);
        if (!state || state[2] == 'Z') return 1;
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return 0;
}

static int read_pid(const char *path) {
    int pid = 0;
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
    fclose(f);
    unlink(path);
    return pid;
}

START_TEST(a_command_gives_its_figure) {
    struct external_found found;
    struct error e;
    ck_assert_msg(run_shell("sleep 0.2; echo rate 12.5", 10, &found, &e) == STATUS_OK, "%s", e.text);
    ck_assert_double_eq(found.values[0], 12.5);
    ck_assert_msg(found.wall_ns >= 200000000 && found.wall_ns < 5000000000, "%lld", (long long)found.wall_ns);
}
END_TEST

START_TEST(its_end_is_said) {
    static const struct { const char *text, *words; } cases[] = {
        {"echo oh no >&2; exit 3", "sh ended with exit status 3: oh no"},
        {"kill -SEGV $$", "sh was ended by signal 11"},
        {"exit 0", "it printed nothing"},
        {"yes | head -c 9000000", "printed more than 4 MiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct external_found found;
        struct error e;
        ck_assert_int_ne(run_shell(cases[i].text, 20, &found, &e), STATUS_OK);
        ck_assert_msg(strstr(e.text, cases[i].words) != NULL, "'%s' lacks '%s'", e.text, cases[i].words);
    }
}
END_TEST

/* Deaf to the polite signal, with a child that is deaf too. */
START_TEST(the_limit_ends_it_and_its_children) {
    struct external_found found;
    struct error e;
    double before = seconds();
    ck_assert_int_eq(run_shell("trap '' TERM; sleep 300 & echo $! >external_child.pid; wait; sleep 300", 0.3, &found, &e), STATUS_BACKEND);
    ck_assert_msg(strstr(e.text, "ran into its limit of 0.3 s") != NULL, "%s", e.text);
    ck_assert_double_lt(seconds() - before, 10);
    ck_assert(is_gone(read_pid("external_child.pid")));
}
END_TEST

/* A child that holds the output open is not waited for. */
START_TEST(children_left_behind_are_ended) {
    struct external_found found;
    struct error e;
    double before = seconds();
    ck_assert_msg(run_shell("sleep 300 & echo $! >external_left.pid; echo rate 3", 60, &found, &e) == STATUS_OK, "%s", e.text);
    ck_assert_double_lt(seconds() - before, 10);
    ck_assert(is_gone(read_pid("external_left.pid")));
}
END_TEST

static int stops_at_once(void) { return 1; }

START_TEST(a_wish_to_stop_is_heard) {
    const char *const *argv;
    struct external x = shell("sleep 300 & kill -USR1 $PPID; sleep 300", &argv, 60);
    struct external_found found;
    struct error e = {0};
    signal(SIGUSR1, SIG_IGN);
    x.command.is_stopped = stops_at_once;
    x.command.limit_s = 5;
    double before = seconds();
    ck_assert_int_eq(external_run(&x, &found, &e), STATUS_INTERRUPTED);
    ck_assert_double_lt(seconds() - before, 20);
}
END_TEST

START_TEST(where_and_with_what_it_runs) {
    static const char *const words[] = {"sh", "-c", "[ $(pwd) = / ] && read x || echo rate $A$B", NULL}, *const added[] = {"A=1", "B=2", NULL};
    struct external x = {.command = {.argv = words, .environment = added, .directory = "/", .limit_s = 10},
                         .figures = {{"a_per_s", FIGURE_REGEX, "rate ([0-9.]+)", 1}}, .n_figures = 1};
    struct external_found found;
    struct error e = {0};
    setenv("A", "9", 1);
    ck_assert_msg(external_run(&x, &found, &e) == STATUS_OK, "%s", e.text); /* and its input is empty */
    ck_assert_double_eq(found.values[0], 12);
}
END_TEST

START_TEST(what_is_not_there) {
    static const char *const nowhere[] = {"no-such-program-here", NULL}, *const path[] = {"/no/such", NULL}, *const list[] = {"ls", NULL};
    struct error e = {0}, f = {0}, g = {0}, none = {0};
    ck_assert_int_eq(child_find(&(struct child_request){.argv = nowhere}, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "no program 'no-such-program-here' in PATH"));
    ck_assert_int_eq(child_find(&(struct child_request){.argv = path}, &f), STATUS_INPUT);
    ck_assert_int_eq(child_find(&(struct child_request){.argv = list, .directory = "/no/such"}, &g), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(g.text, "no folder '/no/such'"));
    ck_assert_int_eq(child_find(&(struct child_request){.argv = list}, &none), STATUS_OK);
}
END_TEST

TEST_MAIN("external", numbers_are_found, what_cannot_be_read_is_said, a_command_gives_its_figure, its_end_is_said, the_limit_ends_it_and_its_children,
          children_left_behind_are_ended, a_wish_to_stop_is_heard, where_and_with_what_it_runs, what_is_not_there)
