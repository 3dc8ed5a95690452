/* cuda.c: what the cuda backend would find here: its kernels, the driver, a device, and each of NVIDIA's libraries with the
 * folders that are searched. Starts the driver and loads libraries of hundreds of megabytes: for `assay doctor` alone. */
#include <string.h>

#include "harness/doctor/findings.h"
#include "kernels/cuda/library.h"
#include "kernels/cuda/runtime.h"

static void add_build(struct doctor_report *r, const struct cuda_runtime *rt) {
    int driver = 0, runtime = 0;
    if (rt) rt->versions(&driver, &runtime);
    if (!rt) finding_add(r, SCOPE_ENVIRONMENT, "cuda.kernels", FINDING_OK, "", "none: no nvcc of CUDA 12.6 or later was found when this was built; only cuda-emulated works");
    else
        finding_add(r, SCOPE_ENVIRONMENT, "cuda.kernels", FINDING_OK, "", "for compute capability 8.0 and later, with the runtime of CUDA %d.%d", runtime / 1000,
                    runtime % 1000 / 10);
}

static void add_driver(struct doctor_report *r, const struct cuda_runtime *rt, const char *trouble) {
    int driver = 0, runtime = 0;
    rt->versions(&driver, &runtime);
    if (trouble) finding_add(r, SCOPE_ENVIRONMENT, "cuda.driver", FINDING_OK, "", "cannot be used: %s", trouble);
    else finding_add(r, SCOPE_ENVIRONMENT, "cuda.driver", FINDING_OK, "", "of CUDA %d.%d", driver / 1000, driver % 1000 / 10);
}

static void add_device(struct doctor_report *r, const struct cuda_runtime *rt) {
    struct cuda_properties p;
    if (rt->use(0) != 0 || rt->properties(0, &p) != 0) return;
    finding_add(r, SCOPE_ENVIRONMENT, "cuda.device", p.major >= 8 ? FINDING_OK : FINDING_BAD, "compute capability 8.0 (Ampere) or later is needed", "%s, compute capability %d.%d, %.0f GiB",
                p.name, p.major, p.minor, (double)p.memory_bytes / 0x1p30);
}

/* Without a device nothing needs the libraries: that they are not there is a fact, not a fault. */
static void add_library(struct doctor_report *r, const char *key, const void *table, const char *path, const struct error *e, int is_needed) {
    finding_add(r, SCOPE_ENVIRONMENT, key, table || !is_needed ? FINDING_OK : FINDING_WARN, e->text, "%s", table ? path : "not found");
}

static void add_search(struct doctor_report *r) {
    struct text folders = {0};
    for (int i = 0; library_folder(i); i++) text_append(&folders, "%s%s", i ? ", " : "", *library_folder(i) ? library_folder(i) : "the loader's own path");
    finding_add(r, SCOPE_ENVIRONMENT, "cuda.searched", FINDING_OK, "", "%s", folders.data);
    text_free(&folders);
}

void doctor_cuda(struct doctor_report *r) {
    const struct cuda_runtime *rt = cuda_device_runtime();
    const char *trouble = rt ? rt->trouble() : NULL, *path;
    int is_usable = rt && !trouble;
    struct error missing[3] = {0};
    add_build(r, rt);
    if (rt) add_driver(r, rt, trouble);
    if (is_usable) add_device(r, rt);
    const void *blaslt = library_blaslt(&path, &missing[0]);
    add_library(r, "cuda.cublaslt", blaslt, path, &missing[0], is_usable);
    const void *cupti = library_cupti(&path, &missing[1]);
    add_library(r, "cuda.cupti", cupti, path, &missing[1], is_usable);
    const void *nvml = library_nvml(&path, &missing[2]);
    add_library(r, "cuda.nvml", nvml, path, &missing[2], is_usable);
    add_search(r);
}
