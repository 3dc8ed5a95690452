/* weights.h: the recipes of a language model's weights (private to workloads/llm). */
#ifndef ASSAY_WORKLOADS_LLM_WEIGHTS_H
#define ASSAY_WORKLOADS_LLM_WEIGHTS_H

#include "workloads/llm/model.h"

void llm_weight_source(struct llm_model *m);

/* The weight with its rows in half-rotation order; shapes from the configuration. */
const struct recipe *llm_recipe(struct llm_model *m, struct arena *a, enum llm_weight w, int layer);

#endif
