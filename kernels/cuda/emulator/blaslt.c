/* blaslt.c: the stand-in for cuBLASLt on the emulator: interprets layouts, transposes, types and epilogues as the
 * library documents them, so that a wrong one gives wrong numbers here too. The work goes on the emulated stream. */
#include "kernels/cuda/blaslt.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/emulator/host_work.h"
#include "kernels/types.h"

enum { STATUS_SUCCESS = 0, STATUS_INVALID_VALUE = 7, STATUS_NOT_SUPPORTED = 15 };

struct layout {
    int type;
    uint64_t rows, cols;
    int64_t ld;
};
struct desc {
    int compute, scale, transpose_a, transpose_b, epilogue;
    const void *bias;
};

static int create(void **handle) { return *handle = malloc(1), STATUS_SUCCESS; }
static int destroy(void *handle) { return free(handle), STATUS_SUCCESS; }
static size_t version(void) { return 0; }

static int desc_create(void **out, int compute, int scale) {
    struct desc *d = calloc(1, sizeof *d);
    *d = (struct desc){.compute = compute, .scale = scale, .epilogue = BLASLT_EPILOGUE_NONE};
    *out = d;
    return STATUS_SUCCESS;
}

static int desc_set(void *desc, int attribute, const void *value, size_t bytes) {
    struct desc *d = desc;
    switch (attribute) {
    case BLASLT_DESC_TRANSPOSE_A: return memcpy(&d->transpose_a, value, bytes), STATUS_SUCCESS;
    case BLASLT_DESC_TRANSPOSE_B: return memcpy(&d->transpose_b, value, bytes), STATUS_SUCCESS;
    case BLASLT_DESC_EPILOGUE: return memcpy(&d->epilogue, value, bytes), STATUS_SUCCESS;
    case BLASLT_DESC_BIAS: return memcpy(&d->bias, value, bytes), STATUS_SUCCESS;
    default: return STATUS_INVALID_VALUE;
    }
}

static int layout_create(void **out, int type, uint64_t rows, uint64_t cols, int64_t ld) {
    if (ld < (int64_t)rows) return STATUS_INVALID_VALUE;
    struct layout *l = malloc(sizeof *l);
    *l = (struct layout){type, rows, cols, ld};
    *out = l;
    return STATUS_SUCCESS;
}

static int preference_create(void **out) { return *out = calloc(1, sizeof(uint64_t)), STATUS_SUCCESS; }
static int preference_set(void *p, int attribute, const void *value, size_t bytes) {
    return attribute == BLASLT_PREFERENCE_WORKSPACE ? (memcpy(p, value, bytes), STATUS_SUCCESS) : STATUS_INVALID_VALUE;
}

/* ---- one product ---- */

struct call {
    struct desc desc;
    struct layout a_layout, b_layout, c_layout, d_layout;
    const void *a, *b, *c;
    void *d;
    float alpha, beta;
};

static float get(const struct layout *l, const void *p, uint64_t row, uint64_t col) {
    size_t at = row + col * (uint64_t)l->ld;
    if (l->type == BLASLT_F32) return ((const float *)p)[at];
    uint16_t h = ((const uint16_t *)p)[at];
    return l->type == BLASLT_BF16 ? bf16_to_f32(h) : f16_to_f32(h);
}

static void put(const struct layout *l, void *p, uint64_t row, uint64_t col, float x) {
    size_t at = row + col * (uint64_t)l->ld;
    if (l->type == BLASLT_F32) ((float *)p)[at] = x;
    else ((uint16_t *)p)[at] = l->type == BLASLT_BF16 ? f32_to_bf16(x) : f32_to_f16(x);
}

static float operand(const struct layout *l, const void *p, int is_transposed, uint64_t row, uint64_t col) {
    return is_transposed ? get(l, p, col, row) : get(l, p, row, col);
}

static uint64_t inner(const struct call *k) { return k->desc.transpose_a ? k->a_layout.rows : k->a_layout.cols; }

static int fits(const struct call *k) {
    uint64_t m = k->desc.transpose_a ? k->a_layout.cols : k->a_layout.rows, n = k->desc.transpose_b ? k->b_layout.rows : k->b_layout.cols;
    uint64_t b_inner = k->desc.transpose_b ? k->b_layout.cols : k->b_layout.rows;
    return k->d_layout.rows == m && k->d_layout.cols == n && k->c_layout.rows == m && k->c_layout.cols == n && b_inner == inner(k) &&
           k->a_layout.type == k->b_layout.type && (k->d_layout.type == k->a_layout.type || k->d_layout.type == BLASLT_F32) && k->desc.compute == BLASLT_COMPUTE_F32;
}

static void multiply(void *arg) {
    struct call *k = arg;
    const struct layout bias = {k->d_layout.type, k->d_layout.rows, 1, (int64_t)k->d_layout.rows};
    for (uint64_t j = 0; j < k->d_layout.cols; j++)
        for (uint64_t i = 0; i < k->d_layout.rows; i++) {
            float sum = 0;
            for (uint64_t l = 0; l < inner(k); l++)
                sum += operand(&k->a_layout, k->a, k->desc.transpose_a, i, l) * operand(&k->b_layout, k->b, k->desc.transpose_b, l, j);
            float y = k->alpha * sum + (k->beta != 0 ? k->beta * get(&k->c_layout, k->c, i, j) : 0);
            if (k->desc.epilogue == BLASLT_EPILOGUE_BIAS) y += get(&bias, k->desc.bias, i, 0);
            put(&k->d_layout, k->d, i, j, y);
        }
}

static int matmul(void *handle, void *desc, const void *alpha, const void *a, void *a_layout, const void *b, void *b_layout, const void *beta, const void *c,
                  void *c_layout, void *d, void *d_layout, const struct blaslt_algorithm *algorithm, void *workspace, size_t workspace_bytes, void *stream) {
    (void)handle, (void)algorithm, (void)workspace, (void)workspace_bytes;
    struct call k = {.desc = *(struct desc *)desc, .a_layout = *(struct layout *)a_layout, .b_layout = *(struct layout *)b_layout,
                     .c_layout = *(struct layout *)c_layout, .d_layout = *(struct layout *)d_layout, .a = a, .b = b, .c = c, .d = d};
    memcpy(&k.alpha, alpha, sizeof k.alpha);
    memcpy(&k.beta, beta, sizeof k.beta);
    if (!fits(&k)) return STATUS_INVALID_VALUE;
    return emulator_host_work(stream, "emulated_gemm", multiply, &k, sizeof k) == 0 ? STATUS_SUCCESS : STATUS_NOT_SUPPORTED;
}

static int heuristic(void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference, int wanted, struct blaslt_candidate *out, int *found) {
    (void)handle, (void)preference;
    struct call k = {.desc = *(struct desc *)desc, .a_layout = *(struct layout *)a, .b_layout = *(struct layout *)b, .c_layout = *(struct layout *)c, .d_layout = *(struct layout *)d};
    *found = 0;
    if (wanted < 1 || !fits(&k)) return STATUS_NOT_SUPPORTED;
    out[(*found)++] = (struct blaslt_candidate){0};
    return STATUS_SUCCESS;
}

const struct blaslt cuda_emulated_blaslt = {
    .Create = create, .Destroy = destroy, .GetVersion = version, .MatmulDescCreate = desc_create, .MatmulDescSetAttribute = desc_set, .MatmulDescDestroy = destroy,
    .MatrixLayoutCreate = layout_create, .MatrixLayoutDestroy = destroy, .MatmulPreferenceCreate = preference_create, .MatmulPreferenceSetAttribute = preference_set,
    .MatmulPreferenceDestroy = destroy, .MatmulAlgoGetHeuristic = heuristic, .Matmul = matmul};
