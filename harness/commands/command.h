/* command.h: what `assay` can do: one row a command, one file each. Only commands print. */
#ifndef ASSAY_HARNESS_COMMANDS_COMMAND_H
#define ASSAY_HARNESS_COMMANDS_COMMAND_H

#include "harness/spec/options.h"

/* Exit codes: 0 done; 1 regression or a failed check; 2 usage or bad input; 3 inconclusive; 130 interrupted. */
enum { EXIT_DONE = 0, EXIT_CHECK_FAILED = 1, EXIT_USAGE = 2, EXIT_INCONCLUSIVE = 3 };

struct command {
    const char *name, *arguments, *summary;
    unsigned options;          /* FOR_… of options.h */
    /* Its exit code in *exit_code when the status is OK. */
    enum status (*run)(struct options *o, int *exit_code, struct error *e);
    const char *more;          /* what --help says after the options; NULL: nothing */
};

#define COMMAND_LIST(X) \
    X(run) X(experiment) X(suite) X(compare) X(show) X(list) X(export) X(plot) X(report) X(ceilings) X(doctor) X(verify) X(tokenize) X(import) X(trace)
#define X(name) extern const struct command command_##name;
COMMAND_LIST(X)
#undef X

/* The whole program: parses argv, runs a command, prints its error. Returns the exit code. */
int command_main(int argc, char **argv);

/* How a trace is attributed: --stages, --stage-depth, --iteration, --name. INPUT: the depth is out of range. */
struct trace_request;
enum status command_trace_request(const struct options *o, struct trace_request *q, struct error *e);

/* Measures a plan into --db (and goes on with --resume); *id as measure_plan's. */
struct plan;
struct id;
enum status command_measure(struct plan *p, const struct options *o, struct id *id, struct error *e);

/* The n-th argument, or the fallback where it is not given (NULL: an INPUT error naming what is missing). */
enum status command_argument(const struct options *o, int n, const char *what, const char *fallback, const char **out, struct error *e);

#endif
