/* team_limits.c: how many threads this process may use at once. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/team.h"

/* "max 100000" or "150000 100000": quota and period in µs (cgroup v2, cpu.max); 0 where there is no limit. */
static int quota_at(const char *folder) {
    char path[4200];
    long long quota = 0, period = 0;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", folder);
    FILE *f = fopen(path, "r");
    int n = f ? fscanf(f, "%lld %lld", &quota, &period) : 0;
    if (f) fclose(f);
    return n == 2 && quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

/* The first version's names, where the controller is mounted in its usual place. */
static int quota_v1(void) {
    static const char *const paths[] = {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"};
    long long value[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(paths[i], "r");
        int n = f ? fscanf(f, "%lld", &value[i]) : 0;
        if (f) fclose(f);
        if (n != 1) return 0;
    }
    return value[0] > 0 && value[1] > 0 ? (int)((value[0] + value[1] - 1) / value[1]) : 0;
}

static int smaller_limit(int a, int b) { return a == 0 ? b : b == 0 || a < b ? a : b; }

/* A group is limited by every group above it. */
static int quota(void) {
    char line[4096], *group = NULL;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "0::", 3) == 0) {
            group = line + 3;
            group[strcspn(group, "\n")] = 0;
            break;
        }
    if (f) fclose(f);
    int limit = smaller_limit(quota_v1(), quota_at(""));
    while (group && *group) {
        limit = smaller_limit(limit, quota_at(group));
        char *slash = strrchr(group, '/');
        if (!slash) break;
        *slash = 0;
    }
    return limit;
}

int team_default_size(void) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    int n = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1, limit = quota();
    if (limit > 0 && limit < n) n = limit;
    return n < 1 ? 1 : n > TEAM_MAX_MEMBERS ? TEAM_MAX_MEMBERS : n;
}
