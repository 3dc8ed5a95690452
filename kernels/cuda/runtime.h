/* runtime.h: what the backend asks of CUDA's runtime, as one table: filled by the real one (runtime_device.c) or by the
 * emulator (emulator/runtime.cpp). Functions return 0 or the runtime's error code; streams, events and graphs are
 * opaque. Nothing here has CUDA's headers in it, so a build without a toolkit has all of the backend but this table. */
#ifndef ASSAY_KERNELS_CUDA_RUNTIME_H
#define ASSAY_KERNELS_CUDA_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct clock;

enum { CUDA_NAME_BYTES = 128 };
struct cuda_properties {
    char name[CUDA_NAME_BYTES];
    int major, minor;              /* compute capability */
    int n_multiprocessors;
    size_t memory_bytes, l2_bytes, shared_bytes; /* shared: of a block, at most, when asked for */
    int memory_khz, memory_bus_bits; /* 0 unknown */
    char uuid[CUDA_NAME_BYTES];    /* "" unknown */
};

enum cuda_direction { CUDA_TO_DEVICE, CUDA_TO_HOST, CUDA_ON_DEVICE };

struct cuda_runtime {
    const char *name;
    /* NULL where kernels can be launched here; else why not, in words (a static text). */
    const char *(*trouble)(void);
    int (*versions)(int *driver, int *runtime);
    int (*count)(int *n);
    int (*use)(int device);
    int (*properties)(int device, struct cuda_properties *out);
    int (*memory)(size_t *available, size_t *total);
    int (*allocate)(void **p, size_t bytes);
    int (*release)(void *p);
    int (*allocate_host)(void **p, size_t bytes);  /* pinned, and seen by the device at the same address */
    int (*release_host)(void *p);
    int (*stream_open)(void **stream);
    int (*stream_close)(void *stream);
    int (*stream_wait)(void *stream);              /* until all that was put on it is done */
    int (*copy)(void *to, const void *from, size_t bytes, enum cuda_direction d, void *stream);
    int (*fill)(void *to, int byte, size_t bytes, void *stream);
    int (*event_open)(void **event);
    int (*event_close)(void *event);
    int (*event_record)(void *event, void *stream);
    int (*event_wait)(void *event);
    int (*event_elapsed)(float *ms, void *from, void *to);
    int (*capture_begin)(void *stream);
    int (*capture_end)(void *stream, void **graph); /* ready to be launched */
    int (*graph_launch)(void *graph, void *stream);
    int (*graph_close)(void *graph);
    const char *(*error_name)(int code);
    const char *(*error_text)(int code);
};

extern const struct cuda_runtime cuda_emulated_runtime;
/* NULL in a build without a CUDA toolkit. */
const struct cuda_runtime *cuda_device_runtime(void);

#ifdef __cplusplus
}
#endif

#endif
