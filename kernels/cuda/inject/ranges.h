/* ranges.h: the NVTX ranges of a process as they begin and end, and the work that belongs to them.
 *
 * A push makes a row, and the row's number becomes the owner of the work that its thread launches (recorder.h), until its
 * pop. Each domain has its own stack on each thread; work belongs to what was pushed last of all of them. Ranges of start
 * and end belong to no thread and own no work. Ranges of a domain that has a name are called "domain/name", so that a
 * library's names are not taken for the program's; those of the default domain are called as they are.
 *
 * Rows are taken in pieces (activity_file.h). What is kept between two takings is bounded; what does not fit is counted.
 * Ranges that are open on other threads as the recorder comes own work from their thread's next push or pop on. */
#ifndef ASSAY_KERNELS_CUDA_INJECT_RANGES_H
#define ASSAY_KERNELS_CUDA_INJECT_RANGES_H

#include <pthread.h>
#include <stdatomic.h>

#include "kernels/activity_file.h"
#include "kernels/cuda/recorder.h"

enum { RANGES_FULL = 1 << 20, RANGES_MANY = 1 << 16, RANGES_NESTED = 256, RANGES_TEXT_BYTES = 64 << 20 };

struct open_range {
    uint64_t range;                /* its number; NO_RANGE: it is not recorded */
    const void *domain;
    int64_t start_ns;
};
#define NO_RANGE UINT64_MAX

struct ranges {
    struct recorder *_Atomic recorder; /* NULL: none yet */
    _Atomic int is_over;           /* nothing is taken in any more */
    pthread_key_t threads;         /* so that a thread's end ends its ranges */
    pthread_mutex_t lock;          /* of what follows */
    pthread_cond_t many;           /* RANGES_MANY rows wait to be taken, or the waiting is over */
    struct activity rows;          /* not taken yet */
    uint64_t first;                /* number of the first of them */
    struct activity_end *ends;     /* of ranges that were taken open */
    size_t n_ends, end_capacity;
    struct open_range *pairs;      /* of start and end, open */
    size_t n_pairs, pair_capacity;
    struct activity texts;         /* domains and registered strings: a handle is a name + 1 */
    size_t row_bytes, text_bytes;  /* of the names in rows, in texts */
    int64_t n_lost;                /* ranges that found no room */
};

/* A range's name: a text, or what registering gave; and what creating the domain gave, NULL the default one. */
struct range_name {
    const char *text;              /* NULL: registered */
    const void *registered, *domain;
};

void ranges_open(struct ranges *s);
/* Both return the range's level among its domain's on this thread, from 0; below 0 as nvtx.h says. */
int ranges_push(struct ranges *s, const struct range_name *name);
int ranges_pop(struct ranges *s, const void *domain);
/* An id; 0: it is not recorded. */
uint64_t ranges_start(struct ranges *s, const struct range_name *name);
void ranges_end(struct ranges *s, uint64_t id);
/* A handle of a domain or string; equal texts have one. NULL: there is no room. */
void *ranges_register(struct ranges *s, const char *text);

/* From now on there is a recorder; its clock is that of earlier rows too, and what is open on this thread owns its work. */
void ranges_attach(struct ranges *s, struct recorder *r);
/* What came since the last taking: ranges (activity_free), and ends of earlier ones (mem_free). */
void ranges_take(struct ranges *s, struct activity *rows, struct activity_end **ends, size_t *n_ends);
/* Until RANGES_MANY rows wait, for this long at most. */
void ranges_wait(struct ranges *s, int seconds);

/* Around a fork; in the child the parent's rows are gone, and ranges that were open own nothing. */
void ranges_before_fork(struct ranges *s);
void ranges_after_fork(struct ranges *s, int is_child);

#endif
