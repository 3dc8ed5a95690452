/* quantize.c: weights of linear operations in fewer bits: by output channel (int8) or by groups of inputs (int4, int3, int2),
 * rounded to nearest or by HQQ (Badri & Shaji 2023); or the blocks that a GGUF file has them in, used as they lie (stored).
 * Activations stay as they are, or each row is rounded to 8 bits where it enters such an operation (dynamic), so that both operands
 * are codes. Apart from weights, the key-value cache (kv): each head's vector with a scale of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/quantize.h"
#include "optimizers/auto.h"
#include "optimizers/caches.h"
#include "optimizers/weights.h"

enum { KIND, GROUP, ROUNDING, ZERO, SCALE, SKIP, KV, BOUND };
static const struct setting_spec settings[] = {
    [KIND] = {"kind", "int8|int8-dynamic|int4|int4-dynamic|int3|int2|stored|none|auto", "int8",
              "bits of a weight (int8 has a scale a row, others one a group); dynamic: activations in 8 bits, too; stored: GGUF's Q8_0, Q4_0, Q4_1 as they are; none: weights as they are; auto: for each layer what is fastest here"},
    [GROUP] = {"group", "32|64|128", "64", "neighbouring inputs that share a scale"},
    [ROUNDING] = {"rounding", "rtn|hqq", "rtn", "to nearest, or with zero points moved by half-quadratic steps"},
    [ZERO] = {"zero", "int|float", "int", "zero points: whole, or of the scale's type"},
    [SCALE] = {"scale", "f16|f32", "f16", "type of scales"},
    [SKIP] = {"skip", "text", "head", "weights to leave alone: head, first, last, patterns of names, joined by +; or none"},
    [KV] = {"kv", "plain|int8", "plain", "the key-value cache: of the activations' type, or 8 bits and a scale for each head's vector"},
    [BOUND] = {"bound", "number", "0.05", "kind=auto: relative rms error of a layer's weights at most, above 0 to 1; of SmolLM2-135M, 8 bits have 0.015, 4 bits in groups of 64 0.11"},
    {0},
};

static int has_weights(const struct settings *s) { return strcmp(s->value[KIND], "none") != 0; }
static int has_cache(const struct settings *s) { return strcmp(s->value[KV], "plain") != 0; }

struct edit {
    const struct encoding *encoding;   /* NULL: as stored */
    struct quantizer rule;
    int input_bits;
    const struct weight_source *source;
    const char **others;               /* leaves that are stored in no such blocks */
    size_t n_others, capacity;
};

/* ---- as stored ---- */

static void note_other(struct edit *k, const char *leaf) {
    for (size_t i = 0; i < k->n_others; i++)
        if (strcmp(k->others[i], leaf) == 0) return;
    LIST_GROW(k->others, k->n_others, k->capacity);
    k->others[k->n_others++] = leaf;
}

static const struct recipe *take_stored(struct edit *k, struct arena *a, const struct recipe *part, struct error *e) {
    struct leaf leaf;
    if (part->kind == RECIPE_PRUNE) return error_set(e, STATUS_UNSUPPORTED, "'%.100s' is pruned: no longer what the checkpoint stores", recipe_name(part)), NULL;
    if (k->source->find(k->source->self, recipe_name(part), &leaf, e) != STATUS_OK) return NULL;
    if (!leaf.fill && leaf.encoding->block > 1) return recipe_encode(a, part, leaf.encoding);
    note_other(k, recipe_name(part));
    return part;
}

static void tell_others(const struct edit *k, struct rewrite *out) {
    if (out->reason[0]) return;
    if (out->found == 0) snprintf(out->reason, sizeof out->reason, "the checkpoint has none of these weights in blocks of Q8_0, Q4_0 or Q4_1");
    else if (k->n_others) snprintf(out->reason, sizeof out->reason, "%zu weights are stored otherwise and stay so", k->n_others);
}

/* ---- in fewer bits ---- */

/* Pruned before: the values under the bits become codes. Groups have zero points and whole rows of codes; they want the zeros in place. */
static const struct recipe *edit_stored(const struct edit *k, struct arena *a, const struct recipe *part, struct error *e) {
    if (part->encoding->row_bytes && k->encoding == &encoding_int8_row && !k->input_bits) return recipe_encode(a, part->parts[0], &encoding_bitmap_int8);
    error_set(e, STATUS_UNSUPPORTED, "'%.100s' is stored as %s already%s", recipe_name(part), part->encoding->name,
              !k->encoding ? ", no longer as in the checkpoint" : part->encoding->row_bytes ? ", where int8 alone has a place; for others: sparsity=format=dense" : "");
    return NULL;
}

static const struct recipe *edit_leaf(void *self, struct arena *a, const struct recipe *part, enum dtype t, struct error *e) {
    (void)t;
    struct edit *k = self;
    const struct recipe *out = NULL;
    if (part->kind == RECIPE_ENCODE) return edit_stored(k, a, part, e);
    if (!k->encoding) return take_stored(k, a, part, e);
    if (!k->encoding->groups) out = recipe_encode(a, part, k->encoding);
    else if (part->cols % k->encoding->block == 0) out = recipe_quantize(a, part, k->encoding, &k->rule);
    if (out) return k->input_bits ? recipe_round_inputs(a, out, k->input_bits) : out;
    error_set(e, STATUS_INPUT, "rows of '%s' have %lld elements, no multiple of group=%d; try a smaller group, or skip=%s", recipe_name(part),
              (long long)part->cols, k->encoding->block, recipe_name(part));
    return NULL;
}

static int bits_of(const char *kind) { return kind[3] - '0'; }
static int is_stored(const struct settings *s) { return strcmp(s->value[KIND], "stored") == 0; }
static int is_dynamic(const struct settings *s) { return strstr(s->value[KIND], "dynamic") != NULL; }

/* "int4_g64_f32_z" as kernels/encoding.h names it. */
static enum status choose(const struct settings *s, struct edit *out, struct error *e) {
    char name[64];
    int bits = bits_of(s->value[KIND]), is_float = strcmp(s->value[ZERO], "float") == 0, is_hqq = strcmp(s->value[ROUNDING], "hqq") == 0;
    *out = (struct edit){.encoding = &encoding_int8_row, .input_bits = is_dynamic(s) ? 8 : 0};
    if (is_stored(s)) {
        out->encoding = NULL;
        return is_hqq || is_float ? error_set(e, STATUS_INPUT, "kind=stored takes what the checkpoint has: no rounding and no zero to choose") : STATUS_OK;
    }
    if (bits == 8 && (is_hqq || is_float)) return error_set(e, STATUS_INPUT, "kind=%s has no zero points: rounding=rtn and zero=int only", s->value[KIND]);
    if (bits == 8) return STATUS_OK;
    if (is_hqq && !is_float) return error_set(e, STATUS_INPUT, "rounding=hqq moves zero points off the whole numbers: zero=float");
    snprintf(name, sizeof name, "int%d_g%s%s%s", bits, s->value[GROUP], strcmp(s->value[SCALE], "f32") == 0 ? "_f32" : "", is_float ? "_z" : "");
    out->encoding = encoding_find(name);
    if (!out->encoding) return error_set(e, STATUS_INTERNAL, "no encoding is called %s", name);
    out->rule = (struct quantizer){.bits = bits, .group = out->encoding->block, .rounding = is_hqq ? QUANTIZE_HQQ : QUANTIZE_RTN,
                                   .zero = is_hqq ? QUANTIZE_ZERO_CODE : is_float ? QUANTIZE_ZERO_FLOAT : QUANTIZE_ZERO_INTEGER, .is_first_zero_rounded = is_hqq && bits == 4};
    return STATUS_OK;
}

/* ---- kind=auto: what is tried beside the plain form ---- */

static const char *const auto_kinds[] = {"int8", "int8-dynamic", "int4", "int4-dynamic"};
enum { AUTO_KINDS = sizeof auto_kinds / sizeof *auto_kinds };

static int is_auto(const struct settings *s) { return strcmp(s->value[KIND], "auto") == 0; }

/* Settings of zero points are of kinds that have them. */
static enum status choose_candidate(const struct settings *s, const char *kind, struct edit *out, struct error *e) {
    struct settings own = *s;
    own.value[KIND] = kind;
    if (bits_of(kind) == 8) own.value[ROUNDING] = settings[ROUNDING].fallback, own.value[ZERO] = settings[ZERO].fallback;
    return choose(&own, out, e);
}

static enum status apply_auto(struct pipeline *p, const struct settings *s, const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    struct edit edits[AUTO_KINDS];
    struct candidate candidates[AUTO_KINDS];
    const struct auto_rule rule = {candidates, AUTO_KINDS, s->value[SKIP], strtod(s->value[BOUND], NULL)};
    if (!(rule.bound > 0 && rule.bound <= 1)) return error_set(e, STATUS_INPUT, "bound=%s lies outside of what is allowed: above 0, 1 at most", s->value[BOUND]);
    for (int i = 0; i < AUTO_KINDS; i++) {
        enum status status = choose_candidate(s, auto_kinds[i], &edits[i], e);
        if (status != STATUS_OK) return status;
        candidates[i] = (struct candidate){auto_kinds[i], edit_leaf, &edits[i]};
    }
    return auto_edit(p, &rule, context, out, e);
}

/* ---- the optimizer ---- */

static enum status apply(struct pipeline *p, enum phase phase, const struct settings *s, const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    struct edit k;
    (void)phase;
    if (!has_weights(s) && !has_cache(s)) return error_set(e, STATUS_INPUT, "kind=none changes nothing without kv=int8");
    if (has_cache(s)) caches_encode(p, &encoding_int8_row, context, out);
    if (!has_weights(s)) return STATUS_OK;
    if (is_auto(s)) return apply_auto(p, s, context, out, e);
    if (strcmp(s->value[BOUND], settings[BOUND].fallback) != 0) return error_set(e, STATUS_INPUT, "bound=%s is of kind=auto; kind=%s has one form for all layers", s->value[BOUND], s->value[KIND]);
    enum status status = choose(s, &k, e);
    k.source = p->weights;
    if (status == STATUS_OK) status = weights_edit(p, s->value[SKIP], edit_leaf, &k, context, out, e);
    if (status == STATUS_OK && !k.encoding) tell_others(&k, out);
    mem_free(k.others);
    return status;
}

/* About twice what SmolLM2-135M shows (int8 0.034, with activations 0.084; groups of 64: int4 0.20 by rounding, 0.17 by HQQ; the cache
 * 0.006). What is stored are the plain form's own numbers, not even rounded to its type. */
static double bound_of_kind(const char *kind) {
    static const double by_bits[] = {[2] = 1, [3] = 0.8, [4] = 0.4, [8] = 0.1};
    return by_bits[bits_of(kind)] + (strstr(kind, "dynamic") ? 0.1 : 0);
}

/* Where any of several kinds may be picked: the worst one's. */
static double bound(const struct settings *s) {
    double worst = 0, cache = has_cache(s) ? 0.015 : 0;
    if (!has_weights(s) || is_stored(s)) return cache;
    if (!is_auto(s)) return cache + bound_of_kind(s->value[KIND]);
    for (int i = 0; i < AUTO_KINDS; i++)
        if (bound_of_kind(auto_kinds[i]) > worst) worst = bound_of_kind(auto_kinds[i]);
    return cache + worst;
}

static int is_quantized(const struct recipe *r) {
    if (r->kind != RECIPE_ENCODE) return 0;
    return r->encoding->groups || r->encoding->block > 1 || r->encoding == &encoding_int8_row || r->encoding == &encoding_bitmap_int8;
}

static void weights_receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    char forms[160], what[256];
    if (is_auto(s)) {
        auto_summary(x, forms, sizeof forms);
        snprintf(what, sizeof what, "weights chosen by time (%s)", forms);
    }
    receipt_from_weights(is_auto(s) ? what : NULL, r, x, is_quantized, out);
}

/* Both parts must show where both were asked for. */
static void receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    char cache[256];
    out->kind = RECEIPT_IS_ENGAGED;
    if (has_weights(s)) weights_receipt(s, r, x, out);
    if (!has_cache(s)) return;
    int is_used = caches_in_use(x, cache, sizeof cache);
    size_t at = strlen(out->evidence);
    snprintf(out->evidence + at, sizeof out->evidence - at, "%s%s", at ? "; " : "", cache);
    if (!x->is_complete) out->kind = RECEIPT_IS_UNVERIFIED;
    else if (r->refused > 0) out->kind = RECEIPT_IS_FALLBACK;
    else if (!is_used) out->kind = RECEIPT_IS_NO_OP;
    if (!has_weights(s) && r->reason[0]) snprintf(out->evidence, sizeof out->evidence, "%s: %.200s", cache, r->reason);
}

const struct optimizer optimizer_quantize = {
    .name = "quantize", .summary = "weights of linear operations in 8, 4, 3 or 2 bits, or in the blocks of a GGUF file; the key-value cache in 8",
    .phases = 1u << PHASE_WEIGHTS_, .rank = 50, .fidelity = FIDELITY_IS_LOSSY, .bound = bound, .settings = settings, .apply = apply, .receipt = receipt,
};
