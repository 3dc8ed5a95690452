/* linear_few.c: products of up to FEW_LIMIT rows of x, streamed: every form of x that a kernel wants is made once a member
 * (x is small), and each weight is read once for as many rows as the registers hold. */
#include "kernels/cpu/linear.h"

enum {
    FEW_COLUMNS = 1024,      /* a tile at most: kernels go through it in a few runs, each one stream, which long ones keep going */
    STREAMS = 8,
    Y_STRIDE = FEW_COLUMNS + STRIP_ROWS, /* of its rows in f32: strips may end beyond it */
    CACHED_COLUMNS = 16,     /* of it at a time where rows make two passes, so that the second finds w in cache */
    LEAST_GROUP = 32,        /* of codes */
    SPLIT_RUN = 64,
    CODE_RUN = 128,
    OF_BLOCKS = -1,          /* in place of a group: the order of GGUF's blocks */
    SUMS_RUN = 16,           /* sums of groups that are read at a time */
    DECODED_ROWS = 8         /* rows of w decoded at a time */
};

/* Rows of x a power of two apart would share cache sets. */
static int64_t few_stride(int64_t k) { return whole_runs(k, FEW_PAD) + FEW_PAD; }
static int64_t run_stride(int64_t k, int64_t run) { return whole_runs(k, run) + FEW_PAD; }

/* Of a row of sums over groups. */
static int64_t sums_stride(int64_t k, int group) { return whole_runs(k / group, SUMS_RUN); }

/* ---- the forms of x ---- */

struct few {
    const struct cpu_call *c;
    int64_t rows, k, stride;
    float *wide, *decoded, *y, *up, *side;
    uint16_t *split;         /* narrow, of each 64 elements first the even ones, then the odd */
    uint16_t *grouped;       /* narrow, as the codes of groups of `group` elements come */
    uint16_t *narrow;        /* x in bf16; NULL where its type or the processor has no such products */
    float *sums;             /* of x by groups of `group` elements, (rows, sums_stride) */
    int group, is_split;     /* grouped for; split is made (both when a kernel first wants them) */
    /* Rounded to eight bits, for weights that ask for it; NULL where none does. */
    int8_t *codes;           /* (rows, run_stride of STRIP_PAD), zero beyond k */
    float *code_scales;      /* (rows) */
    int32_t *code_offsets;   /* (rows) 128 Σ codes */
    float *code_sums;        /* of codes by groups of `code_group`, (rows, sums_stride) */
    float *rounded;          /* the codes in f32, (rows, stride), for weights that must be decoded */
    int code_group, is_widened;
};

static size_t rows_bytes(int64_t k, int64_t rows) {
    size_t stride = (size_t)few_stride(k), runs = (size_t)(run_stride(k, SPLIT_RUN) + run_stride(k, CODE_RUN)), codes = (size_t)run_stride(k, STRIP_PAD);
    return (size_t)rows * (stride * (2 * sizeof(float) + sizeof(uint16_t)) + 2 * (size_t)sums_stride(k, LEAST_GROUP) * sizeof(float) + runs * sizeof(uint16_t) + codes + sizeof(float) +
                           sizeof(int32_t) + STRIP_ROWS * sizeof(float));
}

size_t linear_few_bytes(int64_t k, int64_t max_rows) {
    int64_t rows = least(max_rows, FEW_LIMIT);
    return rows_bytes(k, rows) + (size_t)(DECODED_ROWS * few_stride(k) + 2 * rows * Y_STRIDE) * sizeof(float) + 256;
}

/* Read as they lie where there is a bf16 unit. */
static int has_codes_kernel(const struct encoding *e) {
    if (e == &encoding_q8_0 || e == &encoding_q4_0 || e == &encoding_q4_1) return 1;
    return e == &encoding_int8_row || e == &encoding_bitmap_bf16 || e == &encoding_bitmap_int8 || (e->groups && e->groups->bits == 4);
}

static int wants_wide(const struct cpu_weight *w) {
    for (int i = 0; i < w->n_segments; i++)
        if (!w->segments[i].rounds_inputs && w->segments[i].encoding != &encoding_bf16 && !has_codes_kernel(w->segments[i].encoding)) return 1;
    return 0;
}

static int has_rounded(const struct cpu_weight *w) {
    for (int i = 0; i < w->n_segments; i++)
        if (w->segments[i].rounds_inputs) return 1;
    return 0;
}

/* Parts of the scratch, one after the other, each at a multiple of 4 bytes. */
static void lay_out(struct few *f, int has_dot) {
    int64_t groups = sums_stride(f->k, LEAST_GROUP);
    f->wide = cpu_scratch(f->c);
    f->decoded = f->wide + f->rows * f->stride;
    f->y = f->decoded + DECODED_ROWS * f->stride;
    f->up = f->y + f->rows * Y_STRIDE;
    f->sums = f->up + f->rows * Y_STRIDE;
    f->rounded = f->sums + f->rows * groups;
    f->code_sums = f->rounded + f->rows * f->stride;
    f->code_scales = f->code_sums + f->rows * groups;
    f->side = f->code_scales + f->rows;
    f->code_offsets = (int32_t *)(void *)(f->side + f->rows * STRIP_ROWS);
    f->codes = (int8_t *)(f->code_offsets + f->rows);
    if (!has_dot) return;
    f->narrow = (uint16_t *)(void *)(f->codes + f->rows * run_stride(f->k, STRIP_PAD));
    f->split = f->narrow + f->rows * f->stride;
    f->grouped = f->split + f->rows * run_stride(f->k, SPLIT_RUN);
}

static void round_rows(struct few *f) {
    int64_t stride = run_stride(f->k, STRIP_PAD);
    for (int64_t r = 0; r < f->rows; r++) linear_round_row(f->c, r, stride, f->codes + r * stride, &f->code_scales[r], &f->code_offsets[r]);
}

/* x as the kernels want it: rows padded with zeros. Every member makes its own; x is small. */
static struct few few_begin(const struct cpu_call *c) {
    const struct tensor *x = cpu_in_type(c, 0);
    struct few f = {.c = c, .rows = rows_of(c), .k = c->o->weight->cols};
    int has_dot = x->dtype == DTYPE_BF16 && c->q->device->has_bf16_unit;
    f.stride = few_stride(f.k);
    lay_out(&f, has_dot);
    if (has_rounded(c->o->weight)) round_rows(&f);
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
    const float *x;          /* rows of x in f32 other than f->wide; else NULL */
};

/* Kernels that want x in pairs of 32, the even and the odd; in the order of a register of four-bit codes. */
static int is_split(enum few_kind kind) { return kind == FEW_INT8_DOT || kind == FEW_BITMAP_INT8_DOT || kind == FEW_Q8_0_DOT; }
static int is_nibbles(enum few_kind kind) { return kind == FEW_Q4_0_DOT || kind == FEW_Q4_1_DOT; }
static int is_grouped(enum few_kind kind) { return kind == FEW_INT4_DOT || is_nibbles(kind); }

/* The rows of x from r on that a kind takes, and what goes with them. */
static void set_rows(const struct few *f, enum few_kind kind, const struct grouping *groups, int64_t r, struct few_product *p) {
    int64_t split = run_stride(f->k, SPLIT_RUN), run = run_stride(f->k, CODE_RUN);
    p->x_stride = is_split(kind) ? split : is_grouped(kind) ? run : f->stride;
    p->sums_stride = groups ? sums_stride(f->k, groups->group) : is_nibbles(kind) ? sums_stride(f->k, LEAST_GROUP) : 0;
    p->x_sums = f->sums + r * p->sums_stride;
    if (is_split(kind)) p->x = f->split + r * split;
    else if (is_grouped(kind)) p->x = f->grouped + r * run;
    else if (kind == FEW_BF16_DOT || kind == FEW_BITMAP_DOT) p->x = f->narrow + r * f->stride;
    else p->x = f->wide + r * f->stride;
}

/* n rows of w, stored as `kind` (in groups of a kind with codes), times all rows of x. */
static void few_product(const struct few *f, enum few_kind kind, const struct few_rows *w, int64_t n, float *y) {
    int64_t step = f->rows > FEW_MAX_ROWS ? CACHED_COLUMNS : n;
    struct few_product p = {.kind = kind, .k = f->k, .y_stride = Y_STRIDE, .w_stride = w->stride, .groups = w->groups};
    for (int64_t j = 0; j < n; j += step)
        for (int64_t r = 0; r < f->rows; r += FEW_MAX_ROWS) {
            set_rows(f, kind, w->groups, r, &p);
            if (w->x) p.x = w->x + r * f->stride;
            p.n = least(step, n - j);
            p.rows = (int)least(FEW_MAX_ROWS, f->rows - r);
            p.w = w->starts ? w->data : w->data + (size_t)j * w->stride;
            p.w_starts = w->starts ? w->starts + j : NULL;
            p.y = y + r * Y_STRIDE + j;
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
    memset(f->sums, 0, (size_t)(f->rows * sums_stride(f->k, group)) * sizeof *f->sums);
    for (int64_t r = 0; r < f->rows; r++) group_row(f->narrow + r * f->stride, f->k, group, f->grouped + r * stride, f->sums + r * sums_stride(f->k, group));
}

/* The same for GGUF's blocks of four bits: a byte's codes are 16 elements apart. */
static void block_rows(struct few *f) {
    int64_t stride = run_stride(f->k, CODE_RUN), groups = sums_stride(f->k, LEAST_GROUP);
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

static void sum_codes(struct few *f, int group) {
    int64_t stride = sums_stride(f->k, group);
    if (f->code_group == group) return;
    f->code_group = group;
    for (int64_t r = 0; r < f->rows; r++) linear_group_sums(f->codes + r * run_stride(f->k, STRIP_PAD), f->k, group, stride, f->code_sums + r * stride);
}

static void few_strips(struct few *f, const struct cpu_segment *s, int64_t row, int64_t n, float *y) {
    const struct grouping *q = s->encoding->groups;
    struct strips_product p = {.m = f->rows, .x = f->codes, .x_stride = run_stride(f->k, STRIP_PAD), .x_scales = f->code_scales, .x_offsets = f->code_offsets,
                               .x_sums = f->code_sums, .sums_stride = q ? sums_stride(f->k, q->group) : 0, .y = y, .y_stride = Y_STRIDE};
    if (q) sum_codes(f, q->group);
    linear_strips(f->c, s, &p, row, n, f->side);
}

static void widen_codes(struct few *f) {
    if (f->is_widened) return;
    f->is_widened = 1;
    for (int64_t r = 0; r < f->rows; r++) {
        cpu_isa(f->c)->from_int8(DTYPE_F32, f->codes + r * run_stride(f->k, STRIP_PAD), f->rounded + r * f->stride, f->k);
        memset(f->rounded + r * f->stride + f->k, 0, (size_t)(f->stride - f->k) * sizeof *f->rounded);
    }
}

/* Rows that no kernel reads as stored: decoded to f32, a few at a time. */
static void few_decoded(struct few *f, const struct cpu_segment *s, int64_t first, int64_t n, float *y) {
    struct few_rows w = {.data = (const char *)f->decoded, .stride = (size_t)f->stride * sizeof(float)};
    if (s->rounds_inputs) {
        widen_codes(f);
        w.x = f->rounded;
    }
    for (int64_t j = 0; j < n; j += DECODED_ROWS) {
        int64_t m = least(DECODED_ROWS, n - j);
        for (int64_t i = 0; i < m; i++) s->encoding->decode(cpu_row(s, first + j + i), f->decoded + i * f->stride, f->k);
        few_product(f, FEW_F32, &w, m, y + j);
    }
    for (int64_t r = 0; r < f->rows && s->rounds_inputs; r++)
        cpu_isa(f->c)->scale(DTYPE_F32, y + r * Y_STRIDE, f->code_scales[r], y + r * Y_STRIDE, n);
}

/* The kernel that reads a segment as it lies; -1: there is none, it must be decoded. */
static int few_kind_of(const struct few *f, const struct cpu_segment *s) {
    const struct encoding *e = s->encoding;
    if (s->rounds_inputs) return -1;
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

/* y (rows, Y_STRIDE) = x · w[first..first+n)ᵀ */
static void few_tile(struct few *f, int64_t first, int64_t n, float *y) {
    while (n > 0) {
        const struct cpu_segment *s = cpu_segment_of(f->c->o->weight, first);
        int64_t m = least(n, s->first + s->rows - first), row = first - s->first;
        if (s->strip_bytes) {
            few_strips(f, s, row, m, y);
            first += m, n -= m, y += m;
            continue;
        }
        const struct few_rows w = {s->starts ? s->data : cpu_row(s, row), s->stride, s->starts ? s->starts + row : NULL, s->encoding->groups, NULL};
        int kind = few_kind_of(f, s);
        if (kind >= 0 && is_split((enum few_kind)kind)) split_rows(f);
        if (kind >= 0 && is_nibbles((enum few_kind)kind)) block_rows(f);
        if (kind == FEW_INT4_DOT) group_rows(f, w.groups->group);
        if (kind < 0) few_decoded(f, s, row, m, y);
        else few_product(f, (enum few_kind)kind, &w, m, y);
        first += m;
        n -= m;
        y += m;
    }
}

/* ---- a member's columns ---- */

void linear_few(const struct cpu_call *c) {
    struct few f = few_begin(c);
    int64_t columns = columns_of(c), first, last;
    cpu_slice(columns, COLUMN_UNIT, c->member, c->members, &first, &last);
    int64_t tiles = (last - first + FEW_COLUMNS - 1) / FEW_COLUMNS, step = tiles ? whole_runs((last - first + tiles - 1) / tiles, STREAMS * STRIP_ROWS) : 0;
    for (int64_t j = first; j < last; j += step) {
        struct tile t = {.first = j, .n = least(step, last - j), .rows = f.rows, .y = f.y, .up = f.up, .stride = Y_STRIDE};
        few_tile(&f, j, t.n, f.y);
        if (is_swiglu(c->o->op)) few_tile(&f, columns + j, t.n, f.up);
        linear_store(c, &t);
    }
}
