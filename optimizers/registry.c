/* registry.c: the list of optimizers, their settings, and the order in which they act. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/optimizer.h"

const struct optimizer *optimizer_at(int i) {
    static const struct optimizer *const all[] = {
#define X(name) &optimizer_##name,
        OPTIMIZER_LIST(X)
#undef X
    };
    return i >= 0 && (size_t)i < sizeof all / sizeof *all ? all[i] : NULL;
}

const struct optimizer *optimizer_find(const char *name) {
    for (int i = 0; optimizer_at(i); i++)
        if (strcmp(optimizer_at(i)->name, name) == 0) return optimizer_at(i);
    return NULL;
}

/* Levenshtein's distance over short words. */
static int distance(const char *a, const char *b) {
    int row[64], n = (int)strlen(b);
    if (n >= 63) return 64;
    for (int j = 0; j <= n; j++) row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]), above = row[j] + 1, left = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < above ? change : above;
            if (left < row[j]) row[j] = left;
        }
    }
    return row[n];
}

const char *nearest_name(const char *word, const char *const *candidates, int n) {
    const char *best = NULL;
    int best_distance = (int)strlen(word) / 2 + 1;
    for (int i = 0; i < n; i++) {
        int d = distance(word, candidates[i]);
        if (d <= best_distance && (!best || d < best_distance)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}

static enum status unknown(const char *kind, const char *word, const char *const *names, int n, struct error *e) {
    const char *near = nearest_name(word, names, n);
    char known[256] = "";
    for (int i = 0; i < n; i++) {
        size_t at = strlen(known);
        snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", names[i]);
    }
    if (near) return error_set(e, STATUS_INPUT, "unknown %s '%s'; did you mean '%s'? (have: %s)", kind, word, near, known);
    return error_set(e, STATUS_INPUT, "unknown %s '%s' (have: %s)", kind, word, known);
}

static int setting_index(const struct optimizer *o, const char *name) {
    for (int i = 0; o->settings && o->settings[i].name; i++)
        if (strcmp(o->settings[i].name, name) == 0) return i;
    return -1;
}

const char *setting_get(const struct optimizer *o, const struct settings *s, const char *name) {
    int i = setting_index(o, name);
    return i < 0 ? NULL : s->value[i];
}

static int list_has(const char *list, char separator, const char *item, size_t length) {
    for (const char *at = list; at; at = strchr(at, separator) ? strchr(at, separator) + 1 : NULL) {
        size_t n = strcspn(at, (char[]){separator, 0});
        if (n == length && strncmp(at, item, n) == 0) return 1;
    }
    return 0;
}

int setting_has(const char *value, const char *item) {
    return strcmp(value, "all") == 0 || list_has(value, '+', item, strlen(item));
}

static int is_int(const char *text) {
    char *end;
    strtol(text, &end, 10);
    return *text && !*end;
}

static int is_number(const char *text) {
    char *end;
    strtod(text, &end);
    return *text && !*end;
}

static int is_allowed(const struct setting_spec *s, const char *value) {
    if (strcmp(s->values, "int") == 0) return is_int(value);
    if (strcmp(s->values, "number") == 0) return is_number(value);
    if (strcmp(s->values, "text") == 0) return *value != 0;
    if (strchr(s->values, '|') || !strchr(s->values, '+')) return list_has(s->values, '|', value, strlen(value));
    if (strcmp(value, "all") == 0) return 1;
    for (const char *at = value; at; at = strchr(at, '+') ? strchr(at, '+') + 1 : NULL)
        if (!list_has(s->values, '+', at, strcspn(at, "+"))) return 0;
    return *value != 0;
}

static enum status parse_setting(char *pair, struct optimizer_use *out, struct error *e) {
    const struct optimizer *o = out->optimizer;
    char *equals = strchr(pair, '=');
    if (!equals) return error_set(e, STATUS_INPUT, "optimizer %s: '%s' is not of the form key=value", o->name, pair);
    *equals = 0;
    int i = setting_index(o, pair);
    if (i < 0) {
        const char *names[SETTINGS_MAX];
        int n = 0;
        while (o->settings && o->settings[n].name) names[n] = o->settings[n].name, n++;
        enum status s = unknown("setting", pair, names, n, e);
        return error_prefix(e, "optimizer %s", o->name), s;
    }
    if (!is_allowed(&o->settings[i], equals + 1))
        return error_set(e, STATUS_INPUT, "optimizer %s: %s='%s' is not allowed; one of %s%s", o->name, pair, equals + 1,
                         o->settings[i].values, strchr(o->settings[i].values, '+') ? " (joined by +), or all" : "");
    out->settings.value[i] = equals + 1;
    return STATUS_OK;
}

/* 0 where it does not fit. */
static int write_canonical(struct optimizer_use *u) {
    const struct optimizer *o = u->optimizer;
    int at = snprintf(u->text, sizeof u->text, "%s", o->name);
    char separator = '=';
    for (int i = 0; o->settings && o->settings[i].name; i++) {
        if (strcmp(u->settings.value[i], o->settings[i].fallback) == 0) continue;
        if ((size_t)at + strlen(o->settings[i].name) + strlen(u->settings.value[i]) + 3 > sizeof u->text) return 0;
        at += snprintf(u->text + at, sizeof u->text - (size_t)at, "%c%s=%s", separator, o->settings[i].name, u->settings.value[i]);
        separator = ',';
    }
    return 1;
}

enum status optimizer_parse(const char *text, struct arena *a, struct optimizer_use *out, struct error *e) {
    char *copy = arena_copy_string(a, text), *rest = strchr(copy, '=');
    if (rest) *rest++ = 0;
    *out = (struct optimizer_use){.optimizer = optimizer_find(copy)};
    if (!out->optimizer) {
        const char *names[OPTIMIZERS_MAX];
        int n = 0;
        while (optimizer_at(n)) names[n] = optimizer_at(n)->name, n++;
        return unknown("optimizer", copy, names, n, e);
    }
    for (int i = 0; out->optimizer->settings && out->optimizer->settings[i].name; i++)
        out->settings.value[i] = out->optimizer->settings[i].fallback;
    for (char *pair = rest; pair && *pair;) {
        char *comma = strchr(pair, ',');
        if (comma) *comma = 0;
        enum status s = parse_setting(pair, out, e);
        if (s != STATUS_OK) return s;
        pair = comma ? comma + 1 : NULL;
    }
    if (write_canonical(out)) return STATUS_OK;
    return error_set(e, STATUS_INPUT, "optimizer %s: its settings are longer than %zu letters", out->optimizer->name, sizeof out->text - 1);
}

static int excludes(const struct optimizer *a, const struct optimizer *b) {
    for (int i = 0; a->excludes && a->excludes[i]; i++)
        if (strcmp(a->excludes[i], b->name) == 0) return 1;
    return 0;
}

enum status optimizers_check(const struct optimizer_use *uses, int n, struct error *e) {
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            const struct optimizer *a = uses[i].optimizer, *b = uses[j].optimizer;
            if (a == b) return error_set(e, STATUS_INPUT, "optimizer %s is given twice", a->name);
            if (excludes(a, b) || excludes(b, a))
                return error_set(e, STATUS_INPUT, "optimizers %s and %s exclude each other; leave one out", a->name, b->name);
        }
    return STATUS_OK;
}

enum status optimizers_apply(struct pipeline *p, const struct optimizer_use *uses, int n,
                             const struct rewrite_context *context, struct rewrite *rewrites, struct error *e) {
    int order[OPTIMIZERS_MAX];
    for (int i = 0; i < n; i++) { /* insertion by rank */
        int at = i;
        for (; at > 0 && uses[order[at - 1]].optimizer->rank > uses[i].optimizer->rank; at--) order[at] = order[at - 1];
        order[at] = i;
        rewrites[i] = (struct rewrite){0};
    }
    for (int phase = 0; phase < PHASE_COUNT; phase++)
        for (int k = 0; k < n; k++) {
            const struct optimizer_use *u = &uses[order[k]];
            if (!(u->optimizer->phases & (1u << phase))) continue;
            enum status s = u->optimizer->apply(p, (enum phase)phase, &u->settings, context, &rewrites[order[k]], e);
            if (s != STATUS_OK) return error_prefix(e, "optimizer %s", u->optimizer->name), s;
        }
    return STATUS_OK;
}

double optimizers_bound(const struct optimizer_use *uses, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        if (uses[i].optimizer->bound) sum += uses[i].optimizer->bound(&uses[i].settings);
    return sum < 1 ? sum : 1;
}

static enum fidelity fidelity_of(const struct optimizer_use *u) {
    int is_harmless = u->optimizer->fidelity == FIDELITY_IS_LOSSY && u->optimizer->bound && u->optimizer->bound(&u->settings) == 0;
    return is_harmless ? FIDELITY_IS_REORDERED : u->optimizer->fidelity;
}

enum fidelity optimizers_fidelity(const struct optimizer_use *uses, int n) {
    enum fidelity worst = FIDELITY_IS_EXACT;
    for (int i = 0; i < n; i++)
        if (fidelity_of(&uses[i]) > worst) worst = fidelity_of(&uses[i]);
    return worst;
}
