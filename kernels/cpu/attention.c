/* attention.c: scores, values, and both with an online softmax between them.
 *
 * Work is cut into items: a block of neighbouring rows of one slot × one key-value head (× a range of keys, where
 * there are too few items for the team). The rows' queries of that head group, up to MAX_QUERIES vectors, meet the
 * keys in tiles of TILE_KEYS: a tile of K is transposed to f32 once and serves all of them, as does a tile of V.
 * Of a cache in int8 the tiles are its codes: a key's scale multiplies its scores, a value's its probabilities.
 * Every key-value head is so read once for its H/G query heads, and keys that no row of a block sees are not read.
 *
 * Online softmax: Milakov & Gimelshein 2018; tiles and the merging of key ranges: Dao et al. 2022 and 2023. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum {
    MAX_QUERIES = 96,        /* vectors of a block: a multiple of the tile kernel's height */
    TILE_KEYS = 64,
    CACHE_LINE = 64,
    LEAST_SPLIT_KEYS = 128
};

static int64_t pad16(int64_t n) { return (n + 15) / 16 * 16; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* What the three operations share. */
struct view {
    const struct cpu_call *c;
    const struct isa_kernels *isa;
    int64_t rows, heads, groups, per, width, keys; /* per = H/G; width: of a head; keys: S */
    int64_t positions, slots;                      /* of the cache's layout */
    const int32_t *slot, *pos;
};

static struct view view_of(const struct cpu_call *c, const struct tensor *cache, int slots_input, int64_t rows) {
    const int64_t *most = c->q->head.program->symbol_max;
    struct view v = {.c = c, .isa = cpu_isa(c), .rows = rows, .heads = c->o->op->i[0], .groups = c->o->op->i[1]};
    v.per = v.heads / v.groups;
    v.width = cache->dims[2].size / v.groups;
    v.keys = cpu_dim(c, cache, 1);
    v.slots = dim_value(cache->dims[0], most);
    v.positions = dim_value(cache->dims[1], most);
    v.slot = cpu_in(c, slots_input);
    v.pos = cpu_in(c, slots_input + 1);
    return v;
}

/* ---- blocks of rows ---- */

struct block {
    int64_t first, n, seen;  /* rows; keys that the furthest of them sees */
};

/* The longest run of rows of one slot from `first` on that a block can hold. */
static struct block block_at(const struct view *v, int64_t first) {
    struct block b = {first, 0, 0};
    int64_t most = MAX_QUERIES / v->per > 0 ? MAX_QUERIES / v->per : 1;
    while (b.n < most && first + b.n < v->rows && v->slot[first + b.n] == v->slot[first]) {
        int64_t seen = (int64_t)v->pos[first + b.n] + 1;
        if (seen > b.seen) b.seen = seen;
        b.n++;
    }
    return b;
}

static int is_inside(const struct view *v, const struct block *b) {
    for (int64_t r = b->first; r < b->first + b->n; r++)
        if (v->slot[r] < 0 || v->slot[r] >= v->slots || v->pos[r] < 0 || v->pos[r] >= v->positions) {
            cpu_fault(v->c, STATUS_INPUT, "a query of slot %d, position %d is outside the cache (%lld slots of %lld positions)", v->slot[r],
                      v->pos[r], (long long)v->slots, (long long)v->positions);
            return 0;
        }
    return 1;
}

struct item {
    struct block block;
    int64_t group, unit;     /* unit: number of the (block, group) */
    int64_t from, to;        /* keys */
    int split, n_splits;
};
typedef void item_kernel(const struct view *v, const struct item *item, void *to);

/* Into how many key ranges a block's units are cut, so that the team has enough items. */
static int splits_of(const struct view *v, int64_t units, int64_t seen) {
    int64_t want = (int64_t)CPU_ITEMS_A_MEMBER * v->c->members;
    if (v->c->members == 1 || units >= want) return 1;
    int64_t n = least((want + units - 1) / units, seen / LEAST_SPLIT_KEYS);
    return n < 1 ? 1 : (int)n;
}

/* Calls `work` for this member's items. The items' costs (rows × keys) lie on a line that is cut into equal parts;
 * an item is done by the member in whose part its middle lies: no counter, and the same split every time. */
static void each_item(const struct view *v, int is_causal, int can_split, item_kernel *work, void *to) {
    int64_t units = 0, total = 0, at = 0, unit = 0;
    for (int64_t r = 0; r < v->rows;) {
        struct block b = block_at(v, r);
        units += v->groups;
        total += b.n * (is_causal ? b.seen : v->keys) * v->groups;
        r += b.n;
    }
    for (int64_t r = 0; r < v->rows;) {
        struct block b = block_at(v, r);
        int64_t keys = is_causal ? b.seen : v->keys;
        int n = can_split ? splits_of(v, units, keys) : 1;
        for (int64_t g = 0; g < v->groups; g++, unit++)
            for (int s = 0; s < n; s++) {
                struct item item = {b, g, unit, keys * s / n, keys * (s + 1) / n, s, n};
                int64_t cost = (item.to - item.from) * b.n;
                int64_t owner = total > 0 ? (2 * at + cost) * v->c->members / (2 * total) : 0;
                if (owner == v->c->member && is_inside(v, &b)) work(v, &item, to);
                at += cost;
            }
        r += b.n;
    }
}

/* ---- a member's scratch ---- */

struct buffers {
    float *q, *keys, *values, *s, *o, *max, *sum, *scales;
    int64_t *visible, *at;   /* at: of each query vector, in elements of the query (or output) row array */
};

static size_t work_floats(int64_t width, int64_t per) {
    int64_t queries = per > MAX_QUERIES ? per : MAX_QUERIES;
    return (size_t)(queries * pad16(width) + pad16(width) * TILE_KEYS + TILE_KEYS * pad16(width) + queries * TILE_KEYS +
                    queries * pad16(width) + 2 * pad16(queries) + 4 * pad16(queries) + TILE_KEYS);
}

static struct buffers work_in(const struct view *v) {
    int64_t queries = v->per > MAX_QUERIES ? v->per : MAX_QUERIES, wide = pad16(v->width);
    struct buffers w;
    w.q = cpu_scratch(v->c);
    w.keys = w.q + queries * wide;
    w.values = w.keys + wide * TILE_KEYS;
    w.s = w.values + TILE_KEYS * wide;
    w.o = w.s + queries * TILE_KEYS;
    w.max = w.o + queries * wide;
    w.sum = w.max + pad16(queries);
    w.visible = (int64_t *)(void *)(w.sum + pad16(queries));
    w.at = w.visible + pad16(queries);
    w.scales = (float *)(void *)(w.at + pad16(queries));
    return w;
}

/* The block's query vectors of one group, scaled, one after the other: (n·per, width). */
static void load_queries(const struct view *v, const struct item *i, const struct tensor *type, const void *q, float scale, float *to) {
    int64_t n = v->per * v->width;
    for (int64_t r = 0; r < i->block.n; r++) {
        int64_t at = (i->block.first + r) * v->heads * v->width + i->group * n;
        v->isa->to_f32(type->dtype, cpu_at(q, type->dtype, at), to + r * n, n);
    }
    if (scale != 1) v->isa->scale(DTYPE_F32, to, scale, to, i->block.n * n);
}

/* An item's keys or values: vector t lies at base + t · stride, in codes where `has_scales` (each behind its scale). */
struct run {
    enum dtype t;
    const char *base;
    size_t stride, bytes; /* bytes: of a vector */
    int has_scales;
};

static struct run run_of(const struct view *v, const struct item *i, int input) {
    const struct tensor *cache = cpu_in_type(v->c, input);
    struct run r = {.t = cache->encoding ? DTYPE_I8 : cache->dtype, .stride = tensor_row_bytes(cache), .has_scales = cache->encoding != NULL};
    r.bytes = cache->encoding ? tensor_vector_bytes(cache) : (size_t)v->width * dtype_bytes(cache->dtype);
    r.base = (const char *)cpu_in(v->c, input) + (size_t)(v->slot[i->block.first] * v->positions) * r.stride + (size_t)i->group * r.bytes;
    return r;
}

static const char *vector_at(const struct run *r, int64_t key) { return r->base + (size_t)key * r->stride; }
static const char *numbers_at(const struct run *r, int64_t key) { return vector_at(r, key) + (r->has_scales ? sizeof(float) : 0); }

/* Asks for the lines of the tile of keys from `key` on, where the item has it: rows lie a whole cache row apart, and
 * the hardware's prefetchers give up at such strides. */
static void ask_tile(const struct item *i, const struct run *r, int64_t key) {
    for (int64_t last = least(key + TILE_KEYS, i->to); key < last; key++)
        for (size_t at = 0; at < r->bytes; at += CACHE_LINE) __builtin_prefetch(vector_at(r, key) + at);
}

/* Column t of w.s (queries, TILE_KEYS) · the scale of vector key + t, t < n. */
static void scale_columns(const struct view *v, const struct item *i, const struct buffers *w, const struct run *r, int64_t key, int64_t n) {
    if (!r->has_scales) return;
    for (int64_t t = 0; t < n; t++) memcpy(&w->scales[t], vector_at(r, key + t), sizeof *w->scales);
    for (int64_t j = 0; j < i->block.n * v->per; j++) v->isa->mul(DTYPE_F32, w->s + j * TILE_KEYS, w->scales, w->s + j * TILE_KEYS, n);
}

/* w.s (queries, TILE_KEYS) = q · k for keys key..key+n. */
static void tile_scores(const struct view *v, const struct item *i, const struct buffers *w, int input, int64_t key, int64_t n) {
    struct run r = run_of(v, i, input);
    ask_tile(i, &r, key + TILE_KEYS);
    v->isa->transpose(r.t, numbers_at(&r, key), (int64_t)(r.stride / dtype_bytes(r.t)), n, v->width, w->keys, TILE_KEYS);
    struct tile_product p = {.a = w->q, .b = w->keys, .c = w->s, .m = i->block.n * v->per, .n = pad16(n), .k = v->width,
                             .a_stride = v->width, .b_stride = TILE_KEYS, .c_stride = TILE_KEYS};
    v->isa->tile(&p);
    scale_columns(v, i, w, &r, key, n);
}

/* w.o (queries, pad16(width)) += w.s · values of keys key..key+n; w.s is used up. */
static void tile_values(const struct view *v, const struct item *i, const struct buffers *w, int input, int64_t key, int64_t n) {
    struct run r = run_of(v, i, input);
    int64_t wide = pad16(v->width);
    ask_tile(i, &r, key + TILE_KEYS);
    scale_columns(v, i, w, &r, key, n);
    for (int64_t t = 0; t < n; t++)
        if (r.has_scales) v->isa->from_int8(DTYPE_F32, (const int8_t *)numbers_at(&r, key + t), w->values + t * wide, v->width);
        else v->isa->to_f32(r.t, numbers_at(&r, key + t), w->values + t * wide, v->width);
    struct tile_product p = {.a = w->s, .b = w->values, .c = w->o, .m = i->block.n * v->per, .n = wide, .k = n,
                             .a_stride = TILE_KEYS, .b_stride = wide, .c_stride = wide, .is_added = 1};
    v->isa->tile(&p);
}

/* Query vector j of an item: its row and head. */
static int64_t row_of(const struct view *v, const struct item *i, int64_t j) { return i->block.first + j / v->per; }
static int64_t head_of(const struct view *v, const struct item *i, int64_t j) { return i->group * v->per + j % v->per; }

/* Writes query vector j's result o · f to the output (R, H·width). */
static void store_query(const struct view *v, const struct item *i, int64_t j, float *o, float f) {
    enum dtype t = cpu_out_type(v->c, 0)->dtype;
    void *to = cpu_at_out(cpu_out(v->c, 0), t, (row_of(v, i, j) * v->heads + head_of(v, i, j)) * v->width);
    if (f != 1) v->isa->scale(DTYPE_F32, o, f, o, v->width);
    v->isa->from_f32(t, o, to, v->width);
}

/* ---- the plain operations: all keys, as a framework without fusion computes them ---- */

static void scores_item(const struct view *v, const struct item *i, void *unused) {
    struct buffers w = work_in(v);
    enum dtype t = cpu_out_type(v->c, 0)->dtype;
    (void)unused;
    load_queries(v, i, cpu_in_type(v->c, 0), cpu_in(v->c, 0), 1, w.q);
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS) {
        int64_t n = least(TILE_KEYS, i->to - key);
        tile_scores(v, i, &w, 1, key, n);
        for (int64_t j = 0; j < i->block.n * v->per; j++) {
            int64_t at = (row_of(v, i, j) * v->heads + head_of(v, i, j)) * v->keys + key;
            v->isa->from_f32(t, w.s + j * TILE_KEYS, cpu_at_out(cpu_out(v->c, 0), t, at), n);
        }
    }
}

void cpu_attn_scores(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 2, cpu_dim(c, cpu_in_type(c, 0), 0));
    each_item(&v, 0, 0, scores_item, NULL);
}

/* The tile's probabilities; 0 where all are zero: what the cache holds there may be anything. */
static int load_probabilities(const struct view *v, const struct item *i, int64_t key, int64_t n, float *s) {
    enum dtype t = cpu_in_type(v->c, 0)->dtype;
    float any = 0;
    for (int64_t j = 0; j < i->block.n * v->per; j++) {
        int64_t at = (row_of(v, i, j) * v->heads + head_of(v, i, j)) * v->keys + key;
        v->isa->to_f32(t, cpu_at(cpu_in(v->c, 0), t, at), s + j * TILE_KEYS, n);
        any += v->isa->dot(DTYPE_F32, s + j * TILE_KEYS, s + j * TILE_KEYS, n);
    }
    return any != 0;
}

static void values_item(const struct view *v, const struct item *i, void *unused) {
    struct buffers w = work_in(v);
    int64_t queries = i->block.n * v->per, wide = pad16(v->width);
    (void)unused;
    memset(w.o, 0, (size_t)(queries * wide) * sizeof *w.o);
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS) {
        int64_t n = least(TILE_KEYS, i->to - key);
        if (load_probabilities(v, i, key, n, w.s)) tile_values(v, i, &w, 1, key, n);
    }
    for (int64_t j = 0; j < queries; j++) store_query(v, i, j, w.o + j * wide, 1);
}

void cpu_attn_values(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 2, cpu_dim(c, cpu_in_type(c, 0), 0));
    each_item(&v, 0, 0, values_item, NULL);
}

/* ---- the fused operation ---- */

/* Results of an item whose unit is split, until the last of the unit's members joins them. */
struct partials {
    atomic_int *arrived;     /* of each unit */
    float *data;             /* (unit, split): o (queries, wide), max (queries), sum (queries) */
    int64_t most_splits;
    size_t stride;           /* floats of one */
};

static size_t partial_floats(int64_t width, int64_t per) {
    int64_t queries = per > MAX_QUERIES ? per : MAX_QUERIES;
    return (size_t)(queries * (pad16(width) + 2));
}

/* Units that are split number fewer than CPU_ITEMS_A_MEMBER · members, and all their splits together at most twice
 * that; (unit, split) is found at unit · splits-of-a-unit, which is the same for units of one call or smaller. */
static struct partials partials_in(const struct view *v, int64_t units) {
    int64_t want = (int64_t)CPU_ITEMS_A_MEMBER * v->c->members;
    return (struct partials){.arrived = v->c->q->device->arrived, .data = v->c->q->device->shared,
                             .most_splits = units < want ? (want + units - 1) / units : 1, .stride = partial_floats(v->width, v->per)};
}

static float *partial(const struct partials *p, int64_t unit, int split) { return p->data + (size_t)(unit * p->most_splits + split) * p->stride; }

static void store_partial(const struct view *v, const struct item *i, const struct buffers *w, float *to) {
    int64_t queries = i->block.n * v->per, wide = pad16(v->width);
    memcpy(to, w->o, (size_t)(queries * wide) * sizeof *to);
    memcpy(to + queries * wide, w->max, (size_t)queries * sizeof *to);
    memcpy(to + queries * wide + queries, w->sum, (size_t)queries * sizeof *to);
}

/* o = Σ o_s e^(m_s − m) / Σ l_s e^(m_s − m), m the largest m_s; ranges in order, whoever does it. */
static void join_partials(const struct view *v, const struct item *i, const struct partials *p, float *o) {
    int64_t queries = i->block.n * v->per, wide = pad16(v->width);
    for (int64_t j = 0; j < queries; j++) {
        float most = -INFINITY, sum = 0;
        for (int s = 0; s < i->n_splits; s++) most = fmaxf(most, partial(p, i->unit, s)[queries * wide + j]);
        memset(o, 0, (size_t)wide * sizeof *o);
        for (int s = 0; s < i->n_splits; s++) {
            const float *part = partial(p, i->unit, s), *max = part + queries * wide;
            float f = max[j] == -INFINITY ? 0 : expf(max[j] - most);
            sum += f * max[queries + j];
            v->isa->add_scaled(DTYPE_F32, part + j * wide, f, o, v->width);
        }
        store_query(v, i, j, o, 1 / sum);
    }
}

static void fused_item(const struct view *v, const struct item *i, void *to) {
    const struct partials *p = to;
    struct buffers w = work_in(v);
    int64_t queries = i->block.n * v->per, wide = pad16(v->width);
    load_queries(v, i, cpu_in_type(v->c, 0), cpu_in(v->c, 0), v->c->o->op->f[0], w.q);
    memset(w.o, 0, (size_t)(queries * wide) * sizeof *w.o);
    for (int64_t j = 0; j < queries; j++) {
        w.max[j] = -INFINITY;
        w.sum[j] = 0;
    }
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS) {
        int64_t n = least(TILE_KEYS, i->to - key);
        tile_scores(v, i, &w, 1, key, n);
        for (int64_t j = 0; j < queries; j++) w.visible[j] = least(n, (int64_t)v->pos[row_of(v, i, j)] + 1 - key);
        struct softmax_tile t = {w.s, w.o, w.max, w.sum, w.visible, queries, pad16(n), wide, TILE_KEYS, wide};
        v->isa->softmax_tile(&t);
        tile_values(v, i, &w, 2, key, n);
    }
    if (i->n_splits == 1) {
        for (int64_t j = 0; j < queries; j++) store_query(v, i, j, w.o + j * wide, 1 / w.sum[j]);
        return;
    }
    store_partial(v, i, &w, partial(p, i->unit, i->split));
    if (atomic_fetch_add_explicit(&p->arrived[i->unit], 1, memory_order_acq_rel) + 1 < i->n_splits) return;
    atomic_store_explicit(&p->arrived[i->unit], 0, memory_order_relaxed);
    join_partials(v, i, p, w.o);
}

void cpu_attention(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 3, cpu_dim(c, cpu_in_type(c, 0), 0));
    int64_t units = 0;
    for (int64_t r = 0; r < v.rows; units += v.groups) r += block_at(&v, r).n;
    struct partials p = units > 0 && c->members > 1 ? partials_in(&v, units) : (struct partials){0};
    each_item(&v, 1, 1, fused_item, &p);
}

void cpu_need_attention(const struct cpu_device *d, const struct program *p, const struct op *op, struct cpu_need *out) {
    const struct tensor *cache = &p->tensors[op->in[1]];
    int64_t width = cache->dims[2].size / op->i[1], per = op->i[0] / op->i[1];
    *out = (struct cpu_need){.scratch = work_floats(width, per) * sizeof(float)};
    if (op->kind == OP_ATTENTION && d->size > 1)
        out->shared = 2 * (size_t)CPU_ITEMS_A_MEMBER * (size_t)d->size * partial_floats(width, per) * sizeof(float);
}
