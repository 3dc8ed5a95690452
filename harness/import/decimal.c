#include "harness/import/decimal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DECIMAL_MAX_DIGITS = 40, DECIMAL_MAX_EXPONENT = 1000 };

/* digits without leading zeros, and where the point stands among them: value = 0.d1 d2 … · 10^point. */
struct decimal {
    char digits[DECIMAL_MAX_DIGITS];
    int n, point, is_negative;
};

/* Digits at `*at`: taken while there is room, counted in any case. */
static int take_digits(const char **at, struct decimal *d, int is_fraction) {
    const char *begin = *at;
    for (; isdigit((unsigned char)**at); (*at)++) {
        int is_leading = d->n == 0 && **at == '0';
        if (!is_leading && d->n < DECIMAL_MAX_DIGITS) d->digits[d->n++] = **at;
        d->point += !is_fraction && !is_leading;
        d->point -= is_fraction && is_leading;
    }
    return *at > begin;
}

static int decimal_read(const char *text, struct decimal *d) {
    *d = (struct decimal){.is_negative = *text == '-'};
    text += *text == '-' || *text == '+';
    int has_digits = take_digits(&text, d, 0);
    if (*text == '.') {
        text++;
        has_digits |= take_digits(&text, d, 1);
    }
    if (has_digits && (*text == 'e' || *text == 'E')) {
        char *end;
        long exponent = strtol(text + 1, &end, 10);
        if (end == text + 1 || exponent > DECIMAL_MAX_EXPONENT || exponent < -DECIMAL_MAX_EXPONENT) return 0;
        d->point += (int)exponent;
        text = end;
    }
    return has_digits && *text == 0;
}

/* Is what follows the first `from` digits more than half (1), half (0), less (-1)? */
static int compare_half(const struct decimal *d, int from) {
    if (from < 0 || from >= d->n || d->digits[from] < '5') return -1;
    if (d->digits[from] > '5') return 1;
    for (int i = from + 1; i < d->n; i++)
        if (d->digits[i] != '0') return 1;
    return 0;
}

/* value · 10^shift, to the nearest whole number. */
static int decimal_scaled(const struct decimal *d, int shift, int64_t *out) {
    int whole = d->point + shift;
    int64_t value = 0;
    if (d->n == 0) whole = 0;
    if (whole > 19) return 0;
    for (int i = 0; i < whole; i++) {
        int digit = i < d->n ? d->digits[i] - '0' : 0;
        if (value > (INT64_MAX - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    int half = compare_half(d, whole);
    if (half > 0 || (half == 0 && value % 2)) {
        if (value == INT64_MAX) return 0;
        value++;
    }
    *out = d->is_negative ? -value : value;
    return 1;
}

int decimal_ns(const char *text, int64_t *out) {
    struct decimal d;
    return decimal_read(text, &d) && decimal_scaled(&d, 3, out);
}

int decimal_whole(const char *text, int64_t *out) {
    struct decimal d;
    if (!decimal_read(text, &d)) return 0;
    for (int i = d.point < 0 ? 0 : d.point; i < d.n; i++)
        if (d.digits[i] != '0') return 0;
    return decimal_scaled(&d, 0, out);
}
