/* lanes.h: one warp of wrappers, built for the emulator and for a device. */
#ifndef ASSAY_TESTS_KERNELS_CUDA_LANES_H
#define ASSAY_TESTS_KERNELS_CUDA_LANES_H

#include <stdint.h>

enum { LANES_WORDS = 28, LANES_EXACT = 26 /* then 2^x, then nothing */ };

#if defined(__CUDACC__)
#define LANES_VARIANT(name) device_##name
#else
#define LANES_VARIANT(name) emulated_##name
#endif

#ifdef __cplusplus
extern "C" {
#endif
int device_lanes(void *stream, const uint32_t *in, uint32_t *out);
int emulated_lanes(void *stream, const uint32_t *in, uint32_t *out);
#ifdef __cplusplus
}
#endif

#endif
