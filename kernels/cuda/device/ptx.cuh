/* ptx.cuh: every PTX instruction that the kernels use, each as a function of C types with its C body for the emulator.
 * The layouts of fragments are those of the PTX manual; tests/gpu.sh compares each wrapper with its C body lane by
 * lane on a device. */
#ifndef ASSAY_KERNELS_CUDA_DEVICE_PTX_CUH
#define ASSAY_KERNELS_CUDA_DEVICE_PTX_CUH

#include <stdint.h>

#include "kernels/types.h"

#define PTX __device__ __forceinline__ static

/* ---- conversions, rounding half to even ---- */

PTX uint16_t ptx_bf16(float x) {
#if defined(__CUDACC__)
    uint16_t y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
#else
    return f32_to_bf16(x);
#endif
}

PTX uint16_t ptx_f16(float x) {
#if defined(__CUDACC__)
    uint16_t y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
#else
    return f32_to_f16(x);
#endif
}

PTX float ptx_from_f16(uint16_t x) {
#if defined(__CUDACC__)
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
#else
    return f16_to_f32(x);
#endif
}

/* Two numbers as one register: low half first. */
PTX uint32_t ptx_pair_bf16(float low, float high) {
#if defined(__CUDACC__)
    uint32_t y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
#else
    return (uint32_t)f32_to_bf16(low) | (uint32_t)f32_to_bf16(high) << 16;
#endif
}

PTX uint32_t ptx_pair_f16(float low, float high) {
#if defined(__CUDACC__)
    uint32_t y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
#else
    return (uint32_t)f32_to_f16(low) | (uint32_t)f32_to_f16(high) << 16;
#endif
}

/* ---- kernels that follow each other closely (sm_90): a kernel may begin before the one ahead of it ends ---- */

/* Until the kernels ahead have ended and what they wrote is seen. Before this a kernel may touch only what none of
 * them writes: weights, its parameters. */
PTX void ptx_wait_for_predecessors() {
#if defined(__CUDACC__) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* The kernel behind may begin, once every block has said so. */
PTX void ptx_let_successors_begin() {
#if defined(__CUDACC__) && defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* ---- loads past the first-level cache: for what is read once ---- */

PTX uint4 ptx_load_once(const void *p) {
    uint4 v;
#if defined(__CUDACC__)
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
#else
    memcpy(&v, p, sizeof v);
#endif
    return v;
}

/* 16 bytes that another block wrote: not from the first-level cache. */
PTX uint4 ptx_load_coherent(const void *p) {
    uint4 v;
#if defined(__CUDACC__)
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p) : "memory");
#else
    memcpy(&v, p, sizeof v);
#endif
    return v;
}

/* `bytes`, a multiple of 16, on their way into the second-level cache (sm_90; elsewhere nothing). */
PTX void ptx_prefetch(const void *p, uint32_t bytes) {
#if !defined(__CUDACC__)
    if (((uintptr_t)p | bytes) % 16) emulator::fail("a bulk prefetch of a place or size that is no multiple of 16", "ptx_prefetch");
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(p), "r"(bytes));
#endif
}

/* 2^x, fast: relative error about 2^-22. */
PTX float ptx_exp2(float x) {
#if defined(__CUDACC__)
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

/* ---- tensor cores ---- */

#if !defined(__CUDACC__)
/* d (16, 8) += a (16, 16) · b (16, 8): every lane shows its fragments to all, and computes its own four results. */
template <class Widen> static inline void ptx_mma_body(float d[4], const uint32_t a[4], const uint32_t b[2], Widen widen) {
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const emulator::slots *all = emulator::exchange(0xffffffffu, mine, sizeof mine, "mma", "ptx_mma");
    unsigned lane = emulator::now->lane, row = lane / 4, column = lane % 4 * 2;
    auto word = [&](unsigned from, int i) {
        uint32_t w;
        memcpy(&w, all->lane[from] + 4 * i, sizeof w);
        return w;
    };
    for (int r = 0; r < 2; r++)
        for (int c = 0; c < 2; c++) {
            float sum = d[2 * r + c];
            for (unsigned k = 0; k < 16; k++) {
                uint32_t x = word(row * 4 + k % 8 / 2, r + (k >= 8 ? 2 : 0)), y = word((column + (unsigned)c) * 4 + k % 8 / 2, k >= 8 ? 5 : 4);
                sum += widen((uint16_t)(k & 1 ? x >> 16 : x)) * widen((uint16_t)(k & 1 ? y >> 16 : y));
            }
            d[2 * r + c] = sum;
        }
}
#endif

/* Fragments of m16n8k16: lane l, g = l / 4, t = l % 4.
 *   a: rows g and g+8; a[0] (g, 2t..2t+1), a[1] (g+8, same), a[2] (g, 2t+8..), a[3] (g+8, 2t+8..)
 *   b: column g; b[0] rows 2t..2t+1, b[1] rows 2t+8..2t+9
 *   d: d[0..1] (g, 2t..2t+1), d[2..3] (g+8, 2t..2t+1) */
PTX void ptx_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
#if defined(__CUDACC__)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    ptx_mma_body(d, a, b, bf16_to_f32);
#endif
}

PTX void ptx_mma_f16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
#if defined(__CUDACC__)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    ptx_mma_body(d, a, b, f16_to_f32);
#endif
}

#if !defined(__CUDACC__)
/* Lane l gets words (row l / 4, word l % 4) of the 8 × 8 matrix whose row r lies where lane 8·m + r points. */
static inline void ptx_ldmatrix_body(uint32_t r[4], const void *row, bool is_transposed) {
    if ((uintptr_t)row % 16) emulator::fail("ldmatrix from an address that is no multiple of 16", "ptx_ldmatrix");
    const emulator::slots *all = emulator::exchange(0xffffffffu, &row, sizeof row, is_transposed ? "ldmatrix.trans" : "ldmatrix", "ptx_ldmatrix");
    unsigned lane = emulator::now->lane;
    for (int m = 0; m < 4; m++) {
        uint16_t pair[2];
        for (unsigned h = 0; h < 2; h++) {
            unsigned i = is_transposed ? lane % 4 * 2 + h : lane / 4, j = is_transposed ? lane / 4 : lane % 4 * 2 + h;
            const uint16_t *from;
            memcpy(&from, all->lane[8 * m + (int)i], sizeof from);
            pair[h] = from[j];
        }
        r[m] = (uint32_t)pair[0] | (uint32_t)pair[1] << 16;
    }
}
#endif

/* Four 8 × 8 matrices of 16-bit elements from shared memory; lane l says where row l % 8 of matrix l / 8 begins. */
PTX void ptx_ldmatrix(uint32_t r[4], const void *row) {
#if defined(__CUDACC__)
    uint32_t p = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(p) : "memory");
#else
    ptx_ldmatrix_body(r, row, false);
#endif
}

/* The same, each matrix transposed. */
PTX void ptx_ldmatrix_transposed(uint32_t r[4], const void *row) {
#if defined(__CUDACC__)
    uint32_t p = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(p) : "memory");
#else
    ptx_ldmatrix_body(r, row, true);
#endif
}

/* ---- asynchronous copies to shared memory ---- */

/* 16 bytes, or 16 zeros where `is_there` is 0 (`from` must be a valid address all the same). */
PTX void ptx_copy16(void *to, const void *from, bool is_there) {
#if defined(__CUDACC__)
    uint32_t p = (uint32_t)__cvta_generic_to_shared(to), bytes = is_there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(p), "l"(from), "r"(bytes) : "memory");
#else
    static const uint4 zeros = {0, 0, 0, 0};
    if (((uintptr_t)to | (uintptr_t)from) % 16) emulator::fail("cp.async at an address that is no multiple of 16", "ptx_copy16");
    emulator::copy_begin(to, is_there ? from : &zeros, 16);
#endif
}

PTX void ptx_copy_commit() {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    emulator::copy_commit();
#endif
}

/* Until at most N of this thread's newest groups are under way. */
template <int N> PTX void ptx_copy_wait() {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#else
    emulator::copy_wait(N);
#endif
}

#endif
