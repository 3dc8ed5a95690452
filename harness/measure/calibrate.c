#include "harness/measure/calibrate.h"

#include <string.h>

#include "harness/measure/engine.h"
#include "kernels/base/file.h"
#include "kernels/prune.h"

enum { SEQUENCE_TOKENS = 128, MOST_TOKENS = 4096, TEXT_BYTES = 16 << 20 };

const char *calibration_wanted(const struct spec *spec) {
    for (int i = 0; i < spec->n_uses; i++) {
        const struct optimizer *o = spec->uses[i].optimizer;
        const char *from = o->calibration ? o->calibration(&spec->uses[i].settings) : NULL;
        if (from) return from;
    }
    return NULL;
}

static void keep_inputs(struct program *p) {
    for (size_t i = 0; i < p->n_ops; i++)
        if (op_is_linear(&p->ops[i])) p->tensors[p->ops[i].in[0]].is_kept = 1;
}

struct calibration {
    struct engine engine;
    int index;                       /* of the forced program */
    const struct program *p;
    double **sums;                   /* (cols) Σ x² by tensor; NULL of what enters no linear operation */
    int64_t sequence, left;          /* tokens of a sequence at most; that may still come */
};

static int64_t columns(const struct calibration *c, int tensor) { return c->p->tensors[tensor].dims[1].size; }

/* ---- sums ---- */

static void widen(const void *from, enum dtype t, int64_t n, float *to) {
    const uint16_t *half = from;
    if (t == DTYPE_F32) memcpy(to, from, (size_t)n * sizeof *to);
    else
        for (int64_t i = 0; i < n; i++) to[i] = t == DTYPE_BF16 ? bf16_to_f32(half[i]) : f16_to_f32(half[i]);
}

static enum status add_tensor(struct calibration *c, int tensor, int64_t tokens, struct error *e) {
    enum dtype t = c->p->tensors[tensor].dtype;
    int64_t cols = columns(c, tensor), n = tokens * cols;
    void *raw = mem_alloc((size_t)n * dtype_bytes(t));
    float *x = mem_alloc((size_t)n * sizeof *x);
    enum status s = executor_read(&c->engine.session.executor, c->index, tensor, 0, raw, (size_t)n * dtype_bytes(t), e);
    if (s == STATUS_OK) {
        widen(raw, t, n, x);
        prune_norm_add(x, tokens, cols, c->sums[tensor]);
    }
    mem_free(raw);
    mem_free(x);
    return s;
}

static enum status add_sequences(struct calibration *c, const int32_t *ids, int64_t n, struct error *e) {
    enum status s = STATUS_OK;
    for (int64_t at = 0; at < n && c->left > 0 && s == STATUS_OK; at += c->sequence) {
        int64_t tokens = n - at < c->sequence ? n - at : c->sequence;
        if (tokens > c->left) tokens = c->left;
        c->left -= tokens;
        s = engine_forced(&c->engine, ids + at, (int)tokens, NULL, NULL, e);
        for (size_t i = 0; i < c->p->n_tensors && s == STATUS_OK; i++)
            if (c->sums[i]) s = add_tensor(c, (int)i, tokens, e);
    }
    return s;
}

/* ---- tokens ---- */

static enum status add_file(struct calibration *c, struct llm_model *m, const char *path, struct error *e) {
    char *text;
    size_t length;
    struct token_list list = {0};
    if (!m->tokenizer) return error_set(e, STATUS_INPUT, "calibrate=%s needs a tokenizer, and '%s' has none", path, m->name);
    enum status s = file_read(path, TEXT_BYTES, &text, &length, e);
    if (s != STATUS_OK) return s;
    s = tokenizer_encode(m->tokenizer, text, length, 0, &list, e);
    mem_free(text);
    if (s == STATUS_OK && list.count == 0) s = error_set(e, STATUS_INPUT, "%s: nothing to calibrate on", path);
    if (s == STATUS_OK) s = add_sequences(c, list.ids, (int64_t)list.count, e);
    token_list_free(&list);
    return s;
}

static enum status add_prompts(struct calibration *c, const struct spec *spec, struct llm_model *m, struct error *e) {
    struct sample_plan plan;
    enum status s = sample_plan_make(spec, m, &plan, e);
    for (int j = 0; j < plan.n_jobs; j++)
        for (int i = 0; i < plan.jobs[j].n_requests && s == STATUS_OK; i++) s = add_sequences(c, plan.jobs[j].requests[i].prompt, plan.jobs[j].requests[i].n_prompt, e);
    sample_plan_free(&plan);
    return s;
}

/* ---- the whole ---- */

static void take_norms(const struct calibration *c, struct arena *a, struct input_norms **out, int *n) {
    *out = arena_alloc(a, c->p->n_ops * sizeof **out);
    *n = 0;
    for (size_t i = 0; i < c->p->n_ops; i++) {
        const struct op *op = &c->p->ops[i];
        const struct recipe *w = op_is_linear(op) ? c->p->tensors[op->in[1]].recipe : NULL;
        if (!w) continue;
        struct input_norms *row = &(*out)[(*n)++];
        *row = (struct input_norms){.leaf = arena_copy_string(a, recipe_name(w)), .cols = w->cols, .norm = arena_alloc(a, (size_t)w->cols * sizeof *row->norm)};
        prune_norm(c->sums[op->in[0]], w->cols, row->norm);
    }
}

static void open_sums(struct calibration *c) {
    c->sums = mem_alloc((c->p->n_tensors + 1) * sizeof *c->sums);
    for (size_t i = 0; i < c->p->n_ops; i++) {
        int x = c->p->ops[i].in[0];
        if (op_is_linear(&c->p->ops[i]) && !c->sums[x]) c->sums[x] = mem_alloc((size_t)columns(c, x) * sizeof **c->sums);
    }
}

static void close_sums(struct calibration *c) {
    for (size_t i = 0; c->sums && i < c->p->n_tensors; i++) mem_free(c->sums[i]);
    mem_free(c->sums);
}

enum status calibrate(const struct spec *spec, struct llm_model *m, const char *from, struct arena *a, struct input_norms **out, int *n, struct error *e) {
    struct spec plain = *spec;
    struct calibration c = {.left = MOST_TOKENS, .sequence = m->config.context < SEQUENCE_TOKENS ? m->config.context : SEQUENCE_TOKENS};
    struct engine_options o = {.roles = ROLES_FORCED, .keep = keep_inputs, .limits = {.prefill_rows = 1, .slots = 1, .positions = c.sequence, .forced_rows = c.sequence}};
    plain.n_uses = 0;
    enum status s = engine_open(&c.engine, &plain, m, &o, e);
    if (s == STATUS_OK) {
        int role = c.engine.pipeline.role[ROLE_FORCED];
        c.p = &c.engine.pipeline.programs[role];
        c.index = c.engine.session.io[role].executor_program;
        open_sums(&c);
        s = strcmp(from, "prompt") == 0 ? add_prompts(&c, spec, m, e) : add_file(&c, m, from, e);
        if (s == STATUS_OK) take_norms(&c, a, out, n);
        close_sums(&c);
    }
    engine_close(&c.engine);
    return s == STATUS_OK ? s : (error_prefix(e, "calibration"), s);
}
