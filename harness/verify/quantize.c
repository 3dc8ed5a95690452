#include "harness/verify/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Codes, masks and sums are equal, but where `fragile` allows codes one unit; numbers are within 1e-5 of the tensor's largest,
 * as golden/quantize has it. */
static const double tolerance = 1e-5;

/* ---- comparing ---- */

struct comparing {
    const struct reference *r;
    const struct computed_list *ours;
    struct compare_table *table;
};

static int64_t integer_at(enum dtype t, const void *data, int64_t i) {
    return t == DTYPE_I32 ? ((const int32_t *)data)[i] : ((const uint8_t *)data)[i];
}

/* Of "out.X.codes" the tensor "out.X.fragile", where it has the same shape. */
static const uint8_t *find_fragile(const struct comparing *c, const struct computed *have, const char *name) {
    const char *dot = strrchr(name, '.');
    if (!dot || strcmp(dot, ".codes") != 0) return NULL;
    const struct checkpoint_tensor *t = checkpoint_find(&c->r->tensors, arena_printf(&c->table->arena, "%.*s.fragile", (int)(dot - name), name));
    return t && t->dtype == DTYPE_U8 && computed_has_shape(have, t) ? t->data : NULL;
}

struct differences {
    int64_t n, largest, excused, first; /* first: the first that is not excused; -1 none */
    double squares;
};

static struct differences count_differences(const struct checkpoint_tensor *want, const struct computed *have, const uint8_t *fragile) {
    struct differences d = {.n = computed_elements(have), .first = -1};
    for (int64_t i = 0; i < d.n; i++) {
        int64_t off = llabs(integer_at(have->dtype, have->data, i) - integer_at(want->dtype, want->data, i));
        if (off == 0) continue;
        d.largest = off > d.largest ? off : d.largest;
        d.squares += (double)off * (double)off;
        if (off == 1 && fragile && fragile[i]) d.excused++;
        else if (d.first < 0) d.first = i;
    }
    return d;
}

static void compare_integers(const struct comparing *c, struct compare_row *row, const struct checkpoint_tensor *want, const struct computed *have) {
    const uint8_t *fragile = find_fragile(c, have, want->name);
    struct differences d = count_differences(want, have, fragile);
    int64_t cols = have->n_dims ? have->dims[have->n_dims - 1] : 1;
    row->largest = (double)d.largest;
    row->rms = d.n ? sqrt(d.squares / (double)d.n) : 0;
    row->tolerance_largest = d.excused ? 1 : 0;
    compare_verdict(row, 1, d.first < 0);
    if (d.excused) row->detail = arena_printf(&c->table->arena, "%lld of %lld by one unit where the last bit decides", (long long)d.excused, (long long)d.n);
    if (d.first >= 0)
        row->detail = arena_printf(&c->table->arena, "first at [%lld, %lld]: %lld, not %lld", (long long)(d.first / cols), (long long)(d.first % cols),
                                   (long long)integer_at(have->dtype, have->data, d.first), (long long)integer_at(want->dtype, want->data, d.first));
}

static void judge_reals(struct compare_row *row, const float *want, const float *have, int64_t n) {
    row->tolerance_largest = tolerance * compare_reals(row, want, have, n).largest;
    compare_verdict(row, 1, row->largest <= row->tolerance_largest);
}

static int is_known_type(enum dtype t) { return t == DTYPE_F32 || t == DTYPE_I32 || t == DTYPE_U8; }

static void compare_tensor(const struct comparing *c, const struct checkpoint_tensor *want, const struct computed *have) {
    struct compare_row *row = compare_row_add(c->table, want->name);
    compare_shape(row, want->n_dims, want->dims);
    if (!have) {
        compare_failure(row, "not computed: nothing of this name follows from the folder's settings");
    } else if (!is_known_type(want->dtype) || want->dtype != have->dtype || !computed_has_shape(have, want)) {
        struct compare_row ours;
        compare_shape(&ours, have->n_dims, have->dims);
        compare_failure(row, arena_printf(&c->table->arena, "ours is %s %s, the reference %s", dtype_name(have->dtype), ours.shape, dtype_name(want->dtype)));
    } else if (want->dtype == DTYPE_F32) {
        judge_reals(row, want->data, have->data, computed_elements(have));
    } else {
        compare_integers(c, row, want, have);
    }
}

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The errors of HQQ's steps, and so how many there were, are in expected.json. */
static void compare_steps(const struct comparing *c, const struct computed *have, const char *name) {
    struct compare_row *row = compare_row_add(c->table, name);
    const json_t *setting = json_object_get(json_object_get(c->r->facts, "settings"), arena_printf(&c->table->arena, "%.*s", (int)(strrchr(name, '.') - name), name));
    const json_t *want = json_object_get(setting, "mean_abs_error_by_step");
    int64_t n = (int64_t)json_array_size(want);
    compare_shape(row, 1, have->dims);
    if (n != have->dims[0]) {
        compare_failure(row, arena_printf(&c->table->arena, "%lld steps, not %lld", (long long)have->dims[0], (long long)n));
        return;
    }
    float *numbers = mem_alloc((size_t)n * sizeof *numbers);
    for (int64_t k = 0; k < n; k++) numbers[k] = (float)json_number_value(json_array_get(want, (size_t)k));
    judge_reals(row, numbers, have->data, n);
    mem_free(numbers);
}

/* Every output of the reference, and what of ours it has not. */
static void compare_all(const struct comparing *c, const char *prefix) {
    for (size_t i = 0; i < c->r->tensors.n_tensors; i++) {
        const struct checkpoint_tensor *want = &c->r->tensors.tensors[i];
        if (strncmp(want->name, "in.", 3) == 0 || ends_with(want->name, ".fragile")) continue;
        compare_tensor(c, want, computed_find(c->ours, arena_printf(&c->table->arena, "%s%s", prefix, want->name)));
    }
    for (size_t i = 0; i < c->ours->count; i++) {
        const struct computed *have = &c->ours->items[i];
        const char *name = have->name + strlen(prefix);
        if (strncmp(have->name, prefix, strlen(prefix)) != 0) continue; /* another folder's */
        if (ends_with(name, ".mean_abs_error_by_step")) compare_steps(c, have, name);
        else if (!checkpoint_find(&c->r->tensors, name)) {
            struct compare_row *row = compare_row_add(c->table, name);
            compare_shape(row, have->n_dims, have->dims);
            compare_failure(row, "the reference has no such tensor");
        }
    }
}

/* ---- folders ---- */

struct verifying {
    const struct verify_quantize_request *q;
    FILE *out;
    json_t *cases;                    /* of -o json */
    struct computed_list ours;        /* of all folders, for the dump */
    int n_failed;
};

static void finish_table(struct verifying *v, const struct compare_table *t, const char *name) {
    v->n_failed += compare_failures(t);
    if (v->q->as_json) {
        json_array_append_new(v->cases, json_pack("{s:s,s:o}", "case", name, "tensors", compare_json(t)));
        return;
    }
    fprintf(v->out, "%s\n", name);
    compare_print(t, v->out);
    fputc('\n', v->out);
}

static enum status verify_folder(void *context, const char *folder, struct error *e) {
    struct verifying *v = context;
    struct compare_table table = {0};
    struct reference r;
    const char *name = reference_name(folder), *prefix = strcmp(folder, v->q->folder) == 0 ? "" : arena_printf(&table.arena, "%s/", name);
    enum status s = reference_open(folder, &r, e);
    const struct quantize_compute compute = {&r, prefix, &v->ours};
    if (s == STATUS_OK) s = verify_quantize_compute(&compute, e);
    if (s == STATUS_OK) {
        const struct comparing c = {&r, &v->ours, &table};
        compare_all(&c, prefix);
        finish_table(v, &table, name);
    }
    reference_close(&r);
    compare_free(&table);
    return s;
}

enum status verify_quantize(const struct verify_quantize_request *q, FILE *out, int *n_failed, struct error *e) {
    struct verifying v = {.q = q, .out = out, .cases = json_array()};
    enum status s = reference_each(q->folder, "quantize", verify_folder, &v, e);
    if (s == STATUS_OK && q->as_json) {
        json_t *root = json_pack("{s:s,s:i,s:b,s:i,s:O}", "format", "assay-verify", "version", 1, "ok", v.n_failed == 0, "failed", v.n_failed, "cases", v.cases);
        json_dumpf(root, out, JSON_INDENT(1));
        fputc('\n', out);
        json_decref(root);
    }
    if (s == STATUS_OK && q->dump) s = computed_write(&v.ours, q->dump, e);
    json_decref(v.cases);
    computed_free(&v.ours);
    *n_failed = v.n_failed;
    return s;
}
