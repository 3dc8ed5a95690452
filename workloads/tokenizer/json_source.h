/* json_source.h: the parts of reading a tokenizer.json, and the few words they share. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_JSON_SOURCE_H
#define ASSAY_WORKLOADS_TOKENIZER_JSON_SOURCE_H

#include <jansson.h>

#include "workloads/tokenizer/internal.h"

/* Where in the file something stands, as "pre_tokenizer.pretokenizers[1]". */
struct json_place {
    char text[120];
};

/* model, added_tokens: vocabulary, merges and what is found in the text. */
enum status json_read_model(struct tokenizer *t, const json_t *root, struct error *e);
/* added_tokens again, once the normalisers stand. */
enum status json_read_added(struct tokenizer *t, const json_t *root, struct error *e);
/* normalizer, pre_tokenizer, post_processor, decoder. */
enum status json_read_components(struct tokenizer *t, const json_t *root, struct error *e);

/* Values with defaults; a string is borrowed from the JSON value, empty where absent or null. */
struct span json_span(const json_t *o, const char *key);
int json_flag(const json_t *o, const char *key, int otherwise);

#endif
