/* host_work.h: a C function as a kernel of the emulated device: for stand-ins of libraries (private to emulator/). */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_HOST_WORK_H
#define ASSAY_KERNELS_CUDA_EMULATOR_HOST_WORK_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts run(a copy of argument) on the stream, as a kernel of this name (which lasts). 0, or the runtime's code. */
int emulator_host_work(void *stream, const char *name, void (*run)(void *argument), const void *argument, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
