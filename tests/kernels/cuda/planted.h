/* planted.h: mistakes that the emulator must find (see planted.cu). */
#ifndef ASSAY_TESTS_KERNELS_CUDA_PLANTED_H
#define ASSAY_TESTS_KERNELS_CUDA_PLANTED_H

enum planted {
    PLANTED_BARRIER, PLANTED_WARP_BARRIER, PLANTED_REUSE, PLANTED_WAIT, PLANTED_LANES, PLANTED_BRANCH, PLANTED_LEAVE, PLANTED_UNEVEN, PLANTED_OUTSIDE,
    PLANTED_UNWRITTEN, PLANTED_COUNT
};
enum { PLANTED_OUT = 128, PLANTED_IN_BYTES = 2 * 32 * 16 };

#if defined(ASSAY_RACE)
#define PLANTED_VARIANT(name) raced_##name
#else
#define PLANTED_VARIANT(name) emulated_##name
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* Launches it, with the mistake or without, on an emulated stream; out: PLANTED_OUT ints. */
int emulated_planted(enum planted which, int is_right, void *stream, int *out, const void *in);
int raced_planted(enum planted which, int is_right, void *stream, int *out, const void *in);
#ifdef __cplusplus
}
#endif

#endif
