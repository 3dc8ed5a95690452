#include "tests/kernels/cuda/trace/scripted.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernels/cuda/emulator/observe.h"
#include "kernels/cuda/emulator/runtime.h"

static struct {
    pthread_mutex_t lock;
    _Atomic uint64_t now_ns;       /* CUPTI is asked for it from any thread */
    uint64_t device_free_ns;
    uint32_t correlation, device;
    int is_started;
    const struct emulator_observer *observer;
} d = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- for the stand-in of CUPTI ---- */

void emulator_observe(const struct emulator_observer *o) { d.observer = o; }
uint64_t emulator_now_ns(void) { return d.now_ns; }

/* ---- the driver ---- */

/* As cuInit: the tool may ask for anything that it asks CUPTI for. */
static void inject(void) {
    const char *path = getenv("CUDA_INJECTION64_PATH");
    void *library = path ? dlopen(path, RTLD_NOW) : NULL;
    int (*begin)(void) = NULL;
    if (!library) return;
    *(void **)&begin = dlsym(library, "InitializeInjection");
    if (begin) begin();
}

static void start(void) {
    const char *clock = getenv("SCRIPTED_CLOCK_NS"), *device = getenv("SCRIPTED_DEVICE");
    if (d.is_started) return;
    d.is_started = 1;
    d.now_ns = clock ? strtoull(clock, NULL, 10) : UINT64_C(1000000000000);
    if (device) d.device = (uint32_t)atoi(device);
    inject();
}

/* ---- the system's clock ---- */

static _Atomic int64_t set_ns;

void scripted_set_clock(int64_t ns) { set_ns += ns; }

/* In place of the C library's, for all of the process. */
int clock_gettime(clockid_t id, struct timespec *t) {
    int code = (int)syscall(SYS_clock_gettime, id, t);
    if (code != 0 || id != CLOCK_REALTIME) return code;
    int64_t ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec + set_ns;
    t->tv_sec = ns / 1000000000;
    t->tv_nsec = ns % 1000000000;
    return 0;
}

/* ---- work ---- */

static void called(const char *name, uint64_t ns) {
    struct emulator_called c = {.name = name, .start_ns = d.now_ns, .end_ns = d.now_ns + ns, .correlation = ++d.correlation};
    d.now_ns += ns;
    if (d.observer) d.observer->called(&c);
}

static void done(struct emulator_done work, int64_t ns) {
    uint64_t start_ns = d.now_ns + SCRIPTED_LATENCY_NS;
    if (start_ns < d.device_free_ns) start_ns = d.device_free_ns;
    d.device_free_ns = start_ns + (uint64_t)ns;
    work.start_ns = ns ? start_ns : 0;
    work.end_ns = ns ? d.device_free_ns : 0;
    work.correlation = d.correlation;
    work.device = d.device;
    work.stream = 7;
    if (d.observer) d.observer->done(&work);
}

static void begin_call(void) {
    pthread_mutex_lock(&d.lock);
    start();
}
static void end_call(void) { pthread_mutex_unlock(&d.lock); }

void scripted_launch(const char *kernel, int64_t ns) {
    begin_call();
    called("cudaLaunchKernel_v7000", SCRIPTED_CALL_NS);
    done((struct emulator_done){.kind = EMULATOR_KERNEL, .name = kernel}, ns);
    end_call();
}

void scripted_launch_graph(const char *kernel, int64_t ns, int n_nodes) {
    begin_call();
    called("cudaGraphLaunch_v10000", SCRIPTED_CALL_NS);
    for (int i = 1; i <= n_nodes; i++) done((struct emulator_done){.kind = EMULATOR_KERNEL, .name = kernel, .node = (uint64_t)i}, ns);
    end_call();
}

void scripted_copy(int64_t bytes, int64_t ns) {
    begin_call();
    called("cudaMemcpyAsync_v3020", SCRIPTED_CALL_NS);
    done((struct emulator_done){.kind = EMULATOR_COPY, .bytes = (size_t)bytes}, ns);
    end_call();
}

void scripted_wait(void) {
    begin_call();
    called("cudaDeviceSynchronize_v3020", d.device_free_ns > d.now_ns ? d.device_free_ns - d.now_ns : 1);
    end_call();
}

void scripted_ask(void) {
    begin_call();
    called("cudaGetDevice_v3020", 1);
    end_call();
}

void scripted_rest(int64_t ns) {
    begin_call();
    d.now_ns += (uint64_t)ns;
    end_call();
}
