/* few.cu: a few rows times a matrix, as fast as the matrix can be read.
 *
 * 16-bit types: tensor cores with the matrix as the left factor, so that 16 of its rows meet 8 (or 16) rows of x. A
 * product does not care in which order k is walked if both factors agree, so a lane takes 8 neighbouring k of rows g
 * and g+8 in two 16-byte loads straight from memory, and the same k of x: two multiplications' fragments, nothing
 * rearranged. The warps of a block walk different parts of k, several loads ahead, and add up in shared memory.
 * While the kernel ahead still runs, the blocks that are there already send for the first part of their rows.
 * Everything else (f32, odd k): a warp a row of the matrix. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/device/unit.cuh"
#include "kernels/cuda/kernels.h"

enum { FEW_WARPS = 8, FEW_THREADS = FEW_WARPS * WARP_LANES, FEW_N = 16 /* rows of w a block */, FEW_K = 32 /* a step of a warp */, FEW_AHEAD = 2 };

/* Blocks of a multiprocessor at a time: as many as the registers hold. */
template <int TILES> struct few_blocks {
    enum { N = TILES == 1 ? 3 : 2 };
};

DEVICE float few_silu(float x) { return x / (1 + __expf(-x)); }

/* y[r, column] with bias, to the output that the column falls into. */
template <int T> DEVICE void few_put(const cuda_few &f, int64_t r, int64_t column, float x) {
    int64_t begin = 0;
    if (f.bias) x += f.bias[column];
    UNROLL for (int i = 0; i < CUDA_MOST_OUTPUTS; i++) {
        if (i >= f.n_outputs) return;
        if (column < begin + f.n_of[i]) {
            int64_t at = r * f.n_of[i] + column - begin;
            if (f.out == DTYPE_F32) ((float *)f.y[i])[at] = x;
            else ((typename element<T>::type *)f.y[i])[at] = element<T>::put(x);
            return;
        }
        begin += f.n_of[i];
    }
}

/* ---- tensor cores ---- */

template <int T> DEVICE void few_multiply(float d[4], const uint32_t a[4], const uint32_t b[2]) {
    if (T == DTYPE_BF16) ptx_mma_bf16(d, a, b);
    else ptx_mma_f16(d, a, b);
}

/* Row i (of 16) of the block's part of w: a row of w; with SwiGLU the first eight are gates, the others ups. */
DEVICE int64_t few_row(const cuda_few &f, int i) {
    if (!f.is_swiglu) return (int64_t)blockIdx.x * FEW_N + i;
    return (int64_t)blockIdx.x * (FEW_N / 2) + i % 8 + (i < 8 ? 0 : f.n);
}

DEVICE bool few_is_row(const cuda_few &f, int i) { return f.is_swiglu ? (int64_t)blockIdx.x * (FEW_N / 2) + i % 8 < f.n : few_row(f, i) < f.n; }

template <int TILES> DEVICE void few_load_x(const cuda_few &f, int64_t k, uint4 (&x)[TILES]) {
    UNROLL for (int i = 0; i < TILES; i++) {
        int64_t r = i * 8 + lane_of() / 4;
        x[i] = r < f.rows && k < f.k ? *(const uint4 *)((const uint16_t *)f.x + r * f.k + k) : uint4{0, 0, 0, 0};
    }
}

template <int T, int TILES> DEVICE void few_step(float (&d)[TILES][4], const uint4 &low, const uint4 &high, const uint4 (&x)[TILES]) {
    uint32_t first[4] = {low.x, high.x, low.y, high.y}, second[4] = {low.z, high.z, low.w, high.w};
    UNROLL for (int i = 0; i < TILES; i++) {
        uint32_t b[4] = {x[i].x, x[i].y, x[i].z, x[i].w};
        few_multiply<T>(d[i], first, b);
        few_multiply<T>(d[i], second, b + 2);
    }
}

/* The warps' sums, added up by the first threads: (w row of 16, x row) each; then out. */
template <int T, int TILES> DEVICE void few_finish(const cuda_few &f, const float (&d)[TILES][4]) {
    SHARED(float, sums, [FEW_WARPS * FEW_N * 16]);
    int warp = (int)threadIdx.x / WARP_LANES, g = lane_of() / 4, t = lane_of() % 4;
    UNROLL for (int i = 0; i < TILES; i++)
        UNROLL for (int j = 0; j < 4; j++) sums[(warp * FEW_N + g + j / 2 * 8) * 16 + i * 8 + 2 * t + j % 2] = d[i][j];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < FEW_N * 8 * TILES; i += FEW_THREADS) {
        int row = i / (8 * TILES), r = i % (8 * TILES);
        float x = 0;
        for (int w = 0; w < FEW_WARPS; w++) x += sums[(w * FEW_N + row) * 16 + r];
        if (!f.is_swiglu) {
            if (few_is_row(f, row) && r < f.rows) few_put<T>(f, r, few_row(f, row), x);
        } else {
            float up = 0;
            if (row >= 8) continue;
            for (int w = 0; w < FEW_WARPS; w++) up += sums[(w * FEW_N + row + 8) * 16 + r];
            if (few_is_row(f, row) && r < f.rows) few_put<T>(f, r, few_row(f, row), few_silu(x) * up);
        }
    }
}

/* What a lane loads of w for FEW_AHEAD steps: 8 neighbouring k of two rows each; beyond the end whatever is there. */
struct few_pieces {
    uint4 low[FEW_AHEAD], high[FEW_AHEAD];
};

DEVICE void few_load_w(const cuda_few &f, const uint16_t *low, const uint16_t *high, int64_t base, few_pieces &a) {
    UNROLL for (int n = 0; n < FEW_AHEAD; n++) {
        int64_t k = base + n * FEW_K + lane_of() % 4 * 8, at = k < f.k ? k : 0; /* beyond: x is zero */
        a.low[n] = ptx_load_once(low + at);
        a.high[n] = ptx_load_once(high + at);
    }
}

/* The first of the rows of the blocks that are there, into half of the second-level cache: a thread a row. */
template <int TILES> DEVICE void few_send_for(const cuda_few &f) {
    uint32_t i = threadIdx.x, resident = few_blocks<TILES>::N * (uint32_t)f.n_multiprocessors, blocks = gridDim.x < resident ? gridDim.x : resident;
    if (i >= FEW_N || blockIdx.x >= blocks || !few_is_row(f, (int)i)) return;
    uint32_t row = (uint32_t)f.k * (uint32_t)sizeof(uint16_t), share = f.l2_bytes / 2 / (blocks * FEW_N) / 16 * 16;
    if (share) ptx_prefetch((const uint16_t *)f.w + few_row(f, (int)i) * f.k, row < share ? row : share);
}

template <int T, int TILES> __global__ void __launch_bounds__(FEW_THREADS, few_blocks<TILES>::N) few_kernel(const __grid_constant__ cuda_few f) {
    constexpr int64_t STEP = FEW_K * FEW_AHEAD;
    int warp = (int)threadIdx.x / WARP_LANES, g = lane_of() / 4, t = lane_of() % 4;
    const uint16_t *low = (const uint16_t *)f.w + (few_is_row(f, g) ? few_row(f, g) : 0) * f.k;
    const uint16_t *high = (const uint16_t *)f.w + (few_is_row(f, g + 8) ? few_row(f, g + 8) : 0) * f.k;
    float d[TILES][4] = {};
    few_pieces a, ahead;
    ptx_let_successors_begin();
    few_load_w(f, low, high, warp * STEP, a); /* weights do not wait */
    few_send_for<TILES>(f);
    ptx_wait_for_predecessors();
    ROLLED for (int64_t base = warp * STEP; base < f.k; base += FEW_WARPS * STEP) {
        few_load_w(f, low, high, base + FEW_WARPS * STEP, ahead);
        UNROLL for (int n = 0; n < FEW_AHEAD; n++) {
            uint4 x[TILES];
            few_load_x<TILES>(f, base + n * FEW_K + t * 8, x);
            few_step<T, TILES>(d, a.low[n], a.high[n], x);
        }
        a = ahead;
    }
    few_finish<T, TILES>(f, d);
}

template <int T> static int launch_few_tiles(void *stream, const cuda_few *f) {
    auto grid = GRID(parts_of(f->n, f->is_swiglu ? FEW_N / 2 : FEW_N));
    return f->rows <= 8 ? LAUNCH((few_kernel<T, 1>), grid, GRID(FEW_THREADS), 0, stream, *f)
                        : LAUNCH((few_kernel<T, 2>), grid, GRID(FEW_THREADS), 0, stream, *f);
}

/* ---- plain arithmetic ---- */

/* Row `row` of w times all rows of x, a lane V elements at a time. */
template <int T, int V> DEVICE void few_dot(const cuda_few &f, int64_t row, float (&sum)[CUDA_FEW_ROWS]) {
    typedef typename element<T>::type E;
    UNROLL for (int r = 0; r < CUDA_FEW_ROWS; r++) sum[r] = 0;
    for (int64_t k = (int64_t)lane_of() * V; k < f.k; k += WARP_LANES * V) {
        float w[V], x[V];
        load<T, V>((const E *)f.w + row * f.k + k, w);
        UNROLL for (int r = 0; r < CUDA_FEW_ROWS; r++) {
            if (r >= f.rows) continue;
            load<T, V>((const E *)f.x + r * f.k + k, x);
            UNROLL for (int e = 0; e < V; e++) sum[r] += w[e] * x[e];
        }
    }
    UNROLL for (int r = 0; r < CUDA_FEW_ROWS; r++)
        if (r < f.rows) sum[r] = warp_sum(sum[r]);
}

template <int T, int V> __global__ void __launch_bounds__(128) few_plain_kernel(const __grid_constant__ cuda_few f) {
    FOLLOW();
    int64_t row = (int64_t)blockIdx.x * 4 + threadIdx.x / WARP_LANES;
    if (row >= f.n) return;
    float sum[CUDA_FEW_ROWS], up[CUDA_FEW_ROWS];
    few_dot<T, V>(f, row, sum);
    if (f.is_swiglu) few_dot<T, V>(f, f.n + row, up);
    UNROLL for (int r = 0; r < CUDA_FEW_ROWS; r++)
        if (lane_of() == r && r < f.rows) few_put<T>(f, r, row, f.is_swiglu ? few_silu(sum[r]) * up[r] : sum[r]);
}

template <int T> static int launch_few_plain(void *stream, const cuda_few *f) {
    constexpr int V = wide<T>::N;
    auto grid = GRID(parts_of(f->n, 4));
    return is_wide(f->t, f->k) ? LAUNCH((few_plain_kernel<T, V>), grid, GRID(128), 0, stream, *f)
                               : LAUNCH((few_plain_kernel<T, 1>), grid, GRID(128), 0, stream, *f);
}

extern "C" int CUDA_VARIANT(few)(void *stream, const struct cuda_few *f) {
    if (f->rows == 0 || f->n == 0) return 0;
    if (f->t == DTYPE_F32 || !is_wide(f->t, f->k)) return FOR_TYPE(f->t, launch_few_plain<T>(stream, f));
    return f->t == DTYPE_BF16 ? launch_few_tiles<DTYPE_BF16>(stream, f) : launch_few_tiles<DTYPE_F16>(stream, f);
}
