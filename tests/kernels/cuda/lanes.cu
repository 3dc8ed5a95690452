/* lanes.cu: every wrapper of ptx.cuh, called by one warp on given words: what each lane gives in, and what it gets. */
#include "kernels/cuda/device/device.cuh"
#include "tests/kernels/cuda/lanes.h"

DEVICE float number(uint32_t u) { return __uint_as_float(u); }
DEVICE uint32_t word(float x) { return __float_as_uint(x); }

/* in, out: LANES_WORDS words a lane */
__global__ void __launch_bounds__(WARP_LANES) lanes_kernel(const uint32_t *all_in, uint32_t *all_out) {
    FOLLOW();
    SHARED(uint16_t, tile, [WARP_LANES * 8]);
    SHARED(uint4, landed, [2 * WARP_LANES]);
    int lane = (int)threadIdx.x;
    const uint32_t *in = all_in + lane * LANES_WORDS;
    uint32_t *out = all_out + lane * LANES_WORDS;
    int at = 0;
    out[at++] = ptx_bf16(number(in[0]));
    out[at++] = ptx_f16(number(in[0]));
    out[at++] = word(ptx_from_f16((uint16_t)in[1]));
    out[at++] = ptx_pair_bf16(number(in[0]), number(in[2]));
    out[at++] = ptx_pair_f16(number(in[0]), number(in[2]));
    uint4 once = ptx_load_once(all_in + lane * LANES_WORDS);
    out[at++] = once.x;
    out[at++] = once.w;
    ptx_prefetch(in, 16);
    out[at++] = ptx_load_coherent(in + 4).y;
    /* products of small whole numbers: sums are exact in any order */
    float d[4] = {1, 2, 3, 4}, e[4] = {1, 2, 3, 4};
    ptx_mma_bf16(d, in + 4, in + 8);
    ptx_mma_f16(e, in + 10, in + 14);
    for (int i = 0; i < 4; i++) out[at++] = word(d[i]);
    for (int i = 0; i < 4; i++) out[at++] = word(e[i]);
    for (int i = 0; i < 8; i++) tile[lane * 8 + i] = (uint16_t)(in[16 + i / 2] >> i % 2 * 16);
    __syncwarp(ALL_LANES);
    uint32_t r[4];
    ptx_ldmatrix(r, tile + lane * 8);
    for (int i = 0; i < 4; i++) out[at++] = r[i];
    ptx_ldmatrix_transposed(r, tile + lane * 8);
    for (int i = 0; i < 4; i++) out[at++] = r[i];
    ptx_copy16(landed + lane, all_in + lane * LANES_WORDS, true);
    ptx_copy_commit();
    ptx_copy16(landed + WARP_LANES + lane, all_in + lane * LANES_WORDS, lane % 2 == 0);
    ptx_copy_commit();
    ptx_copy_wait<1>();
    out[at++] = landed[lane].y;
    ptx_copy_wait<0>();
    out[at++] = landed[WARP_LANES + lane].z;
    out[at++] = word(ptx_exp2(number(in[20]))); /* the last: approximate */
    while (at < LANES_WORDS) out[at++] = 0;
}

extern "C" int LANES_VARIANT(lanes)(void *stream, const uint32_t *in, uint32_t *out) {
    return LAUNCH(lanes_kernel, GRID(1), GRID(WARP_LANES), 0, stream, in, out);
}
