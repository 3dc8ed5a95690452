/* environment.h: the doctor's findings as facts of a run's records. */
#ifndef ASSAY_HARNESS_DOCTOR_ENVIRONMENT_H
#define ASSAY_HARNESS_DOCTOR_ENVIRONMENT_H

#include "kernels/base/memory.h"
#include "results/model.h"

struct environment_facts {
    struct machine_record machine;          /* cpu.model, cpu.features, cpu.cores, cache.*, memory.total, … */
    struct environment_record environment;  /* governor, load, steal, noise, versions, build flags, … */
    struct arena arena;                     /* holds both */
};

/* About 60 ms: the noise test is short. */
void environment_collect(struct environment_facts *out);
void environment_free(struct environment_facts *f);

#endif
