/* decode.cu: fused attention for few rows of a slot: the keys of a row are split over blocks, every block serves up to
 * eight query heads of one key-value head, and the last block of a row's to arrive merges what they found.
 *
 * A run of lanes covers a key (16 bytes each), so a warp looks at several keys at once; each run keeps its own
 * maximum, sum and output, which are merged over runs and warps at the end:
 *   m = max m_i   l = Σ l_i·e^(m_i−m)   o = Σ o_i·e^(m_i−m) */
#include "kernels/cuda/device/attention.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/device/unit.cuh"
#if defined(__CUDACC__)
#include "kernels/cuda/hopper/hopper.h"
#endif

enum { DECODE_THREADS = 128, DECODE_WARPS = DECODE_THREADS / WARP_LANES, LEAST_SPLIT_KEYS = 64, MOST_SPLITS = 128 };

template <int T, int W> struct decode_shape {
    enum { V = wide<T>::N, LANES = W / V, RUNS = WARP_LANES / LANES, ALL_RUNS = RUNS * DECODE_WARPS };
};

template <int PER, int V> struct decode_state {
    float most[PER], sum[PER], o[PER][V];
};
/* Keys of a run under way at once: as many as the registers hold. */
template <int PER> struct keys_ahead {
    enum { N = PER == 8 ? 2 : 4 };
};

/* V elements of a key from column c on, zeros beyond the width. */
template <int T, int V, bool IS_WIDE> DEVICE void load_key(const typename element<T>::type *p, int64_t c, int64_t width, float (&x)[V]) {
    if (IS_WIDE) {
        if (c < width) load<T, V>(p + c, x);
        else UNROLL for (int e = 0; e < V; e++) x[e] = 0;
    } else {
        UNROLL for (int e = 0; e < V; e++) x[e] = c + e < width ? element<T>::get(p[c + e]) : 0;
    }
}

/* A run of lanes adds up: every lane gets the sum. All lanes of the warp take part. */
template <int LANES> DEVICE float run_sum(float x) {
    UNROLL for (int bits = LANES / 2; bits > 0; bits /= 2) x += __shfl_xor_sync(ALL_LANES, x, bits);
    return x;
}

/* A few keys, one after the other ALL_RUNS apart from `key` on; those at `end` and beyond do not count. */
template <int T, int W, int PER, bool IS_WIDE>
DEVICE void decode_keys(decode_state<PER, wide<T>::N> &state, const float (&q)[PER][wide<T>::N], const typename element<T>::type *k,
                        const typename element<T>::type *v, int64_t stride, int64_t key, int64_t end, int64_t width) {
    typedef decode_shape<T, W> S;
    constexpr int N = keys_ahead<PER>::N;
    float x[N][S::V], y[N][S::V], s[N][PER];
    int64_t c = lane_of() % S::LANES * S::V;
    UNROLL for (int n = 0; n < N; n++) {
        int64_t at = key + (int64_t)n * S::ALL_RUNS;
        load_key<T, S::V, IS_WIDE>(k + (at < end ? at : end - 1) * stride, c, width, x[n]);
        load_key<T, S::V, IS_WIDE>(v + (at < end ? at : end - 1) * stride, c, width, y[n]);
    }
    UNROLL for (int n = 0; n < N; n++)
        UNROLL for (int h = 0; h < PER; h++) {
            float sum = 0;
            UNROLL for (int e = 0; e < S::V; e++) sum += q[h][e] * x[n][e];
            s[n][h] = run_sum<S::LANES>(sum);
        }
    UNROLL for (int h = 0; h < PER; h++) {
        float most = state.most[h];
        UNROLL for (int n = 0; n < N; n++) most = fmaxf(most, key + (int64_t)n * S::ALL_RUNS < end ? s[n][h] : -INFINITY);
        float base = most == -INFINITY ? 0 : most, f = ptx_exp2(state.most[h] - base);
        state.most[h] = most;
        state.sum[h] *= f;
        UNROLL for (int e = 0; e < S::V; e++) state.o[h][e] *= f;
        UNROLL for (int n = 0; n < N; n++) {
            float p = key + (int64_t)n * S::ALL_RUNS < end ? ptx_exp2(s[n][h] - base) : 0;
            state.sum[h] += p;
            UNROLL for (int e = 0; e < S::V; e++) state.o[h][e] += p * y[n][e];
        }
    }
}

/* One head's parts, n of them: output column c of all, and their maximum and sum. at(i, j): float j of part i, which
 * holds W outputs, then its maximum, then its sum. */
template <int W, class AT> DEVICE void merge(int n, int c, AT at, float *o, float *most, float *sum) {
    *most = -INFINITY;
    *sum = *o = 0;
    for (int i = 0; i < n; i++) *most = fmaxf(*most, at(i, W));
    float base = *most == -INFINITY ? 0 : *most;
    for (int i = 0; i < n; i++) {
        float f = ptx_exp2(at(i, W) - base);
        *sum += at(i, W + 1) * f;
        *o += at(i, c) * f;
    }
}

/* A warp's lanes put what they keep of head h where all can read it. */
template <int T, int W, int PER> DEVICE void show(const decode_state<PER, wide<T>::N> &state, float *parts) {
    typedef decode_shape<T, W> S;
    int run = (int)threadIdx.x / S::LANES, c = (int)threadIdx.x % S::LANES * S::V;
    UNROLL for (int h = 0; h < PER; h++) {
        float *part = parts + (run * PER + h) * (W + 2);
        UNROLL for (int e = 0; e < S::V; e++) part[c + e] = state.o[h][e];
        if (c == 0) {
            part[W] = state.most[h];
            part[W + 1] = state.sum[h];
        }
    }
}

/* Whether this block is the last of the row's splits; the others' partial results are then seen. */
DEVICE bool is_last(int32_t *arrived, int n_splits) {
    SHARED(int, before, [1]);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        before[0] = atomicAdd(arrived, 1);
        if (before[0] == n_splits - 1) *arrived = 0; /* for the next launch */
    }
    __syncthreads();
    __threadfence();
    return before[0] == n_splits - 1;
}

template <int T, int W, int PER, bool IS_WIDE> __global__ void __launch_bounds__(DECODE_THREADS, PER == 8 ? 2 : PER == 4 ? 3 : 4) decode_kernel(cuda_attention a, int n_splits) {
    FOLLOW();
    typedef typename element<T>::type E;
    typedef decode_shape<T, W> S;
    DYNAMIC_SHARED(float, parts);
    int64_t row = blockIdx.z, per = a.heads / a.kv_heads, chunks = (per + PER - 1) / PER, group = blockIdx.y / chunks, split = blockIdx.x;
    int64_t head = group * per + blockIdx.y % chunks * PER, stride = a.kv_heads * a.width, c = (int64_t)(lane_of() % S::LANES) * S::V;
    int n_heads = (int)((group + 1) * per - head < PER ? (group + 1) * per - head : PER);
    int32_t slot = a.place.slots[row], pos = a.place.pos[row];
    bool is_there = slot >= 0 && slot < a.place.n_slots && pos >= 0 && pos < a.place.positions;
    if (!is_there && threadIdx.x == 0) report(a.place.fault, CUDA_FAULT_KEY, pos, slot, a.place.op);
    int64_t keys = is_there ? (int64_t)pos + 1 : 0, from = keys * split / n_splits, end = keys * (split + 1) / n_splits;
    int64_t base = (is_there ? slot : 0) * a.place.positions * stride + group * a.width;
    decode_state<PER, S::V> state;
    float q[PER][S::V];
    UNROLL for (int h = 0; h < PER; h++) {
        load_key<T, S::V, IS_WIDE>((const E *)a.q + (row * a.heads + head + (h < n_heads ? h : 0)) * a.width, c, a.width, q[h]);
        UNROLL for (int e = 0; e < S::V; e++) {
            q[h][e] *= a.scale * 1.44269504f;
            state.o[h][e] = 0;
        }
        state.most[h] = -INFINITY;
        state.sum[h] = 0;
    }
    for (int64_t key = from; key < end; key += (int64_t)keys_ahead<PER>::N * S::ALL_RUNS) /* the bound is the whole block's: lanes meet inside */
        decode_keys<T, W, PER, IS_WIDE>(state, q, (const E *)a.k_cache + base, (const E *)a.v_cache + base, stride, key + (int)threadIdx.x / S::LANES, end, a.width);
    show<T, W, PER>(state, parts);
    __syncthreads();
    int64_t unit = row * a.kv_heads * chunks + blockIdx.y;
    float *partial = a.partial + unit * n_splits * PER * (W + 2);
    for (int i = (int)threadIdx.x; i < n_heads * W; i += DECODE_THREADS) {
        int h = i / W, column = i % W;
        float o, most, sum;
        merge<W>(S::ALL_RUNS, column, [&](int run, int j) { return parts[(run * PER + h) * (W + 2) + j]; }, &o, &most, &sum);
        if (n_splits > 1) {
            float *to = partial + (split * PER + h) * (W + 2);
            to[column] = o;
            if (column == 0) {
                to[W] = most;
                to[W + 1] = sum;
            }
        } else if (column < a.width) {
            ((E *)a.y)[(row * a.heads + head + h) * a.width + column] = element<T>::put(o / sum);
        }
    }
    if (n_splits == 1 || !is_last(a.arrived + unit, n_splits)) return;
    for (int i = (int)threadIdx.x; i < n_heads * W; i += DECODE_THREADS) {
        int h = i / W, column = i % W;
        float o, most, sum;
        merge<W>(n_splits, column, [&](int s, int j) { return ptx_load_coherent(partial + (s * PER + h) * (W + 2) + j); }, &o, &most, &sum);
        if (column < a.width) ((E *)a.y)[(row * a.heads + head + h) * a.width + column] = element<T>::put(o / sum);
    }
}

/* Blocks for each multiprocessor four times over, but no split of fewer keys than pay. */
static int splits_of(int64_t units, int64_t keys, int n_multiprocessors) {
    int64_t n = parts_of((int64_t)4 * n_multiprocessors, units), most = keys / LEAST_SPLIT_KEYS;
    if (n > most) n = most;
    return n < 1 ? 1 : n > MOST_SPLITS ? MOST_SPLITS : (int)n;
}

/* Rows that cannot be read 16 bytes at a time are rare: one form serves them. */
static int heads_a_block(int64_t per, int64_t width) { return width % 8 || per <= 1 ? 1 : per <= 2 ? 2 : per <= 4 ? 4 : 8; }

template <int T, int W, int PER, bool IS_WIDE> static int launch_decode(void *stream, const cuda_attention *a) {
    typedef decode_shape<T, W> S;
    int64_t per = a->heads / a->kv_heads;
    int n = splits_of(a->rows * a->kv_heads * parts_of(per, PER), a->keys, a->n_multiprocessors);
    constexpr size_t bytes = (size_t)S::ALL_RUNS * PER * (W + 2) * sizeof(float);
    return LAUNCH((decode_kernel<T, W, PER, IS_WIDE>), GRID(n, a->kv_heads * parts_of(per, PER), a->rows), GRID(DECODE_THREADS), bytes, stream, *a, n);
}

template <int T, int W> static int launch_decode_heads(void *stream, const cuda_attention *a) {
    if (a->width % 8) return launch_decode<T, W, 1, false>(stream, a);
    switch (heads_a_block(a->heads / a->kv_heads, a->width)) {
    case 1: return launch_decode<T, W, 1, true>(stream, a);
    case 2: return launch_decode<T, W, 2, true>(stream, a);
    case 4: return launch_decode<T, W, 4, true>(stream, a);
    default: return launch_decode<T, W, 8, true>(stream, a);
    }
}

template <int T> static int launch_decode_type(void *stream, const cuda_attention *a) { return FOR_WIDTH(a->width, (launch_decode_heads<T, W>(stream, a))); }

extern "C" int CUDA_VARIANT(attention_decode)(void *stream, const struct cuda_attention *a) { return FOR_TYPE(a->t, launch_decode_type<T>(stream, a)); }

extern "C" int CUDA_VARIANT(attention)(void *stream, const struct cuda_attention *a) {
    if (a->rows == 0) return 0;
#if defined(__CUDACC__)
    if (hopper_can_attend(a)) return hopper_attention(stream, a);
#endif
    return a->rows_a_slot >= LEAST_ROWS_FOR_PREFILL ? CUDA_VARIANT(attention_prefill)(stream, a) : CUDA_VARIANT(attention_decode)(stream, a);
}

/* Few rows have most splits, many rows most units: the largest product over how many there may be. */
extern "C" int64_t CUDA_VARIANT(attention_partial_floats)(int64_t rows, int64_t heads, int64_t kv_heads, int64_t width, int64_t keys, int n_multiprocessors) {
    int64_t per = heads / kv_heads, most = 0, padded_width = width <= 32 ? 32 : width <= 64 ? 64 : 128, each = heads_a_block(per, width);
    for (int64_t r = 1; r <= rows; r++) {
        int64_t units = r * kv_heads * parts_of(per, each), splits = splits_of(units, keys, n_multiprocessors), floats = units * splits * each * (padded_width + 2);
        if (splits > 1 && floats > most) most = floats;
    }
    return most;
}
