/* unit.cuh: small matrix products of a warp on fragments: tensor cores for 16-bit types, plain arithmetic for f32, in
 * one form. d (16, 8): lane l holds rows g, g+8 (g = l / 4) and columns 2t, 2t+1 (t = l % 4): d[0..1], d[2..3].
 *
 * unit<T>::STEP is how many k a fragment covers. a: 16 rows × STEP; b: STEP × 16 columns (two d's). */
#ifndef ASSAY_KERNELS_CUDA_DEVICE_UNIT_CUH
#define ASSAY_KERNELS_CUDA_DEVICE_UNIT_CUH

#include "kernels/cuda/device/device.cuh"

DEVICE int lane_of() { return (int)threadIdx.x % WARP_LANES; }

template <int T> struct unit {
    enum { STEP = 16 };
    typedef uint16_t E;
    struct a_fragment {
        uint32_t r[4];
    };
    struct b_fragment {
        uint32_t r[4];
    };
    /* From shared memory, rows `ld` elements apart, a multiple of 16 bytes. */
    static __device__ __forceinline__ void load_a(a_fragment &a, const E *p, int ld) {
        int lane = lane_of();
        ptx_ldmatrix(a.r, p + (lane % 16) * ld + lane / 16 * 8);
    }
    /* b given as its transpose: (16 columns, STEP) */
    static __device__ __forceinline__ void load_b_by_column(b_fragment &b, const E *p, int ld) {
        int lane = lane_of();
        ptx_ldmatrix(b.r, p + (lane % 8 + lane / 16 * 8) * ld + lane / 8 % 2 * 8);
    }
    /* b as it is: (STEP, 16 columns) */
    static __device__ __forceinline__ void load_b_by_row(b_fragment &b, const E *p, int ld) {
        int lane = lane_of();
        ptx_ldmatrix_transposed(b.r, p + (lane % 16) * ld + lane / 16 * 8);
    }
    static __device__ __forceinline__ void multiply(float (&d0)[4], float (&d1)[4], const a_fragment &a, const b_fragment &b) {
        if (T == DTYPE_BF16) {
            ptx_mma_bf16(d0, a.r, b.r);
            ptx_mma_bf16(d1, a.r, b.r + 2);
        } else {
            ptx_mma_f16(d0, a.r, b.r);
            ptx_mma_f16(d1, a.r, b.r + 2);
        }
    }
    /* Results of two neighbouring d's (16 columns) as the left factor of the next product; `part` is 0. */
    static __device__ __forceinline__ void take(a_fragment &a, const float (&d0)[4], const float (&d1)[4], int part) {
        (void)part;
        a.r[0] = pair(d0[0], d0[1]);
        a.r[1] = pair(d0[2], d0[3]);
        a.r[2] = pair(d1[0], d1[1]);
        a.r[3] = pair(d1[2], d1[3]);
    }
    static __device__ __forceinline__ uint32_t pair(float low, float high) { return T == DTYPE_BF16 ? ptx_pair_bf16(low, high) : ptx_pair_f16(low, high); }
};

template <> struct unit<DTYPE_F32> {
    enum { STEP = 4 };
    typedef float E;
    struct a_fragment {
        float r[2][STEP];  /* rows g, g+8 */
    };
    struct b_fragment {
        float r[4][STEP];  /* columns 2t, 2t+1, 8+2t, 8+2t+1 */
    };
    static __device__ __forceinline__ void load_a(a_fragment &a, const E *p, int ld) {
        int row = lane_of() / 4;
        UNROLL for (int i = 0; i < 2; i++)
            UNROLL for (int k = 0; k < STEP; k++) a.r[i][k] = p[(row + 8 * i) * ld + k];
    }
    static __device__ __forceinline__ int column(int i) { return lane_of() % 4 * 2 + i % 2 + i / 2 * 8; }
    static __device__ __forceinline__ void load_b_by_column(b_fragment &b, const E *p, int ld) {
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int k = 0; k < STEP; k++) b.r[i][k] = p[column(i) * ld + k];
    }
    static __device__ __forceinline__ void load_b_by_row(b_fragment &b, const E *p, int ld) {
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int k = 0; k < STEP; k++) b.r[i][k] = p[k * ld + column(i)];
    }
    static __device__ __forceinline__ void multiply(float (&d0)[4], float (&d1)[4], const a_fragment &a, const b_fragment &b) {
        UNROLL for (int i = 0; i < 4; i++)
            UNROLL for (int k = 0; k < STEP; k++) {
                d0[i] += a.r[i / 2][k] * b.r[i % 2][k];
                d1[i] += a.r[i / 2][k] * b.r[2 + i % 2][k];
            }
    }
    /* Columns 4·part .. 4·part+3 of the 16; part 0 to 3. Two lanes of the row's four hold them. */
    static __device__ __forceinline__ void take(a_fragment &a, const float (&d0)[4], const float (&d1)[4], int part) {
        int from = lane_of() / 4 * 4 + part % 2 * 2;
        UNROLL for (int i = 0; i < 2; i++)
            UNROLL for (int k = 0; k < STEP; k++)
                a.r[i][k] = __shfl_sync(ALL_LANES, part < 2 ? d0[2 * i + k % 2] : d1[2 * i + k % 2], from + k / 2);
    }
};

/* Loads `rows` × WIDTH elements into shared memory, rows `ld` apart: element (r, c) from p + r·stride + c; what lies
 * beyond the first `n` rows or `width` columns is zero. Asynchronous where rows are wide; commit and wait, then meet. */
template <int T, int WIDTH, bool IS_WIDE>
DEVICE void load_tile(typename element<T>::type *to, int ld, const typename element<T>::type *p, int64_t stride, int rows, int64_t n, int64_t width) {
    constexpr int V = wide<T>::N, PIECES = WIDTH / V;
    if (IS_WIDE) {
        for (int i = (int)threadIdx.x; i < rows * PIECES; i += (int)blockDim.x) {
            int r = i / PIECES, c = i % PIECES * V;
            bool is_there = r < n && c < width;
            ptx_copy16(to + r * ld + c, is_there ? p + r * stride + c : p, is_there);
        }
    } else {
        for (int i = (int)threadIdx.x; i < rows * WIDTH; i += (int)blockDim.x) {
            int r = i / WIDTH, c = i % WIDTH;
            to[r * ld + c] = r < n && c < width ? p[r * stride + c] : element<T>::put(0);
        }
    }
}

/* Rows of shared tiles are padded by 16 bytes: fragments' rows then lie in different banks. */
template <int T, int WIDTH> struct padded {
    enum { LD = WIDTH + wide<T>::N };
};

#endif
