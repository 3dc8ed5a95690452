/* no_device.c: stands in where nvcc was not found: the cuda backend is listed, and says so. */
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"

const struct cuda_runtime *cuda_device_runtime(void) { return 0; }
const struct cuda_kernels *cuda_device_kernel_table(void) { return 0; }
