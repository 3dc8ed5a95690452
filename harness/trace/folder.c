#include "harness/trace/folder.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/activity_file.h"
#include "kernels/base/memory.h"

static void find_recordings(const char *folder, glob_t *found) {
    char *pattern = mem_printf("%s/*.recording", folder);
    *found = (glob_t){0};
    glob(pattern, 0, NULL, found);
    mem_free(pattern);
}

static enum status make_kept(const char *keep, char **out, struct error *e) {
    int n_written;
    if (mkdir(keep, 0777) != 0 && errno != EEXIST) return error_set(e, STATUS_IO, "--keep %s: %s", keep, strerror(errno));
    *out = realpath(keep, NULL);
    if (!*out || access(*out, W_OK) != 0) return error_set(e, STATUS_IO, "--keep %s: %s", keep, strerror(errno));
    if (folder_count(*out, &n_written) == 0) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "--keep %s: it holds recordings already; name another folder", keep);
}

static enum status make_private(char **out, struct error *e) {
    const char *parent = getenv("TMPDIR");
    *out = mem_printf("%s/assay-trace-XXXXXX", parent && *parent == '/' ? parent : "/tmp");
    return mkdtemp(*out) ? STATUS_OK : error_set(e, STATUS_IO, "cannot make a folder for the recording: %s: %s", *out, strerror(errno));
}

enum status folder_make(const char *keep, char **out, struct error *e) {
    *out = NULL;
    enum status s = keep ? make_kept(keep, out, e) : make_private(out, e);
    if (s == STATUS_OK) return s;
    mem_free(*out);
    *out = NULL;
    return s;
}

int folder_count(const char *folder, int *n_written) {
    glob_t found;
    find_recordings(folder, &found);
    int n = (int)found.gl_pathc;
    *n_written = 0;
    for (int i = 0; i < n; i++) *n_written += activity_file_is_written(found.gl_pathv[i]);
    globfree(&found);
    return n;
}

double folder_bytes(const char *folder) {
    glob_t found;
    struct stat st;
    double bytes = 0;
    find_recordings(folder, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (stat(found.gl_pathv[i], &st) == 0) bytes += (double)st.st_size;
    globfree(&found);
    return bytes;
}

void folder_remove(const char *folder) {
    glob_t found;
    find_recordings(folder, &found);
    for (size_t i = 0; i < found.gl_pathc; i++) unlink(found.gl_pathv[i]);
    globfree(&found);
    rmdir(folder);
}
