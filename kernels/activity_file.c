#include "kernels/activity_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernels/base/file.h"

enum { VERSION = 1, HEAD_BYTES = 16, PIECE_HEAD_BYTES = 16, PIECE_MARK = 0x43454950, MOST_FIELDS = 10 };
static const char file_mark[8] = {'A', 'S', 'S', 'A', 'Y', 'R', 'E', 'C'};
static const int64_t most_lost = (int64_t)1 << 60; /* sums stay numbers */

/* ---- the rows, once for writing and for reading ---- */

struct field {
    size_t offset, bytes;          /* in memory; as many bytes in the file. More than 8: bytes as they are */
};
#define FIELD(type, name) {offsetof(struct type, name), sizeof(((struct type *)0)->name)}

struct reading {
    const char *path;
    struct activity_recording *out;
    const uint8_t *begin, *at, *end; /* at: of the piece that is being read, which ends at `end` */
    int32_t *names;                /* of the piece: what they are in the activity */
    size_t n_names, n_rows;        /* n_rows: of the file so far */
    int64_t latest_ns;
};

union row {
    struct activity_fact fact;
    struct activity_op op;
    struct activity_call call;
    struct activity_range range;
    struct activity_end end;
    struct activity_owner owner;
    struct activity_device device;
};

struct list {
    const char *name;
    size_t row_bytes;              /* in memory */
    struct field fields[MOST_FIELDS]; /* ends with 0 bytes */
    const void *(*rows)(const struct activity_piece *p, size_t *n);
    const char *(*take)(struct reading *r, const union row *row); /* NULL, or what is wrong with it */
};

static const void *fact_rows(const struct activity_piece *p, size_t *n) { return *n = p->n_facts, p->facts; }
static const void *op_rows(const struct activity_piece *p, size_t *n) { return *n = p->activity->n_ops, p->activity->ops; }
static const void *call_rows(const struct activity_piece *p, size_t *n) { return *n = p->activity->n_calls, p->activity->calls; }
static const void *range_rows(const struct activity_piece *p, size_t *n) { return *n = p->activity->n_ranges, p->activity->ranges; }
static const void *end_rows(const struct activity_piece *p, size_t *n) { return *n = p->n_ends, p->ends; }
static const void *owner_rows(const struct activity_piece *p, size_t *n) { return *n = p->activity->n_owners, p->activity->owners; }
static const void *device_rows(const struct activity_piece *p, size_t *n) { return *n = p->activity->n_devices, p->activity->devices; }

/* ---- checking rows ---- */

static const char *take_name(const struct reading *r, int32_t *name) {
    if (*name < 0 || (size_t)*name >= r->n_names) return "its name is not among the piece's";
    *name = r->names[*name];
    return NULL;
}

static const char *take_times(struct reading *r, int64_t start_ns, int64_t end_ns) {
    if (end_ns < start_ns) return "it ends before it starts";
    if (end_ns > r->latest_ns) r->latest_ns = end_ns;
    return NULL;
}

static const char *take_fact(struct reading *r, const union row *row) {
    struct activity_fact f = row->fact;
    const char *problem = take_name(r, &f.key);
    if (!problem) problem = take_name(r, &f.value);
    if (problem) return problem;
    LIST_GROW(r->out->facts, r->out->n_facts, r->out->fact_capacity);
    r->out->facts[r->out->n_facts++] = f;
    return NULL;
}

static const char *take_op(struct reading *r, const union row *row) {
    struct activity_op op = row->op;
    const char *problem = take_name(r, &op.name);
    if (!problem) problem = take_times(r, op.start_ns, op.end_ns);
    if (!problem && (op.kind > ACTIVITY_SET || op.is_in_graph > 1)) problem = "it is of no known kind";
    if (problem) return problem;
    op.call = op.range = -1;
    *activity_add_op(&r->out->activity) = op;
    return NULL;
}

static const char *take_call(struct reading *r, const union row *row) {
    struct activity_call call = row->call;
    const char *problem = take_name(r, &call.name);
    if (!problem) problem = take_times(r, call.start_ns, call.end_ns);
    if (!problem && (call.is_blocking > 1 || call.is_graph_launch > 1)) problem = "it is of no known kind";
    if (problem) return problem;
    struct activity_call *to = activity_add_call(&r->out->activity);
    call.row = to->row;
    *to = call;
    return NULL;
}

static const char *take_range(struct reading *r, const union row *row) {
    struct activity_range range = row->range;
    const char *problem = take_name(r, &range.name);
    if (!problem) problem = take_times(r, range.start_ns, range.end_ns == ACTIVITY_OPEN_NS ? range.start_ns : range.end_ns);
    if (problem) return problem;
    struct activity_range *to = activity_add_range(&r->out->activity);
    range.row = to->row;
    range.parent = -1;
    *to = range;
    return NULL;
}

static const char *take_end(struct reading *r, const union row *row) {
    struct activity *a = &r->out->activity;
    const struct activity_end *end = &row->end;
    if (end->range >= a->n_ranges || a->ranges[end->range].end_ns != ACTIVITY_OPEN_NS) return "no such range is open";
    a->ranges[end->range].end_ns = end->end_ns;
    return take_times(r, a->ranges[end->range].start_ns, end->end_ns);
}

static const char *take_owner(struct reading *r, const union row *row) {
    *activity_add_owner(&r->out->activity) = row->owner;
    return NULL;
}

static const char *take_device(struct reading *r, const union row *row) {
    struct activity_device device = row->device;
    const char *problem = take_name(r, &device.name);
    if (!problem) *activity_add_device(&r->out->activity) = device;
    return problem;
}

/* In the order of the file. */
static const struct list lists[] = {
    {"fact", sizeof(struct activity_fact), {FIELD(activity_fact, key), FIELD(activity_fact, value)}, fact_rows, take_fact},
    {"operation", sizeof(struct activity_op),
     {FIELD(activity_op, start_ns), FIELD(activity_op, end_ns), FIELD(activity_op, correlation), FIELD(activity_op, bytes), FIELD(activity_op, owner),
      FIELD(activity_op, device), FIELD(activity_op, stream), FIELD(activity_op, name), FIELD(activity_op, kind), FIELD(activity_op, is_in_graph)},
     op_rows, take_op},
    {"call", sizeof(struct activity_call),
     {FIELD(activity_call, start_ns), FIELD(activity_call, end_ns), FIELD(activity_call, correlation), FIELD(activity_call, thread),
      FIELD(activity_call, name), FIELD(activity_call, is_blocking), FIELD(activity_call, is_graph_launch)},
     call_rows, take_call},
    {"range", sizeof(struct activity_range),
     {FIELD(activity_range, start_ns), FIELD(activity_range, end_ns), FIELD(activity_range, thread), FIELD(activity_range, name)},
     range_rows, take_range},
    {"end of a range", sizeof(struct activity_end), {FIELD(activity_end, range), FIELD(activity_end, end_ns)}, end_rows, take_end},
    {"owner", sizeof(struct activity_owner), {FIELD(activity_owner, correlation), FIELD(activity_owner, owner)}, owner_rows, take_owner},
    {"device", sizeof(struct activity_device), {FIELD(activity_device, device), FIELD(activity_device, name), FIELD(activity_device, uuid)},
     device_rows, take_device},
};
enum { N_LISTS = sizeof lists / sizeof *lists };

static size_t file_bytes(const struct list *l) {
    size_t n = 0;
    for (int i = 0; i < MOST_FIELDS; i++) n += l->fields[i].bytes;
    return n;
}

/* ---- writing ---- */

static void put_number(uint8_t *to, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static void append_number(struct text *t, uint64_t value, size_t bytes) {
    uint8_t number[8];
    put_number(number, value, bytes);
    text_append_bytes(t, number, bytes);
}

static uint64_t number_in_memory(const void *p, size_t bytes) {
    uint64_t whole;
    uint32_t half;
    if (bytes == 1) return *(const uint8_t *)p;
    if (bytes == 4) return memcpy(&half, p, 4), half;
    return memcpy(&whole, p, 8), whole;
}

static void append_row(struct text *t, const struct list *l, const uint8_t *row) {
    uint8_t packed[sizeof(union row)];
    size_t n = 0;
    for (const struct field *f = l->fields; f < l->fields + MOST_FIELDS && f->bytes; n += f->bytes, f++) {
        if (f->bytes > 8) memcpy(packed + n, row + f->offset, f->bytes);
        else put_number(packed + n, number_in_memory(row + f->offset, f->bytes), f->bytes);
    }
    text_append_bytes(t, packed, n);
}

static void append_list(struct text *t, const struct list *l, const struct activity_piece *p) {
    size_t n;
    const uint8_t *rows = l->rows(p, &n);
    append_number(t, n, 8);
    for (size_t i = 0; i < n; i++) append_row(t, l, rows + i * l->row_bytes);
}

static void append_words(struct text *t, const char *words) {
    size_t n = strlen(words);
    append_number(t, n, 4);
    text_append_bytes(t, words, n);
}

static void append_integrity(struct text *t, const struct activity_integrity *i) {
    append_number(t, (uint64_t)i->dropped, 8);
    append_number(t, (uint64_t)i->untimed, 8);
    append_number(t, (uint64_t)i->unknown, 8);
    append_words(t, i->reason);
}

static enum status write_all(int file, const void *data, size_t bytes, struct error *e) {
    for (const char *at = data; bytes > 0;) {
        ssize_t n = write(file, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return error_set(e, STATUS_IO, "the recording cannot be written: %s", strerror(n < 0 ? errno : ENOSPC));
        at += n;
        bytes -= (size_t)n;
    }
    return STATUS_OK;
}

enum status activity_file_begin(int file, struct error *e) {
    uint8_t head[HEAD_BYTES] = {0};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(file, F_SETLK, &lock); /* where a file system has no locks, nobody is waited for */
    memcpy(head, file_mark, sizeof file_mark);
    put_number(head + sizeof file_mark, VERSION, 4);
    return write_all(file, head, sizeof head, e);
}

enum status activity_file_put(int file, const struct activity_piece *p, struct error *e) {
    const struct activity *a = p->activity;
    struct text t = {0};
    append_number(&t, 0, 8); /* the size, known later */
    append_number(&t, PIECE_MARK, 4);
    append_number(&t, (uint64_t)p->is_last, 4);
    append_number(&t, a->n_names, 8);
    for (size_t i = 0; i < a->n_names; i++) append_words(&t, a->names[i]);
    for (int i = 0; i < N_LISTS; i++) append_list(&t, &lists[i], p);
    append_integrity(&t, &a->integrity);
    put_number((uint8_t *)t.data, t.length - PIECE_HEAD_BYTES, 8);
    enum status s = write_all(file, t.data, t.length, e);
    text_free(&t);
    return s;
}

int activity_file_is_written(const char *path) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int file = open(path, O_RDONLY | O_CLOEXEC);
    int is_held = file >= 0 && fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (file >= 0) close(file);
    return is_held;
}

/* ---- reading ---- */

static enum status damaged(const struct reading *r, const char *what, const char *problem, struct error *e) {
    return error_set(e, STATUS_INPUT, "%s: byte %zu: %s: %s; the file is damaged: record it again", r->path, (size_t)(r->at - r->begin), what, problem);
}

static uint64_t number_at(const uint8_t *p, size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)p[i] << 8 * i;
    return value;
}

static size_t bytes_left(const struct reading *r) { return (size_t)(r->end - r->at); }

/* False where the piece ends before. */
static int read_number(struct reading *r, size_t bytes, uint64_t *out) {
    if (bytes_left(r) < bytes) return 0;
    *out = number_at(r->at, bytes);
    r->at += bytes;
    return 1;
}

static int read_words(struct reading *r, const char **out, size_t *bytes) {
    uint64_t n;
    if (!read_number(r, 4, &n) || n > bytes_left(r)) return 0;
    *out = (const char *)r->at;
    *bytes = (size_t)n;
    r->at += n;
    return 1;
}

static enum status read_names(struct reading *r, struct error *e) {
    static const char what[] = "names", ends[] = "the piece ends before them";
    uint64_t n;
    if (!read_number(r, 8, &n) || n > bytes_left(r) / 4) return damaged(r, what, ends, e);
    r->names = mem_resize(r->names, (size_t)n * sizeof *r->names);
    for (r->n_names = 0; r->n_names < n; r->n_names++) {
        const char *words;
        size_t bytes;
        if (!read_words(r, &words, &bytes)) return damaged(r, what, ends, e);
        r->names[r->n_names] = activity_name(&r->out->activity, words, bytes);
    }
    return STATUS_OK;
}

static void number_to_memory(void *p, uint64_t value, size_t bytes) {
    uint32_t half = (uint32_t)value;
    if (bytes == 1) *(uint8_t *)p = (uint8_t)value;
    else if (bytes == 4) memcpy(p, &half, 4);
    else memcpy(p, &value, 8);
}

static void read_row(struct reading *r, const struct list *l, union row *row) {
    uint8_t *to = (uint8_t *)row;
    memset(row, 0, sizeof *row);
    for (const struct field *f = l->fields; f < l->fields + MOST_FIELDS && f->bytes; r->at += f->bytes, f++) {
        if (f->bytes > 8) memcpy(to + f->offset, r->at, f->bytes);
        else number_to_memory(to + f->offset, number_at(r->at, f->bytes), f->bytes);
    }
}

static enum status read_list(struct reading *r, const struct list *l, struct error *e) {
    uint64_t n;
    union row row;
    if (!read_number(r, 8, &n) || n > bytes_left(r) / file_bytes(l)) return damaged(r, l->name, "the piece ends before the last one", e);
    r->n_rows += (size_t)n;
    if (r->n_rows > INT32_MAX) return damaged(r, l->name, "with it, there are more rows than can be kept (2^31)", e);
    for (uint64_t i = 0; i < n; i++) {
        read_row(r, l, &row);
        const char *problem = l->take(r, &row);
        if (problem) return damaged(r, l->name, problem, e);
    }
    return STATUS_OK;
}

static int read_lost(struct reading *r, int64_t *sum) {
    uint64_t n;
    if (!read_number(r, 8, &n) || n > (uint64_t)most_lost) return 0;
    *sum = *sum + (int64_t)n > most_lost ? most_lost : *sum + (int64_t)n;
    return 1;
}

static enum status read_integrity(struct reading *r, struct error *e) {
    struct activity_integrity *i = &r->out->activity.integrity;
    const char *words;
    size_t bytes;
    if (!read_lost(r, &i->dropped) || !read_lost(r, &i->untimed) || !read_lost(r, &i->unknown)) return damaged(r, "lost records", "an impossible count", e);
    if (!read_words(r, &words, &bytes) || bytes >= sizeof i->reason) return damaged(r, "the reason", "it is too long", e);
    if (!i->reason[0]) memcpy(i->reason, words, bytes);
    return r->at == r->end ? STATUS_OK : damaged(r, "a piece", "it goes on after its end", e);
}

/* Of the piece at `at`, which ends at `end`. */
static enum status read_piece(struct reading *r, struct error *e) {
    enum status s = read_names(r, e);
    for (int i = 0; i < N_LISTS && s == STATUS_OK; i++) s = read_list(r, &lists[i], e);
    return s == STATUS_OK ? read_integrity(r, e) : s;
}

static enum status read_pieces(struct reading *r, const uint8_t *file_end, struct error *e) {
    while (file_end - r->at >= PIECE_HEAD_BYTES) {
        uint64_t bytes = number_at(r->at, 8), mark = number_at(r->at + 8, 4), is_last = number_at(r->at + 12, 4);
        if (mark != PIECE_MARK || is_last > 1 || r->out->is_whole) return damaged(r, "a piece", "there is none", e);
        if (bytes > (uint64_t)(file_end - r->at - PIECE_HEAD_BYTES)) return STATUS_OK; /* cut */
        r->at += PIECE_HEAD_BYTES;
        r->end = r->at + bytes;
        enum status s = read_piece(r, e);
        if (s != STATUS_OK) return s;
        r->out->is_whole = (int)is_last;
    }
    return STATUS_OK;
}

static enum status read_head(struct reading *r, size_t bytes, struct error *e) {
    size_t n = bytes < sizeof file_mark ? bytes : sizeof file_mark;
    if (n > 0 && memcmp(r->begin, file_mark, n) != 0) return error_set(e, STATUS_INPUT, "%s: it is no recording of Assay", r->path);
    if (bytes < HEAD_BYTES) return STATUS_OK; /* cut */
    uint64_t version = number_at(r->begin + sizeof file_mark, 4);
    if (version == VERSION) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "%s: version %llu of recordings is not known here (%d is); import it with the Assay that recorded it", r->path,
                     (unsigned long long)version, VERSION);
}

static void close_ranges(struct reading *r) {
    struct activity *a = &r->out->activity;
    for (size_t i = 0; i < a->n_ranges; i++)
        if (a->ranges[i].end_ns == ACTIVITY_OPEN_NS) a->ranges[i].end_ns = r->latest_ns;
}

enum status activity_file_read(const char *path, struct activity_recording *out, struct error *e) {
    struct file_map f;
    *out = (struct activity_recording){0};
    enum status s = file_map(path, &f, e);
    if (s != STATUS_OK) return s;
    struct reading r = {.path = path, .out = out, .begin = f.data, .at = f.data, .latest_ns = INT64_MIN};
    s = read_head(&r, f.size, e);
    if (s == STATUS_OK && f.size >= HEAD_BYTES) {
        r.at += HEAD_BYTES;
        s = read_pieces(&r, f.data + f.size, e);
    }
    close_ranges(&r);
    mem_free(r.names);
    file_unmap(&f);
    if (s != STATUS_OK) activity_recording_free(out);
    return s;
}

void activity_recording_free(struct activity_recording *r) {
    activity_free(&r->activity);
    mem_free(r->facts);
    *r = (struct activity_recording){0};
}

const char *activity_recording_fact(const struct activity_recording *r, const char *key) {
    for (size_t i = 0; i < r->n_facts; i++)
        if (strcmp(r->activity.names[r->facts[i].key], key) == 0) return r->activity.names[r->facts[i].value];
    return NULL;
}
