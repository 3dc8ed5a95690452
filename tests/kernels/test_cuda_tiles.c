/* The arithmetic of Hopper's tiles and descriptors, against the definitions. */
#include <string.h>

#include "check_main.h"
#include "kernels/cuda/hopper/tiles.h"

enum { ROWS = 128, COLUMNS = 128 };

START_TEST(every_element_has_a_place_of_its_own) {
    static unsigned char seen[ROWS * COLUMNS];
    memset(seen, 0, sizeof seen);
    ck_assert_uint_eq(tile_bytes(ROWS, COLUMNS), ROWS * COLUMNS * 2);
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < COLUMNS; c++) {
            uint32_t at = tile_offset(ROWS, r, c);
            ck_assert_uint_lt(at, tile_bytes(ROWS, COLUMNS));
            ck_assert_uint_eq(at % 2, 0);
            ck_assert_int_eq(seen[at / 2]++, 0);
        }
}
END_TEST

/* The hardware's rule: bits 4 to 6 of the address are exchanged with bits 7 to 9. */
START_TEST(places_are_those_of_the_swizzle) {
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t c = 0; c < COLUMNS; c++) {
            uint32_t plain = c / STRIP_COLUMNS * strip_bytes(ROWS) + r * STRIP_ROW_BYTES + c % STRIP_COLUMNS * 2;
            ck_assert_uint_eq(tile_offset(ROWS, r, c), plain ^ ((plain >> 7 & 7) << 4));
        }
}
END_TEST

static uint32_t field(uint64_t d, int from) { return (uint32_t)(d >> from & 0x3fff) << 4; }

START_TEST(descriptors_hold_what_they_were_given) {
    uint64_t d = tile_descriptor(0x12340, 16384, 1024);
    ck_assert_uint_eq(field(d, 0), 0x12340);
    ck_assert_uint_eq(field(d, 16), 16384);
    ck_assert_uint_eq(field(d, 32), 1024);
    ck_assert_uint_eq(d >> 62, 1); /* 128-byte swizzle */
    ck_assert_uint_eq(d >> 46 & 0xffff, 0); /* patterns begin at multiples of 1024: no base offset */
}
END_TEST

START_TEST(steps_along_a_factor_stay_in_their_strip) {
    const uint32_t tile = 0x8000;
    for (uint32_t column = 0; column < COLUMNS; column += 16) {
        uint32_t at = field(descriptor_by_row(tile, ROWS, 64, column), 0);
        ck_assert_uint_eq(at, tile + column / 64 * strip_bytes(ROWS) + 64 * 128 + column % 64 * 2);
        ck_assert_uint_eq((at - tile) / strip_bytes(ROWS), column / 64);
    }
    for (uint32_t row = 0; row < ROWS; row += 16) {
        uint64_t d = descriptor_by_column(tile, ROWS, row);
        ck_assert_uint_eq(field(d, 0), tile + row * 128);
        ck_assert_uint_eq(field(d, 16), strip_bytes(ROWS));
        ck_assert_uint_eq(field(d, 0) % PATTERN_BYTES, 0);
    }
}
END_TEST

TEST_MAIN("cuda_tiles", every_element_has_a_place_of_its_own, places_are_those_of_the_swizzle, descriptors_hold_what_they_were_given,
          steps_along_a_factor_stay_in_their_strip)
