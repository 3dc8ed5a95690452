/* probe.h: the patterns that are tried, one row each, behind one form.
 * A probe works on one thread's share of the memory `repeats` times, and leaves in `sink` what proves that it did:
 * reads: the sum of all 64-bit words, times repeats; rates: the multiply-adds done, counted by the unit itself. */
#ifndef ASSAY_HARNESS_CEILINGS_PROBE_H
#define ASSAY_HARNESS_CEILINGS_PROBE_H

#include <stddef.h>
#include <stdint.h>

enum { SHARE_GRAIN = 4096 }; /* a share's bytes are a multiple of this, its start 64-byte aligned */

struct share {
    char *data;
    size_t bytes;     /* a copy: first half from, second half to */
    uint64_t sink;
};

struct probe {
    const char *name;
    const char *unit;              /* rates: "f32", …; bandwidth: "" */
    int (*is_supported)(void);     /* by CPU and system */
    double work;                   /* of one repeat: rates in operations; bandwidth 0: the share's bytes */
    void (*run)(struct share *s, int64_t repeats);
};

struct probe_list {
    const struct probe *items;
    int n;
};
/* Those of one kind; ordered from plain to special, the first always supported (amx rates: maybe none is). */
struct probe_list probes_read(void);
struct probe_list probes_copy(void);
struct probe_list probes_rate(void);
struct probe_list probes_tile(void);

#endif
