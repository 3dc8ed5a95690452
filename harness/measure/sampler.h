/* sampler.h: what a measuring process does: one prepared cell, samples on request, a traced sample on request. */
#ifndef ASSAY_HARNESS_MEASURE_SAMPLER_H
#define ASSAY_HARNESS_MEASURE_SAMPLER_H

#include "harness/measure/engine.h"
#include "harness/measure/ledger.h"
#include "harness/measure/worker.h"

/* Requests: {"do":"sample"} → {"start_ns","wall_ns","values":[[metric, position, value],…]}
 *           {"do":"profile"} → the same and {"ledger","ops","receipts","spans","dropped"}
 *           {"do":"output"}  → {"output":[{"tokens","text","finish"},…]}
 * open answers {"nvtx" (whether a tool takes ranges), "facts","memory","need","prepare_ns","load_ns","first_token_ns","is_synthetic","layers"}. */
struct sampler {
    const struct spec *spec;                 /* borrowed, as is ceilings */
    const struct ledger_ceilings *ceilings;
    int has_nvtx;                            /* stages and operations as NVTX ranges, where a tool takes them */
    struct llm_model model;
    struct sample_plan plan;
    struct engine engine;
    struct tracer tracer;
    int has_tracer, is_model_open, is_engine_open;
    uint64_t process_start_ns, told_ns;
};
struct worker_program sampler_program(struct sampler *s);

/* One sample in this process: all jobs of the plan. */
enum status sampler_run(struct sampler *s, struct tracer *t, uint64_t *start_ns, uint64_t *wall_ns, struct error *e);

#endif
