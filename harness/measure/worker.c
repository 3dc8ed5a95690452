#include "harness/measure/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/memory.h"

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number) {
    (void)number;
    if (is_interrupted) _exit(130); /* asked twice: at once; finished samples are already committed */
    is_interrupted = 1;
}

void worker_catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int worker_is_interrupted(void) { return is_interrupted; }

/* ---- messages ---- */

static int write_all(int fd, const void *data, size_t bytes) {
    for (const char *at = data; bytes > 0;) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        at += n;
        bytes -= (size_t)n;
    }
    return 1;
}

static int read_all(int fd, void *data, size_t bytes) {
    for (char *at = data; bytes > 0;) {
        ssize_t n = read(fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        at += n;
        bytes -= (size_t)n;
    }
    return 1;
}

static int send_message(int fd, const json_t *message) {
    char *text = json_dumps(message, JSON_COMPACT | JSON_ENSURE_ASCII);
    uint64_t length = text ? strlen(text) : 0;
    int is_sent = text && write_all(fd, &length, sizeof length) && write_all(fd, text, length);
    free(text);
    return is_sent;
}

static json_t *receive_message(int fd) {
    uint64_t length;
    if (!read_all(fd, &length, sizeof length)) return NULL;
    char *text = mem_alloc(length + 1);
    json_t *message = read_all(fd, text, length) ? json_loadb(text, length, JSON_ALLOW_NUL, NULL) : NULL;
    mem_free(text);
    return message;
}

/* ---- the child ---- */

static int telling = -1; /* the pipe to the parent */

void worker_tell(const char *format, ...) {
    char text[256];
    va_list args;
    if (telling < 0) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *message = json_pack("{s:s}", "told", text);
    if (message) send_message(telling, message); /* a parent that is gone is noticed at the answer */
    json_decref(message);
}

static int answer(int fd, enum status s, json_t *reply, const struct error *e) {
    if (s != STATUS_OK) {
        json_decref(reply);
        reply = json_pack("{s:{s:i,s:s%}}", "failure", "status", (int)s, "text", e->text, strnlen(e->text, sizeof e->text));
        if (!reply) reply = json_pack("{s:{s:i,s:s}}", "failure", "status", (int)s, "text", "an error whose text is not UTF-8");
    }
    int is_sent = send_message(fd, reply);
    json_decref(reply);
    return is_sent;
}

static void child_main(const struct worker_program *p, int from, int to) {
    struct error e = {0};
    json_t *reply = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C goes to the group; the parent ends us in order */
    signal(SIGTERM, SIG_DFL);
    telling = to;
    enum status s = p->open(p->self, &reply, &e);
    int goes_on = answer(to, s, reply, &e) && s == STATUS_OK;
    for (json_t *request; goes_on && (request = receive_message(from));) {
        e = (struct error){0};
        reply = NULL;
        s = p->serve(p->self, request, &reply, &e);
        json_decref(request);
        goes_on = answer(to, s, reply, &e);
    }
    p->close(p->self);
    _exit(0);
}

/* ---- the parent ---- */

static json_t *next_answer(const struct worker *w) {
    json_t *message;
    const char *told;
    while ((message = receive_message(w->from)) && (told = json_string_value(json_object_get(message, "told")))) {
        if (w->heard) w->heard(w->self, told);
        json_decref(message);
    }
    return message;
}

static enum status take_reply(struct worker *w, json_t **reply, struct error *e) {
    json_t *message = next_answer(w);
    if (!message) {
        int state = 0;
        waitpid(w->pid, &state, 0);
        w->pid = 0;
        if (WIFSIGNALED(state)) return error_set(e, STATUS_BACKEND, "the measuring process was ended by signal %d (%s)", WTERMSIG(state), strsignal(WTERMSIG(state)));
        return error_set(e, STATUS_BACKEND, "the measuring process ended (exit %d)", WEXITSTATUS(state));
    }
    const json_t *error = json_object_get(message, "failure");
    if (error) {
        enum status s = (enum status)json_integer_value(json_object_get(error, "status"));
        const char *text = json_string_value(json_object_get(error, "text"));
        error_set(e, s, "%s", text ? text : "?");
        json_decref(message);
        return s;
    }
    *reply = message;
    return STATUS_OK;
}

enum status worker_start(const struct worker_program *p, struct worker *out, json_t **reply, struct error *e) {
    int down[2], up[2];
    out->pid = 0;
    out->to = out->from = -1;
    if (pipe2(down, O_CLOEXEC) != 0) return error_set(e, STATUS_IO, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(up, O_CLOEXEC) != 0) {
        close(down[0]), close(down[1]);
        return error_set(e, STATUS_IO, "cannot make a pipe: %s", strerror(errno));
    }
    out->pid = fork();
    if (out->pid == 0) {
        close(down[1]), close(up[0]);
        child_main(p, down[0], up[1]);
    }
    close(down[0]), close(up[1]);
    out->to = down[1];
    out->from = up[0];
    if (out->pid < 0) return error_set(e, STATUS_IO, "cannot fork: %s", strerror(errno));
    enum status s = take_reply(out, reply, e);
    if (s != STATUS_OK) worker_stop(out);
    return s;
}

enum status worker_call(struct worker *w, json_t *request, json_t **reply, struct error *e) {
    int is_sent = w->pid > 0 && send_message(w->to, request);
    json_decref(request);
    if (is_interrupted) return error_set(e, STATUS_INTERRUPTED, "interrupted");
    if (!is_sent && w->pid <= 0) return error_set(e, STATUS_BACKEND, "the measuring process is gone");
    return take_reply(w, reply, e);
}

void worker_stop(struct worker *w) {
    if (w->to >= 0) close(w->to);
    if (w->from >= 0) close(w->from);
    if (w->pid > 0) {
        kill(w->pid, SIGTERM);
        waitpid(w->pid, NULL, 0);
    }
    *w = (struct worker){.to = -1, .from = -1};
}
