/* report.h: one report.html that needs nothing else: tables from plots/report/NAME.sql, figures as inline SVG, style
 * from plots/report.css. Every table is there a second time as Markdown; every text from the store is escaped. */
#ifndef ASSAY_HARNESS_REPORT_REPORT_H
#define ASSAY_HARNESS_REPORT_REPORT_H

#include "kernels/base/status.h"

struct report_request {
    const char *store;          /* the database's path */
    const char *const *runs;    /* ids, or unique beginnings of ids, of runs or experiments */
    int n_runs;                 /* 0: the latest experiment */
    const char *output;
    const char *data_folder;    /* NULL: plot_data_folder's */
};

/* Writes the page whole or not at all. Where gnuplot is missing the page is written without figures and says so.
 * Errors: as plot_figure. */
enum status report_write(const struct report_request *r, struct error *e);

#endif
