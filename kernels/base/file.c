#include "kernels/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/memory.h"

static enum status open_regular(const char *path, int *fd, size_t *size, struct error *e) {
    struct stat s;
    *size = 0;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return error_set(e, STATUS_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(*fd, &s) != 0 || !S_ISREG(s.st_mode)) {
        close(*fd);
        return error_set(e, STATUS_IO, "'%s' is not a regular file", path);
    }
    *size = (size_t)s.st_size;
    return STATUS_OK;
}

enum status file_map(const char *path, struct file_map *out, struct error *e) {
    int fd;
    size_t size;
    enum status s = open_regular(path, &fd, &size, e);
    if (s != STATUS_OK) return s;
    *out = (struct file_map){.data = NULL, .size = size};
    if (size > 0) {
        void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            int code = errno;
            close(fd);
            return error_set(e, STATUS_IO, "cannot map '%s': %s", path, strerror(code));
        }
        out->data = p;
    }
    close(fd);
    return STATUS_OK;
}

void file_unmap(struct file_map *f) {
    if (f->data) munmap((void *)(uintptr_t)f->data, f->size);
    *f = (struct file_map){0};
}

enum status file_read(const char *path, size_t limit_bytes, char **out, size_t *length, struct error *e) {
    struct file_map map;
    enum status s = file_map(path, &map, e);
    if (s != STATUS_OK) return s;
    if (map.size > limit_bytes) {
        size_t size = map.size;
        file_unmap(&map);
        return error_set(e, STATUS_INPUT, "'%s' has %zu bytes; at most %zu are read here", path, size, limit_bytes);
    }
    struct text t = {0};
    text_append_bytes(&t, map.data, map.size);
    *out = t.data;
    if (length) *length = t.length;
    file_unmap(&map);
    return STATUS_OK;
}

enum status file_warm(const char *path, struct error *e) {
    enum { AT_ONCE = 1 << 20 };
    int fd, code = 0;
    size_t size;
    enum status s = open_regular(path, &fd, &size, e);
    if (s != STATUS_OK) return s;
    char *buffer = mem_alloc(AT_ONCE);
    for (ssize_t n = 1; n > 0 && !code;) {
        n = read(fd, buffer, AT_ONCE);
        if (n < 0 && errno == EINTR) n = 1;
        else if (n < 0) code = errno;
    }
    mem_free(buffer);
    close(fd);
    return code ? error_set(e, STATUS_IO, "cannot read '%s': %s", path, strerror(code)) : STATUS_OK;
}

int file_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

int directory_exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

char *file_own_folder(void) {
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return NULL;
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash) return NULL;
    *slash = '\0';
    return mem_copy_string(path);
}
