/* plan.h: what an experiment measures: its factors, its cells, its blocks.
 * A cell is one resolved spec: which optimizers are on (a mask over the factors) at one point of the axes. */
#ifndef ASSAY_HARNESS_MEASURE_PLAN_H
#define ASSAY_HARNESS_MEASURE_PLAN_H

#include "harness/spec/spec.h"

enum design { DESIGN_SINGLE, DESIGN_EACH, DESIGN_LEAVE_ONE_OUT, DESIGN_FULL };
const char *design_name(enum design d);

struct cell {
    uint32_t mask;
    struct spec spec;
    const char *label;         /* "plain", "attention+fusion batch=8" */
    const char *axes_json;     /* {"batch":"8"} */
};

struct plan {
    const char *workload, *name;
    enum design design;
    const char *factors[OPTIMIZERS_MAX];
    int n_factors;
    struct cell *cells;
    int n_cells;
    int n_blocks;              /* fresh processes a cell */
    int samples;               /* timed, a process; 0: until narrow enough */
    double precision, budget_s;
    int profiles;
    int checks_fidelity;
    double bound;              /* of lossy optimizers, whatever they declare; NAN: what they declare */
    int has_nvtx;              /* ranges for a tool that looks on; no part of what is asked */
    struct arena arena;
};

enum { PLAN_MAX_CELLS = 256 };
/* INPUT: unknown design, more than 256 cells, no --opt where the design needs one, optimizers of a cell that exclude each other. */
enum status plan_make(const char *workload, enum design design, struct options *o, struct plan *out, struct error *e);
enum status design_parse(const char *text, enum design *out, struct error *e);
void plan_free(struct plan *p);
/* The plan as asked, canonical: equal texts resume each other. Arena-owned. */
char *plan_json(struct plan *p);

#endif
