/* encoder.h: BERT's encoder (Devlin et al. 2019) as a plain program: embeddings, their norm, and layers of
 *   x = norm(x + o(attention(q(x), k(x), v(x)))),  x = norm(x + down(gelu(up(x)))),
 * every linear with a bias, every token seeing all of its sequence. Formulas and names: golden/classify. */
#ifndef ASSAY_WORKLOADS_CLASSIFY_ENCODER_H
#define ASSAY_WORKLOADS_CLASSIFY_ENCODER_H

#include <jansson.h>

#include "kernels/program.h"

struct encoder_config {
    int layers;
    int64_t width, feed_forward;      /* D, F */
    int heads;
    int64_t vocabulary, positions, segments;
    double eps;
};

/* 12 layers, D 768, 12 heads, F 3072: config.json of bert-base-uncased. */
extern const struct encoder_config encoder_bert_base;

/* From a config.json of Hugging Face. INPUT: what is missing or out of range; UNSUPPORTED: another activation than gelu, other than
 * absolute positions. */
enum status encoder_config_from_json(const json_t *config, struct encoder_config *out, struct error *e);

struct encoder_limits {
    int64_t rows, slots, length;      /* Σ tokens, sequences, tokens of the longest */
};

/* Adds the encoder to a program that is empty. Inputs, i32 (R) each: "ids", "pos", "segments", "rows" (each token's sequence), "last"
 * (position of the last token of its sequence that is to be seen). Activations "hidden.0" (embeddings) … "hidden.L", the output, and
 * "attention_output.0" … in the names of golden/classify, (R, D) of type t. Leaves are called as Hugging Face calls them, after `prefix`
 * ("bert."); recipes are of the arena. */
void encoder_program(const struct encoder_config *c, const char *prefix, enum dtype t, const struct encoder_limits *limits, struct arena *recipes,
                     struct program *p);

#endif
