/* plan.h: what an experiment measures: its factors, its cells, its blocks.
 * A cell is one resolved spec: which optimizers are on (a mask over the factors) at one point of the axes; in a suite,
 * an entry at one point of its axes, or somebody else's command. */
#ifndef ASSAY_HARNESS_MEASURE_PLAN_H
#define ASSAY_HARNESS_MEASURE_PLAN_H

#include "harness/external/external.h"
#include "harness/spec/spec.h"

enum design { DESIGN_SINGLE, DESIGN_EACH, DESIGN_LEAVE_ONE_OUT, DESIGN_FULL, DESIGN_SUITE };
const char *design_name(enum design d);

struct cell {
    uint32_t mask;
    struct spec spec;
    const char *label;         /* "plain", "attention+fusion batch=8" */
    const char *axes_json;     /* {"batch":"8"} */
    const struct external *external; /* a command in the spec's place; NULL: a spec of ours */
    const char *missing;       /* why it cannot run here; NULL: nothing is known against it */
    const char *const *warm;   /* files that are read through before each of its processes; ends with NULL; NULL: none */
};

struct plan {
    const char *workload, *name;
    enum design design;
    const char *factors[OPTIMIZERS_MAX];
    int n_factors;
    struct cell *cells;
    int n_cells;
    int n_blocks;              /* fresh processes a cell; the rounds of a suite */
    uint64_t seed;             /* of the order in which cells take turns */
    const json_t *rows;        /* of a suite: what is compared with what (results/README.md); NULL: nothing. Borrowed */
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
/* A suite, entry by entry. `o` holds its defaults: of them the protocol is taken. INPUT: a number out of range. */
enum status plan_begin_suite(struct plan *out, struct options *o, struct error *e);
/* What an entry of a suite has beside its options or its command; `missing` and `warm` as in a cell. Borrowed. */
struct plan_entry {
    const char *name, *missing;
    const char *const *warm;
};
/* An entry's options, a cell for each point of its axes. */
enum status plan_add_spec(struct plan *p, const struct plan_entry *entry, const char *workload, struct options *o, struct error *e);
enum status plan_add_external(struct plan *p, const struct plan_entry *entry, const struct external *x, struct error *e);
/* A spec of ours that can run here, as far as is known. */
int cell_is_ours(const struct cell *c);
/* Its resolved spec, or its command. */
json_t *cell_json(const struct cell *c);
enum status design_parse(const char *text, enum design *out, struct error *e);
void plan_free(struct plan *p);
/* The plan as asked, canonical: equal texts resume each other. Arena-owned. */
char *plan_json(struct plan *p);

#endif
