/* measure.c: which points are measured, how often, and in how much time.
 * At every point each pattern is tried and the best one repeated. Whatever else the machine does only slows a run, so
 * while the runs disagree more are made, and the median is that of the fastest; the lowest and highest are of all. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/ceilings/ceilings.h"
#include "harness/ceilings/meter.h"
#include "harness/doctor/caches.h"
#include "harness/measure/engine.h"
#include "kernels/base/clock.h"
#include "kernels/cpu/team.h"

enum { REPEATS_MAX = 9, RUNS_MAX = 4 * REPEATS_MAX };
static const double quiet_spread = 0.95; /* median over highest from which on nothing seems to disturb */
static const double first_size = 16384, full_size = 1073741824, quick_size = 268435456;

struct effort {
    double run_ns;      /* of one timed run, where a single pass is not longer */
    int tries, repeats; /* of every pattern; of the best */
};
static const struct effort full = {2e6, 3, REPEATS_MAX}, quick = {3e5, 2, 5}, late = {1e5, 1, 1};

struct measurement {
    const struct ceilings_options *o;
    struct ceiling_list *out;
    struct clock clock;
    uint64_t start_ns;
    double budget_ns, largest;
    double done, total; /* points */
};

static double elapsed_ns(const struct measurement *m) { return (double)(clock_now_ns(&m->clock) - m->start_ns); }

/* What is left of the budget decides: each point may take its part of it. */
static struct effort effort_now(const struct measurement *m) {
    if (elapsed_ns(m) > m->budget_ns) return late;
    struct effort e = m->o->is_quick ? quick : full;
    double asked = m->o->seconds, usual = m->o->is_quick ? 5 : 50;
    if (asked > 0 && asked < usual) e.run_ns *= asked / usual;
    return e;
}

/* Operations or bytes a second of one run that lasts about run_ns. */
static double rate_of(struct meter *meter, const struct probe *p, size_t size, int64_t repeats) {
    return meter_work(meter, p, size, repeats) / meter_run(meter, p, size, repeats) * 1e9;
}

static int64_t repeats_for(struct meter *meter, const struct probe *p, size_t size, double run_ns) {
    int64_t repeats = 1;
    for (;;) {
        double ns = meter_run(meter, p, size, repeats);
        if (ns >= run_ns / 4 || repeats > INT64_MAX / 8) return (int64_t)fmax(1, (double)repeats * run_ns / ns);
        repeats *= 4;
    }
}

static int rate_compare_falling(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static int is_tried(const struct probe *p, const char *unit) { return strcmp(p->unit, unit) == 0 && p->is_supported(); }

enum { PROBES_MAX = 24 };

/* Rounds over all patterns, so that a disturbance of some milliseconds does not decide. */
static const struct probe *find_best(struct meter *meter, struct probe_list list, const char *unit, size_t size,
                                     const struct effort *effort, int64_t *repeats) {
    const struct probe *best = NULL;
    int64_t n[PROBES_MAX] = {0};
    double best_rate = 0;
    for (int k = 0; k < effort->tries; k++) {
        for (int i = 0; i < list.n && i < PROBES_MAX; i++) {
            if (!is_tried(&list.items[i], unit)) continue;
            if (k == 0) n[i] = repeats_for(meter, &list.items[i], size, effort->run_ns);
            double rate = rate_of(meter, &list.items[i], size, n[i]);
            if (rate <= best_rate) continue;
            best_rate = rate;
            best = &list.items[i];
            *repeats = n[i];
        }
    }
    return best;
}

static enum status tell(struct measurement *m, const char *what, struct error *e) {
    if (m->o->progress && m->o->progress(m->o->progress_arg, m->done / m->total, what))
        return error_set(e, STATUS_INTERRUPTED, "the measurement of ceilings was stopped");
    return STATUS_OK;
}

/* Fills rates, falling; returns how many. The first `repeats` of them agree, or the patience has ended. */
static int repeat_best(struct measurement *m, struct meter *meter, const struct probe *best, size_t size,
                       const struct effort *effort, int64_t repeats, double rates[RUNS_MAX]) {
    int n = 0;
    while (n < 4 * effort->repeats) {
        rates[n++] = rate_of(meter, best, size, repeats);
        if (n < effort->repeats) continue;
        qsort(rates, (size_t)n, sizeof *rates, rate_compare_falling);
        if (rates[effort->repeats / 2] >= quiet_spread * rates[0] || elapsed_ns(m) > m->budget_ns) break;
    }
    return n;
}

/* One point: nothing is added where no pattern of the unit is supported. */
static enum status measure_point(struct measurement *m, struct meter *meter, struct probe_list list, const char *kind,
                                 const char *unit, double size, struct error *e) {
    double rates[RUNS_MAX];
    int64_t repeats = 1;
    struct effort effort = effort_now(m);
    if (tell(m, *unit ? unit : kind, e) != STATUS_OK) return STATUS_INTERRUPTED;
    m->done++;
    const struct probe *best = find_best(meter, list, unit, (size_t)size, &effort, &repeats);
    if (!best) return STATUS_OK;
    int n = repeat_best(m, meter, best, (size_t)size, &effort, repeats, rates);
    struct ceiling_record r = {.kind = kind,
                               .unit = unit,
                               .pattern = best->name,
                               .threads = meter->threads,
                               .working_set_bytes = size,
                               .value = rates[effort.repeats / 2],
                               .low = rates[n - 1],
                               .high = rates[0]};
    ceiling_list_add(m->out, &r);
    return STATUS_OK;
}

/* The smallest set in which every thread has a share. */
static double smallest_size(int threads) {
    double size = first_size;
    while (size < 2.0 * SHARE_GRAIN * threads) size *= 2;
    return size;
}

static const char *const vector_units[] = {"f32", "f16", "bf16", "int8"}, *const tile_units[] = {"amx-bf16",
                                                                                                 "amx-int8"};
enum { VECTOR_UNITS = 4, TILE_UNITS = 2 };

static int count_points(const struct measurement *m, int threads) {
    int n = VECTOR_UNITS + TILE_UNITS;
    for (double size = smallest_size(threads); size <= m->largest; size *= 2) n += 2;
    return n;
}

static enum status measure_rates(struct measurement *m, struct meter *meter, struct error *e) {
    enum status s = STATUS_OK;
    for (int i = 0; i < VECTOR_UNITS && s == STATUS_OK; i++)
        s = measure_point(m, meter, probes_rate(), "matrix", vector_units[i], 0, e);
    for (int i = 0; i < TILE_UNITS && s == STATUS_OK; i++)
        s = measure_point(m, meter, probes_tile(), "matrix", tile_units[i], 0, e);
    return s;
}

static enum status measure_with(struct measurement *m, int threads, struct error *e) {
    struct meter meter;
    enum status s = meter_open(&meter, threads, (size_t)m->largest, e);
    if (s != STATUS_OK) return s;
    s = measure_rates(m, &meter, e);
    for (double size = smallest_size(threads); size <= m->largest && s == STATUS_OK; size *= 2) {
        s = measure_point(m, &meter, probes_read(), "read", "", size, e);
        if (s == STATUS_OK) s = measure_point(m, &meter, probes_copy(), "copy", "", size, e);
    }
    meter_close(&meter);
    return s;
}

/* 1 GiB, or 4 × the last cache level where that is more; never above a quarter of what may still be taken. */
static enum status choose_largest(struct measurement *m, int threads, struct error *e) {
    double want = full_size, least = smallest_size(threads), available = memory_available();
    while (want < 4.0 * (double)cache_bytes(3)) want *= 2;
    if (m->o->is_quick && want > quick_size) want = quick_size;
    while (want > available / 4 && want > least) want /= 2;
    m->largest = want;
    if (want > available / 2)
        return error_set(e, STATUS_NO_MEMORY, "%.0f MB of memory are available, too few to measure bandwidth with",
                         available / 1e6);
    return STATUS_OK;
}

enum status ceilings_measure(const struct ceilings_options *o, struct ceiling_list *out, struct error *e) {
    int threads = o->threads > 0 ? o->threads : team_default_size();
    *out = (struct ceiling_list){0};
    if (threads > TEAM_MAX_MEMBERS)
        return error_set(e, STATUS_INPUT, "--threads %d: at most %d", threads, TEAM_MAX_MEMBERS);
    struct measurement m = {.o = o, .out = out};
    m.start_ns = clock_now_ns(&m.clock);
    m.budget_ns = (o->seconds > 0 ? o->seconds : o->is_quick ? 5 : 50) * 1e9;
    enum status s = choose_largest(&m, threads, e);
    if (s != STATUS_OK) return s;
    m.total = count_points(&m, 1) + (threads > 1 ? count_points(&m, threads) : 0);
    s = measure_with(&m, 1, e);
    if (s == STATUS_OK && threads > 1) s = measure_with(&m, threads, e);
    if (s == STATUS_OK) s = tell(&m, "done", e);
    return s;
}
