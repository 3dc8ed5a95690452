/* block.cpp: fibers of one block, their schedule, barriers, warp operations, shared memory. */
#include "kernels/cuda/emulator/block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace emulator {

block running;
thread *now;
void (*on_hidden_write)(void *to, size_t bytes);

static emulator_schedule schedule;
static uint64_t draws;
static const std::function<void()> *kernel_body;
static unsigned char *stacks;
static size_t n_stacks;

static uint64_t draw() {
    draws ^= draws << 13;
    draws ^= draws >> 7;
    draws ^= draws << 17;
    return draws;
}

/* ---- switching stacks: callee-saved registers of the x86-64 System V convention ---- */

static void *scheduler_stack_pointer;
extern "C" void emulator_switch(void **save, void *to);
__asm__(".text\n.globl emulator_switch\n.type emulator_switch,@function\nemulator_switch:\n"
        "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n"
        ".size emulator_switch, .-emulator_switch\n");

static void yield() { emulator_switch(&running.current->stack_pointer, scheduler_stack_pointer); }

static void resume(fiber *f) {
    running.current = f;
    now = &f->t;
    emulator_switch(&scheduler_stack_pointer, f->stack_pointer);
    running.current = nullptr;
}

/* ---- failure ---- */

static void note_failure(const char *what, const char *site, const fiber *f) {
    char text[400];
    if (!running.failure.empty()) return;
    snprintf(text, sizeof text, "%s at %s (block %u,%u,%u thread %u)", what, site, f->t.block_index.x, f->t.block_index.y, f->t.block_index.z, f->t.linear);
    running.failure = text;
}

void fail(const char *what, const char *site) {
    note_failure(what, site, running.current);
    running.current->is = DONE;
    for (;;) yield();
}

/* ---- barriers ---- */

static void release_barrier() {
    running.at_barrier = 0;
    running.epoch++;
    running.barrier_site = nullptr;
    for (fiber &f : running.fibers)
        if (f.is == AT_BARRIER) f.is = READY;
}

void barrier(const char *site) {
    fiber *f = running.current;
    if (!running.barrier_site) running.barrier_site = site;
    if (running.barrier_site != site) fail("threads of a block meet at two barriers", site);
    if (running.alive != running.n) fail("a barrier after a thread of the block has returned", site);
    f->site = site;
    f->is = AT_BARRIER;
    if (++running.at_barrier == running.n) release_barrier();
    yield();
}

/* ---- copies ---- */

static void land(const pending_copy &c) {
    std::memcpy(c.to, c.from, c.bytes);
    if (on_hidden_write) on_hidden_write(c.to, c.bytes);
}

void copy_begin(void *to, const void *from, unsigned bytes) {
    fiber *f = running.current;
    if (on_hidden_write) on_hidden_write(to, bytes); /* may land from now on … */
    if (running.copies_are_lazy) f->copies.push_back({to, from, bytes, f->groups}); /* … until it is waited for */
    else std::memcpy(to, from, bytes);
}

void copy_commit() { running.current->groups++; }

static void land_all_but(fiber *f, unsigned groups_left) {
    size_t kept = 0;
    for (pending_copy &c : f->copies)
        if (c.group + groups_left < f->groups) land(c);
        else f->copies[kept++] = c;
    f->copies.resize(kept);
}

void copy_wait(unsigned groups_left) { land_all_but(running.current, groups_left); }

/* ---- warp operations ---- */

static meeting *find_meeting(warp &w, unsigned mask, const char *site) {
    for (int i = 0; i < w.n_meetings; i++)
        if (w.meetings[i].mask == mask) return &w.meetings[i];
    if (w.n_meetings == MEETINGS) fail("more masks in one warp than the emulator keeps", site);
    meeting *m = &w.meetings[w.n_meetings++];
    *m = meeting{};
    m->mask = mask;
    return m;
}

static void end_round(warp &w, meeting *m, unsigned warp_index) {
    m->arrived = 0;
    m->round++;
    if (m->mask == w.alive && std::strcmp(m->what, "__syncwarp") == 0) w.sync_epoch++; /* shuffles do not order memory */
    for (unsigned lane = 0; lane < WARP; lane++) {
        unsigned i = warp_index * WARP + lane;
        if ((m->mask >> lane & 1) && running.fibers[i].is == IN_WARP) running.fibers[i].is = READY;
    }
}

const slots *exchange(unsigned mask, const void *piece, size_t bytes, const char *what, const char *site) {
    fiber *f = running.current;
    warp &w = running.warps[f->t.warp];
    unsigned exists = running.n - f->t.warp * WARP >= WARP ? ~0u : (1u << (running.n - f->t.warp * WARP)) - 1;
    if (!(mask >> f->t.lane & 1)) fail("a lane is not in its own mask", site);
    if (mask & exists & ~w.alive) fail("a warp operation names a lane that has returned", site);
    meeting *m = find_meeting(w, mask & exists, site);
    if (!m->arrived) m->what = what;
    if (m->what != what) fail("lanes of a warp meet in different operations", site);
    unsigned round = m->round;
    slots *mine = &m->pieces[round & 1];
    if (bytes) std::memcpy(mine->lane[f->t.lane], piece, bytes);
    m->arrived |= 1u << f->t.lane;
    if (m->arrived == m->mask) {
        end_round(w, m, f->t.warp);
        return mine;
    }
    f->site = site;
    f->is = IN_WARP;
    while (m->round == round) yield();
    return mine;
}

/* ---- shared memory ---- */

void *shared_static(const void *place, size_t bytes) {
    for (auto &known : running.statics)
        if (known.first == place) return running.shared + known.second;
    size_t at = (running.static_bytes + 127) / 128 * 128;
    running.static_bytes = at + bytes;
    if (running.static_bytes + running.dynamic_bytes > SHARED_BYTES) fail("more shared memory than a block can have", "a shared array");
    running.statics.emplace_back(place, at);
    return running.shared + at;
}

/* At the end, so that what follows it is out of bounds. */
void *shared_dynamic() { return running.shared + SHARED_BYTES - (running.dynamic_bytes + 1023) / 1024 * 1024; }

/* NaN in every floating type, where the block before may have written. */
static void poison_shared() {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(running.shared, SHARED_BYTES);
#endif
    std::memset(running.shared, 0xff, running.static_bytes);
    std::memset(running.shared + SHARED_BYTES - running.used_dynamic_bytes, 0xff, running.used_dynamic_bytes);
    running.static_bytes = 0;
    running.used_dynamic_bytes = (running.dynamic_bytes + 1023) / 1024 * 1024;
    running.statics.clear();
#if defined(__SANITIZE_ADDRESS__)
    unsigned char *dynamic = (unsigned char *)shared_dynamic();
    __asan_poison_memory_region(dynamic + running.dynamic_bytes, running.used_dynamic_bytes - running.dynamic_bytes);
#endif
}

/* ---- a block ---- */

static void fiber_main() {
    (*kernel_body)();
    fiber *f = running.current;
    if (running.at_barrier) note_failure("a thread returns while others wait at a barrier", running.barrier_site, f);
    land_all_but(f, 0);
    f->is = DONE;
    running.alive--;
    running.warps[f->t.warp].alive &= ~(1u << f->t.lane);
    for (;;) yield();
}

static void begin_fiber(unsigned i, index3 at, index3 size, index3 grid) {
    fiber &f = running.fibers[i];
    f.t = thread{{i % size.x, i / size.x % size.y, i / (size.x * size.y)}, at, size, grid, i, i % WARP, i / WARP, &f};
    f.is = READY;
    f.site = "its start";
    f.groups = 0;
    f.copies.clear();
    void **top = (void **)(stacks + (i + 1) * STACK_BYTES) - 3; /* a function begins with its stack 8 bytes off 16 */
    top[0] = nullptr;
    *--top = (void *)&fiber_main;
    f.stack_pointer = top - 6;
}

static void begin_block(index3 at, index3 size, index3 grid) {
    running.alive = running.n;
    running.at_barrier = 0;
    running.epoch++;
    running.barrier_site = nullptr;
    running.copies_are_lazy = schedule.copies == EMULATOR_LAZY || (schedule.copies == EMULATOR_DRAWN && (draw() & 1));
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stacks, n_stacks * STACK_BYTES); /* a failed launch leaves frames behind */
#endif
    poison_shared();
    for (unsigned i = 0; i < running.n; i++) begin_fiber(i, at, size, grid);
    for (unsigned w = 0; w < running.warps.size(); w++) {
        unsigned lanes = std::min<unsigned>(WARP, running.n - w * WARP);
        running.warps[w].alive = lanes == WARP ? ~0u : (1u << lanes) - 1;
        running.warps[w].n_meetings = 0;
        running.warps[w].sync_epoch = 0;
    }
}

/* Runs the lanes of a warp that can run, once each; whether any could. */
static bool step_warp(unsigned w) {
    unsigned flip = schedule.order == EMULATOR_RANDOM ? (unsigned)draw() % WARP : schedule.order == EMULATOR_REVERSE ? WARP - 1 : 0;
    bool any = false;
    for (unsigned k = 0; k < WARP && running.failure.empty(); k++) {
        unsigned i = w * WARP + (k ^ flip); /* flipping bits permutes the lanes */
        if (i >= running.n || running.fibers[i].is != READY) continue;
        any = true;
        resume(&running.fibers[i]);
    }
    return any;
}

static void note_deadlock() {
    const fiber *waits = nullptr;
    for (const fiber &f : running.fibers)
        if (f.is != DONE && !waits) waits = &f;
    char text[200];
    snprintf(text, sizeof text, "deadlock: %u of %u threads reached the barrier, a thread waits", running.at_barrier, running.n);
    note_failure(text, waits->site, waits);
}

/* Greedy: a warp runs until it blocks, which shows what lockstep would hide; drawn schedules do both. */
static void run_block(std::vector<unsigned> &order) {
    bool is_greedy = schedule.order != EMULATOR_RANDOM || (draw() & 1);
    while (running.alive && running.failure.empty()) {
        bool any = false;
        if (schedule.order == EMULATOR_RANDOM)
            for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[draw() % i]);
        for (unsigned w : order)
            while (step_warp(w)) {
                any = true;
                if (!is_greedy) break;
            }
        if (!any && running.failure.empty()) note_deadlock();
    }
}

/* ---- a grid ---- */

static void make_room(unsigned threads) {
    if (!running.shared) {
        running.shared = (unsigned char *)aligned_alloc(4096, (SHARED_BYTES + 4095) / 4096 * 4096);
        std::memset(running.shared, 0xff, SHARED_BYTES);
    }
    if (n_stacks >= threads) return;
    if (stacks) munmap(stacks, n_stacks * STACK_BYTES);
    n_stacks = threads;
    stacks = (unsigned char *)mmap(nullptr, n_stacks * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) abort();
}

static void begin_grid(index3 size, size_t shared_bytes, const std::function<void()> &body) {
    running.n = size.x * size.y * size.z;
    make_room(running.n);
    running.fibers.resize(running.n);
    running.warps.resize((running.n + WARP - 1) / WARP);
    running.dynamic_bytes = shared_bytes;
    running.failure.clear();
    kernel_body = &body;
    draws = 0x9e3779b97f4a7c15u ^ (schedule.seed * 0x2545f4914f6cdd1du + 1);
}

std::string run_grid(const char *kernel, index3 grid, index3 size, size_t shared_bytes, const std::function<void()> &body) {
    begin_grid(size, shared_bytes, body);
    std::vector<unsigned> order(running.warps.size());
    for (unsigned i = 0; i < order.size(); i++) order[i] = schedule.order == EMULATOR_REVERSE ? (unsigned)order.size() - 1 - i : i;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                begin_block({x, y, z}, size, grid);
                run_block(order);
                if (!running.failure.empty()) return std::string(kernel) + ": " + running.failure;
            }
    return "";
}

} // namespace emulator

extern "C" void emulator_set_schedule(const struct emulator_schedule *s) { emulator::schedule = *s; }
extern "C" int emulator_is_stream_eager(void) { return emulator::schedule.is_stream_eager; }
