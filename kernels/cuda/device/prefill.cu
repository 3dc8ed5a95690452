/* prefill.cu: fused attention for many rows: a block takes 64 rows of one head, four warps with 16 rows each, and walks
 * the keys in tiles of 64 that arrive two deep. Scores stay in registers: the results of q·k are the left factor of
 * p·v as they lie. Runs of rows of one slot are walked one after the other; rows of other runs see none of their keys.
 *
 *   m' = max(m, max s)   o = o·e^(m−m') + e^(s−m')·v   l = l·e^(m−m') + Σ e^(s−m')   y = o / l */
#include "kernels/cuda/device/attention.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/device/unit.cuh"

enum { PREFILL_THREADS = 128, PREFILL_ROWS = 64, PREFILL_KEYS = 64 };

template <int T, int W> struct prefill_shared {
    enum { LD = padded<T, W>::LD, TILE = PREFILL_KEYS * LD };
    static constexpr size_t BYTES = (size_t)(PREFILL_ROWS * LD + 4 * TILE) * sizeof(typename element<T>::type);
};

/* What a lane keeps of its rows g and g+8: running maximum (of scaled scores, base 2), sum, output. */
template <int W> struct prefill_state {
    float most[2], sum[2], o[W / 8][4];
};

/* Scores of the tile become probabilities; what was accumulated is scaled to the new maximum. */
template <int W> DEVICE void prefill_softmax(prefill_state<W> &state, float (&s)[PREFILL_KEYS / 8][4]) {
    UNROLL for (int i = 0; i < 2; i++) {
        float most = state.most[i];
        UNROLL for (int j = 0; j < PREFILL_KEYS / 8; j++) most = fmaxf(most, fmaxf(s[j][2 * i], s[j][2 * i + 1]));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
        float base = most == -INFINITY ? 0 : most, f = ptx_exp2(state.most[i] - base);
        state.most[i] = most;
        state.sum[i] *= f;
        UNROLL for (int j = 0; j < W / 8; j++) {
            state.o[j][2 * i] *= f;
            state.o[j][2 * i + 1] *= f;
        }
        UNROLL for (int j = 0; j < PREFILL_KEYS / 8; j++)
            UNROLL for (int h = 0; h < 2; h++) {
                float p = ptx_exp2(s[j][2 * i + h] - base);
                state.sum[i] += p;
                s[j][2 * i + h] = p;
            }
    }
}

/* seen[i]: keys that the lane's row i sees in this tile (0 and below: none, 64 and above: all). */
template <int T, int W, class E> DEVICE void prefill_tile(prefill_state<W> &state, const E *q, const E *k, const E *v, const int64_t (&seen)[2], float scale) {
    typedef unit<T> U;
    constexpr int LD = padded<T, W>::LD;
    float s[PREFILL_KEYS / 8][4] = {};
    typename U::a_fragment fa;
    typename U::b_fragment fb;
    for (int at = 0; at < W; at += U::STEP) {
        U::load_a(fa, q + at, LD);
        UNROLL for (int j = 0; j < PREFILL_KEYS / 16; j++) {
            U::load_b_by_column(fb, k + j * 16 * LD + at, LD);
            U::multiply(s[2 * j], s[2 * j + 1], fa, fb);
        }
    }
    UNROLL for (int j = 0; j < PREFILL_KEYS / 8; j++)
        UNROLL for (int i = 0; i < 4; i++) s[j][i] = j * 8 + lane_of() % 4 * 2 + i % 2 < seen[i / 2] ? s[j][i] * scale : -INFINITY;
    prefill_softmax<W>(state, s);
    UNROLL for (int j = 0; j < PREFILL_KEYS / 16; j++)
        ROLLED for (int part = 0; part < 16 / U::STEP; part++) {
            U::take(fa, s[2 * j], s[2 * j + 1], part);
            UNROLL for (int c = 0; c < W / 16; c++) {
                U::load_b_by_row(fb, v + (j * 16 + part * U::STEP) * LD + c * 16, LD);
                U::multiply(state.o[2 * c], state.o[2 * c + 1], fa, fb);
            }
        }
}

/* Keys and values of a slot, tile by tile; two tiles of each in shared memory. */
template <int T, int W, bool IS_WIDE> struct prefill_source {
    typedef typename element<T>::type E;
    const E *k, *v;
    E *shared;
    int64_t stride, width, n;
    __device__ __forceinline__ E *k_tile(int64_t tile) const { return shared + tile % 2 * 2 * prefill_shared<T, W>::TILE; }
    __device__ __forceinline__ E *v_tile(int64_t tile) const { return k_tile(tile) + prefill_shared<T, W>::TILE; }
    __device__ __forceinline__ void begin(int64_t tile) const {
        constexpr int LD = prefill_shared<T, W>::LD;
        int64_t key = tile * PREFILL_KEYS;
        if (key < n) {
            load_tile<T, W, IS_WIDE>(k_tile(tile), LD, k + key * stride, stride, PREFILL_KEYS, n - key, width);
            load_tile<T, W, IS_WIDE>(v_tile(tile), LD, v + key * stride, stride, PREFILL_KEYS, n - key, width);
        }
        ptx_copy_commit();
    }
};

template <int T, int W, bool IS_WIDE> __global__ void __launch_bounds__(PREFILL_THREADS, W == 128 ? 2 : 3) prefill_kernel(cuda_attention a) {
    FOLLOW();
    typedef typename element<T>::type E;
    constexpr int LD = padded<T, W>::LD;
    DYNAMIC_SHARED(E, q);
    int warp = (int)threadIdx.x / WARP_LANES, lane = lane_of();
    int64_t head = blockIdx.y, group = head / (a.heads / a.kv_heads), stride = a.kv_heads * a.width;
    int64_t first = (int64_t)(gridDim.x - 1 - blockIdx.x) * PREFILL_ROWS; /* rows with most keys begin first */
    int64_t last = first + PREFILL_ROWS < a.rows ? first + PREFILL_ROWS : a.rows;
    prefill_state<W> state = {{-INFINITY, -INFINITY}, {0, 0}, {}};
    load_tile<T, W, IS_WIDE>(q, LD, (const E *)a.q + (first * a.heads + head) * a.width, a.heads * a.width, PREFILL_ROWS, last - first, a.width);
    int64_t mine[2] = {first + warp * 16 + lane / 4, first + warp * 16 + lane / 4 + 8};
    for (int64_t row = first, end; row < last; row = end) {
        int32_t slot = a.place.slots[row];
        int64_t keys = 0;
        bool is_there = slot >= 0 && slot < a.place.n_slots;
        for (end = row; end < last && a.place.slots[end] == slot; end++)
            if (a.place.pos[end] >= keys) keys = a.place.pos[end] + 1;
        if (!is_there || keys > a.place.positions) {
            if (threadIdx.x == 0) report(a.place.fault, CUDA_FAULT_KEY, (int32_t)keys - 1, slot, a.place.op);
            continue;
        }
        int64_t base = slot * a.place.positions * stride + group * a.width;
        prefill_source<T, W, IS_WIDE> source = {(const E *)a.k_cache + base, (const E *)a.v_cache + base, q + PREFILL_ROWS * LD, stride, a.width, keys};
        int64_t sees[2];
        UNROLL for (int i = 0; i < 2; i++) sees[i] = mine[i] >= row && mine[i] < end ? (int64_t)a.place.pos[mine[i]] + 1 : 0;
        __syncthreads(); /* the run before is done with its tiles */
        source.begin(0);
        for (int64_t tile = 0; tile * PREFILL_KEYS < keys; tile++) {
            source.begin(tile + 1);
            ptx_copy_wait<1>();
            __syncthreads();
            int64_t seen[2] = {sees[0] - tile * PREFILL_KEYS, sees[1] - tile * PREFILL_KEYS};
            prefill_tile<T, W>(state, q + warp * 16 * LD, source.k_tile(tile), source.v_tile(tile), seen, a.scale * 1.44269504f);
            __syncthreads(); /* before the tile after next overwrites this one */
        }
        ptx_copy_wait<0>();
    }
    UNROLL for (int i = 0; i < 2; i++) {
        state.sum[i] += __shfl_xor_sync(ALL_LANES, state.sum[i], 1);
        state.sum[i] += __shfl_xor_sync(ALL_LANES, state.sum[i], 2);
        float f = 1 / state.sum[i];
        UNROLL for (int j = 0; j < W / 8; j++)
            UNROLL for (int h = 0; h < 2; h++) {
                int64_t c = j * 8 + lane % 4 * 2 + h;
                if (mine[i] < last && c < a.width) ((E *)a.y)[(mine[i] * a.heads + head) * a.width + c] = element<T>::put(state.o[j][2 * i + h] * f);
            }
    }
}

template <int T, int W> static int launch_prefill(void *stream, const cuda_attention *a) {
    auto grid = GRID(parts_of(a->rows, PREFILL_ROWS), a->heads);
    constexpr size_t bytes = prefill_shared<T, W>::BYTES;
    return is_wide(a->t, a->width) ? LAUNCH((prefill_kernel<T, W, true>), grid, GRID(PREFILL_THREADS), bytes, stream, *a)
                                   : LAUNCH((prefill_kernel<T, W, false>), grid, GRID(PREFILL_THREADS), bytes, stream, *a);
}

template <int T> static int launch_prefill_type(void *stream, const cuda_attention *a) { return FOR_WIDTH(a->width, (launch_prefill<T, W>(stream, a))); }

extern "C" int CUDA_VARIANT(attention_prefill)(void *stream, const struct cuda_attention *a) { return FOR_TYPE(a->t, launch_prefill_type<T>(stream, a)); }
