/* runtime.cpp: the emulated device: memory is the host's, work on a stream is kept until something waits for it (so
 * that a missing wait shows), time moves by declared costs alone. */
#include "kernels/cuda/runtime.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/cuda/emulator/block.h"
#include "kernels/cuda/emulator/host_work.h"
#include "kernels/cuda/emulator/observe.h"
#include "kernels/cuda/emulator/runtime.h"

extern "C" int emulator_is_stream_eager(void);

namespace {

/* Codes of the runtime that callers may see; numbers as CUDA has them. */
enum code { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONFIGURATION = 9, LAUNCH_FAILURE = 719, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALID = 901 };

struct work {
    emulator_work kind;
    const char *name;
    std::function<std::string()> run;   /* the failure, or "" */
    uint64_t cost_ns;
    size_t bytes;
    int direction;
    uint64_t node;
};

struct graph {
    std::vector<work> nodes;
};

struct stream {
    uint32_t number;
    std::vector<work> waiting;
    uint64_t free_at_ns;                /* when all that was put on it ends */
    bool is_capturing;
    graph captured;
};

struct event {
    uint64_t at_ns;
    stream *on;
};

const emulator_costs default_costs = {2000, 500, 1000, 1000, 10, 1000, 4};
const size_t default_memory = (size_t)8 << 30;

struct device {
    struct clock *clock = nullptr;
    emulator_costs costs = default_costs;
    size_t memory = default_memory;
    const emulator_observer *observer = nullptr;
    std::map<void *, size_t> pieces;
    size_t allocated = 0;
    uint32_t next_correlation = 1, next_stream = 7;
    uint64_t next_node = 1;
    int64_t calls_to_failure = -1;
    int failure_code = 0;
    std::string last_failure;
};
device dev;

uint64_t now_ns() { return dev.clock ? clock_now_ns(dev.clock) : 0; }

/* One call of the host: it takes its time and is told of. */
struct call {
    const char *name;
    uint64_t start_ns;
    uint32_t correlation;
    explicit call(const char *called) : name(called), start_ns(now_ns()), correlation(dev.next_correlation++) {}
    void spend(uint64_t ns) const {
        if (dev.clock) clock_advance_ns(dev.clock, ns);
    }
    int end(int code) const {
        emulator_called c = {name, start_ns, now_ns(), correlation};
        if (dev.observer) dev.observer->called(&c);
        return code;
    }
};

/* A planned failure of a call, for tests of what happens then. */
bool fails_now() {
    if (dev.calls_to_failure < 0) return false;
    return dev.calls_to_failure-- == 0;
}

int run_all(stream *s) {
    int result = OK;
    for (work &w : s->waiting) {
        std::string failure = w.run();
        if (failure.empty()) continue;
        if (result == OK) dev.last_failure = failure;
        result = LAUNCH_FAILURE;
    }
    s->waiting.clear();
    return result;
}

/* Puts work on a stream; when it runs on the device follows from the costs. */
void put(stream *s, const work &w, const call &c) {
    uint64_t earliest = now_ns() + dev.costs.latency_ns, start = earliest > s->free_at_ns ? earliest : s->free_at_ns;
    s->free_at_ns = start + w.cost_ns;
    emulator_done d = {w.kind, w.name, start, s->free_at_ns, c.correlation, 0, s->number, w.bytes, w.direction, w.node};
    if (dev.observer) dev.observer->done(&d);
    s->waiting.push_back(w);
}

int capture(stream *s, work w) {
    w.node = dev.next_node++;
    if (dev.observer) dev.observer->node_made(w.node, 0);
    s->captured.nodes.push_back(std::move(w));
    return OK;
}

int submit(void *to, const work &w, const call &c, uint64_t host_ns) {
    stream *s = (stream *)to;
    if (s->is_capturing) return c.end(capture(s, w));
    c.spend(host_ns);
    put(s, w, c);
    return c.end(emulator_is_stream_eager() ? run_all(s) : OK);
}

/* ---- the table ---- */

const char *trouble() { return nullptr; }
int versions(int *driver, int *runtime) { return *driver = *runtime = 0, OK; }
int count(int *n) { return *n = 1, OK; }
int use(int device) { return device == 0 ? OK : INVALID_VALUE; }

int properties(int device, cuda_properties *out) {
    if (device != 0) return INVALID_VALUE;
    *out = {"emulated device", 8, 0, 4, dev.memory, (size_t)4 << 20, emulator::SHARED_BYTES - 1024, 0, 0, "0123456789abcdef0123456789abcdef"};
    return OK;
}

int memory(size_t *available, size_t *total) {
    *total = dev.memory;
    *available = dev.memory > dev.allocated ? dev.memory - dev.allocated : 0;
    return OK;
}

int take(void **p, size_t bytes) {
    if (fails_now()) return dev.failure_code;
    *p = nullptr;
    if (dev.allocated > dev.memory || bytes > dev.memory - dev.allocated) return OUT_OF_MEMORY;
    if (posix_memalign(p, 256, bytes ? bytes : 1) != 0) return OUT_OF_MEMORY;
    std::memset(*p, 0xff, bytes); /* as little zero as a device's memory is */
    dev.pieces[*p] = bytes;
    dev.allocated += bytes;
    return OK;
}

int give_back(void *p) {
    auto found = dev.pieces.find(p);
    if (!p) return OK;
    if (found == dev.pieces.end()) return INVALID_VALUE;
    dev.allocated -= found->second;
    dev.pieces.erase(found);
    std::free(p);
    return OK;
}

int stream_open(void **out) {
    stream *s = new stream{};
    s->number = dev.next_stream++;
    *out = s;
    return OK;
}

int stream_close(void *p) {
    stream *s = (stream *)p;
    int result = s ? run_all(s) : OK;
    delete s;
    return result;
}

int stream_wait(void *p) {
    stream *s = (stream *)p;
    call c("cudaStreamSynchronize");
    if (fails_now()) return c.end(dev.failure_code);
    if (s->is_capturing) return c.end(CAPTURE_UNSUPPORTED);
    int result = run_all(s);
    c.spend(dev.costs.call_ns);
    if (s->free_at_ns > now_ns()) c.spend(s->free_at_ns - now_ns());
    return c.end(result);
}

int copy(void *to, const void *from, size_t bytes, cuda_direction d, void *s) {
    if (fails_now()) return dev.failure_code;
    call c("cudaMemcpyAsync");
    work w = {EMULATOR_COPY, "copy", [=] { return std::memcpy(to, from, bytes), std::string(); }, dev.costs.copy_ns + bytes / 1024 * dev.costs.kib_ns, bytes, (int)d, 0};
    return submit(s, w, c, dev.costs.call_ns);
}

int fill(void *to, int byte, size_t bytes, void *s) {
    if (fails_now()) return dev.failure_code;
    call c("cudaMemsetAsync");
    work w = {EMULATOR_FILL, "fill", [=] { return std::memset(to, byte, bytes), std::string(); }, dev.costs.copy_ns + bytes / 1024 * dev.costs.kib_ns, bytes, 0, 0};
    return submit(s, w, c, dev.costs.call_ns);
}

int event_open(void **out) { return *out = new event{}, OK; }
int event_close(void *e) { return delete (event *)e, OK; }

int event_record(void *e, void *s) {
    ((event *)e)->on = (stream *)s;
    ((event *)e)->at_ns = ((stream *)s)->free_at_ns;
    return OK;
}

int event_wait(void *e) { return ((event *)e)->on ? stream_wait(((event *)e)->on) : OK; }

int event_elapsed(float *ms, void *from, void *to) {
    *ms = (float)(((event *)to)->at_ns - ((event *)from)->at_ns) * 1e-6f;
    return OK;
}

int capture_begin(void *p) {
    stream *s = (stream *)p;
    if (fails_now()) return dev.failure_code;
    if (s->is_capturing) return CAPTURE_INVALID;
    s->is_capturing = true;
    s->captured = graph();
    return OK;
}

/* Making a graph ready copies its nodes, as a driver does: what was captured is not what runs. */
int capture_end(void *p, void **out) {
    stream *s = (stream *)p;
    if (!s->is_capturing) return CAPTURE_INVALID;
    s->is_capturing = false;
    graph *g = new graph(std::move(s->captured));
    s->captured = graph();
    for (work &w : g->nodes) {
        uint64_t original = w.node;
        w.node = dev.next_node++;
        if (dev.observer) dev.observer->node_made(w.node, original);
    }
    *out = g;
    return OK;
}

int graph_launch(void *g, void *p) {
    stream *s = (stream *)p;
    if (fails_now()) return dev.failure_code;
    call c("cudaGraphLaunch");
    if (s->is_capturing) return c.end(CAPTURE_UNSUPPORTED);
    c.spend(dev.costs.launch_ns);
    for (const work &w : ((graph *)g)->nodes) put(s, w, c);
    return c.end(emulator_is_stream_eager() ? run_all(s) : OK);
}

int graph_close(void *g) { return delete (graph *)g, OK; }

const char *error_name(int code) {
    switch (code) {
    case OK: return "cudaSuccess";
    case INVALID_VALUE: return "cudaErrorInvalidValue";
    case OUT_OF_MEMORY: return "cudaErrorMemoryAllocation";
    case INVALID_CONFIGURATION: return "cudaErrorInvalidConfiguration";
    case LAUNCH_FAILURE: return "cudaErrorLaunchFailure";
    case CAPTURE_UNSUPPORTED: return "cudaErrorStreamCaptureUnsupported";
    case CAPTURE_INVALID: return "cudaErrorStreamCaptureInvalidated";
    default: return "an unknown error";
    }
}

const char *error_text(int code) { return code == LAUNCH_FAILURE ? dev.last_failure.c_str() : error_name(code); }

} // namespace

namespace emulator {

/* "(map_kernel<T, KIND, V>)", as the launch has it, without its ornaments; the text lasts. */
static const char *plain_name(const char *written) {
    static std::map<const char *, std::string> names;
    std::string &name = names[written];
    if (name.empty()) {
        name = written + (written[0] == '(');
        name = name.substr(0, name.find_first_of("<)"));
    }
    return name.c_str();
}

int launch(void *on, const char *written, index3 grid, index3 size, size_t shared_bytes, std::function<void()> body) {
    if (fails_now()) return dev.failure_code;
    call c("cudaLaunchKernel");
    const char *kernel = plain_name(written);
    uint64_t threads = (uint64_t)size.x * size.y * size.z, blocks = (uint64_t)grid.x * grid.y * grid.z;
    if (threads == 0 || threads > 1024 || blocks == 0 || grid.y > 65535 || grid.z > 65535 || shared_bytes > SHARED_BYTES - 1024) return c.end(INVALID_CONFIGURATION);
    work w = {EMULATOR_KERNEL, kernel, [=] { return run_grid(kernel, grid, size, shared_bytes, body); }, dev.costs.kernel_ns + blocks * dev.costs.block_ns, 0, 0, 0};
    return submit(on, w, c, dev.costs.launch_ns);
}

} // namespace emulator

extern "C" {

int emulator_host_work(void *on, const char *name, void (*run)(void *argument), const void *argument, size_t bytes) {
    if (fails_now()) return dev.failure_code;
    call c("cudaLaunchKernel");
    std::vector<unsigned char> copy((const unsigned char *)argument, (const unsigned char *)argument + bytes);
    work w = {EMULATOR_KERNEL, name, [=]() mutable { return run(copy.data()), std::string(); }, dev.costs.kernel_ns, 0, 0, 0};
    return submit(on, w, c, dev.costs.launch_ns);
}

void emulator_set_time(struct clock *clock, const struct emulator_costs *costs) {
    dev.clock = clock;
    dev.costs = costs ? *costs : default_costs;
}
uint64_t emulator_now_ns(void) { return now_ns(); }
void emulator_set_memory(size_t bytes) { dev.memory = bytes ? bytes : default_memory; }
void emulator_fail_after(int64_t n, int code) {
    dev.calls_to_failure = n;
    dev.failure_code = code;
}
size_t emulator_allocated(int64_t *pieces) {
    if (pieces) *pieces = (int64_t)dev.pieces.size();
    return dev.allocated;
}
void emulator_observe(const struct emulator_observer *o) { dev.observer = o; }

const struct cuda_runtime cuda_emulated_runtime = {
    "emulated", trouble, versions, count, use, properties, memory, take, give_back, take, give_back, stream_open, stream_close, stream_wait,
    copy, fill, event_open, event_close, event_record, event_wait, event_elapsed, capture_begin, capture_end, graph_launch, graph_close,
    error_name, error_text};
}
