/* emulator.h: CUDA C on the processor: the words of the language, for host builds of the kernels (device.cuh includes
 * it). Blocks run one after the other; a thread of a block is a fiber, switched at barriers and warp operations.
 *
 * What is checked while a kernel runs, each with file and line: a barrier that not all threads reach, or reach at
 * different places; a warp operation with lanes absent; a deadlock; shared memory beyond what was asked for; data
 * races on shared memory where the kernel was built with ASSAY_RACE (race.cpp). Shared memory begins as NaN. The
 * order of warps and lanes, and when an asynchronous copy lands, are the schedule's: a kernel must be right under all.
 *
 * Not modelled: time inside a kernel, bank conflicts, weak memory, races between blocks, registers. */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_EMULATOR_H
#define ASSAY_KERNELS_CUDA_EMULATOR_EMULATOR_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <type_traits>

#include "kernels/cuda/emulator/schedule.h"

namespace emulator {

struct index3 {
    unsigned x, y, z;
};

/* The thread that runs now. Kernel code reads the first four. */
struct thread {
    index3 thread_index, block_index, block_size, grid_size;
    unsigned linear, lane, warp;
    struct fiber *fiber;
};
extern thread *now;

/* Blocks until all threads of the block are here; `site` names the place. */
void barrier(const char *site);

/* Every lane of `mask` brings `bytes` (at most 32); returns all lanes' pieces once the last is there. */
enum { SLOT_BYTES = 32, WARP = 32 };
struct slots {
    alignas(16) unsigned char lane[WARP][SLOT_BYTES];
};
const slots *exchange(unsigned mask, const void *piece, size_t bytes, const char *what, const char *site);

/* Ends the launch with this message (the first one is kept). Does not return. */
[[noreturn]] void fail(const char *what, const char *site);

/* cp.async: lands when it is waited for, or at once, as the schedule has it. */
void copy_begin(void *to, const void *from, unsigned bytes);
void copy_commit();
void copy_wait(unsigned groups_left);

/* The block's shared memory: static arrays by the place of their declaration, dynamic memory after them. */
void *shared_static(const void *place, size_t bytes);
void *shared_dynamic();

/* A launch of `body` as every thread of the grid; on `stream`, in order (runtime.cpp). Returns 0, or an error code
 * where the shape is impossible. */
int launch(void *stream, const char *kernel, index3 grid, index3 block, size_t shared_bytes, std::function<void()> body);

template <class T> inline T exchange_from(unsigned mask, T value, unsigned from, const char *what, const char *site) {
    static_assert(sizeof(T) <= SLOT_BYTES, "too large for a warp operation");
    const slots *all = exchange(mask, &value, sizeof value, what, site);
    T result;
    std::memcpy(&result, all->lane[from % WARP], sizeof result);
    return result;
}

static inline index3 index3_of(int64_t x, int64_t y = 1, int64_t z = 1) { return {(unsigned)x, (unsigned)y, (unsigned)z}; }

/* Arguments are copied when the kernel is launched, as a device copies them. */
template <class... P, class... A> static inline std::function<void()> bind_kernel(void (*kernel)(P...), A... arguments) {
    return [=] { kernel(arguments...); };
}

} // namespace emulator

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};

#define EMULATOR_TEXT_(x) #x
#define EMULATOR_TEXT(x) EMULATOR_TEXT_(x)
/* The counter tells two barriers of one line apart. */
#define EMULATOR_SITE __FILE__ ":" EMULATOR_TEXT(__LINE__) "#" EMULATOR_TEXT(__COUNTER__)

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define __grid_constant__

#define threadIdx (::emulator::now->thread_index)
#define blockIdx (::emulator::now->block_index)
#define blockDim (::emulator::now->block_size)
#define gridDim (::emulator::now->grid_size)

#define __syncthreads() ::emulator::barrier(EMULATOR_SITE)
#define __syncwarp(mask) ((void)::emulator::exchange(mask, nullptr, 0, "__syncwarp", EMULATOR_SITE))
#define __shfl_sync(mask, v, from) ::emulator::exchange_from(mask, v, (unsigned)(from), "__shfl_sync", EMULATOR_SITE)
#define __shfl_xor_sync(mask, v, bits) ::emulator::exchange_from(mask, v, ::emulator::now->lane ^ (unsigned)(bits), "__shfl_xor_sync", EMULATOR_SITE)
#define __shfl_up_sync(mask, v, n) \
    ::emulator::exchange_from(mask, v, ::emulator::now->lane < (unsigned)(n) ? ::emulator::now->lane : ::emulator::now->lane - (unsigned)(n), "__shfl_up_sync", EMULATOR_SITE)

/* Fibers of one thread of the process run one after the other, so plain arithmetic is atomic; no race with each other. */
#define EMULATOR_ATOMIC template <class T> __attribute__((no_sanitize("thread"), noinline)) static
EMULATOR_ATOMIC T atomicAdd(T *p, T v) {
    T before = *p;
    *p = before + v;
    return before;
}
EMULATOR_ATOMIC T atomicMax(T *p, T v) {
    T before = *p;
    if (v > before) *p = v;
    return before;
}
inline void __threadfence() {}
inline float __expf(float x) { return std::exp(x); }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __uint_as_float(unsigned u) {
    float f;
    std::memcpy(&f, &u, sizeof f);
    return f;
}
inline unsigned __float_as_uint(float f) {
    unsigned u;
    std::memcpy(&u, &f, sizeof u);
    return u;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }

#endif
