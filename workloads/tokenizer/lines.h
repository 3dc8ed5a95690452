/* lines.h: a stream of JSON lines through a tokenizer, for scripts. */
#ifndef ASSAY_WORKLOADS_TOKENIZER_LINES_H
#define ASSAY_WORKLOADS_TOKENIZER_LINES_H

#include <stdio.h>

#include "workloads/tokenizer/tokenizer.h"

/* Reads one JSON object a line, writes one a line, in order; empty lines are passed over.
 *   decode 0: {"text": s} → {"ids": […], "special_ids": […]}, without and with special tokens
 *   decode 1: {"ids": […], "skip_special": true} → {"text": s}; skip_special may be left out
 * Errors: INPUT names the line; what was written before it stands. IO where reading or writing fails. */
enum status tokenize_lines(struct tokenizer *t, FILE *in, FILE *out, int decode, struct error *e);

#endif
