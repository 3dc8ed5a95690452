/* Tokenizers from GGUF metadata: the real SmolLM2 file where it is at hand, and the stored llama2 case turned
 * into a GGUF of kind "llama", whose merges go by score. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "check_main.h"
#include "kernels/base/file.h"
#include "workloads/checkpoint/checkpoint.h"
#include "workloads/tokenizer/tokenizer.h"

static json_t *load(const char *path) {
    json_error_t where;
    json_t *o = json_load_file(path, JSON_ALLOW_NUL, &where);
    ck_assert_msg(o != NULL, "%s: %s", path, where.text);
    return o;
}

/* 1 where ids or text of a vector differ. With special tokens added, the text is that without them. */
static int is_wrong(struct tokenizer *t, const json_t *v, int with_special, const char *ids_key) {
    const json_t *text = json_object_get(v, "text"), *want = json_object_get(v, ids_key);
    const json_t *decoded = json_object_get(v, "decoded");
    struct token_list ids = {0};
    struct text back = {0};
    struct error e = {0};
    enum status s =
        tokenizer_encode(t, json_string_value(text), json_string_length(text), with_special, &ids, &e);
    int wrong = s != STATUS_OK || ids.count != json_array_size(want);
    for (size_t i = 0; !wrong && i < ids.count; i++)
        wrong = ids.ids[i] != json_integer_value(json_array_get(want, i));
    if (!wrong) wrong = tokenizer_decode(t, ids.ids, ids.count, with_special, &back, &e) != STATUS_OK;
    if (!wrong)
        wrong = back.length != json_string_length(decoded) ||
                memcmp(back.data, json_string_value(decoded), back.length) != 0;
    if (wrong) printf("'%.60s': %s\n", json_string_value(text), e.text);
    token_list_free(&ids);
    text_free(&back);
    return wrong;
}

static struct tokenizer *open_tokenizer(const char *path, struct checkpoint *c) {
    struct tokenizer *t = NULL;
    struct error e = {0};
    ck_assert_msg(checkpoint_open(path, c, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(tokenizer_open_gguf(c, &t, &e) == STATUS_OK, "%s", e.text);
    return t;
}

START_TEST(smollm2) {
    char path[512];
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache) snprintf(path, sizeof path, "%s/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf", cache);
    else snprintf(path, sizeof path, "%s/.cache/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
    if (!file_exists(path) || !directory_exists(ASSAY_GOLDEN_DIR "/smollm2")) {
        printf("smollm2: not checked, the model is not at hand\n");
        return;
    }
    struct checkpoint c;
    struct tokenizer *t = open_tokenizer(path, &c);
    ck_assert_uint_eq(tokenizer_vocabulary(t), 49152);
    ck_assert_int_eq(tokenizer_id(t, "<|im_end|>"), 2);
    json_t *expected = load(ASSAY_GOLDEN_DIR "/smollm2/vectors.json");
    const json_t *vectors = json_object_get(expected, "vectors");
    int wrong = 0;
    for (size_t i = 0; i < json_array_size(vectors); i++) wrong += is_wrong(t, json_array_get(vectors, i), 0, "ids");
    ck_assert_int_gt((int)json_array_size(vectors), 200);
    ck_assert_int_eq(wrong, 0);
    json_decref(expected);
    tokenizer_close(t);
    checkpoint_close(&c);
}
END_TEST

/* ---- a GGUF written here ---- */

static void put(struct text *t, const void *p, size_t n) { text_append_bytes(t, p, n); }
static void put_u32(struct text *t, uint32_t x) { put(t, &x, 4); }
static void put_u64(struct text *t, uint64_t x) { put(t, &x, 8); }
static void put_string(struct text *t, const char *s, size_t n) {
    put_u64(t, n);
    put(t, s, n);
}

enum { GGUF_BOOL = 7, GGUF_STRING = 8, GGUF_ARRAY = 9, GGUF_F32 = 6, GGUF_I32 = 5 };

static void put_key(struct text *t, const char *key, uint32_t type) {
    put_string(t, key, strlen(key));
    put_u32(t, type);
}

static void put_array(struct text *t, const char *key, uint32_t type, size_t n) {
    put_key(t, key, GGUF_ARRAY);
    put_u32(t, type);
    put_u64(t, n);
}

struct token_spec {
    const char *text;
    size_t length;
    float score;
    int32_t type;
};

/* A file with one small tensor and the tokenizer's keys. */
static void write_gguf(const char *path, const char *model, const struct token_spec *tokens, size_t n) {
    struct text t = {0};
    put(&t, "GGUF", 4);
    put_u32(&t, 3);
    put_u64(&t, 1);
    put_u64(&t, 5);
    put_key(&t, "general.architecture", GGUF_STRING);
    put_string(&t, "llama", 5);
    put_key(&t, "tokenizer.ggml.model", GGUF_STRING);
    put_string(&t, model, strlen(model));
    put_array(&t, "tokenizer.ggml.tokens", GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) put_string(&t, tokens[i].text, tokens[i].length);
    put_array(&t, "tokenizer.ggml.scores", GGUF_F32, n);
    for (size_t i = 0; i < n; i++) put(&t, &tokens[i].score, 4);
    put_array(&t, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (size_t i = 0; i < n; i++) put(&t, &tokens[i].type, 4);
    put_string(&t, "x", 1);
    put_u32(&t, 1);
    put_u64(&t, 32);
    put_u32(&t, 0);
    put_u64(&t, 0);
    while (t.length % 32) put(&t, "", 1);
    char zeros[128] = {0};
    put(&t, zeros, sizeof zeros);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(t.data, 1, t.length, f), t.length);
    fclose(f);
    text_free(&t);
}

static void scratch_path(char *path, size_t n, const char *name) {
    snprintf(path, n, ASSAY_BINARY_DIR "/%s.%d.gguf", name, (int)getpid());
}

/* The converted SentencePiece model has its pieces in the order of its scores. */
START_TEST(llama2_by_score) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/tokenizer")) {
        printf("llama2_by_score: not checked, no golden folder\n");
        return;
    }
    json_t *file = load(ASSAY_GOLDEN_DIR "/tokenizer/llama2/tokenizer.json");
    json_t *vocab = json_object_get(json_object_get(file, "model"), "vocab");
    size_t n = json_object_size(vocab);
    struct token_spec *tokens = calloc(n, sizeof *tokens);
    const char *key;
    json_t *value;
    json_object_foreach(vocab, key, value) {
        size_t id = (size_t)json_integer_value(value);
        int type = id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1;
        tokens[id] = (struct token_spec){key, strlen(key), id < 259 ? 0.0f : -(float)(id - 259), type};
    }
    char path[512];
    scratch_path(path, sizeof path, "llama2");
    write_gguf(path, "llama", tokens, n);
    struct checkpoint c;
    struct tokenizer *t = open_tokenizer(path, &c);
    json_t *expected = load(ASSAY_GOLDEN_DIR "/tokenizer/llama2/expected.json");
    const json_t *vectors = json_object_get(expected, "vectors");
    int wrong = 0;
    for (size_t i = 0; i < json_array_size(vectors); i++)
        wrong += is_wrong(t, json_array_get(vectors, i), 1, "ids_special");
    ck_assert_int_eq(wrong, 0);
    json_decref(expected);
    tokenizer_close(t);
    checkpoint_close(&c);
    unlink(path);
    json_decref(file);
    free(tokens);
}
END_TEST

static void expect_refusal(const char *model, const struct token_spec *tokens, size_t n, enum status status,
                           const char *words) {
    char path[512];
    scratch_path(path, sizeof path, "refused");
    write_gguf(path, model, tokens, n);
    struct checkpoint c;
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_msg(checkpoint_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(tokenizer_open_gguf(&c, &t, &e), status);
    ck_assert_msg(strstr(e.text, words) != NULL, "%s", e.text);
    checkpoint_close(&c);
    unlink(path);
}

START_TEST(refusals) {
    struct token_spec good[] = {{"<unk>", 5, 0, 2}, {"<s>", 3, 0, 3}, {"a", 1, 0, 1}};
    struct token_spec bad[] = {{"<unk>", 5, 0, 2}, {"\xff", 1, 0, 3}, {"a", 1, 0, 1}};
    struct token_spec nan_score[] = {{"<unk>", 5, 0, 2}, {"<s>", 3, 0, 3}, {"a", 1, 0.0f / 0.0f, 1}};
    expect_refusal("t5", good, 3, STATUS_UNSUPPORTED, "'t5'");
    expect_refusal("gpt2", good, 3, STATUS_INPUT, "merges");
    expect_refusal("llama", bad, 3, STATUS_INPUT, "token 1 is not UTF-8");
    expect_refusal("llama", nan_score, 3, STATUS_INPUT, "score of token 2");
    expect_refusal("llama", good, 1, STATUS_INPUT, "bos_token");
}
END_TEST

TEST_MAIN("tokenizer_gguf", smollm2, llama2_by_score, refusals)
