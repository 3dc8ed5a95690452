/* status.h: what can fail returns a status; the first error keeps the user's words.
 *
 * A function that can fail takes a `struct error *` last and returns a status. Outputs are valid only
 * on STATUS_OK. The text says what was wrong, where, and what to do next; it is written once, where the
 * failure happened, and only the command line prints it. */
#ifndef ASSAY_KERNELS_BASE_STATUS_H
#define ASSAY_KERNELS_BASE_STATUS_H

/* name, exit code of the command line, meaning */
#define STATUS_LIST(X) \
    X(OK, 0, "success") \
    X(INPUT, 2, "the user's input is wrong: option, file, checkpoint, database") \
    X(UNSUPPORTED, 2, "well-formed, but not something that this build can do") \
    X(NO_MEMORY, 2, "needs more memory than there is") \
    X(IO, 2, "the operating system refused a read or a write") \
    X(STORE, 2, "the database refused: locked, full, newer, damaged") \
    X(BACKEND, 1, "a library or device failed while running") \
    X(INTERRUPTED, 130, "stopped by a signal, in order") \
    X(INTERNAL, 1, "a defect in Assay")

enum status {
#define X(name, exit_code, text) STATUS_##name,
    STATUS_LIST(X)
#undef X
};

enum { ERROR_TEXT_BYTES = 1024 };

struct error {
    enum status status;
    char text[ERROR_TEXT_BYTES];
};

/* Records the first error and returns its status; a second one leaves the first in place. `e` may be NULL. */
enum status error_set(struct error *e, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before a recorded text: where, seen from one level up. Returns e->status. */
enum status error_prefix(struct error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *status_name(enum status status);
int status_exit_code(enum status status);

#endif
