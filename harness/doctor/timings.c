/* timings.c: what was timed on this machine for optimizers to choose by. */
#include "harness/doctor/findings.h"
#include "harness/measure/timings.h"

void doctor_timings(struct doctor_report *r) {
    struct arena a = {0};
    int n_files;
    const char *folder = timings_folder(&a);
    int n = timings_count(folder, &n_files);
    finding_add(r, SCOPE_ENVIRONMENT, "timings", FINDING_OK, "", "%d kept in %d file%s in %s (delete it to measure anew)", n, n_files, n_files == 1 ? "" : "s", folder);
    arena_free(&a);
}
