/* kernel_file.h: what a kernel file includes, for builds that put the rest of it into a namespace of the variant's own:
 * the same kernels, built for devices, for the emulator and for its race detector, meet in one program. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_KERNEL_FILE_H
#define ASSAY_KERNELS_CUDA_EMULATOR_KERNEL_FILE_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cuda/emulator/emulator.h"
#include "kernels/cuda/kernels.h"

#if defined(ASSAY_RACE)
#define KERNEL_SPACE raced
#else
#define KERNEL_SPACE emulated
#endif

#endif
