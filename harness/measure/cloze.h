/* cloze.h: items that ask how a text goes on, answered by likelihood.
 *
 * A file holds one JSON object a line, and nothing else in it (blank lines may part them):
 *   {"context": "The capital of France is", "options": [" Paris", " London"], "answer": 0}
 * `answer` counts from 0. Context and option are tokenised apart, without special tokens, and joined. An option's score is
 * the sum of the log-probabilities of its tokens after the context; an item is right where the answer's score is strictly
 * the highest. */
#ifndef ASSAY_HARNESS_MEASURE_CLOZE_H
#define ASSAY_HARNESS_MEASURE_CLOZE_H

#include "harness/measure/engine.h"

struct cloze_item {
    struct token_list *rows;     /* (n_options): context and option, joined */
    int n_context, n_options, answer;
};

struct cloze {
    struct cloze_item *items;
    int n_items;
    int longest;                 /* tokens of the longest row */
    struct arena arena;
};

/* Errors: IO; INPUT the line and what is wrong in it: no JSON, an unknown or missing key, fewer than two options, a row beyond
 * the model's context. */
enum status cloze_read(const char *path, const struct llm_model *m, struct cloze *out, struct error *e);
void cloze_free(struct cloze *c);

/* How many items are right. The engine has ROLES_FORCED and room for `longest` positions. */
enum status cloze_score(const struct cloze *c, struct engine *g, int *n_right, struct error *e);

/* Σ log p of ids[n_context..n) after what stands before each; n is at most CLOZE_MAX_TOKENS. */
enum { CLOZE_MAX_TOKENS = 4096 };
enum status cloze_log_likelihood(struct engine *g, const int32_t *ids, int n_context, int n, double *out, struct error *e);

#endif
