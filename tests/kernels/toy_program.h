/* toy_program.h: a two-layer model in the plain form, by hand: embed, two layers of norm · linear · add, head. */
#ifndef ASSAY_TESTS_KERNELS_TOY_PROGRAM_H
#define ASSAY_TESTS_KERNELS_TOY_PROGRAM_H

#include "kernels/program.h"

enum { TOY_WIDTH = 8, TOY_VOCABULARY = 11, TOY_ROWS = 6 };

struct toy_program {
    struct program p;
    struct arena a;
    int ids;
};

static inline int toy_append(struct toy_program *t, enum op_kind kind, int a, int b, const char *name, struct place place) {
    struct op_spec s = {.kind = kind, .n_in = b < 0 ? 1 : 2, .in = {a, b}, .n_out = 1, .names = {name}, .f = {1e-5f}, .place = place,
                        .category = kind == OP_LINEAR ? CATEGORY_LINEAR : CATEGORY_NORM_ELEMENTWISE};
    return program_append(&t->p, &s);
}

static inline int toy_weight(struct toy_program *t, const char *name, int64_t rows, int64_t cols, int is_vector) {
    return program_weight(&t->p, name, DTYPE_F32, recipe_leaf(&t->a, name, rows, cols), is_vector);
}

static inline int toy_layer(struct toy_program *t, int x, int layer) {
    struct place place = {PART_LAYER, layer};
#define NAME(what) arena_printf(&t->a, "layer%d." what, layer)
    int n = toy_append(t, OP_RMSNORM, x, toy_weight(t, NAME("norm.weight"), 1, TOY_WIDTH, 1), NAME("norm"), place);
    int y = toy_append(t, OP_LINEAR, n, toy_weight(t, NAME("up.weight"), TOY_WIDTH, TOY_WIDTH, 0), NAME("up"), place);
    y = toy_append(t, OP_SILU, y, -1, NAME("act"), place);
    return toy_append(t, OP_ADD, x, y, NAME("out"), place);
#undef NAME
}

static inline void toy_begin(struct toy_program *t, int layers) {
    *t = (struct toy_program){0};
    program_init(&t->p, "toy");
    t->p.symbol_max[SYMBOL_R] = TOY_ROWS;
    t->p.symbol_max[SYMBOL_S] = t->p.symbol_max[SYMBOL_B] = 1;
    const struct dim rows[] = {dim_symbol(SYMBOL_R)};
    t->ids = program_input(&t->p, "ids", DTYPE_I32, 1, rows);
    int table = toy_weight(t, "embed.weight", TOY_VOCABULARY, TOY_WIDTH, 0);
    int x = toy_append(t, OP_EMBED, table, t->ids, "embed", (struct place){PART_EMBED, 0});
    for (int l = 0; l < layers; l++) x = toy_layer(t, x, l);
    int g = toy_weight(t, "final.weight", 1, TOY_WIDTH, 1), w = toy_weight(t, "head.weight", TOY_VOCABULARY, TOY_WIDTH, 0);
    x = toy_append(t, OP_RMSNORM, x, g, "final", (struct place){PART_HEAD, 0});
    program_output(&t->p, toy_append(t, OP_LINEAR, x, w, "logits", (struct place){PART_HEAD, 0}));
}

static inline void toy_end(struct toy_program *t) {
    program_free(&t->p);
    arena_free(&t->a);
}

#endif
