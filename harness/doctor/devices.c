/* devices.c: GPUs, or the first reason for there being none: bus, kernel module, device files, driver library.
 * The driver is not started: a process that has done so may not fork workers that use it. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/doctor/findings.h"

static const char bus[] = "/sys/bus/pci/devices", gpus[] = "/proc/driver/nvidia/gpus";

/* NVIDIA's vendor id, and a class of display controllers (0x03). */
static int is_gpu(const char *name) {
    char path[512], vendor[16] = "", class[16] = "";
    snprintf(path, sizeof path, "%s/%s/vendor", bus, name);
    line_read(path, vendor, sizeof vendor);
    snprintf(path, sizeof path, "%s/%s/class", bus, name);
    line_read(path, class, sizeof class);
    return strcmp(vendor, "0x10de") == 0 && strncmp(class, "0x03", 4) == 0;
}

static int count_on_bus(void) {
    int n = 0;
    DIR *d = opendir(bus);
    for (struct dirent *e; d && (e = readdir(d));) n += e->d_name[0] != '.' && is_gpu(e->d_name);
    if (d) closedir(d);
    return n;
}

/* "NVIDIA H100 80GB HBM3, …"; as the kernel module names them. */
static int module_names(struct text *names) {
    int n = 0;
    DIR *d = opendir(gpus);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[512], model[128] = "unknown";
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/information", gpus, e->d_name);
        line_find(path, "Model", model, sizeof model);
        text_append(names, "%s%s", n++ ? ", " : "", model);
    }
    if (d) closedir(d);
    return n;
}

static int has_driver_library(void) {
    void *library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (library) dlclose(library);
    return library != NULL;
}

void doctor_devices(struct doctor_report *r) {
    struct text names = {0};
    char version[256] = "";
    int on_bus = count_on_bus(), in_module = module_names(&names);
    if (!on_bus && !in_module)
        finding_add(r, SCOPE_MACHINE, "gpu", FINDING_OK, "",
                    "none: no NVIDIA device on the PCI bus; the CPU backend is used");
    else if (!in_module)
        finding_add(r, SCOPE_MACHINE, "gpu", FINDING_WARN,
                    "install the NVIDIA driver and load its module (modprobe nvidia)",
                    "%d on the PCI bus, but the kernel module is not loaded", on_bus);
    else if (access("/dev/nvidiactl", F_OK) != 0 && access("/dev/nvidia0", F_OK) != 0)
        finding_add(r, SCOPE_MACHINE, "gpu", FINDING_WARN,
                    "give the container its devices (--gpus all), or run nvidia-modprobe", "%s: no /dev/nvidia* here",
                    names.data);
    else if (!has_driver_library())
        finding_add(r, SCOPE_MACHINE, "gpu", FINDING_WARN,
                    "install the driver's libcuda.so.1, or mount it into the container",
                    "%s: the driver's library libcuda.so.1 is not found", names.data);
    else finding_add(r, SCOPE_MACHINE, "gpu", FINDING_OK, "", "%s", names.data);
    if (line_read("/proc/driver/nvidia/version", version, sizeof version))
        finding_add(r, SCOPE_ENVIRONMENT, "gpu.driver", FINDING_OK, "", "%s", version);
    text_free(&names);
}
