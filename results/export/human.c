#include "results/export/human.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char dash[] = "–";

struct scale {
    double factor;
    const char *unit;
};

/* Decimal units: GB/s is 1e9 bytes a second. */
static struct scale scale_of(double x, const char *unit) {
    static const struct { const char *unit; double factor; const char *words;
    } steps[] = {
        {"ns", 1e9, "s"},           {"ns", 1e6, "ms"},          {"ns", 1e3, "µs"},       {"ns", 0, "ns"},
        {"bytes", 1e9, "GB"},       {"bytes", 1e6, "MB"},       {"bytes", 1e3, "kB"},    {"bytes", 0, "B"},
        {"bytes/s", 1e9, "GB/s"},   {"bytes/s", 1e6, "MB/s"},   {"bytes/s", 0, "B/s"},   {"flop/s", 1e12, "TFLOP/s"},
        {"flop/s", 1e9, "GFLOP/s"}, {"flop/s", 1e6, "MFLOP/s"}, {"flop/s", 0, "FLOP/s"}, {"flop", 1e12, "TFLOP"},
        {"flop", 1e9, "GFLOP"},     {"flop", 1e6, "MFLOP"},     {"flop", 1e3, "kFLOP"},  {"flop", 0, "FLOP"},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i].unit, unit) == 0 && fabs(x) >= steps[i].factor)
            return (struct scale){steps[i].factor > 0 ? steps[i].factor : 1, steps[i].words};
    return (struct scale){1, unit};
}

/* Digits after the point for four significant ones of x. */
static int decimals_of(double x) {
    if (x == 0) return 0;
    int n = 3 - (int)floor(log10(fabs(x)));
    return n < 0 ? 0 : n > 9 ? 9 : n;
}

struct human human_value(double x, const char *unit) {
    struct human out;
    snprintf(out.text, sizeof out.text, "%s", dash);
    if (!isfinite(x)) return out;
    struct scale s = scale_of(x, unit);
    double scaled = x / s.factor;
    if (!*unit && x != 0 && fabs(x) < 1e-3) snprintf(out.text, sizeof out.text, "%.2e", x);
    else snprintf(out.text, sizeof out.text, "%.*f%s%s", decimals_of(scaled), scaled, *s.unit ? " " : "", s.unit);
    return out;
}

struct human human_interval(double low, double high, double centre, const char *unit) {
    struct human out;
    snprintf(out.text, sizeof out.text, "%s", dash);
    if (!isfinite(low) || !isfinite(high) || !isfinite(centre)) return out;
    struct scale s = scale_of(centre, unit);
    int digits = decimals_of(centre / s.factor);
    snprintf(out.text, sizeof out.text, "%.*f – %.*f%s%s", digits, low / s.factor, digits, high / s.factor,
             *s.unit ? " " : "", s.unit);
    return out;
}

struct human human_count(double x) {
    struct human out;
    if (isfinite(x)) snprintf(out.text, sizeof out.text, "%.0f", x);
    else snprintf(out.text, sizeof out.text, "%s", dash);
    return out;
}

struct human human_percent(double share) {
    struct human out;
    if (isfinite(share)) snprintf(out.text, sizeof out.text, "%.1f %%", 100 * share);
    else snprintf(out.text, sizeof out.text, "%s", dash);
    return out;
}

struct human human_factor(double x) {
    struct human out;
    if (isfinite(x)) snprintf(out.text, sizeof out.text, "%.3f×", x);
    else snprintf(out.text, sizeof out.text, "%s", dash);
    return out;
}

double json_field(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *json_field_text(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}
