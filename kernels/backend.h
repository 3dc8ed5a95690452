/* backend.h: who computes. One table of functions a backend; a device is one opened instance of it.
 *
 * A backend prepares each program for its device: weights packed (once for each recipe hash and type, shared by
 * all programs of the device), states made (one for each name, shared likewise), activation memory planned.
 * Nothing is allocated after bind. Positions, slots and ids are read from device memory by the kernels, so a
 * captured replay sees new ones. To add a backend: one file with its table, one line in BACKEND_LIST. */
#ifndef ASSAY_KERNELS_BACKEND_H
#define ASSAY_KERNELS_BACKEND_H

#include "kernels/annotate.h"
#include "kernels/program.h"
#include "kernels/trace.h"

struct device;     /* a backend's own; begins with struct device_head */
struct prepared;   /* a program on a device; begins with struct prepared_head */
struct captured;   /* operations of a prepared program as one launch; a backend's own */

/* Scripts of the null backend: the n-th element that a choice op writes, for slot b of step t of the run. */
struct null_script {
    /* Declared cost of an op in ns; NULL: 1 ns a kiB moved + 1 ns a kflop, at least 1000. */
    uint64_t (*cost_ns)(void *self, const struct program *p, const struct op *op, const struct work *w);
    /* The value that a choice op (sample, router, acceptance) writes at element i of its call number n. */
    int32_t (*choice)(void *self, const struct op *op, int64_t n, int64_t i);
    void *self;
    /* 1: supports says no to this op. NULL: everything is supported. */
    int (*refuses)(void *self, const struct op *op);
    size_t memory_bytes;   /* what the device claims to have; 0: unlimited */
};

/* Who keeps what a device measured of its own units, for the next process on this machine and of this build: nanoseconds by key, NAN
 * for what there is not. find: 1, and the values, where all n are known. */
struct unit_memory {
    int (*find)(void *self, const char *key, double *ns, int n);
    void (*keep)(void *self, const char *key, const double *ns, int n);
    void *self;
};

/* Told of bytes of weights as they become ready. */
struct load_watch {
    void (*loaded)(void *to, double bytes);  /* NULL: nobody looks */
    void *to;
};

struct device_options {
    int threads;             /* cpu: team size; 0: all that this process may use */
    const char *isa;         /* cpu: "plain", "avx2", "avx512", "avx512bf16", "amx"; NULL: the best found */
    int is_bound;            /* cpu: bind members to cores */
    const struct unit_memory *memory; /* cpu: borrowed; NULL: measured anew by each device that needs it */
    struct clock *clock;     /* borrowed */
    const struct null_script *script; /* null only */
    int unit;                /* number of its unit in traces */
    struct load_watch watch;
};

/* A limit of a device that measures its own: bytes or operations a second. */
enum limit_kind { LIMIT_READ, LIMIT_COPY, LIMIT_MATRIX };
struct limit {
    enum limit_kind kind;
    size_t bytes;            /* READ, COPY: the working set */
    enum dtype dtype;        /* MATRIX */
};

/* What a device's own instruments say; NAN where it has none for it. Counters run on from some moment of their own. */
struct telemetry {
    double energy_j, held_by_power_s, held_by_heat_s; /* counters: used; clocks held down, by power limits and by heat */
    double clock_mhz, temperature_c;                  /* now */
    double used_bytes;                                /* of its memory now, by whomever */
};

struct memory_use {
    size_t weight_bytes, state_bytes, activation_bytes, packed_bytes; /* packed: of weight_bytes, copies that
                                                                         are not the mapped file itself */
};

struct backend {
    const char *name, *summary;
    int is_simulated;   /* computes nothing: its results cannot be checked */
    int is_timeless;    /* its clock is an injected one: times follow from declared costs and say nothing of a machine */
    enum status (*open)(const struct device_options *o, struct device **out, struct error *e);
    void (*close)(struct device *d);
    /* OK, or UNSUPPORTED with what is missing. Asked for every op before prepare. */
    enum status (*supports)(const struct device *d, const struct program *p, const struct op *op, struct error *e);
    enum status (*prepare)(struct device *d, const struct program *p, const struct weight_source *w,
                           struct prepared **out, struct error *e);
    void (*release)(struct prepared *p);
    /* Sets the symbols' values. May build what a new shape needs (library primitives): call it for each shape
     * outside timed regions first; for a shape seen before it allocates nothing. */
    enum status (*bind)(struct prepared *p, const int64_t symbols[SYMBOL_COUNT], struct error *e);
    /* Host to or from a tensor (input, output, state, kept activation), at a byte offset. Ordered after what
     * was launched before; read waits for it. */
    enum status (*write)(struct prepared *p, int tensor, size_t offset, const void *src, size_t bytes, struct error *e);
    enum status (*read)(struct prepared *p, int tensor, size_t offset, void *dst, size_t bytes, struct error *e);
    /* Runs ops first..first+n-1. `t` NULL: untraced. */
    enum status (*run)(struct prepared *p, int first, int n, struct tracer *t, struct error *e);
    /* Optional (NULL: not possible here): ops first..first+n-1 as one launch with everything resolved, for the symbols
     * now bound and as long as the program is prepared. Captured with a tracer (and only then) a replay can be traced. */
    enum status (*capture)(struct prepared *p, int first, int n, struct tracer *t, struct captured **out, struct error *e);
    enum status (*replay)(struct prepared *p, struct captured *c, struct tracer *t, struct error *e);
    void (*drop)(struct prepared *p, struct captured *c);
    /* Of asynchronous devices, NULL elsewhere: before a traced region, and after it: waits, and puts what the device
     * did into the tracer, or says in tracer.trouble why it cannot. */
    enum status (*trace_begin)(struct device *d, enum trace_detail detail, struct error *e);
    enum status (*trace_end)(struct device *d, struct tracer *t, struct error *e);
    enum status (*synchronise)(struct device *d, struct error *e);
    /* Residency: makes a weight group resident, or lets it go. Optional. */
    enum status (*load_group)(struct device *d, int group, struct tracer *t, int op, struct error *e);
    void (*drop_group)(struct device *d, int group);
    void (*memory)(const struct device *d, struct memory_use *out);
    /* Bytes that a device with memory of its own has left; NULL: it works in the host's. */
    size_t (*capacity)(const struct device *d);
    /* Of devices with memory of their own, NULL elsewhere: `repeats` runs of what shows the limit. UNSUPPORTED where the
     * device has no such unit or memory. */
    enum status (*measure_limit)(struct device *d, const struct limit *l, int repeats, double *per_s, struct error *e);
    /* Of devices with instruments, NULL elsewhere: fills what it knows of `out`, which comes all NAN. May take milliseconds, so never in a timed region. */
    void (*telemetry)(struct device *d, struct telemetry *out);
    /* Facts for the record: "isa", "threads", "compute_unit.linear.bf16", "library"; called with each pair. */
    void (*describe)(struct device *d, void (*each)(void *to, const char *key, const char *value), void *to);
};

struct device_head {
    const struct backend *backend;
    int unit, n_lanes;
    int is_asynchronous; /* then n_lanes is 2: see trace.h */
    struct load_watch watch;
};
static inline void device_loaded(const struct device_head *d, double bytes) {
    if (d->watch.loaded) d->watch.loaded(d->watch.to, bytes);
}
struct prepared_head {
    const struct backend *backend;
    const struct program *program;   /* borrowed */
    const struct annotated_ops *annotated; /* NULL: nobody looks. Told of each operation by the thread that launches it */
};

#define BACKEND_LIST(X) X(cpu) X(cuda) X(null) X(reference) X(cuda_emulated)
#define X(name) extern const struct backend backend_##name;
BACKEND_LIST(X)
#undef X
const struct backend *backend_find(const char *name);
const struct backend *backend_at(int i); /* NULL past the end */

static inline const struct backend *device_backend(const struct device *d) {
    return ((const struct device_head *)(const void *)d)->backend;
}
static inline const struct backend *prepared_backend(const struct prepared *p) {
    return ((const struct prepared_head *)(const void *)p)->backend;
}
static inline void prepared_annotate(struct prepared *p, const struct annotated_ops *a) { ((struct prepared_head *)(void *)p)->annotated = a; }

#endif
