/* attention.c: one fused attention for the plain chain, after FlashAttention (Dao et al. 2022) and the SDPA of
 * common frameworks: scores never reach memory.
 *
 *   attn_scores → scale → causal_mask → softmax → attn_values   becomes   attention */
#include <string.h>

#include "optimizers/match.h"

static const struct setting_spec settings[] = {
    {"programs", "prefill+decode+forced", "all", "which programs to rewrite"},
    {0},
};

/* The chain that begins at op `first`; 1 where it is whole. */
static int find_chain(const struct match *m, int first, int chain[5]) {
    static const enum op_kind kinds[] = {OP_ATTN_SCORES, OP_SCALE, OP_CAUSAL_MASK, OP_SOFTMAX, OP_ATTN_VALUES};
    if (m->program->ops[first].kind != kinds[0]) return 0;
    chain[0] = first;
    for (int i = 1; i < 5; i++) {
        chain[i] = match_next(m, chain[i - 1], 0, kinds[i], 0);
        if (chain[i] < 0) return 0;
    }
    /* All must speak of the same rows, positions and heads. */
    const struct op *s = &m->program->ops[chain[0]], *k = &m->program->ops[chain[2]], *v = &m->program->ops[chain[4]];
    return s->in[2] == v->in[2] && s->in[3] == v->in[3] && s->in[3] == k->in[1] && s->i[0] == v->i[0] && s->i[1] == v->i[1];
}

static void fuse_program(struct program *p, const struct rewrite_context *context, struct rewrite *out) {
    struct match m;
    match_begin(&m, p);
    for (size_t i = 0; i < p->n_ops; i++) {
        int chain[5];
        if (!find_chain(&m, (int)i, chain)) continue;
        const struct op *scores = &p->ops[chain[0]], *scale = &p->ops[chain[1]], *values = &p->ops[chain[4]];
        struct op fused = {.kind = OP_ATTENTION, .n_in = 5,
            .in = {scores->in[0], scores->in[1], values->in[1], scores->in[2], scores->in[3]},
            .n_out = 1, .out = {values->out[0]}, .f = {scale->f[0]}, .i = {scores->i[0], scores->i[1]},
            .place = scores->place, .device = scores->device, .category = CATEGORY_ATTENTION};
        match_replace(&m, chain, 5, chain[4], &fused, context, out);
    }
    match_end(&m);
}

static enum status apply(struct pipeline *p, enum phase phase, const struct settings *s,
                         const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    (void)phase;
    (void)e;
    for (int i = 0; i < p->n_programs; i++)
        if (setting_has(s->value[0], p->programs[i].name)) fuse_program(&p->programs[i], context, out);
    return STATUS_OK;
}

static int is_mine(const struct op *op) { return op->kind == OP_ATTENTION; }

static void receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    (void)s;
    receipt_from_ops("fused attention", r, x, is_mine, out);
}

const struct optimizer optimizer_attention = {
    .name = "attention", .summary = "one fused attention for scores, scale, mask, softmax and values",
    .phases = 1u << PHASE_PROGRAM_, .rank = 10, .fidelity = FIDELITY_IS_REORDERED, .settings = settings,
    .apply = apply, .receipt = receipt,
};
