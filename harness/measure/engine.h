/* engine.h: a spec made ready to run in this process: model opened, pipeline rewritten, device opened, programs
 * prepared. Its cost is recorded and never inside a sample. */
#ifndef ASSAY_HARNESS_MEASURE_ENGINE_H
#define ASSAY_HARNESS_MEASURE_ENGINE_H

#include "harness/measure/job.h"
#include "harness/measure/remember.h"
#include "harness/spec/spec.h"
#include "workloads/llm/model.h"

struct memory_need {             /* bytes, by class; known before anything large is loaded */
    double weights, states, activations, total, available;
};

/* Told of weights on their way, `done` of `total` bytes. */
struct loading {
    void (*tell)(void *to, double done, double total); /* NULL: nobody looks */
    void *to;
};

struct engine {
    const struct spec *spec;     /* borrowed */
    struct llm_model *model;     /* borrowed */
    struct pipeline pipeline;
    struct rewrite rewrites[OPTIMIZERS_MAX];
    struct clock clock;
    struct device *device;
    struct remember remember;    /* what was measured of its units before */
    struct session session;
    struct memory_need need;
    int64_t prepare_ns;
    struct loading loading;
    double loaded_bytes;
};

struct engine_options {
    struct llm_limits limits;
    unsigned roles;              /* programs to prepare: bits (1 << role) */
    /* Marks what must survive a run (is_kept), on the plain programs, before optimizers see them; NULL: nothing. */
    void (*keep)(struct program *p);
    struct loading loading;
    const struct annotator *annotator; /* told of stages and operations; outlives the engine; NULL: nobody looks */
};
/* NO_MEMORY before loading where the need is above what is available, both printed. */
enum status engine_open(struct engine *g, const struct spec *spec, struct llm_model *m, const struct engine_options *o,
                        struct error *e);
void engine_close(struct engine *g);

/* What this process may still take: MemAvailable, cut by the cgroup's limit. Bytes. */
double memory_available(void);

enum { ROLES_GENERATE = 1u << ROLE_PREFILL | 1u << ROLE_DECODE, ROLES_FORCED = 1u << ROLE_FORCED };

/* ---- forced tokens: fidelity, scoring, verification ---- */

/* Feeds n tokens from position 0 of slot 0 through the forced program in chunks of its row limit. logits (n, V) and
 * nll (n-1) may be NULL. */
enum status engine_forced(struct engine *g, const int32_t *ids, int n, float *logits, float *nll, struct error *e);

#endif
