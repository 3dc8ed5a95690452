/* norm.cu: rmsnorm and residual + rmsnorm (Zhang & Sennrich 2019, eq. 4), layernorm (Ba et al. 2016, eq. 4): a block a row, the row
 * kept in registers between its passes. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

enum { NORM_KEPT = 4 }; /* vectors that a thread keeps; what is longer is read again */

template <int T, int V, bool HAS_SUM> DEVICE void norm_read(const cuda_norm &n, int64_t at, float (&x)[V]) {
    typedef typename element<T>::type E;
    load<T, V>((const E *)n.a + at, x);
    if (!HAS_SUM) return;
    float b[V];
    load<T, V>((const E *)n.b + at, b);
    UNROLL for (int k = 0; k < V; k++) x[k] = rounded<T>(x[k] + b[k]);
}

template <int T, int V, bool HAS_SUM> __global__ void __launch_bounds__(512) norm_kernel(cuda_norm n) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t base = (int64_t)blockIdx.x * n.width, step = (int64_t)blockDim.x * V, first = (int64_t)threadIdx.x * V;
    float kept[NORM_KEPT][V], x[V], squares = 0;
    UNROLL for (int i = 0; i < NORM_KEPT; i++) {
        int64_t at = first + i * step;
        if (at >= n.width) continue;
        norm_read<T, V, HAS_SUM>(n, base + at, kept[i]);
        if (HAS_SUM) store<T, V>((E *)n.sum + base + at, kept[i]);
        UNROLL for (int k = 0; k < V; k++) squares += kept[i][k] * kept[i][k];
    }
    for (int64_t at = first + NORM_KEPT * step; at < n.width; at += step) {
        norm_read<T, V, HAS_SUM>(n, base + at, x);
        if (HAS_SUM) store<T, V>((E *)n.sum + base + at, x);
        UNROLL for (int k = 0; k < V; k++) squares += x[k] * x[k];
    }
    float f = rsqrtf(block_sum(squares) / (float)n.width + n.eps);
    UNROLL for (int i = 0; i < NORM_KEPT; i++) {
        int64_t at = first + i * step;
        if (at >= n.width) continue;
        UNROLL for (int k = 0; k < V; k++) kept[i][k] *= f * n.g[at + k];
        store<T, V>((E *)n.y + base + at, kept[i]);
    }
    for (int64_t at = first + NORM_KEPT * step; at < n.width; at += step) {
        norm_read<T, V, HAS_SUM>(n, base + at, x);
        UNROLL for (int k = 0; k < V; k++) x[k] *= f * n.g[at + k];
        store<T, V>((E *)n.y + base + at, x);
    }
}

static int64_t threads_of(int64_t width, int64_t v) {
    int64_t threads = parts_of(parts_of(width, v), WARP_LANES) * WARP_LANES;
    return threads > 512 ? 512 : threads;
}

template <int T, int V> static int launch_norm(void *stream, const cuda_norm *n) {
    int64_t threads = threads_of(n->width, V);
    return n->b ? LAUNCH((norm_kernel<T, V, true>), GRID(n->rows), GRID(threads), 0, stream, *n)
                : LAUNCH((norm_kernel<T, V, false>), GRID(n->rows), GRID(threads), 0, stream, *n);
}

template <int T> static int launch_norm_wide(void *stream, const cuda_norm *n) {
    constexpr int V = wide<T>::N;
    return is_wide(n->t, n->width) ? launch_norm<T, V>(stream, n) : launch_norm<T, 1>(stream, n);
}

extern "C" int CUDA_VARIANT(norm)(void *stream, const struct cuda_norm *n) {
    return n->rows > 0 ? FOR_TYPE(n->t, launch_norm_wide<T>(stream, n)) : 0;
}

/* ---- layernorm ---- */

/* Squares are taken about the mean, so that a large mean costs no digits: what is not kept is read three times. */
template <int T, int V> __global__ void __launch_bounds__(512) layernorm_kernel(cuda_layernorm n) {
    FOLLOW();
    typedef typename element<T>::type E;
    const E *row = (const E *)n.x + (int64_t)blockIdx.x * n.width;
    E *to = (E *)n.y + (int64_t)blockIdx.x * n.width;
    int64_t step = (int64_t)blockDim.x * V, first = (int64_t)threadIdx.x * V;
    float kept[NORM_KEPT][V], x[V], sum = 0, squares = 0;
    UNROLL for (int i = 0; i < NORM_KEPT; i++) {
        if (first + i * step >= n.width) continue;
        load<T, V>(row + first + i * step, kept[i]);
        UNROLL for (int k = 0; k < V; k++) sum += kept[i][k];
    }
    for (int64_t at = first + NORM_KEPT * step; at < n.width; at += step) {
        load<T, V>(row + at, x);
        UNROLL for (int k = 0; k < V; k++) sum += x[k];
    }
    float one_of = 1 / (float)n.width, mean = block_sum(sum) * one_of;
    UNROLL for (int i = 0; i < NORM_KEPT; i++) {
        if (first + i * step >= n.width) continue;
        UNROLL for (int k = 0; k < V; k++) kept[i][k] -= mean;
        UNROLL for (int k = 0; k < V; k++) squares += kept[i][k] * kept[i][k];
    }
    for (int64_t at = first + NORM_KEPT * step; at < n.width; at += step) {
        load<T, V>(row + at, x);
        UNROLL for (int k = 0; k < V; k++) squares += (x[k] - mean) * (x[k] - mean);
    }
    float f = rsqrtf(block_sum(squares) * one_of + n.eps);
    UNROLL for (int i = 0; i < NORM_KEPT; i++) {
        int64_t at = first + i * step;
        if (at >= n.width) continue;
        UNROLL for (int k = 0; k < V; k++) kept[i][k] = kept[i][k] * f * n.g[at + k] + n.b[at + k];
        store<T, V>(to + at, kept[i]);
    }
    for (int64_t at = first + NORM_KEPT * step; at < n.width; at += step) {
        load<T, V>(row + at, x);
        UNROLL for (int k = 0; k < V; k++) x[k] = (x[k] - mean) * f * n.g[at + k] + n.b[at + k];
        store<T, V>(to + at, x);
    }
}

template <int T> static int launch_layernorm(void *stream, const cuda_layernorm *n) {
    constexpr int V = wide<T>::N;
    return is_wide(n->t, n->width) ? LAUNCH((layernorm_kernel<T, V>), GRID(n->rows), GRID(threads_of(n->width, V)), 0, stream, *n)
                                   : LAUNCH((layernorm_kernel<T, 1>), GRID(n->rows), GRID(threads_of(n->width, 1)), 0, stream, *n);
}

extern "C" int CUDA_VARIANT(layernorm)(void *stream, const struct cuda_layernorm *n) {
    return n->rows > 0 ? FOR_TYPE(n->t, launch_layernorm<T>(stream, n)) : 0;
}
