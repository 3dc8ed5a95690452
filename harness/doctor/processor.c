/* processor.c: what computes here, how much of it is ours, and at what frequency. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/doctor/caches.h"
#include "harness/doctor/features.h"
#include "harness/doctor/findings.h"
#include "kernels/cpu/team.h"

static void add_model(struct doctor_report *r) {
    char model[256] = "unknown";
    struct utsname u;
    line_find("/proc/cpuinfo", "model name", model, sizeof model);
    finding_add(r, SCOPE_MACHINE, "cpu.model", FINDING_OK, "", "%s", model);
    finding_add(r, SCOPE_MACHINE, "cpu.architecture", FINDING_OK, "", "%s", uname(&u) == 0 ? u.machine : "unknown");
}

static void add_features(struct doctor_report *r) {
    struct text present = {0}, masked = {0};
    for (int i = 0; i < FEATURE_COUNT; i++) {
        enum feature_state state = feature_state((enum feature)i);
        if (state == FEATURE_ABSENT) continue;
        struct text *t = state == FEATURE_PRESENT ? &present : &masked;
        text_append(t, "%s%s", t->length ? " " : "", feature_name((enum feature)i));
    }
    int is_wide = feature_has(FEATURE_AVX2) && feature_has(FEATURE_FMA);
    finding_add(r, SCOPE_MACHINE, "cpu.features", is_wide ? FINDING_OK : FINDING_WARN,
                "no AVX2 with FMA: the plain C kernels run, which are many times slower", "%s",
                present.data ? present.data : "none of those that Assay uses");
    if (masked.data)
        finding_add(r, SCOPE_MACHINE, "cpu.masked", FINDING_WARN,
                    "the CPU has these but the system does not keep their registers: a newer kernel, or the "
                    "hypervisor's settings",
                    "%s", masked.data);
    text_free(&present);
    text_free(&masked);
}

/* "0-3,8": the CPUs of the affinity mask. Returns how many. */
static int affinity_text(struct text *t) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        size_t first = i;
        if (!CPU_ISSET(i, &set)) continue;
        while (i + 1 < CPU_SETSIZE && CPU_ISSET(i + 1, &set)) i++;
        text_append(t, i > first ? "%s%zu-%zu" : "%s%zu", t->length ? "," : "", first, i);
    }
    return CPU_COUNT(&set);
}

static void add_cores(struct doctor_report *r) {
    struct text list = {0};
    char siblings[64] = "";
    int allowed = affinity_text(&list), usable = team_default_size();
    finding_add(r, SCOPE_MACHINE, "cpu.cores", FINDING_OK, "", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    line_read("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", siblings, sizeof siblings);
    int shares = strpbrk(siblings, ",-") != NULL;
    finding_add(r, SCOPE_MACHINE, "cpu.shared_cores", shares ? FINDING_WARN : FINDING_OK,
                "two hardware threads share a core: bind one thread a core (taskset), or switch SMT off", "%s",
                shares ? siblings : "no");
    finding_add(r, SCOPE_ENVIRONMENT, "cpu.affinity", FINDING_OK, "", "%s", list.data ? list.data : "unknown");
    finding_add(r, SCOPE_ENVIRONMENT, "cpu.usable", usable < allowed ? FINDING_WARN : FINDING_OK,
                "a control group's quota allows less than the affinity mask: threads beyond it are stopped in bursts; "
                "raise the quota or give fewer CPUs",
                "%d of %d", usable, allowed);
    text_free(&list);
}

static void add_frequency(struct doctor_report *r) {
    char governor[64], boost[16] = "", no_turbo[16] = "";
    const char *folder = "/sys/devices/system/cpu/";
    char path[256];
    snprintf(path, sizeof path, "%scpu0/cpufreq/scaling_governor", folder);
    int is_visible = line_read(path, governor, sizeof governor);
    int is_fixed = !is_visible || strcmp(governor, "performance") == 0;
    finding_add(r, SCOPE_ENVIRONMENT, "cpu.governor", is_fixed ? FINDING_OK : FINDING_WARN,
                "the frequency follows the load: cpupower frequency-set -g performance", "%s",
                is_visible ? governor : "not visible (the host decides)");
    snprintf(path, sizeof path, "%scpufreq/boost", folder);
    line_read(path, boost, sizeof boost);
    snprintf(path, sizeof path, "%sintel_pstate/no_turbo", folder);
    line_read(path, no_turbo, sizeof no_turbo);
    const char *state = !*boost && !*no_turbo ? "not visible" : *boost == '1' || *no_turbo == '0' ? "on" : "off";
    finding_add(r, SCOPE_ENVIRONMENT, "cpu.boost", FINDING_OK, "", "%s", state);
}

static void add_caches(struct doctor_report *r) {
    static const char *const keys[] = {"cache.l1d", "cache.l2", "cache.l3"};
    for (int level = 1; level <= 3; level++) {
        long bytes = cache_bytes(level);
        if (bytes > 0) finding_add(r, SCOPE_MACHINE, keys[level - 1], FINDING_OK, "", "%ld KiB", bytes / 1024);
        else finding_add(r, SCOPE_MACHINE, keys[level - 1], FINDING_OK, "", "unknown");
    }
}

void doctor_processor(struct doctor_report *r) {
    add_model(r);
    add_features(r);
    add_cores(r);
    add_caches(r);
    add_frequency(r);
}
