/* parts.h: the parts of a suite's file (private to suite/). */
#ifndef ASSAY_HARNESS_SUITE_PARTS_H
#define ASSAY_HARNESS_SUITE_PARTS_H

#include "harness/suite/reader.h"
#include "harness/suite/suite.h"

/* ---- defaults.c: options ---- */

struct option_map {
    const struct node *map;
    const char *const *reserved;        /* keys that are no options; ended by NULL */
    const struct suite_options *base;   /* NULL: nothing but the table's defaults */
    unsigned commands;
};
/* The first `n_keys` keys of the map onto its base. */
enum status options_read(struct reader *r, const struct option_map *m, size_t n_keys, struct suite_options *out);
/* "name, workload, model, …": what the map may hold, in the arena, ended by NULL. */
const char *const *options_allowed(struct reader *r, const struct option_map *m);
/* A variable that is not set, in words; NULL where none is. */
const char *options_missing(const struct suite_options *o);

/* A plan of these options alone. */
enum status options_try(struct reader *r, const struct option_map *m, size_t n_keys, const char *workload);
/* The value from which on the map makes no plan; the map itself where its base makes none. */
const struct node *options_culprit(struct reader *r, const struct option_map *m, const char *workload);

/* ---- entries.c, rows.c ---- */

enum status entries_read(struct reader *r, struct suite *s, const struct node *list);
enum status rows_read(struct reader *r, struct suite *s, const struct node *list);

/* A place for options that stays where it is. */
struct suite_options *suite_new_options(struct suite *s);

#endif
