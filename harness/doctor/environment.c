#include "harness/doctor/environment.h"

#include "harness/doctor/doctor.h"

static const double noise_seconds = 0.04;

/* The facts of one scope, in the arena. */
static const struct fact *select_facts(const struct doctor_report *r, enum finding_scope scope, struct arena *a,
                                       int *n) {
    struct fact *facts = arena_alloc(a, (size_t)r->n * sizeof *facts);
    *n = 0;
    for (int i = 0; i < r->n; i++) {
        if (r->items[i].scope != scope) continue;
        facts[*n].key = arena_copy_string(a, r->items[i].key);
        facts[(*n)++].value = arena_copy_string(a, r->items[i].value);
    }
    return facts;
}

void environment_collect(struct environment_facts *out) {
    struct doctor_report r;
    *out = (struct environment_facts){0};
    doctor_collect(&r, noise_seconds);
    out->machine.facts = select_facts(&r, SCOPE_MACHINE, &out->arena, &out->machine.n_facts);
    out->environment.facts = select_facts(&r, SCOPE_ENVIRONMENT, &out->arena, &out->environment.n_facts);
    doctor_free(&r);
}

void environment_free(struct environment_facts *f) {
    arena_free(&f->arena);
    *f = (struct environment_facts){0};
}
