/* worker.h: a process that holds one prepared pipeline and answers requests; it dies with its parent.
 *
 * The parent is the only writer of the store. Messages are JSON, each with its length before it; they are made
 * and read outside timed regions. A worker that dies or fails turns into an error of the call, never a hang. */
#ifndef ASSAY_HARNESS_MEASURE_WORKER_H
#define ASSAY_HARNESS_MEASURE_WORKER_H

#include <jansson.h>
#include <sys/types.h>

#include "kernels/base/status.h"

struct worker {
    pid_t pid;
    int to, from;            /* pipes */
    void (*heard)(void *self, const char *text); /* of what the child tells while it works; NULL: nobody listens */
    void *self;
};

/* What the child does: `serve` gets each request and answers it (owned by the caller) or sets the error.
 * `open` runs first, in the child; its answer is the reply to worker_start. */
struct worker_program {
    enum status (*open)(void *self, json_t **reply, struct error *e);
    enum status (*serve)(void *self, const json_t *request, json_t **reply, struct error *e);
    void (*close)(void *self);
    void *self;
};

/* In the child, while it works on an answer: words for whoever waits for it. */
void worker_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `out` zeroed, or with who listens. */
enum status worker_start(const struct worker_program *p, struct worker *out, json_t **reply, struct error *e);
/* Takes the request's reference. INTERRUPTED where a signal asked us to stop meanwhile. */
enum status worker_call(struct worker *w, json_t *request, json_t **reply, struct error *e);
void worker_stop(struct worker *w);

/* Set by SIGINT / SIGTERM once worker_catch_signals ran in the parent; workers ignore SIGINT. */
void worker_catch_signals(void);
int worker_is_interrupted(void);

#endif
