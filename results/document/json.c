#include "results/document/json.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "kernels/base/memory.h"

/* Bytes of the UTF-8 sequence at s, 0 where there is none (RFC 3629). */
static size_t sequence_bytes(const unsigned char *s) {
    if (s[0] < 0x80) return 1;
    size_t n = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    int is_long = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    int is_beyond = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
    return is_long || is_beyond ? 0 : n;
}

static json_t *repaired(const char *s) {
    struct text t = {0};
    for (size_t n; *s; s += n ? n : 1) {
        n = sequence_bytes((const unsigned char *)s);
        text_append_bytes(&t, n ? s : "\xEF\xBF\xBD", n ? n : 3);
    }
    json_t *out = json_string(t.data);
    text_free(&t);
    return out;
}

json_t *json_text(const char *s) {
    if (!s) return json_null();
    json_t *out = json_string(s);
    return out ? out : repaired(s);
}

json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static int is_null(sqlite3_stmt *q, int column) { return sqlite3_column_type(q, column) == SQLITE_NULL; }

json_t *json_text_column(sqlite3_stmt *q, int column) {
    return json_text((const char *)sqlite3_column_text(q, column));
}

json_t *json_real_column(sqlite3_stmt *q, int column) {
    return is_null(q, column) ? json_null() : json_number(sqlite3_column_double(q, column));
}

json_t *json_int_column(sqlite3_stmt *q, int column) {
    return is_null(q, column) ? json_null() : json_integer(sqlite3_column_int64(q, column));
}

json_t *json_flag_column(sqlite3_stmt *q, int column) {
    return is_null(q, column) ? json_null() : json_boolean(sqlite3_column_int(q, column));
}

json_t *json_parsed_column(sqlite3_stmt *q, int column) {
    const char *s = (const char *)sqlite3_column_text(q, column);
    json_t *out = s ? json_loads(s, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL) : NULL;
    return out ? out : json_null();
}

json_t *json_time(int64_t unix_ns) {
    char text[32];
    struct tm t;
    time_t seconds = (time_t)(unix_ns / 1000000000);
    if (!gmtime_r(&seconds, &t) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t)) return json_null();
    return json_string(text);
}

void json_columns(json_t *object, sqlite3_stmt *q, int first, const char *types, const char *const *names) {
    for (int i = 0; names[i]; i++) {
        int c = first + i;
        json_t *value = types[i] == 't' ? json_text_column(q, c) : types[i] == 'r' ? json_real_column(q, c)
                      : types[i] == 'i' ? json_int_column(q, c) : types[i] == 'f' ? json_flag_column(q, c)
                      : json_parsed_column(q, c);
        json_object_set_new(object, names[i], value);
    }
}
