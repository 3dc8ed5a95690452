/* spec.h: one point of an experiment: plain, copyable, hashed, stored. Strings are borrowed from the options'
 * arena or the caller's. The JSON form has sorted keys and resolved settings; its hash is the spec's identity. */
#ifndef ASSAY_HARNESS_SPEC_SPEC_H
#define ASSAY_HARNESS_SPEC_SPEC_H

#include <jansson.h>

#include "harness/spec/options.h"
#include "kernels/types.h"
#include "optimizers/optimizer.h"

enum scenario { SCENARIO_SINGLE, SCENARIO_OFFLINE };
const char *scenario_name(enum scenario s);

struct spec {
    const char *workload;
    const char *model, *preset;
    int layers;
    const char *backend, *isa;
    enum dtype dtype;
    int threads;
    enum scenario scenario;
    int batch, prompt, generate;
    const char *prompt_text, *prompts, *prompt_ids;
    int uses_stop;
    struct sampling sampling;
    const char *score, *cloze;
    struct optimizer_use uses[OPTIMIZERS_MAX];
    int n_uses;
};

/* From options whose axes hold single values. INPUT: what cannot be (ranges, conflicts), with what to do. Whether the
 * optimizers go together (optimizers_check) is asked of a cell, for an experiment need not have all of them on at once. */
enum status spec_from_options(const char *workload, const struct options *o, struct arena *a, struct spec *out, struct error *e);
json_t *spec_json(const struct spec *s);
uint64_t spec_hash(const struct spec *s);
/* "attention+fusion", "plain". Arena-owned. */
char *spec_label(const struct spec *s, struct arena *a);
const char *spec_model_name(const struct spec *s);

#endif
