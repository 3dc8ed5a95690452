#include "kernels/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *e, enum status status, const char *format, ...) {
    if (!e || e->status != STATUS_OK) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    e->status = status;
    return status;
}

enum status error_prefix(struct error *e, const char *format, ...) {
    char old[ERROR_TEXT_BYTES];
    if (!e) return STATUS_INTERNAL;
    memcpy(old, e->text, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
    size_t at = n < 0 ? 0 : (size_t)n < sizeof e->text - 3 ? (size_t)n : sizeof e->text - 3;
    size_t keep = strnlen(old, sizeof old - 1), room = sizeof e->text - at - 3;
    memcpy(e->text + at, ": ", 2);
    memcpy(e->text + at + 2, old, keep < room ? keep : room);
    e->text[at + 2 + (keep < room ? keep : room)] = 0;
    return e->status;
}

const char *status_name(enum status status) {
    static const char *const names[] = {
#define X(name, exit_code, text) #name,
        STATUS_LIST(X)
#undef X
    };
    return names[status];
}

int status_exit_code(enum status status) {
    static const int codes[] = {
#define X(name, exit_code, text) exit_code,
        STATUS_LIST(X)
#undef X
    };
    return codes[status];
}
