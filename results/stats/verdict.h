/* verdict.h: is B faster than A, slower, equivalent, or can this data not say?
 *
 * The unit is the process. Every process is reduced to one number, on logarithms, so that effects are ratios:
 *   paired samples   block i ran process i of A and process i of B at the same time of day and took their samples
 *                    alternately, in an order drawn from the seed for each pair: the Hodges-Lehmann location of
 *                    log B_ij - log A_ij. Drift and bursts longer than a pair hit both and cancel; a spike in one
 *                    sample moves one difference of n.
 *   paired blocks    block i ran both, but sample j of one has nothing to do with sample j of the other:
 *                    log median of B_i minus log median of A_i.
 *   unpaired         two runs at different times: the log medians of A's processes against those of B's.
 *
 * The interval is Student's t over those numbers (df = blocks - 1; unpaired: Welch's standard error with the
 * smaller side's df). Why t and not a rank test or a bootstrap: with 3 to 5 blocks neither of those reaches 99 %,
 * while t stays valid at levels below 8 % for independent symmetric numbers of unequal variance (Bakirov & Szekely
 * 2006; Ibragimov & Mueller 2010, 2016 for two sides), which is what quiet and noisy blocks are: heavy tails make
 * it cautious, not wrong. Two numbers by chance close together are the weakness of so few: therefore the variance
 * between blocks is never taken below what the samples inside the blocks already imply.
 *
 * Measured (tests/results/test_verdict_slow.c prints it; 10,000 A/A each, 12 samples a process; bursts of 2 to 20 %,
 * drift, Pareto spikes, biased and badly placed processes), called different, with 95 % interval:
 *   paired samples   3 blocks 0.01 % (0.00 to 0.06), 5 blocks 0.07 % (0.03 to 0.14)
 *   paired blocks    3 blocks 0.16 % (0.09 to 0.26), 5 blocks 0.09 % (0.04 to 0.17)
 *   worst case       a normal bias of processes alone reaches the nominal 1 % (0.99 % and 1.03 % were seen)
 *   unpaired         1.1 % (0.9 to 1.4) at 3 processes, 1.0 % (0.8 to 1.3) at 5: drift slower than a run shows to
 *                    no statistic
 *   one pair         0 where both processes are alike; 10 % where one in twenty is badly placed: use blocks
 * A 3 % slow-down at 0.5 % noise is called slower in 99.8 % at 3 blocks and always at 5.
 *
 * What the spread at hand cannot show is added to both ends of the interval:
 *   unpaired         session_shift: two runs of the same thing on different days differ by more than the processes
 *                    of one run do.
 *   one block pair   process_shift: the luck of two processes, which one pair cannot show and an allowance can
 *                    only guess. The samples are cut into runs of neighbours, which take the place of blocks
 *                    (3 to 10 runs of at least 4 pairs).
 *   One process on a side otherwise: inconclusive, with advice.
 *
 * The rule, at the two-sided confidence of the interval:
 *   different      the interval excludes 1, and the estimate is at least min_effect away from 1. The first condition
 *                  bounds false alarms by 1 - confidence whatever the noise; the second keeps a tiny but certain
 *                  difference from stopping a build. (Asking that the whole interval lie beyond min_effect would
 *                  cost a third of the power at 3 blocks and protect against nothing that is observed.)
 *   equivalent     otherwise, where the whole interval lies within the margin: stricter than two one-sided tests at
 *                  the same alpha, and what the reader sees is what decided.
 *   inconclusive   otherwise. */
#ifndef ASSAY_RESULTS_STATS_VERDICT_H
#define ASSAY_RESULTS_STATS_VERDICT_H

#include "results/stats/samples.h"

#define VERDICT_LIST(X) \
    X(FASTER, "faster") X(SLOWER, "slower") X(EQUIVALENT, "equivalent") X(INCONCLUSIVE, "inconclusive")
enum verdict_kind {
#define X(name, text) VERDICT_##name,
    VERDICT_LIST(X)
#undef X
};
const char *verdict_name(enum verdict_kind kind);

enum verdict_pairing {
    VERDICT_UNPAIRED,
    VERDICT_PAIRED_BLOCKS,    /* process i of A beside process i of B */
    VERDICT_PAIRED_SAMPLES,   /* and sample j beside sample j; surplus samples of the longer one are not used */
};

struct verdict_settings {
    double confidence;      /* of the interval, two-sided: 0.99 */
    double margin;          /* equivalence: 0.02 */
    double min_effect;      /* the least difference worth a verdict: 0.01 */
    double session_shift;   /* 0.01, unpaired only */
    double process_shift;   /* 0.02, one block pair only */
    int lower_is_better;    /* 1 for times and bytes, 0 for rates */
};
struct verdict_settings verdict_defaults(void);   /* the numbers above, lower_is_better 1 */

struct verdict {
    enum verdict_kind kind;
    double ratio;           /* B over A in the metric's own unit: 1.03 is 3 % more ns, or 3 % more tokens/s */
    double low, high;       /* its interval; NAN where nothing supports one */
    double detectable;      /* the smallest difference from 1 found with 80 % chance at this noise: 0.013 is 1.3 % */
    size_t blocks;          /* numbers that the interval rests on (unpaired: of the smaller side) */
    const char *reason;     /* one constant sentence: why this kind, and what to do where inconclusive */
};

/* Values must be positive and finite; a process without values is left out (with its partner, where paired).
 * Never fails: what cannot be judged is inconclusive, with the reason. Work: samples * 64 for each process. */
void verdict_compare(const struct side_samples *a, const struct side_samples *b, enum verdict_pairing pairing,
                     const struct verdict_settings *settings, struct verdict *out);

#endif
