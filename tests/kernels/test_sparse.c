/* Sparse formats: there and back at every density and size, the layouts by their definitions, capacities refused. */
#include <string.h>

#include "check_main.h"
#include "kernels/base/memory.h"
#include "kernels/base/random.h"
#include "kernels/sparse/bitmap.h"
#include "kernels/sparse/tca_bme.h"
#include "kernels/sparse/tiled_csl.h"

enum { MOST = 300 * 300 };

static struct source {
    uint16_t values[MOST], want[MOST], have[MOST];
    uint8_t bytes[MOST], want_bytes[MOST], have_bytes[MOST];
    uint32_t mask[MOST];
} source;

/* Some kept values are 0: a mask says what is stored, not the value. */
static struct masked fill(int64_t rows, int64_t cols, double density, uint64_t seed) {
    struct masked m = {source.values, source.mask, rows, cols};
    int64_t words = mask_words(cols);
    memset(source.mask, 0, (size_t)(rows * words) * sizeof *source.mask);
    for (int64_t i = 0; i < rows * cols; i++) {
        int is_kept = random_unit(random_next(&seed)) < density;
        source.values[i] = (uint16_t)(i % 17 ? random_next(&seed) : 0);
        source.bytes[i] = (uint8_t)source.values[i];
        source.mask[i / cols * words + i % cols / MASK_BITS] |= (uint32_t)is_kept << (i % cols % MASK_BITS);
        source.want[i] = is_kept ? source.values[i] : 0;
        source.want_bytes[i] = is_kept ? source.bytes[i] : 0;
    }
    return m;
}

static void check_bitmap(const struct masked *m) {
    struct bitmap b;
    struct error e = {0};
    int64_t n = m->rows * m->cols, kept = mask_count(m->mask, m->rows * mask_words(m->cols));
    ck_assert_int_eq(bitmap_encode(m, 2, &b, &e), STATUS_OK);
    memset(source.have, 0xee, sizeof source.have);
    bitmap_decode(&b, 0, m->rows, source.have);
    ck_assert_mem_eq(source.have, source.want, (size_t)n * 2);
    ck_assert_int_eq(b.row_start[m->rows], kept);
    ck_assert(bitmap_bytes(m->rows, m->cols, kept, 2) == (double)(4 * m->rows * mask_words(m->cols) + 8 * (m->rows + 1) + 2 * kept));
    if (m->rows > 2) {
        bitmap_decode(&b, 1, m->rows - 2, source.have);
        ck_assert_mem_eq(source.have, source.want + m->cols, (size_t)(n - 2 * m->cols) * 2);
    }
    bitmap_free(&b);
    struct masked bytes = *m;
    bytes.values = source.bytes;
    ck_assert_int_eq(bitmap_encode(&bytes, 1, &b, &e), STATUS_OK);
    bitmap_decode(&b, 0, m->rows, source.have_bytes);
    ck_assert_mem_eq(source.have_bytes, source.want_bytes, (size_t)n);
    bitmap_free(&b);
}

static void check_csl(const struct masked *m) {
    struct tiled_csl t;
    struct error e = {0};
    int64_t n_tiles = (m->rows + 127) / 128 * ((m->cols + 63) / 64), kept = mask_count(m->mask, m->rows * mask_words(m->cols));
    ck_assert_msg(tiled_csl_encode(m, SPARSE_UNLIMITED, &t, &e) == STATUS_OK, "%s", e.text);
    memset(source.have, 0xee, sizeof source.have);
    tiled_csl_decode(&t, source.have);
    ck_assert_mem_eq(source.have, source.want, (size_t)(m->rows * m->cols) * 2);
    ck_assert(t.n_records >= kept && t.n_records <= kept + 3 * n_tiles && t.n_records % 4 == 0);
    ck_assert_int_eq((int64_t)t.offsets[n_tiles] * 4, t.n_records);
    ck_assert_int_eq(t.offsets[n_tiles + 1], t.offsets[n_tiles]);
    ck_assert(tiled_csl_bytes(&t) == (double)(4 * t.n_records + 4 * (n_tiles + 2)));
    tiled_csl_free(&t);
}

static void check_bme(const struct masked *m) {
    struct tca_bme t;
    struct error e = {0};
    int64_t n_groups = (m->rows + 63) / 64 * ((m->cols + 63) / 64), kept = mask_count(m->mask, m->rows * mask_words(m->cols));
    ck_assert_msg(tca_bme_encode(m, SPARSE_UNLIMITED, &t, &e) == STATUS_OK, "%s", e.text);
    memset(source.have, 0xee, sizeof source.have);
    tca_bme_decode(&t, source.have);
    ck_assert_mem_eq(source.have, source.want, (size_t)(m->rows * m->cols) * 2);
    ck_assert(t.n_values >= kept && t.n_values <= kept + 7 * n_groups && t.n_values % 8 == 0 && t.group_start[n_groups] == t.n_values);
    ck_assert(tca_bme_bytes(&t) == (double)(2 * t.n_values + 8 * 64 * n_groups + 4 * (n_groups + 1) + 16 * n_groups));
    tca_bme_free(&t);
}

START_TEST(there_and_back) {
    static const int64_t sizes[] = {0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200, 257};
    static const double densities[] = {0, 0.02, 0.2, 0.5, 0.8, 1};
    enum { SIZES = sizeof sizes / sizeof *sizes, DENSITIES = sizeof densities / sizeof *densities };
    uint64_t seed = 1;
    for (int i = 0; i < SIZES; i++)
        for (int j = 0; j < SIZES; j++) {
            struct masked m = fill(sizes[i], sizes[j], densities[(i * SIZES + j) % DENSITIES], seed++);
            check_bitmap(&m);
            check_csl(&m);
            check_bme(&m);
        }
    for (int k = 0; k < DENSITIES; k++) {
        struct masked m = fill(256, 192, densities[k], seed++);
        check_bitmap(&m);
        check_csl(&m);
        check_bme(&m);
    }
}
END_TEST

/* ---- layouts ---- */

START_TEST(bitmap_rows_are_words_and_values) {
    uint16_t row[70];
    uint32_t mask[3] = {1u << 31 | 1u << 3, 0, 1u << 5 | 1};
    uint16_t values[70] = {0};
    for (int i = 0; i < 70; i++) row[i] = (uint16_t)(100 + i);
    ck_assert_int_eq(bitmap_pack_row(row, mask, 70, 2, values), 4);
    ck_assert(values[0] == 103 && values[1] == 131 && values[2] == 164 && values[3] == 169 && values[4] == 0);
}
END_TEST

/* Every record of a tile is at a place of its own, with the swizzled column; what fills up is 0 where nothing is kept. */
START_TEST(csl_records_are_places) {
    struct tiled_csl t;
    struct error e = {0};
    struct masked m = fill(128, 64, 0.3, 5);
    static uint8_t is_seen[128 * 64];
    memset(is_seen, 0, sizeof is_seen);
    ck_assert_int_eq(tiled_csl_encode(&m, TILED_CSL_CAPACITY, &t, &e), STATUS_OK);
    for (int64_t i = 0; i < t.n_records; i++) {
        int place = (int)(t.records[i] >> 16), row = place / 64, col = (place % 64) ^ ((row % 8) << 3);
        REQUIRE(row < 128 && !is_seen[place], "record %lld", (long long)i);
        is_seen[place] = 1;
        REQUIRE((uint16_t)t.records[i] == source.want[row * 64 + col], "value of record %lld", (long long)i);
    }
    tiled_csl_free(&t);
}
END_TEST

/* Stores of 32 lanes to one bank each cost one; the cost of a tile is the sum over its stores of the fullest bank. */
static int store_cost(const uint32_t *records, int lanes) {
    int cost = 0;
    for (int v = 0; v < 4; v++) {
        int in_bank[32] = {0}, most = 0;
        for (int lane = 0; lane < lanes; lane++) {
            int bank = (int)(records[4 * lane + v] >> 16) % 64 / 2;
            most = ++in_bank[bank] > most ? in_bank[bank] : most;
        }
        cost += most;
    }
    return cost;
}

START_TEST(csl_lanes_meet_different_banks) {
    struct tiled_csl t;
    struct error e = {0};
    struct masked m = fill(256, 256, 0.3, 6);
    int cost = 0, least = 0;
    ck_assert_int_eq(tiled_csl_encode(&m, TILED_CSL_CAPACITY, &t, &e), STATUS_OK);
    for (int64_t i = 0; i < t.tile_rows * t.tile_cols; i++) {
        int in_bank[32] = {0}, fullest = 0, stores = 0;
        for (int64_t at = t.offsets[i]; at < t.offsets[i + 1]; at += 32, stores += 4)
            cost += store_cost(t.records + 4 * at, t.offsets[i + 1] - at < 32 ? (int)(t.offsets[i + 1] - at) : 32);
        for (int64_t k = 4 * (int64_t)t.offsets[i]; k < 4 * (int64_t)t.offsets[i + 1]; k++) {
            int bank = (int)(t.records[k] >> 16) % 64 / 2;
            fullest = ++in_bank[bank] > fullest ? in_bank[bank] : fullest;
        }
        least += fullest > stores ? fullest : stores;
    }
    ck_assert_msg(cost <= least + least / 8, "%d stores one after the other; %d is the least", cost, least);
    tiled_csl_free(&t);
}
END_TEST

START_TEST(bme_bitmaps_are_in_the_order_of_registers) {
    struct tca_bme t;
    struct error e = {0};
    static const struct { int row, col, bitmap, bit; } places[] = {{0, 0, 0, 0}, {8, 0, 1, 0}, {0, 8, 2, 0}, {15, 15, 3, 63}, {3, 21, 4, 29}, {17, 2, 16, 10}, {63, 63, 63, 63}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct masked m = fill(128, 128, 0, 1);
        int64_t row = 64 + places[i].row, col = 64 + places[i].col; /* in the last group */
        source.mask[row * 4 + col / 32] |= 1u << (col % 32);
        source.values[row * 128 + col] = 77;
        ck_assert_int_eq(tca_bme_encode(&m, TCA_BME_CAPACITY, &t, &e), STATUS_OK);
        for (int b = 0; b < 4 * 64; b++) ck_assert_uint_eq(t.bitmaps[b], b == 3 * 64 + places[i].bitmap ? (uint64_t)1 << places[i].bit : 0);
        ck_assert(t.n_values == 8 && t.values[0] == 77 && t.most_values == 8);
        for (int band = 0; band < 4; band++) ck_assert_int_eq(t.band_start[12 + band], band > places[i].bitmap / 16);
        tca_bme_free(&t);
    }
}
END_TEST

/* ---- capacities ---- */

static void set_all(const struct masked *m, int64_t row, int64_t col, int64_t rows, int64_t cols) {
    for (int64_t i = row; i < row + rows; i++)
        for (int64_t j = col; j < col + cols; j++) source.mask[i * mask_words(m->cols) + j / 32] |= 1u << (j % 32);
}

START_TEST(csl_refuses_what_the_kernel_would_drop) {
    struct tiled_csl t;
    struct error e = {0};
    struct masked m = fill(256, 128, 0.1, 1);
    source.mask[128 * 4 + 2] = 0;
    set_all(&m, 128, 64, 64, 64); /* 4096 of them, and what is below */
    ck_assert_int_eq(tiled_csl_encode(&m, TILED_CSL_CAPACITY, &t, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "tile [1, 1] of 128 x 64"));
    ck_assert_ptr_nonnull(strstr(e.text, "4096"));
    for (int64_t i = 192; i < 256; i++) source.mask[i * 4 + 2] = source.mask[i * 4 + 3] = 0;
    ck_assert_int_eq(tiled_csl_encode(&m, TILED_CSL_CAPACITY, &t, &e), STATUS_OK);
    tiled_csl_free(&t);
}
END_TEST

START_TEST(bme_refuses_what_the_kernel_would_overrun) {
    struct tca_bme t;
    struct error e = {0};
    struct masked m = fill(128, 192, 0, 1);
    set_all(&m, 0, 128, 36, 64); /* 2304 */
    ck_assert_int_eq(tca_bme_encode(&m, TCA_BME_CAPACITY, &t, &e), STATUS_OK);
    ck_assert_int_eq(t.most_values, 2304);
    tca_bme_free(&t);
    set_all(&m, 36, 128, 1, 1); /* one more, and the group is filled up */
    ck_assert_int_eq(tca_bme_encode(&m, TCA_BME_CAPACITY, &t, &e), STATUS_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(e.text, "group tile [0, 2] of 64 x 64 holds 2312 values"));
    ck_assert_ptr_nonnull(strstr(e.text, "2304"));
    ck_assert_int_eq(tca_bme_encode(&m, 2312, &t, &e), STATUS_OK);
    tca_bme_free(&t);
}
END_TEST

/* The n-th allocation is refused: those before it are bookkeeping, which is not expected to fail. */
START_TEST(no_memory_is_an_error) {
    struct masked m = fill(64, 64, 0.5, 1);
    struct bitmap b;
    struct tiled_csl c;
    struct tca_bme t;
    for (int64_t n = 0; n < 2; n++) {
        struct error e[3] = {{0}, {0}, {0}};
        mem_fail_after(1 + n); /* mask, values */
        ck_assert_int_eq(bitmap_encode(&m, 2, &b, &e[0]), STATUS_NO_MEMORY);
        mem_fail_after(1); /* records */
        ck_assert_int_eq(tiled_csl_encode(&m, SPARSE_UNLIMITED, &c, &e[1]), STATUS_NO_MEMORY);
        mem_fail_after(2 + n); /* bitmaps, values */
        ck_assert_int_eq(tca_bme_encode(&m, SPARSE_UNLIMITED, &t, &e[2]), STATUS_NO_MEMORY);
        mem_fail_after(-1);
        for (int i = 0; i < 3; i++) ck_assert_ptr_nonnull(strstr(e[i].text, "[64, 64]"));
    }
}
END_TEST

TEST_MAIN("sparse", there_and_back, bitmap_rows_are_words_and_values, csl_records_are_places, csl_lanes_meet_different_banks,
          bme_bitmaps_are_in_the_order_of_registers, csl_refuses_what_the_kernel_would_drop, bme_refuses_what_the_kernel_would_overrun,
          no_memory_is_an_error)
