/* tried.h: optimizers, as a command line names them, applied to a toy. */
#ifndef ASSAY_TESTS_OPTIMIZERS_TRIED_H
#define ASSAY_TESTS_OPTIMIZERS_TRIED_H

#include "optimizers/optimizer.h"
#include "toy_model.h"

struct tried {
    struct toy toy;
    struct arena a;
    struct optimizer_use uses[4];
    struct rewrite rewrites[4];
    int n;
};

/* opts ends with NULL. */
static inline enum status try_on(struct tried *t, int n_requests, int n_prompt, int n_new, const char *const *opts, const struct rewrite_context *context, struct error *e) {
    enum status s = STATUS_OK;
    *t = (struct tried){0};
    toy_open(&t->toy, n_requests, n_prompt, n_new);
    while (opts[t->n] && s == STATUS_OK) {
        s = optimizer_parse(opts[t->n], &t->a, &t->uses[t->n], e);
        t->n++;
    }
    return s == STATUS_OK ? optimizers_apply(&t->toy.pipeline, t->uses, t->n, context, t->rewrites, e) : s;
}

static inline void end(struct tried *t) {
    toy_close(&t->toy);
    arena_free(&t->a);
}

#endif
