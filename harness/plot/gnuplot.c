/* gnuplot.c: starts gnuplot, listens to its complaints, and gives up on one that hangs. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/plot/gnuplot.h"
#include "kernels/base/clock.h"

enum { PATIENCE_MS = 60000, WORDS_BYTES = 600 };

/* Collects the end of what gnuplot says (it repeats the command first, the complaint comes last) until it closes
 * its end. Returns 0 where the time ran out. */
static int listen_to(int fd, char *words, size_t size) {
    struct clock clock = {0};
    uint64_t end_ns = clock_now_ns(&clock) + (uint64_t)PATIENCE_MS * 1000000u;
    size_t used = 0;
    for (char block[512];;) {
        uint64_t now_ns = clock_now_ns(&clock);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now_ns >= end_ns) return 0;
        if (poll(&p, 1, (int)((end_ns - now_ns) / 1000000u) + 1) < 0 && errno != EINTR) return 1;
        if (!p.revents) continue;
        ssize_t n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 1;
        size_t excess = used + (size_t)n > size - 1 ? used + (size_t)n - (size - 1) : 0;
        memmove(words, words + excess, used - excess);
        used -= excess;
        memcpy(words + used, block, (size_t)n);
        used += (size_t)n;
        words[used] = '\0';
    }
}

/* The complaint on one line, without the caret lines that point into the script. */
static void flatten(char *words) {
    char *to = words;
    int is_space = 1;
    for (const char *from = words; *from; from++) {
        int is_break = *from == '\n' || *from == '\t' || *from == ' ' || *from == '^' || *from == '\r';
        if (!is_break || !is_space) *to++ = is_break ? ' ' : *from;
        is_space = is_break;
    }
    while (to > words && to[-1] == ' ') to--;
    *to = '\0';
}

static enum status spawn(const char *script, int write_end, pid_t *pid, struct error *e) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, write_end, 2);
    char *argv[] = {"gnuplot", "-d", (char *)(uintptr_t)script, NULL};
    int code = posix_spawnp(pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code == ENOENT)
        return error_set(e, STATUS_UNSUPPORTED, "figures are drawn by gnuplot, which is not installed; "
            "install the package gnuplot-nox");
    if (code) return error_set(e, STATUS_BACKEND, "cannot start gnuplot: %s", strerror(code));
    return STATUS_OK;
}

enum status gnuplot_run(const char *script, struct error *e) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return error_set(e, STATUS_IO, "cannot make a pipe: %s", strerror(errno));
    pid_t pid;
    enum status status = spawn(script, ends[1], &pid, e);
    close(ends[1]);
    if (status == STATUS_OK) {
        char words[WORDS_BYTES] = "";
        int is_done = listen_to(ends[0], words, sizeof words);
        if (!is_done) kill(pid, SIGKILL);
        int code = 0;
        while (waitpid(pid, &code, 0) < 0 && errno == EINTR) continue;
        flatten(words);
        if (!is_done)
            status = error_set(e, STATUS_BACKEND, "gnuplot took longer than %d s and was stopped", PATIENCE_MS / 1000);
        else if (!WIFEXITED(code) || WEXITSTATUS(code) != 0)
            status = error_set(e, STATUS_BACKEND, "gnuplot failed: %s", *words ? words : "no words on why");
    }
    close(ends[0]);
    return status;
}
