/* Each component alone, and small models whole, against what the reference library makes of them
 * (test_tokenizer_components.json); then what is refused, and how. */
#include <jansson.h>
#include <string.h>

#include "check_main.h"
#include "workloads/tokenizer/json_source.h"

#define DATA ASSAY_SOURCE_DIR "/tests/workloads/test_tokenizer_components.json"
#define ONE_TOKEN "{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}"

static json_t *load_data(void) {
    json_error_t where;
    json_t *o = json_load_file(DATA, JSON_ALLOW_NUL, &where);
    ck_assert_msg(o != NULL, "%s", where.text);
    return o;
}

static struct tokenizer *parse(const json_t *file) {
    char *text = json_dumps(file, 0);
    struct tokenizer *t = NULL;
    struct error e = {0};
    ck_assert_msg(tokenizer_parse_json(text, strlen(text), &t, &e) == STATUS_OK, "%s\n%s", e.text, text);
    free(text);
    return t;
}

static struct tokenizer *tokenizer_with(const char *family, const json_t *component) {
    json_t *file = json_object();
    json_object_set_new(file, "model", json_loads(ONE_TOKEN, 0, NULL));
    json_object_set(file, family, (json_t *)(uintptr_t)component);
    struct tokenizer *t = parse(file);
    json_decref(file);
    return t;
}

/* Fails with both texts unless equal; `what` says which row. */
static void expect_text(const char *what, size_t row, struct span got, struct span want) {
    ck_assert_msg(span_equal(got, want), "%s %zu: '%.*s', expected '%.*s'", what, row, (int)got.length, got.data,
                  (int)want.length, want.data);
}

START_TEST(pre_tokenizers) {
    json_t *data = load_data();
    const json_t *rows = json_object_get(data, "pre_tokenizers"), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        struct tokenizer *t = tokenizer_with("pre_tokenizer", json_object_get(row, "component"));
        struct span text = json_span(row, "text");
        struct error e = {0};
        pieces_clear(&t->pieces);
        text_append_bytes(&t->pieces.text, text.data, text.length);
        pieces_add(&t->pieces, 0, text.length, 1);
        ck_assert_int_eq(splitter_run(&t->splitters, &t->pieces, &t->spare_pieces, 1 << 20, &e), STATUS_OK);
        const json_t *want = json_object_get(row, "pieces");
        ck_assert_msg(t->pieces.count == json_array_size(want), "row %zu: %zu pieces", i, t->pieces.count);
        for (size_t j = 0; j < t->pieces.count; j++) {
            const json_t *piece = json_array_get(want, j);
            expect_text("pre-tokenizer", i, piece_span(&t->pieces, j),
                        span_of(json_string_value(piece), json_string_length(piece)));
        }
        tokenizer_close(t);
    }
    ck_assert_uint_gt(i, 30);
    json_decref(data);
}
END_TEST

START_TEST(normalizers) {
    json_t *data = load_data();
    const json_t *rows = json_object_get(data, "normalizers"), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        struct tokenizer *t = tokenizer_with("normalizer", json_object_get(row, "component"));
        struct span text = json_span(row, "text");
        struct error e = {0};
        text_append_bytes(&t->normal, text.data, text.length);
        ck_assert_int_eq(normalizer_run(&t->normalizers, &t->normal, &t->spare, 1 << 20, &e), STATUS_OK);
        expect_text("normalizer", i, span_of(t->normal.data, t->normal.length), json_span(row, "normal"));
        tokenizer_close(t);
    }
    ck_assert_uint_gt(i, 10);
    json_decref(data);
}
END_TEST

START_TEST(decoders) {
    json_t *data = load_data();
    const json_t *rows = json_object_get(data, "decoders"), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        json_t *file = json_pack("{s{sss{}s[]}sO}", "model", "type", "BPE", "vocab", "merges", "decoder",
                                 json_object_get(row, "component"));
        const json_t *tokens = json_object_get(row, "tokens");
        json_t *vocab = json_object_get(json_object_get(file, "model"), "vocab");
        int32_t ids[64];
        size_t n = json_array_size(tokens);
        for (size_t j = 0; j < n; j++) {
            const char *token = json_string_value(json_array_get(tokens, j));
            json_t *id = json_object_get(vocab, token);
            ids[j] = id ? (int32_t)json_integer_value(id) : (int32_t)j;
            if (!id) json_object_set_new(vocab, token, json_integer((json_int_t)j));
        }
        struct tokenizer *t = parse(file);
        struct text got = {0};
        struct error e = {0};
        ck_assert_int_eq(tokenizer_decode(t, ids, n, 0, &got, &e), STATUS_OK);
        expect_text("decoder", i, span_of(got.data, got.length), json_span(row, "text"));
        text_free(&got);
        tokenizer_close(t);
        json_decref(file);
    }
    ck_assert_uint_gt(i, 7);
    json_decref(data);
}
END_TEST

static void expect_ids(struct tokenizer *t, const json_t *row, const json_t *text, int with_special) {
    struct span s = json_span(text, "text");
    struct token_list got = {0};
    struct error e = {0};
    ck_assert_msg(tokenizer_encode(t, s.data, s.length, with_special, &got, &e) == STATUS_OK, "%s", e.text);
    const json_t *want = json_object_get(text, with_special ? "ids_special" : "ids");
    int is_equal = got.count == json_array_size(want);
    for (size_t i = 0; is_equal && i < got.count; i++)
        is_equal = got.ids[i] == json_integer_value(json_array_get(want, i));
    ck_assert_msg(is_equal, "%s: '%s'", json_string_value(json_object_get(row, "note")), s.data);
    token_list_free(&got);
}

START_TEST(encodings) {
    json_t *data = load_data();
    json_t *rows = json_object_get(data, "encodings"), *row;
    size_t i, j;
    json_array_foreach(rows, i, row) {
        struct tokenizer *t = parse(row);
        const json_t *texts = json_object_get(row, "texts"), *text;
        json_array_foreach(texts, j, text) {
            expect_ids(t, row, text, 0);
            expect_ids(t, row, text, 1);
        }
        tokenizer_close(t);
    }
    ck_assert_uint_gt(i, 20);
    json_decref(data);
}
END_TEST

/* ---- what is refused ---- */

struct refusal {
    const char *family, *component;
    enum status status;
    const char *words;          /* which the message must hold */
};

#define SPLIT(regex) "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"" regex "\"}}"

static const struct refusal refusals[] = {
    {"normalizer", "{\"type\":\"Nmt\"}", STATUS_UNSUPPORTED, "normalizer: component 'Nmt'"},
    {"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Precompiled\"}]}",
     STATUS_UNSUPPORTED, "normalizer.normalizers[1]: component 'Precompiled'"},
    {"normalizer", "{\"type\":\"Prepend\"}", STATUS_INPUT, "'prepend' is not a string"},
    {"normalizer", "{\"type\":\"Replace\",\"content\":\"\",\"pattern\":\"a\"}", STATUS_INPUT, "'pattern'"},
    {"normalizer", "[]", STATUS_INPUT, "normalizer: not an object with a 'type'"},
    {"pre_tokenizer", "{\"type\":\"BertPreTokenizer\"}", STATUS_UNSUPPORTED, "'BertPreTokenizer'"},
    {"pre_tokenizer", SPLIT("(a"), STATUS_UNSUPPORTED, "missing closing parenthesis"},
    {"pre_tokenizer", SPLIT("[a&&b]"), STATUS_UNSUPPORTED, "intersection of sets"},
    {"pre_tokenizer", SPLIT("[a[b]]"), STATUS_UNSUPPORTED, "a set inside a set"},
    {"pre_tokenizer", SPLIT("a{1,3}+"), STATUS_UNSUPPORTED, "an interval followed by +"},
    {"pre_tokenizer", SPLIT("\\\\h"), STATUS_UNSUPPORTED, "\\h"},
    {"pre_tokenizer", SPLIT("(a)\\\\1"), STATUS_UNSUPPORTED, "\\1"},
    {"pre_tokenizer", SPLIT("(*UTF)a"), STATUS_UNSUPPORTED, "(*"},
    {"pre_tokenizer", SPLIT("a(?i)b|c"), STATUS_UNSUPPORTED, "group"},
    {"pre_tokenizer", SPLIT("\\\\"), STATUS_UNSUPPORTED, "a backslash at the end"},
    {"pre_tokenizer", SPLIT("\\\\p{Nonsense}"), STATUS_UNSUPPORTED, "expression is not supported"},
    {"pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"isolated\"}",
     STATUS_UNSUPPORTED, "'behavior'"},
    {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", STATUS_INPUT, "not one character"},
    {"decoder", "{\"type\":\"CTC\"}", STATUS_UNSUPPORTED, "decoder: component 'CTC'"},
    {"post_processor", "{\"type\":\"BertProcessing\"}", STATUS_UNSUPPORTED, "'BertProcessing'"},
    {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[]}", STATUS_UNSUPPORTED, "A exactly once"},
    {"post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"s\"}}]}", STATUS_INPUT,
     "'special_tokens' lacks"},
};

START_TEST(components_refused) {
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        struct text file = {0};
        text_append(&file, "{\"model\": " ONE_TOKEN ", \"%s\": %s}", r->family, r->component);
        struct tokenizer *t;
        struct error e = {0};
        enum status s = tokenizer_parse_json(file.data, file.length, &t, &e);
        ck_assert_msg(s == r->status, "%s: %s", r->component, e.text);
        ck_assert_msg(strstr(e.text, r->words) != NULL, "%s: %s", r->component, e.text);
        text_free(&file);
    }
}
END_TEST

static const struct refusal bad_files[] = {
    {NULL, "", STATUS_INPUT, "not JSON"},
    {NULL, "[1]", STATUS_INPUT, "one JSON object"},
    {NULL, "{\"a\": 1}", STATUS_INPUT, "no 'model'"},
    {NULL, "{\"model\": {\"type\": \"Unigram\"}}", STATUS_UNSUPPORTED, "'Unigram'"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"merges\": []}}", STATUS_INPUT, "model.vocab"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {}}}", STATUS_INPUT, "model.merges"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", STATUS_INPUT, "the id of 'a'"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 2000000000}, \"merges\": []}}", STATUS_INPUT,
     "the id of 'a'"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 1, \"b\": 1}, \"merges\": []}}", STATUS_INPUT,
     "the same id 1"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [\"a b\"]}}", STATUS_INPUT,
     "merge 0: 'ab' is no token"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a b c\"]}}", STATUS_INPUT,
     "model.merges[0]"},
    {NULL, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}}",
     STATUS_UNSUPPORTED, "dropout"},
    {NULL, "{\"model\": " ONE_TOKEN ", \"added_tokens\": [{\"id\": 1}]}", STATUS_INPUT, "added_tokens[0]"},
};

START_TEST(files_refused) {
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const struct refusal *r = &bad_files[i];
        struct tokenizer *t;
        struct error e = {0};
        ck_assert_msg(tokenizer_parse_json(r->component, strlen(r->component), &t, &e) == r->status, "%s: %s",
                      r->component, e.text);
        ck_assert_msg(strstr(e.text, r->words) != NULL, "%s: %s", r->component, e.text);
    }
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_int_eq(tokenizer_open_json("/nonexistent/tokenizer.json", &t, &e), STATUS_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "/nonexistent/tokenizer.json"));
}
END_TEST

TEST_MAIN("tokenizer_components", pre_tokenizers, normalizers, decoders, encodings, components_refused, files_refused)
