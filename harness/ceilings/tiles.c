/* tiles.c: AMX, tiles resident: 4 accumulators of 16 × 16, 2 tiles of rows and 2 of columns, all ones. */
#include <string.h>

#include "harness/ceilings/probe.h"
#include "harness/doctor/features.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define T_BF16 __attribute__((target("amx-tile,amx-bf16")))
#define T_INT8 __attribute__((target("amx-tile,amx-int8")))
enum { TILE_BYTES = 1024, TILE_ROWS = 16, ROW_BYTES = 64, STEPS = 64 };

static int has_bf16(void) { return feature_has(FEATURE_AMX_TILE) && feature_has(FEATURE_AMX_BF16); }
static int has_int8(void) { return feature_has(FEATURE_AMX_TILE) && feature_has(FEATURE_AMX_INT8); }

/* Palette 1: eight tiles of 16 rows of 64 bytes (Intel SDM volume 1, 18.2). */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
static struct tile_config configure(void) {
    struct tile_config c = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        c.row_bytes[i] = ROW_BYTES;
        c.rows[i] = TILE_ROWS;
    }
    return c;
}

/* Fills a tile's memory with ones of the type. */
static void fill(void *tile, const void *one, size_t size) {
    for (size_t i = 0; i < TILE_BYTES; i += size) memcpy((char *)tile + i, one, size);
}

static uint64_t sum_f32(const float *tile) {
    double sum = 0;
    for (int i = 0; i < TILE_BYTES / 4; i++) sum += (double)tile[i];
    return (uint64_t)sum;
}

static uint64_t sum_i32(const uint32_t *tile) {
    uint64_t sum = 0;
    for (int i = 0; i < TILE_BYTES / 4; i++) sum += tile[i];
    return sum;
}

#define TILES(name, TARGET, PRODUCT, one_type, one_value, lane, sum) \
    static TARGET void name(struct share *s, int64_t repeats) { \
        _Alignas(64) struct tile_config config = configure(); \
        _Alignas(64) unsigned char ones[TILE_BYTES]; \
        _Alignas(64) lane result[4][TILE_BYTES / 4]; \
        const one_type one = one_value; \
        fill(ones, &one, sizeof one); \
        __asm__ volatile("" : : "r"(&config), "r"(ones) : "memory"); /* the tile loads do not say that they read */ \
        _tile_loadconfig(&config); \
        _tile_zero(0); \
        _tile_zero(1); \
        _tile_zero(2); \
        _tile_zero(3); \
        _tile_loadd(4, ones, ROW_BYTES); \
        _tile_loadd(5, ones, ROW_BYTES); \
        _tile_loadd(6, ones, ROW_BYTES); \
        _tile_loadd(7, ones, ROW_BYTES); \
        for (int64_t r = 0; r < repeats * STEPS; r++) { \
            PRODUCT(0, 4, 6); \
            PRODUCT(1, 4, 7); \
            PRODUCT(2, 5, 6); \
            PRODUCT(3, 5, 7); \
        } \
        _tile_stored(0, result[0], ROW_BYTES); \
        _tile_stored(1, result[1], ROW_BYTES); \
        _tile_stored(2, result[2], ROW_BYTES); \
        _tile_stored(3, result[3], ROW_BYTES); \
        _tile_release(); \
        for (int i = 0; i < 4; i++) s->sink += sum(result[i]); \
    }

TILES(tiles_bf16, T_BF16, _tile_dpbf16ps, uint16_t, 0x3f80, float, sum_f32)
TILES(tiles_int8, T_INT8, _tile_dpbssd, uint8_t, 1, uint32_t, sum_i32)

/* 16 × 16 results, `depth` multiply-adds each, 4 products a step. */
#define WORK(depth) (2.0 * STEPS * 4 * TILE_ROWS * TILE_ROWS * (depth))
static const struct probe tiles[] = {
    {"AMX tiles resident", "amx-bf16", has_bf16, WORK(32), tiles_bf16},
    {"AMX tiles resident", "amx-int8", has_int8, WORK(64), tiles_int8},
};
struct probe_list probes_tile(void) {
    return (struct probe_list){tiles, sizeof tiles / sizeof *tiles};
}
#else
struct probe_list probes_tile(void) {
    return (struct probe_list){NULL, 0};
}
#endif
