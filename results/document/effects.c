#include "results/document/effects.h"

#include <math.h>
#include <string.h>

#include "results/document/document.h"
#include "results/document/json.h"
#include "results/stats/descriptive.h"
#include "results/stats/factorial.h"

static const double confidence = 0.95;

/* ---- the response table ---- */

static size_t cells_of(const struct response *r) { return (size_t)1 << r->n_factors; }

/* SIZE_MAX where the table would be larger than any experiment of ours. */
static size_t block_row(struct response *r, int block) {
    for (int b = 0; b < r->n_blocks; b++)
        if (r->blocks[b] == block) return (size_t)b;
    size_t cells = cells_of(r), n = (size_t)r->n_blocks + 1;
    if (n * cells > EFFECTS_MAX_ENTRIES) return SIZE_MAX;
    LIST_GROW(r->blocks, r->n_blocks, r->capacity);
    r->blocks[r->n_blocks++] = block;
    r->sums = mem_resize(r->sums, n * cells * sizeof *r->sums);
    r->counts = mem_resize(r->counts, n * cells * sizeof *r->counts);
    for (size_t i = (n - 1) * cells; i < n * cells; i++) {
        r->sums[i] = 0;
        r->counts[i] = 0;
    }
    return n - 1;
}

void response_add(struct response *r, int block, uint32_t mask, double value) {
    if (!(value > 0) || !isfinite(value) || mask >= cells_of(r)) return;
    size_t row = block_row(r, block), i = row * cells_of(r) + mask;
    if (row == SIZE_MAX) return;
    r->sums[i] += metric_is_better_low(r->metric) ? log(value) : -log(value);
    r->counts[i]++;
}

void response_free(struct response *r) {
    mem_free(r->blocks);
    mem_free(r->sums);
    mem_free(r->counts);
}

/* The log time of a cell in a block; NAN where it was not measured. */
static double cell_log(const struct response *r, int block, size_t mask) {
    size_t i = (size_t)block * cells_of(r) + mask;
    return r->counts[i] ? r->sums[i] / r->counts[i] : NAN;
}

/* ---- entries ---- */

struct estimate {
    double log, low, high, p;   /* of the speed-up */
    size_t blocks;
};

static json_t *entry(const struct response *r, const struct estimate *x) {
    return json_pack("{s:s,s:o,s:O,s:o,s:o,s:o,s:o,s:o,s:I}", "metric", r->metric, "stage", json_text(r->stage), "axes",
                     r->axes, "speedup", json_number(exp(x->log)), "low", json_number(exp(x->low)), "high",
                     json_number(exp(x->high)), "log", json_number(x->log), "p", json_number(x->p), "blocks",
                     (json_int_t)x->blocks);
}

static void append_factor(const struct response *r, json_t *out, const char *list, int factor,
                          const struct estimate *x) {
    json_t *object = entry(r, x);
    json_object_set_new(object, "factor", json_text(r->factors[factor]));
    json_object_set_new(object, "position", json_integer(factor));
    json_object_set_new(object, "is_engaged", json_boolean(r->engaged >> factor & 1));
    json_array_append_new(json_object_get(out, list), object);
}

/* ---- two cells ---- */

/* How much faster the cell `to` is than `from`, over the blocks that hold both. 0 where none does. */
static int contrast(const struct response *r, size_t from, size_t to, struct estimate *out) {
    double *logs = mem_alloc((size_t)r->n_blocks * sizeof *logs);
    size_t n = 0;
    for (int b = 0; b < r->n_blocks; b++) {
        double x = cell_log(r, b, from) - cell_log(r, b, to);
        if (!isnan(x)) logs[n++] = x;
    }
    struct interval i = sample_mean_interval(logs, n, confidence);
    *out = (struct estimate){sample_mean(logs, n), i.low, i.high, NAN, n};
    mem_free(logs);
    return n > 0;
}

static void append_contrasts(const struct response *r, json_t *out) {
    size_t all = cells_of(r) - 1;
    struct estimate x;
    for (int f = 0; f < r->n_factors; f++) {
        if (contrast(r, 0, (size_t)1 << f, &x)) append_factor(r, out, "alone", f, &x);
        if (contrast(r, all & ~((size_t)1 << f), all, &x)) append_factor(r, out, "left_out", f, &x);
    }
    if (contrast(r, 0, all, &x)) json_array_append_new(json_object_get(out, "total"), entry(r, &x));
}

/* ---- the full design ---- */

/* A factorial's effects are of log time: a speed-up is the opposite. */
static struct estimate opposite(const struct factorial_estimate *x, size_t blocks) {
    return (struct estimate){0 - x->value, 0 - x->high, 0 - x->low, x->p, blocks};
}

static void append_interaction(const struct response *r, json_t *out, const int pair[2], const struct estimate *x) {
    json_t *object = entry(r, x);
    json_object_set_new(object, "factors",
                        json_pack("[o,o]", json_text(r->factors[pair[0]]), json_text(r->factors[pair[1]])));
    json_object_set_new(object, "positions", json_pack("[i,i]", pair[0], pair[1]));
    json_object_set_new(object, "is_engaged", json_boolean((r->engaged >> pair[0] & r->engaged >> pair[1]) & 1));
    json_array_append_new(json_object_get(out, "interactions"), object);
}

static void append_factorial(const struct response *r, const struct factorial *f, json_t *out) {
    for (int a = 0; a < r->n_factors; a++) {
        struct estimate effect = opposite(&f->effects[(size_t)1 << a], f->blocks_used);
        append_factor(r, out, "effects", a, &effect);
        const struct factorial_estimate *s = &f->shares[a];
        append_factor(r, out, "shapley", a, &(struct estimate){s->value, s->low, s->high, s->p, f->blocks_used});
        for (int b = a + 1; b < r->n_factors; b++) {
            struct estimate both = opposite(&f->effects[(size_t)1 << a | (size_t)1 << b], f->blocks_used);
            append_interaction(r, out, (const int[]){a, b}, &both);
        }
    }
}

static int is_complete(const struct response *r) {
    for (int b = 0; b < r->n_blocks; b++) {
        size_t n = 0;
        for (size_t c = 0; c < cells_of(r); c++) n += isnan(cell_log(r, b, c)) ? 0 : 1;
        if (n == cells_of(r)) return 1;
    }
    return 0;
}

void effects_append(const struct response *r, json_t *out) {
    append_contrasts(r, out);
    if (r->n_factors > FACTORIAL_FACTORS_MAX || !is_complete(r)) return;
    size_t n = (size_t)r->n_blocks * cells_of(r);
    double *times = mem_alloc(n * sizeof *times);
    for (size_t i = 0; i < n; i++) times[i] = r->counts[i] ? exp(r->sums[i] / r->counts[i]) : NAN;
    struct factorial f;
    if (factorial_analyse(times, r->n_factors, (size_t)r->n_blocks, confidence, &f, NULL) == STATUS_OK) {
        append_factorial(r, &f, out);
        factorial_free(&f);
    }
    mem_free(times);
}

void effects_begin(json_t *out) {
    static const char *const lists[] = {"effects", "interactions", "shapley", "total", "alone", "left_out"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) json_object_set_new(out, lists[i], json_array());
}
