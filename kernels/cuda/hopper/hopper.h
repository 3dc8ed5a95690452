/* hopper.h: kernels that only compute capability 9.0 runs (sm_90a), and what their launches need. */
#ifndef ASSAY_KERNELS_CUDA_HOPPER_HOPPER_H
#define ASSAY_KERNELS_CUDA_HOPPER_HOPPER_H

#include <cuda.h>

#include "kernels/cuda/kernels.h"

struct hopper_maps {               /* of the copy engine */
    CUtensorMap q, k, v;
};

/* x (rows, columns) of 16-bit type t, copied in boxes of box_rows × 64 columns with the 128-byte swizzle; what lies
 * outside is zero. 0, or an error code of the runtime. */
int hopper_map(CUtensorMap *map, enum dtype t, const void *x, int64_t rows, int64_t columns, int box_rows);

#ifdef __cplusplus
extern "C" {
#endif
int hopper_can_attend(const struct cuda_attention *a);
int hopper_attention(void *stream, const struct cuda_attention *a);
#ifdef __cplusplus
}
#endif

#endif
