/* block.h: one block of emulated threads, run to its end (private to emulator/). */
#ifndef ASSAY_KERNELS_CUDA_EMULATOR_BLOCK_H
#define ASSAY_KERNELS_CUDA_EMULATOR_BLOCK_H

#include <string>
#include <vector>

#include "kernels/cuda/emulator/emulator.h"

namespace emulator {

enum state : unsigned char { READY, AT_BARRIER, IN_WARP, DONE };

struct pending_copy {
    void *to;
    const void *from;
    unsigned bytes, group;
};

struct fiber {
    void *stack_pointer;
    thread t;
    state is;
    const char *site;               /* where it waits */
    unsigned groups;                /* of copies, committed so far */
    std::vector<pending_copy> copies;
};

/* Lanes that meet: one entry for each mask in use. */
struct meeting {
    unsigned mask, arrived, round;
    const char *what;
    slots pieces[2];                /* of this round and the one before, which slow lanes may still read */
};

enum { MEETINGS = 8 };
struct warp {
    unsigned alive;                 /* lanes that have not returned */
    int n_meetings;
    unsigned sync_epoch;            /* __syncwarp of all lanes alive, for the race detector */
    meeting meetings[MEETINGS];
};

struct block {
    std::vector<fiber> fibers;
    std::vector<warp> warps;
    unsigned n, alive, at_barrier;
    unsigned epoch;                 /* barriers passed, of all blocks */
    const char *barrier_site;
    fiber *current;
    bool copies_are_lazy;
    std::string failure;
    /* shared memory */
    unsigned char *shared;
    size_t static_bytes, dynamic_bytes, used_dynamic_bytes; /* used: rounded up, of the newest block */
    std::vector<std::pair<const void *, size_t>> statics; /* place of the declaration → offset */
};
extern block running;

enum : size_t { SHARED_BYTES = 228 * 1024, STACK_BYTES = 160 * 1024 };

/* Runs every block of the grid; the failure's text, empty where there was none. */
std::string run_grid(const char *kernel, index3 grid, index3 size, size_t shared_bytes, const std::function<void()> &body);

/* Of the race detector, where the kernels are built for it: a write that no instruction of the thread makes. */
extern void (*on_hidden_write)(void *to, size_t bytes);

} // namespace emulator

#endif
