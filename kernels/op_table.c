/* op_table.c: the rows: arity, inference (op_infer.c), work (op_work.c). */
#include <string.h>

#include "kernels/op_rows.h"

const char *category_name(enum category c) {
    static const char *const names[] = {
#define X(name, text) text,
        CATEGORY_LIST(X)
#undef X
    };
    return names[c];
}

/* The names as OP_LIST has them: text_EMBED is "embed". */
#define X(kind, text) static const char text_##kind[] = text;
OP_LIST(X)
#undef X

/* least and most inputs, least and most outputs, fused, choice, inference, work */
#define ROW(kind, min_in, max_in, min_out, max_out, is_fused, is_choice, infer, work) \
    [OP_##kind] = {text_##kind, min_in, max_in, min_out, max_out, is_fused, is_choice, op_infer_##infer, op_work_##work}

const struct op_row op_table[OP_KIND_COUNT] = {
    ROW(EMBED, 2, 2, 1, 1, 0, 0, embed, embed),
    ROW(RMSNORM, 2, 2, 1, 1, 0, 0, rmsnorm, streamed),
    ROW(LAYERNORM, 3, 3, 1, 1, 0, 0, layernorm, streamed),
    ROW(LINEAR, 2, 3, 1, OP_MAX_OUT, 0, 0, linear, product),
    ROW(ROPE, 3, 3, 1, 1, 0, 0, rope, streamed),
    ROW(KV_WRITE, 4, 4, 0, 0, 0, 0, kv_write, kv_write),
    ROW(ATTN_SCORES, 4, 4, 1, 1, 0, 0, scores, scores),
    ROW(SCALE, 1, 1, 1, 1, 0, 0, same, streamed),
    ROW(CAUSAL_MASK, 2, 2, 1, 1, 0, 0, mask, streamed),
    ROW(SOFTMAX, 1, 1, 1, 1, 0, 0, same, streamed),
    ROW(ATTN_VALUES, 4, 4, 1, 1, 0, 0, values, values),
    ROW(ADD, 2, 2, 1, 1, 0, 0, pair, streamed),
    ROW(MUL, 2, 2, 1, 1, 0, 0, pair, streamed),
    ROW(SILU, 1, 1, 1, 1, 0, 0, same, streamed),
    ROW(GELU, 1, 1, 1, 1, 0, 0, same, streamed),
    ROW(GATHER_ROWS, 2, 2, 1, 1, 0, 0, gather, gather),
    ROW(SAMPLE, 3, 3, 1, 1, 0, 1, sample, choice),
    ROW(NLL, 2, 2, 1, 1, 0, 0, nll, streamed),
    ROW(COPY, 1, 1, 1, 1, 0, 0, copy, streamed),
    ROW(ATTENTION, 5, 5, 1, 1, 1, 0, attention, attention),
    ROW(ADD_RMSNORM, 3, 3, 2, 2, 1, 0, add_rmsnorm, streamed),
    ROW(LINEAR_SWIGLU, 2, 2, 1, 1, 1, 0, swiglu, product),
    ROW(LINEAR_GELU, 2, 3, 1, 1, 1, 0, linear, product),
    ROW(ROPE_KV_WRITE, 8, 8, 1, 1, 1, 0, rope_kv, kv_write),
};

void op_caches(const struct op *op, int *first, int *last) {
    static const int8_t places[OP_KIND_COUNT][2] = {[OP_KV_WRITE] = {3, 4}, [OP_ROPE_KV_WRITE] = {6, 8}, [OP_ATTN_SCORES] = {1, 2},
                                                    [OP_ATTN_VALUES] = {1, 2}, [OP_ATTENTION] = {1, 3}};
    *first = places[op->kind][0];
    *last = places[op->kind][1];
}

void op_vectors(const struct op *op, int *first, int *last) {
    static const int8_t places[OP_KIND_COUNT][2] = {[OP_RMSNORM] = {1, 2}, [OP_LAYERNORM] = {1, 3}, [OP_ADD_RMSNORM] = {2, 3},
                                                    [OP_LINEAR] = {2, 3}, [OP_LINEAR_GELU] = {2, 3}};
    *first = places[op->kind][0];
    *last = places[op->kind][1] < op->n_in ? places[op->kind][1] : op->n_in;
}

int op_writes_caches(const struct op *op) { return op->kind == OP_KV_WRITE || op->kind == OP_ROPE_KV_WRITE; }

int op_find(const char *name) {
    for (int k = 0; k < OP_KIND_COUNT; k++)
        if (strcmp(op_table[k].name, name) == 0) return k;
    return -1;
}
