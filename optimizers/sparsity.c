/* sparsity.c: weights of linear operations pruned to a share, and stored without their zeros: loaded sparse, computed dense.
 * By magnitude |w_ij|, or by |w_ij| ||x_j||_2 over calibration tokens (Wanda: Sun et al. 2023). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optimizers/weights.h"

enum { SHARE, BY, PER, FORMAT, CALIBRATE, SKIP };
static const struct setting_spec settings[] = {
    [SHARE] = {"share", "number", "0.5", "of each matrix (or row) to drop, 0 to 1"},
    [BY] = {"by", "magnitude|wanda|zeros", "magnitude", "what to drop: the smallest, those that add least to outputs, or nothing but what is zero already"},
    [PER] = {"per", "row|matrix|2:4|4:8", "row", "where the share holds; N:M drops N of M neighbours, whatever the share"},
    [FORMAT] = {"format", "bitmap|dense", "bitmap", "how the rest is stored: a bit mask and packed values, or with its zeros"},
    [CALIBRATE] = {"calibrate", "text", "prompt", "by=wanda: a file of text to see inputs on; prompt: the run's own prompts"},
    [SKIP] = {"skip", "text", "head", "weights to leave alone: head, first, last, patterns of names, joined by +; or none"},
    {0},
};

struct edit {
    int is_pruned, is_sparse, is_wanda;
    struct pruning pruning;
    const struct rewrite_context *context;
};

static const float *norms_of(const struct edit *k, const struct recipe *part, struct error *e) {
    const char *leaf = recipe_name(part);
    for (int i = 0; k->context && i < k->context->n_norms; i++) {
        const struct input_norms *n = &k->context->norms[i];
        if (strcmp(n->leaf, leaf) == 0 && n->cols == part->cols) return n->norm;
    }
    return error_set(e, STATUS_UNSUPPORTED, "nothing was seen of the inputs of '%.100s', by which by=wanda scores", leaf), NULL;
}

static const struct encoding *bitmap_of(enum dtype t) { return t == DTYPE_F32 ? &encoding_bitmap_f32 : t == DTYPE_F16 ? &encoding_bitmap_f16 : &encoding_bitmap_bf16; }

static const struct recipe *edit_leaf(void *self, struct arena *a, const struct recipe *part, enum dtype t, struct error *e) {
    const struct edit *k = self;
    struct error why = {0};
    if (k->is_pruned && prune_check(&k->pruning, part->cols, &why) != STATUS_OK) {
        error_set(e, STATUS_INPUT, "'%s': %s; or skip=%s", recipe_name(part), why.text, recipe_name(part));
        return NULL;
    }
    const float *norm = k->is_wanda ? norms_of(k, part, e) : NULL;
    if (k->is_wanda && !norm) return NULL;
    if (k->is_pruned) part = recipe_prune_scored(a, part, &k->pruning, norm);
    return k->is_sparse ? recipe_encode(a, part, bitmap_of(t)) : part;
}

static enum status choose(const struct settings *s, struct edit *out, struct error *e) {
    char *end;
    const char *per = s->value[PER], *colon = strchr(per, ':');
    *out = (struct edit){.is_pruned = strcmp(s->value[BY], "zeros") != 0, .is_sparse = strcmp(s->value[FORMAT], "bitmap") == 0,
                          .is_wanda = strcmp(s->value[BY], "wanda") == 0};
    out->pruning.share = strtod(s->value[SHARE], &end);
    if (colon) out->pruning = (struct pruning){.per = PRUNE_N_OF_M, .n = (int)strtol(per, NULL, 10), .m = (int)strtol(colon + 1, NULL, 10)};
    else out->pruning.per = strcmp(per, "row") == 0 ? PRUNE_PER_ROW : PRUNE_PER_MATRIX;
    if (!(out->pruning.share >= 0 && out->pruning.share <= 1)) return error_set(e, STATUS_INPUT, "share=%s: give one from 0 to 1", s->value[SHARE]);
    if (!out->is_pruned && !out->is_sparse) return error_set(e, STATUS_INPUT, "by=zeros with format=dense changes nothing");
    return STATUS_OK;
}

static enum status apply(struct pipeline *p, enum phase phase, const struct settings *s, const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    struct edit k;
    (void)phase;
    enum status status = choose(s, &k, e);
    k.context = context;
    return status == STATUS_OK ? weights_edit(p, s->value[SKIP], edit_leaf, &k, context, out, e) : status;
}

static int is_counted(const struct recipe *r) { return r->kept && *r->kept >= 0; }

static int is_sparse(const struct recipe *r) { return r->kind == RECIPE_PRUNE || (r->kind == RECIPE_ENCODE && r->encoding->row_bytes); }

/* What was counted when the weights were stored: how many elements are zero, and whether more than were asked for. */
static void append_zeros(int is_pruned, const struct executed *x, struct receipt *out) {
    double zeros = 0, all = 0, asked = 0;
    for (int i = 0; i < x->n_ops; i++) {
        const struct op *op = x->ops[i].op;
        const struct recipe *w = x->ops[i].calls > 0 && op->n_in > 1 ? x->ops[i].program->tensors[op->in[1]].recipe : NULL;
        const struct recipe *stored = w ? recipe_find(w, is_counted) : NULL;
        if (!stored) continue;
        double n = (double)stored->rows * (double)stored->cols;
        zeros += n - (double)*stored->kept;
        asked += n * recipe_pruned_share(stored);
        all += n;
    }
    if (all == 0) return;
    size_t at = strlen(out->evidence);
    int is_pruned_already = zeros - asked > all / 100;
    snprintf(out->evidence + at, sizeof out->evidence - at, "; %.1f %% of their elements are zero%s", 100 * zeros / all,
             !is_pruned ? " in the checkpoint" : is_pruned_already ? ", more than were to be dropped: the checkpoint is pruned already" : "");
}

static void receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    char what[64];
    struct edit k;
    choose(s, &k, NULL);
    snprintf(what, sizeof what, "%s weights without %s%s", s->value[FORMAT], !k.is_pruned ? "their zeros" : s->value[strchr(s->value[PER], ':') ? PER : SHARE],
             k.is_wanda ? " by Wanda" : "");
    receipt_from_weights(what, r, x, is_sparse, out);
    append_zeros(k.is_pruned, x, out);
}

/* Pruning without training again is measured by quality: this only catches what has nothing to do with the model any more. */
static double bound(const struct settings *s) {
    struct edit k;
    if (choose(s, &k, NULL) != STATUS_OK || !k.is_pruned) return 0;
    double share = k.pruning.per == PRUNE_N_OF_M ? (double)k.pruning.n / k.pruning.m : k.pruning.share;
    return 2 * sqrt(share);
}

static const char *calibration(const struct settings *s) { return strcmp(s->value[BY], "wanda") == 0 ? s->value[CALIBRATE] : NULL; }

const struct optimizer optimizer_sparsity = {
    .name = "sparsity", .summary = "weights of linear operations pruned, stored without their zeros",
    .phases = 1u << PHASE_WEIGHTS_, .rank = 40, .fidelity = FIDELITY_IS_LOSSY, .bound = bound, .calibration = calibration, .settings = settings, .apply = apply, .receipt = receipt,
};
