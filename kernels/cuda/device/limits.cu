/* limits.cu: how fast memory can be read: nothing but loads, 16 bytes a thread, several under way. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

enum { READ_THREADS = 512, READ_AHEAD = 8, READ_BLOCKS = 4 /* a multiprocessor */ };

__global__ void __launch_bounds__(READ_THREADS) read_kernel(cuda_read r) {
    FOLLOW();
    int64_t step = (int64_t)gridDim.x * READ_THREADS, first = (int64_t)blockIdx.x * READ_THREADS + threadIdx.x;
    unsigned sum = 0;
    for (int pass = 0; pass < r.passes; pass++)
        for (int64_t i = first; i < r.n; i += step * READ_AHEAD) {
            uint4 v[READ_AHEAD];
            UNROLL for (int k = 0; k < READ_AHEAD; k++) v[k] = i + k * step < r.n ? ptx_load_once((const uint4 *)r.x + i + k * step) : uint4{0, 0, 0, 0};
            UNROLL for (int k = 0; k < READ_AHEAD; k++) sum += v[k].x ^ v[k].y ^ v[k].z ^ v[k].w ^ (unsigned)pass;
        }
    if (sum == 0x5eed5eedu && r.n < 0) *r.sink = 1;
}

extern "C" int CUDA_VARIANT(read)(void *stream, const struct cuda_read *r) {
    return r->n > 0 ? LAUNCH(read_kernel, GRID(READ_BLOCKS * r->n_multiprocessors), GRID(READ_THREADS), 0, stream, *r) : 0;
}
