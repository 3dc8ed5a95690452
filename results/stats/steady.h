/* steady.h: when to begin to measure, and when enough is enough, within one process.
 *
 * Both look at the samples so far and cost a few sorts of them; call them between samples, never inside one. */
#ifndef ASSAY_RESULTS_STATS_STEADY_H
#define ASSAY_RESULTS_STATS_STEADY_H

#include <stddef.h>

/* Warm-up is over when, over the last `window` rates (or times: anything positive),
 *   drift    the robust slope (Theil-Sen), over the whole window, is at most `drift` of the median, or no more than
 *            what the scatter around it explains (1.5 standard errors), so that noise alone cannot hold it up;
 *   spread   the scatter around the slope (scaled mean distance over the median) is at most `spread`: a machine that
 *            goes in and out of bursts is not steady.
 * The caller ends warm-up by its budget where that never happens, and says so. */
struct steady_settings {
    size_t window;          /* 5 */
    double drift, spread;   /* 0.01, 0.1 */
};
struct steady_settings steady_defaults(void);

/* rates (n) in time order; NULL settings: defaults. 0 with fewer than `window` rates or a median that is not > 0. */
int steady_reached(const double *rates, size_t n, const struct steady_settings *settings);

/* The width of the median's interval over the median: 2 t 1.2533 MAD_scaled / sqrt(n_effective), with the effective
 * size of dependence.h. NAN below 5 samples or where the median is not > 0. Stopping where it happens to be narrow
 * makes it optimistic (it was looked at many times): it decides how many samples to take, never a verdict, whose
 * unit is the process. */
double interval_relative_width(const double *samples, size_t n, double confidence);
int interval_narrow_enough(const double *samples, size_t n, double relative_width, double confidence);

#endif
