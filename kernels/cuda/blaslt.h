/* blaslt.h: the part of cuBLASLt's interface that products need, as a table: filled from the library where there is one
 * (library.h), by a stand-in on the emulator. Declared here, with the library's own numbers, so that a build without a
 * toolkit has it; layout_check.c compares them with the library's header where that is at hand. Column-major, as the
 * library has it. */
#ifndef ASSAY_KERNELS_CUDA_BLASLT_H
#define ASSAY_KERNELS_CUDA_BLASLT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BLASLT_F32 = 0, BLASLT_F16 = 2, BLASLT_BF16 = 14, BLASLT_COMPUTE_F32 = 68 };
enum { BLASLT_DESC_TRANSPOSE_A = 3, BLASLT_DESC_TRANSPOSE_B = 4, BLASLT_DESC_EPILOGUE = 7, BLASLT_DESC_BIAS = 8 };
enum { BLASLT_PLAIN = 0, BLASLT_TRANSPOSED = 1, BLASLT_EPILOGUE_NONE = 1, BLASLT_EPILOGUE_BIAS = 4, BLASLT_PREFERENCE_WORKSPACE = 1 };

struct blaslt_algorithm {
    uint64_t data[8];
};
struct blaslt_candidate {
    struct blaslt_algorithm algorithm;
    size_t workspace_bytes;
    int status;
    float waves;
    int reserved[4];
};

/* type of the result, name without the library's prefix, arguments */
#define BLASLT_LIST(X) \
    X(int, Create, (void **handle)) \
    X(int, Destroy, (void *handle)) \
    X(size_t, GetVersion, (void)) \
    X(int, MatmulDescCreate, (void **desc, int compute, int scale)) \
    X(int, MatmulDescSetAttribute, (void *desc, int attribute, const void *value, size_t bytes)) \
    X(int, MatmulDescDestroy, (void *desc)) \
    X(int, MatrixLayoutCreate, (void **layout, int type, uint64_t rows, uint64_t cols, int64_t ld)) \
    X(int, MatrixLayoutDestroy, (void *layout)) \
    X(int, MatmulPreferenceCreate, (void **preference)) \
    X(int, MatmulPreferenceSetAttribute, (void *preference, int attribute, const void *value, size_t bytes)) \
    X(int, MatmulPreferenceDestroy, (void *preference)) \
    X(int, MatmulAlgoGetHeuristic, (void *handle, void *desc, void *a, void *b, void *c, void *d, void *preference, int wanted, struct blaslt_candidate *out, int *found)) \
    X(int, Matmul, (void *handle, void *desc, const void *alpha, const void *a, void *a_layout, const void *b, void *b_layout, const void *beta, const void *c, \
                    void *c_layout, void *d, void *d_layout, const struct blaslt_algorithm *algorithm, void *workspace, size_t workspace_bytes, void *stream))

struct blaslt {
#define X(type, name, arguments) type(*name) arguments;
    BLASLT_LIST(X)
#undef X
};

extern const struct blaslt cuda_emulated_blaslt;

#ifdef __cplusplus
}
#endif

#endif
