/* prune.h: which elements of a matrix to drop: masks (mask.h) of the lowest scores, to a share.
 *
 * Pure functions. By row and N of M, rows know nothing of each other: any batch is a matrix of its own. By matrix, two passes
 * over all rows count scores and a third writes masks, so that nothing but counts is kept in between; batches may come in any
 * order in the first two and from several threads (prune_selection_add). Equal scores go in row-major order, the first first.
 * A score is a float32. Definitions: golden/quantize and golden/smollm2; Wanda: Sun et al. 2023. */
#ifndef ASSAY_KERNELS_PRUNE_H
#define ASSAY_KERNELS_PRUNE_H

#include "kernels/base/status.h"
#include "kernels/mask.h"

enum prune_per {
    PRUNE_PER_ROW,                    /* the floor(share cols) lowest of each row */
    PRUNE_PER_MATRIX,                 /* the floor(share rows cols) lowest of all */
    PRUNE_N_OF_M                      /* the n lowest of every m neighbours of a row */
};

struct pruning {
    enum prune_per per;
    double share;                     /* 0..1 to drop; not of N of M */
    int n, m;                         /* of N of M: n dropped, 0 <= n <= m, 1 <= m <= 64 */
};

/* Rows of a matrix, the whole or a batch. Scores: |w|, or |w| norm of the column where norm is given (Wanda). */
struct prune_rows {
    const float *w;                   /* (rows, cols) */
    const float *norm;                /* (cols) ||x_j||_2 of the inputs over all tokens; NULL: magnitude */
    int64_t first, rows, cols;        /* the first row's place in the whole, which errors name */
};

/* Errors: UNSUPPORTED settings out of range; rows that m does not divide, with both numbers. */
enum status prune_check(const struct pruning *p, int64_t cols, struct error *e);

/* mask (rows, mask_words(cols)) of a whole matrix in memory (rows of it but by matrix). Errors: as prune_check; INPUT an
 * element or its score is NaN or infinite: row and column are named, to which the caller adds the tensor (error_prefix). */
enum status prune(const struct pruning *p, const struct prune_rows *rows, uint32_t *mask, struct error *e);

/* scores (rows, cols). Errors: as prune. */
enum status prune_scores(const struct prune_rows *rows, float *scores, struct error *e);

/* ---- by matrix, in passes ----
 * prune_selection_begin; prune_count all rows; prune_selection_narrow; prune_count all rows; prune_selection_end; then
 * prune_mask. The passes find the threshold's upper 16 bits, then its lower 15: floats that are not negative sort as their bits. */
enum { PRUNE_COUNTS = 1 << 16 };
struct prune_threshold {
    uint32_t bits;                    /* of the highest score dropped */
    int64_t ties;                     /* elements at it to drop, the first in row-major order */
};
struct prune_selection {
    int64_t drop;                     /* elements to drop, less those known to be below what is being searched */
    uint32_t upper;                   /* bits of the threshold, its lower 15 zero, once is_narrow */
    int is_narrow;
    int64_t counts[PRUNE_COUNTS];     /* elements by upper (lower) bits */
};
/* p by matrix; of n elements. */
void prune_selection_begin(struct prune_selection *s, const struct pruning *p, int64_t n);
enum status prune_count(struct prune_selection *s, const struct prune_rows *rows, struct error *e);
/* Another thread's counts of the same pass; both began as copies of one. */
void prune_selection_add(struct prune_selection *to, const struct prune_selection *from);
void prune_selection_narrow(struct prune_selection *s);
struct prune_threshold prune_selection_end(struct prune_selection *s);
/* How many of the rows' elements lie at the threshold: batches after them have so many fewer ties to drop. */
int64_t prune_ties(const struct prune_threshold *t, const struct prune_rows *rows);
/* Writes the rows' masks. *ties: in, ties that are still to drop; out, what later rows have left of them. */
void prune_mask(const struct prune_threshold *t, const struct prune_rows *rows, int64_t *ties, uint32_t *mask);

/* ---- calibration ---- */

/* sums (cols) += x^2 over tokens; x (tokens, cols). The norm is the root of the sum. */
void prune_norm_add(const float *x, int64_t tokens, int64_t cols, double *sums);
void prune_norm(const double *sums, int64_t cols, float *norm);

/* ---- what is pruned already ---- */

/* Elements that are exactly 0 (or -0). */
int64_t prune_zeros(const float *w, int64_t n);
/* mask (rows, mask_words(cols)) keeps what is not exactly 0. */
void prune_mask_nonzero(const float *w, int64_t rows, int64_t cols, uint32_t *mask);

#endif
