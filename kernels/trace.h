/* trace.h: what ran when, on which lane of which unit. Backends and the executor write spans; the ledger, the
 * receipts and the trace export read them. One preallocated list a lane and one writer a lane: no locks, no
 * allocation while recording; a full lane counts what it dropped, and the attribution is then incomplete.
 *
 * On a thread team (one lane a member) a span has three times: the member's own work [start, end] and the
 * moment it was let go by the barrier behind it (`released`); from released to the next start is dispatch.
 * Devices set released = end. A tracer of NULL records nothing: the timed pass. */
#ifndef ASSAY_KERNELS_TRACE_H
#define ASSAY_KERNELS_TRACE_H

#include <stdint.h>

#include "kernels/base/clock.h"
#include "kernels/base/memory.h"
#include "kernels/op.h"

enum span_kind { SPAN_RUN, SPAN_HOST, SPAN_COPY, SPAN_WAIT };

struct span {
    uint64_t start_ns, end_ns, released_ns;
    int32_t step;       /* of the generator; 0 outside */
    int32_t op;         /* RUN: index in the program; WAIT on residency: the op that waits */
    int32_t subject;    /* WAIT: weight group; else -1 */
    int16_t stage;      /* index in the pipeline's stages */
    int16_t program;    /* index in the executor's programs; -1 for host spans */
    uint8_t kind;
    uint8_t is_serial;  /* one member works, the others wait for it */
    uint16_t launches;  /* device launches that this span stands for: 1 eager, 0 inside a captured replay but its first */
};

struct lane {
    struct span *spans;
    size_t count, capacity;
    uint64_t dropped;
    uint8_t pad[32];
};

/* What a launch was: the symbols' values and the run-time facts that its operations' work follows from. */
struct launch_note {
    int program, step;          /* executor's program */
    int64_t symbols[4];
    struct facts facts;
};

enum { TRACE_MAX_UNITS = 4, TRACE_MAX_LANES = 64 };
struct tracer {
    struct clock *clock;
    int n_units;
    int n_lanes[TRACE_MAX_UNITS];
    struct lane *lanes[TRACE_MAX_UNITS];
    int stage, step, program;   /* set by the executor before it launches; copied into spans */
    struct launch_note *notes;  /* one a launch, in order; the capacity is that of a lane */
    size_t n_notes, note_capacity;
    uint64_t start_ns, end_ns;  /* of the traced region: the wall that the ledger must explain */
};

void tracer_init(struct tracer *t, struct clock *clock, int n_units, const int *n_lanes, size_t spans_a_lane);
void tracer_clear(struct tracer *t);
void tracer_free(struct tracer *t);

static inline struct span *tracer_next(struct tracer *t, int unit, int lane) {
    struct lane *l = &t->lanes[unit][lane];
    if (l->count == l->capacity) {
        l->dropped++;
        return 0;
    }
    return &l->spans[l->count++];
}

static inline void tracer_note(struct tracer *t, const struct launch_note *note) {
    if (t->n_notes < t->note_capacity) t->notes[t->n_notes++] = *note;
}

/* A span of the host on lane 0 of unit 0 (the launching thread is member 0 of the team). */
static inline void tracer_host(struct tracer *t, int stage, uint64_t start_ns, uint64_t end_ns) {
    struct span *s = tracer_next(t, 0, 0);
    if (s)
        *s = (struct span){.start_ns = start_ns, .end_ns = end_ns, .released_ns = end_ns, .step = t->step, .op = -1,
                           .subject = -1, .stage = (int16_t)stage, .program = -1, .kind = SPAN_HOST, .is_serial = 1};
}

#endif
