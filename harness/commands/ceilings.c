#include <math.h>
#include <string.h>
#include <time.h>

#include "harness/ceilings/ceilings.h"
#include "harness/commands/command.h"
#include "harness/doctor/environment.h"
#include "harness/measure/progress.h"
#include "harness/measure/worker.h"
#include "results/document/document.h"

static int show_progress(void *arg, double share, const char *what) {
    struct progress *p = arg;
    progress_add(p, share - p->done);
    if (p->is_terminal) progress_note(p, "%s", what);
    return worker_is_interrupted();
}

static void print_size(double bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    int u = 0;
    for (; bytes >= 1024 && u < 3; u++) bytes /= 1024;
    printf("%6.4g %-3s", bytes, units[u]);
}

static void print_list(const struct ceiling_list *l) {
    printf("%-8s %-10s %7s %10s %14s %24s  %s\n", "kind", "unit", "threads", "size", "value", "lowest to highest", "best pattern");
    for (int i = 0; i < l->n; i++) {
        const struct ceiling_record *r = &l->items[i];
        printf("%-8s %-10s %7d ", r->kind, r->unit, r->threads);
        if (r->working_set_bytes > 0) print_size(r->working_set_bytes);
        else printf("%10s", "-");
        printf(" %8.1f %-6s %10.1f to %10.1f  %s\n", r->value / 1e9, strcmp(r->kind, "matrix") == 0 ? "Gop/s" : "GB/s", r->low / 1e9, r->high / 1e9, r->pattern);
    }
}

static enum status keep(const struct options *o, const struct ceiling_set *set, struct error *e) {
    struct store *s;
    struct environment_facts facts;
    enum status st = store_open(o->value[OPT_DB], STORE_WRITE, &s, e);
    if (st != STATUS_OK) return st;
    environment_collect(&facts);
    st = store_ceilings(s, &facts.machine, set, e);
    environment_free(&facts);
    store_close(s);
    return st;
}

static enum status run(struct options *o, int *exit_code, struct error *e) {
    const char *format = o->value[OPT_FORMAT] ? o->value[OPT_FORMAT] : "md";
    struct ceiling_list list;
    struct progress progress;
    struct timespec now;
    *exit_code = EXIT_DONE;
    if (strcmp(format, "md") != 0 && strcmp(format, "json") != 0) return error_set(e, STATUS_INPUT, "-o '%s' is not one of md, json", format);
    if (option_int(o, OPT_THREADS) < 0 || option_int(o, OPT_THREADS) > 64) return error_set(e, STATUS_INPUT, "--threads must lie between 0 and 64");
    worker_catch_signals();
    progress_begin(&progress, 1);
    struct ceilings_options c = {.threads = (int)option_int(o, OPT_THREADS), .is_quick = option_flag(o, OPT_QUICK), .progress = show_progress, .progress_arg = &progress};
    enum status st = ceilings_measure(&c, &list, e);
    if (st == STATUS_OK) st = ceilings_measure_devices(&c, &list, e);
    progress_end(&progress);
    clock_gettime(CLOCK_REALTIME, &now);
    struct ceiling_set set = {.created_unix_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, .noise = NAN, .items = list.items, .count = list.n};
    if (st == STATUS_OK && strcmp(format, "json") == 0) {
        json_t *document = document_ceilings(&set);
        json_dumpf(document, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(document);
    } else if (st == STATUS_OK) print_list(&list);
    if (st == STATUS_OK) st = keep(o, &set, e);
    ceiling_list_free(&list);
    return st;
}

const struct command command_ceilings = {"ceilings", "", "measure what this machine can do at most, and keep it in the database",
                                         FOR_STORE | FOR_OUTPUT | FOR_CEILINGS, run, NULL};
