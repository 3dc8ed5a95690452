/* Recipes: decoding through every step and any range of rows, segments, identity, and shapes that do not fit. */
#include <string.h>

#include "check_main.h"
#include "kernels/recipe.h"

/* ---- a source of three small leaves; `d` is a vector, `q` is stored as q8_0 ---- */

enum { ROWS = 8, COLS = 4, BLOCK = 32 };

static float dense[ROWS * COLS];
static uint8_t blocks[2 * 34];

static enum status find(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self;
    *out = (struct leaf){.name = name, .rows = ROWS, .cols = COLS, .encoding = &encoding_f32, .data = dense};
    if (strcmp(name, "d") == 0) out->rows = 1;
    if (strcmp(name, "q") == 0) *out = (struct leaf){.name = name, .rows = 2, .cols = BLOCK, .encoding = &encoding_q8_0, .data = blocks};
    if (strchr("abdq", name[0])) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "tensor '%s' is missing", name);
}
static const struct weight_source source = {.find = find};

static void fill_leaves(void) {
    for (int i = 0; i < ROWS * COLS; i++) dense[i] = (float)i;
    for (int r = 0; r < 2; r++) {
        uint16_t scale = f32_to_f16(0.5f);
        memcpy(blocks + 34 * r, &scale, 2);
        for (int i = 0; i < BLOCK; i++) blocks[34 * r + 2 + i] = (uint8_t)(int8_t)(i - 16 + r);
    }
}

static void decode(const struct recipe *r, int64_t first, int64_t n, float *y) {
    struct error e = {0};
    fill_leaves();
    ck_assert_msg(recipe_decode(r, &source, first, n, y, &e) == STATUS_OK, "%s", e.text);
}

/* ---- decoding ---- */

START_TEST(leaves) {
    struct arena a = {0};
    float y[2 * BLOCK];
    decode(recipe_leaf(&a, "a", ROWS, COLS), 3, 2, y);
    for (int i = 0; i < 2 * COLS; i++) ck_assert_float_eq(y[i], (float)(3 * COLS + i));
    decode(recipe_leaf(&a, "q", 2, BLOCK), 1, 1, y);
    for (int i = 0; i < BLOCK; i++) ck_assert_float_eq(y[i], 0.5f * (float)(i - 15));
    arena_free(&a);
}
END_TEST

/* Two heads of width 4: stored row h·4 + 2j + s is original row h·4 + s·2 + j (golden/smollm2). */
START_TEST(unpermuting) {
    static const int stored_row_of[ROWS] = {0, 2, 1, 3, 4, 6, 5, 7};
    struct arena a = {0};
    float y[ROWS * COLS];
    const struct recipe *r = recipe_unpermute(&a, recipe_leaf(&a, "a", ROWS, COLS), 2);
    decode(r, 0, ROWS, y);
    for (int i = 0; i < ROWS; i++) ck_assert_float_eq(y[i * COLS], (float)(stored_row_of[i] * COLS));
    decode(recipe_unpermute(&a, recipe_encode(&a, recipe_leaf(&a, "a", ROWS, COLS), &encoding_bf16), 2), 5, 2, y); /* a part that is no leaf */
    ck_assert_float_eq(y[0], 6 * COLS);
    ck_assert_float_eq(y[COLS], 5 * COLS);
    arena_free(&a);
}
END_TEST

START_TEST(encoding_rounds_row_by_row) {
    struct arena a = {0};
    float y[ROWS * COLS];
    decode(recipe_encode(&a, recipe_leaf(&a, "a", ROWS, COLS), &encoding_int8_row), 0, ROWS, y);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++) {
            float most = (float)(r * COLS + COLS - 1), half_step = most / 254;
            ck_assert_float_le(y[r * COLS + c] - dense[r * COLS + c], half_step * 1.001f);
            ck_assert_float_le(dense[r * COLS + c] - y[r * COLS + c], half_step * 1.001f);
        }
    ck_assert_float_ne(y[1], dense[1] + 1); /* 1/3 of the row's largest: 42.33 steps */
    ck_assert_float_ne(y[5], dense[5]);
    arena_free(&a);
}
END_TEST

START_TEST(any_range_of_a_stack) {
    struct arena a = {0};
    float whole[(2 * ROWS + 1) * COLS], part[(2 * ROWS + 1) * COLS];
    const struct recipe *parts[] = {recipe_leaf(&a, "a", ROWS, COLS), recipe_leaf(&a, "d", 1, COLS),
                                    recipe_unpermute(&a, recipe_encode(&a, recipe_leaf(&a, "b", ROWS, COLS), &encoding_int8_row), 4)};
    const struct recipe *r = recipe_concat(&a, parts, 3);
    ck_assert_int_eq(r->rows, 2 * ROWS + 1);
    decode(r, 0, r->rows, whole);
    for (int64_t first = 0; first < r->rows; first++)
        for (int64_t n = 0; first + n <= r->rows; n++) {
            decode(r, first, n, part);
            ck_assert_int_eq(memcmp(part, whole + first * COLS, (size_t)(n * COLS) * sizeof *part), 0);
        }
    arena_free(&a);
}
END_TEST

/* ---- segments ---- */

START_TEST(segments_say_what_can_be_used_as_it_lies) {
    struct arena a = {0};
    struct error e = {0};
    struct recipe_segment s[RECIPE_MAX_SEGMENTS];
    const struct recipe *leaf = recipe_leaf(&a, "a", ROWS, COLS), *inner[] = {leaf, recipe_leaf(&a, "d", 1, COLS)};
    const struct recipe *parts[] = {recipe_concat(&a, inner, 2), recipe_encode(&a, leaf, &encoding_int8_row), recipe_unpermute(&a, leaf, 2)};
    ck_assert_int_eq(recipe_segments(recipe_concat(&a, parts, 3), &source, s, &e), 4);
    ck_assert_ptr_eq(s[0].direct, dense);
    ck_assert_ptr_eq(s[0].stored, &encoding_f32);
    ck_assert_int_eq(s[1].first, ROWS);
    ck_assert_int_eq(s[1].rows, 1);
    ck_assert_ptr_null(s[2].direct);
    ck_assert_ptr_eq(s[2].encoding, &encoding_int8_row);
    ck_assert_int_eq(s[3].first, 2 * ROWS + 1);
    ck_assert_ptr_null(s[3].direct);
    ck_assert_ptr_null(s[3].encoding);
    const struct recipe *many[4], *deep[4], *deeper[4];
    for (int i = 0; i < 4; i++) many[i] = leaf;
    for (int i = 0; i < 4; i++) deep[i] = recipe_concat(&a, many, 4);
    for (int i = 0; i < 4; i++) deeper[i] = recipe_concat(&a, deep, 4);
    ck_assert_int_eq(recipe_segments(deeper[0], &source, s, &e), 16);
    ck_assert_int_eq(recipe_segments(recipe_concat(&a, deeper, 2), &source, s, &e), 0);
    ck_assert_msg(strstr(e.text, "more than 16 parts") != NULL, "%s", e.text);
    struct error missing = {0};
    ck_assert_int_eq(recipe_segments(recipe_leaf(&a, "x", 1, 1), &source, s, &missing), 0);
    ck_assert_int_eq(missing.status, STATUS_INPUT);
    arena_free(&a);
}
END_TEST

/* ---- facts ---- */

START_TEST(the_hash_is_the_identity) {
    struct arena a = {0}, b = {0};
    const struct recipe *x = recipe_leaf(&a, "a", ROWS, COLS), *y = recipe_leaf(&a, "b", ROWS, COLS);
    const struct recipe *all[] = {x, y, recipe_leaf(&a, "a", COLS, ROWS), recipe_unpermute(&a, x, 2), recipe_unpermute(&a, x, 4),
        recipe_encode(&a, x, &encoding_int8_row), recipe_encode(&a, x, &encoding_bf16), recipe_concat(&a, (const struct recipe *[]){x, y}, 2),
        recipe_concat(&a, (const struct recipe *[]){y, x}, 2), recipe_concat(&a, (const struct recipe *[]){x}, 1),
        recipe_encode(&a, recipe_unpermute(&a, x, 2), &encoding_bf16), recipe_unpermute(&a, recipe_encode(&a, x, &encoding_bf16), 2),
        recipe_round_inputs(&a, recipe_encode(&a, x, &encoding_int8_row), 8)};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t k = 0; k < i; k++) ck_assert_uint_ne(recipe_hash(all[i]), recipe_hash(all[k]));
    ck_assert_uint_eq(recipe_hash(x), recipe_hash(recipe_leaf(&b, "a", ROWS, COLS)));
    ck_assert_uint_eq(recipe_hash(x), recipe_hash(recipe_in_group(&b, x, 3)));
    ck_assert_int_eq(recipe_in_group(&b, x, 3)->group, 3);
    ck_assert_int_eq(recipe_encode(&b, recipe_in_group(&b, x, 3), &encoding_bf16)->group, 3);
    arena_free(&a);
    arena_free(&b);
}
END_TEST

START_TEST(stored_bytes_follow_the_encodings) {
    struct arena a = {0};
    const struct recipe *x = recipe_leaf(&a, "a", ROWS, COLS), *i8 = recipe_encode(&a, x, &encoding_int8_row);
    ck_assert_double_eq(recipe_stored_bytes(x, DTYPE_BF16), 2 * ROWS * COLS);
    ck_assert_double_eq(recipe_stored_bytes(i8, DTYPE_BF16), ROWS * (COLS + 4));
    ck_assert_double_eq(recipe_stored_bytes(recipe_concat(&a, (const struct recipe *[]){x, i8}, 2), DTYPE_F32), 4 * ROWS * COLS + ROWS * (COLS + 4));
    arena_free(&a);
}
END_TEST

static void assert_refused(const struct recipe *r, enum status status, const char *words) {
    struct error e = {0};
    ck_assert_int_eq(recipe_check(r, &source, &e), status);
    ck_assert_msg(strstr(e.text, words) != NULL, "'%s' lacks '%s'", e.text, words);
}

START_TEST(what_does_not_fit_is_refused) {
    struct arena a = {0};
    struct error e = {0};
    const struct recipe *x = recipe_leaf(&a, "a", ROWS, COLS), *q = recipe_leaf(&a, "q", 2, BLOCK);
    ck_assert_int_eq(recipe_check(recipe_concat(&a, (const struct recipe *[]){x, recipe_unpermute(&a, x, 4)}, 2), &source, &e), STATUS_OK);
    assert_refused(recipe_leaf(&a, "a", ROWS, COLS + 1), STATUS_INPUT, "'a' has shape [8, 4], the configuration wants [8, 5]");
    assert_refused(recipe_concat(&a, (const struct recipe *[]){x, recipe_leaf(&a, "x", 1, COLS)}, 2), STATUS_INPUT, "tensor 'x' is missing");
    assert_refused(recipe_unpermute(&a, x, 3), STATUS_INPUT, "8 rows are not 3 heads of an even width");
    assert_refused(recipe_unpermute(&a, x, 0), STATUS_INPUT, "are not 0 heads");
    assert_refused(recipe_encode(&a, x, &encoding_q8_0), STATUS_UNSUPPORTED, "q8_0 is read, never written");
    assert_refused(recipe_concat(&a, (const struct recipe *[]){x, q}, 2), STATUS_INTERNAL, "cannot be stacked");
    arena_free(&a);
}
END_TEST

/* Blocks that are used as they lie: in place, or copied in another order; only what lies so. */
START_TEST(blocks_as_they_lie) {
    struct arena a = {0};
    struct error e = {0};
    struct recipe_segment s[RECIPE_MAX_SEGMENTS];
    float y[2 * BLOCK], expected[2 * BLOCK];
    uint8_t to[2 * 40];
    const struct recipe *leaf = recipe_leaf(&a, "q", 2, BLOCK), *as = recipe_encode(&a, leaf, &encoding_q8_0);
    const struct recipe *turned = recipe_encode(&a, recipe_unpermute(&a, leaf, 1), &encoding_q8_0);
    decode(leaf, 0, 2, expected);
    decode(as, 0, 2, y);
    ck_assert_mem_eq(y, expected, sizeof y);
    ck_assert(recipe_is_verbatim(as) && recipe_is_verbatim(turned) && !recipe_is_verbatim(leaf));
    ck_assert(!recipe_is_verbatim(recipe_encode(&a, leaf, &encoding_int8_row)));
    ck_assert(!recipe_is_verbatim(recipe_encode(&a, recipe_prune(&a, leaf, &(struct pruning){.share = 0.5}), &encoding_q8_0)));
    ck_assert(recipe_hash(as) != recipe_hash(leaf));
    ck_assert_double_eq(recipe_stored_bytes(turned, DTYPE_BF16), 68);
    ck_assert_int_eq(recipe_check(turned, &source, &e), STATUS_OK);
    ck_assert_int_eq(recipe_segments(recipe_concat(&a, (const struct recipe *[]){as, turned}, 2), &source, s, &e), 2);
    ck_assert(s[0].direct == blocks && s[0].stored == &encoding_q8_0 && s[0].encoding == &encoding_q8_0);
    ck_assert(!s[1].direct && s[1].encoding == &encoding_q8_0);
    ck_assert_int_eq(recipe_store(turned, &source, &encoding_q8_0, 0, 2, to, 40, y, &e), STATUS_OK);
    ck_assert_mem_eq(to, blocks, 34); /* one head of two rows: each is its own */
    ck_assert_mem_eq(to + 40, blocks + 34, 34);
    arena_free(&a);
}
END_TEST

TEST_MAIN("recipe", blocks_as_they_lie, leaves, unpermuting, encoding_rounds_row_by_row, any_range_of_a_stack, segments_say_what_can_be_used_as_it_lies,
          the_hash_is_the_identity, stored_bytes_follow_the_encodings, what_does_not_fit_is_refused)
