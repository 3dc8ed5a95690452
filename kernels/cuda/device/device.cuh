/* device.cuh: the language of the kernels: what CUDA C and the emulator must agree on.
 *
 * Rules of this folder, so that one source runs on a device and on the emulator:
 *   PTX only in ptx.cuh; launches by LAUNCH, shared memory by SHARED and DYNAMIC_SHARED; warp operations with explicit
 *   masks; no return before the last barrier; arithmetic in float, 16-bit types only converted; bounds of a launch
 *   stated; element indices in 64 bits; every kernel says FOLLOW before it touches what another one writes. */
#ifndef ASSAY_KERNELS_CUDA_DEVICE_DEVICE_CUH
#define ASSAY_KERNELS_CUDA_DEVICE_DEVICE_CUH

#include <math.h>
#include <stdint.h>

#include "kernels/types.h"

#if defined(__CUDACC__)
#include <cuda_runtime.h>

/* What is known of a kernel before its first launch. */
struct launcher {
    size_t allowed_bytes;      /* of shared memory; more than 48 KiB must be asked for */
    int is_known, can_overlap; /* with the kernel ahead: every kernel here waits for it by itself */
};

static int launcher_learn(launcher *l) {
    int device = 0, major = 0;
    cudaError_t code = cudaGetDevice(&device);
    if (code == cudaSuccess) code = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    *l = launcher{48 * 1024, 1, major >= 9};
    return (int)code;
}

template <class... P, class... A>
static int launcher_launch(launcher *l, void (*kernel)(P...), dim3 grid, dim3 block, size_t bytes, cudaStream_t stream, A... arguments) {
    int code = l->is_known ? 0 : launcher_learn(l);
    if (code == 0 && bytes > l->allowed_bytes) {
        code = (int)cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes);
        l->allowed_bytes = bytes;
    }
    if (code != 0) return code;
    cudaLaunchAttribute overlap = {};
    overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    overlap.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t c = {grid, block, bytes, stream, &overlap, l->can_overlap ? 1u : 0u};
    return (int)cudaLaunchKernelEx(&c, kernel, (P)arguments...);
}

#define SHARED(type, name, dims) __shared__ alignas(128) type name dims
#define DYNAMIC_SHARED(type, name) \
    extern __shared__ __align__(1024) unsigned char dynamic_shared_bytes[]; \
    type *name = (type *)dynamic_shared_bytes
#define LAUNCH(kernel, grid, block, bytes, stream, ...) ([&]() -> int { \
    static struct launcher l; \
    return launcher_launch(&l, kernel, grid, block, bytes, (cudaStream_t)(stream), __VA_ARGS__); \
}())
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
#define GRID(...) dim3(__VA_ARGS__)
#else
#include "kernels/cuda/emulator/emulator.h"
/* A declaration's place, one for each instantiation. */
#define SHARED(type, name, dims) \
    auto &name = *(type(*) dims)::emulator::shared_static([] { static char place; return (const void *)&place; }(), sizeof(type dims))
#define DYNAMIC_SHARED(type, name) type *name = (type *)::emulator::shared_dynamic()
#define LAUNCH(kernel, grid, block, bytes, stream, ...) \
    ::emulator::launch(stream, #kernel, grid, block, bytes, ::emulator::bind_kernel(kernel, __VA_ARGS__))
#define UNROLL
#define ROLLED
#define GRID(...) ::emulator::index3_of(__VA_ARGS__)
#endif

#include "kernels/cuda/device/ptx.cuh"

#define DEVICE __device__ __forceinline__ static

/* The kernels ahead have ended; the one behind may begin. Weights may be loaded before. */
#define FOLLOW() (ptx_let_successors_begin(), ptx_wait_for_predecessors())

enum { WARP_LANES = 32 };
static const unsigned ALL_LANES = 0xffffffffu;

/* ---- element types ---- */

template <int T> struct element;
template <> struct element<DTYPE_F32> {
    typedef float type;
    static __device__ __forceinline__ float get(float x) { return x; }
    static __device__ __forceinline__ float put(float x) { return x; }
};
template <> struct element<DTYPE_BF16> {
    typedef uint16_t type;
    static __device__ __forceinline__ float get(uint16_t x) { return __uint_as_float((unsigned)x << 16); }
    static __device__ __forceinline__ uint16_t put(float x) { return ptx_bf16(x); }
};
template <> struct element<DTYPE_F16> {
    typedef uint16_t type;
    static __device__ __forceinline__ float get(uint16_t x) { return ptx_from_f16(x); }
    static __device__ __forceinline__ uint16_t put(float x) { return ptx_f16(x); }
};

/* Elements of 16 bytes. */
template <int T> struct wide {
    enum { N = 16 / (int)sizeof(typename element<T>::type) };
};

/* V elements, loaded or stored in one access where V is wide<T>::N (the address is then a multiple of 16). */
template <int T, int V> DEVICE void load(const typename element<T>::type *p, float (&x)[V]) {
    if (V == 1) {
        x[0] = element<T>::get(p[0]);
    } else {
        uint4 u = *(const uint4 *)p;
        typename element<T>::type piece[V];
        memcpy(piece, &u, sizeof u);
        UNROLL for (int i = 0; i < V; i++) x[i] = element<T>::get(piece[i]);
    }
}

template <int T, int V> DEVICE void store(typename element<T>::type *p, const float (&x)[V]) {
    if (V == 1) {
        p[0] = element<T>::put(x[0]);
    } else {
        uint4 u;
        typename element<T>::type piece[V];
        UNROLL for (int i = 0; i < V; i++) piece[i] = element<T>::put(x[i]);
        memcpy(&u, piece, sizeof u);
        *(uint4 *)p = u;
    }
}

/* The number as it is once stored. */
template <int T> DEVICE float rounded(float x) { return element<T>::get(element<T>::put(x)); }

/* ---- a block's sums ---- */

DEVICE float warp_sum(float x) {
    UNROLL for (int bits = 16; bits > 0; bits /= 2) x += __shfl_xor_sync(ALL_LANES, x, bits);
    return x;
}

DEVICE float warp_max(float x) {
    UNROLL for (int bits = 16; bits > 0; bits /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, bits));
    return x;
}

/* For blocks of whole warps, at most 32; every thread gets the result. */
DEVICE float block_sum(float x) {
    SHARED(float, parts, [WARP_LANES]);
    int warp = (int)threadIdx.x / WARP_LANES, lane = (int)threadIdx.x % WARP_LANES, n = (int)blockDim.x / WARP_LANES;
    x = warp_sum(x);
    __syncthreads(); /* a result of before may still be read */
    if (lane == 0) parts[warp] = x;
    __syncthreads();
    return warp_sum(lane < n ? parts[lane] : 0);
}

DEVICE float block_max(float x) {
    SHARED(float, parts, [WARP_LANES]);
    int warp = (int)threadIdx.x / WARP_LANES, lane = (int)threadIdx.x % WARP_LANES, n = (int)blockDim.x / WARP_LANES;
    x = warp_max(x);
    __syncthreads();
    if (lane == 0) parts[warp] = x;
    __syncthreads();
    return warp_max(lane < n ? parts[lane] : -INFINITY);
}

/* ---- launching ---- */

/* CODE with T a constant of the type; the result is CODE's. Types other than the three are refused by supports. */
#define FOR_TYPE(t, CODE) \
    ((t) == DTYPE_F32 ? [&] { constexpr int T = DTYPE_F32; return CODE; }() : (t) == DTYPE_BF16 ? [&] { constexpr int T = DTYPE_BF16; return CODE; }() \
                                                                                       : [&] { constexpr int T = DTYPE_F16; return CODE; }())

static inline int64_t parts_of(int64_t n, int64_t each) { return (n + each - 1) / each; }

/* Can rows of `width` elements be accessed 16 bytes at a time? */
static inline int is_wide(enum dtype t, int64_t width) { return width * (int64_t)dtype_bytes(t) % 16 == 0; }

#endif
