/* process.c: who this process is, and which driver it runs on. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/cuda/inject/inject.h"

enum { LINE_BYTES = 1024 };

/* The beginning of a file; "" where there is none. Bytes of 0 between words, as in a command line, become spaces. */
static size_t read_line(const char *path, char line[LINE_BYTES]) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? 0 : read(file, line, LINE_BYTES - 1);
    if (file >= 0) close(file);
    if (n < 0) n = 0;
    while (n > 0 && (line[n - 1] == 0 || line[n - 1] == '\n')) n--;
    for (ssize_t i = 0; i < n; i++)
        if (line[i] == 0) line[i] = ' ';
    line[n] = 0;
    return (size_t)n;
}

static size_t add_fact(struct activity *names, struct activity_fact *f, const char *key, const char *value) {
    if (!*value) return 0;
    f->key = activity_name(names, key, strlen(key));
    f->value = activity_name(names, value, strlen(value));
    return 1;
}

/* 130001 is 13.0, update 1; before CUDA 13 versions count on: 24 and the like. */
static void version_text(uint32_t version, char *text, size_t bytes) {
    if (version >= 10000) snprintf(text, bytes, "%u.%u.%u", version / 10000, version / 100 % 100, version % 100);
    else snprintf(text, bytes, "%u", version);
}

size_t process_facts(struct activity *names, uint32_t cupti_version, struct activity_fact facts[PROCESS_FACTS]) {
    char line[LINE_BYTES];
    struct timespec now;
    size_t n = 0;
    snprintf(line, sizeof line, "%ld", (long)getpid());
    n += add_fact(names, &facts[n], "pid", line);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(line, sizeof line, "%lld%09ld", (long long)now.tv_sec, now.tv_nsec);
    n += add_fact(names, &facts[n], "began", line);
    read_line("/proc/self/cmdline", line);
    n += add_fact(names, &facts[n], "command", line);
    read_line("/sys/module/nvidia/version", line);
    n += add_fact(names, &facts[n], "driver", line);
    version_text(cupti_version, line, sizeof line);
    if (cupti_version) n += add_fact(names, &facts[n], "cupti", line);
    return n;
}
