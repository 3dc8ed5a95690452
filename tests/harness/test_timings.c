/* What was timed: kept, found again, dropped with the build; and on this machine's cores, once a question. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "check_main.h"
#include "harness/measure/costs.h"
#include "kernels/base/file.h"
#include "toy_model.h"
#include "workloads/scratch.h"

static char *folder;

static void begin(const char *name) {
    folder = scratch_folder(name);
    setenv("XDG_CACHE_HOME", folder, 1);
}

static struct timings opened(const char *machine, const char *build) {
    struct timings t;
    struct error e = {0};
    struct arena a = {0};
    ck_assert_msg(timings_open(timings_folder(&a), machine, build, &t, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(timings_lock(&t, &e) == STATUS_OK, "%s", e.text);
    arena_free(&a);
    return t;
}

static void end(const char *const *files, int n) {
    char *path = mem_printf("%s/assay/timings", folder);
    for (int i = 0; i < n; i++) unlink(files[i]);
    rmdir(path);
    path[strlen(path) - strlen("/timings")] = 0;
    rmdir(path);
    rmdir(folder);
    mem_free(path);
    mem_free(folder);
}

static int count(int *n_files) {
    struct arena a = {0};
    int n = timings_count(timings_folder(&a), n_files);
    arena_free(&a);
    return n;
}

START_TEST(what_is_added_is_found_by_the_next) {
    double values[2];
    struct error e = {0};
    int n_files;
    begin("timings");
    struct timings t = opened("cpu A\nthreads 2\n", "1");
    char *path = mem_copy_string(t.path);
    ck_assert_int_eq(timings_find(&t, "linear, 1 rows", values, 2), 0);
    ck_assert_int_eq(timings_add(&t, "linear, 1 rows", (double[]){12.34, NAN}, 2, &e), STATUS_OK);
    ck_assert_int_eq(timings_find(&t, "linear, 1 rows", values, 2), 1);
    ck_assert_double_eq(values[0], 12.3); /* as it will be read */
    timings_close(&t);
    t = opened("cpu A\nthreads 2\n", "1");
    ck_assert_int_eq(timings_find(&t, "linear, 1 rows", values, 2), 1);
    ck_assert(values[0] == 12.3 && isnan(values[1]));
    ck_assert_int_eq(timings_find(&t, "linear, 1 rows", values, 1), 0); /* of other programs */
    timings_close(&t);
    t = opened("cpu B\n", "1");
    ck_assert_int_eq(timings_find(&t, "linear, 1 rows", values, 2), 0);
    ck_assert_int_eq(count(&n_files), 1);
    ck_assert_int_eq(n_files, 2);
    char *other = mem_copy_string(t.path);
    timings_close(&t);
    end((const char *const[]){path, other}, 2);
    mem_free(path);
    mem_free(other);
}
END_TEST

START_TEST(another_build_begins_anew) {
    double value;
    struct error e = {0};
    int n_files;
    begin("timings_build");
    struct timings t = opened("cpu A\n", "1");
    ck_assert_int_eq(timings_add(&t, "k", (double[]){1}, 1, &e), STATUS_OK);
    timings_close(&t);
    t = opened("cpu A\n", "2");
    ck_assert_int_eq(timings_find(&t, "k", &value, 1), 0);
    ck_assert_int_eq(count(&n_files), 0);
    char *path = mem_copy_string(t.path);
    timings_close(&t);
    end((const char *const[]){path}, 1);
    mem_free(path);
}
END_TEST

static void append(const char *path, const char *text) {
    FILE *f = fopen(path, "a");
    ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

START_TEST(damaged_lines_are_as_if_they_were_not) {
    static const char *const damaged[] = {"no values\n", "\t1\n", "k\t\n", "k\tabc\n", "k\t1x\n", "k\t0\n", "k\t-1e3x\n", "k\tinf\n", "k\t1"};
    double value;
    struct error e = {0};
    begin("timings_damaged");
    struct timings t = opened("cpu A\n", "1");
    char *path = mem_copy_string(t.path);
    timings_close(&t);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) append(path, damaged[i]);
    t = opened("cpu A\n", "1"); /* the last one was cut off: it goes */
    ck_assert_int_eq(timings_find(&t, "k", &value, 1), 0);
    ck_assert_int_eq(timings_add(&t, "k", (double[]){7}, 1, &e), STATUS_OK);
    timings_close(&t);
    char *text;
    size_t length;
    ck_assert_int_eq(file_read(path, 1 << 20, &text, &length, &e), STATUS_OK);
    ck_assert_msg(strstr(text, "k\tinf\nk\t7.0\n"), "%s", text);
    mem_free(text);
    end((const char *const[]){path}, 1);
    mem_free(path);
}
END_TEST

START_TEST(units_are_remembered) {
    struct remember r;
    double ns[2];
    begin("timings_units");
    remember_begin(&r);
    ck_assert_int_eq(r.memory.find(r.memory.self, "unit", ns, 2), 0);
    r.memory.keep(r.memory.self, "unit", (double[]){5, NAN}, 2);
    r.memory.keep(r.memory.self, "unit", (double[]){6, 7}, 2); /* too late */
    remember_end(&r);
    remember_begin(&r);
    ck_assert_int_eq(r.memory.find(r.memory.self, "unit", ns, 2), 1);
    ck_assert(ns[0] == 5 && isnan(ns[1]));
    char *path = mem_copy_string(r.timings.path);
    remember_end(&r);
    end((const char *const[]){path}, 1);
    mem_free(path);
}
END_TEST

START_TEST(units_are_not_remembered_where_nothing_can_be_kept) {
    struct remember r;
    double ns[2];
    setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
    remember_begin(&r);
    r.memory.keep(r.memory.self, "unit", (double[]){5, 6}, 2);
    ck_assert_int_eq(r.memory.find(r.memory.self, "unit", ns, 2), 0);
    remember_end(&r);
}
END_TEST

START_TEST(who_asks_meanwhile_waits) {
    struct error e = {0};
    begin("timings_lock");
    struct timings t = opened("cpu A\n", "1");
    char *path = mem_copy_string(t.path);
    int fd = open(path, O_RDWR);
    ck_assert(flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
    timings_unlock(&t);
    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    timings_close(&t);
    ck_assert_int_eq(timings_open("/dev/null/timings", "cpu A\n", "1", &t, &e), STATUS_IO);
    ck_assert_msg(strstr(e.text, "XDG_CACHE_HOME"), "%s", e.text);
    timings_close(&t);
    end((const char *const[]){path}, 1);
    mem_free(path);
}
END_TEST

/* ---- on cores ---- */

static enum status supports(void *self, const struct program *p, const struct op *op, struct error *e) { return device_backend(self)->supports(self, p, op, e); }

/* The toy with kind=auto; the file with the times, which the caller owns. */
static char *choose(struct toy *t, const struct backend *b, struct rewrite *out) {
    struct clock clock = {.is_fake = b->is_timeless};
    struct arena a = {0};
    struct error e = {0};
    struct spec spec = {.backend = b->name, .threads = 1, .batch = 1, .prompt = 4, .generate = 3, .n_uses = 1};
    static const struct null_script script;
    struct device *d;
    struct costs costs;
    toy_open(t, 1, 4, 3);
    ck_assert_msg(optimizer_parse("quantize=kind=auto,bound=1", &a, &spec.uses[0], &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(b->open(&(struct device_options){.threads = 1, .clock = &clock, .script = &script}, &d, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(costs_open(&spec, &t->model, d, &costs, &e) == STATUS_OK, "%s", e.text);
    const struct rewrite_context context = {.supports = supports, .self = d, .timer = costs_timer(&costs)};
    ck_assert_msg(optimizers_apply(&t->pipeline, spec.uses, 1, &context, out, &e) == STATUS_OK, "%s", e.text);
    char *path = costs.is_open ? mem_copy_string(costs.timings.path) : NULL;
    costs_close(&costs);
    b->close(d);
    arena_free(&a);
    return path;
}

/* Four shapes with four rows and with one; int4 does not fit rows of 16 and 24. */
START_TEST(cores_are_asked_once) {
    struct toy a, b;
    struct rewrite first, second;
    struct error e = {0};
    char *before, *after;
    size_t length;
    int n_files;
    begin("costs");
    char *path = choose(&a, &backend_cpu, &first);
    ck_assert_int_eq(first.n_choices, 4 * 5);
    ck_assert_int_eq(count(&n_files), 8);
    ck_assert_int_eq(file_read(path, 1 << 20, &before, &length, &e), STATUS_OK);
    char *again = choose(&b, &backend_cpu, &second);
    ck_assert_str_eq(again, path);
    ck_assert_int_eq(file_read(path, 1 << 20, &after, &length, &e), STATUS_OK);
    ck_assert_str_eq(before, after);
    for (int i = 0; i < first.n_choices; i++) {
        const struct choice *x = &first.choices[i], *y = &second.choices[i];
        int is_left_out = strncmp(x->why, "left out", 8) == 0;
        ck_assert_int_eq(x->picked, y->picked);
        ck_assert_int_eq(x->n_rows, 2);
        ck_assert_int_eq(is_left_out, strcmp(x->form, "int4") == 0 || strcmp(x->form, "int4-dynamic") == 0);
        if (is_left_out) continue;
        ck_assert(x->cost_ns > 0 && x->cost_ns == y->cost_ns);
        ck_assert_double_eq_tol(x->cost_ns, x->ns[0] + 2 * x->ns[1], 1e-6 * x->cost_ns);
    }
    toy_close(&a);
    toy_close(&b);
    mem_free(before);
    mem_free(after);
    end((const char *const[]){path}, 1);
    mem_free(path);
    mem_free(again);
}
END_TEST

START_TEST(who_has_no_times_is_not_asked) {
    static const struct backend *const all[] = {&backend_null, &backend_reference};
    begin("costs_none");
    for (int i = 0; i < 2; i++) {
        struct toy t;
        struct rewrite r;
        int n_files;
        char *path = choose(&t, all[i], &r);
        ck_assert_ptr_null(path);
        ck_assert_int_eq(r.refused, 28);
        ck_assert_int_eq(count(&n_files) + n_files, 0);
        toy_close(&t);
    }
    end(NULL, 0);
}
END_TEST

TEST_MAIN("timings", what_is_added_is_found_by_the_next, another_build_begins_anew, damaged_lines_are_as_if_they_were_not, units_are_remembered,
          units_are_not_remembered_where_nothing_can_be_kept, who_asks_meanwhile_waits, cores_are_asked_once,
          who_has_no_times_is_not_asked)
