/* toy_model.h: a two-layer language model on synthetic weights, small enough to reason about by hand. */
#ifndef ASSAY_TESTS_TOY_MODEL_H
#define ASSAY_TESTS_TOY_MODEL_H

#include "workloads/llm/model.h"
#include "workloads/llm/weights.h"

struct toy {
    struct llm_model model;
    struct pipeline pipeline;
    struct job job;
    struct request requests[8];
    int32_t prompts[8][32], outputs[8][64];
    uint64_t arrivals[8][64];
};

static inline void toy_open(struct toy *t, int n_requests, int n_prompt, int n_new) {
    *t = (struct toy){0};
    t->model.name = "toy";
    t->model.is_synthetic = 1;
    t->model.seed = 7;
    t->model.config = (struct llm_config){.layers = 2, .width = 16, .heads = 4, .kv_heads = 2, .head_width = 4, .feed_forward = 24,
        .vocabulary = 32, .context = 128, .eps = 1e-5, .rope_theta = 1e4};
    llm_weight_source(&t->model);
    struct llm_limits limits = {.prefill_rows = n_requests * n_prompt, .slots = n_requests, .positions = n_prompt + n_new, .forced_rows = 0};
    struct error e = {0};
    if (llm_pipeline(&t->model, DTYPE_F32, &limits, &t->pipeline, &e) != STATUS_OK) abort();
    t->job = (struct job){.requests = t->requests, .n_requests = n_requests};
    for (int i = 0; i < n_requests; i++) {
        for (int k = 0; k < n_prompt; k++) t->prompts[i][k] = (i * 5 + k * 3) % 32;
        t->requests[i] = (struct request){.prompt = t->prompts[i], .n_prompt = n_prompt, .prompt_capacity = n_prompt, .max_new = n_new,
            .ignores_stop = 1, .output = t->outputs[i], .arrival_ns = t->arrivals[i], .sampling = {.top_p = 1}};
    }
}

static inline void toy_close(struct toy *t) {
    pipeline_free(&t->pipeline);
    llm_close(&t->model);
}

#endif
