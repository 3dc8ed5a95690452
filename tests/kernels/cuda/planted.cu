/* planted.cu: kernels with one mistake each, and their right forms, for the emulator to tell apart. */
#include "kernels/cuda/device/device.cuh"
#include "tests/kernels/cuda/planted.h"

enum { PLANTED_THREADS = 128 };

/* Each thread hands its number to the next one through shared memory. */
template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) pass_kernel(int *out) {
    SHARED(int, s, [PLANTED_THREADS]);
    s[threadIdx.x] = (int)threadIdx.x;
    if (IS_RIGHT) __syncthreads();
    out[threadIdx.x] = s[(threadIdx.x + 1) % PLANTED_THREADS];
}

/* The same within a warp. */
template <bool IS_RIGHT> __global__ void __launch_bounds__(WARP_LANES) pass_in_warp_kernel(int *out) {
    SHARED(int, s, [WARP_LANES]);
    s[threadIdx.x] = (int)threadIdx.x;
    if (IS_RIGHT) __syncwarp(ALL_LANES);
    out[threadIdx.x] = s[threadIdx.x ^ 1];
}

/* Two rounds through the same memory: the second must wait until the first is read. */
template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) reuse_kernel(int *out) {
    SHARED(int, s, [PLANTED_THREADS]);
    int sum = 0;
    for (int round = 0; round < 2; round++) {
        if (IS_RIGHT) __syncthreads();
        s[threadIdx.x] = (int)threadIdx.x + round;
        __syncthreads();
        sum += s[(threadIdx.x + 1) % PLANTED_THREADS];
    }
    out[threadIdx.x] = sum;
}

/* Copies two deep: the last tile must be waited for as well. */
template <bool IS_RIGHT> __global__ void __launch_bounds__(WARP_LANES) copy_kernel(const uint4 *in, int *out) {
    SHARED(uint4, s, [2 * WARP_LANES]);
    int lane = (int)threadIdx.x;
    for (int tile = 0; tile < 2; tile++) {
        ptx_copy16(s + tile * WARP_LANES + lane, in + tile * WARP_LANES + lane, true);
        ptx_copy_commit();
    }
    if (IS_RIGHT) ptx_copy_wait<0>();
    else ptx_copy_wait<1>();
    __syncwarp(ALL_LANES);
    out[lane] = (int)(s[lane].x + s[WARP_LANES + lane].x);
}

template <bool IS_RIGHT> __global__ void __launch_bounds__(WARP_LANES) shuffle_kernel(int *out) {
    int x = (int)threadIdx.x;
    if (threadIdx.x < 16) x = __shfl_xor_sync(IS_RIGHT ? 0xffffu : ALL_LANES, x, 1);
    out[threadIdx.x] = x;
}

template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) branch_kernel(int *out) {
    if (!IS_RIGHT && threadIdx.x < 64) __syncthreads();
    else __syncthreads();
    out[threadIdx.x] = 1;
}

template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) leave_kernel(int *out) {
    if (!IS_RIGHT && threadIdx.x >= 64) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}

template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) uneven_kernel(int *out) {
    for (int i = 0; i < (IS_RIGHT ? 3 : (int)threadIdx.x % 3); i++) __syncthreads();
    out[threadIdx.x] = 1;
}

template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) outside_kernel(int *out) {
    out[threadIdx.x + (IS_RIGHT ? 0 : 1)] = 1;
}

/* Half of the sum's cells are never written. */
template <bool IS_RIGHT> __global__ void __launch_bounds__(PLANTED_THREADS) unwritten_kernel(int *out) {
    SHARED(float, s, [PLANTED_THREADS]);
    if (IS_RIGHT || threadIdx.x < 64) s[threadIdx.x] = 1;
    __syncthreads();
    float sum = 0;
    for (int i = 0; i < PLANTED_THREADS; i++) sum += s[i];
    out[threadIdx.x] = sum == (float)PLANTED_THREADS;
}

template <bool IS_RIGHT> static int launch(enum planted which, void *stream, int *out, const void *in) {
    switch (which) {
    case PLANTED_BARRIER: return LAUNCH((pass_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    case PLANTED_WARP_BARRIER: return LAUNCH((pass_in_warp_kernel<IS_RIGHT>), GRID(1), GRID(WARP_LANES), 0, stream, out);
    case PLANTED_REUSE: return LAUNCH((reuse_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    case PLANTED_WAIT: return LAUNCH((copy_kernel<IS_RIGHT>), GRID(1), GRID(WARP_LANES), 0, stream, (const uint4 *)in, out);
    case PLANTED_LANES: return LAUNCH((shuffle_kernel<IS_RIGHT>), GRID(1), GRID(WARP_LANES), 0, stream, out);
    case PLANTED_BRANCH: return LAUNCH((branch_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    case PLANTED_LEAVE: return LAUNCH((leave_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    case PLANTED_UNEVEN: return LAUNCH((uneven_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    case PLANTED_OUTSIDE: return LAUNCH((outside_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    default: return LAUNCH((unwritten_kernel<IS_RIGHT>), GRID(1), GRID(PLANTED_THREADS), 0, stream, out);
    }
}

extern "C" int PLANTED_VARIANT(planted)(enum planted which, int is_right, void *stream, int *out, const void *in) {
    return is_right ? launch<true>(which, stream, out, in) : launch<false>(which, stream, out, in);
}
