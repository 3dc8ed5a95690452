/* file.h: whole files, read-only.
 * A mapped file stays valid until file_unmap; its bytes are never written. */
#ifndef ASSAY_KERNELS_BASE_FILE_H
#define ASSAY_KERNELS_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

struct file_map {
    const uint8_t *data;   /* borrowed from the map; NULL when size is 0 */
    size_t size;           /* bytes */
};

/* Errors: IO missing, unreadable or not a regular file (the path and the system's words in the text). */
enum status file_map(const char *path, struct file_map *out, struct error *e);
void file_unmap(struct file_map *f);

/* Reads a text file whole, NUL-terminated; INPUT where it is larger than `limit_bytes`. Owned: mem_free. */
enum status file_read(const char *path, size_t limit_bytes, char **out, size_t *length, struct error *e);
/* Reads it through, so that its pages are in memory as far as there is room. Errors: IO. */
enum status file_warm(const char *path, struct error *e);
int file_exists(const char *path);
int directory_exists(const char *path);
/* The folder of the running program; NULL where the system does not say. Owned: mem_free. */
char *file_own_folder(void);

#endif
