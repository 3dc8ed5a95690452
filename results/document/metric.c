#include <string.h>

#include "results/document/document.h"

static int ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

const char *metric_unit(const char *metric) {
    static const char *const units[][2] = {
        {"tokens_per_s", "tokens/s"}, {"requests_per_s", "requests/s"}, {"bytes_per_s", "bytes/s"},
        {"flop_per_s", "flop/s"}, {"per_s", "1/s"}, {"_ns", "ns"}, {"_bytes", "bytes"}, {"_flop", "flop"},
        {"_tokens", "tokens"}, {"_joules", "J"},
        {"_watts", "W"}, {"_mhz", "MHz"}, {"_celsius", "°C"},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (ends_with(metric, units[i][0])) return units[i][1];
    return "";
}

int metric_is_better_low(const char *metric) { return !ends_with(metric, "per_s"); }
