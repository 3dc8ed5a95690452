/* launch.c: an operation of the table as a launch of a kernel: which one, and with what. */
#include <string.h>

#include "kernels/cuda/cuda.h"

typedef int launcher(const struct cuda_call *c);

static void *stream_of(const struct cuda_call *c) { return c->q->device->stream; }
static const struct cuda_kernels *kernels_of(const struct cuda_call *c) { return c->q->device->kernels; }

/* ---- elementwise ---- */

static int launch_map(const struct cuda_call *c, enum cuda_map_kind kind) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_map m = {.kind = kind, .t = x->dtype, .n = tensor_elements(x, c->q->symbols), .a = cuda_in(c, 0), .b = c->o->op->n_in > 1 ? cuda_in(c, 1) : NULL,
                         .y = cuda_out(c, 0), .f = c->o->op->f[0]};
    return kernels_of(c)->map(stream_of(c), &m);
}

static int scale(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_SCALE); }
static int add(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_ADD); }
static int mul(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_MUL); }
static int silu(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_SILU); }
static int gelu(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_GELU); }
static int copy(const struct cuda_call *c) { return launch_map(c, CUDA_MAP_COPY); }

/* ---- by rows ---- */

static int norm(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    int is_fused = c->o->op->kind == OP_ADD_RMSNORM;
    struct cuda_norm n = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .width = cuda_dim(c, x, 1), .a = cuda_in(c, 0), .b = is_fused ? cuda_in(c, 1) : NULL,
                          .sum = is_fused ? cuda_out(c, 0) : NULL, .y = cuda_out(c, is_fused), .g = c->o->vectors[0]->data, .eps = c->o->op->f[0]};
    return kernels_of(c)->norm(stream_of(c), &n);
}

static int layernorm(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_layernorm n = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .width = cuda_dim(c, x, 1), .x = cuda_in(c, 0), .y = cuda_out(c, 0),
                               .g = c->o->vectors[0]->data, .b = c->o->vectors[1]->data, .eps = c->o->op->f[0]};
    return kernels_of(c)->layernorm(stream_of(c), &n);
}

static int softmax(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    int64_t width = cuda_dim(c, x, x->n_dims - 1);
    struct cuda_softmax s = {.t = x->dtype, .rows = width ? tensor_elements(x, c->q->symbols) / width : 0, .width = width, .x = cuda_in(c, 0), .y = cuda_out(c, 0)};
    return kernels_of(c)->softmax(stream_of(c), &s);
}

static int mask(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_mask m = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .heads = cuda_dim(c, x, 1), .keys = cuda_dim(c, x, 2), .pos = cuda_in(c, 1), .x = cuda_in(c, 0), .y = cuda_out(c, 0)};
    return kernels_of(c)->mask(stream_of(c), &m);
}

/* The rows of a table or tensor that an index names. */
static int launch_gather(const struct cuda_call *c, const void *x, int64_t height, int32_t fault_code) {
    const struct tensor *y = cuda_out_type(c, 0);
    struct cuda_gather g = {.t = y->dtype, .rows = cuda_dim(c, y, 0), .width = cuda_dim(c, y, 1), .height = height, .x = x, .index = cuda_in(c, 1), .y = cuda_out(c, 0),
                            .fault = c->q->device->fault, .fault_code = fault_code, .op = c->index};
    return kernels_of(c)->gather(stream_of(c), &g);
}

static int embed(const struct cuda_call *c) { return launch_gather(c, c->o->weight->data, c->o->weight->rows, CUDA_FAULT_ID); }
static int gather_rows(const struct cuda_call *c) { return launch_gather(c, cuda_in(c, 0), cuda_dim(c, cuda_in_type(c, 0), 0), CUDA_FAULT_ROW); }

/* ---- rotation and cache ---- */

/* A cache's layout is that of the symbols' maxima. */
static struct cuda_place place_of(const struct cuda_call *c, const struct tensor *cache, int slots, int pos) {
    const int64_t *most = c->q->head.program->symbol_max;
    return (struct cuda_place){.slots = cuda_in(c, slots), .pos = cuda_in(c, pos), .n_slots = dim_value(cache->dims[0], most),
                               .positions = dim_value(cache->dims[1], most), .fault = c->q->device->fault, .op = c->index};
}

static struct cuda_turn turn_of(const struct cuda_call *c) {
    const struct cuda_angles *a = c->o->angles;
    return (struct cuda_turn){.cosine = a->cosine, .sine = a->sine, .positions = a->positions, .half = a->half, .fault = c->q->device->fault, .op = c->index};
}

static int rope(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_rope r = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .heads = c->o->op->i[0], .pos = cuda_in(c, 1), .turn = turn_of(c), .x = cuda_in(c, 0), .y = cuda_out(c, 0)};
    return kernels_of(c)->rope(stream_of(c), &r);
}

static int kv_write(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_kv_write k = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .width = cuda_dim(c, x, 1), .place = place_of(c, cuda_in_type(c, 3), 1, 2), .x = cuda_in(c, 0), .cache = cuda_in(c, 3)};
    return kernels_of(c)->kv_write(stream_of(c), &k);
}

static int rope_kv_write(const struct cuda_call *c) {
    const struct tensor *q = cuda_in_type(c, 0);
    struct cuda_rope_kv r = {.t = q->dtype, .rows = cuda_dim(c, q, 0), .heads = c->o->op->i[0], .kv_heads = c->o->op->i[1], .place = place_of(c, cuda_in_type(c, 6), 4, 3),
                             .turn = turn_of(c), .q = cuda_in(c, 0), .k = cuda_in(c, 1), .v = cuda_in(c, 2), .y = cuda_out(c, 0), .k_cache = cuda_in(c, 6), .v_cache = cuda_in(c, 7)};
    return kernels_of(c)->rope_kv(stream_of(c), &r);
}

/* ---- attention ---- */

/* How many rows share a slot's keys, on average. */
static int64_t rows_a_slot(const struct cuda_call *c, int64_t rows) {
    int64_t slots = c->q->symbols[SYMBOL_B];
    return slots > 0 ? (rows + slots - 1) / slots : rows;
}

static struct cuda_attend attend_of(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0), *cache = cuda_in_type(c, 1);
    int64_t rows = cuda_dim(c, x, 0), kv_heads = c->o->op->i[1];
    return (struct cuda_attend){.t = x->dtype, .rows = rows, .heads = c->o->op->i[0], .kv_heads = kv_heads, .width = cache->dims[2].size / kv_heads,
                                .keys = cuda_dim(c, cache, 1), .rows_a_slot = rows_a_slot(c, rows), .place = place_of(c, cache, 2, 3), .x = cuda_in(c, 0),
                                .cache = cuda_in(c, 1), .y = cuda_out(c, 0)};
}

static int scores(const struct cuda_call *c) {
    struct cuda_attend a = attend_of(c);
    return kernels_of(c)->scores(stream_of(c), &a);
}

static int values(const struct cuda_call *c) {
    struct cuda_attend a = attend_of(c);
    return kernels_of(c)->values(stream_of(c), &a);
}

static int attention(const struct cuda_call *c) {
    const struct tensor *q = cuda_in_type(c, 0), *cache = cuda_in_type(c, 1);
    struct cuda_device *d = c->q->device;
    int64_t rows = cuda_dim(c, q, 0), kv_heads = c->o->op->i[1];
    struct cuda_attention a = {.t = q->dtype, .rows = rows, .heads = c->o->op->i[0], .kv_heads = kv_heads, .width = cache->dims[2].size / kv_heads,
                               .keys = cuda_dim(c, cache, 1), .rows_a_slot = rows_a_slot(c, rows), .place = place_of(c, cache, 3, 4), .q = cuda_in(c, 0),
                               .k_cache = cuda_in(c, 1), .v_cache = cuda_in(c, 2), .y = cuda_out(c, 0), .scale = c->o->op->f[0],
                               .n_multiprocessors = d->properties.n_multiprocessors, .partial = d->scratch.data, .arrived = d->counters.data};
    return d->kernels->attention(d->stream, &a);
}

/* ---- choices and likelihood ---- */

static int sample(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_sample s = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .width = cuda_dim(c, x, 1), .logits = cuda_in(c, 0), .params = cuda_in(c, 1), .seeds = cuda_in(c, 2),
                            .y = cuda_out(c, 0), .scratch = c->q->device->choices.data};
    return kernels_of(c)->sample(stream_of(c), &s);
}

static int nll(const struct cuda_call *c) {
    const struct tensor *x = cuda_in_type(c, 0);
    struct cuda_nll n = {.t = x->dtype, .rows = cuda_dim(c, x, 0), .width = cuda_dim(c, x, 1), .logits = cuda_in(c, 0), .targets = cuda_in(c, 1), .y = cuda_out(c, 0),
                         .fault = c->q->device->fault, .op = c->index};
    return kernels_of(c)->nll(stream_of(c), &n);
}

/* ---- the table ---- */

static launcher *const launchers[OP_KIND_COUNT] = {
    [OP_EMBED] = embed, [OP_RMSNORM] = norm, [OP_LAYERNORM] = layernorm, [OP_LINEAR] = cuda_linear, [OP_ROPE] = rope, [OP_KV_WRITE] = kv_write, [OP_ATTN_SCORES] = scores, [OP_SCALE] = scale,
    [OP_CAUSAL_MASK] = mask, [OP_SOFTMAX] = softmax, [OP_ATTN_VALUES] = values, [OP_ADD] = add, [OP_MUL] = mul, [OP_SILU] = silu, [OP_GELU] = gelu,
    [OP_GATHER_ROWS] = gather_rows, [OP_SAMPLE] = sample, [OP_NLL] = nll, [OP_COPY] = copy, [OP_ATTENTION] = attention, [OP_ADD_RMSNORM] = norm,
    [OP_LINEAR_SWIGLU] = cuda_linear, [OP_LINEAR_GELU] = cuda_linear, [OP_ROPE_KV_WRITE] = rope_kv_write,
};

int cuda_launch(const struct cuda_call *c) { return launchers[c->o->op->kind](c); }

static int is_real(enum dtype t) { return t == DTYPE_F32 || t == DTYPE_BF16 || t == DTYPE_F16; }

static int is_encoded(const struct recipe *r) { return r->kind == RECIPE_ENCODE; }

enum status cuda_supports(const struct device *d, const struct program *p, const struct op *op, struct error *e) {
    const char *name = op_table[op->kind].name;
    (void)d;
    if (!launchers[op->kind]) return error_set(e, STATUS_UNSUPPORTED, "%s: no kernel", name);
    for (int i = 0; i < op->n_in; i++) {
        const struct tensor *t = &p->tensors[op->in[i]];
        if (t->encoding) return error_set(e, STATUS_UNSUPPORTED, "%s: cache '%s' is stored as %s, for which there is no kernel yet", name, t->name, t->encoding->name);
        const struct recipe *encoded = t->recipe ? recipe_find(t->recipe, is_encoded) : NULL;
        if (encoded) return error_set(e, STATUS_UNSUPPORTED, "%s: weight '%s' is stored as %s, for which there is no kernel yet", name, t->name, encoded->encoding->name);
    }
    const struct tensor *x = &p->tensors[op->in[0]];
    if (!is_real(x->dtype)) return error_set(e, STATUS_UNSUPPORTED, "%s: '%s' is of type %s", name, x->name, dtype_name(x->dtype));
    enum { WIDEST_HEAD = 128 };
    int64_t width = op->kind == OP_ATTENTION ? p->tensors[op->in[1]].dims[2].size / op->i[1] : 0;
    if (width > WIDEST_HEAD) return error_set(e, STATUS_UNSUPPORTED, "%s: heads are %lld wide, the fused kernels take at most %d", name, (long long)width, WIDEST_HEAD);
    return STATUS_OK;
}

void cuda_need_of(const struct cuda_device *d, const struct program *p, const struct op *op, struct cuda_need *out) {
    const struct tensor *x = &p->tensors[op->in[0]];
    int64_t rows = dim_value(x->dims[0], p->symbol_max);
    *out = (struct cuda_need){.scratch = op->kind == OP_LINEAR_SWIGLU ? cuda_linear_scratch(p, op) : 0};
    if (op->kind == OP_SAMPLE) out->choices = (size_t)d->kernels->sample_scratch_bytes(rows);
    if (op->kind != OP_ATTENTION) return;
    const struct tensor *cache = &p->tensors[op->in[1]];
    int64_t heads = op->i[0], kv_heads = op->i[1];
    out->scratch = (size_t)d->kernels->attention_partial_floats(heads, kv_heads, cache->dims[2].size / kv_heads, d->properties.n_multiprocessors) * sizeof(float);
    out->counters = (size_t)(rows * heads) * sizeof(int32_t);
}
