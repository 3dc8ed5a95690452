/* cupti.h: what can go wrong with the emulated CUPTI, and which device it reports, for tests. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_CUPTI_H
#define ASSAY_KERNELS_CUDA_EMULATOR_CUPTI_H

#include <stdint.h>

enum emulator_cupti_trouble {
    EMULATOR_CUPTI_TAKEN,          /* n: another tool has subscribed (0: no more) */
    EMULATOR_CUPTI_DROPS,          /* the next n records are lost */
    EMULATOR_CUPTI_UNTIMED,        /* the next n pieces of work have no times */
    EMULATOR_CUPTI_DENIED,         /* n: the user may not profile */
    EMULATOR_CUPTI_CLOCK           /* the system's clock, which is CUPTI's, is set by n ns as the next work begins */
};
void emulator_cupti_trouble(enum emulator_cupti_trouble t, int n);

struct emulator_cupti_device {
    uint32_t device;
    uint8_t uuid[16];
    const char *name;              /* NULL: none is reported */
};
void emulator_cupti_device(const struct emulator_cupti_device *d);

#endif
