/* external.h: an entry of a suite that is somebody else's command: what is run, and how its figures are read. */
#ifndef ASSAY_HARNESS_EXTERNAL_EXTERNAL_H
#define ASSAY_HARNESS_EXTERNAL_EXTERNAL_H

#include <jansson.h>

#include "harness/external/child.h"
#include "harness/external/figure.h"

enum { EXTERNAL_MOST_FIGURES = 16 };

/* Strings are borrowed. */
struct external {
    struct child_request command;
    struct figure figures[EXTERNAL_MOST_FIGURES];
    int n_figures;                      /* 1 or more */
};

struct external_found {
    int pid;
    int64_t start_unix_ns, start_ns, wall_ns;
    double values[EXTERNAL_MOST_FIGURES]; /* in the order of figures */
};

/* Once, in a fresh process. Errors: INTERRUPTED; else a reason why this time gives no figure: it could not be started,
 * it failed, it ran into its limit, what it printed cannot be read. */
enum status external_run(const struct external *x, struct external_found *out, struct error *e);

/* The program's own name: the last part of argv[0]. */
const char *external_program(const struct external *x);
/* What was asked for, as a run's spec. */
json_t *external_json(const struct external *x);

#endif
