/* schedule.h: in which order emulated threads run, and when copies land: what a test varies. A C header. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_SCHEDULE_H
#define ASSAY_KERNELS_CUDA_EMULATOR_SCHEDULE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum emulator_order { EMULATOR_FORWARD, EMULATOR_REVERSE, EMULATOR_RANDOM };
enum emulator_copies { EMULATOR_LAZY, EMULATOR_EAGER, EMULATOR_DRAWN };

struct emulator_schedule {
    enum emulator_order order;    /* of warps and lanes */
    enum emulator_copies copies;  /* cp.async lands at its wait, at its issue, or as drawn for each block */
    int is_stream_eager;          /* 0: what is put on a stream runs when something waits for it; 1: at once */
    uint64_t seed;
};
void emulator_set_schedule(const struct emulator_schedule *s);

#ifdef __cplusplus
}
#endif

#endif
