/* op.h: the one table of operations.
 *
 * A kind's row says its name, what it takes and gives, how shapes follow, how much work it is, and what it
 * computes (a float64 reference in reference/, the judge of every backend). To add an operation: one line in
 * OP_LIST, its row in op_table.c, its reference, and one kernel file a backend.
 *
 * Row tensors carry `rows` i32 (R): the slot (sequence) of each packed row, and `pos` i32 (R): its position.
 * A row sees the keys 0..pos of its slot: prefill, chunked prefill, decode, ragged batches and accepted drafts
 * are the same case; so are encoders, whose attention has in place of `pos` the last key of the row's slot. */
#ifndef ASSAY_KERNELS_OP_H
#define ASSAY_KERNELS_OP_H

#include <stdint.h>

/* Plain operations: one mathematical step each, as an eager framework would launch them. */
#define OP_LIST(X) \
    X(EMBED, "embed")                 /* table (V,D), ids (R) → (R,D) */ \
    X(RMSNORM, "rmsnorm")             /* x (R,D), g (D) → (R,D); f[0] eps */ \
    X(LAYERNORM, "layernorm")         /* x (R,D), g (D), b (D) → (R,D); f[0] eps */ \
    X(LINEAR, "linear")               /* x (R,K), w Σ(Ni,K) [, bias ΣNi] → n outputs (R,Ni): y = x wᵀ + b */ \
    X(ROPE, "rope")                   /* x (R,H·K), pos (R), inv_freq (K/2) → (R,H·K); i[0] heads; half rotation */ \
    X(KV_WRITE, "kv_write")           /* x (R,G·K), rows (R), pos (R), cache (B,S,G·K) state (dense or encoded), in place */ \
    X(ATTN_SCORES, "attn_scores")     /* q (R,H·K), kcache, rows, pos → (R,H,S) = q·k; i[0] H, i[1] G */ \
    X(SCALE, "scale")                 /* x → x · f[0] */ \
    X(CAUSAL_MASK, "causal_mask")     /* s (R,H,S), pos (R) → −inf where key > pos */ \
    X(SOFTMAX, "softmax")             /* s (…,S) → along the last dim */ \
    X(ATTN_VALUES, "attn_values")     /* p (R,H,S), vcache, rows, pos → (R,H·K); i[0] H, i[1] G */ \
    X(ADD, "add")                     /* a, b → a + b */ \
    X(MUL, "mul")                     /* a, b → a · b */ \
    X(SILU, "silu")                   /* x → x / (1 + e^−x) */ \
    X(GELU, "gelu")                   /* x → x Φ(x), Φ of the normal distribution */ \
    X(GATHER_ROWS, "gather_rows")     /* x (R,D), index (B) → (B,D) */ \
    X(SAMPLE, "sample")               /* logits (B,V), f32 params (B,4), i64 seeds (B) → ids (B): a data-dependent choice */ \
    X(NLL, "nll")                     /* logits (R,V), targets (R) → −log p (R) f32; target < 0: 0 */ \
    X(COPY, "copy")                   /* x → x, between devices */ \
    /* fused operations: made by optimizers only */ \
    X(ATTENTION, "attention")         /* q (R,H·K), kcache, vcache, rows, pos → (R,H·K); f[0] scale, i[0] H, i[1] G */ \
    X(ADD_RMSNORM, "add_rmsnorm")     /* a, b (R,D), g (D) → sum (R,D), norm (R,D); f[0] eps */ \
    X(LINEAR_SWIGLU, "linear_swiglu") /* x (R,D), w concat(gate (F,D), up (F,D)) → silu(x gᵀ)·(x uᵀ) (R,F) */ \
    X(LINEAR_GELU, "linear_gelu")     /* x (R,D), w (F,D) [, bias F] → gelu(x wᵀ + b) (R,F) */ \
    X(ROPE_KV_WRITE, "rope_kv_write") /* q (R,H·K), k, v (R,G·K), pos, rows, inv_freq, kcache, vcache → q rotated; i[0] H, i[1] G */

enum op_kind {
#define X(name, text) OP_##name,
    OP_LIST(X)
#undef X
    OP_KIND_COUNT
};

/* Ledger categories; an op's category is set by its builder (a softmax inside attention is attention). */
#define CATEGORY_LIST(X) \
    X(LINEAR, "linear") X(ATTENTION, "attention") X(KV_REORDER, "kv_reorder") X(CONV, "conv") \
    X(NORM_ELEMENTWISE, "norm_elementwise") X(EMBEDDING, "embedding") X(SAMPLING, "sampling") X(COPY, "copy") \
    X(HOST, "host") X(OTHER, "other")

enum category {
#define X(name, text) CATEGORY_##name,
    CATEGORY_LIST(X)
#undef X
    CATEGORY_COUNT
};
const char *category_name(enum category c);

enum { OP_MAX_IN = 8, OP_MAX_OUT = 4, OP_MAX_COVERS = 8 };

/* Where in the model an op stands. */
enum part { PART_EMBED, PART_LAYER, PART_HEAD };
struct place {
    enum part part;
    int layer;   /* of PART_LAYER, from 0 */
};

struct op {
    enum op_kind kind;
    int16_t n_in, n_out;
    int in[OP_MAX_IN], out[OP_MAX_OUT];   /* tensor indices of the program; an absent optional input is not listed */
    float f[2];
    int32_t i[3];
    struct place place;
    int device;                           /* 0 unless placed */
    enum category category;
    uint8_t covers[OP_MAX_COVERS];        /* a fused op lists the plain kinds that it stands for */
    int n_covers;
};

/* Counts known only when a binding's data is: attention's work is Σ of visible keys, not R·S. */
struct facts {
    int64_t rows;       /* R */
    int64_t sum_keys;   /* Σ over rows of the keys it sees (pos + 1) */
    int64_t distinct_keys; /* Σ over slots of the longest of them: what a cache read must touch */
};

struct work {
    double flop, bytes; /* bytes: read once + written once, at the storage types; weights at their encoding */
};

struct program;
struct op_row {
    const char *name;
    int min_in, max_in, min_out, max_out;
    int is_fused;
    int is_choice;     /* its output is data-dependent: the null backend takes it from a script */
    /* Checks inputs and derives the outputs' dims and types symbolically (they are in the program already,
     * created by program_append, which calls this). */
    int (*infer)(struct program *p, struct op *op, char *why, int why_bytes);
    struct work (*work)(const struct program *p, const struct op *op, const int64_t *symbols, const struct facts *f);
};
extern const struct op_row op_table[OP_KIND_COUNT];
int op_find(const char *name); /* -1 where none */
/* Which of its inputs are caches: [*first, *last), empty where none; and whether it writes them (in place) or reads them. */
void op_caches(const struct op *op, int *first, int *last);
/* Which of its inputs are vectors of weights: gains and biases. */
void op_vectors(const struct op *op, int *first, int *last);
int op_writes_caches(const struct op *op);
/* x times a weight, which is in[1]. */
static inline int op_is_linear(const struct op *op) { return op->kind == OP_LINEAR || op->kind == OP_LINEAR_SWIGLU || op->kind == OP_LINEAR_GELU; }

#endif
