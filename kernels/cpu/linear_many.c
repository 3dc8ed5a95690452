/* linear_many.c: products of more rows of x than stream: of real numbers by our panels or the dense library, whichever was measured to
 * be faster here (units.h); of codes by our own kernel. x is brought into the form that a product wants by all members together, w a tile
 * at a time by each. */
#include "kernels/cpu/dense.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/panels.h"

enum {
    BLOCK_ROWS = 512,        /* rows of x of one product */
    CONVERTED_COLUMNS = 128, /* a tile, where w or the number of rows fills the cache */
    WIDE_COLUMNS = 512,      /* and where neither does: fewer calls */
    TILE_ELEMENTS = BLOCK_ROWS * (CONVERTED_COLUMNS + STRIP_ROWS),
    SHARED_ROWS = 1024,      /* rows of x converted at a time */
    LEAST_GROUP = 32,        /* of codes */
    MAX_SETS = 32            /* shapes of launch whose primitives are kept */
};

/* ---- how a segment's rows are multiplied ---- */

enum engine { ENGINE_F32, ENGINE_BF16, ENGINE_HALVES, ENGINE_STRIPS };
struct way {
    enum engine engine;
    enum dtype t;            /* of w's rows as it takes them; STRIPS: none */
    int is_converted;        /* a tile of w at a time, from another form */
};

/* The other operand. */
struct operand {
    enum dtype t;
    int64_t rows, k;
};

static struct operand operand_of(const struct cpu_call *c) { return (struct operand){cpu_in_type(c, 0)->dtype, rows_of(c), c->o->weight->cols}; }

/* Of real numbers. */
static enum engine engine_beside(struct cpu_device *d, const struct operand *x) {
    if (x->t != DTYPE_BF16) return ENGINE_F32;
    enum unit unit = units_of(&d->units, DTYPE_BF16, rows_class(x->rows));
    if (unit == UNIT_HALVES) return ENGINE_HALVES;
    return unit != UNIT_F32 && (d->units.has_library_bf16 || panels_fit(d->isa, DTYPE_BF16, x->k)) ? ENGINE_BF16 : ENGINE_F32;
}

static struct way way_of(struct cpu_device *d, const struct operand *x, const struct cpu_segment *s) {
    const struct encoding *w = s->encoding;
    if (s->rounds_inputs && s->strip_bytes) return (struct way){.engine = ENGINE_STRIPS};
    if (s->rounds_inputs || w == &encoding_f32) return (struct way){ENGINE_F32, DTYPE_F32, w != &encoding_f32};
    enum engine e = engine_beside(d, x);
    if (e == ENGINE_F32 || w == &encoding_f16) return (struct way){ENGINE_F32, DTYPE_F32, 1};
    /* Encoded weights become bf16 beside such an x, as they would be without an encoding. Of int8_row it is the codes, which are
     * exact in bf16; their row's scale is applied to the sum. */
    return (struct way){e, DTYPE_BF16, w != &encoding_bf16};
}

/* Forms of x beside the stored one that a weight's segments want: f32; whole numbers in f32; codes; codes' sums by groups; fp16. */
enum form { FORM_WIDE = 1, FORM_ROUNDED = 2, FORM_CODES = 4, FORM_SUMS = 8, FORM_HALVES = 16 };

static int form_of(struct cpu_device *d, const struct operand *x, const struct cpu_segment *s) {
    enum engine e = way_of(d, x, s).engine;
    if (e == ENGINE_STRIPS) return FORM_CODES | (s->encoding->groups ? FORM_SUMS : 0);
    if (s->rounds_inputs) return FORM_ROUNDED;
    if (e == ENGINE_HALVES) return FORM_HALVES;
    return e == ENGINE_F32 && x->t != DTYPE_F32 ? FORM_WIDE : 0;
}

/* What a weight asks of scratch and of x. */
struct wants {
    int forms, has_conversion, group; /* group: of the sums */
};

static struct wants wants_of(struct cpu_device *d, const struct operand *x, const struct cpu_weight *w) {
    struct wants out = {0};
    for (int i = 0; i < w->n_segments; i++) {
        int form = form_of(d, x, &w->segments[i]);
        out.has_conversion |= way_of(d, x, &w->segments[i]).is_converted;
        out.forms |= form;
        if (form & FORM_SUMS) out.group = w->segments[i].encoding->groups->group;
    }
    return out;
}

/* ---- the forms of x, in the block that members share ---- */

/* No power of two apart. */
static int64_t code_stride(int64_t k) { return whole_runs(k, STRIP_PAD) + STRIP_PAD; }
/* Of sums; groups beyond k have none. */
static int64_t sums_stride(int64_t k, int group) { return whole_runs(k, STRIP_PAD) / group + 1; }

struct shared_rows {
    float *wide, *rounded;   /* (rows, k) */
    uint32_t *halves;        /* (rows, k) words of panels.h */
    float *factors;          /* (rows) of the same */
    float *scales;           /* (rows) */
    int32_t *offsets;        /* (rows) 128 Σ codes */
    float *sums;             /* (rows, sums_stride) */
    int8_t *codes;           /* (rows, code_stride), zero beyond k */
};

static size_t shared_bytes(int forms, int64_t rows, int64_t k) {
    size_t n = (size_t)(rows * k) * sizeof(float), bytes = 0;
    if (forms & FORM_WIDE) bytes += n;
    if (forms & FORM_ROUNDED) bytes += n;
    if (forms & FORM_HALVES) bytes += n + (size_t)rows * sizeof(float);
    if (forms & (FORM_ROUNDED | FORM_CODES)) bytes += (size_t)rows * (sizeof(float) + sizeof(int32_t));
    if (forms & FORM_SUMS) bytes += (size_t)(rows * sums_stride(k, LEAST_GROUP)) * sizeof(float);
    if (forms & (FORM_ROUNDED | FORM_CODES)) bytes += (size_t)(rows * code_stride(k));
    return bytes;
}

static struct shared_rows share_out(void *block, const struct wants *w, int64_t rows, int64_t k) {
    struct shared_rows s = {0};
    float *at = block;
    int64_t n = rows * k;
    if (w->forms & FORM_WIDE) s.wide = at, at += n;
    if (w->forms & FORM_ROUNDED) s.rounded = at, at += n;
    if (w->forms & FORM_HALVES) s.halves = (uint32_t *)(void *)at, at += n, s.factors = at, at += rows;
    if (w->forms & (FORM_ROUNDED | FORM_CODES)) s.scales = at, at += rows;
    if (w->forms & FORM_SUMS) s.sums = at, at += rows * sums_stride(k, w->group);
    s.offsets = (int32_t *)(void *)at;
    s.codes = (int8_t *)(s.offsets + rows);
    return s;
}

/* ---- one member's product ---- */

struct many {
    const struct cpu_call *c;
    struct dense_set *set;
    int is_planning;         /* only adds to the set what a run will ask of it */
    struct error *e;
    enum status status;
    struct operand operand;
    int64_t rows, k, columns, stride;  /* columns: of a tile; stride: of a row of it */
    struct wants wants;
    const void *x;           /* as stored */
    struct shared_rows shared;
    float *y, *up, *side;
    void *w;                 /* a converted tile of w */
    float *panel;            /* a turned one */
};

/* Two tiles of y, a strip's columns on their way, w turned, and converted. */
static size_t many_bytes(int64_t k, int has_conversion) {
    size_t floats = 2 * (size_t)TILE_ELEMENTS + BLOCK_ROWS * STRIP_ROWS + (size_t)panels_scratch(k);
    return (floats + (has_conversion ? CONVERTED_COLUMNS * (size_t)k : 0)) * sizeof(float);
}

static struct many many_begin(const struct cpu_call *c, struct dense_set *set) {
    const struct cpu_weight *w = c->o->weight;
    struct operand x = operand_of(c);
    struct many m = {.c = c, .set = set, .operand = x, .rows = x.rows, .k = x.k, .x = cpu_in(c, 0), .wants = wants_of(c->q->device, &x, w)};
    int fits_wide = m.rows <= BLOCK_ROWS * CONVERTED_COLUMNS / WIDE_COLUMNS;
    int has_strips = (m.wants.forms & FORM_CODES) != 0;
    m.columns = !m.wants.has_conversion && !has_strips && fits_wide ? WIDE_COLUMNS : CONVERTED_COLUMNS;
    m.stride = m.columns + STRIP_ROWS; /* our own kernels write whole runs of so many */
    if (m.wants.forms) m.shared = share_out(c->q->device->shared, &m.wants, least(m.rows, SHARED_ROWS), m.k);
    m.y = cpu_scratch(c);
    m.up = m.y + TILE_ELEMENTS;
    m.side = m.up + TILE_ELEMENTS;
    m.panel = m.side + BLOCK_ROWS * STRIP_ROWS;
    m.w = m.panel + panels_scratch(m.k);
    return m;
}

/* n columns of w from `first` on times `rows` rows of x from `row` on, which is row `at` of the shared forms; into y (rows, stride). */
struct piece {
    const struct cpu_segment *s;
    struct way way;
    int64_t first, n, row, at, rows;
    float *y;
};

/* ---- of real numbers: by our panels, or by the dense library ---- */

/* A row of k numbers to type t; `wide`: k floats on the way. */
static void convert_row(const struct isa_kernels *isa, const struct encoding *e, const char *row, int64_t k, enum dtype t, void *to, float *wide) {
    if (e == &encoding_bitmap_bf16 && t == DTYPE_BF16) isa->expand(row, k, to);
    else if (e == &encoding_int8_row) isa->from_int8(t, (const int8_t *)row + sizeof(float), to, k);
    else if (e == &encoding_bf16) isa->to_f32(DTYPE_BF16, row, to, k);
    else if (e == &encoding_f16) isa->to_f32(DTYPE_F16, row, to, k);
    else if (t == DTYPE_F32) e->decode(row, to, k);
    else {
        e->decode(row, wide, k);
        isa->from_f32(t, wide, to, k);
    }
}

/* Rows of w as the engine takes them: where they lie, or converted. */
static const void *piece_weights(const struct many *m, const struct piece *p) {
    const struct isa_kernels *isa = cpu_isa(m->c);
    const struct cpu_segment *s = p->s;
    enum dtype t = p->way.t;
    if (!p->way.is_converted) return cpu_row(s, p->first - s->first);
    float *wide = (float *)m->w + CONVERTED_COLUMNS * m->k / 2; /* behind a tile of bf16 */
    for (int64_t i = 0; i < p->n && !m->is_planning; i++)
        convert_row(isa, s->encoding, cpu_row(s, p->first - s->first + i), m->k, t, cpu_at_out(m->w, t, i * m->k), wide);
    return m->w;
}

/* Columns of y times the scales at the heads of w's rows. */
static void apply_scales(const struct many *m, const struct piece *p) {
    float scales[CONVERTED_COLUMNS];
    for (int64_t j = 0; j < p->n; j++) memcpy(&scales[j], cpu_row(p->s, p->first - p->s->first + j), sizeof *scales);
    for (int64_t r = 0; r < p->rows; r++) cpu_isa(m->c)->mul(DTYPE_F32, p->y + r * m->stride, scales, p->y + r * m->stride, p->n);
}

static const void *piece_rows(const struct many *m, const struct piece *p) {
    enum dtype t = cpu_in_type(m->c, 0)->dtype;
    if (p->s->rounds_inputs) return m->shared.rounded + p->at * m->k;
    if (p->way.engine == ENGINE_HALVES) return m->shared.halves + p->at * m->k;
    if (p->way.engine == ENGINE_BF16 || t == DTYPE_F32) return cpu_at(m->x, t, p->row * m->k);
    return m->shared.wide + p->at * m->k;
}

static int is_by_panels(const struct many *m, const struct way *way) {
    struct cpu_device *d = m->c->q->device;
    return way->engine == ENGINE_HALVES || (units_of(&d->units, way->t, rows_class(m->rows)) == UNIT_PANELS && panels_fit(d->isa, way->t, m->k));
}

static void multiply_real(struct many *m, const struct piece *p) {
    struct dense_key key = {.m = p->rows, .n = p->n, .k = m->k, .a_stride = m->k, .b_stride = m->k, .c_stride = m->stride, .t = p->way.t};
    int by_panels = is_by_panels(m, &p->way);
    const void *w = piece_weights(m, p);
    if (m->status != STATUS_OK) return;
    if (m->is_planning) {
        if (!by_panels) m->status = dense_set_add(m->set, &key, m->e);
        return;
    }
    if (p->way.engine == ENGINE_HALVES) panels_run_halves(cpu_isa(m->c), &key, piece_rows(m, p), m->shared.factors + p->at, w, p->y, m->panel);
    else if (by_panels) panels_run(cpu_isa(m->c), &key, piece_rows(m, p), w, p->y, m->panel);
    else m->status = dense_run(m->set, &key, m->c->member, piece_rows(m, p), w, p->y, m->c->q->device->dense_scratch[m->c->member]);
    if (p->s->encoding == &encoding_int8_row) apply_scales(m, p);
    for (int64_t r = 0; r < p->rows && p->s->rounds_inputs; r++)
        cpu_isa(m->c)->scale(DTYPE_F32, p->y + r * m->stride, m->shared.scales[p->at + r], p->y + r * m->stride, p->n);
}

/* ---- of codes ---- */

static void multiply_strips(const struct many *m, const struct piece *p) {
    int64_t sums = m->wants.group ? sums_stride(m->k, m->wants.group) : 0;
    const struct shared_rows *x = &m->shared;
    struct strips_product k = {.m = p->rows, .x = x->codes + p->at * code_stride(m->k), .x_stride = code_stride(m->k), .x_scales = x->scales + p->at,
                               .x_offsets = x->offsets + p->at, .x_sums = x->sums + p->at * sums, .sums_stride = sums, .y = p->y, .y_stride = m->stride};
    linear_strips(m->c, p->s, &k, p->first - p->s->first, p->n, m->side);
}

/* ---- tiles ---- */

/* y (rows, m->stride) = x[row..row+rows) · w[first..first+n)ᵀ. `base`: row of x that the shared forms begin with. */
static void many_rows(struct many *m, int64_t first, int64_t n, int64_t row, int64_t base, int64_t rows, float *y) {
    while (n > 0) {
        const struct cpu_segment *s = cpu_segment_of(m->c->o->weight, first);
        struct piece p = {s, way_of(m->c->q->device, &m->operand, s), first, least(n, s->first + s->rows - first), row, row - base, rows, y};
        if (p.way.engine != ENGINE_STRIPS) multiply_real(m, &p);
        else if (!m->is_planning) multiply_strips(m, &p);
        first += p.n;
        n -= p.n;
        y += p.n;
    }
}

/* One tile of columns for the rows from..to, in blocks of rows that differ by at most one. */
static void many_tile(struct many *m, int64_t first, int64_t n, int64_t from, int64_t to, int64_t base) {
    int64_t blocks = (to - from + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (int64_t b = 0; b < blocks; b++) {
        int64_t row = from + (to - from) * b / blocks, rows = from + (to - from) * (b + 1) / blocks - row;
        struct tile t = {first, n, row, rows, m->y, m->up, m->stride};
        many_rows(m, first, n, row, base, rows, m->y);
        if (is_swiglu(m->c->o->op)) many_rows(m, columns_of(m->c) + first, n, row, base, rows, m->up);
        if (!m->is_planning) linear_store(m->c, &t);
    }
}

/* Row `row` of x, which is row `at` of the shared ones. */
static void share_row(const struct many *m, int64_t row, int64_t at) {
    const struct isa_kernels *isa = cpu_isa(m->c);
    enum dtype t = cpu_in_type(m->c, 0)->dtype;
    const void *x = cpu_at(m->x, t, row * m->k);
    const struct shared_rows *s = &m->shared;
    int8_t *codes = s->codes + at * code_stride(m->k);
    if (s->wide) isa->to_f32(t, x, s->wide + at * m->k, m->k);
    if (s->halves) s->factors[at] = panels_halve(isa, t, x, m->k, s->halves + at * m->k);
    if (!s->scales) return;
    linear_round_row(m->c, row, code_stride(m->k), codes, &s->scales[at], &s->offsets[at]);
    if (s->rounded) isa->from_int8(DTYPE_F32, codes, s->rounded + at * m->k, m->k);
    if (!s->sums) return;
    int64_t sums = sums_stride(m->k, m->wants.group);
    linear_group_sums(codes, m->k, m->wants.group, sums, s->sums + at * sums);
}

static void share_rows(const struct many *m, int64_t from, int64_t to) {
    int64_t first, last;
    cpu_slice(to - from, 1, m->c->member, m->c->members, &first, &last);
    for (int64_t i = first; i < last; i++) share_row(m, from + i, i);
}

/* Where x must be converted, all members do so together, SHARED_ROWS at a time. */
static void many_walk(struct many *m) {
    const struct cpu_call *c = m->c;
    int64_t first, last, step = m->wants.forms ? SHARED_ROWS : m->rows;
    cpu_slice(columns_of(c), COLUMN_UNIT, c->member, c->members, &first, &last);
    for (int64_t from = 0; from < m->rows; from += step) {
        int64_t to = least(from + step, m->rows);
        int is_meeting = m->wants.forms && !m->is_planning;
        if (is_meeting && from > 0) team_barrier(c->q->device->team, c->member);
        if (is_meeting) share_rows(m, from, to);
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

static enum status plan_set(struct cpu_prepared *q, struct dense_set *set, struct error *e) {
    int size = q->device->size;
    for (size_t i = 0; i < q->head.program->n_ops; i++)
        for (int member = 0; member < size && op_is_linear(q->ops[i].op); member++) {
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

/* ---- the operation ---- */

void linear_many(const struct cpu_call *c) {
    struct cpu_dense *s = c->q->dense;
    struct many m = many_begin(c, s->sets[s->present].set);
    int threads = dense_single_thread();
    many_walk(&m);
    dense_restore_threads(threads);
    if (m.status != STATUS_OK) cpu_fault(c, m.status, "the dense library failed in a linear of %lld rows", (long long)m.rows);
}

/* Launches may be of any number of rows up to the most. Units are asked for here, by one thread, so that all members find answers. */
void linear_many_need(struct cpu_device *d, enum dtype x, int64_t max_rows, const struct cpu_weight *w, struct cpu_need *out) {
    const int64_t rows[] = {least(max_rows, ROWS_TENS_MOST), max_rows};
    for (int i = 0; i < 2; i++) {
        struct wants wants = wants_of(d, &(struct operand){x, rows[i], w->cols}, w);
        if (wants.forms & FORM_CODES) units_of(&d->units, DTYPE_I8, rows_class(rows[i]));
        size_t scratch = many_bytes(w->cols, wants.has_conversion), shared = shared_bytes(wants.forms, least(rows[i], SHARED_ROWS), w->cols);
        if (out->scratch < scratch) out->scratch = scratch;
        if (out->shared < shared) out->shared = shared;
    }
}
