/* Cloze items: what a file may hold, what is said of a wrong line, and that an answer must be strictly the likeliest. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "harness/measure/cloze.h"

static char path[] = "/tmp/assay-cloze-XXXXXX";
static struct llm_model model = {.name = "words", .config = {.context = 12}};

static void write_items(const char *text) {
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

START_TEST(set_up) {
    struct error e = {0};
    close(mkstemp(path));
    ck_assert_msg(tokenizer_open_json(ASSAY_SOURCE_DIR "/tests/fuzz/corpus/tokenizer/gpt2.json", &model.tokenizer, &e) == STATUS_OK, "%s", e.text);
}
END_TEST

START_TEST(reads_items) {
    struct cloze c;
    struct error e = {0};
    write_items("{\"context\": \"ab\", \"options\": [\" c\", \" cd\", \"e\"], \"answer\": 2}\n\n{\"answer\": 0, \"options\": [\"b\", \"c\"], \"context\": \"a\"}");
    ck_assert_msg(cloze_read(path, &model, &c, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(c.n_items, 2);
    ck_assert_int_eq(c.items[0].n_options, 3);
    ck_assert_int_eq(c.items[0].answer, 2);
    ck_assert_int_eq(c.items[1].answer, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_gt((int)c.items[0].rows[i].count, c.items[0].n_context);
        ck_assert_int_ge(c.longest, (int)c.items[0].rows[i].count);
        ck_assert_int_eq(memcmp(c.items[0].rows[i].ids, c.items[0].rows[0].ids, (size_t)c.items[0].n_context * sizeof(int32_t)), 0);
    }
    cloze_free(&c);
}
END_TEST

static void refused(const char *text, const char *line, const char *words) {
    struct cloze c;
    struct error e = {0};
    write_items(text);
    ck_assert_int_eq(cloze_read(path, &model, &c, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, line) && strstr(e.text, words) && strstr(e.text, path), "'%s' lacks '%s' or '%s'", e.text, line, words);
    cloze_free(&c);
}

START_TEST(says_what_is_wrong_and_where) {
#define GOOD "{\"context\": \"a\", \"options\": [\"b\", \"c\"], \"answer\": 1}\n"
    refused("", "", "holds no item");
    refused(GOOD "\n{\"context\": \"a\"", "line 3", "not JSON");
    refused(GOOD "[1]\n", "line 2", "expected an object");
    refused("{\"context\": \"a\", \"option\": [\"b\", \"c\"], \"answer\": 1}", "line 1", "unknown key 'option'; did you mean 'options'?");
    refused("{\"context\": \"a\", \"options\": [\"b\", \"c\"]}", "line 1", "'answer' is missing");
    refused("{\"context\": 3, \"options\": [\"b\", \"c\"], \"answer\": 1}", "line 1", "'context' is no text");
    refused("{\"context\": \"a\", \"options\": [\"b\"], \"answer\": 0}", "line 1", "list of 2 to 64 texts");
    refused("{\"context\": \"a\", \"options\": [\"b\", 2], \"answer\": 0}", "line 1", "options[1] is no text");
    refused(GOOD "{\"context\": \"a\", \"options\": [\"b\", \"c\"], \"answer\": 2}", "line 2", "0 to 1");
    refused("{\"context\": \"a\", \"options\": [\"b\", \"c\"], \"answer\": 0.5}", "line 1", "'answer' is no number");
    refused("{\"context\": \"a\", \"context\": \"b\", \"options\": [\"b\", \"c\"], \"answer\": 0}", "line 1", "not JSON");
    refused("{\"context\": \"\", \"options\": [\"b\", \"c\"], \"answer\": 0}", "line 1", "'context' is empty");
    refused("{\"context\": \"a\", \"options\": [\"b\", \"\"], \"answer\": 0}", "line 1", "options[1] is empty");
    refused("{\"context\": \"a b c d e f g h i j k l m n o p\", \"options\": [\"b\", \"c\"], \"answer\": 0}", "line 1", "at most 12 fit words");
    struct cloze c;
    struct error e = {0};
    struct llm_model mute = {.name = "mute"};
    ck_assert_int_eq(cloze_read(path, &mute, &c, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "needs a tokenizer"));
    e = (struct error){0};
    ck_assert_int_ne(cloze_read("/nowhere/items", &model, &c, &e), STATUS_OK);
    ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/items"));
}
END_TEST

/* Synthetic weights, so the likeliest option is whatever it is; asked for in turn, exactly one of them is right, and of two equal
 * ones none. */
START_TEST(the_answer_is_strictly_the_likeliest) {
    struct error e = {0};
    struct spec spec = {.workload = "llm", .preset = "smollm2-135m", .layers = 1, .backend = "cpu", .dtype = DTYPE_F32, .threads = 1};
    struct llm_options from = {.preset = spec.preset, .layers = 1, .seed = 3};
    struct llm_model m;
    struct engine g;
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = 8, .forced_rows = 4}};
    ck_assert_msg(llm_open(&from, &m, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(engine_open(&g, &spec, &m, &o, &e) == STATUS_OK, "%s", e.text);
    int32_t ids[3][5] = {{5, 6, 7, 8, 9}, {5, 6, 7, 10, 11}, {5, 6, 7, 12, 13}};
    double scores[3];
    float nll[4];
    int best = 0, right = 0, n;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cloze_log_likelihood(&g, ids[i], 3, 5, &scores[i], &e), STATUS_OK);
        ck_assert_int_eq(engine_forced(&g, ids[i], 5, NULL, nll, &e), STATUS_OK);
        ck_assert_double_eq_tol(scores[i], -(double)nll[2] - (double)nll[3], 1e-12);
        if (scores[i] > scores[best]) best = i;
    }
    struct token_list rows[3] = {{ids[0], 5, 5}, {ids[1], 5, 5}, {ids[2], 5, 5}};
    struct cloze_item item = {rows, 3, 3, 0};
    struct cloze c = {.items = &item, .n_items = 1, .longest = 5};
    for (item.answer = 0; item.answer < 3; item.answer++) {
        ck_assert_int_eq(cloze_score(&c, &g, &n, &e), STATUS_OK);
        ck_assert_int_eq(n, item.answer == best);
        right += n;
    }
    ck_assert_int_eq(right, 1);
    rows[0].ids = rows[1].ids = rows[2].ids = ids[best];
    for (item.answer = 0; item.answer < 3; item.answer++) {
        ck_assert_int_eq(cloze_score(&c, &g, &n, &e), STATUS_OK);
        ck_assert_int_eq(n, 0);
    }
    engine_close(&g);
    llm_close(&m);
}
END_TEST

START_TEST(clean_up) {
    tokenizer_close(model.tokenizer);
    unlink(path);
}
END_TEST

TEST_MAIN("harness.cloze", set_up, reads_items, says_what_is_wrong_and_where, the_answer_is_strictly_the_likeliest, clean_up)
