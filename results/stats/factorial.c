#include "results/stats/factorial.h"

#include <math.h>
#include <string.h>

#include "kernels/base/memory.h"
#include "results/stats/descriptive.h"
#include "results/stats/t_test.h"

/* A Walsh-Hadamard transform: after the pass of bit f, an entry holds sums (bit f clear) or on-minus-off
 * differences (bit f set) over that factor. */
void factorial_effects(const double *y, int factors, double *effects) {
    size_t cells = (size_t)1 << factors;
    if (effects != y) memcpy(effects, y, cells * sizeof *y);
    for (size_t bit = 1; bit < cells; bit <<= 1)
        for (size_t c = 0; c < cells; c++) {
            if (c & bit) continue;
            double off = effects[c], on = effects[c | bit];
            effects[c] = off + on;
            effects[c | bit] = on - off;
        }
    for (size_t c = 0; c < cells; c++) effects[c] *= 2.0 / (double)cells;
    effects[0] *= 0.5;
}

/* Orders of k players in which exactly `before` given ones come before a given other, over k!. */
static double order_share(int before, int factors) {
    double share = 1.0 / factors; /* 1 / (k * binomial(k-1, before)) */
    for (int i = 1; i <= before; i++) share *= (double)i / (double)(factors - i);
    return share;
}

void factorial_shapley(const double *value, int factors, double *shares) {
    size_t cells = (size_t)1 << factors;
    double weight[FACTORIAL_FACTORS_MAX];
    for (int size = 0; size < factors; size++) weight[size] = order_share(size, factors);
    for (int f = 0; f < factors; f++) {
        size_t bit = (size_t)1 << f;
        shares[f] = 0.0;
        for (size_t c = 0; c < cells; c++)
            if (!(c & bit)) shares[f] += weight[__builtin_popcountll(c)] * (value[c | bit] - value[c]);
    }
}

/* ---- one block's quantities in one row: effects (2^k), alone (k), left out (k), shares (k), total ---- */

static size_t row_length(int factors) { return ((size_t)1 << factors) + 3 * (size_t)factors + 1; }

static void block_row(const double *times, int factors, double *logs, double *row) {
    size_t cells = (size_t)1 << factors, all = cells - 1, k = (size_t)factors;
    double *alone = row + cells, *left_out = alone + k, *shares = left_out + k;
    for (size_t c = 0; c < cells; c++) logs[c] = log(times[c]);
    factorial_effects(logs, factors, row);
    for (size_t f = 0; f < k; f++) {
        size_t bit = (size_t)1 << f;
        alone[f] = logs[0] - logs[bit];
        left_out[f] = logs[all ^ bit] - logs[all];
    }
    shares[k] = logs[0] - logs[all];
    for (size_t c = cells; c-- > 0;) logs[c] = logs[0] - logs[c]; /* from the end: cell 0 is the reference */
    factorial_shapley(logs, factors, shares);
}

/* 1 complete, 0 with a missing cell, -1 with a time that is not positive (named in `e`). */
static int block_state(const double *times, size_t cells, size_t block, struct error *e) {
    int complete = 1;
    for (size_t c = 0; c < cells; c++) {
        if (isnan(times[c])) {
            complete = 0;
        } else if (!(times[c] > 0.0) || isinf(times[c])) {
            error_set(e, STATUS_INPUT,
                      "factorial design: block %zu, cell %zu has the time %g, but logarithms need positive times; "
                      "mark a cell that was not measured as missing", block, c, times[c]);
            return -1;
        }
    }
    return complete;
}

struct block_rows {
    const double *data;       /* (blocks, length) */
    size_t length, blocks;
    double *scratch;          /* (blocks) */
};

static struct factorial_estimate estimate_of(const struct block_rows *rows, size_t column, double confidence) {
    for (size_t b = 0; b < rows->blocks; b++) rows->scratch[b] = rows->data[b * rows->length + column];
    if (rows->blocks < 2) return (struct factorial_estimate){rows->scratch[0], NAN, NAN, NAN};
    struct t_test test = t_test_one(rows->scratch, rows->blocks, confidence);
    if (test.standard_error == 0.0) test.p = test.difference == 0.0 ? 1.0 : 0.0; /* an exact clock */
    return (struct factorial_estimate){test.difference, test.interval.low, test.interval.high, test.p};
}

static void estimate_all(const double *data, double confidence, struct factorial *out) {
    size_t length = row_length(out->factors), cells = (size_t)1 << out->factors, k = (size_t)out->factors;
    double *scratch = mem_alloc(out->blocks_used * sizeof *scratch);
    struct block_rows rows = {data, length, out->blocks_used, scratch};
    struct factorial_estimate *list = mem_alloc((length - 1) * sizeof *list);
    for (size_t i = 0; i + 1 < length; i++) list[i] = estimate_of(&rows, i, confidence);
    out->total = estimate_of(&rows, length - 1, confidence);
    mem_free(scratch);
    out->effects = list; /* one allocation; the others point into it */
    out->alone = list + cells;
    out->left_out = out->alone + k;
    out->shares = out->left_out + k;
}

/* Fills rows of the complete blocks and counts both kinds. */
static enum status rows_fill(const double *times, size_t blocks, struct factorial *out, double *rows,
                             struct error *e) {
    size_t cells = (size_t)1 << out->factors, length = row_length(out->factors);
    double *logs = mem_alloc(cells * sizeof *logs);
    enum status status = STATUS_OK;
    for (size_t b = 0; b < blocks && status == STATUS_OK; b++) {
        int state = block_state(times + b * cells, cells, b, e);
        if (state < 0) status = STATUS_INPUT;
        else if (state == 0) out->blocks_left_out++;
        else block_row(times + b * cells, out->factors, logs, rows + out->blocks_used++ * length);
    }
    mem_free(logs);
    if (status == STATUS_OK && out->blocks_used == 0)
        return error_set(e, STATUS_INPUT, "factorial design: none of %zu blocks has every cell; measure the missing "
                         "cells or use the design \"each\"", blocks);
    return status;
}

enum status factorial_analyse(const double *times, int factors, size_t blocks, double confidence,
                              struct factorial *out, struct error *e) {
    if (factors < 1 || factors > FACTORIAL_FACTORS_MAX)
        return error_set(e, STATUS_INPUT, "factorial design: %d factors, but 1 to %d can be analysed; use the design "
                         "\"each\" for more", factors, FACTORIAL_FACTORS_MAX);
    *out = (struct factorial){.factors = factors};
    double *rows = mem_alloc(blocks * row_length(factors) * sizeof *rows);
    enum status status = rows_fill(times, blocks, out, rows, e);
    if (status == STATUS_OK) estimate_all(rows, confidence, out);
    mem_free(rows);
    return status;
}

void factorial_free(struct factorial *f) {
    mem_free(f->effects);
    *f = (struct factorial){0};
}
