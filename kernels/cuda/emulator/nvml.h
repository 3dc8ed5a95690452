/* nvml.h: what the emulated device's instruments say, for tests. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_NVML_H
#define ASSAY_KERNELS_CUDA_EMULATOR_NVML_H

struct emulator_instruments {
    double power_w;                /* all the time; 0: the device counts no energy */
    double held_by_power, held_by_heat; /* shares of all time */
};
void emulator_nvml(const struct emulator_instruments *i);

#endif
