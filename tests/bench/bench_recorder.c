/* bench_recorder: what it costs the launching thread to say who owns its work: a push and its pop, with CUPTI's stand-in.
 * usage: bench_recorder [MILLIONS] [ROUNDS]. Prints the median of the rounds and their extremes. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/clock.h"
#include "kernels/cuda/recorder.h"
#include "results/stats/descriptive.h"

enum { MOST_ROUNDS = 1000 };

/* As a run does: an operation's id inside its launch's. */
static double push_and_pop_ns(struct recorder *r, long n) {
    uint64_t start = clock_now_ns(&(struct clock){0});
    for (long i = 0; i < n; i++) {
        recorder_push(r, recorder_owner(1, (uint32_t)i & 0xff));
        recorder_pop(r);
    }
    return (double)(clock_now_ns(&(struct clock){0}) - start) / (double)n;
}

int main(int argc, char **argv) {
    struct recorder *r;
    struct error e = {0};
    double ns[MOST_ROUNDS];
    long n = (argc > 1 ? atol(argv[1]) : 1) * 1000000;
    size_t rounds = argc > 2 ? (size_t)atol(argv[2]) : 20;
    if (rounds < 1 || rounds > MOST_ROUNDS || n < 1) return fprintf(stderr, "usage: bench_recorder [MILLIONS] [ROUNDS, at most %d]\n", MOST_ROUNDS), 2;
    if (recorder_open(&cuda_emulated_cupti, RECORDER_BY_NODE, &r, &e) != STATUS_OK) return fprintf(stderr, "%s\n", e.text), 2;
    recorder_push(r, recorder_owner(1, 1));
    for (size_t i = 0; i < rounds; i++) ns[i] = push_and_pop_ns(r, n);
    recorder_pop(r);
    printf("push and pop: median %.1f ns, %.1f to %.1f, %zu rounds\n", sample_median(ns, rounds), sample_quantile(ns, rounds, 0), sample_quantile(ns, rounds, 1), rounds);
    recorder_close(r);
    return 0;
}
