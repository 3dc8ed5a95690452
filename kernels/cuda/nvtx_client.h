/* nvtx_client.h: ranges for NVIDIA's tools. What NVTX's header does in a program, in our own words, so that a build without
 * a toolkit has it: on the first call the library that NVTX_INJECTION64_PATH names is loaded, once a process, and puts its
 * functions into slots (nvtx.h). */
#ifndef ASSAY_KERNELS_CUDA_NVTX_CLIENT_H
#define ASSAY_KERNELS_CUDA_NVTX_CLIENT_H

#include "kernels/annotate.h"
#include "kernels/cuda/nvtx.h"

/* The tool's function in a slot of a module; NULL: there is no tool, or it does not want this call. */
nvtx_function nvtx_slot(int module, int slot);
/* Ranges in the domain "assay"; NULL where no tool takes them. */
const struct annotator *nvtx_annotator(void);

#endif
