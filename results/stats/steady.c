#include "results/stats/steady.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "results/stats/dependence.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

enum { SAMPLES_MIN = 5 };
/* Deviation of a normal sample's median over its mean's: sqrt(pi / 2). */
#define MEDIAN_PENALTY 1.25331413731550025

struct steady_settings steady_defaults(void) {
    return (struct steady_settings){.window = 5, .drift = 0.01, .spread = 0.1};
}

/* Theil-Sen: the median of the slopes of all pairs, per step. Work: n^2 of a window. */
static double robust_slope(const double *x, size_t n) {
    double *slopes = mem_alloc(n * (n - 1) / 2 * sizeof *slopes);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) slopes[count++] = (x[j] - x[i]) / (double)(j - i);
    double slope = sample_median(slopes, count);
    mem_free(slopes);
    return slope;
}

/* Mean distance from the line, scaled to a normal deviation. Not the median distance: in so few points that is 0
 * for a series which jumps between two levels. */
static double scatter_around(const double *x, size_t n, double slope) {
    double *level = mem_alloc(n * sizeof *level), sum = 0.0;
    for (size_t i = 0; i < n; i++) level[i] = x[i] - slope * (double)i;
    double centre = sample_median(level, n);
    for (size_t i = 0; i < n; i++) sum += fabs(level[i] - centre);
    mem_free(level);
    return sqrt(M_PI_2) * sum / (double)n;
}

int steady_reached(const double *rates, size_t n, const struct steady_settings *settings) {
    struct steady_settings s = settings ? *settings : steady_defaults();
    size_t w = s.window < 3 ? 3 : s.window; /* two points have no scatter around their slope */
    if (n < w) return 0;
    const double *x = rates + (n - w);
    double median = sample_median(x, w), slope = robust_slope(x, w), span = (double)(w - 1);
    if (!(median > 0.0) || isinf(median)) return 0;
    double scatter = scatter_around(x, w, slope) / median;
    /* least squares: se(slope) = sigma sqrt(12 / (w (w^2 - 1))), times the span */
    double noise = 1.5 * scatter * span * sqrt(12.0 / ((double)w * ((double)w * (double)w - 1.0)));
    return fabs(slope) * span / median <= fmax(s.drift, noise) && scatter <= s.spread;
}

double interval_relative_width(const double *samples, size_t n, double confidence) {
    double median = sample_median(samples, n);
    if (n < SAMPLES_MIN || !(median > 0.0)) return NAN;
    double effective = fmax(2.0, effective_size_cautious(samples, n));
    double t = student_t_quantile(0.5 + 0.5 * confidence, effective - 1.0);
    return 2.0 * t * MEDIAN_PENALTY * sample_mad_scaled(samples, n) / sqrt(effective) / median;
}

int interval_narrow_enough(const double *samples, size_t n, double relative_width, double confidence) {
    return interval_relative_width(samples, n, confidence) <= relative_width; /* false for NAN */
}
