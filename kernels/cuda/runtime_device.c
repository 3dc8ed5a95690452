/* runtime_device.c: CUDA's own runtime, linked statically; it looks for the driver itself when it is first used. */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cuda/kernels.h"
#include "kernels/cuda/runtime.h"

static const char *trouble(void) {
    static char text[256];
    int driver = 0, runtime = 0, n = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    cudaError_t code = cudaGetDeviceCount(&n);
    if (code == cudaSuccess && n > 0) return NULL;
    if (driver == 0) return "no NVIDIA driver is installed (libcuda.so.1 is not found)";
    if (code == cudaErrorInsufficientDriver) {
        snprintf(text, sizeof text, "the driver is of CUDA %d.%d, this program of %d.%d: update the driver", driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
        return text;
    }
    return code == cudaSuccess ? "the driver lists no GPU" : cudaGetErrorString(code);
}

static int versions(int *driver, int *runtime) {
    cudaError_t code = cudaDriverGetVersion(driver);
    return (int)(code == cudaSuccess ? cudaRuntimeGetVersion(runtime) : code);
}

static int count(int *n) { return (int)cudaGetDeviceCount(n); }
static int use(int device) { return (int)cudaSetDevice(device); }

static int properties(int device, struct cuda_properties *out) {
    struct cudaDeviceProp p;
    cudaError_t code = cudaGetDeviceProperties(&p, device);
    if (code != cudaSuccess) return (int)code;
    *out = (struct cuda_properties){.major = p.major, .minor = p.minor, .n_multiprocessors = p.multiProcessorCount, .memory_bytes = p.totalGlobalMem, .l2_bytes = (size_t)p.l2CacheSize,
                                    .shared_bytes = p.sharedMemPerBlockOptin, .memory_bus_bits = p.memoryBusWidth};
    snprintf(out->name, sizeof out->name, "%.120s", p.name);
    for (int i = 0; i < 16; i++) snprintf(out->uuid + 2 * i, sizeof out->uuid - (size_t)(2 * i), "%02x", (unsigned char)p.uuid.bytes[i]);
    return 0;
}

static int memory(size_t *available, size_t *total) { return (int)cudaMemGetInfo(available, total); }
static int allocate(void **p, size_t bytes) { return (int)cudaMalloc(p, bytes ? bytes : 1); }
static int release(void *p) { return (int)cudaFree(p); }
static int allocate_host(void **p, size_t bytes) { return (int)cudaHostAlloc(p, bytes ? bytes : 1, cudaHostAllocMapped | cudaHostAllocPortable); }
static int release_host(void *p) { return (int)cudaFreeHost(p); }
static int stream_open(void **stream) { return (int)cudaStreamCreateWithFlags((cudaStream_t *)stream, cudaStreamNonBlocking); }
static int stream_close(void *stream) { return (int)cudaStreamDestroy(stream); }
static int stream_wait(void *stream) { return (int)cudaStreamSynchronize(stream); }

static int copy(void *to, const void *from, size_t bytes, enum cuda_direction d, void *stream) {
    static const enum cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice};
    return (int)cudaMemcpyAsync(to, from, bytes, kinds[d], stream);
}

static int fill(void *to, int byte, size_t bytes, void *stream) { return (int)cudaMemsetAsync(to, byte, bytes, stream); }
static int event_open(void **event) { return (int)cudaEventCreate((cudaEvent_t *)event); }
static int event_close(void *event) { return (int)cudaEventDestroy(event); }
static int event_record(void *event, void *stream) { return (int)cudaEventRecord(event, stream); }
static int event_wait(void *event) { return (int)cudaEventSynchronize(event); }
static int event_elapsed(float *ms, void *from, void *to) { return (int)cudaEventElapsedTime(ms, from, to); }
static int capture_begin(void *stream) { return (int)cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal); }

static int capture_end(void *stream, void **graph) {
    cudaGraph_t g = NULL;
    cudaError_t code = cudaStreamEndCapture(stream, &g);
    if (code == cudaSuccess) code = cudaGraphInstantiate((cudaGraphExec_t *)graph, g, 0);
    if (g) cudaGraphDestroy(g);
    return (int)code;
}

static int graph_launch(void *graph, void *stream) { return (int)cudaGraphLaunch(graph, stream); }
static int graph_close(void *graph) { return (int)cudaGraphExecDestroy(graph); }
static const char *error_name(int code) { return cudaGetErrorName((cudaError_t)code); }
static const char *error_text(int code) { return cudaGetErrorString((cudaError_t)code); }

static const struct cuda_runtime table = {"cuda", trouble, versions, count, use, properties, memory, allocate, release, allocate_host, release_host, stream_open, stream_close,
                                          stream_wait, copy, fill, event_open, event_close, event_record, event_wait, event_elapsed, capture_begin, capture_end, graph_launch,
                                          graph_close, error_name, error_text};

const struct cuda_runtime *cuda_device_runtime(void) { return &table; }
const struct cuda_kernels *cuda_device_kernel_table(void) { return &cuda_device_kernels; }
