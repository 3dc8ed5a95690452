/* Options, axes, plans: what users write, and what they are told when it is wrong. */
#include <string.h>

#include "check_main.h"
#include "harness/measure/plan.h"

static enum status parse(const char *line, struct options *o, struct error *e) {
    static char copy[512];
    char *argv[32];
    int argc = 2;
    argv[0] = argv[1] = "x";
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    *e = (struct error){0};
    return options_parse(argc, argv, 2, FOR_SPEC | FOR_MEASURE | FOR_EXPERIMENT | FOR_STORE, o, e);
}

static void assert_error(const char *line, const char *expected) {
    struct options o;
    struct error e;
    struct plan p = {0};
    enum status s = parse(line, &o, &e);
    if (s == STATUS_OK) s = plan_make("llm", DESIGN_FULL, &o, &p, &e);
    ck_assert_int_eq(s, STATUS_INPUT);
    ck_assert_msg(strstr(e.text, expected) != NULL, "'%s' lacks '%s'", e.text, expected);
    plan_free(&p);
    options_free(&o);
}

START_TEST(wrong_options_are_explained) {
    assert_error("--optt fusion", "did you mean '--opt'");
    assert_error("--batch", "wants a value");
    assert_error("--batch x --opt fusion", "wants a whole number");
    assert_error("--batch 0 --opt fusion", "out of range");
    assert_error("--generate 5-2 --opt fusion", "neither a number nor a range");
    assert_error("--dtype f64 --opt fusion", "not one of f32, bf16, f16");
    assert_error("--backend cpuu --opt fusion", "did you mean 'cpu'");
    assert_error("--scenario single --batch 4 --opt fusion", "one request at a time");
    assert_error("--prompt-ids 1 --prompt-text a --opt fusion", "give one of");
    assert_error("--preset smollm2-135m", "give --opt");
    assert_error("--bound -1 --opt quantize", "cannot be negative");
    assert_error("--bound x --opt quantize", "wants a number");
}
END_TEST

/* After two dashes nothing is read, whatever it looks like; other commands take them for arguments. */
START_TEST(a_command_is_left_as_it_is) {
    char *argv[] = {"assay", "trace", "--name", "x", "--", "prog", "--name", "--", "-o", NULL};
    struct options o;
    struct error e = {0};
    ck_assert_msg(options_parse(9, argv, 2, FOR_TRACE | FOR_IMPORT, &o, &e) == STATUS_OK, "%s", e.text);
    ck_assert_str_eq(o.value[OPT_NAME], "x");
    ck_assert_ptr_eq(o.command, argv + 5);
    ck_assert_int_eq(o.n_args, 0);
    options_free(&o);
    ck_assert_int_eq(options_parse(5, argv, 2, FOR_TRACE | FOR_IMPORT, &o, &e), STATUS_OK);
    ck_assert_ptr_null(o.command);
    options_free(&o);
    ck_assert_int_eq(options_parse(9, argv, 2, FOR_IMPORT, &o, &e), STATUS_OK);
    ck_assert_int_eq(o.n_args, 4);
    ck_assert_ptr_null(o.command);
    options_free(&o);
}
END_TEST

START_TEST(axes_and_masks_make_cells) {
    struct options o;
    struct error e;
    struct plan p;
    ck_assert_int_eq(parse("--preset llama-1.1b --batch 1,8 --generate 4-16*2 --opt attention --opt fusion", &o, &e), STATUS_OK);
    ck_assert_msg(plan_make("llm", DESIGN_FULL, &o, &p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(p.n_cells, 2 * 3 * 4);
    ck_assert_str_eq(p.cells[0].label, "plain batch=1 generate=4");
    ck_assert_str_eq(p.cells[3].label, "attention+fusion batch=1 generate=4");
    ck_assert_int_eq(p.cells[23].spec.batch, 8);
    ck_assert_int_eq(p.cells[23].spec.generate, 16);
    ck_assert_int_eq(p.cells[23].spec.scenario, SCENARIO_OFFLINE);
    plan_free(&p);
    ck_assert_int_eq(plan_make("llm", DESIGN_LEAVE_ONE_OUT, &o, &p, &e), STATUS_OK);
    ck_assert_int_eq(p.n_cells, 2 * 3 * 4); /* plain, two without one, all */
    plan_free(&p);
    options_free(&o);
}
END_TEST

/* One optimizer with several settings: alternatives that are never on together, in one experiment with one plain cell. */
START_TEST(settings_are_alternatives_in_a_design_of_each) {
    struct options o;
    struct error e;
    struct plan p;
    ck_assert_int_eq(parse("--preset llama-1.1b --opt sparsity --opt sparsity=share=0.7 --opt fusion", &o, &e), STATUS_OK);
    ck_assert_msg(plan_make("llm", DESIGN_EACH, &o, &p, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(p.n_cells, 4);
    ck_assert_str_eq(p.cells[1].label, "sparsity");
    ck_assert_str_eq(p.cells[2].label, "sparsity=share=0.7");
    plan_free(&p);
    static const enum design designs[] = {DESIGN_SINGLE, DESIGN_LEAVE_ONE_OUT, DESIGN_FULL};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(plan_make("llm", designs[i], &o, &p, &e), STATUS_INPUT);
        ck_assert_msg(strstr(e.text, "given twice") != NULL, "%s", e.text);
        plan_free(&p);
        e = (struct error){0};
    }
    options_free(&o);
}
END_TEST

START_TEST(equal_specs_have_equal_hashes) {
    struct options o;
    struct error e;
    struct arena a = {0};
    struct spec x, y;
    parse("--preset llama-1.1b --opt fusion", &o, &e);
    ck_assert_int_eq(spec_from_options("llm", &o, &a, &x, &e), STATUS_OK);
    y = x;
    ck_assert_uint_eq(spec_hash(&x), spec_hash(&y));
    y.batch = 2;
    ck_assert_uint_ne(spec_hash(&x), spec_hash(&y));
    arena_free(&a);
    options_free(&o);
}
END_TEST

START_TEST(the_environment_sets_and_the_command_line_wins) {
    struct options o;
    struct error e;
    setenv("ASSAY_BATCH", "4", 1);
    setenv("ASSAY_GENERATE", "9", 1);
    ck_assert_int_eq(parse("--batch 2", &o, &e), STATUS_OK);
    ck_assert_str_eq(o.value[OPT_BATCH], "2");
    ck_assert_str_eq(o.value[OPT_GENERATE], "9");
    options_free(&o);
    unsetenv("ASSAY_BATCH");
    unsetenv("ASSAY_GENERATE");
}
END_TEST

TEST_MAIN("spec", a_command_is_left_as_it_is, wrong_options_are_explained, axes_and_masks_make_cells, settings_are_alternatives_in_a_design_of_each, equal_specs_have_equal_hashes, the_environment_sets_and_the_command_line_wins)
