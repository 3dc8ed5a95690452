/* attention.cuh: the two forms of fused attention: prefill.cu for many rows of a slot, decode.cu for few.
 * Online softmax: Milakov & Gimelshein 2018; tiles, split keys and their merging: Dao et al. 2022, 2023. */
#ifndef ASSAY_KERNELS_CUDA_DEVICE_ATTENTION_CUH
#define ASSAY_KERNELS_CUDA_DEVICE_ATTENTION_CUH

#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

/* From this many rows of a slot on, keys are shared by tiles of rows. */
enum { LEAST_ROWS_FOR_PREFILL = 8, WIDEST_HEAD = 128 };

extern "C" {
int CUDA_VARIANT(attention_prefill)(void *stream, const struct cuda_attention *a);
int CUDA_VARIANT(attention_decode)(void *stream, const struct cuda_attention *a);
}

/* CODE with W the head's width, padded to 32, 64 or 128. */
#define FOR_WIDTH(width, CODE) \
    ((width) <= 32 ? [&] { constexpr int W = 32; return CODE; }() : (width) <= 64 ? [&] { constexpr int W = 64; return CODE; }() \
                                                                           : [&] { constexpr int W = 128; return CODE; }())

#endif
