#include "harness/trace/launch.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/memory.h"

static const char *const variables[] = {"CUDA_INJECTION64_PATH", "NVTX_INJECTION64_PATH"};
enum { N_VARIABLES = sizeof variables / sizeof *variables };

/* ---- the library ---- */

static enum status check_environment(const char *library, struct error *e) {
    for (int i = 0; i < N_VARIABLES; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value && strcmp(value, library) != 0)
            return error_set(e, STATUS_INPUT, "%s is already set, to '%s': another tool looks into what is started from here, and there is room for one; unset %s",
                             variables[i], value, variables[i]);
    }
    return STATUS_OK;
}

enum status launch_library(char **out, struct error *e) {
    static const char *const places[] = {"", "/../lib/assay"};
    char *here = file_own_folder();
    *out = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places && !*out; i++) {
        char *path = mem_printf("%s%s/libassay_inject.so", here ? here : ".", places[i]);
        *out = realpath(path, NULL);
        mem_free(path);
    }
    enum status s = *out ? check_environment(*out, e)
                         : error_set(e, STATUS_INPUT, "libassay_inject.so is neither in '%s' nor in its ../lib/assay: build or install Assay whole", here ? here : ".");
    mem_free(here);
    if (s == STATUS_OK) return s;
    mem_free(*out);
    *out = NULL;
    return s;
}

/* ---- signals ---- */

static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { N_FORWARDED = sizeof forwarded / sizeof *forwarded };
static volatile sig_atomic_t child;

/* The terminal's keys go to the whole group, the command among it; what a process sends is for us alone. */
static void on_signal(int number, siginfo_t *info, void *context) {
    int error = errno;
    (void)context;
    if (info->si_code != SI_KERNEL && child > 0) kill(child, number);
    errno = error;
}

static void catch_signals(struct sigaction before[N_FORWARDED]) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    for (int i = 0; i < N_FORWARDED; i++) {
        sigaction(forwarded[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) sigaction(forwarded[i], &action, NULL); /* nohup's choice is the command's too */
    }
}

static void release_signals(const struct sigaction before[N_FORWARDED]) {
    for (int i = 0; i < N_FORWARDED; i++) sigaction(forwarded[i], &before[i], NULL);
}

/* ---- the command ---- */

/* Signals wait until there is somebody to send them to. */
static int spawn(char **argv, pid_t *pid) {
    extern char **environ;
    posix_spawnattr_t attributes;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int code = posix_spawnp(pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    child = code == 0 ? *pid : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return code;
}

enum status launch_run(char **argv, const char *library, const char *folder, int *state, struct error *e) {
    struct sigaction before[N_FORWARDED];
    pid_t pid = 0;
    for (int i = 0; i < N_VARIABLES; i++) setenv(variables[i], library, 1);
    setenv("ASSAY_TRACE_FOLDER", folder, 1);
    catch_signals(before);
    int code = spawn(argv, &pid);
    while (code == 0 && waitpid(pid, state, 0) < 0 && errno == EINTR) continue;
    child = 0;
    release_signals(before);
    return code == 0 ? STATUS_OK : error_set(e, STATUS_INPUT, "cannot run '%s': %s; is its name right, and its folder in PATH?", argv[0], strerror(code));
}

char *launch_end(int state) {
    if (WIFSIGNALED(state)) return mem_printf("was ended by signal %d (%s)", WTERMSIG(state), strsignal(WTERMSIG(state)));
    if (WEXITSTATUS(state) != 0) return mem_printf("ended with exit status %d", WEXITSTATUS(state));
    return NULL;
}
