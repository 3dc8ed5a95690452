/* kernels.h: the kernels as the backend sees them: one table of launchers, built twice from the same sources: for a
 * device by nvcc, for the emulator by the host's compiler. A launcher puts work on a stream and returns 0 or the
 * runtime's error code. Pointers are device memory; a common C and CUDA C header.
 *
 * Element type t is f32, bf16 or f16 throughout; arithmetic is in f32. Rows, positions, ids are read on the device, so
 * that a captured launch sees new ones; only what is bound (R, S, B) shapes a grid. */
#ifndef ASSAY_KERNELS_CUDA_KERNELS_H
#define ASSAY_KERNELS_CUDA_KERNELS_H

#include <stdint.h>

#include "kernels/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel found wrong, in memory that the host sees: the first one wins; code 0: nothing. */
enum cuda_fault_code { CUDA_FAULT_NONE, CUDA_FAULT_ID, CUDA_FAULT_ROW, CUDA_FAULT_KEY, CUDA_FAULT_TARGET };
struct cuda_fault {
    int32_t code, value, slot;
    int32_t op;                    /* of the program, as launched */
};

/* Elementwise over n elements, y may be a or b. SWIGLU: x (rows, 2·width) → silu(x[:, :width]) · x[:, width:]. */
enum cuda_map_kind { CUDA_MAP_COPY, CUDA_MAP_SCALE, CUDA_MAP_ADD, CUDA_MAP_MUL, CUDA_MAP_SILU, CUDA_MAP_GELU };
struct cuda_map {
    enum cuda_map_kind kind;
    enum dtype t;
    int64_t n;
    const void *a, *b;
    void *y;
    float f;
};
struct cuda_swiglu {
    enum dtype t;
    int64_t rows, width;
    const void *x;
    void *y;
};

/* y = g · x / rms(x); where b is given x is a + b, rounded to t and stored in sum. g is f32. */
struct cuda_norm {
    enum dtype t;
    int64_t rows, width;
    const void *a, *b;
    void *sum, *y;
    const float *g;
    float eps;
};

/* y = g · (x − mean) / deviation + b; g and b are f32. */
struct cuda_layernorm {
    enum dtype t;
    int64_t rows, width;
    const void *x;
    void *y;
    const float *g, *b;
    float eps;
};

/* y (rows, width) = x[index[r]]; index outside [0, height): zeros and a fault. */
struct cuda_gather {
    enum dtype t;
    int64_t rows, width, height;
    const void *x;
    const int32_t *index;
    void *y;
    struct cuda_fault *fault;
    int32_t fault_code, op;
};

/* Rows r of slot slots[r], position pos[r]; the cache is (n_slots, positions, width). */
struct cuda_place {
    const int32_t *slots, *pos;
    int64_t n_slots, positions;
    struct cuda_fault *fault;
    int32_t op;
};

/* y (rows, heads·2·half): each head's halves turned by the angles of its position: cosine, sine (positions, half). A
 * position outside the table: zeros and a fault. */
struct cuda_turn {
    const float *cosine, *sine;
    int64_t positions, half;
    struct cuda_fault *fault;
    int32_t op;
};
struct cuda_rope {
    enum dtype t;
    int64_t rows, heads;
    const int32_t *pos;
    struct cuda_turn turn;
    const void *x;
    void *y;
};
struct cuda_kv_write {
    enum dtype t;
    int64_t rows, width;
    struct cuda_place place;
    const void *x;
    void *cache;
};
/* q turned to y; k turned into its cache, v copied into its own. */
struct cuda_rope_kv {
    enum dtype t;
    int64_t rows, heads, kv_heads;
    struct cuda_place place;
    struct cuda_turn turn;
    const void *q, *k, *v;
    void *y, *k_cache, *v_cache;
};

/* The plain chain. scores: s (rows, heads, keys) = q · k; values: y (rows, heads·width) = s · v. */
struct cuda_attend {
    enum dtype t;
    int64_t rows, heads, kv_heads, width, keys;
    int64_t rows_a_slot;           /* R / B, rounded up: how many rows share a slot's keys */
    struct cuda_place place;
    const void *x;                 /* q (rows, heads·width), or s */
    const void *cache;
    void *y;                       /* s, or the context */
};
struct cuda_mask {
    enum dtype t;
    int64_t rows, heads, keys;
    const int32_t *pos;
    const void *x;
    void *y;
};
struct cuda_softmax {
    enum dtype t;
    int64_t rows, width;
    const void *x;
    void *y;
};

/* Scores, scale, causal mask, softmax, values in one, nothing of size `keys` in memory. `partial` and `arrived` are
 * for keys split over blocks: cuda_attention_partial_floats() floats; arrived (rows·kv_heads, zero before and after). */
struct cuda_attention {
    enum dtype t;
    int64_t rows, heads, kv_heads, width, keys, rows_a_slot;
    struct cuda_place place;
    const void *q, *k_cache, *v_cache;
    void *y;
    float scale;
    int n_multiprocessors;
    float *partial;
    int32_t *arrived;
};

/* y (rows, n) = x (rows, k) · w (n, k)ᵀ [+ bias], rows ≤ CUDA_FEW_ROWS, streaming w at the memory's speed. Outputs:
 * columns [0, n_of[0]) of y go to y[0], the next n_of[1] to y[1], … With is_swiglu, w holds gate over up (2·n rows) and
 * y[0] (rows, n) = silu(gate) · up. w of type t; y of type out (f32 or t). */
enum { CUDA_FEW_ROWS = 16, CUDA_MOST_OUTPUTS = 4 };
struct cuda_few {
    enum dtype t, out;
    int64_t rows, k, n;
    const void *x, *w;
    const float *bias;
    int is_swiglu, n_outputs;
    int64_t n_of[CUDA_MOST_OUTPUTS];
    void *y[CUDA_MOST_OUTPUTS];
    int n_multiprocessors;
    uint32_t l2_bytes;             /* of the device's second-level cache */
};

/* y (rows, n) += bias (n), in place. */
struct cuda_bias {
    enum dtype t;
    int64_t rows, n;
    const float *bias;
    void *y;
};

/* The next token of each row, as reference/sample.c defines it. scratch: cuda_sample_scratch_bytes(), zero before and
 * after. */
struct cuda_sample {
    enum dtype t;
    int64_t rows, width;
    const void *logits;
    const float *params;           /* (rows, 4) */
    const int64_t *seeds;
    int32_t *y;
    void *scratch;
};
struct cuda_nll {
    enum dtype t;
    int64_t rows, width;
    const void *logits;
    const int32_t *targets;
    float *y;
    struct cuda_fault *fault;
    int32_t op;
};

/* Reads n 16-byte pieces once, `passes` times over; writes to `sink` only what never happens. */
struct cuda_read {
    int64_t n;
    int passes;
    const void *x;
    int32_t *sink;
    int n_multiprocessors;
};

/* name of the launcher and of its arguments' struct */
#define CUDA_KERNEL_LIST(X) \
    X(map, cuda_map) X(swiglu, cuda_swiglu) X(norm, cuda_norm) X(layernorm, cuda_layernorm) X(gather, cuda_gather) X(rope, cuda_rope) \
    X(kv_write, cuda_kv_write) X(rope_kv, cuda_rope_kv) X(scores, cuda_attend) X(values, cuda_attend) X(mask, cuda_mask) \
    X(softmax, cuda_softmax) X(attention, cuda_attention) X(few, cuda_few) X(bias, cuda_bias) X(sample, cuda_sample) \
    X(nll, cuda_nll) X(read, cuda_read)

struct cuda_kernels {
#define X(name, arguments) int (*name)(void *stream, const struct arguments *a);
    CUDA_KERNEL_LIST(X)
#undef X
    /* Room that a launch of these sizes or smaller ones needs. */
    int64_t (*attention_partial_floats)(int64_t heads, int64_t kv_heads, int64_t width, int n_multiprocessors);
    int64_t (*sample_scratch_bytes)(int64_t rows);
};

/* In each kernel file: a launcher's name in the variant that is being built. */
#if defined(__CUDACC__)
#define CUDA_VARIANT(name) cuda_device_##name
#elif defined(ASSAY_RACE)
#define CUDA_VARIANT(name) cuda_raced_##name
#else
#define CUDA_VARIANT(name) cuda_emulated_##name
#endif
extern const struct cuda_kernels cuda_device_kernels, cuda_emulated_kernels, cuda_raced_kernels;
/* NULL in a build without nvcc. */
const struct cuda_kernels *cuda_device_kernel_table(void);

#ifdef __cplusplus
}
#endif

#endif
