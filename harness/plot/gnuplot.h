/* gnuplot.h: one script, run without a shell and without the user's own settings. */
#ifndef ASSAY_HARNESS_PLOT_GNUPLOT_H
#define ASSAY_HARNESS_PLOT_GNUPLOT_H

#include "kernels/base/status.h"

/* Errors: UNSUPPORTED no gnuplot found (the package's name in the text); BACKEND it failed,
 * with its words, or took longer than a minute. */
enum status gnuplot_run(const char *script, struct error *e);

#endif
