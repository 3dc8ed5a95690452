/* import.h: traces that other tools recorded, read into one form (kernels/activity.h) and stored as runs.
 * A format is one file with one descriptor, and one line in IMPORTER_LIST. */
#ifndef ASSAY_HARNESS_IMPORT_IMPORT_H
#define ASSAY_HARNESS_IMPORT_IMPORT_H

#include "harness/measure/progress.h"
#include "kernels/activity.h"
#include "kernels/base/status.h"
#include "results/model.h"

/* What a trace says of where and how it was recorded; texts are of the arena. */
struct imported {
    struct activity activity;      /* threads are numbered in the order of (process, thread) as text */
    struct fact *machine, *environment;
    size_t n_machine, machine_capacity, n_environment, environment_capacity;
    int64_t recorded_unix_ns;      /* -1 unknown */
    int64_t pid;                   /* of the only process; -1 unknown or several */
    int rank;                      /* of a distributed job; -1 none */
    struct arena arena;
};
void imported_free(struct imported *x);
void imported_machine(struct imported *x, const char *key, const char *value);
void imported_environment(struct imported *x, const char *key, const char *value);

struct importer {
    const char *name, *summary;
    /* Rows as in the file, not joined; at least one operation. `progress` counts the file's bytes; NULL: none.
     * Errors: IO missing or unreadable; INPUT not of this format, cut, damaged, empty, times that cannot be;
     * UNSUPPORTED a version that is not known. */
    enum status (*read)(const char *path, struct progress *progress, struct imported *out, struct error *e);
};
#define IMPORTER_LIST(X) X(nsys) X(pytorch) X(recording)
#define X(name) extern const struct importer importer_##name;
IMPORTER_LIST(X)
#undef X

/* NULL where there is none; *names: what there is, with commas between (static). */
const struct importer *importer_find(const char *name, const char **names);

#endif
