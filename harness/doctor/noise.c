/* noise.c: what takes the CPUs away from us while we only look at the clock. */
#include <stdio.h>
#include <string.h>

#include "harness/doctor/findings.h"
#include "kernels/base/clock.h"
#include "kernels/cpu/team.h"

enum { GAP_NS = 5000 }; /* longer than any interrupt that a quiet machine serves */

static const double least_steal_seconds = 0.5;

struct watch {
    uint64_t duration_ns;
    struct {
        _Alignas(64) uint64_t lost_ns;
        uint64_t worst_ns, watched_ns;
    } member[TEAM_MAX_MEMBERS];
};

static void watch_clock(void *arg, int member) {
    struct watch *w = arg;
    const struct clock clock = {0};
    uint64_t begin = clock_now_ns(&clock), last = begin, lost = 0, worst = 0;
    while (last - begin < w->duration_ns) {
        uint64_t now = clock_now_ns(&clock), gap = now - last;
        if (gap > GAP_NS) lost += gap;
        if (gap > worst) worst = gap;
        last = now;
    }
    w->member[member].lost_ns = lost;
    w->member[member].worst_ns = worst;
    w->member[member].watched_ns = last - begin;
}

/* Jiffies of all CPUs so far: those the hypervisor took, and all. proc(5): user nice system idle iowait irq softirq
 * steal. */
struct jiffies {
    double steal, all;
};
static struct jiffies jiffies_now(void) {
    unsigned long long v[8] = {0};
    struct jiffies j = {0};
    FILE *f = fopen("/proc/stat", "r");
    int n =
        f ? fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7)
          : 0;
    if (f) fclose(f);
    for (int i = 0; i < n && i < 8; i++) j.all += (double)v[i];
    if (n == 8) j.steal = (double)v[7];
    return j;
}

/* Jiffies are 10 ms: a short watch says nothing about now. */
static void add_steal(struct doctor_report *r, struct jiffies before, struct jiffies after, double seconds) {
    double boot = after.all > 0 ? 100 * after.steal / after.all : 0;
    double now = after.all > before.all ? 100 * (after.steal - before.steal) / (after.all - before.all) : 0;
    const char *advice =
        "the hypervisor gives our CPUs to others: use a dedicated machine, or more processes a cell (--processes)";
    enum finding_status level = finding_judge(boot, 2, 100);
    if (seconds < least_steal_seconds) {
        finding_add(r, SCOPE_ENVIRONMENT, "noise.steal", level, advice, "%.1f %% since boot", boot);
        return;
    }
    if (finding_judge(now, 1, 10) > level) level = finding_judge(now, 1, 10);
    finding_add(r, SCOPE_ENVIRONMENT, "noise.steal", level, advice, "%.1f %% now, %.1f %% since boot", now, boot);
}

void doctor_noise(struct doctor_report *r, double seconds) {
    struct watch w = {.duration_ns = (uint64_t)(seconds * 1e9)};
    struct team *team;
    double lost = 0, watched = 0, worst = 0;
    if (team_open(0, 1, &team, NULL) != STATUS_OK) {
        finding_add(r, SCOPE_ENVIRONMENT, "noise.gaps", FINDING_BAD,
                    "no threads can be started: see ulimit -u and the control group's pids.max", "not measured");
        return;
    }
    int size = team_size(team);
    struct jiffies before = jiffies_now();
    team_run(team, watch_clock, &w);
    struct jiffies after = jiffies_now();
    team_close(team);
    for (int i = 0; i < size; i++) {
        lost += (double)w.member[i].lost_ns;
        watched += (double)w.member[i].watched_ns;
        if ((double)w.member[i].worst_ns > worst) worst = (double)w.member[i].worst_ns;
    }
    double percent = watched > 0 ? 100 * lost / watched : 0;
    finding_add(r, SCOPE_ENVIRONMENT, "noise.gaps", finding_judge(percent, 1, 10),
                "something else runs on our CPUs: end it, bind it elsewhere, or measure longer",
                "%.2f %% of %.2f s on %d, longest %.0f us", percent, watched / 1e9 / size, size, worst / 1e3);
    add_steal(r, before, after, seconds);
}
