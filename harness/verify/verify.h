/* verify.h: what Assay computes beside what an independent reference computed, tensor by tensor.
 * A folder of the golden form holds config.json and weights (or names a file in expected.json), expected.safetensors
 * with inputs and outputs by name, and expected.json with the reference's own errors. */
#ifndef ASSAY_HARNESS_VERIFY_VERIFY_H
#define ASSAY_HARNESS_VERIFY_VERIFY_H

#include "harness/measure/engine.h"
#include "harness/verify/compare.h"

struct verify_request {
    const char *folder;
    struct spec spec;            /* model overrides the folder's own; backend, dtype, threads, isa, optimizers */
    const char *dump;            /* NULL, or a file to write */
    int as_json;
};

/* Prints the table (name, shape, largest and rms error, tolerance, verdict). *n_failed counts rows that failed.
 * Errors: what opening a model says; INPUT where the folder is not of that form. */
enum status verify_llm(const struct verify_request *r, FILE *out, int *n_failed, struct error *e);

/* Computes everything that `expected` names (private to verify/). */
enum status verify_llm_compute(const struct reference *r, const struct spec *spec, struct llm_model *m, struct computed_list *out, struct error *e);

#endif
