/* ops_plain.c: operations that pass once over their operands: elementwise, by rows, gathers, rotation, cache. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum { RUN_ELEMENTS = 64 }; /* slices are whole cache lines of every type */

/* ---- elementwise: a slice of all elements ---- */

struct run {
    enum dtype t;
    int64_t n;               /* elements of this member */
    const void *a, *b;
    void *y;
};

static struct run run_of(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    int64_t first, last;
    cpu_slice(tensor_elements(x, c->q->symbols), RUN_ELEMENTS, c->member, c->members, &first, &last);
    return (struct run){x->dtype, last - first, cpu_at(cpu_in(c, 0), x->dtype, first),
                        c->o->op->n_in > 1 ? cpu_at(cpu_in(c, 1), x->dtype, first) : NULL, cpu_at_out(cpu_out(c, 0), x->dtype, first)};
}

void cpu_scale(const struct cpu_call *c) {
    struct run r = run_of(c);
    cpu_isa(c)->scale(r.t, r.a, c->o->op->f[0], r.y, r.n);
}

void cpu_add(const struct cpu_call *c) {
    struct run r = run_of(c);
    cpu_isa(c)->add(r.t, r.a, r.b, r.y, r.n);
}

void cpu_mul(const struct cpu_call *c) {
    struct run r = run_of(c);
    cpu_isa(c)->mul(r.t, r.a, r.b, r.y, r.n);
}

void cpu_silu(const struct cpu_call *c) {
    struct run r = run_of(c);
    cpu_isa(c)->silu(r.t, r.a, r.y, r.n);
}

void cpu_gelu(const struct cpu_call *c) {
    struct run r = run_of(c);
    cpu_isa(c)->gelu(r.t, r.a, r.y, r.n);
}

void cpu_copy(const struct cpu_call *c) {
    struct run r = run_of(c);
    memcpy(r.y, r.a, (size_t)r.n * dtype_bytes(r.t));
}

/* ---- by rows of the last dim ---- */

struct rows {
    enum dtype t;
    int64_t first, last, width;
};

static struct rows rows_of(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    struct rows r = {.t = x->dtype, .width = cpu_dim(c, x, x->n_dims - 1)};
    int64_t all = 1;
    for (int i = 0; i < x->n_dims - 1; i++) all *= cpu_dim(c, x, i);
    cpu_slice(all, 1, c->member, c->members, &r.first, &r.last);
    return r;
}

void cpu_softmax(const struct cpu_call *c) {
    struct rows r = rows_of(c);
    for (int64_t i = r.first; i < r.last; i++)
        cpu_isa(c)->softmax(r.t, cpu_at(cpu_in(c, 0), r.t, i * r.width), cpu_at_out(cpu_out(c, 0), r.t, i * r.width), r.width);
}

/* s (R, H, S): keys beyond the row's position become −inf. */
void cpu_causal_mask(const struct cpu_call *c) {
    struct rows r = rows_of(c);
    int64_t heads = cpu_dim(c, cpu_in_type(c, 0), 1), bytes = (int64_t)dtype_bytes(r.t);
    const int32_t *pos = cpu_in(c, 1);
    uint32_t minus_infinity = r.t == DTYPE_F32 ? 0xff800000u : r.t == DTYPE_BF16 ? 0xff80u : 0xfc00u;
    for (int64_t i = r.first; i < r.last; i++) {
        int64_t seen = (int64_t)pos[i / heads] + 1;
        seen = seen < 0 ? 0 : seen > r.width ? r.width : seen;
        char *y = cpu_at_out(cpu_out(c, 0), r.t, i * r.width);
        memcpy(y, cpu_at(cpu_in(c, 0), r.t, i * r.width), (size_t)(seen * bytes));
        for (int64_t j = seen; j < r.width; j++) memcpy(y + j * bytes, &minus_infinity, (size_t)bytes);
    }
}


void cpu_rmsnorm(const struct cpu_call *c) {
    struct rows r = rows_of(c);
    for (int64_t i = r.first; i < r.last; i++)
        cpu_isa(c)->rmsnorm(r.t, cpu_at(cpu_in(c, 0), r.t, i * r.width), cpu_vector(c, 0), c->o->op->f[0],
                            cpu_at_out(cpu_out(c, 0), r.t, i * r.width), r.width);
}

void cpu_layernorm(const struct cpu_call *c) {
    struct rows r = rows_of(c);
    for (int64_t i = r.first; i < r.last; i++)
        cpu_isa(c)->layernorm(r.t, cpu_at(cpu_in(c, 0), r.t, i * r.width), cpu_vector(c, 0), cpu_vector(c, 1), c->o->op->f[0],
                              cpu_at_out(cpu_out(c, 0), r.t, i * r.width), r.width);
}

void cpu_add_rmsnorm(const struct cpu_call *c) {
    struct rows r = rows_of(c);
    for (int64_t i = r.first; i < r.last; i++) {
        int64_t at = i * r.width;
        cpu_isa(c)->add_rmsnorm(r.t, cpu_at(cpu_in(c, 0), r.t, at), cpu_at(cpu_in(c, 1), r.t, at), cpu_vector(c, 0), c->o->op->f[0],
                                cpu_at_out(cpu_out(c, 0), r.t, at), cpu_at_out(cpu_out(c, 1), r.t, at), r.width);
    }
}

/* ---- gathers ---- */

/* The row of a dense table is converted only where its type is not the output's. */
void cpu_embed(const struct cpu_call *c) {
    const struct cpu_weight *w = c->o->weight;
    const int32_t *ids = cpu_in(c, 1);
    enum dtype t = cpu_out_type(c, 0)->dtype;
    int64_t first, last;
    cpu_slice(cpu_dim(c, cpu_out_type(c, 0), 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) {
        void *y = cpu_at_out(cpu_out(c, 0), t, r * w->cols);
        if (ids[r] < 0 || ids[r] >= w->rows) {
            cpu_fault(c, STATUS_INPUT, "token id %d is outside the vocabulary (%lld)", ids[r], (long long)w->rows);
            memset(y, 0, (size_t)w->cols * dtype_bytes(t));
            continue;
        }
        const struct cpu_segment *s = cpu_segment_of(w, ids[r]);
        const char *row = cpu_row(s, ids[r] - s->first);
        if (s->encoding == encoding_of_dtype(t)) {
            memcpy(y, row, s->stride);
        } else {
            s->encoding->decode(row, cpu_scratch(c), w->cols);
            cpu_isa(c)->from_f32(t, cpu_scratch(c), y, w->cols);
        }
    }
}

void cpu_gather_rows(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    const int32_t *index = cpu_in(c, 1);
    int64_t rows = cpu_dim(c, x, 0), width = cpu_dim(c, x, 1), first, last;
    cpu_slice(cpu_dim(c, cpu_out_type(c, 0), 0), 1, c->member, c->members, &first, &last);
    for (int64_t i = first; i < last; i++) {
        void *y = cpu_at_out(cpu_out(c, 0), x->dtype, i * width);
        if (index[i] >= 0 && index[i] < rows) {
            memcpy(y, cpu_at(cpu_in(c, 0), x->dtype, index[i] * width), (size_t)width * dtype_bytes(x->dtype));
        } else {
            cpu_fault(c, STATUS_INPUT, "row %d is gathered of %lld rows", index[i], (long long)rows);
            memset(y, 0, (size_t)width * dtype_bytes(x->dtype));
        }
    }
}

/* ---- rotation and cache ---- */

/* This row's cosines and sines: from the table, or computed where a position lies beyond it. */
static void find_angles(const struct cpu_call *c, int freq_input, int64_t pos, const float **cosine, const float **sine) {
    const struct cpu_angles *a = c->o->angles;
    if (pos >= 0 && pos < a->positions) {
        *cosine = a->cosine + pos * a->half;
        *sine = a->sine + pos * a->half;
        return;
    }
    const double *inv_freq = cpu_in(c, freq_input);
    float *to = cpu_scratch(c);
    for (int64_t j = 0; j < a->half; j++) {
        to[j] = (float)cos((double)pos * inv_freq[j]);
        to[a->half + j] = (float)sin((double)pos * inv_freq[j]);
    }
    *cosine = to;
    *sine = to + a->half;
}

void cpu_rope(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    const int32_t *pos = cpu_in(c, 1);
    int64_t width = cpu_dim(c, x, 1), first, last;
    cpu_slice(cpu_dim(c, x, 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) {
        const float *cosine, *sine;
        find_angles(c, 2, pos[r], &cosine, &sine);
        cpu_isa(c)->rope(x->dtype, cpu_at(cpu_in(c, 0), x->dtype, r * width), cpu_at_out(cpu_out(c, 0), x->dtype, r * width),
                         c->o->op->i[0], c->o->angles->half, cosine, sine);
    }
}

/* Row (slot, pos) of a cache (B, S, G·K), dense or encoded, laid out at the symbols' maxima; NULL, and a fault, where it has none. */
static char *cache_row(const struct cpu_call *c, int input, int32_t slot, int32_t pos) {
    const struct tensor *t = cpu_in_type(c, input);
    const int64_t *most = c->q->head.program->symbol_max;
    int64_t slots = dim_value(t->dims[0], most), positions = dim_value(t->dims[1], most);
    if (slot >= 0 && slot < slots && pos >= 0 && pos < positions)
        return (char *)cpu_state_of(c, input) + (size_t)(slot * positions + pos) * tensor_row_bytes(t);
    cpu_fault(c, STATUS_INPUT, "a key of slot %d, position %d is outside the cache '%s' (%lld slots of %lld positions)", slot, pos,
              t->name, (long long)slots, (long long)positions);
    return NULL;
}

/* A row of keys or values into the cache: copied, or each head's vector to a scale and codes (encodings/int8_row.c). */
static void store_row(const struct cpu_call *c, int input, const void *x, char *to) {
    const struct tensor *t = cpu_in_type(c, input);
    if (!t->encoding) {
        memcpy(to, x, tensor_row_bytes(t));
        return;
    }
    int64_t width = tensor_vector_length(t);
    for (int64_t g = 0; g < t->vectors; g++, to += tensor_vector_bytes(t)) {
        float scale = cpu_isa(c)->round_row(t->dtype, cpu_at(x, t->dtype, g * width), width, (int8_t *)to + sizeof scale);
        memcpy(to, &scale, sizeof scale);
    }
}

void cpu_kv_write(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    const int32_t *slots = cpu_in(c, 1), *pos = cpu_in(c, 2);
    int64_t width = cpu_dim(c, x, 1), first, last;
    cpu_slice(cpu_dim(c, x, 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) {
        char *to = cache_row(c, 3, slots[r], pos[r]);
        if (to) store_row(c, 3, cpu_at(cpu_in(c, 0), x->dtype, r * width), to);
    }
}

void cpu_rope_kv_write(const struct cpu_call *c) {
    const struct tensor *q = cpu_in_type(c, 0), *k = cpu_in_type(c, 1);
    const int32_t *pos = cpu_in(c, 3), *slots = cpu_in(c, 4);
    int64_t half = c->o->angles->half, wide = cpu_dim(c, q, 1), narrow = cpu_dim(c, k, 1), first, last;
    cpu_slice(cpu_dim(c, q, 0), 1, c->member, c->members, &first, &last);
    for (int64_t r = first; r < last; r++) {
        const float *cosine, *sine;
        char *key = cache_row(c, 6, slots[r], pos[r]), *value = cache_row(c, 7, slots[r], pos[r]);
        find_angles(c, 5, pos[r], &cosine, &sine);
        cpu_isa(c)->rope(q->dtype, cpu_at(cpu_in(c, 0), q->dtype, r * wide), cpu_at_out(cpu_out(c, 0), q->dtype, r * wide),
                         c->o->op->i[0], half, cosine, sine);
        if (!key || !value) continue;
        void *turned = cpu_in_type(c, 6)->encoding ? (void *)((float *)cpu_scratch(c) + 2 * half) : key; /* rounded to its type first, as the plain operations do */
        cpu_isa(c)->rope(k->dtype, cpu_at(cpu_in(c, 1), k->dtype, r * narrow), turned, c->o->op->i[1], half, cosine, sine);
        if (turned != key) store_row(c, 6, turned, key);
        store_row(c, 7, cpu_at(cpu_in(c, 2), k->dtype, r * narrow), value);
    }
}

void cpu_need_plain(const struct program *p, const struct op *op, struct cpu_need *out) {
    *out = (struct cpu_need){0};
    const struct tensor *first = op->n_in ? &p->tensors[op->in[0]] : NULL;
    if (op->kind == OP_EMBED) out->scratch = (size_t)first->recipe->cols * sizeof(float);
    if (op->kind == OP_ROPE) out->scratch = 2 * (size_t)p->tensors[op->in[2]].dims[0].size * sizeof(float);
    if (op->kind == OP_ROPE_KV_WRITE) { /* angles; a row of keys turned */
        const struct tensor *k = &p->tensors[op->in[1]];
        out->scratch = 2 * (size_t)p->tensors[op->in[5]].dims[0].size * sizeof(float) + (size_t)k->dims[1].size * dtype_bytes(k->dtype);
    }
    /* logits as f32 and, for each candidate, its index */
    if (op->kind == OP_SAMPLE) out->scratch = (size_t)first->dims[1].size * (sizeof(float) + sizeof(int32_t));
}
