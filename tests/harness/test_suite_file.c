/* Suites: what users write, where exactly they are told that it is wrong, and what becomes of it. */
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "harness/suite/suite.h"

#define HEAD "version: 1\nentries:\n"
#define FIGURES "figures: [{metric: a_per_s, regex: '(.)'}]"
#define OURS "  - {name: a, workload: llm}\n"
#define THEIRS "  - {name: b, external: [ls], " FIGURES "}\n"

static enum status parse(const char *text, struct suite *s, struct error *e) {
    *e = (struct error){0};
    return suite_parse("s.yaml", text, strlen(text), 0, s, e);
}

static struct suite parsed(const char *text) {
    struct suite s;
    struct error e;
    ck_assert_msg(parse(text, &s, &e) == STATUS_OK, "%s", e.text);
    return s;
}

static const struct { const char *text, *place, *words; } wrong[] = {
    /* YAML itself */
    {"", "1:1", "nothing in this file"},
    {"a: [1\nb: 2\n", "2:2", "did not find expected"},
    {HEAD "\t- name: a\n", "3:1", "cannot start any token"},
    {HEAD "  - {name: \xff}\n", "3:12", "UTF-8"},
    {"version: 1\n---\nversion: 1\n", "2:1", "a second document"},
    {HEAD "  - &x {name: a, workload: llm}\n", "3:5", "anchors are not read"},
    {HEAD "  - {name: *x}\n", "3:12", "aliases are not read"},
    {HEAD "  - {name: !t a}\n", "3:12", "tags are not read"},
    {HEAD "  - {name: a, workload: llm, name: b}\n", "3:30", "'name' stands here twice; the first is in line 3"},
    {HEAD "  - {[a]: b}\n", "3:6", "a key must be a word"},
    {HEAD "  - {name: \"a\\0b\", workload: llm}\n", "3:12", "zero byte"},
    {HEAD "  - [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]\n", "3:19", "nested too deeply"},
    {HEAD "  - {name: \xc3\xa4\xc3\xb6, workload: llm, batch: 0}\n", "3:38", "out of range"}, /* columns are characters */
    /* the suite */
    {"[1, 2]\n", "1:1", "must be a map"},
    {"entries: []\n", "1:1", "'version' is missing"},
    {"version: 2\nother: 1\n", "1:10", "not '2'"},
    {"version: '1'\n", "1:10", "version"},
    {"version: 1\nwersion: 2\n", "2:1", "did you mean 'version'? (allowed here: version, name, rounds"},
    {"version: 1\n", "1:1", "'entries' is missing"},
    {"version: 1\nentries: []\n", "2:10", "with one at least"},
    {"version: 1\nentries: a\n", "2:10", "must be a list"},
    {"version: 1\nrounds: 0\n", "2:9", "from 1 to 1000, not '0'"},
    {"version: 1\nrounds: 1.5\n", "2:9", "whole number"},
    {"version: 1\nrounds: '2'\n", "2:9", "whole number"},
    {"version: 1\nseed: -1\n", "2:7", "whole number"},
    {"version: 1\nname:\n", "2:6", "'name' has no value"},
    {"version: 1\nname: [a]\n", "2:7", "one value, not a list"},
    /* options */
    {"version: 1\ndefaults: 3\n", "2:11", "must be a map"},
    {"version: 1\ndefaults:\n  bach: 2\n", "3:3", "did you mean 'batch'?"},
    {"version: 1\ndefaults:\n  batch: 2\n  layers: 9999\n", "4:11", "--layers 9999 is out of range"},
    {"version: 1\ndefaults:\n  samples: -1\n", "3:12", "cannot be negative"},
    {"version: 1\ndefaults: {processes: 2}\n", "2:12", "unknown key 'processes'"},
    {"version: 1\ndefaults: {config: f}\n", "2:12", "unknown key 'config'"},
    {HEAD "  - {name: a, workload: llm, samples: 3}\n", "3:30", "unknown key 'samples'"},
    {HEAD "  - {name: a, workload: moe}\n", "3:5", "unknown workload 'moe'"},
    {HEAD "  - {name: a, workload: llm, stop: yes}\n", "3:36", "must be true or false, not 'yes'"},
    {HEAD "  - {name: a, workload: llm, batch: x}\n", "3:37", "wants a whole number, not 'x'"},
    {HEAD "  - {name: a, workload: llm, batch: }\n", "3:37", "'batch' has no value"},
    {HEAD "  - name: a\n    workload: llm\n    batch: [1, 9999]\n", "5:12", "out of range"},
    {HEAD "  - {name: a, workload: llm, batch: [1, [2]]}\n", "3:41", "one value, not a list"},
    {HEAD "  - {name: a, workload: llm, batch: ['1,2']}\n", "3:38", "a comma inside a list"},
    {HEAD "  - {name: a, workload: llm, seed: [1, 2]}\n", "3:36", "one value, not a list"},
    {HEAD "  - name: a\n    workload: llm\n    opt: [fusion, fussion]\n", "5:10", "did you mean 'fusion'?"},
    {HEAD "  - {name: a, workload: llm, prompt: 4, prompt-text: x}\n", "3:54", "leave it out"},
    {HEAD "  - {name: a, workload: llm, model: '${A'}\n", "3:37", "is no variable"},
    /* entries */
    {HEAD "  - a\n", "3:5", "an entry must be a map"},
    {HEAD "  - {workload: llm}\n", "3:5", "'name' is missing"},
    {HEAD "  - {name: a}\n", "3:5", "must have one of 'workload'"},
    {HEAD "  - {name: a, workload: llm, external: [ls]}\n", "3:5", "must have one of 'workload'"},
    {HEAD OURS "  - {name: a, external: [ls], " FIGURES "}\n", "4:12", "two entries of the name 'a'"},
    {HEAD "  - {name: a, workload: llm, batch: [1, 2]}\n  - {name: a batch=1, workload: llm}\n", "4:12", "two entries of the name 'a batch=1'"},
    {HEAD "  - {name: a, external: ls, " FIGURES "}\n", "3:25", "must be a list of words"},
    {HEAD "  - {name: a, external: [], " FIGURES "}\n", "3:25", "must be a list of words"},
    {HEAD "  - {name: a, external: [''], " FIGURES "}\n", "3:26", "the program has no name"},
    {HEAD "  - {name: a, external: [ls], batch: 1, " FIGURES "}\n", "3:31", "unknown key 'batch'"},
    {HEAD "  - {name: a, external: [ls], limit: 0, " FIGURES "}\n", "3:38", "above 0"},
    {HEAD "  - {name: a, external: [ls], limit: 1e9, " FIGURES "}\n", "3:38", "at most 86400"},
    {HEAD "  - {name: a, external: [ls], environment: [A], " FIGURES "}\n", "3:44", "must be a map of variables"},
    {HEAD "  - {name: a, external: [ls], environment: {A-B: 1}, " FIGURES "}\n", "3:45", "no variable's name"},
    {HEAD "  - {name: a, external: [ls], warm: file, " FIGURES "}\n", "3:37", "must be a list of files"},
    {HEAD "  - {name: a, workload: llm, warm: []}\n", "3:36", "must be a list of files"},
    {HEAD "  - {name: a, external: [ls]}\n", "3:5", "'figures' is missing"},
    {HEAD "  - {name: a, external: [ls], figures: []}\n", "3:40", "with one at least"},
    {HEAD "  - {name: a, external: [ls], figures: [{json: a}]}\n", "3:41", "'metric' is missing"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns}]}\n", "3:41", "is read from one of"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, json: a, wall: true}]}\n", "3:41", "is read from one of"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, wall: false}]}\n", "3:62", "'wall' is true"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_per_s, wall: true}]}\n", "3:50", "does not fit"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: decode_tokens_per_second, json: a}]}\n", "3:50", "must end in its unit"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: A_ns, json: a}]}\n", "3:50", "no metric's name"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: wall_ns, json: a}]}\n", "3:50", "without being asked for"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, json: a}, {metric: a_ns, json: b}]}\n", "3:75", "given twice"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, json: 'a..b'}]}\n", "3:62", "is no path from '..b' on"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, json: 'a[x'}]}\n", "3:62", "is no path from '[x' on"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, regex: '(a'}]}\n", "3:63", "at character 3"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, regex: 'a'}]}\n", "3:63", "has 0 groups"},
    {HEAD "  - {name: a, external: [ls], figures: [{metric: a_ns, regex: '(.)', unit: MB}]}\n", "3:76", "ns, us, ms, s"},
    /* rows */
    {HEAD OURS THEIRS "compare: []\n", "5:10", "with one at least"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: b, at_most: 2}\n", "6:54", "did you mean 'at_least'?"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a}\n", "6:5", "'against' is missing"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: aa, against: b}\n", "6:39", "there is no entry 'aa'; did you mean 'a'?"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: [b, c]}\n", "6:55", "there is no entry 'c'"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: [b, b]}\n", "6:55", "stands here twice"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: [a]}\n", "6:52", "compared with itself"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: e2e_ns, ours: a, against: b}\n", "6:50", "has no figure of the metric 'e2e_ns'"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: speed, ours: a, against: b}\n", "6:24", "must end in its unit"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: b, at_least: 0}\n", "6:64", "above 0"},
    {HEAD OURS THEIRS "compare:\n  - &r {title: t}\n", "6:5", "anchors"},
    {HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: b}\n  - {title: t, metric: a_per_s, ours: a, against: b}\n", "7:13", "two rows of the title"},
    {HEAD "  - {name: a, workload: llm, batch: [1, 2]}\n" THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: b}\n", "6:39", "name one of its points"},
};

/* All of them are looked at before the test fails. */
START_TEST(what_is_wrong_is_refused_where_it_stands) {
    int n_bad = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct suite s;
        struct error e;
        char place[32];
        snprintf(place, sizeof place, "s.yaml:%s: ", wrong[i].place);
        enum status st = parse(wrong[i].text, &s, &e);
        if (st == STATUS_OK) suite_free(&s);
        if (st == STATUS_INPUT && strncmp(e.text, place, strlen(place)) == 0 && strstr(e.text, wrong[i].words)) continue;
        printf("%s--- gives '%s', and neither '%s' nor '%s'\n", wrong[i].text, e.text, place, wrong[i].words);
        n_bad++;
    }
    ck_assert_int_eq(n_bad, 0);
}
END_TEST

START_TEST(entries_become_cells) {
    struct suite s = parsed("version: 1\nrounds: 3\nseed: 7\ndefaults: {preset: smollm2-135m, batch: 4, opt: [fusion], samples: 2, fidelity: false}\nentries:\n"
                            "  - {name: a, workload: llm, batch: [1, 8], opt: [attention, fusion]}\n  - {name: b, workload: llm, batch: null, opt: []}\n"
                            "  - {name: c, external: [ls, -l], environment: {A: '1'}, directory: /, limit: 2.5, figures: [{metric: t_ns, regex: '(.)', unit: ms}]}\n");
    struct plan *p = &s.plan;
    ck_assert_int_eq(p->n_cells, 4);
    ck_assert_int_eq(p->n_blocks, 3);
    ck_assert_uint_eq(p->seed, 7);
    ck_assert_int_eq(p->samples, 2);
    ck_assert_int_eq(p->checks_fidelity, 0);
    ck_assert_str_eq(p->name, "s"); /* of the file */
    ck_assert_str_eq(p->cells[1].label, "a batch=8");
    ck_assert_str_eq(p->cells[1].axes_json, "{\"batch\":\"8\",\"entry\":\"a\"}");
    ck_assert_int_eq(p->cells[1].spec.batch, 8);
    ck_assert_int_eq(p->cells[1].spec.n_uses, 2);
    ck_assert_str_eq(p->cells[2].label, "b");
    ck_assert_int_eq(p->cells[2].spec.batch, 1); /* the default taken back */
    ck_assert_int_eq(p->cells[2].spec.n_uses, 0);
    ck_assert_str_eq(p->cells[2].spec.preset, "smollm2-135m");
    const struct external *x = p->cells[3].external;
    ck_assert_ptr_nonnull(x);
    ck_assert_str_eq(x->command.argv[1], "-l");
    ck_assert_ptr_null(x->command.argv[2]);
    ck_assert_str_eq(x->command.environment[0], "A=1");
    ck_assert_double_eq(x->command.limit_s, 2.5);
    ck_assert_double_eq(x->figures[0].scale, 1e6);
    suite_free(&s);
}
END_TEST

START_TEST(equal_files_make_equal_plans) {
    static const char text[] = HEAD OURS THEIRS "compare:\n  - {title: t, metric: a_per_s, ours: a, against: b, at_least: 1.5}\n";
    struct suite s = parsed(text), same = parsed(text), other = parsed(HEAD OURS THEIRS);
    ck_assert_str_eq(plan_json(&s.plan), plan_json(&same.plan));
    ck_assert_str_ne(plan_json(&s.plan), plan_json(&other.plan));
    suite_free(&s);
    suite_free(&same);
    suite_free(&other);
}
END_TEST

START_TEST(variables_are_put_in) {
    setenv("SUITE_A", "one", 1);
    setenv("SUITE_EMPTY", "", 1);
    unsetenv("SUITE_B");
    struct suite s = parsed("version: 1\ndefaults: {model: '${SUITE_B}'}\nentries:\n"
                            "  - {name: a, external: ['${SUITE_A}', 'x${SUITE_B:-y}z', '$${SUITE_A} $HOME', '${SUITE_EMPTY:-}'], " FIGURES "}\n"
                            "  - {name: b, external: [ls, '${SUITE_EMPTY}'], " FIGURES "}\n"
                            "  - {name: c, workload: llm}\n  - {name: d, workload: llm, model: '${SUITE_A}'}\n");
    const char *const *argv = s.plan.cells[0].external->command.argv;
    ck_assert_str_eq(argv[0], "one");
    ck_assert_str_eq(argv[1], "xyz");
    ck_assert_str_eq(argv[2], "${SUITE_A} $HOME");
    ck_assert_str_eq(argv[3], "");
    ck_assert_ptr_null(s.plan.cells[0].missing);
    ck_assert_str_eq(s.plan.cells[1].missing, "the environment variable SUITE_EMPTY is not set");
    ck_assert_str_eq(s.plan.cells[2].missing, "the environment variable SUITE_B is not set");
    ck_assert_ptr_null(s.plan.cells[3].missing); /* an entry wins over what the defaults lack */
    ck_assert_str_eq(s.plan.cells[3].spec.model, "one");
    suite_free(&s);
}
END_TEST

START_TEST(as_many_cells_as_a_plan_holds) {
    struct text t = {0};
    struct suite s;
    struct error e;
    text_append(&t, HEAD);
    for (int i = 0; i < PLAN_MAX_CELLS; i++) text_append(&t, "  - {name: e%d, workload: llm}\n", i);
    s = parsed(t.data);
    ck_assert_int_eq(s.plan.n_cells, PLAN_MAX_CELLS);
    suite_free(&s);
    text_append(&t, "  - {name: more, workload: llm}\n");
    ck_assert_int_eq(parse(t.data, &s, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "more than 256 cells"));
    text_free(&t);
}
END_TEST

TEST_MAIN("suite_file", what_is_wrong_is_refused_where_it_stands, entries_become_cells, equal_files_make_equal_plans, variables_are_put_in,
          as_many_cells_as_a_plan_holds)
