/* trace.h: what ran when, on which lane of which unit. Backends and the executor write spans; the ledger, the
 * receipts and the trace export read them. One preallocated list a lane and one writer a lane: no locks, no
 * allocation while recording; a full lane counts what it dropped, and the attribution is then incomplete.
 *
 * On a thread team (one lane a member) a span has three times: the member's own work [start, end] and the
 * moment it was let go by the barrier behind it (`released`); from released to the next start is dispatch.
 *
 * A unit that works asynchronously (is_device) has two lanes: HOST_LANE holds what the launching thread did, among it
 * its waits; DEVICE_LANE what the device did, in any order, brought in after the region by the backend's trace_end and
 * matched to launches by ids. A tracer of NULL records nothing: the timed pass. */
#ifndef ASSAY_KERNELS_TRACE_H
#define ASSAY_KERNELS_TRACE_H

#include <stdint.h>

#include "kernels/base/clock.h"
#include "kernels/base/memory.h"
#include "kernels/op.h"

/* SYNC: the launching thread waits for a device. */
enum span_kind { SPAN_RUN, SPAN_HOST, SPAN_COPY, SPAN_WAIT, SPAN_SYNC };

struct span {
    uint64_t start_ns, end_ns, released_ns;
    uint64_t call_start_ns, call_end_ns; /* on a device: of the host's call that launched it; 0, 0: not known */
    int32_t stream;     /* on a device */
    int32_t note;       /* index of the launch's note */
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

/* Where a launch belongs: operations from `later_from` on to a stage of their own (the choice, in a decode step). */
struct launch_site {
    int stage, step;
    int later_stage, later_from; /* later_from INT32_MAX: all belong to `stage` */
    struct facts facts;          /* what its operations' work follows from, beside the symbols */
};
static inline int launch_site_stage(const struct launch_site *s, int op) { return op >= s->later_from ? s->later_stage : s->stage; }

/* What a launch was. */
struct launch_note {
    int program;                /* executor's */
    struct launch_site site;
    int64_t symbols[4];
};

enum { HOST_LANE, DEVICE_LANE };

/* How closely a device is watched. LAUNCHES is for captured launches: each is timed as a whole, and its time is shared
 * out as a region traced by OPERATIONS found it before (the same launches in the same order). */
enum trace_detail { TRACE_OPERATIONS, TRACE_LAUNCHES };

enum { TRACE_MAX_UNITS = 4, TRACE_MAX_LANES = 64 };
struct tracer {
    struct clock *clock;
    int n_units;
    int n_lanes[TRACE_MAX_UNITS];
    int is_device[TRACE_MAX_UNITS];
    struct lane *lanes[TRACE_MAX_UNITS];
    int program;                /* of the launch under way, set by the executor; copied into spans */
    struct launch_site site;
    struct launch_note *notes;  /* one a launch, in order; the capacity is that of a lane */
    size_t n_notes, note_capacity;
    uint64_t start_ns, end_ns;  /* of the traced region: the wall that the ledger must explain */
    char trouble[160];          /* why the attribution is not whole, apart from dropped spans; "" where it is */
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

/* The launch under way. */
static inline int32_t tracer_note_now(const struct tracer *t) { return (int32_t)t->n_notes - 1; }

static inline void tracer_note(struct tracer *t, const struct launch_note *note) {
    if (t->n_notes < t->note_capacity) t->notes[t->n_notes++] = *note;
}

/* A span of the host on lane 0 of unit 0 (the launching thread is member 0 of the team). */
static inline void tracer_host(struct tracer *t, int stage, uint64_t start_ns, uint64_t end_ns) {
    struct span *s = tracer_next(t, 0, 0);
    if (s)
        *s = (struct span){.start_ns = start_ns, .end_ns = end_ns, .released_ns = end_ns, .step = t->site.step, .op = -1,
                           .subject = -1, .stage = (int16_t)stage, .program = -1, .kind = SPAN_HOST, .is_serial = 1};
}

#endif
