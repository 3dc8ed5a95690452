/* Ranges of an executor's operations: in order, nested in their stages, eager, captured and on two devices; and none is left
 * open when something fails. */
#include <string.h>

#include "check_main.h"
#include "kernels/executor.h"
#include "kernels/toy_program.h"

/* ---- who is told ---- */

struct told {
    char text[2048];               /* "a(b()c())" */
    int depth, least;
};

static void push(void *self, const char *name) {
    struct told *t = self;
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof t->text - n, "%s(", name);
    t->depth++;
}

static void pop(void *self) {
    struct told *t = self;
    strcat(t->text, ")");
    t->depth--;
    if (t->depth < t->least) t->least = t->depth;
}

/* ---- a program: the toy's first operations, the later of which may be on another device behind a copy ---- */

enum { STAGE_MAIN, STAGE_LATER };
static const char *const stages[] = {"main", "later"};
static const struct launch_site site = {.stage = STAGE_MAIN, .later_stage = STAGE_LATER, .later_from = 2};

struct bench {
    struct toy_program toy;
    struct clock clock;
    struct device *devices[2];
    struct executor x;
    struct told told;
    struct annotator annotator;
    int program;
};

/* embed, norm, (copy), up, act. */
static void build(struct toy_program *t, int is_split) {
    *t = (struct toy_program){0};
    program_init(&t->p, "toy");
    t->p.symbol_max[SYMBOL_R] = TOY_ROWS;
    t->p.symbol_max[SYMBOL_S] = t->p.symbol_max[SYMBOL_B] = 1;
    const struct dim rows[] = {dim_symbol(SYMBOL_R)};
    struct place place = {PART_LAYER, 3};
    t->ids = program_input(&t->p, "ids", DTYPE_I32, 1, rows);
    int x = toy_append(t, OP_EMBED, toy_weight(t, "embed.weight", TOY_VOCABULARY, TOY_WIDTH, 0), t->ids, "embed", (struct place){PART_EMBED, 0});
    x = toy_append(t, OP_RMSNORM, x, toy_weight(t, "norm.weight", 1, TOY_WIDTH, 1), "layer3.norm", place);
    if (is_split)
        x = program_append(&t->p, &(struct op_spec){.kind = OP_COPY, .n_in = 1, .in = {x}, .n_out = 1, .names = {"layer3.moved"}, .i = {1}, .place = place, .category = CATEGORY_COPY});
    x = toy_append(t, OP_LINEAR, x, toy_weight(t, "up.weight", TOY_WIDTH, TOY_WIDTH, 0), "layer3.up", place);
    program_output(&t->p, toy_append(t, OP_SILU, x, -1, "layer3.act", place));
    for (size_t i = 3; is_split && i < t->p.n_ops; i++) t->p.ops[i].device = 1;
}

static void begin(struct bench *b, int is_split, int is_captured) {
    struct error e = {0};
    *b = (struct bench){.clock = {.is_fake = 1}};
    b->annotator = (struct annotator){&b->told, push, pop};
    build(&b->toy, is_split);
    for (int d = 0; d < 2; d++)
        ck_assert_int_eq(backend_null.open(&(struct device_options){.clock = &b->clock, .unit = d}, &b->devices[d], &e), STATUS_OK);
    executor_init(&b->x, b->devices, 2, &b->clock, &(struct executor_settings){.is_captured = is_captured});
    ck_assert_msg(executor_add(&b->x, &b->toy.p, NULL, &b->program, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(executor_bind(&b->x, b->program, (int64_t[]){2, 1, 1}, &e), STATUS_OK);
}

static void begin_annotated(struct bench *b, int is_split, int is_captured) {
    begin(b, is_split, is_captured);
    executor_annotate(&b->x, &b->annotator, stages);
}

static void run(struct bench *b, const struct launch_site *where, enum status expected) {
    struct error e = {0};
    b->told = (struct told){0};
    executor_stage_begin(&b->x, where->stage);
    ck_assert_msg(executor_run(&b->x, b->program, where, NULL, &e) == expected, "%s", e.text);
    executor_stage_end(&b->x, where->stage);
    ck_assert_int_eq(b->told.depth, 0);
    ck_assert_int_eq(b->told.least, 0);
}

static void end(struct bench *b) {
    executor_free(&b->x);
    for (int d = 0; d < 2; d++) backend_null.close(b->devices[d]);
    toy_end(&b->toy);
}

/* ---- tests ---- */

START_TEST(operations_are_in_their_stages) {
    struct bench b;
    begin_annotated(&b, 0, 0);
    run(&b, &site, STATUS_OK);
    ck_assert_str_eq(b.told.text, "main(embed embed()rmsnorm norm()later(linear up())later(silu act()))");
    run(&b, &(struct launch_site){.later_from = INT32_MAX}, STATUS_OK);
    ck_assert_str_eq(b.told.text, "main(embed embed()rmsnorm norm()linear up()silu act())");
    run(&b, &(struct launch_site){.later_stage = -1, .later_from = 2}, STATUS_OK); /* no stage has that name */
    ck_assert_str_eq(b.told.text, "main(embed embed()rmsnorm norm()linear up()silu act())");
    run(&b, &(struct launch_site){.stage = -1, .later_from = INT32_MAX}, STATUS_OK);
    ck_assert_str_eq(b.told.text, "embed embed()rmsnorm norm()linear up()silu act()");
    end(&b);
}
END_TEST

/* The null backend replays on the host. */
START_TEST(captured_launches_are_told_alike) {
    struct bench b;
    begin_annotated(&b, 0, 1);
    for (int i = 0; i < 2; i++) {
        run(&b, &site, STATUS_OK);
        ck_assert_str_eq(b.told.text, "main(embed embed()rmsnorm norm()later(linear up())later(silu act()))");
    }
    end(&b);
}
END_TEST

/* Operations keep their numbers in the whole program, whichever part they are in. */
START_TEST(two_devices_and_the_copy_between) {
    struct bench b;
    begin_annotated(&b, 1, 0);
    run(&b, &(struct launch_site){.later_stage = STAGE_LATER, .later_from = 4}, STATUS_OK);
    ck_assert_str_eq(b.told.text, "main(embed embed()rmsnorm norm()copy moved()linear up()later(silu act()))");
    end(&b);
}
END_TEST

START_TEST(what_fails_leaves_nothing_open) {
    struct bench b;
    begin_annotated(&b, 1, 1); /* what is split cannot be captured */
    run(&b, &site, STATUS_UNSUPPORTED);
    ck_assert_str_eq(b.told.text, "main()");
    end(&b);
}
END_TEST

START_TEST(nobody_looks) {
    struct bench b;
    begin(&b, 0, 0);
    run(&b, &site, STATUS_OK);
    ck_assert_str_eq(b.told.text, "");
    end(&b);
}
END_TEST

TEST_MAIN("annotate", operations_are_in_their_stages, captured_launches_are_told_alike, two_devices_and_the_copy_between, what_fails_leaves_nothing_open, nobody_looks)
