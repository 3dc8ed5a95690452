/* tables.h: statistics that SQL cannot compute, as temporary tables beside the views. */
#ifndef ASSAY_HARNESS_PLOT_TABLES_H
#define ASSAY_HARNESS_PLOT_TABLES_H

#include "harness/plot/session.h"

/* Makes interval, comparison, past_bound, beside, effect, interaction, shapley and ladder for the selected runs; those of a designed
 * experiment stay empty where the runs are not one. plots/README.md has the columns. */
enum status tables_fill(struct plot_session *s, struct error *e);

#endif
