#include "harness/measure/check.h"

#include <math.h>
#include <string.h>

#include "harness/measure/engine.h"
#include "kernels/base/file.h"
#include "kernels/base/random.h"

enum { PROBE_TOKENS = 64, FORCED_ROWS = 256, SCORE_FILE_BYTES = 16 << 20 };

struct checker_model {
    const struct spec *spec;         /* the cell that it was opened for */
    struct llm_model model;
    struct arena arena;
    int32_t probe[PROBE_TOKENS];
    int n_probe;
    float *reference, *plain;        /* (n_probe, V) logits; plain: NULL until computed */
    struct spec plain_spec;
    int is_plain_of_dtype;
};

static int same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static int wants_same_model(const struct spec *a, const struct spec *b) {
    return same_text(a->model, b->model) && same_text(a->preset, b->preset) && a->layers == b->layers && a->sampling.seed == b->sampling.seed;
}

static int wants_same_plain(const struct spec *a, const struct spec *b) {
    return a->dtype == b->dtype && same_text(a->backend, b->backend) && same_text(a->isa, b->isa) && a->threads == b->threads;
}

/* The prompt's tokens, made up to 64 with drawn ones: the probe must not depend on batch or length. */
static enum status make_probe(struct checker_model *k, struct error *e) {
    struct sample_plan plan;
    enum status s = sample_plan_make(k->spec, &k->model, &plan, e);
    if (s != STATUS_OK) return sample_plan_free(&plan), s;
    const struct request *r = &plan.jobs[0].requests[0];
    int most = k->model.config.context < PROBE_TOKENS ? (int)k->model.config.context : PROBE_TOKENS;
    uint64_t state = random_mix(k->spec->sampling.seed);
    for (k->n_probe = 0; k->n_probe < most; k->n_probe++)
        k->probe[k->n_probe] = k->n_probe < r->n_prompt ? r->prompt[k->n_probe] : (int32_t)(random_next(&state) % (uint64_t)k->model.config.vocabulary);
    sample_plan_free(&plan);
    return STATUS_OK;
}

/* Probe logits of a spec's pipeline on its backend; NULL logits are allocated. */
static enum status probe_logits(struct checker_model *k, const struct spec *spec, float **logits, struct error *e) {
    struct engine g;
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = k->n_probe, .forced_rows = k->n_probe}};
    *logits = arena_alloc(&k->arena, (size_t)k->n_probe * (size_t)k->model.config.vocabulary * sizeof(float));
    enum status s = engine_open(&g, spec, &k->model, &o, e);
    if (s == STATUS_OK) s = engine_forced(&g, k->probe, k->n_probe, *logits, NULL, e);
    engine_close(&g);
    return s;
}

static int first_bad(const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return (int)i;
    return -1;
}

/* Called when results are not finite: the weight that is to blame, by name and index. */
static enum status blame_weights(struct checker_model *k, struct error *e) {
    const struct checkpoint *c = &k->model.checkpoint;
    for (size_t t = 0; t < c->n_tensors && !k->model.is_synthetic; t++) {
        const struct checkpoint_tensor *x = &c->tensors[t];
        if (!x->encoding || x->n_dims < 1) continue;
        int64_t cols = x->dims[x->n_dims - 1], rows = 1;
        for (int d = 0; d + 1 < x->n_dims; d++) rows *= x->dims[d];
        float *row = mem_alloc((size_t)cols * sizeof *row);
        for (int64_t r = 0; r < rows; r++) {
            x->encoding->decode((const char *)x->data + (size_t)r * encoding_row_bytes(x->encoding, cols), row, cols);
            int bad = first_bad(row, cols);
            if (bad >= 0) {
                error_set(e, STATUS_INPUT, "%s: tensor '%s' holds %s at row %lld, column %d; the checkpoint is damaged", c->path, x->name,
                          isnan(row[bad]) ? "NaN" : "an infinity", (long long)r, bad);
                mem_free(row);
                return STATUS_INPUT;
            }
        }
        mem_free(row);
    }
    return error_set(e, STATUS_BACKEND, "results are not finite although all weights are; the type may be too narrow");
}

static enum status open_model(struct checker_model *k, const struct spec *spec, struct error *e) {
    *k = (struct checker_model){.spec = spec};
    struct llm_options o = {.model = spec->model, .preset = spec->preset, .layers = spec->layers, .seed = spec->sampling.seed};
    enum status s = llm_open(&o, &k->model, e);
    if (s != STATUS_OK) return s;
    struct spec judge = *spec;
    judge.backend = "reference";
    judge.dtype = DTYPE_F32;
    judge.n_uses = 0;
    s = make_probe(k, e);
    if (s == STATUS_OK) s = probe_logits(k, &judge, &k->reference, e);
    if (s == STATUS_OK && first_bad(k->reference, (int64_t)k->n_probe * k->model.config.vocabulary) >= 0) s = blame_weights(k, e);
    return s;
}

static void close_model(struct checker_model *k) {
    llm_close(&k->model);
    arena_free(&k->arena);
    mem_free(k);
}

/* ---- judging ---- */

static double relative_rms(const float *x, const float *y, int64_t n) {
    double difference = 0, scale = 0;
    for (int64_t i = 0; i < n; i++) {
        difference += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        scale += (double)y[i] * (double)y[i];
    }
    return scale > 0 ? sqrt(difference / scale) : sqrt(difference);
}

/* Rows whose argmax differs although the reference's margin exceeds twice the row's largest error. */
static int wrong_choices(const float *x, const float *reference, int rows, int64_t width) {
    int wrong = 0;
    for (int r = 0; r < rows; r++) {
        const float *a = x + r * width, *b = reference + r * width;
        int64_t best = 0, mine = 0;
        double worst = 0;
        for (int64_t i = 0; i < width; i++) {
            if (b[i] > b[best]) best = i;
            if (a[i] > a[mine]) mine = i;
            worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        }
        wrong += mine != best && (double)(b[best] - b[mine]) > 2 * worst;
    }
    return wrong;
}

struct judgement {
    double error, plain_error, bound;
    int is_ok;
    char detail[160];
};

static void judge(enum fidelity class, const struct checker_model *k, const float *x, struct judgement *j) {
    int64_t width = k->model.config.vocabulary, n = k->n_probe * width;
    j->error = relative_rms(x, k->reference, n);
    j->plain_error = relative_rms(k->plain, k->reference, n);
    j->bound = NAN;
    int wrong = wrong_choices(x, k->reference, k->n_probe, width);
    /* The plain form is judged too: by its type's own rounding through the layers (a few hundred ulp at most). */
    if (class == FIDELITY_IS_EXACT) j->is_ok = memcmp(x, k->plain, (size_t)n * sizeof *x) == 0;
    if (class == FIDELITY_IS_SAME_CHOICES) j->is_ok = wrong == 0;
    if (class == FIDELITY_IS_REORDERED) {
        j->bound = 2 * j->plain_error;
        j->is_ok = j->error <= j->bound;
    }
    if (class == FIDELITY_IS_LOSSY) j->is_ok = 1;
    snprintf(j->detail, sizeof j->detail, "%d teacher-forced positions; %d choices beyond the margin differ", k->n_probe, wrong);
}

/* ---- quality ---- */

static enum status score(struct checker_model *k, const struct spec *spec, double *value, int *n, struct error *e) {
    char *text;
    size_t length;
    struct token_list ids = {0};
    if (!k->model.tokenizer) return error_set(e, STATUS_INPUT, "--score needs a tokenizer, and '%s' has none", k->model.name);
    enum status s = file_read(spec->score, SCORE_FILE_BYTES, &text, &length, e);
    if (s != STATUS_OK) return s;
    s = tokenizer_encode(k->model.tokenizer, text, length, 0, &ids, e);
    mem_free(text);
    if (s == STATUS_OK && ids.count < 2) s = error_set(e, STATUS_INPUT, "%s: too short to score", spec->score);
    if (s == STATUS_OK && (int64_t)ids.count > k->model.config.context)
        s = error_set(e, STATUS_INPUT, "%s: %zu tokens are beyond the context of %s, %lld; score a shorter text", spec->score, ids.count, k->model.name, (long long)k->model.config.context);
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = (int64_t)ids.count,
                               .forced_rows = ids.count < FORCED_ROWS ? (int64_t)ids.count : FORCED_ROWS}};
    struct engine g = {0};
    if (s == STATUS_OK) {
        float *nll = mem_alloc(ids.count * sizeof *nll);
        s = engine_open(&g, spec, &k->model, &o, e);
        if (s == STATUS_OK) s = engine_forced(&g, ids.ids, (int)ids.count, NULL, nll, e);
        *n = (int)ids.count - 1;
        *value = 0;
        for (int i = 0; i < *n; i++) *value += (double)nll[i];
        *value /= *n;
        mem_free(nll);
        engine_close(&g);
    }
    token_list_free(&ids);
    return s;
}

/* ---- the process ---- */

static enum status check_cell(struct checker *c, int cell, json_t **reply, struct error *e) {
    const struct spec *spec = &c->cells[cell];
    enum status s = STATUS_OK;
    if (c->model && !wants_same_model(c->model->spec, spec)) {
        close_model(c->model);
        c->model = NULL;
    }
    if (!c->model) {
        c->model = mem_alloc(sizeof *c->model);
        s = open_model(c->model, spec, e);
        if (s != STATUS_OK) return s;
    }
    struct checker_model *k = c->model;
    if (!k->plain || !wants_same_plain(&k->plain_spec, spec)) {
        k->plain_spec = *spec;
        k->plain_spec.n_uses = 0;
        s = probe_logits(k, &k->plain_spec, &k->plain, e);
        if (s != STATUS_OK) return s;
    }
    float *x = k->plain;
    if (spec->n_uses) s = probe_logits(k, spec, &x, e);
    if (s != STATUS_OK) return s;
    enum fidelity class = optimizers_fidelity(spec->uses, spec->n_uses);
    struct judgement j;
    judge(class, k, x, &j);
    *reply = json_pack("{s:i,s:f,s:f,s:o,s:b,s:s}", "class", (int)class, "error", j.error, "plain_error", j.plain_error,
                       "bound", isnan(j.bound) ? json_null() : json_real(j.bound), "ok", j.is_ok, "detail", j.detail);
    if (!spec->score) return STATUS_OK;
    double value;
    int n;
    s = score(k, spec, &value, &n, e);
    if (s == STATUS_OK) json_object_set_new(*reply, "quality", json_pack("{s:f,s:i}", "value", value, "n", n));
    return s;
}

static enum status checker_open(void *self, json_t **reply, struct error *e) {
    (void)self;
    (void)e;
    *reply = json_object();
    return STATUS_OK;
}

static enum status checker_serve(void *self, const json_t *request, json_t **reply, struct error *e) {
    return check_cell(self, (int)json_integer_value(json_object_get(request, "cell")), reply, e);
}

static void checker_close(void *self) {
    struct checker *c = self;
    if (c->model) close_model(c->model);
}

struct worker_program checker_program(struct checker *c) {
    return (struct worker_program){checker_open, checker_serve, checker_close, c};
}
