/* quantize.h: codes, scales, masks and products that Assay computes of given matrices beside what independent references have.
 * A folder of the golden form holds expected.json, whose `kind` is hqq, integer or pruning, and expected.safetensors with
 * inputs (in.*) and outputs (out.*) by name; or it holds such folders. Definitions: golden/quantize. */
#ifndef ASSAY_HARNESS_VERIFY_QUANTIZE_H
#define ASSAY_HARNESS_VERIFY_QUANTIZE_H

#include "harness/verify/compare.h"

struct verify_quantize_request {
    const char *folder;
    const char *dump;            /* NULL, or a file to write; names begin with the folder's where there are several */
    int as_json;
};

/* Prints a table a folder (name, shape, largest and rms error, tolerance, verdict). *n_failed counts rows that failed.
 * Errors: INPUT where the folder is not of that form, an input is missing or of another type or shape, a setting is missing;
 * what quantize.h and prune.h say of settings and weights. */
enum status verify_quantize(const struct verify_quantize_request *r, FILE *out, int *n_failed, struct error *e);

/* Computes what expected.json names of the inputs (private to verify/). Names are the reference's, each after `prefix`; of HQQ
 * also SETTING.mean_abs_error_by_step. */
struct quantize_compute {
    const struct reference *r;
    const char *prefix;
    struct computed_list *out;
};
enum status verify_quantize_compute(const struct quantize_compute *c, struct error *e);

#endif
