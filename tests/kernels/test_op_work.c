/* Declared work, by hand: what the ledger's flop, bytes and roofline follow from. */
#include "check_main.h"
#include "kernels/program.h"

enum { R = 3, S = 10, B = 2, H = 6, G = 2, K = 8, D = H * K };

struct bench {
    struct program p;
    struct arena a;
    int x, rows, pos, keys, values, scores;
};

static void begin(struct bench *b) {
    const struct dim xd[] = {dim_symbol(SYMBOL_R), dim_of(D)}, rd[] = {dim_symbol(SYMBOL_R)};
    const struct dim cd[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(G * K)};
    const struct dim sd[] = {dim_symbol(SYMBOL_R), dim_of(H), dim_symbol(SYMBOL_S)};
    *b = (struct bench){0};
    program_init(&b->p, "work");
    b->x = program_input(&b->p, "x", DTYPE_BF16, 2, xd);
    b->rows = program_input(&b->p, "rows", DTYPE_I32, 1, rd);
    b->pos = program_input(&b->p, "pos", DTYPE_I32, 1, rd);
    b->keys = program_state(&b->p, "keys", DTYPE_BF16, 3, cd);
    b->values = program_state(&b->p, "values", DTYPE_BF16, 3, cd);
    b->scores = program_input(&b->p, "scores", DTYPE_BF16, 3, sd);
}

/* Appends the op, checks its work under R, S, B with 12 visible keys of which 7 are distinct. */
static void check(struct bench *b, struct op_spec s, double flop, double bytes) {
    static const char *const names[] = {"a", "b", "c", "d"};
    static const int64_t symbols[] = {R, S, B};
    for (int i = 0; i < s.n_out; i++) s.names[i] = names[i];
    program_append(&b->p, &s);
    const struct op *op = &b->p.ops[b->p.n_ops - 1];
    struct work w = op_work(&b->p, op, symbols, &(struct facts){.rows = R, .sum_keys = 12, .distinct_keys = 7});
    ck_assert_msg(w.flop == flop, "%s: %g flop, not %g", op_table[s.kind].name, w.flop, flop);
    ck_assert_msg(w.bytes == bytes, "%s: %g bytes, not %g", op_table[s.kind].name, w.bytes, bytes);
}

static int weight(struct bench *b, int64_t rows, const struct encoding *encoding) {
    const struct recipe *r = recipe_leaf(&b->a, "w", rows, D);
    return program_weight(&b->p, "w", DTYPE_BF16, encoding ? recipe_encode(&b->a, r, encoding) : r, 0);
}

START_TEST(products_move_the_weight_as_it_is_stored) {
    struct bench b;
    begin(&b);
    int bias = program_weight(&b.p, "bias", DTYPE_F32, recipe_leaf(&b.a, "bias", 20, 1), 1);
    double x = 2.0 * R * D, y = 2.0 * R * 20;
    check(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {b.x, weight(&b, 20, NULL)}, .n_out = 1}, 2.0 * R * D * 20, x + y + 2.0 * 20 * D);
    check(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 2, .in = {b.x, weight(&b, 20, &encoding_int8_row)}, .n_out = 1}, 2.0 * R * D * 20,
          x + y + 20 * (D + 4));
    check(&b, (struct op_spec){.kind = OP_LINEAR, .n_in = 3, .in = {b.x, weight(&b, 20, NULL), bias}, .n_out = 1, .i = {1}},
          2.0 * R * D * 20 + R * 20, x + 2 * y + 2.0 * 20 * D + 4 * 20);
    const struct recipe *parts[] = {recipe_leaf(&b.a, "g", 20, D), recipe_leaf(&b.a, "u", 20, D)};
    int pair = program_weight(&b.p, "pair", DTYPE_BF16, recipe_concat(&b.a, parts, 2), 0);
    check(&b, (struct op_spec){.kind = OP_LINEAR_SWIGLU, .n_in = 2, .in = {b.x, pair}, .n_out = 1}, 2.0 * R * D * 40 + 5 * R * 20, x + y + 2.0 * 40 * D);
    program_free(&b.p);
    arena_free(&b.a);
}
END_TEST

/* A scale and K codes for each key-value head. */
static void encode_caches(struct bench *b) {
    b->p.tensors[b->keys].encoding = b->p.tensors[b->values].encoding = &encoding_int8_row;
    b->p.tensors[b->keys].vectors = b->p.tensors[b->values].vectors = G;
}

START_TEST(attention_follows_the_visible_keys) {
    struct bench b;
    begin(&b);
    double x = 2.0 * R * D, scores = 2.0 * R * H * S, cache = 2.0 * 7 * G * K, flop = 2.0 * D * 12;
    check(&b, (struct op_spec){.kind = OP_ATTN_SCORES, .n_in = 4, .in = {b.x, b.keys, b.rows, b.pos}, .n_out = 1, .i = {H, G}}, flop, x + cache + scores);
    check(&b, (struct op_spec){.kind = OP_ATTN_VALUES, .n_in = 4, .in = {b.scores, b.values, b.rows, b.pos}, .n_out = 1, .i = {H, G}}, flop,
          scores + cache + x);
    check(&b, (struct op_spec){.kind = OP_ATTENTION, .n_in = 5, .in = {b.x, b.keys, b.values, b.rows, b.pos}, .n_out = 1, .i = {H, G}}, 2 * flop,
          2 * x + 2 * cache);
    check(&b, (struct op_spec){.kind = OP_SOFTMAX, .n_in = 1, .in = {b.scores}, .n_out = 1}, 5.0 * R * H * S, 2 * scores);
    encode_caches(&b);
    check(&b, (struct op_spec){.kind = OP_ATTENTION, .n_in = 5, .in = {b.x, b.keys, b.values, b.rows, b.pos}, .n_out = 1, .i = {H, G}}, 2 * flop,
          2 * x + 2.0 * 7 * G * (K + 4));
    program_free(&b.p);
    arena_free(&b.a);
}
END_TEST

START_TEST(tables_and_caches_count_the_rows_touched) {
    struct bench b;
    begin(&b);
    double x = 2.0 * R * D, ids = 4.0 * R;
    check(&b, (struct op_spec){.kind = OP_EMBED, .n_in = 2, .in = {weight(&b, 32000, &encoding_int8_row), b.rows}, .n_out = 1}, 0, R * (D + 4) + ids + x);
    check(&b, (struct op_spec){.kind = OP_GATHER_ROWS, .n_in = 2, .in = {b.x, b.pos}, .n_out = 1}, 0, 2 * x + ids);
    const struct dim kd[] = {dim_symbol(SYMBOL_R), dim_of(G * K)};
    int k = program_input(&b.p, "k", DTYPE_BF16, 2, kd);
    check(&b, (struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {k, b.rows, b.pos, b.keys}}, 0, 2 * 2.0 * R * G * K + 2 * ids);
    encode_caches(&b);
    check(&b, (struct op_spec){.kind = OP_KV_WRITE, .n_in = 4, .in = {k, b.rows, b.pos, b.keys}}, 0, 2.0 * R * G * K + R * G * (K + 4) + 2 * ids);
    program_free(&b.p);
    arena_free(&b.a);
}
END_TEST

START_TEST(streams_move_everything_once) {
    struct bench b;
    begin(&b);
    double x = 2.0 * R * D;
    int g = program_weight(&b.p, "g", DTYPE_F32, recipe_leaf(&b.a, "g", 1, D), 1);
    check(&b, (struct op_spec){.kind = OP_RMSNORM, .n_in = 2, .in = {b.x, g}, .n_out = 1}, 4.0 * R * D, 2 * x + 4 * D);
    check(&b, (struct op_spec){.kind = OP_ADD, .n_in = 2, .in = {b.x, b.x}, .n_out = 1}, 1.0 * R * D, 3 * x);
    check(&b, (struct op_spec){.kind = OP_ADD_RMSNORM, .n_in = 3, .in = {b.x, b.x, g}, .n_out = 2}, 5.0 * R * D, 4 * x + 4 * D);
    check(&b, (struct op_spec){.kind = OP_COPY, .n_in = 1, .in = {b.x}, .n_out = 1}, 0, 2 * x);
    check(&b, (struct op_spec){.kind = OP_NLL, .n_in = 2, .in = {b.x, b.rows}, .n_out = 1}, 4.0 * R * D, x + 4.0 * R + 4.0 * R);
    program_free(&b.p);
    arena_free(&b.a);
}
END_TEST

START_TEST(names_of_operations) {
    for (int k = 0; k < OP_KIND_COUNT; k++) ck_assert_int_eq(op_find(op_table[k].name), k);
    ck_assert_int_eq(op_find("nothing"), -1);
}
END_TEST

TEST_MAIN("op_work", products_move_the_weight_as_it_is_stored, attention_follows_the_visible_keys, tables_and_caches_count_the_rows_touched,
          streams_move_everything_once, names_of_operations)
