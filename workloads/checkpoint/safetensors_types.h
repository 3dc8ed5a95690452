/* safetensors_types.h: element types as safetensors headers name them. Writing takes the first of a type. */
#ifndef ASSAY_WORKLOADS_CHECKPOINT_SAFETENSORS_TYPES_H
#define ASSAY_WORKLOADS_CHECKPOINT_SAFETENSORS_TYPES_H

#include "kernels/types.h"

enum { SAFETENSORS_TYPE_COUNT = 9 };

static const struct {
    const char *name;
    enum dtype dtype;
} safetensors_types[SAFETENSORS_TYPE_COUNT] = {
    {"F32", DTYPE_F32}, {"F16", DTYPE_F16}, {"BF16", DTYPE_BF16}, {"F64", DTYPE_F64}, {"I8", DTYPE_I8},
    {"U8", DTYPE_U8},   {"I32", DTYPE_I32}, {"I64", DTYPE_I64},   {"BOOL", DTYPE_U8}, /* one byte, 0 or 1 */
};

#endif
