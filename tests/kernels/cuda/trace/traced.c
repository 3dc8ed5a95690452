/* traced.c: somebody else's program: it knows NVTX and CUDA (here a scripted one), and nothing of Assay.
 * usage: traced WHAT [N] */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kernels/cuda/trace/scripted.h"
#ifdef WITH_TOOLKIT_NVTX
#include <nvtx3/nvToolsExt.h>
#else
#include "tests/kernels/cuda/trace/nvtx_api.h"
#endif

static const char *this_program;
static int n;                      /* the second argument; 0 not given */

static void launch(const char *range, const char *kernel, int64_t ns) {
    nvtxRangePushA(range);
    scripted_launch(kernel, ns);
    nvtxRangePop();
}

/* Two stages in a range around them; one launch outside of all. */
static int plain(void) {
    scripted_ask();                /* CUDA starts: before, time is the system's */
    nvtxRangePushA("step");
    launch("encoder", "gemm", 4000);
    nvtxRangePushA("decoder");
    scripted_ask();
    scripted_launch("gemv", 2000);
    scripted_copy(64, 300);
    nvtxRangePop();
    scripted_wait();
    nvtxRangePop();
    scripted_rest(5000);
    scripted_launch("outside", 700);
    return 0;
}

/* The range is open before CUDA starts; others are long over. */
static int early(void) {
    for (int i = 0; i < 3; i++) {
        nvtxRangePushA("before");
        nvtxRangePop();
    }
    nvtxRangePushA("loading");
    launch("weights", "copy", 1000);
    scripted_launch("warm", 2000);
    nvtxRangePop();
    return 0;
}

static int steps(void) {
    scripted_ask();
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "step %d", i);
        nvtxRangePushA(name);
        launch("prefill", "gemm", 4000);
        launch("decode", "gemv", 1000 * (i + 1));
        scripted_wait();
        nvtxRangePop();
    }
    return 0;
}

/* The work's times are the device's; that the system's clock was set is noticed all the same. */
static int clock_set(void) {
    launch("before", "k", 1000);
    scripted_set_clock(-INT64_C(3650000000000));
    launch("after", "k", 500);
    return 0;
}

static int graph(void) {
    for (int i = 0; i < 3; i++) {
        nvtxRangePushA("replay");
        scripted_launch_graph("node", 700, 4);
        nvtxRangePop();
    }
    return 0;
}

/* Domains have stacks of their own, which may cross; a mark is nothing; a name may be wide, registered or missing. */
static int domains(void) {
    nvtxDomainHandle_t library = nvtxDomainCreateA("library");
    nvtxEventAttributes_t a = {.version = NVTX_VERSION, .size = NVTX_EVENT_ATTRIB_STRUCT_SIZE, .messageType = NVTX_MESSAGE_TYPE_REGISTERED};
    a.message.registered = nvtxDomainRegisterStringA(library, "reduce");
    nvtxRangePushA("layer");
    nvtxDomainRangePushEx(library, &a);
    scripted_launch("k", 100);             /* library/reduce */
    nvtxRangePop();                        /* layer ends first */
    scripted_launch("k", 200);             /* library/reduce still */
    nvtxMarkA("mark");
    nvtxDomainRangePop(library);
    scripted_launch("k", 400);             /* none */
    nvtxRangePushW(L"caf\u00e9 \U0001f600");
    scripted_launch("k", 800);
    nvtxRangePop();
    a.messageType = 0;
    nvtxRangePushEx(&a);
    scripted_launch("k", 1600);
    nvtxRangePop();
    nvtxRangeId_t id = nvtxRangeStartA("request");
    scripted_launch("k", 3200);            /* none: start and end own no work */
    nvtxRangeEnd(id);
    nvtxRangeEnd(id);
    nvtxRangeEnd(12345);
    return nvtxRangePop() == -1 && nvtxDomainRangePop(library) == -1 ? 0 : nvtxRangePop() == -2 ? 0 : 1;
}

/* ---- threads ---- */

static void *one_thread(void *arg) {
    char name[32];
    int me = (int)(intptr_t)arg;
    snprintf(name, sizeof name, "worker %d", me);
    for (int i = 0; i < 100; i++) launch(name, "k", 1000 + me);
    nvtxRangePushA("left open");
    scripted_launch("k", 10);
    return NULL;
}

static int threads(void) {
    pthread_t t[4];
    scripted_launch("main", 1);
    for (intptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, one_thread, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    return 0;
}

/* ---- processes ---- */

static int wait_for(pid_t pid) {
    int state = 0;
    waitpid(pid, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 1;
}

/* A program of its own, on another device, later. */
static int start_program(const char *what, const char *device, const char *clock_ns) {
    pid_t pid = fork();
    if (pid == 0) {
        setenv("SCRIPTED_DEVICE", device, 1);
        setenv("SCRIPTED_CLOCK_NS", clock_ns, 1);
        execl(this_program, this_program, what, (char *)NULL);
        _exit(1);
    }
    return wait_for(pid);
}

static int children(void) {
    scripted_ask();
    nvtxRangePushA("parent");
    scripted_launch("k", 500);
    int failed = start_program("plain", "0:2", "1000010000000") | start_program("plain", "0:1", "1000020000000");
    scripted_launch("k", 500);
    nvtxRangePop();
    return failed;
}

/* The child of a fork goes on in the parent's program: of the parent's it must record nothing again. */
static int forks(void) {
    launch("parent", "k", 500);
    nvtxRangePushA("around");
    pid_t pid = fork();
    if (pid == 0) {
        nvtxRangePushA("child");
        nvtxRangePop();
        nvtxRangePop();
        exit(0);
    }
    int failed = wait_for(pid);
    scripted_launch("k", 250);
    nvtxRangePop();
    return failed;
}

/* CUDA starts in the children alone. */
static int workers(void) {
    int failed = 0;
    nvtxRangePushA("around");
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            launch("worker", "k", 1000);
            scripted_launch("k", 10);      /* the range around it was the parent's */
            exit(0);
        }
        failed |= wait_for(pid);
    }
    return failed;
}

/* ---- ends ---- */

static void rest_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

static int no_ranges(void) {
    scripted_launch("k", 1000);
    return 0;
}
static int ranges_only(void) {
    nvtxRangePushA("lonely");
    nvtxRangePop();
    return 0;
}
static int nothing(void) { return 0; }

/* What came a while before the end is there, what came just before it may be lost. */
static int crash(void) {
    launch("before", "k", 1000);
    nvtxRangePushA("open");
    scripted_launch("k", 100);
    rest_ms(1300);
    abort();
}
static int leave(void) {
    launch("before", "k", 1000);
    rest_ms(n ? n : 1300);
    _exit(4);
}
static int fail(void) {
    plain();
    return 3;
}
static int replace(void) {
    launch("before", "k", 1000);
    rest_ms(1300);
    setenv("SCRIPTED_CLOCK_NS", "1000010000000", 1);
    execl(this_program, this_program, "plain", (char *)NULL);
    return 1;
}
/* Until a signal comes. */
static volatile sig_atomic_t is_told;
static void on_signal(int number) { is_told = number; }
static int serve(void) {
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    launch("serve", "k", 1000);
    printf("ready\n");
    fflush(stdout);
    while (!is_told) pause();
    launch("shutdown", "k", 50);
    return is_told == SIGINT ? 0 : 7;
}
/* Longer than its parent. */
static int daemonize(void) {
    launch("parent", "k", 1000);
    if (fork() == 0) {
        setenv("SCRIPTED_CLOCK_NS", "1000010000000", 1);
        execl(this_program, this_program, "late", (char *)NULL);
    }
    rest_ms(200);
    return 0;
}
static int late(void) {
    launch("late", "k", 2000);
    rest_ms(1500);
    launch("late", "k", 2000);
    return 0;
}

/* ---- many ---- */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *push_and_pop(void *arg) {
    static const char *const names[] = {"attention", "feed forward", "norm", "a name as long as aten::_scaled_dot_product_flash_attention"};
    for (int i = 0; i < n; i++) {
        nvtxRangePushA(names[i & 3]);
        nvtxRangePop();
    }
    return arg;
}

/* What a push and its pop cost; the first word says on how many threads at once. */
static int time_of(int n_threads) {
    pthread_t t[8];
    if (n == 0) n = 2000000;
    scripted_launch("k", 1000);
    int64_t start_ns = now_ns();
    for (int i = 0; i < n_threads; i++) pthread_create(&t[i], NULL, push_and_pop, NULL);
    for (int i = 0; i < n_threads; i++) pthread_join(t[i], NULL);
    printf("%d thread(s): push and pop %.1f ns\n", n_threads, (double)(now_ns() - start_ns) / n);
    return 0;
}
static int one(void) { return time_of(1); }
static int four(void) { return time_of(4); }

/* More than is kept between two writes, and deeper. */
static int too_many(void) {
    launch("first", "k", 1000);
    for (int i = 0; i < 300; i++) nvtxRangePushA("deep");
    scripted_launch("k", 100);
    for (int i = 0; i < 300; i++) nvtxRangePop();
    launch("last", "k", 10);
    return 0;
}

/* Sanitizers have a memory of their own, which cannot be taken away. */
static int is_sanitized(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    return 1;
#endif
}

/* The system gives no more memory. */
static int hungry(void) {
    launch("first", "k", 1000);
    rest_ms(1200);
    setrlimit(RLIMIT_AS, &(struct rlimit){1 << 20, 1 << 20});
    for (int i = 0; i < (n ? n : 3000000); i++) {
        char name[64];
        snprintf(name, sizeof name, "range number %d of very many", i);
        launch(name, "k", 10);
    }
    return 0;
}

/* ---- which ---- */

static const struct {
    const char *name;
    int (*run)(void);
} whats[] = {
    {"plain", plain}, {"early", early}, {"steps", steps}, {"clock_set", clock_set}, {"graph", graph}, {"domains", domains}, {"threads", threads}, {"children", children},
    {"forks", forks}, {"workers", workers}, {"no_ranges", no_ranges}, {"ranges_only", ranges_only}, {"nothing", nothing}, {"crash", crash}, {"leave", leave},
    {"fail", fail}, {"replace", replace}, {"serve", serve}, {"daemonize", daemonize}, {"late", late}, {"one", one}, {"four", four}, {"too_many", too_many},
    {"hungry", hungry}, {"is_sanitized", is_sanitized},
};

int main(int argc, char **argv) {
    this_program = argv[0];
    n = argc > 2 ? atoi(argv[2]) : 0;
    for (size_t i = 0; argc > 1 && i < sizeof whats / sizeof *whats; i++)
        if (strcmp(argv[1], whats[i].name) == 0) return whats[i].run();
    fprintf(stderr, "usage: traced WHAT [N]\n");
    return 2;
}
