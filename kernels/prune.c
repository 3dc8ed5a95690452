#include "kernels/prune.h"

#include <math.h>
#include <string.h>

#include "kernels/base/memory.h"

/* ---- settings ---- */

enum { MOST_NEIGHBOURS = 64 };

enum status prune_check(const struct pruning *p, int64_t cols, struct error *e) {
    if (p->per != PRUNE_N_OF_M) {
        if (p->share >= 0 && p->share <= 1) return STATUS_OK;
        return error_set(e, STATUS_UNSUPPORTED, "a share of %g to drop: give one from 0 to 1", p->share);
    }
    if (p->m < 1 || p->m > MOST_NEIGHBOURS || p->n < 0 || p->n > p->m)
        return error_set(e, STATUS_UNSUPPORTED, "%d of %d to drop: give N of M with N from 0 to M, and M from 1 to %d", p->n, p->m, MOST_NEIGHBOURS);
    if (cols % p->m == 0) return STATUS_OK;
    return error_set(e, STATUS_UNSUPPORTED, "rows of %lld elements are no multiple of the %d of which %d are to drop", (long long)cols, p->m, p->n);
}

static int64_t dropped(const struct pruning *p, int64_t n) { return (int64_t)(p->share * (double)n); }

/* ---- scores ----
 * As bits: scores are not negative, and such floats sort as their bits do. NaN and infinity come last. */

enum { INFINITE = 0x7f800000 };

static uint32_t score_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u & 0x7fffffffu;
}

/* Returns the highest of a row's. */
static uint32_t score_row(const struct prune_rows *r, int64_t row, uint32_t *restrict bits) {
    const float *restrict w = r->w + row * r->cols, *restrict norm = r->norm;
    int32_t most = 0;
    for (int64_t j = 0; j < r->cols; j++) {
        bits[j] = norm ? score_bits(w[j] * norm[j]) : score_bits(w[j]);
        most = (int32_t)bits[j] > most ? (int32_t)bits[j] : most;
    }
    return (uint32_t)most;
}

static enum status damaged_row(const struct prune_rows *r, int64_t row, const uint32_t *bits, struct error *e) {
    int64_t j = 0;
    while (bits[j] < INFINITE) j++;
    float w = r->w[row * r->cols + j];
    if (isfinite(w) && r->norm)
        return error_set(e, STATUS_INPUT, "element [%lld, %lld]: its score, %g times an input norm of %g, is not finite", (long long)(r->first + row),
                         (long long)j, (double)w, (double)r->norm[j]);
    return error_set(e, STATUS_INPUT, "element [%lld, %lld] is %s", (long long)(r->first + row), (long long)j, isnan(w) ? "not a number" : "infinite");
}

static enum status check_scores(const struct prune_rows *r, int64_t row, uint32_t *bits, struct error *e) {
    return score_row(r, row, bits) < INFINITE ? STATUS_OK : damaged_row(r, row, bits, e);
}

enum status prune_scores(const struct prune_rows *r, float *scores, struct error *e) {
    uint32_t *bits = mem_alloc((size_t)r->cols * sizeof *bits);
    enum status s = STATUS_OK;
    for (int64_t i = 0; i < r->rows && s == STATUS_OK; i++) {
        s = check_scores(r, i, bits, e);
        memcpy(scores + i * r->cols, bits, (size_t)r->cols * sizeof *bits);
    }
    mem_free(bits);
    return s;
}

/* ---- masks of a row ---- */

/* Keeps what is above the threshold, and what is at it once *ties are dropped. */
static void mask_above(const uint32_t *bits, int64_t n, uint32_t threshold, int64_t *ties, uint32_t *mask) {
    for (int64_t i = 0; i < n; i += MASK_BITS) {
        uint32_t above = 0, at = 0;
        int64_t part = n - i < MASK_BITS ? n - i : MASK_BITS;
        for (int64_t j = 0; j < part; j++) {
            above |= (uint32_t)(bits[i + j] > threshold) << j;
            at |= (uint32_t)(bits[i + j] == threshold) << j;
        }
        for (; at && *ties > 0; --*ties) at &= at - 1; /* the lowest bit is the first element */
        mask[i / MASK_BITS] = above | at;
    }
}

static void keep_all(int64_t n, uint32_t *mask) {
    for (int64_t i = 0; i < n; i += MASK_BITS) mask[i / MASK_BITS] = n - i < MASK_BITS ? (1u << (n - i)) - 1 : 0xffffffffu;
}

/* Of n values the k lowest, 1 <= k <= n: the highest of them is returned, *ties is how many of its equals are among them.
 * Eleven, ten and ten bits from the top; each time what remains is moved to the front. `v` is used up. */
static uint32_t select_lowest(uint32_t *v, int64_t n, int64_t k, int64_t *ties) {
    static const struct { int shift, bits; } digits[] = {{20, 11}, {10, 10}, {0, 10}};
    uint32_t found = 0;
    for (int d = 0; d < 3; d++) {
        uint32_t counts[1 << 11] = {0}, mask = (1u << digits[d].bits) - 1, digit = 0;
        for (int64_t i = 0; i < n; i++) counts[v[i] >> digits[d].shift & mask]++;
        while (k > counts[digit]) k -= counts[digit++];
        found |= digit << digits[d].shift;
        int64_t left = 0;
        for (int64_t i = 0; i < n; i++) {
            v[left] = v[i];
            left += (v[i] >> digits[d].shift & mask) == digit;
        }
        n = left;
    }
    *ties = k;
    return found;
}

struct row_work {
    uint32_t *bits, *copy;            /* (cols) each */
};

static void prune_row(const struct pruning *p, int64_t cols, struct row_work *work, uint32_t *mask) {
    int64_t drop = dropped(p, cols), ties;
    if (drop == 0) {
        keep_all(cols, mask);
        return;
    }
    memcpy(work->copy, work->bits, (size_t)cols * sizeof *work->copy);
    uint32_t threshold = select_lowest(work->copy, cols, drop, &ties);
    mask_above(work->bits, cols, threshold, &ties, mask);
}

/* An element's rank among its neighbours is how many are lower, or equal and before it. */
static void prune_neighbours(const struct pruning *p, int64_t cols, const uint32_t *bits, uint32_t *mask) {
    memset(mask, 0, (size_t)mask_words(cols) * sizeof *mask);
    for (int64_t i = 0; i < cols; i += p->m)
        for (int j = 0; j < p->m; j++) {
            int rank = 0;
            for (int k = 0; k < p->m; k++) rank += bits[i + k] < bits[i + j] || (bits[i + k] == bits[i + j] && k < j);
            mask[(i + j) / MASK_BITS] |= (uint32_t)(rank >= p->n) << ((i + j) % MASK_BITS);
        }
}

static enum status prune_each_row(const struct pruning *p, const struct prune_rows *r, uint32_t *mask, struct error *e) {
    struct row_work work = {mem_alloc((size_t)r->cols * sizeof(uint32_t)), mem_alloc((size_t)r->cols * sizeof(uint32_t))};
    enum status s = STATUS_OK;
    for (int64_t i = 0; i < r->rows && s == STATUS_OK; i++) {
        uint32_t *row_mask = mask + i * mask_words(r->cols);
        s = check_scores(r, i, work.bits, e);
        if (s == STATUS_OK && p->per == PRUNE_PER_ROW) prune_row(p, r->cols, &work, row_mask);
        else if (s == STATUS_OK) prune_neighbours(p, r->cols, work.bits, row_mask);
    }
    mem_free(work.bits);
    mem_free(work.copy);
    return s;
}

/* ---- by matrix ---- */

enum { LOWER_BITS = 15 };

void prune_selection_begin(struct prune_selection *s, const struct pruning *p, int64_t n) {
    memset(s, 0, sizeof *s);
    s->drop = dropped(p, n);
}

static void count_row(struct prune_selection *s, const uint32_t *bits, int64_t n) {
    if (!s->is_narrow) {
        for (int64_t i = 0; i < n; i++) s->counts[bits[i] >> LOWER_BITS]++;
        return;
    }
    uint32_t upper = s->upper >> LOWER_BITS;
    for (int64_t i = 0; i < n; i++)
        if (bits[i] >> LOWER_BITS == upper) s->counts[bits[i] & ((1u << LOWER_BITS) - 1)]++;
}

enum status prune_count(struct prune_selection *s, const struct prune_rows *r, struct error *e) {
    uint32_t *bits = mem_alloc((size_t)r->cols * sizeof *bits);
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < r->rows && status == STATUS_OK; i++) {
        status = check_scores(r, i, bits, e);
        if (status == STATUS_OK) count_row(s, bits, r->cols);
    }
    mem_free(bits);
    return status;
}

void prune_selection_add(struct prune_selection *to, const struct prune_selection *from) {
    for (int i = 0; i < PRUNE_COUNTS; i++) to->counts[i] += from->counts[i];
}

/* The count in which the drop-th lowest lies; s->drop becomes its place within. */
static uint32_t find_count(struct prune_selection *s) {
    uint32_t i = 0;
    while (i < PRUNE_COUNTS - 1 && s->drop > s->counts[i]) s->drop -= s->counts[i++];
    return i;
}

void prune_selection_narrow(struct prune_selection *s) {
    s->upper = find_count(s) << LOWER_BITS;
    s->is_narrow = 1;
    memset(s->counts, 0, sizeof s->counts);
}

struct prune_threshold prune_selection_end(struct prune_selection *s) {
    uint32_t bits = s->upper | find_count(s);
    return (struct prune_threshold){bits, s->drop};
}

int64_t prune_ties(const struct prune_threshold *t, const struct prune_rows *r) {
    uint32_t *bits = mem_alloc((size_t)r->cols * sizeof *bits);
    int64_t ties = 0;
    for (int64_t i = 0; i < r->rows; i++) {
        score_row(r, i, bits);
        for (int64_t j = 0; j < r->cols; j++) ties += bits[j] == t->bits;
    }
    mem_free(bits);
    return ties;
}

/* Where nothing is to drop, the threshold is 0 and has no ties to drop. */
void prune_mask(const struct prune_threshold *t, const struct prune_rows *r, int64_t *ties, uint32_t *mask) {
    uint32_t *bits = mem_alloc((size_t)r->cols * sizeof *bits);
    for (int64_t i = 0; i < r->rows; i++) {
        score_row(r, i, bits);
        mask_above(bits, r->cols, t->bits, ties, mask + i * mask_words(r->cols));
    }
    mem_free(bits);
}

static enum status prune_whole(const struct pruning *p, const struct prune_rows *r, uint32_t *mask, struct error *e) {
    struct prune_selection *s = mem_alloc(sizeof *s);
    prune_selection_begin(s, p, r->rows * r->cols);
    enum status status = prune_count(s, r, e);
    if (status == STATUS_OK) {
        prune_selection_narrow(s);
        status = prune_count(s, r, e);
    }
    if (status == STATUS_OK) {
        struct prune_threshold t = prune_selection_end(s);
        int64_t ties = t.ties;
        prune_mask(&t, r, &ties, mask);
    }
    mem_free(s);
    return status;
}

enum status prune(const struct pruning *p, const struct prune_rows *r, uint32_t *mask, struct error *e) {
    enum status s = prune_check(p, r->cols, e);
    if (s != STATUS_OK) return s;
    return p->per == PRUNE_PER_MATRIX ? prune_whole(p, r, mask, e) : prune_each_row(p, r, mask, e);
}

/* ---- calibration ---- */

void prune_norm_add(const float *x, int64_t tokens, int64_t cols, double *sums) {
    for (int64_t t = 0; t < tokens; t++)
        for (int64_t j = 0; j < cols; j++) sums[j] += (double)x[t * cols + j] * (double)x[t * cols + j];
}

void prune_norm(const double *sums, int64_t cols, float *norm) {
    for (int64_t j = 0; j < cols; j++) norm[j] = (float)sqrt(sums[j]);
}

/* ---- what is pruned already ---- */

int64_t prune_zeros(const float *w, int64_t n) {
    int64_t zeros = 0;
    for (int64_t i = 0; i < n; i++) zeros += w[i] == 0;
    return zeros;
}

void prune_mask_nonzero(const float *w, int64_t rows, int64_t cols, uint32_t *mask) {
    int64_t words = mask_words(cols);
    for (int64_t i = 0; i < rows * words; i++) {
        int64_t col = i % words * MASK_BITS, part = cols - col < MASK_BITS ? cols - col : MASK_BITS;
        const float *from = w + i / words * cols + col;
        mask[i] = 0;
        for (int64_t j = 0; j < part; j++) mask[i] |= (uint32_t)(from[j] != 0) << j;
    }
}
