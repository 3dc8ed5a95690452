/* linear.c: y = x wᵀ + b, and the fused silu(x gᵀ) · (x uᵀ).
 *
 * A member computes a run of output columns (rows of w) in tiles: the tile in f32, then bias or SwiGLU, rounding
 * and the way to the outputs. Up to FEW_LIMIT rows of x, the tile comes from our own streaming kernels, which are
 * bound by reading w; beyond, from the dense library. Both read the weights where they lie, in one plain layout;
 * what the arithmetic unit cannot take as stored is converted a tile at a time. */
#include "kernels/cpu/dense.h"

#include <string.h>

#include "kernels/cpu/cpu.h"

enum {
    FEW_LIMIT = 16,          /* measured: from about here on the dense library is the faster one */
    FEW_COLUMNS = 128,       /* a tile for few rows */
    CACHED_COLUMNS = 16,     /* of it at a time where rows make two passes, so that the second finds w in cache */
    COLUMN_UNIT = 16,        /* members' runs are whole cache lines of bf16 and a multiple of every kernel's width */
    BLOCK_ROWS = 512,        /* rows of x of one dense product */
    CONVERTED_COLUMNS = 128, /* a tile for many rows, where w or the number of rows fills the cache */
    WIDE_COLUMNS = 512,      /* and where neither does: fewer calls */
    TILE_ELEMENTS = BLOCK_ROWS * CONVERTED_COLUMNS,
    SHARED_ROWS = 1024,      /* rows of x converted at a time */
    LEAST_GROUP = 32,        /* of codes */
    SPLIT_RUN = 64,
    CODE_RUN = 128,
    OF_BLOCKS = -1,          /* in place of a group: the order of GGUF's blocks */
    DECODED_ROWS = 8,        /* rows of w decoded at a time for few rows of x */
    MAX_SETS = 32            /* shapes of launch whose primitives are kept */
};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t pad(int64_t n) { return (n + FEW_PAD - 1) / FEW_PAD * FEW_PAD; }
/* Rows of x a power of two apart would share cache sets. */
static int64_t few_stride(int64_t k) { return pad(k) + FEW_PAD; }
/* Whole runs, and no power of two apart. */
static int64_t run_stride(int64_t k, int64_t run) { return (k + run - 1) / run * run + FEW_PAD; }

static int64_t rows_of(const struct cpu_call *c) { return cpu_dim(c, cpu_in_type(c, 0), 0); }
static int is_swiglu(const struct op *op) { return op->kind == OP_LINEAR_SWIGLU; }
static int64_t columns_of(const struct cpu_call *c) { return c->o->weight->rows / (is_swiglu(c->o->op) ? 2 : 1); }

/* ---- from a tile of f32 to the outputs ---- */

struct tile {
    int64_t first, n;        /* output columns */
    int64_t row, rows;       /* rows of x */
    float *y, *up;           /* (rows, stride); up: second factor of SwiGLU */
    int64_t stride;
};

static void store_swiglu(const struct cpu_call *c, const struct tile *t) {
    enum dtype type = cpu_out_type(c, 0)->dtype;
    int64_t width = columns_of(c);
    for (int64_t r = 0; r < t->rows; r++)
        cpu_isa(c)->swiglu(type, t->y + r * t->stride, t->up + r * t->stride, cpu_at_out(cpu_out(c, 0), type, (t->row + r) * width + t->first), t->n);
}

static void store_tile(const struct cpu_call *c, const struct tile *t) {
    const float *bias = c->o->vector ? (const float *)(const void *)c->o->vector->segments[0].data : NULL;
    int64_t begin = 0;
    for (int k = 0; k < c->o->op->n_out; k++) {
        const struct tensor *out = cpu_out_type(c, k);
        int64_t width = out->dims[1].size, from = t->first > begin ? t->first : begin, to = least(t->first + t->n, begin + width);
        for (int64_t r = 0; from < to && r < t->rows; r++)
            cpu_isa(c)->finish(out->dtype, t->y + r * t->stride + (from - t->first), bias ? bias + from : NULL,
                               cpu_at_out(cpu_out(c, k), out->dtype, (t->row + r) * width + (from - begin)), to - from);
        begin += width;
    }
}

/* ---- few rows ---- */

struct few {
    const struct cpu_call *c;
    int64_t rows, k, stride;
    float *wide, *decoded, *y, *up;
    uint16_t *split;         /* narrow, of each 64 elements first the even ones, then the odd */
    uint16_t *grouped;       /* narrow, as the codes of groups of `group` elements come */
    uint16_t *narrow;        /* x in bf16; NULL where its type or the processor has no such products */
    float *sums;             /* of x by groups of `group` elements, (rows, k / group) */
    int group, is_split;     /* grouped for; split is made (both when a kernel first wants them) */
};

static size_t few_bytes(int64_t k, int64_t max_rows) {
    size_t rows = (size_t)least(max_rows, FEW_LIMIT), stride = (size_t)few_stride(k);
    return rows * stride * (sizeof(float) + sizeof(uint16_t)) + DECODED_ROWS * stride * sizeof(float) + 2 * rows * FEW_COLUMNS * sizeof(float) +
           rows * stride / LEAST_GROUP * sizeof(float) + rows * (size_t)(run_stride(k, SPLIT_RUN) + run_stride(k, CODE_RUN)) * sizeof(uint16_t) + 256;
}

/* Read as they lie where there is a bf16 unit. */
static int has_codes_kernel(const struct encoding *e) {
    if (e == &encoding_q8_0 || e == &encoding_q4_0 || e == &encoding_q4_1) return 1;
    return e == &encoding_int8_row || e == &encoding_bitmap_bf16 || e == &encoding_bitmap_int8 || (e->groups && e->groups->bits == 4);
}

static int wants_wide(const struct cpu_weight *w) {
    for (int i = 0; i < w->n_segments; i++)
        if (w->segments[i].encoding != &encoding_bf16 && !has_codes_kernel(w->segments[i].encoding)) return 1;
    return 0;
}

/* x as the kernels want it: rows padded with zeros. Every member makes its own; x is small. */
static struct few few_begin(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    struct few f = {.c = c, .rows = rows_of(c), .k = c->o->weight->cols};
    f.stride = few_stride(f.k);
    f.wide = cpu_scratch(c);
    f.decoded = f.wide + f.rows * f.stride;
    f.y = f.decoded + DECODED_ROWS * f.stride;
    f.up = f.y + f.rows * FEW_COLUMNS;
    int has_dot = x->dtype == DTYPE_BF16 && c->q->device->has_bf16_unit;
    f.sums = f.up + f.rows * FEW_COLUMNS;
    if (has_dot) f.narrow = (uint16_t *)(void *)(f.sums + f.rows * (f.stride / LEAST_GROUP));
    if (has_dot) f.split = f.narrow + f.rows * f.stride;
    if (has_dot) f.grouped = f.split + f.rows * run_stride(f.k, SPLIT_RUN);
    for (int64_t r = 0; r < f.rows; r++) {
        const void *row = cpu_at(cpu_in(c, 0), x->dtype, r * f.k);
        if (has_dot) {
            memcpy(f.narrow + r * f.stride, row, (size_t)f.k * sizeof *f.narrow);
            memset(f.narrow + r * f.stride + f.k, 0, (size_t)(f.stride - f.k) * sizeof *f.narrow);
        }
        if (has_dot && !wants_wide(c->o->weight)) continue;
        cpu_isa(c)->to_f32(x->dtype, row, f.wide + r * f.stride, f.k);
        memset(f.wide + r * f.stride + f.k, 0, (size_t)(f.stride - f.k) * sizeof *f.wide);
    }
    return f;
}

/* Rows of w, as few_product has them. */
struct few_rows {
    const char *data;
    size_t stride;
    const size_t *starts;
    const struct grouping *groups;
};

/* Kernels that want x in pairs of 32, the even and the odd. */
static int is_split(enum few_kind kind) { return kind == FEW_INT8_DOT || kind == FEW_BITMAP_INT8_DOT || kind == FEW_Q8_0_DOT; }
static int is_nibbles(enum few_kind kind) { return kind == FEW_Q4_0_DOT || kind == FEW_Q4_1_DOT; }
static int is_grouped(enum few_kind kind) { return kind == FEW_INT4_DOT || is_nibbles(kind); }

/* n rows of w, stored as `kind` (in groups of a kind with codes), times all rows of x. */
static void few_product(const struct few *f, enum few_kind kind, const struct few_rows *w, int64_t n, float *y) {
    int64_t step = f->rows > FEW_MAX_ROWS ? CACHED_COLUMNS : n;
    int is_narrow = kind == FEW_BF16_DOT || kind == FEW_BITMAP_DOT;
    struct few_product p = {.kind = kind, .k = f->k, .x_stride = f->stride, .y_stride = FEW_COLUMNS, .w_stride = w->stride, .groups = w->groups};
    for (int64_t j = 0; j < n; j += step)
        for (int64_t r = 0; r < f->rows; r += FEW_MAX_ROWS) {
            p.n = least(step, n - j);
            p.rows = (int)least(FEW_MAX_ROWS, f->rows - r);
            p.w = w->starts ? w->data : w->data + (size_t)j * w->stride;
            p.w_starts = w->starts ? w->starts + j : NULL;
            if (is_split(kind)) p.x_stride = run_stride(f->k, SPLIT_RUN);
            if (is_grouped(kind)) p.x_stride = run_stride(f->k, CODE_RUN);
            p.x = is_split(kind) ? (const void *)(f->split + r * p.x_stride) : is_grouped(kind) ? (const void *)(f->grouped + r * p.x_stride) : is_narrow ? (const void *)(f->narrow + r * f->stride) : (const void *)(f->wide + r * f->stride);
            if (w->groups) p.x_sums = f->sums + r * (f->k / w->groups->group);
            if (is_nibbles(kind)) p.x_sums = f->sums + r * (f->k / LEAST_GROUP);
            p.y = y + r * FEW_COLUMNS + j;
            cpu_isa(f->c)->few(&p);
        }
}

static void split_rows(struct few *f) {
    int64_t stride = run_stride(f->k, SPLIT_RUN);
    if (f->is_split) return;
    f->is_split = 1;
    memset(f->split, 0, (size_t)(f->rows * stride) * sizeof *f->split);
    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t i = 0; i < f->k; i++)
            f->split[r * stride + i / SPLIT_RUN * SPLIT_RUN + i % 2 * (SPLIT_RUN / 2) + i % SPLIT_RUN / 2] = f->narrow[r * f->stride + i];
}

/* x in the order of codes, and its sums over groups, by which zero points enter. */
static void group_row(const uint16_t *x, int64_t k, int group, uint16_t *to, float *sums) {
    int words = group / 4;
    for (int64_t g = 0; g < k / group; g++) {
        int64_t run = g * group / CODE_RUN * CODE_RUN, word = g * group % CODE_RUN / 4;
        sums[g] = 0;
        for (int i = 0; i < group; i++) {
            to[run + i / words * (CODE_RUN / 4) + word + i % words] = x[g * group + i];
            sums[g] += bf16_to_f32(x[g * group + i]);
        }
    }
}

static void group_rows(struct few *f, int group) {
    int64_t stride = run_stride(f->k, CODE_RUN);
    if (f->group == group) return;
    f->group = group;
    memset(f->grouped, 0, (size_t)(f->rows * stride) * sizeof *f->grouped);
    for (int64_t r = 0; r < f->rows; r++) group_row(f->narrow + r * f->stride, f->k, group, f->grouped + r * stride, f->sums + r * (f->k / group));
}

/* The same for GGUF's blocks of four bits: a byte's codes are 16 elements apart. */
static void block_rows(struct few *f) {
    int64_t stride = run_stride(f->k, CODE_RUN), groups = f->k / LEAST_GROUP;
    if (f->group == OF_BLOCKS) return;
    f->group = OF_BLOCKS;
    memset(f->grouped, 0, (size_t)(f->rows * stride) * sizeof *f->grouped);
    memset(f->sums, 0, (size_t)(f->rows * groups) * sizeof *f->sums);
    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t i = 0; i < f->k; i++) {
            int64_t b = i % CODE_RUN / LEAST_GROUP, high = i % LEAST_GROUP / 16, w = i % 16 / 2, l = i % 2;
            uint16_t x = f->narrow[r * f->stride + i];
            f->grouped[r * stride + i / CODE_RUN * CODE_RUN + (2 * l + high) * (CODE_RUN / 4) + 8 * b + w] = x;
            f->sums[r * groups + i / LEAST_GROUP] += bf16_to_f32(x);
        }
}

/* Rows that no kernel reads as stored: decoded to f32, a few at a time. */
static void few_decoded(const struct few *f, const struct cpu_segment *s, int64_t first, int64_t n, float *y) {
    for (int64_t j = 0; j < n; j += DECODED_ROWS) {
        int64_t m = least(DECODED_ROWS, n - j);
        for (int64_t i = 0; i < m; i++) s->encoding->decode(cpu_row(s, first + j + i), f->decoded + i * f->stride, f->k);
        few_product(f, FEW_F32, &(struct few_rows){.data = (const char *)f->decoded, .stride = (size_t)f->stride * sizeof(float)}, m, y + j);
    }
}

/* The kernel that reads a segment as it lies; -1: there is none, it must be decoded. */
static int few_kind_of(const struct few *f, const struct encoding *e) {
    if (e == &encoding_f32) return FEW_F32;
    if (e == &encoding_bf16) return f->narrow ? FEW_BF16_DOT : FEW_BF16;
    if (e == &encoding_f16) return FEW_F16;
    if (e == &encoding_int8_row) return f->narrow ? FEW_INT8_DOT : FEW_INT8;
    if (f->narrow && e == &encoding_bitmap_int8) return FEW_BITMAP_INT8_DOT;
    if (f->narrow && e == &encoding_q8_0) return FEW_Q8_0_DOT;
    if (f->narrow && e == &encoding_q4_0) return FEW_Q4_0_DOT;
    if (f->narrow && e == &encoding_q4_1) return FEW_Q4_1_DOT;
    if (f->narrow && has_codes_kernel(e)) return e->groups ? FEW_INT4_DOT : FEW_BITMAP_DOT;
    return -1;
}

/* y (rows, FEW_COLUMNS) = x · w[first..first+n)ᵀ */
static void few_tile(struct few *f, int64_t first, int64_t n, float *y) {
    while (n > 0) {
        const struct cpu_segment *s = cpu_segment_of(f->c->o->weight, first);
        int64_t m = least(n, s->first + s->rows - first), row = first - s->first;
        const struct few_rows w = {s->starts ? s->data : cpu_row(s, row), s->stride, s->starts ? s->starts + row : NULL, s->encoding->groups};
        int kind = few_kind_of(f, s->encoding);
        if (kind >= 0 && is_split((enum few_kind)kind)) split_rows(f);
        if (kind == FEW_INT4_DOT) group_rows(f, w.groups->group);
        if (kind >= 0 && is_nibbles((enum few_kind)kind)) block_rows(f);
        if (kind < 0) few_decoded(f, s, row, m, y);
        else few_product(f, (enum few_kind)kind, &w, m, y);
        first += m;
        n -= m;
        y += m;
    }
}

static void linear_few(const struct cpu_call *c) {
    struct few f = few_begin(c);
    int64_t columns = columns_of(c), first, last;
    cpu_slice(columns, COLUMN_UNIT, c->member, c->members, &first, &last);
    for (int64_t j = first; j < last; j += FEW_COLUMNS) {
        struct tile t = {.first = j, .n = least(FEW_COLUMNS, last - j), .rows = f.rows, .y = f.y, .up = f.up, .stride = FEW_COLUMNS};
        few_tile(&f, j, t.n, f.y);
        if (!is_swiglu(c->o->op)) {
            store_tile(c, &t);
            continue;
        }
        few_tile(&f, columns + j, t.n, f.up);
        store_swiglu(c, &t);
    }
}

/* ---- many rows ---- */

/* How the dense library gets a segment's rows. */
enum engine { ENGINE_F32, ENGINE_F32_CONVERTED, ENGINE_BF16, ENGINE_BF16_CONVERTED };

static enum engine engine_of(const struct cpu_device *d, enum dtype x, const struct encoding *w) {
    int is_bf16 = d->has_dense_bf16 && x == DTYPE_BF16;
    if (w == &encoding_f32) return ENGINE_F32;
    if (w == &encoding_bf16) return is_bf16 ? ENGINE_BF16 : ENGINE_F32_CONVERTED;
    /* Whole numbers up to 127 are exact in bf16; their row's scale is applied to the sum. */
    if (w == &encoding_int8_row) return is_bf16 ? ENGINE_BF16_CONVERTED : ENGINE_F32_CONVERTED;
    if (w == &encoding_bitmap_bf16 && is_bf16) return ENGINE_BF16_CONVERTED;
    return ENGINE_F32_CONVERTED;
}

static int is_bf16_engine(enum engine e) { return e == ENGINE_BF16 || e == ENGINE_BF16_CONVERTED; }

struct many {
    const struct cpu_call *c;
    struct dense_set *set;
    int is_planning;         /* only adds to the set what a run will ask of it */
    struct error *e;
    enum status status;
    int64_t rows, k, columns;  /* columns: of a tile */
    int has_conversion, wants_wide;
    const void *x;           /* as stored */
    const float *wide;       /* x, or a shared conversion of the present rows, as f32 */
    float *y, *up;
    void *w;                 /* a converted tile of w */
};

static size_t many_bytes(int64_t k, int has_conversion) {
    return (2 * (size_t)TILE_ELEMENTS + (has_conversion ? CONVERTED_COLUMNS * (size_t)k : 0)) * sizeof(float);
}

static struct many many_begin(const struct cpu_call *c, struct dense_set *set) {
    const struct cpu_weight *w = c->o->weight;
    enum dtype t = cpu_in_type(c, 0)->dtype;
    struct many m = {.c = c, .set = set, .rows = rows_of(c), .k = w->cols, .x = cpu_in(c, 0)};
    for (int i = 0; i < w->n_segments; i++) {
        enum engine e = engine_of(c->q->device, t, w->segments[i].encoding);
        m.has_conversion |= e == ENGINE_F32_CONVERTED || e == ENGINE_BF16_CONVERTED;
        m.wants_wide |= !is_bf16_engine(e) && t != DTYPE_F32;
    }
    int fits_wide = m.rows <= TILE_ELEMENTS / WIDE_COLUMNS;
    m.columns = !m.has_conversion && fits_wide ? WIDE_COLUMNS : CONVERTED_COLUMNS;
    m.wide = t == DTYPE_F32 ? m.x : c->q->device->shared;
    m.y = cpu_scratch(c);
    m.up = m.y + TILE_ELEMENTS;
    m.w = m.up + TILE_ELEMENTS;
    return m;
}

/* Rows of w as the engine takes them: where they lie, or converted. Returns their stride in elements. */
static int64_t tile_weights(const struct many *m, const struct cpu_segment *s, enum engine e, int64_t first, int64_t n, const void **w) {
    const struct isa_kernels *isa = cpu_isa(m->c);
    *w = cpu_row(s, first - s->first);
    if (e == ENGINE_F32 || e == ENGINE_BF16) return m->k;
    *w = m->w;
    enum dtype t = is_bf16_engine(e) ? DTYPE_BF16 : DTYPE_F32;
    for (int64_t i = 0; i < n && !m->is_planning; i++) {
        const char *row = cpu_row(s, first - s->first + i);
        void *to = cpu_at_out(m->w, t, i * m->k);
        if (s->encoding == &encoding_bitmap_bf16 && t == DTYPE_BF16) isa->expand(row, m->k, to);
        else if (s->encoding == &encoding_int8_row) isa->from_int8(t, (const int8_t *)row + sizeof(float), to, m->k);
        else if (s->encoding == &encoding_bf16) isa->to_f32(DTYPE_BF16, row, to, m->k);
        else if (s->encoding == &encoding_f16) isa->to_f32(DTYPE_F16, row, to, m->k);
        else s->encoding->decode(row, to, m->k);
    }
    return m->k;
}

/* Columns of y times the scales at the heads of w's rows. */
static void apply_scales(const struct many *m, const struct cpu_segment *s, int64_t first, int64_t n, int64_t rows, float *y) {
    float scales[CONVERTED_COLUMNS];
    for (int64_t j = 0; j < n; j++) memcpy(&scales[j], cpu_row(s, first - s->first + j), sizeof *scales);
    for (int64_t r = 0; r < rows; r++) cpu_isa(m->c)->mul(DTYPE_F32, y + r * m->columns, scales, y + r * m->columns, n);
}

static void many_product(struct many *m, const struct dense_key *key, const void *a, const void *b, float *y) {
    if (m->status != STATUS_OK) return;
    if (m->is_planning) m->status = dense_set_add(m->set, key, m->e);
    else m->status = dense_run(m->set, key, m->c->member, a, b, y, m->c->q->device->dense_scratch[m->c->member]);
}

/* y (rows, m->columns) = x[row..row+rows) · w[first..first+n)ᵀ. `base`: row of x that m->wide begins with. */
static void many_rows(struct many *m, int64_t first, int64_t n, int64_t row, int64_t base, int64_t rows, float *y) {
    while (n > 0) {
        const struct cpu_segment *s = cpu_segment_of(m->c->o->weight, first);
        enum engine e = engine_of(m->c->q->device, cpu_in_type(m->c, 0)->dtype, s->encoding);
        int64_t here = least(n, s->first + s->rows - first);
        const void *w;
        struct dense_key key = {.m = rows, .n = here, .k = m->k, .a_stride = m->k, .c_stride = m->columns,
                                .t = is_bf16_engine(e) ? DTYPE_BF16 : DTYPE_F32};
        key.b_stride = tile_weights(m, s, e, first, here, &w);
        const void *x = key.t == DTYPE_BF16 ? cpu_at(m->x, DTYPE_BF16, row * m->k) : (const void *)(m->wide + (row - base) * m->k);
        many_product(m, &key, x, w, y);
        if (s->encoding == &encoding_int8_row && !m->is_planning) apply_scales(m, s, first, here, rows, y);
        first += here;
        n -= here;
        y += here;
    }
}

/* One tile of columns for the rows from..to, in blocks of rows that differ by at most one. */
static void many_tile(struct many *m, int64_t first, int64_t n, int64_t from, int64_t to, int64_t base) {
    int64_t blocks = (to - from + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t row = from + (to - from) * b / blocks, rows = from + (to - from) * (b + 1) / blocks - row;
        struct tile t = {first, n, row, rows, m->y, m->up, m->columns};
        many_rows(m, first, n, row, base, rows, m->y);
        if (is_swiglu(m->c->o->op)) many_rows(m, columns_of(m->c) + first, n, row, base, rows, m->up);
        if (m->is_planning) continue;
        if (is_swiglu(m->c->o->op)) store_swiglu(m->c, &t);
        else store_tile(m->c, &t);
    }
}

static void widen_rows(const struct many *m, int64_t from, int64_t to) {
    const struct cpu_call *c = m->c;
    enum dtype t = cpu_in_type(c, 0)->dtype;
    int64_t first, last;
    cpu_slice((to - from) * m->k, 64, c->member, c->members, &first, &last);
    cpu_isa(c)->to_f32(t, cpu_at(m->x, t, from * m->k + first), (float *)c->q->device->shared + first, last - first);
}

/* Where x must be converted, all members do so together, SHARED_ROWS at a time. */
static void many_walk(struct many *m) {
    const struct cpu_call *c = m->c;
    int64_t first, last, step = m->wants_wide ? SHARED_ROWS : m->rows;
    cpu_slice(columns_of(c), COLUMN_UNIT, c->member, c->members, &first, &last);
    for (int64_t from = 0; from < m->rows; from += step) {
        int64_t to = least(from + step, m->rows);
        int is_meeting = m->wants_wide && !m->is_planning;
        if (is_meeting && from > 0) team_barrier(c->q->device->team, c->member);
        if (is_meeting) widen_rows(m, from, to);
        if (is_meeting) team_barrier(c->q->device->team, c->member);
        for (int64_t j = first; j < last; j += m->columns) many_tile(m, j, least(m->columns, last - j), from, to, from);
    }
}

/* ---- sets of primitives, by rows ---- */

struct cpu_dense {
    struct {
        int64_t rows;
        uint64_t used;
        struct dense_set *set;
    } sets[MAX_SETS];
    int n, present;          /* the set of the symbols in force */
    uint64_t clock;
};

void cpu_dense_close(struct cpu_dense *s) {
    for (int i = 0; s && i < s->n; i++) dense_set_close(s->sets[i].set);
    mem_free(s);
}

static int is_linear(const struct op *op) { return op->kind == OP_LINEAR || op->kind == OP_LINEAR_SWIGLU; }

static enum status plan_set(struct cpu_prepared *q, struct dense_set *set, struct error *e) {
    int size = q->device->size;
    for (size_t i = 0; i < q->head.program->n_ops; i++)
        for (int member = 0; member < size && is_linear(q->ops[i].op); member++) {
            struct cpu_call c = {q, &q->ops[i], member, size};
            if (!cpu_is_many_rows(rows_of(&c))) break;
            struct many m = many_begin(&c, set);
            m.is_planning = 1;
            m.e = e;
            many_walk(&m);
            if (m.status != STATUS_OK) return m.status;
        }
    return STATUS_OK;
}

/* The launch's shape, as far as linears see it: R, and B where rows were gathered. */
static int64_t shape_of(const struct cpu_prepared *q) { return q->symbols[SYMBOL_R] * (INT64_C(1) << 31) + q->symbols[SYMBOL_B]; }

static int has_many(const struct cpu_prepared *q) { return q->symbols[SYMBOL_R] > FEW_LIMIT || q->symbols[SYMBOL_B] > FEW_LIMIT; }

enum status cpu_linear_bind(struct cpu_prepared *q, struct error *e) {
    struct cpu_dense *s = q->dense;
    if (!has_many(q)) return STATUS_OK;
    if (!s) s = q->dense = mem_alloc(sizeof *s);
    int64_t shape = shape_of(q);
    for (s->present = 0; s->present < s->n; s->present++)
        if (s->sets[s->present].rows == shape) {
            s->sets[s->present].used = ++s->clock;
            return STATUS_OK;
        }
    int at = 0;
    if (s->n < MAX_SETS) at = s->n;
    else
        for (int i = 1; i < MAX_SETS; i++)
            if (s->sets[i].used < s->sets[at].used) at = i;
    struct dense_set *set = dense_set_open(q->device->size);
    int threads = dense_single_thread();
    enum status status = plan_set(q, set, e);
    dense_restore_threads(threads);
    if (status == STATUS_OK)
        status = cpu_scratch_grow(q->device->dense_scratch, q->device->size, &q->device->dense_scratch_bytes, dense_set_scratch(set), e);
    if (status != STATUS_OK) {
        dense_set_close(set);
        return status;
    }
    if (at == s->n) s->n++;
    else dense_set_close(s->sets[at].set);
    s->sets[at].rows = shape;
    s->sets[at].used = ++s->clock;
    s->sets[at].set = set;
    s->present = at;
    return STATUS_OK;
}

/* ---- the operations ---- */

static void linear(const struct cpu_call *c) {
    int64_t rows = rows_of(c);
    if (rows == 0) return;
    if (!cpu_is_many_rows(rows)) {
        linear_few(c);
        return;
    }
    struct cpu_dense *s = c->q->dense;
    struct many m = many_begin(c, s->sets[s->present].set);
    int threads = dense_single_thread();
    many_walk(&m);
    dense_restore_threads(threads);
    if (m.status != STATUS_OK) cpu_fault(c, m.status, "the dense library failed in a linear of %lld rows", (long long)rows);
}

void cpu_linear(const struct cpu_call *c) { linear(c); }
void cpu_linear_swiglu(const struct cpu_call *c) { linear(c); }

void cpu_need_linear(const struct cpu_device *d, const struct program *p, const struct op *op, const struct cpu_weight *w, struct cpu_need *out) {
    const struct tensor *x = &p->tensors[op->in[0]];
    int64_t rows = dim_value(x->dims[0], p->symbol_max);
    int has_conversion = 0;
    *out = (struct cpu_need){.scratch = few_bytes(w->cols, rows)};
    if (!cpu_is_many_rows(rows)) return;
    for (int i = 0; i < w->n_segments; i++) {
        enum engine e = engine_of(d, x->dtype, w->segments[i].encoding);
        has_conversion |= e == ENGINE_F32_CONVERTED || e == ENGINE_BF16_CONVERTED;
        if (x->dtype != DTYPE_F32 && !is_bf16_engine(e)) out->shared = (size_t)(least(rows, SHARED_ROWS) * w->cols) * sizeof(float);
    }
    if (out->scratch < many_bytes(w->cols, has_conversion)) out->scratch = many_bytes(w->cols, has_conversion);
}

int cpu_is_many_rows(int64_t rows) { return rows > FEW_LIMIT; }

const char *cpu_linear_unit(const struct cpu_device *d, enum dtype t, int is_many) {
    if (t == DTYPE_BF16 && is_many && d->has_dense_bf16) return d->level == ISA_LEVEL_AMX ? "oneDNN, AMX bf16 tiles" : "oneDNN, AVX-512 bf16 dot";
    if (is_many) return t == DTYPE_F32 ? "oneDNN, f32" : "oneDNN, f32 (weights converted a tile at a time)";
    if (t == DTYPE_BF16 && d->has_bf16_unit) return "streaming, AVX-512 bf16 dot";
    return t == DTYPE_F32 ? "streaming, f32" : "streaming, f32 (weights converted in registers)";
}
