/* system.c: the system underneath: kernel, distribution, virtual machine, load, clock. */
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "harness/doctor/findings.h"
#include "kernels/base/clock.h"

static void add_names(struct doctor_report *r) {
    struct utsname u;
    char name[128] = "unknown", flags[4096] = "", vendor[128] = "";
    finding_add(r, SCOPE_ENVIRONMENT, "system.kernel", FINDING_OK, "", "%s", uname(&u) == 0 ? u.release : "unknown");
    line_find("/etc/os-release", "PRETTY_NAME", name, sizeof name);
    finding_add(r, SCOPE_ENVIRONMENT, "system.name", FINDING_OK, "", "%s", name);
    line_find("/proc/cpuinfo", "flags", flags, sizeof flags);
    line_read("/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    int is_virtual = strstr(flags, " hypervisor") != NULL;
    finding_add(r, SCOPE_MACHINE, "system.virtual", FINDING_OK, "", "%s%s%s", is_virtual ? "yes" : "no",
                is_virtual && *vendor ? ", " : "", is_virtual ? vendor : "");
}

static void add_load(struct doctor_report *r) {
    char line[128] = "";
    line_read("/proc/loadavg", line, sizeof line);
    double load = strtod(line, NULL);
    finding_add(r, SCOPE_ENVIRONMENT, "system.load", load > 0.5 ? FINDING_WARN : FINDING_OK,
                "other work takes the CPUs: times vary with it; end it, or expect runs to be marked noisy", "%.2f",
                load);
}

/* The smallest step that two readings show, and the mean cost of one. */
static void read_clock(double *step_ns, double *cost_ns) {
    enum { READINGS = 20000 };
    const struct clock clock = {0};
    uint64_t first = clock_now_ns(&clock), last = first, least = UINT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        uint64_t now = clock_now_ns(&clock);
        if (now > last && now - last < least) least = now - last;
        last = now;
    }
    *step_ns = least == UINT64_MAX ? 0 : (double)least;
    *cost_ns = (double)(last - first) / READINGS;
}

static void add_clock(struct doctor_report *r) {
    char source[64] = "unknown";
    double step, cost;
    struct timespec resolution = {0};
    line_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof source);
    clock_getres(CLOCK_MONOTONIC, &resolution);
    read_clock(&step, &cost);
    finding_add(r, SCOPE_ENVIRONMENT, "clock.source", FINDING_OK, "", "%s", source);
    finding_add(r, SCOPE_ENVIRONMENT, "clock.resolution", resolution.tv_nsec > 1000 ? FINDING_WARN : FINDING_OK,
                "the clock is too coarse for operations of a few microseconds: boot with clocksource=tsc",
                "%ld ns, smallest step seen %.0f ns", resolution.tv_nsec, step);
    finding_add(
        r, SCOPE_ENVIRONMENT, "clock.cost", cost > 200 ? FINDING_WARN : FINDING_OK,
        "reading the clock enters the kernel: traces of short operations are perturbed; boot with clocksource=tsc",
        "%.0f ns", cost);
}

void doctor_system(struct doctor_report *r) {
    add_names(r);
    add_load(r);
    add_clock(r);
}
