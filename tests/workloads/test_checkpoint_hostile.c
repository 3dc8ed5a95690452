/* Checkpoints as they should not be: every row of these tables is one error that names the file, the tensor
 * and the rule. */
#include "check_main.h"
#include "workloads/checkpoint/parse.h"
#include "workloads/scratch.h"

/* Every word, parted by '|', must stand in the text. */
static void expect_words(const char *label, const char *words, const char *text) {
    char *copy = mem_copy_string(words);
    for (char *rest = copy, *word; (word = strsep(&rest, "|"));)
        ck_assert_msg(strstr(text, word) != NULL, "%s: no '%s' in: %s", label, word, text);
    mem_free(copy);
}

/* ---- safetensors ---- */

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

struct bad_header {
    const char *label, *header;
    size_t data_bytes;
    enum status status;
    const char *words;
};

static const struct bad_header bad_headers[] = {
    {"good", "{" T("w", "F32", "[2]", "[0,8]") "}", 8, STATUS_OK, ""},
    {"cut data", "{" T("w", "F32", "[2]", "[0,8]") "}", 7, STATUS_INPUT, "'w'|pass the end|7 bytes|cut short"},
    {"end past", "{" T("w", "F32", "[2]", "[8,16]") "}", 8, STATUS_INPUT, "'w'|bytes 8 to 16"},
    {"end huge", "{" T("w", "F32", "[2]", "[0,9007199254740990]") "}", 8, STATUS_INPUT, "'w'|pass the end"},
    {"end beyond 64 bits", "{" T("w", "F32", "[2]", "[0,99999999999999999999999]") "}", 8, STATUS_INPUT,
     "'w'|data_offsets"},
    {"falling", "{" T("w", "F32", "[2]", "[8,0]") "}", 8, STATUS_INPUT, "'w'|not falling"},
    {"negative offset", "{" T("w", "F32", "[2]", "[-8,0]") "}", 8, STATUS_INPUT, "'w'|data_offsets"},
    {"three offsets", "{" T("w", "F32", "[2]", "[0,8,9]") "}", 8, STATUS_INPUT, "'w'|data_offsets"},
    {"no offsets", "{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, STATUS_INPUT, "'w'|data_offsets"},
    {"overlap", "{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[4,12]") "}", 12, STATUS_INPUT,
     "'b' overlaps tensor 'a'"},
    {"same place", "{" T("a", "F32", "[2]", "[0,8]") "," T("b", "F32", "[2]", "[0,8]") "}", 8, STATUS_INPUT,
     "overlaps|'a'|'b'"},
    {"inside", "{" T("a", "F32", "[4]", "[0,16]") "," T("b", "U8", "[1]", "[3,4]") "}", 16, STATUS_INPUT,
     "'b' overlaps tensor 'a'"},
    {"shape too small", "{" T("w", "F32", "[1]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|need 4 bytes|span 8"},
    {"shape too large", "{" T("w", "BF16", "[2,3]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|bf16|need 12 bytes|span 8"},
    {"overflow to 0", "{" T("w", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, STATUS_INPUT,
     "'w'|more elements than memory"},
    {"overflow of bytes", "{" T("w", "F64", "[4503599627370496,1024]", "[0,0]") "}", 0, STATUS_INPUT,
     "'w'|more elements than memory"},
    {"negative dimension", "{" T("w", "F32", "[-2]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|dimension 0"},
    {"two negative ones", "{" T("w", "F32", "[-1,-2]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|dimension 0"},
    {"half a dimension", "{" T("w", "F32", "[1.5]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|dimension 0"},
    {"huge dimension", "{" T("w", "F32", "[99999999999999999999999]", "[0,8]") "}", 8, STATUS_INPUT,
     "'w'|dimension 0"},
    {"text dimension", "{" T("w", "F32", "[2,\"2\"]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|dimension 1"},
    {"nine dimensions", "{" T("w", "F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8, STATUS_INPUT, "'w'|9 dimensions"},
    {"no shape", "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, STATUS_INPUT, "'w'|'shape'"},
    {"unknown type", "{" T("w", "F8_E4M3", "[8]", "[0,8]") "}", 8, STATUS_UNSUPPORTED, "'w'|'F8_E4M3'|BF16"},
    {"no type", "{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, STATUS_INPUT, "'w'|'dtype'"},
    {"type a number", "{\"w\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, STATUS_INPUT, "'w'|'dtype'"},
    {"twice", "{" T("layer.weight", "F32", "[1]", "[0,4]") "," T("layer.weight", "F32", "[1]", "[4,8]") "}", 8,
     STATUS_INPUT, "names 'layer.weight' twice"},
    {"twice, long", "{" T("model.layers.17.self_attn.q_proj.weight", "F32", "[1]", "[0,4]") ","
     T("model.layers.17.self_attn.q_proj.weight", "F32", "[1]", "[4,8]") "}", 8, STATUS_INPUT,
     "names 'model.layers.17.self_attn.q_proj.weight' twice"},
    {"shape twice", "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[1],\"data_offsets\":[0,8]}}", 8, STATUS_INPUT,
     "'shape' twice"},
    {"control character", "{" T("a\\u001bb", "F32", "[2]", "[0,8]") "}", 8, STATUS_INPUT, "control characters"},
    {"not an object inside", "{\"w\":[1,2]}", 0, STATUS_INPUT, "'w'|not an object"},
    {"metadata a list", "{\"__metadata__\":[1]}", 0, STATUS_INPUT, "__metadata__"},
    {"a list", "[1,2,3]", 0, STATUS_INPUT, "not an object"},
    {"not JSON", "{\"w\":", 0, STATUS_INPUT, "not JSON"},
    {"two values", "{}{}", 0, STATUS_INPUT, "not JSON"},
    {"empty", "", 0, STATUS_INPUT, "not JSON"},
};

static void expect_refusal(const char *label, const char *path, enum status status, const char *words) {
    struct checkpoint c;
    struct error e = {0};
    enum status got = safetensors_open(path, &c, &e);
    ck_assert_msg(got == status, "%s: %s, not %s: %s", label, status_name(got), status_name(status), e.text);
    if (got == STATUS_OK) checkpoint_close(&c);
    else ck_assert_msg(strstr(e.text, path) != NULL, "%s: the file is not named: %s", label, e.text);
    ck_assert_msg(c.n_files == 0 && c.tensors == NULL, "%s: something is left", label);
    expect_words(label, words, e.text);
}

START_TEST(headers) {
    char *folder = scratch_folder("headers");
    char *path = mem_printf("%s/x.safetensors", folder);
    for (size_t i = 0; i < sizeof bad_headers / sizeof *bad_headers; i++) {
        const struct bad_header *b = &bad_headers[i];
        scratch_write_safetensors(folder, "x.safetensors", b->header, b->data_bytes);
        expect_refusal(b->label, path, b->status, b->words);
    }
    mem_free(path);
    scratch_remove(folder);
}
END_TEST

START_TEST(header_lengths) {
    char *folder = scratch_folder("lengths");
    char *path = mem_printf("%s/x.safetensors", folder);
    const uint64_t lengths[] = {9, 100, 1u << 20, (uint64_t)1 << 40, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char file[16] = "........{}      ";
        memcpy(file, &lengths[i], 8);
        scratch_write(folder, "x.safetensors", file, sizeof file);
        expect_refusal("length", path, STATUS_INPUT, "header claims|has 16|cut short");
    }
    scratch_write(folder, "x.safetensors", "1234567", 7);
    expect_refusal("7 bytes", path, STATUS_INPUT, "7 bytes|cut short");
    scratch_write(folder, "x.safetensors", "", 0);
    expect_refusal("empty", path, STATUS_INPUT, "0 bytes|cut short");
    scratch_remove_file(folder, "x.safetensors");
    expect_refusal("absent", path, STATUS_IO, "cannot open");

    /* A sparse file: a header over the format's limit, all of it there. */
    uint64_t length = SAFETENSORS_MAX_HEADER_BYTES + 1;
    scratch_write(folder, "x.safetensors", &length, 8);
    ck_assert_int_eq(truncate(path, (off_t)length + 8), 0);
    expect_refusal("over the limit", path, STATUS_INPUT, "format allows 100000000");
    mem_free(path);
    scratch_remove(folder);
}
END_TEST

/* ---- JSON that is hostile as JSON ---- */

static char *repeated(const char *head, const char *unit, size_t n, const char *tail) {
    struct text t = {0};
    text_append(&t, "%s", head);
    for (size_t i = 0; i < n; i++) text_append(&t, "%s", unit);
    text_append(&t, "%s", tail);
    return t.data;
}

static void expect_json_refusal(char *text, const char *words) {
    struct source s = {.file = "some.json", .data = (const uint8_t *)text, .size = strlen(text)};
    struct error e = {0};
    json_t *o;
    ck_assert_int_eq(json_object_parse(&s, "file", 0, &o, &e), STATUS_INPUT);
    expect_words("json", words, e.text);
    mem_free(text);
}

START_TEST(json_is_bounded) {
    expect_json_refusal(repeated("{\"a\":", "[", 100000, ""), "some.json|deeper than 64");
    expect_json_refusal(repeated("", "{\"a\":", 100, ""), "some.json|deeper than 64");
    expect_json_refusal(repeated("{\"a\":[{}", ",{}", 3000000, "]}"), "some.json|more values");
    expect_json_refusal(repeated("{\"a\":1,\"\\\"b\":1,\"\\\"b\":2}", "", 0, ""), "'\\\"b' twice");
    expect_json_refusal(repeated("{\"a\":\x1b}", "", 0, ""), "not JSON");
    expect_json_refusal(repeated("{\"a\":\"\\u0000\"}", "", 0, ""), "not JSON");
    expect_json_refusal(repeated("{\"a\":\"\xff\"}", "", 0, ""), "not JSON");
}
END_TEST

/* ---- folders ---- */

#define W(name) "{" T(name, "F32", "[2]", "[0,8]") "}"

struct bad_folder {
    const char *label, *config, *index, *words;
    enum status status;
};

#define MAP(entries) "{\"weight_map\":{" entries "}}"

static const struct bad_folder bad_folders[] = {
    {"good", "{}", MAP("\"w\":\"1.safetensors\""), "", STATUS_OK},
    {"both shards", "{}", MAP("\"w\":\"1.safetensors\",\"v\":\"2.safetensors\""), "", STATUS_OK},
    {"no config", NULL, MAP("\"w\":\"1.safetensors\""), "no config.json", STATUS_INPUT},
    {"config a list", "[]", MAP("\"w\":\"1.safetensors\""), "config.json|not an object", STATUS_INPUT},
    {"config cut", "{\"a\":", MAP("\"w\":\"1.safetensors\""), "config.json|not JSON", STATUS_INPUT},
    {"config empty", "", MAP("\"w\":\"1.safetensors\""), "config.json|not JSON", STATUS_INPUT},
    {"index a number", "{}", "7", "index.json|not", STATUS_INPUT},
    {"index without map", "{}", "{}", "index.json|weight_map", STATUS_INPUT},
    {"index with a list", "{}", "{\"weight_map\":[]}", "index.json|weight_map", STATUS_INPUT},
    {"empty map", "{}", MAP(""), "index.json|weight_map", STATUS_INPUT},
    {"absent shard", "{}", MAP("\"w\":\"1.safetensors\",\"gone.w\":\"9.safetensors\""),
     "index.json|'gone.w'|'9.safetensors'|no such file", STATUS_INPUT},
    {"absent tensor", "{}", MAP("\"w\":\"1.safetensors\",\"gone.w\":\"1.safetensors\""),
     "index.json|'gone.w'|not in any shard|'1.safetensors'", STATUS_INPUT},
    {"name in two shards", "{}", MAP("\"w\":\"1.safetensors\",\"x\":\"3.safetensors\""),
     "two tensors 'w'|shards", STATUS_INPUT},
    {"parent folder", "{}", MAP("\"w\":\"../secret.safetensors\""), "index.json|'w'|same folder", STATUS_INPUT},
    {"absolute", "{}", MAP("\"w\":\"/etc/passwd\""), "index.json|'w'|same folder", STATUS_INPUT},
    {"subfolder", "{}", MAP("\"w\":\"a/1.safetensors\""), "index.json|'w'|same folder", STATUS_INPUT},
    {"dots", "{}", MAP("\"w\":\"..\""), "index.json|'w'|same folder", STATUS_INPUT},
    {"no name", "{}", MAP("\"w\":\"\""), "index.json|'w'|same folder", STATUS_INPUT},
    {"shard a number", "{}", MAP("\"w\":1"), "index.json|'w'|same folder", STATUS_INPUT},
    {"damaged shard", "{}", MAP("\"w\":\"cut.safetensors\""), "cut.safetensors|'w'|pass the end", STATUS_INPUT},
};

static void write_folder(const char *folder, const struct bad_folder *b) {
    scratch_remove_file(folder, "config.json");
    scratch_remove_file(folder, "model.safetensors.index.json");
    if (b->config) scratch_write_text(folder, "config.json", b->config);
    if (b->index) scratch_write_text(folder, "model.safetensors.index.json", b->index);
}

START_TEST(folders) {
    char *folder = scratch_folder("folders");
    scratch_write_safetensors(folder, "1.safetensors", W("w"), 8);
    scratch_write_safetensors(folder, "2.safetensors", W("v"), 8);
    scratch_write_safetensors(folder, "3.safetensors",
                              "{" T("w", "U8", "[1]", "[0,1]") "," T("x", "U8", "[1]", "[1,2]") "}", 2);
    scratch_write_safetensors(folder, "cut.safetensors", W("w"), 3);
    for (size_t i = 0; i < sizeof bad_folders / sizeof *bad_folders; i++) {
        const struct bad_folder *b = &bad_folders[i];
        struct checkpoint c;
        struct error e = {0};
        write_folder(folder, b);
        enum status got = checkpoint_open(folder, &c, &e);
        ck_assert_msg(got == b->status, "%s: %s: %s", b->label, status_name(got), e.text);
        expect_words(b->label, b->words, e.text);
        if (got != STATUS_OK) expect_words(b->label, folder, e.text);
        checkpoint_close(&c);
    }
    scratch_remove(folder);
}
END_TEST

static void expect_open(const char *path, enum status status, const char *words) {
    struct checkpoint c;
    struct error e = {0};
    ck_assert_int_eq(checkpoint_open(path, &c, &e), status);
    expect_words(path, words, e.text);
}

START_TEST(paths) {
    char *folder = scratch_folder("paths");
    char *file = mem_printf("%s/model.safetensors", folder);
    expect_open("/nonexistent/model", STATUS_IO, "/nonexistent/model|No such file");
    expect_open(folder, STATUS_INPUT, "no config.json");
    scratch_write_text(folder, "config.json", "{}");
    scratch_write_text(folder, "pytorch_model.bin", "PK");
    expect_open(folder, STATUS_INPUT, "no *.safetensors|*.bin|convert");
    scratch_write_safetensors(folder, "model.safetensors", W("w"), 8);
    expect_open(file, STATUS_INPUT, "not a GGUF file|give the folder");
    expect_open("/dev/null", STATUS_IO, "not a regular file");
    mem_free(file);
    scratch_remove(folder);
}
END_TEST

TEST_MAIN("checkpoint_hostile", headers, header_lengths, json_is_bounded, folders, paths)
