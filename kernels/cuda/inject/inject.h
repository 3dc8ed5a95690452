/* inject.h: the library that `assay trace` puts into a program: what the program's GPUs do, and in which of its NVTX
 * ranges, becomes a recording (activity_file.h) in the folder that ASSAY_TRACE_FOLDER names, one a process.
 *
 * The driver calls InitializeInjection as CUDA starts (CUDA_INJECTION64_PATH), each module's NVTX calls
 * InitializeInjectionNvtx2 on its first call (NVTX_INJECTION64_PATH). Nothing is written before CUDA starts: a process
 * that never does so leaves no file. Then a thread writes what has come, every second and where much has come, so that a
 * process that a signal, exec or _exit ends loses no more than its last second; exit writes the last piece. The child of
 * a fork has nothing of its parent's, and a recording of its own if CUDA starts in it.
 *
 * The program's results stay its own: nothing here ends it, waits for its device, or prints, but one line on standard
 * error where there is no other place to say that nothing is recorded. */
#ifndef ASSAY_KERNELS_CUDA_INJECT_INJECT_H
#define ASSAY_KERNELS_CUDA_INJECT_INJECT_H

#include "kernels/cuda/nvtx.h"
#include "kernels/cuda/inject/ranges.h"

#define INJECT_EXPORT __attribute__((visibility("default")))

INJECT_EXPORT int InitializeInjection(void);
INJECT_EXPORT int InitializeInjectionNvtx2(nvtx_table_of table_of);

/* The one of this process; made by whichever of the two functions above comes first. */
struct ranges *inject_ranges(void);
/* Puts our functions into a program's slots; 0: it has none that we know. */
int handlers_install(nvtx_table_of table_of);

/* What is known of the process without asking CUDA, with the texts in `names`; returns how many facts. cupti_version 0:
 * not known. */
enum { PROCESS_FACTS = 8 };
size_t process_facts(struct activity *names, uint32_t cupti_version, struct activity_fact facts[PROCESS_FACTS]);

#endif
