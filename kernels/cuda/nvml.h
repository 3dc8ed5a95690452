/* nvml.h: what is used of NVML, NVIDIA's management library, as one table: filled from libnvidia-ml.so.1, which comes with
 * the driver, or by the emulator. Declared here since the toolkit need not bring nvml.h. Source: NVML API reference. */
#ifndef ASSAY_KERNELS_CUDA_NVML_H
#define ASSAY_KERNELS_CUDA_NVML_H

#ifdef __cplusplus
extern "C" {
#endif

enum { NVML_OK = 0, NVML_NOT_SUPPORTED = 3, NVML_CLOCK_SM = 1, NVML_TEMPERATURE_GPU = 0, NVML_POLICY_POWER = 0, NVML_POLICY_THERMAL = 1 };

struct nvml_violation {
    unsigned long long reference_us; /* when it was read */
    unsigned long long violation_ns; /* for how long clocks were held down, since the driver was loaded */
};

/* name without the library's prefix, arguments; all return the library's status */
#define NVML_LIST(X) \
    X(Init_v2, (void)) \
    X(DeviceGetHandleByUUID, (const char *uuid, void **device)) \
    X(DeviceGetTotalEnergyConsumption, (void *device, unsigned long long *mj)) \
    X(DeviceGetClockInfo, (void *device, unsigned clock, unsigned *mhz)) \
    X(DeviceGetTemperature, (void *device, unsigned sensor, unsigned *celsius)) \
    X(DeviceGetViolationStatus, (void *device, unsigned policy, struct nvml_violation *out))

struct nvml {
#define X(name, arguments) int(*name) arguments;
    NVML_LIST(X)
#undef X
};

extern const struct nvml cuda_emulated_nvml;

#ifdef __cplusplus
}
#endif

#endif
