/* progress.h: a bar with a time estimate on a terminal, plain lines otherwise; on standard error. */
#ifndef ASSAY_HARNESS_MEASURE_PROGRESS_H
#define ASSAY_HARNESS_MEASURE_PROGRESS_H

#include <stdint.h>

struct progress {
    int is_terminal, is_drawn;
    uint64_t start_ns, last_ns, said_ns;
    double done, total;          /* in units of work; total may be an estimate that grows */
    char what[80];
};
void progress_begin(struct progress *p, double total);
/* Says what goes on now; a new line where there is no terminal. */
void progress_note(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* News of what goes on; where there is no terminal, seldom. */
void progress_news(struct progress *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_add(struct progress *p, double done);
void progress_end(struct progress *p);

#endif
