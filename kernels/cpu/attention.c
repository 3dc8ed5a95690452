/* attention.c: scores, values, and both with an online softmax between them.
 *
 * Work is cut into items: a block of neighbouring rows of one slot × a run of key-value heads × a range of keys, the
 * latter where there are too few items for the team. A block's rows are as many as give one head's queries MAX_QUERIES
 * vectors; where they give fewer, as in decode, an item has as many heads as fill them up, so that the lines of the
 * cache are read in the order in which they lie. A tile of TILE_KEYS keys of a head is turned once and serves all its
 * queries, as does a tile of values: every head is read once for its H/G query heads, and keys that no row of a block sees
 * are not read.
 * Where the processor multiplies pairs of bf16, tiles, queries and probabilities are pairs, else f32; sums and the
 * softmax are f32. Of a cache in int8 the tiles are its codes: a key's scale multiplies its scores, a value's its
 * probabilities.
 *
 * Online softmax: Milakov & Gimelshein 2018; tiles and the merging of key ranges: Dao et al. 2022 and 2023. */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

enum {
    MAX_QUERIES = 96,        /* vectors of an item: a multiple of the tile kernel's height */
    TILE_KEYS = 64,
    CACHE_LINE = 64,
    LEAST_SPLIT_KEYS = 32
};

static int64_t pad16(int64_t n) { return whole_runs(n, 16); }

/* What the three operations share. */
struct view {
    const struct cpu_call *c;
    const struct isa_kernels *isa;
    int64_t rows, heads, groups, per, width, keys; /* per = H/G; width: of a head; keys: S */
    int64_t positions, slots;                      /* of the cache's layout */
    int64_t splits;                                /* key ranges that a unit is cut into at most */
    int has_pairs;                                 /* operands of products are pairs of bf16 */
    const int32_t *slot, *pos;
};

static struct view view_of(const struct cpu_call *c, const struct tensor *cache, int slots_input, int64_t rows) {
    const int64_t *most = c->q->head.program->symbol_max;
    struct view v = {.c = c, .isa = cpu_isa(c), .rows = rows, .splits = 1, .heads = c->o->op->i[0], .groups = c->o->op->i[1]};
    v.per = v.heads / v.groups;
    v.width = cache->dims[2].size / v.groups;
    v.keys = cpu_dim(c, cache, 1);
    v.slots = dim_value(cache->dims[0], most);
    v.positions = dim_value(cache->dims[1], most);
    v.has_pairs = v.isa->has_pairs && cpu_in_type(c, 0)->dtype == DTYPE_BF16 && cache->dtype == DTYPE_BF16 && v.width % 2 == 0;
    v.slot = cpu_in(c, slots_input);
    v.pos = cpu_in(c, slots_input + 1);
    return v;
}

/* Words of 32 bits that n numbers of an operand fill. */
static int64_t words(const struct view *v, int64_t n) { return v->has_pairs ? (n + 1) / 2 : n; }

/* ---- items ---- */

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
    int64_t group, n_groups; /* key-value heads */
    int64_t unit;            /* number of the (block, run of heads) */
    int64_t from, to;        /* keys */
    int split, n_splits;
};
typedef void item_kernel(const struct view *v, const struct item *item, void *to);

/* Key-value heads of an item of this block: as many as give at most MAX_QUERIES vectors. */
static int64_t heads_together(const struct view *v, const struct block *b) {
    int64_t n = MAX_QUERIES / (b->n * v->per);
    return least(n > 0 ? n : 1, v->groups);
}

static int64_t count_units(const struct view *v) {
    int64_t units = 0;
    for (int64_t r = 0; r < v->rows;) {
        struct block b = block_at(v, r);
        int64_t together = heads_together(v, &b);
        units += (v->groups + together - 1) / together;
        r += b.n;
    }
    return units;
}

/* Into how many key ranges a unit is cut at most, so that the team has enough items: one unit for each member the same,
 * of several, whose costs may differ, CPU_ITEMS_A_MEMBER. */
static int64_t most_splits(const struct view *v, int64_t units) {
    int64_t members = v->c->members, want = CPU_ITEMS_A_MEMBER * members;
    if (members == 1 || units == 0 || units >= want) return 1;
    return units == 1 ? members : (want + units - 1) / units;
}

/* Calls `work` for this member's items. The items' costs (rows × heads × keys) lie on a line that is cut into equal parts;
 * an item is done by the member in whose part its middle lies: no counter, and the same split every time. */
static void each_item(const struct view *v, int is_causal, item_kernel *work, void *to) {
    int64_t total = 0, at = 0, unit = 0;
    for (int64_t r = 0; r < v->rows;) {
        struct block b = block_at(v, r);
        total += b.n * (is_causal ? b.seen : v->keys) * v->groups;
        r += b.n;
    }
    for (int64_t r = 0; r < v->rows;) {
        struct block b = block_at(v, r);
        int64_t keys = is_causal ? b.seen : v->keys, together = heads_together(v, &b);
        int n = (int)least(v->splits, keys < 2 * LEAST_SPLIT_KEYS ? 1 : keys / LEAST_SPLIT_KEYS);
        for (int64_t g = 0; g < v->groups; g += together, unit++)
            for (int s = 0; s < n; s++) {
                struct item item = {b, g, least(together, v->groups - g), unit, keys * s / n, keys * (s + 1) / n, s, n};
                int64_t cost = (item.to - item.from) * b.n * item.n_groups;
                int64_t owner = total > 0 ? (2 * at + cost) * v->c->members / (2 * total) : 0;
                if (owner == v->c->member && is_inside(v, &b)) work(v, &item, to);
                at += cost;
            }
        r += b.n;
    }
}

/* ---- a member's scratch ---- */

/* Query vectors, and what belongs to each of them, lie by heads of the item, then by rows. */
struct buffers {
    float *q, *keys, *values, *s, *o, *max, *sum, *scales;
    uint16_t *codes;         /* a tile of a cache in int8, as bf16 */
    int64_t *visible;
};

static int64_t most_queries(int64_t per) { return per > MAX_QUERIES ? per : MAX_QUERIES; }

static size_t work_floats(int64_t width, int64_t per) {
    int64_t queries = most_queries(per), wide = pad16(width);
    return (size_t)(2 * queries * wide + 3 * wide * TILE_KEYS + queries * TILE_KEYS + 4 * pad16(queries) + TILE_KEYS);
}

static struct buffers work_in(const struct view *v) {
    int64_t queries = most_queries(v->per), wide = pad16(v->width);
    struct buffers w;
    w.q = cpu_scratch(v->c);
    w.keys = w.q + queries * wide;
    w.values = w.keys + wide * TILE_KEYS;
    w.codes = (uint16_t *)(void *)(w.values + TILE_KEYS * wide);
    w.s = w.values + 2 * TILE_KEYS * wide;
    w.o = w.s + queries * TILE_KEYS;
    w.max = w.o + queries * wide;
    w.sum = w.max + pad16(queries);
    w.visible = (int64_t *)(void *)(w.sum + pad16(queries));
    w.scales = (float *)(void *)(w.visible + pad16(queries));
    return w;
}

static int64_t queries_of(const struct view *v, const struct item *i) { return i->block.n * v->per * i->n_groups; }

/* Query vector j of an item: its row and head. */
static int64_t row_of(const struct view *v, const struct item *i, int64_t j) { return i->block.first + j % (i->block.n * v->per) / v->per; }
static int64_t head_of(const struct view *v, const struct item *i, int64_t j) {
    return (i->group + j / (i->block.n * v->per)) * v->per + j % v->per;
}

/* The item's query vectors, as operands: (queries, width). */
static void load_queries(const struct view *v, const struct item *i, float *to) {
    const struct tensor *type = cpu_in_type(v->c, 0);
    int64_t n = v->per * v->width, vector = 0;
    for (int64_t g = i->group; g < i->group + i->n_groups; g++)
        for (int64_t r = i->block.first; r < i->block.first + i->block.n; r++, vector += v->per) {
            const void *from = cpu_at(cpu_in(v->c, 0), type->dtype, r * v->heads * v->width + g * n);
            float *at = to + vector * words(v, v->width);
            if (v->has_pairs) memcpy(at, from, (size_t)n * sizeof(uint16_t));
            else v->isa->to_f32(type->dtype, from, at, n);
        }
}

/* One head of an item, and its queries' part of the scratch. */
struct head {
    const struct view *v;
    const struct item *i;
    int64_t index, queries;  /* index: of the item's */
    struct buffers w;
};

static struct head head_at(const struct view *v, const struct item *i, const struct buffers *w, int64_t index) {
    struct head h = {v, i, index, i->block.n * v->per, *w};
    h.w.q += index * h.queries * words(v, v->width);
    h.w.o += index * h.queries * pad16(v->width);
    h.w.max += index * h.queries;
    h.w.sum += index * h.queries;
    return h;
}

/* A head's keys or values: vector t lies at base + t · stride, in codes where `has_scales` (each behind its scale). */
struct run {
    enum dtype t;
    const char *base;
    size_t stride, bytes; /* bytes: of a vector */
    int has_scales;
};

static struct run run_of(const struct head *h, int input) {
    const struct view *v = h->v;
    const struct tensor *cache = cpu_in_type(v->c, input);
    struct run r = {.t = cache->encoding ? DTYPE_I8 : cache->dtype, .stride = tensor_row_bytes(cache), .has_scales = cache->encoding != NULL};
    r.bytes = cache->encoding ? tensor_vector_bytes(cache) : (size_t)v->width * dtype_bytes(cache->dtype);
    r.base = (const char *)cpu_in(v->c, input) + (size_t)(v->slot[h->i->block.first] * v->positions) * r.stride +
             (size_t)(h->i->group + h->index) * r.bytes;
    return r;
}

static const char *vector_at(const struct run *r, int64_t key) { return r->base + (size_t)key * r->stride; }
static const char *numbers_at(const struct run *r, int64_t key) { return vector_at(r, key) + (r->has_scales ? sizeof(float) : 0); }

/* Asks for this head's share of the tile of keys from `key` on: some of its rows, of all heads of the item, so that lines are
 * asked for in the order in which they lie. */
static void ask_tile(const struct head *h, const struct run *r, int64_t key) {
    int64_t n = least(TILE_KEYS, h->i->to - key), heads = h->i->n_groups;
    const char *base = r->base - (size_t)h->index * r->bytes;
    for (int64_t t = n * h->index / heads; t < n * (h->index + 1) / heads; t++)
        for (size_t at = 0; at < (size_t)heads * r->bytes; at += CACHE_LINE) __builtin_prefetch(base + (size_t)(key + t) * r->stride + at, 0, 2);
}

/* Column t of w.s (queries, TILE_KEYS) · the scale of vector key + t, t < n. */
static void scale_columns(const struct head *h, const struct run *r, int64_t key, int64_t n) {
    if (!r->has_scales) return;
    for (int64_t t = 0; t < n; t++) memcpy(&h->w.scales[t], vector_at(r, key + t), sizeof *h->w.scales);
    for (int64_t j = 0; j < h->queries; j++) h->v->isa->mul(DTYPE_F32, h->w.s + j * TILE_KEYS, h->w.scales, h->w.s + j * TILE_KEYS, n);
}

/* n vectors of bf16 from `key` on, and how many bytes they lie apart. */
static const char *pairs_at(const struct head *h, const struct run *r, int64_t key, int64_t n, size_t *stride) {
    *stride = r->has_scales ? (size_t)h->v->width * sizeof *h->w.codes : r->stride;
    if (!r->has_scales) return vector_at(r, key);
    for (int64_t t = 0; t < n; t++)
        h->v->isa->from_int8(DTYPE_BF16, (const int8_t *)numbers_at(r, key + t), h->w.codes + t * h->v->width, h->v->width);
    return (const char *)h->w.codes;
}

static void multiply(const struct view *v, const struct tile_product *t) {
    if (v->has_pairs) v->isa->tile_pairs(t);
    else v->isa->tile(t);
}

/* w.s (queries, TILE_KEYS) = q · k for keys key..key+n. */
static void tile_scores(const struct head *h, int input, int64_t key, int64_t n) {
    const struct view *v = h->v;
    struct run r = run_of(h, input);
    ask_tile(h, &r, key + TILE_KEYS);
    if (v->has_pairs) {
        size_t stride;
        const char *rows = pairs_at(h, &r, key, n, &stride);
        v->isa->transpose(DTYPE_F32, rows, (int64_t)(stride / sizeof(float)), n, words(v, v->width), h->w.keys, TILE_KEYS);
    } else {
        v->isa->transpose(r.t, numbers_at(&r, key), (int64_t)(r.stride / dtype_bytes(r.t)), n, v->width, h->w.keys, TILE_KEYS);
    }
    struct tile_product t = {.a = h->w.q, .b = h->w.keys, .c = h->w.s, .m = h->queries, .n = pad16(n), .k = words(v, v->width),
                             .a_stride = words(v, v->width), .b_stride = TILE_KEYS, .c_stride = TILE_KEYS};
    multiply(v, &t);
    scale_columns(h, &r, key, n);
}

/* w.o (queries, pad16(width)) += w.s · values of keys key..key+n; w.s, which is zero beyond them up to pad16(n), is used up. */
static void tile_values(const struct head *h, int input, int64_t key, int64_t n) {
    const struct view *v = h->v;
    struct run r = run_of(h, input);
    int64_t wide = pad16(v->width);
    ask_tile(h, &r, key + TILE_KEYS);
    scale_columns(h, &r, key, n);
    if (v->has_pairs) {
        size_t stride;
        const char *rows = pairs_at(h, &r, key, n, &stride);
        v->isa->pair_rows(rows, stride, n, v->width, h->w.values, wide);
        v->isa->from_f32(DTYPE_BF16, h->w.s, h->w.s, h->queries * TILE_KEYS);
    }
    for (int64_t t = 0; t < n && !v->has_pairs; t++)
        if (r.has_scales) v->isa->from_int8(DTYPE_F32, (const int8_t *)numbers_at(&r, key + t), h->w.values + t * wide, v->width);
        else v->isa->to_f32(r.t, numbers_at(&r, key + t), h->w.values + t * wide, v->width);
    struct tile_product t = {.a = h->w.s, .b = h->w.values, .c = h->w.o, .m = h->queries, .n = wide, .k = words(v, n),
                             .a_stride = words(v, TILE_KEYS), .b_stride = wide, .c_stride = wide, .is_added = 1};
    multiply(v, &t);
}

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
    load_queries(v, i, w.q);
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS)
        for (int64_t g = 0; g < i->n_groups; g++) {
            struct head h = head_at(v, i, &w, g);
            int64_t n = least(TILE_KEYS, i->to - key);
            tile_scores(&h, 1, key, n);
            for (int64_t j = 0; j < h.queries; j++) {
                int64_t vector = g * h.queries + j, at = (row_of(v, i, vector) * v->heads + head_of(v, i, vector)) * v->keys + key;
                v->isa->from_f32(t, w.s + j * TILE_KEYS, cpu_at_out(cpu_out(v->c, 0), t, at), n);
            }
        }
}

void cpu_attn_scores(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 2, cpu_dim(c, cpu_in_type(c, 0), 0));
    each_item(&v, 0, scores_item, NULL);
}

/* The tile's probabilities; 0 where all are zero: what the cache holds there may be anything. */
static int load_probabilities(const struct head *h, int64_t key, int64_t n) {
    const struct view *v = h->v;
    enum dtype t = cpu_in_type(v->c, 0)->dtype;
    float any = 0;
    for (int64_t j = 0; j < h->queries; j++) {
        int64_t vector = h->index * h->queries + j, at = (row_of(v, h->i, vector) * v->heads + head_of(v, h->i, vector)) * v->keys + key;
        float *s = h->w.s + j * TILE_KEYS;
        v->isa->to_f32(t, cpu_at(cpu_in(v->c, 0), t, at), s, n);
        any += v->isa->dot(DTYPE_F32, s, s, n);
        memset(s + n, 0, (size_t)(TILE_KEYS - n) * sizeof *s);
    }
    return any != 0;
}

static void values_item(const struct view *v, const struct item *i, void *unused) {
    struct buffers w = work_in(v);
    int64_t queries = queries_of(v, i), wide = pad16(v->width);
    (void)unused;
    memset(w.o, 0, (size_t)(queries * wide) * sizeof *w.o);
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS)
        for (int64_t g = 0; g < i->n_groups; g++) {
            struct head h = head_at(v, i, &w, g);
            int64_t n = least(TILE_KEYS, i->to - key);
            if (load_probabilities(&h, key, n)) tile_values(&h, 1, key, n);
        }
    for (int64_t j = 0; j < queries; j++) store_query(v, i, j, w.o + j * wide, 1);
}

void cpu_attn_values(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 2, cpu_dim(c, cpu_in_type(c, 0), 0));
    each_item(&v, 0, values_item, NULL);
}

/* ---- the fused operation ---- */

/* Results of an item whose unit is split, until the last of the unit's members joins them. */
struct partials {
    atomic_int *arrived;     /* of each unit */
    float *data;             /* (unit, split): o (queries, wide), max (queries), sum (queries) */
    size_t stride;           /* floats of one */
};

static size_t partial_floats(int64_t width, int64_t per) { return (size_t)(most_queries(per) * (pad16(width) + 2)); }

/* Units that are split number fewer than CPU_ITEMS_A_MEMBER · members, and all their splits together at most twice that. */
static struct partials partials_in(const struct view *v) {
    return (struct partials){.arrived = v->c->q->device->arrived, .data = v->c->q->device->shared, .stride = partial_floats(v->width, v->per)};
}

static float *partial(const struct view *v, const struct partials *p, int64_t unit, int split) {
    return p->data + (size_t)(unit * v->splits + split) * p->stride;
}

static void store_partial(const struct view *v, const struct item *i, const struct buffers *w, float *to) {
    int64_t queries = queries_of(v, i), wide = pad16(v->width);
    memcpy(to, w->o, (size_t)(queries * wide) * sizeof *to);
    memcpy(to + queries * wide, w->max, (size_t)queries * sizeof *to);
    memcpy(to + queries * wide + queries, w->sum, (size_t)queries * sizeof *to);
}

/* o = Σ o_s e^(m_s − m) / Σ l_s e^(m_s − m), m the largest m_s; ranges in order, whoever does it. */
static void join_partials(const struct view *v, const struct item *i, const struct partials *p, float *o) {
    int64_t queries = queries_of(v, i), wide = pad16(v->width);
    for (int64_t j = 0; j < queries; j++) {
        float most = -INFINITY, sum = 0;
        for (int s = 0; s < i->n_splits; s++) most = fmaxf(most, partial(v, p, i->unit, s)[queries * wide + j]);
        memset(o, 0, (size_t)wide * sizeof *o);
        for (int s = 0; s < i->n_splits; s++) {
            const float *part = partial(v, p, i->unit, s), *max = part + queries * wide;
            float f = max[j] == -INFINITY ? 0 : expf(max[j] - most);
            sum += f * max[queries + j];
            v->isa->add_scaled(DTYPE_F32, part + j * wide, f, o, v->width);
        }
        store_query(v, i, j, o, 1 / sum);
    }
}

/* One head's tile of keys joins the running softmax. */
static void fused_tile(const struct head *h, int64_t key, int64_t n) {
    int64_t wide = pad16(h->v->width);
    tile_scores(h, 1, key, n);
    for (int64_t j = 0; j < h->queries; j++) h->w.visible[j] = least(n, (int64_t)h->v->pos[row_of(h->v, h->i, j)] + 1 - key);
    struct softmax_tile t = {h->w.s, h->w.o, h->w.max, h->w.sum, h->w.visible, h->v->c->o->op->f[0], h->queries, pad16(n), wide, TILE_KEYS, wide};
    h->v->isa->softmax_tile(&t);
    tile_values(h, 2, key, n);
}

static void fused_item(const struct view *v, const struct item *i, void *to) {
    const struct partials *p = to;
    struct buffers w = work_in(v);
    int64_t queries = queries_of(v, i), wide = pad16(v->width);
    load_queries(v, i, w.q);
    memset(w.o, 0, (size_t)(queries * wide) * sizeof *w.o);
    for (int64_t j = 0; j < queries; j++) {
        w.max[j] = -INFINITY;
        w.sum[j] = 0;
    }
    for (int64_t key = i->from; key < i->to; key += TILE_KEYS)
        for (int64_t g = 0; g < i->n_groups; g++) {
            struct head h = head_at(v, i, &w, g);
            fused_tile(&h, key, least(TILE_KEYS, i->to - key));
        }
    if (i->n_splits == 1) {
        for (int64_t j = 0; j < queries; j++) store_query(v, i, j, w.o + j * wide, 1 / w.sum[j]);
        return;
    }
    store_partial(v, i, &w, partial(v, p, i->unit, i->split));
    if (atomic_fetch_add_explicit(&p->arrived[i->unit], 1, memory_order_acq_rel) + 1 < i->n_splits) return;
    atomic_store_explicit(&p->arrived[i->unit], 0, memory_order_relaxed);
    join_partials(v, i, p, w.o);
}

void cpu_attention(const struct cpu_call *c) {
    struct view v = view_of(c, cpu_in_type(c, 1), 3, cpu_dim(c, cpu_in_type(c, 0), 0));
    v.splits = most_splits(&v, count_units(&v));
    struct partials p = partials_in(&v);
    each_item(&v, 1, fused_item, &p);
}

void cpu_need_attention(const struct cpu_device *d, const struct program *p, const struct op *op, struct cpu_need *out) {
    const struct tensor *cache = &p->tensors[op->in[1]];
    int64_t width = cache->dims[2].size / op->i[1], per = op->i[0] / op->i[1];
    *out = (struct cpu_need){.scratch = work_floats(width, per) * sizeof(float)};
    if (op->kind == OP_ATTENTION && d->size > 1)
        out->shared = 2 * (size_t)CPU_ITEMS_A_MEMBER * (size_t)d->size * partial_floats(width, per) * sizeof(float);
}
