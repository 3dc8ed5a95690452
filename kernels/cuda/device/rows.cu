/* rows.cu: rows that are gathered, turned, or put into a cache. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/kernels.h"

enum { ROW_THREADS = 128 };

/* ---- gather: a block a row ---- */

template <int T, int V> __global__ void __launch_bounds__(ROW_THREADS) gather_kernel(cuda_gather g) {
    FOLLOW();
    typedef typename element<T>::type E;
    int32_t from = g.index[blockIdx.x];
    bool is_there = from >= 0 && from < g.height;
    if (!is_there && threadIdx.x == 0) report(g.fault, g.fault_code, from, (int32_t)blockIdx.x, g.op);
    for (int64_t i = (int64_t)threadIdx.x * V; i < g.width; i += (int64_t)ROW_THREADS * V) {
        float x[V] = {0};
        if (is_there) load<T, V>((const E *)g.x + from * g.width + i, x);
        store<T, V>((E *)g.y + (int64_t)blockIdx.x * g.width + i, x);
    }
}

template <int T> static int launch_gather(void *stream, const cuda_gather *g) {
    constexpr int V = wide<T>::N;
    return is_wide(g->t, g->width) ? LAUNCH((gather_kernel<T, V>), GRID(g->rows), GRID(ROW_THREADS), 0, stream, *g)
                                   : LAUNCH((gather_kernel<T, 1>), GRID(g->rows), GRID(ROW_THREADS), 0, stream, *g);
}

extern "C" int CUDA_VARIANT(gather)(void *stream, const struct cuda_gather *g) {
    return g->rows > 0 ? FOR_TYPE(g->t, launch_gather<T>(stream, g)) : 0;
}

/* ---- rotation: y[j] = x[j] cos − x[half+j] sin, y[half+j] = x[half+j] cos + x[j] sin ---- */

/* One pair's angle; zeros, and a fault, outside the table. */
DEVICE void find_angle(const cuda_turn &t, int32_t pos, int64_t j, float *cosine, float *sine) {
    bool is_there = pos >= 0 && pos < t.positions;
    if (!is_there) report(t.fault, CUDA_FAULT_KEY, pos, 0, t.op);
    *cosine = is_there ? t.cosine[pos * t.half + j] : 0;
    *sine = is_there ? t.sine[pos * t.half + j] : 0;
}

/* V pairs of a head from j on. */
template <int T, int V>
DEVICE void turn(const cuda_turn &t, int32_t pos, int64_t j, const typename element<T>::type *x, typename element<T>::type *y) {
    float low[V], high[V], y_low[V], y_high[V];
    load<T, V>(x + j, low);
    load<T, V>(x + t.half + j, high);
    UNROLL for (int k = 0; k < V; k++) {
        float c, s;
        find_angle(t, pos, j + k, &c, &s);
        y_low[k] = low[k] * c - high[k] * s;
        y_high[k] = high[k] * c + low[k] * s;
    }
    store<T, V>(y + j, y_low);
    store<T, V>(y + t.half + j, y_high);
}

template <int T, int V> __global__ void __launch_bounds__(ROW_THREADS) rope_kernel(cuda_rope r) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t pairs = r.heads * r.turn.half, row = blockIdx.x;
    for (int64_t i = ((int64_t)blockIdx.y * ROW_THREADS + threadIdx.x) * V; i < pairs; i += (int64_t)gridDim.y * ROW_THREADS * V) {
        int64_t at = (row * r.heads + i / r.turn.half) * 2 * r.turn.half;
        turn<T, V>(r.turn, r.pos[row], i % r.turn.half, (const E *)r.x + at, (E *)r.y + at);
    }
}

/* Blocks that share a row of `pieces` threads' work: few rows need more of them to fill the device. */
static int64_t blocks_a_row(int64_t rows, int64_t pieces) {
    int64_t most = parts_of(pieces, ROW_THREADS);
    return rows >= 128 || most < 1 ? 1 : most;
}

template <int T> static int launch_rope(void *stream, const cuda_rope *r) {
    constexpr int V = wide<T>::N;
    int64_t pairs = r->heads * r->turn.half;
    return is_wide(r->t, r->turn.half) ? LAUNCH((rope_kernel<T, V>), GRID(r->rows, blocks_a_row(r->rows, pairs / V)), GRID(ROW_THREADS), 0, stream, *r)
                                       : LAUNCH((rope_kernel<T, 1>), GRID(r->rows, blocks_a_row(r->rows, pairs)), GRID(ROW_THREADS), 0, stream, *r);
}

extern "C" int CUDA_VARIANT(rope)(void *stream, const struct cuda_rope *r) {
    return r->rows > 0 ? FOR_TYPE(r->t, launch_rope<T>(stream, r)) : 0;
}

/* ---- cache ---- */

/* Where row r of `width` elements goes in a cache, in elements; −1, and a fault by one thread, where it has no place. */
DEVICE int64_t place_of(const cuda_place &p, int64_t row, int64_t width) {
    int32_t slot = p.slots[row], pos = p.pos[row];
    if (slot >= 0 && slot < p.n_slots && pos >= 0 && pos < p.positions) return (slot * p.positions + pos) * width;
    if (threadIdx.x == 0) report(p.fault, CUDA_FAULT_KEY, pos, slot, p.op);
    return -1;
}

template <int T, int V> __global__ void __launch_bounds__(ROW_THREADS) kv_write_kernel(cuda_kv_write k) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t row = blockIdx.x, at = place_of(k.place, row, k.width);
    if (at < 0) return;
    for (int64_t i = (int64_t)threadIdx.x * V; i < k.width; i += (int64_t)ROW_THREADS * V) {
        float x[V];
        load<T, V>((const E *)k.x + row * k.width + i, x);
        store<T, V>((E *)k.cache + at + i, x);
    }
}

template <int T> static int launch_kv_write(void *stream, const cuda_kv_write *k) {
    constexpr int V = wide<T>::N;
    return is_wide(k->t, k->width) ? LAUNCH((kv_write_kernel<T, V>), GRID(k->rows), GRID(ROW_THREADS), 0, stream, *k)
                                   : LAUNCH((kv_write_kernel<T, 1>), GRID(k->rows), GRID(ROW_THREADS), 0, stream, *k);
}

extern "C" int CUDA_VARIANT(kv_write)(void *stream, const struct cuda_kv_write *k) {
    return k->rows > 0 ? FOR_TYPE(k->t, launch_kv_write<T>(stream, k)) : 0;
}

/* One row: pairs of q, then pairs of k, then pairs' worth of v, in runs of V pairs. */
template <int T, int V> __global__ void __launch_bounds__(ROW_THREADS) rope_kv_kernel(cuda_rope_kv r) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t row = blockIdx.x, half = r.turn.half, q_pairs = r.heads * half, k_pairs = r.kv_heads * half;
    int64_t at = place_of(r.place, row, 2 * k_pairs);
    for (int64_t i = ((int64_t)blockIdx.y * ROW_THREADS + threadIdx.x) * V; i < q_pairs + 2 * k_pairs; i += (int64_t)gridDim.y * ROW_THREADS * V) {
        if (i < q_pairs) {
            int64_t head = (row * r.heads + i / half) * 2 * half;
            turn<T, V>(r.turn, r.place.pos[row], i % half, (const E *)r.q + head, (E *)r.y + head);
        } else if (at >= 0 && i < q_pairs + k_pairs) {
            int64_t j = i - q_pairs, head = j / half * 2 * half;
            turn<T, V>(r.turn, r.place.pos[row], j % half, (const E *)r.k + row * 2 * k_pairs + head, (E *)r.k_cache + at + head);
        } else if (at >= 0) {
            int64_t j = 2 * (i - q_pairs - k_pairs);
            for (int h = 0; h < 2; h++) {
                float x[V];
                load<T, V>((const E *)r.v + row * 2 * k_pairs + j + h * V, x);
                store<T, V>((E *)r.v_cache + at + j + h * V, x);
            }
        }
    }
}

template <int T> static int launch_rope_kv(void *stream, const cuda_rope_kv *r) {
    constexpr int V = wide<T>::N;
    int64_t pairs = (r->heads + 2 * r->kv_heads) * r->turn.half;
    return is_wide(r->t, r->turn.half) ? LAUNCH((rope_kv_kernel<T, V>), GRID(r->rows, blocks_a_row(r->rows, pairs / V)), GRID(ROW_THREADS), 0, stream, *r)
                                       : LAUNCH((rope_kv_kernel<T, 1>), GRID(r->rows, blocks_a_row(r->rows, pairs)), GRID(ROW_THREADS), 0, stream, *r);
}

extern "C" int CUDA_VARIANT(rope_kv)(void *stream, const struct cuda_rope_kv *r) {
    return r->rows > 0 ? FOR_TYPE(r->t, launch_rope_kv<T>(stream, r)) : 0;
}
