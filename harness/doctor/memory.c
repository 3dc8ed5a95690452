/* memory.c: how much there is, how much of it we may take, and in what pages. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/doctor/findings.h"
#include "harness/measure/engine.h"

static double meminfo_bytes(const char *key) {
    char value[64];
    return line_find("/proc/meminfo", key, value, sizeof value) ? strtod(value, NULL) * 1024 : 0;
}

static void add_huge_pages(struct doctor_report *r) {
    char line[128], *open_at, *close_at;
    int is_known = line_read("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof line);
    const char *choice = "not visible";
    if (is_known && (open_at = strchr(line, '[')) && (close_at = strchr(open_at, ']'))) {
        *close_at = '\0';
        choice = open_at + 1;
    }
    finding_add(r, SCOPE_ENVIRONMENT, "memory.huge_pages", strcmp(choice, "never") == 0 ? FINDING_WARN : FINDING_OK,
                "large buffers live in 4 KiB pages: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled", "%s",
                choice);
}

static void add_limits(struct doctor_report *r) {
    struct rlimit as, locked;
    int is_limited = getrlimit(RLIMIT_AS, &as) == 0 && as.rlim_cur != RLIM_INFINITY;
    if (is_limited) {
        finding_add(r, SCOPE_ENVIRONMENT, "memory.address_limit", FINDING_WARN,
                    "mapped checkpoints count against this limit: ulimit -v unlimited", "%.1f GiB",
                    (double)as.rlim_cur / 0x1p30);
    }
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0 && locked.rlim_cur != RLIM_INFINITY)
        finding_add(r, SCOPE_ENVIRONMENT, "memory.locked_limit", FINDING_OK, "", "%.0f KiB",
                    (double)locked.rlim_cur / 1024);
}

void doctor_memory(struct doctor_report *r) {
    double available = memory_available(), swap = meminfo_bytes("SwapTotal") - meminfo_bytes("SwapFree");
    finding_add(r, SCOPE_MACHINE, "memory.total", FINDING_OK, "", "%.0f GiB", meminfo_bytes("MemTotal") / 0x1p30);
    finding_add(r, SCOPE_ENVIRONMENT, "memory.available", available < 1e9 ? FINDING_WARN : FINDING_OK,
                "less than a gigabyte may be taken (free memory, or the control group's limit): small models only",
                "%.1f GiB", available / 0x1p30);
    if (swap > 0)
        finding_add(r, SCOPE_ENVIRONMENT, "memory.swapped", FINDING_WARN,
                    "pages are in swap: end what fills the memory before measuring", "%.1f GiB", swap / 0x1p30);
    add_limits(r);
    add_huge_pages(r);
}
