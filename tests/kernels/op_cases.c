/* op_cases.c: see op_cases.h. The table, then how each kind's program is built, then running and comparing. */
#include "kernels/op_cases.h"

#include <math.h>
#include <string.h>

#include "kernels/base/random.h"

/* ---- the table ---- */

enum places { ONE_SLOT, UNEQUAL, DECODE, CHUNK, SHUFFLED }; /* which slot and position each row has */
enum variant { DENSE, BIAS, WIDE_OUTPUT, STORED_Q8_0, STORED_Q4_0, STORED_Q4_1, INT8, INT8_PART, UNPERMUTED,
               INT4, INT4_HQQ, INT3, INT2, SPARSE, SPARSE_PART, PRUNED_INT4, SPARSE_INT8, SPARSE_INT8_PART, AS_Q8_0, AS_Q4_0, AS_Q4_1, AS_MIXED,
               INT8_DYNAMIC, INT8_DYNAMIC_PART, INT4_DYNAMIC, INT4_HQQ_DYNAMIC, INT3_DYNAMIC, INT8_CACHE };
static const char *const variant_names[] = {"", "bias", "f32 out", "q8_0", "q4_0", "q4_1", "int8_row", "int8_row part", "unpermuted",
                                            "int4_g32", "int4_g64_f32_z by HQQ", "int3_g32_z", "int2_g128", "bitmap", "bitmap part", "pruned int4_g64",
                                            "bitmap_int8", "bitmap_int8 part", "q8_0 as stored", "q4_0 as stored", "q4_1 as stored", "stored blocks of all kinds",
                                            "int8_row dynamic", "int8_row dynamic part", "int4_g32 dynamic", "int4_g64_f32_z by HQQ dynamic", "int3_g32_z dynamic", "int8_row cache"};

struct op_shape {
    int64_t rows;                 /* R, or B of what has a row a slot */
    int64_t width;                /* D, or K of a product, or V of logits */
    int64_t parts[OP_MAX_OUT];    /* widths of a product's outputs; [0] a table's or source's height */
    int heads, kv_heads;          /* head width is `width` */
    int64_t slots, keys;          /* B, S */
    enum places places;
};

#define ROWS(r, w) {.rows = r, .width = w}
#define PARTS(r, w, ...) {.rows = r, .width = w, .parts = {__VA_ARGS__}}
#define HEADS(r, w, h, g, b, s, p) {.rows = r, .width = w, .heads = h, .kv_heads = g, .slots = b, .keys = s, .places = p}
static const struct op_shape rows_shapes[] = {ROWS(1, 1), ROWS(1, 64), ROWS(2, 1), ROWS(3, 7), ROWS(5, 33), ROWS(17, 576), ROWS(64, 48), ROWS(0, 64)};
static const struct op_shape table_shapes[] = {PARTS(1, 1, 1), PARTS(5, 33, 11), PARTS(17, 64, 50), PARTS(1, 96, 3), PARTS(0, 32, 11)};
static const struct op_shape product_shapes[] = {
    PARTS(1, 1, 1), PARTS(1, 64, 64), PARTS(1, 576, 1000), PARTS(3, 7, 5), PARTS(5, 96, 96, 33), PARTS(17, 33, 65), PARTS(2, 64, 1),
    PARTS(64, 128, 96), PARTS(7, 96, 64, 32, 32), PARTS(1, 96, 64, 32, 32), PARTS(130, 64, 48), PARTS(0, 64, 32), PARTS(33, 2048, 40),
    PARTS(1, 4352, 33), PARTS(6, 480, 40, 24), PARTS(16, 8448, 20)};
static const struct op_shape pair_shapes[] = {PARTS(1, 1, 1, 1), PARTS(1, 64, 96, 96), PARTS(5, 33, 7, 7), PARTS(17, 64, 129, 129),
                                              PARTS(130, 32, 48, 48), PARTS(0, 64, 32, 32)};
static const struct op_shape gelu_shapes[] = {PARTS(1, 64, 64), PARTS(3, 7, 21), PARTS(5, 96, 96, 33), PARTS(17, 33, 65), PARTS(64, 128, 96),
                                              PARTS(130, 64, 48), PARTS(0, 64, 32), PARTS(1, 4352, 33), PARTS(16, 8448, 20)};
static const struct op_shape attention_shapes[] = { /* R, K, H, G, B, S */
    HEADS(1, 2, 1, 1, 1, 1, ONE_SLOT), HEADS(1, 64, 9, 3, 1, 40, DECODE), HEADS(9, 64, 9, 3, 3, 9, UNEQUAL), HEADS(17, 32, 4, 4, 2, 17, UNEQUAL),
    HEADS(5, 128, 8, 1, 5, 300, DECODE), HEADS(12, 16, 6, 2, 2, 80, CHUNK), HEADS(33, 6, 2, 1, 1, 33, ONE_SLOT), HEADS(3, 10, 3, 1, 3, 1, DECODE),
    HEADS(8, 64, 32, 4, 4, 130, SHUFFLED), HEADS(70, 64, 4, 2, 2, 200, CHUNK), HEADS(0, 64, 9, 3, 2, 7, ONE_SLOT),
    HEADS(200, 128, 2, 1, 1, 200, ONE_SLOT), HEADS(210, 64, 4, 2, 3, 110, UNEQUAL), HEADS(140, 128, 2, 2, 1, 400, CHUNK)};
static const struct op_shape logits_shapes[] = {ROWS(1, 1), ROWS(5, 33), ROWS(3, 1000), ROWS(9, 32000), ROWS(0, 50)};

static const enum variant weightless[] = {DENSE};
static const enum variant cache_variants[] = {DENSE, INT8_CACHE};
static const enum variant table_variants[] = {DENSE, STORED_Q8_0, STORED_Q4_1, INT8, INT4, SPARSE, SPARSE_INT8, AS_Q4_1};
static const enum variant product_variants[] = {DENSE, BIAS, WIDE_OUTPUT, STORED_Q8_0, STORED_Q4_0, STORED_Q4_1, INT8, INT8_PART, UNPERMUTED,
                                                INT4, INT4_HQQ, INT3, INT2, SPARSE, SPARSE_PART, PRUNED_INT4, SPARSE_INT8, SPARSE_INT8_PART, AS_Q8_0, AS_Q4_0, AS_Q4_1, AS_MIXED,
                                                INT8_DYNAMIC, INT8_DYNAMIC_PART, INT4_DYNAMIC, INT4_HQQ_DYNAMIC, INT3_DYNAMIC};
static const enum variant gelu_variants[] = {DENSE, BIAS, STORED_Q8_0, INT8, INT4, SPARSE, AS_Q4_0, INT8_DYNAMIC};
static const enum variant pair_variants[] = {DENSE, STORED_Q4_0, INT8, INT8_PART, INT4, SPARSE, SPARSE_INT8, AS_Q8_0, AS_Q4_0, AS_Q4_1, INT8_DYNAMIC, INT8_DYNAMIC_PART,
                                             INT4_DYNAMIC, INT4_HQQ_DYNAMIC};

struct group {
    enum op_kind kind;
    const struct op_shape *shapes;
    int n_shapes;
    const enum variant *variants;
    int n_variants;
};
#define COUNT(list) (int)(sizeof(list) / sizeof *(list))
#define GROUP(kind, shapes, variants) {OP_##kind, shapes, COUNT(shapes), variants, COUNT(variants)}
static const struct group groups[] = {
    GROUP(EMBED, table_shapes, table_variants), GROUP(RMSNORM, rows_shapes, weightless), GROUP(LAYERNORM, rows_shapes, weightless), GROUP(LINEAR, product_shapes, product_variants),
    GROUP(ROPE, attention_shapes, weightless), GROUP(KV_WRITE, attention_shapes, cache_variants), GROUP(ATTN_SCORES, attention_shapes, cache_variants),
    GROUP(SCALE, attention_shapes, weightless), GROUP(CAUSAL_MASK, attention_shapes, weightless), GROUP(SOFTMAX, attention_shapes, weightless),
    GROUP(ATTN_VALUES, attention_shapes, cache_variants), GROUP(ADD, rows_shapes, weightless), GROUP(MUL, rows_shapes, weightless),
    GROUP(SILU, rows_shapes, weightless), GROUP(GELU, rows_shapes, weightless), GROUP(GATHER_ROWS, table_shapes, weightless), GROUP(SAMPLE, logits_shapes, weightless),
    GROUP(NLL, logits_shapes, weightless), GROUP(COPY, rows_shapes, weightless), GROUP(ATTENTION, attention_shapes, cache_variants),
    GROUP(ADD_RMSNORM, rows_shapes, weightless), GROUP(LINEAR_SWIGLU, pair_shapes, pair_variants), GROUP(LINEAR_GELU, gelu_shapes, gelu_variants),
    GROUP(ROPE_KV_WRITE, attention_shapes, cache_variants)};
static const enum dtype case_types[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};

/* The variant whose weights are the same, but whose rows of x are as they are; -1: it is such a one. */
static int without_rounding(enum variant v) {
    switch (v) {
    case INT8_DYNAMIC: return INT8;
    case INT8_DYNAMIC_PART: return INT8_PART;
    case INT4_DYNAMIC: return INT4;
    case INT4_HQQ_DYNAMIC: return INT4_HQQ;
    case INT3_DYNAMIC: return INT3;
    default: return -1;
    }
}

/* Blocks need whole rows of them; a part needs parts; heads need rows that divide. */
static int makes_sense(const struct op_shape *s, enum variant v) {
    if (without_rounding(v) >= 0) v = (enum variant)without_rounding(v);
    if ((v == STORED_Q8_0 || v == STORED_Q4_0 || v == STORED_Q4_1) && s->width % 32) return 0;
    if ((v == INT4 || v == INT3 || v >= AS_Q8_0) && s->width % 32) return 0;
    if (v == AS_MIXED && !s->parts[1]) return 0;
    if ((v == INT4_HQQ || v == PRUNED_INT4) && s->width % 64) return 0;
    if (v == INT2 && s->width % 128) return 0;
    if ((v == INT8_PART || v == SPARSE_PART || v == SPARSE_INT8_PART) && !s->parts[1]) return 0;
    if (v == UNPERMUTED && (s->parts[1] || s->parts[0] % 4)) return 0;
    return 1;
}

static void name_case(struct op_case *c) {
    const struct op_shape *s = c->shape;
    int at = snprintf(c->name, sizeof c->name, "%s %s R=%lld width %lld", op_table[c->kind].name, dtype_name(c->dtype), (long long)s->rows,
                      (long long)s->width);
    for (int i = 0; i < OP_MAX_OUT && s->parts[i]; i++)
        at += snprintf(c->name + at, sizeof c->name - (size_t)at, "%s%lld", i ? "+" : " x ", (long long)s->parts[i]);
    if (s->heads)
        at += snprintf(c->name + at, sizeof c->name - (size_t)at, " heads %d/%d B=%lld S=%lld places %d", s->heads, s->kv_heads,
                       (long long)s->slots, (long long)s->keys, (int)s->places);
    snprintf(c->name + at, sizeof c->name - (size_t)at, " %s", variant_names[c->variant]);
}

/* Walks the table; the number of cases, and the one asked for. */
static int walk(int wanted, struct op_case *out) {
    int n = 0;
    for (int g = 0; g < COUNT(groups); g++)
        for (int s = 0; s < groups[g].n_shapes; s++)
            for (int v = 0; v < groups[g].n_variants; v++)
                for (int t = 0; t < COUNT(case_types) && makes_sense(&groups[g].shapes[s], groups[g].variants[v]); t++)
                    if (n++ == wanted)
                        *out = (struct op_case){.kind = groups[g].kind, .dtype = case_types[t], .shape = &groups[g].shapes[s],
                                                .variant = (int)groups[g].variants[v]};
    return n;
}

int op_case_count(void) { return walk(-1, NULL); }

void op_case_get(int i, struct op_case *out) {
    walk(i, out);
    name_case(out);
}

/* ---- data: numbers k/64, |k| ≤ 127, exact in every type ---- */

enum { MAX_FILLS = 12, MAX_LEAVES = 4 };

struct fill {
    int tensor;
    void *data;
    size_t bytes;
};

struct build {
    const struct op_case *c;
    struct program p;
    struct arena a;
    uint64_t random;
    struct leaf leaves[MAX_LEAVES];
    int n_leaves;
    struct weight_source source;
    struct fill fills[MAX_FILLS];
    int n_fills;
    int64_t symbols[SYMBOL_COUNT];
    const int32_t *pos;              /* where a row sees keys 0..pos only, the rest is not compared */
};

static float grid(struct build *b) { return (float)((int)(random_next(&b->random) % 255) - 127) / 64; }

static void put(enum dtype t, void *to, int64_t i, float x) {
    if (t == DTYPE_F32) ((float *)to)[i] = x;
    else if (t == DTYPE_BF16) ((uint16_t *)to)[i] = f32_to_bf16(x);
    else ((uint16_t *)to)[i] = f32_to_f16(x);
}

static double get(enum dtype t, const void *from, int64_t i) {
    if (t == DTYPE_I32) return ((const int32_t *)from)[i];
    if (t == DTYPE_F32) return (double)((const float *)from)[i];
    uint16_t h = ((const uint16_t *)from)[i];
    return (double)(t == DTYPE_BF16 ? bf16_to_f32(h) : f16_to_f32(h));
}

static enum status find_leaf(void *self, const char *name, struct leaf *out, struct error *e) {
    const struct build *b = self;
    for (int i = 0; i < b->n_leaves; i++)
        if (strcmp(b->leaves[i].name, name) == 0) return *out = b->leaves[i], STATUS_OK;
    return error_set(e, STATUS_INPUT, "no leaf '%s'", name);
}

/* Blocks of f16 d (and m), then the quanta: d one of three powers of two and m = −8 d keep values on a grid. */
static void fill_blocks(struct build *b, const struct encoding *encoding, uint8_t *to, size_t bytes) {
    for (size_t at = 0; at < bytes; at += (size_t)encoding->block_bytes) {
        float scale = 1.0f / (float)(16 << random_next(&b->random) % 3);
        uint16_t d = f32_to_f16(scale), m = f32_to_f16(-8 * scale);
        for (int i = 0; i < encoding->block_bytes; i++) to[at + (size_t)i] = (uint8_t)random_next(&b->random);
        memcpy(to + at, &d, 2);
        if (encoding == &encoding_q4_1) memcpy(to + at + 2, &m, 2);
    }
}

static const struct recipe *leaf(struct build *b, int64_t rows, int64_t cols, const struct encoding *encoding) {
    size_t bytes = encoding_row_bytes(encoding, cols) * (size_t)rows;
    uint8_t *data = arena_alloc(&b->a, bytes + 1);
    if (encoding->block > 1) fill_blocks(b, encoding, data, bytes);
    else
        for (int64_t i = 0; i < rows * cols; i++) put(b->c->dtype, data, i, grid(b));
    const char *name = arena_printf(&b->a, "leaf %d", b->n_leaves);
    b->leaves[b->n_leaves++] = (struct leaf){.name = name, .rows = rows, .cols = cols, .encoding = encoding, .data = data};
    return recipe_leaf(&b->a, name, rows, cols);
}

static const struct recipe *sparse(struct build *b, const struct recipe *r, enum prune_per per, int is_int8) {
    r = recipe_prune(&b->a, r, &(struct pruning){.per = per, .share = 0.6});
    return recipe_encode(&b->a, r, is_int8 ? &encoding_bitmap_int8 : b->c->dtype == DTYPE_F32 ? &encoding_bitmap_f32 : b->c->dtype == DTYPE_F16 ? &encoding_bitmap_f16 : &encoding_bitmap_bf16);
}

/* Used as it lies; parts of four rows and more with their rows in another order. */
static const struct recipe *as_stored(struct build *b, const struct encoding *encoding, int64_t rows, int64_t cols, int is_unpermuted) {
    const struct recipe *r = leaf(b, rows, cols, encoding);
    return recipe_encode(&b->a, is_unpermuted && rows % 4 == 0 ? recipe_unpermute(&b->a, r, 2) : r, encoding);
}

/* Part i of a weight, as a variant has it. */
static const struct recipe *part_as(struct build *b, enum variant v, int i, int64_t rows, int64_t cols) {
    if (v == STORED_Q8_0) return leaf(b, rows, cols, &encoding_q8_0);
    if (v == STORED_Q4_0) return leaf(b, rows, cols, &encoding_q4_0);
    if (v == STORED_Q4_1) return leaf(b, rows, cols, &encoding_q4_1);
    if (v == AS_Q8_0 || (v == AS_MIXED && i == 0)) return as_stored(b, &encoding_q8_0, rows, cols, v == AS_MIXED);
    if (v == AS_Q4_0 || (v == AS_MIXED && i == 2)) return as_stored(b, &encoding_q4_0, rows, cols, 0);
    if (v == AS_Q4_1 || v == AS_MIXED) return as_stored(b, &encoding_q4_1, rows, cols, v == AS_MIXED);
    const struct recipe *r = leaf(b, rows, cols, encoding_of_dtype(b->c->dtype));
    if (v == INT8 || (v == INT8_PART && i == 1)) return recipe_encode(&b->a, r, &encoding_int8_row);
    if (v == SPARSE || (v == SPARSE_PART && i == 1)) return sparse(b, r, v == SPARSE ? PRUNE_PER_MATRIX : PRUNE_PER_ROW, 0);
    if (v == SPARSE_INT8 || (v == SPARSE_INT8_PART && i == 1)) return sparse(b, r, v == SPARSE_INT8 ? PRUNE_PER_ROW : PRUNE_PER_MATRIX, 1);
    if (v == PRUNED_INT4) r = recipe_prune(&b->a, r, &(struct pruning){.per = PRUNE_N_OF_M, .n = 2, .m = 4});
    switch (v) {
    case INT4: return recipe_quantize(&b->a, r, &encoding_int4_g32, &(struct quantizer){.bits = 4, .group = 32, .zero = QUANTIZE_ZERO_INTEGER});
    case INT4_HQQ: return recipe_quantize(&b->a, r, &encoding_int4_g64_f32_z, &(struct quantizer){.bits = 4, .group = 64, .rounding = QUANTIZE_HQQ, .zero = QUANTIZE_ZERO_CODE});
    case INT3: return recipe_quantize(&b->a, r, &encoding_int3_g32_z, &(struct quantizer){.bits = 3, .group = 32, .zero = QUANTIZE_ZERO_FLOAT});
    case INT2: return recipe_quantize(&b->a, r, &encoding_int2_g128, &(struct quantizer){.bits = 2, .group = 128, .zero = QUANTIZE_ZERO_INTEGER});
    case PRUNED_INT4: return recipe_quantize(&b->a, r, &encoding_int4_g64, &(struct quantizer){.bits = 4, .group = 64, .zero = QUANTIZE_ZERO_INTEGER});
    case UNPERMUTED: return recipe_unpermute(&b->a, r, 2);
    default: return r;
    }
}

static const struct recipe *weight_part(struct build *b, int i, int64_t rows, int64_t cols) {
    enum variant v = (enum variant)b->c->variant;
    if (without_rounding(v) < 0) return part_as(b, v, i, rows, cols);
    const struct recipe *r = part_as(b, (enum variant)without_rounding(v), i, rows, cols);
    return r->kind == RECIPE_ENCODE ? recipe_round_inputs(&b->a, r, 8) : r;
}

static int weight(struct build *b) {
    const struct op_shape *s = b->c->shape;
    const struct recipe *parts[OP_MAX_OUT];
    int n = 0;
    while (n < OP_MAX_OUT && s->parts[n]) {
        parts[n] = weight_part(b, n, s->parts[n], s->width);
        n++;
    }
    return program_weight(&b->p, "w", b->c->dtype, n == 1 ? parts[0] : recipe_concat(&b->a, parts, n), 0);
}

static int vector(struct build *b, int64_t rows, int64_t cols) {
    return program_weight(&b->p, "vector", DTYPE_F32, leaf(b, rows, cols, encoding_of_dtype(b->c->dtype)), 1);
}

/* ---- tensors with their data ---- */

static void *keep_fill(struct build *b, int tensor, int64_t n) {
    const struct tensor *t = &b->p.tensors[tensor];
    size_t bytes = t->encoding ? tensor_bytes(t, b->p.symbol_max) : (size_t)n * dtype_bytes(t->dtype);
    b->fills[b->n_fills] = (struct fill){tensor, arena_alloc(&b->a, bytes + 1), bytes};
    return b->fills[b->n_fills++].data;
}

static int reals(struct build *b, const char *name, int n_dims, const struct dim *dims) {
    int t = program_input(&b->p, name, b->c->dtype, n_dims, dims);
    int64_t n = tensor_elements(&b->p.tensors[t], b->symbols);
    void *data = keep_fill(b, t, n);
    for (int64_t i = 0; i < n; i++) put(b->c->dtype, data, i, grid(b));
    return t;
}

static int matrix(struct build *b, const char *name, int64_t width) {
    return reals(b, name, 2, (struct dim[]){dim_symbol(SYMBOL_R), dim_of(width)});
}

/* i32 along a symbol, each in [0, limit). */
static int ids(struct build *b, const char *name, enum symbol along, int64_t limit) {
    int t = program_input(&b->p, name, DTYPE_I32, 1, (struct dim[]){dim_symbol(along)});
    int32_t *data = keep_fill(b, t, b->symbols[along]);
    for (int64_t i = 0; i < b->symbols[along]; i++) data[i] = (int32_t)(random_next(&b->random) % (uint64_t)limit);
    return t;
}

/* Rows are dealt to the slots in turn (decode), or slot by slot in runs of falling length that end at the last key
 * (chunk) or begin at the first (unequal); shuffled rows may meet a slot twice. */
static void place_row(struct build *b, int64_t r, int32_t *slot, int32_t *pos) {
    const struct op_shape *s = b->c->shape;
    int64_t first = 0, length = s->rows, k = 0;
    if (s->places == DECODE || s->places == SHUFFLED) {
        *slot = (int32_t)(r % s->slots);
        *pos = (int32_t)(s->places == DECODE ? (s->keys - 1) * (r + 1) / s->rows : (int64_t)(random_next(&b->random) % (uint64_t)s->keys));
        return;
    }
    for (; s->slots > 1 && k < s->slots; k++) { /* the first slots have fewer rows */
        length = k == s->slots - 1 ? s->rows - first : s->rows / s->slots - (s->slots - 1 - k);
        if (r < first + length) break;
        first += length;
    }
    *slot = (int32_t)k;
    *pos = (int32_t)(r - first + (s->places == CHUNK ? s->keys - length : 0));
}

static void places(struct build *b, int *slots, int *pos) {
    *slots = ids(b, "rows", SYMBOL_R, 1);
    *pos = ids(b, "pos", SYMBOL_R, 1);
    int32_t *slot_data = b->fills[b->n_fills - 2].data, *pos_data = b->fills[b->n_fills - 1].data;
    for (int64_t r = 0; r < b->c->shape->rows; r++) place_row(b, r, &slot_data[r], &pos_data[r]);
    b->pos = pos_data;
}

/* n numbers in vectors of `width` to their bytes. */
static void fill_vectors(struct build *b, const struct tensor *t, int64_t n, char *to) {
    int64_t width = tensor_vector_length(t);
    float *row = arena_alloc(&b->a, (size_t)width * sizeof *row);
    for (int64_t at = 0; at < n; at += width, to += tensor_vector_bytes(t)) {
        for (int64_t i = 0; i < width; i++) row[i] = grid(b) / 4;
        t->encoding->encode(row, to, width);
    }
}

/* A state is filled whole, at the symbols' maxima; devices keep states by name, so cases must not share one. */
static int cache(struct build *b, const char *name) {
    const struct op_shape *s = b->c->shape;
    const struct dim dims[] = {dim_symbol(SYMBOL_B), dim_symbol(SYMBOL_S), dim_of(s->kv_heads * s->width)};
    int t = program_state(&b->p, arena_printf(&b->a, "%s of %s", name, b->c->name), b->c->dtype, 3, dims);
    int64_t n = tensor_elements(&b->p.tensors[t], b->p.symbol_max);
    if (b->c->variant == INT8_CACHE) {
        b->p.tensors[t].encoding = &encoding_int8_row;
        b->p.tensors[t].vectors = s->kv_heads;
    }
    void *data = keep_fill(b, t, n);
    if (b->c->variant == INT8_CACHE) fill_vectors(b, &b->p.tensors[t], n, data);
    else
        for (int64_t i = 0; i < n; i++) put(b->c->dtype, data, i, grid(b) / 4);
    return t;
}

static int frequencies(struct build *b) {
    int64_t half = b->c->shape->width / 2;
    double *f = arena_alloc(&b->a, (size_t)half * sizeof *f);
    for (int64_t j = 0; j < half; j++) f[j] = pow(1e4, -(double)j / (double)half);
    return program_constant(&b->p, "inv_freq", DTYPE_F64, half, f);
}

/* (R, H, S): probabilities are not negative and 0 beyond what a row sees. */
static int scores(struct build *b, int is_probability) {
    const struct op_shape *s = b->c->shape;
    int t = reals(b, "scores", 3, (struct dim[]){dim_symbol(SYMBOL_R), dim_of(s->heads), dim_symbol(SYMBOL_S)});
    void *data = b->fills[b->n_fills - 1].data;
    for (int64_t i = 0; is_probability && i < s->rows * s->heads * s->keys; i++) {
        int64_t row = i / (s->heads * s->keys);
        put(b->c->dtype, data, i, i % s->keys > b->pos[row] ? 0.0f : fabsf((float)get(b->c->dtype, data, i)) / 2);
    }
    return t;
}

/* ---- one operation a program ---- */

static void append(struct build *b, const struct op_spec *spec) {
    struct op_spec s = *spec;
    static const char *const names[] = {"out0", "out1", "out2", "out3"};
    s.kind = b->c->kind;
    s.category = CATEGORY_OTHER;
    for (int i = 0; i < s.n_out; i++) s.names[i] = names[i];
    int first = program_append(&b->p, &s);
    for (int i = 0; i < s.n_out; i++) program_output(&b->p, first + i);
}

static void build_product(struct build *b) {
    const struct op_shape *s = b->c->shape;
    struct op_spec op = {.n_in = 2, .in = {matrix(b, "x", s->width), weight(b)}, .n_out = 1};
    int64_t n = 0;
    while (b->c->kind == OP_LINEAR && op.n_out < OP_MAX_OUT && s->parts[op.n_out]) op.n_out++;
    for (int i = 0; i < OP_MAX_OUT; i++) n += s->parts[i];
    if (b->c->variant == BIAS) op.in[op.n_in++] = vector(b, n, 1);
    op.i[0] = b->c->variant == WIDE_OUTPUT;
    append(b, &op);
}

static void build_attention(struct build *b) {
    const struct op_shape *s = b->c->shape;
    int rows, pos, q = s->heads * (int)s->width, kv = s->kv_heads * (int)s->width;
    places(b, &rows, &pos);
    struct op_spec op = {.n_out = 1, .i = {s->heads, s->kv_heads}, .f = {(float)(1 / sqrt((double)s->width))}};
    int in[OP_MAX_IN] = {0}, n = 0;
#define TAKE(tensor) in[n++] = (tensor)
    switch (b->c->kind) {
    case OP_ROPE: TAKE(matrix(b, "x", q)), TAKE(pos), TAKE(frequencies(b)); break;
    case OP_KV_WRITE: TAKE(matrix(b, "x", kv)), TAKE(rows), TAKE(pos), TAKE(cache(b, "keys")), op.n_out = 0; break;
    case OP_ATTN_SCORES: TAKE(matrix(b, "q", q)), TAKE(cache(b, "keys")), TAKE(rows), TAKE(pos); break;
    case OP_SCALE: case OP_SOFTMAX: TAKE(scores(b, 0)), b->pos = NULL; break;
    case OP_CAUSAL_MASK: TAKE(scores(b, 0)), TAKE(pos), b->pos = NULL; break;
    case OP_ATTN_VALUES: TAKE(scores(b, 1)), TAKE(cache(b, "values")), TAKE(rows), TAKE(pos); break;
    case OP_ATTENTION: TAKE(matrix(b, "q", q)), TAKE(cache(b, "keys")), TAKE(cache(b, "values")), TAKE(rows), TAKE(pos); break;
    default: /* ROPE_KV_WRITE */
        TAKE(matrix(b, "q", q)), TAKE(matrix(b, "k", kv)), TAKE(matrix(b, "v", kv)), TAKE(pos), TAKE(rows), TAKE(frequencies(b));
        TAKE(cache(b, "keys")), TAKE(cache(b, "values"));
    }
#undef TAKE
    if (b->c->kind != OP_ATTN_SCORES) b->pos = NULL; /* only scores may be left undefined where nothing looks */
    op.n_in = n;
    memcpy(op.in, in, sizeof in);
    append(b, &op);
}

/* Greedy, warm, hot and cut short in turn; every row's likeliest token is met twice. */
static int sample_params(struct build *b) {
    static const float kinds[][4] = {{0, 0, 1, 0}, {1, 0, 1, 0}, {0.7f, 5, 1, 0}, {1.3f, 0, 0.6f, 0}, {2, 9, 0.8f, 0}, {0, 3, 0.1f, 0}};
    int t = program_input(&b->p, "params", DTYPE_F32, 2, (struct dim[]){dim_symbol(SYMBOL_R), dim_of(4)});
    float *data = keep_fill(b, t, 4 * b->c->shape->rows);
    for (int64_t i = 0; i < 4 * b->c->shape->rows; i++) data[i] = kinds[i / 4 % 6][i % 4];
    return t;
}

static void build_choice(struct build *b) {
    const struct op_shape *s = b->c->shape;
    int logits = matrix(b, "logits", s->width);
    if (b->c->kind == OP_NLL) {
        int targets = ids(b, "targets", SYMBOL_R, s->width);
        int32_t *data = b->fills[b->n_fills - 1].data;
        for (int64_t r = 0; r < s->rows; r += 3) data[r] = -1;
        append(b, &(struct op_spec){.n_in = 2, .in = {logits, targets}, .n_out = 1});
        return;
    }
    int params = sample_params(b), seeds = program_input(&b->p, "seeds", DTYPE_I64, 1, (struct dim[]){dim_symbol(SYMBOL_R)});
    int64_t *data = keep_fill(b, seeds, s->rows);
    for (int64_t r = 0; r < s->rows; r++) data[r] = (int64_t)random_next(&b->random);
    append(b, &(struct op_spec){.n_in = 3, .in = {logits, params, seeds}, .n_out = 1});
}

static void build_rows(struct build *b) {
    const struct op_shape *s = b->c->shape;
    enum op_kind k = b->c->kind;
    struct op_spec op = {.n_in = 1, .n_out = k == OP_ADD_RMSNORM ? 2 : 1, .f = {1e-5f}};
    int in[OP_MAX_IN] = {0};
    in[0] = k == OP_EMBED ? weight(b) : matrix(b, "x", s->width);
    if (k == OP_EMBED) in[op.n_in++] = ids(b, "ids", SYMBOL_R, s->parts[0]);
    if (k == OP_GATHER_ROWS && s->rows > 0) in[op.n_in++] = ids(b, "index", SYMBOL_B, s->rows);
    if (k == OP_GATHER_ROWS && s->rows == 0) in[op.n_in++] = ids(b, "index", SYMBOL_R, 1); /* of nothing, nothing */
    if (k == OP_ADD || k == OP_MUL || k == OP_ADD_RMSNORM) in[op.n_in++] = matrix(b, "y", s->width);
    for (int i = k == OP_LAYERNORM ? 2 : k == OP_RMSNORM || k == OP_ADD_RMSNORM; i > 0; i--) in[op.n_in++] = vector(b, 1, s->width);
    memcpy(op.in, in, sizeof in);
    append(b, &op);
}

static void build_case(const struct op_case *c, struct build *b) {
    const struct op_shape *s = c->shape;
    *b = (struct build){.c = c, .random = hash_bytes(7, c->name, strlen(c->name)), .symbols = {s->rows, s->keys, s->slots}};
    if (c->kind == OP_GATHER_ROWS) b->symbols[SYMBOL_B] = s->parts[0];
    program_init(&b->p, "case");
    for (int i = 0; i < SYMBOL_COUNT; i++) b->p.symbol_max[i] = b->symbols[i] + 3 - i; /* strides come from the maxima */
    switch (c->kind) {
    case OP_LINEAR: case OP_LINEAR_SWIGLU: case OP_LINEAR_GELU: build_product(b); break;
    case OP_SAMPLE: case OP_NLL: build_choice(b); break;
    case OP_ROPE: case OP_KV_WRITE: case OP_ATTN_SCORES: case OP_SCALE: case OP_CAUSAL_MASK: case OP_SOFTMAX: case OP_ATTN_VALUES:
    case OP_ATTENTION: case OP_ROPE_KV_WRITE: build_attention(b); break;
    default: build_rows(b);
    }
    b->source = (struct weight_source){.self = b, .find = find_leaf};
}

/* ---- running and comparing ---- */

static enum status run_on(struct build *b, struct device *d, struct prepared **q, struct error *e) {
    const struct backend *k = device_backend(d);
    enum status s = program_validate(&b->p, e);
    if (s == STATUS_OK) s = k->prepare(d, &b->p, &b->source, q, e);
    if (s == STATUS_OK) s = k->bind(*q, b->symbols, e);
    for (int i = 0; i < b->n_fills && s == STATUS_OK; i++)
        s = k->write(*q, b->fills[i].tensor, 0, b->fills[i].data, b->fills[i].bytes, e);
    if (s == STATUS_OK) s = k->run(*q, 0, (int)b->p.n_ops, NULL, e);
    return s == STATUS_OK ? k->synchronise(d, e) : s;
}

/* What a type's rounding leaves of a value, and of the sums that led to it. The two factors of SwiGLU, and what GELU takes, may be
 * rounded to the type first, as the plain operations that these stand for round them; of numbers below 0 GELU leaves little, but all of
 * what was lost before, which were numbers about 1 and larger. So may encoded weights be beside many rows of bf16, as they would be stored
 * without an encoding. */
static double allowed(const struct op_case *c, double value, double rms) {
    double unit = c->dtype == DTYPE_F32 ? 1e-5 : c->dtype == DTYPE_BF16 ? 0x1p-7 : 0x1p-9;
    if (c->kind == OP_LINEAR_GELU && rms < 1) rms = 1;
    if (c->dtype == DTYPE_BF16 && c->shape->rows > 16 && c->variant >= INT4 && without_rounding((enum variant)c->variant) < 0) unit *= 1.5;
    return (c->kind == OP_LINEAR_SWIGLU || c->kind == OP_LINEAR_GELU ? 1.5 : 1) * unit * (fabs(value) + rms) + 1e-30;
}

struct comparison {
    const struct tensor *t;
    const void *is, *judge;
    int64_t n;
};

/* Element i, decoded where the tensor is encoded; `step` of its codes, 0 where it is dense. */
static double number(const struct comparison *k, const void *from, int64_t i, double *step) {
    *step = 0;
    if (!k->t->encoding) return get(k->t->dtype, from, i);
    float scale;
    int64_t width = tensor_vector_length(k->t);
    const char *vector = (const char *)from + i / width * (int64_t)tensor_vector_bytes(k->t);
    memcpy(&scale, vector, sizeof scale);
    *step = (double)scale;
    return (double)scale * ((const int8_t *)vector)[(int64_t)sizeof scale + i % width];
}

static int is_left_out(const struct build *b, const struct comparison *k, int64_t i) {
    int64_t keys = b->c->shape->keys;
    return b->pos && k->t->n_dims == 3 && k->t->storage == STORAGE_OUTPUT && i % keys > b->pos[i / (keys * b->c->shape->heads)];
}

/* Root of the mean square of a row's finite values, as the judge has them. */
static double row_rms(const struct comparison *k, int64_t first, int64_t width) {
    double sum = 0, step;
    for (int64_t i = first; i < first + width; i++)
        if (isfinite(number(k, k->judge, i, &step))) sum += pow(number(k, k->judge, i, &step), 2);
    return sqrt(sum / (double)width);
}

static void compare(const struct build *b, const struct comparison *k, struct op_result *out) {
    int64_t width = k->t->n_dims > 1 ? dim_value(k->t->dims[k->t->n_dims - 1], k->t->storage == STORAGE_STATE ? b->p.symbol_max : b->symbols) : k->n;
    double rms = 0, step;
    for (int64_t i = 0; i < k->n; i++) {
        double is = number(k, k->is, i, &step), judge = number(k, k->judge, i, &step);
        if (i % width == 0) rms = row_rms(k, i, width);
        if (is_left_out(b, k, i) || is == judge) continue;
        if (b->c->kind != OP_ROPE_KV_WRITE) step = 0; /* what is turned before it is rounded may fall to the next code */
        double ratio = k->t->dtype == DTYPE_I32 ? INFINITY : fabs(is - judge) / (step + allowed(b->c, judge, rms));
        if (!(ratio <= out->worst)) { /* NaN is the worst */
            out->worst = isnan(ratio) ? INFINITY : ratio;
            snprintf(out->where, sizeof out->where, "'%.80s'[%lld] is %.9g, the judge has %.9g", k->t->name, (long long)i, is, judge);
        }
    }
}

static enum status compare_all(struct build *b, struct prepared *is, struct prepared *judge, struct op_result *out, struct error *e) {
    enum status s = STATUS_OK;
    for (size_t i = 0; i < b->p.n_tensors && s == STATUS_OK; i++) {
        const struct tensor *t = &b->p.tensors[i];
        if (t->storage != STORAGE_OUTPUT && t->storage != STORAGE_STATE) continue;
        const int64_t *symbols = t->storage == STORAGE_STATE ? b->p.symbol_max : b->symbols;
        size_t bytes = tensor_bytes(t, symbols);
        void *x = mem_alloc(bytes), *y = mem_alloc(bytes);
        s = prepared_backend(is)->read(is, (int)i, 0, x, bytes, e);
        if (s == STATUS_OK) s = prepared_backend(judge)->read(judge, (int)i, 0, y, bytes, e);
        if (s == STATUS_OK) compare(b, &(struct comparison){t, x, y, tensor_elements(t, symbols)}, out);
        mem_free(x);
        mem_free(y);
    }
    return s;
}

static enum status run_built(struct build *b, struct device *d, struct op_result *out, struct error *e) {
    struct device *judge = NULL;
    struct prepared *is = NULL, *should = NULL;
    struct clock clock = {0};
    enum status s = backend_reference.open(&(struct device_options){.clock = &clock, .threads = 1}, &judge, e);
    if (s == STATUS_OK) s = run_on(b, judge, &should, e);
    if (s == STATUS_OK) s = run_on(b, d, &is, e);
    if (s == STATUS_OK) s = compare_all(b, is, should, out, e);
    if (is) prepared_backend(is)->release(is);
    if (should) backend_reference.release(should);
    if (judge) backend_reference.close(judge);
    return s;
}

enum status op_case_run(const struct op_case *c, struct device *d, struct op_result *out, struct error *e) {
    struct build b;
    struct error reason = {0};
    build_case(c, &b);
    *out = (struct op_result){.is_supported = device_backend(d)->supports(d, &b.p, &b.p.ops[0], &reason) == STATUS_OK};
    enum status s = out->is_supported ? run_built(&b, d, out, e) : STATUS_OK;
    if (!out->is_supported) snprintf(out->where, sizeof out->where, "%.250s", reason.text);
    program_free(&b.p);
    arena_free(&b.a);
    return s;
}
