/* timings.h: times that were measured on this machine, kept so that nothing is measured twice and that all cells of an experiment choose
 * alike. One text file a machine (its facts and its device's) under ${XDG_CACHE_HOME:-$HOME/.cache}/assay/timings:
 *
 *   # assay timings 1
 *   # build 0.1.0, 12345678 bytes of 1764176400
 *   # cpu.model ...
 *   linear bf16 576 to 1536, 1 rows: plain x 37, int8_row x 73 <tab> 1234.5 <tab> 678.9
 *
 * Another build's times are dropped: its kernels may be others. To measure anew, delete the file, or the folder. Whoever adds holds the
 * file's lock from looking to adding, so that two processes that ask the same get the same answer. */
#ifndef ASSAY_HARNESS_MEASURE_TIMINGS_H
#define ASSAY_HARNESS_MEASURE_TIMINGS_H

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum { TIMINGS_MAX_VALUES = 16 };

struct timings_entry {
    const char *key;
    double values[TIMINGS_MAX_VALUES];
    int n;
};

struct timings {
    char *path;
    int fd;
    const char *header;              /* of the arena: every line that the file has to begin with */
    struct timings_entry *entries;
    int n_entries;
    size_t capacity;
    struct arena arena;
};

/* Arena-owned. */
char *timings_folder(struct arena *a);
/* Makes folder and file where there is none. `machine`: lines of facts. Errors: IO, with what to do. */
enum status timings_open(const char *folder, const char *machine, const char *build, struct timings *out, struct error *e);
void timings_close(struct timings *t);
/* Takes the file's lock, waiting for it, and reads what is there; lines that are damaged or of another build are as if they were not. */
enum status timings_lock(struct timings *t, struct error *e);
void timings_unlock(struct timings *t);
/* 1, and the values, where all n of a key are known. A value that could not be measured is NAN. */
int timings_find(const struct timings *t, const char *key, double *values, int n);
/* While locked. Errors: IO. */
enum status timings_add(struct timings *t, const char *key, const double *values, int n, struct error *e);
/* Keys in all files of a folder, and how many files; 0 where there is none. */
int timings_count(const char *folder, int *n_files);

#endif
