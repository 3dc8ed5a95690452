/* library.h: NVIDIA's libraries, looked up at run time: the same binary starts where there are none.
 *
 * Search order, for each: what the process has loaded already, $ASSAY_CUDA_LIBRARIES (a folder), the loader's own path,
 * $CUDA_PATH, /usr/local/cuda* and where CUPTI keeps its own, and the Python packages of an active virtual environment. */
#ifndef ASSAY_KERNELS_CUDA_LIBRARY_H
#define ASSAY_KERNELS_CUDA_LIBRARY_H

#include "kernels/base/status.h"
#include "kernels/cuda/blaslt.h"
#include "kernels/cuda/cupti.h"
#include "kernels/cuda/nvml.h"

/* Tables, with the path that the library was loaded from; NULL and why not (UNSUPPORTED). Loaded once a process. */
const struct blaslt *library_blaslt(const char **path, struct error *e);
const struct cupti *library_cupti(const char **path, struct error *e);
const struct nvml *library_nvml(const char **path, struct error *e);

/* The folders that are looked in, in order; NULL past the end. "" is the loader's own path. */
const char *library_folder(int i);

#endif
