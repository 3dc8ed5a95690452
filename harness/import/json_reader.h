/* json_reader.h: JSON read as it streams by: nothing of it is kept but what the reader asks for (private to import/).
 *
 * The first error stays: from then on every function says "no more". Errors: INPUT with the byte offset. */
#ifndef ASSAY_HARNESS_IMPORT_JSON_READER_H
#define ASSAY_HARNESS_IMPORT_JSON_READER_H

#include "harness/import/byte_source.h"
#include "kernels/base/memory.h"

enum {
    JSON_MAX_DEPTH = 256,          /* of nesting */
    JSON_MAX_TEXT_BYTES = 1 << 20, /* of a text that is kept; what is skipped may be longer */
};

struct json_reader {
    struct byte_source *source;
    struct error *error;
    enum status status;
    int depth;
    struct text text;              /* of the last scalar that was kept */
};

enum json_kind { JSON_KIND_OBJECT, JSON_KIND_ARRAY, JSON_KIND_STRING, JSON_KIND_NUMBER, JSON_KIND_WORD, JSON_KIND_NONE };

/* What comes next; NONE at the end or at what no value begins with (an error). */
enum json_kind json_peek(struct json_reader *r);

/* Walking an object or array that comes next:
 *     for (int first = 1; json_next_key(r, &first, &key);) …one value…
 *     for (int first = 1; json_next_item(r, &first);) …one value…
 * The key is borrowed until the value is read. */
int json_next_key(struct json_reader *r, int *first, const char **key);
int json_next_item(struct json_reader *r, int *first);

/* The next value as text, unescaped and UTF-8, borrowed until the next read; NULL where it is an object or array
 * (skipped) or after an error. */
const char *json_scalar(struct json_reader *r);
void json_skip(struct json_reader *r);
/* Nothing may follow. */
void json_end(struct json_reader *r);

/* Records what the caller found wrong. */
void json_fail(struct json_reader *r, const char *what);

#endif
