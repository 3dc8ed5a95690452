#include "results/stats/bootstrap.h"

#include <math.h>

#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "results/stats/descriptive.h"
#include "results/stats/distribution.h"

double bootstrap_mean(const struct bootstrap_data *data) { return sample_mean(data->x.values, data->x.n); }
double bootstrap_median(const struct bootstrap_data *data) { return sample_median(data->x.values, data->x.n); }

double bootstrap_ratio_of_medians(const struct bootstrap_data *data) {
    return sample_median(data->x.values, data->x.n) / sample_median(data->y.values, data->y.n);
}

/* Leave-one-out over one of both samples: adds sum U^3 / n^3 to *cubes and sum U^2 / n^2 to *squares. */
static void jackknife(const struct bootstrap_data *data, bootstrap_statistic statistic, int of_y, double *cubes,
                      double *squares) {
    struct bootstrap_data left = *data;
    struct process_samples whole = of_y ? data->y : data->x, *part = of_y ? &left.y : &left.x;
    if (whole.n < 2) return;
    double *kept = mem_alloc((whole.n - 1) * sizeof *kept), *values = mem_alloc(whole.n * sizeof *values);
    *part = (struct process_samples){kept, whole.n - 1};
    for (size_t out = 0; out < whole.n; out++) {
        for (size_t i = 0, k = 0; i < whole.n; i++)
            if (i != out) kept[k++] = whole.values[i];
        values[out] = statistic(&left);
    }
    double mean = sample_mean(values, whole.n), size = (double)whole.n;
    for (size_t i = 0; i < whole.n; i++) {
        double influence = (size - 1.0) * (mean - values[i]);
        *cubes += influence * influence * influence / (size * size * size);
        *squares += influence * influence / (size * size);
    }
    mem_free(kept);
    mem_free(values);
}

static double acceleration(const struct bootstrap_data *data, bootstrap_statistic statistic) {
    double cubes = 0.0, squares = 0.0;
    jackknife(data, statistic, 0, &cubes, &squares);
    jackknife(data, statistic, 1, &cubes, &squares);
    return squares > 0.0 ? cubes / (6.0 * pow(squares, 1.5)) : 0.0;
}

/* z0: the normal quantile of the mean of P(replicate < estimate) and P(replicate <= estimate). */
static double median_bias(const double *replicates, size_t n, double estimate) {
    double below = 0.0;
    for (size_t i = 0; i < n; i++) below += replicates[i] < estimate ? 1.0 : replicates[i] == estimate ? 0.5 : 0.0;
    return normal_quantile(below / (double)n);
}

static double adjusted_probability(double z0, double accelerate, double z) {
    return normal_cdf(z0 + (z0 + z) / (1.0 - accelerate * (z0 + z)));
}

static struct bootstrap_result summarise(const struct bootstrap_data *data, bootstrap_statistic statistic,
                                         double *replicates, size_t n, double confidence) {
    double tail = 0.5 * (1.0 - confidence), z = normal_quantile(1.0 - tail);
    struct bootstrap_result out = {.estimate = statistic(data), .standard_error = sample_deviation(replicates, n)};
    out.z0 = median_bias(replicates, n, out.estimate);
    out.acceleration = acceleration(data, statistic);
    out.probabilities = (struct interval){adjusted_probability(out.z0, out.acceleration, -z),
                                          adjusted_probability(out.z0, out.acceleration, z)};
    double *sorted = sample_sorted(replicates, n);
    out.percentile = (struct interval){sorted_quantile(sorted, n, tail), sorted_quantile(sorted, n, 1.0 - tail)};
    out.bca = isfinite(out.z0) ? (struct interval){sorted_quantile(sorted, n, out.probabilities.low),
                                                   sorted_quantile(sorted, n, out.probabilities.high)}
                               : out.percentile;
    mem_free(sorted);
    return out;
}

static void pick(const struct process_samples *from, const size_t *index, double *to) {
    for (size_t i = 0; i < from->n; i++) to[i] = from->values[index[i]];
}

struct bootstrap_result bootstrap_given(const struct bootstrap_data *data, bootstrap_statistic statistic,
                                        const struct bootstrap_indices *indices, double confidence,
                                        double *replicates) {
    double *x = mem_alloc(data->x.n * sizeof *x), *y = mem_alloc(data->y.n * sizeof *y);
    struct bootstrap_data drawn = {{x, data->x.n}, {y, data->y.n}};
    for (size_t r = 0; r < indices->resamples; r++) {
        pick(&data->x, indices->x + r * data->x.n, x);
        if (indices->y) pick(&data->y, indices->y + r * data->y.n, y);
        replicates[r] = statistic(&drawn);
    }
    mem_free(x);
    mem_free(y);
    return summarise(data, statistic, replicates, indices->resamples, confidence);
}

/* Circular runs of `block` neighbours from random starts. */
static void draw(const struct process_samples *from, size_t block, uint64_t *state, double *to) {
    for (size_t i = 0; i < from->n;) {
        size_t start = (size_t)(random_unit(random_next(state)) * (double)from->n);
        for (size_t k = 0; k < block && i < from->n; k++) to[i++] = from->values[(start + k) % from->n];
    }
}

struct bootstrap_result bootstrap_drawn(const struct bootstrap_data *data, bootstrap_statistic statistic,
                                        const struct bootstrap_settings *settings) {
    double *x = mem_alloc(data->x.n * sizeof *x), *y = mem_alloc(data->y.n * sizeof *y);
    double *replicates = mem_alloc(settings->resamples * sizeof *replicates);
    struct bootstrap_data drawn = {{x, data->x.n}, {y, data->y.n}};
    size_t block = settings->block ? settings->block : 1;
    uint64_t state = random_mix(settings->seed);
    for (size_t r = 0; r < settings->resamples; r++) {
        draw(&data->x, block, &state, x);
        draw(&data->y, block, &state, y);
        replicates[r] = statistic(&drawn);
    }
    struct bootstrap_result out = summarise(data, statistic, replicates, settings->resamples, settings->confidence);
    mem_free(x);
    mem_free(y);
    mem_free(replicates);
    return out;
}
