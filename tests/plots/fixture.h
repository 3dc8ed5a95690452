/* fixture.h: a made-up store with everything that figures and the report can show: a full factorial experiment of a
 * small language model, with known speed-ups, one cell that could not be measured, an optimizer that did nothing. */
#ifndef ASSAY_TESTS_PLOTS_FIXTURE_H
#define ASSAY_TESTS_PLOTS_FIXTURE_H

#include "kernels/base/status.h"

enum { FIXTURE_FACTORS_MAX = 4 };

struct fixture_options {
    int n_factors;          /* 0 to 4: attention, fusion, quantize, graph; 2^n cells */
    int has_axis;           /* all cells at batch 1 and again at batch 8 */
    int is_synthetic;
    int has_gap;            /* the cell of mask 2 is skipped */
    int is_hostile;         /* the plain cell's label and output hold markup, quotes and backticks */
    int is_bare;            /* no profiled pass, no ceilings, no quality */
    int is_past;            /* cells with quantize are past their fidelity bound */
};

/* The speed-up of each optimizer on linear work, and what attention and fusion gain together on top. */
extern const double fixture_speed_ups[FIXTURE_FACTORS_MAX];
enum { FIXTURE_BLOCKS = 4, FIXTURE_SAMPLES = 6, FIXTURE_TOKENS = 32 };

enum status fixture_write(const char *path, const struct fixture_options *o, struct error *e);

/* Alternatives of sparsity, each alone, at 1, 4 and 16 rows: a share of s takes (1 - s) (1 + rows / FIXTURE_ROWS) of the plain
 * cell's time, so that it pays from rows / (FIXTURE_ROWS + rows) on. */
enum { FIXTURE_ROWS = 8, FIXTURE_SHARES = 4 };
extern const double fixture_shares[FIXTURE_SHARES];
enum status fixture_write_sparse(const char *path, struct error *e);

#endif
