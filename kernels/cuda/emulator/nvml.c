/* nvml.c: the stand-in for NVML on the emulator: what was said of the device, over its clock. */
#include "kernels/cuda/nvml.h"

#include <string.h>

#include "kernels/cuda/emulator/nvml.h"
#include "kernels/cuda/emulator/runtime.h"

enum { NOT_FOUND = 6, CLOCK_MHZ = 1000, CELSIUS = 40 };

static struct emulator_instruments instruments;

void emulator_nvml(const struct emulator_instruments *i) { instruments = *i; }

static int init(void) { return NVML_OK; }
static int handle_by_uuid(const char *uuid, void **device) {
    *device = &instruments;
    return strcmp(uuid, "GPU-01234567-89ab-cdef-0123-456789abcdef") == 0 ? NVML_OK : NOT_FOUND;
}
static int energy(void *device, unsigned long long *mj) {
    (void)device;
    *mj = (unsigned long long)(instruments.power_w * 1e3 * (double)emulator_now_ns() * 1e-9);
    return instruments.power_w > 0 ? NVML_OK : NVML_NOT_SUPPORTED;
}
static int clock_info(void *device, unsigned clock, unsigned *mhz) { return (void)device, (void)clock, *mhz = CLOCK_MHZ, NVML_OK; }
static int temperature(void *device, unsigned sensor, unsigned *celsius) { return (void)device, (void)sensor, *celsius = CELSIUS, NVML_OK; }
static int violation(void *device, unsigned policy, struct nvml_violation *out) {
    (void)device;
    double share = policy == NVML_POLICY_POWER ? instruments.held_by_power : instruments.held_by_heat;
    *out = (struct nvml_violation){emulator_now_ns() / 1000, (unsigned long long)(share * (double)emulator_now_ns())};
    return NVML_OK;
}

const struct nvml cuda_emulated_nvml = {
    .Init_v2 = init, .DeviceGetHandleByUUID = handle_by_uuid, .DeviceGetTotalEnergyConsumption = energy,
    .DeviceGetClockInfo = clock_info, .DeviceGetTemperature = temperature, .DeviceGetViolationStatus = violation};
