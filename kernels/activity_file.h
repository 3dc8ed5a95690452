/* activity_file.h: the activity of one process in a file that grows while it runs.
 *
 * A file is a head and pieces, each whole in itself: a process that is ended in the middle leaves all pieces but the
 * one that it would have written next. Names are numbered within a piece, ranges through the file; a range that was
 * open as its piece was written has its end in a later one.
 *
 *   head    "ASSAYREC", version (4 bytes), 0 (4)
 *   piece   size of what follows its head (8), "PIEC" (4), 1 in the last piece, else 0 (4);
 *           names: count (8), each its length (4) and bytes; then facts, ops, calls, ranges, ends, owners, devices:
 *           count (8), rows of the fields that activity_file.c lists; lost, untimed, unknown records (8 each),
 *           the reason's length (4) and bytes
 * Integers are little-endian. */
#ifndef ASSAY_KERNELS_ACTIVITY_FILE_H
#define ASSAY_KERNELS_ACTIVITY_FILE_H

#include "kernels/activity.h"
#include "kernels/base/status.h"

#define ACTIVITY_OPEN_NS INT64_MIN /* the end of a range that goes on */

struct activity_fact {             /* of the process: names */
    int32_t key, value;
};

struct activity_end {              /* of a range of an earlier piece */
    uint64_t range;                /* counted through the file, from 0 */
    int64_t end_ns;
};

struct activity_piece {            /* lists are borrowed */
    const struct activity *activity;
    const struct activity_fact *facts;
    const struct activity_end *ends;
    size_t n_facts, n_ends;
    int is_last;
};

/* A file that was begun is locked until it is closed or its process ends. Errors: IO the system refuses to write, in its
 * words. */
enum status activity_file_begin(int file, struct error *e);
enum status activity_file_put(int file, const struct activity_piece *piece, struct error *e);

struct activity_recording {
    struct activity activity;      /* owners are listed, rows are in the order of the file */
    struct activity_fact *facts;
    size_t n_facts, fact_capacity;
    int is_whole;                  /* its last piece is there */
};

/* Does a process still write it? */
int activity_file_is_written(const char *path);

/* What is cut off at the end is left out, and ranges that never ended get the file's latest time.
 * Errors: IO missing or unreadable; INPUT no such file, or damaged: where and how; UNSUPPORTED a newer version. */
enum status activity_file_read(const char *path, struct activity_recording *out, struct error *e);
void activity_recording_free(struct activity_recording *r);
/* A fact's value; NULL where there is none. */
const char *activity_recording_fact(const struct activity_recording *r, const char *key);

#endif
