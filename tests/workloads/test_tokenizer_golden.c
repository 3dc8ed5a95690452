/* Every vector of the stored tokenizers, exactly: ids, ids with specials, text with and without specials. */
#include <jansson.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/file.h"
#include "workloads/tokenizer/tokenizer.h"

static json_t *load(const char *path) {
    json_error_t where;
    json_t *o = json_load_file(path, JSON_ALLOW_NUL, &where);
    ck_assert_msg(o != NULL, "%s: %s", path, where.text);
    return o;
}

/* Vectors whose ids differ. */
static int wrong_ids(struct tokenizer *t, const json_t *vector, const char *key, int with_special) {
    const json_t *text = json_object_get(vector, "text"), *want = json_object_get(vector, key);
    struct token_list got = {0};
    struct error e = {0};
    enum status s = tokenizer_encode(t, json_string_value(text), json_string_length(text), with_special, &got, &e);
    int is_wrong = s != STATUS_OK || got.count != json_array_size(want);
    for (size_t i = 0; !is_wrong && i < got.count; i++)
        is_wrong = got.ids[i] != json_integer_value(json_array_get(want, i));
    if (is_wrong) printf("%s of '%.60s' differ (%s)\n", key, json_string_value(text), e.text);
    token_list_free(&got);
    return is_wrong;
}

/* The text of ids_special against `key`. */
static int wrong_text(struct tokenizer *t, const json_t *vector, const char *key, int skip_special) {
    const json_t *ids = json_object_get(vector, "ids_special"), *want = json_object_get(vector, key);
    size_t n = json_array_size(ids);
    int32_t *list = malloc((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) list[i] = (int32_t)json_integer_value(json_array_get(ids, i));
    struct text got = {0};
    struct error e = {0};
    enum status s = tokenizer_decode(t, list, n, skip_special, &got, &e);
    int is_wrong = s != STATUS_OK || got.length != json_string_length(want) ||
                   memcmp(got.data, json_string_value(want), got.length) != 0;
    if (is_wrong) printf("%s '%.60s' differs from '%.60s' (%s)\n", key, got.data, json_string_value(want), e.text);
    text_free(&got);
    free(list);
    return is_wrong;
}

static void run_case(const char *name) {
    char path[512];
    snprintf(path, sizeof path, ASSAY_GOLDEN_DIR "/tokenizer/%s/tokenizer.json", name);
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_msg(tokenizer_open_json(path, &t, &e) == STATUS_OK, "%s", e.text);
    snprintf(path, sizeof path, ASSAY_GOLDEN_DIR "/tokenizer/%s/expected.json", name);
    json_t *expected = load(path);
    ck_assert_int_eq((int)tokenizer_vocabulary(t), (int)json_integer_value(json_object_get(expected, "vocabulary")));
    const json_t *vectors = json_object_get(expected, "vectors");
    int wrong = 0;
    /* Twice: the second time pieces come from the cache. */
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < json_array_size(vectors); i++) {
            const json_t *v = json_array_get(vectors, i);
            wrong += wrong_ids(t, v, "ids", 0) + wrong_ids(t, v, "ids_special", 1);
            wrong += wrong_text(t, v, "decoded", 1) + wrong_text(t, v, "decoded_all", 0);
        }
    ck_assert_int_gt((int)json_array_size(vectors), 200);
    ck_assert_int_eq(wrong, 0);
    json_decref(expected);
    tokenizer_close(t);
}

START_TEST(gpt2) { run_case("gpt2"); }
END_TEST
START_TEST(llama3) { run_case("llama3"); }
END_TEST
START_TEST(llama2) { run_case("llama2"); }
END_TEST

/* The comparison itself can fail: the expectations of one tokenizer are not those of another. */
START_TEST(other_vectors_differ) {
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_int_eq(tokenizer_open_json(ASSAY_GOLDEN_DIR "/tokenizer/gpt2/tokenizer.json", &t, &e), STATUS_OK);
    json_t *vector =
        json_loads("{\"text\": \"Hello\", \"ids\": [1, 2], \"ids_special\": [40], \"decoded\": \"x\"}", 0, NULL);
    ck_assert_int_eq(wrong_ids(t, vector, "ids", 0), 1);
    ck_assert_int_eq(wrong_text(t, vector, "decoded", 1), 1);
    json_decref(vector);
    tokenizer_close(t);
}
END_TEST

/* Families that come later are refused by name, not misread. */
START_TEST(unigram_and_wordpiece_are_named) {
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_int_eq(tokenizer_open_json(ASSAY_GOLDEN_DIR "/tokenizer/unigram/tokenizer.json", &t, &e),
                     STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "Unigram"));
    e = (struct error){0};
    ck_assert_int_eq(tokenizer_open_json(ASSAY_GOLDEN_DIR "/tokenizer/wordpiece/tokenizer.json", &t, &e),
                     STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "WordPiece"));
}
END_TEST

static void skip_without_golden(void) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/tokenizer")) SKIP_TEST_PROGRAM("no golden folder");
}

START_TEST(golden_is_here) { skip_without_golden(); }
END_TEST

TEST_MAIN("tokenizer_golden", golden_is_here, gpt2, llama3, llama2, other_vectors_differ,
          unigram_and_wordpiece_are_named)
