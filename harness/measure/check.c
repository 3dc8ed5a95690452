#include "harness/measure/check.h"

#include <math.h>
#include <string.h>

#include "harness/measure/cloze.h"
#include "kernels/base/file.h"
#include "kernels/base/random.h"
#include "kernels/base/rms.h"

enum { PROBE_TOKENS = 64, FORCED_ROWS = 256, AGREEMENT_TOKENS = 256, SCORE_FILE_BYTES = 16 << 20 };

/* What a spec's pipeline makes of given tokens. Owned: look_free. */
struct look {
    float *probe;                    /* (n_probe, V) logits */
    float *text;                     /* LOOK_TEXT: (at most AGREEMENT_TOKENS, V) logits over the scored text; NULL: there is none */
    double nll;                      /* LOOK_SCORE: the text's mean negative log-likelihood */
    int n_right;                     /* LOOK_SCORE: cloze items that are answered rightly */
};
enum { LOOK_TEXT = 1, LOOK_SCORE = 2 };

struct checker_model {
    const struct spec *spec;         /* the cell that it was opened for */
    struct llm_model model;
    int32_t probe[PROBE_TOKENS];
    int n_probe;
    struct token_list text;          /* of the scored file; empty where none is */
    struct cloze cloze;              /* without items where no file is given */
    struct look reference;
    struct look plain;               /* of plain_spec; its probe is NULL until there is one */
    struct spec plain_spec;
};

static int same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static int wants_same_model(const struct spec *a, const struct spec *b) {
    return same_text(a->model, b->model) && same_text(a->preset, b->preset) && a->layers == b->layers && a->sampling.seed == b->sampling.seed && same_text(a->score, b->score);
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

static int agreement_tokens(const struct checker_model *k) { return k->text.count < AGREEMENT_TOKENS ? (int)k->text.count : AGREEMENT_TOKENS; }

static enum status mean_nll(struct checker_model *k, struct engine *g, double *out, struct error *e) {
    int n = (int)k->text.count;
    float *nll = mem_alloc(k->text.count * sizeof *nll);
    enum status s = engine_forced(g, k->text.ids, n, NULL, nll, e);
    *out = 0;
    for (int i = 0; s == STATUS_OK && i + 1 < n; i++) *out += (double)nll[i];
    *out /= n - 1;
    mem_free(nll);
    return s;
}

static size_t logits_bytes(const struct checker_model *k, int rows) { return (size_t)rows * (size_t)k->model.config.vocabulary * sizeof(float); }

static void look_free(const struct checker_model *k, struct look *x) {
    mem_try_free(x->probe, logits_bytes(k, k->n_probe));
    mem_try_free(x->text, logits_bytes(k, agreement_tokens(k)));
    *x = (struct look){0};
}

static enum status look_alloc(const struct checker_model *k, int wanted, struct look *out, struct error *e) {
    int has_text = (wanted & LOOK_TEXT) && k->text.count;
    *out = (struct look){.probe = mem_try(logits_bytes(k, k->n_probe)), .text = has_text ? mem_try(logits_bytes(k, agreement_tokens(k))) : NULL};
    if (out->probe && (out->text || !has_text)) return STATUS_OK;
    look_free(k, out);
    return error_set(e, STATUS_NO_MEMORY, "no memory for the logits of %d positions", k->n_probe + (has_text ? agreement_tokens(k) : 0));
}

static int64_t positions_of(const struct checker_model *k, int wanted) {
    int64_t n = k->n_probe;
    if (wanted && (int64_t)k->text.count > n) n = (int64_t)k->text.count;
    return (wanted & LOOK_SCORE) && k->cloze.longest > n ? k->cloze.longest : n;
}

/* One engine for all that is wanted (LOOK_ bits) beside the probe: weights are made ready once. */
static enum status look(struct checker_model *k, const struct spec *spec, int wanted, struct look *out, struct error *e) {
    struct engine g;
    int64_t n = positions_of(k, wanted);
    struct engine_options o = {.roles = ROLES_FORCED, .limits = {.prefill_rows = 1, .slots = 1, .positions = n, .forced_rows = n < FORCED_ROWS ? n : FORCED_ROWS}};
    enum status s = look_alloc(k, wanted, out, e);
    if (s != STATUS_OK) return s;
    s = engine_open(&g, spec, &k->model, &o, e);
    if (s == STATUS_OK) s = engine_forced(&g, k->probe, k->n_probe, out->probe, NULL, e);
    if (s == STATUS_OK && out->text) s = engine_forced(&g, k->text.ids, agreement_tokens(k), out->text, NULL, e);
    if (s == STATUS_OK && (wanted & LOOK_SCORE) && k->text.count) s = mean_nll(k, &g, &out->nll, e);
    if (s == STATUS_OK && (wanted & LOOK_SCORE)) s = cloze_score(&k->cloze, &g, &out->n_right, e);
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
    if (s == STATUS_OK) s = look(k, &judge, 0, &k->reference, e);
    if (s == STATUS_OK && first_bad(k->reference.probe, (int64_t)k->n_probe * k->model.config.vocabulary) >= 0) s = blame_weights(k, e);
    return s;
}

static void close_model(struct checker_model *k) {
    look_free(k, &k->plain);
    look_free(k, &k->reference);
    llm_close(&k->model);
    token_list_free(&k->text);
    cloze_free(&k->cloze);
    mem_free(k);
}

/* ---- judging ---- */

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

/* `allowed`: what lossy optimizers may add; NAN: what they declare. */
static void judge(const struct spec *spec, const struct checker_model *k, double allowed, const float *x, struct judgement *j) {
    enum fidelity class = optimizers_fidelity(spec->uses, spec->n_uses);
    int64_t width = k->model.config.vocabulary, n = k->n_probe * width;
    j->error = relative_rms(x, k->reference.probe, n);
    j->plain_error = relative_rms(k->plain.probe, k->reference.probe, n);
    j->bound = NAN;
    int wrong = wrong_choices(x, k->reference.probe, k->n_probe, width);
    /* The plain form is judged too: by its type's own rounding through the layers (a few hundred ulp at most). */
    if (class == FIDELITY_IS_EXACT) j->is_ok = memcmp(x, k->plain.probe, (size_t)n * sizeof *x) == 0;
    if (class == FIDELITY_IS_SAME_CHOICES) j->is_ok = wrong == 0;
    if (class == FIDELITY_IS_REORDERED) {
        j->bound = 2 * j->plain_error;
        j->is_ok = j->error <= j->bound;
    }
    if (class == FIDELITY_IS_LOSSY) {
        j->bound = 2 * j->plain_error + (isnan(allowed) ? optimizers_bound(spec->uses, spec->n_uses) : allowed);
        j->is_ok = j->error <= j->bound;
    }
    snprintf(j->detail, sizeof j->detail, "%d teacher-forced positions; %d choices beyond the margin differ", k->n_probe, wrong);
}

/* ---- quality ---- */

static enum status read_text(struct checker_model *k, const char *path, struct error *e) {
    char *text;
    size_t length;
    if (!k->model.tokenizer) return error_set(e, STATUS_INPUT, "--score needs a tokenizer, and '%s' has none", k->model.name);
    enum status s = file_read(path, SCORE_FILE_BYTES, &text, &length, e);
    if (s != STATUS_OK) return s;
    s = tokenizer_encode(k->model.tokenizer, text, length, 0, &k->text, e);
    mem_free(text);
    if (s == STATUS_OK && k->text.count < 2) s = error_set(e, STATUS_INPUT, "%s: too short to score", path);
    if (s == STATUS_OK && (int64_t)k->text.count > k->model.config.context)
        s = error_set(e, STATUS_INPUT, "%s: %zu tokens are beyond the context of %s, %lld; score a shorter text", path, k->text.count, k->model.name, (long long)k->model.config.context);
    return s;
}

static void add_quality(json_t *list, const char *name, const char *unit, double value, int n) {
    json_array_append_new(list, json_pack("{s:s,s:s,s:f,s:i}", "name", name, "unit", unit, "value", value, "n", n));
}

static int64_t largest(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best]) best = i;
    return best;
}

/* log Σ exp x */
static double log_sum(const float *x, int64_t n) {
    double most = x[largest(x, n)], sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp((double)x[i] - most);
    return most + log(sum);
}

/* KL(plain ‖ x) in nats. */
static double divergence(const float *plain, const float *x, int64_t n) {
    double p_sum = log_sum(plain, n), x_sum = log_sum(x, n), kl = 0;
    for (int64_t i = 0; i < n; i++) kl += exp((double)plain[i] - p_sum) * (((double)plain[i] - p_sum) - ((double)x[i] - x_sum));
    return kl;
}

static void add_agreement(const float *plain, const float *x, int rows, int64_t width, json_t *list) {
    double kl = 0;
    int same = 0;
    for (int i = 0; i < rows; i++) {
        const float *a = plain + i * width, *b = x + i * width;
        kl += divergence(a, b, width) / rows;
        same += largest(a, width) == largest(b, width);
    }
    add_quality(list, "kl_from_plain", "nats/token", kl, rows);
    add_quality(list, "top1_as_plain", "", (double)same / rows, rows);
}

/* The likelihood of the scored text and the answers to the cloze items; how near an optimized cell comes to the plain
 * pipeline's distributions, over that text, else over the probe. */
static json_t *quality_json(const struct checker_model *k, const struct look *x, int is_optimized) {
    json_t *list = json_array();
    int64_t width = k->model.config.vocabulary;
    if (k->text.count) add_quality(list, "nll", "nats/token", x->nll, (int)k->text.count - 1);
    if (k->cloze.n_items) add_quality(list, "cloze_accuracy", "", (double)x->n_right / k->cloze.n_items, k->cloze.n_items);
    if (is_optimized && x->text) add_agreement(k->plain.text, x->text, agreement_tokens(k), width, list);
    else if (is_optimized) add_agreement(k->plain.probe, x->probe, k->n_probe, width, list);
    return list;
}

/* ---- the process ---- */

/* What of the plain pipeline some cell needs: its score where it is a cell itself, its logits where one is optimized. */
static int wanted_of_plain(const struct checker *c) {
    int wanted = 0;
    for (int i = 0; i < c->n_cells; i++) wanted |= c->cells[i].n_uses ? LOOK_TEXT : LOOK_SCORE;
    return wanted;
}

/* The model, and the plain pipeline's look, that the cell is measured against: kept from cell to cell. */
static enum status ready_model(struct checker *c, const struct spec *spec, struct error *e) {
    enum status s = STATUS_OK;
    if (c->model && !wants_same_model(c->model->spec, spec)) {
        close_model(c->model);
        c->model = NULL;
    }
    if (!c->model) {
        c->model = mem_alloc(sizeof *c->model);
        s = open_model(c->model, spec, e);
        if (s == STATUS_OK && spec->score) s = read_text(c->model, spec->score, e);
        if (s == STATUS_OK && spec->cloze) s = cloze_read(spec->cloze, &c->model->model, &c->model->cloze, e);
    }
    struct checker_model *k = c->model;
    if (s != STATUS_OK || (k->plain.probe && wants_same_plain(&k->plain_spec, spec))) return s;
    look_free(k, &k->plain);
    k->plain_spec = *spec;
    k->plain_spec.n_uses = 0;
    return look(k, &k->plain_spec, wanted_of_plain(c), &k->plain, e);
}

static enum status check_cell(struct checker *c, int cell, json_t **reply, struct error *e) {
    const struct spec *spec = &c->cells[cell];
    enum status s = ready_model(c, spec, e);
    if (s != STATUS_OK) return s;
    struct checker_model *k = c->model;
    struct look x = k->plain;
    if (spec->n_uses) s = look(k, spec, LOOK_SCORE | LOOK_TEXT, &x, e);
    if (s != STATUS_OK) {
        if (spec->n_uses) look_free(k, &x);
        return s;
    }
    struct judgement j;
    judge(spec, k, c->bound, x.probe, &j);
    *reply = json_pack("{s:i,s:f,s:f,s:o,s:b,s:s,s:o}", "class", (int)optimizers_fidelity(spec->uses, spec->n_uses), "error", j.error, "plain_error", j.plain_error,
                       "bound", isnan(j.bound) ? json_null() : json_real(j.bound), "ok", j.is_ok, "detail", j.detail, "quality", quality_json(k, &x, spec->n_uses > 0));
    if (spec->n_uses) look_free(k, &x); /* else it is the plain form's, which stays */
    return STATUS_OK;
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
