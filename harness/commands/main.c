/* main.c: argv to a command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/commands/command.h"
#include "optimizers/optimizer.h"

static const struct command *const commands[] = {
#define X(name) &command_##name,
    COMMAND_LIST(X)
#undef X
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *out) {
    fprintf(out, "usage: assay COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (int i = 0; i < N_COMMANDS; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", commands[i]->name, commands[i]->arguments);
        fprintf(out, "  %-34s %s\n", left, commands[i]->summary);
    }
    fprintf(out, "\nassay COMMAND --help lists its options. Every option may also be set as ASSAY_NAME.\n");
}

static void print_command_help(const struct command *c) {
    printf("usage: assay %s %s [OPTIONS]\n%s\n\n", c->name, c->arguments, c->summary);
    options_help(c->options, stdout);
    if (c->more) printf("\n%s", c->more);
}

static int print_error(const struct error *e) {
    int is_plain = getenv("NO_COLOR") != NULL || !isatty(STDERR_FILENO);
    fprintf(stderr, "%sassay: error:%s %s\n", is_plain ? "" : "\033[1;31m", is_plain ? "" : "\033[0m", e->text);
    return status_exit_code(e->status);
}

static const struct command *find_command(const char *name, struct error *e) {
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++) {
        names[i] = commands[i]->name;
        if (strcmp(name, names[i]) == 0) return commands[i];
    }
    const char *near = nearest_name(name, names, N_COMMANDS);
    error_set(e, STATUS_INPUT, "unknown command '%s'%s%s%s; see assay --help", name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

static void out_of_memory(size_t bytes) {
    fprintf(stderr, "assay: error: out of memory (%zu bytes were asked for)\n", bytes);
    exit(EXIT_USAGE);
}

enum status command_argument(const struct options *o, int n, const char *what, const char *fallback, const char **out, struct error *e) {
    *out = n < o->n_args ? o->args[n] : fallback;
    return *out ? STATUS_OK : error_set(e, STATUS_INPUT, "say %s", what);
}

static int wants_help(int argc, char **argv) {
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return 1;
    return 0;
}

int command_main(int argc, char **argv) {
    struct error e = {0};
    mem_set_handler(out_of_memory);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) return printf("assay %s\n", ASSAY_VERSION), EXIT_DONE;
    const struct command *c = find_command(argv[1], &e);
    if (!c) return print_error(&e);
    if (wants_help(argc, argv)) return print_command_help(c), EXIT_DONE;
    struct options o;
    int exit_code = EXIT_DONE;
    enum status s = options_parse(argc, argv, 2, c->options, &o, &e);
    if (s == STATUS_OK) s = c->run(&o, &exit_code, &e);
    options_free(&o);
    if (fflush(stdout) != 0 && s == STATUS_OK) s = error_set(&e, STATUS_IO, "cannot write to the output");
    return s == STATUS_OK ? exit_code : print_error(&e);
}
