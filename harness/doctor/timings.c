/* timings.c: what was timed on this machine, for devices and optimizers to choose by. */
#include <string.h>

#include "harness/doctor/findings.h"
#include "harness/measure/remember.h"

/* What a device says of its units. */
static void add_unit(void *to, const char *key, const char *value) {
    const char prefix[] = "compute_unit.";
    if (strncmp(key, prefix, strlen(prefix)) == 0) finding_add(to, SCOPE_ENVIRONMENT, key + strlen(prefix), FINDING_OK, "", "%s", value);
}

static void add_units(struct doctor_report *r) {
    struct remember units;
    struct clock clock = {0};
    struct device *d;
    struct error e = {0};
    remember_begin(&units);
    if (backend_cpu.open(&(struct device_options){.threads = 1, .clock = &clock, .memory = &units.memory}, &d, &e) == STATUS_OK) {
        backend_cpu.describe(d, add_unit, r);
        backend_cpu.close(d);
    }
    remember_end(&units);
}

void doctor_timings(struct doctor_report *r) {
    struct arena a = {0};
    int n_files;
    const char *folder = timings_folder(&a);
    add_units(r);
    int n = timings_count(folder, &n_files);
    finding_add(r, SCOPE_ENVIRONMENT, "timings", FINDING_OK, "", "%d kept in %d file%s in %s (delete it to measure anew)", n, n_files, n_files == 1 ? "" : "s", folder);
    arena_free(&a);
}
