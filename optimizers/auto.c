#include "optimizers/auto.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/random.h"
#include "kernels/base/rms.h"

enum { SAMPLE_ROWS = 32, FEW_ROWS = 16, OPS_MAX = 512, LEAVES_MAX = RECIPE_MAX_SEGMENTS };

/* Weights of one shape that meet the same rows: asked once. Form 0 is the plain one, form i the rule's candidate i - 1. */
struct question {
    const char *subject;
    struct choice forms[TIMED_MAX];
    const char *refusals[TIMED_MAX];   /* NULL: may be picked */
    int beyond[TIMED_MAX];             /* places where its error is beyond the bound */
};

struct decision {
    uint64_t leaf;                     /* recipe_hash */
    int form;
};

struct choosing {
    struct pipeline *pipeline;
    const struct auto_rule *rule;
    const struct rewrite_context *context;
    struct rewrite *out;
    double plain_bytes;                /* of all that is chosen for, in the program's type */
    struct question *questions;
    int n_questions;
    size_t question_capacity;
    struct decision *decisions;
    int n_decisions;
    size_t decision_capacity;
};

/* An operation whose weight is to be chosen for. */
struct subject {
    struct program *program;
    const struct op *op;
    struct tensor *weight;
    const struct recipe *leaves[LEAVES_MAX];
    int is_skipped[LEAVES_MAX];
    int n;
};

/* ---- what is chosen for ---- */

static int is_encoded(const struct recipe *r) { return r->kind == RECIPE_ENCODE; }

static void add_leaves(struct subject *s, const struct recipe *r, const char *skip) {
    if (r->kind == RECIPE_CONCAT) {
        for (int i = 0; i < r->n_parts; i++) add_leaves(s, r->parts[i], skip);
    } else if (s->n < LEAVES_MAX) {
        s->is_skipped[s->n] = weight_is_skipped(skip, s->program, s->op, r);
        s->leaves[s->n++] = r;
    }
}

/* 0 where there is nothing to choose: no linear operation, all skipped, or stored by another optimizer already. */
static int take_subject(struct program *p, const struct op *op, const char *skip, struct subject *out) {
    *out = (struct subject){.program = p, .op = op};
    if (!op_is_linear(op)) return 0;
    out->weight = &p->tensors[op->in[1]];
    if (!out->weight->recipe || recipe_find(out->weight->recipe, is_encoded)) return 0;
    add_leaves(out, out->weight->recipe, skip);
    int n = 0;
    for (int i = 0; i < out->n; i++) n += !out->is_skipped[i];
    return n > 0;
}

static const struct decision *find_decision(const struct choosing *k, const struct recipe *leaf) {
    uint64_t hash = recipe_hash(leaf);
    for (int i = 0; i < k->n_decisions; i++)
        if (k->decisions[i].leaf == hash) return &k->decisions[i];
    return NULL;
}

static int is_decided(const struct choosing *k, const struct subject *s) {
    for (int i = 0; i < s->n; i++)
        if (!s->is_skipped[i] && !find_decision(k, s->leaves[i])) return 0;
    return 1;
}

/* ---- forms ---- */

/* A leaf in a form; NULL with the error. */
static const struct recipe *form_of_leaf(const struct choosing *k, int form, const struct recipe *leaf, enum dtype t, struct error *e) {
    if (form == 0) return leaf;
    const struct candidate *c = &k->rule->candidates[form - 1];
    return c->edit(c->self, &k->pipeline->arena, leaf, t, e);
}

/* The weight with its leaves in a form. */
static const struct recipe *form_of_weight(const struct choosing *k, int form, const struct subject *s, const struct recipe *r, int *at, struct error *e) {
    const struct recipe *parts[RECIPE_MAX_PARTS];
    if (r->kind != RECIPE_CONCAT) {
        int i = (*at)++;
        return s->is_skipped[i] ? r : form_of_leaf(k, form, r, s->weight->dtype, e);
    }
    for (int i = 0; i < r->n_parts; i++)
        if (!(parts[i] = form_of_weight(k, form, s, r->parts[i], at, e))) return NULL;
    return recipe_concat(&k->pipeline->arena, parts, r->n_parts);
}

static const char *form_name(struct arena *a, const struct recipe *r) {
    const struct recipe *encoded = recipe_find(r, is_encoded);
    if (!encoded) return "plain";
    return arena_printf(a, "%s%s", encoded->encoding->name, encoded->input_bits ? " dynamic" : "");
}

/* Why the device will not run the operation so; NULL: it will. */
static const char *refusal_of(const struct choosing *k, const struct subject *s, int form, const char **name) {
    struct error why = {0};
    int at = 0;
    const struct recipe *before = s->weight->recipe, *after = form_of_weight(k, form, s, before, &at, &why);
    *name = after ? form_name(&k->pipeline->arena, after) : k->rule->candidates[form - 1].name;
    if (!after) return arena_copy_string(&k->pipeline->arena, why.text);
    s->weight->recipe = after;
    enum status status = k->context->supports ? k->context->supports(k->context->self, s->program, s->op, &why) : STATUS_OK;
    s->weight->recipe = before;
    return status == STATUS_OK ? NULL : arena_copy_string(&k->pipeline->arena, why.text);
}

/* ---- times ---- */

/* Weights for timing: noise that depends on nothing but the name and the row. */
static void fill_noise(const void *self, const char *name, int64_t r, float *y, int64_t cols) {
    uint64_t state = hash_bytes((uint64_t)r, name, strlen(name));
    (void)self;
    for (int64_t i = 0; i < cols; i += 2) {
        uint64_t bits = random_next(&state);
        y[i] = (float)(int32_t)(uint32_t)bits * 0x1p-31f;
        if (i + 1 < cols) y[i + 1] = (float)(int32_t)(uint32_t)(bits >> 32) * 0x1p-31f;
    }
}

static enum status find_noise(void *self, const char *name, struct leaf *out, struct error *e) {
    (void)self, (void)e;
    *out = (struct leaf){.name = name, .rows = -1, .cols = -1, .encoding = &encoding_f32, .fill = fill_noise};
    return STATUS_OK;
}
static const struct weight_source noise = {.is_synthetic = 1, .find = find_noise};

/* Times do not depend on how zero points were found, and HQQ's steps would cost twenty passes over weights that nobody uses. */
static const struct recipe *without_steps(struct arena *a, const struct recipe *r) {
    if (r->kind != RECIPE_ENCODE || r->rule.rounding != QUANTIZE_HQQ) return r;
    struct recipe *out = arena_alloc(a, sizeof *out);
    *out = *r;
    out->rule = (struct quantizer){.bits = r->rule.bits, .group = r->rule.group, .rounding = QUANTIZE_RTN, .zero = QUANTIZE_ZERO_FLOAT};
    out->steps = NULL;
    return out;
}

/* The n-th weight of a form, with the subject's parts but leaves of its own. */
static const struct recipe *timed_weight(const struct choosing *k, const struct subject *s, int form, struct program *p, int n) {
    const struct recipe *parts[LEAVES_MAX];
    for (int i = 0; i < s->n; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.%d", n, i);
        const struct recipe *leaf = recipe_leaf(&p->arena, name, s->leaves[i]->rows, s->leaves[i]->cols);
        struct error e = {0};
        parts[i] = s->is_skipped[i] ? leaf : without_steps(&p->arena, form_of_leaf(k, form, leaf, s->weight->dtype, &e));
    }
    return s->n == 1 ? parts[0] : recipe_concat(&p->arena, parts, s->n);
}

/* A row of such operations over one x, each with a weight of its own. */
static struct program *timed_program(const struct choosing *k, const struct subject *s, int form, int n_ops, int64_t most_rows) {
    struct program *p = mem_alloc(sizeof *p);
    const struct tensor *x = &s->program->tensors[s->op->in[0]];
    program_init(p, "timing");
    p->symbol_max[SYMBOL_R] = most_rows;
    p->symbol_max[SYMBOL_S] = p->symbol_max[SYMBOL_B] = 1;
    int input = program_input(p, "x", x->dtype, 2, (struct dim[]){dim_symbol(SYMBOL_R), dim_of(s->weight->recipe->cols)});
    for (int n = 0; n < n_ops; n++) {
        struct op_spec o = {.kind = s->op->kind, .n_in = 2, .n_out = s->op->n_out, .place = s->op->place, .category = s->op->category};
        o.in[0] = input;
        o.in[1] = program_weight(p, arena_printf(&p->arena, "w%d", n), s->weight->dtype, timed_weight(k, s, form, p, n), 0);
        memcpy(o.f, s->op->f, sizeof o.f);
        memcpy(o.i, s->op->i, sizeof o.i);
        for (int i = 0; i < o.n_out; i++) o.names[i] = arena_printf(&p->arena, "y%d.%d", n, i);
        program_append(p, &o);
    }
    return p;
}

/* As many operations as it takes that their weights are cold, or as the model would have if all of it were of this shape. */
static int ops_of_form(const struct choosing *k, const struct subject *s, int form) {
    struct error why = {0};
    int at = 0;
    const struct recipe *r = form_of_weight(k, form, s, s->weight->recipe, &at, &why);
    double plain = recipe_stored_bytes(s->weight->recipe, s->weight->dtype), bytes = recipe_stored_bytes(r, s->weight->dtype);
    double working_set = fmin(k->context->timer->cold_bytes, k->plain_bytes * bytes / plain);
    return (int)fmax(1, fmin(ceil(working_set / bytes), OPS_MAX));
}

/* Of many rows the arithmetic decides, and what weights cost to fetch is shared by all of them. */
static int ops_at_rows(int n_ops, int64_t rows) { return rows <= FEW_ROWS ? n_ops : (int)fmax(1, (double)n_ops * FEW_ROWS / (double)rows); }

static void begin_timing(const struct choosing *k, const struct subject *s, struct question *q, struct timing *t, int *form_of) {
    int64_t most = 0;
    const struct choice *first = &q->forms[0];
    *t = (struct timing){.weights = &noise, .n_rows = first->n_rows};
    for (int i = 0; i < first->n_rows; i++) most = first->rows[i] > most ? first->rows[i] : most;
    for (int form = 0; form <= k->rule->n; form++) {
        if (q->refusals[form]) continue;
        int n_ops = ops_of_form(k, s, form);
        form_of[t->n] = form;
        for (int i = 0; i < t->n_rows; i++) t->rows[i].n_ops[t->n] = ops_at_rows(n_ops, first->rows[i]);
        t->programs[t->n++] = timed_program(k, s, form, n_ops, most);
    }
    for (int i = 0; i < t->n_rows; i++) {
        struct text key = {0};
        t->rows[i].rows = first->rows[i];
        text_append(&key, "%s, %lld rows:", q->subject, (long long)first->rows[i]);
        for (int c = 0; c < t->n; c++) text_append(&key, "%s %s x %d", c ? "," : "", q->forms[form_of[c]].form, t->rows[i].n_ops[c]);
        t->rows[i].key = arena_copy_string(&k->pipeline->arena, key.data);
        text_free(&key);
    }
}

static enum status ask_times(const struct choosing *k, const struct subject *s, struct question *q, struct error *e) {
    struct timing t;
    int form_of[TIMED_MAX];
    begin_timing(k, s, q, &t, form_of);
    enum status status = k->context->timer->measure(k->context->timer->self, &t, e);
    for (int c = 0; c < t.n; c++) {
        struct choice *f = &q->forms[form_of[c]];
        for (int i = 0; i < t.n_rows && status == STATUS_OK; i++) f->ns[i] = t.rows[i].ns[c] / t.rows[i].n_ops[c];
        program_free((struct program *)(uintptr_t)t.programs[c]);
        mem_free((void *)(uintptr_t)t.programs[c]);
    }
    for (int form = 0; form <= k->rule->n && status == STATUS_OK; form++) {
        struct choice *f = &q->forms[form];
        f->cost_ns = 0;
        for (int i = 0; i < f->n_rows; i++) f->cost_ns += f->passes[i] * f->ns[i];
        if (!q->refusals[form] && isnan(f->cost_ns)) q->refusals[form] = "the device could not make it ready for timing";
    }
    return status;
}

/* ---- errors ---- */

struct sample {
    float *rows;
    int64_t n, cols;
};

static enum status find_sample(void *self, const char *name, struct leaf *out, struct error *e) {
    const struct sample *s = self;
    (void)e;
    *out = (struct leaf){.name = name, .rows = s->n, .cols = s->cols, .encoding = &encoding_f32, .data = s->rows};
    return STATUS_OK;
}

/* Rows spread evenly over the leaf. INPUT names the first that is not finite. */
static enum status draw_sample(const struct pipeline *p, const struct recipe *leaf, struct sample *out, struct error *e) {
    enum status s = recipe_settle(leaf, p->weights, NULL, e);
    out->cols = leaf->cols;
    out->n = leaf->rows < SAMPLE_ROWS ? leaf->rows : SAMPLE_ROWS;
    out->rows = mem_alloc((size_t)(out->n * out->cols + 1) * sizeof *out->rows);
    for (int64_t i = 0; i < out->n && s == STATUS_OK; i++) {
        int64_t row = leaf->rows * i / out->n;
        float *y = out->rows + i * out->cols;
        s = recipe_decode(leaf, p->weights, row, 1, y, e);
        for (int64_t j = 0; j < out->cols && s == STATUS_OK; j++)
            if (!isfinite(y[j])) s = error_set(e, STATUS_INPUT, "tensor '%s' holds no number at row %lld, column %lld", recipe_name(leaf), (long long)row, (long long)j);
    }
    return s;
}

/* Of rounding a row of cols normally distributed numbers to eight bits. */
static double input_error(int64_t cols) {
    size_t bytes = (size_t)cols * sizeof(float);
    float *x = mem_alloc(bytes + 1), *y = mem_alloc(bytes + 1);
    void *row = mem_alloc(encoding_row_bytes(&encoding_int8_row, cols));
    uint64_t state = 1;
    for (int64_t i = 0; i < cols; i++) { /* the sum of twelve uniform numbers */
        double sum = -6;
        for (int k = 0; k < 12; k++) sum += random_unit(random_next(&state));
        x[i] = (float)sum;
    }
    encoding_int8_row.encode(x, row, cols);
    encoding_int8_row.decode(row, y, cols);
    double error = relative_rms(y, x, cols);
    mem_free(x);
    mem_free(y);
    mem_free(row);
    return error;
}

static enum status error_of_form(const struct choosing *k, int form, const struct recipe *leaf, struct sample *sample, enum dtype t, double *out, struct error *e) {
    struct arena a = {0};
    const struct weight_source source = {.self = sample, .find = find_sample};
    const struct recipe *edited = form_of_leaf(k, form, recipe_leaf(&a, recipe_name(leaf), sample->n, sample->cols), t, e);
    float *y = mem_alloc((size_t)(sample->n * sample->cols + 1) * sizeof *y);
    enum status s = edited ? recipe_settle(edited, &source, NULL, e) : e->status;
    if (s == STATUS_OK) s = recipe_decode(edited, &source, 0, sample->n, y, e);
    if (s == STATUS_OK) *out = relative_rms(y, sample->rows, sample->n * sample->cols);
    if (s == STATUS_OK && recipe_rounds_inputs(edited)) *out = hypot(*out, input_error(sample->cols));
    mem_free(y);
    arena_free(&a);
    return s;
}

/* Of each form, the worst over the leaves that take it. */
static enum status errors_of(const struct choosing *k, const struct subject *s, const struct question *q, double errors[TIMED_MAX], struct error *e) {
    enum status status = STATUS_OK;
    for (int form = 0; form < TIMED_MAX; form++) errors[form] = 0;
    for (int i = 0; i < s->n && status == STATUS_OK; i++) {
        struct sample sample = {0};
        if (s->is_skipped[i]) continue;
        status = draw_sample(k->pipeline, s->leaves[i], &sample, e);
        for (int form = 1; form <= k->rule->n && status == STATUS_OK; form++) {
            double error = 0;
            if (q->refusals[form]) continue;
            status = error_of_form(k, form, s->leaves[i], &sample, s->weight->dtype, &error, e);
            errors[form] = fmax(errors[form], error);
        }
        mem_free(sample.rows);
    }
    return status;
}

/* ---- choosing ---- */

static const char *subject_text(const struct choosing *k, const struct subject *s) {
    struct arena *a = &k->pipeline->arena;
    const struct tensor *x = &s->program->tensors[s->op->in[0]], *y = &s->program->tensors[s->op->out[0]];
    struct text t = {0};
    text_append(&t, "%s %s", op_table[s->op->kind].name, dtype_name(s->weight->dtype));
    if (x->dtype != s->weight->dtype || y->dtype != x->dtype) text_append(&t, " (%s to %s)", dtype_name(x->dtype), dtype_name(y->dtype));
    text_append(&t, " %lld to ", (long long)s->weight->recipe->cols);
    for (int i = 0; i < s->n; i++) text_append(&t, "%s%lld%s", i ? "+" : "", (long long)s->leaves[i]->rows, s->is_skipped[i] ? " skipped" : "");
    const char *text = arena_copy_string(a, t.data);
    text_free(&t);
    return text;
}

/* Usages in which it meets equally many rows are one. */
static void take_rows(const struct choosing *k, const struct subject *s, struct choice *c) {
    const struct timer *timer = k->context->timer;
    const struct dim rows = s->program->tensors[s->op->in[0]].dims[0];
    for (int u = 0; u < timer->n_usages; u++) {
        int64_t n = dim_value(rows, timer->usages[u].symbols);
        int i = 0;
        while (i < c->n_rows && c->rows[i] != n) i++;
        c->rows[i] = n;
        c->passes[i] += timer->usages[u].passes;
        c->ns[i] = NAN;
        if (i == c->n_rows) c->n_rows++;
    }
}

static int is_asked(const struct question *q, const struct choice *c) {
    return strcmp(q->subject, c->subject) == 0 && q->forms[0].n_rows == c->n_rows && memcmp(q->forms[0].rows, c->rows, sizeof c->rows) == 0;
}

static int has_choice(const struct choosing *k, const struct question *q) {
    int n = 0;
    for (int form = 1; form <= k->rule->n; form++) n += !q->refusals[form];
    return n > 0;
}

static enum status take_question(struct choosing *k, const struct subject *s, struct question **out, struct error *e) {
    struct choice c = {.subject = subject_text(k, s), .error_low = NAN, .error_high = NAN, .cost_ns = NAN};
    take_rows(k, s, &c);
    for (int i = 0; i < k->n_questions; i++)
        if (is_asked(*out = &k->questions[i], &c)) return STATUS_OK;
    LIST_GROW(k->questions, k->n_questions, k->question_capacity);
    struct question *q = *out = &k->questions[k->n_questions++];
    *q = (struct question){.subject = c.subject};
    for (int form = 0; form <= k->rule->n; form++) {
        q->forms[form] = c;
        q->refusals[form] = refusal_of(k, s, form, &q->forms[form].form);
    }
    q->refusals[0] = NULL; /* it is what runs already */
    return has_choice(k, q) ? ask_times(k, s, q, e) : STATUS_OK;
}

/* The least time of the forms within the bound. */
static int pick(const struct choosing *k, struct question *q, const double errors[TIMED_MAX]) {
    int best = 0;
    for (int form = 0; form <= k->rule->n; form++) {
        struct choice *c = &q->forms[form];
        c->places++;
        if (q->refusals[form]) continue;
        c->error_low = fmin(c->error_low, errors[form]);
        c->error_high = fmax(c->error_high, errors[form]);
        q->beyond[form] += errors[form] > k->rule->bound;
        if (errors[form] <= k->rule->bound && c->cost_ns < q->forms[best].cost_ns) best = form;
    }
    q->forms[best].picked++;
    return best;
}

static enum status choose_for(struct choosing *k, const struct subject *s, struct error *e) {
    struct question *q;
    double errors[TIMED_MAX];
    enum status status = take_question(k, s, &q, e);
    if (status == STATUS_OK) status = errors_of(k, s, q, errors, e);
    if (status != STATUS_OK) return status;
    int form = pick(k, q, errors);
    if (!has_choice(k, q)) {
        k->out->found++;
        if (k->out->refused++ == 0) snprintf(k->out->reason, sizeof k->out->reason, "%.250s", q->refusals[1]);
    }
    for (int i = 0; i < s->n; i++) {
        if (s->is_skipped[i] || find_decision(k, s->leaves[i])) continue;
        LIST_GROW(k->decisions, k->n_decisions, k->decision_capacity);
        k->decisions[k->n_decisions++] = (struct decision){recipe_hash(s->leaves[i]), form};
    }
    return STATUS_OK;
}

static const char *why_of(const struct choosing *k, const struct question *q, int form) {
    struct arena *a = &k->pipeline->arena;
    const struct choice *c = &q->forms[form];
    if (!has_choice(k, q) && form == 0) return "nothing else runs here";
    if (q->refusals[form]) return arena_printf(a, "left out: %s", q->refusals[form]);
    const char *also = q->beyond[form] ? arena_printf(a, "error above %g at %d of %d", k->rule->bound, q->beyond[form], c->places) : "";
    if (c->picked) return arena_printf(a, "least time at %d%s%s", c->picked, *also ? "; " : "", also);
    return *also ? also : "slower";
}

static void tell_choices(const struct choosing *k, struct rewrite *out) {
    struct choice *all = arena_alloc(&k->pipeline->arena, (size_t)(k->n_questions * (k->rule->n + 1) + 1) * sizeof *all);
    out->choices = all;
    for (int i = 0; i < k->n_questions; i++)
        for (int form = 0; form <= k->rule->n; form++) {
            all[out->n_choices] = k->questions[i].forms[form];
            all[out->n_choices++].why = why_of(k, &k->questions[i], form);
        }
}

/* ---- editing ---- */

static const struct recipe *edit_by_decision(void *self, struct arena *a, const struct recipe *part, enum dtype t, struct error *e) {
    const struct choosing *k = self;
    const struct decision *d = find_decision(k, part);
    if (part->kind == RECIPE_ENCODE) {
        error_set(e, STATUS_UNSUPPORTED, "'%.100s' is stored as %s already, beside which nothing is timed", recipe_name(part), part->encoding->name);
        return NULL;
    }
    if (!d || d->form == 0) return part;
    const struct candidate *c = &k->rule->candidates[d->form - 1];
    return c->edit(c->self, a, part, t, e);
}

/* Calls `each` with every operation that there is something to choose for. */
static enum status walk(struct choosing *k, enum status (*each)(struct choosing *k, const struct subject *s, struct error *e), struct error *e) {
    enum status status = STATUS_OK;
    for (int i = 0; i < k->pipeline->n_programs; i++) {
        struct program *p = &k->pipeline->programs[i];
        for (size_t n = 0; n < p->n_ops && status == STATUS_OK; n++) {
            struct subject s;
            if (take_subject(p, &p->ops[n], k->rule->skip, &s) && !is_decided(k, &s)) status = each(k, &s, e);
        }
    }
    return status;
}

static enum status add_bytes(struct choosing *k, const struct subject *s, struct error *e) {
    (void)e;
    if (s->program == &k->pipeline->programs[0]) k->plain_bytes += recipe_stored_bytes(s->weight->recipe, s->weight->dtype);
    return STATUS_OK;
}

static void refuse_all(struct pipeline *p, const char *skip, struct rewrite *out) {
    struct subject s;
    for (int i = 0; i < p->n_programs; i++)
        for (size_t n = 0; n < p->programs[i].n_ops; n++) out->found += take_subject(&p->programs[i], &p->programs[i].ops[n], skip, &s);
    out->refused = out->found;
    if (out->refused) snprintf(out->reason, sizeof out->reason, "kind=auto chooses by time, and this backend has no times of its own; name a kind");
}

enum status auto_edit(struct pipeline *p, const struct auto_rule *rule, const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    struct choosing k = {.pipeline = p, .rule = rule, .context = context, .out = out};
    if (!context || !context->timer || context->timer->n_usages == 0) return refuse_all(p, rule->skip, out), STATUS_OK;
    enum status s = walk(&k, add_bytes, e);
    if (s == STATUS_OK) s = walk(&k, choose_for, e);
    if (s == STATUS_OK) s = weights_edit(p, rule->skip, edit_by_decision, &k, context, out, e);
    if (s == STATUS_OK) tell_choices(&k, out);
    mem_free(k.questions);
    mem_free(k.decisions);
    return s;
}

/* ---- the receipt ---- */

struct tally {
    char form[64];
    int n;
};

static void count_form(struct tally *tallies, int *n, int most, const char *form) {
    int i = 0;
    while (i < *n && strcmp(tallies[i].form, form) != 0) i++;
    if (i == most) return;
    if (i == *n) snprintf(tallies[(*n)++].form, sizeof tallies->form, "%s", form);
    tallies[i].n++;
}

void auto_summary(const struct executed *x, char *to, size_t bytes) {
    enum { MOST = 16 };
    struct tally tallies[MOST] = {0};
    int n = 0, n_seen = 0;
    struct arena a = {0};
    uint64_t *seen = arena_alloc(&a, (size_t)(x->n_ops + 1) * sizeof *seen);
    for (int i = 0; i < x->n_ops; i++) { /* a weight of several programs is one */
        const struct op *op = x->ops[i].op;
        const struct recipe *r = op_is_linear(op) && x->ops[i].calls > 0 ? x->ops[i].program->tensors[op->in[1]].recipe : NULL;
        if (!r) continue;
        int at = 0;
        seen[n_seen] = recipe_hash(r);
        while (seen[at] != seen[n_seen]) at++;
        if (at < n_seen) continue;
        n_seen++;
        count_form(tallies, &n, MOST, form_name(&a, r));
    }
    size_t at = 0;
    to[0] = 0;
    for (int i = 0; i < n && at < bytes; i++) at += (size_t)snprintf(to + at, bytes - at, "%s%d %s", i ? ", " : "", tallies[i].n, tallies[i].form);
    arena_free(&a);
}
