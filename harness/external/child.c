#include "harness/external/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/clock.h"

extern char **environ;

/* From the polite signal to the other one. */
static const int64_t grace_ns = 1000000000;

/* ---- is it there? ---- */

static int is_executable(const char *folder, size_t length, const char *name) {
    char *path = mem_printf("%.*s%s%s", (int)length, folder, length ? "/" : "", name);
    int is = access(path, X_OK) == 0;
    mem_free(path);
    return is;
}

static int is_in_path(const char *name) {
    const char *path = getenv("PATH");
    for (const char *at = path ? path : ""; *at;) {
        size_t length = strcspn(at, ":");
        if (is_executable(at, length, name)) return 1;
        at += length + (at[length] == ':');
    }
    return 0;
}

enum status child_find(const struct child_request *r, struct error *e) {
    const char *name = r->argv[0], *folder = r->directory ? r->directory : "";
    if (r->directory && access(r->directory, X_OK) != 0) return error_set(e, STATUS_INPUT, "there is no folder '%s' to run in: %s", r->directory, strerror(errno));
    int has_slash = strchr(name, '/') != NULL;
    int is_there = has_slash ? is_executable(folder, *name == '/' ? 0 : strlen(folder), name) : is_in_path(name);
    if (is_there) return STATUS_OK;
    return error_set(e, STATUS_INPUT, has_slash ? "there is no program '%s' on this machine" : "there is no program '%s' in PATH", name);
}

/* ---- the child ---- */

struct pipes {
    int output[2], errors[2];
    int failure[2]; /* closed by a successful start; else it tells errno */
};

/* Ours and what is added: an added name replaces ours. */
static char **join_environment(const char *const *added, struct arena *a) {
    size_t n_ours = 0, n_added = 0, n = 0;
    while (environ[n_ours]) n_ours++;
    while (added && added[n_added]) n_added++;
    char **all = arena_alloc(a, (n_ours + n_added + 1) * sizeof *all);
    for (size_t i = 0; i < n_added; i++) all[n++] = arena_copy_string(a, added[i]);
    for (size_t i = 0; i < n_ours; i++) {
        int is_replaced = 0;
        for (size_t k = 0; k < n_added; k++) is_replaced |= strncmp(environ[i], added[k], strcspn(added[k], "=") + 1) == 0;
        if (!is_replaced) all[n++] = environ[i];
    }
    return all;
}

/* Between fork and exec. */
static void child_main(const struct child_request *r, const struct pipes *p, char **environment) {
    static const int defaulted[] = {SIGINT, SIGTERM, SIGPIPE, SIGCHLD};
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < sizeof defaulted / sizeof *defaulted; i++) signal(defaulted[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int is_ready = nothing >= 0 && dup2(nothing, 0) >= 0 && dup2(p->output[1], 1) >= 0 && dup2(p->errors[1], 2) >= 0;
    if (is_ready && (!r->directory || chdir(r->directory) == 0)) execvpe(r->argv[0], (char *const *)(uintptr_t)r->argv, environment);
    int code = errno;
    if (write(p->failure[1], &code, sizeof code) < 0) _exit(126);
    _exit(127);
}

/* ---- the parent ---- */

struct running {
    const struct child_request *r;
    struct child_result *out;
    struct pollfd streams[2]; /* output, errors; fd -1 once it is over */
    sigset_t outside, ending; /* the signal mask while waiting; while it is being ended, which is not to be cut short */
    int64_t deadline_ns, kill_ns;
    int is_interrupted;
};

static int64_t now_ns(void) { return (int64_t)clock_now_ns(&(struct clock){0}); }

static int64_t unix_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void end_group(const struct running *x, int number) { kill(-x->out->pid, number); }

static void keep(struct running *x, int i, const char *bytes, size_t n) {
    struct text *t = i == 0 ? &x->out->output : &x->out->errors;
    size_t room = CHILD_MOST_OUTPUT - t->length;
    if (n > room && i == 0) x->out->is_cut = 1;
    text_append_bytes(t, bytes, n < room ? n : room);
}

/* What has come; the stream is over where its last writer is gone. */
static void take(struct running *x, int i) {
    char bytes[1 << 14];
    ssize_t n;
    while ((n = read(x->streams[i].fd, bytes, sizeof bytes)) > 0) {
        keep(x, i, bytes, (size_t)n);
        if ((size_t)n < sizeof bytes) return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close(x->streams[i].fd);
    x->streams[i].fd = -1;
}

/* It stays a zombie: until it is reaped, no other group can have its number. */
static int has_ended(const struct running *x) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)x->out->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static void keep_time(struct running *x) {
    int64_t now = now_ns();
    if (x->kill_ns) {
        if (now >= x->kill_ns) end_group(x, SIGKILL);
        return;
    }
    x->is_interrupted = x->r->is_stopped && x->r->is_stopped();
    x->out->is_late = !x->is_interrupted && now >= x->deadline_ns;
    if (!x->is_interrupted && !x->out->is_late) return;
    end_group(x, SIGTERM);
    x->kill_ns = now + grace_ns;
}

static struct timespec wait_of(const struct running *x) {
    int64_t until_ns = (x->kill_ns ? x->kill_ns : x->deadline_ns) - now_ns();
    if (until_ns < 1000000) until_ns = 1000000;
    return (struct timespec){until_ns / 1000000000, until_ns % 1000000000};
}

/* Signals come through while it waits, and only then: none is missed between a question and the wait. */
static void await(struct running *x) {
    while (!has_ended(x)) {
        struct timespec most = wait_of(x);
        int n = ppoll(x->streams, 2, &most, x->kill_ns ? &x->ending : &x->outside);
        for (int i = 0; i < 2 && n > 0; i++)
            if (x->streams[i].fd >= 0 && x->streams[i].revents) take(x, i);
        if (!has_ended(x)) keep_time(x);
    }
    x->out->wall_ns = now_ns() - x->out->start_ns;
    end_group(x, SIGKILL);
    waitpid(x->out->pid, &x->out->state, 0);
    for (int i = 0; i < 2; i++) {
        if (x->streams[i].fd >= 0) take(x, i);
        if (x->streams[i].fd >= 0) close(x->streams[i].fd);
    }
}

static enum status open_pipes(struct pipes *p, struct error *e) {
    *p = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(p->output, O_CLOEXEC) == 0 && pipe2(p->errors, O_CLOEXEC) == 0 && pipe2(p->failure, O_CLOEXEC) == 0) {
        fcntl(p->output[0], F_SETFL, O_NONBLOCK);
        fcntl(p->errors[0], F_SETFL, O_NONBLOCK);
        return STATUS_OK;
    }
    return error_set(e, STATUS_IO, "cannot make a pipe: %s", strerror(errno));
}

static void close_end(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *p) {
    int *const ends[] = {&p->output[0], &p->output[1], &p->errors[0], &p->errors[1], &p->failure[0], &p->failure[1]};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) close_end(ends[i]);
}

/* Forks; returns when the command has begun, or could not. */
static enum status start(struct running *x, struct pipes *p, char **environment, struct error *e) {
    int code = 0;
    x->out->start_unix_ns = unix_ns();
    x->out->start_ns = now_ns();
    x->out->pid = fork();
    if (x->out->pid == 0) child_main(x->r, p, environment);
    if (x->out->pid < 0) return error_set(e, STATUS_IO, "cannot fork: %s", strerror(errno));
    setpgid(x->out->pid, x->out->pid); /* the child does the same: whoever is first */
    close_end(&p->output[1]);
    close_end(&p->errors[1]);
    close_end(&p->failure[1]);
    ssize_t n = read(p->failure[0], &code, sizeof code);
    if (n != (ssize_t)sizeof code) return STATUS_OK;
    waitpid(x->out->pid, NULL, 0);
    return error_set(e, STATUS_INPUT, "cannot run '%s': %s", x->r->argv[0], strerror(code));
}

static void on_child(int number) { (void)number; }

static enum status run(struct running *x, struct pipes *p, char **environment, struct error *e) {
    enum status s = start(x, p, environment, e);
    if (s != STATUS_OK) return s;
    x->deadline_ns = x->out->start_ns + (int64_t)(x->r->limit_s * 1e9);
    x->streams[0] = (struct pollfd){p->output[0], POLLIN, 0};
    x->streams[1] = (struct pollfd){p->errors[0], POLLIN, 0};
    p->output[0] = p->errors[0] = -1; /* now the streams' own */
    await(x);
    return x->is_interrupted ? error_set(e, STATUS_INTERRUPTED, "interrupted; what was measured is kept") : STATUS_OK;
}

/* Signals wait until await listens. */
static void hold_signals(struct running *x, struct sigaction *before) {
    struct sigaction action = {.sa_handler = on_child};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaction(SIGCHLD, &action, before);
    sigprocmask(SIG_BLOCK, &held, &x->outside);
    sigdelset(&x->outside, SIGCHLD);
    x->ending = x->outside;
    sigaddset(&x->ending, SIGINT);
    sigaddset(&x->ending, SIGTERM);
}

enum status child_run(const struct child_request *r, struct child_result *out, struct error *e) {
    struct running x = {.r = r, .out = out};
    struct sigaction before;
    struct arena a = {0};
    struct pipes p;
    *out = (struct child_result){0};
    text_append(&out->output, "%s", "");
    text_append(&out->errors, "%s", "");
    enum status s = open_pipes(&p, e);
    if (s == STATUS_OK) {
        hold_signals(&x, &before);
        s = run(&x, &p, join_environment(r->environment, &a), e);
        sigprocmask(SIG_SETMASK, &x.outside, NULL);
        sigaction(SIGCHLD, &before, NULL);
    }
    close_pipes(&p);
    arena_free(&a);
    if (s != STATUS_OK) child_result_free(out);
    return s;
}

void child_result_free(struct child_result *r) {
    text_free(&r->output);
    text_free(&r->errors);
}
