#include "results/stats/verdict.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"
#include "results/stats/power.h"
#include "results/stats/rank.h"

/* Runs of neighbours within one pair: at least RUN_PAIRS_MIN pairs each, between RUNS_MIN and RUNS_MAX of them. */
enum { RUN_PAIRS_MIN = 4, RUNS_MIN = 3, RUNS_MAX = 10 };

const char *verdict_name(enum verdict_kind kind) {
    static const char *const names[] = {
#define X(name, text) [VERDICT_##name] = text,
        VERDICT_LIST(X)
#undef X
    };
    return names[kind];
}

struct verdict_settings verdict_defaults(void) {
    return (struct verdict_settings){.confidence = 0.99, .margin = 0.02, .min_effect = 0.01, .session_shift = 0.01,
                                     .process_shift = 0.02, .lower_is_better = 1};
}

/* ---- from samples to one number a process or block ---- */

/* Locations (log units) and the variance that each has from the noise of its own samples alone. */
struct locations {
    double *value, *variance;
    size_t n;
};

static struct locations locations_new(size_t capacity) {
    return (struct locations){mem_alloc(capacity * sizeof(double)), mem_alloc(capacity * sizeof(double)), 0};
}

static void locations_free(struct locations *l) {
    mem_free(l->value);
    mem_free(l->variance);
}

/* Logs of one process, owned; NULL with a value that has none. */
static double *process_logs(const struct process_samples *p) {
    double *logs = mem_alloc(p->n * sizeof *logs);
    for (size_t i = 0; i < p->n; i++) {
        if (!(p->values[i] > 0.0) || isinf(p->values[i])) {
            mem_free(logs);
            return NULL;
        }
        logs[i] = log(p->values[i]);
    }
    return logs;
}

/* Appends the location of the differences d (n) of a block of paired samples. A robust deviation, because this
 * variance is only a floor: spikes that the location ignores should not widen the interval. */
static void locations_add_differences(struct locations *l, const double *d, size_t n) {
    double deviation = sample_mad_scaled(d, n);
    l->value[l->n] = hodges_lehmann_location(d, n);
    l->variance[l->n++] = deviation * deviation / (double)n;
}

/* Appends the median of logs (n), whose variance is pi/2 times the mean's. */
static void locations_add_median(struct locations *l, const double *logs, size_t n) {
    double deviation = sample_mad_scaled(logs, n);
    l->value[l->n] = sample_median(logs, n);
    l->variance[l->n++] = M_PI_2 * deviation * deviation / (double)n;
}

/* One block of both sides: 0 where a value has no logarithm. */
static int locations_add_block(struct locations *l, const struct process_samples *a, const struct process_samples *b,
                               enum verdict_pairing pairing) {
    double *x = process_logs(a), *y = process_logs(b);
    int ok = x && y;
    if (ok && pairing == VERDICT_PAIRED_SAMPLES) {
        size_t n = a->n < b->n ? a->n : b->n;
        for (size_t i = 0; i < n; i++) y[i] -= x[i];
        locations_add_differences(l, y, n);
    } else if (ok) {
        struct locations both = locations_new(2);
        locations_add_median(&both, x, a->n);
        locations_add_median(&both, y, b->n);
        l->value[l->n] = both.value[1] - both.value[0];
        l->variance[l->n++] = both.variance[0] + both.variance[1];
        locations_free(&both);
    }
    mem_free(x);
    mem_free(y);
    return ok;
}

static int locations_of_side(struct locations *l, const struct side_samples *side) {
    for (size_t i = 0; i < side->n; i++) {
        if (side->processes[i].n == 0) continue;
        double *logs = process_logs(&side->processes[i]);
        if (!logs) return 0;
        locations_add_median(l, logs, side->processes[i].n);
        mem_free(logs);
    }
    return 1;
}

/* Runs of neighbouring pairs of the only block; their number, 0 where there are too few. */
static size_t locations_of_runs(struct locations *l, const double *d, size_t n) {
    size_t runs = n / RUN_PAIRS_MIN;
    if (runs < RUNS_MIN) return 0;
    if (runs > RUNS_MAX) runs = RUNS_MAX;
    for (size_t r = 0; r < runs; r++) {
        size_t first = r * n / runs, end = (r + 1) * n / runs;
        locations_add_differences(l, d + first, end - first);
    }
    return runs;
}

/* ---- from numbers to an estimate ---- */

struct estimate {
    double log_ratio, standard_error, df, shift;
    size_t blocks;
};

/* Variance of the mean of the locations: between them, but not below what their own samples imply. */
static double variance_of_mean(const struct locations *l) {
    return fmax(sample_variance(l->value, l->n), sample_mean(l->variance, l->n)) / (double)l->n;
}

static struct estimate estimate_paired(const struct locations *l, double shift) {
    return (struct estimate){sample_mean(l->value, l->n), sqrt(variance_of_mean(l)), (double)l->n - 1.0, shift, l->n};
}

static struct estimate estimate_unpaired(const struct locations *a, const struct locations *b, double shift) {
    size_t least = a->n < b->n ? a->n : b->n;
    return (struct estimate){sample_mean(b->value, b->n) - sample_mean(a->value, a->n),
                             sqrt(variance_of_mean(a) + variance_of_mean(b)), (double)least - 1.0, shift, least};
}

/* ---- from an estimate to a verdict ---- */

static const char *const bad_value = "a sample is zero, negative or not finite, so a ratio has no meaning; "
                                     "measure again or choose another metric";
static const char *const no_samples = "a side has no samples; measure it first";
static const char *const one_process = "one process on a side cannot show how much processes differ; "
                                       "use at least 3 processes a side, or an interleaved experiment";
static const char *const short_pair = "a single pair of processes with fewer than 12 paired samples; "
                                      "use at least 3 blocks, or more samples";

static const char *const one_pair_differs = "this one pair of processes differs by more than the allowance for their "
                                            "luck; use at least 3 blocks to speak of programs";

static void decide(const struct verdict_settings *settings, double log_low, double log_high, struct verdict *out) {
    int excludes_one = log_low > 0.0 || log_high < 0.0;
    double distance = fabs(log(out->ratio)), margin = log1p(settings->margin);
    if (excludes_one && distance >= log1p(settings->min_effect)) {
        int is_lower = out->ratio < 1.0;
        out->kind = is_lower == (settings->lower_is_better != 0) ? VERDICT_FASTER : VERDICT_SLOWER;
        out->reason = "the interval excludes 1 and the estimate exceeds the least effect of interest";
    } else if (log_low >= -margin && log_high <= margin) {
        out->kind = VERDICT_EQUIVALENT;
        out->reason = excludes_one ? "a difference below the least effect of interest, within the margin"
                                   : "the whole interval lies within the margin";
    } else {
        out->kind = VERDICT_INCONCLUSIVE;
        out->reason = excludes_one ? "there is a difference, but not shown to be of interest or within the margin; "
                                     "use more blocks"
                                   : "the interval holds 1 and reaches beyond the margin; use more blocks or a "
                                     "quieter machine";
    }
}

static void judge(const struct estimate *e, const struct verdict_settings *settings, struct verdict *out) {
    double critical = student_t_quantile(0.5 + 0.5 * settings->confidence, e->df), widen = log1p(e->shift);
    double half = critical * e->standard_error + widen;
    out->blocks = e->blocks;
    out->ratio = exp(e->log_ratio);
    out->low = exp(e->log_ratio - half);
    out->high = exp(e->log_ratio + half);
    struct power_test test = {.standard_error = e->standard_error, .df = e->df, .critical = critical,
                              .widen = widen, .least = log1p(settings->min_effect)};
    out->detectable = expm1(power_detectable(&test, 0.8));
    decide(settings, e->log_ratio - half, e->log_ratio + half, out);
}

/* ---- the three designs ---- */

static void refuse(struct verdict *out, const char *reason) {
    out->kind = VERDICT_INCONCLUSIVE;
    out->reason = reason;
}

static void compare_unpaired(const struct side_samples *a, const struct side_samples *b,
                             const struct verdict_settings *settings, struct verdict *out) {
    struct locations x = locations_new(a->n), y = locations_new(b->n);
    if (!locations_of_side(&x, a) || !locations_of_side(&y, b)) {
        refuse(out, bad_value);
    } else if (x.n == 0 || y.n == 0) {
        refuse(out, no_samples);
    } else if (x.n < 2 || y.n < 2) {
        out->ratio = exp(sample_mean(y.value, y.n) - sample_mean(x.value, x.n));
        out->blocks = 1;
        refuse(out, one_process);
    } else {
        struct estimate e = estimate_unpaired(&x, &y, settings->session_shift);
        judge(&e, settings, out);
    }
    locations_free(&x);
    locations_free(&y);
}

/* The only pair of processes, sample beside sample. */
static void compare_one_pair(const struct process_samples *a, const struct process_samples *b,
                             const struct verdict_settings *settings, struct verdict *out) {
    double *x = process_logs(a), *y = process_logs(b);
    size_t n = a->n < b->n ? a->n : b->n;
    struct locations runs = locations_new(RUNS_MAX);
    for (size_t i = 0; x && y && i < n; i++) y[i] -= x[i];
    if (x && y && locations_of_runs(&runs, y, n)) {
        struct estimate e = estimate_paired(&runs, settings->process_shift);
        judge(&e, settings, out);
        out->blocks = 1;
        if (out->kind == VERDICT_FASTER || out->kind == VERDICT_SLOWER) out->reason = one_pair_differs;
    } else {
        refuse(out, short_pair);
    }
    locations_free(&runs);
    mem_free(x);
    mem_free(y);
}

static void compare_paired(const struct side_samples *a, const struct side_samples *b, enum verdict_pairing pairing,
                           const struct verdict_settings *settings, struct verdict *out) {
    size_t blocks = a->n < b->n ? a->n : b->n, last = 0;
    struct locations l = locations_new(blocks);
    int ok = 1;
    for (size_t i = 0; i < blocks && ok; i++) {
        if (a->processes[i].n == 0 || b->processes[i].n == 0) continue;
        ok = locations_add_block(&l, &a->processes[i], &b->processes[i], pairing);
        last = i;
    }
    if (!ok) {
        refuse(out, bad_value);
    } else if (l.n == 0) {
        refuse(out, no_samples);
    } else if (l.n > 1) {
        struct estimate e = estimate_paired(&l, 0.0);
        judge(&e, settings, out);
    } else {
        out->ratio = exp(l.value[0]);
        out->blocks = 1;
        if (pairing == VERDICT_PAIRED_BLOCKS) refuse(out, one_process);
        else compare_one_pair(&a->processes[last], &b->processes[last], settings, out);
    }
    locations_free(&l);
}

void verdict_compare(const struct side_samples *a, const struct side_samples *b, enum verdict_pairing pairing,
                     const struct verdict_settings *settings, struct verdict *out) {
    *out = (struct verdict){.ratio = NAN, .low = NAN, .high = NAN, .detectable = NAN};
    if (pairing == VERDICT_UNPAIRED) compare_unpaired(a, b, settings, out);
    else compare_paired(a, b, pairing, settings, out);
}
