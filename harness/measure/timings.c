#include "harness/measure/timings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/random.h"

enum { FILE_BYTES = 16 << 20 };
static const char first_line[] = "# assay timings 1\n", suffix[] = ".tsv";

char *timings_folder(struct arena *a) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache) return arena_printf(a, "%s/assay/timings", cache);
    return arena_printf(a, "%s/.cache/assay/timings", home ? home : ".");
}

/* ---- opening ---- */

static enum status refuse(const char *path, const char *what, struct error *e) {
    return error_set(e, STATUS_IO, "%s: cannot %s what was timed (%s); name a folder that can be written with XDG_CACHE_HOME", path, what, strerror(errno));
}

static void make_folders(const char *folder) {
    char *path = mem_copy_string(folder);
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(path, 0777);
        *at = '/';
    }
    mkdir(path, 0777);
    mem_free(path);
}

static const char *make_header(struct arena *a, const char *machine, const char *build) {
    struct text t = {0};
    text_append(&t, "%s# build %s\n", first_line, build);
    for (const char *at = machine; *at;) {
        int n = (int)strcspn(at, "\n");
        text_append(&t, "# %.*s\n", n, at);
        at += n + (at[n] == '\n');
    }
    const char *header = arena_copy_string(a, t.data);
    text_free(&t);
    return header;
}

enum status timings_open(const char *folder, const char *machine, const char *build, struct timings *out, struct error *e) {
    *out = (struct timings){.path = mem_printf("%s/%016llx%s", folder, (unsigned long long)hash_bytes(1, machine, strlen(machine)), suffix)};
    out->header = make_header(&out->arena, machine, build);
    make_folders(folder);
    out->fd = open(out->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    return out->fd >= 0 ? STATUS_OK : refuse(out->path, "keep", e);
}

void timings_close(struct timings *t) {
    if (t->path && t->fd >= 0) close(t->fd);
    mem_free(t->path);
    mem_free(t->entries);
    arena_free(&t->arena);
    *t = (struct timings){.fd = -1};
}

/* ---- reading ---- */

/* "key\tvalue\tvalue"; 0 where it is none of ours. */
static int parse_line(char *line, struct timings_entry *out) {
    char *at = strchr(line, '\t');
    *out = (struct timings_entry){.key = line};
    if (!at || at == line) return 0;
    while (at) {
        char *end, *text = at + 1;
        *at = 0;
        if (out->n == TIMINGS_MAX_VALUES) return 0;
        double value = text[0] == '-' ? NAN : strtod(text, &end);
        if (text[0] == '-') end = text + 1;
        if (end == text || (*end && *end != '\t') || value <= 0 || isinf(value)) return 0;
        out->values[out->n++] = value;
        at = *end ? end : NULL;
    }
    return 1;
}

static void keep(struct timings *t, const struct timings_entry *entry) {
    LIST_GROW(t->entries, t->n_entries, t->capacity);
    t->entries[t->n_entries] = *entry;
    t->entries[t->n_entries++].key = arena_copy_string(&t->arena, entry->key);
}

static void read_lines(struct timings *t, char *text) {
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        struct timings_entry entry;
        *end = 0;
        if (*line != '#' && parse_line(line, &entry)) keep(t, &entry);
    }
}

static enum status write_all(struct timings *t, const char *text, struct error *e) {
    for (size_t left = strlen(text); left > 0;) {
        ssize_t n = write(t->fd, text, left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return refuse(t->path, "keep", e);
        text += n;
        left -= (size_t)n;
    }
    return STATUS_OK;
}

enum status timings_lock(struct timings *t, struct error *e) {
    char *text;
    size_t length, header = strlen(t->header);
    while (flock(t->fd, LOCK_EX) != 0)
        if (errno != EINTR) return refuse(t->path, "lock", e);
    t->n_entries = 0;
    enum status s = file_read(t->path, FILE_BYTES, &text, &length, e);
    if (s != STATUS_OK) return timings_unlock(t), s;
    if (length < header || strncmp(text, t->header, header) != 0) {
        if (ftruncate(t->fd, 0) != 0) s = refuse(t->path, "keep", e);
        else s = write_all(t, t->header, e);
    } else {
        size_t whole = length;
        while (text[whole - 1] != '\n') whole--; /* somebody was ended in the middle of a line */
        if (whole < length && ftruncate(t->fd, (off_t)whole) != 0) s = refuse(t->path, "keep", e);
        read_lines(t, text);
    }
    mem_free(text);
    if (s != STATUS_OK) timings_unlock(t);
    return s;
}

void timings_unlock(struct timings *t) { flock(t->fd, LOCK_UN); }

int timings_find(const struct timings *t, const char *key, double *values, int n) {
    for (int i = 0; i < t->n_entries; i++) {
        const struct timings_entry *x = &t->entries[i];
        if (x->n != n || strcmp(x->key, key) != 0) continue;
        memcpy(values, x->values, (size_t)n * sizeof *values);
        return 1;
    }
    return 0;
}

/* ---- writing ---- */

enum status timings_add(struct timings *t, const char *key, const double *values, int n, struct error *e) {
    struct text line = {0};
    struct timings_entry entry = {.key = key, .n = n};
    text_append(&line, "%s", key);
    for (int i = 0; i < n; i++) {
        entry.values[i] = round(values[i] * 10) / 10; /* what others will read */
        if (isnan(values[i])) text_append(&line, "\t-");
        else text_append(&line, "\t%.1f", entry.values[i]);
    }
    text_append(&line, "\n");
    enum status s = n <= TIMINGS_MAX_VALUES ? write_all(t, line.data, e) : error_set(e, STATUS_INTERNAL, "%d times of one key", n);
    if (s == STATUS_OK) keep(t, &entry);
    text_free(&line);
    return s;
}

/* ---- counting ---- */

static int count_file(const char *folder, const char *name) {
    struct timings t = {.fd = -1};
    char *path = mem_printf("%s/%s", folder, name), *text;
    size_t length;
    struct error e = {0};
    if (file_read(path, FILE_BYTES, &text, &length, &e) == STATUS_OK) {
        read_lines(&t, text);
        mem_free(text);
    }
    int n = t.n_entries;
    mem_free(path);
    timings_close(&t);
    return n;
}

int timings_count(const char *folder, int *n_files) {
    int n = 0;
    DIR *d = opendir(folder);
    *n_files = 0;
    for (struct dirent *x; d && (x = readdir(d));) {
        size_t length = strlen(x->d_name);
        if (length <= strlen(suffix) || strcmp(x->d_name + length - strlen(suffix), suffix) != 0) continue;
        n += count_file(folder, x->d_name);
        ++*n_files;
    }
    if (d) closedir(d);
    return n;
}
