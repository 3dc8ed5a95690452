#include "harness/import/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "kernels/base/memory.h"

static enum status open_regular(const char *path, int *fd, struct error *e) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0) return error_set(e, STATUS_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) return STATUS_OK;
    close(*fd);
    return error_set(e, STATUS_IO, "'%s' is not a regular file; name the trace itself", path);
}

enum status source_open(const char *path, struct progress *progress, struct byte_source *out, struct error *e) {
    int fd;
    *out = (struct byte_source){.path = path, .progress = progress};
    enum status s = open_regular(path, &fd, e);
    if (s != STATUS_OK) return s;
    out->file = gzdopen(fd, "rb");
    if (!out->file) {
        close(fd);
        return error_set(e, STATUS_NO_MEMORY, "no memory to read '%s'", path);
    }
    gzbuffer(out->file, SOURCE_BUFFER_BYTES);
    out->buffer = mem_alloc(SOURCE_BUFFER_BYTES);
    return STATUS_OK;
}

void source_close(struct byte_source *s) {
    if (s->file) gzclose(s->file);
    mem_free(s->buffer);
    *s = (struct byte_source){0};
}

static enum status read_error(const struct byte_source *s, struct error *e) {
    int code;
    const char *text = gzerror(s->file, &code);
    long long at = (long long)gzoffset(s->file);
    if (code == Z_ERRNO) return error_set(e, STATUS_IO, "cannot read '%s': %s", s->path, strerror(errno));
    if (code == Z_BUF_ERROR)
        return error_set(e, STATUS_INPUT, "%s: the gzip file is cut short: it ends at byte %lld in the middle of its data; copy it again", s->path,
                         at);
    return error_set(e, STATUS_INPUT, "%s: the gzip data is damaged before byte %lld (%s); copy the file again", s->path, at, text);
}

enum status source_fill(struct byte_source *s, struct error *e) {
    int code;
    int n = gzread(s->file, s->buffer, SOURCE_BUFFER_BYTES);
    s->base += (int64_t)s->end;
    s->at = 0;
    s->end = n > 0 ? (size_t)n : 0;
    gzerror(s->file, &code);
    if (n < 0 || code == Z_BUF_ERROR) {
        s->end = 0;
        return read_error(s, e);
    }
    int64_t file_at = (int64_t)gzoffset(s->file);
    if (s->progress) progress_add(s->progress, (double)(file_at - s->file_at));
    s->file_at = file_at;
    return STATUS_OK;
}
