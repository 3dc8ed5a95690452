#include "kernels/trace.h"

void tracer_init(struct tracer *t, struct clock *clock, int n_units, const int *n_lanes, size_t spans_a_lane) {
    *t = (struct tracer){.clock = clock, .n_units = n_units};
    for (int u = 0; u < n_units; u++) {
        t->n_lanes[u] = n_lanes[u];
        t->lanes[u] = mem_alloc((size_t)n_lanes[u] * sizeof *t->lanes[u]);
        for (int l = 0; l < n_lanes[u]; l++) {
            t->lanes[u][l].spans = mem_alloc(spans_a_lane * sizeof(struct span));
            t->lanes[u][l].capacity = spans_a_lane;
        }
    }
    t->note_capacity = spans_a_lane;
    t->notes = mem_alloc(t->note_capacity * sizeof *t->notes);
}

void tracer_clear(struct tracer *t) {
    for (int u = 0; u < t->n_units; u++)
        for (int l = 0; l < t->n_lanes[u]; l++) {
            t->lanes[u][l].count = 0;
            t->lanes[u][l].dropped = 0;
        }
    t->n_notes = 0;
    t->start_ns = t->end_ns = 0;
    t->site = (struct launch_site){.later_from = INT32_MAX};
    t->trouble[0] = 0;
}

void tracer_free(struct tracer *t) {
    for (int u = 0; u < t->n_units; u++) {
        for (int l = 0; l < t->n_lanes[u]; l++) mem_free(t->lanes[u][l].spans);
        mem_free(t->lanes[u]);
    }
    mem_free(t->notes);
    *t = (struct tracer){0};
}
