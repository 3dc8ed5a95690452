/* machine.h: whose times a table of times is: the facts of the machine, and the build. */
#ifndef ASSAY_HARNESS_MEASURE_MACHINE_H
#define ASSAY_HARNESS_MEASURE_MACHINE_H

#include "kernels/base/memory.h"

/* Appends "key value" lines of what does not change from run to run: processor, GPU and its driver. */
void machine_facts(struct text *to);

/* Another build may have other kernels: its version, size and moment. */
enum { MACHINE_BUILD_BYTES = 128 };
void machine_build(char to[MACHINE_BUILD_BYTES]);

#endif
