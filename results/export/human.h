/* human.h: numbers as people read them: four significant digits, a unit that fits, a dash for what is unknown. */
#ifndef ASSAY_RESULTS_EXPORT_HUMAN_H
#define ASSAY_RESULTS_EXPORT_HUMAN_H

#include <jansson.h>

enum { HUMAN_BYTES = 64 };
struct human {
    char text[HUMAN_BYTES];
};

/* `unit` as in documents: "ns", "bytes", "bytes/s", "flop/s", "tokens/s", "". */
struct human human_value(double x, const char *unit);
/* "12.1 – 12.6 ms", both in the unit that fits `centre`; a dash where either end is unknown. */
struct human human_interval(double low, double high, double centre, const char *unit);
struct human human_count(double x);             /* whole: 18 */
struct human human_percent(double share);      /* 0.123: "12.3 %" */
struct human human_factor(double x);           /* "1.234×" */

/* The number of a field; NAN for null and for what is absent. */
double json_field(const json_t *object, const char *name);
/* The text of a field; "" where it is none. */
const char *json_field_text(const json_t *object, const char *name);

#endif
