/* scratch.h: small files that a test writes and takes away, under the build folder. */
#ifndef ASSAY_TESTS_WORKLOADS_SCRATCH_H
#define ASSAY_TESTS_WORKLOADS_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"
#include "kernels/base/memory.h"

/* A folder of this process's own; the returned text is the caller's (mem_free). */
static inline char *scratch_folder(const char *name) {
    char *path = mem_printf("%s/scratch.%s.%d", ASSAY_BINARY_DIR, name, (int)getpid());
    mkdir(path, 0700);
    ck_assert_msg(access(path, W_OK) == 0, "cannot make %s", path);
    return path;
}

static inline void scratch_write(const char *folder, const char *name, const void *data, size_t bytes) {
    char *path = mem_printf("%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(data, 1, bytes, f), bytes);
    ck_assert_int_eq(fclose(f), 0);
    mem_free(path);
}

static inline void scratch_write_text(const char *folder, const char *name, const char *text) {
    scratch_write(folder, name, text, strlen(text));
}

static inline void scratch_remove_file(const char *folder, const char *name) {
    char *path = mem_printf("%s/%s", folder, name);
    unlink(path);
    mem_free(path);
}

/* The folder and the files in it; frees the path. */
static inline void scratch_remove(char *folder) {
    DIR *d = opendir(folder);
    for (struct dirent *entry; d && (entry = readdir(d));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            scratch_remove_file(folder, entry->d_name);
    if (d) closedir(d);
    rmdir(folder);
    mem_free(folder);
}

/* A safetensors file's bytes: the header's length, the header, `data_bytes` of 0, 1, 2, … */
static inline struct text safetensors_bytes(const char *header, size_t data_bytes) {
    struct text t = {0};
    uint64_t length = strlen(header);
    text_append_bytes(&t, &length, sizeof length);
    text_append_bytes(&t, header, length);
    for (size_t i = 0; i < data_bytes; i++) text_append_bytes(&t, &(char){(char)(i & 127)}, 1);
    return t;
}

static inline void scratch_write_safetensors(const char *folder, const char *name, const char *header,
                                             size_t data_bytes) {
    struct text t = safetensors_bytes(header, data_bytes);
    scratch_write(folder, name, t.data, t.length);
    text_free(&t);
}

#endif
