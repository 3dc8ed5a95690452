/* json.c: JSON from outside. The parser itself is jansson's; here its memory is bounded first, and its errors
 * are told in terms of the file. */
#include <stdio.h>

#include "workloads/checkpoint/parse.h"

enum { MAX_DEPTH = 64 };

/* About what the parser allocates for each construct (a table or list with its first slots; a value), so that
 * a few megabytes of "{},{},…" cannot become gigabytes. An index of 200,000 tensors needs 40 MB of this. */
enum { OBJECT_COST = 256, ARRAY_COST = 128, VALUE_COST = 64 };
static const size_t max_cost = (size_t)512 << 20;

static enum status check_size(const struct source *s, const char *part, struct error *e) {
    size_t cost = 0;
    int depth = 0, is_quoted = 0;
    for (size_t i = 0; i < s->size; i++) {
        uint8_t ch = s->data[i];
        if (is_quoted) {
            if (ch == '\\') i++;
            else if (ch == '"') is_quoted = 0;
            continue;
        }
        switch (ch) {
        case '"': is_quoted = 1; break;
        case '{': cost += OBJECT_COST; depth++; break;
        case '[': cost += ARRAY_COST; depth++; break;
        case ']':
        case '}': depth--; break;
        case ',':
        case ':': cost += VALUE_COST; break;
        default: break;
        }
        if (depth > MAX_DEPTH)
            return error_set(e, STATUS_INPUT, "%s: the %s nests deeper than %d levels (at byte %zu)", s->file, part,
                             MAX_DEPTH, i);
    }
    if (cost > max_cost)
        return error_set(e, STATUS_INPUT, "%s: the %s holds more values than a checkpoint's can", s->file, part);
    return STATUS_OK;
}

/* The string token that ends right before `end`, as written. */
static void show_key(const struct source *s, size_t end, char *out, size_t n) {
    size_t close = end > 0 ? end - 1 : 0, open = close;
    while (open > 0 && (s->data[open - 1] != '"' || (open > 1 && s->data[open - 2] == '\\'))) open--;
    size_t length = close - open < n - 1 ? close - open : n - 1;
    memcpy(out, s->data + open, length);
    out[length] = 0;
}

static enum status report(const struct source *s, const char *part, const json_error_t *j, struct error *e) {
    if (json_error_code(j) == json_error_duplicate_key && j->position > 0 && (size_t)j->position <= s->size) {
        char key[CHECKPOINT_SHOWN_BYTES + 1];
        show_key(s, (size_t)j->position, key, sizeof key);
        return error_set(e, STATUS_INPUT, "%s: the %s names '%s' twice", s->file, part, key);
    }
    char text[JSON_ERROR_TEXT_LENGTH];
    memcpy(text, j->text, sizeof text);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?'; /* it quotes the file */
    return error_set(e, STATUS_INPUT, "%s: the %s is not JSON: %s (line %d, column %d)", s->file, part, text, j->line,
                     j->column);
}

enum status json_object_parse(const struct source *s, const char *part, size_t flags, json_t **out, struct error *e) {
    json_error_t j;
    enum status status = check_size(s, part, e);
    if (status != STATUS_OK) return status;
    json_t *o = json_loadb((const char *)s->data, s->size, flags | JSON_REJECT_DUPLICATES, &j);
    if (!o) return report(s, part, &j, e);
    if (!json_is_object(o)) {
        json_decref(o);
        return error_set(e, STATUS_INPUT, "%s: the %s is JSON, but not an object", s->file, part);
    }
    *out = o;
    return STATUS_OK;
}

int is_plain_text(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f) return 0;
    json_t *s = json_stringn(p, n); /* NULL where it is not UTF-8 */
    json_decref(s);
    return s != NULL;
}
