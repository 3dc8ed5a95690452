#include "workloads/tokenizer/lines.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT_BYTES = 64 << 20 };

struct line_job {
    struct tokenizer *t;
    struct token_list ids;
    struct text in, out;
    struct error *e;
};

/* The next line without its end: 1 read, 0 end of the stream, -1 longer than the limit. */
static int line_read(FILE *in, struct text *line) {
    line->length = 0;
    text_append_bytes(line, "", 0);
    char part[4096];
    int is_any = 0;
    while (line->length <= LINE_LIMIT_BYTES) {
        size_t n = 0;
        int c = 0;
        while (n < sizeof part && (c = getc_unlocked(in)) != EOF && c != '\n') part[n++] = (char)c;
        is_any |= n > 0 || c == '\n';
        text_append_bytes(line, part, n);
        if (c == EOF || c == '\n') return is_any;
    }
    return -1;
}

static void put_ids(struct text *out, const char *key, const struct token_list *ids) {
    text_append(out, "\"%s\": [", key);
    for (size_t i = 0; i < ids->count; i++) text_append(out, i ? ", %d" : "%d", (int)ids->ids[i]);
    text_append(out, "]");
}

static enum status encode_line(struct line_job *j, const json_t *o) {
    const json_t *text = json_object_get(o, "text");
    if (!json_is_string(text)) return error_set(j->e, STATUS_INPUT, "expected an object with a string 'text'");
    enum status s = STATUS_OK;
    text_append(&j->out, "{");
    for (int with_special = 0; s == STATUS_OK && with_special < 2; with_special++) {
        j->ids.count = 0;
        s = tokenizer_encode(j->t, json_string_value(text), json_string_length(text), with_special, &j->ids, j->e);
        if (with_special) text_append(&j->out, ", ");
        put_ids(&j->out, with_special ? "special_ids" : "ids", &j->ids);
    }
    text_append(&j->out, "}\n");
    return s;
}

static enum status read_ids(struct line_job *j, const json_t *o) {
    const json_t *ids = json_object_get(o, "ids");
    if (!json_is_array(ids)) return error_set(j->e, STATUS_INPUT, "expected an object with an array 'ids'");
    j->ids.count = 0;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const json_t *id = json_array_get(ids, i);
        json_int_t value = json_integer_value(id);
        if (!json_is_integer(id) || value < INT32_MIN || value > INT32_MAX)
            return error_set(j->e, STATUS_INPUT, "ids[%zu] is not a token id", i);
        LIST_GROW(j->ids.ids, j->ids.count, j->ids.capacity);
        j->ids.ids[j->ids.count++] = (int32_t)value;
    }
    return STATUS_OK;
}

static enum status decode_line(struct line_job *j, const json_t *o) {
    const json_t *skip = json_object_get(o, "skip_special");
    if (skip && !json_is_boolean(skip)) return error_set(j->e, STATUS_INPUT, "'skip_special' is not true or false");
    enum status s = read_ids(j, o);
    struct text text = {0};
    if (s == STATUS_OK)
        s = tokenizer_decode(j->t, j->ids.ids, j->ids.count, skip ? json_is_true(skip) : 1, &text, j->e);
    if (s == STATUS_OK) {
        json_t *value = json_stringn(text.data, text.length);
        char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
        json_decref(value);
        if (!dumped) s = error_set(j->e, STATUS_NO_MEMORY, "no memory to write %zu bytes of text", text.length);
        else text_append(&j->out, "{\"text\": %s}\n", dumped);
        free(dumped);
    }
    text_free(&text);
    return s;
}

static enum status do_line(struct line_job *j, int decode) {
    json_error_t where;
    json_t *o = json_loadb(j->in.data, j->in.length, JSON_ALLOW_NUL, &where);
    if (!o) return error_set(j->e, STATUS_INPUT, "not JSON: %s (column %d)", where.text, where.column);
    j->out.length = 0;
    enum status s = decode ? decode_line(j, o) : encode_line(j, o);
    json_decref(o);
    return s;
}

static int is_blank(const struct text *line) { return strspn(line->data, " \t\r") == line->length; }

static enum status all_lines(struct line_job *j, FILE *in, FILE *out, int decode) {
    for (size_t number = 1;; number++) {
        int got = line_read(in, &j->in);
        if (got == 0) break;
        if (got < 0)
            return error_set(j->e, STATUS_INPUT, "line %zu: longer than %d MiB", number, LINE_LIMIT_BYTES >> 20);
        if (is_blank(&j->in)) continue;
        enum status s = do_line(j, decode);
        if (s != STATUS_OK) {
            error_prefix(j->e, "line %zu", number);
            return s;
        }
        if (fwrite(j->out.data, 1, j->out.length, out) != j->out.length)
            return error_set(j->e, STATUS_IO, "cannot write: %s", strerror(errno));
    }
    if (ferror(in)) return error_set(j->e, STATUS_IO, "cannot read: %s", strerror(errno));
    return STATUS_OK;
}

enum status tokenize_lines(struct tokenizer *t, FILE *in, FILE *out, int decode, struct error *e) {
    struct line_job job = {.t = t, .e = e};
    enum status s = all_lines(&job, in, out, decode);
    token_list_free(&job.ids);
    text_free(&job.in);
    text_free(&job.out);
    if (fflush(out) != 0 && s == STATUS_OK) s = error_set(e, STATUS_IO, "cannot write: %s", strerror(errno));
    return s;
}
