/* Arbitrary bytes as a database file: opened, listed, searched, turned into documents and tables; then for writing. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "results/document/document.h"
#include "results/export/export.h"
#include "results/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ITEMS = 4 };

static void export_all(json_t *d) {
    FILE *sink = fopen("/dev/null", "w");
    if (d && sink)
        for (int f = EXPORT_CSV; f < EXPORT_TRACE; f++) export_document(d, (enum export_format)f, sink, NULL);
    if (sink) fclose(sink);
    json_decref(d);
}

static void read_run(struct store *s, const struct id *run) {
    json_t *d = NULL;
    FILE *sink = fopen("/dev/null", "w");
    document_run(s, run, &d, NULL);
    export_all(d);
    if (sink) {
        export_samples(s, run, sink, NULL);
        export_trace(s, run, sink, NULL);
        fclose(sink);
    }
}

static void read_runs(struct store *s) {
    struct run_list runs;
    json_t *d;
    enum verdict_kind kind;
    struct found found;
    if (store_list_runs(s, NULL, MAX_ITEMS, &runs, NULL) != STATUS_OK) return;
    for (int i = 0; i < runs.count; i++) read_run(s, &runs.items[i].id);
    for (int i = 1; i < runs.count; i++) {
        const struct compare_options o = {.across = "dtype"};
        document_compare(s, &runs.items[i - 1].id, &runs.items[i].id, &o, &kind, &d, NULL);
        export_all(d);
    }
    store_find(s, "latest~1", FIND_ANY, &found, NULL);
    store_find(s, "b2b2", FIND_RUN, &found, NULL);
    run_list_free(&runs);
}

static void read_experiments(struct store *s) {
    struct experiment_list list;
    json_t *d;
    if (store_list_experiments(s, MAX_ITEMS, &list, NULL) != STATUS_OK) return;
    for (int i = 0; i < list.count; i++) {
        document_experiment(s, &list.items[i].id, 0, &d, NULL);
        export_all(d);
    }
    experiment_list_free(&list);
}

static void write_into(struct store *s) {
    struct run_list runs;
    int64_t process;
    if (store_list_runs(s, NULL, 1, &runs, NULL) != STATUS_OK) return;
    const struct value_record value = {"e2e_ns", 0, 1};
    if (runs.count &&
        store_process_begin(s, &runs.items[0].id, &(struct process_record){.block = 77}, &process, NULL) == STATUS_OK)
        store_sample(s, process, &(struct sample_record){.values = &value, .n_values = 1}, NULL);
    if (runs.count) store_run_finish(s, &runs.items[0].id, RUN_OK, NULL, NULL);
    run_list_free(&runs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64], log[72];
    snprintf(path, sizeof path, "/tmp/assay-fuzz-%ld.db", (long)getpid());
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return 0;
    int is_written = write(fd, data, size) == (ssize_t)size;
    close(fd);
    struct store *s = NULL;
    if (is_written && store_open(path, STORE_READ, &s, NULL) == STATUS_OK) {
        read_experiments(s);
        read_runs(s);
        store_close(s);
    }
    if (is_written && store_open(path, STORE_WRITE, &s, NULL) == STATUS_OK) {
        write_into(s);
        store_close(s);
    }
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        snprintf(log, sizeof log, "%s%s", path, ends[i]);
        unlink(log);
    }
    return 0;
}
