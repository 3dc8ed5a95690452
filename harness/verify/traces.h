/* traces.h: what Assay finds in a recorded trace beside what an independent reader found, to the nanosecond.
 * A folder of the golden form holds trace.json.gz or trace.sqlite, expected.json and expected.safetensors; or it
 * holds such folders. Definitions: golden/traces. */
#ifndef ASSAY_HARNESS_VERIFY_TRACES_H
#define ASSAY_HARNESS_VERIFY_TRACES_H

#include <stdio.h>

#include "kernels/base/status.h"

struct verify_traces_request {
    const char *folder;
    int as_json;
};

/* Prints a table a trace (quantity, ours, reference, verdict). *n_failed counts quantities that differ.
 * Errors: what importing says; INPUT where the folder is not of that form. */
enum status verify_traces(const struct verify_traces_request *r, FILE *out, int *n_failed, struct error *e);

#endif
