/* Checkpoints as they should be: the golden folders, layouts, what we write ourselves, misaligned data. */
#include "check_main.h"
#include "workloads/checkpoint/checkpoint.h"
#include "workloads/scratch.h"

static void open_or_fail(const char *path, struct checkpoint *c) {
    struct error e = {0};
    ck_assert_msg(checkpoint_open(path, c, &e) == STATUS_OK, "%s", e.text);
}

static const struct checkpoint_tensor *find_or_fail(const struct checkpoint *c, const char *name) {
    const struct checkpoint_tensor *t = checkpoint_find(c, name);
    ck_assert_msg(t != NULL, "%s: no tensor %s", c->path, name);
    return t;
}

/* Tensors whose bits differ where hidden[0] must be the embedding's rows. */
static int wrong_rows(const struct checkpoint *model, const struct checkpoint *expected) {
    const struct checkpoint_tensor *embedding = find_or_fail(model, "model.embed_tokens.weight");
    const struct checkpoint_tensor *ids = find_or_fail(expected, "prompt1.ids");
    const struct checkpoint_tensor *hidden = find_or_fail(expected, "prompt1.hidden");
    int64_t width = embedding->dims[1];
    size_t row_bytes = encoding_row_bytes(embedding->encoding, width);
    float *row = mem_alloc((size_t)width * sizeof *row);
    int wrong = 0;
    ck_assert_int_eq(hidden->dims[2], width);
    for (int64_t t = 0; t < ids->dims[0]; t++) {
        int32_t id = ((const int32_t *)ids->data)[t];
        embedding->encoding->decode((const uint8_t *)embedding->data + (size_t)id * row_bytes, row, width);
        wrong += memcmp(row, (const float *)hidden->data + t * width, (size_t)width * sizeof *row) != 0;
    }
    mem_free(row);
    return wrong;
}

static void check_golden(const char *name, size_t n_tensors, size_t n_files, enum dtype dtype) {
    char *path = mem_printf("%s/llm/%s", ASSAY_GOLDEN_DIR, name);
    char *expected_path = mem_printf("%s/expected.safetensors", path);
    struct checkpoint model, expected;
    struct error e = {0};
    open_or_fail(path, &model);
    ck_assert_msg(safetensors_open(expected_path, &expected, &e) == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(model.n_tensors, n_tensors);
    ck_assert_uint_eq(model.n_files, n_files);
    ck_assert_str_eq(json_string_value(json_object_get(model.config, "model_type")), "llama");
    ck_assert_ptr_null(model.tokenizer_path);
    ck_assert_int_eq(find_or_fail(&model, "model.norm.weight")->dtype, dtype);
    ck_assert_int_eq(find_or_fail(&expected, "prompt1.ids")->dims[0], 17);
    ck_assert_int_eq(wrong_rows(&model, &expected), 0);
    ck_assert_ptr_null(checkpoint_find(&model, "model.norm"));
    checkpoint_close(&model);
    checkpoint_close(&expected);
    mem_free(expected_path);
    mem_free(path);
}

START_TEST(golden_folders) {
    if (!directory_exists(ASSAY_GOLDEN_DIR "/llm")) {
        printf("golden_folders: not checked, no golden folder\n");
        return;
    }
    check_golden("mha", 30, 1, DTYPE_F32);
    check_golden("gqa", 30, 1, DTYPE_F32);
    check_golden("tied", 29, 1, DTYPE_F32);
    check_golden("sharded", 30, 3, DTYPE_BF16);
}
END_TEST

/* ---- layouts ---- */

#define ONE(name) "{\"" name "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"

START_TEST(single_file_of_any_name) {
    char *folder = scratch_folder("layout");
    struct checkpoint c;
    struct error e = {0};
    scratch_write_text(folder, "config.json", "{\"model_type\":\"x\"}");
    scratch_write_safetensors(folder, "weights.safetensors", ONE("a"), 8);
    open_or_fail(folder, &c);
    ck_assert_uint_eq(c.n_tensors, 1);
    ck_assert_ptr_null(c.generation_config);
    checkpoint_close(&c);

    scratch_write_safetensors(folder, "more.safetensors", ONE("b"), 8);
    ck_assert_int_eq(checkpoint_open(folder, &c, &e), STATUS_INPUT);
    ck_assert_msg(strstr(e.text, "2 *.safetensors") != NULL, "%s", e.text);

    scratch_write_safetensors(folder, "model.safetensors", ONE("c"), 8);
    scratch_write_text(folder, "generation_config.json", "{\"eos_token_id\":[1,2]}");
    scratch_write_text(folder, "tokenizer.json", "{}");
    open_or_fail(folder, &c);
    ck_assert_ptr_nonnull(checkpoint_find(&c, "c"));
    ck_assert_uint_eq(json_array_size(json_object_get(c.generation_config, "eos_token_id")), 2);
    ck_assert_msg(strstr(c.tokenizer_path, "/tokenizer.json") != NULL, "%s", c.tokenizer_path);
    checkpoint_close(&c);
    scratch_remove(folder);
}
END_TEST

START_TEST(shards_by_index) {
    char *folder = scratch_folder("shards");
    struct checkpoint c;
    scratch_write_text(folder, "config.json", "{}");
    scratch_write_safetensors(folder, "1.safetensors", ONE("b"), 8);
    scratch_write_safetensors(folder, "2.safetensors", ONE("a"), 8);
    scratch_write_text(folder, "model.safetensors.index.json",
                       "{\"metadata\":{},\"weight_map\":{\"b\":\"1.safetensors\",\"a\":\"2.safetensors\"}}");
    open_or_fail(folder, &c);
    ck_assert_uint_eq(c.n_tensors, 2);
    ck_assert_str_eq(c.tensors[0].name, "a");
    checkpoint_close(&c);
    scratch_remove(folder);
}
END_TEST

/* ---- one file ---- */

START_TEST(types_shapes_and_empty_tensors) {
    char *folder = scratch_folder("types");
    char *path = mem_printf("%s/x.safetensors", folder);
    struct checkpoint c;
    struct error e = {0};
    scratch_write_safetensors(folder, "x.safetensors",
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"scalar\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"none\":{\"dtype\":\"F32\",\"shape\":[0,9007199254740991,9007199254740991],\"data_offsets\":[8,8]},"
        "\"flags\":{\"dtype\":\"BOOL\",\"shape\":[2,2],\"data_offsets\":[8,12]},"
        "\"half\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[12,16]}}  ", 16);
    ck_assert_msg(safetensors_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(c.n_tensors, 4);
    ck_assert_int_eq(find_or_fail(&c, "scalar")->n_dims, 0);
    ck_assert_ptr_null(find_or_fail(&c, "scalar")->encoding);
    ck_assert_uint_eq(find_or_fail(&c, "none")->bytes, 0);
    ck_assert_int_eq(find_or_fail(&c, "flags")->dtype, DTYPE_U8);
    ck_assert_ptr_eq(find_or_fail(&c, "half")->encoding, &encoding_f16);
    ck_assert_int_eq(((const uint8_t *)find_or_fail(&c, "half")->data)[0], 12);
    checkpoint_close(&c);
    mem_free(path);
    scratch_remove(folder);
}
END_TEST

/* An odd header, and a tensor of bytes before one of floats: both must still be readable as arrays. */
START_TEST(misaligned_data_is_copied) {
    char *folder = scratch_folder("misaligned");
    char *path = mem_printf("%s/x.safetensors", folder);
    struct checkpoint c;
    struct error e = {0};
    struct text header = {0};
    text_append(&header, "{\"bytes\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[3,11]},"
                         "\"b\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[11,19]}}");
    while (header.length % 8 != 0) text_append(&header, " ");
    scratch_write_safetensors(folder, "x.safetensors", header.data, 19);
    ck_assert_msg(safetensors_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    const struct checkpoint_tensor *a = find_or_fail(&c, "a"), *b = find_or_fail(&c, "b");
    ck_assert_uint_eq((uintptr_t)a->data % sizeof(float), 0);
    ck_assert_uint_eq((uintptr_t)b->data % sizeof(int64_t), 0);
    ck_assert_int_eq(((const int32_t *)a->data)[1], 0x0a090807);
    ck_assert_int_eq(((const int64_t *)b->data)[0], 0x1211100f0e0d0c0b);
    checkpoint_close(&c);
    text_free(&header);
    mem_free(path);
    scratch_remove(folder);
}
END_TEST

/* ---- writing ---- */

static const float numbers[6] = {0.0f, -1.5f, 3e38f, 1e-45f, -0.0f, 2.0f};
static const int64_t longs[3] = {-1, 0, INT64_MAX};
static const uint16_t halves[3] = {0x3c00, 0x7c00, 0x0001};

START_TEST(what_is_written_reads_back) {
    char *folder = scratch_folder("write");
    char *path = mem_printf("%s/out.safetensors", folder);
    const struct checkpoint_tensor tensors[] = {
        {.name = "z \"quoted\" \xc3\xa4", .n_dims = 2, .dims = {2, 3}, .dtype = DTYPE_F32, .encoding = &encoding_f32,
         .data = numbers, .bytes = sizeof numbers},
        {.name = "h", .n_dims = 1, .dims = {3}, .dtype = DTYPE_BF16, .data = halves, .bytes = sizeof halves},
        {.name = "empty", .n_dims = 2, .dims = {0, 5}, .dtype = DTYPE_I8},
        {.name = "l", .n_dims = 1, .dims = {3}, .dtype = DTYPE_I64, .data = longs, .bytes = sizeof longs},
        {.name = "scalar", .dtype = DTYPE_F32, .data = &numbers[1], .bytes = 4},
    };
    enum { N = sizeof tensors / sizeof *tensors };
    struct checkpoint c;
    struct error e = {0};
    ck_assert_msg(safetensors_write(path, tensors, N, &e) == STATUS_OK, "%s", e.text);
    ck_assert_msg(safetensors_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    ck_assert_uint_eq(c.n_tensors, N);
    for (size_t i = 0; i < N; i++) {
        const struct checkpoint_tensor *t = find_or_fail(&c, tensors[i].name);
        ck_assert_int_eq(t->n_dims, tensors[i].n_dims);
        ck_assert_int_eq(memcmp(t->dims, tensors[i].dims, sizeof t->dims), 0);
        ck_assert_int_eq(t->dtype, tensors[i].dtype);
        ck_assert_uint_eq(t->bytes, tensors[i].bytes);
        if (t->bytes) ck_assert_int_eq(memcmp(t->data, tensors[i].data, t->bytes), 0);
    }
    checkpoint_close(&c);
    char *partial = mem_printf("%s.partial", path);
    ck_assert(!file_exists(partial));
    mem_free(partial);
    mem_free(path);
    scratch_remove(folder);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused) {
    struct checkpoint_tensor t[] = {
        {.name = "a", .n_dims = 1, .dims = {6}, .dtype = DTYPE_F32, .data = numbers, .bytes = sizeof numbers},
        {.name = "a", .n_dims = 1, .dims = {6}, .dtype = DTYPE_F32, .data = numbers, .bytes = sizeof numbers},
    };
    struct error twice = {0}, missing = {0}, encoded = {0};
    ck_assert_int_eq(safetensors_write("/dev/null", t, 2, &twice), STATUS_INPUT);
    ck_assert_msg(strstr(twice.text, "two tensors 'a'") != NULL, "%s", twice.text);
    ck_assert_int_eq(safetensors_write("/nonexistent/x", t, 1, &missing), STATUS_IO);
    ck_assert_msg(strstr(missing.text, "/nonexistent/x") != NULL, "%s", missing.text);
    t[0].encoding = &encoding_q8_0;
    ck_assert_int_eq(safetensors_write("x", t, 1, &encoded), STATUS_UNSUPPORTED);
    ck_assert_msg(strstr(encoded.text, "'a'") != NULL, "%s", encoded.text);
}
END_TEST

TEST_MAIN("checkpoint", golden_folders, single_file_of_any_name, shards_by_index, types_shapes_and_empty_tensors,
          misaligned_data_is_copied, what_is_written_reads_back, what_cannot_be_written_is_refused)
