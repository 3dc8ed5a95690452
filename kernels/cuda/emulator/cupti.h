/* cupti.h: what can go wrong with the emulated CUPTI, for tests. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_CUPTI_H
#define ASSAY_KERNELS_CUDA_EMULATOR_CUPTI_H

enum emulator_cupti_trouble {
    EMULATOR_CUPTI_TAKEN,          /* n: another tool has subscribed (0: no more) */
    EMULATOR_CUPTI_DROPS,          /* the next n records are lost */
    EMULATOR_CUPTI_UNTIMED         /* the next n pieces of work have no times */
};
void emulator_cupti_trouble(enum emulator_cupti_trouble t, int n);

#endif
