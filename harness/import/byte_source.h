/* byte_source.h: a file's bytes one buffer at a time, unpacked where the file is gzip (private to import/). */
#ifndef ASSAY_HARNESS_IMPORT_BYTE_SOURCE_H
#define ASSAY_HARNESS_IMPORT_BYTE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "harness/measure/progress.h"
#include "kernels/base/status.h"

enum { SOURCE_BUFFER_BYTES = 1 << 18 };

struct byte_source {
    const char *path;
    struct gzFile_s *file;
    struct progress *progress;     /* NULL none; told of the bytes that were read from the file */
    int64_t file_at;               /* of these */
    unsigned char *buffer;
    size_t at, end;                /* in the buffer */
    int64_t base;                  /* offset of the buffer's first byte in the unpacked text */
};

/* Errors: IO missing, unreadable, not a regular file. */
enum status source_open(const char *path, struct progress *progress, struct byte_source *out, struct error *e);
void source_close(struct byte_source *s);

/* The next buffer; `end` is 0 after the last one. Errors: INPUT where the packed data is cut or damaged; IO. */
enum status source_fill(struct byte_source *s, struct error *e);

static inline int64_t source_offset(const struct byte_source *s) { return s->base + (int64_t)s->at; }

#endif
