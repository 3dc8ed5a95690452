#include "harness/measure/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/base/clock.h"

enum { BAR_CELLS = 24 };
static const uint64_t redraw_ns = 100000000, seldom_ns = 5000000000;

static uint64_t now_ns(void) { return clock_now_ns(&(struct clock){0}); }

void progress_begin(struct progress *p, double total) {
    *p = (struct progress){.is_terminal = isatty(STDERR_FILENO), .start_ns = now_ns(), .total = total > 0 ? total : 1};
}

static void draw(struct progress *p) {
    double share = p->done < p->total ? p->done / p->total : 1, spent = (double)(now_ns() - p->start_ns) * 1e-9;
    int full = (int)(share * BAR_CELLS);
    fprintf(stderr, "\r\033[K[");
    for (int i = 0; i < BAR_CELLS; i++) fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "] %3.0f %%", share * 100);
    if (share > 0.02) fprintf(stderr, "  about %.0f s left", spent / share - spent);
    fprintf(stderr, "  %s", p->what);
    fflush(stderr);
    p->last_ns = now_ns();
    p->is_drawn = 1;
}

static void say(struct progress *p) {
    p->said_ns = now_ns();
    if (p->is_terminal) draw(p);
    else fprintf(stderr, "assay: %s\n", p->what);
}

void progress_note(struct progress *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->what, sizeof p->what, format, args);
    va_end(args);
    say(p);
}

void progress_news(struct progress *p, const char *format, ...) {
    va_list args;
    if (now_ns() - p->said_ns < (p->is_terminal ? redraw_ns : seldom_ns)) return;
    va_start(args, format);
    vsnprintf(p->what, sizeof p->what, format, args);
    va_end(args);
    say(p);
}

void progress_add(struct progress *p, double done) {
    p->done += done;
    if (p->is_terminal && now_ns() - p->last_ns > redraw_ns) draw(p);
}

void progress_end(struct progress *p) {
    if (p->is_terminal && p->is_drawn) fprintf(stderr, "\r\033[K");
}
