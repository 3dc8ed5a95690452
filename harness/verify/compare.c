#include "harness/verify/compare.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the reference ---- */

enum status reference_open(const char *folder, struct reference *r, struct error *e) {
    struct arena a = {0};
    json_error_t where;
    *r = (struct reference){.folder = folder};
    const char *facts = arena_printf(&a, "%s/expected.json", folder), *tensors = arena_printf(&a, "%s/expected.safetensors", folder);
    enum status s = STATUS_OK;
    if (!directory_exists(folder)) s = error_set(e, STATUS_INPUT, "'%s' is not a folder; verify wants one with expected.safetensors and expected.json", folder);
    else if (!(r->facts = json_load_file(facts, 0, &where))) s = error_set(e, STATUS_INPUT, "%s: line %d: %s", facts, where.line, where.text);
    if (s == STATUS_OK) s = safetensors_open(tensors, &r->tensors, e);
    arena_free(&a);
    return s;
}

void reference_close(struct reference *r) {
    checkpoint_close(&r->tensors);
    json_decref(r->facts);
}

static int is_not_hidden(const struct dirent *d) { return d->d_name[0] != '.'; }

static enum status visit_cases(const char *folder, const char *kind, reference_visit visit, void *context, struct error *e) {
    struct dirent **list;
    enum status s = STATUS_OK;
    int n = scandir(folder, &list, is_not_hidden, alphasort), n_cases = 0;
    for (int i = 0; i < n; i++) {
        char *one = mem_printf("%s/%s", folder, list[i]->d_name), *expected = mem_printf("%s/expected.json", one);
        int is_case = file_exists(expected);
        if (is_case && s == STATUS_OK) s = visit(context, one, e);
        n_cases += is_case;
        mem_free(one);
        mem_free(expected);
        free(list[i]);
    }
    if (n >= 0) free(list);
    if (n_cases) return s;
    return error_set(e, STATUS_INPUT, "'%s' holds no expected.json, nor folders that do; verify %s wants a folder of golden/%s or all of it", folder, kind, kind);
}

enum status reference_each(const char *folder, const char *kind, reference_visit visit, void *context, struct error *e) {
    if (!directory_exists(folder))
        return error_set(e, STATUS_INPUT, "'%s' is not a folder; verify %s wants a folder of golden/%s or all of it", folder, kind, kind);
    char *expected = mem_printf("%s/expected.json", folder);
    int is_case = file_exists(expected);
    mem_free(expected);
    return is_case ? visit(context, folder, e) : visit_cases(folder, kind, visit, context, e);
}

const char *reference_name(const char *folder) {
    const char *slash = strrchr(folder, '/');
    return slash && slash[1] ? slash + 1 : folder;
}

/* ---- what we computed ---- */

struct computed *computed_add(struct computed_list *l, enum dtype t, const char *name, int n_dims, const int64_t *dims) {
    LIST_GROW(l->items, l->count, l->capacity);
    struct computed *c = &l->items[l->count++];
    *c = (struct computed){.name = arena_copy_string(&l->arena, name), .dtype = t, .n_dims = n_dims};
    size_t n = 1;
    for (int i = 0; i < n_dims; i++) n *= (size_t)(c->dims[i] = dims[i]);
    c->data = arena_alloc(&l->arena, n * dtype_bytes(t));
    return c;
}

const struct computed *computed_find(const struct computed_list *l, const char *name) {
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->items[i].name, name) == 0) return &l->items[i];
    return NULL;
}

void computed_free(struct computed_list *l) {
    mem_free(l->items);
    arena_free(&l->arena);
}

int computed_has_shape(const struct computed *c, const struct checkpoint_tensor *t) {
    if (t->n_dims != c->n_dims) return 0;
    for (int i = 0; i < t->n_dims; i++)
        if (t->dims[i] != c->dims[i]) return 0;
    return 1;
}

int64_t computed_elements(const struct computed *c) {
    int64_t n = 1;
    for (int i = 0; i < c->n_dims; i++) n *= c->dims[i];
    return n;
}

enum status computed_write(const struct computed_list *l, const char *path, struct error *e) {
    struct checkpoint_tensor *tensors = mem_alloc((l->count + 1) * sizeof *tensors);
    for (size_t i = 0; i < l->count; i++) {
        const struct computed *c = &l->items[i];
        tensors[i] = (struct checkpoint_tensor){.name = c->name, .n_dims = c->n_dims, .dtype = c->dtype, .data = c->data,
            .bytes = dtype_bytes(c->dtype) * (size_t)computed_elements(c), .encoding = c->dtype == DTYPE_F32 ? &encoding_f32 : NULL};
        for (int k = 0; k < c->n_dims; k++) tensors[i].dims[k] = c->dims[k];
    }
    enum status s = safetensors_write(path, tensors, l->count, e);
    mem_free(tensors);
    return s;
}

/* ---- rows ---- */

struct compare_row *compare_row_add(struct compare_table *t, const char *name) {
    LIST_GROW(t->rows, t->count, t->capacity);
    struct compare_row *r = &t->rows[t->count++];
    *r = (struct compare_row){.name = arena_copy_string(&t->arena, name), .largest = NAN, .rms = NAN, .tolerance_largest = NAN, .tolerance_rms = NAN, .detail = ""};
    return r;
}

void compare_shape(struct compare_row *r, int n_dims, const int64_t *dims) {
    size_t bytes = sizeof r->shape;
    int at = snprintf(r->shape, bytes, "[");
    for (int i = 0; i < n_dims; i++) at += snprintf(r->shape + at, bytes - (size_t)at, "%s%lld", i ? ", " : "", (long long)dims[i]);
    snprintf(r->shape + at, bytes - (size_t)at, "]");
}

void compare_verdict(struct compare_row *r, int is_judged, int is_ok) {
    r->verdict = !is_judged ? "shown" : is_ok ? "ok" : "FAILED";
    r->is_failed = is_judged && !is_ok;
}

void compare_failure(struct compare_row *r, const char *detail) {
    compare_verdict(r, 1, 0);
    r->detail = detail;
}

struct compare_size compare_reals(struct compare_row *r, const float *want, const float *have, int64_t n) {
    struct compare_size ref = {0, 0};
    double sum = 0;
    r->largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)have[i] - (double)want[i]);
        if (!(d <= r->largest) && !isnan(r->largest)) r->largest = d;
        sum += d * d;
        ref.largest = fmax(ref.largest, fabs((double)want[i]));
        ref.rms += (double)want[i] * (double)want[i];
    }
    r->rms = n ? sqrt(sum / (double)n) : 0;
    ref.rms = n ? sqrt(ref.rms / (double)n) : 0;
    return ref;
}

/* ---- the table ---- */

int compare_failures(const struct compare_table *t) {
    int n = 0;
    for (size_t i = 0; i < t->count; i++) n += t->rows[i].is_failed;
    return n;
}

static void print_number(FILE *out, double x, int width) {
    if (isnan(x)) fprintf(out, " %*s", width, "-");
    else if (isinf(x)) fprintf(out, " %*s", width, "any");
    else fprintf(out, " %*.2e", width, x);
}

void compare_print(const struct compare_table *t, FILE *out) {
    fprintf(out, "%-34s %-14s %9s %9s %9s %9s  %-8s\n", "tensor", "shape", "max err", "rms err", "max tol", "rms tol", "verdict");
    for (size_t i = 0; i < t->count; i++) {
        const struct compare_row *r = &t->rows[i];
        fprintf(out, "%-34s %-14s", r->name, r->shape);
        print_number(out, r->largest, 9);
        print_number(out, r->rms, 9);
        print_number(out, r->tolerance_largest, 9);
        print_number(out, r->tolerance_rms, 9);
        fprintf(out, "  %-8s %s\n", r->verdict, r->detail);
    }
}

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *compare_json(const struct compare_table *t) {
    json_t *rows = json_array();
    for (size_t i = 0; i < t->count; i++) {
        const struct compare_row *r = &t->rows[i];
        json_array_append_new(rows, json_pack("{s:s,s:s,s:o,s:o,s:o,s:o,s:s,s:s}", "tensor", r->name, "shape", r->shape, "max_error", number(r->largest),
            "rms_error", number(r->rms), "max_tolerance", number(r->tolerance_largest), "rms_tolerance", number(r->tolerance_rms), "verdict", r->verdict, "detail", r->detail));
    }
    return rows;
}

void compare_free(struct compare_table *t) {
    mem_free(t->rows);
    arena_free(&t->arena);
}
