/* bench_attribution: joining and attributing many records: time a record and peak memory.
 * usage: bench_attribution [MILLIONS] [KERNELS-A-LAUNCH] [shuffled]. Records are kernels, calls and ranges of a decode
 * loop on two streams; 1 kernel a launch is eager, 500 is a graph. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/attribution/attribute.h"
#include "harness/attribution/join.h"
#include "kernels/base/clock.h"
#include "kernels/base/random.h"

enum { CALLS_A_STEP = 200 };

static double seconds(void) { return (double)clock_now_ns(&(struct clock){0}) * 1e-9; }

static long peak_mib(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss >> 10;
}

static void add_launch(struct activity *a, int64_t i, int kernels, const int32_t *names) {
    int64_t start = i * 3000;
    struct activity_call *c = activity_add_call(a);
    c->start_ns = start;
    c->end_ns = start + 1500;
    c->correlation = i + 1;
    c->is_blocking = i % 50 == 49;
    for (int k = 0; k < kernels; k++) {
        struct activity_op *op = activity_add_op(a);
        op->start_ns = start + 2000 + k * 100;
        op->end_ns = op->start_ns + 90 + (k + i) % 40;
        op->correlation = i + 1;
        op->stream = k % 2;
        op->name = names[(i + k) % 64];
    }
}

static void add_range(struct activity *a, int64_t start, int64_t end, int32_t name) {
    struct activity_range *r = activity_add_range(a);
    r->start_ns = start;
    r->end_ns = end;
    r->name = name;
}

static void fill(struct activity *a, size_t records, int kernels) {
    int32_t names[64], step = activity_name(a, "step", 4), decode = activity_name(a, "decode", 6);
    for (int i = 0; i < 64; i++) {
        char text[32];
        names[i] = activity_name(a, text, (size_t)snprintf(text, sizeof text, "kernel %d", i));
    }
    for (int64_t i = 0; a->n_ops + a->n_calls + a->n_ranges < records; i++) {
        if (i % CALLS_A_STEP == 0) add_range(a, i * 3000, (i + CALLS_A_STEP) * 3000 - 1, step);
        if (i % CALLS_A_STEP == 10) add_range(a, i * 3000, (i + CALLS_A_STEP - 20) * 3000, decode);
        add_launch(a, i, kernels, names);
    }
}

/* As if buffers came back in any order. */
static void shuffle(struct activity *a) {
    uint64_t seed = 1;
    for (size_t i = a->n_ops; i-- > 1;) {
        size_t k = (size_t)(random_next(&seed) % (i + 1));
        struct activity_op op = a->ops[i];
        a->ops[i] = a->ops[k];
        a->ops[k] = op;
    }
}

int main(int argc, char **argv) {
    size_t records = (argc > 1 ? (size_t)atol(argv[1]) : 10) * 1000000;
    struct activity a = {0};
    struct stages stages;
    struct attributed found;
    struct error e = {0};
    fill(&a, records, argc > 2 ? atoi(argv[2]) : 1);
    if (argc > 3) shuffle(&a);
    records = a.n_ops + a.n_calls + a.n_ranges;
    printf("%zu operations, %zu calls, %zu ranges: %ld MiB\n", a.n_ops, a.n_calls, a.n_ranges, peak_mib());
    double start = seconds();
    activity_join(&a);
    double joined = seconds();
    activity_sort_ops(&a);
    if (stages_choose(&a, &(struct stage_choice){.iteration = "step"}, &stages, &e) != STATUS_OK) return fprintf(stderr, "%s\n", e.text), 2;
    attribute(&a, &stages, &found);
    double done = seconds();
    printf("join %.1f, attribute %.1f ns a record; %zu samples, %zu lines; peak %ld MiB\n", (joined - start) / (double)records * 1e9,
           (done - joined) / (double)records * 1e9, found.n_samples, found.n_lines, peak_mib());
    attributed_free(&found);
    stages_free(&stages);
    activity_free(&a);
    return 0;
}
