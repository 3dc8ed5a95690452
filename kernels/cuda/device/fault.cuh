/* fault.cuh: a kernel says what it found wrong. The word lies in memory that the host sees; looking at it costs nothing
 * until something is wrong. */
#ifndef ASSAY_KERNELS_CUDA_DEVICE_FAULT_CUH
#define ASSAY_KERNELS_CUDA_DEVICE_FAULT_CUH

#include "kernels/cuda/device/device.cuh"
#include "kernels/cuda/kernels.h"

/* Threads that report at once leave one of their reports, whole or mixed: each is true of this launch. */
DEVICE void report(cuda_fault *fault, int32_t code, int32_t value, int32_t slot, int32_t op) {
    volatile cuda_fault *f = fault;
    if (f->code != CUDA_FAULT_NONE) return;
    f->value = value;
    f->slot = slot;
    f->op = op;
    f->code = code;
}

#endif
