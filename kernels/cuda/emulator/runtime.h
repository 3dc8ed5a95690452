/* runtime.h: the emulated device's time and streams, for tests and for its profiler. A C header. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_RUNTIME_H
#define ASSAY_KERNELS_CUDA_EMULATOR_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/clock.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What things take on the emulated device; the clock moves by these and nothing else. */
struct emulator_costs {
    uint64_t launch_ns;          /* of the host, a kernel or graph launch */
    uint64_t call_ns;            /* of the host, any other call */
    uint64_t latency_ns;         /* from a launch's return to its earliest start */
    uint64_t kernel_ns;          /* of the device, a kernel, and for each block on top: */
    uint64_t block_ns;
    uint64_t copy_ns;            /* a copy or fill, and for each KiB on top: */
    uint64_t kib_ns;
};
/* The clock (a fake one, or NULL: time stands still) and costs (NULL: the defaults) of what is launched from now on. */
void emulator_set_time(struct clock *clock, const struct emulator_costs *costs);
uint64_t emulator_now_ns(void);
/* Memory that the device claims to have; 0: the default. */
void emulator_set_memory(size_t bytes);
/* The n-th next runtime call fails with this code; n < 0: none does. */
void emulator_fail_after(int64_t n, int code);
/* Bytes and pieces allocated and not released, of device and host. */
size_t emulator_allocated(int64_t *pieces);

#ifdef __cplusplus
}
#endif

#endif
