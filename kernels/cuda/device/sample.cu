/* sample.cu: the next token of each row, and likelihoods, without a look by the host.
 *
 * Blocks find the largest logit of their parts of a row; the last to arrive knows the row's. Where the row is sampled
 * it goes on alone: order is by falling logit, equal ones by rising index. A place in that order (the k-th token, the
 * first prefix that holds a weight) is found without sorting: histograms over 11, 11 and 10 bits of the ordered bits of
 * the logits, each within the bin that the one before chose, then a count of equals by index. Weights e^((x−max)/T) are
 * added up as whole multiples of 2^−36, so that the sum does not depend on the order.
 * Random numbers: the row's seed, mixed (random.h). */
#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/device/fault.cuh"
#include "kernels/cuda/kernels.h"

enum { SAMPLE_THREADS = 1024, SAMPLE_PART = 8192, MOST_PARTS = 64, DIGITS = 3, BINS = 2048, BIN_GROUPS = 64 };

typedef unsigned long long count64;

struct best_logit {
    float x;
    int32_t i;
};
struct row_scratch {
    uint4 parts[MOST_PARTS]; /* a best_logit each, in 16 bytes */
    int32_t arrived;
};

/* Larger first, then the lower index; what is no number comes last. */
DEVICE bool is_before(best_logit a, best_logit b) {
    if (isnan(a.x) != isnan(b.x)) return isnan(b.x);
    return a.x > b.x || ((a.x == b.x || isnan(a.x)) && a.i < b.i);
}

DEVICE best_logit warp_best(best_logit b) {
    UNROLL for (int bits = 16; bits > 0; bits /= 2) {
        best_logit other = {__shfl_xor_sync(ALL_LANES, b.x, bits), __shfl_xor_sync(ALL_LANES, b.i, bits)};
        if (is_before(other, b)) b = other;
    }
    return b;
}

DEVICE best_logit block_best(best_logit b) {
    SHARED(best_logit, found, [WARP_LANES]);
    int warp = (int)threadIdx.x / WARP_LANES, lane = (int)threadIdx.x % WARP_LANES;
    b = warp_best(b);
    __syncthreads();
    if (lane == 0) found[warp] = b;
    __syncthreads();
    return warp_best(found[lane]);
}

/* ---- a place in the order ---- */

struct row_view {
    const void *logits;
    int64_t width;
    float most, per_temperature;
};

template <int T> DEVICE float logit(const row_view &v, int64_t i) { return element<T>::get(((const typename element<T>::type *)v.logits)[i]); }

/* Bits in the order of the numbers; what is no number is 0. */
DEVICE uint32_t order_of(float x) {
    if (isnan(x)) return 0;
    uint32_t u = __float_as_uint(x + 0.0f); /* −0 is 0 */
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

DEVICE count64 weight_of(const row_view &v, float x) {
    return isnan(x) ? 0 : (count64)(expf((x - v.most) * v.per_temperature) * 0x1p36f + 0.5f);
}

struct totals {
    count64 n, weight;
};
struct prefix_end {
    uint32_t order;          /* of the last token of the prefix */
    count64 equals;          /* how many tokens of this order belong to it */
    count64 weight;          /* of the whole prefix */
};

/* The shortest prefix that holds `target` tokens, or that much weight. One for the block. */
struct finder {
    unsigned n[BINS];
    count64 weight[BINS];
    totals groups[BIN_GROUPS];
    totals before;           /* of what comes before the chosen bin */
    uint32_t prefix;
    count64 each;
};

DEVICE count64 amount(totals t, bool by_weight) { return by_weight ? t.weight : t.n; }

DEVICE void add_to(totals &sum, totals more) {
    sum.n += more.n;
    sum.weight += more.weight;
}

/* Thread 0: the bin, from the last down, in which the target is reached; what comes before it goes to f.before. Sums are
 * whole numbers and the target is at most the sum of all, so there is one. */
DEVICE int choose_bin(finder &f, bool by_weight, count64 target) {
    constexpr int WIDTH = BINS / BIN_GROUPS;
    int group = BIN_GROUPS - 1;
    for (; group > 0 && amount(f.before, by_weight) + amount(f.groups[group], by_weight) < target; group--) add_to(f.before, f.groups[group]);
    int bin = (group + 1) * WIDTH - 1;
    for (; bin > group * WIDTH; bin--) {
        totals here = {f.n[bin], f.weight[bin]};
        if (amount(f.before, by_weight) + amount(here, by_weight) >= target) break;
        add_to(f.before, here);
    }
    return bin;
}

/* 11, 11 and 10 bits of 32. */
DEVICE int digit_bits(int digit) { return digit < 2 ? 11 : 10; }
DEVICE int digit_shift(int digit) { return digit == 0 ? 21 : digit == 1 ? 10 : 0; }

template <int T> DEVICE void fill_bins(finder &f, const row_view &v, int digit, uint32_t prefix) {
    int shift = digit_shift(digit), bits = digit_bits(digit);
    for (int i = (int)threadIdx.x; i < BINS; i += SAMPLE_THREADS) {
        f.n[i] = 0;
        f.weight[i] = 0;
    }
    __syncthreads();
    for (int64_t i = (int)threadIdx.x; i < v.width; i += SAMPLE_THREADS) {
        float x = logit<T>(v, i);
        uint32_t order = order_of(x);
        if (digit > 0 && order >> (shift + bits) != prefix) continue;
        int bin = (int)(order >> shift & ((1u << bits) - 1));
        atomicAdd(&f.n[bin], 1u);
        atomicAdd(&f.weight[bin], weight_of(v, x));
    }
    __syncthreads();
    if (threadIdx.x < BIN_GROUPS) {
        totals sum = {0, 0};
        for (int i = 0; i < BINS / BIN_GROUPS; i++) {
            sum.n += f.n[(int)threadIdx.x * (BINS / BIN_GROUPS) + i];
            sum.weight += f.weight[(int)threadIdx.x * (BINS / BIN_GROUPS) + i];
        }
        f.groups[threadIdx.x] = sum;
    }
    __syncthreads();
}

template <int T> DEVICE prefix_end find_prefix(finder &f, const row_view &v, bool by_weight, count64 target) {
    uint32_t prefix = 0;
    __syncthreads();
    if (threadIdx.x == 0) f.before = totals{0, 0};
    for (int digit = 0; digit < DIGITS; digit++) {
        fill_bins<T>(f, v, digit, prefix);
        if (threadIdx.x == 0) {
            int bin = choose_bin(f, by_weight, target);
            f.prefix = prefix << digit_bits(digit) | (uint32_t)bin;
            f.each = f.n[bin] ? f.weight[bin] / f.n[bin] : 0;
        }
        __syncthreads();
        prefix = f.prefix;
    }
    /* Equal logits weigh the same: how many of them are needed. */
    count64 missing = target - amount(f.before, by_weight), needed = by_weight ? (missing + f.each - 1) / f.each : missing;
    return prefix_end{prefix, needed, f.before.weight + needed * f.each};
}

/* The index of the last token of a prefix: the equals-th of its order by index. */
template <int T> DEVICE int32_t last_of(finder &f, const row_view &v, prefix_end end) {
    int64_t each = (v.width + SAMPLE_THREADS - 1) / SAMPLE_THREADS, first = (int64_t)threadIdx.x * each;
    unsigned mine = 0;
    for (int64_t i = first; i < first + each && i < v.width; i++) mine += order_of(logit<T>(v, i)) == end.order;
    __syncthreads();
    f.n[threadIdx.x] = mine;
    if (threadIdx.x == 0) f.prefix = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        count64 seen = 0;
        int t = 0;
        while (t < SAMPLE_THREADS - 1 && seen + f.n[t] < end.equals) seen += f.n[t++];
        f.prefix = (uint32_t)t;
        f.each = end.equals - seen;
    }
    __syncthreads();
    if (threadIdx.x == f.prefix) {
        count64 missing = f.each;
        int64_t found = first;
        for (int64_t i = first; i < first + each && i < v.width && missing > 0; i++)
            if (order_of(logit<T>(v, i)) == end.order) {
                found = i;
                missing--;
            }
        f.groups[0].n = (count64)found;
    }
    __syncthreads();
    return (int32_t)f.groups[0].n;
}

/* ---- a row ---- */

DEVICE uint64_t mixed(uint64_t x) { /* random.h, random_mix */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A share of a prefix's weight, at least 1 and at most all of it. */
DEVICE count64 share_of(count64 weight, double share, bool is_above) {
    count64 target = is_above ? (count64)(share * (double)weight) + 1 : (count64)ceil(share * (double)weight);
    return target < 1 ? 1 : target > weight ? weight : target;
}

template <int T> DEVICE int32_t drawn(finder &f, const row_view &v, const float *params, int64_t seed) {
    count64 top_k = params[1] > 0 && params[1] < (float)v.width ? (count64)params[1] : (count64)v.width;
    count64 kept = find_prefix<T>(f, v, false, top_k).weight;
    if (params[2] < 1) kept = find_prefix<T>(f, v, true, share_of(kept, (double)params[2], false)).weight;
    double u = (double)(mixed((uint64_t)seed) >> 11) * 0x1p-53;
    return last_of<T>(f, v, find_prefix<T>(f, v, true, share_of(kept, u, true)));
}

template <int T> __global__ void __launch_bounds__(SAMPLE_THREADS, 1) sample_kernel(cuda_sample s, int n_parts) {
    FOLLOW();
    typedef typename element<T>::type E;
    DYNAMIC_SHARED(finder, f);
    SHARED(int, turn, [1]);
    const E *logits = (const E *)s.logits + (int64_t)blockIdx.y * s.width;
    row_scratch *scratch = (row_scratch *)s.scratch + blockIdx.y;
    int64_t from = s.width * blockIdx.x / n_parts, end = s.width * (blockIdx.x + 1) / n_parts;
    best_logit best = {element<T>::get(logits[from]), (int32_t)from};
    for (int64_t i = from + threadIdx.x; i < end; i += SAMPLE_THREADS) {
        best_logit b = {element<T>::get(logits[i]), (int32_t)i};
        if (is_before(b, best)) best = b;
    }
    best = block_best(best);
    if (threadIdx.x == 0) {
        scratch->parts[blockIdx.x] = uint4{__float_as_uint(best.x), (uint32_t)best.i, 0, 0};
        __threadfence();
        turn[0] = atomicAdd(&scratch->arrived, 1);
    }
    __syncthreads();
    if (turn[0] < n_parts - 1) return;
    __threadfence();
    best = best_logit{NAN, INT32_MAX};
    if ((int)threadIdx.x < n_parts) {
        uint4 part = ptx_load_coherent(&scratch->parts[threadIdx.x]);
        best = best_logit{__uint_as_float(part.x), (int32_t)part.y};
    }
    best = block_best(best);
    const float *params = s.params + 4 * blockIdx.y;
    if (params[0] > 0 && isfinite(best.x)) best.i = drawn<T>(*f, row_view{logits, s.width, best.x, 1 / params[0]}, params, s.seeds[blockIdx.y]);
    if (threadIdx.x > 0) return;
    scratch->arrived = 0;
    s.y[blockIdx.y] = best.i;
}

template <int T> static int launch_sample(void *stream, const cuda_sample *s) {
    int64_t parts = parts_of(s->width, SAMPLE_PART);
    int n = parts > MOST_PARTS ? MOST_PARTS : (int)parts;
    return LAUNCH((sample_kernel<T>), GRID(n, s->rows), GRID(SAMPLE_THREADS), sizeof(finder), stream, *s, n);
}

extern "C" int CUDA_VARIANT(sample)(void *stream, const struct cuda_sample *s) { return s->rows > 0 ? FOR_TYPE(s->t, launch_sample<T>(stream, s)) : 0; }
extern "C" int64_t CUDA_VARIANT(sample_scratch_bytes)(int64_t rows) { return rows * (int64_t)sizeof(row_scratch); }

/* ---- likelihood: max + log Σ e^(x − max) − x[target] ---- */

template <int T> __global__ void __launch_bounds__(512) nll_kernel(cuda_nll n) {
    FOLLOW();
    typedef typename element<T>::type E;
    const E *x = (const E *)n.logits + (int64_t)blockIdx.x * n.width;
    int32_t target = n.targets[blockIdx.x];
    float most = -INFINITY, sum = 0;
    for (int64_t i = threadIdx.x; i < n.width; i += blockDim.x) most = fmaxf(most, element<T>::get(x[i]));
    most = block_max(most);
    for (int64_t i = threadIdx.x; i < n.width; i += blockDim.x) sum += expf(element<T>::get(x[i]) - most);
    sum = block_sum(sum);
    if (threadIdx.x > 0) return;
    if (target >= n.width) report(n.fault, CUDA_FAULT_TARGET, target, (int32_t)blockIdx.x, n.op);
    n.y[blockIdx.x] = target < 0 || target >= n.width ? 0 : most + logf(sum) - element<T>::get(x[target]);
}

template <int T> static int launch_nll(void *stream, const cuda_nll *n) {
    return LAUNCH((nll_kernel<T>), GRID(n->rows), GRID(512), 0, stream, *n);
}

extern "C" int CUDA_VARIANT(nll)(void *stream, const struct cuda_nll *n) { return n->rows > 0 ? FOR_TYPE(n->t, launch_nll<T>(stream, n)) : 0; }
