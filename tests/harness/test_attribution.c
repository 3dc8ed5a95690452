/* Joining and attributing: by hand, and random traces against looking at everything. */
#include "check_main.h"
#include "harness/attribution/attribute.h"
#include "harness/attribution/join.h"
#include "kernels/base/random.h"

#include <string.h>

/* ---- a small trace ---- */

static int32_t name(struct activity *a, const char *text) { return activity_name(a, text, strlen(text)); }

static void add_op(struct activity *a, int32_t device, int64_t start, int64_t end, int64_t correlation, const char *text) {
    struct activity_op *op = activity_add_op(a);
    op->device = device;
    op->start_ns = start;
    op->end_ns = end;
    op->correlation = correlation;
    op->name = name(a, text);
}

static void add_call(struct activity *a, int32_t thread, int64_t start, int64_t end, int64_t correlation) {
    struct activity_call *c = activity_add_call(a);
    c->thread = thread;
    c->start_ns = start;
    c->end_ns = end;
    c->correlation = correlation;
    c->name = name(a, "cudaLaunchKernel");
}

static void add_range(struct activity *a, int32_t thread, int64_t start, int64_t end, const char *text) {
    struct activity_range *r = activity_add_range(a);
    r->thread = thread;
    r->start_ns = start;
    r->end_ns = end;
    r->name = name(a, text);
}

static const char *range_of(const struct activity *a, size_t op) { return a->ops[op].range < 0 ? "" : a->names[a->ranges[a->ops[op].range].name]; }

/* ---- joining ---- */

START_TEST(the_call_is_of_the_same_process) {
    struct activity a = {0};
    add_op(&a, 0, 10, 20, 7, "k");
    add_op(&a, 0, 30, 40, 8, "k");
    add_op(&a, 0, 50, 60, -1, "k");
    add_call(&a, 0, 5, 6, 7);
    a.calls[0].process = 1;
    add_call(&a, 0, 25, 26, 8);
    add_call(&a, 0, 24, 27, 8);          /* the twin that starts first is the call */
    add_call(&a, 0, 1, 2, -1);
    activity_join(&a);
    ck_assert_int_eq(a.ops[0].call, -1);
    ck_assert_int_eq(a.calls[a.ops[1].call].start_ns, 24);
    ck_assert_int_eq(a.ops[2].call, -1);
    activity_free(&a);
}
END_TEST

/* A range holds its start and not its end; of equal starts the longer is outside. */
START_TEST(ranges_have_edges) {
    struct activity a = {0};
    add_range(&a, 1, 10, 20, "inner");
    add_range(&a, 1, 10, 40, "outer");
    add_range(&a, 1, 30, 30, "empty");
    add_range(&a, 2, 0, 100, "other");
    const int64_t starts[] = {9, 10, 19, 20, 30, 39, 40};
    const char *const owners[] = {"", "inner", "inner", "outer", "outer", "outer", ""};
    for (int64_t i = 0; i < 7; i++) {
        add_op(&a, 0, 100 + i, 101 + i, i, "k");
        add_call(&a, 1, starts[i], starts[i] + 1, i);
    }
    activity_join(&a);
    for (size_t i = 0; i < 7; i++) ck_assert_str_eq(range_of(&a, i), owners[i]);
    ck_assert_int_eq(a.ranges[1].parent, 0);
    ck_assert_int_eq(a.ranges[1].depth, 1);
    activity_free(&a);
}
END_TEST

/* Where ranges are owners, neither times nor threads nor the call decide; the rows are those of the source. */
START_TEST(owners_name_their_ranges) {
    struct activity a = {.is_owned_by_ranges = 1};
    const uint64_t owners[] = {2, 1, 0, 3, 4};
    const char *const expected[] = {"early", "late", "", "inner", ""};
    add_range(&a, 1, 50, 90, "late");
    add_range(&a, 1, 10, 40, "early");
    add_range(&a, 1, 20, 30, "inner");
    for (int i = 0; i < 5; i++) {
        add_op(&a, 0, 100 + i, 101 + i, i, "k");
        a.ops[i].owner = owners[i];
    }
    add_call(&a, 2, 60, 61, 0);
    activity_join(&a);
    for (size_t i = 0; i < 5; i++) ck_assert_str_eq(range_of(&a, i), expected[i]);
    ck_assert_int_eq(a.ops[0].call, 0);
    ck_assert_int_eq(a.ranges[1].parent, 0);
    activity_free(&a);
}
END_TEST

/* Owners come in any order, more of them than operations; later ones of a correlation do not count. */
START_TEST(owners_are_joined_by_correlation) {
    struct activity a = {0};
    const struct activity_owner owners[] = {{9, 90}, {3, 30}, {5, 50}, {3, 31}, {1 << 20, 7}};
    for (size_t i = 0; i < 5; i++) *activity_add_owner(&a) = owners[i];
    for (int i = 0; i < 4; i++) add_op(&a, 0, i, i + 1, (const int64_t[]){5, 3, 4, 9}[i], "k");
    activity_join_owners(&a);
    for (size_t i = 0; i < 4; i++) ck_assert_uint_eq(a.ops[i].owner, ((const uint64_t[]){50, 30, 0, 90})[i]);
    ck_assert_uint_eq(a.n_owners, 0);
    activity_free(&a);
}
END_TEST

static int64_t draw(uint64_t *seed, int64_t below) { return (int64_t)(random_next(seed) % (uint64_t)below); }

static void draw_trace(struct activity *a, uint64_t *seed) {
    static const char *const names[] = {"a", "b", "c", "step"};
    int64_t n = 1 + draw(seed, 40);
    for (int64_t i = 0; i < n; i++) {
        int64_t start = draw(seed, 300);
        add_op(a, (int32_t)draw(seed, 2), start, start + draw(seed, 25), draw(seed, n), "kernel");
        a->ops[i].process = (int32_t)draw(seed, 2);
        start = draw(seed, 300);
        add_call(a, (int32_t)draw(seed, 3), start, start + draw(seed, 20), draw(seed, n));
        a->calls[i].process = a->calls[i].thread % 2;
        a->calls[i].is_blocking = draw(seed, 4) == 0;
        start = draw(seed, 300);
        add_range(a, (int32_t)draw(seed, 3), start, start + draw(seed, 100), names[draw(seed, 4)]);
        a->ranges[i].process = a->ranges[i].thread % 2;
    }
}

static int32_t find_call(const struct activity *a, const struct activity_op *op) {
    int32_t found = -1;
    for (size_t i = 0; i < a->n_calls; i++) {
        const struct activity_call *c = &a->calls[i];
        if (c->process != op->process || c->correlation != op->correlation) continue;
        if (found < 0 || c->start_ns < a->calls[found].start_ns || (c->start_ns == a->calls[found].start_ns && c->row < a->calls[found].row))
            found = (int32_t)i;
    }
    return found;
}

/* Of the ranges that hold the call's start, the last one to start, of these the first to end, of these the later row. */
static int is_inside(const struct activity_range *a, const struct activity_range *b) {
    return a->start_ns != b->start_ns ? a->start_ns > b->start_ns : a->end_ns <= b->end_ns;
}

static int32_t find_range(const struct activity *a, const struct activity_call *c) {
    int32_t found = -1;
    for (size_t i = 0; i < a->n_ranges; i++) {
        const struct activity_range *r = &a->ranges[i];
        if (r->thread != c->thread || r->start_ns > c->start_ns || c->start_ns >= r->end_ns) continue;
        if (found < 0 || is_inside(r, &a->ranges[found])) found = (int32_t)i;
    }
    return found;
}

START_TEST(looking_at_everything_agrees) {
    for (uint64_t trial = 0; trial < 2000; trial++) {
        struct activity a = {0};
        uint64_t seed = random_mix(trial);
        draw_trace(&a, &seed);
        activity_join(&a);
        for (size_t i = 0; i < a.n_ops; i++) {
            int32_t call = find_call(&a, &a.ops[i]);
            REQUIRE(a.ops[i].call == call, "the call of operation %zu of trial %llu", i, (unsigned long long)trial);
            REQUIRE(a.ops[i].range == (call < 0 ? -1 : find_range(&a, &a.calls[call])), "the range of operation %zu of trial %llu", i,
                    (unsigned long long)trial);
        }
        activity_free(&a);
    }
}
END_TEST

/* ---- stages and samples ---- */

static void attribute_all(struct activity *a, const struct stage_choice *c, struct attributed *out) {
    struct stages s;
    struct error e = {0};
    activity_join(a);
    activity_sort_ops(a);
    ck_assert_msg(stages_choose(a, c, &s, &e) == STATUS_OK, "%s", e.text);
    attribute(a, &s, out);
    stages_free(&s);
}

/* Time of a line; -1 where there is none. `stage` "" none. */
static int64_t line_ns(const struct activity *a, const struct attributed *x, int32_t sample, const char *stage, const char *category) {
    for (size_t i = 0; i < x->n_lines; i++) {
        const struct attributed_line *l = &x->lines[i];
        if (l->sample == sample && strcmp(l->stage < 0 ? "" : a->names[l->stage], stage) == 0 &&
            strcmp(device_category_name(l->category), category) == 0)
            return l->ns;
    }
    return -1;
}

static int64_t launches_of(const struct activity *a, const struct attributed *x, const char *stage) {
    for (size_t i = 0; i < x->n_lines; i++)
        if (x->lines[i].stage >= 0 && strcmp(a->names[x->lines[i].stage], stage) == 0 && x->lines[i].category == DEVICE_COMPUTE)
            return x->lines[i].launches;
    return -1;
}

/* Two steps; each has a prefill with an attention inside, and a decode whose graph is one launch of two kernels. The
 * second step's range begins while the device still works for the first. */
static void add_steps(struct activity *a) {
    for (int64_t step = 0; step < 2; step++) {
        int64_t t = 1000 * step, c = 10 * step;
        add_range(a, 0, t, t + 500, step ? "step 1" : "step 0");
        add_range(a, 0, t + 10, t + 100, "prefill, op_id = 4");
        add_range(a, 0, t + 50, t + 100, "attention");
        add_range(a, 0, t + 200, t + 400, "decode");
        add_call(a, 0, t + 20, t + 30, c + 1);
        add_call(a, 0, t + 60, t + 70, c + 2);
        add_call(a, 0, t + 300, t + 310, c + 3);
        add_op(a, 0, t + 40, t + 90, c + 1, "gemm");
        add_op(a, 0, t + 90, t + 190, c + 2, "flash");
        add_op(a, 0, t + 320, t + 500, c + 3, "gemv");
        add_op(a, 0, t + 500, t + 1100, c + 3, "nccl_reduce");
    }
}

START_TEST(stages_nest) {
    struct activity a = {0};
    struct attributed x;
    add_steps(&a);
    attribute_all(&a, &(struct stage_choice){.stages = "prefill,attention,decode"}, &x);
    ck_assert_uint_eq(x.n_samples, 1);
    ck_assert_int_eq(line_ns(&a, &x, 0, "prefill", "compute"), 50); /* the second one runs beneath step 0's last */
    ck_assert_int_eq(line_ns(&a, &x, 0, "attention", "compute"), 100 + 90);
    ck_assert_int_eq(launches_of(&a, &x, "prefill"), 2);
    ck_assert_int_eq(launches_of(&a, &x, "decode"), 2);
    attributed_free(&x);
    attribute_all(&a, &(struct stage_choice){.stages = "prefill,attention,decode", .depth = 1}, &x);
    ck_assert_int_eq(line_ns(&a, &x, 0, "attention", "compute"), -1);
    ck_assert_int_eq(line_ns(&a, &x, 0, "prefill", "compute"), 50 + 100 + 90);
    attributed_free(&x);
    activity_free(&a);
}
END_TEST

START_TEST(iterations_are_samples) {
    struct activity a = {0};
    struct attributed x;
    add_steps(&a);
    attribute_all(&a, &(struct stage_choice){.iteration = "step *"}, &x);
    ck_assert_uint_eq(x.n_samples, 2);
    ck_assert_int_eq(x.samples[0].start_ns, 0);
    ck_assert_int_eq(x.samples[0].end_ns, 1100);   /* its last operation's end */
    ck_assert_int_eq(x.samples[1].start_ns, 1100); /* not before the first one's end */
    ck_assert_int_eq(x.samples[1].end_ns, 2100);
    ck_assert_int_eq(line_ns(&a, &x, 0, "prefill", "idle:host"), 20);
    ck_assert_int_eq(line_ns(&a, &x, 0, "prefill", "idle:call"), 10);
    ck_assert_int_eq(line_ns(&a, &x, 0, "prefill", "idle:queued"), 10);
    ck_assert_int_eq(line_ns(&a, &x, 0, "decode", "communication"), 600);
    ck_assert_int_eq(line_ns(&a, &x, 0, "decode", "idle:host"), 110);
    ck_assert_int_eq(line_ns(&a, &x, 1, "attention", "compute"), 90);
    ck_assert_int_eq(x.samples[0].n_ops, 6);       /* two of the second step began in the first one's time */
    attributed_free(&x);
    activity_free(&a);
}
END_TEST

START_TEST(what_is_not_there_is_named) {
    static const struct {
        struct stage_choice choice;
        const char *words;
    } cases[] = {{{.stages = "nothing"}, "--stages nothing: no range of the trace has such a name; there are 'step 0'"},
                 {{.iteration = "x"}, "--iteration x: no range"}};
    struct activity a = {0};
    struct stages s;
    add_steps(&a);
    activity_join(&a);
    activity_sort_ops(&a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error e = {0};
        ck_assert_int_eq(stages_choose(&a, &cases[i].choice, &s, &e), STATUS_INPUT);
        ck_assert_msg(strstr(e.text, cases[i].words) != NULL, "%s", e.text);
        stages_free(&s);
    }
    activity_free(&a);
}
END_TEST

START_TEST(kernels_of_communication_are_known_by_name) {
    static const struct {
        const char *name;
        enum device_category category;
    } cases[] = {{"ncclDevKernel_AllReduce", DEVICE_COMMUNICATION}, {"void ncclKernel_Sum", DEVICE_COMMUNICATION}, {"NCCL_all", DEVICE_COMMUNICATION},
                 {"rcclGeneric", DEVICE_COMMUNICATION}, {"void vllm::cross_device_reduce_1stage", DEVICE_COMPUTE}, {"gemm", DEVICE_COMPUTE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct activity a = {0};
        add_op(&a, 0, 0, 1, 1, cases[i].name);
        ck_assert_int_eq(device_category_of(&a, &a.ops[0]), cases[i].category);
        a.ops[0].kind = ACTIVITY_SET;
        ck_assert_int_eq(device_category_of(&a, &a.ops[0]), DEVICE_COPY);
        activity_free(&a);
    }
}
END_TEST

/* ---- conservation ---- */

static int64_t sum_of(const struct attributed *x, int32_t sample, int32_t device) {
    int64_t sum = 0;
    for (size_t i = 0; i < x->n_lines; i++)
        if (x->lines[i].sample == sample && x->lines[i].device == device) sum += x->lines[i].ns;
    return sum;
}

/* A random trace's instances may all be empty; then there is nothing to attribute. */
static int attribute_random(struct activity *a, const struct stage_choice *c, struct attributed *x) {
    struct stages s;
    activity_join(a);
    activity_sort_ops(a);
    enum status status = stages_choose(a, c, &s, NULL);
    if (status == STATUS_OK) attribute(a, &s, x);
    stages_free(&s);
    return status == STATUS_OK;
}

START_TEST(lines_sum_to_the_sample) {
    static const struct stage_choice choices[] = {{NULL, 0, NULL}, {"a,c", 1, "step"}, {NULL, 2, "[ab]"}};
    for (uint64_t trial = 0; trial < 3000; trial++) {
        struct activity a = {0};
        struct attributed x;
        uint64_t seed = random_mix(trial ^ 77);
        draw_trace(&a, &seed);
        int has_two = 0;
        for (size_t i = 0; i < a.n_ops; i++) has_two |= a.ops[i].device != a.ops[0].device;
        if (attribute_random(&a, &choices[trial % 3], &x)) {
            for (size_t i = 0; i < x.n_samples; i++) {
                int64_t wall = x.samples[i].end_ns - x.samples[i].start_ns;
                REQUIRE(i == 0 || x.samples[i - 1].end_ns <= x.samples[i].start_ns, "samples of trial %llu", (unsigned long long)trial);
                REQUIRE(sum_of(&x, (int32_t)i, a.ops[0].device) == wall, "sample %zu of trial %llu", i, (unsigned long long)trial);
                REQUIRE(!has_two || sum_of(&x, (int32_t)i, 1) == wall, "sample %zu of trial %llu, device 1", i, (unsigned long long)trial);
            }
            attributed_free(&x);
        }
        activity_free(&a);
    }
}
END_TEST

TEST_MAIN("attribution", the_call_is_of_the_same_process, ranges_have_edges, owners_name_their_ranges, owners_are_joined_by_correlation, looking_at_everything_agrees, stages_nest, iterations_are_samples,
          what_is_not_there_is_named, kernels_of_communication_are_known_by_name, lines_sum_to_the_sample)
