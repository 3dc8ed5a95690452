#include "kernels/cpu/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/clock.h"
#include "kernels/cpu/panels.h"
#include "kernels/cpu/tiles.h"

enum { COLUMNS = 128, ELEMENTS = 1024, SLACK = 16, TURNS = 5, MOST_ROWS = 480 };
static const int64_t rows_measured[ROWS_CLASSES] = {40, MOST_ROWS};
enum { MOST_CANDIDATES = 4 };
struct candidates {
    int n;
    enum unit units[MOST_CANDIDATES];
};

static const struct candidates *candidates_of(enum dtype t) {
    static const struct candidates f32 = {2, {UNIT_PANELS, UNIT_LIBRARY}}, bf16 = {4, {UNIT_PANELS, UNIT_LIBRARY, UNIT_F32, UNIT_HALVES}},
                                   codes = {2, {UNIT_VECTORS, UNIT_TILES}};
    return t == DTYPE_F32 ? &f32 : t == DTYPE_BF16 ? &bf16 : &codes;
}

/* ---- measuring ---- */

struct trial {
    const struct isa_kernels *isa;
    struct dense_key key;
    struct dense_set *set;                    /* NULL: not by the library */
    const void *x, *w;
    const uint16_t *widened;                  /* w before it is widened; NULL: it is used as it lies */
    const uint32_t *words;                    /* x for fp16, with factors; NULL: not in fp16 */
    const float *factors;
    float *wide, *c, *scratch;
    void *library_scratch;
    void (*strips)(const struct strips_product *p); /* of codes; NULL: of real numbers */
    struct strips_product codes;
};

static void run_once(const struct trial *t) {
    if (t->strips) {
        t->strips(&t->codes);
        return;
    }
    if (t->words) {
        panels_run_halves(t->isa, &t->key, t->words, t->factors, t->w, t->c, t->scratch);
        return;
    }
    if (t->widened) t->isa->to_f32(DTYPE_BF16, t->widened, t->wide, COLUMNS * ELEMENTS);
    if (t->set) dense_run(t->set, &t->key, 0, t->x, t->w, t->c, t->library_scratch);
    else panels_run(t->isa, &t->key, t->x, t->w, t->c, t->scratch);
}

/* The trials take turns; of each the shortest is kept, for what else runs only adds. */
static void time_all(const struct trial *trials, int n, double *ns) {
    const struct clock clock = {0};
    for (int i = 0; i < n; i++) ns[i] = NAN;
    for (int turn = 0; turn <= TURNS; turn++) /* the first warms up */
        for (int i = 0; i < n; i++) {
            if (!trials[i].isa) continue;
            uint64_t start = clock_now_ns(&clock);
            run_once(&trials[i]);
            double took = (double)(clock_now_ns(&clock) - start);
            if (turn > 0 && !(took >= ns[i])) ns[i] = took > 1 ? took : 1;
        }
}

/* Operands of ones: speed does not depend on them. */
struct operands {
    uint16_t x[MOST_ROWS * ELEMENTS], w[COLUMNS * ELEMENTS];
    uint32_t words[MOST_ROWS * ELEMENTS];
    float factors[MOST_ROWS], x_wide[MOST_ROWS * ELEMENTS], w_wide[COLUMNS * ELEMENTS], c[MOST_ROWS * (COLUMNS + SLACK)], scratch[];
};

static struct operands *operands_make(void) {
    struct operands *o = mem_try(sizeof *o + (size_t)panels_scratch(ELEMENTS) * sizeof(float));
    for (size_t i = 0; o && i < MOST_ROWS * ELEMENTS; i++) o->x[i] = 0x3f80, o->x_wide[i] = 1;
    for (size_t i = 0; o && i < COLUMNS * ELEMENTS; i++) o->w[i] = 0x3f80, o->w_wide[i] = 1;
    return o;
}

static void operands_free(struct operands *o) { mem_try_free(o, sizeof *o + (size_t)panels_scratch(ELEMENTS) * sizeof(float)); }

/* A trial of `who` with operands of type t; isa stays NULL where this machine has no such. */
static struct trial trial_make(const struct units *u, struct operands *o, enum dtype t, enum unit who, int64_t rows) {
    struct error e = {0};
    struct trial r = {.key = {rows, COLUMNS, ELEMENTS, ELEMENTS, ELEMENTS, COLUMNS + SLACK, t}, .x = t == DTYPE_F32 ? (const void *)o->x_wide : o->x,
                      .w = t == DTYPE_F32 ? (const void *)o->w_wide : o->w, .c = o->c, .scratch = o->scratch};
    if (who == UNIT_PANELS && panels_fit(u->isa, t, ELEMENTS)) r.isa = u->isa;
    if (who == UNIT_HALVES && u->has_halves) {
        for (int64_t i = 0; i < rows; i++) o->factors[i] = panels_halve(u->isa, t, o->x + i * ELEMENTS, ELEMENTS, o->words + i * ELEMENTS);
        r.isa = u->isa, r.words = o->words, r.factors = o->factors;
    }
    if (who != UNIT_LIBRARY || (t == DTYPE_BF16 && !u->has_library_bf16)) return r;
    r.set = dense_set_open(1);
    if (dense_set_add(r.set, &r.key, &e) == STATUS_OK && (r.library_scratch = mem_try(dense_set_scratch(r.set) + 1)) != NULL) r.isa = u->isa;
    return r;
}

static void trial_free(struct trial *t) {
    if (t->library_scratch) mem_try_free(t->library_scratch, dense_set_scratch(t->set) + 1);
    dense_set_close(t->set);
}

/* ns of each candidate; NAN of what cannot be. UNIT_F32 is the better one for f32, after w is widened. */
static void measure(struct units *u, enum dtype t, enum rows_class c, double *ns) {
    struct operands *o = operands_make();
    const struct candidates *all = candidates_of(t);
    int threads = dense_single_thread();
    struct trial trials[MOST_CANDIDATES] = {{0}};
    enum unit f32 = t == DTYPE_F32 ? UNIT_UNKNOWN : units_of(u, DTYPE_F32, c);
    for (int i = 0; o && i < all->n; i++) {
        int is_widened = all->units[i] == UNIT_F32;
        trials[i] = trial_make(u, o, is_widened ? DTYPE_F32 : t, is_widened ? f32 : all->units[i], rows_measured[c]);
        if (is_widened) trials[i].widened = o->w, trials[i].wide = o->w_wide;
    }
    time_all(trials, all->n, ns);
    for (int i = 0; i < all->n; i++) trial_free(&trials[i]);
    dense_restore_threads(threads);
    if (o) operands_free(o);
}

/* The same of codes in strips with one scale a row: zeros, which take as long as others. */
static void measure_codes(const struct units *u, enum rows_class c, double *ns) {
    enum { STRIDE = ELEMENTS + STRIP_PAD, STRIP_BYTES = ELEMENTS * STRIP_ROWS + STRIP_ROWS * 4 };
    int64_t rows = rows_measured[c];
    size_t bytes = (size_t)rows * (STRIDE + 2 * sizeof(float) + (COLUMNS + SLACK) * sizeof(float)) + COLUMNS / STRIP_ROWS * STRIP_BYTES;
    float *y = mem_try(bytes);
    struct trial trials[] = {{.isa = u->isa, .strips = u->isa->strips}, {.isa = u->isa, .strips = tiles_strips}}; /* as candidates_of has them */
    const int n = candidates_of(DTYPE_I8)->n;
    for (int i = 0; i < n; i++) ns[i] = NAN;
    if (!y) return;
    float *scales = y + rows * (COLUMNS + SLACK);
    for (int i = 0; i < n; i++)
        trials[i].codes = (struct strips_product){.m = rows, .strips = COLUMNS / STRIP_ROWS, .k = ELEMENTS, .x = (const int8_t *)(scales + 2 * rows), .x_stride = STRIDE,
            .x_scales = scales, .x_offsets = (const int32_t *)(const void *)(scales + rows), .w = (const char *)(scales + 2 * rows) + rows * STRIDE, .strip_stride = STRIP_BYTES,
            .y = y, .y_stride = COLUMNS + SLACK};
    memset(y, 0, bytes);
    time_all(trials, n, ns);
    mem_try_free(y, bytes);
}

/* ---- answers ---- */

static void key_of(const struct units *u, enum dtype t, enum rows_class c, char *to, size_t bytes) {
    snprintf(to, bytes, "unit %s %s, %lld x %d x %d%s%s", isa_name(u->level), dtype_name(t), (long long)rows_measured[c], COLUMNS, ELEMENTS,
             u->has_library_bf16 ? "" : ", library without bf16", u->has_halves ? ", fp16" : "");
}

/* The place of the shortest time; -1 where there is none. */
static int place_of_least(const double *ns, int n) {
    int at = -1;
    for (int i = 0; i < n; i++)
        if (!isnan(ns[i]) && (at < 0 || ns[i] < ns[at])) at = i;
    return at;
}

/* Where nothing could be measured: the one that is always there. */
static enum unit least_of(const double *ns, enum dtype t) {
    const struct candidates *all = candidates_of(t);
    int at = place_of_least(ns, all->n);
    if (at < 0) return t == DTYPE_I8 ? UNIT_VECTORS : UNIT_LIBRARY;
    return all->units[at];
}

/* What is remembered, or, where it `may_measure`, measured now. */
static enum unit ask(struct units *u, enum dtype t, enum rows_class c, int may_measure) {
    double ns[MOST_CANDIDATES];
    char key[128];
    int n = candidates_of(t)->n;
    key_of(u, t, c, key, sizeof key);
    if (u->memory && u->memory->find(u->memory->self, key, ns, n)) return least_of(ns, t);
    if (!may_measure) return UNIT_UNKNOWN;
    if (t == DTYPE_I8) measure_codes(u, c, ns);
    else measure(u, t, c, ns);
    if (u->memory && place_of_least(ns, n) >= 0) u->memory->keep(u->memory->self, key, ns, n); /* a lack of memory may be gone tomorrow */
    return least_of(ns, t);
}

void units_begin(struct units *u, const struct isa_kernels *isa, enum isa level, const struct unit_memory *memory) {
    *u = (struct units){.isa = isa, .level = level, .memory = memory, .has_library_bf16 = level >= ISA_LEVEL_AVX512BF16 && dense_has_bf16(),
                        .has_halves = level >= ISA_LEVEL_AVX512BF16 && isa_has_halves(), .has_byte_tiles = level == ISA_LEVEL_AMX && isa_has_byte_tiles()};
    if (!u->has_byte_tiles) u->codes[ROWS_TENS] = u->codes[ROWS_HUNDREDS] = UNIT_VECTORS; /* there is nothing to choose */
}

static enum unit answer(struct units *u, enum dtype t, enum rows_class c, int may_measure) {
    enum unit *known = t == DTYPE_BF16 ? &u->bf16[c] : t == DTYPE_I8 ? &u->codes[c] : &u->f32[c];
    if (*known == UNIT_UNKNOWN) *known = ask(u, t, c, may_measure);
    return *known;
}

enum unit units_of(struct units *u, enum dtype t, enum rows_class c) { return answer(u, t, c, 1); }

const char *units_describe(struct units *u, enum dtype t, enum rows_class c) {
    enum unit unit = answer(u, t, c, 0);
    if (unit == UNIT_UNKNOWN) return "not measured yet";
    if (t == DTYPE_I8) return unit == UNIT_TILES ? "strips, AMX int8 tiles" : "strips, AVX512-VNNI";
    if (unit == UNIT_HALVES) return "panels, AVX512-FP16 (sums in f32 every 64)";
    if (t != DTYPE_BF16) return unit == UNIT_PANELS ? "panels, f32" : "oneDNN, f32";
    if (unit == UNIT_F32) return "f32 (weights widened a tile at a time)";
    if (unit == UNIT_PANELS) return "panels, AVX-512 bf16 dot";
    return u->level == ISA_LEVEL_AMX ? "oneDNN, AMX bf16 tiles" : "oneDNN, AVX-512 bf16 dot";
}
