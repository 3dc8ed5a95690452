#include <string.h>

#include "harness/commands/command.h"
#include "harness/plot/plot.h"
#include "harness/report/report.h"

static enum status run_plot(struct options *o, int *exit_code, struct error *e) {
    const char *figure, *output = o->value[OPT_FORMAT];
    *exit_code = EXIT_DONE;
    enum status s = command_argument(o, 0, "which figure (assay list figures)", NULL, &figure, e);
    if (s != STATUS_OK) return s;
    if (!output) output = arena_printf(&o->arena, "%s.svg", figure);
    struct plot_request r = {.store = o->value[OPT_DB], .figure = figure, .runs = o->args + 1, .n_runs = o->n_args - 1, .output = output};
    s = plot_figure(&r, e);
    if (s == STATUS_OK) printf("%s\n", output);
    return s;
}

static enum status run_report(struct options *o, int *exit_code, struct error *e) {
    const char *output = o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "report.html";
    *exit_code = EXIT_DONE;
    struct report_request r = {.store = o->value[OPT_DB], .runs = o->args, .n_runs = o->n_args, .output = output};
    enum status s = report_write(&r, e);
    if (s == STATUS_OK) printf("%s\n", output);
    return s;
}

const struct command command_plot = {"plot", "FIGURE [RUN...]", "draw a figure (-o FILE.svg, .png or .pdf)", FOR_STORE | FOR_OUTPUT | FOR_PLOT, run_plot, NULL};
const struct command command_report = {"report", "[RUN...]", "one report.html (-o FILE) of runs or an experiment; default: the latest", FOR_STORE | FOR_OUTPUT | FOR_REPORT, run_report, NULL};
