/* Texts of any kind through one small tokenizer: JSON lines, malformed UTF-8, NUL, long pieces, errors. */
#include <string.h>

#include "check_main.h"
#include "workloads/tokenizer/lines.h"

/* Bytes of no ASCII letter come from the fallback tokens C3 A9 and EF BF BD. */
static const char small_file[] =
    "{\"added_tokens\": [{\"content\": \"<s>\", \"special\": true}],"
    " \"model\": {\"type\": \"BPE\", \"byte_fallback\": true, \"unk_token\": \"?\", \"vocab\": {\"?\": 0, \"a\": 1,"
    " \"b\": 2, \"ab\": 3, \"aa\": 4, \"aaaa\": 5, \"<0xC3>\": 6, \"<0xA9>\": 7, \"<0xEF>\": 8, \"<0xBF>\": 9,"
    " \"<0xBD>\": 10, \"<0x00>\": 11, \" \": 12}, \"merges\": [\"a b\", \"a a\", \"aa aa\"]},"
    " \"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}]},"
    " \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}},"
    " {\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"<s>\": {\"ids\": [13]}}}}";

static struct tokenizer *small(void) {
    struct tokenizer *t = NULL;
    struct error e = {0};
    ck_assert_msg(tokenizer_parse_json(small_file, strlen(small_file), &t, &e) == STATUS_OK, "%s", e.text);
    return t;
}

/* Runs lines through; *output is owned by the caller. */
static enum status run_lines(const char *input, size_t length, int decode, char **output, struct error *e) {
    struct tokenizer *t = small();
    size_t n;
    FILE *in = fmemopen((void *)(uintptr_t)input, length, "r"), *out = open_memstream(output, &n);
    enum status s = tokenize_lines(t, in, out, decode, e);
    fclose(in);
    fclose(out);
    tokenizer_close(t);
    return s;
}

static void expect_lines(const char *input, int decode, const char *want) {
    char *got;
    struct error e = {0};
    ck_assert_msg(run_lines(input, strlen(input), decode, &got, &e) == STATUS_OK, "%s", e.text);
    ck_assert_str_eq(got, want);
    free(got);
}

static void expect_bad_line(const char *input, int decode, const char *words) {
    char *got;
    struct error e = {0};
    ck_assert_int_eq(run_lines(input, strlen(input), decode, &got, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, words) != NULL, "%s", e.text);
    free(got);
}

START_TEST(lines_encode) {
    expect_lines("{\"text\": \"ab<s>a\"}\n\n{\"text\": \"\"}\r\n{\"text\": \"\\u00e9\\u0000\"}", 0,
                 "{\"ids\": [3, 13, 1], \"special_ids\": [13, 3, 13, 1]}\n"
                 "{\"ids\": [], \"special_ids\": [13]}\n"
                 "{\"ids\": [6, 7, 11], \"special_ids\": [13, 6, 7, 11]}\n");
}
END_TEST

START_TEST(lines_decode) {
    expect_lines("{\"ids\": [13, 3, 6, 7]}\n{\"ids\": [13, 3], \"skip_special\": false}\n"
                 "{\"ids\": [6, 11]}\n{\"ids\": []}\n",
                 1,
                 "{\"text\": \"ab\xC3\xA9\"}\n{\"text\": \"<s>ab\"}\n{\"text\": \"\xEF\xBF\xBD\xEF\xBF\xBD\"}\n"
                 "{\"text\": \"\"}\n");
}
END_TEST

START_TEST(bad_lines_are_numbered) {
    expect_bad_line("{\"text\": \"a\"}\n\n{\"text\": 1}\n", 0, "line 3: expected an object with a string 'text'");
    expect_bad_line("{\"text\": \"a\"}\n{\"text\": \"a\n", 0, "line 2: not JSON");
    expect_bad_line("{\"ids\": \"a\"}", 1, "line 1: expected an object with an array 'ids'");
    expect_bad_line("{\"ids\": [1, 1.5]}", 1, "ids[1] is not a token id");
    expect_bad_line("{\"ids\": [99]}", 1, "no id 99");
    expect_bad_line("{\"ids\": [-1]}", 1, "no id -1");
    expect_bad_line("{\"ids\": [1], \"skip_special\": 1}", 1, "'skip_special'");
}
END_TEST

static void expect_ids(const char *text, size_t length, const int32_t *want, size_t n) {
    struct tokenizer *t = small();
    struct token_list got = {0};
    struct error e = {0};
    ck_assert_int_eq(tokenizer_encode(t, text, length, 0, &got, &e), STATUS_OK);
    ck_assert_uint_eq(got.count, n);
    for (size_t i = 0; i < n; i++) ck_assert_int_eq(got.ids[i], want[i]);
    token_list_free(&got);
    tokenizer_close(t);
}

/* Each maximal piece of a broken sequence is one U+FFFD. */
START_TEST(malformed_utf8) {
    static const int32_t one[] = {1, 8, 9, 10, 2}, two[] = {1, 8, 9, 10, 8, 9, 10, 2};
    expect_ids("a\xFF" "b", 3, one, 5);
    expect_ids("a\xC3" "b", 3, one, 5);
    expect_ids("a\xF0\x9F\x98" "b", 5, one, 5);
    expect_ids("a\xC0\xAF" "b", 4, two, 8);
    expect_ids("a\xED\xA0" "b", 4, two, 8);
    expect_ids("a\xEF\xBF\xBD" "b", 5, one, 5);
}
END_TEST

START_TEST(nul_in_text) {
    static const int32_t want[] = {1, 11, 2};
    expect_ids("a\0b", 3, want, 3);
}
END_TEST

/* Without a pre-tokenizer a megabyte is one piece: a quadratic merge would not end. */
START_TEST(long_piece) {
    enum { N = 1 << 20 };
    struct tokenizer *t = small();
    char *text = malloc(N);
    memset(text, 'a', N);
    struct token_list got = {0};
    struct text back = {0};
    struct error e = {0};
    ck_assert_int_eq(tokenizer_encode(t, text, N, 0, &got, &e), STATUS_OK);
    ck_assert_uint_eq(got.count, N / 4);
    for (size_t i = 0; i < got.count; i++) ck_assert_int_eq(got.ids[i], 5);
    ck_assert_int_eq(tokenizer_decode(t, got.ids, got.count, 1, &back, &e), STATUS_OK);
    ck_assert_uint_eq(back.length, N);
    ck_assert_int_eq(memcmp(back.data, text, N), 0);
    text_free(&back);
    token_list_free(&got);
    free(text);
    tokenizer_close(t);
}
END_TEST

START_TEST(failed_encode_leaves_the_list) {
    static const char file[] = "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"vocab\": {\"a\": 0},"
                               " \"merges\": []}}";
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_int_eq(tokenizer_parse_json(file, strlen(file), &t, &e), STATUS_OK);
    struct token_list got = {0};
    ck_assert_int_eq(tokenizer_encode(t, "a", 1, 0, &got, &e), STATUS_OK);
    ck_assert_int_eq(tokenizer_encode(t, "aab", 3, 0, &got, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "unk_token"));
    ck_assert_uint_eq(got.count, 1);
    token_list_free(&got);
    tokenizer_close(t);
}
END_TEST

/* Components that multiply the text end in an error, not in gigabytes. */
START_TEST(explosion_is_stopped) {
    struct text file = {0};
    text_append(&file, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []}, \"normalizer\":"
                       " {\"type\": \"Sequence\", \"normalizers\": [");
    for (int i = 0; i < 40; i++)
        text_append(&file, "%s{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aaaaaaaa\"}",
                    i ? "," : "");
    text_append(&file, "]}}");
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_int_eq(tokenizer_parse_json(file.data, file.length, &t, &e), STATUS_OK);
    struct token_list got = {0};
    ck_assert_int_eq(tokenizer_encode(t, "a", 1, 0, &got, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "blow the text up"));
    token_list_free(&got);
    text_free(&file);
    tokenizer_close(t);
}
END_TEST

START_TEST(endless_backtracking_is_stopped) {
    static const char file[] =
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": []},"
        " \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(?:a|aa)+b\"},"
        " \"behavior\": \"Isolated\", \"invert\": false}}";
    struct tokenizer *t;
    struct error e = {0};
    ck_assert_msg(tokenizer_parse_json(file, strlen(file), &t, &e) == STATUS_OK, "%s", e.text);
    char text[200];
    memset(text, 'a', sizeof text);
    text[sizeof text - 2] = 'c';
    text[sizeof text - 1] = 'b';
    struct token_list got = {0};
    ck_assert_int_eq(tokenizer_encode(t, text, sizeof text, 0, &got, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "gives up"));
    token_list_free(&got);
    tokenizer_close(t);
}
END_TEST

/* The tables' seven allocations, each refused in turn (the first call is the tokenizer itself). */
START_TEST(refused_memory_is_an_error) {
    for (int64_t n = 1; n <= 7; n++) {
        struct tokenizer *t;
        struct error e = {0};
        mem_fail_after(n);
        enum status s = tokenizer_parse_json(small_file, strlen(small_file), &t, &e);
        mem_fail_after(-1);
        ck_assert_int_eq(s, STATUS_NO_MEMORY);
        ck_assert_ptr_nonnull(strstr(e.text, "no memory"));
    }
}
END_TEST

START_TEST(ids_and_names) {
    struct tokenizer *t = small();
    ck_assert_uint_eq(tokenizer_vocabulary(t), 14);
    ck_assert_int_eq(tokenizer_id(t, "ab"), 3);
    ck_assert_int_eq(tokenizer_id(t, "<s>"), 13);
    ck_assert_int_eq(tokenizer_id(t, "nothing"), -1);
    tokenizer_close(t);
    tokenizer_close(NULL);
}
END_TEST

TEST_MAIN("tokenizer_text", lines_encode, lines_decode, bad_lines_are_numbered, malformed_utf8, nul_in_text, long_piece,
          failed_encode_leaves_the_list, explosion_is_stopped, endless_backtracking_is_stopped,
          refused_memory_is_an_error, ids_and_names)
