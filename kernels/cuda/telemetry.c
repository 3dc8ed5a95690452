/* telemetry.c: a device's own instruments, by NVML. What a device does not have is unknown, never zero. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/nvml.h"

/* "GPU-8-4-4-4-12" of 32 digits; where part of a device is used, its own identity is not one that NVML measures by. */
static void identity_text(const char *uuid, char *to, size_t bytes) {
    snprintf(to, bytes, "GPU-%.8s-%.4s-%.4s-%.4s-%.12s", uuid, uuid + 8, uuid + 12, uuid + 16, uuid + 20);
}

static void open_instruments(struct cuda_device *d) {
    char identity[64];
    struct error e = {0};
    const char *path;
    void *handle = NULL;
    d->instruments_are_known = 1;
    const struct nvml *library = strlen(d->properties.uuid) == 32 ? d->platform.nvml(&path, &e) : NULL;
    if (!library || library->Init_v2() != NVML_OK) return;
    identity_text(d->properties.uuid, identity, sizeof identity);
    if (library->DeviceGetHandleByUUID(identity, &handle) != NVML_OK) return;
    d->nvml = library;
    d->instruments = handle;
}

static double energy_j(const struct cuda_device *d) {
    unsigned long long mj;
    return d->nvml->DeviceGetTotalEnergyConsumption(d->instruments, &mj) == NVML_OK ? (double)mj * 1e-3 : NAN;
}

static double held_down_s(const struct cuda_device *d, unsigned policy) {
    struct nvml_violation v = {0};
    return d->nvml->DeviceGetViolationStatus(d->instruments, policy, &v) == NVML_OK ? (double)v.violation_ns * 1e-9 : NAN;
}

void cuda_telemetry(struct device *device, struct telemetry *out) {
    struct cuda_device *d = (struct cuda_device *)(void *)device;
    size_t available, total;
    unsigned clock_mhz, celsius;
    if (!d->instruments_are_known) open_instruments(d);
    if (d->rt->memory(&available, &total) == 0) out->used_bytes = (double)(total - available);
    if (!d->nvml) return;
    out->energy_j = energy_j(d);
    out->held_by_power_s = held_down_s(d, NVML_POLICY_POWER);
    out->held_by_heat_s = held_down_s(d, NVML_POLICY_THERMAL);
    if (d->nvml->DeviceGetClockInfo(d->instruments, NVML_CLOCK_SM, &clock_mhz) == NVML_OK) out->clock_mhz = clock_mhz;
    if (d->nvml->DeviceGetTemperature(d->instruments, NVML_TEMPERATURE_GPU, &celsius) == NVML_OK) out->temperature_c = celsius;
}
