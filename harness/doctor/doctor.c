#include "harness/doctor/doctor.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness/doctor/findings.h"

static const char *const status_names[] = {"ok", "warn", "bad"};

void finding_add(struct doctor_report *r, enum finding_scope scope, const char *key, enum finding_status status,
                 const char *advice, const char *format, ...) {
    char value[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    LIST_GROW(r->items, r->n, r->capacity);
    r->items[r->n++] = (struct finding){.key = arena_copy_string(&r->arena, key),
                                        .scope = scope,
                                        .status = status,
                                        .value = arena_copy_string(&r->arena, value),
                                        .advice = arena_copy_string(&r->arena, status == FINDING_OK ? "" : advice)};
}

int line_read(const char *path, char *out, size_t bytes) {
    FILE *f = fopen(path, "r");
    int found = f && fgets(out, (int)bytes, f) != NULL;
    if (f) fclose(f);
    if (found) out[strcspn(out, "\n")] = '\0';
    return found;
}

int line_find(const char *path, const char *key, char *out, size_t bytes) {
    char line[4096];
    int found = 0;
    FILE *f = fopen(path, "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        char *at = line + strlen(key);
        if (strncmp(line, key, strlen(key)) != 0) continue;
        at += strspn(at, " \t");
        if (*at != ':' && *at != '=') continue;
        at += 1 + strspn(at + 1, " \t\"");
        at[strcspn(at, "\"\n")] = '\0';
        snprintf(out, bytes, "%s", at);
        found = 1;
    }
    if (f) fclose(f);
    return found;
}

void doctor_collect(struct doctor_report *out, double noise_seconds) {
    *out = (struct doctor_report){0};
    doctor_processor(out);
    doctor_memory(out);
    doctor_system(out);
    doctor_noise(out, noise_seconds);
    doctor_libraries(out);
    doctor_devices(out);
}

int doctor_count(const struct doctor_report *r, enum finding_status status) {
    int n = 0;
    for (int i = 0; i < r->n; i++) n += r->items[i].status == status;
    return n;
}

static void print_json(const struct doctor_report *r, FILE *out) {
    json_t *root = json_object(), *list = json_array();
    for (int i = 0; i < r->n; i++) {
        const struct finding *f = &r->items[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s}", "key", f->key, "value", f->value, "status",
                                              status_names[f->status], "advice", f->advice, "scope",
                                              f->scope == SCOPE_MACHINE ? "machine" : "environment"));
    }
    json_object_set_new(root, "version", json_integer(1));
    json_object_set_new(root, "findings", list);
    for (int s = FINDING_OK; s <= FINDING_BAD; s++)
        json_object_set_new(root, status_names[s], json_integer(doctor_count(r, (enum finding_status)s)));
    json_dumpf(root, out, JSON_INDENT(2));
    fputc('\n', out);
    json_decref(root);
}

void doctor_print(const struct doctor_report *r, FILE *out, int as_json) {
    if (as_json) {
        print_json(r, out);
        return;
    }
    for (int i = 0; i < r->n; i++) {
        const struct finding *f = &r->items[i];
        fprintf(out, "%-5s %-20s %s\n", status_names[f->status], f->key, f->value);
        if (*f->advice) fprintf(out, "%-26s → %s\n", "", f->advice);
    }
    fprintf(out, "\n%d ok, %d warn, %d bad\n", doctor_count(r, FINDING_OK), doctor_count(r, FINDING_WARN),
            doctor_count(r, FINDING_BAD));
}

void doctor_free(struct doctor_report *r) {
    mem_free(r->items);
    arena_free(&r->arena);
    *r = (struct doctor_report){0};
}
