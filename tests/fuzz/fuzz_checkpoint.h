/* fuzz_checkpoint.h: what a checkpoint that was accepted must allow: every byte of every tensor is readable. */
#ifndef ASSAY_TESTS_FUZZ_FUZZ_CHECKPOINT_H
#define ASSAY_TESTS_FUZZ_FUZZ_CHECKPOINT_H

#include <stdlib.h>

#include "workloads/checkpoint/parse.h"

static inline void fuzz_read_tensors(const struct checkpoint *c) {
    volatile uint8_t sink = 0;
    for (size_t i = 0; i < c->n_tensors; i++) {
        const struct checkpoint_tensor *t = &c->tensors[i];
        const uint8_t *p = t->data;
        for (size_t j = 0; j < t->bytes; j++) sink = (uint8_t)(sink + p[j]);
        if (checkpoint_find(c, t->name) != t) abort();
        int64_t row = t->n_dims > 0 ? t->dims[t->n_dims - 1] : 1;
        if (!t->encoding || t->bytes == 0 || encoding_row_bytes(t->encoding, row) > t->bytes) continue;
        float *y = mem_alloc((size_t)row * sizeof *y);
        t->encoding->decode(t->data, y, row);
        mem_free(y);
    }
}

/* An error's text must be there exactly where one is returned. */
static inline void fuzz_check_error(enum status s, const struct error *e) {
    if ((s == STATUS_OK) != (e->text[0] == 0) || e->status != s) abort();
}

#endif
