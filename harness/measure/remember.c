#include "harness/measure/remember.h"

#include "harness/measure/machine.h"

static int is_ready(struct remember *r) {
    struct error e = {0};
    if (r->is_refused) return 0;
    if (!r->is_open) {
        struct text machine = {0};
        struct arena a = {0};
        char build[MACHINE_BUILD_BYTES];
        text_append(&machine, "units\n");
        machine_facts(&machine);
        machine_build(build);
        r->is_open = timings_open(timings_folder(&a), machine.data, build, &r->timings, &e) == STATUS_OK;
        if (!r->is_open) timings_close(&r->timings);
        text_free(&machine);
        arena_free(&a);
    }
    r->is_refused = !r->is_open || timings_lock(&r->timings, &e) != STATUS_OK;
    return !r->is_refused;
}

static int find(void *self, const char *key, double *ns, int n) {
    struct remember *r = self;
    if (!is_ready(r)) return 0;
    int is_known = timings_find(&r->timings, key, ns, n);
    timings_unlock(&r->timings);
    return is_known;
}

/* The first answer stands: of two processes that measured at once, the later takes the other's when it asks again. */
static void keep(void *self, const char *key, const double *ns, int n) {
    struct remember *r = self;
    struct error e = {0};
    double known[TIMINGS_MAX_VALUES];
    if (!is_ready(r)) return;
    if (!timings_find(&r->timings, key, known, n)) timings_add(&r->timings, key, ns, n, &e);
    timings_unlock(&r->timings);
}

void remember_begin(struct remember *r) { *r = (struct remember){.memory = {find, keep, r}, .timings = {.fd = -1}}; }

void remember_end(struct remember *r) {
    if (r->is_open) timings_close(&r->timings);
    *r = (struct remember){.timings = {.fd = -1}};
}
