/* ceilings.h: what this machine can do at most, measured: bytes and operations a second.
 *
 * Bandwidth is a curve over the working set (16 KiB to the larger of 1 GiB and 4 × the last cache level), for one
 * thread and for all, read and copy, each the best of several patterns. The working set is that of all threads
 * together; each thread walks its own share. Matrix rates are register-resident multiply-adds (2 operations each)
 * of every unit that this machine has; AMX with its tiles resident. Every value is the median of nine runs (quick:
 * five) of the best pattern; where other work disturbs, of the fastest nine of up to 36. low and high are of all runs.
 * Decimal units: bytes/s, flop/s.
 *
 * Patterns after STREAM (McCalpin 1995) for what counts as moved: a copy of n bytes moves 2 n, whether or not the
 * hardware reads the target first. */
#ifndef ASSAY_HARNESS_CEILINGS_CEILINGS_H
#define ASSAY_HARNESS_CEILINGS_CEILINGS_H

#include "kernels/base/memory.h"
#include "kernels/base/status.h"
#include "results/model.h"

struct ceilings_options {
    int threads;              /* 0: team_default_size() */
    int is_quick;             /* fewer sizes, fewer repeats, at most 256 MiB */
    double seconds;           /* budget; 0: 50, quick 5. Below a second the values are only indications */
    /* Called between measurements with the share done (0 to 1); returns non-zero to stop. NULL: nobody asks. */
    int (*progress)(void *arg, double share, const char *what);
    void *progress_arg;
};

/* kind "read" and "copy": unit "" (of a device: its backend's name), a working set, threads 1 or all.
 * kind "matrix": unit "f32", "f16", "bf16", "int8", "amx-bf16" or "amx-int8"; working set 0. */
struct ceiling_list {
    struct ceiling_record *items; /* owned; their strings live in the arena */
    int n;
    size_t capacity;
    struct arena arena;
};

/* Errors: INPUT more than 64 threads; NO_MEMORY not even 1 MiB for each thread; INTERRUPTED by progress (what was
 * measured so far is in *out). *out is always valid to free. */
enum status ceilings_measure(const struct ceilings_options *o, struct ceiling_list *out, struct error *e);
/* Adds those of GPUs and the like that can be used here: unit "cuda" of bandwidth, "cuda-bf16" and so on of matrices,
 * threads 1. */
enum status ceilings_measure_devices(const struct ceilings_options *o, struct ceiling_list *out, struct error *e);
void ceiling_list_add(struct ceiling_list *list, const struct ceiling_record *r); /* copies, strings too */
void ceiling_list_free(struct ceiling_list *list);

/* Bandwidth of a unit ("": the processor) in bytes/s at a working set, linear in log2 of the size between measured points, constant beyond them.
 * A number of threads that was not measured: more than the most measured counts as those; between 1 and the most,
 * linear in the number. 0 where nothing is known (list may be NULL). */
double ceiling_read_at(const struct ceiling_list *list, const char *unit, int threads, double working_set_bytes);
double ceiling_copy_at(const struct ceiling_list *list, const char *unit, int threads, double working_set_bytes);

/* Operations a second of the fastest way in which this machine multiplies numbers of a type:
 * "bf16" is the largest of vdpbf16ps, the tiles, and f32 FMA (to which bf16 widens exactly); "f16" of f16 and f32 FMA;
 * "int8" of VNNI and the tiles; "f32", "amx-bf16" and "amx-int8" are that unit alone. Threads as above. 0: unknown. */
double ceiling_matrix(const struct ceiling_list *list, const char *unit, int threads);

#endif
