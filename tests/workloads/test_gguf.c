/* GGUF: the real SmolLM2 file where it is at hand, every metadata and tensor type, and hostile files. */
#include <math.h>

#include "check_main.h"
#include "workloads/checkpoint/parse.h"
#include "workloads/scratch.h"

/* ---- a GGUF file built here ---- */

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

static void put(struct text *t, const void *p, size_t n) { text_append_bytes(t, p, n); }
static void put_u32(struct text *t, uint32_t x) { put(t, &x, sizeof x); }
static void put_u64(struct text *t, uint64_t x) { put(t, &x, sizeof x); }

static void put_string(struct text *t, const char *s) {
    put_u64(t, strlen(s));
    put(t, s, strlen(s));
}

static void put_header(struct text *t, uint32_t version, uint64_t tensors, uint64_t keys) {
    put(t, "GGUF", 4);
    put_u32(t, version);
    put_u64(t, tensors);
    put_u64(t, keys);
}

static void put_key(struct text *t, const char *key, uint32_t type, const void *value, size_t n) {
    put_string(t, key);
    put_u32(t, type);
    put(t, value, n);
}

static void put_array(struct text *t, const char *key, uint32_t type, uint64_t n) {
    put_string(t, key);
    put_u32(t, ARRAY);
    put_u32(t, type);
    put_u64(t, n);
}

struct info {
    const char *name;
    uint32_t rank;
    uint64_t dims[2]; /* fastest first, as in the file */
    uint32_t type;
    uint64_t offset;
};

static void put_info(struct text *t, const struct info *i) {
    put_string(t, i->name);
    put_u32(t, i->rank);
    for (uint32_t d = 0; d < i->rank && d < 16; d++) put_u64(t, i->dims[d & 1]);
    put_u32(t, i->type);
    put_u64(t, i->offset);
}

static void put_data(struct text *t, size_t alignment, size_t n) {
    while (t->length % alignment) put(t, "", 1);
    for (size_t i = 0; i < n; i++) put(t, &(char){(char)(i & 127)}, 1);
}

/* Opens the bytes as a file; frees them. The file stays mapped after it is gone. */
static enum status open_bytes(struct text *t, struct checkpoint *c, struct error *e) {
    char *folder = scratch_folder("gguf");
    char *path = mem_printf("%s/x.gguf", folder);
    scratch_write(folder, "x.gguf", t->data, t->length);
    text_free(t);
    enum status s = checkpoint_open(path, c, e);
    if (s != STATUS_OK) ck_assert_msg(strstr(e->text, path) != NULL, "the file is not named: %s", e->text);
    mem_free(path);
    scratch_remove(folder);
    return s;
}

/* ---- metadata ---- */

static void put_every_type(struct text *t) {
    put_key(t, "u8", U8, &(uint8_t){200}, 1);
    put_key(t, "i8", I8, &(int8_t){-100}, 1);
    put_key(t, "u16", U16, &(uint16_t){60000}, 2);
    put_key(t, "i16", I16, &(int16_t){-30000}, 2);
    put_key(t, "u32", U32, &(uint32_t){4000000000u}, 4);
    put_key(t, "i32", I32, &(int32_t){-2000000000}, 4);
    put_key(t, "f32", F32, &(float){1e-5f}, 4);
    put_key(t, "bool", BOOL, &(uint8_t){1}, 1);
    put_key(t, "u64", U64, &(uint64_t){UINT64_MAX}, 8);
    put_key(t, "i64", I64, &(int64_t){INT64_MIN}, 8);
    put_key(t, "f64", F64, &(double){0.1}, 8);
    put_string(t, "string");
    put_u32(t, STRING);
    put_string(t, "caf\xc3\xa9");
}

static void put_arrays(struct text *t) {
    put_array(t, "strings", STRING, 3);
    put_string(t, "a");
    put_string(t, "");
    put_string(t, "\xff not text");
    put_array(t, "floats", F32, 2);
    put(t, (float[]){0.5f, NAN}, 8);
    put_array(t, "ints", I32, 3);
    put(t, (int32_t[]){-1, 0, 1}, 12);
    put_array(t, "bytes", U8, 65);
    for (int i = 0; i < 65; i++) put(t, "x", 1);
    put_array(t, "none", I32, 0);
}

static double number(const struct checkpoint *c, const char *key) {
    const json_t *v = json_object_get(c->config, key);
    ck_assert_msg(json_is_number(v), "%s is not a number", key);
    return json_number_value(v);
}

static void check_scalars(const struct checkpoint *c) {
    ck_assert_double_eq(number(c, "u8"), 200);
    ck_assert_double_eq(number(c, "i8"), -100);
    ck_assert_double_eq(number(c, "u16"), 60000);
    ck_assert_double_eq(number(c, "i16"), -30000);
    ck_assert_double_eq(number(c, "u32"), 4e9);
    ck_assert_double_eq(number(c, "i32"), -2e9);
    ck_assert_double_eq(number(c, "f32"), (double)1e-5f);
    ck_assert_double_eq(number(c, "u64"), 0x1p64);
    ck_assert_double_eq(number(c, "i64"), -0x1p63);
    ck_assert_double_eq(number(c, "f64"), 0.1);
    ck_assert(json_is_true(json_object_get(c->config, "bool")));
    ck_assert_str_eq(json_string_value(json_object_get(c->config, "string")), "caf\xc3\xa9");
}

static void check_arrays(const struct checkpoint *c) {
    const struct gguf_string *strings;
    const float *floats;
    const int32_t *ints;
    size_t n;
    ck_assert(gguf_string_array(c->gguf, "strings", &strings, &n) && n == 3);
    ck_assert(strings[0].length == 1 && strings[1].length == 0 && strings[2].length == 10);
    ck_assert_int_eq(memcmp(strings[2].data, "\xff not text", 10), 0);
    ck_assert(gguf_f32_array(c->gguf, "floats", &floats, &n) && n == 2 && floats[0] == 0.5f && isnan(floats[1]));
    ck_assert(gguf_i32_array(c->gguf, "ints", &ints, &n) && n == 3 && ints[0] == -1 && ints[2] == 1);
    ck_assert(gguf_i32_array(c->gguf, "none", &ints, &n) && n == 0);
    ck_assert(!gguf_i32_array(c->gguf, "floats", &ints, &n));
    ck_assert(!gguf_f32_array(c->gguf, "absent", &floats, &n));
    ck_assert(!gguf_string_array(NULL, "strings", &strings, &n));
    ck_assert_uint_eq(json_array_size(json_object_get(c->config, "ints")), 3);
    ck_assert_ptr_null(json_object_get(c->config, "floats"));  /* NaN has no JSON */
    ck_assert_ptr_null(json_object_get(c->config, "strings")); /* nor have bytes that are not UTF-8 */
    ck_assert_ptr_null(json_object_get(c->config, "bytes"));   /* too long */
}

START_TEST(every_metadata_type) {
    for (uint32_t version = 2; version <= 3; version++) {
        struct text t = {0};
        struct checkpoint c;
        struct error e = {0};
        put_header(&t, version, 0, 17);
        put_every_type(&t);
        put_arrays(&t);
        ck_assert_msg(open_bytes(&t, &c, &e) == STATUS_OK, "%s", e.text);
        ck_assert(c.is_gguf && c.n_tensors == 0 && c.tokenizer_path == NULL);
        check_scalars(&c);
        check_arrays(&c);
        checkpoint_close(&c);
    }
}
END_TEST

/* ---- tensors ---- */

struct good_type {
    uint32_t id;
    enum dtype dtype;
    const struct encoding *encoding;
    size_t bytes; /* of 3 rows of 64 */
};

static const struct good_type good_types[] = {
    {0, DTYPE_F32, &encoding_f32, 768},   {1, DTYPE_F16, &encoding_f16, 384},   {2, DTYPE_F32, &encoding_q4_0, 108},
    {3, DTYPE_F32, &encoding_q4_1, 120},  {8, DTYPE_F32, &encoding_q8_0, 204},  {24, DTYPE_I8, NULL, 192},
    {26, DTYPE_I32, NULL, 768},           {27, DTYPE_I64, NULL, 1536},          {28, DTYPE_F64, NULL, 1536},
    {30, DTYPE_BF16, &encoding_bf16, 384},
};

START_TEST(every_tensor_type) {
    for (size_t i = 0; i < sizeof good_types / sizeof *good_types; i++) {
        const struct good_type *g = &good_types[i];
        struct text t = {0};
        struct checkpoint c;
        struct error e = {0};
        put_header(&t, 3, 2, 1);
        put_key(&t, "general.alignment", U32, &(uint32_t){64}, 4);
        put_info(&t, &(struct info){"z", 2, {64, 3}, g->id, 64});
        put_info(&t, &(struct info){"a", 1, {1, 0}, 24, 0});
        put_data(&t, 64, 64 + g->bytes);
        ck_assert_msg(open_bytes(&t, &c, &e) == STATUS_OK, "type %u: %s", g->id, e.text);
        const struct checkpoint_tensor *z = checkpoint_find(&c, "z");
        ck_assert_ptr_nonnull(z);
        ck_assert(z->n_dims == 2 && z->dims[0] == 3 && z->dims[1] == 64);
        ck_assert(z->dtype == g->dtype && z->encoding == g->encoding);
        ck_assert_uint_eq(z->bytes, g->bytes);
        ck_assert_int_eq(*(const uint8_t *)z->data, 64);
        ck_assert_str_eq(c.tensors[0].name, "a");
        checkpoint_close(&c);
    }
}
END_TEST

struct bad_info {
    const char *label;
    struct info info;
    size_t data_bytes;
    enum status status;
    const char *words[2];
};

static const struct bad_info bad_infos[] = {
    {"good", {"w", 1, {8, 0}, 0, 0}, 32, STATUS_OK, {"", ""}},
    {"empty", {"w", 2, {0, 8}, 0, 0}, 0, STATUS_OK, {"", ""}},
    {"cut", {"w", 1, {8, 0}, 0, 0}, 31, STATUS_INPUT, {"tensor 'w'", "cut short"}},
    {"far", {"w", 1, {8, 0}, 0, 1u << 30}, 32, STATUS_INPUT, {"tensor 'w'", "pass the end"}},
    {"wraps", {"w", 1, {8, 0}, 0, UINT64_MAX - 31}, 32, STATUS_INPUT, {"tensor 'w'", "pass the end"}},
    {"odd offset", {"w", 1, {4, 0}, 0, 8}, 64, STATUS_INPUT, {"tensor 'w'", "not a multiple of the alignment, 32"}},
    {"part block", {"w", 1, {40, 0}, 8, 0}, 64, STATUS_INPUT, {"tensor 'w'", "not whole blocks of 32 (q8_0)"}},
    {"rows split blocks", {"w", 2, {16, 2}, 2, 0}, 64, STATUS_INPUT, {"tensor 'w'", "rows of 16"}},
    {"overflow", {"w", 2, {(uint64_t)1 << 40, (uint64_t)1 << 40}, 0, 0}, 32, STATUS_INPUT, {"tensor 'w'", "elements"}},
    {"overflow of bytes", {"w", 2, {(uint64_t)1 << 32, (uint64_t)1 << 31}, 0, 0}, 32, STATUS_INPUT,
     {"tensor 'w'", "elements"}},
    {"negative", {"w", 1, {(uint64_t)-8, 0}, 0, 0}, 32, STATUS_INPUT, {"tensor 'w'", "out of range"}},
    {"rank 9", {"w", 9, {1, 1}, 0, 0}, 32, STATUS_INPUT, {"tensor 'w'", "9 dimensions"}},
    {"rank huge", {"w", 0xffffff, {1, 1}, 0, 0}, 32, STATUS_INPUT, {"tensor 'w'", "16777215 dimensions"}},
    {"Q4_K", {"w", 1, {256, 0}, 12, 0}, 256, STATUS_UNSUPPORTED, {"tensor 'w'", "Q4_K (12)"}},
    {"Q6_K", {"w", 1, {256, 0}, 14, 0}, 256, STATUS_UNSUPPORTED, {"tensor 'w'", "Q6_K (14)"}},
    {"IQ2_XS", {"w", 1, {256, 0}, 17, 0}, 256, STATUS_UNSUPPORTED, {"tensor 'w'", "IQ2_XS"}},
    {"I16", {"w", 1, {8, 0}, 25, 0}, 32, STATUS_UNSUPPORTED, {"tensor 'w'", "I16"}},
    {"type 38", {"w", 1, {8, 0}, 38, 0}, 32, STATUS_UNSUPPORTED, {"tensor 'w'", "unknown (38)"}},
    {"type 4 billion", {"w", 1, {8, 0}, UINT32_MAX, 0}, 32, STATUS_UNSUPPORTED, {"tensor 'w'", "unknown (4294967295)"}},
    {"no name", {"", 1, {8, 0}, 0, 0}, 32, STATUS_INPUT, {"tensor 0", "not text"}},
    {"escape", {"\x1b[2J", 1, {8, 0}, 0, 0}, 32, STATUS_INPUT, {"tensor 0", "not text"}},
    {"not UTF-8", {"\xff", 1, {8, 0}, 0, 0}, 32, STATUS_INPUT, {"tensor 0", "not text"}},
};

static void expect(const char *label, struct text *t, enum status status, const char *const words[2]) {
    struct checkpoint c;
    struct error e = {0};
    enum status got = open_bytes(t, &c, &e);
    ck_assert_msg(got == status, "%s: %s, not %s: %s", label, status_name(got), status_name(status), e.text);
    for (int i = 0; i < 2; i++)
        ck_assert_msg(strstr(e.text, words[i]) != NULL, "%s: no '%s' in: %s", label, words[i], e.text);
    checkpoint_close(&c);
}

START_TEST(hostile_tensors) {
    for (size_t i = 0; i < sizeof bad_infos / sizeof *bad_infos; i++) {
        struct text t = {0};
        put_header(&t, 3, 1, 0);
        put_info(&t, &bad_infos[i].info);
        put_data(&t, 32, bad_infos[i].data_bytes);
        expect(bad_infos[i].label, &t, bad_infos[i].status, bad_infos[i].words);
    }
}
END_TEST

START_TEST(hostile_pairs) {
    struct text overlap = {0}, twice = {0};
    put_header(&overlap, 3, 2, 0);
    put_info(&overlap, &(struct info){"a", 1, {16, 0}, 0, 0});
    put_info(&overlap, &(struct info){"b", 1, {8, 0}, 0, 32});
    put_data(&overlap, 32, 64);
    expect("overlap", &overlap, STATUS_INPUT, (const char *const[2]){"'b' overlaps", "'a'"});
    put_header(&twice, 3, 2, 0);
    put_info(&twice, &(struct info){"a", 1, {8, 0}, 0, 0});
    put_info(&twice, &(struct info){"a", 1, {8, 0}, 0, 32});
    put_data(&twice, 32, 64);
    expect("twice", &twice, STATUS_INPUT, (const char *const[2]){"two tensors 'a'", ""});
}
END_TEST

/* ---- hostile headers and metadata ---- */

static void expect_header(uint32_t version, uint64_t tensors, uint64_t keys, enum status status, const char *words) {
    struct text t = {0};
    put_header(&t, version, tensors, keys);
    put_data(&t, 32, 64);
    expect("header", &t, status, (const char *const[2]){words, ""});
}

START_TEST(hostile_headers) {
    expect_header(1, 0, 0, STATUS_UNSUPPORTED, "version 1");
    expect_header(4, 0, 0, STATUS_UNSUPPORTED, "version 4");
    expect_header(0, 0, 0, STATUS_UNSUPPORTED, "version 0");
    expect_header(0x03000000, 0, 0, STATUS_UNSUPPORTED, "big-endian");
    expect_header(3, UINT64_MAX, 0, STATUS_INPUT, "claims 18446744073709551615 tensors");
    expect_header(3, 1000, 0, STATUS_INPUT, "claims 1000 tensors");
    expect_header(3, 0, UINT64_MAX, STATUS_INPUT, "metadata keys");
    expect_header(3, 0, 40, STATUS_INPUT, "metadata key");
    struct text t = {0};
    put(&t, "GGUF\3\0\0\0\0", 9);
    expect("cut header", &t, STATUS_INPUT, (const char *const[2]){"inside its header", "cut short"});
    put(&t, "ggml----", 8);
    expect("older", &t, STATUS_INPUT, (const char *const[2]){"not a GGUF file", ""});
}
END_TEST

static void expect_value(const char *label, uint32_t type, const void *value, size_t n, enum status status,
                         const char *words) {
    struct text t = {0};
    put_header(&t, 3, 0, 1);
    put_key(&t, "some.key", type, value, n);
    expect(label, &t, status, (const char *const[2]){words, status == STATUS_OK ? "" : "'some.key'"});
}

static void expect_array(const char *label, uint32_t type, uint64_t n, enum status status, const char *words) {
    struct text t = {0};
    put_header(&t, 3, 0, 1);
    put_array(&t, "some.key", type, n);
    put(&t, "12345678", 8);
    expect(label, &t, status, (const char *const[2]){words, "'some.key'"});
}

START_TEST(hostile_metadata) {
    expect_value("type 13", 13, "12345678", 8, STATUS_INPUT, "type is unknown");
    expect_value("cut number", U64, "1234567", 7, STATUS_INPUT, "cut short");
    expect_value("cut text", STRING, "\x09\0\0\0\0\0\0\0abcdefgh", 16, STATUS_INPUT, "cut short");
    expect_value("endless text", STRING, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, STATUS_INPUT, "cut short");
    expect_value("bool 2", BOOL, "\2", 1, STATUS_INPUT, "truth value");
    expect_value("NaN", F32, &(float){NAN}, 4, STATUS_INPUT, "finite number");
    expect_value("infinity", F64, &(double){INFINITY}, 8, STATUS_INPUT, "finite number");
    expect_value("not UTF-8", STRING, "\1\0\0\0\0\0\0\0\xff", 9, STATUS_INPUT, "UTF-8");
    expect_value("cut array", ARRAY, "\4\0\0\0", 4, STATUS_INPUT, "cut short");
    expect_array("long", U8, 9, STATUS_INPUT, "pass the end");
    expect_array("endless", U64, UINT64_MAX, STATUS_INPUT, "pass the end");
    expect_array("endless strings", STRING, (uint64_t)1 << 61, STATUS_INPUT, "pass the end");
    expect_array("cut strings", STRING, 1, STATUS_INPUT, "string 0");
    expect_array("unknown items", 77, 1, STATUS_INPUT, "unknown type");
    expect_array("nested", ARRAY, 1, STATUS_UNSUPPORTED, "arrays of arrays");
}
END_TEST

START_TEST(hostile_keys) {
    struct text t = {0};
    put_header(&t, 3, 0, 2);
    put_array(&t, "same", U8, 0);
    put_key(&t, "same", U8, "1", 1);
    expect("twice", &t, STATUS_INPUT, (const char *const[2]){"'same'", "there twice"});
    put_header(&t, 3, 0, 1);
    put_key(&t, "a\nb", U8, "1", 1);
    expect("control", &t, STATUS_INPUT, (const char *const[2]){"metadata key 0", "not text"});
    for (uint32_t bad = 0; bad <= 3; bad += 3) {
        put_header(&t, 3, 0, 1);
        put_key(&t, "general.alignment", U32, &bad, 4);
        expect("alignment", &t, STATUS_INPUT, (const char *const[2]){"'general.alignment'", "power of two"});
    }
}
END_TEST

/* ---- the real model ---- */

static char *model_path(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) return mem_printf("%s/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf", cache);
    return mem_printf("%s/.cache/assay/models/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
}

/* Rows [first, first + n) of a matrix of width 576 equal the expected tensor, bit for bit. */
static void check_rows(const struct checkpoint *model, const char *name, int64_t first,
                       const struct checkpoint *expected, const char *expected_name) {
    const struct checkpoint_tensor *t = checkpoint_find(model, name), *want = checkpoint_find(expected, expected_name);
    ck_assert_msg(t && want, "%s or %s is missing", name, expected_name);
    size_t row_bytes = encoding_row_bytes(t->encoding, 576);
    float row[576];
    for (size_t i = 0; i < want->bytes / sizeof row; i++) {
        t->encoding->decode((const uint8_t *)t->data + ((size_t)first + i) * row_bytes, row, 576);
        ck_assert_msg(memcmp(row, (const float *)want->data + 576 * i, sizeof row) == 0, "%s row %zu", name, i);
    }
}

/* hidden[0] of the first prompt is the embedding of its tokens. */
static void check_embedding(const struct checkpoint *model, const struct checkpoint *expected) {
    const struct checkpoint_tensor *ids = checkpoint_find(expected, "prompt0.ids");
    const struct checkpoint_tensor *hidden = checkpoint_find(expected, "prompt0.hidden");
    const struct checkpoint_tensor *embedding = checkpoint_find(model, "token_embd.weight");
    float row[576];
    for (int64_t t = 0; t < ids->dims[0]; t++) {
        size_t id = (size_t)((const int32_t *)ids->data)[t];
        embedding->encoding->decode((const uint8_t *)embedding->data + id * (576 / 32 * 34), row, 576);
        ck_assert_int_eq(memcmp(row, (const float *)hidden->data + 576 * t, sizeof row), 0);
    }
}

static void check_metadata(const struct checkpoint *c) {
    const struct gguf_string *tokens;
    size_t n;
    ck_assert_str_eq(json_string_value(json_object_get(c->config, "general.architecture")), "llama");
    ck_assert_double_eq(number(c, "llama.block_count"), 30);
    ck_assert_double_eq(number(c, "llama.rope.freq_base"), 1e5);
    ck_assert_double_eq(number(c, "llama.attention.layer_norm_rms_epsilon"), (double)1e-5f);
    ck_assert(gguf_string_array(c->gguf, "tokenizer.ggml.tokens", &tokens, &n) && n == 49152);
    ck_assert(tokens[2].length == 10 && memcmp(tokens[2].data, "<|im_end|>", 10) == 0);
    ck_assert_ptr_null(json_object_get(c->config, "tokenizer.ggml.tokens"));
}

START_TEST(smollm2) {
    char *path = model_path();
    const char *expected_path = ASSAY_GOLDEN_DIR "/smollm2/expected.safetensors";
    if (!file_exists(path) || !file_exists(expected_path)) {
        printf("smollm2: not checked, the model or its expectations are not at hand\n");
        mem_free(path);
        return;
    }
    struct checkpoint model, expected;
    struct error e = {0};
    ck_assert_msg(checkpoint_open(path, &model, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(safetensors_open(expected_path, &expected, &e) == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(model.n_tensors, 272);
    ck_assert_uint_eq(model.n_files, 1); /* nothing was copied */
    check_metadata(&model);
    check_rows(&model, "token_embd.weight", 504, &expected, "token_embd.row_504");
    check_rows(&model, "blk.0.attn_q.weight", 0, &expected, "blk0.attn_q.stored_rows_0_1");
    check_rows(&model, "blk.0.attn_k.weight", 0, &expected, "blk0.attn_k.stored_rows_0_1");
    check_embedding(&model, &expected);
    checkpoint_close(&model);
    checkpoint_close(&expected);
    mem_free(path);
}
END_TEST

TEST_MAIN("gguf", every_metadata_type, every_tensor_type, hostile_tensors, hostile_pairs, hostile_headers,
          hostile_metadata, hostile_keys, smollm2)
