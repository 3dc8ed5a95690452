/* test_verdict_noise.h: comparisons under simulated noise, for the verdict's false-alarm rate and power.
 *
 * A machine has a level on logarithms that wanders (AR(1)) and jumps (bursts of 2 to 20 %, lasting many samples,
 * hitting whoever runs); a process has a bias of its own for life, now and then a bad one; a sample has lognormal
 * noise and, now and then, a Pareto spike. Time advances by one for each sample taken. */
#ifndef ASSAY_TESTS_RESULTS_TEST_VERDICT_NOISE_H
#define ASSAY_TESTS_RESULTS_TEST_VERDICT_NOISE_H

#include <math.h>

#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "results/stats/distribution.h"
#include "results/stats/verdict.h"

struct noise {
    double sample_sd;                          /* lognormal */
    double spike_chance, spike_scale;          /* Pareto, shape 1.5: infinite variance */
    double drift_sd, drift_memory;             /* stationary deviation; correlation from one sample to the next */
    double burst_chance, burst_length;         /* a sample begins one; mean samples that it lasts */
    double process_sd, bad_process_chance;     /* bias for life; and a bad placement of 2 to 20 % */
    uint64_t state;
    double drift, burst;                       /* now */
};

enum design { INTERLEAVED, SIDE_BY_SIDE, ONE_AFTER_THE_OTHER };

struct experiment {
    enum design design;
    int processes, samples;                    /* a side; a process */
    double effect;                             /* B takes (1 + effect) as long */
};

static inline double noise_uniform(struct noise *n, double low, double high) {
    return low + (high - low) * random_unit(random_next(&n->state));
}
static inline int noise_chance(struct noise *n, double p) { return noise_uniform(n, 0.0, 1.0) < p; }
static inline double noise_normal(struct noise *n) { return normal_quantile(noise_uniform(n, 1e-12, 1.0)); }

static inline struct noise noise_quiet(uint64_t seed) { return (struct noise){.sample_sd = 0.005, .state = seed}; }

/* Bursty, drifting, heavy-tailed; how much of each is drawn for each comparison. */
static inline struct noise noise_hostile(uint64_t seed) {
    struct noise n = {.state = seed};
    n.sample_sd = noise_uniform(&n, 0.002, 0.03);
    n.spike_chance = noise_uniform(&n, 0.0, 0.1);
    n.spike_scale = noise_uniform(&n, 0.005, 0.05);
    n.drift_sd = noise_uniform(&n, 0.0, 0.03);
    n.drift_memory = 1.0 - pow(10.0, -noise_uniform(&n, 1.0, 3.0));
    n.burst_chance = noise_uniform(&n, 0.01, 0.05);
    n.burst_length = noise_uniform(&n, 5.0, 40.0);
    n.process_sd = noise_uniform(&n, 0.0, 0.01);
    n.bad_process_chance = noise_uniform(&n, 0.0, 0.1);
    n.drift = n.drift_sd * noise_normal(&n);
    return n;
}

/* The least friendly to Student's t: nothing but a normal bias of each process, large beside the least effect. */
static inline struct noise noise_biased(uint64_t seed) {
    return (struct noise){.sample_sd = 0.002, .process_sd = 0.03, .state = seed};
}

static inline double noise_process(struct noise *n) {
    double bad = noise_chance(n, n->bad_process_chance) ? noise_uniform(n, 0.02, 0.2) : 0.0;
    return n->process_sd * noise_normal(n) + bad;
}

static inline void noise_advance(struct noise *n) {
    double m = n->drift_memory;
    if (n->drift_sd > 0.0) n->drift = m * n->drift + sqrt(1.0 - m * m) * n->drift_sd * noise_normal(n);
    if (n->burst > 0.0 && noise_chance(n, 1.0 / n->burst_length)) n->burst = 0.0;
    if (n->burst == 0.0 && noise_chance(n, n->burst_chance)) n->burst = noise_uniform(n, 0.02, 0.2);
}

static inline double noise_sample(struct noise *n, double process, double effect) {
    noise_advance(n);
    double level = n->drift + n->burst + process + n->sample_sd * noise_normal(n);
    if (noise_chance(n, n->spike_chance))
        level += fmin(5.0, n->spike_scale * pow(noise_uniform(n, 1e-9, 1.0), -1.0 / 1.5));
    return 1e6 * (1.0 + effect) * exp(level);
}

static inline void noise_gap(struct noise *n, int steps) {
    for (int i = 0; i < steps; i++) noise_advance(n);
}

/* Samples of one process on its own. */
static inline void noise_run_alone(struct noise *n, const struct experiment *e, double effect, double *out) {
    double process = noise_process(n);
    for (int j = 0; j < e->samples; j++) out[j] = noise_sample(n, process, effect);
    noise_gap(n, 10); /* the next process starts and loads */
}

/* Samples of a pair, alternately, each pair's order drawn. */
static inline void noise_run_pair(struct noise *n, const struct experiment *e, double *a, double *b) {
    double of_a = noise_process(n), of_b = noise_process(n);
    for (int j = 0; j < e->samples; j++) {
        int b_first = noise_chance(n, 0.5);
        if (b_first) b[j] = noise_sample(n, of_b, e->effect);
        a[j] = noise_sample(n, of_a, 0.0);
        if (!b_first) b[j] = noise_sample(n, of_b, e->effect);
    }
    noise_gap(n, 10);
}

static inline void noise_fill(struct noise *n, const struct experiment *e, double *a, double *b) {
    noise_gap(n, 200); /* bursts begin before the experiment does */
    for (int i = 0; i < e->processes; i++) {
        double *x = a + i * e->samples, *y = b + i * e->samples;
        if (e->design == INTERLEAVED) {
            noise_run_pair(n, e, x, y);
        } else {
            int b_first = e->design == SIDE_BY_SIDE && noise_chance(n, 0.5);
            if (b_first) noise_run_alone(n, e, e->effect, y);
            noise_run_alone(n, e, 0.0, x);
            if (e->design == SIDE_BY_SIDE && !b_first) noise_run_alone(n, e, e->effect, y);
        }
    }
    for (int i = 0; e->design == ONE_AFTER_THE_OTHER && i < e->processes; i++)
        noise_run_alone(n, e, e->effect, b + i * e->samples);
}

/* One experiment from its first sample to its verdict. */
static inline struct verdict noise_verdict(struct noise n, const struct experiment *e) {
    static const enum verdict_pairing pairings[] = {[INTERLEAVED] = VERDICT_PAIRED_SAMPLES,
                                                    [SIDE_BY_SIDE] = VERDICT_PAIRED_BLOCKS,
                                                    [ONE_AFTER_THE_OTHER] = VERDICT_UNPAIRED};
    size_t count = (size_t)(e->processes * e->samples);
    double *a = mem_alloc(count * sizeof *a), *b = mem_alloc(count * sizeof *b);
    struct process_samples *p = mem_alloc(2 * (size_t)e->processes * sizeof *p);
    noise_fill(&n, e, a, b);
    for (int i = 0; i < e->processes; i++) {
        p[i] = (struct process_samples){a + i * e->samples, (size_t)e->samples};
        p[e->processes + i] = (struct process_samples){b + i * e->samples, (size_t)e->samples};
    }
    struct side_samples side_a = {p, (size_t)e->processes}, side_b = {p + e->processes, (size_t)e->processes};
    struct verdict_settings settings = verdict_defaults();
    struct verdict out;
    verdict_compare(&side_a, &side_b, pairings[e->design], &settings, &out);
    mem_free(a);
    mem_free(b);
    mem_free(p);
    return out;
}

/* Counts of each kind over `times` experiments. */
struct tally {
    int of[VERDICT_INCONCLUSIVE + 1];
};
static inline struct tally noise_tally(struct noise (*noise)(uint64_t seed), const struct experiment *e, int times,
                                       uint64_t seed) {
    struct tally out = {{0}};
    for (int i = 0; i < times; i++) {
        struct noise n = noise(random_mix(seed + (uint64_t)i));
        out.of[noise_verdict(n, e).kind]++;
    }
    return out;
}

#endif
