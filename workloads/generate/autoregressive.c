/* autoregressive.c: prefill once, then one token a step for every request that goes on. Greedy or sampled is the
 * choice op's business; forced tokens are the batcher's. */
#include "workloads/pipeline.h"

static void accept(struct generation *g, int stage, int step) {
    uint64_t now = clock_now_ns(g->clock);
    executor_stage_begin(g->executor, stage);
    g->pipeline->batcher->accept(g->pipeline, g->job, g->launch, now);
    executor_stage_end(g->executor, stage);
    if (!g->tracer) return;
    g->tracer->site.step = step;
    tracer_host(g->tracer, stage, now, clock_now_ns(g->clock));
}

static enum status run(struct generation *g, struct error *e) {
    const struct pipeline *p = g->pipeline;
    int prefill = pipeline_stage(p, "prefill"), decode = pipeline_stage(p, "decode"), sample = pipeline_stage(p, "sample");
    p->batcher->prefill(g->job, g->launch);
    enum status s = generation_launch(g, p->role[ROLE_PREFILL], prefill, 0, e);
    if (s != STATUS_OK) return s;
    accept(g, sample, 0);
    for (int step = 1;; step++) {
        p->batcher->decode(g->job, g->launch);
        if (g->launch->n_slots == 0) return STATUS_OK;
        s = generation_launch(g, p->role[ROLE_DECODE], decode, step, e);
        if (s != STATUS_OK) return s;
        accept(g, sample, step);
    }
}

const struct generator generator_autoregressive = {"autoregressive", run};
