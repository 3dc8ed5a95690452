/* map.cu: descriptions of tensors for the copy engine; the driver makes them, and is asked for the function by name. */
#include <cuda_runtime.h>

#include "kernels/cuda/hopper/hopper.h"
#include "kernels/cuda/hopper/tiles.h"

typedef CUresult encode_function(CUtensorMap *, CUtensorMapDataType, cuuint32_t, void *, const cuuint64_t *, const cuuint64_t *, const cuuint32_t *, const cuuint32_t *,
                                 CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

static encode_function *find_encode(void) {
    static encode_function *found;
    void *entry = nullptr;
    cudaDriverEntryPointQueryResult result;
    if (!found && cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &result) == cudaSuccess && result == cudaDriverEntryPointSuccess)
        found = (encode_function *)entry;
    return found;
}

int hopper_map(CUtensorMap *map, enum dtype t, const void *x, int64_t rows, int64_t columns, int box_rows) {
    encode_function *encode = find_encode();
    cuuint64_t sizes[2] = {(cuuint64_t)columns, (cuuint64_t)rows}, strides[1] = {(cuuint64_t)columns * 2};
    cuuint32_t box[2] = {STRIP_COLUMNS, (cuuint32_t)box_rows}, steps[2] = {1, 1};
    if (!encode) return (int)cudaErrorNotSupported;
    CUresult code = encode(map, t == DTYPE_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, (void *)x, sizes, strides, box, steps,
                           CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    return code == CUDA_SUCCESS ? 0 : (int)cudaErrorInvalidValue;
}
