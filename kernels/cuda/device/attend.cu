/* attend.cu: the plain chain of attention, an operation each: scores, mask, softmax, values. Every score is computed
 * and stored, as a framework without fusion does. Many rows of a slot: tiles on the matrix unit; few: a warp a key. */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/device/unit.cuh"
#include "kernels/cuda/kernels.h"

enum { ATTEND_THREADS = 128, TILE_ROWS = 64, TILE_KEYS = 64, STRIP = 64 /* of the head's width at a time */, LEAST_ROWS_FOR_TILES = 8 };

/* The slot of a row, −1 where it has none in the cache. */
DEVICE int32_t slot_of(const cuda_place &p, int64_t row) {
    int32_t slot = p.slots[row];
    if (slot >= 0 && slot < p.n_slots) return slot;
    if (threadIdx.x == 0) report(p.fault, CUDA_FAULT_KEY, p.pos[row], slot, p.op);
    return -1;
}

/* The end of the run of rows of one slot that begins at `row`, at most `last`. */
DEVICE int64_t run_end(const cuda_place &p, int64_t row, int64_t last) {
    int64_t end = row + 1;
    while (end < last && p.slots[end] == p.slots[row]) end++;
    return end;
}

/* ---- scores of many rows: tiles of 64 rows × 64 keys ---- */

template <int T, bool IS_WIDE> __global__ void __launch_bounds__(ATTEND_THREADS, 4) scores_tile_kernel(cuda_attend a) {
    FOLLOW();
    typedef typename element<T>::type E;
    typedef unit<T> U;
    constexpr int LD = padded<T, STRIP>::LD;
    SHARED(E, q, [TILE_ROWS * LD]);
    SHARED(E, k, [TILE_KEYS * LD]);
    int64_t key = (int64_t)blockIdx.x * TILE_KEYS, first = (int64_t)blockIdx.y * TILE_ROWS, head = blockIdx.z, group = head / (a.heads / a.kv_heads);
    int64_t last = first + TILE_ROWS < a.rows ? first + TILE_ROWS : a.rows, key_stride = a.kv_heads * a.width, row_stride = a.heads * a.width;
    int warp = (int)threadIdx.x / WARP_LANES, lane = lane_of();
    for (int64_t row = first, end; row < last; row = end) { /* runs of rows of one slot */
        float d[TILE_KEYS / 8][4] = {};
        int32_t slot = slot_of(a.place, row);
        end = run_end(a.place, row, last);
        const E *keys = (const E *)a.cache + ((slot < 0 ? 0 : slot) * a.place.positions + key) * key_stride + group * a.width;
        for (int64_t strip = 0; strip < a.width; strip += STRIP) {
            __syncthreads();
            load_tile<T, STRIP, IS_WIDE>(q, LD, (const E *)a.x + first * row_stride + head * a.width + strip, row_stride, TILE_ROWS, last - first, a.width - strip);
            load_tile<T, STRIP, IS_WIDE>(k, LD, keys + strip, key_stride, TILE_KEYS, slot < 0 ? 0 : a.keys - key, a.width - strip);
            ptx_copy_commit();
            ptx_copy_wait<0>();
            __syncthreads();
            ROLLED for (int at = 0; at < STRIP; at += U::STEP) {
                typename U::a_fragment fa;
                typename U::b_fragment fb;
                U::load_a(fa, q + warp * 16 * LD + at, LD);
                UNROLL for (int j = 0; j < TILE_KEYS / 16; j++) {
                    U::load_b_by_column(fb, k + j * 16 * LD + at, LD);
                    U::multiply(d[2 * j], d[2 * j + 1], fa, fb);
                }
            }
        }
        UNROLL for (int j = 0; j < TILE_KEYS / 8; j++)
            UNROLL for (int i = 0; i < 4; i++) {
                int64_t r = first + warp * 16 + lane / 4 + i / 2 * 8, c = key + j * 8 + lane % 4 * 2 + i % 2;
                if (r >= row && r < end && c < a.keys) ((E *)a.y)[(r * a.heads + head) * a.keys + c] = element<T>::put(d[j][i]);
            }
    }
}

/* ---- scores of few rows: a warp a key, all query heads of the group ---- */

enum { KEYS_A_BLOCK = 32 };

template <int T, int V> __global__ void __launch_bounds__(ATTEND_THREADS) scores_few_kernel(cuda_attend a) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t row = blockIdx.z, group = blockIdx.y, per = a.heads / a.kv_heads;
    int32_t slot = slot_of(a.place, row);
    int warp = (int)threadIdx.x / WARP_LANES, lane = lane_of();
    const E *q = (const E *)a.x + (row * a.heads + group * per) * a.width;
    for (int n = warp; n < KEYS_A_BLOCK; n += ATTEND_THREADS / WARP_LANES) {
        int64_t key = (int64_t)blockIdx.x * KEYS_A_BLOCK + n;
        if (key >= a.keys) continue; /* the whole warp */
        const E *k = (const E *)a.cache + (((slot < 0 ? 0 : slot) * a.place.positions + key) * a.kv_heads + group) * a.width;
        for (int64_t h = 0; h < per; h++) {
            float sum = 0;
            for (int64_t i = (int64_t)lane * V; i < a.width; i += WARP_LANES * V) {
                float x[V], y[V];
                load<T, V>(q + h * a.width + i, x);
                load<T, V>(k + i, y);
                UNROLL for (int e = 0; e < V; e++) sum += x[e] * y[e];
            }
            sum = warp_sum(sum);
            if (lane == 0) ((E *)a.y)[(row * a.heads + group * per + h) * a.keys + key] = element<T>::put(slot < 0 ? 0 : sum);
        }
    }
}

template <int T> static int launch_scores(void *stream, const cuda_attend *a) {
    constexpr int V = wide<T>::N;
    if (a->rows_a_slot >= LEAST_ROWS_FOR_TILES) {
        auto grid = GRID(parts_of(a->keys, TILE_KEYS), parts_of(a->rows, TILE_ROWS), a->heads);
        return is_wide(a->t, a->width) ? LAUNCH((scores_tile_kernel<T, true>), grid, GRID(ATTEND_THREADS), 0, stream, *a)
                                       : LAUNCH((scores_tile_kernel<T, false>), grid, GRID(ATTEND_THREADS), 0, stream, *a);
    }
    auto grid = GRID(parts_of(a->keys, KEYS_A_BLOCK), a->kv_heads, a->rows);
    return is_wide(a->t, a->width) ? LAUNCH((scores_few_kernel<T, V>), grid, GRID(ATTEND_THREADS), 0, stream, *a)
                                   : LAUNCH((scores_few_kernel<T, 1>), grid, GRID(ATTEND_THREADS), 0, stream, *a);
}

extern "C" int CUDA_VARIANT(scores)(void *stream, const struct cuda_attend *a) {
    return a->rows > 0 && a->keys > 0 ? FOR_TYPE(a->t, launch_scores<T>(stream, a)) : 0;
}

/* ---- values of many rows: 64 rows × 64 columns, keys in tiles ---- */

template <int T, bool IS_WIDE, bool HAS_WIDE_KEYS> __global__ void __launch_bounds__(ATTEND_THREADS, 4) values_tile_kernel(cuda_attend a) {
    FOLLOW();
    typedef typename element<T>::type E;
    typedef unit<T> U;
    constexpr int LD_S = padded<T, TILE_KEYS>::LD, LD_V = padded<T, STRIP>::LD;
    SHARED(E, s, [TILE_ROWS * LD_S]);
    SHARED(E, v, [TILE_KEYS * LD_V]);
    int64_t strip = (int64_t)blockIdx.x * STRIP, first = (int64_t)blockIdx.y * TILE_ROWS, head = blockIdx.z, group = head / (a.heads / a.kv_heads);
    int64_t last = first + TILE_ROWS < a.rows ? first + TILE_ROWS : a.rows, key_stride = a.kv_heads * a.width, row_stride = a.heads * a.keys;
    int warp = (int)threadIdx.x / WARP_LANES, lane = lane_of();
    for (int64_t row = first, end; row < last; row = end) {
        float d[STRIP / 8][4] = {};
        int32_t slot = slot_of(a.place, row);
        end = run_end(a.place, row, last);
        const E *values = (const E *)a.cache + (slot < 0 ? 0 : slot) * a.place.positions * key_stride + group * a.width + strip;
        for (int64_t key = 0; key < a.keys; key += TILE_KEYS) {
            __syncthreads();
            load_tile<T, TILE_KEYS, HAS_WIDE_KEYS>(s, LD_S, (const E *)a.x + (first * a.heads + head) * a.keys + key, row_stride, TILE_ROWS, last - first, a.keys - key);
            load_tile<T, STRIP, IS_WIDE>(v, LD_V, values + key * key_stride, key_stride, TILE_KEYS, slot < 0 ? 0 : a.keys - key, a.width - strip);
            ptx_copy_commit();
            ptx_copy_wait<0>();
            __syncthreads();
            ROLLED for (int at = 0; at < TILE_KEYS; at += U::STEP) {
                typename U::a_fragment fa;
                typename U::b_fragment fb;
                U::load_a(fa, s + warp * 16 * LD_S + at, LD_S);
                UNROLL for (int j = 0; j < STRIP / 16; j++) {
                    U::load_b_by_row(fb, v + at * LD_V + j * 16, LD_V);
                    U::multiply(d[2 * j], d[2 * j + 1], fa, fb);
                }
            }
        }
        UNROLL for (int j = 0; j < STRIP / 8; j++)
            UNROLL for (int i = 0; i < 4; i++) {
                int64_t r = first + warp * 16 + lane / 4 + i / 2 * 8, c = strip + j * 8 + lane % 4 * 2 + i % 2;
                if (r >= row && r < end && c < a.width) ((E *)a.y)[(r * a.heads + head) * a.width + c] = element<T>::put(d[j][i]);
            }
    }
}

/* ---- values of few rows: a block a head, threads share out keys and columns ---- */

enum { VALUES_THREADS = 256 };

template <int T, int V> __global__ void __launch_bounds__(VALUES_THREADS) values_few_kernel(cuda_attend a) {
    FOLLOW();
    typedef typename element<T>::type E;
    SHARED(float, parts, [VALUES_THREADS * V]);
    int64_t head = blockIdx.x, row = blockIdx.y, group = head / (a.heads / a.kv_heads), key_stride = a.kv_heads * a.width;
    int32_t slot = slot_of(a.place, row);
    int columns = a.width / V < VALUES_THREADS ? (int)a.width / V : (int)VALUES_THREADS, walkers = VALUES_THREADS / columns;
    int column = (int)threadIdx.x % columns, walker = (int)threadIdx.x / columns;
    const E *s = (const E *)a.x + (row * a.heads + head) * a.keys;
    const E *values = (const E *)a.cache + (slot < 0 ? 0 : slot) * a.place.positions * key_stride + group * a.width;
    for (int64_t at = 0; at < a.width; at += (int64_t)columns * V) { /* once, but for very wide heads */
        float sum[V] = {0};
        int64_t c = at + (int64_t)column * V;
        for (int64_t key = walker; walker < walkers && c < a.width && slot >= 0 && key < a.keys; key += walkers) {
            float x[V], p = element<T>::get(s[key]);
            load<T, V>(values + key * key_stride + c, x);
            UNROLL for (int e = 0; e < V; e++) sum[e] += p * x[e];
        }
        __syncthreads();
        UNROLL for (int e = 0; e < V; e++) parts[threadIdx.x * V + e] = sum[e];
        __syncthreads();
        if (walker == 0 && c < a.width) {
            for (int w = 1; w < walkers; w++)
                UNROLL for (int e = 0; e < V; e++) sum[e] += parts[(w * columns + column) * V + e];
            store<T, V>((E *)a.y + (row * a.heads + head) * a.width + c, sum);
        }
    }
}

template <int T> static int launch_values(void *stream, const cuda_attend *a) {
    constexpr int V = wide<T>::N;
    if (a->rows_a_slot >= LEAST_ROWS_FOR_TILES) {
        auto grid = GRID(parts_of(a->width, STRIP), parts_of(a->rows, TILE_ROWS), a->heads);
        if (!is_wide(a->t, a->width)) return LAUNCH((values_tile_kernel<T, false, false>), grid, GRID(ATTEND_THREADS), 0, stream, *a);
        return is_wide(a->t, a->keys) ? LAUNCH((values_tile_kernel<T, true, true>), grid, GRID(ATTEND_THREADS), 0, stream, *a)
                                      : LAUNCH((values_tile_kernel<T, true, false>), grid, GRID(ATTEND_THREADS), 0, stream, *a);
    }
    auto grid = GRID(a->heads, a->rows);
    return is_wide(a->t, a->width) ? LAUNCH((values_few_kernel<T, V>), grid, GRID(VALUES_THREADS), 0, stream, *a)
                                   : LAUNCH((values_few_kernel<T, 1>), grid, GRID(VALUES_THREADS), 0, stream, *a);
}

extern "C" int CUDA_VARIANT(values)(void *stream, const struct cuda_attend *a) {
    return a->rows > 0 ? FOR_TYPE(a->t, launch_values<T>(stream, a)) : 0;
}

/* ---- mask and softmax ---- */

template <int T> __global__ void __launch_bounds__(VALUES_THREADS) mask_kernel(cuda_mask m) {
    FOLLOW();
    typedef typename element<T>::type E;
    int64_t i = (int64_t)blockIdx.x * VALUES_THREADS + threadIdx.x;
    if (i >= m.rows * m.heads * m.keys) return;
    bool is_seen = i % m.keys <= m.pos[i / (m.keys * m.heads)];
    ((E *)m.y)[i] = is_seen ? ((const E *)m.x)[i] : element<T>::put(-INFINITY);
}

template <int T> static int launch_mask(void *stream, const cuda_mask *m) {
    return LAUNCH((mask_kernel<T>), GRID(parts_of(m->rows * m->heads * m->keys, VALUES_THREADS)), GRID(VALUES_THREADS), 0, stream, *m);
}

extern "C" int CUDA_VARIANT(mask)(void *stream, const struct cuda_mask *m) {
    return m->rows * m->heads * m->keys > 0 ? FOR_TYPE(m->t, launch_mask<T>(stream, m)) : 0;
}

/* A block a row: largest, sum, quotient; the row is read from cache after the first time. */
template <int T, int V> __global__ void __launch_bounds__(VALUES_THREADS) softmax_kernel(cuda_softmax s) {
    FOLLOW();
    typedef typename element<T>::type E;
    const E *x = (const E *)s.x + (int64_t)blockIdx.x * s.width;
    E *y = (E *)s.y + (int64_t)blockIdx.x * s.width;
    int64_t first = (int64_t)threadIdx.x * V, step = (int64_t)VALUES_THREADS * V;
    float most = -INFINITY, sum = 0, v[V];
    for (int64_t i = first; i < s.width; i += step) {
        load<T, V>(x + i, v);
        UNROLL for (int k = 0; k < V; k++) most = fmaxf(most, v[k]);
    }
    most = block_max(most);
    for (int64_t i = first; i < s.width; i += step) {
        load<T, V>(x + i, v);
        UNROLL for (int k = 0; k < V; k++) sum += __expf(v[k] - most);
    }
    float f = 1 / block_sum(sum);
    for (int64_t i = first; i < s.width; i += step) {
        load<T, V>(x + i, v);
        UNROLL for (int k = 0; k < V; k++) v[k] = __expf(v[k] - most) * f;
        store<T, V>(y + i, v);
    }
}

template <int T> static int launch_softmax(void *stream, const cuda_softmax *s) {
    constexpr int V = wide<T>::N;
    return is_wide(s->t, s->width) ? LAUNCH((softmax_kernel<T, V>), GRID(s->rows), GRID(VALUES_THREADS), 0, stream, *s)
                                   : LAUNCH((softmax_kernel<T, 1>), GRID(s->rows), GRID(VALUES_THREADS), 0, stream, *s);
}

extern "C" int CUDA_VARIANT(softmax)(void *stream, const struct cuda_softmax *s) {
    return s->rows * s->width > 0 ? FOR_TYPE(s->t, launch_softmax<T>(stream, s)) : 0;
}
