/* attention.cu: fused attention for many rows on Hopper (sm_90a): one warpgroup has the copy engine bring keys and values,
 * two warpgroups with 64 rows each multiply with wgmma. Keys and values come in tiles of 128, two of each under way.
 * Scores stay in registers and are the left factor of p·v as they lie. Rows of other slots than the one being walked
 * see none of its keys, as in device/prefill.cu. Shah et al. 2024 (FlashAttention-3) for the division of work. */
#include <cuda.h>

#include "kernels/cuda/device/attention.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/hopper/hopper.cuh"
#include "kernels/cuda/hopper/hopper.h"
#include "kernels/cuda/hopper/tiles.h"

enum { GROUP = 128, THREADS = 3 * GROUP, MULTIPLYING_WARPS = 8, ROWS = 128, ROWS_A_GROUP = 64, KEYS = 128, STAGES = 2 };

/* Byte offsets in shared memory; every tile begins at a multiple of 1024. */
template <int W> struct layout {
    static constexpr uint32_t TILE = KEYS * W * 2, Q = 0, K = Q + ROWS * W * 2, V = K + STAGES * TILE, BARRIERS = V + STAGES * TILE, ROWS_AT = BARRIERS + 128,
                              BYTES = ROWS_AT + ROWS * 8 + PATTERN_BYTES; /* the last: to begin at a multiple of it */
};
enum barriers { Q_FULL, K_FULL, V_FULL = K_FULL + STAGES, K_EMPTY = V_FULL + STAGES, V_EMPTY = K_EMPTY + STAGES, N_BARRIERS = V_EMPTY + STAGES };

struct row_place {
    int32_t slot, pos;
};

/* A run of the block's rows of one slot: rows [first, end), and how many keys the furthest sees; 0 where it has no place. */
struct row_run {
    int first, end;
    int32_t slot, keys;
};

DEVICE row_run next_run(const row_place *rows, int first, int last, const cuda_place &p) {
    row_run r = {first, first, rows[first].slot, 0};
    for (; r.end < last && rows[r.end].slot == r.slot; r.end++)
        if (rows[r.end].pos >= r.keys) r.keys = rows[r.end].pos + 1;
    if (r.slot < 0 || r.slot >= p.n_slots || r.keys > p.positions) r.keys = 0;
    return r;
}

DEVICE int tiles_of(const row_run &r) { return (r.keys + KEYS - 1) / KEYS; }

/* ---- the warpgroup that brings ---- */

template <int W> DEVICE void bring_tile(const CUtensorMap *map, unsigned char *tile, uint64_t *full, int column, int row) {
    barrier_expect(full, layout<W>::TILE);
    for (int strip = 0; strip < W / STRIP_COLUMNS; strip++) copy_box(tile + strip * strip_bytes(KEYS), map, column + strip * STRIP_COLUMNS, row, full);
}

template <int W> DEVICE void bring_all(const cuda_attention &a, const hopper_maps &m, unsigned char *shared, const row_place *rows, int n_rows) {
    uint64_t *barriers = (uint64_t *)(shared + layout<W>::BARRIERS);
    int head = (int)blockIdx.y, group = head / (int)(a.heads / a.kv_heads), count = 0;
    int first_row = (int)(gridDim.x - 1 - blockIdx.x) * ROWS;
    barrier_expect(&barriers[Q_FULL], ROWS * W * 2);
    for (int strip = 0; strip < W / STRIP_COLUMNS; strip++)
        copy_box(shared + layout<W>::Q + strip * strip_bytes(ROWS), &m.q, head * W + strip * STRIP_COLUMNS, first_row, &barriers[Q_FULL]);
    for (int first = 0; first < n_rows;) {
        row_run r = next_run(rows, first, n_rows, a.place);
        if (r.keys == 0) report(a.place.fault, CUDA_FAULT_KEY, rows[first].pos, r.slot, a.place.op);
        for (int tile = 0; tile < tiles_of(r); tile++, count++) {
            int stage = count % STAGES, parity = (count / STAGES + 1) % 2, row = (int)(r.slot * a.place.positions) + tile * KEYS;
            barrier_wait(&barriers[K_EMPTY + stage], (uint32_t)parity);
            bring_tile<W>(&m.k, shared + layout<W>::K + stage * layout<W>::TILE, &barriers[K_FULL + stage], group * W, row);
            barrier_wait(&barriers[V_EMPTY + stage], (uint32_t)parity);
            bring_tile<W>(&m.v, shared + layout<W>::V + stage * layout<W>::TILE, &barriers[V_FULL + stage], group * W, row);
        }
        first = r.end;
    }
}

/* ---- the warpgroups that multiply ---- */

template <int W> struct rows_state {
    float most[2], sum[2], o[W / 8][4];
};

/* Scores become probabilities of a new maximum; what was accumulated is scaled to it. */
template <int W> DEVICE void renew(rows_state<W> &state, float (&s)[KEYS / 8][4]) {
    UNROLL for (int i = 0; i < 2; i++) {
        float most = state.most[i];
        UNROLL for (int j = 0; j < KEYS / 8; j++) most = fmaxf(most, fmaxf(s[j][2 * i], s[j][2 * i + 1]));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 1));
        most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, 2));
        float base = most == -INFINITY ? 0 : most, f = ptx_exp2(state.most[i] - base);
        state.most[i] = most;
        state.sum[i] *= f;
        UNROLL for (int j = 0; j < W / 8; j++) {
            state.o[j][2 * i] *= f;
            state.o[j][2 * i + 1] *= f;
        }
        UNROLL for (int j = 0; j < KEYS / 8; j++)
            UNROLL for (int h = 0; h < 2; h++) {
                s[j][2 * i + h] = ptx_exp2(s[j][2 * i + h] - base);
                state.sum[i] += s[j][2 * i + h];
            }
    }
}

/* Keys beyond what a row sees do not count. seen: of the lane's two rows, from the tile's first key on. */
DEVICE void hide(float (&s)[KEYS / 8][4], const int (&seen)[2], float scale) {
    int column = (int)threadIdx.x % 4 * 2;
    UNROLL for (int j = 0; j < KEYS / 8; j++)
        UNROLL for (int i = 0; i < 4; i++) s[j][i] = j * 8 + column + i % 2 < seen[i / 2] ? s[j][i] * scale : -INFINITY;
}

template <int T> DEVICE uint32_t pair_of(float low, float high) { return T == DTYPE_BF16 ? ptx_pair_bf16(low, high) : ptx_pair_f16(low, high); }

template <int T, int W> DEVICE void score_tile(float (&s)[KEYS / 8][4], uint32_t q, uint32_t k, int row) {
    group_touch(s);
    group_begin();
    UNROLL for (int at = 0; at < W; at += 16) group<T>::multiply(s, descriptor_by_row(q, ROWS, (uint32_t)row, (uint32_t)at), descriptor_by_row(k, KEYS, 0, (uint32_t)at), at > 0);
    group_commit();
    group_wait<0>();
    group_touch(s);
}

template <int T, int W> DEVICE void value_tile(rows_state<W> &state, const float (&s)[KEYS / 8][4], uint32_t v) {
    uint32_t p[KEYS / 16][4];
    UNROLL for (int j = 0; j < KEYS / 16; j++) {
        p[j][0] = pair_of<T>(s[2 * j][0], s[2 * j][1]);
        p[j][1] = pair_of<T>(s[2 * j][2], s[2 * j][3]);
        p[j][2] = pair_of<T>(s[2 * j + 1][0], s[2 * j + 1][1]);
        p[j][3] = pair_of<T>(s[2 * j + 1][2], s[2 * j + 1][3]);
    }
    group_touch(state.o);
    group_begin();
    UNROLL for (int j = 0; j < KEYS / 16; j++) group<T>::multiply_values(state.o, p[j], descriptor_by_column(v, KEYS, (uint32_t)j * 16), 1);
    group_commit();
    group_wait<0>();
    group_touch(state.o);
}

template <int T, int W> DEVICE void write_rows(const cuda_attention &a, rows_state<W> &state, const int64_t (&row)[2]) {
    typedef typename element<T>::type E;
    int64_t head = blockIdx.y;
    int column = (int)threadIdx.x % 4 * 2;
    UNROLL for (int i = 0; i < 2; i++) {
        state.sum[i] += __shfl_xor_sync(ALL_LANES, state.sum[i], 1);
        state.sum[i] += __shfl_xor_sync(ALL_LANES, state.sum[i], 2);
        float f = 1 / state.sum[i];
        if (row[i] >= a.rows) continue;
        E *y = (E *)a.y + (row[i] * a.heads + head) * W;
        UNROLL for (int j = 0; j < W / 8; j++) *(uint32_t *)(y + j * 8 + column) = pair_of<T>(state.o[j][2 * i] * f, state.o[j][2 * i + 1] * f);
    }
}

template <int T, int W> DEVICE void multiply_all(const cuda_attention &a, unsigned char *shared, const row_place *rows, int n_rows) {
    uint64_t *barriers = (uint64_t *)(shared + layout<W>::BARRIERS);
    int which = (int)threadIdx.x / GROUP - 1, warp = (int)threadIdx.x % GROUP / 32, lane = (int)threadIdx.x % 32, count = 0, row = which * ROWS_A_GROUP;
    int mine[2] = {row + warp * 16 + lane / 4, row + warp * 16 + lane / 4 + 8};
    rows_state<W> state = {{-INFINITY, -INFINITY}, {0, 0}, {}};
    uint32_t base = shared_address(shared);
    barrier_wait(&barriers[Q_FULL], 0);
    for (int first = 0; first < n_rows;) {
        row_run r = next_run(rows, first, n_rows, a.place);
        int furthest = 0, sees[2];
        for (int i = r.first > row ? r.first : row; i < r.end && i < row + ROWS_A_GROUP; i++) furthest = rows[i].pos >= furthest ? rows[i].pos + 1 : furthest;
        UNROLL for (int i = 0; i < 2; i++) sees[i] = mine[i] >= r.first && mine[i] < r.end ? rows[mine[i]].pos + 1 : 0;
        for (int tile = 0; tile < tiles_of(r); tile++, count++) {
            int stage = count % STAGES, parity = count / STAGES % 2;
            bool counts = tile * KEYS < furthest; /* the same for the whole warpgroup */
            float s[KEYS / 8][4];
            barrier_wait(&barriers[K_FULL + stage], (uint32_t)parity);
            if (counts) score_tile<T, W>(s, base + layout<W>::Q, base + layout<W>::K + stage * layout<W>::TILE, row);
            if (lane == 0) barrier_arrive(&barriers[K_EMPTY + stage]);
            if (counts) {
                int seen[2] = {sees[0] - tile * KEYS, sees[1] - tile * KEYS};
                hide(s, seen, a.scale * 1.44269504f);
                renew<W>(state, s);
            }
            barrier_wait(&barriers[V_FULL + stage], (uint32_t)parity);
            if (counts) value_tile<T, W>(state, s, base + layout<W>::V + stage * layout<W>::TILE);
            if (lane == 0) barrier_arrive(&barriers[V_EMPTY + stage]);
        }
        first = r.end;
    }
    int64_t first_row = (int64_t)(gridDim.x - 1 - blockIdx.x) * ROWS, out[2] = {first_row + mine[0], first_row + mine[1]};
    write_rows<T, W>(a, state, out);
}

template <int T, int W> __global__ void __launch_bounds__(THREADS, 1) hopper_attention_kernel(const __grid_constant__ cuda_attention a, const __grid_constant__ hopper_maps m) {
    DYNAMIC_SHARED(unsigned char, memory);
    unsigned char *shared = memory + (PATTERN_BYTES - shared_address(memory) % PATTERN_BYTES) % PATTERN_BYTES;
    uint64_t *barriers = (uint64_t *)(shared + layout<W>::BARRIERS);
    row_place *rows = (row_place *)(shared + layout<W>::ROWS_AT);
    int64_t first_row = (int64_t)(gridDim.x - 1 - blockIdx.x) * ROWS; /* rows with most keys begin first */
    int n_rows = a.rows - first_row < ROWS ? (int)(a.rows - first_row) : (int)ROWS;
    FOLLOW();
    if (threadIdx.x < (unsigned)n_rows) rows[threadIdx.x] = row_place{a.place.slots[first_row + threadIdx.x], a.place.pos[first_row + threadIdx.x]};
    if (threadIdx.x == 0) {
        copy_prepare(&m.q);
        copy_prepare(&m.k);
        copy_prepare(&m.v);
        for (int i = 0; i < N_BARRIERS; i++) barrier_init(&barriers[i], i < K_EMPTY ? 1 : MULTIPLYING_WARPS); /* empty: every warp says so */
        barrier_fence();
    }
    __syncthreads();
    if (threadIdx.x < GROUP) {
        registers_give<40>();
        if (threadIdx.x == 0) bring_all<W>(a, m, shared, rows, n_rows);
    } else {
        registers_take<232>();
        multiply_all<T, W>(a, shared, rows, n_rows);
    }
}

/* ---- launching ---- */

template <int T, int W> static int launch_hopper(void *stream, const cuda_attention *a, const hopper_maps *m) {
    return LAUNCH((hopper_attention_kernel<T, W>), GRID(parts_of(a->rows, ROWS), a->heads), GRID(THREADS), layout<W>::BYTES, stream, *a, *m);
}

template <int W> static int launch_hopper_type(void *stream, const cuda_attention *a, const hopper_maps *m) {
    return a->t == DTYPE_BF16 ? launch_hopper<DTYPE_BF16, W>(stream, a, m) : launch_hopper<DTYPE_F16, W>(stream, a, m);
}

extern "C" int hopper_can_attend(const struct cuda_attention *a) {
    static int major = -1;
    int device = 0;
    if (major < 0 && (cudaGetDevice(&device) != cudaSuccess || cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) != cudaSuccess)) major = 0;
    return major == 9 && a->t != DTYPE_F32 && (a->width == 64 || a->width == 128) && a->rows_a_slot >= ROWS_A_GROUP;
}

extern "C" int hopper_attention(void *stream, const struct cuda_attention *a) {
    hopper_maps m;
    int64_t cache_rows = a->place.n_slots * a->place.positions;
    int code = hopper_map(&m.q, a->t, a->q, a->rows, a->heads * a->width, ROWS);
    if (code == 0) code = hopper_map(&m.k, a->t, a->k_cache, cache_rows, a->kv_heads * a->width, KEYS);
    if (code == 0) code = hopper_map(&m.v, a->t, a->v_cache, cache_rows, a->kv_heads * a->width, KEYS);
    if (code != 0) return code;
    return a->width == 64 ? launch_hopper_type<64>(stream, a, &m) : launch_hopper_type<128>(stream, a, &m);
}
