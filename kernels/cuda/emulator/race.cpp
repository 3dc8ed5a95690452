/* race.cpp: races on shared memory: the other end of the hooks that -fsanitize=thread puts before every access of the
 * kernels; no library of the compiler's is linked.
 *
 * Two accesses of different threads to the same bytes, one of them a write, must have a barrier of the block between
 * them, or a __syncwarp where both threads are of one warp. Each two bytes of shared memory remember the last write and
 * the reads since, with the epoch (barriers passed) and the warp's epoch they were made in. */
#include <dlfcn.h>

#include <cstdio>

#include "kernels/cuda/emulator/block.h"

namespace {

using emulator::running;

struct access_note {
    unsigned epoch, warp_epoch;
    unsigned thread;
};
struct cell {
    access_note write, read;
    bool is_read_by_warps;         /* by threads of several warps in the read's epoch */
};

enum : size_t { GRAIN = 2 };
cell cells[emulator::SHARED_BYTES / GRAIN];

/* Does what was noted come before what the present thread does? */
bool is_ordered(const access_note &before) {
    const emulator::thread &t = running.current->t;
    if (before.epoch < running.epoch || before.thread == t.linear) return true;
    return before.thread / emulator::WARP == t.warp && before.warp_epoch < running.warps[t.warp].sync_epoch;
}

void report(const char *what, unsigned other, const void *from, size_t at) {
    static char text[200];
    Dl_info place = {};
    dladdr(from, &place);
    snprintf(text, sizeof text, "race on shared memory: %s of thread %u, byte %zu, code at 0x%zx", what, other, at, (size_t)from - (size_t)place.dli_fbase);
    emulator::fail(text, place.dli_sname ? place.dli_sname : "a kernel");
}

void check_write(cell &c, const access_note &mine, const void *from, size_t at) {
    if (!is_ordered(c.write)) report("a write after a write", c.write.thread, from, at);
    if (c.read.epoch == running.epoch && (c.is_read_by_warps || !is_ordered(c.read))) report("a write after a read", c.read.thread, from, at);
    c.write = mine;
}

void check_read(cell &c, const access_note &mine, const void *from, size_t at) {
    if (!is_ordered(c.write)) report("a read after a write", c.write.thread, from, at);
    bool is_same_epoch = c.read.epoch == running.epoch;
    c.is_read_by_warps = is_same_epoch && (c.is_read_by_warps || c.read.thread / emulator::WARP != mine.thread / emulator::WARP);
    c.read = mine;
}

void check(void *p, size_t bytes, bool is_write, const void *from) {
    if (!running.current) return;
    size_t at = (size_t)((unsigned char *)p - running.shared);
    if (at >= emulator::SHARED_BYTES) return; /* not shared memory */
    const emulator::thread &t = running.current->t;
    access_note mine = {running.epoch, running.warps[t.warp].sync_epoch, t.linear};
    for (size_t i = at / GRAIN; i <= (at + bytes - 1) / GRAIN; i++)
        if (is_write) check_write(cells[i], mine, from, at);
        else check_read(cells[i], mine, from, at);
}

struct registration {
    registration() {
        emulator::on_hidden_write = [](void *to, size_t bytes) { check(to, bytes, true, __builtin_return_address(0)); };
    }
} registered;

} // namespace

extern "C" {
#define HOOKS(n) \
    void __tsan_read##n(void *p) { check(p, n, false, __builtin_return_address(0)); } \
    void __tsan_write##n(void *p) { check(p, n, true, __builtin_return_address(0)); } \
    void __tsan_unaligned_read##n(void *p) { check(p, n, false, __builtin_return_address(0)); } \
    void __tsan_unaligned_write##n(void *p) { check(p, n, true, __builtin_return_address(0)); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
void __tsan_read_range(void *p, size_t n) { check(p, n, false, __builtin_return_address(0)); }
void __tsan_write_range(void *p, size_t n) { check(p, n, true, __builtin_return_address(0)); }
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}
void __tsan_init(void) {}
void __tsan_vptr_update(void **, void *) {}
void __tsan_vptr_read(void **) {}
}
