/* bench_overhead: what the harness adds in the timed pass, against a bare loop over the same program.
 * usage: bench_overhead [MODEL-OR-PRESET] [ROUNDS]. Interleaved A B B A; prints the median ratio and its quartiles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/measure/sampler.h"
#include "results/stats/descriptive.h"

enum { MOST_ROUNDS = 1000 };

/* The same launches with nothing around them: inputs as the last decode step left them. */
static double bare_ns(struct sampler *s, int steps, struct error *e) {
    struct session *x = &s->engine.session;
    int program = s->engine.pipeline.role[ROLE_DECODE];
    struct prepared *p = x->executor.programs[x->io[program].executor_program].prepared[0];
    int n_ops = (int)s->engine.pipeline.programs[program].n_ops;
    uint64_t start = clock_now_ns(&s->engine.clock);
    for (int i = 0; i < steps; i++) prepared_backend(p)->run(p, 0, n_ops, NULL, e);
    return (double)(clock_now_ns(&s->engine.clock) - start);
}

/* The harness's decode steps: first to last arrival. The step fed is the same length on both sides. */
static double harness_ns(struct sampler *s, struct error *e) {
    uint64_t start, wall;
    sampler_run(s, NULL, &start, &wall, e);
    const struct request *r = &s->plan.jobs[0].requests[0];
    return (double)(r->arrival_ns[r->n_output - 1] - r->arrival_ns[0]);
}

int main(int argc, char **argv) {
    struct error e = {0};
    struct arena a = {0};
    int rounds = argc > 2 ? atoi(argv[2]) : 100;
    /* No key-value growth to speak of: a short prompt and few steps, so that both sides do the same work. */
    struct spec spec = {.workload = "llm", .backend = "cpu", .dtype = DTYPE_BF16, .batch = 1, .prompt = 16, .generate = 17, .sampling = {.top_p = 1, .seed = 1}};
    if (argc > 1 && strchr(argv[1], '.')) spec.model = argv[1];
    else spec.preset = argc > 1 ? argv[1] : "smollm2-135m";
    optimizer_parse("attention", &a, &spec.uses[spec.n_uses++], &e);
    optimizer_parse("fusion", &a, &spec.uses[spec.n_uses++], &e);
    struct sampler s = {.spec = &spec};
    struct worker_program program = sampler_program(&s);
    json_t *reply = NULL;
    if (program.open(program.self, &reply, &e) != STATUS_OK) return fprintf(stderr, "%s\n", e.text), 2;
    double ratios[MOST_ROUNDS];
    int n = 0;
    for (; n < rounds && n < MOST_ROUNDS; n++) {
        double first = n % 2 ? bare_ns(&s, 16, &e) : harness_ns(&s, &e), second = n % 2 ? harness_ns(&s, &e) : bare_ns(&s, 16, &e);
        ratios[n] = n % 2 ? second / first : first / second;
    }
    printf("harness over bare loop: median %.5f, quartiles %.5f to %.5f, %d rounds\n", sample_median(ratios, (size_t)n),
           sample_quantile(ratios, (size_t)n, 0.25), sample_quantile(ratios, (size_t)n, 0.75), n);
    json_decref(reply);
    program.close(program.self);
    arena_free(&a);
    return 0;
}
