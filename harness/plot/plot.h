/* plot.h: a figure is two files of one name in the figures folder: NAME.sql reads the store's views and NAME.gp
 * draws what it found with gnuplot. plots/README.md is the contract; to add a figure is to add the two files. */
#ifndef ASSAY_HARNESS_PLOT_PLOT_H
#define ASSAY_HARNESS_PLOT_PLOT_H

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

struct plot_request {
    const char *store;          /* the database's path */
    const char *figure;         /* NAME of NAME.sql */
    const char *const *runs;    /* ids, or unique beginnings of ids, of runs or experiments */
    int n_runs;                 /* 0: the latest experiment */
    const char *format;         /* "svg", "png", "pdf"; NULL: by the output's ending */
    const char *output;
    const char *data_folder;    /* NULL: plot_data_folder's */
    const char *keep_folder;    /* leaves the .dat and .gp files here; NULL: a scratch folder, thrown away */
};

/* Errors: INPUT unknown figure, format or run, or nothing to draw in these runs (the reason in words);
 * UNSUPPORTED gnuplot is not installed; BACKEND gnuplot failed (its own words); STORE; IO. */
enum status plot_figure(const struct plot_request *r, struct error *e);

struct figure {
    const char *name, *summary; /* summary: the first comment line of NAME.sql */
};
struct figure_list {
    struct figure *items;       /* in the order of their names */
    int count;
    struct arena arena;
};
enum status plot_list(const char *data_folder, struct figure_list *out, struct error *e);
void plot_list_free(struct figure_list *l);

/* Where the figures are: $ASSAY_DATA/plots, else ../share/assay/plots beside the executable, else the source
 * tree. Owned: mem_free. Errors: IO naming the places tried. */
enum status plot_data_folder(char **out, struct error *e);

#endif
