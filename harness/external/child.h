/* child.h: somebody else's command, run once to its end, under a time limit, with what it printed.
 *
 * It runs in a process group of its own, which is ended with it: nothing that it started in that group goes on beside
 * the next measurement. Its input is empty. */
#ifndef ASSAY_HARNESS_EXTERNAL_CHILD_H
#define ASSAY_HARNESS_EXTERNAL_CHILD_H

#include <stdint.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum { CHILD_MOST_OUTPUT = 4 << 20 }; /* bytes kept of each stream */

struct child_request {
    const char *const *argv;              /* ends with NULL */
    const char *directory;                /* to run in; NULL: ours */
    const char *const *environment;       /* "NAME=VALUE", ends with NULL; added to ours. NULL: nothing */
    double limit_s;
    int (*is_stopped)(void);              /* asked after each signal: end it and return INTERRUPTED. NULL: never */
};

struct child_result {
    int pid;
    int state;                            /* as from waitpid */
    int is_late;                          /* it was ended at its time limit */
    int64_t start_unix_ns, start_ns, wall_ns; /* start_ns: monotonic; wall: until the command itself ended */
    struct text output, errors;           /* the first CHILD_MOST_OUTPUT bytes of each */
    int is_cut;                           /* there was more output */
};

/* Whether it can be started here. INPUT: no such program, or it is not executable, in words. */
enum status child_find(const struct child_request *r, struct error *e);

/* Errors: INPUT it cannot be started, in the system's words; IO no pipe or process; INTERRUPTED. How the command itself
 * ended is no error. */
enum status child_run(const struct child_request *r, struct child_result *out, struct error *e);
void child_result_free(struct child_result *r);

#endif
