/* observe.h: what the emulated device does, told as it happens: the seam of its profiler (private to emulator/). */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_OBSERVE_H
#define ASSAY_KERNELS_CUDA_EMULATOR_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum emulator_work { EMULATOR_KERNEL, EMULATOR_COPY, EMULATOR_FILL };

struct emulator_done {             /* one piece of device work, with its times */
    enum emulator_work kind;
    const char *name;              /* of kernels; lasts */
    uint64_t start_ns, end_ns;
    uint32_t correlation, device, stream;
    size_t bytes;
    int direction;                 /* enum cuda_direction, of copies */
    uint64_t node;                 /* of a graph; 0: none */
};
struct emulator_called {           /* one call of the host */
    const char *name;              /* as the runtime calls it: "cudaLaunchKernel" */
    uint64_t start_ns, end_ns;
    uint32_t correlation;
};

struct emulator_observer {
    void (*called)(const struct emulator_called *c);
    void (*done)(const struct emulator_done *d);
    /* A node was captured, or copied from `original` when its graph was made ready. */
    void (*node_made)(uint64_t node, uint64_t original);
};
/* NULL: nobody looks. */
void emulator_observe(const struct emulator_observer *o);

#ifdef __cplusplus
}
#endif

#endif
