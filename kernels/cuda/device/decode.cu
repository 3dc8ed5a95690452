/* decode.cu: fused attention for few rows of a slot: the keys of a row are split over blocks, every block serves up to
 * eight query heads of one key-value head, and the last block of a row's to arrive merges what they found.
 *
 * A run of lanes covers a key (16 bytes each), so a warp looks at several keys at once; each run keeps its own
 * maximum, sum and output, which are merged over a warp's runs, a block's warps and a row's blocks:
 *   m = max m_i   l = Σ l_i·e^(m_i−m)   o = Σ o_i·e^(m_i−m)
 * A part, as warps and blocks leave it to each other: W outputs, the maximum, the sum, and room to a multiple of 16 bytes. */
#include "kernels/cuda/device/attention.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/device/unit.cuh"
#if defined(__CUDACC__)
#include "kernels/cuda/hopper/hopper.h"
#endif

enum { DECODE_THREADS = 256, DECODE_WARPS = DECODE_THREADS / WARP_LANES, LEAST_SPLIT_KEYS = 64, MOST_SPLITS = 128, MOST_BLOCKS = 4 /* of split rows, a multiprocessor */ };

template <int T, int W> struct decode_shape {
    enum { V = wide<T>::N, LANES = W / V, RUNS = WARP_LANES / LANES, ALL_RUNS = RUNS * DECODE_WARPS };
};

template <int W> struct part_floats {
    enum { N = W + 4 };
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

DEVICE void load_coherent(const float *p, float (&x)[4]) {
    uint4 u = ptx_load_coherent(p);
    memcpy(x, &u, sizeof x);
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

/* o, most and sum of a head, with another's. */
template <int V> DEVICE void join(float (&o)[V], float &most, float &sum, const float (&other_o)[V], float other_most, float other_sum) {
    float top = fmaxf(most, other_most), base = top == -INFINITY ? 0 : top, mine = ptx_exp2(most - base), others = ptx_exp2(other_most - base);
    UNROLL for (int e = 0; e < V; e++) o[e] = o[e] * mine + other_o[e] * others;
    sum = sum * mine + other_sum * others;
    most = top;
}

/* A warp's runs as one: every run has the result. */
template <int T, int W, int PER> DEVICE void join_runs(decode_state<PER, wide<T>::N> &state) {
    typedef decode_shape<T, W> S;
    UNROLL for (int bits = S::LANES; bits < WARP_LANES; bits *= 2)
        UNROLL for (int h = 0; h < PER; h++) {
            float o[S::V], most = __shfl_xor_sync(ALL_LANES, state.most[h], bits), sum = __shfl_xor_sync(ALL_LANES, state.sum[h], bits);
            UNROLL for (int e = 0; e < S::V; e++) o[e] = __shfl_xor_sync(ALL_LANES, state.o[h][e], bits);
            join(state.o[h], state.most[h], state.sum[h], o, most, sum);
        }
}

/* The first run of a warp leaves its heads' parts where the block can read them. */
template <int T, int W, int PER> DEVICE void leave(const decode_state<PER, wide<T>::N> &state, float *parts) {
    typedef decode_shape<T, W> S;
    if (lane_of() >= S::LANES) return;
    UNROLL for (int h = 0; h < PER; h++) {
        float *part = parts + ((int)threadIdx.x / WARP_LANES * PER + h) * part_floats<W>::N;
        UNROLL for (int e = 0; e < S::V; e += 4) {
            float piece[4] = {state.o[h][e], state.o[h][e + 1], state.o[h][e + 2], state.o[h][e + 3]};
            store<DTYPE_F32, 4>(part + lane_of() * S::V + e, piece);
        }
        if (lane_of() == 0) {
            part[W] = state.most[h];
            part[W + 1] = state.sum[h];
        }
    }
}

/* Four columns of a head from c on, of all the block's warps. */
template <int W, int PER> DEVICE void join_warps(const float *parts, int head, int c, float (&o)[4], float &most, float &sum) {
    load<DTYPE_F32, 4>(parts + head * part_floats<W>::N + c, o);
    most = parts[head * part_floats<W>::N + W];
    sum = parts[head * part_floats<W>::N + W + 1];
    UNROLL for (int w = 1; w < DECODE_WARPS; w++) {
        const float *part = parts + (w * PER + head) * part_floats<W>::N;
        float other[4];
        load<DTYPE_F32, 4>(part + c, other);
        join(o, most, sum, other, part[W], part[W + 1]);
    }
}

/* What each split's outputs of a head count for: factors[split]; by a warp. */
template <int W, int PER> DEVICE void weigh_splits(const float *partial, int head, int n_splits, float *factors) {
    enum { EACH = MOST_SPLITS / WARP_LANES };
    float most[EACH], sum[EACH], top = -INFINITY, all = 0;
    UNROLL for (int i = 0; i < EACH; i++) {
        int s = lane_of() + i * WARP_LANES;
        float end[4] = {-INFINITY, 0, 0, 0};
        if (s < n_splits) load_coherent(partial + ((int64_t)s * PER + head) * part_floats<W>::N + W, end);
        most[i] = end[0];
        sum[i] = end[1];
        top = fmaxf(top, most[i]);
    }
    top = warp_max(top);
    UNROLL for (int i = 0; i < EACH; i++) {
        most[i] = ptx_exp2(most[i] - (top == -INFINITY ? 0 : top));
        all += most[i] * sum[i];
    }
    all = warp_sum(all);
    UNROLL for (int i = 0; i < EACH; i++)
        if (lane_of() + i * WARP_LANES < n_splits) factors[lane_of() + i * WARP_LANES] = most[i] / all;
}

/* Four columns of a head from c on, of every `step`th split from `from` on. */
template <int W, int PER> DEVICE void join_splits(const float *partial, int head, int c, int from, int step, int n_splits, const float *factors, float (&o)[4]) {
    enum { AHEAD = 8 };
    UNROLL for (int e = 0; e < 4; e++) o[e] = 0;
    for (int s = from; s < n_splits; s += AHEAD * step) {
        float x[AHEAD][4];
        UNROLL for (int i = 0; i < AHEAD; i++) {
            UNROLL for (int e = 0; e < 4; e++) x[i][e] = 0;
            if (s + i * step < n_splits) load_coherent(partial + ((int64_t)(s + i * step) * PER + head) * part_floats<W>::N + c, x[i]);
        }
        UNROLL for (int i = 0; i < AHEAD; i++) {
            float f = s + i * step < n_splits ? factors[s + i * step] : 0;
            UNROLL for (int e = 0; e < 4; e++) o[e] += f * x[i][e];
        }
    }
}

template <int T> DEVICE void put_columns(const cuda_attention &a, int64_t row, int64_t head, int c, const float (&o)[4], float f) {
    typedef typename element<T>::type E;
    E *y = (E *)a.y + (row * a.heads + head) * a.width;
    UNROLL for (int e = 0; e < 4; e++)
        if (c + e < a.width) y[c + e] = element<T>::put(o[e] * f);
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

/* Blocks of a multiprocessor at a time: as many as the registers hold. */
template <int PER> struct decode_blocks {
    enum { N = PER >= 4 ? 1 : 2 };
};

template <int T, int W, int PER, bool IS_WIDE> __global__ void __launch_bounds__(DECODE_THREADS, decode_blocks<PER>::N) decode_kernel(cuda_attention a, int n_splits) {
    FOLLOW();
    typedef typename element<T>::type E;
    typedef decode_shape<T, W> S;
    enum { PIECES = W / 4, ITEMS = PER * PIECES, GROUPS = DECODE_THREADS / ITEMS };
    DYNAMIC_SHARED(float, parts);
    SHARED(float, factors, [PER * MOST_SPLITS]);
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
    join_runs<T, W, PER>(state);
    leave<T, W, PER>(state, parts);
    __syncthreads();
    int64_t unit = row * a.kv_heads * chunks + blockIdx.y;
    float *partial = a.partial + unit * n_splits * PER * part_floats<W>::N, o[4], most, sum;
    int item = (int)threadIdx.x % ITEMS, h = item / PIECES, column = item % PIECES * 4, g = (int)threadIdx.x / ITEMS;
    if (g == 0 && h < n_heads) {
        join_warps<W, PER>(parts, h, column, o, most, sum);
        float *to = partial + (split * PER + h) * part_floats<W>::N;
        if (n_splits == 1) put_columns<T>(a, row, head + h, column, o, 1 / sum);
        else store<DTYPE_F32, 4>(to + column, o);
        if (n_splits > 1 && column == 0) {
            float last[4] = {most, sum, 0, 0};
            store<DTYPE_F32, 4>(to + W, last);
        }
    }
    if (n_splits == 1 || !is_last(a.arrived + unit, n_splits)) return;
    int warp = (int)threadIdx.x / WARP_LANES;
    if (warp < n_heads) weigh_splits<W, PER>(partial, warp, n_splits, factors + warp * MOST_SPLITS);
    __syncthreads();
    if (h < n_heads) join_splits<W, PER>(partial, h, column, g, GROUPS, n_splits, factors + h * MOST_SPLITS, o);
    else UNROLL for (int e = 0; e < 4; e++) o[e] = 0;
    store<DTYPE_F32, 4>(parts + (int)threadIdx.x * 4, o);
    __syncthreads();
    if (g > 0 || h >= n_heads) return;
    UNROLL for (int i = 1; i < GROUPS; i++) {
        float other[4];
        load<DTYPE_F32, 4>(parts + (i * ITEMS + item) * 4, other);
        UNROLL for (int e = 0; e < 4; e++) o[e] += other[e];
    }
    put_columns<T>(a, row, head + h, column, o, 1);
}

/* As many splits as take the least time: waves of blocks, each as long as its keys and what a block costs anyway. */
static int splits_of(int64_t units, int64_t keys, int n_multiprocessors, int blocks_each) {
    enum { BLOCK_KEYS = 64 }; /* a block's beginning and end, in keys */
    int64_t resident = (int64_t)n_multiprocessors * blocks_each, most = keys / LEAST_SPLIT_KEYS, best = 1, least = INT64_MAX;
    if (most > MOST_SPLITS) most = MOST_SPLITS;
    for (int64_t n = 1; n == 1 || (n <= most && n * units <= (int64_t)MOST_BLOCKS * n_multiprocessors); n++) {
        int64_t time = parts_of(n * units, resident) * (parts_of(keys, n) + BLOCK_KEYS);
        if (time < least) best = n, least = time;
    }
    return (int)best;
}

/* Rows that cannot be read 16 bytes at a time are rare: one form serves them. */
static int heads_a_block(int64_t per, int64_t width) { return width % 8 || per <= 1 ? 1 : per <= 2 ? 2 : per <= 4 ? 4 : 8; }

template <int T, int W, int PER, bool IS_WIDE> static int launch_decode(void *stream, const cuda_attention *a) {
    int64_t per = a->heads / a->kv_heads;
    int n = splits_of(a->rows * a->kv_heads * parts_of(per, PER), a->keys, a->n_multiprocessors, decode_blocks<PER>::N);
    constexpr size_t bytes = (size_t)DECODE_WARPS * PER * part_floats<W>::N * sizeof(float);
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

extern "C" int64_t CUDA_VARIANT(attention_partial_floats)(int64_t heads, int64_t kv_heads, int64_t width, int n_multiprocessors) {
    int64_t padded = FOR_WIDTH(width, (int)part_floats<W>::N);
    return (int64_t)MOST_BLOCKS * n_multiprocessors * heads_a_block(heads / kv_heads, width) * padded;
}
