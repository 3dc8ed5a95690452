/* recording.c: what `assay trace` recorded: a folder of files (kernels/activity_file.h), one a process, or one of them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness/import/rows.h"
#include "kernels/activity_file.h"
#include "kernels/base/file.h"
#include "kernels/cuda/recorder.h"

enum { MOST_DEVICES = 256 };
static const char ending[] = ".recording";

struct gpu {                       /* the same one has the same number in every process */
    uint8_t uuid[16];              /* 0: not known; then it is the one of its number */
    int32_t number, name;          /* name: -1 not known */
    int has_work;
};

struct reading {
    const char *path;
    struct imported *out;
    struct rows rows;
    struct progress *progress;
    struct gpu gpus[MOST_DEVICES];
    size_t n_gpus, n_processes, n_troubles;
};

/* One file on its way in. */
struct process {
    struct reading *r;
    const char *path;
    struct activity_recording in;
    int32_t number;                /* among the processes */
    int32_t *name_of;              /* a name of the file: what it is in the whole */
    size_t first_range;            /* of its ranges in the whole */
    int32_t device_ids[MOST_DEVICES], device_gpus[MOST_DEVICES];
    size_t n_devices;
    int32_t thread, thread_name;   /* the last one seen */
    int has_thread;
};

/* ---- devices ---- */

static int is_taken(const struct reading *r, int32_t number) {
    for (size_t i = 0; i < r->n_gpus; i++)
        if (r->gpus[i].number == number) return 1;
    return 0;
}

/* A GPU keeps the number of the first process that names it, where that is free. -1: there are too many. */
static int32_t gpu_of(struct reading *r, int32_t device, const uint8_t uuid[16], int32_t name) {
    static const uint8_t unknown[16];
    int is_known = memcmp(uuid, unknown, sizeof unknown) != 0;
    for (size_t i = 0; i < r->n_gpus; i++)
        if (memcmp(r->gpus[i].uuid, uuid, 16) == 0 && (is_known || r->gpus[i].number == device)) return (int32_t)i;
    if (r->n_gpus == MOST_DEVICES) return -1;
    struct gpu *g = &r->gpus[r->n_gpus];
    while (is_known && is_taken(r, device)) device = device < MOST_DEVICES ? device + 1 : 0;
    *g = (struct gpu){.number = device, .name = name};
    memcpy(g->uuid, uuid, sizeof g->uuid);
    return (int32_t)r->n_gpus++;
}

/* The GPU that a process calls so. */
static int32_t gpu_of_device(struct process *p, int32_t device, const uint8_t uuid[16], int32_t name) {
    for (size_t i = 0; i < p->n_devices; i++)
        if (p->device_ids[i] == device) return p->device_gpus[i];
    int32_t gpu = p->n_devices == MOST_DEVICES ? -1 : gpu_of(p->r, device, uuid, name);
    if (gpu < 0) return -1;
    p->device_ids[p->n_devices] = device;
    p->device_gpus[p->n_devices++] = gpu;
    return gpu;
}

/* ---- rows ---- */

static enum status row_error(const struct process *p, const char *kind, size_t row, const char *problem, struct error *e) {
    return error_set(e, STATUS_INPUT, "%s: %s %zu: %s; record it again", p->path, kind, row + 1, problem);
}

static enum status take_devices(struct process *p, struct error *e) {
    const struct activity *a = &p->in.activity;
    for (size_t i = 0; i < a->n_devices; i++) {
        const struct activity_device *d = &a->devices[i];
        if (gpu_of_device(p, d->device, d->uuid, p->name_of[d->name]) < 0) return row_error(p, "device", i, "there are more than 256", e);
    }
    return STATUS_OK;
}

static int32_t thread_of(struct process *p, int32_t thread) {
    char process[32], text[32];
    if (p->has_thread && p->thread == thread) return p->thread_name;
    snprintf(process, sizeof process, "%08d", (int)p->number);
    snprintf(text, sizeof text, "%010u", (unsigned)thread);
    p->has_thread = 1;
    p->thread = thread;
    return p->thread_name = rows_thread(&p->r->rows, process, text);
}

/* Owners become rows of the whole; a range that its file does not hold was lost with the file's end. */
static uint64_t owner_of(const struct process *p, const struct activity_op *op) {
    uint64_t range = recorder_launch(op->owner);
    return range >= 1 && range <= p->in.activity.n_ranges ? p->first_range + range : 0;
}

static enum status take_ops(struct process *p, struct error *e) {
    static const uint8_t unknown[16];
    struct activity *a = &p->in.activity;
    activity_join_owners(a);
    for (size_t i = 0; i < a->n_ops; i++) {
        struct activity_op op = a->ops[i];
        int32_t gpu = gpu_of_device(p, op.device, unknown, -1);
        if (gpu < 0) return row_error(p, "operation", i, "its device is one too many", e);
        p->r->gpus[gpu].has_work = 1;
        op.device = p->r->gpus[gpu].number;
        op.process = p->number;
        op.name = p->name_of[op.name];
        op.owner = owner_of(p, &op);
        const char *problem = rows_op(&p->r->rows, &op);
        if (problem) return row_error(p, "operation", i, problem, e);
    }
    return STATUS_OK;
}

static enum status take_calls(struct process *p, struct error *e) {
    for (size_t i = 0; i < p->in.activity.n_calls; i++) {
        struct activity_call call = p->in.activity.calls[i];
        call.process = p->number;
        call.thread = thread_of(p, call.thread);
        call.name = p->name_of[call.name];
        const char *problem = rows_call(&p->r->rows, &call);
        if (problem) return row_error(p, "call", i, problem, e);
    }
    return STATUS_OK;
}

static enum status take_ranges(struct process *p, struct error *e) {
    for (size_t i = 0; i < p->in.activity.n_ranges; i++) {
        struct activity_range range = p->in.activity.ranges[i];
        range.process = p->number;
        range.thread = thread_of(p, range.thread);
        range.name = p->name_of[range.name];
        const char *problem = rows_range(&p->r->rows, &range);
        if (problem) return row_error(p, "range", i, problem, e);
    }
    return STATUS_OK;
}

/* ---- names and facts ---- */

static int32_t clean_name(struct activity *to, const char *text) {
    char *clean = mem_copy_string(text);
    rows_clean_text(clean);
    int32_t name = activity_name(to, clean, strlen(clean));
    mem_free(clean);
    return name;
}

static void take_names(struct process *p) {
    const struct activity *a = &p->in.activity;
    p->name_of = mem_alloc(a->n_names * sizeof *p->name_of);
    for (size_t i = 0; i < a->n_names; i++) p->name_of[i] = clean_name(&p->r->out->activity, a->names[i]);
}

/* Of the arena. */
static const char *clean_text(const struct process *p, const char *text) {
    char *clean = arena_copy_string(&p->r->out->arena, text);
    rows_clean_text(clean);
    return clean;
}

static const char *fact_of(const struct process *p, const char *key, const char *otherwise) {
    const char *value = activity_recording_fact(&p->in, key);
    return clean_text(p, value ? value : otherwise);
}

static void add_fact(const struct process *p, const char *key, const char *as) {
    const char *value = fact_of(p, key, "");
    if (*value) imported_environment(p->r->out, as, value);
}

static void take_facts(struct process *p) {
    struct imported *out = p->r->out;
    long long began_ns = atoll(fact_of(p, "began", "-1"));
    if (p->r->n_processes == 1) out->pid = atoll(fact_of(p, "pid", "-1"));
    else out->pid = -1;
    if (p->r->n_processes > 1) return;
    if (began_ns > 0) out->recorded_unix_ns = began_ns;
    add_fact(p, "command", "trace.command");
    add_fact(p, "driver", "gpu.driver");
    add_fact(p, "cupti", "cupti.version");
}

/* ---- what is missing ---- */

static const char *trouble_of(const struct process *p) {
    if (p->in.activity.integrity.reason[0]) return clean_text(p, p->in.activity.integrity.reason);
    if (p->in.is_whole) return NULL;
    if (activity_file_is_written(p->path)) return "it is still running: what it does from now on is missing";
    return "its recording has no end (a signal, exec or _exit ended it, or memory or disk): what came in its last second or after is missing";
}

/* The program's name, of its command line. */
static const char *program_of(const struct process *p) {
    char *command = arena_copy_string(&p->r->out->arena, fact_of(p, "command", "a program"));
    command[strcspn(command, " ")] = 0;
    const char *slash = strrchr(command, '/');
    return slash ? slash + 1 : command;
}

/* "python3 (process 12): why"; the first is said, the others are counted. */
static void take_integrity(struct process *p) {
    struct activity_integrity *to = &p->r->out->activity.integrity;
    const struct activity_integrity *from = &p->in.activity.integrity;
    const char *trouble = trouble_of(p);
    to->dropped += from->dropped;
    to->untimed += from->untimed;
    to->unknown += from->unknown;
    if (!trouble || p->r->n_troubles++) return;
    snprintf(to->reason, sizeof to->reason, "%.40s (process %.20s): %.240s", program_of(p), fact_of(p, "pid", "?"), trouble);
}

/* ---- files ---- */

static enum status take_rows(struct process *p, struct error *e) {
    take_names(p);
    enum status s = take_devices(p, e);
    if (s == STATUS_OK) s = take_ranges(p, e);
    if (s == STATUS_OK) s = take_ops(p, e);
    if (s == STATUS_OK) s = take_calls(p, e);
    return s;
}

static enum status take_file(struct reading *r, const char *path, struct error *e) {
    struct process p = {.r = r, .path = path, .number = (int32_t)r->n_processes, .first_range = r->out->activity.n_ranges};
    struct stat st;
    enum status s = activity_file_read(path, &p.in, e);
    if (s != STATUS_OK) return s;
    r->n_processes++;
    s = take_rows(&p, e);
    if (s == STATUS_OK) {
        take_facts(&p);
        take_integrity(&p);
    }
    activity_recording_free(&p.in);
    mem_free(p.name_of);
    if (r->progress && stat(path, &st) == 0) progress_add(r->progress, (double)st.st_size);
    return s;
}

static int is_recording(const struct dirent *d) {
    size_t n = strlen(d->d_name), m = sizeof ending - 1;
    return n > m && strcmp(d->d_name + n - m, ending) == 0;
}

static enum status take_folder(struct reading *r, struct error *e) {
    struct dirent **found;
    enum status s = STATUS_OK;
    int n = scandir(r->path, &found, is_recording, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", r->path, found[i]->d_name);
        if (s == STATUS_OK) s = take_file(r, path, e);
        mem_free(path);
        free(found[i]);
    }
    if (n >= 0) free(found);
    if (n <= 0) return error_set(e, STATUS_INPUT, "%s: the folder holds no recording (*%s); assay trace --keep FOLDER leaves some", r->path, ending);
    return s;
}

/* ---- the whole ---- */

/* Of the first n GPUs, those that had work and have this name. */
static size_t count_gpus(const struct reading *r, size_t n, int32_t name) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += r->gpus[i].has_work && r->gpus[i].name == name;
    return count;
}

/* "2 x NVIDIA B200, NVIDIA A100": those that had work. */
static void add_gpus(struct reading *r) {
    struct text gpus = {0};
    for (size_t i = 0; i < r->n_gpus; i++) {
        int32_t name = r->gpus[i].name;
        size_t n = count_gpus(r, r->n_gpus, name);
        if (!r->gpus[i].has_work || name < 0 || count_gpus(r, i, name)) continue;
        if (n > 1) text_append(&gpus, "%s%zu x %s", gpus.length ? ", " : "", n, r->out->activity.names[name]);
        else text_append(&gpus, "%s%s", gpus.length ? ", " : "", r->out->activity.names[name]);
    }
    imported_machine(r->out, "gpu", gpus.length ? gpus.data : "not recorded");
    text_free(&gpus);
}

static enum status finish(struct reading *r, struct error *e) {
    struct activity *a = &r->out->activity;
    char text[32];
    a->is_owned_by_ranges = 1;
    if (a->n_ops == 0 && a->integrity.reason[0]) return error_set(e, STATUS_INPUT, "%s: no work of a GPU was recorded: %s", r->path, a->integrity.reason);
    if (a->n_ops == 0)
        return error_set(e, STATUS_INPUT, "%s: CUDA was started, but no kernel, copy or fill ran (%zu calls, %zu ranges)", r->path, a->n_calls, a->n_ranges);
    enum status s = rows_finish(&r->rows, e);
    if (s != STATUS_OK) return s;
    if (r->n_troubles > 1) {
        size_t n = strlen(a->integrity.reason);
        snprintf(a->integrity.reason + n, sizeof a->integrity.reason - n, "; %zu other processes", r->n_troubles - 1);
    }
    snprintf(text, sizeof text, "%zu", r->n_processes);
    imported_environment(r->out, "trace.format", "recording of Assay");
    imported_environment(r->out, "trace.processes", text);
    add_gpus(r);
    return STATUS_OK;
}

static enum status read_recording(const char *path, struct progress *progress, struct imported *out, struct error *e) {
    *out = (struct imported){.recorded_unix_ns = -1, .pid = -1, .rank = -1};
    struct reading *r = mem_alloc(sizeof *r);
    *r = (struct reading){.path = path, .out = out, .progress = progress, .rows = {.out = out, .path = path}};
    enum status s = directory_exists(path) ? take_folder(r, e) : take_file(r, path, e);
    if (s == STATUS_OK) s = finish(r, e);
    rows_free(&r->rows);
    mem_free(r);
    if (s != STATUS_OK) imported_free(out);
    return s;
}

const struct importer importer_recording = {"recording", "what assay trace recorded: a folder, or one of its files", read_recording};
