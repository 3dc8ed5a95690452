/* measure.c: a plan measured into the store, with the machine's limits and facts beside it. */
#include <math.h>
#include <time.h>

#include "harness/ceilings/ceilings.h"
#include "harness/commands/command.h"
#include "harness/doctor/environment.h"
#include "harness/measure/measure.h"
#include "kernels/backend.h"

/* Limits are measured again after a day: clocks, neighbours and kernels change. */
static const int64_t ceilings_valid_ns = (int64_t)24 * 3600 * 1000000000;

static int64_t unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The store's newest limits of this machine, else a quick measurement that is stored. */
static enum status find_ceilings(struct store *s, const struct machine_record *machine, struct arena *a, struct ceiling_list *out, struct error *e) {
    struct ceiling_set set;
    *out = (struct ceiling_list){0};
    enum status st = store_ceilings_newest(s, machine, a, &set, e);
    if (st != STATUS_OK) return st;
    if (set.count > 0 && unix_ns() - set.created_unix_ns < ceilings_valid_ns) {
        for (int i = 0; i < set.count; i++) ceiling_list_add(out, &set.items[i]);
        return STATUS_OK;
    }
    fprintf(stderr, "assay: measuring this machine's limits (a few seconds, once a day)\n");
    st = ceilings_measure(&(struct ceilings_options){.is_quick = 1}, out, e);
    if (st == STATUS_OK) st = ceilings_measure_devices(&(struct ceilings_options){.is_quick = 1}, out, e);
    if (st != STATUS_OK) return st;
    struct ceiling_set fresh = {.created_unix_ns = unix_ns(), .noise = NAN, .items = out->items, .count = out->n};
    return store_ceilings(s, machine, &fresh, e);
}

static int all_timeless(const struct plan *p) {
    for (int i = 0; i < p->n_cells; i++)
        if (cell_is_ours(&p->cells[i]) && !backend_find(p->cells[i].spec.backend)->is_timeless) return 0;
    return 1;
}

enum status command_measure(struct plan *p, const struct options *o, struct id *id, struct error *e) {
    struct store *s;
    struct environment_facts facts;
    struct ceiling_list ceilings = {0};
    struct arena a = {0};
    enum status st = store_open(o->value[OPT_DB], STORE_WRITE, &s, e);
    if (st != STATUS_OK) return st;
    environment_collect(&facts);
    struct measure_options options = {.resumes = option_flag(o, OPT_RESUME), .machine = facts.machine, .environment = facts.environment};
    if (!all_timeless(p)) {
        st = find_ceilings(s, &options.machine, &a, &ceilings, e);
        options.ceilings = &ceilings;
    }
    if (st == STATUS_OK) st = measure_plan(p, s, &options, id, e);
    ceiling_list_free(&ceilings);
    environment_free(&facts);
    arena_free(&a);
    store_close(s);
    return st;
}
