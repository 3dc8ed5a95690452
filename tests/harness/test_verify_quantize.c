/* verify quantize on folders made here: what it dumps is a reference that it agrees with; each kind of damage is one error or
 * one failed row. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "harness/verify/quantize.h"
#include "kernels/base/random.h"

static char folder[] = "/tmp/assay-test-XXXXXX";
enum { ROWS = 8, COLS = 48, TOKENS = 3 };

static const char hqq_facts[] = "{\"kind\":\"hqq\",\"settings\":{\"a\":{\"bits\":4,\"group\":16,\"axis\":0,\"optimize\":false,\"round_zero\":true}}}";
static const char integer_facts[] = "{\"kind\":\"integer\",\"case\":{\"int4_groups\":[16,24]}}";
static const char pruning_facts[] = "{\"kind\":\"pruning\"}";

static char *path_of(const char *name) { return mem_printf("%s/%s", folder, name); }

static void write_facts(const char *text) {
    char *path = path_of("expected.json");
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    mem_free(path);
}

/* Tensors to write; `add` more, change what is there. */
static struct computed_list list;

static float *add_matrix(const char *name, int64_t rows, int64_t cols, uint64_t seed) {
    float *data = computed_add(&list, DTYPE_F32, name, 2, (int64_t[]){rows, cols})->data;
    for (int64_t i = 0; i < rows * cols; i++) data[i] = (float)(2 * random_unit(random_next(&seed)) - 1);
    return data;
}

static void write_tensors(void) {
    struct error e = {0};
    char *path = path_of("expected.safetensors");
    ck_assert_msg(computed_write(&list, path, &e) == STATUS_OK, "%s", e.text);
    mem_free(path);
}

static void start(const char *facts) {
    computed_free(&list);
    list = (struct computed_list){0};
    write_facts(facts);
}

/* Failed rows; -1 with the error. */
static int run(struct error *e, int dumps) {
    int n_failed = -1;
    FILE *sink = fopen("/dev/null", "w");
    char *dump = path_of("dump.safetensors");
    const struct verify_quantize_request q = {.folder = folder, .dump = dumps ? dump : NULL};
    *e = (struct error){0};
    enum status s = verify_quantize(&q, sink, &n_failed, e);
    fclose(sink);
    mem_free(dump);
    return s == STATUS_OK ? n_failed : -1;
}

/* What is dumped becomes the reference's, beside the inputs. */
static void add_dumped(void) {
    struct error e = {0};
    struct checkpoint c;
    char *path = path_of("dump.safetensors");
    write_tensors();
    ck_assert_msg(run(&e, 1) >= 0, "%s", e.text);
    ck_assert_msg(safetensors_open(path, &c, &e) == STATUS_OK, "%s", e.text);
    for (size_t i = 0; i < c.n_tensors; i++)
        if (strncmp(c.tensors[i].name, "out.", 4) == 0 && !computed_find(&list, c.tensors[i].name))
            memcpy(computed_add(&list, c.tensors[i].dtype, c.tensors[i].name, c.tensors[i].n_dims, c.tensors[i].dims)->data, c.tensors[i].data, c.tensors[i].bytes);
    checkpoint_close(&c);
    mem_free(path);
    write_tensors();
}

static void start_hqq(void) {
    start(hqq_facts);
    add_matrix("in.a.weight", ROWS, COLS, 1);
    add_dumped();
}

static void start_integer(void) {
    start(integer_facts);
    add_matrix("in.weight", ROWS, COLS, 1);
    add_matrix("in.activation", TOKENS, COLS, 2);
    add_dumped();
}

static void start_pruning(void) {
    static const char *const masks[] = {"out.magnitude.row.0.3", "out.wanda.matrix.0.25", "out.wanda.5of6"};
    start(pruning_facts);
    add_matrix("in.weight", ROWS, COLS, 1);
    add_matrix("in.activation", TOKENS, COLS, 2);
    for (int i = 0; i < 3; i++) computed_add(&list, DTYPE_I32, masks[i], 1, (int64_t[]){1}); /* a name is enough to compute it */
    add_dumped();
}

static void *data_of(const char *name) {
    const struct computed *c = computed_find(&list, name);
    ck_assert_msg(c != NULL, "%s", name);
    return c->data;
}

static void rename_tensor(const char *from, const char *to) {
    for (size_t i = 0; i < list.count; i++)
        if (strcmp(list.items[i].name, from) == 0) list.items[i].name = to;
}

START_TEST(what_is_dumped_agrees) {
    struct error e;
    start_hqq();
    ck_assert_int_eq(run(&e, 0), 0);
    start_integer();
    ck_assert_int_eq(run(&e, 0), 0);
}
END_TEST

/* Masks of another type were computed nonetheless, and are told apart. */
START_TEST(masks_are_known_by_their_names) {
    struct error e;
    start_pruning();
    ck_assert_int_eq(run(&e, 0), 3);
    struct checkpoint c;
    char *path = path_of("dump.safetensors");
    ck_assert_int_eq(run(&e, 1), 3);
    ck_assert_int_eq(safetensors_open(path, &c, &e), STATUS_OK);
    const struct checkpoint_tensor *row = checkpoint_find(&c, "out.magnitude.row.0.3"), *matrix = checkpoint_find(&c, "out.wanda.matrix.0.25"), *of = checkpoint_find(&c, "out.wanda.5of6");
    int kept[3] = {0};
    for (int64_t i = 0; i < ROWS * COLS; i++) {
        kept[0] += ((const uint8_t *)row->data)[i];
        kept[1] += ((const uint8_t *)matrix->data)[i];
        kept[2] += ((const uint8_t *)of->data)[i];
    }
    ck_assert(kept[0] == ROWS * (COLS - 14) && kept[1] == ROWS * COLS * 3 / 4 && kept[2] == ROWS * COLS / 6);
    checkpoint_close(&c);
    mem_free(path);
}
END_TEST

START_TEST(a_unit_is_allowed_where_fragile) {
    struct error e;
    start_integer();
    int32_t *codes = data_of("out.int8.weight.codes");
    uint8_t *fragile = computed_add(&list, DTYPE_U8, "out.int8.weight.fragile", 2, (int64_t[]){ROWS, COLS})->data;
    fragile[5] = 1;
    codes[5] += codes[5] > 0 ? -1 : 1;
    /* Products are of the codes given: where these move, so do those of the reference. */
    rename_tensor("out.int8.weight_only.product", "in.unused.a");
    rename_tensor("out.int8.dynamic.product", "in.unused.b");
    rename_tensor("out.int8.dynamic.accumulator", "in.unused.c");
    add_dumped();
    ck_assert_int_eq(run(&e, 0), 0);
    fragile[5] = 0;
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 1);
    fragile[5] = 1;
    codes[5] += codes[5] > 0 ? -1 : 1;
    write_tensors();
    ck_assert_int_gt(run(&e, 0), 0);
}
END_TEST

START_TEST(numbers_have_a_tolerance) {
    struct error e;
    start_hqq();
    float *scale = data_of("out.a.scale"), keep = scale[2];
    scale[2] *= 1 + 1e-6f;
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 0);
    scale[2] = keep * 1.01f;
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 1);
    scale[2] = NAN;
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 1);
}
END_TEST

START_TEST(what_only_one_of_both_has_fails) {
    struct error e;
    start_hqq();
    computed_add(&list, DTYPE_F32, "out.b.scale", 2, (int64_t[]){1, 1});
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 1);
    rename_tensor("out.a.packed", "out.a.other");
    write_tensors();
    ck_assert_int_eq(run(&e, 0), 3);
}
END_TEST

static void expect_error(const char *words) {
    struct error e;
    write_tensors();
    ck_assert_int_eq(run(&e, 0), -1);
    ck_assert_msg(strstr(e.text, words) != NULL, "'%s' does not say '%s'", e.text, words);
}

START_TEST(inputs_that_are_missing_or_damaged) {
    start_hqq();
    ((float *)data_of("in.a.weight"))[COLS + 7] = NAN;
    expect_error("tensor 'in.a.weight': element [1, 7] is not a number");
    start_hqq();
    rename_tensor("in.a.weight", "in.b.weight");
    expect_error("tensor 'in.a.weight' is missing");
    start_integer();
    ((float *)data_of("in.activation"))[0] = INFINITY;
    expect_error("tensor 'in.activation': element [0, 0] is infinite");
    start_integer();
    rename_tensor("in.activation", "in.old");
    add_matrix("in.activation", TOKENS, COLS + 1, 3);
    expect_error("'in.weight' has 48 columns and 'in.activation' 49");
    start_integer();
    rename_tensor("in.weight", "in.old");
    computed_add(&list, DTYPE_I32, "in.weight", 2, (int64_t[]){ROWS, COLS});
    expect_error("tensor 'in.weight' must be a matrix of F32");
    start_pruning();
    ((float *)data_of("in.weight"))[9] = NAN;
    expect_error("tensor 'in.weight': element [0, 9] is not a number");
}
END_TEST

START_TEST(settings_that_are_missing_or_make_no_sense) {
    start_hqq();
    write_facts("{\"kind\":\"hqq\",\"settings\":{}}");
    expect_error("'settings' is missing or empty");
    write_facts("{\"kind\":\"hqq\",\"settings\":{\"a\":{\"bits\":4,\"group\":16,\"axis\":0,\"optimize\":false}}}");
    expect_error("setting 'a': 'round_zero' is missing");
    write_facts("{\"kind\":\"hqq\",\"settings\":{\"a\":{\"bits\":5,\"group\":16,\"axis\":0,\"optimize\":false,\"round_zero\":true}}}");
    expect_error("setting 'a': codes of 5 bits");
    write_facts("{\"kind\":\"hqq\",\"settings\":{\"a\":{\"bits\":4,\"group\":17,\"axis\":0,\"optimize\":false,\"round_zero\":true}}}");
    expect_error("setting 'a': a matrix of 384 elements is no multiple of the group of 17");
    write_facts("{\"kind\":\"hqq\",\"settings\":{\"a\":{\"bits\":4,\"group\":16,\"axis\":3,\"optimize\":false,\"round_zero\":true}}}");
    expect_error("setting 'a': groups along axis");
    write_facts("{\"kind\":\"other\"}");
    expect_error("'kind' is 'other'");
    write_facts("[");
    expect_error("expected.json: line 1");
    start_integer();
    write_facts("{\"kind\":\"integer\",\"case\":{\"int4_groups\":[32]}}");
    expect_error("rows of 48 elements are no multiple of the group of 32");
    write_facts("{\"kind\":\"integer\",\"case\":{\"int4_groups\":[0]}}");
    expect_error("item 0 of 'case.int4_groups'");
    write_facts("{\"kind\":\"integer\"}");
    expect_error("'case.int4_groups' is missing");
    start_pruning();
    rename_tensor("out.wanda.5of6", "out.wanda.5of7");
    expect_error("'out.wanda.5of7': rows of 48 elements are no multiple of the 7");
    rename_tensor("out.wanda.5of7", "out.wanda.row.1.5");
    expect_error("'out.wanda.row.1.5': a share of 1.5");
}
END_TEST

START_TEST(folders_of_another_form) {
    static const char *const paths[][2] = {{"/nonexistent", "is not a folder"}, {ASSAY_SOURCE_DIR "/plots", "holds no expected.json"}};
    for (int i = 0; i < 2; i++) {
        struct error e = {0};
        int n_failed;
        const struct verify_quantize_request q = {.folder = paths[i][0]};
        ck_assert_int_eq(verify_quantize(&q, stdout, &n_failed, &e), STATUS_INPUT);
        ck_assert_ptr_nonnull(strstr(e.text, paths[i][1]));
    }
}
END_TEST

/* Cut anywhere: an error or failed rows, never a crash. */
START_TEST(files_that_are_cut_short) {
    struct error e;
    struct stat info;
    start_hqq();
    char *path = path_of("expected.safetensors");
    ck_assert_int_eq(stat(path, &info), 0);
    for (int64_t size = info.st_size - 1; size > 0; size -= size < 40 ? 1 : 37) {
        ck_assert_int_eq(truncate(path, size), 0);
        ck_assert_int_eq(run(&e, 0), -1);
        ck_assert_ptr_nonnull(strstr(e.text, "expected.safetensors"));
    }
    mem_free(path);
}
END_TEST

__attribute__((constructor)) static void before(void) {
    if (!mkdtemp(folder)) exit(EXIT_FAILURE);
}

__attribute__((destructor)) static void after(void) {
    static const char *const names[] = {"expected.json", "expected.safetensors", "dump.safetensors", ""};
    computed_free(&list);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_of(names[i]);
        remove(path);
        mem_free(path);
    }
}

TEST_MAIN("verify_quantize", what_is_dumped_agrees, masks_are_known_by_their_names, a_unit_is_allowed_where_fragile, numbers_have_a_tolerance,
          what_only_one_of_both_has_fails, inputs_that_are_missing_or_damaged, settings_that_are_missing_or_make_no_sense, folders_of_another_form,
          files_that_are_cut_short)
