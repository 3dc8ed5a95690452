/* table.cu: the launchers of this build as one table. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

extern "C" {
#define X(name, arguments) int CUDA_VARIANT(name)(void *stream, const struct arguments *a);
CUDA_KERNEL_LIST(X)
#undef X
int64_t CUDA_VARIANT(attention_partial_floats)(int64_t heads, int64_t kv_heads, int64_t width, int n_multiprocessors);
int64_t CUDA_VARIANT(sample_scratch_bytes)(int64_t rows);

extern const struct cuda_kernels CUDA_VARIANT(kernels) = {
#define X(name, arguments) CUDA_VARIANT(name),
    CUDA_KERNEL_LIST(X)
#undef X
    CUDA_VARIANT(attention_partial_floats),
    CUDA_VARIANT(sample_scratch_bytes),
};
}
