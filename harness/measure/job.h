/* job.h: a spec's requests, with room for their results, so that running allocates nothing. */
#ifndef ASSAY_HARNESS_MEASURE_JOB_H
#define ASSAY_HARNESS_MEASURE_JOB_H

#include "harness/spec/spec.h"
#include "workloads/llm/model.h"

/* One sample: its jobs one after the other. single: a job for each request; offline: one job with all. */
struct sample_plan {
    struct job *jobs;
    int n_jobs;
    struct llm_limits limits;
    struct arena arena;
};

/* Errors: IO and INPUT of prompt files and ids; INPUT text without a tokenizer, ids outside the vocabulary,
 * a prompt beyond the context (its length and the context named). */
enum status sample_plan_make(const struct spec *s, struct llm_model *m, struct sample_plan *out, struct error *e);
void sample_plan_free(struct sample_plan *p);

#endif
