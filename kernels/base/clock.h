/* clock.h: time as an argument, so that tests can inject their own.
 * Nanoseconds, monotonic. The real clock is CLOCK_MONOTONIC; a fake one advances only when told. */
#ifndef ASSAY_KERNELS_BASE_CLOCK_H
#define ASSAY_KERNELS_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

struct clock {
    uint64_t fake_ns;
    int is_fake;
};

static inline uint64_t clock_now_ns(const struct clock *c) {
    if (c->is_fake) return c->fake_ns;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A fake clock moves; the real one does not listen. */
static inline void clock_advance_ns(struct clock *c, uint64_t ns) {
    if (c->is_fake) c->fake_ns += ns;
}

#endif
