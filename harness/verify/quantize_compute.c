/* quantize_compute.c: what a folder of golden/quantize asks for, by the functions that encodings use. */
#include <string.h>

#include "harness/verify/quantize.h"
#include "kernels/prune.h"
#include "kernels/quantize.h"

/* ---- inputs and outputs ---- */

struct matrix {
    const float *data;
    int64_t rows, cols;
};

static enum status find_matrix(const struct quantize_compute *c, const char *name, struct matrix *out, struct error *e) {
    const struct checkpoint_tensor *t = checkpoint_find(&c->r->tensors, name);
    if (!t) return error_set(e, STATUS_INPUT, "%s: tensor '%s' is missing", c->r->tensors.path, name);
    if (t->dtype != DTYPE_F32 || t->n_dims != 2)
        return error_set(e, STATUS_INPUT, "%s: tensor '%s' must be a matrix of F32, not %d dimensions of %s", c->r->tensors.path, name, t->n_dims,
                         dtype_name(t->dtype));
    *out = (struct matrix){t->data, t->dims[0], t->dims[1]};
    return STATUS_OK;
}

/* The matrices of both operands have the same inputs. */
static enum status find_operands(const struct quantize_compute *c, struct matrix *w, struct matrix *x, struct error *e) {
    enum status s = find_matrix(c, "in.weight", w, e);
    if (s == STATUS_OK) s = find_matrix(c, "in.activation", x, e);
    if (s == STATUS_OK && w->cols != x->cols)
        s = error_set(e, STATUS_INPUT, "%s: 'in.weight' has %lld columns and 'in.activation' %lld", c->r->tensors.path, (long long)w->cols, (long long)x->cols);
    return s;
}

static void *add(const struct quantize_compute *c, enum dtype t, const char *name, int n_dims, const int64_t *dims) {
    return computed_add(c->out, t, arena_printf(&c->out->arena, "%s%s", c->prefix, name), n_dims, dims)->data;
}

#define NAME(...) arena_printf(&c->out->arena, __VA_ARGS__)
#define DIMS(...) (int64_t[]){__VA_ARGS__}

/* ---- HQQ ---- */

struct hqq_setting {
    const char *name;
    const json_t *facts;
    struct quantizer q;
    int axis;
    struct matrix w;
    struct quantize_groups groups;
};

/* A whole number, or true or false. */
static enum status get_number(const struct quantize_compute *c, const struct hqq_setting *set, const char *key, int64_t *out, struct error *e) {
    const json_t *v = json_object_get(set->facts, key);
    if (!json_is_integer(v) && !json_is_boolean(v))
        return error_set(e, STATUS_INPUT, "%s/expected.json: setting '%s': '%s' is missing or not a whole number", c->r->folder, set->name, key);
    *out = json_is_integer(v) ? (int64_t)json_integer_value(v) : json_is_true(v);
    return STATUS_OK;
}

static enum status read_setting(const struct quantize_compute *c, struct hqq_setting *set, struct error *e) {
    static const char *const keys[] = {"bits", "group", "axis", "optimize", "round_zero"};
    int64_t v[5] = {0};
    enum status s = STATUS_OK;
    for (int i = 0; i < 5 && s == STATUS_OK; i++) s = get_number(c, set, keys[i], &v[i], e);
    if (s != STATUS_OK) return s;
    set->q = (struct quantizer){.bits = v[0] >= 0 && v[0] <= 8 ? (int)v[0] : -1, .group = v[1], .rounding = v[3] ? QUANTIZE_HQQ : QUANTIZE_RTN,
                                .zero = QUANTIZE_ZERO_CODE, .is_first_zero_rounded = v[4] != 0};
    set->axis = v[2] == 0 || v[2] == 1 ? (int)v[2] : -1;
    s = find_matrix(c, NAME("in.%s.weight", set->name), &set->w, e);
    if (s != STATUS_OK) return s;
    s = quantize_groups_of(&set->q, set->w.rows, set->w.cols, set->axis, &set->groups, e);
    return s == STATUS_OK ? s : error_prefix(e, "setting '%s'", set->name);
}

static enum status find_steps(const struct quantize_compute *c, struct hqq_setting *set, struct error *e) {
    if (set->q.rounding != QUANTIZE_HQQ) return STATUS_OK;
    struct hqq_errors errors = {0};
    int64_t n = set->w.rows * set->w.cols;
    enum status s = hqq_errors(&set->q, &set->groups, set->w.data, &errors, e);
    set->q.steps = hqq_steps(&errors, n);
    float *by_step = add(c, DTYPE_F32, NAME("%s.mean_abs_error_by_step", set->name), 1, DIMS(set->q.steps));
    for (int k = 0; k < set->q.steps; k++) by_step[k] = (float)hqq_mean_error(&errors, k, n);
    return s;
}

static enum status pack_codes(const struct quantize_compute *c, const struct hqq_setting *set, const uint8_t *codes, struct error *e) {
    int64_t rows = set->axis ? set->groups.n : set->groups.length, cols = set->axis ? set->groups.length : set->groups.n, packed_rows;
    enum status s = hqq_packed_rows(set->q.bits, rows, &packed_rows, e);
    if (s != STATUS_OK) return s;
    hqq_pack(set->q.bits, codes, rows, cols, add(c, set->q.bits == 3 ? DTYPE_I32 : DTYPE_U8, NAME("out.%s.packed", set->name), 2, DIMS(packed_rows, cols)));
    return s;
}

static enum status encode_setting(const struct quantize_compute *c, struct hqq_setting *set, struct error *e) {
    int64_t n = set->groups.n, length = set->groups.length;
    int64_t grouped[2] = {set->axis ? n : length, set->axis ? length : n}, each[2] = {set->axis ? n : 1, set->axis ? 1 : n};
    struct quantized q = {.codes = add(c, DTYPE_U8, NAME("out.%s.codes", set->name), 2, grouped),
                          .scale = add(c, DTYPE_F32, NAME("out.%s.scale", set->name), 2, each),
                          .zero = add(c, DTYPE_F32, NAME("out.%s.zero", set->name), 2, each)};
    enum status s = quantize_encode(&set->q, &set->groups, set->w.data, &q, e);
    if (s != STATUS_OK) return s;
    quantize_decode(&set->q, &set->groups, &q, add(c, DTYPE_F32, NAME("out.%s.dequantized", set->name), 2, DIMS(set->w.rows, set->w.cols)));
    return pack_codes(c, set, q.codes, e);
}

static enum status compute_hqq(const struct quantize_compute *c, struct error *e) {
    json_t *settings = json_object_get(c->r->facts, "settings");
    struct hqq_setting set = {0};
    json_t *facts;
    if (json_object_size(settings) == 0) return error_set(e, STATUS_INPUT, "%s/expected.json: 'settings' is missing or empty", c->r->folder);
    json_object_foreach(settings, set.name, facts) {
        set.facts = facts;
        enum status s = read_setting(c, &set, e);
        if (s != STATUS_OK) return s;
        s = find_steps(c, &set, e);
        if (s == STATUS_OK) s = encode_setting(c, &set, e);
        if (s != STATUS_OK) return error_prefix(e, "%s: tensor 'in.%s.weight'", c->r->tensors.path, set.name);
    }
    return STATUS_OK;
}

/* ---- int8 and int4 ---- */

/* The reference's tensor where it is like ours, else ours: products are of the codes and scales that the reference has. */
static const void *given_or_ours(const struct quantize_compute *c, const char *name) {
    const struct computed *ours = computed_find(c->out, NAME("%s%s", c->prefix, name));
    const struct checkpoint_tensor *t = checkpoint_find(&c->r->tensors, name);
    return t && t->dtype == ours->dtype && computed_has_shape(ours, t) ? t->data : ours->data;
}

/* What an encoding of a matrix by groups along its rows comes to, codes as I32. */
static enum status encode_rows(const struct quantize_compute *c, const struct quantizer *q, const struct matrix *m, const char *name, struct error *e) {
    struct quantize_groups groups;
    enum status s = quantize_groups_of(q, m->rows, m->cols, 1, &groups, e);
    if (s != STATUS_OK) return s;
    int has_zero = q->zero != QUANTIZE_ZERO_NONE;
    int64_t n = m->rows * m->cols, dims[2] = {m->rows, groups.n / (m->rows ? m->rows : 1)};
    struct quantized out = {.codes = mem_alloc((size_t)n), .scale = add(c, DTYPE_F32, NAME("out.%s.scale", name), q->group ? 2 : 1, dims)};
    if (has_zero) out.zero = add(c, DTYPE_F32, NAME("out.%s.zero", name), 2, dims);
    int32_t *codes = add(c, DTYPE_I32, NAME("out.%s.codes", name), 2, DIMS(m->rows, m->cols));
    s = quantize_encode(q, &groups, m->data, &out, e);
    for (int64_t i = 0; i < n; i++) codes[i] = has_zero ? out.codes[i] : (int8_t)out.codes[i];
    mem_free(out.codes);
    return s;
}

/* y (rows, cols) = values of the reference's codes. Owned: mem_free. */
static float *decode_given(const struct quantize_compute *c, const struct quantizer *q, const struct matrix *m, const char *name) {
    struct quantize_groups groups;
    int64_t n = m->rows * m->cols;
    uint8_t *codes = mem_alloc((size_t)n);
    float *y = mem_alloc((size_t)n * sizeof *y);
    const int32_t *given = given_or_ours(c, NAME("out.%s.codes", name));
    for (int64_t i = 0; i < n; i++) codes[i] = (uint8_t)given[i];
    struct quantized in = {.codes = codes, .scale = (float *)(uintptr_t)given_or_ours(c, NAME("out.%s.scale", name))};
    if (q->zero != QUANTIZE_ZERO_NONE) in.zero = (float *)(uintptr_t)given_or_ours(c, NAME("out.%s.zero", name));
    if (quantize_groups_of(q, m->rows, m->cols, 1, &groups, NULL) == STATUS_OK) quantize_decode(q, &groups, &in, y);
    mem_free(codes);
    return y;
}

static float *add_product(const struct quantize_compute *c, const struct matrix *w, const struct matrix *x, const char *name) {
    return add(c, DTYPE_F32, name, 2, DIMS(x->rows, w->rows));
}

static struct quantized_product shape_of(const struct matrix *w, const struct matrix *x) { return (struct quantized_product){x->rows, w->rows, w->cols}; }

static enum status compute_dynamic(const struct quantize_compute *c, const struct matrix *w, const struct matrix *x, struct error *e) {
    const struct quantized_product shape = shape_of(w, x);
    const int32_t *a = given_or_ours(c, "out.int8.activation.codes"), *b = given_or_ours(c, "out.int8.weight.codes");
    int64_t n_a = x->rows * x->cols, n_b = w->rows * w->cols;
    int8_t *codes = mem_alloc((size_t)(n_a + n_b));
    for (int64_t i = 0; i < n_a; i++) codes[i] = (int8_t)a[i];
    for (int64_t i = 0; i < n_b; i++) codes[n_a + i] = (int8_t)b[i];
    int32_t *sums = add(c, DTYPE_I32, "out.int8.dynamic.accumulator", 2, DIMS(x->rows, w->rows));
    enum status s = product_int8(&shape, codes, codes + n_a, sums, e);
    mem_free(codes);
    if (s == STATUS_OK)
        product_scaled(&shape, sums, given_or_ours(c, "out.int8.activation.scale"), given_or_ours(c, "out.int8.weight.scale"),
                       add_product(c, w, x, "out.int8.dynamic.product"));
    return s;
}

static enum status compute_int8(const struct quantize_compute *c, const struct matrix *w, const struct matrix *x, struct error *e) {
    const struct quantizer weight = {.bits = 8, .is_full_range = 1}, activation = {.bits = 8};
    const struct quantized_product shape = shape_of(w, x);
    enum status s = encode_rows(c, &weight, w, "int8.weight", e);
    if (s != STATUS_OK) return error_prefix(e, "%s: tensor 'in.weight'", c->r->tensors.path);
    s = encode_rows(c, &activation, x, "int8.activation", e);
    if (s != STATUS_OK) return error_prefix(e, "%s: tensor 'in.activation'", c->r->tensors.path);
    float *decoded = decode_given(c, &weight, w, "int8.weight");
    product_weight_only(&shape, x->data, decoded, add_product(c, w, x, "out.int8.weight_only.product"));
    mem_free(decoded);
    product_weight_only(&shape, x->data, w->data, add_product(c, w, x, "out.exact.product"));
    return compute_dynamic(c, w, x, e);
}

static enum status compute_int4(const struct quantize_compute *c, const struct matrix *w, const struct matrix *x, int64_t group, struct error *e) {
    const struct quantizer q = {.bits = 4, .group = group, .zero = QUANTIZE_ZERO_FLOAT};
    const struct quantized_product shape = shape_of(w, x);
    const char *name = NAME("int4.g%lld", (long long)group);
    enum status s = encode_rows(c, &q, w, name, e);
    if (s != STATUS_OK) return error_prefix(e, "%s: tensor 'in.weight', int4", c->r->tensors.path);
    float *decoded = decode_given(c, &q, w, name);
    memcpy(add(c, DTYPE_F32, NAME("out.%s.dequantized", name), 2, DIMS(w->rows, w->cols)), decoded, (size_t)(w->rows * w->cols) * sizeof *decoded);
    product_weight_only(&shape, x->data, decoded, add_product(c, w, x, NAME("out.%s.product", name)));
    mem_free(decoded);
    return s;
}

static enum status compute_integer(const struct quantize_compute *c, struct error *e) {
    struct matrix w, x;
    json_t *groups = json_object_get(json_object_get(c->r->facts, "case"), "int4_groups"), *group;
    size_t i;
    enum status s = find_operands(c, &w, &x, e);
    if (s == STATUS_OK && !json_is_array(groups)) s = error_set(e, STATUS_INPUT, "%s/expected.json: 'case.int4_groups' is missing or not a list", c->r->folder);
    if (s == STATUS_OK) s = compute_int8(c, &w, &x, e);
    json_array_foreach(groups, i, group) {
        if (s != STATUS_OK) return s;
        if (!json_is_integer(group) || json_integer_value(group) < 1)
            return error_set(e, STATUS_INPUT, "%s/expected.json: item %zu of 'case.int4_groups' is not a whole number above 0", c->r->folder, i);
        s = compute_int4(c, &w, &x, (int64_t)json_integer_value(group), e);
    }
    return s;
}

/* ---- pruning ---- */

struct prune_compute {
    const struct quantize_compute *c;
    struct matrix w, x;
    const float *norm;
};

/* "row.0.5", "matrix.0.7", "2of4", and nothing after it; 0 where it is none of these. */
static int parse_pruning(const char *text, struct pruning *out) {
    char word[8];
    int used = 0;
    *out = (struct pruning){.per = PRUNE_N_OF_M};
    if (sscanf(text, "%dof%d%n", &out->n, &out->m, &used) == 2) return text[used] == 0;
    if (sscanf(text, "%7[a-z].%lf%n", word, &out->share, &used) != 2 || text[used]) return 0;
    out->per = strcmp(word, "row") == 0 ? PRUNE_PER_ROW : PRUNE_PER_MATRIX;
    return out->per == PRUNE_PER_ROW || strcmp(word, "matrix") == 0;
}

static void add_masked_product(const struct prune_compute *p, const char *name, const uint8_t *mask) {
    const struct quantize_compute *c = p->c;
    int64_t n = p->w.rows * p->w.cols;
    const struct quantized_product shape = shape_of(&p->w, &p->x);
    float *kept = mem_alloc((size_t)n * sizeof *kept);
    for (int64_t i = 0; i < n; i++) kept[i] = mask[i] ? p->w.data[i] : 0;
    product_weight_only(&shape, p->x.data, kept, add_product(c, &p->w, &p->x, NAME("%s.product", name)));
    mem_free(kept);
}

/* "out.magnitude." or "out.wanda." and how. */
static int parse_mask(const struct prune_compute *p, const char *name, const float **norm, struct pruning *how) {
    static const char magnitude[] = "out.magnitude.", wanda[] = "out.wanda.";
    int is_wanda = strncmp(name, wanda, sizeof wanda - 1) == 0;
    *norm = is_wanda ? p->norm : NULL;
    if (is_wanda) return parse_pruning(name + sizeof wanda - 1, how);
    return strncmp(name, magnitude, sizeof magnitude - 1) == 0 && parse_pruning(name + sizeof magnitude - 1, how);
}

static enum status compute_mask(const struct prune_compute *p, const char *name, struct error *e) {
    const struct quantize_compute *c = p->c;
    struct prune_rows rows = {.w = p->w.data, .rows = p->w.rows, .cols = p->w.cols};
    struct pruning how;
    if (!parse_mask(p, name, &rows.norm, &how)) return STATUS_OK;
    int64_t words = mask_words(rows.cols);
    uint32_t *bits = mem_alloc((size_t)(rows.rows * words) * sizeof *bits);
    uint8_t *mask = add(c, DTYPE_U8, name, 2, DIMS(rows.rows, rows.cols));
    enum status s = prune(&how, &rows, bits, e);
    for (int64_t i = 0; i < rows.rows * rows.cols; i++) mask[i] = (uint8_t)mask_get(bits + i / rows.cols * words, i % rows.cols);
    mem_free(bits);
    if (s != STATUS_OK) return error_prefix(e, "%s: '%s'", c->r->tensors.path, name);
    add_masked_product(p, name, mask);
    return s;
}

/* The masks are those that the reference has, by name: a share is what is written there. */
static enum status compute_masks(const struct prune_compute *p, struct error *e) {
    enum status s = STATUS_OK;
    for (size_t i = 0; i < p->c->r->tensors.n_tensors && s == STATUS_OK; i++) s = compute_mask(p, p->c->r->tensors.tensors[i].name, e);
    return s;
}

static enum status compute_pruning(const struct quantize_compute *c, struct error *e) {
    struct prune_compute p = {.c = c};
    enum status s = find_operands(c, &p.w, &p.x, e);
    if (s != STATUS_OK) return s;
    double *sums = mem_alloc((size_t)p.w.cols * sizeof *sums);
    float *norm = add(c, DTYPE_F32, "out.activation_norm", 1, DIMS(p.w.cols));
    prune_norm_add(p.x.data, p.x.rows, p.x.cols, sums);
    prune_norm(sums, p.w.cols, norm);
    mem_free(sums);
    p.norm = norm;
    const struct prune_rows rows = {.w = p.w.data, .norm = norm, .rows = p.w.rows, .cols = p.w.cols};
    s = prune_scores(&rows, add(c, DTYPE_F32, "out.wanda.score", 2, DIMS(rows.rows, rows.cols)), e);
    return s == STATUS_OK ? compute_masks(&p, e) : error_prefix(e, "%s: tensor 'in.weight'", c->r->tensors.path);
}

enum status verify_quantize_compute(const struct quantize_compute *c, struct error *e) {
    static const struct {
        const char *kind;
        enum status (*compute)(const struct quantize_compute *c, struct error *e);
    } kinds[] = {{"hqq", compute_hqq}, {"integer", compute_integer}, {"pruning", compute_pruning}};
    const char *kind = json_string_value(json_object_get(c->r->facts, "kind"));
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0) return kinds[i].compute(c, e);
    if (!kind) return error_set(e, STATUS_INPUT, "%s/expected.json: 'kind' is missing; verify quantize knows hqq, integer and pruning", c->r->folder);
    return error_set(e, STATUS_INPUT, "%s/expected.json: 'kind' is '%.40s'; verify quantize knows hqq, integer and pruning", c->r->folder, kind);
}
