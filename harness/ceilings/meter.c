#include "harness/ceilings/meter.h"

#include <string.h>
#include <sys/mman.h>

#include "kernels/base/clock.h"
#include "kernels/base/memory.h"
#include "kernels/cpu/team.h"

struct turn {
    _Alignas(64) struct share share;
    uint64_t start_ns, end_ns;
};

struct job {
    struct meter *meter;
    const struct probe *probe; /* NULL: touch the member's region */
    size_t share_bytes;
    int64_t repeats;
    struct turn turns[TEAM_MAX_MEMBERS];
};

static size_t region_bytes(const struct meter *m) { return m->bytes / (size_t)m->threads / SHARE_GRAIN * SHARE_GRAIN; }

static size_t share_bytes(const struct meter *m, size_t working_set) {
    size_t share = working_set / (size_t)m->threads / SHARE_GRAIN * SHARE_GRAIN;
    return share < SHARE_GRAIN ? SHARE_GRAIN : share;
}

static void take_turn(void *arg, int member) {
    struct job *job = arg;
    struct turn *turn = &job->turns[member];
    turn->share.data = job->meter->memory + (size_t)member * region_bytes(job->meter);
    turn->share.bytes = job->share_bytes;
    team_barrier(job->meter->team, member);
    const struct clock clock = {0};
    turn->start_ns = clock_now_ns(&clock);
    if (job->probe) job->probe->run(&turn->share, job->repeats);
    else memset(turn->share.data, 1, job->share_bytes);
    turn->end_ns = clock_now_ns(&clock);
}

static double run_job(struct job *job) {
    team_run(job->meter->team, take_turn, job);
    uint64_t first = UINT64_MAX, last = 0;
    for (int i = 0; i < job->meter->threads; i++) {
        if (job->turns[i].start_ns < first) first = job->turns[i].start_ns;
        if (job->turns[i].end_ns > last) last = job->turns[i].end_ns;
    }
    return last > first ? (double)(last - first) : 1;
}

/* Mapped here and not by mem_try: that clears the memory on the calling thread, and pages would then lie near that
 * thread alone. */
static enum status map_memory(struct meter *m, size_t bytes, struct error *e) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return error_set(e, STATUS_NO_MEMORY, "%zu bytes to measure bandwidth with were refused", bytes);
    madvise(p, bytes, MADV_HUGEPAGE);
    m->memory = p;
    m->bytes = bytes;
    return STATUS_OK;
}

enum status meter_open(struct meter *m, int threads, size_t bytes, struct error *e) {
    *m = (struct meter){.threads = threads};
    enum status s = team_open(threads, 1, &m->team, e);
    if (s == STATUS_OK) s = map_memory(m, bytes, e);
    if (s != STATUS_OK) {
        meter_close(m);
        return s;
    }
    struct job job = {.meter = m, .share_bytes = region_bytes(m)};
    run_job(&job);
    return STATUS_OK;
}

void meter_close(struct meter *m) {
    if (m->memory) munmap(m->memory, m->bytes);
    team_close(m->team);
    *m = (struct meter){0};
}

double meter_run(struct meter *m, const struct probe *p, size_t working_set, int64_t repeats) {
    struct job job = {.meter = m, .probe = p, .share_bytes = share_bytes(m, working_set), .repeats = repeats};
    return run_job(&job);
}

double meter_work(const struct meter *m, const struct probe *p, size_t working_set, int64_t repeats) {
    double one = p->work > 0 ? p->work : (double)share_bytes(m, working_set);
    return one * (double)repeats * m->threads;
}
