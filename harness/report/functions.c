/* functions.c: three significant digits, and a unit that keeps them readable. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "harness/report/functions.h"

struct scale {
    double factor;
    const char *unit;
};

/* The largest unit of which there is at least one. */
static struct scale scale_of(double value, const char *unit) {
    static const struct scale times[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}};
    static const struct scale sizes[] = {{1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}, {1, "B"}};
    const struct scale *scales = strcmp(unit, "ns") == 0 ? times : strcmp(unit, "bytes") == 0 ? sizes : NULL;
    if (!scales) return (struct scale){1, unit};
    for (int i = 0; i < 3; i++)
        if (fabs(value) >= scales[i].factor) return scales[i];
    return scales[3];
}

/* Digits after the point for `digits` significant ones. */
static int decimals_of(double value, int digits) {
    if (value == 0 || !isfinite(value)) return 0;
    int n = digits - 1 - (int)floor(log10(fabs(value)));
    return n < 0 ? 0 : n > 9 ? 9 : n;
}

/* As many digits as tell the bounds apart, between three and six. */
static int digits_of(double value, double low, double high) {
    double width = fmax(fabs(high - value), fabs(value - low));
    return width > 0 && value != 0 ? (int)fmin(6, fmax(3, 2 + floor(log10(fabs(value) / width)))) : 3;
}

static int is_missing(sqlite3_context *c, sqlite3_value *v) {
    if (sqlite3_value_type(v) != SQLITE_NULL) return 0;
    sqlite3_result_null(c);
    return 1;
}

static void give(sqlite3_context *c, const char *text) { sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT); }

static void give_value(sqlite3_context *c, double value, const char *unit) {
    struct scale s = scale_of(value, unit);
    char text[160];
    double scaled = value / s.factor;
    int is_whole = scaled == floor(scaled) && fabs(scaled) < 1e6;
    snprintf(text, sizeof text, "%.*f%s%.64s", is_whole ? 0 : decimals_of(scaled, 3), scaled, *s.unit ? " " : "",
        s.unit);
    give(c, text);
}

static const char *text_of(sqlite3_value *v) {
    const unsigned char *text = sqlite3_value_text(v);
    return text ? (const char *)text : "";
}

static void as_time(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (!is_missing(c, v[0])) give_value(c, sqlite3_value_double(v[0]), "ns");
}

static void as_size(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (!is_missing(c, v[0])) give_value(c, sqlite3_value_double(v[0]), "bytes");
}

static void as_value(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (!is_missing(c, v[0])) give_value(c, sqlite3_value_double(v[0]), text_of(v[1]));
}

static void as_span(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (is_missing(c, v[0])) return;
    double value = sqlite3_value_double(v[0]), low = sqlite3_value_double(v[1]), high = sqlite3_value_double(v[2]);
    if (sqlite3_value_type(v[1]) == SQLITE_NULL || sqlite3_value_type(v[2]) == SQLITE_NULL) {
        give_value(c, value, text_of(v[3]));
        return;
    }
    struct scale s = scale_of(value, text_of(v[3]));
    int d = decimals_of(value / s.factor, digits_of(value, low, high));
    char text[200];
    snprintf(text, sizeof text, "%.*f%s%.48s [%.*f, %.*f]", d, value / s.factor, *s.unit ? " " : "", s.unit,
             d, low / s.factor, d, high / s.factor);
    give(c, text);
}

static void as_ratio(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (is_missing(c, v[0])) return;
    double ratio = sqlite3_value_double(v[0]), low = sqlite3_value_double(v[1]), high = sqlite3_value_double(v[2]);
    int is_bare = sqlite3_value_type(v[1]) == SQLITE_NULL || sqlite3_value_type(v[2]) == SQLITE_NULL;
    int d = decimals_of(ratio, is_bare ? 4 : digits_of(ratio, low, high));
    char text[128];
    if (is_bare)
        snprintf(text, sizeof text, "×%.*f", d, ratio);
    else
        snprintf(text, sizeof text, "×%.*f [%.*f, %.*f]", d, ratio, d, low, d, high);
    give(c, text);
}

static void as_percent(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (is_missing(c, v[0])) return;
    double percent = 100 * sqlite3_value_double(v[0]);
    char text[64];
    snprintf(text, sizeof text, "%.*f %%", fabs(percent) < 10 ? 2 : 1, percent);
    give(c, text);
}

static void as_date(sqlite3_context *c, int n, sqlite3_value **v) {
    (void)n;
    if (is_missing(c, v[0])) return;
    time_t seconds = (time_t)(sqlite3_value_int64(v[0]) / 1000000000);
    struct tm parts;
    char text[64] = "";
    if (gmtime_r(&seconds, &parts)) strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
    give(c, text);
}

static void as_metric(sqlite3_context *c, int n, sqlite3_value **v) {
    static const struct {
        const char *name, *words;
    } known[] = {
        {"e2e_ns", "end-to-end time"},
        {"wall_ns", "wall time of a sample"},
        {"ttft_ns", "time to first token"},
        {"itl_ns", "inter-token latency"},
        {"tpot_ns", "time per output token"},
        {"prefill_tokens_per_s", "prefill rate"},
        {"decode_tokens_per_s", "decode rate"},
        {"tokens_per_s", "output rate"},
        {"peak_bytes", "peak memory"},
        {"energy_joules", "energy of a sample"},
        {"power_watts", "mean power"},
        {"clock_mhz", "clock after a sample"},
        {"temperature_celsius", "temperature after a sample"},
        {"held_by_power_share", "share of time held down by power limits"},
        {"held_by_heat_share", "share of time held down by heat"},
        {"device_used_bytes", "device memory in use"},
    };
    (void)n;
    if (is_missing(c, v[0])) return;
    const char *name = text_of(v[0]);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) name = known[i].words;
    give(c, name);
}

enum status functions_register(sqlite3 *db, struct error *e) {
    static const struct {
        const char *name;
        int n;
        void (*call)(sqlite3_context *, int, sqlite3_value **);
    } list[] = {
        {"as_time", 1, as_time}, {"as_size", 1, as_size}, {"as_value", 2, as_value}, {"as_span", 4, as_span},
        {"as_ratio", 3, as_ratio}, {"as_percent", 1, as_percent}, {"as_date", 1, as_date}, {"as_metric", 1, as_metric},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (sqlite3_create_function(db, list[i].name, list[i].n, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, list[i].call,
                                    NULL, NULL) != SQLITE_OK)
            return error_set(e, STATUS_STORE, "%s", sqlite3_errmsg(db));
    return STATUS_OK;
}
