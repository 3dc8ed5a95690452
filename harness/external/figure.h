/* figure.h: one number of what a command printed, as a metric.
 *
 * From JSON by a path: `[0].avg_ts` (an element by its index), `[n_gen=64].avg_ts` (the one element whose member has
 * this value), `results.decode["tokens/s"]` (members; quoted where they hold one of . [ ] =). The JSON is all of the
 * standard output, else its last line that is not blank.
 * From text by a regular expression (PCRE2; ^ and $ match at lines) with one group: its last match on the standard
 * output, else on the standard error.
 * From the clock: the time from the command's start to its end.
 *
 * A metric's name ends in its unit (`_ns`, `_bytes`, `per_s`, …; results/document). A number that is not above 0, or not
 * finite, is no measurement. */
#ifndef ASSAY_HARNESS_EXTERNAL_FIGURE_H
#define ASSAY_HARNESS_EXTERNAL_FIGURE_H

#include <jansson.h>
#include <stdint.h>

#include "kernels/base/memory.h"
#include "kernels/base/status.h"

enum figure_source { FIGURE_JSON, FIGURE_REGEX, FIGURE_WALL };

struct figure {
    const char *metric;
    enum figure_source source;
    const char *pattern;       /* path or regular expression; NULL for the clock */
    double scale;              /* from the printed unit to the metric's */
};

/* Errors of these: INPUT, in words for whoever wrote the pattern. */
enum status figure_path_check(const char *path, struct error *e);
enum status figure_regex_check(const char *pattern, struct error *e);
enum status figure_metric_check(const char *metric, struct error *e);
/* What a number of `unit` ("ms", "MiB", "tokens/s") is to be multiplied by to be the metric's. */
enum status figure_unit_scale(const char *metric, const char *unit, double *scale, struct error *e);

struct figure_text {
    const char *output, *errors;   /* (length) with a NUL after */
    size_t output_length, errors_length;
    int64_t wall_ns;
};
/* Errors: INPUT what could not be read, and why. */
enum status figure_read(const struct figure *f, const struct figure_text *t, double *out, struct error *e);

#endif
