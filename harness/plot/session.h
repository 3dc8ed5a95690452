/* session.h: a store opened for reading, the runs chosen, and the temporary tables that figures and the report read
 * beside the views. plots/README.md lists the tables; a report draws all its figures in one session. */
#ifndef ASSAY_HARNESS_PLOT_SESSION_H
#define ASSAY_HARNESS_PLOT_SESSION_H

#include <sqlite3.h>

#include "harness/plot/plot.h"
#include "results/store/store.h"

struct plot_session {
    struct store *store;
    sqlite3 *db;                /* the store's own; borrowed */
    char *folder;               /* figures */
    int is_inline;              /* SVG for a page: no background */
};

/* Opens the store, finds the runs (n_runs 0: the latest experiment) and fills the temporary tables.
 * Errors: STORE; IO no figures folder; INPUT no such run. */
enum status plot_session_open(const char *store, const char *const *runs, int n_runs, const char *data_folder,
                         struct plot_session *out, struct error *e);
void plot_session_close(struct plot_session *s);

/* Draws one figure into r->output; the request's store, runs and data folder are the session's own. */
enum status plot_session_draw(const struct plot_session *s, const struct plot_request *r, struct error *e);

/* Runs statements without results in the temporary schema. Errors: STORE. */
enum status plot_session_execute(sqlite3 *db, const char *sql, struct error *e);

#endif
