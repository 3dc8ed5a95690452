#include "kernels/cuda/inject/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/thread.h"
#include "kernels/cuda/library.h"

enum { WRITE_SECONDS = 1 };

/* CUDA and NVTX call without a pointer of ours. */
static struct {
    struct ranges ranges;
    pthread_once_t once;
    pthread_mutex_t writing;       /* of what follows, and for writing a piece */
    int is_begun, is_ended;        /* CUDA has started in this process; its end has come */
    int file;                      /* -1: there is none, or nothing more is written to it */
    ino_t file_number;             /* of the file system's */
    struct recorder *recorder;
    int64_t clock_offset_ns;       /* the system's clock against the one that nobody sets, as recording began */
    char trouble[320];             /* why nothing is recorded */
} injection = {.once = PTHREAD_ONCE_INIT, .file = -1};

static int64_t clock_ns(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* For what cannot be said in a recording. */
static void say(const char *words) {
    char line[512];
    int n = snprintf(line, sizeof line, "assay: process %ld is not recorded (any more): %s\n", (long)getpid(), words);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    (void)ignored;
}

/* ---- the file ---- */

/* By the time and process, so that names come in the order of beginning. */
static int open_file(void) {
    char path[4096];
    const char *folder = getenv("ASSAY_TRACE_FOLDER");
    if (!folder || !*folder) return say("ASSAY_TRACE_FOLDER is not set"), -1;
    snprintf(path, sizeof path, "%.4000s/%020lld-%ld.recording", folder, (long long)clock_ns(CLOCK_REALTIME), (long)getpid());
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat st = {0};
    if (file < 0) say(strerror(errno));
    else if (fstat(file, &st) == 0) injection.file_number = st.st_ino;
    return file;
}

static void stop_writing(const char *words) {
    if (words) say(words);
    atomic_store(&injection.ranges.is_over, 1);
    if (injection.file >= 0) close(injection.file);
    injection.file = -1;
}

/* Programs that close every file they know of may have given its number to one of their own. */
static int is_ours(void) {
    struct stat st;
    return fstat(injection.file, &st) == 0 && st.st_ino == injection.file_number;
}

static void put(const struct activity_piece *p) {
    struct error e = {0};
    if (injection.file >= 0 && !is_ours()) {
        injection.file = -1;
        stop_writing("the program has closed the recording's file");
    }
    if (injection.file >= 0 && activity_file_put(injection.file, p, &e) != STATUS_OK) stop_writing(e.text);
}

/* ---- pieces ---- */

static void put_facts(void) {
    struct activity names = {0};
    struct activity_fact facts[PROCESS_FACTS];
    struct recorder *r = injection.recorder;
    size_t n = process_facts(&names, r ? recorder_version(r) : 0, facts);
    snprintf(names.integrity.reason, sizeof names.integrity.reason, "%s", injection.trouble);
    put(&(struct activity_piece){.activity = &names, .facts = facts, .n_facts = n, .is_last = injection.trouble[0] != 0});
    activity_free(&names);
}

/* Ranges before the work that names them. */
static void put_ranges(void) {
    struct activity_piece p = {0};
    struct activity rows;
    struct activity_end *ends;
    ranges_take(&injection.ranges, &rows, &ends, &p.n_ends);
    p.activity = &rows;
    p.ends = ends;
    if (rows.n_ranges || p.n_ends || rows.integrity.reason[0]) put(&p);
    activity_free(&rows);
    mem_free(ends);
}

static int has_rows(const struct activity *a) {
    return a->n_ops || a->n_calls || a->n_owners || a->n_devices || a->integrity.dropped || a->integrity.untimed || a->integrity.unknown;
}

static void note_trouble(struct activity_integrity *i, enum status s, const struct error *e) {
    int64_t step_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC) - injection.clock_offset_ns;
    if (s != STATUS_OK) snprintf(i->reason, sizeof i->reason, "%.300s", e->text);
    else if (llabs(step_ns) > RECORDER_CLOCK_STEP_NS) snprintf(i->reason, sizeof i->reason, "the system's clock was set while recording (by %lld us)", (long long)step_ns / 1000);
}

/* Work is taken before the ranges, so that all that it names are there, and written after them. */
static void write_pieces(void *is_last) {
    struct activity a = {0};
    struct error e = {0};
    enum status s = is_last ? recorder_take(injection.recorder, &a, &e) : recorder_take_finished(injection.recorder, &a, &e);
    put_ranges();
    if (is_last) note_trouble(&a.integrity, s, &e);
    if (is_last || has_rows(&a)) put(&(struct activity_piece){.activity = &a, .is_last = is_last != NULL});
    activity_free(&a);
}

/* What cannot be written is taken all the same: it would fill the program's memory. */
static void write_all(int is_last) {
    pthread_mutex_lock(&injection.writing);
    int is_needed = !injection.is_ended && (!is_last || injection.file >= 0);
    injection.is_ended |= is_last;
    if (is_needed && !mem_attempt(write_pieces, is_last ? &injection : NULL) && injection.file >= 0) stop_writing("the system refuses memory");
    if (is_last) stop_writing(NULL);
    pthread_mutex_unlock(&injection.writing);
}

static void *writer_main(void *arg) {
    for (;;) {
        ranges_wait(&injection.ranges, WRITE_SECONDS);
        write_all(0);
    }
    return arg;
}

static void at_exit(void) { write_all(1); }

/* ---- the beginning ---- */

static int start_writer(void) {
    pthread_t writer;
    return thread_start(&writer, writer_main, NULL) && pthread_detach(writer) == 0;
}

static void open_recorder(void) {
    const char *path;
    struct error e = {0};
    const struct cupti *library = library_cupti(&path, &e);
    if (library && recorder_open(library, RECORDER_BY_LAUNCH, &injection.recorder, &e) == STATUS_OK) return;
    snprintf(injection.trouble, sizeof injection.trouble, "%.300s", e.text);
}

static void begin(void *arg) {
    struct error e = {0};
    (void)arg;
    injection.file = open_file();
    if (injection.file < 0 || activity_file_begin(injection.file, &e) != STATUS_OK) {
        stop_writing(injection.file < 0 ? NULL : e.text);
        return;
    }
    atexit(at_exit); /* CUDA's own end comes after it: it was registered before */
    at_quick_exit(at_exit);
    injection.clock_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
    open_recorder();
    if (injection.recorder && !start_writer()) snprintf(injection.trouble, sizeof injection.trouble, "the system refuses a thread for writing the recording");
    put_facts();
    if (injection.trouble[0]) stop_writing(NULL);
    else ranges_attach(&injection.ranges, injection.recorder);
}

/* ---- forks ---- */

static void before_fork(void) {
    pthread_mutex_lock(&injection.writing);
    ranges_before_fork(&injection.ranges);
}

static void in_parent(void) {
    ranges_after_fork(&injection.ranges, 0);
    pthread_mutex_unlock(&injection.writing);
}

/* The parent's recorder and its memory are left as they are: its thread is not here to be asked. */
static void in_child(void) {
    if (injection.file >= 0) close(injection.file);
    injection.file = -1;
    injection.is_begun = injection.is_ended = 0;
    injection.recorder = NULL;
    injection.trouble[0] = 0;
    recorder_forget();
    ranges_after_fork(&injection.ranges, 1);
    pthread_mutex_unlock(&injection.writing);
}

/* ---- from outside ---- */

static void prepare(void) {
    pthread_mutex_init(&injection.writing, NULL);
    ranges_open(&injection.ranges);
    pthread_atfork(before_fork, in_parent, in_child);
}

struct ranges *inject_ranges(void) { return &injection.ranges; }

/* A program goes on whatever comes of its recording: what is returned is always that all is well. */
int InitializeInjection(void) {
    pthread_once(&injection.once, prepare);
    pthread_mutex_lock(&injection.writing);
    int is_first = !injection.is_begun;
    injection.is_begun = 1;
    if (is_first && !mem_attempt(begin, NULL)) stop_writing("the system refuses memory");
    pthread_mutex_unlock(&injection.writing);
    return 1;
}

int InitializeInjectionNvtx2(nvtx_table_of table_of) {
    pthread_once(&injection.once, prepare);
    handlers_install(table_of);
    return 1;
}
