/* profiler.h: a device's activity as spans of the tracer: who asked for each piece of work is pushed as it is launched,
 * and found again by correlation or by graph node (private to kernels/cuda/). */
#ifndef ASSAY_KERNELS_CUDA_PROFILER_H
#define ASSAY_KERNELS_CUDA_PROFILER_H

#include "kernels/base/status.h"
#include "kernels/cuda/cupti.h"
#include "kernels/trace.h"

struct profiler;

enum status profiler_open(const struct cupti *library, struct clock *clock, struct profiler **out, struct error *e);
void profiler_close(struct profiler *p); /* NULL is fine */
/* A traced region begins: what was recorded before is dropped. */
enum status profiler_begin(struct profiler *p, enum trace_detail detail, struct error *e);
/* A launch begins: what is put on the device from now on, until the next one, is the tracer's newest launch's; between
 * push and pop it is this operation's. NULL is fine. */
void profiler_launch(struct profiler *p, const struct tracer *t);
void profiler_push(struct profiler *p, const struct tracer *t, int op);
void profiler_pop(struct profiler *p);
/* The region is over and the device idle: its work and the host's waits into the tracer's lanes of `unit`; what makes
 * them incomplete into its trouble. */
enum status profiler_end(struct profiler *p, struct tracer *t, int unit, struct error *e);

#endif
