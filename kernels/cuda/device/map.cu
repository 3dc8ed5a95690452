/* map.cu: operations that look at each element once. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

enum { MAP_THREADS = 256 };

DEVICE float silu(float x) { return x / (1 + __expf(-x)); }

/* x Φ(x); what is left of a negative x keeps its digits. */
DEVICE float gelu(float x) { return 0.5f * x * erfcf(-0.70710678f * x); }

template <int KIND> DEVICE float mapped(float a, float b, float f) {
    return KIND == CUDA_MAP_SCALE ? a * f : KIND == CUDA_MAP_ADD ? a + b : KIND == CUDA_MAP_MUL ? a * b : KIND == CUDA_MAP_SILU ? silu(a) : KIND == CUDA_MAP_GELU ? gelu(a) : a;
}

template <int T, int KIND, int V> __global__ void __launch_bounds__(MAP_THREADS) map_kernel(cuda_map m) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t i = ((int64_t)blockIdx.x * MAP_THREADS + threadIdx.x) * V;
    if (i >= m.n) return;
    float a[V], b[V], y[V];
    load<T, V>((const E *)m.a + i, a);
    if (KIND == CUDA_MAP_ADD || KIND == CUDA_MAP_MUL) load<T, V>((const E *)m.b + i, b);
    UNROLL for (int k = 0; k < V; k++) y[k] = mapped<KIND>(a[k], KIND == CUDA_MAP_ADD || KIND == CUDA_MAP_MUL ? b[k] : 0, m.f);
    store<T, V>((E *)m.y + i, y);
}

template <int T, int KIND, int V> static int launch_map_of(void *stream, const cuda_map *m) {
    return LAUNCH((map_kernel<T, KIND, V>), GRID(parts_of(m->n, (int64_t)MAP_THREADS * V)), GRID(MAP_THREADS), 0, stream, *m);
}

template <int T, int KIND> static int launch_map(void *stream, const cuda_map *m) {
    constexpr int V = wide<T>::N;
    return is_wide(m->t, m->n) ? launch_map_of<T, KIND, V>(stream, m) : launch_map_of<T, KIND, 1>(stream, m);
}

template <int T> static int launch_map_kind(void *stream, const cuda_map *m) {
    switch (m->kind) {
    case CUDA_MAP_SCALE: return launch_map<T, CUDA_MAP_SCALE>(stream, m);
    case CUDA_MAP_ADD: return launch_map<T, CUDA_MAP_ADD>(stream, m);
    case CUDA_MAP_MUL: return launch_map<T, CUDA_MAP_MUL>(stream, m);
    case CUDA_MAP_SILU: return launch_map<T, CUDA_MAP_SILU>(stream, m);
    case CUDA_MAP_GELU: return launch_map<T, CUDA_MAP_GELU>(stream, m);
    default: return launch_map<T, CUDA_MAP_COPY>(stream, m);
    }
}

extern "C" int CUDA_VARIANT(map)(void *stream, const struct cuda_map *m) {
    return m->n > 0 ? FOR_TYPE(m->t, launch_map_kind<T>(stream, m)) : 0;
}

/* ---- silu(gate) · up ---- */

template <int T, int V> __global__ void __launch_bounds__(MAP_THREADS) swiglu_kernel(cuda_swiglu s) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t i = ((int64_t)blockIdx.x * MAP_THREADS + threadIdx.x) * V, row = i / s.width, column = i % s.width;
    if (row >= s.rows) return;
    const E *gate = (const E *)s.x + row * 2 * s.width + column;
    float g[V], u[V], y[V];
    load<T, V>(gate, g);
    load<T, V>(gate + s.width, u);
    UNROLL for (int k = 0; k < V; k++) y[k] = silu(g[k]) * u[k];
    store<T, V>((E *)s.y + i, y);
}

template <int T, int V> static int launch_swiglu(void *stream, const cuda_swiglu *s) {
    return LAUNCH((swiglu_kernel<T, V>), GRID(parts_of(s->rows * s->width, (int64_t)MAP_THREADS * V)), GRID(MAP_THREADS), 0, stream, *s);
}

template <int T> static int launch_swiglu_wide(void *stream, const cuda_swiglu *s) {
    constexpr int V = wide<T>::N;
    return is_wide(s->t, s->width) ? launch_swiglu<T, V>(stream, s) : launch_swiglu<T, 1>(stream, s);
}

extern "C" int CUDA_VARIANT(swiglu)(void *stream, const struct cuda_swiglu *s) {
    return s->rows * s->width > 0 ? FOR_TYPE(s->t, launch_swiglu_wide<T>(stream, s)) : 0;
}

/* ---- bias ---- */

template <int T> __global__ void __launch_bounds__(MAP_THREADS) bias_kernel(cuda_bias b) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t i = (int64_t)blockIdx.x * MAP_THREADS + threadIdx.x;
    if (i >= b.rows * b.n) return;
    E *y = (E *)b.y + i;
    *y = element<T>::put(element<T>::get(*y) + b.bias[i % b.n]);
}

template <int T> static int launch_bias(void *stream, const cuda_bias *b) {
    return LAUNCH((bias_kernel<T>), GRID(parts_of(b->rows * b->n, MAP_THREADS)), GRID(MAP_THREADS), 0, stream, *b);
}

extern "C" int CUDA_VARIANT(bias)(void *stream, const struct cuda_bias *b) {
    return b->rows * b->n > 0 ? FOR_TYPE(b->t, launch_bias<T>(stream, b)) : 0;
}
