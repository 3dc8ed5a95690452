/* scripted.h: a driver and a device that follow a script: what a program's CUDA calls would have caused, with known
 * times. As the real driver does, it loads the library that CUDA_INJECTION64_PATH names as CUDA starts.
 *
 * Time stands still but for what is scripted: a call takes SCRIPTED_CALL_NS of the host, work begins SCRIPTED_LATENCY_NS
 * after its call or when the device is free. SCRIPTED_CLOCK_NS (environment) is the time as a process begins,
 * SCRIPTED_DEVICE "number:uuid byte" the device that it sees. Calls of several threads come one after the other. */
#ifndef ASSAY_TESTS_KERNELS_CUDA_TRACE_SCRIPTED_H
#define ASSAY_TESTS_KERNELS_CUDA_TRACE_SCRIPTED_H

#include <stdint.h>

enum { SCRIPTED_CALL_NS = 1000, SCRIPTED_LATENCY_NS = 500 };

/* Kernels of one name and length; ns 0: CUPTI could not take its times. */
void scripted_launch(const char *kernel, int64_t ns);
/* As in a captured graph: all of one call. */
void scripted_launch_graph(const char *kernel, int64_t ns, int n_nodes);
void scripted_copy(int64_t bytes, int64_t ns);
void scripted_wait(void);          /* until the device is idle */
void scripted_ask(void);           /* a call that only asks */
void scripted_rest(int64_t ns);    /* the host does something else */
void scripted_set_clock(int64_t ns); /* somebody sets the system's clock by so much, as this process sees it */

#endif
