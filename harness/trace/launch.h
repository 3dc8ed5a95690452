/* launch.h: somebody else's command, run with our library put into it and its children (kernels/cuda/inject). */
#ifndef ASSAY_HARNESS_TRACE_LAUNCH_H
#define ASSAY_HARNESS_TRACE_LAUNCH_H

#include "kernels/base/status.h"

/* The path of the library: beside this program (a build folder) or in ../lib/assay (installed). Owned: mem_free.
 * Errors: INPUT it is in neither; or another tool's library stands in the environment, where there is room for one. */
enum status launch_library(char **out, struct error *e);

/* Runs argv (ends with NULL), which inherits everything of ours, until it ends; *state as from waitpid. Recordings go to
 * `folder`, an absolute path. Signals that are sent to us are sent on; those of the terminal reach it by themselves.
 * Errors: INPUT it cannot be started, in the system's words. */
enum status launch_run(char **argv, const char *library, const char *folder, int *state, struct error *e);

/* "ended with exit status 3", "was ended by signal 11 (Segmentation fault)"; NULL where it ended well. Owned: mem_free. */
char *launch_end(int state);

#endif
