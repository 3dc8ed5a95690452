/* fuzz_trace.h: what a trace that was accepted must allow: joining, attributing by every kind of choice, sums that hold. */
#ifndef ASSAY_TESTS_FUZZ_FUZZ_TRACE_H
#define ASSAY_TESTS_FUZZ_FUZZ_TRACE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/attribution/attribute.h"
#include "harness/attribution/join.h"
#include "harness/import/import.h"

/* An error's text must be there exactly where one is returned. */
static inline void fuzz_check_error(enum status s, const struct error *e) {
    if ((s == STATUS_OK) != (e->text[0] == 0) || e->status != s) abort();
}

static inline void fuzz_check_sums(const struct attributed *x) {
    for (size_t i = 0; i < x->n_lines;) {
        const struct attributed_line *first = &x->lines[i];
        int64_t sum = 0;
        for (; i < x->n_lines && x->lines[i].sample == first->sample && x->lines[i].device == first->device; i++) sum += x->lines[i].ns;
        if (sum != x->samples[first->sample].end_ns - x->samples[first->sample].start_ns) abort();
    }
}

static inline void fuzz_attribute(struct imported *x) {
    static const struct stage_choice choices[] = {{NULL, 0, NULL}, {"*", 1, NULL}, {NULL, 2, "*"}, {"a*,?b,[c-", 0, "s"}};
    struct activity *a = &x->activity;
    activity_join(a);
    activity_sort_ops(a);
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        struct stages s;
        struct attributed found;
        struct error e = {0};
        enum status status = stages_choose(a, &choices[i], &s, &e);
        fuzz_check_error(status, &e);
        if (status == STATUS_OK) {
            attribute(a, &s, &found);
            fuzz_check_sums(&found);
            attributed_free(&found);
        }
        stages_free(&s);
    }
}

static inline void fuzz_import(const struct importer *importer, const char *path) {
    struct imported x;
    struct error e = {0};
    enum status s = importer->read(path, NULL, &x, &e);
    fuzz_check_error(s, &e);
    if (s != STATUS_OK) return;
    fuzz_attribute(&x);
    imported_free(&x);
}

/* The bytes as a file that has a name of its own. */
static inline void fuzz_file(const struct importer *importer, const uint8_t *data, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/assay-fuzz-%ld.%s", (long)getpid(), importer->name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return;
    int is_written = write(fd, data, size) == (ssize_t)size;
    close(fd);
    if (is_written) fuzz_import(importer, path);
    unlink(path);
}

#endif
