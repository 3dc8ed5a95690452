/* Masks of the lowest scores, against sorting: every share, size and kind, with many ties, in any batches. */
#include <math.h>
#include <string.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/base/sort.h"
#include "kernels/prune.h"

enum { MOST = 8192 };

struct matrix {
    float w[MOST], norm[MOST];
    int64_t rows, cols;
};

/* levels 0: real numbers; else so many different magnitudes. */
static void fill(struct matrix *m, int64_t rows, int64_t cols, int levels, uint64_t seed) {
    m->rows = rows;
    m->cols = cols;
    for (int64_t i = 0; i < rows * cols; i++) {
        double u = 2 * random_unit(random_next(&seed)) - 1;
        m->w[i] = (float)(levels ? rint(u * levels) / 16 : u);
    }
    for (int64_t j = 0; j < cols; j++) m->norm[j] = (float)exp(4 * random_unit(random_next(&seed)));
}

/* ---- the same by sorting ---- */

struct scored {
    float score;
    int32_t at;
};

static int compare_scores(const void *a, const void *b, const void *context) {
    (void)context;
    return SORT_BY(((const struct scored *)a)->score, ((const struct scored *)b)->score);
}

/* keep[0..n) of scores[0..n): the k lowest, equal ones in order, are dropped. */
static void drop_lowest(const float *scores, int64_t n, int64_t k, uint8_t *keep) {
    struct scored *list = mem_alloc((size_t)n * sizeof *list);
    for (int64_t i = 0; i < n; i++) list[i] = (struct scored){scores[i], (int32_t)i};
    sort_stable(list, (size_t)n, sizeof *list, compare_scores, NULL);
    memset(keep, 1, (size_t)n);
    for (int64_t i = 0; i < k; i++) keep[list[i].at] = 0;
    mem_free(list);
}

static void mask_by_sorting(const struct pruning *p, const float *scores, int64_t rows, int64_t cols, uint8_t *keep) {
    if (p->per == PRUNE_PER_MATRIX) drop_lowest(scores, rows * cols, (int64_t)floor(p->share * (double)(rows * cols)), keep);
    for (int64_t i = 0; i < rows && p->per == PRUNE_PER_ROW; i++)
        drop_lowest(scores + i * cols, cols, (int64_t)floor(p->share * (double)cols), keep + i * cols);
    for (int64_t i = 0; i < rows * cols && p->per == PRUNE_N_OF_M; i += p->m) drop_lowest(scores + i, p->m, p->n, keep + i);
}

static void check_mask(const uint32_t *mask, const uint8_t *keep, int64_t rows, int64_t cols) {
    int64_t words = mask_words(cols), kept = 0;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < cols; j++) REQUIRE(mask_get(mask + i * words, j) == keep[i * cols + j], "[%lld, %lld] of [%lld, %lld]", (long long)i, (long long)j, (long long)rows, (long long)cols);
        for (int64_t j = cols; j < words * MASK_BITS; j++) REQUIRE(!mask_get(mask + i * words, j), "a bit beyond row %lld", (long long)i);
    }
    for (int64_t i = 0; i < rows * cols; i++) kept += keep[i];
    ck_assert_int_eq(mask_count(mask, rows * words), kept);
}

static void check_pruning(const struct pruning *p, const struct matrix *m, int is_wanda) {
    static uint32_t mask[MOST];
    static uint8_t keep[MOST];
    static float scores[MOST];
    struct error e = {0};
    const struct prune_rows rows = {.w = m->w, .norm = is_wanda ? m->norm : NULL, .rows = m->rows, .cols = m->cols};
    memset(mask, 0xff, sizeof mask);
    ck_assert_msg(prune(p, &rows, mask, &e) == STATUS_OK, "%s", e.text);
    ck_assert_int_eq(prune_scores(&rows, scores, &e), STATUS_OK);
    for (int64_t i = 0; i < m->rows * m->cols; i++) REQUIRE(scores[i] == fabsf(m->w[i]) * (is_wanda ? m->norm[i % m->cols] : 1), "score %lld", (long long)i);
    mask_by_sorting(p, scores, m->rows, m->cols, keep);
    check_mask(mask, keep, m->rows, m->cols);
}

START_TEST(as_by_sorting) {
    static struct matrix m;
    static const double shares[] = {0, 0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999, 1};
    static const int64_t shapes[][2] = {{1, 1}, {1, 2}, {3, 7}, {5, 31}, {4, 32}, {7, 33}, {2, 1000}, {40, 100}, {64, 127}, {0, 5}, {5, 0}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int levels = 0; levels <= 16; levels += 8)
            for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
                const struct pruning row = {.per = PRUNE_PER_ROW, .share = shares[k]}, matrix = {.per = PRUNE_PER_MATRIX, .share = shares[k]};
                fill(&m, shapes[i][0], shapes[i][1], levels, 17 * i + k);
                for (int is_wanda = 0; is_wanda < 2; is_wanda++) {
                    check_pruning(&row, &m, is_wanda);
                    check_pruning(&matrix, &m, is_wanda);
                }
            }
}
END_TEST

START_TEST(n_of_m_as_by_sorting) {
    static struct matrix m;
    static const int settings[][2] = {{2, 4}, {4, 8}, {1, 2}, {0, 3}, {3, 3}, {5, 7}, {1, 64}, {0, 1}, {1, 1}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        for (int levels = 0; levels <= 4; levels += 2) {
            const struct pruning p = {.per = PRUNE_N_OF_M, .n = settings[i][0], .m = settings[i][1]};
            fill(&m, 9, 5 * settings[i][1], levels, i);
            check_pruning(&p, &m, levels != 2);
        }
}
END_TEST

/* A share in binary is what it is: 0.7 of 10 are 7, 0.29 of 100 are 28. */
START_TEST(shares_are_rounded_down) {
    static struct matrix m;
    static uint32_t mask[4];
    struct error e = {0};
    static const struct { double share; int64_t cols, kept; } cases[] = {{0.7, 10, 3}, {0.29, 100, 72}, {0.5, 7, 4}, {0.999, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pruning p = {.per = PRUNE_PER_ROW, .share = cases[i].share};
        fill(&m, 1, cases[i].cols, 0, i);
        const struct prune_rows rows = {.w = m.w, .rows = 1, .cols = m.cols};
        ck_assert_int_eq(prune(&p, &rows, mask, &e), STATUS_OK);
        ck_assert_int_eq(mask_count(mask, mask_words(m.cols)), cases[i].kept);
    }
}
END_TEST

/* Three passes in batches, as several threads would: counts added up, ties handed on. */
static void prune_in_batches(const struct pruning *p, const struct matrix *m, int64_t batch, uint32_t *mask) {
    struct prune_selection *one = mem_alloc(sizeof *one), *other = mem_alloc(sizeof *other);
    struct error e = {0};
    prune_selection_begin(one, p, m->rows * m->cols);
    for (int pass = 0; pass < 2; pass++) {
        if (pass) prune_selection_narrow(one);
        *other = *one;
        for (int64_t first = 0; first < m->rows; first += batch) {
            const struct prune_rows some = {.w = m->w + first * m->cols, .norm = m->norm, .first = first, .rows = batch < m->rows - first ? batch : m->rows - first, .cols = m->cols};
            ck_assert_int_eq(prune_count(first / batch % 2 ? one : other, &some, &e), STATUS_OK);
        }
        prune_selection_add(one, other);
    }
    struct prune_threshold t = prune_selection_end(one);
    int64_t before = 0;
    for (int64_t first = 0; first < m->rows; first += batch) {
        const struct prune_rows some = {.w = m->w + first * m->cols, .norm = m->norm, .first = first, .rows = batch < m->rows - first ? batch : m->rows - first, .cols = m->cols};
        int64_t left = t.ties > before ? t.ties - before : 0;
        before += prune_ties(&t, &some);
        prune_mask(&t, &some, &left, mask + first * mask_words(m->cols));
        ck_assert_int_eq(left, t.ties > before ? t.ties - before : 0);
    }
    mem_free(one);
    mem_free(other);
}

START_TEST(batches_make_no_difference) {
    static struct matrix m;
    static uint32_t mask[MOST], batched[MOST];
    for (int levels = 0; levels <= 6; levels += 3)
        for (int64_t batch = 1; batch <= 40; batch += 13) {
            struct error e = {0};
            const struct pruning p = {.per = PRUNE_PER_MATRIX, .share = 0.6};
            fill(&m, 40, 70, levels, (uint64_t)batch);
            for (int64_t j = 0; j < m.cols && levels; j++) m.norm[j] = 1;
            const struct prune_rows rows = {.w = m.w, .norm = m.norm, .rows = m.rows, .cols = m.cols};
            ck_assert_int_eq(prune(&p, &rows, mask, &e), STATUS_OK);
            prune_in_batches(&p, &m, batch, batched);
            ck_assert_mem_eq(mask, batched, (size_t)(m.rows * mask_words(m.cols)) * sizeof *mask);
        }
}
END_TEST

START_TEST(damage_is_named) {
    static struct matrix m;
    static uint32_t mask[MOST];
    static const enum prune_per kinds[] = {PRUNE_PER_ROW, PRUNE_PER_MATRIX, PRUNE_N_OF_M};
    for (int i = 0; i < 12; i++) {
        struct error e = {0};
        const struct pruning p = {.per = kinds[i % 3], .share = 0.5, .n = 2, .m = 4};
        fill(&m, 6, 40, 0, 3);
        m.w[2 * 40 + 5 + i] = i % 2 ? NAN : -INFINITY;
        const struct prune_rows rows = {.w = m.w, .norm = i % 4 ? m.norm : NULL, .first = 100, .rows = 6, .cols = 40};
        ck_assert_int_eq(prune(&p, &rows, mask, &e), STATUS_INPUT);
        char *want = mem_printf("element [102, %d] is %s", 5 + i, i % 2 ? "not a number" : "infinite");
        ck_assert_str_eq(e.text, want);
        mem_free(want);
    }
    struct error e = {0};
    const struct pruning p = {.share = 0.5};
    fill(&m, 2, 8, 0, 3);
    m.norm[3] = NAN;
    const struct prune_rows rows = {.w = m.w, .norm = m.norm, .rows = 2, .cols = 8};
    ck_assert_int_eq(prune(&p, &rows, mask, &e), STATUS_INPUT);
    ck_assert_ptr_nonnull(strstr(e.text, "element [0, 3]: its score"));
}
END_TEST

START_TEST(settings_that_make_no_sense) {
    static const struct {
        struct pruning p;
        const char *word;
    } bad[] = {{{.share = 1.5}, "1.5"},
               {{.share = -0.1}, "-0.1"},
               {{.share = (double)NAN}, "nan"},
               {{.per = PRUNE_N_OF_M, .n = 5, .m = 4}, "5 of 4"},
               {{.per = PRUNE_N_OF_M, .n = 0, .m = 0}, "0 of 0"},
               {{.per = PRUNE_N_OF_M, .n = 2, .m = 65}, "2 of 65"},
               {{.per = PRUNE_N_OF_M, .n = 2, .m = 3}, "rows of 64 elements are no multiple of the 3"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        ck_assert_int_eq(prune_check(&bad[i].p, 64, &e), STATUS_UNSUPPORTED);
        ck_assert_msg(strstr(e.text, bad[i].word) != NULL, "%s", e.text);
    }
}
END_TEST

START_TEST(what_is_pruned_already) {
    static struct matrix m;
    static uint32_t mask[MOST];
    static uint8_t keep[MOST];
    fill(&m, 11, 45, 3, 8);
    m.w[7] = -0.0f;
    int64_t zeros = 0;
    for (int64_t i = 0; i < 11 * 45; i++) {
        keep[i] = m.w[i] != 0;
        zeros += !keep[i];
    }
    ck_assert_int_gt(zeros, 20);
    ck_assert_int_eq(prune_zeros(m.w, 11 * 45), zeros);
    prune_mask_nonzero(m.w, 11, 45, mask);
    check_mask(mask, keep, 11, 45);
}
END_TEST

START_TEST(norms_over_batches_of_tokens) {
    static struct matrix m;
    double sums[30] = {0};
    float norm[30];
    fill(&m, 20, 30, 0, 4);
    prune_norm_add(m.w, 12, 30, sums);
    prune_norm_add(m.w + 12 * 30, 8, 30, sums);
    prune_norm(sums, 30, norm);
    for (int j = 0; j < 30; j++) {
        double sum = 0;
        for (int t = 0; t < 20; t++) sum += (double)m.w[t * 30 + j] * (double)m.w[t * 30 + j];
        ck_assert(norm[j] == (float)sqrt(sum));
    }
}
END_TEST

TEST_MAIN("prune", as_by_sorting, n_of_m_as_by_sorting, shares_are_rounded_down, batches_make_no_difference, damage_is_named,
          settings_that_make_no_sense, what_is_pruned_already, norms_over_batches_of_tokens)
