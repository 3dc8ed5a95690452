/* op_rows.h: what op_table.c puts in its rows: one inference a kind, one work formula a family of kinds.
 * Private to kernels/op_*.c. */
#ifndef ASSAY_KERNELS_OP_ROWS_H
#define ASSAY_KERNELS_OP_ROWS_H

#include "kernels/program.h"

/* 1, and the outputs' types and dims are set; or 0 with the reason, both shapes in it. */
typedef int op_infer_function(struct program *p, struct op *op, char *why, int why_bytes);
op_infer_function op_infer_embed, op_infer_rmsnorm, op_infer_layernorm, op_infer_linear, op_infer_rope, op_infer_kv_write, op_infer_scores,
    op_infer_same, op_infer_mask, op_infer_values, op_infer_pair, op_infer_gather, op_infer_sample, op_infer_nll,
    op_infer_copy, op_infer_attention, op_infer_add_rmsnorm, op_infer_swiglu, op_infer_rope_kv;

typedef struct work op_work_function(const struct program *p, const struct op *op, const int64_t *symbols,
                                     const struct facts *f);
op_work_function op_work_streamed, op_work_embed, op_work_gather, op_work_product, op_work_scores, op_work_values,
    op_work_attention, op_work_kv_write, op_work_choice;

#endif
