/* suite.h: a file of entries that are measured side by side, and of what is compared with what.
 *
 *   version: 1
 *   name: nightly                    default: the file's name without its ending
 *   rounds: 5                        each runs every entry once, as a fresh process
 *   seed: 1                          of the order within a round
 *   defaults: {preset: llama-1.1b, threads: 2, samples: 3}
 *   entries:
 *     - name: ours, int8
 *       workload: llm
 *       opt: [attention, fusion, "quantize=kind=int8"]
 *     - name: llama.cpp, Q8_0
 *       external: ["${LLAMA_BENCH}", -m, "${LLAMA_Q8_0}", -p, "0", -n, "64", -r, "1", -o, json]
 *       limit: 300
 *       figures: [{metric: decode_tokens_per_s, json: "[n_gen=64].avg_ts"}]
 *   compare:
 *     - {title: "decode, int8", metric: decode_tokens_per_s, ours: "ours, int8", against: ["llama.cpp, Q8_0"], at_least: 1.25}
 *
 * Options of a spec (`assay run --help`) stand in `defaults` and in entries by their long names and are read by the one
 * table of options; those of the protocol (samples, precision, budget, profile, nvtx, fidelity) are the same for all and
 * stand in `defaults` alone. An entry wins over the defaults; null takes a default back. Lists are axes: each point is a
 * row of its own, named "ENTRY batch=8". The environment sets no options here: what runs is what the file says.
 *
 * The file is strict: what is unknown, doubled, of another type or out of range is refused with line and column. */
#ifndef ASSAY_HARNESS_SUITE_SUITE_H
#define ASSAY_HARNESS_SUITE_SUITE_H

#include "harness/measure/plan.h"
#include "harness/suite/tree.h"

struct suite_options {
    struct options o;
    const char *missing[OPTION_COUNT]; /* why an option has no value: a variable that is not set. NULL: it has, or needs none */
};

struct suite {
    struct tree tree;
    struct arena arena;
    struct suite_options *options; /* (n) of the defaults, then of each entry: specs borrow their texts */
    size_t n_options;
    struct plan plan;
    json_t *rows;                  /* what plan.rows borrows */
};

/* Errors: INPUT with "FILE:LINE:COLUMN: …"; IO. `rounds` above 0 is used in place of the file's. */
enum status suite_read(const char *file, int rounds, struct suite *out, struct error *e);
/* The same of bytes, as if they were that file's. */
enum status suite_parse(const char *file, const char *bytes, size_t length, int rounds, struct suite *out, struct error *e);
void suite_free(struct suite *s);

#endif
