/* fusion.c: neighbouring operations in one, so that a tensor is read and written once and one barrier or launch
 * serves several steps. The patterns are the common vertical and horizontal ones (Moirai's coarsening rules name
 * the same): residual sum + norm; Q, K and V as one product; gate, up, SiLU and product; product + GELU;
 * rotation + cache write. */
#include <string.h>

#include "optimizers/match.h"

static const struct setting_spec settings[] = {
    {"patterns", "add_norm+qkv+swiglu+gelu+rope_kv", "all", "which patterns to fuse"},
    {0},
};

struct pass {
    struct match m;
    const struct rewrite_context *context;
    struct rewrite *out;
};

static int same_place(const struct op *a, const struct op *b) {
    return a->place.part == b->place.part && a->place.layer == b->place.layer && a->device == b->device;
}

/* add → s, rmsnorm(s) → n   becomes   add_rmsnorm → s, n. The sum stays: the residual stream reads it. */
static int fuse_add_norm(struct pass *f, int i) {
    struct program *p = f->m.program;
    const struct op *norm = &p->ops[i];
    if (norm->kind != OP_RMSNORM) return 0;
    int at = f->m.producer[norm->in[0]];
    if (at < 0 || p->ops[at].kind != OP_ADD) return 0;
    const struct op *add = &p->ops[at];
    struct op fused = {.kind = OP_ADD_RMSNORM, .n_in = 3, .in = {add->in[0], add->in[1], norm->in[1]},
        .n_out = 2, .out = {add->out[0], norm->out[0]}, .f = {norm->f[0]}, .place = norm->place, .device = norm->device,
        .category = CATEGORY_NORM_ELEMENTWISE};
    return match_replace(&f->m, (int[]){at, i}, 2, at, &fused, f->context, f->out);
}

/* ---- linears that share their input ---- */

static const struct recipe *weight_of(const struct program *p, const struct op *op) { return p->tensors[op->in[1]].recipe; }

/* A weight tensor holding the parts stacked by rows. */
static int stack_weights(struct program *p, const int *linears, int n, const char *name) {
    const struct recipe *parts[RECIPE_MAX_PARTS];
    for (int i = 0; i < n; i++) parts[i] = weight_of(p, &p->ops[linears[i]]);
    enum dtype t = p->tensors[p->ops[linears[0]].in[1]].dtype;
    return program_weight(p, arena_copy_string(&p->arena, name), t, recipe_concat(&p->arena, parts, n), 0);
}

static int stack_biases(struct program *p, const int *linears, int n, const char *name) {
    const struct recipe *parts[RECIPE_MAX_PARTS];
    for (int i = 0; i < n; i++) parts[i] = p->tensors[p->ops[linears[i]].in[2]].recipe;
    enum dtype t = p->tensors[p->ops[linears[0]].in[2]].dtype;
    return program_weight(p, arena_copy_string(&p->arena, name), t, recipe_concat(&p->arena, parts, n), 1);
}

static int is_plain_linear(const struct program *p, const struct op *op) {
    return op->kind == OP_LINEAR && op->n_out == 1 && weight_of(p, op)->kind != RECIPE_CONCAT;
}

static int feeds_attention(const struct match *m, int op) {
    int tensor = m->program->ops[op].out[0];
    if (m->n_users[tensor] != 1) return 0;
    enum op_kind k = m->program->ops[m->user[tensor]].kind;
    return k == OP_ROPE || k == OP_KV_WRITE || k == OP_ATTN_SCORES || k == OP_ATTENTION || k == OP_ROPE_KV_WRITE;
}

/* Linears of one input that all feed attention: q, k, v → one product with three outputs. */
static int fuse_qkv(struct pass *f, int i) {
    struct program *p = f->m.program;
    const struct op *first = &p->ops[i];
    int set[RECIPE_MAX_PARTS], n = 0;
    if (!is_plain_linear(p, first) || !feeds_attention(&f->m, i)) return 0;
    for (size_t j = (size_t)i; j < p->n_ops && n < 3; j++) {
        const struct op *op = &p->ops[j];
        if (is_plain_linear(p, op) && op->in[0] == first->in[0] && op->n_in == first->n_in && same_place(op, first) &&
            op->i[0] == first->i[0] && feeds_attention(&f->m, (int)j))
            set[n++] = (int)j;
    }
    if (n < 2) return 0;
    struct op fused = *first;
    fused.n_out = (int16_t)n;
    for (int k = 0; k < n; k++) fused.out[k] = p->ops[set[k]].out[0];
    char *name = arena_printf(&p->arena, "%s.stacked", p->tensors[first->in[1]].name);
    int has_bias = first->n_in == 3;
    fused.in[1] = stack_weights(p, set, n, name);
    if (has_bias) fused.in[2] = stack_biases(p, set, n, arena_printf(&p->arena, "%s.bias", name));
    return match_replace(&f->m, set, n, set[0], &fused, f->context, f->out);
}

/* silu(x·gateᵀ) · (x·upᵀ): the product's row i of gate and of up meet in registers. */
static int fuse_swiglu(struct pass *f, int i) {
    struct program *p = f->m.program;
    int silu = p->ops[i].kind == OP_LINEAR ? match_next(&f->m, i, 0, OP_SILU, 0) : -1;
    int mul = silu >= 0 ? match_next(&f->m, silu, 0, OP_MUL, -1) : -1;
    if (mul < 0) return 0;
    int other = p->ops[mul].in[p->ops[mul].in[0] == p->ops[silu].out[0] ? 1 : 0];
    int up = match_is_private(&f->m, other) ? f->m.producer[other] : -1;
    const struct op *gate = &p->ops[i];
    if (up < 0 || !is_plain_linear(p, gate) || !is_plain_linear(p, &p->ops[up]) || p->ops[up].in[0] != gate->in[0]) return 0;
    if (gate->n_in != 2 || p->ops[up].n_in != 2) return 0; /* with biases the plain form stays */
    char *name = arena_printf(&p->arena, "%s.stacked", p->tensors[gate->in[1]].name);
    struct op fused = {.kind = OP_LINEAR_SWIGLU, .n_in = 2, .in = {gate->in[0], stack_weights(p, (int[]){i, up}, 2, name)},
        .n_out = 1, .out = {p->ops[mul].out[0]}, .place = p->ops[i].place, .device = p->ops[i].device, .category = CATEGORY_LINEAR};
    return match_replace(&f->m, (int[]){i, up, silu, mul}, 4, mul, &fused, f->context, f->out);
}

/* gelu(x·wᵀ + b) */
static int fuse_gelu(struct pass *f, int i) {
    struct program *p = f->m.program;
    int gelu = is_plain_linear(p, &p->ops[i]) ? match_next(&f->m, i, 0, OP_GELU, 0) : -1;
    if (gelu < 0) return 0;
    struct op fused = p->ops[i];
    fused.kind = OP_LINEAR_GELU;
    fused.out[0] = p->ops[gelu].out[0];
    return match_replace(&f->m, (int[]){i, gelu}, 2, gelu, &fused, f->context, f->out);
}

/* ---- rotation and cache write ---- */

static int find_value_write(const struct program *p, const struct op *key_write, int after) {
    for (size_t j = 0; j < p->n_ops; j++) {
        const struct op *op = &p->ops[j];
        if ((int)j != after && op->kind == OP_KV_WRITE && same_place(op, key_write) && op->in[1] == key_write->in[1] &&
            op->in[2] == key_write->in[2] && op->in[3] != key_write->in[3])
            return (int)j;
    }
    return -1;
}

static int find_query_rope(const struct program *p, const struct op *key_rope) {
    for (size_t j = 0; j < p->n_ops; j++) {
        const struct op *op = &p->ops[j];
        if (op->kind == OP_ROPE && op != key_rope && same_place(op, key_rope) && op->in[1] == key_rope->in[1] && op->in[2] == key_rope->in[2])
            return (int)j;
    }
    return -1;
}

static int fuse_rope_kv(struct pass *f, int i) {
    struct program *p = f->m.program;
    int write = p->ops[i].kind == OP_ROPE ? match_next(&f->m, i, 0, OP_KV_WRITE, 0) : -1;
    if (write < 0) return 0;
    const struct op *key = &p->ops[i], *key_write = &p->ops[write];
    int value = find_value_write(p, key_write, write), query = find_query_rope(p, key);
    if (value < 0 || query < 0) return 0;
    const struct op *q = &p->ops[query], *v = &p->ops[value];
    int last = write > value ? write : value;
    if (query > last) last = query;
    if (f->m.user[q->out[0]] < last) return 0; /* the rotated query is wanted before */
    struct op fused = {.kind = OP_ROPE_KV_WRITE, .n_in = 8,
        .in = {q->in[0], key->in[0], v->in[0], key->in[1], key_write->in[1], key->in[2], key_write->in[3], v->in[3]},
        .n_out = 1, .out = {q->out[0]}, .i = {q->i[0], key->i[0]}, .place = key->place, .device = key->device,
        .category = CATEGORY_ATTENTION};
    return match_replace(&f->m, (int[]){query, i, write, value}, 4, last, &fused, f->context, f->out);
}

static const struct {
    const char *name;
    int (*fuse)(struct pass *f, int op);
} patterns[] = {{"swiglu", fuse_swiglu}, {"gelu", fuse_gelu}, {"qkv", fuse_qkv}, {"rope_kv", fuse_rope_kv}, {"add_norm", fuse_add_norm}};

static void fuse_program(struct program *p, const char *chosen, const struct rewrite_context *context, struct rewrite *out) {
    struct pass f = {.context = context, .out = out};
    match_begin(&f.m, p);
    for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
        if (!setting_has(chosen, patterns[k].name)) continue;
        /* A replacement moves later ops forward; looking at the same place again finds what is there now. */
        for (int i = 0; i < (int)p->n_ops; i++)
            if (patterns[k].fuse(&f, i)) i = i > 0 ? i - 1 : -1;
    }
    match_end(&f.m);
}

static enum status apply(struct pipeline *p, enum phase phase, const struct settings *s,
                         const struct rewrite_context *context, struct rewrite *out, struct error *e) {
    (void)phase;
    (void)e;
    for (int i = 0; i < p->n_programs; i++) fuse_program(&p->programs[i], s->value[0], context, out);
    return STATUS_OK;
}

static int is_mine(const struct op *op) { return op->n_covers > 0 && op->kind != OP_ATTENTION; }

static void receipt(const struct settings *s, const struct rewrite *r, const struct executed *x, struct receipt *out) {
    (void)s;
    receipt_from_ops("fused operations", r, x, is_mine, out);
}

const struct optimizer optimizer_fusion = {
    .name = "fusion", .summary = "residual+norm, QKV, gate·up·SiLU, linear+GELU, rope+cache write as one operation each",
    .phases = 1u << PHASE_PROGRAM_, .rank = 20, .fidelity = FIDELITY_IS_REORDERED, .settings = settings,
    .apply = apply, .receipt = receipt,
};
